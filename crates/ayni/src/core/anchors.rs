//! What a log being written anchors: which entries of other branches it has seen, under which numbers.

use ayni_log::header::{Anchor, Declaration};
use ayni_log::ids::{DeviceId, Hash, LogId};
use ayni_store::{BranchRow, Snapshot, StoreError};

use crate::core::branches::{Branches, Seen};

/// Control heads that one header anchors at most: with as many parents as an entry can have, it stays within the limit of
/// declarations.
const HEADS: usize = 128;

/// The anchors of a log, and the declarations that its next header is to carry.
pub(crate) struct Anchors<'a> {
    branches: &'a Branches,
    seen: Vec<Option<Seen>>,
    /// For the next header, in their order.
    pub(crate) declarations: Vec<Declaration>,
}

impl<'a> Anchors<'a> {
    /// Goes on from what the log has seen.
    pub(crate) fn new(branches: &'a Branches, seen: &[Option<Seen>]) -> Self {
        Self { branches, seen: seen.to_vec(), declarations: Vec::new() }
    }

    /// What the log has seen by now.
    pub(crate) fn into_seen(self) -> Vec<Option<Seen>> {
        self.seen
    }

    /// The number under which an entry can be referred to without a further anchor.
    pub(crate) fn reaching(&self, log: LogId, holder: BranchRow, position: u64) -> Option<u32> {
        let reaches = |seen: &Option<Seen>| seen.is_some_and(|seen| self.covers(&seen, log, holder, position));
        self.seen.iter().position(reaches).map(|index| index as u32 + 1)
    }

    /// Makes sure that an entry of another branch is anchored; gives the number of its branch.
    pub(crate) fn see(&mut self, new: Seen) -> u32 {
        if let Some(number) = self.reaching(new.log, new.holder, new.position) {
            return number;
        }
        let continues =
            |old: &Option<Seen>| old.is_some_and(|old| self.covers(&new, old.log, old.holder, old.position));
        let continued = self.seen.iter().position(continues);
        let index = continued.unwrap_or(self.seen.len());
        if continued.is_none() {
            self.seen.push(None);
        }
        self.seen[index] = Some(new);
        let number = index as u32 + 1;
        let log = continued.is_none().then_some(new.log);
        self.declarations.push(Declaration::Anchor(Anchor { number, log, position: new.position, hash: new.hash }));
        number
    }

    /// Anchors these control entries, as far as they were not seen before. Where they are more than a header should name, this
    /// device's own come first (they have seen its admission) and the rest is left to the next entries.
    pub(crate) fn see_heads(
        &mut self,
        store: &Snapshot<'_>,
        device: DeviceId,
        heads: &[(LogId, u64, Hash)],
    ) -> Result<(), StoreError> {
        let is_own = |log: &LogId| self.branches.of_log(*log).any(|branch| branch.tip.name().device == device);
        let (own, others): (Vec<_>, Vec<_>) = heads.iter().copied().partition(|(log, ..)| is_own(log));
        for (log, position, hash) in own.into_iter().chain(others) {
            if self.declarations.len() >= HEADS {
                break;
            }
            if let Some(holder) = self.branches.find(store, log, position, hash)? {
                self.see(Seen { log, position, hash, holder });
            }
        }
        Ok(())
    }

    /// Whether what was seen includes an entry.
    fn covers(&self, seen: &Seen, log: LogId, holder: BranchRow, position: u64) -> bool {
        seen.log == log && position <= seen.position && self.branches.holder(seen.holder, position) == holder
    }
}
