//! Who a peer is to the transport, and where: [`TransportId`] and [`PeerAddr`], with their text forms.

use std::{fmt, net::SocketAddr, str::FromStr};

use data_encoding::BASE32_NOPAD;

/// The key by which the transport knows a peer: an Ed25519 public key.
///
/// It names one incarnation of a database, not a device. As text it is 52 characters of lower-case
/// base32 (RFC 4648, unpadded), short enough for a DNS label.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransportId(pub [u8; 32]);

impl TransportId {
    /// That of the network with this transport key.
    pub fn of_secret(seed: &[u8; 32]) -> Self {
        Self(*iroh::SecretKey::from_bytes(seed).public().as_bytes())
    }

    /// The first characters, for people and logs.
    pub fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl fmt::Display for TransportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for TransportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransportId({})", self.short())
    }
}

impl FromStr for TransportId {
    type Err = PeerAddrError;

    fn from_str(text: &str) -> Result<Self, PeerAddrError> {
        let bad = || PeerAddrError::BadId { given: shown(text) };
        let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).map_err(|_| bad())?;
        let id: [u8; 32] = bytes.try_into().map_err(|_| bad())?;
        iroh::PublicKey::from_bytes(&id).map_err(|_| bad())?;
        Ok(Self(id))
    }
}

/// A peer and one address of it, as people write it: `<transport id>@<ip>:<port>`.
///
/// ```
/// use ayni_net::PeerAddr;
/// let text = "vz7xulh6wsxtpz74jshiqqgtwk7w7asmmnv5skpbkdxmmzx72wva@192.168.1.7:4433";
/// # let text = format!("{}@192.168.1.7:4433", ayni_net::TransportId([0; 32]));
/// # let text = text.as_str();
/// let peer: PeerAddr = text.parse()?;
/// assert_eq!(peer.addr.port(), 4433);
/// assert_eq!(peer.to_string(), text);
/// # Ok::<(), ayni_net::PeerAddrError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerAddr {
    /// Who answers there.
    pub id: TransportId,
    /// Where: IPv6 link-local addresses need their scope, as in `[fe80::1%2]:4433`.
    pub addr: SocketAddr,
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.addr)
    }
}

impl FromStr for PeerAddr {
    type Err = PeerAddrError;

    fn from_str(text: &str) -> Result<Self, PeerAddrError> {
        let text = text.trim();
        let (id, addr) = text.split_once('@').ok_or_else(|| PeerAddrError::NoAt { given: shown(text) })?;
        let bad = || PeerAddrError::BadAddress { given: shown(addr) };
        let addr: SocketAddr = addr.parse().map_err(|_| bad())?;
        if addr.port() == 0 || addr.ip().is_unspecified() || addr.ip().is_multicast() {
            return Err(bad());
        }
        Ok(Self { id: id.parse()?, addr })
    }
}

/// Why a text is not a [`PeerAddr`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerAddrError {
    /// There is no `@` in it.
    #[error("`{given}` is not a peer address: write <transport id>@<ip>:<port>, as the other device prints it")]
    NoAt {
        /// What was given, shortened.
        given: String,
    },
    /// What stands before the `@` is no transport id.
    #[error("`{given}` is not a transport id: copy all 52 characters before the `@` that the other device prints")]
    BadId {
        /// What was given, shortened.
        given: String,
    },
    /// What stands after the `@` is no address.
    #[error("`{given}` is not an address to dial: write <ip>:<port>, for example 192.168.1.7:4433 or [fe80::1%2]:4433")]
    BadAddress {
        /// What was given, shortened.
        given: String,
    },
}

/// As much of a wrong text as belongs into a message.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().filter(|c| !c.is_control()).take(60).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn an_id() -> TransportId {
        TransportId(*iroh::SecretKey::from_bytes(&[7; 32]).public().as_bytes())
    }

    #[test]
    fn a_peer_address_reads_back_as_it_was_written() {
        for addr in ["192.168.1.7:4433", "[::1]:9", "[fe80::1%2]:4433"] {
            let peer = PeerAddr { id: an_id(), addr: addr.parse().unwrap() };
            assert_eq!(peer.to_string().parse(), Ok(peer));
            assert_eq!(peer.to_string().to_uppercase().parse(), Ok(peer), "case does not matter");
        }
        assert_eq!(an_id().to_string().len(), 52);
    }

    #[test]
    fn a_wrong_peer_address_says_which_part_is_wrong() {
        let id = an_id();
        let parse = |text: &str| text.parse::<PeerAddr>().unwrap_err();
        assert!(matches!(parse("192.168.1.7:4433"), PeerAddrError::NoAt { .. }));
        assert!(matches!(parse("abc@192.168.1.7:4433"), PeerAddrError::BadId { .. }));
        assert!(matches!(parse(&format!("{id}@192.168.1.7")), PeerAddrError::BadAddress { .. }));
        assert!(matches!(parse(&format!("{id}@0.0.0.0:1")), PeerAddrError::BadAddress { .. }));
        assert!(matches!(parse(&format!("{id}@192.168.1.7:0")), PeerAddrError::BadAddress { .. }));
        assert!(parse(&"x".repeat(10_000)).to_string().len() < 300);
    }
}
