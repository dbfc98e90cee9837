//! Writing: how a device's own commit becomes entries.

use thiserror::Error;

use crate::codec::DecodeError;
use crate::entry::Entry;
use crate::header::{Body, BodyV1, Header};
use crate::ids::{Hash, LogKind};
use crate::limits;
use crate::seal::{LogKey, PLAINTEXT_BYTES};
use crate::segment::{Verified, VerifiedSegment, checkpoint_message, seal_off};
use crate::sign::DeviceSecret;
use crate::tip::{Tip, TipError};

/// One entry to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Everything in its header but what follows from the payload.
    pub body: BodyV1,
    /// The content: sealed on writing in a data log, as it is in a control log.
    pub content: Vec<u8>,
}

/// Why a commit could not be written. Nothing was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The log belongs to another device.
    #[error("this device cannot write another device's log")]
    OtherDevice,
    /// A data log without a key or with another log's, or a control log with one.
    #[error("a data log is sealed with its own key and a control log is not sealed")]
    Key,
    /// There is nothing to write.
    #[error("a commit needs at least one entry")]
    Empty,
    /// One document or change is too large for an entry.
    #[error("a change of {bytes} bytes is over the limit of {limit}: keep large content in attachments")]
    TooLarge {
        /// Bytes of the change: as it is, or else sealed.
        bytes: usize,
        /// The most that an entry takes.
        limit: usize,
    },
    /// The header is over its limit or inconsistent.
    #[error("a header that cannot be written: {0}")]
    Header(#[from] DecodeError),
    /// A rule of the log: most often a commit over its limit.
    #[error("the commit {0}")]
    Rule(#[from] TipError),
}

/// Writes one commit: seals, chains and signs the drafts, as one segment for each fixed checkpoint that they pass and one
/// up to the end.
///
/// # Errors
/// [`WriteError`]; the tip given is unchanged.
pub fn write_commit(
    tip: &Tip,
    secret: &DeviceSecret,
    key: Option<&LogKey>,
    drafts: Vec<Draft>,
) -> Result<(Vec<Verified<VerifiedSegment>>, Tip), WriteError> {
    if tip.name().device != secret.id() {
        return Err(WriteError::OtherDevice);
    }
    let fits = match key {
        Some(key) => tip.name().kind == LogKind::Data && key.log() == tip.id(),
        None => tip.name().kind == LogKind::Control,
    };
    if !fits {
        return Err(WriteError::Key);
    }
    if drafts.is_empty() {
        return Err(WriteError::Empty);
    }
    let mut next = tip.clone();
    let mut segments = Vec::new();
    let mut entries = Vec::new();
    let mut start = next.length();
    let last = drafts.len() - 1;
    for (index, draft) in drafts.into_iter().enumerate() {
        entries.push(write_entry(&mut next, key, draft, index == last)?);
        if index == last || next.at_fixed_checkpoint() {
            let signature = secret.sign(&checkpoint_message(next.id(), next.length(), &next.hash()));
            segments.push(seal_off(&next, start, std::mem::take(&mut entries), signature));
            start = next.length();
        }
    }
    Ok((segments, next))
}

fn write_entry(tip: &mut Tip, key: Option<&LogKey>, draft: Draft, ends_commit: bool) -> Result<Entry, WriteError> {
    let position = tip.length();
    let body = Body::V1(draft.body);
    let mut header = Header { ends_commit, payload_hash: Hash([0; 32]), payload_len: 0, body };
    let payload = match key {
        Some(_) if draft.content.len() > PLAINTEXT_BYTES => {
            return Err(WriteError::TooLarge { bytes: draft.content.len(), limit: PLAINTEXT_BYTES });
        }
        Some(key) => key.seal_payload(position, &header, &draft.content),
        None => draft.content,
    };
    if payload.len() > limits::PAYLOAD_BYTES {
        return Err(WriteError::TooLarge { bytes: payload.len(), limit: limits::PAYLOAD_BYTES });
    }
    header.payload_len = payload.len() as u32;
    header.payload_hash = Hash(*blake3::hash(&payload).as_bytes());
    // What could not be read back would end the log for good: lists out of order, over a limit, or empty.
    let canonical = header.encode();
    if Header::decode(&canonical)? != header {
        return Err(WriteError::Header(DecodeError::NotCanonical("header")));
    }
    let header_bytes = header.encode_beside_payload();
    let hash = tip.append(&header, &canonical)?;
    Ok(Entry { position, hash, header, header_bytes, payload: Some(payload) })
}
