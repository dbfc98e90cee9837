//! Frontiers: what this device holds against what the other is known to hold.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use ayni_log::entry::seed_of;
use ayni_log::ids::{Hash, LogName};

use crate::limits;
use crate::replica::{BranchTip, Replica};

/// A point in a branch: so many entries, the last with this hash, so many bytes up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) length: u64,
    pub(crate) hash: Hash,
    pub(crate) bytes: u64,
}

impl Mark {
    /// The beginning of a log.
    pub(crate) fn zero(log: &LogName) -> Self {
        Self { length: 0, hash: seed_of(log.id()), bytes: 0 }
    }

    pub(crate) fn of(tip: &BranchTip) -> Self {
        Self { length: tip.length, hash: tip.hash, bytes: tip.bytes }
    }

    /// The same point, whatever is said about bytes.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.length == other.length && self.hash == other.hash
    }
}

/// The digest of a frontier: `BLAKE3-derive("ayni v1 frontier digest", …)` over device, kind, incarnation, length (8 bytes,
/// big-endian) and hash of each branch, in ascending order. Bytes are left out.
pub fn digest(frontier: &[BranchTip]) -> Hash {
    let mut sorted: Vec<_> = frontier.iter().map(|tip| (tip.log, tip.length, tip.hash)).collect();
    sorted.sort_unstable();
    let mut hasher = blake3::Hasher::new_derive_key("ayni v1 frontier digest");
    for (log, length, hash) in &sorted {
        hasher.update(&log.device.0);
        hasher.update(&[log.kind.byte()]);
        hasher.update(&log.incarnation.0);
        hasher.update(&length.to_be_bytes());
        hasher.update(&hash.0);
    }
    Hash(*hasher.finalize().as_bytes())
}

/// What the other side is known to hold. Points that another one covers do no harm.
#[derive(Debug, Default)]
pub(crate) struct PeerFrontier {
    logs: BTreeMap<LogName, Vec<Mark>>,
}

impl PeerFrontier {
    pub(crate) fn new(tips: impl IntoIterator<Item = (LogName, Mark)>) -> Self {
        let mut frontier = Self::default();
        for (log, mark) in tips {
            frontier.learn(log, None, mark);
        }
        frontier
    }

    /// The points held in a log.
    pub(crate) fn of(&self, log: &LogName) -> &[Mark] {
        self.logs.get(log).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&LogName, &Mark)> {
        self.logs.iter().flat_map(|(log, marks)| marks.iter().map(move |mark| (log, mark)))
    }

    /// Leaves out points that a longer one covers.
    pub(crate) fn forget_shorter(&mut self, log: &LogName, covered: impl Fn(&Mark) -> bool) {
        if let Some(marks) = self.logs.get_mut(log) {
            marks.retain(|mark| !covered(mark));
        }
    }

    /// The other side holds `mark`, in place of `before` if it went on from there. Beyond the limits the oldest point
    /// of the log, or a new log, is not remembered: then more may be sent than is lacking, never less.
    pub(crate) fn learn(&mut self, log: LogName, before: Option<&Mark>, mark: Mark) {
        if !self.logs.contains_key(&log) && self.logs.len() >= limits::FRONTIER_BRANCHES {
            return;
        }
        let marks = self.logs.entry(log).or_default();
        if marks.iter().any(|held| held.is(&mark)) {
            return;
        }
        if let Some(held) = before.and_then(|before| marks.iter_mut().find(|held| held.is(before))) {
            *held = mark;
            return;
        }
        if marks.len() >= limits::PEER_BRANCHES_PER_LOG {
            marks.remove(0);
        }
        marks.push(mark);
    }
}

/// What is known about how much of a branch the other side has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Common {
    /// It has all.
    All,
    /// It has this much.
    UpTo(Mark),
    /// It has a longer branch of the log and can tell itself whether mine is in it.
    TheirsToTell,
    /// It is on another branch: probes have to find where they part.
    Parted,
}

/// How much of my branch the other side has, as far as its points in this log tell.
pub(crate) fn common(replica: &dyn Replica, tip: &BranchTip, theirs: &[Mark]) -> Common {
    let mine = Mark::of(tip);
    if theirs.is_empty() {
        return Common::UpTo(Mark::zero(&tip.log));
    }
    if theirs.iter().any(|mark| mark.is(&mine)) {
        return Common::All;
    }
    match theirs.iter().filter(|mark| on_branch(replica, tip, mark)).max_by_key(|mark| mark.length) {
        Some(mark) => Common::UpTo(*mark),
        None if theirs.iter().any(|mark| mark.length > tip.length) => Common::TheirsToTell,
        None => Common::Parted,
    }
}

/// Whether a point, which is no beginning, lies on a branch of mine.
pub(crate) fn on_branch(replica: &dyn Replica, tip: &BranchTip, mark: &Mark) -> bool {
    match mark.length.cmp(&tip.length) {
        Ordering::Less => {
            let hash_at = |position| replica.hash_at(&tip.log.project, tip.branch, position);
            mark.length.checked_sub(1).and_then(hash_at) == Some(mark.hash)
        }
        Ordering::Equal => mark.hash == tip.hash,
        Ordering::Greater => false,
    }
}

/// Whether any of my branches of a log has a point.
pub(crate) fn held(replica: &dyn Replica, log: &LogName, mark: &Mark) -> bool {
    replica.branches(log).iter().any(|tip| on_branch(replica, tip, mark))
}

#[cfg(test)]
mod tests {
    use ayni_log::ids::{DeviceId, LogKind, ProjectId, StoreId};

    use super::*;

    fn log(number: usize) -> LogName {
        let incarnation = StoreId((number as u128).to_be_bytes());
        LogName { project: ProjectId([1; 32]), device: DeviceId([2; 32]), kind: LogKind::Data, incarnation }
    }

    fn mark(length: u64) -> Mark {
        Mark { length, hash: Hash([length as u8; 32]), bytes: length }
    }

    #[test]
    fn of_a_peer_no_more_logs_are_remembered_than_a_project_can_have() {
        let mut theirs = PeerFrontier::new((0..limits::FRONTIER_BRANCHES).map(|number| (log(number), mark(1))));
        theirs.learn(log(limits::FRONTIER_BRANCHES), None, mark(1));
        assert_eq!(theirs.iter().count(), limits::FRONTIER_BRANCHES);
        theirs.learn(log(0), Some(&mark(1)), mark(2));
        assert_eq!(theirs.of(&log(0)), [mark(2)], "those that are remembered still grow");
    }

    #[test]
    fn of_one_log_of_a_peer_the_newest_points_are_remembered() {
        let points = limits::PEER_BRANCHES_PER_LOG as u64;
        let theirs = PeerFrontier::new((1..=points + 1).map(|length| (log(0), mark(length))));
        assert_eq!(theirs.of(&log(0)), (2..=points + 1).map(mark).collect::<Vec<_>>());
    }
}
