//! Versions: changes as they stand in the graph of a document's history.

use std::cmp::Ordering;

use ayni_log::ids::{DeviceId, Hash};

use crate::change::Change;

/// How this device names an entry. Local and opaque: it is compared, never interpreted, and never decides a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey(pub i64);

/// One entry of a document, as far as merging needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// How this device names the entry.
    pub key: EntryKey,
    /// The hash of the entry.
    pub hash: Hash,
    /// The wall time that its author claims: milliseconds since 1970 (UTC).
    pub time: i64,
    /// The device that wrote it.
    pub author: DeviceId,
    /// The entries that its author had read; all that those had seen, it has seen.
    pub parents: Vec<EntryKey>,
    /// What it does. `None`: it keeps its place in the graph without effect (void, fenced, purged, dropped, or written in a
    /// form that this program does not know).
    pub change: Option<Change>,
}

/// Who wrote a value, when, and in which entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The wall time that the author claims: milliseconds since 1970 (UTC).
    pub time: i64,
    /// The hash of the entry.
    pub hash: Hash,
    /// The device that wrote it.
    pub author: DeviceId,
}

impl PartialOrd for Stamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By claimed time, then by hash: the greatest among concurrent ones is shown.
impl Ord for Stamp {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.time, self.hash, self.author).cmp(&(other.time, other.hash, other.author))
    }
}

impl Version {
    /// Who wrote it, when, and in which entry.
    pub fn stamp(&self) -> Stamp {
        Stamp { time: self.time, hash: self.hash, author: self.author }
    }
}

/// The id of the version of a document that has these heads, in whatever order:
/// `BLAKE3-derive("ayni v1 version id", the hashes of the heads in ascending order)`.
pub fn version_id(heads: &[Hash]) -> Hash {
    let mut sorted = heads.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut hasher = blake3::Hasher::new_derive_key("ayni v1 version id");
    for head in &sorted {
        hasher.update(head.as_bytes());
    }
    Hash(*hasher.finalize().as_bytes())
}
