//! The tip of a branch: all that is needed to judge, or to write, its next entry.
//!
//! A tip is made of the branch's headers alone, so every device that holds them holds the same tip and refuses the same
//! entries. The store keeps it with the branch; nothing needs to be read again to go on.

use std::sync::Arc;

use thiserror::Error;

use crate::codec::{DecodeError, Reader, Writer};
use crate::entry::{canonical_from_beside, entry_hash, entry_hash_of_pieces, seed_of};
use crate::header::{Anchor, Body, BodyV1, Declaration, Header, Reference, Subject};
use crate::ids::{CollectionTag, Hash, LogId, LogKind, LogName, ProjectId};
use crate::limits;

const VERSION: u8 = 1;
/// What one anchored branch counts of [`limits::TABLE_BYTES`]: log, position and hash.
const ANCHORED_BYTES: usize = 72;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    name: LogName,
    id: LogId,
    length: u64,
    hash: Hash,
    bytes: u64,
    /// Bytes since the last fixed checkpoint.
    open_bytes: u64,
    commit_entries: u32,
    commit_bytes: u64,
    tables: Arc<Tables>,
}

/// What a branch declared so far. Number `n` stands at index `n - 1`.
///
/// Only headers of version 1 declare into these tables, so that a device that knows later versions and one that does not
/// judge every entry of version 1 alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Tables {
    /// What [`limits::TABLE_BYTES`] bounds.
    bytes: usize,
    anchors: Vec<Anchored>,
    key_sets: Vec<Vec<Hash>>,
    collections: Vec<DeclaredCollection>,
    shapes: Vec<Sealed>,
}

/// How far a branch refers into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchored {
    /// The other log.
    pub log: LogId,
    /// The furthest entry that may be referred to.
    pub position: u64,
    /// Its hash, which says which side of a fork is meant.
    pub hash: Hash,
}

/// A collection that a branch declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredCollection {
    /// What carriers see of it.
    pub tag: CollectionTag,
    /// Its name, sealed.
    pub name: Sealed,
}

/// Something sealed in a header, with what is needed to open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Where the header stands.
    pub position: u64,
    /// Which of its declarations it is, from 0.
    pub index: u32,
    /// The key set, by number.
    pub key: u32,
    /// The sealed bytes.
    pub bytes: Vec<u8>,
}

/// Why an entry cannot follow: its author broke the rules of the log.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TipError {
    /// A declaration out of order or over its limit.
    #[error("declares {0} out of order or beyond the limit")]
    Declaration(&'static str),
    /// A reference beyond what was anchored, or before the start.
    #[error("refers to branch {} position {}, which it has not anchored", .0.branch, .0.position)]
    Reference(Reference),
    /// A number that was never declared.
    #[error("uses {0} number {1}, which it has not declared")]
    Undeclared(&'static str, u32),
    /// Something that has no place in a log of this kind.
    #[error("{0} has no place in this log")]
    Misplaced(&'static str),
    /// A commit over its limit.
    #[error("a commit of more than {} entries or {} bytes", limits::COMMIT_ENTRIES, limits::COMMIT_BYTES)]
    Commit,
    /// The log is full.
    #[error("a log of more than {} entries", limits::POSITIONS)]
    Full,
}

impl Tip {
    /// The tip of an empty log.
    pub fn new(name: LogName) -> Self {
        let id = name.id();
        Self {
            name,
            id,
            length: 0,
            hash: seed_of(id),
            bytes: 0,
            open_bytes: 0,
            commit_entries: 0,
            commit_bytes: 0,
            tables: Arc::default(),
        }
    }

    /// Whose log it is.
    pub fn name(&self) -> &LogName {
        &self.name
    }

    /// The log's id.
    pub fn id(&self) -> LogId {
        self.id
    }

    /// How many entries there are: the position of the next one.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The hash of the last entry; of an empty log, its seed.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Bytes of all headers (canonical) and payloads so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the commit that is under way began; `None` between commits.
    pub fn open_commit(&self) -> Option<u64> {
        (self.commit_entries > 0).then(|| self.length.saturating_sub(u64::from(self.commit_entries)))
    }

    /// Whether the last entry is a fixed checkpoint, whose signature is kept for good.
    pub fn at_fixed_checkpoint(&self) -> bool {
        self.length > 0 && self.open_bytes == 0
    }

    /// The branch anchored under a number, from 1.
    pub fn anchor(&self, number: u32) -> Option<&Anchored> {
        get(&self.tables.anchors, number)
    }

    /// All anchored branches with their numbers.
    pub fn anchors(&self) -> impl Iterator<Item = (u32, &Anchored)> {
        (1..).zip(&self.tables.anchors)
    }

    /// The epochs of a key set, by number from 1.
    pub fn key_set(&self, number: u32) -> Option<&[Hash]> {
        get(&self.tables.key_sets, number).map(Vec::as_slice)
    }

    /// The number under which exactly these epochs (ascending) were last declared.
    pub fn key_set_number(&self, epochs: &[Hash]) -> Option<u32> {
        number_where(&self.tables.key_sets, |set| set == epochs)
    }

    /// How many key sets were declared.
    pub fn key_sets(&self) -> u32 {
        self.tables.key_sets.len() as u32
    }

    /// A declared collection, by number from 1.
    pub fn collection(&self, number: u32) -> Option<&DeclaredCollection> {
        get(&self.tables.collections, number)
    }

    /// The number under which a collection was declared.
    pub fn collection_number(&self, tag: CollectionTag) -> Option<u32> {
        number_where(&self.tables.collections, |collection| collection.tag == tag)
    }

    /// How many collections were declared.
    pub fn collections(&self) -> u32 {
        self.tables.collections.len() as u32
    }

    /// A declared shape, by number from 1.
    pub fn shape(&self, number: u32) -> Option<&Sealed> {
        get(&self.tables.shapes, number)
    }

    /// How many shapes were declared.
    pub fn shapes(&self) -> u32 {
        self.tables.shapes.len() as u32
    }

    /// Follows with one more entry: checks it against the rules of the log and takes in what it declares. On an error
    /// the tip must no longer be used.
    ///
    /// `canonical` are the bytes of [`Header::encode`].
    ///
    /// # Errors
    /// [`TipError`] names the rule that the author broke.
    pub fn append(&mut self, header: &Header, canonical: &[u8]) -> Result<Hash, TipError> {
        let hash = entry_hash(&self.hash, canonical);
        self.advance(header, canonical.len(), hash)
    }

    /// The same with the bytes of [`Header::encode_beside_payload`], from which `header` was read.
    ///
    /// # Errors
    /// As [`Tip::append`].
    pub fn append_beside_payload(&mut self, header: &Header, beside: &[u8]) -> Result<Hash, TipError> {
        let hash = entry_hash_of_pieces(&self.hash, &canonical_from_beside(beside, &header.payload_hash));
        self.advance(header, beside.len().saturating_add(Hash::LEN), hash)
    }

    fn advance(&mut self, header: &Header, canonical_len: usize, hash: Hash) -> Result<Hash, TipError> {
        if self.length >= limits::POSITIONS {
            return Err(TipError::Full);
        }
        if let Body::V1(body) = &header.body {
            self.check(body)?;
        }
        let size = canonical_len as u64 + u64::from(header.payload_len);
        self.commit_entries += 1;
        self.commit_bytes += size;
        if self.commit_entries as usize > limits::COMMIT_ENTRIES || self.commit_bytes > limits::COMMIT_BYTES {
            return Err(TipError::Commit);
        }
        if header.ends_commit {
            self.commit_entries = 0;
            self.commit_bytes = 0;
        }
        self.hash = hash;
        self.length += 1;
        self.bytes += size;
        self.open_bytes += size;
        if self.length.is_multiple_of(limits::SEGMENT_ENTRIES) || self.open_bytes >= limits::SEGMENT_BYTES {
            self.open_bytes = 0;
        }
        Ok(self.hash)
    }

    fn check(&mut self, body: &BodyV1) -> Result<(), TipError> {
        let control = self.name.kind == LogKind::Control;
        if control && body.subject != Subject::None {
            return Err(TipError::Misplaced("a document"));
        }
        if control && !body.attachments.is_empty() {
            return Err(TipError::Misplaced("an attachment"));
        }
        for (index, declaration) in (0..).zip(&body.declarations) {
            self.declare(declaration, index, body.key)?;
        }
        let known = if control { body.key == 0 } else { get(&self.tables.key_sets, body.key).is_some() };
        if !known {
            return Err(TipError::Undeclared("key set", body.key));
        }
        match &body.subject {
            Subject::None => Ok(()),
            Subject::Create { collection, .. } | Subject::Keyed { collection, .. } => {
                match self.collection(*collection) {
                    Some(_) => Ok(()),
                    None => Err(TipError::Undeclared("collection", *collection)),
                }
            }
            Subject::Edit { parents } => match parents.iter().find(|parent| !self.reaches(parent)) {
                None => Ok(()),
                Some(parent) => Err(TipError::Reference(*parent)),
            },
        }
    }

    fn reaches(&self, reference: &Reference) -> bool {
        match reference.branch {
            0 => reference.position >= 1 && reference.position <= self.length,
            number => self.anchor(number).is_some_and(|anchored| reference.position <= anchored.position),
        }
    }

    fn declare(&mut self, declaration: &Declaration, index: u32, key: u32) -> Result<(), TipError> {
        if self.name.kind == LogKind::Control && !matches!(declaration, Declaration::Anchor(_)) {
            return Err(TipError::Misplaced("a declaration of sealed names or keys"));
        }
        let position = self.length;
        let sealed = |bytes: &Vec<u8>| Sealed { position, index, key, bytes: bytes.clone() };
        let tables = Arc::make_mut(&mut self.tables);
        match declaration {
            Declaration::Anchor(anchor) => tables.anchor(anchor, self.id),
            Declaration::Keys(epochs) => {
                tables.grow("key sets", epochs.len().saturating_mul(Hash::LEN))?;
                push("key sets", &mut tables.key_sets, limits::KEY_SETS, epochs.clone())
            }
            Declaration::Collection { tag, name } => {
                tables.grow("collections", name.len().saturating_add(CollectionTag::LEN))?;
                let collection = DeclaredCollection { tag: *tag, name: sealed(name) };
                push("collections", &mut tables.collections, limits::COLLECTIONS, collection)
            }
            Declaration::Shape(bytes) => {
                tables.grow("shapes", bytes.len())?;
                push("shapes", &mut tables.shapes, limits::SHAPES, sealed(bytes))
            }
        }
    }

    /// The bytes in which the store keeps it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(128);
        out.byte(VERSION);
        self.name.project.encode(&mut out);
        self.name.encode(&mut out);
        out.varint(self.length);
        self.hash.encode(&mut out);
        out.varint(self.bytes);
        out.varint(self.open_bytes);
        out.varint(u64::from(self.commit_entries));
        out.varint(self.commit_bytes);
        self.tables.encode(&mut out);
        out.into_vec()
    }

    /// Reads what [`Tip::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are damaged or a newer program wrote them.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        match input.byte()? {
            VERSION => {}
            version => return Err(DecodeError::Version { what: "branch state", version }),
        }
        let project = ProjectId::decode(&mut input)?;
        let name = LogName::decode(&mut input, project)?;
        let tip = Self {
            name,
            id: name.id(),
            length: input.varint()?,
            hash: Hash::decode(&mut input)?,
            bytes: input.varint()?,
            open_bytes: input.varint()?,
            commit_entries: input.small("commit entries")?,
            commit_bytes: input.varint()?,
            tables: Arc::new(Tables::decode(&mut input)?),
        };
        input.finish()?;
        if tip.is_possible() { Ok(tip) } else { Err(DecodeError::Invalid("branch state")) }
    }

    /// Whether entries could have led here: what [`Tip::append`] adds to stays far from overflowing.
    fn is_possible(&self) -> bool {
        let entry = (limits::HEADER_BYTES + limits::PAYLOAD_BYTES) as u64;
        self.length <= limits::POSITIONS
            && self.bytes <= self.length.saturating_mul(entry)
            && self.open_bytes <= self.bytes.min(limits::SEGMENT_BYTES - 1)
            && self.commit_entries as usize <= limits::COMMIT_ENTRIES
            && u64::from(self.commit_entries) <= self.length
            && self.commit_bytes <= self.bytes.min(limits::COMMIT_BYTES)
    }
}

impl Tables {
    fn anchor(&mut self, anchor: &Anchor, own: LogId) -> Result<(), TipError> {
        let wrong = TipError::Declaration("an anchor");
        if anchor.position >= limits::POSITIONS || anchor.log == Some(own) {
            return Err(wrong);
        }
        let anchored = |log| Anchored { log, position: anchor.position, hash: anchor.hash };
        let next = self.anchors.len().saturating_add(1);
        let known = anchor.number.checked_sub(1).and_then(|index| self.anchors.get_mut(index as usize));
        match (anchor.log, known) {
            (None, Some(known)) if anchor.position > known.position => {
                *known = anchored(known.log);
                Ok(())
            }
            (Some(log), None) if anchor.number as usize == next => {
                self.grow("branches", ANCHORED_BYTES)?;
                push("branches", &mut self.anchors, limits::ANCHORED_BRANCHES, anchored(log))
            }
            _ => Err(wrong),
        }
    }

    fn grow(&mut self, what: &'static str, bytes: usize) -> Result<(), TipError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > limits::TABLE_BYTES { Err(TipError::Declaration(what)) } else { Ok(()) }
    }

    fn encode(&self, out: &mut Writer) {
        out.varint(self.anchors.len() as u64);
        for anchored in &self.anchors {
            anchored.log.encode(out);
            out.varint(anchored.position);
            anchored.hash.encode(out);
        }
        out.varint(self.key_sets.len() as u64);
        for set in &self.key_sets {
            out.varint(set.len() as u64);
            set.iter().for_each(|epoch| epoch.encode(out));
        }
        out.varint(self.collections.len() as u64);
        for collection in &self.collections {
            collection.tag.encode(out);
            collection.name.encode(out);
        }
        out.varint(self.shapes.len() as u64);
        self.shapes.iter().for_each(|shape| shape.encode(out));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let anchors = list("branches", limits::ANCHORED_BRANCHES, input, |input| {
            Ok(Anchored { log: LogId::decode(input)?, position: input.varint()?, hash: Hash::decode(input)? })
        })?;
        let key_sets = list("key sets", limits::KEY_SETS, input, |input| {
            list("epochs", limits::KEY_SET_EPOCHS, input, Hash::decode)
        })?;
        let collections = list("collections", limits::COLLECTIONS, input, |input| {
            Ok(DeclaredCollection { tag: CollectionTag::decode(input)?, name: Sealed::decode(input)? })
        })?;
        let shapes = list("shapes", limits::SHAPES, input, Sealed::decode)?;
        let bytes = anchors.len() * ANCHORED_BYTES
            + key_sets.iter().map(|set| set.len() * Hash::LEN).sum::<usize>()
            + collections.iter().map(|collection| CollectionTag::LEN + collection.name.bytes.len()).sum::<usize>()
            + shapes.iter().map(|shape| shape.bytes.len()).sum::<usize>();
        if bytes > limits::TABLE_BYTES {
            let (got, limit) = (bytes as u64, limits::TABLE_BYTES as u64);
            return Err(DecodeError::Limit { what: "what a log declares", got, limit });
        }
        Ok(Self { bytes, anchors, key_sets, collections, shapes })
    }
}

impl Sealed {
    fn encode(&self, out: &mut Writer) {
        out.varint(self.position);
        out.varint(u64::from(self.index));
        out.varint(u64::from(self.key));
        out.bytes(&self.bytes);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            position: input.varint()?,
            index: input.small("declaration number")?,
            key: input.small("key number")?,
            bytes: input.bytes("sealed name", limits::DECLARED_BYTES)?.to_vec(),
        })
    }
}

fn get<T>(table: &[T], number: u32) -> Option<&T> {
    table.get(number.checked_sub(1)? as usize)
}

fn number_where<T>(table: &[T], is: impl Fn(&T) -> bool) -> Option<u32> {
    table.iter().rposition(is).map(|index| index as u32 + 1)
}

fn push<T>(what: &'static str, table: &mut Vec<T>, limit: usize, item: T) -> Result<(), TipError> {
    if table.len() >= limit {
        return Err(TipError::Declaration(what));
    }
    table.push(item);
    Ok(())
}

fn list<T>(
    what: &'static str,
    limit: usize,
    input: &mut Reader<'_>,
    mut item: impl FnMut(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = input.count(what, limit)?;
    (0..count).map(|_| item(input)).collect()
}
