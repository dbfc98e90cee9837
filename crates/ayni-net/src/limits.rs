//! Every limit of the network, by name.
//!
//! What a peer can make this device hold is bounded by these: at most [`MAX_CONNECTIONS`] channels,
//! each of [`RECEIVE_WINDOW`] + [`SEND_WINDOW`] bytes, and [`MAX_HANDSHAKES`] unfinished handshakes.

use std::time::Duration;

/// Channels open at once, to all peers together.
pub const MAX_CONNECTIONS: usize = 128;
/// Channels open at once to peers that have not proved to share a project.
pub const MAX_STRANGERS: usize = 32;
/// Of these, from one IP address.
pub const MAX_STRANGERS_PER_ADDRESS: usize = 8;
/// When strangers are too many, the oldest makes room once it is this old.
pub const STRANGER_GRACE: Duration = Duration::from_secs(10);
/// Incoming handshakes under way at once.
pub const MAX_HANDSHAKES: usize = 64;
/// Of these, from one IP address.
pub const MAX_HANDSHAKES_PER_ADDRESS: usize = 16;
/// With more handshakes than this under way, an address must first show that it receives our packets.
pub const CROWDED_HANDSHAKES: usize = 16;
/// Time for an incoming connection to prove its key and open its stream.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Dials under way at once.
pub const MAX_DIALS: usize = 16;
/// Time for a dial, until the other side has accepted the channel.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(8);
/// Time for a dial by the first of several ways (by router and by wire), before the next is tried.
pub const FIRST_WAY_TIMEOUT: Duration = Duration::from_secs(3);
/// Interfaces whose IPv6 link-local address is listened on.
pub const MAX_WIRES: usize = 8;
/// How long a peer's connection waits for our own dial to that peer to succeed, when ours would win.
pub const HOLD: Duration = Duration::from_secs(1);
/// Peers known by discovery at once.
pub const MAX_DISCOVERED: usize = 256;
/// Addresses kept of one peer, of each source.
pub const MAX_ADDRESSES: usize = 16;
/// Records that discovery may hold before it starts afresh.
pub const MAX_DISCOVERY_RECORDS: i64 = 16_384;

/// First wait after a failed dial; doubles with each failure, with jitter.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// Longest wait between dials to a peer that does not answer.
pub const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// Failed dials after which a peer that is neither announced nor given by hand is dropped.
pub const GIVE_UP_AFTER: u32 = 12;
/// A peer that has nothing in common with us is left alone for this long.
pub const NOTHING_IN_COMMON_WAIT: Duration = Duration::from_secs(600);
/// After both sides said goodbye, we do not dial for this long.
pub const PARTED_WAIT: Duration = Duration::from_secs(30);
/// After one side broke the protocol, or had no room, we do not dial for this long.
pub const TROUBLE_WAIT: Duration = Duration::from_secs(60);

/// Bytes that a peer may send ahead of what was read, per channel.
///
/// 2 MiB carries 200 MB/s at a round trip of 10 ms, which is a bad Wi-Fi. No more, because the QUIC
/// implementation gives up a stream of which more than 1,024 separate pieces wait: with every second
/// packet of 1,200 bytes lost, this window holds 900.
pub const RECEIVE_WINDOW: u32 = 2 << 20;
/// Bytes sent and not yet acknowledged, per channel.
pub const SEND_WINDOW: u64 = 2 << 20;
/// Most bytes given to [`Link::receive`](crate::Link::receive) or asked of
/// [`Link::outgoing`](crate::Link::outgoing) at once.
pub const CHUNK: usize = 256 << 10;
/// A connection on which nothing arrives for this long is lost.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a silent connection shows that it lives.
pub const KEEP_ALIVE: Duration = Duration::from_secs(4);
/// How often a link that has nothing to send is told that time has passed.
pub const TICK: Duration = Duration::from_millis(200);
/// Time for the last bytes to be acknowledged when a channel ends.
pub const GOODBYE_TIMEOUT: Duration = Duration::from_secs(3);
/// Time to wait, when the network ends, until the peers have heard of it.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
