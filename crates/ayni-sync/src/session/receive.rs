//! What came from the other side: frames, messages, and what each message is taken as.

use std::collections::btree_map::Entry;

use ayni_log::ids::LogKind;

use crate::action::{Action, Arrived, Token};
use crate::close::{CloseCode, Ended, Reason};
use crate::frontier::Mark;
use crate::limits;
use crate::message::{Message, ProjectNumber, RefusedCode, SegmentFrame};
use crate::replica::Replica;

use super::shared::{Arrival, InFlight, LaneState};
use super::{Session, Task};

impl Session {
    /// The next whole message in what came.
    pub(super) fn next_message(&mut self, bytes: &mut &[u8]) -> Result<Option<Message>, Reason> {
        loop {
            let Some((kind, body)) = self.inbox.next(bytes, self.peer.is_some(), self.now)? else { return Ok(None) };
            if let Some(message) = Message::decode(kind, &body)? {
                return Ok(Some(message));
            }
        }
    }

    pub(super) fn take(&mut self, replica: &dyn Replica, message: Message) -> Result<(), Reason> {
        match message {
            Message::Hello(hello) => return self.on_hello(replica, hello),
            Message::Close { code, text } => {
                self.outbox.cut();
                self.end(Ended::There(Reason::new(CloseCode::from_byte(code), text)));
                return Ok(());
            }
            _ if self.peer.is_none() => return Err(Reason::unexpected("something else before hello")),
            Message::Tags(tags) => return self.on_tags(replica, tags),
            Message::Probed { id, held } => return self.on_probed(replica, id, held),
            Message::Stored { first, count } => return self.on_stored(replica, first, count),
            Message::Refused { segment, code } => return self.on_refused(segment, code),
            Message::Goodbye => self.on_goodbye(),
            Message::Ping => {}
            Message::Summary { project, summary } => {
                let index = self.common(project)?;
                self.on_summary(replica, index, summary);
            }
            Message::Declined { project, text } => {
                let index = self.common(project)?;
                self.on_declined(index, text);
            }
            Message::Frontier { project, kind, last, entries } => {
                let index = self.common(project)?;
                return self.on_frontier(replica, index, kind, last, &entries);
            }
            Message::News { project, kind, entries } => {
                let index = self.common(project)?;
                return self.on_news(replica, index, kind, &entries);
            }
            Message::Missing { project, log, length, hash } => {
                let index = self.common(project)?;
                self.on_missing(replica, index, &log, &Mark { length, hash, bytes: 0 });
            }
            Message::Probe { project, id, log, points } => {
                let index = self.common(project)?;
                self.on_probe(replica, index, id, &log, &points);
            }
            Message::Plan { project, entries, bytes } => {
                let index = self.common(project)?;
                let left = &mut self.projects[index].left_there;
                (left.entries, left.bytes) = (entries, bytes);
            }
            Message::Segment { project, segment } => {
                let index = self.common(project)?;
                return self.on_segment(index, segment);
            }
            Message::Receipts { project, last, entries } => {
                let index = self.common(project)?;
                return self.on_receipts(replica, index, last, entries);
            }
            Message::Receipt { project, bytes } => {
                let index = self.common(project)?;
                return self.on_receipt(replica, index, &bytes);
            }
            Message::Join { project, request } => {
                let index = self.common(project)?;
                return self.on_join(index, request);
            }
        }
        Ok(())
    }

    /// The project that the other side calls by this number; it must have proven that it has it.
    fn common(&self, number: ProjectNumber) -> Result<usize, Reason> {
        let index = self.by_peer_number.get(&number).copied();
        index.ok_or_else(|| Reason::unexpected("a message about a project that is not in common"))
    }

    fn on_segment(&mut self, index: usize, segment: SegmentFrame) -> Result<(), Reason> {
        let number = self.segments_arrived;
        self.segments_arrived += 1;
        let frame_bytes = segment.bytes.len() as u64;
        if self.arrivals_bytes >= limits::WINDOW {
            return Err(Reason::unexpected("more segments than the window allows"));
        }
        let shared = &mut self.projects[index];
        let log = segment.log.name(shared.project);
        (shared.left_there.entries, shared.left_there.bytes) = segment.left;
        if !shared.may(log.kind) {
            self.push(&Message::Refused { segment: number, code: RefusedCode::Unwanted });
            return Ok(());
        }
        let SegmentFrame { start, count, previous, hash, size, bytes, .. } = segment;
        let side = shared.side_mut(log.kind);
        let length = start.saturating_add(count);
        let mut end = Mark { length, hash, bytes: if start == 0 { size } else { 0 } };
        if let Some(theirs) = &mut side.theirs {
            let before = Mark { length: start, hash: previous, bytes: 0 };
            if let Some(known) = theirs.of(&log).iter().find(|known| known.is(&before)) {
                end.bytes = known.bytes.saturating_add(size);
            }
            theirs.learn(log, Some(&before), end);
        }
        side.pending.add(count, size);
        *side.coming.entry(log).or_default() += 1;
        shared.uncover();
        self.arrivals_bytes = self.arrivals_bytes.saturating_add(frame_bytes);
        self.arrivals.insert(number, Arrival { index, log, end, entries: count, size, frame_bytes });
        let project = log.project;
        let segment = Arrived { token: Token(number), log, start, length, previous, hash, bytes };
        self.actions.push_back(Action::Store { project, segment });
        Ok(())
    }

    /// The driver answers for a segment: its bytes are no longer held for it. `None` for one that was answered before.
    pub(super) fn answer(&mut self, token: Token) -> Option<Arrival> {
        let arrival = self.arrivals.remove(&token.0)?;
        self.arrivals_bytes = self.arrivals_bytes.saturating_sub(arrival.frame_bytes);
        let side = self.projects[arrival.index].side_mut(arrival.log.kind);
        side.pending.entries = side.pending.entries.saturating_sub(arrival.entries);
        side.pending.bytes = side.pending.bytes.saturating_sub(arrival.size);
        if let Entry::Occupied(mut coming) = side.coming.entry(arrival.log) {
            *coming.get_mut() -= 1;
            if *coming.get() == 0 {
                coming.remove();
            }
        }
        (!self.ended).then_some(arrival)
    }

    fn on_stored(&mut self, replica: &dyn Replica, first: u64, count: u64) -> Result<(), Reason> {
        // No more than what is in flight can be acknowledged, so a lying count ends the loop early.
        for number in first..first.saturating_add(count) {
            let Some(flown) = self.land(number) else {
                return Err(Reason::unexpected("an acknowledgement of what was not sent"));
            };
            self.projects[flown.index].sent.add(flown.entries(), flown.bytes());
            self.acknowledged(replica, &flown);
        }
        self.note_waiting(true);
        Ok(())
    }

    /// A segment is no longer in flight.
    fn land(&mut self, number: u64) -> Option<InFlight> {
        let flown = self.in_flight.remove(&number)?;
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(flown.frame_bytes);
        let side = self.projects[flown.index].side_mut(flown.log.kind);
        side.in_flight.entries = side.in_flight.entries.saturating_sub(flown.entries());
        side.in_flight.bytes = side.in_flight.bytes.saturating_sub(flown.bytes());
        if let Some(lane) = side.lanes.get_mut(&flown.branch) {
            lane.unacknowledged = lane.unacknowledged.saturating_sub(1);
        }
        Some(flown)
    }

    fn acknowledged(&mut self, replica: &dyn Replica, flown: &InFlight) {
        let shared = &mut self.projects[flown.index];
        let side = shared.side_mut(flown.log.kind);
        if let Some(theirs) = &mut side.theirs {
            theirs.learn(flown.log, Some(&flown.start), flown.end);
        }
        if side.lanes.get(&flown.branch).is_some_and(|lane| lane.is_done()) {
            side.lanes.remove(&flown.branch);
        }
        match flown.log.kind {
            LogKind::Data => self.check_level(flown.index),
            LogKind::Control => {
                shared.try_authors_again();
                self.refresh(replica, flown.index);
            }
        }
    }

    fn on_refused(&mut self, number: u64, code: RefusedCode) -> Result<(), Reason> {
        let Some(flown) = self.land(number) else { return Err(Reason::unexpected("a refusal of what was not sent")) };
        self.note_waiting(true);
        let (index, kind, branch) = (flown.index, flown.log.kind, flown.branch);
        let lane = self.projects[index].side_mut(kind).lanes.get_mut(&branch);
        // What followed on the same way is refused along with it.
        let Some(lane) = lane.filter(|lane| lane.generation == flown.generation) else { return Ok(()) };
        lane.generation = lane.generation.saturating_add(1);
        lane.next = flown.start;
        match code {
            RefusedCode::Unwanted => lane.state = LaneState::Stuck,
            RefusedCode::AuthorUnknown => lane.state = LaneState::AuthorUnknown,
            RefusedCode::UnknownBase if lane.retries >= limits::PROBE_RETRIES => lane.state = LaneState::Stuck,
            RefusedCode::UnknownBase => {
                lane.retries += 1;
                lane.state = LaneState::Probing { low: 0, high: lane.target.length, points: Vec::new() };
                self.tasks.push_back(Task::Probe { index, kind, branch });
            }
        }
        self.check_level(index);
        Ok(())
    }

    fn on_goodbye(&mut self) {
        self.goodbye_received = true;
        if self.goodbye_sent {
            self.end(Ended::Goodbye);
        }
    }

    /// Keeps account of how long the other side leaves something waiting. `moved`: it has just answered something.
    pub(super) fn note_waiting(&mut self, moved: bool) {
        if moved {
            self.clock.moved();
        }
        if !self.in_flight.is_empty() || !self.probes.is_empty() || !self.outbox.is_empty() {
            self.clock.waits(self.now);
        } else {
            self.clock.moved();
        }
    }
}
