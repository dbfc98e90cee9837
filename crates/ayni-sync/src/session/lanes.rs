//! What the other side lacks, branch by branch, and what this side lacks.

use std::collections::BTreeMap;

use ayni_log::ids::{LogKind, LogName};

use crate::close::Reason;
use crate::frontier::{self, Common, Mark, PeerFrontier};
use crate::limits;
use crate::message::{FrontierEntry, LogRef, Message};
use crate::replica::{BranchId, BranchTip, Replica};

use super::shared::{Arrival, Lane, LaneState, Source};
use super::{Session, Task};

impl Session {
    pub(super) fn on_frontier(
        &mut self,
        replica: &dyn Replica,
        index: usize,
        kind: LogKind,
        last: bool,
        entries: &[FrontierEntry],
    ) -> Result<(), Reason> {
        let shared = &mut self.projects[index];
        if !shared.may(kind) {
            return Ok(());
        }
        let project = shared.project;
        let side = shared.side_mut(kind);
        side.incoming.extend(entries.iter().map(|entry| {
            let log = LogName { project, device: entry.device, kind, incarnation: entry.incarnation };
            (log, Mark { length: entry.length, hash: entry.hash, bytes: entry.bytes })
        }));
        if side.incoming.len() > limits::FRONTIER_BRANCHES {
            return Err(Reason::unexpected("a frontier with more branches than a project can have"));
        }
        if !last {
            return Ok(());
        }
        side.theirs = Some(PeerFrontier::new(std::mem::take(&mut side.incoming)));
        if !std::mem::replace(&mut side.frontier_sent, true) {
            self.tasks.push_back(Task::Frontier { index, kind });
        }
        self.compare(replica, index, kind);
        if kind == LogKind::Control {
            self.refresh(replica, index);
        }
        self.check_level(index);
        Ok(())
    }

    /// Both frontiers are known: what each side lacks.
    fn compare(&mut self, replica: &dyn Replica, index: usize, kind: LogKind) {
        let mine = replica.frontier(&self.projects[index].project, kind);
        let mut by_log: BTreeMap<LogName, Vec<BranchTip>> = BTreeMap::new();
        for tip in mine {
            by_log.entry(tip.log).or_default().push(tip);
        }
        let side = self.projects[index].side_mut(kind);
        side.lacking.clear();
        side.missed.clear();
        let mut missing = Vec::new();
        for (log, mark) in side.theirs.iter().flat_map(PeerFrontier::iter) {
            let here = by_log.get(log).map_or(&[][..], Vec::as_slice);
            if !here.iter().any(|tip| frontier::on_branch(replica, tip, mark)) {
                side.lacking.insert((*log, *mark));
                if here.iter().any(|tip| tip.length > mark.length) {
                    missing.push((*log, *mark));
                }
            }
        }
        for (log, mark) in missing {
            self.say_missing(index, &log, &mark);
        }
        for tip in by_log.values().flatten() {
            if self.open_lane(replica, index, tip) {
                // Only what came after our frontier was sent has yet to be told.
                self.projects[index].side_mut(kind).news.insert(tip.branch);
            }
        }
        self.projects[index].plan_due = true;
    }

    fn say_missing(&mut self, index: usize, log: &LogName, mark: &Mark) {
        if !self.projects[index].side_mut(log.kind).missed.insert((*log, *mark)) {
            return;
        }
        let project = self.projects[index].number;
        let message = Message::Missing { project, log: LogRef::from(log), length: mark.length, hash: mark.hash };
        self.tasks.push_back(Task::Message(message));
    }

    /// Makes sure that what the other side lacks of a branch is sent. Whether the other side is to be told of the branch
    /// instead, because only it can tell.
    fn open_lane(&mut self, replica: &dyn Replica, index: usize, tip: &BranchTip) -> bool {
        let side = self.projects[index].side_mut(tip.log.kind);
        let Some(theirs) = &side.theirs else { return false };
        if let Some(lane) = side.lanes.get_mut(&tip.branch) {
            lane.target = *tip;
            catch_up(replica, lane, theirs.of(&tip.log).iter());
            return false;
        }
        let lane = match frontier::common(replica, tip, theirs.of(&tip.log)) {
            Common::All => return false,
            Common::TheirsToTell => return true,
            Common::UpTo(mut mark) => {
                if mark.bytes == 0 && mark.length > 0 {
                    mark.bytes = replica.bytes_at(&tip.log.project, tip.branch, mark.length).unwrap_or(0);
                }
                Lane::new(*tip, mark, LaneState::Sending)
            }
            Common::Parted => {
                self.tasks.push_back(Task::Probe { index, kind: tip.log.kind, branch: tip.branch });
                Lane::probing(*tip)
            }
        };
        side.lanes.insert(tip.branch, lane);
        false
    }

    /// A branch of ours has grown, by this device's own commit or by what another session stored.
    pub(super) fn branch_advanced(&mut self, replica: &dyn Replica, index: usize, tip: &BranchTip) {
        let own = tip.log.device == self.device;
        let kind = tip.log.kind;
        self.now_held(replica, index, &tip.log, &Mark::of(tip));
        let side = self.projects[index].side_mut(kind);
        if side.theirs.is_none() {
            return;
        }
        let new = !side.lanes.contains_key(&tip.branch);
        let theirs_to_tell = self.open_lane(replica, index, tip);
        let now = self.now;
        let side = self.projects[index].side_mut(kind);
        let source = side.sources.get(&tip.log).copied();
        // A lane that was open from the start, for what the other side is known to lack, is not held back.
        if let Some(lane) = side.lanes.get_mut(&tip.branch).filter(|lane| !own && (new || lane.since.is_some())) {
            lane.hold_back(source, now);
        }
        let theirs = side.theirs.as_ref().map_or(&[][..], |theirs| theirs.of(&tip.log));
        let came_from_there = side.coming.contains_key(&tip.log) && theirs.iter().any(|mark| mark.is(&Mark::of(tip)));
        if theirs_to_tell || (!own && !came_from_there) {
            side.news.insert(tip.branch);
        }
    }

    /// A branch has come to hold this point: others of the log may no longer be lacking, and those that still are and are
    /// shorter are for this side to tell of, as the other will take them for parts of this longer branch.
    fn now_held(&mut self, replica: &dyn Replica, index: usize, log: &LogName, mark: &Mark) {
        let side = self.projects[index].side_mut(log.kind);
        let from = (*log, Mark { length: 0, hash: ayni_log::ids::Hash([0; 32]), bytes: 0 });
        let up_to = |(of, at): &&(LogName, Mark)| of == log && at.length <= mark.length;
        let candidates: Vec<_> = side.lacking.range(from..).take_while(up_to).copied().collect();
        for (log, at) in candidates {
            if at.is(mark) || frontier::held(replica, &log, &at) {
                let side = self.projects[index].side_mut(log.kind);
                side.lacking.remove(&(log, at));
                side.missed.remove(&(log, at));
            } else if at.length < mark.length {
                self.say_missing(index, &log, &at);
            }
        }
    }

    /// A segment that came in this session is held now.
    pub(super) fn arrived(&mut self, replica: &dyn Replica, arrival: Arrival) {
        let Arrival { index, log, end, entries, size, .. } = arrival;
        self.projects[index].received.add(entries, size);
        self.projects[index].side_mut(log.kind).acknowledged.insert(log, (end.length, end.hash));
        self.now_held(replica, index, &log, &end);
        if log.kind == LogKind::Control {
            self.projects[index].try_authors_again();
            self.refresh(replica, index);
        } else {
            self.check_level(index);
        }
    }

    /// The other side names branches that it gained.
    pub(super) fn on_news(
        &mut self,
        replica: &dyn Replica,
        index: usize,
        kind: LogKind,
        entries: &[FrontierEntry],
    ) -> Result<(), Reason> {
        let shared = &mut self.projects[index];
        if !shared.may(kind) {
            return Ok(());
        }
        let project = shared.project;
        for entry in entries {
            let log = LogName { project, device: entry.device, kind, incarnation: entry.incarnation };
            let mark = Mark { length: entry.length, hash: entry.hash, bytes: entry.bytes };
            let side = self.projects[index].side_mut(kind);
            let Some(theirs) = &mut side.theirs else { continue };
            theirs.learn(log, None, mark);
            side.sources.insert(log, Source::Elsewhere);
            let here = replica.branches(&log);
            if let Some(tip) = here.iter().find(|tip| frontier::on_branch(replica, tip, &mark)) {
                theirs.forget_shorter(&log, |shorter| {
                    shorter.length < mark.length && frontier::on_branch(replica, tip, shorter)
                });
                for lane in side.lanes.values_mut().filter(|lane| lane.target.log == log) {
                    catch_up(replica, lane, std::iter::once(&mark));
                }
                side.lanes.retain(|_, lane| !lane.is_done());
            } else {
                if side.lacking.len() >= 2 * limits::FRONTIER_BRANCHES {
                    return Err(Reason::unexpected("news of more branches than a project can have"));
                }
                side.lacking.insert((log, mark));
                if here.iter().any(|tip| tip.length > mark.length) {
                    self.say_missing(index, &log, &mark);
                }
            }
        }
        if kind == LogKind::Control {
            self.projects[index].try_authors_again();
            self.refresh(replica, index);
        }
        self.check_level(index);
        Ok(())
    }

    /// The other side has a longer branch of this log, and ours is no part of it.
    pub(super) fn on_missing(&mut self, replica: &dyn Replica, index: usize, log: &LogRef, mark: &Mark) {
        let shared = &mut self.projects[index];
        let log = log.name(shared.project);
        if !shared.may(log.kind) {
            return;
        }
        for tip in replica.branches(&log) {
            if !frontier::on_branch(replica, &tip, mark) {
                continue;
            }
            let told = self.open_lane(replica, index, &tip);
            let side = self.projects[index].side_mut(log.kind);
            if (told || side.theirs.is_none()) && !side.lanes.contains_key(&tip.branch) {
                side.lanes.insert(tip.branch, Lane::probing(tip));
                self.tasks.push_back(Task::Probe { index, kind: log.kind, branch: tip.branch });
            }
        }
        self.check_level(index);
    }

    /// Asks where a branch parts from those of the other side.
    pub(super) fn send_probe(&mut self, replica: &dyn Replica, index: usize, kind: LogKind, branch: BranchId) {
        let shared = &mut self.projects[index];
        if !shared.may(kind) {
            return;
        }
        let (project, number) = (shared.project, shared.number);
        let Some(lane) = shared.side_mut(kind).lanes.get_mut(&branch) else { return };
        let hash_at = |length: u64| replica.hash_at(&project, branch, length.checked_sub(1)?);
        let points = lane.next_points().into_iter().map(|length| Some((length, hash_at(length)?))).collect();
        let Some(points) = points else {
            lane.state = LaneState::Stuck;
            return self.check_level(index);
        };
        let log = LogRef::from(&lane.target.log);
        let id = self.probes_sent;
        self.probes_sent += 1;
        self.probes.insert(id, (index, kind, branch));
        self.push(&Message::Probe { project: number, id, log, points });
    }

    /// The other side asks which of these points are held here.
    pub(super) fn on_probe(
        &mut self,
        replica: &dyn Replica,
        index: usize,
        id: u64,
        log: &LogRef,
        points: &[(u64, ayni_log::ids::Hash)],
    ) {
        let shared = &self.projects[index];
        let log = log.name(shared.project);
        let here = if shared.may(log.kind) { replica.branches(&log) } else { Vec::new() };
        let is_held = |point: &(u64, ayni_log::ids::Hash)| {
            let mark = Mark { length: point.0, hash: point.1, bytes: 0 };
            here.iter().any(|tip| frontier::on_branch(replica, tip, &mark))
        };
        let held = points.iter().rposition(is_held).map_or(0, |last| last as u64 + 1);
        self.push(&Message::Probed { id, held });
    }

    pub(super) fn on_probed(&mut self, replica: &dyn Replica, id: u64, held: u64) -> Result<(), Reason> {
        let asked = self.probes.remove(&id);
        let Some((index, kind, branch)) = asked else { return Err(Reason::unexpected("an answer without a question")) };
        self.note_waiting(true);
        let side = self.projects[index].side_mut(kind);
        let Some(lane) = side.lanes.get_mut(&branch) else { return Ok(()) };
        let LaneState::Probing { low, high, points } = &mut lane.state else { return Ok(()) };
        if held > points.len() as u64 {
            return Err(Reason::unexpected("an answer to more than was asked"));
        }
        let held = held as usize;
        if let Some(next) = points.get(held) {
            *high = next.saturating_sub(1);
        }
        if let Some(last) = held.checked_sub(1).and_then(|last| points.get(last)) {
            *low = *last;
        }
        if low < high {
            self.tasks.push_back(Task::Probe { index, kind, branch });
            return Ok(());
        }
        let (common, log) = (*low, lane.target.log);
        let found = common.checked_sub(1).map(|position| {
            let hash = replica.hash_at(&log.project, branch, position)?;
            Some(Mark { length: common, hash, bytes: replica.bytes_at(&log.project, branch, common)? })
        });
        lane.state = LaneState::Sending;
        match found {
            None => lane.next = Mark::zero(&log),
            Some(None) => lane.state = LaneState::Stuck,
            Some(Some(mark)) => {
                lane.next = mark;
                if let Some(theirs) = &mut side.theirs {
                    theirs.learn(log, None, mark);
                }
            }
        }
        side.lanes.retain(|_, lane| !lane.is_done());
        self.projects[index].plan_due = true;
        self.check_level(index);
        Ok(())
    }
}

/// Skips what the other side has got otherwise.
fn catch_up<'a>(replica: &dyn Replica, lane: &mut Lane, marks: impl Iterator<Item = &'a Mark>) {
    let ahead = |mark: &&Mark| mark.length > lane.next.length && frontier::on_branch(replica, &lane.target, mark);
    let furthest = marks.filter(ahead).max_by_key(|mark| mark.length).copied();
    if let Some(mark) = furthest.filter(|_| lane.state == LaneState::Sending) {
        lane.next = mark;
    }
}
