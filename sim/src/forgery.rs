//! What forgers make, and what must become of each: entries that are encoded, sealed and chained as they should be, and are
//! not true.

use ayni::DocumentId;
use ayni::doc::{Change, Operation, Value};
use ayni_log::entry::{Entry, entry_hash};
use ayni_log::header::{Anchor, Body, BodyV1, Declaration, Header, Subject};
use ayni_log::ids::{DeviceId, Hash, LogId, LogKind, Signature};
use ayni_log::membership::{
    AdmitBody, ControlBody, EntryName, IncarnationBody, PurgeBody, Role, RoleBody, device_name, grant, invite, removal,
    rotate, seal_name,
};
use ayni_log::seal::{Declared, LogKey};
use ayni_log::segment::{Segment, WireEntry, checkpoint_message};
use ayni_log::sign::DeviceSecret;
use ayni_log::tip::Tip;
use ayni_sync::message::{Message, RefusedCode};
use ayni_sync::receipt::{Head, Receipt, ReceiptKey, Retention};

use crate::dice::Dice;
use crate::forger::{Answer, Forger, Said, start_of};
use crate::knowledge::{Knowledge, Run};
use crate::model::signature;
use crate::users::PLACES;

/// When receipts of forgers were signed, as they say: no clock of ours goes so far.
pub(crate) const FORGED_TIME: i64 = i64::MAX;

/// Something that a forger does in one conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Goes on with another member's log, under its own signature.
    OthersLog,
    /// The same, at a position that is taken.
    TakenPosition,
    /// Goes on with another member's log, under a signature of that member's for something else.
    OldSignature,
    /// Puts another payload under a genuine header.
    OtherPayload,
    /// Sends genuine headers without what they are about.
    NoPayload,
    /// Says that a segment follows what it does not follow.
    OtherPrevious,
    /// Signs a segment of its own log whose chain hangs in the air.
    BrokenChain,
    /// Writes one position of its own log twice, which is a fork and no forgery.
    OwnFork,
    /// Decides about membership without the right to.
    Decide(Decision),
    /// Sends the log of somebody whom only it let in.
    StrangersLog,
    /// Comes as somebody whom only it let in.
    Intrude,
    /// Signs a receipt for another device.
    OthersReceipt,
    /// Edits a document, claiming any time, as if it had seen nothing.
    Edit {
        /// Which document.
        document: DocumentId,
        /// The edit's number in the model.
        number: i64,
        /// The time that it claims.
        time: i64,
    },
}

/// What a member without the right decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It makes itself a coordinator.
    Promote,
    /// It admits a stranger, and seals it the keys.
    Admit,
    /// It makes a ticket for a stranger.
    Invite,
    /// It says again what a coordinator said, in its own log.
    Replay,
    /// It removes everybody else.
    Remove,
    /// It makes another a reader.
    Demote,
    /// It begins an epoch.
    Rotate,
    /// It purges all there is.
    Purge,
    /// It names another's device.
    Name,
}

pub(crate) const DECISIONS: [Decision; 9] = [
    Decision::Promote,
    Decision::Admit,
    Decision::Invite,
    Decision::Replay,
    Decision::Remove,
    Decision::Demote,
    Decision::Rotate,
    Decision::Purge,
    Decision::Name,
];

/// Something to be said.
pub(crate) enum Planned {
    Message(Message),
    Segment(Said, Answer),
}

impl Deed {
    /// What it is called in a census, once it was answered as it has to be.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OthersLog => "forged: in another's log",
            Self::TakenPosition => "forged: at a taken position",
            Self::OldSignature => "forged: another signature",
            Self::OtherPayload => "forged: another payload",
            Self::NoPayload => "forged: headers alone",
            Self::OtherPrevious => "forged: another previous hash",
            Self::BrokenChain => "forged: a broken chain",
            Self::OwnFork => "forged: a fork of its own log",
            Self::Decide(Decision::Promote) => "forged: makes itself a coordinator",
            Self::Decide(Decision::Admit) => "forged: admits a stranger",
            Self::Decide(Decision::Invite) => "forged: invites a stranger",
            Self::Decide(Decision::Replay) => "forged: replays a decision",
            Self::Decide(Decision::Remove) => "forged: removes everybody",
            Self::Decide(Decision::Demote) => "forged: demotes another",
            Self::Decide(Decision::Rotate) => "forged: begins an epoch",
            Self::Decide(Decision::Purge) => "forged: purges everything",
            Self::Decide(Decision::Name) => "forged: names another",
            Self::StrangersLog => "forged: a stranger's log",
            Self::Intrude => "forged: an intruder at the door",
            Self::OthersReceipt => "forged: another's receipt",
            Self::Edit { .. } => "forged: an edit at any time",
        }
    }

    /// Whether it ends the conversation, with the reason.
    pub(crate) fn must_be_named(self) -> bool {
        use Deed as D;
        matches!(
            self,
            D::OthersLog | D::TakenPosition | D::OldSignature | D::OtherPayload | D::NoPayload | D::BrokenChain
        )
    }

    /// What is said for it; nothing where the other side has nothing to forge from.
    pub(crate) fn plan(self, forger: &mut Forger, known: &Knowledge, dice: &mut Dice) -> Vec<Planned> {
        open_log(forger, known);
        let planned = match self {
            Self::OthersLog | Self::TakenPosition | Self::OldSignature => self.in_others_log(forger, known, dice),
            Self::OtherPayload => other_payload(forger, known, dice),
            Self::NoPayload => headers_alone(forger, known),
            Self::OtherPrevious | Self::BrokenChain | Self::OwnFork => return self.in_own_log(forger, known),
            Self::Decide(decision) => {
                let bodies = decision.bodies(forger, known, dice);
                match bodies.is_empty() {
                    true => None,
                    false => write_control(forger, known, &bodies, 0).map(|_| Vec::new()),
                }
            }
            Self::StrangersLog => Some(strangers_log(forger)),
            Self::OthersReceipt => others_receipt(forger, known, dice),
            Self::Edit { document, number, time } => edit(forger, known, document, number, time).map(|()| Vec::new()),
            Self::Intrude => None,
        };
        let Some(planned) = planned else { return Vec::new() };
        own_logs(forger).into_iter().chain(planned).collect()
    }

    /// Entries after (or in the place of) some of another member's.
    fn in_others_log(self, forger: &Forger, known: &Knowledge, dice: &mut Dice) -> Option<Vec<Planned>> {
        let run = dice.pick(&others(forger, known, LogKind::Data)).copied()?;
        let tip = if self == Self::TakenPosition { &run.within(dice)? } else { &run.after };
        let log = tip.name();
        // The keys are everyone's, so what it writes there is sealed as it should be.
        let key = key_of(known, tip)?;
        let last = run.entries.last()?.header.v1()?;
        let body = BodyV1 { declarations: Vec::new(), time: last.time.saturating_add(1), ..last.clone() };
        let content = Change::Edit(vec![Operation::set("a", Value::Int(-7))]).encode().ok()?;
        let draft = (body, content);
        let old = (self == Self::OldSignature).then_some(run.segment.signature);
        let previous = if tip.length() == 0 { start_of(log) } else { tip.hash() };
        let (said, _) = sign(tip, previous, Some(&key), &forger.secret, vec![draft], old)?;
        Some(vec![Planned::Segment(said, Answer::Forged)])
    }

    fn in_own_log(self, forger: &mut Forger, known: &Knowledge) -> Vec<Planned> {
        let mut planned = own_logs(forger);
        let before = forger.control.tip.clone();
        let bodies = [ControlBody::Incarnation(IncarnationBody { previous: None })];
        let time = forger.control.written.len() as i64;
        let Some(said) = draft_control(forger, known, &before, &bodies, time) else { return Vec::new() };
        match self {
            Self::OwnFork => {
                let Some(other) = draft_control(forger, known, &before, &bodies, time + 1) else { return Vec::new() };
                planned.push(Planned::Segment(said.0, Answer::Any));
                planned.push(Planned::Segment(other.0, Answer::Any));
            }
            Self::BrokenChain => {
                // The frame and the signature say one thing, the chain another.
                let mut segment = said.0.segment;
                segment.signature =
                    forger.secret.sign(&checkpoint_message(before.id(), before.length() + 1, &Hash([5; 32])));
                let said = Said { segment, previous: before.hash(), last: Hash([5; 32]) };
                planned.push(Planned::Segment(said, Answer::Forged));
            }
            _ => {
                let said = Said { previous: Hash([6; 32]), ..said.0 };
                planned.push(Planned::Segment(said, Answer::Refused(RefusedCode::UnknownBase)));
            }
        }
        planned
    }
}

impl Decision {
    fn bodies(self, forger: &Forger, known: &Knowledge, dice: &mut Dice) -> Vec<ControlBody> {
        let members = known.view.members();
        let others: Vec<DeviceId> =
            members.iter().map(|member| member.device).filter(|device| *device != forger.id()).collect();
        let Some(other) = dice.pick(&others).copied() else { return Vec::new() };
        let Some(naming) = known.ring.naming_key() else { return Vec::new() };
        let mut random = [0; 32];
        dice.fill(&mut random);
        let stranger = (forger.stranger.id(), forger.stranger.exchange_public());
        match self {
            Self::Promote => {
                vec![ControlBody::Role(RoleBody { device: forger.id(), role: Role::Coordinator, fences: None })]
            }
            Self::Admit => {
                let name = seal_name(naming, &stranger.0.0, "forged").unwrap_or_default();
                let (device, exchange) = stranger;
                let admit = AdmitBody { device, exchange, role: Role::Coordinator, consent: None, name };
                let keys = grant(&known.ring, device, &exchange, Role::Coordinator, &random);
                let keys = keys.map(ControlBody::Grant).into_iter();
                [ControlBody::Admit(admit)].into_iter().chain(keys).collect()
            }
            Self::Invite => {
                let ticket = forger.forged_ticket();
                vec![ControlBody::Invite(invite(ticket.project, &ticket.secret, Role::Coordinator, None, 9))]
            }
            Self::Replay => {
                let entries = known.view.entries().filter(|entry| entry.log.device != forger.id());
                let decided = entries.map(|entry| &entry.body).filter(|body| decides(body));
                let decided: Vec<&ControlBody> = decided.collect();
                dice.pick(&decided).map(|body| (*body).clone()).into_iter().collect()
            }
            Self::Remove => others.iter().map(|device| ControlBody::Remove(removal(*device, Vec::new()))).collect(),
            Self::Demote => {
                vec![ControlBody::Role(RoleBody { device: other, role: Role::Reader, fences: Some(Vec::new()) })]
            }
            Self::Rotate => {
                let epoch = rotate(&known.view, &known.ring, &others, &random);
                epoch.map(|(epoch, _)| ControlBody::Epoch(epoch)).into_iter().collect()
            }
            Self::Purge => vec![ControlBody::Purge(PurgeBody { entries: everything(known), snapshot: None })],
            Self::Name => device_name(naming, other, "forged").map(ControlBody::DeviceName).into_iter().collect(),
        }
    }
}

/// A genuine segment with what it is about changed.
fn other_payload(forger: &Forger, known: &Knowledge, dice: &mut Dice) -> Option<Vec<Planned>> {
    let run = dice.pick(&others(forger, known, LogKind::Data)).copied()?;
    let mut segment = run.segment.clone();
    let place = dice.below(segment.entries.len());
    let byte = segment.entries[place].payload.as_mut()?.last_mut()?;
    *byte ^= 1;
    let said = Said { previous: run.previous, last: run.after.hash(), segment };
    Some(vec![Planned::Segment(said, Answer::Forged)])
}

/// A genuine segment that the other side lacks, without what it is about.
fn headers_alone(forger: &Forger, known: &Knowledge) -> Option<Vec<Planned>> {
    let holds = |hash: Hash| known.runs.iter().any(|run| run.after.hash() == hash);
    let is_new = |said: &&Said| {
        let log = said.segment.log;
        let follows = said.segment.start == 0 || holds(said.previous);
        follows && !holds(said.last) && log.device != forger.id() && known.view.admitted(log.device).is_some()
    };
    let mut said = forger.gathered.iter().find(is_new)?.clone();
    for wire in &mut said.segment.entries {
        let header = Entry::read_header(&wire.header, wire.payload.as_deref()).ok()?;
        *wire = WireEntry { header: header.encode(), payload: None };
    }
    Some(vec![Planned::Segment(said, Answer::Forged)])
}

/// Whether it says something that only coordinators may say.
fn decides(body: &ControlBody) -> bool {
    !matches!(
        body,
        ControlBody::Incarnation(_) | ControlBody::Retention(_) | ControlBody::DeviceName(_) | ControlBody::Unknown(_)
    )
}

fn everything(known: &Knowledge) -> Vec<EntryName> {
    let named = |run: &Run| {
        let log = run.segment.log.id();
        let name = move |entry: &Entry| EntryName { log, position: entry.position, hash: entry.hash };
        run.entries.iter().map(name).collect::<Vec<_>>()
    };
    let mut entries: Vec<EntryName> = known.runs.iter().flat_map(named).collect();
    entries.sort_unstable();
    entries.dedup();
    entries
}

/// The runs of other devices' logs of a kind.
fn others<'a>(forger: &Forger, known: &'a Knowledge, kind: LogKind) -> Vec<&'a Run> {
    let is_other = |run: &&Run| run.segment.log.kind == kind && run.segment.log.device != forger.id();
    known.runs.iter().filter(is_other).collect()
}

/// The key under which the next entry of a data log is sealed, if its last key set is ours to read.
fn key_of(known: &Knowledge, tip: &Tip) -> Option<LogKey> {
    let epochs = match tip.key_sets() {
        0 => return None,
        last => tip.key_set(last)?,
    };
    Some(known.ring.set_key(epochs)?.for_log(tip.id()))
}

/// Writes a commit after some entries of any log, signed by anyone.
fn sign(
    tip: &Tip,
    previous: Hash,
    key: Option<&LogKey>,
    secret: &DeviceSecret,
    drafts: Vec<(BodyV1, Vec<u8>)>,
    signed: Option<Signature>,
) -> Option<(Said, Tip)> {
    let mut next = tip.clone();
    let (last, start) = (drafts.len() - 1, tip.length());
    let mut hash = previous;
    let mut entries = Vec::new();
    for (place, (body, content)) in drafts.into_iter().enumerate() {
        let body = Body::V1(body);
        let mut header = Header { ends_commit: place == last, payload_hash: Hash([0; 32]), payload_len: 0, body };
        let payload = key.map_or(content.clone(), |key| key.seal_payload(next.length(), &header, &content));
        header.payload_len = payload.len() as u32;
        header.payload_hash = Hash(*blake3::hash(&payload).as_bytes());
        let canonical = header.encode();
        hash = entry_hash(&hash, &canonical);
        next.append(&header, &canonical).ok()?;
        entries.push(WireEntry { header: header.encode_beside_payload(), payload: Some(payload) });
    }
    let own = || secret.sign(&checkpoint_message(next.id(), next.length(), &hash));
    let segment = Segment { log: *tip.name(), start, entries, signature: signed.unwrap_or_else(own) };
    Some((Said { previous, last: hash, segment }, next))
}

/// What a forger says of its own logs, from their beginning: that is genuine, whatever it means.
fn own_logs(forger: &Forger) -> Vec<Planned> {
    let written = forger.control.written.iter().chain(&forger.data.written);
    written.map(|said| Planned::Segment(said.clone(), Answer::Taken)).collect()
}

/// The anchors that a log still has to declare for these heads.
fn anchors(tip: &Tip, heads: &[(LogId, u64, Hash)]) -> Vec<Declaration> {
    let mut next = tip.anchors().count() as u32;
    let mut declared = Vec::new();
    for (log, position, hash) in heads {
        let (log, position, hash) = (*log, *position, *hash);
        let anchor = match tip.anchors().find(|(_, anchored)| anchored.log == log) {
            Some((_, anchored)) if anchored.position >= position => continue,
            Some((number, _)) => Anchor { number, log: None, position, hash },
            None => {
                next += 1;
                Anchor { number: next, log: Some(log), position, hash }
            }
        };
        declared.push(Declaration::Anchor(anchor));
    }
    declared
}

/// Opens the forger's control log, as anyone does who was let in.
fn open_log(forger: &mut Forger, known: &Knowledge) {
    if forger.control.tip.length() == 0 {
        write_control(forger, known, &[ControlBody::Incarnation(IncarnationBody { previous: None })], 0);
    }
}

fn write_control(forger: &mut Forger, known: &Knowledge, bodies: &[ControlBody], time: i64) -> Option<()> {
    let before = forger.control.tip.clone();
    let (said, tip) = draft_control(forger, known, &before, bodies, time)?;
    forger.control.written.push(said);
    forger.control.tip = tip;
    Some(())
}

fn draft_control(
    forger: &Forger,
    known: &Knowledge,
    before: &Tip,
    bodies: &[ControlBody],
    time: i64,
) -> Option<(Said, Tip)> {
    let mut declarations = anchors(before, &known.view.heads_for(before));
    declarations.retain(|declared| !matches!(declared, Declaration::Anchor(anchor) if anchor.log == Some(before.id())));
    let draft = |body: &ControlBody| {
        let declarations = std::mem::take(&mut declarations);
        let body_of = BodyV1 { time, key: 0, declarations, subject: Subject::None, attachments: Vec::new() };
        (body_of, body.encode())
    };
    let drafts = bodies.iter().map(draft).collect();
    let previous = if before.length() == 0 { start_of(before.name()) } else { before.hash() };
    sign(before, previous, None, &forger.secret, drafts, None)
}

fn strangers_log(forger: &Forger) -> Vec<Planned> {
    let tip = Tip::new(forger.log_of(forger.stranger.id(), LogKind::Control));
    let body = ControlBody::Incarnation(IncarnationBody { previous: None });
    let header = BodyV1 { time: 0, key: 0, declarations: vec![], subject: Subject::None, attachments: vec![] };
    let signed = sign(&tip, start_of(tip.name()), None, &forger.stranger, vec![(header, body.encode())], None);
    let refused = Answer::Refused(RefusedCode::AuthorUnknown);
    signed.map(|(said, _)| Planned::Segment(said, refused)).into_iter().collect()
}

/// That another device holds everything, as the forger says in its name.
fn others_receipt(forger: &Forger, known: &Knowledge, dice: &mut Dice) -> Option<Vec<Planned>> {
    let of = dice.pick(&others(forger, known, LogKind::Control)).copied()?.segment.log;
    let head = |run: &Run| Head { log: run.segment.log.id(), length: run.after.length(), hash: run.after.hash() };
    let mut heads: Vec<Head> = known.runs.iter().map(head).collect();
    heads.sort_unstable();
    heads.dedup_by_key(|head| (head.log, head.length));
    let receipt = Receipt {
        project: of.project,
        key: ReceiptKey { device: of.device, store: of.incarnation },
        counter: 1 << 40,
        time: FORGED_TIME,
        retention: Retention::Everything,
        heads,
        lacked: Vec::new(),
        attachments_lacked: 0,
    };
    let bytes = receipt.sign(&forger.secret).encode();
    Some(vec![Planned::Message(Message::Receipt { project: 0, bytes })])
}

/// Edits a keyed document as if nothing of it had been seen.
fn edit(forger: &mut Forger, known: &Knowledge, document: DocumentId, number: i64, time: i64) -> Option<()> {
    let tip = forger.data.tip.clone();
    let mut epochs = known.view.epoch_heads();
    epochs.sort_unstable();
    let key = known.ring.set_key(&epochs)?.for_log(tip.id());
    let mut declarations = anchors(&tip, &known.view.heads());
    let set = tip.key_set_number(&epochs).unwrap_or_else(|| {
        declarations.push(Declaration::Keys(epochs.clone()));
        tip.key_sets() + 1
    });
    let tag = known.ring.naming_key()?.tag(PLACES);
    let collection = tip.collection_number(tag).unwrap_or_else(|| {
        let index = declarations.len() as u32;
        let name = key.seal_declaration(Declared::Collection, tip.length(), index, PLACES.as_bytes());
        declarations.push(Declaration::Collection { tag, name });
        tip.collections() + 1
    });
    let fields = ["a".to_owned(), signature(forger.author)];
    let change = Change::Edit(fields.iter().map(|field| Operation::set(field, Value::Int(number))).collect());
    let subject = Subject::Keyed { collection, id: document };
    let body = BodyV1 { time, key: set, declarations, subject, attachments: Vec::new() };
    let previous = if tip.length() == 0 { start_of(tip.name()) } else { tip.hash() };
    let draft = (body, change.encode().ok()?);
    let (said, tip) = sign(&tip, previous, Some(&key), &forger.secret, vec![draft], None)?;
    forger.data.written.push(said);
    forger.data.tip = tip;
    Some(())
}
