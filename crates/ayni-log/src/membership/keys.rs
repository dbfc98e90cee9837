//! Control bodies that carry keys: epochs and grants.
//!
//! Key agreement stands behind these two kinds and the [`KeyRing`](super::KeyRing): what else ever seals keys to devices
//! (a tree, say) becomes another version of them and changes nothing elsewhere.

use crate::codec::{DecodeError, Reader, Writer};
use crate::ids::{DeviceId, Hash};
use crate::limits;
use crate::seal::{CarriageKey, ReadingKey};
use zeroize::Zeroizing;

use super::body::{flag, list};

/// Bytes of a key sealed under another: the key and the cipher's tag.
pub(super) const WRAPPED_BYTES: usize = 48;
/// Bytes of an HPKE encapsulation.
pub(super) const ENCAPSULATED_BYTES: usize = 32;
/// Bytes of the cipher's tag.
const TAG_BYTES: usize = 16;

/// The two keys of an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochKeys {
    /// For those who may read.
    pub reading: ReadingKey,
    /// For carriers too.
    pub carriage: CarriageKey,
}

/// Begins an epoch: new keys, sealed to everyone who is to have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochBody {
    /// `BLAKE3-derive("ayni v1 reading key commitment", reading key)`.
    pub reading: Hash,
    /// `BLAKE3-derive("ayni v1 carriage key commitment", carriage key)`.
    pub carriage: Hash,
    /// The project's naming key, sealed under the reading key: whoever reads, names.
    pub naming: [u8; WRAPPED_BYTES],
    /// To whom the keys are sealed, ascending by device.
    pub recipients: Vec<Recipient>,
    /// The epochs before, their keys sealed under the new ones, ascending.
    pub older: Vec<OlderEpoch>,
}

/// Keys sealed to one device by HPKE (RFC 9180: base mode, X25519, HKDF-SHA256, ChaCha20Poly1305).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recipient {
    /// The device, or the recovery key.
    pub device: DeviceId,
    /// Whether the reading key is in it, before the carriage key.
    pub reads: bool,
    /// The encapsulated key, then the ciphertext.
    pub sealed: Vec<u8>,
}

/// The keys of an epoch, sealed under those of a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OlderEpoch {
    /// The hash of the older epoch's entry.
    pub epoch: Hash,
    /// Its reading key, sealed under the new reading key.
    pub reading: [u8; WRAPPED_BYTES],
    /// Its carriage key, sealed under the new carriage key.
    pub carriage: [u8; WRAPPED_BYTES],
}

impl EpochBody {
    pub(super) fn encode(&self, out: &mut Writer) {
        self.reading.encode(out);
        self.carriage.encode(out);
        out.raw(&self.naming);
        out.varint(self.recipients.len() as u64);
        for recipient in &self.recipients {
            recipient.device.encode(out);
            out.byte(u8::from(recipient.reads));
            out.raw(&recipient.sealed);
        }
        out.varint(self.older.len() as u64);
        for older in &self.older {
            older.epoch.encode(out);
            out.raw(&older.reading);
            out.raw(&older.carriage);
        }
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (reading, carriage) = (Hash::decode(input)?, Hash::decode(input)?);
        let naming = input.array()?;
        let recipients = list("recipients", input, limits::EPOCH_RECIPIENTS, Recipient::decode)?;
        if !recipients.is_sorted_by(|a, b| a.device < b.device) {
            return Err(DecodeError::NotCanonical("order of recipients"));
        }
        let older = list("older epochs", input, limits::KEY_SET_EPOCHS, |input| {
            Ok(OlderEpoch { epoch: Hash::decode(input)?, reading: input.array()?, carriage: input.array()? })
        })?;
        if !older.is_sorted_by(|a, b| a.epoch < b.epoch) {
            return Err(DecodeError::NotCanonical("order of epochs"));
        }
        Ok(Self { reading, carriage, naming, recipients, older })
    }
}

impl Recipient {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (device, reads) = (DeviceId::decode(input)?, flag("recipient", input)?);
        let keys = if reads { 64 } else { 32 };
        Ok(Self { device, reads, sealed: input.raw(ENCAPSULATED_BYTES + keys + TAG_BYTES)?.to_vec() })
    }
}

/// Seals existing keys to one device: HPKE as in [`Recipient`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantBody {
    /// The device.
    pub device: DeviceId,
    /// The encapsulated key, then the ciphertext.
    pub sealed: Vec<u8>,
}

impl GrantBody {
    pub(super) fn encode(&self, out: &mut Writer) {
        self.device.encode(out);
        out.bytes(&self.sealed);
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { device: DeviceId::decode(input)?, sealed: input.bytes("grant", limits::GRANT_BYTES)?.to_vec() })
    }
}

/// What a grant holds once opened: epochs, ascending, each with its reading key (for those who read) and its carriage key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct GrantedKeys(pub(super) Vec<(Hash, Option<ReadingKey>, CarriageKey)>);

impl GrantedKeys {
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        // Room for all, so that no secret stays behind in a buffer that was outgrown.
        let mut out = Writer::with_capacity(10 + self.0.len() * 97);
        out.varint(self.0.len() as u64);
        for (epoch, reading, carriage) in &self.0 {
            epoch.encode(&mut out);
            out.byte(u8::from(reading.is_some()));
            if let Some(reading) = reading {
                out.raw(reading.as_bytes());
            }
            out.raw(carriage.as_bytes());
        }
        Zeroizing::new(out.into_vec())
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let epochs = list("granted epochs", &mut input, limits::GRANTED_EPOCHS, |input| {
            let epoch = Hash::decode(input)?;
            let reading = if flag("reading key", input)? { Some(ReadingKey::from_bytes(input.array()?)) } else { None };
            Ok((epoch, reading, CarriageKey::from_bytes(input.array()?)))
        })?;
        if !epochs.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(DecodeError::NotCanonical("order of granted epochs"));
        }
        input.finish()?;
        Ok(Self(epochs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(epochs: impl IntoIterator<Item = u16>) -> GrantedKeys {
        let keys = |epoch: u16| {
            let hash = Hash(std::array::from_fn(|index| epoch.to_be_bytes()[index % 2]));
            let reading = epoch.is_multiple_of(2).then(|| ReadingKey::from_bytes([1; 32]));
            (hash, reading, CarriageKey::from_bytes([2; 32]))
        };
        GrantedKeys(epochs.into_iter().map(keys).collect())
    }

    fn reads_back(keys: &GrantedKeys) -> bool {
        GrantedKeys::decode(&keys.encode()).as_ref() == Ok(keys)
    }

    #[test]
    fn a_grant_names_each_epoch_once_and_in_order_up_to_its_limit() {
        assert!(reads_back(&granted([])) && reads_back(&granted([1, 2, 3])));
        assert!(!reads_back(&granted([1, 3, 2])) && !reads_back(&granted([1, 1])));
        let limit = limits::GRANTED_EPOCHS as u16;
        assert!(reads_back(&granted(0..limit)) && !reads_back(&granted(0..limit + 1)));
        let most = granted((0..limit).map(|number| number * 2)).encode();
        assert!(ENCAPSULATED_BYTES + most.len() + TAG_BYTES <= limits::GRANT_BYTES);
        assert!(GrantedKeys::decode(&[granted([1]).encode().as_slice(), &[0]].concat()).is_err());
    }
}
