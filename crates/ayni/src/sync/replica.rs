//! What a conversation is told about what this device holds: read from the store, so that it is durable.

use std::ops::ControlFlow;

use ayni_log::header::Header;
use ayni_log::ids::{DeviceId, Hash, LogKind, LogName, ProjectId};
use ayni_log::membership::Role;
use ayni_log::segment::WireEntry;
use ayni_store::{Branch, BranchRow, ProjectRow, Snapshot, StoreError};
use ayni_sync::receipt::{ReceiptKey, SignedReceipt};
use ayni_sync::{BranchId, BranchTip, Replica, SegmentBytes, Standing};

use crate::core::inner::Inner;

/// The database as conversations see it.
pub(crate) struct Held<'a>(pub(crate) &'a Inner);

/// How a conversation names a branch.
pub(crate) fn branch_id(row: BranchRow) -> BranchId {
    BranchId(row.0.unsigned_abs())
}

fn row_of(branch: BranchId) -> BranchRow {
    BranchRow(branch.0 as i64)
}

impl Held<'_> {
    fn ask<T>(&self, question: impl FnOnce(&Snapshot<'_>) -> Result<T, StoreError>) -> Option<T> {
        let answer = self.0.store.read(question);
        if let Err(error) = &answer {
            tracing::warn!(%error, "reading for another device failed");
        }
        answer.ok()
    }

    fn row(&self, project: &ProjectId) -> Option<ProjectRow> {
        self.0.core(project).map(|core| core.row)
    }
}

fn tip_of(branch: Branch) -> Option<BranchTip> {
    (branch.length > 0).then(|| BranchTip {
        branch: branch_id(branch.row),
        log: branch.log,
        length: branch.length,
        hash: branch.hash,
        bytes: branch.bytes,
    })
}

/// What an entry counts for in the bytes of its branch: its whole header, and its payload, be that here or not.
fn wire_bytes(header: &[u8], payload: Option<&[u8]>) -> u64 {
    match payload {
        Some(payload) => (header.len() + Hash::LEN + payload.len()) as u64,
        None => header.len() as u64 + Header::decode(header).map_or(0, |header| u64::from(header.payload_len)),
    }
}

impl Replica for Held<'_> {
    fn frontier(&self, project: &ProjectId, kind: LogKind) -> Vec<BranchTip> {
        let Some(row) = self.row(project) else { return Vec::new() };
        let branches = self.ask(|snapshot| snapshot.frontier(row, kind)).unwrap_or_default();
        branches.into_iter().filter_map(tip_of).collect()
    }

    fn tip(&self, _project: &ProjectId, branch: BranchId) -> Option<BranchTip> {
        tip_of(self.ask(|snapshot| snapshot.branch(row_of(branch)))?)
    }

    fn branches(&self, log: &LogName) -> Vec<BranchTip> {
        let branches = self.ask(|snapshot| snapshot.branches_of(log.id())).unwrap_or_default();
        branches.into_iter().filter_map(tip_of).collect()
    }

    fn hash_at(&self, _project: &ProjectId, branch: BranchId, position: u64) -> Option<Hash> {
        self.ask(|snapshot| snapshot.hash_at(row_of(branch), position))?
    }

    fn bytes_at(&self, _project: &ProjectId, branch: BranchId, length: u64) -> Option<u64> {
        self.ask(|snapshot| {
            let stored = snapshot.branch(row_of(branch))?;
            if stored.length == length {
                return Ok(Some(stored.bytes));
            }
            // Counted back from the end, so that it costs no more than what is about to be sent.
            let mut after = 0;
            snapshot.entries(stored.row, length..stored.length, |entry| {
                after += wire_bytes(entry.header, entry.payload);
                Ok::<_, StoreError>(ControlFlow::Continue(()))
            })?;
            Ok(stored.bytes.checked_sub(after))
        })?
    }

    fn segment(&self, _project: &ProjectId, branch: BranchId, from: u64) -> Option<SegmentBytes> {
        self.ask(|snapshot| {
            let Some(segment) = snapshot.segment(row_of(branch), from)? else { return Ok(None) };
            let length = from + segment.entries.len() as u64;
            let Some(hash) = snapshot.hash_at(row_of(branch), length - 1)? else { return Ok(None) };
            let sized = |entry: &WireEntry| wire_bytes(&entry.header, entry.payload.as_deref());
            let size = segment.entries.iter().map(sized).sum();
            Ok(Some(SegmentBytes { length, hash, size, bytes: segment.encode() }))
        })?
    }

    fn standing(&self, project: &ProjectId, device: &DeviceId) -> Standing {
        let published = self.0.core(project).and_then(|core| core.published(self.0).ok());
        match published.and_then(|published| published.role_of(*device)) {
            Some(Role::Removed) => Standing::Refused,
            Some(_) => Standing::Admitted,
            None => Standing::Unknown,
        }
    }

    fn receipts(&self, project: &ProjectId) -> Vec<(ReceiptKey, u64)> {
        let Some(row) = self.row(project) else { return Vec::new() };
        let stored = self.ask(|snapshot| snapshot.receipts(row)).unwrap_or_default();
        let keys = stored.into_iter().filter_map(|stored| SignedReceipt::decode(&stored.receipt).ok());
        keys.map(|receipt| (receipt.key, receipt.counter)).collect()
    }

    fn receipt(&self, project: &ProjectId, key: &ReceiptKey) -> Option<Vec<u8>> {
        let row = self.row(project)?;
        let stored = self.ask(|snapshot| snapshot.receipt(row, key.device))??;
        let of_key = SignedReceipt::decode(&stored.receipt).is_ok_and(|receipt| receipt.key == *key);
        of_key.then_some(stored.receipt)
    }
}
