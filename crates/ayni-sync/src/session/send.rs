//! What goes to the other side, made when there is room for it: acknowledgements first, then what is small, then
//! segments, one project after the other.

use ayni_log::ids::LogKind;

use crate::close::Ended;
use crate::frontier::Mark;
use crate::limits;
use crate::message::{FrontierEntry, LogRef, Message, SegmentFrame};
use crate::receipt::{ReceiptKey, SignedReceipt};
use crate::replica::{BranchId, BranchTip, Replica, Standing};

use super::shared::{InFlight, LaneState, Source};
use super::{Session, Task};

impl Session {
    /// Fills the outbox up to about `room` bytes.
    pub(super) fn fill_outbox(&mut self, replica: &dyn Replica, room: usize) {
        self.push_acks();
        while self.outbox.len() < room && !self.ended {
            let pushed = self.push_task(replica)
                || self.push_news(replica)
                || (!self.goodbye_sent && !self.goodbye_received)
                    && (self.push_receipt(replica) || self.push_segment(replica));
            if !pushed {
                break;
            }
        }
        self.push_goodbye(replica);
        self.note_waiting(false);
    }

    /// One message for each run of numbers.
    fn push_acks(&mut self) {
        let mut run: Option<(u64, u64)> = None;
        let mut runs = Vec::new();
        for number in std::mem::take(&mut self.acks) {
            match &mut run {
                Some((first, count)) if *first + *count == number => *count += 1,
                _ => runs.extend(run.replace((number, 1))),
            }
        }
        for (first, count) in runs.into_iter().chain(run) {
            self.push(&Message::Stored { first, count });
        }
    }

    /// The news of all projects. Frontiers, which are tasks, go before: they tell most of it.
    fn push_news(&mut self, replica: &dyn Replica) -> bool {
        let before = self.outbox.len();
        for index in 0..self.projects.len() {
            for kind in [LogKind::Control, LogKind::Data] {
                let shared = &mut self.projects[index];
                if shared.side(kind).news.is_empty() {
                    continue;
                }
                let (may, project, number) = (shared.may(kind), shared.project, shared.number);
                let side = shared.side_mut(kind);
                let branches = std::mem::take(&mut side.news);
                let mut tips: Vec<_> =
                    branches.into_iter().filter_map(|branch| replica.tip(&project, branch)).collect();
                tips.retain(|tip| !side.is_told(tip));
                side.told.extend(tips.iter().map(|tip| (tip.branch, tip.length)));
                for page in tips.chunks(limits::BRANCHES_PER_FRAME).filter(|_| may) {
                    let entries = page.iter().map(entry_of).collect();
                    self.push(&Message::News { project: number, kind, entries });
                }
            }
        }
        self.outbox.len() > before
    }

    fn push_task(&mut self, replica: &dyn Replica) -> bool {
        let Some(task) = self.tasks.pop_front() else { return false };
        match task {
            Task::Message(message) => self.push(&message),
            Task::Frontier { index, kind } => self.push_frontier(replica, index, kind),
            Task::Receipts { index } => self.push_receipt_list(replica, index),
            Task::Probe { index, kind, branch } => self.send_probe(replica, index, kind, branch),
        }
        true
    }

    fn push_frontier(&mut self, replica: &dyn Replica, index: usize, kind: LogKind) {
        let shared = &mut self.projects[index];
        if !shared.may(kind) {
            return;
        }
        let project = shared.number;
        let mut tips = replica.frontier(&shared.project, kind);
        tips.truncate(limits::FRONTIER_BRANCHES);
        shared.side_mut(kind).told = tips.iter().map(|tip| (tip.branch, tip.length)).collect();
        let entries: Vec<_> = tips.iter().map(entry_of).collect();
        let mut pages = entries.chunks(limits::BRANCHES_PER_FRAME).peekable();
        if pages.peek().is_none() {
            self.push(&Message::Frontier { project, kind, last: true, entries: Vec::new() });
        }
        while let Some(page) = pages.next() {
            let last = pages.peek().is_none();
            self.push(&Message::Frontier { project, kind, last, entries: page.to_vec() });
        }
    }

    fn push_receipt_list(&mut self, replica: &dyn Replica, index: usize) {
        let shared = &self.projects[index];
        if !shared.admitted() {
            return;
        }
        let project = shared.number;
        let mut entries = replica.receipts(&shared.project);
        entries.truncate(limits::RECEIPTS);
        let mut pages = entries.chunks(limits::RECEIPTS_PER_FRAME).peekable();
        if pages.peek().is_none() {
            self.push(&Message::Receipts { project, last: true, entries: Vec::new() });
        }
        while let Some(page) = pages.next() {
            let last = pages.peek().is_none();
            self.push(&Message::Receipts { project, last, entries: page.to_vec() });
        }
    }

    /// One receipt that the other side lacks or has an older one of.
    fn push_receipt(&mut self, replica: &dyn Replica) -> bool {
        for index in 0..self.projects.len() {
            while let Some(key) = self.projects[index].receipts.due.pop_first() {
                if let Some(message) = self.newer_receipt(replica, index, &key) {
                    self.push(&message);
                    return true;
                }
            }
        }
        false
    }

    fn newer_receipt(&mut self, replica: &dyn Replica, index: usize, key: &ReceiptKey) -> Option<Message> {
        let shared = &mut self.projects[index];
        let bytes = replica.receipt(&shared.project, key)?;
        let counter = SignedReceipt::decode(&bytes).ok()?.counter;
        if !shared.receipts.lacks(key, counter) {
            return None;
        }
        shared.receipts.theirs.as_mut()?.insert(*key, counter);
        Some(Message::Receipt { project: shared.number, bytes })
    }

    /// One segment of the next project that has one to send, if the window has room.
    fn push_segment(&mut self, replica: &dyn Replica) -> bool {
        if self.in_flight_bytes >= limits::WINDOW {
            return false;
        }
        let count = self.projects.len();
        for offset in 0..count {
            let index = (self.turn + offset) % count;
            while let Some((kind, branch)) = self.ready_lane(index) {
                if kind == LogKind::Data && !self.still_admitted(replica, index) {
                    break;
                }
                if let Some(message) = self.next_segment(replica, index, kind, branch) {
                    self.push_plan(index);
                    self.push(&message);
                    self.turn = index + 1;
                    return true;
                }
                self.check_level(index);
            }
        }
        false
    }

    /// The first branch that is ready to be sent; every second time one with few bytes, if there is any: what somebody has just
    /// written need not wait for the end of a long branch, nor that for those who write all the time.
    fn ready_lane(&self, index: usize) -> Option<(LogKind, BranchId)> {
        let shared = &self.projects[index];
        let few_first = self.segments_sent.is_multiple_of(2);
        [LogKind::Control, LogKind::Data].into_iter().find_map(|kind| {
            let ready = shared.side(kind).lanes.iter().filter(|(_, lane)| lane.is_ready(self.now) && shared.may(kind));
            ready.min_by_key(|(_, lane)| few_first && lane.has_much()).map(|(branch, _)| (kind, *branch))
        })
    }

    /// Asked before each segment of documents: a removed device gets nothing new.
    fn still_admitted(&mut self, replica: &dyn Replica, index: usize) -> bool {
        let Some(peer) = self.peer else { return false };
        let admitted = replica.standing(&self.projects[index].project, &peer.device) == Standing::Admitted;
        if !admitted {
            self.refresh(replica, index);
        }
        admitted
    }

    /// Announces the whole before its first part. What is left is told anew in every segment.
    fn push_plan(&mut self, index: usize) {
        let shared = &mut self.projects[index];
        if std::mem::take(&mut shared.plan_due) {
            let mut left = shared.left_here();
            for side in [&shared.control, &shared.data] {
                left.add(side.in_flight.entries, side.in_flight.bytes);
            }
            let project = shared.number;
            self.push(&Message::Plan { project, entries: left.entries, bytes: left.bytes });
        }
    }

    /// Reads the next segment of a lane; a lane that cannot be read is left out.
    fn next_segment(
        &mut self,
        replica: &dyn Replica,
        index: usize,
        kind: LogKind,
        branch: BranchId,
    ) -> Option<Message> {
        let shared = &mut self.projects[index];
        let (project, number) = (shared.project, shared.number);
        let side = shared.side_mut(kind);
        let lane = side.lanes.get_mut(&branch)?;
        let read = replica.segment(&project, branch, lane.next.length);
        let Some(segment) = read.filter(|segment| segment.length > lane.next.length) else {
            lane.state = LaneState::Stuck;
            return None;
        };
        let start = lane.next;
        let end = Mark { length: segment.length, hash: segment.hash, bytes: start.bytes.saturating_add(segment.size) };
        // It may go beyond the target, if the branch has grown and that is yet to be told.
        lane.next = end;
        lane.unacknowledged += 1;
        let log = lane.target.log;
        if lane.since.is_some() {
            side.sources.insert(log, Source::Here);
        }
        let frame_bytes = segment.bytes.len() as u64;
        let flown = InFlight { index, log, branch, generation: lane.generation, start, end, frame_bytes };
        side.in_flight.add(flown.entries(), flown.bytes());
        let frame = SegmentFrame {
            log: LogRef::from(&log),
            start: start.length,
            count: flown.entries(),
            previous: start.hash,
            hash: end.hash,
            size: flown.bytes(),
            left: {
                let left = shared.left_here();
                (left.entries, left.bytes)
            },
            bytes: segment.bytes,
        };
        shared.uncover();
        self.in_flight.insert(self.segments_sent, flown);
        self.segments_sent += 1;
        self.in_flight_bytes = self.in_flight_bytes.saturating_add(frame_bytes);
        Some(Message::Segment { project: number, segment: frame })
    }

    /// Says goodbye when all is said: on this side's own wish, or in answer to the other's.
    fn push_goodbye(&mut self, replica: &dyn Replica) {
        if self.goodbye_sent || self.ended {
            return;
        }
        let quiet = self.in_flight.is_empty() && self.arrivals.is_empty() && self.acks.is_empty();
        let may_leave = quiet && (self.goodbye_received || (self.leaving && self.is_settled(replica)));
        if !may_leave {
            return;
        }
        self.goodbye_sent = true;
        self.push(&Message::Goodbye);
        if self.goodbye_received {
            self.end(Ended::Goodbye);
        }
    }

    /// Whether nothing is left to wait for: all projects settled, receipts exchanged, and each side's own receipt either
    /// covering all that is here or too long in coming.
    fn is_settled(&mut self, replica: &dyn Replica) -> bool {
        for index in 0..self.projects.len() {
            self.check_cover(replica, index);
        }
        let mut covered = true;
        let settled = self.tasks.is_empty()
            && self.projects.iter().all(|shared| {
                let receipts = &shared.receipts;
                covered &= (shared.covered_here && shared.covered_there) || !shared.level;
                shared.settled() && (!shared.level || (receipts.theirs.is_some() && receipts.due.is_empty()))
            });
        if !settled {
            self.settled_since = None;
            return false;
        }
        let since = *self.settled_since.get_or_insert(self.now);
        covered || self.now.saturating_sub(since) >= limits::GOODBYE_TIME
    }
}

fn entry_of(tip: &BranchTip) -> FrontierEntry {
    FrontierEntry {
        device: tip.log.device,
        incarnation: tip.log.incarnation,
        length: tip.length,
        hash: tip.hash,
        bytes: tip.bytes,
    }
}
