//! One conversation between two devices.
//!
//! # The contract
//! After every call that takes `&mut self`, drain [`Session::poll_action`] until it gives nothing, then
//! [`Session::poll_send`] as long as the channel takes bytes. One change, then drain: nothing happens in between by
//! itself. (Sending can lead to actions too, so look again after it.) Then sleep until bytes come, something is stored, or [`Session::next_tick`] is reached.
//!
//! - Bytes go both ways in order and without loss, or the channel ends. When it ends, drop the session.
//! - What the [`Replica`] answers is durable, and includes a segment by the time that [`Session::stored`] is told of it.
//! - `now` is milliseconds on any clock that does not go back.
//! - After [`Action::Ended`], send what [`Session::poll_send`] still gives, flush, and close the channel.
//!
//! # How it goes
//! Both sides say [`Hello`](crate::message::Hello) at once. For each project in common each sends digests. Where those of
//! control logs differ, both send the frontier of control logs, then what the other lacks; once both hold the same, and
//! each to a device that it sees as admitted, the same for data logs and receipts. Then the session stays open: what is
//! [`advanced`](Session::advanced) goes out at once.
//!
//! Who holds a branch decides from the other's frontier what to send. If the other's points are all on the branch or
//! shorter, it can tell alone; if the other has a longer branch, the other tells whether mine is part of it (`Missing` if not);
//! on true forks a few probes find the point where they part.

mod exchange;
mod lanes;
mod projects;
mod receive;
mod send;
mod shared;
mod time;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ayni_log::ids::{DeviceId, LogKind, ProjectId, Signature, StoreId};

use crate::action::{Action, Progress, Refusal, Token};
use crate::close::{CloseCode, Ended, Reason};
use crate::frame::{Inbox, Outbox};
use crate::limits;
use crate::message::{Hello, Message, ProjectNumber, RefusedCode};
use crate::receipt::ReceiptKey;
use crate::replica::{BranchId, Replica};
use crate::tag::{Side, Tag};

use projects::Projects;
use shared::{Arrival, InFlight};

/// A project that this side names.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The project.
    pub project: ProjectId,
    /// A request to join it, for a device that holds a ticket and is not admitted yet.
    pub join: Option<Vec<u8>>,
}

impl From<ProjectId> for Offer {
    fn from(project: ProjectId) -> Self {
        Self { project, join: None }
    }
}

/// What a session starts from.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who opened the channel.
    pub side: Side,
    /// 32 bytes that the channel gives both sides alike and no other channel has.
    pub binding: [u8; 32],
    /// The transport id that the other side has proven to the transport.
    pub peer_transport: [u8; 32],
    /// This device.
    pub device: DeviceId,
    /// [`prove_transport`](crate::tag::prove_transport) over this side's own transport id.
    pub proof: Signature,
    /// This device's incarnation.
    pub store: StoreId,
    /// The projects, at most [`limits::PROJECTS`] less the padding.
    pub projects: Vec<Offer>,
    /// Random bytes, secret: they make the padding among the tags.
    pub random: [u8; 32],
}

/// The other side, once proven.
#[derive(Debug, Clone, Copy)]
struct Peer {
    device: DeviceId,
    store: StoreId,
}

/// What was sent later than it was asked for, because it may be large: made when there is room.
#[derive(Debug)]
enum Task {
    Frontier { index: usize, kind: LogKind },
    Receipts { index: usize },
    Probe { index: usize, kind: LogKind, branch: BranchId },
    Message(Message),
}

/// One conversation. See the head of this module for how to drive it.
#[derive(Debug)]
pub struct Session {
    side: Side,
    binding: [u8; 32],
    peer_transport: [u8; 32],
    device: DeviceId,
    store: StoreId,

    now: u64,
    clock: time::Clock,
    peer: Option<Peer>,
    ended: bool,
    inbox: Inbox,
    outbox: Outbox,
    actions: VecDeque<Action>,
    tasks: VecDeque<Task>,

    projects: Projects,
    tags_sent: ProjectNumber,
    expected: BTreeMap<Tag, usize>,
    peer_tags: BTreeMap<Tag, ProjectNumber>,
    peer_tag_count: ProjectNumber,
    by_peer_number: BTreeMap<ProjectNumber, usize>,

    /// Segments sent and not acknowledged, by their number in this direction.
    in_flight: BTreeMap<u64, InFlight>,
    in_flight_bytes: u64,
    segments_sent: u64,
    /// Segments that came and are not stored, by their number in the other direction.
    arrivals: BTreeMap<u64, Arrival>,
    arrivals_bytes: u64,
    segments_arrived: u64,
    /// Numbers of segments to be acknowledged.
    acks: BTreeSet<u64>,

    probes: BTreeMap<u64, (usize, LogKind, BranchId)>,
    probes_sent: u64,
    turn: usize,

    leaving: bool,
    settled_since: Option<u64>,
    goodbye_sent: bool,
    goodbye_received: bool,
}

impl Session {
    /// Begins a session; its hello is ready to be sent.
    pub fn new(config: Config, now: u64) -> Self {
        let mut session = Self {
            side: config.side,
            binding: config.binding,
            peer_transport: config.peer_transport,
            device: config.device,
            store: config.store,
            now,
            clock: time::Clock::new(now),
            peer: None,
            ended: false,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            actions: VecDeque::new(),
            tasks: VecDeque::new(),
            projects: Projects::default(),
            tags_sent: 0,
            expected: BTreeMap::new(),
            peer_tags: BTreeMap::new(),
            peer_tag_count: 0,
            by_peer_number: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            in_flight_bytes: 0,
            segments_sent: 0,
            arrivals: BTreeMap::new(),
            arrivals_bytes: 0,
            segments_arrived: 0,
            acks: BTreeSet::new(),
            probes: BTreeMap::new(),
            probes_sent: 0,
            turn: 0,
            leaving: false,
            settled_since: None,
            goodbye_sent: false,
            goodbye_received: false,
        };
        let tags = session.offer(config.projects, Some(&config.random));
        session.push(&Message::Hello(Hello {
            version: limits::VERSION,
            oldest: limits::OLDEST_VERSION,
            device: config.device,
            proof: config.proof,
            store: config.store,
            tags,
        }));
        session
    }

    /// Names another project, as when this device has joined or founded one while the session is open. A project that
    /// was named before is left as it is, but for its request to join, which is made anew.
    pub fn add_project(&mut self, replica: &dyn Replica, offer: Offer) {
        if let Some(index) = self.index_of(&offer.project) {
            if let Some(shared) = self.projects.at_mut(index) {
                shared.ask_anew(offer.join);
            }
            return self.refresh(replica, index);
        }
        if self.ended || self.tags_sent as usize >= limits::PROJECTS {
            return;
        }
        let index = self.projects.len();
        let tags = self.offer(vec![offer], None);
        self.push(&Message::Tags(tags));
        let theirs = self.expected.iter().find(|(_, of)| **of == index).map(|(tag, _)| *tag);
        let Some(number) = theirs.and_then(|tag| self.peer_tags.remove(&tag)) else { return };
        self.share(index, number);
        self.refresh(replica, index);
    }

    /// Bytes came from the other side, however cut.
    pub fn receive(&mut self, replica: &dyn Replica, bytes: &[u8], now: u64) {
        self.now = now.max(self.now);
        if self.ended || bytes.is_empty() {
            return;
        }
        self.clock.heard(self.now);
        let mut rest = bytes;
        while !self.ended {
            match self.next_message(&mut rest) {
                Ok(None) => return,
                Ok(Some(message)) => {
                    if let Err(reason) = self.take(replica, message) {
                        return self.end_here(reason);
                    }
                }
                Err(reason) => return self.end_here(reason),
            }
            if self.outbox.is_over() {
                let text = "the other device asks but does not read the answers";
                return self.end_here(Reason::new(CloseCode::Timeout, text));
            }
        }
    }

    /// The next thing to do, if any.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// At most `max` bytes to send now; none when there is nothing to send or the window is full. What it gives must be
    /// sent.
    pub fn poll_send(&mut self, replica: &dyn Replica, max: usize) -> Vec<u8> {
        if !self.ended && self.peer.is_some() {
            self.fill_outbox(replica, max.min(limits::SEND_BUFFER));
        }
        let out = self.outbox.take(max);
        if !out.is_empty() {
            self.clock.sent(self.now);
            // Where nothing is to be answered, taking bytes is all that can be asked of the other side.
            self.note_waiting(self.in_flight.is_empty() && self.probes.is_empty());
        }
        out
    }

    /// Time has passed.
    pub fn tick(&mut self, now: u64) {
        self.now = now.max(self.now);
        if self.ended {
            return;
        }
        match self.overdue() {
            Some(text) => self.end_here(Reason::new(CloseCode::Timeout, text)),
            None if self.peer.is_some() && self.clock.ping_due(self.now) && self.outbox.is_empty() => {
                self.push(&Message::Ping);
            }
            None => {}
        }
    }

    /// A segment is durable (or was held already). Acknowledgements are gathered until the next [`Session::poll_send`].
    pub fn stored(&mut self, replica: &dyn Replica, token: Token) {
        if let Some(arrival) = self.answer(token) {
            self.acks.insert(token.0);
            self.arrived(replica, arrival);
        }
    }

    /// A segment was not stored.
    pub fn refused(&mut self, token: Token, refusal: Refusal) {
        let Some(arrival) = self.answer(token) else { return };
        let code = match refusal {
            Refusal::UnknownBase => RefusedCode::UnknownBase,
            Refusal::AuthorUnknown => RefusedCode::AuthorUnknown,
            Refusal::Unwanted => RefusedCode::Unwanted,
            Refusal::Invalid => {
                return self.end_here(Reason::new(CloseCode::Forged, "a segment that its author did not write"));
            }
        };
        if refusal == Refusal::Unwanted
            && let Some(shared) = self.projects.at_mut(arrival.index)
        {
            shared.side_mut(arrival.log.kind).give_up(&arrival.log);
        }
        self.push(&Message::Refused { segment: token.0, code });
        self.check_level(arrival.index);
    }

    /// Branches have grown or are new: own commits, and what other sessions have stored. It costs by the number of
    /// branches named. Naming one too many does no harm.
    pub fn advanced(&mut self, replica: &dyn Replica, project: &ProjectId, branches: &[BranchId], now: u64) {
        self.now = now.max(self.now);
        let Some(index) = self.index_of(project).filter(|_| !self.ended) else { return };
        let mut control = false;
        for branch in branches {
            if let Some(tip) = replica.tip(project, *branch) {
                control |= tip.log.kind == LogKind::Control;
                self.branch_advanced(replica, index, &tip);
            }
        }
        if control {
            self.refresh(replica, index);
        } else {
            self.check_level(index);
        }
    }

    /// Receipts are new or newer: this device's own, and those that came by other sessions.
    pub fn receipts_changed(&mut self, project: &ProjectId, keys: &[ReceiptKey]) {
        let Some(index) = self.index_of(project).filter(|_| !self.ended) else { return };
        if let Some(shared) = self.projects.at_mut(index)
            && shared.receipts.theirs.is_some()
        {
            shared.receipts.due.extend(keys);
            shared.cover_due = true;
        }
    }

    /// Tells the other side that its request to join was not granted, and why.
    pub fn decline(&mut self, project: &ProjectId, text: &str) {
        if let Some(number) = self.index_of(project).and_then(|index| self.open_number(index)) {
            self.push(&Message::Declined { project: number, text: crate::message::cut_text(text.to_owned()) });
        }
    }

    /// Leave once both sides hold the same and have each other's receipts of it. Where a receipt does not come,
    /// [`limits::GOODBYE_TIME`] ends the wait.
    pub fn goodbye(&mut self) {
        self.leaving = true;
    }

    /// Ends the session now; the other side is told why.
    pub fn close(&mut self, reason: Reason) {
        if !self.ended {
            self.end_here(reason);
        }
    }

    /// How far a project is.
    pub fn progress(&self, project: &ProjectId) -> Option<Progress> {
        let shared = self.projects.at(self.index_of(project)?)?;
        Some(shared.progress())
    }

    /// Whether both sides hold the same of a project, as far as this side knows.
    pub fn is_level(&self, project: &ProjectId) -> bool {
        self.index_of(project).and_then(|index| self.projects.at(index)).is_some_and(|shared| shared.level)
    }

    /// The other side, once it has proven who it is.
    pub fn peer(&self) -> Option<(DeviceId, StoreId)> {
        self.peer.map(|peer| (peer.device, peer.store))
    }

    /// Whether the session is over.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Bytes that the session holds: unfinished frames, what waits to be sent, and segments handed out or about to be
    /// that are not yet answered.
    pub fn held_bytes(&self) -> u64 {
        self.inbox.len() as u64 + self.outbox.len() as u64 + self.arrivals_bytes
    }

    fn index_of(&self, project: &ProjectId) -> Option<usize> {
        self.projects.iter().position(|shared| shared.project == *project)
    }

    /// Our number of a project that is in common.
    fn open_number(&self, index: usize) -> Option<ProjectNumber> {
        self.projects.at(index).filter(|shared| shared.common).map(|shared| shared.number)
    }

    fn push(&mut self, message: &Message) {
        self.outbox.push(message.encode());
    }

    fn end_here(&mut self, reason: Reason) {
        self.outbox.cut();
        self.push(&Message::Close { code: reason.code.byte(), text: reason.text.clone() });
        self.end(Ended::Here(reason));
    }

    fn end(&mut self, how: Ended) {
        self.ended = true;
        self.tasks.clear();
        self.actions.push_back(Action::Ended(how));
    }
}
