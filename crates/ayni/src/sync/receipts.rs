//! Receipts: this device's signed statements of what it holds, and those of others that it keeps.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use ayni_log::ids::{DeviceId, StoreId};
use ayni_log::limits;
use ayni_log::membership::ControlBody;
use ayni_store::{Branch, ProjectRow, Snapshot, StoredReceipt};
use ayni_sync::receipt::{Head, Lacked, Receipt, ReceiptKey, Retention, SignedReceipt};

use crate::core::inner::{Inner, LOG_KINDS};
use crate::core::project::ProjectCore;
use crate::core::state::State;
use crate::error::Error;

/// Signs a receipt if this device holds other than its last one says. Gives whose receipt is new then.
pub(crate) fn sign_own(inner: &Inner, core: &ProjectCore) -> Result<Option<ReceiptKey>, Error> {
    let key = ReceiptKey { device: inner.secret.id(), store: inner.incarnation };
    inner.store.write(|tx| {
        let (heads, lacked) = holdings(tx, core.row)?;
        if heads.is_empty() {
            return Ok(None);
        }
        let last = stored(tx, core.row)?.into_iter().find(|receipt| receipt.key.device == key.device);
        if last.as_ref().is_some_and(|last| last.key == key && last.heads == heads && last.lacked == lacked) {
            return Ok(None);
        }
        let counter = last.filter(|last| last.key == key).map_or(1, |last| last.counter + 1);
        let now = inner.environment.now();
        let receipt = Receipt {
            project: core.id,
            key,
            counter,
            time: now,
            retention: Retention::Everything,
            heads,
            lacked,
            attachments_lacked: 0,
        };
        let receipt = receipt.sign(&inner.secret).encode();
        tx.set_receipt(core.row, &StoredReceipt { device: key.device, received: now, receipt })?;
        Ok(Some(key))
    })
}

/// Keeps a receipt of another device if it is genuine and newer than the one held. Gives whose it is then.
pub(crate) fn keep(inner: &Inner, core: &ProjectCore, signed: &SignedReceipt) -> Result<Option<ReceiptKey>, Error> {
    let member = core.published(inner)?.role_of(signed.key.device).is_some();
    let order = core.read(inner, |_, state| Ok(incarnations(state, signed.key.device)))?;
    let Ok(receipt) = signed.receipt() else { return Ok(None) };
    if !member || signed.project != core.id || signed.verify().is_err() || signed.key.device == inner.secret.id() {
        return Ok(None);
    }
    inner.store.write(|tx| {
        let held = stored(tx, core.row)?.into_iter().find(|held| held.key.device == signed.key.device);
        let newer = held.is_none_or(|held| match held.key == receipt.key {
            true => receipt.counter > held.counter,
            // What a device held before it was restored says nothing of what it holds now, whatever its clock says.
            false => match order.get(&held.key.store).cmp(&order.get(&receipt.key.store)) {
                Ordering::Less => true,
                Ordering::Equal => receipt.time > held.time,
                Ordering::Greater => false,
            },
        });
        if !newer {
            return Ok(None);
        }
        let received = inner.environment.now();
        let stored = StoredReceipt { device: receipt.key.device, received, receipt: signed.encode() };
        tx.set_receipt(core.row, &stored)?;
        Ok(Some(receipt.key))
    })
}

/// How many incarnations of a device came before each, as far as their control logs say.
fn incarnations(state: &State, device: DeviceId) -> BTreeMap<StoreId, usize> {
    let previous: BTreeMap<StoreId, Option<StoreId>> = state
        .view
        .entries()
        .filter(|entry| entry.log.device == device)
        .filter_map(|entry| match &entry.body {
            ControlBody::Incarnation(body) => Some((entry.log.incarnation, body.previous)),
            ControlBody::Found(_) => Some((entry.log.incarnation, None)),
            _ => None,
        })
        .collect();
    let before = |store: &StoreId| {
        let chain =
            std::iter::successors(previous.get(store).copied().flatten(), |at| previous.get(at).copied().flatten());
        chain.take(limits::INCARNATIONS).count()
    };
    previous.keys().map(|store| (*store, before(store))).collect()
}

/// The receipts held.
pub(crate) fn stored(store: &Snapshot<'_>, row: ProjectRow) -> Result<Vec<Receipt>, Error> {
    let read = |stored: StoredReceipt| SignedReceipt::decode(&stored.receipt).and_then(|signed| signed.receipt()).ok();
    Ok(store.receipts(row)?.into_iter().filter_map(read).collect())
}

/// The branches that are here, and what damage took out of them.
fn holdings(store: &Snapshot<'_>, row: ProjectRow) -> Result<(Vec<Head>, Vec<Lacked>), Error> {
    let mut branches = Vec::new();
    for kind in LOG_KINDS {
        branches.extend(store.frontier(row, kind)?.into_iter().filter(|branch| branch.length > 0));
    }
    let head = |branch: &Branch| Head { log: branch.log_id, length: branch.length, hash: branch.hash };
    branches.sort_unstable_by_key(|branch| head(branch));
    let heads = branches.iter().map(head).collect();
    let mut lacked = Vec::new();
    for (number, branch) in (0..).zip(&branches) {
        let gaps = store.gaps(branch.row)?.into_iter();
        lacked.extend(gaps.map(|gap| Lacked { head: number, start: gap.start, count: gap.end - gap.start }));
    }
    Ok((heads, lacked))
}

/// Whether a device that signed this keeps everything that it acknowledges.
pub(crate) fn counts_as_backup(receipt: &Receipt) -> bool {
    receipt.retention == Retention::Everything && receipt.lacked.is_empty()
}
