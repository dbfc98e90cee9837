//! Proofs at the start of a session: who the other device is, and which projects are in common.

use ayni_log::ids::{DeviceId, ProjectId, Signature};
use ayni_log::sign::{BadSignature, DeviceSecret};

/// What a project is called in one session and direction; means nothing to who does not know the project's id.
pub type Tag = [u8; 32];

/// Which side of the session a tag comes from, so that an echo proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Who opened the channel.
    Initiator,
    /// Who accepted it.
    Acceptor,
}

impl Side {
    /// The other side.
    pub fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Acceptor,
            Self::Acceptor => Self::Initiator,
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Initiator => 0,
            Self::Acceptor => 1,
        }
    }
}

/// `BLAKE3-keyed(BLAKE3-derive("ayni v1 project tag", project id), binding ‖ side)`, side 0 for who opened the channel and
/// 1 for who accepted it.
pub fn project_tag(project: &ProjectId, binding: &[u8; 32], from: Side) -> Tag {
    let key = blake3::derive_key("ayni v1 project tag", &project.0);
    let mut hasher = blake3::Hasher::new_keyed(&key);
    hasher.update(binding);
    hasher.update(&[from.byte()]);
    *hasher.finalize().as_bytes()
}

/// A tag that stands for no project: `BLAKE3-keyed(random, number)`.
pub(crate) fn padding_tag(random: &[u8; 32], number: u64) -> Tag {
    *blake3::keyed_hash(random, &number.to_be_bytes()).as_bytes()
}

fn transport_message(transport: &[u8; 32]) -> Vec<u8> {
    [b"ayni v1 transport".as_slice(), transport].concat()
}

/// A device's proof that a transport key is its own: its signature over `"ayni v1 transport" ‖ transport id`.
pub fn prove_transport(secret: &DeviceSecret, transport: &[u8; 32]) -> Signature {
    secret.sign(&transport_message(transport))
}

/// Checks [`prove_transport`].
///
/// # Errors
/// [`BadSignature`] if the device did not sign this transport id.
pub fn check_transport(device: &DeviceId, transport: &[u8; 32], proof: &Signature) -> Result<(), BadSignature> {
    device.verify(&transport_message(transport), proof)
}
