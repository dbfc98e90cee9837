//! The branches of a project in memory: their tips, how they fork, and what their references mean.
//!
//! A log refers to entries of others by small numbers that it anchored. Here those become [`EntryKey`]s, which are how the
//! store and the documents name entries on this device.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use ayni_doc::Shape;
use ayni_log::header::{Anchor, BodyV1, Declaration, Reference, Subject};
use ayni_log::ids::{Hash, LogId, LogKind, LogName};
use ayni_log::limits;
use ayni_log::membership::Step;
use ayni_log::seal::LogKey;
use ayni_log::segment::VerifiedSegment;
use ayni_log::tip::Tip;
use ayni_store::{BranchRow, EntryKey, Snapshot, StoreError, entry_key};

/// An entry that a branch declared to have seen, and where it lies here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) log: LogId,
    pub(crate) position: u64,
    pub(crate) hash: Hash,
    /// The row that holds it.
    pub(crate) holder: BranchRow,
}

/// One branch of a log.
#[derive(Clone)]
pub(crate) struct Branch {
    pub(crate) row: BranchRow,
    /// Where it forked: the row that holds what is before, and the first position of its own.
    pub(crate) fork: Option<(BranchRow, u64)>,
    pub(crate) tip: Tip,
    /// Positions below this have taken effect.
    pub(crate) applied: u64,
    /// By anchored number less 1, as of `applied`.
    pub(crate) seen: Vec<Option<Seen>>,
    /// The control entries that were anchored, and where (data logs; as of `applied`).
    pub(crate) steps: Vec<Step>,
    /// The bytes as which the steps lie in the store.
    pub(crate) saved_steps: Vec<u8>,
    /// The positions that count (data logs; as of `applied`).
    pub(crate) counting: Vec<Range<u64>>,
    /// Whether `seen` and `steps` are known. Of a fork they are once what it shares is in effect.
    pub(crate) scanned: bool,
    /// Entries that are about to be stored: the first position, then for each its hash and whether it ends its commit.
    pub(crate) arriving: (u64, Vec<(Hash, bool)>),
    /// From here on nothing has effect: the author renumbered a branch, which no honest program does.
    pub(crate) broken_at: Option<u64>,
    /// Keys by key number, as far as they were asked for and are here.
    pub(crate) keys: BTreeMap<u32, Arc<LogKey>>,
    /// Shapes by number, as far as they were asked for.
    pub(crate) shapes: BTreeMap<u32, Arc<Shape>>,
}

impl Branch {
    pub(crate) fn new(row: BranchRow, fork: Option<(BranchRow, u64)>, tip: Tip, applied: u64) -> Self {
        Self {
            row,
            fork,
            tip,
            applied,
            seen: Vec::new(),
            steps: Vec::new(),
            saved_steps: Vec::new(),
            counting: Vec::new(),
            scanned: fork.is_none() || applied == 0,
            arriving: (0, Vec::new()),
            broken_at: None,
            keys: BTreeMap::new(),
            shapes: BTreeMap::new(),
        }
    }

    /// Whether what stands at a position counts as this branch is judged, as far as is known.
    fn counts(&self, position: u64) -> bool {
        self.broken_at.is_none_or(|broken| position < broken)
            && self.counting.iter().any(|range| range.contains(&position))
    }

    /// Whether `seen` is what was anchored up to the tip. Of a control log, which nothing scans, it is as long as this device
    /// alone writes on it.
    pub(crate) fn has_seen_all(&self) -> bool {
        let place = |seen: &Seen| (seen.log, seen.position, seen.hash);
        let anchored = self.tip.anchors().map(|(_, anchored)| Some((anchored.log, anchored.position, anchored.hash)));
        anchored.eq(self.seen.iter().map(|seen| seen.as_ref().map(place)))
    }

    /// The first position that it does not share with the branch it forked off.
    pub(crate) fn own_start(&self) -> u64 {
        self.fork.map_or(0, |(_, at)| at)
    }
}

/// All branches of a project.
#[derive(Clone, Default)]
pub(crate) struct Branches {
    by_row: BTreeMap<BranchRow, Branch>,
    by_log: BTreeMap<LogId, Vec<BranchRow>>,
}

impl Branches {
    pub(crate) fn insert(&mut self, branch: Branch) {
        let rows = self.by_log.entry(branch.tip.id()).or_default();
        if !rows.contains(&branch.row) {
            rows.push(branch.row);
        }
        self.by_row.insert(branch.row, branch);
    }

    pub(crate) fn get(&self, row: BranchRow) -> Option<&Branch> {
        self.by_row.get(&row)
    }

    pub(crate) fn get_mut(&mut self, row: BranchRow) -> Option<&mut Branch> {
        self.by_row.get_mut(&row)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Branch> {
        self.by_row.values()
    }

    pub(crate) fn rows(&self, kind: LogKind) -> Vec<BranchRow> {
        self.iter().filter(|branch| branch.tip.name().kind == kind).map(|branch| branch.row).collect()
    }

    pub(crate) fn of_log(&self, log: LogId) -> impl Iterator<Item = &Branch> {
        self.by_log.get(&log).into_iter().flatten().filter_map(|row| self.by_row.get(row))
    }

    /// Whether a further log of a device can be begun: each has at most so many incarnations.
    pub(crate) fn may_begin(&self, log: &LogName) -> bool {
        let alike = |branch: &&Branch| {
            let name = branch.tip.name();
            branch.fork.is_none() && name.device == log.device && name.kind == log.kind
        };
        self.iter().filter(alike).count() < limits::INCARNATIONS
    }

    /// Whether a branch, or a new one where `row` is `None`, is beyond the number of a log's branches that are taken whole.
    pub(crate) fn is_further(&self, log: LogId, row: Option<BranchRow>) -> bool {
        let rows = self.by_log.get(&log).map_or(&[][..], Vec::as_slice);
        let index = row.and_then(|row| rows.iter().position(|known| *known == row)).unwrap_or(rows.len());
        index >= limits::BRANCHES_PER_LOG
    }

    /// Whether something here refers to an entry that is not here and stands in a segment, verified for a branch beyond the
    /// number that is taken whole, or may stand further on.
    pub(crate) fn refers_to(
        &self,
        store: &Snapshot<'_>,
        segment: &VerifiedSegment,
        row: Option<BranchRow>,
    ) -> Result<bool, StoreError> {
        let log = segment.log.id();
        let mut missing = BTreeSet::new();
        for anchored in self.iter().flat_map(|branch| branch.tip.anchors().map(|(_, anchored)| anchored)) {
            if anchored.log == log && self.find(store, log, anchored.position, anchored.hash)?.is_none() {
                missing.insert((anchored.position, anchored.hash));
            }
        }
        let stands = segment.entries.iter().any(|entry| missing.contains(&(entry.position, entry.hash)));
        // Which branch a later entry stands on cannot be told yet: for each of them one may be begun.
        let later = missing.iter().filter(|(position, _)| *position >= segment.length).count();
        let begun = self.of_log(log).count().saturating_sub(limits::BRANCHES_PER_LOG);
        Ok(stands || later > 0 && (row.is_some() || begun < later))
    }

    /// Whether an entry that a row holds counts. What several branches of a fork share counts if it does on any of them:
    /// which of them came first here, and so holds it, must not matter.
    pub(crate) fn counts(&self, row: BranchRow, position: u64) -> bool {
        let Some(branch) = self.get(row) else { return false };
        branch.counts(position)
            || self
                .of_log(branch.tip.id())
                .any(|other| other.row != row && other.counts(position) && self.holder(other.row, position) == row)
    }

    /// The positions that a row holds and that count.
    pub(crate) fn counted(&self, row: BranchRow) -> Vec<Range<u64>> {
        let Some(branch) = self.get(row) else { return Vec::new() };
        let mut counted = Vec::new();
        for other in self.of_log(branch.tip.id()) {
            let Some(end) = self.shared_up_to(other, row) else { continue };
            let end = end.min(other.broken_at.unwrap_or(u64::MAX));
            let clipped = |range: &Range<u64>| range.start.max(branch.own_start())..range.end.min(end);
            counted.extend(other.counting.iter().map(clipped).filter(|range| range.start < range.end));
        }
        counted
    }

    /// Up to where what `branch` has lies with `row`; `None` if nothing of it does.
    fn shared_up_to(&self, branch: &Branch, row: BranchRow) -> Option<u64> {
        let (mut at, mut end) = (branch, u64::MAX);
        while at.row != row {
            let (parent, from) = at.fork?;
            end = end.min(from);
            at = self.get(parent)?;
        }
        Some(end)
    }

    /// A row and those that hold what it shares.
    pub(crate) fn stems(&self, row: BranchRow) -> Vec<BranchRow> {
        let parent = |row: &BranchRow| self.get(*row)?.fork.map(|(parent, _)| parent);
        std::iter::successors(Some(row), parent).collect()
    }

    /// Whether what a branch shares with the one it forked off is in effect, but for a commit that it shares the beginning of:
    /// that takes effect with the rest of it.
    pub(crate) fn stem_in_effect(&self, row: BranchRow) -> bool {
        let Some(branch) = self.get(row) else { return false };
        branch.fork.is_none_or(|(stem, at)| branch.applied > at || self.in_effect(stem) >= branch.applied)
    }

    /// Up to which position what a row holds is in effect, on whichever side of a fork.
    pub(crate) fn in_effect(&self, row: BranchRow) -> u64 {
        let Some(branch) = self.get(row) else { return 0 };
        let advanced = |other: &&Branch| other.row == row || other.fork.is_none_or(|(_, at)| other.applied > at);
        let up_to = |other: &Branch| Some(other.applied.min(self.shared_up_to(other, row)?));
        self.of_log(branch.tip.id()).filter(advanced).filter_map(up_to).max().unwrap_or(0)
    }

    /// The row that holds a position of a branch: itself, or one that it forked from.
    pub(crate) fn holder(&self, mut row: BranchRow, position: u64) -> BranchRow {
        while let Some((parent, from)) = self.get(row).and_then(|branch| branch.fork) {
            if position >= from {
                break;
            }
            row = parent;
        }
        row
    }

    /// The key of the entry at a position of a branch.
    pub(crate) fn key(&self, row: BranchRow, position: u64) -> EntryKey {
        entry_key(self.holder(row, position), position)
    }

    /// Where an entry of a log lies that is known by its hash; `None` if it is not here.
    pub(crate) fn find(
        &self,
        store: &Snapshot<'_>,
        log: LogId,
        position: u64,
        hash: Hash,
    ) -> Result<Option<BranchRow>, StoreError> {
        for branch in self.of_log(log) {
            if position >= branch.tip.length() {
                continue;
            }
            let there = match branch.tip.length() - 1 == position {
                true => Some(branch.tip.hash()),
                false => store.hash_at(branch.row, position)?,
            };
            // Of an entry that damage took nothing but its place is known.
            if there.is_none_or(|there| there == hash) {
                return Ok(Some(self.holder(branch.row, position)));
            }
        }
        Ok(None)
    }

    /// Takes in what a header anchors, on a branch that has everything before it applied. Gives `false` while an anchored
    /// entry is not here, or not in effect yet; then nothing was changed.
    pub(crate) fn take_anchors(
        &mut self,
        store: &Snapshot<'_>,
        row: BranchRow,
        position: u64,
        body: &BodyV1,
    ) -> Result<bool, StoreError> {
        let anchors: Vec<&Anchor> = body
            .declarations
            .iter()
            .filter_map(|declaration| match declaration {
                Declaration::Anchor(anchor) => Some(anchor),
                _ => None,
            })
            .collect();
        if anchors.is_empty() {
            return Ok(true);
        }
        let Some(branch) = self.get(row) else { return Ok(false) };
        if branch.broken_at.is_some() {
            // Nothing from there on has effect, and what stands before must go on meaning the same.
            return Ok(true);
        }
        let mut seen = branch.seen.clone();
        let mut broken = false;
        let mut control = Vec::new();
        for anchor in anchors {
            let index = anchor.number.saturating_sub(1) as usize;
            let before = seen.get(index).copied().flatten();
            let Some(log) = anchor.log.or(before.map(|before| before.log)) else {
                broken = true;
                continue;
            };
            let Some(holder) = self.find(store, log, anchor.position, anchor.hash)? else { return Ok(false) };
            let Some(kind) = self.effective_kind(holder, anchor.position) else { return Ok(false) };
            broken |= before.is_some_and(|before| self.holder(holder, before.position) != before.holder);
            if seen.len() <= index {
                seen.resize(index + 1, None);
            }
            seen[index] = Some(Seen { log, position: anchor.position, hash: anchor.hash, holder });
            if kind == LogKind::Control {
                control.push(anchor.hash);
            }
        }
        let Some(branch) = self.get_mut(row) else { return Ok(false) };
        if broken {
            branch.broken_at = Some(position);
            return Ok(true);
        }
        if branch.tip.name().kind == LogKind::Data && !control.is_empty() {
            branch.steps.push(Step { from: position, heads: control });
        }
        branch.seen = seen;
        Ok(true)
    }

    /// Takes in what a branch has anchored by its end, as far as it is not known: where damage took the headers that said
    /// when. From `position` on the author is taken to have seen all of it.
    pub(crate) fn recover_anchors(
        &mut self,
        store: &Snapshot<'_>,
        row: BranchRow,
        position: u64,
    ) -> Result<(), StoreError> {
        let Some(branch) = self.get(row) else { return Ok(()) };
        let mut seen = branch.seen.clone();
        let mut control = Vec::new();
        for (number, anchored) in branch.tip.anchors() {
            let index = number as usize - 1;
            if seen.len() <= index {
                seen.resize(index + 1, None);
            }
            if seen[index].is_some() {
                continue;
            }
            let Some(holder) = self.find(store, anchored.log, anchored.position, anchored.hash)? else { continue };
            let Some(kind) = self.effective_kind(holder, anchored.position) else { continue };
            seen[index] = Some(Seen { log: anchored.log, position: anchored.position, hash: anchored.hash, holder });
            if kind == LogKind::Control {
                control.push(anchored.hash);
            }
        }
        if let Some(branch) = self.get_mut(row) {
            branch.seen = seen;
            if !control.is_empty() {
                branch.steps.push(Step { from: position, heads: control });
            }
        }
        Ok(())
    }

    /// The keys of the parents that an entry names, ascending; `None` for a reference that leads nowhere: then the entry
    /// never has effect.
    pub(crate) fn resolve(&self, row: BranchRow, position: u64, subject: &Subject) -> Option<Vec<EntryKey>> {
        let Subject::Edit { parents } = subject else { return Some(Vec::new()) };
        let resolved = parents.iter().map(|parent| self.resolve_reference(row, position, parent));
        let mut keys = resolved.collect::<Option<Vec<_>>>()?;
        keys.sort_unstable();
        keys.dedup();
        Some(keys)
    }

    fn resolve_reference(&self, row: BranchRow, position: u64, reference: &Reference) -> Option<EntryKey> {
        if reference.branch == 0 {
            return Some(self.key(row, position.checked_sub(reference.position)?));
        }
        let seen = self.get(row)?.seen.get(reference.branch as usize - 1).copied().flatten()?;
        (reference.position <= seen.position).then(|| self.key(seen.holder, reference.position))
    }

    /// The kind of the log that an entry lies in, once the entry is in effect (in a control log: here).
    fn effective_kind(&self, holder: BranchRow, position: u64) -> Option<LogKind> {
        let branch = self.get(holder)?;
        let kind = branch.tip.name().kind;
        let reached = match kind {
            LogKind::Control => branch.tip.length(),
            LogKind::Data => self.in_effect(holder),
        };
        (position < reached).then_some(kind)
    }
}
