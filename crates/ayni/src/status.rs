//! The status of a project: what this device holds, and what the others hold by their own receipts. Never a guess.

use std::collections::BTreeMap;

use ayni_log::ids::{DeviceId, LogKind};
use ayni_log::membership::Role;
use ayni_store::{Branch, ProjectRow, Snapshot};
use ayni_sync::receipt::Receipt;

use crate::core::inner::LOG_KINDS;
use crate::error::Error;
use crate::project::Project;
use crate::sync::receipts::{counts_as_backup, stored};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Entries of all logs that are here.
    pub entries: u64,
    /// Bytes of their headers and payloads.
    pub bytes: u64,
    /// Entries that are here and have no effect yet, because something that they refer to is not here, or a key.
    pub waiting: u64,
    /// The other devices of the project, those removed left out.
    pub devices: Vec<DeviceStatus>,
}

/// What another device holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceStatus {
    /// The device.
    pub device: DeviceId,
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Its newest receipt, if one has come.
    pub receipt: Option<ReceiptStatus>,
}

/// What a receipt says, measured against what this device holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiptStatus {
    /// When it was signed, by that device's clock: milliseconds since 1970.
    pub time: i64,
    /// Entries that are here and that it does not acknowledge.
    pub entries_behind: u64,
    /// Entries that it acknowledges and that are not here.
    pub entries_ahead: u64,
    /// Whether the device keeps everything it acknowledges for good.
    pub keeps_everything: bool,
}

impl ReceiptStatus {
    /// Whether the device acknowledges everything that is here.
    pub fn has_everything(&self) -> bool {
        self.entries_behind == 0
    }
}

impl Status {
    /// The devices that have acknowledged, and keep, everything that is here.
    pub fn safe_with(&self) -> impl Iterator<Item = &DeviceStatus> {
        let safe = |receipt: &ReceiptStatus| receipt.has_everything() && receipt.keeps_everything;
        self.devices.iter().filter(move |device| device.receipt.as_ref().is_some_and(safe))
    }
}

impl Project {
    /// What this device holds, and what the others hold by their receipts.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn status(&self) -> Result<Status, Error> {
        let published = self.published()?;
        let row = self.core.row;
        self.database.inner.store.read(|snapshot| {
            let branches = frontier(snapshot, row)?;
            let receipts = stored(snapshot, row)?;
            let mut status = Status { entries: 0, bytes: 0, waiting: 0, devices: Vec::new() };
            for branch in &branches {
                let own = own_entries(branch);
                status.entries += own;
                status.bytes += branch.bytes;
                if branch.log.kind == LogKind::Data {
                    status.waiting += branch.length - branch.applied.max(branch.length - own);
                }
            }
            let others = published
                .members
                .iter()
                .filter(|member| member.device != self.database.device() && member.role != Role::Removed);
            for member in others {
                let receipt = receipts.iter().find(|receipt| receipt.key.device == member.device);
                status.devices.push(DeviceStatus {
                    device: member.device,
                    name: published.names.get(&member.device).cloned().unwrap_or_default(),
                    role: member.role,
                    receipt: receipt.map(|receipt| measure(snapshot, &branches, receipt)).transpose()?,
                });
            }
            Ok(status)
        })
    }
}

fn frontier(store: &Snapshot<'_>, row: ProjectRow) -> Result<Vec<Branch>, Error> {
    let mut branches = Vec::new();
    for kind in LOG_KINDS {
        branches.extend(store.frontier(row, kind)?);
    }
    Ok(branches)
}

/// The entries that a branch does not share with the one it forked off.
fn own_entries(branch: &Branch) -> u64 {
    branch.length - branch.fork.map_or(0, |(_, at)| at)
}

fn measure(store: &Snapshot<'_>, branches: &[Branch], receipt: &Receipt) -> Result<ReceiptStatus, Error> {
    let mut behind = 0;
    let mut lengths: BTreeMap<_, u64> = BTreeMap::new();
    for branch in branches {
        let longest = lengths.entry(branch.log_id).or_default();
        *longest = (*longest).max(branch.length);
        let mut acknowledged = 0;
        for head in receipt.heads.iter().filter(|head| head.log == branch.log_id) {
            // Of a head beyond what is here nobody can tell whether it is on this branch, so it proves nothing yet.
            let Some(last) = head.length.checked_sub(1).filter(|last| *last < branch.length) else { continue };
            if store.hash_at(branch.row, last)? == Some(head.hash) {
                acknowledged = acknowledged.max(head.length);
            }
        }
        behind += (branch.length - acknowledged).min(own_entries(branch));
    }
    // What damage took it does not have, whatever lengths it names.
    let lacked = receipt.lacked.iter().fold(0_u64, |sum, lacked| sum.saturating_add(lacked.count));
    let ahead =
        |head: &ayni_sync::receipt::Head| head.length.saturating_sub(lengths.get(&head.log).copied().unwrap_or(0));
    Ok(ReceiptStatus {
        time: receipt.time,
        entries_behind: behind.saturating_add(lacked),
        entries_ahead: receipt.heads.iter().map(ahead).sum(),
        keeps_everything: counts_as_backup(receipt),
    })
}
