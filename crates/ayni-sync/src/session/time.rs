//! Deadlines: when the other side is given up, and when to look again.

use crate::limits;

use super::Session;

/// When something last went each way.
#[derive(Debug)]
pub(super) struct Clock {
    started: u64,
    heard: u64,
    sent: u64,
    /// Since when the other side has not taken or answered what waits for it.
    stalled: Option<u64>,
}

impl Clock {
    pub(super) fn new(now: u64) -> Self {
        Self { started: now, heard: now, sent: now, stalled: None }
    }

    pub(super) fn heard(&mut self, now: u64) {
        self.heard = now;
    }

    /// Bytes went out: what waits begins to wait from now on.
    pub(super) fn sent(&mut self, now: u64) {
        self.sent = now;
    }

    /// The other side took, acknowledged or answered something.
    pub(super) fn moved(&mut self) {
        self.stalled = None;
    }

    /// Something waits for the other side.
    pub(super) fn waits(&mut self, now: u64) {
        self.stalled.get_or_insert(now);
    }

    pub(super) fn ping_due(&self, now: u64) -> bool {
        now.saturating_sub(self.sent) >= limits::KEEP_ALIVE
    }
}

impl Session {
    /// When to call [`Session::tick`] (and then drain) at the latest, if nothing happens before.
    pub fn next_tick(&self) -> Option<u64> {
        if self.ended {
            return None;
        }
        let clock = &self.clock;
        let mut next = clock.heard.saturating_add(limits::SILENCE);
        let mut at = |time: Option<u64>| next = time.map_or(next, |time| next.min(time));
        match self.peer {
            None => at(Some(clock.started.saturating_add(limits::HELLO_TIME))),
            // What is yet in the outbox is sent as the channel takes it; a ping would only wait behind it.
            Some(_) if self.outbox.is_empty() => at(Some(clock.sent.saturating_add(limits::KEEP_ALIVE))),
            Some(_) => {}
        }
        at(self.inbox.unfinished_since().map(|since| since.saturating_add(limits::FRAME_TIME)));
        at(clock.stalled.map(|since| since.saturating_add(limits::STALL_TIME)));
        let patience = self.settled_since.map(|since| since.saturating_add(limits::GOODBYE_TIME));
        at(patience.filter(|time| !self.goodbye_sent && *time > self.now));
        let lanes =
            self.projects.iter().flat_map(|shared| shared.control.lanes.values().chain(shared.data.lanes.values()));
        at(lanes.map(|lane| lane.not_before).filter(|time| *time > self.now).min());
        Some(next)
    }

    /// What the other side failed to do in time.
    pub(super) fn overdue(&self) -> Option<&'static str> {
        let clock = &self.clock;
        let over = |since: u64, limit: u64| self.now.saturating_sub(since) >= limit;
        if self.peer.is_none() && over(clock.started, limits::HELLO_TIME) {
            return Some("the other device did not say who it is in time");
        }
        if over(clock.heard, limits::SILENCE) {
            return Some("nothing was heard from the other device for too long");
        }
        if self.inbox.unfinished_since().is_some_and(|since| over(since, limits::FRAME_TIME)) {
            return Some("the other device began a message and did not finish it");
        }
        if clock.stalled.is_some_and(|since| over(since, limits::STALL_TIME)) {
            return Some("the other device does not acknowledge what it is sent");
        }
        None
    }
}
