//! A device's secret, and signatures.
//!
//! One seed makes both of a device's key pairs: Ed25519 to sign, X25519 to be sealed to. There is one rule for accepting a
//! signature, the strict one of `ed25519-dalek` (no weak keys, no malleable encodings), used everywhere alike, so that
//! no two devices ever differ about whether an entry is genuine.

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, Serializable};
use zeroize::Zeroizing;

use crate::ids::{DeviceId, ExchangeKey, Signature};

/// A signature that its author did not make over this message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not genuine")]
pub struct BadSignature;

/// The secret half of a device (or of a recovery key), wiped from memory when dropped.
#[derive(Clone)]
pub struct DeviceSecret {
    signing: SigningKey,
}

impl DeviceSecret {
    /// The device that 32 random bytes make.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self { signing: SigningKey::from_bytes(seed) }
    }

    /// The bytes that it was made from. Whoever has them is the device.
    pub fn seed(&self) -> &[u8; 32] {
        self.signing.as_bytes()
    }

    /// Its public name.
    pub fn id(&self) -> DeviceId {
        DeviceId(self.signing.verifying_key().to_bytes())
    }

    /// Signs a message. Callers begin every message with a tag of what it is, so that no signature serves two purposes.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.signing.sign(message).to_bytes())
    }

    /// The X25519 secret: `BLAKE3-derive("ayni v1 exchange secret", seed)`.
    pub fn exchange_secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(blake3::derive_key("ayni v1 exchange secret", self.seed()))
    }

    /// The X25519 public key that others seal to.
    #[expect(clippy::expect_used, reason = "the length is fixed")]
    pub fn exchange_public(&self) -> ExchangeKey {
        type Secret = <X25519HkdfSha256 as Kem>::PrivateKey;
        let secret = Secret::from_bytes(self.exchange_secret().as_slice()).expect("any 32 bytes are an X25519 secret");
        let mut public = [0; 32];
        public.copy_from_slice(&X25519HkdfSha256::sk_to_pk(&secret).to_bytes());
        ExchangeKey(public)
    }
}

impl std::fmt::Debug for DeviceSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeviceSecret of {}", self.id())
    }
}

impl DeviceId {
    /// Whether this device signed the message, by the strict rule.
    ///
    /// # Errors
    /// [`BadSignature`] if it did not, or if the id is no usable Ed25519 key at all.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| BadSignature)?;
        key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature.0)).map_err(|_| BadSignature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_message_and_device_only() {
        let device = DeviceSecret::from_seed(&[7; 32]);
        let signature = device.sign(b"hello");
        assert_eq!(device.id().verify(b"hello", &signature), Ok(()));
        assert_eq!(device.id().verify(b"hullo", &signature), Err(BadSignature));
        assert_eq!(DeviceSecret::from_seed(&[8; 32]).id().verify(b"hello", &signature), Err(BadSignature));
        assert_eq!(DeviceId([0; 32]).verify(b"hello", &signature), Err(BadSignature));
    }
}
