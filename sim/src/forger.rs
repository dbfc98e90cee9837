//! A forger: a member whose program is not ours. It speaks the protocol as written in `docs/sync.md`, has a key of its own
//! and was let in by a ticket like anyone else; what it sends once it has heard all that the other side has is forged.
//!
//! It also looks closely at what it gets: every entry must verify, and what is no project of its own must not come.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use ayni::{DeviceId, Ticket};
use ayni_log::entry::seed_of;
use ayni_log::ids::{Hash, LogKind, LogName, StoreId};
use ayni_log::membership::{JoinRequest, Role};
use ayni_log::segment::Segment;
use ayni_log::sign::DeviceSecret;
use ayni_log::tip::Tip;
use ayni_sync::CloseCode;
use ayni_sync::message::{FrontierEntry, Hello, LogRef, Message, RefusedCode, SegmentFrame, Summary};
use ayni_sync::tag::{Side, project_tag, prove_transport};

use crate::broken::{Broken, Promise};
use crate::dice::Dice;
use crate::forgery::{Deed, Planned};
use crate::knowledge::Knowledge;

/// How long nothing must have come until the other side has said all: milliseconds.
const QUIET: u64 = 300;
/// A frame's head: the length of what follows, and the type.
const HEAD: usize = 5;

/// A log that a forger writes, and what it sent of it.
pub(crate) struct OwnLog {
    /// Its end.
    pub(crate) tip: Tip,
    /// All of it.
    pub(crate) written: Vec<Said>,
}

/// A segment, with what the frame around it says.
#[derive(Clone)]
pub(crate) struct Said {
    /// The hash of the entry before it.
    pub(crate) previous: Hash,
    /// The hash of its last entry.
    pub(crate) last: Hash,
    /// It.
    pub(crate) segment: Segment,
}

/// Who forges. A forger has as many conversations as there are deeds, one after the other.
pub(crate) struct Forger {
    /// How it signs what it writes into documents: the number of an author that is no device.
    pub(crate) author: usize,
    pub(crate) secret: DeviceSecret,
    /// Somebody whom nobody entitled let in.
    pub(crate) stranger: DeviceSecret,
    pub(crate) role: Role,
    pub(crate) control: OwnLog,
    pub(crate) data: OwnLog,
    /// What it got of others' data logs, from whomever.
    pub(crate) gathered: Vec<Said>,
    ticket: Ticket,
    store: StoreId,
}

impl OwnLog {
    fn new(name: LogName) -> Self {
        Self { tip: Tip::new(name), written: Vec::new() }
    }
}

impl Forger {
    /// Somebody with a ticket.
    pub(crate) fn new(author: usize, ticket: Ticket, dice: &mut Dice) -> Self {
        let mut seed = [[0; 32]; 3];
        seed.iter_mut().for_each(|seed| dice.fill(seed));
        let secret = DeviceSecret::from_seed(&seed[0]);
        let store = StoreId::from_slice(&seed[2][..16]).expect("16 bytes");
        let name = |kind| LogName { project: ticket.project, device: secret.id(), kind, incarnation: store };
        Self {
            author,
            stranger: DeviceSecret::from_seed(&seed[1]),
            role: ticket.role,
            control: OwnLog::new(name(LogKind::Control)),
            data: OwnLog::new(name(LogKind::Data)),
            gathered: Vec::new(),
            secret,
            ticket,
            store,
        }
    }

    /// Keeps what it got of others' data logs.
    pub(crate) fn gather(&mut self, known: &Knowledge) {
        for run in &known.runs {
            let last = run.after.hash();
            if run.segment.log.kind == LogKind::Data && self.gathered.iter().all(|said| said.last != last) {
                self.gathered.push(Said { previous: run.previous, last, segment: run.segment.clone() });
            }
        }
    }

    /// The device that it was let in as.
    pub(crate) fn id(&self) -> DeviceId {
        self.secret.id()
    }

    /// The log of a device that goes by its own incarnation.
    pub(crate) fn log_of(&self, device: DeviceId, kind: LogKind) -> LogName {
        LogName { project: self.ticket.project, device, kind, incarnation: self.store }
    }
}

/// How a conversation must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is stored.
    Taken,
    /// It is stored or not wanted: of a log with many branches not all are kept.
    Any,
    /// The conversation ends, with this said of it.
    Forged,
    /// It is refused for this reason.
    Refused(RefusedCode),
}

/// One conversation of a forger, in which it does one deed.
pub(crate) struct Conversation {
    forger: Rc<RefCell<Forger>>,
    deed: Deed,
    dice: Dice,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    known: Knowledge,
    admitted: bool,
    asked: bool,
    /// The data frontier came, so all that the other side has is on its way.
    told: bool,
    /// Branches that the other side named: the length and last hash of each. Where a branch is shorter than another of its log
    /// that was sent already, it is not sent before it is said to be missing.
    named: Vec<(LogName, u64, Hash)>,
    heard: u64,
    segments_heard: u64,
    segments_said: u64,
    /// What must be answered, by the numbers of segments.
    open: BTreeMap<u64, Answer>,
    over: bool,
    ended: Option<CloseCode>,
    done: bool,
}

impl Conversation {
    /// Begins it over a channel with this binding.
    pub(crate) fn new(forger: Rc<RefCell<Forger>>, deed: Deed, binding: &[u8; 32], now: u64, dice: Dice) -> Self {
        let (hello, known) = {
            let who = forger.borrow();
            let secret = if deed == Deed::Intrude { &who.stranger } else { &who.secret };
            let hello = Hello {
                version: 1,
                oldest: 1,
                device: secret.id(),
                proof: prove_transport(secret, &Self::transport(&who)),
                store: who.store,
                tags: vec![project_tag(&who.ticket.project, binding, Side::Initiator)],
            };
            (hello, Knowledge::new(who.ticket.project, secret))
        };
        Self {
            outbox: Message::Hello(hello).encode(),
            forger,
            deed,
            dice,
            inbox: Vec::new(),
            known,
            admitted: false,
            asked: false,
            told: false,
            named: Vec::new(),
            heard: now,
            segments_heard: 0,
            segments_said: 0,
            open: BTreeMap::new(),
            over: false,
            ended: None,
            done: false,
        }
    }

    /// The transport that its channels prove.
    pub(crate) fn transport(forger: &Forger) -> [u8; 32] {
        *blake3::hash(&forger.store.0).as_bytes()
    }

    /// What it is about.
    pub(crate) fn deed(&self) -> Deed {
        self.deed
    }

    /// Whether it is over, and whether the deed was answered as it has to be.
    pub(crate) fn is_over(&self) -> bool {
        self.over && self.outbox.is_empty()
    }

    /// Whether the deed was done and answered as it has to be.
    pub(crate) fn was_answered(&self) -> bool {
        self.done && self.open.is_empty()
    }

    /// Whether it said something that must be answered.
    pub(crate) fn waits(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether the other side gave it up for a reason of its own.
    pub(crate) fn was_given_up(&self) -> bool {
        self.ended.is_some()
    }

    /// At most so many bytes to send.
    pub(crate) fn outgoing(&mut self, max: usize) -> Vec<u8> {
        let rest = self.outbox.split_off(max.min(self.outbox.len()));
        std::mem::replace(&mut self.outbox, rest)
    }

    /// Bytes came.
    pub(crate) fn receive(&mut self, bytes: &[u8], now: u64) -> Result<(), Broken> {
        self.heard = now;
        self.inbox.extend(bytes);
        while let Some(head) = self.inbox.first_chunk::<HEAD>() {
            let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize + HEAD - 1;
            if self.inbox.len() < length {
                break;
            }
            let rest = self.inbox.split_off(length);
            let frame = std::mem::replace(&mut self.inbox, rest);
            match Message::decode(frame[HEAD - 1], &frame[HEAD..]) {
                Ok(Some(message)) => self.hear(message)?,
                _ => return Broken::that(Promise::Works, "a device says what is no message"),
            }
        }
        Ok(())
    }

    /// Time has passed: once all was heard, the deed is done.
    pub(crate) fn tick(&mut self, now: u64) -> Result<(), Broken> {
        if self.over || self.done || now.saturating_sub(self.heard) < QUIET {
            return Ok(());
        }
        if self.deed == Deed::Intrude {
            self.done = self.asked;
            self.over = self.asked || now.saturating_sub(self.heard) >= 10 * QUIET;
            return Ok(());
        }
        if !self.admitted || !self.told {
            self.over = now.saturating_sub(self.heard) >= 10 * QUIET;
            return Ok(());
        }
        if self.asks_for_missing() {
            self.heard = now;
            return Ok(());
        }
        if self.known.left_over() > 0 {
            let what = format!("a device serves {} segments of nobody who was admitted", self.known.left_over());
            return Broken::that(Promise::Unverified, what);
        }
        self.act(now);
        Ok(())
    }

    fn note_named(&mut self, kind: LogKind, entries: &[FrontierEntry]) {
        let project = self.forger.borrow().ticket.project;
        let named = entries.iter().map(|entry| {
            let log = LogName { project, device: entry.device, kind, incarnation: entry.incarnation };
            (log, entry.length, entry.hash)
        });
        self.named.extend(named);
    }

    /// Says of each branch that was named and did not come that it is missing, once.
    fn asks_for_missing(&mut self) -> bool {
        let named = std::mem::take(&mut self.named);
        let missing: Vec<_> = named.into_iter().filter(|(log, _, hash)| !self.known.holds(log, hash)).collect();
        for (log, length, hash) in &missing {
            self.say(&Message::Missing { project: 0, log: LogRef::from(log), length: *length, hash: *hash });
        }
        !missing.is_empty()
    }

    fn act(&mut self, now: u64) {
        self.heard = now;
        self.done = true;
        let forger = self.forger.clone();
        let planned = self.deed.plan(&mut forger.borrow_mut(), &self.known, &mut self.dice);
        forger.borrow_mut().gather(&self.known);
        if planned.is_empty() {
            self.done = false;
            self.over = true;
        }
        for planned in planned {
            match planned {
                Planned::Message(message) => self.say(&message),
                Planned::Segment(said, answer) => {
                    self.open.insert(self.segments_said, answer);
                    self.segments_said += 1;
                    self.say(&framed(said));
                }
            }
        }
    }

    fn say(&mut self, message: &Message) {
        self.outbox.extend(message.encode());
    }

    fn hear(&mut self, message: Message) -> Result<(), Broken> {
        match message {
            Message::Hello(_) => {
                // Digests of nothing that the other side has, so that it tells all.
                let rest = Some((Hash([1; 32]), Hash([2; 32])));
                self.say(&Message::Summary { project: 0, summary: Summary { control: Hash([0; 32]), rest } });
            }
            Message::Summary { summary, .. } => self.hear_summary(summary)?,
            Message::Frontier { kind, last, entries, .. } => {
                self.private(kind == LogKind::Data, "the frontier of data")?;
                self.told |= kind == LogKind::Data && last;
                self.note_named(kind, &entries);
            }
            Message::News { kind, entries, .. } => {
                self.private(kind == LogKind::Data, "news of data")?;
                self.note_named(kind, &entries);
            }
            Message::Segment { segment, .. } => {
                self.private(segment.log.kind == LogKind::Data, "a segment of data")?;
                let learnt = self.known.learn(segment.previous, &segment.bytes);
                learnt.or_else(|what| Broken::that(Promise::Unverified, format!("a device {what}")))?;
                self.say(&Message::Stored { first: self.segments_heard, count: 1 });
                self.segments_heard += 1;
            }
            Message::Receipts { .. } | Message::Receipt { .. } => self.private(true, "receipts")?,
            Message::Probe { id, .. } => self.say(&Message::Probed { id, held: 0 }),
            Message::Stored { first, count } => {
                for number in first..first + count {
                    self.answered(number, Answer::Taken)?;
                }
            }
            Message::Refused { segment, code } => self.answered(segment, Answer::Refused(code))?,
            Message::Close { code, text } => self.hear_close(CloseCode::from_byte(code), &text)?,
            Message::Goodbye => self.over = true,
            _ => {}
        }
        Ok(())
    }

    /// What only members may hear.
    fn private(&self, is_private: bool, what: &str) -> Result<(), Broken> {
        match is_private && self.deed == Deed::Intrude {
            true => Broken::that(Promise::Uninvited, format!("somebody whom nobody entitled let in was told {what}")),
            false => Ok(()),
        }
    }

    fn hear_summary(&mut self, summary: Summary) -> Result<(), Broken> {
        self.private(summary.rest.is_some(), "the digest of data")?;
        let no_branches = |kind| Message::Frontier { project: 0, kind, last: true, entries: Vec::new() };
        if !std::mem::replace(&mut self.asked, true) {
            self.say(&no_branches(LogKind::Control));
        }
        if summary.rest.is_some() && !std::mem::replace(&mut self.admitted, true) {
            self.say(&no_branches(LogKind::Data));
            self.say(&Message::Receipts { project: 0, last: true, entries: Vec::new() });
        } else if !self.admitted {
            let who = self.forger.borrow();
            let request = match self.deed {
                Deed::Intrude => JoinRequest::new(&who.forged_ticket(), &who.stranger, "forged"),
                _ => JoinRequest::new(&who.ticket, &who.secret, "a member"),
            };
            drop(who);
            self.say(&Message::Join { project: 0, request: request.encode() });
        }
        Ok(())
    }

    fn answered(&mut self, number: u64, answer: Answer) -> Result<(), Broken> {
        let Some(wanted) = self.open.remove(&number) else { return Ok(()) };
        self.over |= self.open.is_empty();
        if wanted == answer || wanted == Answer::Any {
            return Ok(());
        }
        Broken::that(Promise::Unverified, format!("{:?} was answered with {answer:?}, not {wanted:?}", self.deed))
    }

    fn hear_close(&mut self, code: CloseCode, text: &str) -> Result<(), Broken> {
        self.over = true;
        self.ended = Some(code);
        let forged = self.open.values().any(|answer| *answer == Answer::Forged);
        match code {
            CloseCode::Forged if forged => self.open.clear(),
            // A forger may talk by as many channels as one device can have.
            CloseCode::Storage | CloseCode::Timeout | CloseCode::Shutdown | CloseCode::Busy => {}
            _ => {
                let what = format!("{:?} ended a conversation with {code:?}: {text}", self.deed);
                return Broken::that(Promise::Works, what);
            }
        }
        Ok(())
    }
}

impl Forger {
    /// A ticket that no coordinator made, for an invite that the forger wrote.
    pub(crate) fn forged_ticket(&self) -> Ticket {
        Ticket { secret: [9; 16], inviter: self.secret.id(), role: Role::Coordinator, ..self.ticket.clone() }
    }
}

/// A segment in its frame.
fn framed(said: Said) -> Message {
    let size = said.segment.entries.iter().map(|entry| entry.header.len() + entry.payload.as_ref().map_or(0, Vec::len));
    let frame = SegmentFrame {
        log: LogRef::from(&said.segment.log),
        start: said.segment.start,
        count: said.segment.entries.len() as u64,
        previous: said.previous,
        hash: said.last,
        size: size.sum::<usize>() as u64,
        left: (0, 0),
        bytes: said.segment.encode(),
    };
    Message::Segment { project: 0, segment: frame }
}

/// Where a log begins.
pub(crate) fn start_of(log: &LogName) -> Hash {
    seed_of(log.id())
}
