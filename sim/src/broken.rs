//! A promise that was broken.

use std::fmt;

/// The promises of the design, as far as the simulator can see them broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// Nothing acknowledged is lost.
    Lost,
    /// Everyone ends up with the same.
    Same,
    /// No edit disappears silently.
    Disappeared,
    /// Nothing unverified is stored, nothing unauthorised counts.
    Unverified,
    /// Nobody uninvited reads anything.
    Uninvited,
    /// A status is never a guess.
    Status,
    /// Remote input cannot crash, exhaust or corrupt.
    Remote,
    /// It does become level.
    Live,
    /// What is asked for is done, or refused with the reason.
    Works,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "nothing acknowledged is lost",
            Self::Same => "everyone ends up with the same",
            Self::Disappeared => "no edit disappears silently",
            Self::Unverified => "nothing unverified is stored, nothing unauthorised counts",
            Self::Uninvited => "nobody uninvited reads anything",
            Self::Status => "a status is never a guess",
            Self::Remote => "remote input cannot crash, exhaust or corrupt",
            Self::Live => "devices that meet become level",
            Self::Works => "what is asked for is done, or refused with the reason",
        })
    }
}

/// Which promise was broken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The promise.
    pub promise: Promise,
    /// What happened.
    pub what: String,
}

impl Broken {
    /// Says that a promise is broken.
    ///
    /// # Errors
    /// Always.
    pub fn that<T>(promise: Promise, what: impl Into<String>) -> Result<T, Self> {
        Err(Self { promise, what: what.into() })
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken: {}\n  {}", self.promise, self.what)
    }
}

impl std::error::Error for Broken {}
