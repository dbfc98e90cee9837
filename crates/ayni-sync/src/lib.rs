//! What two devices say to each other until both hold everything.
//!
//! A [`Session`] is one conversation. It does no I/O and knows no clock: bytes and times are given to it, it reads what
//! this device holds through a [`Replica`], and it gives back bytes to send and [`Action`]s to carry out. So it runs the
//! same over QUIC, a WebRTC data channel, a WebSocket or a pipe in a test. What is in the entries is opaque here.
//!
//! `docs/sync.md` describes every message byte by byte.
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

pub mod action;
pub mod close;
mod frame;
mod frontier;
pub mod limits;
pub mod message;
pub mod receipt;
pub mod replica;
mod session;
pub mod tag;

pub use action::{Action, Amount, Arrived, Progress, Refusal, Token};
pub use close::{CloseCode, Ended, Reason};
pub use frontier::digest;
pub use receipt::{Receipt, ReceiptKey, SignedReceipt};
pub use replica::{BranchId, BranchTip, Replica, SegmentBytes, Standing};
pub use session::{Config, Offer, Session};
