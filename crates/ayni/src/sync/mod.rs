//! Sync: the conversations with other devices, over whatever channels they are reached by.
//!
//! - [`link`]: one conversation, driven by a channel's bytes.
//! - [`pool`]: all of them, and the worker that stores what they want stored.
//! - [`queue`]: the order in which that is done.
//! - [`replica`]: what a conversation is told about what this device holds.
//! - [`receipts`]: this device's own statements of what it holds.

pub(crate) mod link;
pub(crate) mod pool;
pub(crate) mod queue;
pub(crate) mod receipts;
pub(crate) mod replica;
