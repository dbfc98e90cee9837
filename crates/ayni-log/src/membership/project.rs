//! Control bodies about the project itself: its founding, incarnations, and what happens to its content.

use crate::codec::{DecodeError, Reader, Writer};
use crate::ids::{CollectionTag, DeviceId, ExchangeKey, Hash, LogId, LogKind, ProjectId, StoreId};
use crate::limits;

use super::body::{ascending, list, optional, optional_store};
use super::people::{Fence, sealed_name};

/// Begins a project. Its hash is the project's id, so nobody can found the same project differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundingBody {
    /// The first coordinator.
    pub founder: DeviceId,
    /// Where keys are sealed to the founder.
    pub founder_exchange: ExchangeKey,
    /// The recovery key: like a device, and above all of them.
    pub recovery: DeviceId,
    /// Where keys are sealed to the recovery key.
    pub recovery_exchange: ExchangeKey,
    /// Commitment to the naming key, so that no grant can pass on another.
    pub naming: Hash,
    /// Makes the project the only one of its kind.
    pub random: [u8; 32],
    /// The project's name, sealed ([`seal_name`](super::seal_name) with `random` as context).
    pub name: Vec<u8>,
}

impl FoundingBody {
    /// The project that this body founds: `BLAKE3-derive("ayni v1 project id", body)`.
    pub fn project(&self) -> ProjectId {
        let mut out = Writer::with_capacity(256);
        self.encode(&mut out);
        ProjectId(blake3::derive_key("ayni v1 project id", out.as_slice()))
    }

    pub(super) fn encode(&self, out: &mut Writer) {
        self.founder.encode(out);
        self.founder_exchange.encode(out);
        self.recovery.encode(out);
        self.recovery_exchange.encode(out);
        self.naming.encode(out);
        out.raw(&self.random);
        out.bytes(&self.name);
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let body = Self {
            founder: DeviceId::decode(input)?,
            founder_exchange: ExchangeKey::decode(input)?,
            recovery: DeviceId::decode(input)?,
            recovery_exchange: ExchangeKey::decode(input)?,
            naming: Hash::decode(input)?,
            random: input.array()?,
            name: sealed_name(input)?,
        };
        if body.founder == body.recovery {
            return Err(DecodeError::Invalid("recovery key"));
        }
        Ok(body)
    }
}

/// Opens a control log. Its header anchors the control heads that the device held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncarnationBody {
    /// The incarnation before, when a folder was restored or copied.
    pub previous: Option<StoreId>,
}

impl IncarnationBody {
    pub(super) fn encode(&self, out: &mut Writer) {
        optional_store(out, self.previous.as_ref());
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { previous: optional("previous incarnation", input, StoreId::decode)? })
    }
}

/// An entry, named whatever branch it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryName {
    /// Its log.
    pub log: LogId,
    /// Its position there.
    pub position: u64,
    /// Its hash.
    pub hash: Hash,
}

impl EntryName {
    fn encode(&self, out: &mut Writer) {
        self.log.encode(out);
        out.varint(self.position);
        self.hash.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let name = Self { log: LogId::decode(input)?, position: input.varint()?, hash: Hash::decode(input)? };
        if name.position >= limits::POSITIONS {
            return Err(DecodeError::Invalid("position"));
        }
        Ok(name)
    }

    fn encode_list(entries: &[Self], out: &mut Writer) {
        out.varint(entries.len() as u64);
        for entry in entries {
            entry.encode(out);
        }
    }

    fn decode_list(input: &mut Reader<'_>) -> Result<Vec<Self>, DecodeError> {
        let entries = list("named entries", input, limits::NAMED_ENTRIES, Self::decode)?;
        ascending("order of named entries", &entries)?;
        Ok(entries)
    }
}

/// Takes in work of a removed or demoted device that lies past its fences. Data logs only: what was decided in control
/// logs, a coordinator can decide again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptBody {
    /// The device.
    pub device: DeviceId,
    /// Data branches up to which its work counts, ascending, signed there by the device.
    pub fences: Vec<Fence>,
    /// Single entries of its data logs that count besides, ascending.
    pub entries: Vec<EntryName>,
}

impl AdoptBody {
    pub(super) fn encode(&self, out: &mut Writer) {
        self.device.encode(out);
        Fence::encode_list(&self.fences, out);
        EntryName::encode_list(&self.entries, out);
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let body = Self {
            device: DeviceId::decode(input)?,
            fences: Fence::decode_list(input)?,
            entries: EntryName::decode_list(input)?,
        };
        if body.fences.iter().any(|fence| fence.kind != LogKind::Data) {
            return Err(DecodeError::Invalid("adoption of a control log"));
        }
        Ok(body)
    }
}

/// Removes payloads from every device and carrier; headers stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeBody {
    /// The entries whose payloads go, ascending.
    pub entries: Vec<EntryName>,
    /// Where text is purged: the entry with a snapshot that replaces its ancestors.
    pub snapshot: Option<EntryName>,
}

impl PurgeBody {
    pub(super) fn encode(&self, out: &mut Writer) {
        EntryName::encode_list(&self.entries, out);
        out.byte(u8::from(self.snapshot.is_some()));
        if let Some(snapshot) = &self.snapshot {
            snapshot.encode(out);
        }
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { entries: EntryName::decode_list(input)?, snapshot: optional("snapshot", input, EntryName::decode)? })
    }
}

/// Decides the schema of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaBody {
    /// The collection.
    pub collection: CollectionTag,
    /// The epochs whose reading keys seal it, ascending, at least one.
    pub epochs: Vec<Hash>,
    /// The schema, sealed.
    pub sealed: Vec<u8>,
}

impl SchemaBody {
    pub(super) fn encode(&self, out: &mut Writer) {
        self.collection.encode(out);
        out.varint(self.epochs.len() as u64);
        for epoch in &self.epochs {
            epoch.encode(out);
        }
        out.bytes(&self.sealed);
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let collection = CollectionTag::decode(input)?;
        let epochs = list("epochs", input, limits::KEY_SET_EPOCHS, Hash::decode)?;
        ascending("order of epochs", &epochs)?;
        if epochs.is_empty() {
            return Err(DecodeError::Invalid("key set"));
        }
        Ok(Self { collection, epochs, sealed: input.bytes("schema", limits::SCHEMA_BYTES)?.to_vec() })
    }
}

/// What a device keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Retention {
    /// Everything, for good.
    Everything = 0,
    /// What is current; superseded payloads only until keepers have them.
    Recent = 1,
}

/// Announces what the author's own device keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionBody {
    /// From here on.
    pub retention: Retention,
}

impl RetentionBody {
    pub(super) fn encode(&self, out: &mut Writer) {
        out.byte(self.retention as u8);
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let retention = match input.byte()? {
            0 => Retention::Everything,
            1 => Retention::Recent,
            _ => return Err(DecodeError::Invalid("retention")),
        };
        Ok(Self { retention })
    }
}
