//! The messages: their types, and how each is written and read.
//!
//! All integers are varints unless said otherwise; everything is canonical. A project is named by its place among the
//! tags that the *sender* of the message has sent. `docs/sync.md` shows every message byte by byte.

mod body;

use ayni_log::codec::{DecodeError, Reader, Writer};
use ayni_log::ids::{DeviceId, Hash, LogKind, LogName, ProjectId, Signature, StoreId};

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

impl RefusedCode {
    fn byte(self) -> u8 {
        match self {
            Self::UnknownBase => 1,
            Self::AuthorUnknown => 2,
            Self::Unwanted => 3,
        }
    }

    fn from_byte(byte: u8) -> Result<Self, DecodeError> {
        match byte {
            1 => Ok(Self::UnknownBase),
            2 => Ok(Self::AuthorUnknown),
            3 => Ok(Self::Unwanted),
            _ => Err(DecodeError::Invalid("refusal")),
        }
    }
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
    #[expect(clippy::indexing_slicing, reason = "the four bytes of the length were written first")]
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
            Self::Hello(hello) => body::encode_hello(hello, out),
            Self::Tags(tags) => body::encode_tags(tags, out),
            Self::Summary { project, summary } => body::encode_summary(*project, summary, out),
            Self::Declined { project, text } => {
                out.varint(u64::from(*project));
                out.text(text);
            }
            Self::Frontier { project, kind, last, entries } => {
                out.varint(u64::from(*project));
                out.byte(kind.byte());
                out.byte(u8::from(*last));
                body::encode_entries(entries, out);
            }
            Self::News { project, kind, entries } => {
                out.varint(u64::from(*project));
                out.byte(kind.byte());
                body::encode_entries(entries, out);
            }
            Self::Missing { project, log, length, hash } => body::encode_missing(*project, log, *length, hash, out),
            Self::Probe { project, id, log, points } => body::encode_probe(*project, *id, log, points, out),
            Self::Probed { id, held } => {
                out.varint(*id);
                out.varint(*held);
            }
            Self::Plan { project, entries, bytes } => {
                out.varint(u64::from(*project));
                out.varint(*entries);
                out.varint(*bytes);
            }
            Self::Segment { project, segment } => body::encode_segment(*project, segment, out),
            Self::Stored { first, count } => {
                out.varint(*first);
                out.varint(*count);
            }
            Self::Refused { segment, code } => {
                out.varint(*segment);
                out.byte(code.byte());
            }
            Self::Receipts { project, last, entries } => body::encode_receipts(*project, *last, entries, out),
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
            Kind::Hello => Self::Hello(body::decode_hello(input)?),
            Kind::Tags => Self::Tags(body::decode_tags(input)?),
            Kind::Summary => Self::Summary { project: body::project(input)?, summary: body::decode_summary(input)? },
            Kind::Declined => Self::Declined { project: body::project(input)?, text: body::text(input)? },
            Kind::Frontier => Self::Frontier {
                project: body::project(input)?,
                kind: LogKind::from_byte(input.byte()?)?,
                last: body::flag(input)?,
                entries: body::decode_entries(input)?,
            },
            Kind::News => Self::News {
                project: body::project(input)?,
                kind: LogKind::from_byte(input.byte()?)?,
                entries: body::decode_entries(input)?,
            },
            Kind::Missing => Self::Missing {
                project: body::project(input)?,
                log: body::decode_log(input)?,
                length: body::length(input)?,
                hash: Hash::decode(input)?,
            },
            Kind::Probe => Self::Probe {
                project: body::project(input)?,
                id: input.varint()?,
                log: body::decode_log(input)?,
                points: body::decode_points(input)?,
            },
            Kind::Probed => Self::Probed { id: input.varint()?, held: input.varint()? },
            Kind::Plan => {
                Self::Plan { project: body::project(input)?, entries: input.varint()?, bytes: input.varint()? }
            }
            Kind::Segment => Self::Segment { project: body::project(input)?, segment: body::decode_segment(input)? },
            Kind::Stored => Self::Stored { first: input.varint()?, count: input.varint()? },
            Kind::Refused => Self::Refused { segment: input.varint()?, code: RefusedCode::from_byte(input.byte()?)? },
            Kind::Receipts => Self::Receipts {
                project: body::project(input)?,
                last: body::flag(input)?,
                entries: body::decode_receipts(input)?,
            },
            Kind::Receipt => {
                Self::Receipt { project: body::project(input)?, bytes: body::rest(input, limits::RECEIPT_BYTES)? }
            }
            Kind::Join => {
                Self::Join { project: body::project(input)?, request: body::rest(input, limits::JOIN_REQUEST_BYTES)? }
            }
            Kind::Goodbye => Self::Goodbye,
            Kind::Ping => Self::Ping,
            Kind::Close => Self::Close { code: input.byte()?, text: body::text(input)? },
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
