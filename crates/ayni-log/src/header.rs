//! The header of an entry: everything about a change that is not its content.
//!
//! Written by hand, canonical, and stored as the bytes it came in. Version, flags, payload hash and length stand first and
//! mean the same in every version, so that a device can chain, store and pass on what only a newer one understands.
//! `docs/log.md` describes every byte.

use crate::codec::{DecodeError, Reader, Writer};
use crate::ids::{CollectionTag, DocumentId, Hash, LogId};
use crate::limits;

/// The version this program writes.
pub const VERSION: u8 = 1;

const COMMIT_END: u8 = 0x01;
const DECLARES: u8 = 0x02;
const CREATES: u8 = 0x04;
const KEYED: u8 = 0x08;
const EDITS: u8 = 0x10;
const ATTACHES: u8 = 0x20;
const KNOWN_FLAGS: u8 = 0x3f;

/// The header of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Whether this is the last entry of its commit.
    pub ends_commit: bool,
    /// BLAKE3 of the payload as stored (sealed, in a data log).
    pub payload_hash: Hash,
    /// Bytes of the payload as stored.
    pub payload_len: u32,
    /// What the rest says, by version.
    pub body: Body,
}

/// The part of a header that its version governs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Version 1.
    V1(BodyV1),
    /// A version that this program does not know: carried, without effect.
    Unknown {
        /// The version byte.
        version: u8,
        /// The flags byte without its lowest bit, which ends a commit in every version.
        flags: u8,
        /// All bytes after the payload's length.
        bytes: Vec<u8>,
    },
}

/// The versioned part of a header, version 1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BodyV1 {
    /// The wall time that the author claims: milliseconds since 1970 (UTC).
    pub time: i64,
    /// Which of the log's declared key sets seals the payload, from 1; 0 in control logs, where nothing is sealed.
    pub key: u32,
    /// What this entry introduces for itself and all later entries of its branch.
    pub declarations: Vec<Declaration>,
    /// Which document it is about.
    pub subject: Subject,
    /// Attachments that this entry is the first to name.
    pub attachments: Vec<AttachmentName>,
}

/// Which document an entry is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Subject {
    /// None: every entry of a control log.
    #[default]
    None,
    /// A new document, whose id is a hash of the log's id and these random bytes.
    Create {
        /// The number of its collection among those the log declared, from 1.
        collection: u32,
        /// Makes the id, see [`document_id`].
        random: [u8; 8],
    },
    /// A document whose id is made from a key, so that anyone may create it, again and again.
    Keyed {
        /// The number of its collection among those the log declared, from 1.
        collection: u32,
        /// Its id.
        id: DocumentId,
    },
    /// The document that these parents belong to: the heads of the version that was read before editing, sorted, each once.
    Edit {
        /// At least one.
        parents: Vec<Reference>,
    },
}

/// One entry, named from within a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// 0: this log; otherwise the number under which the log anchored a branch.
    pub branch: u32,
    /// For branch 0 how many entries back (at least 1); otherwise the position there, at most the anchored one.
    pub position: u64,
}

/// What an entry introduces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declaration {
    /// From here on references may reach up to this entry of another branch.
    Anchor(Anchor),
    /// The next key number: the set of epochs, as hashes of their control entries, in ascending order.
    Keys(Vec<Hash>),
    /// The next collection number.
    Collection {
        /// What carriers see of it.
        tag: CollectionTag,
        /// Its name, sealed.
        name: Vec<u8>,
    },
    /// The next shape number: which fields a change writes, sealed, so that payloads need not repeat their names.
    Shape(Vec<u8>),
}

/// An entry of another branch that the author had seen, with all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// The number of the branch: the next unused one for a new branch, counted from 1.
    pub number: u32,
    /// The log, where the number is new.
    pub log: Option<LogId>,
    /// Where in the log the entry stands.
    pub position: u64,
    /// The hash of the entry.
    pub hash: Hash,
}

/// A sealed attachment, as carriers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttachmentName {
    /// BLAKE3 of its sealed bytes.
    pub hash: Hash,
    /// How many they are.
    pub length: u64,
}

/// The id of a document created by an entry: `BLAKE3-derive("ayni v1 document id", log id ‖ random)`, its first 16 bytes.
pub fn document_id(log: LogId, random: [u8; 8]) -> DocumentId {
    let mut hasher = blake3::Hasher::new_derive_key("ayni v1 document id");
    hasher.update(&log.0);
    hasher.update(&random);
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    DocumentId(id)
}

impl Header {
    /// The canonical bytes: what is hashed into the chain.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(96);
        let (version, flags) = self.lead();
        out.byte(version);
        out.byte(flags);
        self.payload_hash.encode(&mut out);
        out.varint(u64::from(self.payload_len));
        self.encode_body(&mut out);
        out.into_vec()
    }

    /// The bytes without the payload's hash: how a header travels and lies on disk beside its payload, from which the
    /// hash follows.
    pub fn encode_beside_payload(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(32);
        let (version, flags) = self.lead();
        out.byte(version);
        out.byte(flags);
        out.varint(u64::from(self.payload_len));
        self.encode_body(&mut out);
        out.into_vec()
    }

    /// What sealing authenticates along with the payload: the bytes without the payload's hash and length, which are known
    /// only afterwards.
    pub fn associated_data(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(32);
        let (version, flags) = self.lead();
        out.byte(version);
        out.byte(flags);
        self.encode_body(&mut out);
        out.into_vec()
    }

    /// Reads canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_with(bytes, None)
    }

    /// Reads what [`Header::encode_beside_payload`] wrote, given the payload that stands beside it.
    pub fn decode_beside_payload(bytes: &[u8], payload: &[u8]) -> Result<Self, DecodeError> {
        let header = Self::decode_with(bytes, Some(Hash(*blake3::hash(payload).as_bytes())))?;
        if header.payload_len as usize != payload.len() {
            return Err(DecodeError::Invalid("payload length"));
        }
        Ok(header)
    }

    /// Whether these bytes are the payload that the header vouches for.
    pub fn names_payload(&self, payload: &[u8]) -> bool {
        self.payload_len as usize == payload.len() && self.payload_hash.0 == *blake3::hash(payload).as_bytes()
    }

    /// The versioned part, if this program knows the version.
    pub fn v1(&self) -> Option<&BodyV1> {
        match &self.body {
            Body::V1(body) => Some(body),
            Body::Unknown { .. } => None,
        }
    }

    fn decode_with(bytes: &[u8], payload_hash: Option<Hash>) -> Result<Self, DecodeError> {
        // The limit is on the canonical bytes, so that a header is within it or not whether its payload is here or not.
        let canonical = bytes.len() + if payload_hash.is_some() { Hash::LEN } else { 0 };
        if canonical > limits::HEADER_BYTES {
            let (got, limit) = (canonical as u64, limits::HEADER_BYTES as u64);
            return Err(DecodeError::Limit { what: "header", got, limit });
        }
        let mut input = Reader::new(bytes);
        let version = input.byte()?;
        let flags = input.byte()?;
        let payload_hash = match payload_hash {
            Some(hash) => hash,
            None => Hash::decode(&mut input)?,
        };
        let payload_len = input.count("payload", limits::PAYLOAD_BYTES)? as u32;
        let body = match version {
            0 => return Err(DecodeError::Invalid("header version")),
            VERSION => Body::V1(BodyV1::decode(flags, &mut input)?),
            _ => {
                let bytes = input.raw(input.remaining())?.to_vec();
                Body::Unknown { version, flags: flags & !COMMIT_END, bytes }
            }
        };
        input.finish()?;
        Ok(Self { ends_commit: flags & COMMIT_END != 0, payload_hash, payload_len, body })
    }

    fn lead(&self) -> (u8, u8) {
        let (version, flags) = match &self.body {
            Body::V1(body) => (VERSION, body.flags()),
            Body::Unknown { version, flags, .. } => (*version, *flags),
        };
        (version, if self.ends_commit { flags | COMMIT_END } else { flags & !COMMIT_END })
    }

    fn encode_body(&self, out: &mut Writer) {
        match &self.body {
            Body::V1(body) => body.encode(out),
            Body::Unknown { bytes, .. } => out.raw(bytes),
        }
    }
}

impl BodyV1 {
    fn flags(&self) -> u8 {
        let mut flags = match self.subject {
            Subject::None => 0,
            Subject::Create { .. } => CREATES,
            Subject::Keyed { .. } => KEYED,
            Subject::Edit { .. } => EDITS,
        };
        if !self.declarations.is_empty() {
            flags |= DECLARES;
        }
        if !self.attachments.is_empty() {
            flags |= ATTACHES;
        }
        flags
    }

    fn encode(&self, out: &mut Writer) {
        out.signed(self.time);
        out.varint(u64::from(self.key));
        if !self.declarations.is_empty() {
            out.varint(self.declarations.len() as u64);
            for declaration in &self.declarations {
                declaration.encode(out);
            }
        }
        match &self.subject {
            Subject::None => {}
            Subject::Create { collection, random } => {
                out.varint(u64::from(*collection));
                out.raw(random);
            }
            Subject::Keyed { collection, id } => {
                out.varint(u64::from(*collection));
                id.encode(out);
            }
            Subject::Edit { parents } => {
                out.varint(parents.len() as u64);
                for parent in parents {
                    out.varint(u64::from(parent.branch));
                    out.varint(parent.position);
                }
            }
        }
        if !self.attachments.is_empty() {
            out.varint(self.attachments.len() as u64);
            for attachment in &self.attachments {
                attachment.hash.encode(out);
                out.varint(attachment.length);
            }
        }
    }

    fn decode(flags: u8, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if flags & !KNOWN_FLAGS != 0 {
            return Err(DecodeError::Invalid("header flags"));
        }
        let time = input.signed()?;
        let key = input.small("key number")?;
        let declarations = if flags & DECLARES != 0 {
            some("declarations", input, limits::DECLARATIONS, Declaration::decode)?
        } else {
            Vec::new()
        };
        let subject = match flags & (CREATES | KEYED | EDITS) {
            0 => Subject::None,
            CREATES => Subject::Create { collection: input.small("collection number")?, random: input.array()? },
            KEYED => Subject::Keyed { collection: input.small("collection number")?, id: DocumentId::decode(input)? },
            EDITS => {
                let parents = some("parents", input, limits::PARENTS, Reference::decode)?;
                if !parents.is_sorted_by(|a, b| a < b) {
                    return Err(DecodeError::NotCanonical("order of parents"));
                }
                Subject::Edit { parents }
            }
            _ => return Err(DecodeError::Invalid("header flags")),
        };
        let attachments = if flags & ATTACHES != 0 {
            some("attachments", input, limits::ATTACHMENTS, |input| {
                let hash = Hash::decode(input)?;
                Ok(AttachmentName { hash, length: up_to("attachment length", limits::ATTACHMENT_BYTES, input)? })
            })?
        } else {
            Vec::new()
        };
        Ok(Self { time, key, declarations, subject, attachments })
    }
}

impl Reference {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let branch = input.small("branch number")?;
        let reference = Self { branch, position: up_to("position", limits::POSITIONS, input)? };
        if reference.branch == 0 && reference.position == 0 {
            return Err(DecodeError::Invalid("reference of an entry to itself"));
        }
        Ok(reference)
    }
}

const ANCHOR: u8 = 1;
const ANCHOR_NEW: u8 = 2;
const KEYS: u8 = 3;
const COLLECTION: u8 = 4;
const SHAPE: u8 = 5;

impl Declaration {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Anchor(Anchor { number, log, position, hash }) => {
                match log {
                    None => {
                        out.byte(ANCHOR);
                        out.varint(u64::from(*number));
                    }
                    Some(log) => {
                        out.byte(ANCHOR_NEW);
                        out.varint(u64::from(*number));
                        log.encode(out);
                    }
                }
                out.varint(*position);
                hash.encode(out);
            }
            Self::Keys(epochs) => {
                out.byte(KEYS);
                out.varint(epochs.len() as u64);
                for epoch in epochs {
                    epoch.encode(out);
                }
            }
            Self::Collection { tag, name } => {
                out.byte(COLLECTION);
                tag.encode(out);
                out.bytes(name);
            }
            Self::Shape(sealed) => {
                out.byte(SHAPE);
                out.bytes(sealed);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.byte()? {
            kind @ (ANCHOR | ANCHOR_NEW) => {
                let number = input.small("branch number")?;
                let log = if kind == ANCHOR_NEW { Some(LogId::decode(input)?) } else { None };
                let position = up_to("position", limits::POSITIONS - 1, input)?;
                Ok(Self::Anchor(Anchor { number, log, position, hash: Hash::decode(input)? }))
            }
            KEYS => {
                let epochs = some("epochs", input, limits::KEY_SET_EPOCHS, Hash::decode)?;
                if !epochs.is_sorted_by(|a, b| a < b) {
                    return Err(DecodeError::NotCanonical("order of epochs"));
                }
                Ok(Self::Keys(epochs))
            }
            COLLECTION => Ok(Self::Collection {
                tag: CollectionTag::decode(input)?,
                name: input.bytes("collection name", limits::DECLARED_BYTES)?.to_vec(),
            }),
            SHAPE => Ok(Self::Shape(input.bytes("shape", limits::DECLARED_BYTES)?.to_vec())),
            _ => Err(DecodeError::Invalid("declaration")),
        }
    }
}

/// An integer within its limit, so that sums and packed positions cannot overflow further on.
fn up_to(what: &'static str, limit: u64, input: &mut Reader<'_>) -> Result<u64, DecodeError> {
    match input.varint()? {
        got if got > limit => Err(DecodeError::Limit { what, got, limit }),
        got => Ok(got),
    }
}

/// A list that the flags say is there: its count, which is at least 1, then its items.
fn some<T>(
    what: &'static str,
    input: &mut Reader<'_>,
    limit: usize,
    mut item: impl FnMut(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = input.count(what, limit)?;
    if count == 0 {
        return Err(DecodeError::NotCanonical(what));
    }
    // An item takes at least two bytes, so a short input cannot make a long reservation.
    let mut items = Vec::with_capacity(count.min(input.remaining() / 2));
    for _ in 0..count {
        items.push(item(input)?);
    }
    Ok(items)
}
