//! Counting: which entries of a data log's branch have effect.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::ids::{Hash, LogId, LogName};

use super::body::ControlBody;
use super::fences::{Standing, fences_of_log, raised_by};
use super::graph::{Clock, Graph, NodeId};
use super::settle::{Settled, role_in};

/// From a position on, what the author had seen of control logs besides what earlier steps say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The position of the entry whose header anchors them.
    pub from: u64,
    /// The control entries that it anchors, by hash.
    pub heads: Vec<Hash>,
}

/// Which entries of a branch count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counting {
    /// Positions that count: ascending, not touching. The caller keeps to whole commits: a commit counts when all its
    /// positions do.
    pub ranges: Vec<Range<u64>>,
    /// Why more of it may count later, if so.
    pub waits: Option<Wait>,
}

/// What must come before everything about a branch is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wait {
    /// A control entry that the branch anchors is not here: nothing from this position on counts yet.
    Control {
        /// The position of the entry that anchors it.
        from: u64,
        /// The control entry.
        hash: Hash,
    },
    /// A fence stands further along than the branch is held; until the fenced entry is here, nobody can tell whether this
    /// is the branch that was fenced or another side of a fork.
    Fence {
        /// The length that is needed.
        length: u64,
    },
}

impl Counting {
    /// Whether the entry at a position counts.
    pub fn counts(&self, position: u64) -> bool {
        let after = self.ranges.partition_point(|range| range.end <= position);
        self.ranges.get(after).is_some_and(|range| range.contains(&position))
    }
}

/// One branch, while it is judged.
struct Branch<'a> {
    graph: &'a Graph,
    settled: &'a Settled,
    log: &'a LogName,
    id: LogId,
    length: u64,
    hash_at: &'a dyn Fn(u64) -> Option<Hash>,
    limits: Vec<Limit>,
    waits: Option<Wait>,
}

/// What one standing fencing entry leaves of a branch to those who had not seen it.
struct Limit {
    fence: NodeId,
    /// How many entries from the start.
    reach: u64,
    /// A fence beyond what is here of the branch.
    further: Option<u64>,
    /// Positions that adoptions name one by one.
    singles: BTreeSet<u64>,
}

pub(super) fn counting(
    graph: &Graph,
    settled: &Settled,
    log: &LogName,
    length: u64,
    steps: &[Step],
    hash_at: &dyn Fn(u64) -> Option<Hash>,
) -> Counting {
    let mut branch = Branch { graph, settled, log, id: log.id(), length, hash_at, limits: Vec::new(), waits: None };
    let standing = settled.fences.standing(log.device, log.kind);
    branch.limits = standing.iter().map(|fence| branch.limit(standing, fence)).collect();
    let mut ranges = Vec::new();
    let mut clock = Clock::default();
    for (index, step) in steps.iter().enumerate() {
        if let Some(hash) = branch.join(&mut clock, &step.heads) {
            branch.waits = Some(Wait::Control { from: step.from, hash });
            break;
        }
        let end = steps.get(index + 1).map_or(length, |next| next.from.min(length));
        if step.from < end {
            branch.judge(&clock, step.from..end, &mut ranges);
        }
    }
    Counting { ranges: merge(ranges), waits: branch.waits }
}

impl Branch<'_> {
    /// Adds what was seen; gives the entry that is missing, if one is.
    fn join(&self, clock: &mut Clock, heads: &[Hash]) -> Option<Hash> {
        for hash in heads {
            match self.graph.find(hash) {
                Some(id) => clock.join(&self.graph.node(id).clock),
                None => return Some(*hash),
            }
        }
        None
    }

    /// Which of these positions, at all of which the author had seen the same, count.
    fn judge(&mut self, clock: &Clock, span: Range<u64>, ranges: &mut Vec<Range<u64>>) {
        let role = role_in(self.graph, &self.settled.valid, self.log.device, Some(clock));
        if !role.is_some_and(|role| role.writes(self.log.kind)) {
            return;
        }
        let acting: Vec<&Limit> =
            self.limits.iter().filter(|limit| !clock.holds(self.graph.node(limit.fence))).collect();
        let end = acting.iter().map(|limit| limit.reach).fold(span.end, u64::min);
        if span.start < end {
            ranges.push(span.start..end);
        }
        // Past the end an entry is taken in where every fence that excludes it lets it in.
        let taken_in =
            |position: &u64| acting.iter().all(|limit| *position < limit.reach || limit.singles.contains(position));
        let named = acting.iter().flat_map(|limit| limit.singles.range(span.start.max(end)..span.end));
        ranges.extend(named.filter(|position| taken_in(position)).map(|position| *position..*position + 1));
        let further = acting.iter().filter(|limit| limit.reach < span.end).filter_map(|limit| limit.further).min();
        self.waits = self.waits.or(further.map(|length| Wait::Fence { length }));
    }

    fn limit(&self, standing: &[Standing], fence: &Standing) -> Limit {
        let adoptions = self.adoptions(fence.node);
        let raised = raised_by(self.graph, self.log.device, standing, fence).map(|other| other.node);
        let (mut reach, mut further) = (0, None);
        for source in raised.chain(adoptions.iter().copied()) {
            for fence in fences_of_log(self.graph, source, self.id) {
                if fence.length > self.length {
                    further = further.max(Some(fence.length));
                } else if (self.hash_at)(fence.length) == Some(fence.hash) {
                    reach = reach.max(fence.length);
                }
            }
        }
        Limit { fence: fence.node, reach, further, singles: self.singles(&adoptions) }
    }

    /// Adoptions of this device's work that count and that a fencing entry had not seen.
    fn adoptions(&self, fence: NodeId) -> Vec<NodeId> {
        let adopts = |id: &NodeId| match &self.graph.node(*id).entry.body {
            ControlBody::Adopt(body) => {
                body.device == self.log.device && self.settled.is_valid(*id) && !self.graph.saw(fence, *id)
            }
            _ => false,
        };
        self.graph.adoptions.iter().copied().filter(adopts).collect()
    }

    /// Positions of this branch that adoptions name one by one.
    fn singles(&self, adoptions: &[NodeId]) -> BTreeSet<u64> {
        let bodies = adoptions.iter().filter_map(|id| match &self.graph.node(*id).entry.body {
            ControlBody::Adopt(body) => Some(body),
            _ => None,
        });
        bodies
            .flat_map(|body| &body.entries)
            .filter(|entry| entry.log == self.id && entry.position < self.length)
            .filter(|entry| (self.hash_at)(entry.position.saturating_add(1)) == Some(entry.hash))
            .map(|entry| entry.position)
            .collect()
    }
}

fn merge(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}
