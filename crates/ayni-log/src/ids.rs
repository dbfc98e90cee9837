//! The names of things: hashes, keys and identifiers.
//!
//! All are fixed-size byte arrays, compared as bytes, shown as lowercase hex (devices and documents as people meet them:
//! base32 without padding), and never interpreted beyond what their docs say.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, HEXLOWER};

use crate::codec::{DecodeError, Reader, Writer};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $text:expr, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// The number of bytes.
            pub const LEN: usize = $bytes;

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }

            /// From exactly [`Self::LEN`] bytes; `None` for any other length.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// Writes the bytes as they are.
            pub fn encode(&self, out: &mut Writer) {
                out.raw(&self.0);
            }

            /// Reads [`Self::LEN`] bytes.
            pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self(input.array()?))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&$text.encode(&self.0).to_ascii_lowercase())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let wrong = || IdError { what: $what, text: text.chars().take(80).collect() };
                let folded = if $text == HEXLOWER { text.to_ascii_lowercase() } else { text.to_ascii_uppercase() };
                let bytes = $text.decode(folded.as_bytes()).map_err(|_| wrong())?;
                Self::from_slice(&bytes).ok_or_else(wrong)
            }
        }
    };
}

/// A text that is no identifier of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}: copy it whole, as it was printed")]
pub struct IdError {
    what: &'static str,
    text: String,
}

id!(
    /// A BLAKE3 hash: of an entry (its link in the chain), of a payload, or of a control entry that others refer to.
    Hash, 32, HEXLOWER, "a hash (64 hexadecimal digits)"
);
id!(
    /// What a project is known by: the hash of its founding body.
    ProjectId, 32, BASE32_NOPAD, "a project id (52 letters and digits)"
);
id!(
    /// A device: its Ed25519 verifying key. The recovery key is one too.
    DeviceId, 32, BASE32_NOPAD, "a device id (52 letters and digits)"
);
id!(
    /// A log: BLAKE3 over project, device, kind and incarnation. It seeds the chain of its entries.
    LogId, 32, HEXLOWER, "a log id (64 hexadecimal digits)"
);
id!(
    /// An incarnation of a device: 16 random bytes, new whenever its folder was restored or copied.
    StoreId, 16, HEXLOWER, "a store id (32 hexadecimal digits)"
);
id!(
    /// A document.
    DocumentId, 16, BASE32_NOPAD, "a document id (26 letters and digits)"
);
id!(
    /// A collection as headers name it: a hash of its name under the project's naming key, which carriers lack.
    CollectionTag, 16, HEXLOWER, "a collection tag (32 hexadecimal digits)"
);
id!(
    /// An X25519 public key: what reading keys are sealed to.
    ExchangeKey, 32, HEXLOWER, "an exchange key (64 hexadecimal digits)"
);
id!(
    /// An Ed25519 signature.
    Signature, 64, HEXLOWER, "a signature (128 hexadecimal digits)"
);

/// Which of a device's two logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LogKind {
    /// Membership: not sealed, sent first and whole.
    Control = 0,
    /// Documents: sealed.
    Data = 1,
}

impl LogKind {
    /// The byte that stands for it in formats.
    pub const fn byte(self) -> u8 {
        self as u8
    }

    /// The kind that a byte stands for.
    pub fn from_byte(byte: u8) -> Result<Self, DecodeError> {
        match byte {
            0 => Ok(Self::Control),
            1 => Ok(Self::Data),
            _ => Err(DecodeError::Invalid("log kind")),
        }
    }
}

/// Everything that a log's id is made of, so that anyone can check which device may sign it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogName {
    /// The project that it belongs to.
    pub project: ProjectId,
    /// The device that writes it.
    pub device: DeviceId,
    /// Control or data.
    pub kind: LogKind,
    /// The incarnation of the device.
    pub incarnation: StoreId,
}

impl LogName {
    /// The log's id: `BLAKE3-derive("ayni v1 log id", project ‖ device ‖ kind ‖ incarnation)`.
    pub fn id(&self) -> LogId {
        let mut hasher = blake3::Hasher::new_derive_key("ayni v1 log id");
        hasher.update(&self.project.0);
        hasher.update(&self.device.0);
        hasher.update(&[self.kind.byte()]);
        hasher.update(&self.incarnation.0);
        LogId(*hasher.finalize().as_bytes())
    }

    /// The same device's and incarnation's log of the other kind.
    pub fn sibling(&self, kind: LogKind) -> Self {
        Self { kind, ..*self }
    }

    /// Writes device, kind and incarnation; the project is known from where it stands.
    pub fn encode(&self, out: &mut Writer) {
        self.device.encode(out);
        out.byte(self.kind.byte());
        self.incarnation.encode(out);
    }

    /// Reads what [`LogName::encode`] wrote.
    pub fn decode(input: &mut Reader<'_>, project: ProjectId) -> Result<Self, DecodeError> {
        Ok(Self {
            project,
            device: DeviceId::decode(input)?,
            kind: LogKind::from_byte(input.byte()?)?,
            incarnation: StoreId::decode(input)?,
        })
    }
}
