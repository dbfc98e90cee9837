//! The signed, sealed logs that Ayni is made of.
//!
//! What a device did in a project stands in its logs; this crate knows how they are written, hashed, signed, sealed and
//! judged. It does no I/O and knows no clock: bytes, times and random bytes are given to it.
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

pub mod codec;
pub mod entry;
pub mod header;
pub mod ids;
pub mod limits;
pub mod membership;
pub mod seal;
pub mod segment;
pub mod sign;
pub mod tip;
pub mod write;
