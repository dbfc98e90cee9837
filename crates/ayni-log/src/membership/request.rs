//! Join requests: what a device that holds a ticket says to a coordinator.
//!
//! The ticket's key signs that the holder of the ticket asks for this device; the device signs that it wants to be in the
//! project. Any coordinator can check both against the invite entry, over whatever way the request came.

use thiserror::Error;

use crate::codec::{DecodeError, Reader, Writer};
use crate::ids::{DeviceId, ExchangeKey, ProjectId, Signature};
use crate::limits;
use crate::sign::{BadSignature, DeviceSecret};

use super::envelope::can_be_sealed_to;
use super::people::consent_message;
use super::ticket::Ticket;

const VERSION: u8 = 1;

/// A device's request to be admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRequest {
    /// The public key of the ticket that it holds.
    pub invite: DeviceId,
    /// The device.
    pub device: DeviceId,
    /// Where keys are to be sealed to.
    pub exchange: ExchangeKey,
    /// The name that people gave the device. It travels in the session's encryption, not sealed.
    pub name: String,
    /// By the ticket's key, over the request.
    pub by_ticket: Signature,
    /// By the device, over its consent; stays in the admit entry.
    pub by_device: Signature,
}

/// Why a request is not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// No invite entry is here for the ticket, or it counts for nothing.
    #[error("the ticket is not known here, or the device that made it has been removed")]
    UnknownInvite,
    /// Its time is over.
    #[error("the ticket has expired: ask for a new one")]
    Expired,
    /// It has admitted as many devices as it may.
    #[error("the ticket has been used already: ask for a new one")]
    UsedUp,
    /// The device is in the project.
    #[error("the device is a member already")]
    AlreadyMember,
    /// The device was removed from the project; a ticket does not bring it back.
    #[error("the device was removed from the project: a coordinator can admit it again by its id")]
    Removed,
    /// A signature is not genuine, or the exchange key useless.
    #[error("the request is not genuine")]
    NotGenuine,
}

impl From<BadSignature> for RequestError {
    fn from(_: BadSignature) -> Self {
        Self::NotGenuine
    }
}

impl JoinRequest {
    /// The request of `device`, which holds `ticket`. A name over [`limits::NAME_BYTES`] is cut.
    pub fn new(ticket: &Ticket, device: &DeviceSecret, name: &str) -> Self {
        let key = ticket.key();
        let (invite, exchange) = (key.id(), device.exchange_public());
        let name = name.get(..name.floor_char_boundary(limits::NAME_BYTES)).unwrap_or_default().to_owned();
        let consent = consent_message(ticket.project, &invite, device.id(), &exchange);
        let by_ticket = key.sign(&request_message(&consent, &name));
        Self { invite, device: device.id(), exchange, name, by_ticket, by_device: device.sign(&consent) }
    }

    /// Whether both signatures are genuine and keys can be sealed to the device.
    ///
    /// # Errors
    /// [`RequestError::NotGenuine`].
    pub fn verify(&self, project: ProjectId) -> Result<(), RequestError> {
        let consent = consent_message(project, &self.invite, self.device, &self.exchange);
        self.invite.verify(&request_message(&consent, &self.name), &self.by_ticket)?;
        self.device.verify(&consent, &self.by_device)?;
        if can_be_sealed_to(&self.exchange) { Ok(()) } else { Err(RequestError::NotGenuine) }
    }

    /// The bytes as they travel; the project is known from where they stand.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(256);
        out.byte(VERSION);
        self.invite.encode(&mut out);
        self.device.encode(&mut out);
        self.exchange.encode(&mut out);
        out.text(&self.name);
        self.by_ticket.encode(&mut out);
        self.by_device.encode(&mut out);
        out.into_vec()
    }

    /// Reads what [`JoinRequest::encode`] wrote. Nothing in it is verified.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are no request.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        match input.byte()? {
            VERSION => {}
            version => return Err(DecodeError::Version { what: "join request", version }),
        }
        let request = Self {
            invite: DeviceId::decode(&mut input)?,
            device: DeviceId::decode(&mut input)?,
            exchange: ExchangeKey::decode(&mut input)?,
            name: input.text("device name", limits::NAME_BYTES)?.to_owned(),
            by_ticket: Signature::decode(&mut input)?,
            by_device: Signature::decode(&mut input)?,
        };
        input.finish()?;
        Ok(request)
    }
}

/// What the ticket's key signs: `"ayni v1 join request" ‖ the consent message ‖ name`.
fn request_message(consent: &[u8], name: &str) -> Vec<u8> {
    [b"ayni v1 join request".as_slice(), consent, name.as_bytes()].concat()
}
