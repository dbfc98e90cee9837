//! The messages: their types, and how each is written and read.
//!
//! All integers are varints unless said otherwise; everything is canonical. A project is named by its place among the
//! tags that the *sender* of the message has sent. `docs/sync.md` shows every message byte by byte.

use ayni_log::codec::{DecodeError, Reader, Writer};
use ayni_log::ids::{DeviceId, Hash, LogKind, LogName, ProjectId, Signature, StoreId};
use ayni_log::limits::{POSITIONS, SEGMENT_ENTRIES};

use crate::limits;
use crate::receipt::ReceiptKey;
use crate::tag::Tag;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $byte:literal, $limit:expr;)*) => {
        /// The types of messages. Those from 128 on may be skipped by who does not know them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $name = $byte,)* }

        impl Kind {
            /// The type that a byte stands for.
            pub fn from_byte(byte: u8) -> Option<Self> {
                match byte { $($byte => Some(Self::$name),)* _ => None }
            }

            /// The most that a frame's length may be, type byte included.
            pub fn frame_limit(byte: u8) -> usize {
                match byte { $($byte => $limit,)* _ => limits::SMALL_FRAME }
            }
        }
    };
}

kinds! {
    /// Who this is and which projects it has: the first message of each side.
    Hello = 1, limits::SMALL_FRAME;
    /// More projects.
    Tags = 2, limits::SMALL_FRAME;
    /// Digests of what is held in a project.
    Summary = 3, 1 << 10;
    /// A project, or a request to join it, is refused.
    Declined = 4, 1 << 10;
    /// The branches held, in full.
    Frontier = 5, limits::SMALL_FRAME;
    /// Branches gained.
    News = 6, limits::SMALL_FRAME;
    /// A point of yours is not on my longer branch.
    Missing = 7, 1 << 10;
    /// Which of these points do you hold?
    Probe = 8, 4 << 10;
    /// So many of them.
    Probed = 9, 1 << 10;
    /// How much is to come.
    Plan = 10, 1 << 10;
    /// Entries.
    Segment = 11, limits::SEGMENT_FRAME;
    /// Segments are durable.
    Stored = 12, 1 << 10;
    /// A segment was not stored.
    Refused = 13, 1 << 10;
    /// The receipts held.
    Receipts = 14, limits::SMALL_FRAME;
    /// A receipt.
    Receipt = 15, limits::RECEIPT_FRAME;
    /// A request to join.
    Join = 16, limits::JOIN_REQUEST_BYTES + 64;
    /// Everything is said.
    Goodbye = 17, 1;
    /// Still here.
    Ping = 18, 1;
    /// The session ends, and why.
    Close = 19, 1 << 10;
}

/// The number of a project among the tags that a side sent.
pub type ProjectNumber = u32;

/// The first message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The newest version that is spoken.
    pub version: u8,
    /// The oldest version that is spoken.
    pub oldest: u8,
    /// Who this is.
    pub device: DeviceId,
    /// Its signature over its transport id.
    pub proof: Signature,
    /// Its incarnation.
    pub store: StoreId,
    /// Its projects, padded, in ascending order.
    pub tags: Vec<Tag>,
}

/// Digests of what is held in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Of the frontier of control logs.
    pub control: Hash,
    /// Of the frontier of data logs and of the receipts, if the other side is admitted.
    pub rest: Option<(Hash, Hash)>,
}

/// A branch in a frontier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrontierEntry {
    /// Device and incarnation of the log.
    pub device: DeviceId,
    /// The incarnation.
    pub incarnation: StoreId,
    /// Entries held, at least 1.
    pub length: u64,
    /// The hash of the last.
    pub hash: Hash,
    /// Bytes up to there.
    pub bytes: u64,
}

/// A log, by what is not known from the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRef {
    /// Its device.
    pub device: DeviceId,
    /// Control or data.
    pub kind: LogKind,
    /// Its incarnation.
    pub incarnation: StoreId,
}

impl LogRef {
    /// The log of a project.
    pub fn name(&self, project: ProjectId) -> LogName {
        LogName { project, device: self.device, kind: self.kind, incarnation: self.incarnation }
    }
}

impl From<&LogName> for LogRef {
    fn from(log: &LogName) -> Self {
        Self { device: log.device, kind: log.kind, incarnation: log.incarnation }
    }
}

/// The frame around a segment. What it says is the sender's word, until the segment is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFrame {
    /// The log, read from the segment's own beginning.
    pub log: LogRef,
    /// The position of the first entry, read from there too.
    pub start: u64,
    /// The number of entries, read from there too.
    pub count: u64,
    /// The hash of the entry before.
    pub previous: Hash,
    /// The hash of the last entry.
    pub hash: Hash,
    /// Bytes of its headers and payloads.
    pub size: u64,
    /// Entries and bytes that the sender will still send in this project after this segment.
    pub left: (u64, u64),
    /// The segment.
    pub bytes: Vec<u8>,
}

/// Why a segment was not stored, as it travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedCode {
    /// The entry before it is not held.
    UnknownBase,
    /// No admission of its author is held.
    AuthorUnknown,
    /// It is not wanted.
    Unwanted,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields say what the types above and docs/sync.md describe")]
pub enum Message {
    Hello(Hello),
    Tags(Vec<Tag>),
    Summary { project: ProjectNumber, summary: Summary },
    Declined { project: ProjectNumber, text: String },
    Frontier { project: ProjectNumber, kind: LogKind, last: bool, entries: Vec<FrontierEntry> },
    News { project: ProjectNumber, kind: LogKind, entries: Vec<FrontierEntry> },
    Missing { project: ProjectNumber, log: LogRef, length: u64, hash: Hash },
    Probe { project: ProjectNumber, id: u64, log: LogRef, points: Vec<(u64, Hash)> },
    Probed { id: u64, held: u64 },
    Plan { project: ProjectNumber, entries: u64, bytes: u64 },
    Segment { project: ProjectNumber, segment: SegmentFrame },
    Stored { first: u64, count: u64 },
    Refused { segment: u64, code: RefusedCode },
    Receipts { project: ProjectNumber, last: bool, entries: Vec<(ReceiptKey, u64)> },
    Receipt { project: ProjectNumber, bytes: Vec<u8> },
    Join { project: ProjectNumber, request: Vec<u8> },
    Goodbye,
    Ping,
    Close { code: u8, text: String },
}

impl Message {
    /// The type.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Hello(_) => Kind::Hello,
            Self::Tags(_) => Kind::Tags,
            Self::Summary { .. } => Kind::Summary,
            Self::Declined { .. } => Kind::Declined,
            Self::Frontier { .. } => Kind::Frontier,
            Self::News { .. } => Kind::News,
            Self::Missing { .. } => Kind::Missing,
            Self::Probe { .. } => Kind::Probe,
            Self::Probed { .. } => Kind::Probed,
            Self::Plan { .. } => Kind::Plan,
            Self::Segment { .. } => Kind::Segment,
            Self::Stored { .. } => Kind::Stored,
            Self::Refused { .. } => Kind::Refused,
            Self::Receipts { .. } => Kind::Receipts,
            Self::Receipt { .. } => Kind::Receipt,
            Self::Join { .. } => Kind::Join,
            Self::Goodbye => Kind::Goodbye,
            Self::Ping => Kind::Ping,
            Self::Close { .. } => Kind::Close,
        }
    }

    /// The whole frame: length, type, body.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(match self {
            Self::Segment { segment, .. } => segment.bytes.len() + 128,
            _ => 128,
        });
        out.raw(&[0; 4]);
        out.byte(self.kind() as u8);
        self.encode_body(&mut out);
        let mut frame = out.into_vec();
        let len = (frame.len() - 4) as u32;
        frame[..4].copy_from_slice(&len.to_be_bytes());
        frame
    }

    fn encode_body(&self, out: &mut Writer) {
        match self {
            Self::Hello(hello) => encode_hello(hello, out),
            Self::Tags(tags) => encode_tags(tags, out),
            Self::Summary { project, summary } => encode_summary(*project, summary, out),
            Self::Declined { project, text } => {
                out.varint(u64::from(*project));
                out.text(text);
            }
            Self::Frontier { project, kind, last, entries } => {
                out.varint(u64::from(*project));
                out.byte(kind.byte());
                out.byte(u8::from(*last));
                encode_entries(entries, out);
            }
            Self::News { project, kind, entries } => {
                out.varint(u64::from(*project));
                out.byte(kind.byte());
                encode_entries(entries, out);
            }
            Self::Missing { project, log, length, hash } => {
                out.varint(u64::from(*project));
                encode_log(log, out);
                out.varint(*length);
                hash.encode(out);
            }
            Self::Probe { project, id, log, points } => {
                out.varint(u64::from(*project));
                out.varint(*id);
                encode_log(log, out);
                out.varint(points.len() as u64);
                for (length, hash) in points {
                    out.varint(*length);
                    hash.encode(out);
                }
            }
            Self::Probed { id, held } => {
                out.varint(*id);
                out.varint(*held);
            }
            Self::Plan { project, entries, bytes } => {
                out.varint(u64::from(*project));
                out.varint(*entries);
                out.varint(*bytes);
            }
            Self::Segment { project, segment } => encode_segment(*project, segment, out),
            Self::Stored { first, count } => {
                out.varint(*first);
                out.varint(*count);
            }
            Self::Refused { segment, code } => {
                out.varint(*segment);
                out.byte(match code {
                    RefusedCode::UnknownBase => 1,
                    RefusedCode::AuthorUnknown => 2,
                    RefusedCode::Unwanted => 3,
                });
            }
            Self::Receipts { project, last, entries } => encode_receipts(*project, *last, entries, out),
            Self::Receipt { project, bytes } | Self::Join { project, request: bytes } => {
                out.varint(u64::from(*project));
                out.raw(bytes);
            }
            Self::Goodbye | Self::Ping => {}
            Self::Close { code, text } => {
                out.byte(*code);
                out.text(text);
            }
        }
    }

    /// Reads the body of a frame. `None` for a type that may be skipped.
    ///
    /// # Errors
    /// [`DecodeError`] when the body is not what the type says, not canonical or over a limit.
    pub fn decode(kind: u8, body: &[u8]) -> Result<Option<Self>, DecodeError> {
        let Some(kind) = Kind::from_byte(kind) else {
            return if kind >= 128 { Ok(None) } else { Err(DecodeError::Invalid("message type")) };
        };
        let mut input = Reader::new(body);
        let message = Self::decode_body(kind, &mut input)?;
        input.finish()?;
        Ok(Some(message))
    }

    fn decode_body(kind: Kind, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match kind {
            Kind::Hello => Self::Hello(decode_hello(input)?),
            Kind::Tags => Self::Tags(decode_tags(input)?),
            Kind::Summary => Self::Summary { project: project(input)?, summary: decode_summary(input)? },
            Kind::Declined => Self::Declined { project: project(input)?, text: text(input)? },
            Kind::Frontier => Self::Frontier {
                project: project(input)?,
                kind: LogKind::from_byte(input.byte()?)?,
                last: flag(input)?,
                entries: decode_entries(input)?,
            },
            Kind::News => Self::News {
                project: project(input)?,
                kind: LogKind::from_byte(input.byte()?)?,
                entries: decode_entries(input)?,
            },
            Kind::Missing => Self::Missing {
                project: project(input)?,
                log: decode_log(input)?,
                length: length(input)?,
                hash: Hash::decode(input)?,
            },
            Kind::Probe => Self::Probe {
                project: project(input)?,
                id: input.varint()?,
                log: decode_log(input)?,
                points: decode_points(input)?,
            },
            Kind::Probed => Self::Probed { id: input.varint()?, held: input.varint()? },
            Kind::Plan => Self::Plan { project: project(input)?, entries: input.varint()?, bytes: input.varint()? },
            Kind::Segment => Self::Segment { project: project(input)?, segment: decode_segment(input)? },
            Kind::Stored => Self::Stored { first: input.varint()?, count: input.varint()? },
            Kind::Refused => Self::Refused {
                segment: input.varint()?,
                code: match input.byte()? {
                    1 => RefusedCode::UnknownBase,
                    2 => RefusedCode::AuthorUnknown,
                    3 => RefusedCode::Unwanted,
                    _ => return Err(DecodeError::Invalid("refusal")),
                },
            },
            Kind::Receipts => {
                Self::Receipts { project: project(input)?, last: flag(input)?, entries: decode_receipts(input)? }
            }
            Kind::Receipt => Self::Receipt { project: project(input)?, bytes: rest(input, limits::RECEIPT_BYTES)? },
            Kind::Join => Self::Join { project: project(input)?, request: rest(input, limits::JOIN_REQUEST_BYTES)? },
            Kind::Goodbye => Self::Goodbye,
            Kind::Ping => Self::Ping,
            Kind::Close => Self::Close { code: input.byte()?, text: text(input)? },
        })
    }
}

/// Cuts a text to what a message can carry, at a character, and leaves out what does not print.
pub(crate) fn cut_text(text: String) -> String {
    let mut text = text.replace(char::is_control, " ");
    let end = (0..=limits::TEXT_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}

fn project(input: &mut Reader<'_>) -> Result<ProjectNumber, DecodeError> {
    Ok(input.count("project number", limits::PROJECTS)? as ProjectNumber)
}

/// A text from outside, made harmless to print.
fn text(input: &mut Reader<'_>) -> Result<String, DecodeError> {
    let text = input.text("text", limits::TEXT_BYTES)?;
    if text.chars().any(char::is_control) {
        return Err(DecodeError::Invalid("text: it has control characters"));
    }
    Ok(text.to_owned())
}

fn flag(input: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match input.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Invalid("flag")),
    }
}

fn rest(input: &mut Reader<'_>, limit: usize) -> Result<Vec<u8>, DecodeError> {
    let got = input.remaining();
    if got > limit {
        return Err(DecodeError::Limit { what: "body", got: got as u64, limit: limit as u64 });
    }
    Ok(input.raw(got)?.to_vec())
}

/// The length of a branch that has entries.
fn length(input: &mut Reader<'_>) -> Result<u64, DecodeError> {
    match input.varint()? {
        0 => Err(DecodeError::Invalid("length of a branch: none are empty")),
        got if got > POSITIONS => Err(DecodeError::Limit { what: "length of a branch", got, limit: POSITIONS }),
        got => Ok(got),
    }
}

fn encode_hello(hello: &Hello, out: &mut Writer) {
    out.byte(hello.version);
    out.byte(hello.oldest);
    hello.device.encode(out);
    hello.proof.encode(out);
    hello.store.encode(out);
    encode_tags(&hello.tags, out);
}

/// A newer hello may be longer: what follows the tags is then skipped.
fn decode_hello(input: &mut Reader<'_>) -> Result<Hello, DecodeError> {
    let (version, oldest) = (input.byte()?, input.byte()?);
    if version < oldest || oldest == 0 {
        return Err(DecodeError::Invalid("range of versions"));
    }
    if oldest > limits::VERSION {
        return Err(DecodeError::Version { what: "sync", version: oldest });
    }
    let device = DeviceId::decode(input)?;
    let proof = Signature::decode(input)?;
    let store = StoreId::decode(input)?;
    let tags = decode_tags(input)?;
    if version > limits::VERSION {
        input.raw(input.remaining())?;
    }
    Ok(Hello { version, oldest, device, proof, store, tags })
}

fn encode_tags(tags: &[Tag], out: &mut Writer) {
    out.varint(tags.len() as u64);
    for tag in tags {
        out.raw(tag);
    }
}

fn decode_tags(input: &mut Reader<'_>) -> Result<Vec<Tag>, DecodeError> {
    let count = input.count("project tags", limits::TAGS_PER_FRAME)?;
    let mut tags: Vec<Tag> = Vec::new();
    for _ in 0..count {
        let tag = input.array()?;
        if tags.last().is_some_and(|last| *last >= tag) {
            return Err(DecodeError::NotCanonical("project tags out of order"));
        }
        tags.push(tag);
    }
    Ok(tags)
}

fn encode_summary(project: ProjectNumber, summary: &Summary, out: &mut Writer) {
    out.varint(u64::from(project));
    summary.control.encode(out);
    out.byte(u8::from(summary.rest.is_some()));
    if let Some((data, receipts)) = &summary.rest {
        data.encode(out);
        receipts.encode(out);
    }
}

fn decode_summary(input: &mut Reader<'_>) -> Result<Summary, DecodeError> {
    let control = Hash::decode(input)?;
    let rest = if flag(input)? { Some((Hash::decode(input)?, Hash::decode(input)?)) } else { None };
    Ok(Summary { control, rest })
}

fn encode_entries(entries: &[FrontierEntry], out: &mut Writer) {
    out.varint(entries.len() as u64);
    for entry in entries {
        entry.device.encode(out);
        entry.incarnation.encode(out);
        out.varint(entry.length);
        entry.hash.encode(out);
        out.varint(entry.bytes);
    }
}

fn decode_entries(input: &mut Reader<'_>) -> Result<Vec<FrontierEntry>, DecodeError> {
    let count = input.count("branches", limits::BRANCHES_PER_FRAME)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(FrontierEntry {
            device: DeviceId::decode(input)?,
            incarnation: StoreId::decode(input)?,
            length: length(input)?,
            hash: Hash::decode(input)?,
            bytes: input.varint()?,
        });
    }
    Ok(entries)
}

fn encode_log(log: &LogRef, out: &mut Writer) {
    log.device.encode(out);
    out.byte(log.kind.byte());
    log.incarnation.encode(out);
}

fn decode_log(input: &mut Reader<'_>) -> Result<LogRef, DecodeError> {
    Ok(LogRef {
        device: DeviceId::decode(input)?,
        kind: LogKind::from_byte(input.byte()?)?,
        incarnation: StoreId::decode(input)?,
    })
}

fn decode_points(input: &mut Reader<'_>) -> Result<Vec<(u64, Hash)>, DecodeError> {
    let count = input.count("points of a probe", limits::PROBE_POINTS)?;
    let mut points: Vec<(u64, Hash)> = Vec::new();
    for _ in 0..count {
        let point = (length(input)?, Hash::decode(input)?);
        if points.last().is_some_and(|last| last.0 >= point.0) {
            return Err(DecodeError::NotCanonical("points out of order"));
        }
        points.push(point);
    }
    Ok(points)
}

fn encode_segment(project: ProjectNumber, segment: &SegmentFrame, out: &mut Writer) {
    out.varint(u64::from(project));
    segment.previous.encode(out);
    segment.hash.encode(out);
    out.varint(segment.size);
    out.varint(segment.left.0);
    out.varint(segment.left.1);
    out.raw(&segment.bytes);
}

fn decode_segment(input: &mut Reader<'_>) -> Result<SegmentFrame, DecodeError> {
    let previous = Hash::decode(input)?;
    let hash = Hash::decode(input)?;
    let size = input.varint()?;
    let left = (input.varint()?, input.varint()?);
    let bytes = rest(input, ayni_log::segment::MAX_SEGMENT_BYTES)?;
    let mut head = Reader::new(&bytes);
    let log = decode_log(&mut head)?;
    let start = head.varint()?;
    let count = head.count("entries", SEGMENT_ENTRIES as usize)? as u64;
    if count == 0 || start.checked_add(count).is_none_or(|length| length > POSITIONS) {
        return Err(DecodeError::Invalid("segment: no entries, or beyond the end of any log"));
    }
    Ok(SegmentFrame { log, start, count, previous, hash, size, left, bytes })
}

fn encode_receipts(project: ProjectNumber, last: bool, entries: &[(ReceiptKey, u64)], out: &mut Writer) {
    out.varint(u64::from(project));
    out.byte(u8::from(last));
    out.varint(entries.len() as u64);
    for (key, counter) in entries {
        key.device.encode(out);
        key.store.encode(out);
        out.varint(*counter);
    }
}

fn decode_receipts(input: &mut Reader<'_>) -> Result<Vec<(ReceiptKey, u64)>, DecodeError> {
    let count = input.count("receipts", limits::RECEIPTS_PER_FRAME)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let key = ReceiptKey { device: DeviceId::decode(input)?, store: StoreId::decode(input)? };
        entries.push((key, input.varint()?));
    }
    Ok(entries)
}
