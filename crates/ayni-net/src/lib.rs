//! How Ayni devices find and reach each other.
//!
//! A [`Network`] finds peers on every interface of the machine (by mDNS, with or without a default
//! route), dials them and those whose addresses were given by hand, accepts those that dial it, and
//! hands the database one byte channel per peer: a [`Link`]. What the bytes mean is not known here.
//! [`Network::serve`] does it all for a [`Database`](ayni::Database).
//!
//! The transport is QUIC (crate `iroh`), with no relay and no DNS. A peer's [`TransportId`] is an
//! Ed25519 public key that the QUIC handshake proves; which *device* stands behind it is proved
//! inside the channel, by the sync protocol.
//!
//! The way of a connection: [`discovery`](self) or a [`PeerAddr`] puts a peer into the book, the
//! book says when to dial it, the switchboard settles which of several connections to one peer
//! stands, and a channel carries bytes between its QUIC stream and the [`Link`].
//!
//! [`wake`] lets processes on the same database folder tell each other that something was committed.

#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod address;
mod book;
mod channel;
mod connection;
mod discovery;
mod door;
mod endpoints;
pub mod limits;
mod link;
mod network;
mod roster;
mod serve;
mod status;
mod switchboard;
pub mod wake;

pub use address::{PeerAddr, PeerAddrError, TransportId};
pub use link::{CloseReason, Link, LinkError, LinkInfo, Peers, Waker};
pub use network::{DEFAULT_SERVICE, Network, NetworkConfig, StartError};
pub use status::{PeerState, PeerStatus};

/// The guide, so that it is compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide.md")]
mod guide {}
