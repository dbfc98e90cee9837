//! The parts that bodies of messages are made of, written and read.

use ayni_log::codec::{DecodeError, Reader, Writer};
use ayni_log::ids::{DeviceId, Hash, LogKind, Signature, StoreId};
use ayni_log::limits::{POSITIONS, SEGMENT_ENTRIES};

use super::{FrontierEntry, Hello, LogRef, ProjectNumber, SegmentFrame, Summary};
use crate::limits;
use crate::receipt::ReceiptKey;
use crate::tag::Tag;

pub(super) fn project(input: &mut Reader<'_>) -> Result<ProjectNumber, DecodeError> {
    Ok(input.count("project number", limits::PROJECTS)? as ProjectNumber)
}

/// A text from outside, made harmless to print.
pub(super) fn text(input: &mut Reader<'_>) -> Result<String, DecodeError> {
    let text = input.text("text", limits::TEXT_BYTES)?;
    if text.chars().any(char::is_control) {
        return Err(DecodeError::Invalid("text: it has control characters"));
    }
    Ok(text.to_owned())
}

pub(super) fn flag(input: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match input.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Invalid("flag")),
    }
}

pub(super) fn rest(input: &mut Reader<'_>, limit: usize) -> Result<Vec<u8>, DecodeError> {
    let got = input.remaining();
    if got > limit {
        return Err(DecodeError::Limit { what: "body", got: got as u64, limit: limit as u64 });
    }
    Ok(input.raw(got)?.to_vec())
}

/// The length of a branch that has entries.
pub(super) fn length(input: &mut Reader<'_>) -> Result<u64, DecodeError> {
    match input.varint()? {
        0 => Err(DecodeError::Invalid("length of a branch: none are empty")),
        got if got > POSITIONS => Err(DecodeError::Limit { what: "length of a branch", got, limit: POSITIONS }),
        got => Ok(got),
    }
}

pub(super) fn encode_hello(hello: &Hello, out: &mut Writer) {
    out.byte(hello.version);
    out.byte(hello.oldest);
    hello.device.encode(out);
    hello.proof.encode(out);
    hello.store.encode(out);
    encode_tags(&hello.tags, out);
}

/// A newer hello may be longer: what follows the tags is then skipped.
pub(super) fn decode_hello(input: &mut Reader<'_>) -> Result<Hello, DecodeError> {
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

pub(super) fn encode_tags(tags: &[Tag], out: &mut Writer) {
    out.varint(tags.len() as u64);
    for tag in tags {
        out.raw(tag);
    }
}

pub(super) fn decode_tags(input: &mut Reader<'_>) -> Result<Vec<Tag>, DecodeError> {
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

pub(super) fn encode_summary(project: ProjectNumber, summary: &Summary, out: &mut Writer) {
    out.varint(u64::from(project));
    summary.control.encode(out);
    out.byte(u8::from(summary.rest.is_some()));
    if let Some((data, receipts)) = &summary.rest {
        data.encode(out);
        receipts.encode(out);
    }
}

pub(super) fn decode_summary(input: &mut Reader<'_>) -> Result<Summary, DecodeError> {
    let control = Hash::decode(input)?;
    let rest = if flag(input)? { Some((Hash::decode(input)?, Hash::decode(input)?)) } else { None };
    Ok(Summary { control, rest })
}

pub(super) fn encode_entries(entries: &[FrontierEntry], out: &mut Writer) {
    out.varint(entries.len() as u64);
    for entry in entries {
        entry.device.encode(out);
        entry.incarnation.encode(out);
        out.varint(entry.length);
        entry.hash.encode(out);
        out.varint(entry.bytes);
    }
}

pub(super) fn decode_entries(input: &mut Reader<'_>) -> Result<Vec<FrontierEntry>, DecodeError> {
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

pub(super) fn encode_log(log: &LogRef, out: &mut Writer) {
    log.device.encode(out);
    out.byte(log.kind.byte());
    log.incarnation.encode(out);
}

pub(super) fn decode_log(input: &mut Reader<'_>) -> Result<LogRef, DecodeError> {
    Ok(LogRef {
        device: DeviceId::decode(input)?,
        kind: LogKind::from_byte(input.byte()?)?,
        incarnation: StoreId::decode(input)?,
    })
}

pub(super) fn decode_points(input: &mut Reader<'_>) -> Result<Vec<(u64, Hash)>, DecodeError> {
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

pub(super) fn encode_segment(project: ProjectNumber, segment: &SegmentFrame, out: &mut Writer) {
    out.varint(u64::from(project));
    segment.previous.encode(out);
    segment.hash.encode(out);
    out.varint(segment.size);
    out.varint(segment.left.0);
    out.varint(segment.left.1);
    out.raw(&segment.bytes);
}

pub(super) fn decode_segment(input: &mut Reader<'_>) -> Result<SegmentFrame, DecodeError> {
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

pub(super) fn encode_receipts(project: ProjectNumber, last: bool, entries: &[(ReceiptKey, u64)], out: &mut Writer) {
    out.varint(u64::from(project));
    out.byte(u8::from(last));
    out.varint(entries.len() as u64);
    for (key, counter) in entries {
        key.device.encode(out);
        key.store.encode(out);
        out.varint(*counter);
    }
}

pub(super) fn decode_receipts(input: &mut Reader<'_>) -> Result<Vec<(ReceiptKey, u64)>, DecodeError> {
    let count = input.count("receipts", limits::RECEIPTS_PER_FRAME)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let key = ReceiptKey { device: DeviceId::decode(input)?, store: StoreId::decode(input)? };
        entries.push((key, input.varint()?));
    }
    Ok(entries)
}

pub(super) fn encode_missing(project: ProjectNumber, log: &LogRef, length: u64, hash: &Hash, out: &mut Writer) {
    out.varint(u64::from(project));
    encode_log(log, out);
    out.varint(length);
    hash.encode(out);
}

pub(super) fn encode_probe(project: ProjectNumber, id: u64, log: &LogRef, points: &[(u64, Hash)], out: &mut Writer) {
    out.varint(u64::from(project));
    out.varint(id);
    encode_log(log, out);
    out.varint(points.len() as u64);
    for (length, hash) in points {
        out.varint(*length);
        hash.encode(out);
    }
}
