//! What the network shows of its peers: [`PeerStatus`].

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::TransportId;

/// One peer, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Who.
    pub id: TransportId,
    /// Every address known of it, from discovery, by hand or from an earlier connection.
    pub addresses: Vec<SocketAddr>,
    /// It is being announced on a network of this device.
    pub discovered: bool,
    /// What the network is doing about it.
    pub state: PeerState,
    /// Why it was not reached the last time, or why its last channel ended. None while it is connected.
    pub trouble: Option<String>,
}

/// What the network is doing about a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerState {
    /// A channel is open.
    Connected {
        /// Since when.
        since: Instant,
        /// We dialed.
        initiator: bool,
        /// Where the peer is.
        address: SocketAddr,
        /// Round trip, as QUIC estimates it.
        rtt: Duration,
        /// UDP payload sent, in bytes.
        sent: u64,
        /// UDP payload received, in bytes.
        received: u64,
    },
    /// A dial is under way.
    Dialing,
    /// The next dial is at `until`.
    Waiting {
        /// When it is dialed next.
        until: Instant,
    },
}
