//! What a control entry says: one type over all kinds, and the bytes that stand for it.
//!
//! A payload is a version byte, a kind byte and the body. What this program does not understand (a newer version or kind,
//! or a body that breaks the format) is kept as bytes and has no effect: every device decides that alike.

use crate::codec::{DecodeError, Reader, Writer};
use crate::ids::StoreId;

use super::keys::{EpochBody, GrantBody};
use super::people::{AdmitBody, DeviceNameBody, InviteBody, RemoveBody, RoleBody};
use super::project::{AdoptBody, FoundingBody, IncarnationBody, PurgeBody, RetentionBody, SchemaBody};

/// The version of control payloads that this program writes.
pub const VERSION: u8 = 1;

/// What a control entry is about: the byte that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "each is documented at the body of its name")]
pub enum Kind {
    Found = 1,
    Admit = 2,
    Role = 3,
    Remove = 4,
    Epoch = 5,
    Grant = 6,
    Incarnation = 7,
    Invite = 8,
    Adopt = 9,
    Purge = 10,
    Schema = 11,
    Retention = 12,
    DeviceName = 13,
}

/// The content of a control entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlBody {
    /// Begins the project: position 0 of the founder's first control log.
    Found(FoundingBody),
    /// Admits a device.
    Admit(AdmitBody),
    /// Changes a device's role.
    Role(RoleBody),
    /// Removes a device.
    Remove(RemoveBody),
    /// Begins an epoch: new keys.
    Epoch(EpochBody),
    /// Seals existing keys to one device.
    Grant(GrantBody),
    /// Opens a device's control log in a new incarnation.
    Incarnation(IncarnationBody),
    /// Makes a ticket's requests recognisable.
    Invite(InviteBody),
    /// Takes in quarantined work.
    Adopt(AdoptBody),
    /// Removes payloads everywhere.
    Purge(PurgeBody),
    /// Decides the schema of a collection.
    Schema(SchemaBody),
    /// Says what the author's device keeps.
    Retention(RetentionBody),
    /// Names a device.
    DeviceName(DeviceNameBody),
    /// What this program does not understand.
    Unknown(Vec<u8>),
}

impl ControlBody {
    /// The payload's canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(256);
        if let Some(kind) = self.kind() {
            out.byte(VERSION);
            out.byte(kind as u8);
        }
        match self {
            Self::Found(body) => body.encode(&mut out),
            Self::Admit(body) => body.encode(&mut out),
            Self::Role(body) => body.encode(&mut out),
            Self::Remove(body) => body.encode(&mut out),
            Self::Epoch(body) => body.encode(&mut out),
            Self::Grant(body) => body.encode(&mut out),
            Self::Incarnation(body) => body.encode(&mut out),
            Self::Invite(body) => body.encode(&mut out),
            Self::Adopt(body) => body.encode(&mut out),
            Self::Purge(body) => body.encode(&mut out),
            Self::Schema(body) => body.encode(&mut out),
            Self::Retention(body) => body.encode(&mut out),
            Self::DeviceName(body) => body.encode(&mut out),
            Self::Unknown(bytes) => out.raw(bytes),
        }
        out.into_vec()
    }

    /// Reads a payload strictly.
    ///
    /// # Errors
    /// [`DecodeError::Version`] for a newer version, [`DecodeError::Invalid`] for an unknown kind, anything else for a body
    /// that breaks the format.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(payload);
        match input.byte()? {
            VERSION => {}
            version => return Err(DecodeError::Version { what: "control entry", version }),
        }
        let body = Self::decode_kind(input.byte()?, &mut input)?;
        input.finish()?;
        Ok(body)
    }

    /// Reads a payload as the view takes it: what cannot be understood is [`ControlBody::Unknown`].
    pub fn read(payload: &[u8]) -> Self {
        Self::decode(payload).unwrap_or_else(|_| Self::Unknown(payload.to_vec()))
    }

    /// The kind, where it is known.
    pub fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Found(_) => Kind::Found,
            Self::Admit(_) => Kind::Admit,
            Self::Role(_) => Kind::Role,
            Self::Remove(_) => Kind::Remove,
            Self::Epoch(_) => Kind::Epoch,
            Self::Grant(_) => Kind::Grant,
            Self::Incarnation(_) => Kind::Incarnation,
            Self::Invite(_) => Kind::Invite,
            Self::Adopt(_) => Kind::Adopt,
            Self::Purge(_) => Kind::Purge,
            Self::Schema(_) => Kind::Schema,
            Self::Retention(_) => Kind::Retention,
            Self::DeviceName(_) => Kind::DeviceName,
            Self::Unknown(_) => return None,
        })
    }

    fn decode_kind(kind: u8, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match kind {
            1 => Self::Found(FoundingBody::decode(input)?),
            2 => Self::Admit(AdmitBody::decode(input)?),
            3 => Self::Role(RoleBody::decode(input)?),
            4 => Self::Remove(RemoveBody::decode(input)?),
            5 => Self::Epoch(EpochBody::decode(input)?),
            6 => Self::Grant(GrantBody::decode(input)?),
            7 => Self::Incarnation(IncarnationBody::decode(input)?),
            8 => Self::Invite(InviteBody::decode(input)?),
            9 => Self::Adopt(AdoptBody::decode(input)?),
            10 => Self::Purge(PurgeBody::decode(input)?),
            11 => Self::Schema(SchemaBody::decode(input)?),
            12 => Self::Retention(RetentionBody::decode(input)?),
            13 => Self::DeviceName(DeviceNameBody::decode(input)?),
            _ => return Err(DecodeError::Invalid("kind of control entry")),
        })
    }
}

/// A list: its count, then its items.
pub(super) fn list<T>(
    what: &'static str,
    input: &mut Reader<'_>,
    limit: usize,
    mut item: impl FnMut(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = input.count(what, limit)?;
    // Every item of every list takes at least 16 bytes, so a short input cannot make a long reservation.
    let mut items = Vec::with_capacity(count.min(input.remaining() / 16));
    for _ in 0..count {
        items.push(item(input)?);
    }
    Ok(items)
}

/// Refuses a list that is not strictly ascending, so that there is one way to write a set.
pub(super) fn ascending<T: Ord>(what: &'static str, items: &[T]) -> Result<(), DecodeError> {
    if items.is_sorted_by(|a, b| a < b) { Ok(()) } else { Err(DecodeError::NotCanonical(what)) }
}

/// A byte that is 0 or 1.
pub(super) fn flag(what: &'static str, input: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match input.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Invalid(what)),
    }
}

/// What may be absent: a flag, then the thing.
pub(super) fn optional<T>(
    what: &'static str,
    input: &mut Reader<'_>,
    item: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    if flag(what, input)? { Ok(Some(item(input)?)) } else { Ok(None) }
}

/// Writes an optional store id.
pub(super) fn optional_store(out: &mut Writer, store: Option<&StoreId>) {
    out.byte(u8::from(store.is_some()));
    if let Some(store) = store {
        store.encode(out);
    }
}
