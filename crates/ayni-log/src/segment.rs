//! Segments: how runs of entries travel, and how they are verified.
//!
//! A segment goes up to a checkpoint that its author signed. Verifying it is the only way (but for writing oneself) to a
//! [`Verified`] value, and the store takes nothing else.

use std::ops::Deref;

use thiserror::Error;

use crate::codec::{DecodeError, Reader, Writer};
use crate::entry::Entry;
use crate::header::Header;
use crate::ids::{DeviceId, Hash, LogId, LogName, ProjectId, Signature};
use crate::limits;
use crate::sign::BadSignature;
use crate::tip::{Tip, TipError};

/// Bytes that a segment can have on the wire: the entries up to a fixed checkpoint, the last of which may overshoot, and
/// their framing.
pub const MAX_SEGMENT_BYTES: usize = limits::SEGMENT_BYTES as usize
    + limits::PAYLOAD_BYTES
    + limits::HEADER_BYTES
    + 8 * limits::SEGMENT_ENTRIES as usize
    + 256;

/// A run of entries as it came from outside: nothing about it is known to be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The log that it claims to be of.
    pub log: LogName,
    /// The position of its first entry.
    pub start: u64,
    /// Its entries, at least one.
    pub entries: Vec<WireEntry>,
    /// The author's signature at its end.
    pub signature: Signature,
}

/// One entry as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireEntry {
    /// [`Header::encode_beside_payload`](crate::header::Header::encode_beside_payload) with a payload,
    /// [`Header::encode`](crate::header::Header::encode) without.
    pub header: Vec<u8>,
    /// The payload; `None` where it is held back or was purged.
    pub payload: Option<Vec<u8>>,
}

impl Segment {
    /// The bytes on the wire and in sync files. The project is known from where they stand.
    pub fn encode(&self) -> Vec<u8> {
        let entries = self.entries.iter().map(|entry| (entry.header.as_slice(), entry.payload.as_deref()));
        encode_segment(&self.log, self.start, entries, &self.signature)
    }

    /// Reads what [`Segment::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are no segment or over a limit.
    pub fn decode(bytes: &[u8], project: ProjectId) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_SEGMENT_BYTES {
            return Err(DecodeError::Limit {
                what: "segment",
                got: bytes.len() as u64,
                limit: MAX_SEGMENT_BYTES as u64,
            });
        }
        let mut input = Reader::new(bytes);
        let log = LogName::decode(&mut input, project)?;
        let start = input.varint()?;
        if start >= limits::POSITIONS {
            return Err(DecodeError::Limit { what: "position", got: start, limit: limits::POSITIONS - 1 });
        }
        let count = input.count("entries", limits::SEGMENT_ENTRIES as usize)?;
        if count == 0 {
            return Err(DecodeError::NotCanonical("a segment without entries"));
        }
        let entries = (0..count).map(|_| WireEntry::decode(&mut input)).collect::<Result<_, _>>()?;
        let signature = Signature::decode(&mut input)?;
        input.finish()?;
        Ok(Self { log, start, entries, signature })
    }
}

/// Writes a segment without making one first: for the store, which has the pieces.
pub fn encode_segment<'a>(
    log: &LogName,
    start: u64,
    entries: impl ExactSizeIterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    signature: &Signature,
) -> Vec<u8> {
    let mut out = Writer::with_capacity(160 * entries.len() + 160);
    log.encode(&mut out);
    out.varint(start);
    out.varint(entries.len() as u64);
    for (header, payload) in entries {
        out.varint((header.len() as u64) << 1 | u64::from(payload.is_some()));
        out.raw(header);
        if let Some(payload) = payload {
            out.raw(payload);
        }
    }
    signature.encode(&mut out);
    out.into_vec()
}

impl WireEntry {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let lead = input.varint()?;
        let header = input.raw(within("header", lead >> 1, limits::HEADER_BYTES)?)?;
        if lead & 1 == 0 {
            return Ok(Self { header: header.to_vec(), payload: None });
        }
        // The header says how long the payload is: version, flags, then the length.
        let mut lead = Reader::new(header);
        lead.raw(2)?;
        let len = lead.count("payload", limits::PAYLOAD_BYTES)?;
        Ok(Self { header: header.to_vec(), payload: Some(input.raw(len)?.to_vec()) })
    }
}

fn within(what: &'static str, got: u64, limit: usize) -> Result<usize, DecodeError> {
    if got > limit as u64 {
        return Err(DecodeError::Limit { what, got, limit: limit as u64 });
    }
    Ok(got as usize)
}

/// A value whose author is proven. Only this crate makes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, no longer marked as verified.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Proof that an admit entry for a device is here (or that the project's id itself names it): its entries may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted(DeviceId);

impl Admitted {
    pub(crate) fn new(device: DeviceId) -> Self {
        Self(device)
    }

    /// The device.
    pub fn device(&self) -> DeviceId {
        self.0
    }
}

/// A run of entries of which it is known that the log's device wrote them, in this order, after all before them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSegment {
    /// The log.
    pub log: LogName,
    /// The position of the first entry.
    pub start: u64,
    /// The entries.
    pub entries: Vec<Entry>,
    /// The log's length after them: the checkpoint that is signed.
    pub length: u64,
    /// The hash of the last.
    pub hash: Hash,
    /// The author's signature at the end.
    pub signature: Signature,
    /// Whether the end is a fixed checkpoint, whose signature is never dropped.
    pub fixed: bool,
}

/// Why a segment was refused. Nothing of it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It does not follow what is held.
    #[error("a segment from position {start} cannot follow a branch of {length} entries")]
    Gap {
        /// Where the segment starts.
        start: u64,
        /// How long the branch is.
        length: u64,
    },
    /// It is of another log than the branch, or its log of another device than the author.
    #[error("a segment of another log")]
    OtherLog,
    /// An entry that is not as the format says.
    #[error("entry {position} is malformed: {error}")]
    Malformed {
        /// Its position.
        position: u64,
        /// What is wrong.
        error: DecodeError,
    },
    /// An entry that breaks a rule of the log.
    #[error("entry {position} {error}")]
    Rule {
        /// Its position.
        position: u64,
        /// The rule.
        error: TipError,
    },
    /// It runs past a fixed checkpoint.
    #[error("a segment that runs past the fixed checkpoint at {0}")]
    PastCheckpoint(u64),
    /// The author did not sign this.
    #[error(transparent)]
    Signature(#[from] BadSignature),
}

/// What the author signs at a checkpoint: `"ayni v1 checkpoint" ‖ log id ‖ length (8 bytes, big-endian) ‖ hash`.
pub fn checkpoint_message(log: LogId, length: u64, hash: &Hash) -> Vec<u8> {
    [b"ayni v1 checkpoint".as_slice(), &log.0, &length.to_be_bytes(), &hash.0].concat()
}

/// Verifies a segment against the branch that it continues: every entry canonical and within the rules, chained, and the
/// last one signed by the log's device. Gives the verified entries and the branch's new tip.
///
/// # Errors
/// [`VerifyError`] says what is wrong; the tip given is unchanged.
pub fn verify(segment: Segment, tip: &Tip, author: &Admitted) -> Result<(Verified<VerifiedSegment>, Tip), VerifyError> {
    if segment.log != *tip.name() || segment.log.device != author.device() {
        return Err(VerifyError::OtherLog);
    }
    if segment.start != tip.length() {
        return Err(VerifyError::Gap { start: segment.start, length: tip.length() });
    }
    let mut next = tip.clone();
    let mut entries = Vec::with_capacity(segment.entries.len());
    for wire in segment.entries {
        if next.length() > segment.start && next.at_fixed_checkpoint() {
            return Err(VerifyError::PastCheckpoint(next.length()));
        }
        entries.push(follow(&mut next, wire)?);
    }
    let message = checkpoint_message(next.id(), next.length(), &next.hash());
    author.device().verify(&message, &segment.signature)?;
    Ok((seal_off(&next, segment.start, entries, segment.signature), next))
}

fn follow(tip: &mut Tip, wire: WireEntry) -> Result<Entry, VerifyError> {
    let position = tip.length();
    let (header, hash) = append(tip, &wire.header, wire.payload.as_deref())?;
    Ok(Entry { position, hash, header, header_bytes: wire.header, payload: wire.payload })
}

fn append(tip: &mut Tip, header_bytes: &[u8], payload: Option<&[u8]>) -> Result<(Header, Hash), VerifyError> {
    let position = tip.length();
    let header =
        Entry::read_header(header_bytes, payload).map_err(|error| VerifyError::Malformed { position, error })?;
    let hash = match payload {
        None => tip.append(&header, header_bytes),
        Some(_) => tip.append_beside_payload(&header, header_bytes),
    };
    Ok((header, hash.map_err(|error| VerifyError::Rule { position, error })?))
}

/// The tip after entries that are held already, as stored: header bytes with the payload that they stand beside, or whole
/// without. It serves to find the tip at which a branch forks off, and to repair.
///
/// # Errors
/// [`VerifyError`] when what is held is damaged; nothing is learnt about who wrote it.
pub fn replay<'a>(
    tip: &Tip,
    entries: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>,
) -> Result<Tip, VerifyError> {
    let mut next = tip.clone();
    for (header_bytes, payload) in entries {
        append(&mut next, header_bytes, payload)?;
    }
    Ok(next)
}

/// A payload that came after its header: of it is known that a held header vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatePayload {
    /// What the header names.
    pub hash: Hash,
    /// The header as it is kept from now on: [`Header::encode_beside_payload`](crate::header::Header::encode_beside_payload).
    pub header_bytes: Vec<u8>,
    /// The payload as stored: sealed in a data log.
    pub payload: Vec<u8>,
}

/// A payload that its header does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a payload other than the one that the entry names")]
pub struct WrongPayload;

/// Verifies a payload that was held back and comes now: `header` is that of an entry verified before.
///
/// # Errors
/// [`WrongPayload`] when the header names another.
pub fn verify_payload(header: &Header, payload: Vec<u8>) -> Result<Verified<LatePayload>, WrongPayload> {
    if !header.names_payload(&payload) {
        return Err(WrongPayload);
    }
    let header_bytes = header.encode_beside_payload();
    Ok(Verified::new(LatePayload { hash: header.payload_hash, header_bytes, payload }))
}

pub(crate) fn seal_off(tip: &Tip, start: u64, entries: Vec<Entry>, signature: Signature) -> Verified<VerifiedSegment> {
    Verified::new(VerifiedSegment {
        log: *tip.name(),
        start,
        entries,
        length: tip.length(),
        hash: tip.hash(),
        signature,
        fixed: tip.at_fixed_checkpoint(),
    })
}
