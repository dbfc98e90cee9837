//! An entry as it stands in a log, and the chain that ties it to all before it.

use std::sync::LazyLock;

use crate::codec::DecodeError;
use crate::header::Header;
use crate::ids::{Hash, LogId};

/// One entry: a header, its place, and the payload where it is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where in its log it stands, from 0.
    pub position: u64,
    /// Its link in the chain: vouches for it and for everything before it.
    pub hash: Hash,
    /// What it says of itself.
    pub header: Header,
    /// The bytes that travel and are stored: with the payload here, [`Header::encode_beside_payload`]; otherwise
    /// [`Header::encode`].
    pub header_bytes: Vec<u8>,
    /// The payload as stored: sealed in a data log. `None` where it is held back or was purged.
    pub payload: Option<Vec<u8>>,
}

impl Entry {
    /// Reads header bytes as they are kept beside (or without) their payload.
    ///
    /// # Errors
    /// [`DecodeError`] when they are not canonical or do not fit the payload.
    pub fn read_header(header_bytes: &[u8], payload: Option<&[u8]>) -> Result<Header, DecodeError> {
        match payload {
            Some(payload) => Header::decode_beside_payload(header_bytes, payload),
            None => Header::decode(header_bytes),
        }
    }
}

/// The hash before the first entry of a log.
pub fn seed_of(log: LogId) -> Hash {
    Hash(log.0)
}

/// The next link of a chain: `BLAKE3-derive("ayni v1 entry", previous ‖ canonical header)`.
pub fn entry_hash(previous: &Hash, header: &[u8]) -> Hash {
    entry_hash_of_pieces(previous, &[header])
}

pub(crate) fn entry_hash_of_pieces(previous: &Hash, header: &[&[u8]]) -> Hash {
    // Deriving from the context costs as much as hashing a header, so it is done once.
    static SEEDED: LazyLock<blake3::Hasher> = LazyLock::new(|| blake3::Hasher::new_derive_key("ayni v1 entry"));
    let mut hasher = SEEDED.clone();
    hasher.update(&previous.0);
    for piece in header {
        hasher.update(piece);
    }
    Hash(*hasher.finalize().as_bytes())
}

/// The canonical header bytes, in pieces, from those kept beside a payload: the payload's hash goes in behind version and
/// flags.
pub(crate) fn canonical_from_beside<'a>(beside: &'a [u8], payload_hash: &'a Hash) -> [&'a [u8]; 3] {
    let (lead, rest) = beside.split_at(beside.len().min(2));
    [lead, &payload_hash.0, rest]
}
