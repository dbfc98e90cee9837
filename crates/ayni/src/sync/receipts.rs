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
        let last = stored_of(tx, core.row, key.device)?;
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

/// Keeps receipts of other devices, in one transaction: each that is genuine and newer than the one held. Gives whose they
/// are.
pub(crate) fn keep(inner: &Inner, core: &ProjectCore, came: &[SignedReceipt]) -> Result<Vec<ReceiptKey>, Error> {
    let members = core.published(inner)?;
    let genuine = |signed: &&SignedReceipt| {
        let member = members.role_of(signed.key.device).is_some() && signed.key.device != inner.secret.id();
        member && signed.project == core.id && signed.verify().is_ok()
    };
    let receipts = came.iter().filter(genuine).filter_map(|signed| Some((signed, signed.receipt().ok()?)));
    let receipts: Vec<(&SignedReceipt, Receipt)> = receipts.collect();
    if receipts.is_empty() {
        return Ok(Vec::new());
    }
    let order = core.read(inner, |_, state| {
        Ok(receipts.iter().map(|(signed, _)| incarnations(state, signed.key.device)).collect::<Vec<_>>())
    })?;
    inner.store.write(|tx| {
        let mut kept = Vec::new();
        for ((signed, receipt), order) in receipts.iter().zip(&order) {
            let device = receipt.key.device;
            if stored_of(tx, core.row, device)?.is_none_or(|held| is_newer(receipt, &held, order)) {
                let received = inner.environment.now();
                tx.set_receipt(core.row, &StoredReceipt { device, received, receipt: signed.encode() })?;
                kept.push(receipt.key);
            }
        }
        Ok(kept)
    })
}

/// Whether a receipt says more than the one held of the same device.
fn is_newer(receipt: &Receipt, held: &Receipt, order: &BTreeMap<StoreId, usize>) -> bool {
    if held.key == receipt.key {
        return receipt.counter > held.counter;
    }
    // What a device held before it was restored says nothing of what it holds now, whatever its clock says.
    match order.get(&held.key.store).cmp(&order.get(&receipt.key.store)) {
        Ordering::Less => true,
        Ordering::Equal => receipt.time > held.time,
        Ordering::Greater => false,
    }
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
    Ok(store.receipts(row)?.into_iter().filter_map(read).collect())
}

/// The receipt held of one device.
fn stored_of(store: &Snapshot<'_>, row: ProjectRow, device: DeviceId) -> Result<Option<Receipt>, Error> {
    Ok(store.receipt(row, device)?.and_then(read))
}

fn read(stored: StoredReceipt) -> Option<Receipt> {
    SignedReceipt::decode(&stored.receipt).and_then(|signed| signed.receipt()).ok()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_support::{Device, create, fields, meet, team};

    fn held_of(of: &Device, by: &Device) -> Option<Receipt> {
        let (core, inner) = (&by.project().core, &by.database.inner);
        let held = core.read(inner, |store, _| stored(store, core.row)).unwrap();
        held.into_iter().find(|receipt| receipt.key.device == of.database.device())
    }

    /// The receipt that a device signs once both are level; the connection may have been cut before it came.
    fn signed_by(of: &Device, by: &Device) -> Receipt {
        loop {
            match held_of(of, by) {
                Some(receipt) => return receipt,
                None => meet(&by.database, &of.database),
            }
        }
    }

    #[test]
    fn a_receipt_is_kept_only_if_the_device_that_it_speaks_for_signed_it() {
        let [ana, ben, eve] = team();
        create(&ana.project(), fields([]));
        meet(&ana.database, &ben.database);
        let (core, inner) = (&ana.project().core, &ana.database.inner);
        let mut next = signed_by(&ben, &ana);
        next.counter += 1_000;

        let secret = |device: &Device| device.database.inner.secret.clone();
        let mut foreign = next.clone();
        foreign.project = ayni_log::ids::ProjectId([7; 32]);
        let mut own = next.clone();
        own.key.device = ana.database.device();
        let forged = [next.sign(&secret(&eve)), foreign.sign(&secret(&ben)), own.sign(&secret(&ana))];
        assert_eq!(keep(inner, core, &forged).unwrap(), []);
        let held = core.read(inner, |store, _| stored(store, core.row)).unwrap();
        assert!(held.iter().all(|receipt| receipt.counter < next.counter));

        let genuine = next.sign(&secret(&ben));
        assert_eq!(keep(inner, core, std::slice::from_ref(&genuine)).unwrap(), [next.key]);
        assert_eq!(keep(inner, core, &[genuine]).unwrap(), [], "it says no more than the one held");
        assert_eq!(held_of(&ben, &ana).map(|receipt| receipt.counter), Some(next.counter));
    }
    #[test]
    fn a_receipt_for_another_side_of_a_fork_counts_for_nothing_here() {
        let [ana, ben] = team();
        create(&ana.project(), fields([]));
        meet(&ana.database, &ben.database);
        let behind = || ana.project().status().unwrap().devices[0].receipt.unwrap().entries_behind;
        let mut next = signed_by(&ben, &ana);
        next.counter += 1_000;
        let keep_next = |next: &Receipt| {
            let signed = next.sign(&ben.database.inner.secret);
            assert_eq!(keep(&ana.database.inner, &ana.project().core, &[signed]).unwrap().len(), 1);
        };
        keep_next(&next);
        let before = behind();
        // As long as the branch here, and not the same.
        let forked = next.heads.iter_mut().max_by_key(|head| head.length).unwrap();
        forked.hash = ayni_log::ids::Hash([7; 32]);
        let length = forked.length;
        next.counter += 1;
        keep_next(&next);
        assert_eq!(behind(), before + length);
    }

    #[test]
    fn a_receipt_of_a_later_incarnation_is_newer_whatever_the_clock_said() {
        let [ana, ben] = team();
        let held = signed_by(&ben, &ana);
        let mut restored = held.clone();
        restored.key.store = StoreId([7; 16]);
        (restored.counter, restored.time) = (0, held.time - 1_000_000);
        let order = BTreeMap::from([(held.key.store, 0), (restored.key.store, 1)]);
        assert!(is_newer(&restored, &held, &order), "its clock went back, its folder was restored");
        assert!(!is_newer(&held, &restored, &order));
        let mut next = held.clone();
        (next.counter, next.time) = (held.counter + 1, held.time - 5);
        assert!(is_newer(&next, &held, &order) && !is_newer(&held, &next, &order));
    }
}
