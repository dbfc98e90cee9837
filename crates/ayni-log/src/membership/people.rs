//! Control bodies about people's devices: admission, roles, removal with fences, invitations, names.

use std::fmt;

use crate::codec::{DecodeError, Reader, Writer};
use crate::ids::{DeviceId, ExchangeKey, Hash, LogKind, LogName, ProjectId, Signature, StoreId};
use crate::limits;
use crate::segment::checkpoint_message;

use super::body::{ascending, flag, list, optional};

/// Bytes of a sealed name: the name and the tag of the cipher.
const SEALED_NAME_BYTES: usize = limits::NAME_BYTES + 16;

/// What a device may do in a project, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// Nothing any more.
    Removed = 0,
    /// Stores and forwards what it cannot read.
    Carrier = 1,
    /// Reads.
    Reader = 2,
    /// Reads and writes documents.
    Member = 3,
    /// Does that, and decides who is in the project.
    Coordinator = 4,
}

impl Role {
    /// Whether entries of a log of this kind can count. In control logs only a coordinator decides; what any device may
    /// say of itself there is not asked here.
    pub fn writes(self, kind: LogKind) -> bool {
        match kind {
            LogKind::Control => self == Self::Coordinator,
            LogKind::Data => self >= Self::Member,
        }
    }

    /// Whether reading keys are sealed to it.
    pub fn reads(self) -> bool {
        self >= Self::Reader
    }

    /// Whether carriage keys are sealed to it.
    pub fn carries(self) -> bool {
        self >= Self::Carrier
    }

    /// Reads a role that can be given: all but [`Role::Removed`], for which there is an entry of its own.
    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match input.byte()? {
            1 => Self::Carrier,
            2 => Self::Reader,
            3 => Self::Member,
            4 => Self::Coordinator,
            _ => return Err(DecodeError::Invalid("role")),
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Removed => "removed",
            Self::Carrier => "carrier",
            Self::Reader => "reader",
            Self::Member => "member",
            Self::Coordinator => "coordinator",
        })
    }
}

/// Admits a device, with its keys and its role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmitBody {
    /// The device.
    pub device: DeviceId,
    /// Where keys are sealed to.
    pub exchange: ExchangeKey,
    /// What it may do.
    pub role: Role,
    /// How it asked; `None` when a coordinator admits it unasked.
    pub consent: Option<Consent>,
    /// Its name, sealed ([`seal_name`](super::seal_name) with the device's id as context).
    pub name: Vec<u8>,
}

/// That the admitted device itself asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consent {
    /// The invite entry whose ticket it used.
    pub invite: Hash,
    /// The device's signature over `"ayni v1 join consent" ‖ project ‖ invite key ‖ device ‖ exchange key`.
    pub signature: Signature,
}

/// What a joiner's device signs, see [`Consent`].
pub(super) fn consent_message(
    project: ProjectId,
    invite: &DeviceId,
    device: DeviceId,
    exchange: &ExchangeKey,
) -> Vec<u8> {
    [b"ayni v1 join consent".as_slice(), &project.0, &invite.0, &device.0, &exchange.0].concat()
}

impl AdmitBody {
    pub(super) fn encode(&self, out: &mut Writer) {
        self.device.encode(out);
        self.exchange.encode(out);
        out.byte(self.role as u8);
        out.byte(u8::from(self.consent.is_some()));
        if let Some(consent) = &self.consent {
            consent.invite.encode(out);
            consent.signature.encode(out);
        }
        out.bytes(&self.name);
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            device: DeviceId::decode(input)?,
            exchange: ExchangeKey::decode(input)?,
            role: Role::decode(input)?,
            consent: optional("consent", input, |input| {
                Ok(Consent { invite: Hash::decode(input)?, signature: Signature::decode(input)? })
            })?,
            name: sealed_name(input)?,
        })
    }
}

pub(super) fn sealed_name(input: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    Ok(input.bytes("sealed name", SEALED_NAME_BYTES)?.to_vec())
}

/// The last entry of a removed (or demoted) device's branch that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fence {
    /// Which of the device's logs.
    pub kind: LogKind,
    /// Of which of its incarnations.
    pub incarnation: StoreId,
    /// How many entries of the branch count: at least 1.
    pub length: u64,
    /// The hash of the last of them, which says which side of a fork is meant.
    pub hash: Hash,
    /// The author's checkpoint signature there, so that no fence stands where nothing was written.
    pub signature: Signature,
}

impl Fence {
    /// The fenced log.
    pub fn log(&self, project: ProjectId, device: DeviceId) -> LogName {
        LogName { project, device, kind: self.kind, incarnation: self.incarnation }
    }

    /// Whether the device signed the log up to here.
    pub(super) fn is_genuine(&self, project: ProjectId, device: DeviceId) -> bool {
        let message = checkpoint_message(self.log(project, device).id(), self.length, &self.hash);
        device.verify(&message, &self.signature).is_ok()
    }

    fn encode(&self, out: &mut Writer) {
        out.byte(self.kind.byte());
        self.incarnation.encode(out);
        out.varint(self.length);
        self.hash.encode(out);
        self.signature.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let fence = Self {
            kind: LogKind::from_byte(input.byte()?)?,
            incarnation: StoreId::decode(input)?,
            length: input.varint()?,
            hash: Hash::decode(input)?,
            signature: Signature::decode(input)?,
        };
        if fence.length == 0 || fence.length > limits::POSITIONS {
            return Err(DecodeError::Invalid("fenced length"));
        }
        Ok(fence)
    }

    pub(super) fn encode_list(fences: &[Self], out: &mut Writer) {
        out.varint(fences.len() as u64);
        for fence in fences {
            fence.encode(out);
        }
    }

    pub(super) fn decode_list(input: &mut Reader<'_>) -> Result<Vec<Self>, DecodeError> {
        let fences = list("fences", input, limits::FENCES, Self::decode)?;
        ascending("order of fences", &fences)?;
        Ok(fences)
    }
}

/// Changes a device's role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleBody {
    /// The device.
    pub device: DeviceId,
    /// What it may do from here on.
    pub role: Role,
    /// For a demotion, where its logs end that the new role may not write; `None` for a promotion.
    pub fences: Option<Vec<Fence>>,
}

impl RoleBody {
    pub(super) fn encode(&self, out: &mut Writer) {
        self.device.encode(out);
        out.byte(self.role as u8);
        out.byte(u8::from(self.fences.is_some()));
        if let Some(fences) = &self.fences {
            Fence::encode_list(fences, out);
        }
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (device, role) = (DeviceId::decode(input)?, Role::decode(input)?);
        let fences = optional("demotion", input, Fence::decode_list)?;
        if fences.is_some() && role == Role::Coordinator {
            return Err(DecodeError::Invalid("demotion"));
        }
        if fences.iter().flatten().any(|fence| role.writes(fence.kind)) {
            return Err(DecodeError::Invalid("fence of a log that the role may write"));
        }
        Ok(Self { device, role, fences })
    }
}

/// Removes a device. Branches that no fence names end at 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoveBody {
    /// The device.
    pub device: DeviceId,
    /// Where its branches end, ascending.
    pub fences: Vec<Fence>,
}

impl RemoveBody {
    pub(super) fn encode(&self, out: &mut Writer) {
        self.device.encode(out);
        Fence::encode_list(&self.fences, out);
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { device: DeviceId::decode(input)?, fences: Fence::decode_list(input)? })
    }
}

/// Makes the requests of a ticket's holders recognisable to every coordinator, who need not know its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InviteBody {
    /// The Ed25519 key made from the ticket's secret.
    pub key: DeviceId,
    /// The role that the ticket promises.
    pub role: Role,
    /// Until when it may be used: milliseconds since 1970, by the clock of the coordinator that admits.
    pub expires: Option<i64>,
    /// How many devices it may admit: at least 1.
    pub uses: u32,
}

impl InviteBody {
    pub(super) fn encode(&self, out: &mut Writer) {
        self.key.encode(out);
        out.byte(self.role as u8);
        out.byte(u8::from(self.expires.is_some()));
        if let Some(expires) = self.expires {
            out.signed(expires);
        }
        out.varint(u64::from(self.uses));
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let body = Self {
            key: DeviceId::decode(input)?,
            role: Role::decode(input)?,
            expires: if flag("expiry", input)? { Some(input.signed()?) } else { None },
            uses: input.small("uses")?,
        };
        if body.uses == 0 {
            return Err(DecodeError::Invalid("uses of an invite"));
        }
        Ok(body)
    }
}

/// Names a device: itself, or another by a coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceNameBody {
    /// The device.
    pub device: DeviceId,
    /// Its name, sealed ([`seal_name`](super::seal_name) with the device's id as context).
    pub name: Vec<u8>,
}

impl DeviceNameBody {
    pub(super) fn encode(&self, out: &mut Writer) {
        self.device.encode(out);
        out.bytes(&self.name);
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { device: DeviceId::decode(input)?, name: sealed_name(input)? })
    }
}
