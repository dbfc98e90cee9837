//! What the database implements to be told of channels: [`Peers`] and [`Link`].
//!
//! Both are plain, blocking traits: database work blocks, so the network calls them on threads
//! where blocking is allowed, and never from the asynchronous runtime itself.

use std::{fmt, net::SocketAddr, sync::Arc};

use crate::TransportId;

/// The database, as the network sees it.
pub trait Peers: Send + Sync + 'static {
    /// A channel with a proven peer is open. An error closes it with that reason: one of this device's own passes, so the
    /// peer is soon tried again.
    ///
    /// There is at most one channel to a peer at a time: one that is replaced (the peer restarted)
    /// has been [`closed`](Link::closed) before this is called for the next.
    fn connected(&self, info: LinkInfo, waker: Waker) -> Result<Box<dyn Link>, LinkError>;
}

/// One channel, as the database sees it.
///
/// `receive` is called by one thread at a time and in order, and so is `outgoing`; the two may be
/// called at the same time. After `closed` nothing is called any more.
pub trait Link: Send + Sync + 'static {
    /// The next bytes from the peer, in order, cut anywhere, at most [`CHUNK`](crate::limits::CHUNK).
    ///
    /// May block; while it does, the peer is held back by flow control. An error closes the channel
    /// with that reason. Afterwards `outgoing` is asked, without a wake.
    fn receive(&self, bytes: &[u8]) -> Result<(), LinkError>;

    /// The next bytes for the peer, at most `max`. `None`: nothing now, until the waker is called.
    fn outgoing(&self, max: usize) -> Option<Vec<u8>>;

    /// Both sides have said goodbye: everything that `outgoing` gave is flushed, then the channel closes.
    fn finished(&self) -> bool;

    /// The peer has proved to share a project. Until then it counts as a stranger, and when
    /// strangers are too many the oldest are let go. Must not block.
    fn admitted(&self) -> bool;

    /// Time has passed: called every [`TICK`](crate::limits::TICK) while there is nothing to send.
    fn tick(&self) {}

    /// The channel has ended, for this reason. Called once.
    fn closed(&self, reason: &CloseReason);
}

/// What is known of a channel when it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkInfo {
    /// The peer's transport id, proved by the handshake.
    pub peer: TransportId,
    /// Our own transport id.
    pub own: TransportId,
    /// We dialed. Of the two sides exactly one is the initiator.
    pub initiator: bool,
    /// 32 bytes that both sides have alike and no other channel has: exported from the TLS session (RFC 5705).
    pub binding: [u8; 32],
    /// Where the peer is now, for display; it may move while the channel stands.
    pub remote: SocketAddr,
}

/// Tells the network that a link has something to send, or is finished. Cheap to clone and to call.
#[derive(Clone)]
pub struct Waker(Arc<dyn Fn() + Send + Sync>);

impl Waker {
    /// A waker that calls this function, which must neither block nor fail.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wake))
    }

    /// Asks the network to call [`Link::outgoing`] and [`Link::finished`] again.
    pub fn wake(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}

/// Why a link ends its channel.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkError {
    /// The two devices share no project. Neither dials the other for a while.
    #[error("the two devices have no project in common")]
    NothingInCommon,
    /// The peer sent what it must not.
    #[error("the peer broke the protocol: {0}")]
    Protocol(String),
    /// Trouble on our side, such as a full disk. The peer is told no more than that.
    #[error("this device could not go on: {0}")]
    Local(String),
}

/// Why a channel ended.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// Both sides said goodbye.
    #[error("finished: both sides said goodbye")]
    Finished,
    /// One of the two found that they share no project.
    #[error("no project in common")]
    NothingInCommon,
    /// The peer broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    Protocol(String),
    /// The peer says that we broke the protocol.
    #[error("the peer ended the channel: it did not understand what it received; update the older of the two devices")]
    Accused,
    /// Trouble on our side.
    #[error("this device could not go on: {0}")]
    Local(String),
    /// Trouble on the peer's side.
    #[error("the peer could not go on; it will be tried again")]
    PeerTrouble,
    /// One of the two has no room for more strangers.
    #[error("too many connections; it will be tried again")]
    Busy,
    /// The peer connected anew, and the new channel replaces this one.
    #[error("replaced: the peer connected anew")]
    Replaced,
    /// The peer closes its network.
    #[error("the peer has gone offline")]
    PeerGone,
    /// We close our network, or were told to forget the peer.
    #[error("this device has gone offline")]
    Shutdown,
    /// The connection broke or fell silent.
    #[error("the connection was lost: {0}")]
    Lost(String),
}

impl From<LinkError> for CloseReason {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::NothingInCommon => Self::NothingInCommon,
            LinkError::Protocol(what) => Self::Protocol(what),
            LinkError::Local(what) => Self::Local(what),
        }
    }
}
