//! Tickets: what a person passes on so that a device may ask to join.
//!
//! A ticket authenticates a request; it admits nobody by itself, and no key is sealed to it. Its text says its own length
//! and carries a checksum, so that a damaged copy is told apart from a wrong one.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::codec::{DecodeError, Reader, Writer};
use crate::ids::{DeviceId, ProjectId};
use crate::limits;
use crate::sign::DeviceSecret;

use super::people::Role;

const NAME: &str = "ayni";
const VERSION: char = '1';
const CHECKSUM_BYTES: usize = 4;

/// An invitation as one person gives it to another.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The project.
    pub project: ProjectId,
    /// The device that made the ticket.
    pub inviter: DeviceId,
    /// What makes the holder's requests recognisable.
    pub secret: [u8; 16],
    /// The role that it promises.
    pub role: Role,
    /// Where the inviter may be found: text that the network understands. Often none.
    pub addresses: Vec<String>,
}

/// A text that is no ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TicketError {
    /// It does not begin like one.
    #[error("this is no ticket: a ticket begins with \"{NAME}{VERSION}\"")]
    NotATicket,
    /// It ends too early.
    #[error("the ticket is cut short: {got} of {wanted} characters; copy it whole")]
    CutShort {
        /// Characters that are there.
        got: usize,
        /// Characters that it says it has.
        wanted: usize,
    },
    /// Characters were changed, lost or added.
    #[error("the ticket is mistyped: copy it again, or ask for a new one")]
    Mistyped,
    /// A newer program made it.
    #[error("the ticket was made by a newer Ayni: update this one")]
    Newer,
}

impl Ticket {
    /// The key pair that the secret makes: `BLAKE3-derive("ayni v1 invite key", project ‖ secret)` as an Ed25519 seed. Its
    /// public half stands in the invite entry.
    pub fn key(&self) -> DeviceSecret {
        invite_key(self.project, &self.secret)
    }

    fn encode(&self) -> Vec<u8> {
        let mut body = Writer::with_capacity(96);
        self.project.encode(&mut body);
        self.inviter.encode(&mut body);
        body.raw(&self.secret);
        body.byte(self.role as u8);
        body.varint(self.addresses.len() as u64);
        for address in &self.addresses {
            body.text(address);
        }
        let mut out = Writer::with_capacity(body.len() + 8);
        out.varint(body.len() as u64);
        out.raw(body.as_slice());
        let check = checksum(out.as_slice());
        out.raw(&check);
        out.into_vec()
    }

    fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(body);
        let (project, inviter) = (ProjectId::decode(&mut input)?, DeviceId::decode(&mut input)?);
        let (secret, role) = (input.array()?, Role::decode(&mut input)?);
        let count = input.count("addresses", limits::TICKET_ADDRESSES)?;
        let mut addresses = Vec::with_capacity(count);
        for _ in 0..count {
            addresses.push(input.text("address", limits::NAME_BYTES)?.to_owned());
        }
        input.finish()?;
        Ok(Self { project, inviter, secret, role, addresses })
    }
}

pub(super) fn invite_key(project: ProjectId, secret: &[u8; 16]) -> DeviceSecret {
    let mut hasher = blake3::Hasher::new_derive_key("ayni v1 invite key");
    hasher.update(&project.0);
    hasher.update(secret);
    DeviceSecret::from_seed(&Zeroizing::new(*hasher.finalize().as_bytes()))
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut check = [0; CHECKSUM_BYTES];
    blake3::Hasher::new_derive_key("ayni v1 ticket checksum").update(bytes).finalize_xof().fill(&mut check);
    check
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME}{VERSION}{}", BASE32_NOPAD.encode(&self.encode()).to_ascii_lowercase())
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket(to {} as {})", self.project, self.role)
    }
}

impl FromStr for Ticket {
    type Err = TicketError;

    fn from_str(text: &str) -> Result<Self, TicketError> {
        // A mail program may have broken it into lines.
        let text: String = text.chars().filter(|c| !c.is_whitespace()).take(limits::TICKET_TEXT + 1).collect();
        let text = text.to_ascii_uppercase();
        let rest = text.strip_prefix("AYNI").ok_or(TicketError::NotATicket)?;
        let mut rest = rest.chars();
        match rest.next() {
            Some(VERSION) => {}
            Some('2'..='9') => return Err(TicketError::Newer),
            Some(_) => return Err(TicketError::NotATicket),
            None => return Err(TicketError::CutShort { got: text.len(), wanted: text.len() + 1 }),
        }
        read_base32(rest.as_str())
    }
}

fn read_base32(text: &str) -> Result<Ticket, TicketError> {
    if !text.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')) {
        return Err(TicketError::Mistyped);
    }
    let lead = NAME.len() + 1;
    // Eight characters are five bytes: enough for the length.
    let Some(first) = text.get(..8) else {
        return Err(TicketError::CutShort { got: lead + text.len(), wanted: lead + 8 });
    };
    let first = BASE32_NOPAD.decode(first.as_bytes()).map_err(|_| TicketError::Mistyped)?;
    let mut first = Reader::new(&first);
    let len = first.count("ticket", limits::TICKET_TEXT).map_err(|_| TicketError::Mistyped)?;
    let prefix = 5_usize.saturating_sub(first.remaining());
    let wanted = BASE32_NOPAD.encode_len(prefix + len + CHECKSUM_BYTES);
    if text.len() < wanted {
        return Err(TicketError::CutShort { got: lead + text.len(), wanted: lead + wanted });
    }
    let bytes = BASE32_NOPAD.decode(text.as_bytes()).map_err(|_| TicketError::Mistyped)?;
    let (covered, check) = bytes.split_at_checked(prefix + len).ok_or(TicketError::Mistyped)?;
    if check != checksum(covered) {
        return Err(TicketError::Mistyped);
    }
    Ticket::decode(covered.get(prefix..).unwrap_or_default()).map_err(|_| TicketError::Mistyped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ticket() -> Ticket {
        Ticket {
            project: ProjectId([1; 32]),
            inviter: DeviceSecret::from_seed(&[2; 32]).id(),
            secret: [3; 16],
            role: Role::Member,
            addresses: vec!["192.168.1.7:4040".into()],
        }
    }

    #[test]
    fn a_ticket_reads_back_from_its_text_even_broken_into_lines() {
        let text = ticket().to_string();
        assert_eq!(text.parse(), Ok(ticket()));
        let (a, b) = text.split_at(60);
        assert_eq!(format!(" {}\n  {b}\n", a.to_uppercase()).parse(), Ok(ticket()));
    }

    #[test]
    fn every_way_to_cut_a_ticket_short_is_called_that() {
        let text = ticket().to_string();
        for end in 4..text.len() {
            // The fifth character says the version, and the eight behind it how long it is.
            let wanted = match end {
                4 => 5,
                5..13 => 13,
                _ => text.len(),
            };
            assert_eq!(text[..end].parse::<Ticket>(), Err(TicketError::CutShort { got: end, wanted }));
        }
    }

    #[test]
    fn a_mistyped_or_newer_ticket_says_so() {
        let text = ticket().to_string();
        for place in 14..text.len() {
            let mut typed: Vec<char> = text.chars().collect();
            typed[place] = if typed[place] == 'a' { 'b' } else { 'a' };
            assert_eq!(typed.iter().collect::<String>().parse::<Ticket>(), Err(TicketError::Mistyped), "{place}");
        }
        assert_eq!(format!("{text}a").parse::<Ticket>(), Err(TicketError::Mistyped));
        for newer in 2..=9 {
            let text = text.replacen("ayni1", &format!("ayni{newer}"), 1);
            assert_eq!(text.parse::<Ticket>(), Err(TicketError::Newer));
        }
        assert_eq!("hello".parse::<Ticket>(), Err(TicketError::NotATicket));
    }

    proptest! {
        #[test]
        fn garbage_is_refused_without_panic(text in "(ayni1)?[a-z2-7é ]{0,200}") {
            prop_assert!(text.parse::<Ticket>().is_err());
        }
    }
}
