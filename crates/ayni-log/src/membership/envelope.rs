//! Sealing to a device, sealing a key under another, sealing a name.
//!
//! To a device: HPKE (RFC 9180), base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305; who sealed it is
//! known from the signature of the entry that carries it. Keys under keys and names: AES-256-GCM-SIV (RFC 8452), whose
//! nonce may be constant here because each key seals each context's content once, or the same content again.

use std::convert::Infallible;

use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::ids::{DeviceId, ExchangeKey, Hash, ProjectId};
use crate::limits;
use crate::seal::{CarriageKey, NamingKey, OpenError, ReadingKey};

use super::keys::{ENCAPSULATED_BYTES, WRAPPED_BYTES};

/// Why something could not be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// The exchange key is one of the few values that would give any secret away.
    #[error("the device's exchange key cannot be sealed to")]
    WeakKey,
    /// The name is too long.
    #[error("a name of {bytes} bytes is over the limit of {}", limits::NAME_BYTES)]
    LongName {
        /// Bytes of the name.
        bytes: usize,
    },
}

/// What is sealed to a device: a label that keeps the uses apart.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Epoch,
    Grant,
}

impl Purpose {
    fn info(self, project: ProjectId) -> Vec<u8> {
        let label: &[u8] = match self {
            Self::Epoch => b"ayni v1 epoch",
            Self::Grant => b"ayni v1 grant",
        };
        [label, &project.0].concat()
    }
}

/// A generator that stretches random bytes given by the caller (BLAKE3 in its extendable form).
pub(super) struct Stretched(blake3::OutputReader);

impl Stretched {
    pub(super) fn new(seed: &[u8; 32]) -> Self {
        Self(blake3::Hasher::new_derive_key("ayni v1 stretched randomness").update(seed).finalize_xof())
    }

    pub(super) fn take(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.fill(&mut bytes);
        bytes
    }
}

impl TryRng for Stretched {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(dst);
        Ok(())
    }
}

impl TryCryptoRng for Stretched {}

/// Seals to a device: the encapsulated key, then the ciphertext.
pub(super) fn seal_to(
    purpose: Purpose,
    project: ProjectId,
    device: DeviceId,
    exchange: &ExchangeKey,
    plaintext: &[u8],
    random: &mut Stretched,
) -> Result<Vec<u8>, SealError> {
    let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&exchange.0).map_err(|_| SealError::WeakKey)?;
    let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &public,
        &purpose.info(project),
        plaintext,
        &device.0,
        random,
    )
    .map_err(|_| SealError::WeakKey)?;
    Ok([encapsulated.to_bytes().as_slice(), &sealed].concat())
}

/// Opens what [`seal_to`] sealed to this device.
pub(super) fn open_from(
    purpose: Purpose,
    project: ProjectId,
    device: DeviceId,
    secret: &[u8; 32],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (encapsulated, sealed) = sealed.split_at_checked(ENCAPSULATED_BYTES).ok_or(OpenError::NotGenuine)?;
    let secret = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(secret).map_err(|_| OpenError::NotGenuine)?;
    let encapsulated =
        <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| OpenError::NotGenuine)?;
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &secret,
        &encapsulated,
        &purpose.info(project),
        sealed,
        &device.0,
    )
    .map(Zeroizing::new)
    .map_err(|_| OpenError::NotGenuine)
}

/// Whether keys can be sealed to it at all.
pub(super) fn can_be_sealed_to(exchange: &ExchangeKey) -> bool {
    let mut random = Stretched::new(&[0; 32]);
    seal_to(Purpose::Epoch, ProjectId([0; 32]), DeviceId([0; 32]), exchange, &[], &mut random).is_ok()
}

/// Which sort of key is sealed under another.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    /// An older reading key, under a reading key.
    Reading,
    /// An older carriage key, under a carriage key.
    Carriage,
    /// The naming key, under a reading key.
    Naming,
}

/// Seals a key under another; `about` is the epoch that it is of, or the project.
#[expect(clippy::expect_used, reason = "the length is fixed")]
pub(super) fn wrap(which: Which, newer: &[u8; 32], about: &Hash, key: &[u8; 32]) -> [u8; WRAPPED_BYTES] {
    let sealed = wrapping(which, newer)
        .encrypt(&Nonce::default(), Payload { msg: key, aad: &about.0 })
        .expect("32 bytes are far below the cipher's 64 GiB");
    let mut out = [0; WRAPPED_BYTES];
    out.copy_from_slice(&sealed);
    out
}

/// Opens what [`wrap`] sealed.
pub(super) fn unwrap_key(
    which: Which,
    newer: &[u8; 32],
    about: &Hash,
    wrapped: &[u8; WRAPPED_BYTES],
) -> Option<[u8; 32]> {
    let opened = wrapping(which, newer).decrypt(&Nonce::default(), Payload { msg: wrapped, aad: &about.0 }).ok()?;
    opened.try_into().ok()
}

fn wrapping(which: Which, newer: &[u8; 32]) -> Aes256GcmSiv {
    cipher(
        match which {
            Which::Reading => "ayni v1 older reading keys",
            Which::Carriage => "ayni v1 older carriage keys",
            Which::Naming => "ayni v1 wrapped naming key",
        },
        newer,
    )
}

fn cipher(context: &str, key: &[u8; 32]) -> Aes256GcmSiv {
    let mut key = blake3::derive_key(context, key);
    let cipher = Aes256GcmSiv::new(&key.into());
    key.zeroize();
    cipher
}

/// What an epoch entry says of its reading key before anyone has it.
pub(super) fn reading_commitment(key: &ReadingKey) -> Hash {
    Hash(blake3::derive_key("ayni v1 reading key commitment", key.as_bytes()))
}

/// What an epoch entry says of its carriage key.
pub(super) fn carriage_commitment(key: &CarriageKey) -> Hash {
    Hash(blake3::derive_key("ayni v1 carriage key commitment", key.as_bytes()))
}

/// What the founding body says of the naming key.
pub(super) fn naming_commitment(key: &NamingKey) -> Hash {
    Hash(blake3::derive_key("ayni v1 naming key commitment", key.as_bytes()))
}

/// Seals the name of a device (context: its id) or of the project (context: the founding body's random bytes), for those
/// who hold the naming key. Equal names of one thing seal to equal bytes.
///
/// # Errors
/// [`SealError::LongName`] over [`limits::NAME_BYTES`] bytes.
#[expect(clippy::expect_used, reason = "the length is bounded above")]
pub fn seal_name(naming: &NamingKey, context: &[u8; 32], name: &str) -> Result<Vec<u8>, SealError> {
    if name.len() > limits::NAME_BYTES {
        return Err(SealError::LongName { bytes: name.len() });
    }
    Ok(cipher("ayni v1 name key", naming.as_bytes())
        .encrypt(&Nonce::default(), Payload { msg: name.as_bytes(), aad: context })
        .expect("a name is far below the cipher's 64 GiB"))
}

/// Opens what [`seal_name`] sealed.
///
/// # Errors
/// [`OpenError`] when it was sealed for something else or by another key, or is no text.
pub fn open_name(naming: &NamingKey, context: &[u8; 32], sealed: &[u8]) -> Result<String, OpenError> {
    let opened = cipher("ayni v1 name key", naming.as_bytes())
        .decrypt(&Nonce::default(), Payload { msg: sealed, aad: context })
        .map_err(|_| OpenError::NotGenuine)?;
    String::from_utf8(opened).map_err(|_| OpenError::Malformed("a name that is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_drawn_from_the_same_stretched_bytes_as_all_else() {
        let [mut bytes, mut numbers] = [Stretched::new(&[1; 32]), Stretched::new(&[1; 32])];
        let mut drawn = [0; 12];
        bytes.try_fill_bytes(&mut drawn).unwrap();
        let (small, large) = (numbers.try_next_u32().unwrap(), numbers.try_next_u64().unwrap());
        assert_eq!([&small.to_le_bytes()[..], &large.to_le_bytes()].concat(), drawn);
        assert_ne!(drawn, [0; 12]);
        assert_eq!(bytes.take(), numbers.take(), "and go on from there");
    }
}
