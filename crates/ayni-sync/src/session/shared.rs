//! What a session knows of one project: of its control logs, its data logs and its receipts.

use std::collections::{BTreeMap, BTreeSet};

use ayni_log::ids::{Hash, LogKind, LogName, ProjectId};

use crate::action::{Amount, Progress};
use crate::frontier::{Mark, PeerFrontier};
use crate::limits;
use crate::message::{ProjectNumber, Summary};
use crate::receipt::ReceiptKey;
use crate::replica::{BranchId, BranchTip, Standing};

/// A project that this side has named.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) project: ProjectId,
    pub(super) join: Option<Vec<u8>>,
    /// Its place among our tags.
    pub(super) number: ProjectNumber,
    /// The other side has it too.
    pub(super) common: bool,
    /// The other side refused it, and has not summed it up since.
    pub(super) declined: bool,
    /// What the other device was to the project when last looked at; `None` before it was in common.
    pub(super) standing: Option<Standing>,
    pub(super) theirs: Option<Summary>,
    pub(super) join_sent: bool,
    pub(super) joins_received: u8,
    /// What the driver was last told of whether the other side sees this device as admitted.
    pub(super) told_admitted: Option<bool>,
    pub(super) control: Exchange,
    pub(super) data: Exchange,
    pub(super) receipts: Receipts,
    /// A plan is to be sent before the next segment.
    pub(super) plan_due: bool,
    pub(super) level: bool,
    /// This device's own receipt covers all that is here, as far as was looked.
    pub(super) covered_here: bool,
    /// The other side's own receipt covers all that is here, as far as was looked.
    pub(super) covered_there: bool,
    /// Receipts or what they are to cover have changed since that was looked at.
    pub(super) cover_due: bool,
    pub(super) received: Amount,
    pub(super) sent: Amount,
    /// What the other side says is left for it to send.
    pub(super) left_there: Amount,
}

impl Shared {
    pub(super) fn new(project: ProjectId, join: Option<Vec<u8>>, number: ProjectNumber) -> Self {
        Self {
            project,
            join,
            number,
            common: false,
            declined: false,
            standing: None,
            theirs: None,
            join_sent: false,
            joins_received: 0,
            told_admitted: None,
            control: Exchange::default(),
            data: Exchange::default(),
            receipts: Receipts::default(),
            plan_due: false,
            level: false,
            covered_here: false,
            covered_there: false,
            cover_due: true,
            received: Amount::default(),
            sent: Amount::default(),
            left_there: Amount::default(),
        }
    }

    pub(super) fn side(&self, kind: LogKind) -> &Exchange {
        match kind {
            LogKind::Control => &self.control,
            LogKind::Data => &self.data,
        }
    }

    pub(super) fn side_mut(&mut self, kind: LogKind) -> &mut Exchange {
        match kind {
            LogKind::Control => &mut self.control,
            LogKind::Data => &mut self.data,
        }
    }

    /// Whether entries of this kind may pass between the two now.
    pub(super) fn may(&self, kind: LogKind) -> bool {
        match kind {
            LogKind::Control => self.standing.is_some_and(|standing| standing != Standing::Refused),
            LogKind::Data => self.admitted(),
        }
    }

    /// Whether this side sees the other as admitted.
    pub(super) fn admitted(&self) -> bool {
        self.standing == Some(Standing::Admitted)
    }

    /// Whether each side sees the other as admitted.
    pub(super) fn mutual(&self) -> bool {
        self.admitted() && self.theirs.is_some_and(|theirs| theirs.rest.is_some())
    }

    /// Nothing is left to be done in this project, be it that both are level or that no more is to be had.
    pub(super) fn settled(&self) -> bool {
        if !self.common || self.declined || self.standing == Some(Standing::Refused) {
            return true;
        }
        self.level || (self.control.is_level() && !self.mutual() && self.join.is_none())
    }

    /// The other side holds control entries that it did not hold before, wherever it has them from: it may know authors now
    /// whom it did not know.
    pub(super) fn try_authors_again(&mut self) {
        let lanes = self.control.lanes.values_mut().chain(self.data.lanes.values_mut());
        for lane in lanes.filter(|lane| lane.state == LaneState::AuthorUnknown) {
            lane.state = LaneState::Sending;
        }
    }

    /// There are entries that not both hold: it is not level, and no receipt covers them.
    pub(super) fn uncover(&mut self) {
        self.level = false;
        self.covered_here = false;
        self.covered_there = false;
        self.cover_due = true;
    }

    /// A new request to join, in place of one that was made before.
    pub(super) fn ask_anew(&mut self, join: Option<Vec<u8>>) {
        self.join_sent = false;
        self.declined = false;
        self.told_admitted = None;
        self.join = join;
    }

    /// Forgets all about data logs and receipts: one of the two is no longer admitted, or not yet.
    pub(super) fn withdraw(&mut self) {
        self.data.reset();
        self.receipts = Receipts::default();
        self.uncover();
    }

    /// Forgets control logs too: one of the two has refused the project.
    pub(super) fn withdraw_all(&mut self) {
        self.control.reset();
        self.withdraw();
    }

    /// What this side still has to read and send.
    pub(super) fn left_here(&self) -> Amount {
        let mut left = Amount::default();
        for lane in self.control.lanes.values().chain(self.data.lanes.values()) {
            if lane.state == LaneState::Sending {
                left.add(
                    lane.target.length.saturating_sub(lane.next.length),
                    lane.target.bytes.saturating_sub(lane.next.bytes),
                );
            }
        }
        left
    }

    pub(super) fn progress(&self) -> Progress {
        let mut to_receive = self.left_there;
        let mut to_send = self.left_here();
        for side in [&self.control, &self.data] {
            to_receive.add(side.pending.entries, side.pending.bytes);
            to_send.add(side.in_flight.entries, side.in_flight.bytes);
        }
        Progress { received: self.received, to_receive, sent: self.sent, to_send }
    }
}

/// How far the two are with the logs of one kind.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// Our frontier was sent, or is about to be.
    pub(super) frontier_sent: bool,
    /// What the other side holds; `None` before it is known.
    pub(super) theirs: Option<PeerFrontier>,
    /// The first frames of a frontier of which more are to come.
    pub(super) incoming: Vec<(LogName, Mark)>,
    /// Branches with something to send.
    pub(super) lanes: BTreeMap<BranchId, Lane>,
    /// Points that the other side holds and this one does not.
    pub(super) lacking: BTreeSet<(LogName, Mark)>,
    /// Points of these of which the other side was told that they are missing here.
    pub(super) missed: BTreeSet<(LogName, Mark)>,
    /// What was last acknowledged of each log.
    pub(super) acknowledged: BTreeMap<LogName, (u64, Hash)>,
    /// The length at which the other side last heard of each branch from here.
    pub(super) told: BTreeMap<BranchId, u64>,
    /// Where the other side had the entries of a log from, the last time.
    pub(super) sources: BTreeMap<LogName, Source>,
    /// Branches to be named in the next news.
    pub(super) news: BTreeSet<BranchId>,
    /// Segments of each log that arrived and are not stored: the acknowledgement will tell the other side.
    pub(super) coming: BTreeMap<LogName, u64>,
    /// Sent, not acknowledged.
    pub(super) in_flight: Amount,
    /// Arrived, not stored.
    pub(super) pending: Amount,
}

impl Exchange {
    /// Begins anew; what is on its way is still accounted for.
    fn reset(&mut self) {
        let coming = std::mem::take(&mut self.coming);
        *self = Self { in_flight: self.in_flight, pending: self.pending, coming, ..Self::default() };
    }

    /// Both hold the same, as far as this side knows.
    pub(super) fn is_level(&self) -> bool {
        self.theirs.is_some()
            && self.lacking.is_empty()
            && self.in_flight.entries == 0
            && self.pending.entries == 0
            && self.lanes.values().all(Lane::is_idle)
    }

    /// Whether the other side knows that this is held here.
    pub(super) fn is_told(&self, tip: &BranchTip) -> bool {
        self.told.get(&tip.branch) == Some(&tip.length)
            || self.acknowledged.get(&tip.log) == Some(&(tip.length, tip.hash))
    }

    /// Nothing of this log will come that is taken.
    pub(super) fn give_up(&mut self, log: &LogName) {
        self.lacking.retain(|(of, _)| of != log);
    }
}

/// Where the other side has a third device's entries from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// From here: it had not named them when they were sent.
    Here,
    /// From elsewhere: it named them first.
    Elsewhere,
}

/// A branch on its way to the other side.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) target: BranchTip,
    /// Up to here it was sent, or is known to be there.
    pub(super) next: Mark,
    pub(super) state: LaneState,
    /// Since when it is held back, or was.
    pub(super) since: Option<u64>,
    /// Nothing is sent before this time.
    pub(super) not_before: u64,
    pub(super) unacknowledged: u32,
    pub(super) retries: u8,
    /// Grows when the lane begins elsewhere, so that refusals of what was sent before are told apart.
    pub(super) generation: u32,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum LaneState {
    Sending,
    /// The other side has at least `low` entries of the branch and at most `high`.
    Probing {
        low: u64,
        high: u64,
        points: Vec<u64>,
    },
    /// The other side lacks the author's admission.
    AuthorUnknown,
    /// The other side does not take it, or it cannot be read here.
    Stuck,
}

impl Lane {
    pub(super) fn new(target: BranchTip, next: Mark, state: LaneState) -> Self {
        Self { target, next, state, since: None, not_before: 0, unacknowledged: 0, retries: 0, generation: 0 }
    }

    pub(super) fn probing(target: BranchTip) -> Self {
        let state = LaneState::Probing { low: 0, high: target.length, points: Vec::new() };
        Self::new(target, Mark::zero(&target.log), state)
    }

    /// Holds a third device's entries back, as long as nothing of the lane was sent.
    pub(super) fn hold_back(&mut self, source: Option<Source>, now: u64) {
        if self.since.is_some() && self.not_before <= now {
            return;
        }
        let since = *self.since.get_or_insert(now);
        let delay = match source {
            Some(Source::Elsewhere) => limits::FORWARD_PATIENCE,
            None if self.has_much() => limits::FORWARD_PATIENCE,
            _ => limits::FORWARD_DELAY,
        };
        self.not_before = since.saturating_add(delay);
    }

    /// Whether there are many bytes yet to send.
    pub(super) fn has_much(&self) -> bool {
        self.target.bytes.saturating_sub(self.next.bytes) > limits::MUCH
    }

    /// Nothing can be sent of it.
    pub(super) fn is_idle(&self) -> bool {
        match self.state {
            LaneState::Sending => self.next.length >= self.target.length && self.unacknowledged == 0,
            LaneState::Probing { .. } => false,
            LaneState::AuthorUnknown | LaneState::Stuck => true,
        }
    }

    /// The other side has all of it.
    pub(super) fn is_done(&self) -> bool {
        self.state == LaneState::Sending && self.is_idle()
    }

    pub(super) fn is_ready(&self, now: u64) -> bool {
        self.state == LaneState::Sending && self.next.length < self.target.length && self.not_before <= now
    }

    /// The next points to ask about, from `low` (excluded) to `high` (included), evenly apart.
    pub(super) fn next_points(&mut self) -> Vec<u64> {
        let LaneState::Probing { low, high, points } = &mut self.state else { return Vec::new() };
        let span = high.saturating_sub(*low);
        let count = span.min(limits::PROBE_POINTS as u64).max(1);
        *points = (1..=count).map(|n| *low + (u128::from(span) * u128::from(n) / u128::from(count)) as u64).collect();
        points.clone()
    }
}

/// How far the two are with receipts.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    pub(super) list_sent: bool,
    /// The counters that the other side has; `None` before they are known.
    pub(super) theirs: Option<BTreeMap<ReceiptKey, u64>>,
    pub(super) incoming: BTreeMap<ReceiptKey, u64>,
    /// To be looked at and sent if the other side lacks them; none before it is known what it has.
    pub(super) due: BTreeSet<ReceiptKey>,
}

impl Receipts {
    /// Whether the other side has no receipt of this incarnation or one with a lower counter.
    pub(super) fn lacks(&self, key: &ReceiptKey, counter: u64) -> bool {
        self.theirs.as_ref().is_some_and(|theirs| theirs.get(key).is_none_or(|held| *held < counter))
    }
}

/// A segment on its way to the other side.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) index: usize,
    pub(super) log: LogName,
    pub(super) branch: BranchId,
    pub(super) generation: u32,
    pub(super) start: Mark,
    pub(super) end: Mark,
    pub(super) frame_bytes: u64,
}

impl InFlight {
    pub(super) fn entries(&self) -> u64 {
        self.end.length.saturating_sub(self.start.length)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.end.bytes.saturating_sub(self.start.bytes)
    }
}

/// A segment that came and is not stored.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) index: usize,
    pub(super) log: LogName,
    pub(super) end: Mark,
    pub(super) entries: u64,
    pub(super) size: u64,
    pub(super) frame_bytes: u64,
}
