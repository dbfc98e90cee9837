//! Sealing: what leaves a device can be read by those who hold the keys and by nobody else.
//!
//! AES-256-GCM-SIV (RFC 8452), because a forked log may use one position, and so one nonce, twice: the mode then gives away
//! only whether the two contents are equal. Every log has a key of its own for each key set; the position is the nonce;
//! the header is authenticated along with the payload.

use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::codec::{Reader, Writer};
use crate::header::Header;
use crate::ids::{CollectionTag, DocumentId, Hash, LogId};

/// Plaintext below this many bytes is not compressed: it would not pay.
const COMPRESS_FROM: usize = 512;
/// Bytes that a sealed payload may have once opened and decompressed.
pub const PLAINTEXT_BYTES: usize = 16 << 20;
/// How many times its compressed size a payload may grow: bounds the work that a byte from outside can cause.
const EXPANSION: usize = 256;

const RAW: u8 = 0;
const ZSTD: u8 = 1;

macro_rules! secret_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The key of these bytes.
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes. Whoever has them has what the key opens.
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(secret)"))
            }
        }
    };
}

secret_key!(
    /// An epoch's key to payloads: for those who may read.
    ReadingKey
);
secret_key!(
    /// An epoch's key to sync files: for carriers too.
    CarriageKey
);
secret_key!(
    /// The project's key to names: made at founding, for readers only, never changed.
    NamingKey
);
secret_key!(
    /// The key of a set of epochs: what all their reading keys together make.
    SetKey
);

impl NamingKey {
    /// What carriers see of a collection: `BLAKE3-keyed(naming key, "tag" ‖ name)`, its first 16 bytes.
    pub fn tag(&self, collection: &str) -> CollectionTag {
        CollectionTag(self.short_hash(&[b"tag", collection.as_bytes()]))
    }

    /// The id of a keyed document: `BLAKE3-keyed(naming key, "doc" ‖ collection tag ‖ key)`, its first 16 bytes.
    pub fn document(&self, collection: &str, key: &[u8]) -> DocumentId {
        DocumentId(self.short_hash(&[b"doc", self.tag(collection).as_bytes(), key]))
    }

    fn short_hash(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for part in parts {
            hasher.update(part);
        }
        let mut short = [0; 16];
        hasher.finalize_xof().fill(&mut short);
        short
    }
}

impl SetKey {
    /// Combines the reading keys of concurrent epochs: `BLAKE3-derive("ayni v1 epoch set", keys in ascending order of
    /// their epochs' hashes)`. Nobody who lacks one of them can make it.
    ///
    /// # Panics
    /// Without any epoch, since anyone could make that key.
    pub fn combine(mut epochs: Vec<(Hash, &ReadingKey)>) -> Self {
        assert!(!epochs.is_empty(), "a key set has at least one epoch");
        epochs.sort_by_key(|(epoch, _)| *epoch);
        let mut hasher = blake3::Hasher::new_derive_key("ayni v1 epoch set");
        for (_, key) in epochs {
            hasher.update(&key.0);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// The keys with which one log is sealed under this set.
    pub fn for_log(&self, log: LogId) -> LogKey {
        let cipher = |context: &str| {
            let mut hasher = blake3::Hasher::new_derive_key(context);
            hasher.update(&self.0);
            hasher.update(&log.0);
            let mut key = *hasher.finalize().as_bytes();
            let cipher = Aes256GcmSiv::new(&key.into());
            key.zeroize();
            cipher
        };
        LogKey { log, payloads: cipher("ayni v1 payload key"), declarations: cipher("ayni v1 declaration key") }
    }

    /// Seals the schema of a collection. The same one seals to the same bytes.
    pub fn seal_schema(&self, collection: CollectionTag, plaintext: &[u8]) -> Vec<u8> {
        seal(&self.schemas(), &Nonce::default(), collection.as_bytes(), &pack(plaintext))
    }

    /// Opens what [`SetKey::seal_schema`] sealed.
    ///
    /// # Errors
    /// [`OpenError`] when it was sealed for another collection or by other keys, or holds malformed content.
    pub fn open_schema(&self, collection: CollectionTag, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        unpack(open(&self.schemas(), &Nonce::default(), collection.as_bytes(), sealed)?)
    }

    /// Of one nonce: the mode gives away no more than that two schemas of a collection are equal.
    fn schemas(&self) -> Aes256GcmSiv {
        let mut key = blake3::derive_key("ayni v1 schema key", &self.0);
        let cipher = Aes256GcmSiv::new(&key.into());
        key.zeroize();
        cipher
    }
}

/// Why something sealed did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Sealed under another key, for another place, or changed since.
    #[error("it was not sealed with this key for this place")]
    NotGenuine,
    /// It opened, and what was inside is malformed.
    #[error("its content is malformed: {0}")]
    Malformed(&'static str),
}

/// What a plaintext is that a log declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declared {
    /// The name of a collection.
    Collection,
    /// The field names of a shape.
    Shape,
}

/// Seals and opens the payloads and declarations of one log under one key set.
pub struct LogKey {
    log: LogId,
    payloads: Aes256GcmSiv,
    declarations: Aes256GcmSiv,
}

impl LogKey {
    /// The log that it seals.
    pub fn log(&self) -> LogId {
        self.log
    }

    /// Seals a payload for its position; `header` must be complete but for the payload's hash and length.
    pub fn seal_payload(&self, position: u64, header: &Header, plaintext: &[u8]) -> Vec<u8> {
        let packed = pack(plaintext);
        let aad = header.associated_data();
        seal(&self.payloads, &nonce(0, position), &aad, &packed)
    }

    /// Opens the payload of the entry at `position`.
    ///
    /// # Errors
    /// [`OpenError`] when it was sealed for another place or by other keys, or holds malformed content.
    pub fn open_payload(&self, position: u64, header: &Header, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let aad = header.associated_data();
        unpack(open(&self.payloads, &nonce(0, position), &aad, sealed)?)
    }

    /// Seals what the header at `position` declares as its declaration number `index`, from 0.
    pub fn seal_declaration(&self, what: Declared, position: u64, index: u32, plaintext: &[u8]) -> Vec<u8> {
        seal(&self.declarations, &nonce(index.saturating_add(1), position), &self.declaration_aad(what), plaintext)
    }

    /// Opens what [`LogKey::seal_declaration`] sealed.
    ///
    /// # Errors
    /// [`OpenError::NotGenuine`] when it was sealed for another place or by other keys.
    pub fn open_declaration(
        &self,
        what: Declared,
        position: u64,
        index: u32,
        sealed: &[u8],
    ) -> Result<Vec<u8>, OpenError> {
        open(&self.declarations, &nonce(index.saturating_add(1), position), &self.declaration_aad(what), sealed)
    }

    fn declaration_aad(&self, what: Declared) -> Vec<u8> {
        let label: &[u8] = match what {
            Declared::Collection => b"collection",
            Declared::Shape => b"shape",
        };
        [&self.log.0, label].concat()
    }
}

fn nonce(index: u32, position: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&index.to_be_bytes());
    bytes[4..].copy_from_slice(&position.to_be_bytes());
    bytes.into()
}

#[expect(clippy::expect_used, reason = "an invariant: payloads and declarations have limits far below the cipher's")]
fn seal(cipher: &Aes256GcmSiv, nonce: &Nonce, aad: &[u8], msg: &[u8]) -> Vec<u8> {
    cipher.encrypt(nonce, Payload { msg, aad }).expect("contents are far below the cipher's 64 GiB")
}

fn open(cipher: &Aes256GcmSiv, nonce: &Nonce, aad: &[u8], msg: &[u8]) -> Result<Vec<u8>, OpenError> {
    cipher.decrypt(nonce, Payload { msg, aad }).map_err(|_| OpenError::NotGenuine)
}

/// Puts the form before the content: as it is, or compressed where that saves a tenth.
fn pack(plaintext: &[u8]) -> Vec<u8> {
    if plaintext.len() >= COMPRESS_FROM
        && let Ok(compressed) = zstd::bulk::compress(plaintext, 3)
        && compressed.len() + 4 < plaintext.len() - plaintext.len() / 10
        && plaintext.len() <= compressed.len().saturating_mul(EXPANSION)
    {
        let mut out = Writer::with_capacity(compressed.len() + 5);
        out.byte(ZSTD);
        out.varint(plaintext.len() as u64);
        out.raw(&compressed);
        return out.into_vec();
    }
    let mut out = Vec::with_capacity(plaintext.len() + 1);
    out.push(RAW);
    out.extend_from_slice(plaintext);
    out
}

fn unpack(mut packed: Vec<u8>) -> Result<Vec<u8>, OpenError> {
    let mut input = Reader::new(&packed);
    match input.byte() {
        Ok(RAW) => {
            packed.remove(0);
            Ok(packed)
        }
        Ok(ZSTD) => {
            let len = input.count("content", PLAINTEXT_BYTES).map_err(|_| OpenError::Malformed("its length"))?;
            if len > input.remaining().saturating_mul(EXPANSION) {
                return Err(OpenError::Malformed("its length"));
            }
            let plaintext =
                zstd::bulk::decompress(input.rest(), len).map_err(|_| OpenError::Malformed("compressed data"))?;
            if plaintext.len() == len { Ok(plaintext) } else { Err(OpenError::Malformed("its length")) }
        }
        _ => Err(OpenError::Malformed("its form")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{Body, BodyV1};

    fn key() -> LogKey {
        SetKey::combine(vec![(Hash([1; 32]), &ReadingKey([2; 32]))]).for_log(LogId([3; 32]))
    }

    fn header(time: i64) -> Header {
        let body = Body::V1(BodyV1 { time, key: 1, ..BodyV1::default() });
        Header { ends_commit: true, payload_hash: Hash([0; 32]), payload_len: 0, body }
    }

    #[test]
    fn what_is_sealed_opens_at_its_place_only() {
        let repetitive = (0..100_000u32).map(|i| (i % 1_000) as u8).collect();
        for plaintext in [b"a little".to_vec(), repetitive, vec![b'a'; 100_000]] {
            let sealed = key().seal_payload(5, &header(1), &plaintext);
            assert_eq!(key().open_payload(5, &header(1), &sealed), Ok(plaintext));
            assert_eq!(key().open_payload(6, &header(1), &sealed), Err(OpenError::NotGenuine));
            assert_eq!(key().open_payload(5, &header(2), &sealed), Err(OpenError::NotGenuine));
        }
    }

    #[test]
    fn a_schema_opens_for_its_collection_and_with_its_keys_only() {
        let set = |key| SetKey::combine(vec![(Hash([1; 32]), &ReadingKey([key; 32]))]);
        let tag = CollectionTag([3; 16]);
        let sealed = set(2).seal_schema(tag, b"fields");
        assert_eq!(data_encoding::HEXLOWER.encode(&sealed), "b1f1f7c6c74158460d63bfcd1804cb1f6df86fb8ccd37a");
        assert_eq!(set(2).open_schema(tag, &sealed), Ok(b"fields".to_vec()));
        assert_eq!(set(2).open_schema(CollectionTag([4; 16]), &sealed), Err(OpenError::NotGenuine));
        assert_eq!(set(3).open_schema(tag, &sealed), Err(OpenError::NotGenuine));
    }

    #[test]
    fn what_repeats_itself_is_sealed_smaller_and_noise_hardly_larger() {
        let sealed = |plaintext: &[u8]| key().seal_payload(5, &header(1), plaintext).len();
        let text = b"Cusco, Puno, Tacna, Ica. ".repeat(200);
        assert!(sealed(&text) < text.len() / 10, "{}", sealed(&text));
        let mut noise = vec![0; 5_000];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        let digits = data_encoding::HEXLOWER.encode(&noise);
        assert!(sealed(digits.as_bytes()) < digits.len() * 6 / 10, "{}", sealed(digits.as_bytes()));
        assert_eq!(sealed(&noise), noise.len() + 17);
        assert_eq!(sealed(&[b'a'; COMPRESS_FROM - 1]), COMPRESS_FROM - 1 + 17, "what is short stays as it is");
    }

    #[test]
    fn a_compressed_payload_cannot_claim_to_be_huge() {
        let mut out = Writer::new();
        out.byte(ZSTD);
        out.varint(u64::MAX >> 1);
        assert_eq!(unpack(out.into_vec()), Err(OpenError::Malformed("its length")));

        let zeros = vec![0; 1 << 20];
        let mut out = Writer::new();
        out.byte(ZSTD);
        out.varint(zeros.len() as u64);
        out.raw(&zstd::bulk::compress(&zeros, 3).unwrap());
        assert_eq!(unpack(out.into_vec()), Err(OpenError::Malformed("its length")));
    }

    #[test]
    fn a_compressed_payload_holds_as_much_as_the_limit_and_no_more() {
        let noise = blake3::Hasher::new().finalize_xof();
        let mut content = vec![0; PLAINTEXT_BYTES + 1];
        { noise }.fill(&mut content[..100_000]);
        let claimed = |content: &[u8]| {
            let mut out = Writer::new();
            out.byte(ZSTD);
            out.varint(content.len() as u64);
            out.raw(&zstd::bulk::compress(content, 1).unwrap());
            unpack(out.into_vec())
        };
        assert_eq!(claimed(&content), Err(OpenError::Malformed("its length")));
        content.pop();
        assert!(claimed(&content) == Ok(content));
    }

    #[test]
    fn the_order_in_which_epochs_are_named_makes_no_difference() {
        let (a, b) = (ReadingKey([1; 32]), ReadingKey([2; 32]));
        let one = SetKey::combine(vec![(Hash([1; 32]), &a), (Hash([2; 32]), &b)]);
        let other = SetKey::combine(vec![(Hash([2; 32]), &b), (Hash([1; 32]), &a)]);
        assert_eq!(one, other);
    }
}
