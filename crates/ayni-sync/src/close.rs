//! How a session ends, and what each side says about it.

use ayni_log::codec::DecodeError;

/// Why a session ended, as one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseCode {
    /// The two programs have no version in common.
    Version,
    /// Bytes that are no message.
    Malformed,
    /// A message that has no place here.
    Unexpected,
    /// The device could not prove who it is.
    Proof,
    /// Nothing came, or nothing was taken, for too long.
    Timeout,
    /// A segment that was forged.
    Forged,
    /// This side cannot store: its disk is full or failing.
    Storage,
    /// The other side is this device itself.
    Itself,
    /// The program stops.
    Shutdown,
    /// Another session between the same two goes on instead.
    Replaced,
    /// This side has as many sessions as it takes, with this device or altogether.
    Busy,
    /// A code that a newer program knows.
    Other(u8),
}

impl CloseCode {
    /// The byte that stands for it.
    pub fn byte(self) -> u8 {
        match self {
            Self::Version => 1,
            Self::Malformed => 2,
            Self::Unexpected => 3,
            Self::Proof => 4,
            Self::Timeout => 5,
            Self::Forged => 6,
            Self::Storage => 7,
            Self::Itself => 8,
            Self::Shutdown => 9,
            Self::Replaced => 10,
            Self::Busy => 11,
            Self::Other(byte) => byte,
        }
    }

    /// What a byte stands for.
    pub fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::Version,
            2 => Self::Malformed,
            3 => Self::Unexpected,
            4 => Self::Proof,
            5 => Self::Timeout,
            6 => Self::Forged,
            7 => Self::Storage,
            8 => Self::Itself,
            9 => Self::Shutdown,
            10 => Self::Replaced,
            11 => Self::Busy,
            other => Self::Other(other),
        }
    }
}

/// A code, and a text for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Reason {
    /// For programs.
    pub code: CloseCode,
    /// For people: what happened and what to do.
    pub text: String,
}

impl Reason {
    /// A reason; the text is cut to what a message can carry.
    pub fn new(code: CloseCode, text: impl Into<String>) -> Self {
        Self { code, text: crate::message::cut_text(text.into()) }
    }

    pub(crate) fn unexpected(text: impl Into<String>) -> Self {
        Self::new(CloseCode::Unexpected, text)
    }
}

impl From<DecodeError> for Reason {
    fn from(error: DecodeError) -> Self {
        if let DecodeError::Version { what, version } = error {
            return Self::new(CloseCode::Version, format!("{what} of version {version}: update Ayni on this device"));
        }
        Self::new(CloseCode::Malformed, format!("a message could not be read: {error}"))
    }
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Both had said goodbye.
    Goodbye,
    /// This side ended it.
    Here(Reason),
    /// The other side ended it.
    There(Reason),
}
