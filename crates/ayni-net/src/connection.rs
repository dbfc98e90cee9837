//! One QUIC connection: how it is opened, from either side, and what is said when it is closed.
//!
//! Each connection carries one stream in both directions. Each side first sends its *run*, 16 random
//! bytes drawn when its network started; the acceptor sends its own only once it has decided that
//! this connection is the one that stands. So the two agree on which of several it is, and each can
//! tell a peer that restarted from one that dialed twice.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6},
    time::Duration,
};

use iroh::{
    EndpointAddr, PublicKey, TransportAddr,
    endpoint::{Connection, Incoming, RecvStream, SendStream, VarInt},
};
use tokio::time::timeout;

use crate::{
    CloseReason, TransportId,
    endpoints::{Endpoints, Place, link_scope},
    limits,
};

/// The protocol, with its version: peers that speak another do not connect.
pub(crate) const ALPN: &[u8] = b"ayni/1";

/// What each network draws when it starts, to be told from its former life.
pub(crate) type Run = [u8; 16];

/// Codes with which a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Code {
    Gone = 0,
    Finished = 1,
    Duplicate = 2,
    NothingInCommon = 3,
    Protocol = 4,
    Trouble = 5,
    Busy = 7,
    Replaced = 8,
}

impl Code {
    /// What to tell the peer about a channel that ends here for this reason.
    pub(crate) fn for_reason(reason: &CloseReason) -> Self {
        match reason {
            CloseReason::Finished => Self::Finished,
            CloseReason::NothingInCommon => Self::NothingInCommon,
            CloseReason::Protocol(_) => Self::Protocol,
            CloseReason::Busy => Self::Busy,
            CloseReason::Replaced => Self::Replaced,
            CloseReason::Local(_) => Self::Trouble,
            _ => Self::Gone,
        }
    }

    pub(crate) fn close(self, connection: &Connection) {
        connection.close(VarInt::from_u32(self as u32), b"");
    }
}

/// What became of a connection that the other side closed, or that broke.
pub(crate) fn ended(connection: &Connection) -> CloseReason {
    use iroh::endpoint::ConnectionError as E;
    let code = |code: Code| VarInt::from_u32(code as u32);
    match connection.close_reason() {
        Some(E::ApplicationClosed(close)) => match close.error_code {
            c if c == code(Code::Finished) => CloseReason::Finished,
            c if c == code(Code::NothingInCommon) => CloseReason::NothingInCommon,
            c if c == code(Code::Protocol) => CloseReason::Accused,
            c if c == code(Code::Trouble) => CloseReason::PeerTrouble,
            c if c == code(Code::Busy) => CloseReason::Busy,
            c if c == code(Code::Duplicate) || c == code(Code::Replaced) => CloseReason::Replaced,
            _ => CloseReason::PeerGone,
        },
        Some(other) => CloseReason::Lost(other.to_string()),
        None => CloseReason::Lost("the stream was closed".into()),
    }
}

/// A connection whose peer is proven and has sent its run.
pub(crate) struct Open {
    pub(crate) connection: Connection,
    pub(crate) send: SendStream,
    pub(crate) receive: RecvStream,
    pub(crate) peer: TransportId,
    pub(crate) run: Run,
    pub(crate) initiator: bool,
    /// The interface that it is on, if it is between link-local addresses.
    pub(crate) scope: u32,
    pub(crate) remote: SocketAddr,
}

/// Dials a peer at all its addresses, and waits until it has accepted the channel.
///
/// `Err(CloseReason::Replaced)` means that the peer prefers another connection between the two.
pub(crate) async fn dial(
    endpoints: &Endpoints,
    peer: TransportId,
    addrs: BTreeSet<SocketAddr>,
    own_run: Run,
) -> Result<Open, CloseReason> {
    let ways = endpoints.ways(addrs);
    let mut ways = ways.into_iter().peekable();
    let mut result = Err(CloseReason::Lost("none of its addresses is on a network of this device".into()));
    while let Some((place, addrs)) = ways.next() {
        let patience = if ways.peek().is_some() { limits::FIRST_WAY_TIMEOUT } else { limits::DIAL_TIMEOUT };
        result = timeout(patience, dial_from(place, peer, addrs, own_run))
            .await
            .unwrap_or_else(|_| Err(CloseReason::Lost("it does not answer".into())));
        if !matches!(result, Err(CloseReason::Lost(_))) {
            break;
        }
    }
    result
}

async fn dial_from(
    Place { endpoint, scope }: Place,
    peer: TransportId,
    addrs: BTreeSet<SocketAddr>,
    own_run: Run,
) -> Result<Open, CloseReason> {
    let id = PublicKey::from_bytes(&peer.0).map_err(|_| CloseReason::Lost("the transport id is not a key".into()))?;
    let target = EndpointAddr::from_parts(id, addrs.into_iter().map(TransportAddr::Ip));
    let connection =
        endpoint.connect(target, ALPN).await.map_err(|e| CloseReason::Lost(format!("it does not answer: {e}")))?;
    let opening = async {
        let (mut send, mut receive) = connection.open_bi().await.ok()?;
        send.write_all(&own_run).await.ok()?;
        let mut run = Run::default();
        receive.read_exact(&mut run).await.ok()?;
        Some((send, receive, run))
    };
    let Some((send, receive, run)) = opening.await else {
        return Err(ended(&connection));
    };
    let remote = remote_address(&connection, scope).unwrap_or(UNKNOWN);
    Ok(Open { connection, send, receive, peer, run, initiator: true, scope, remote })
}

/// Takes an incoming connection up to the point where it is to be decided whether it stands.
pub(crate) async fn accept(incoming: Incoming, scope: u32, from: SocketAddr) -> Option<Open> {
    let attempt = async {
        let connection = incoming.accept().ok()?.await.ok()?;
        let (send, mut receive) = connection.accept_bi().await.ok()?;
        let mut run = Run::default();
        receive.read_exact(&mut run).await.ok()?;
        let peer = TransportId(*connection.remote_id().as_bytes());
        let remote = remote_address(&connection, scope).unwrap_or_else(|| scoped(from, scope));
        Some(Open { connection, send, receive, peer, run, initiator: false, scope, remote })
    };
    timeout(limits::HANDSHAKE_TIMEOUT, attempt).await.ok()?
}

const UNKNOWN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Where the peer is now.
pub(crate) fn remote_address(connection: &Connection, scope: u32) -> Option<SocketAddr> {
    let paths = connection.paths();
    let path = paths.iter().find(|path| path.is_selected()).or_else(|| paths.iter().next())?;
    match path.remote_addr() {
        TransportAddr::Ip(addr) => Some(scoped(*addr, scope)),
        _ => None,
    }
}

/// A link-local address with the interface that it is on.
fn scoped(addr: SocketAddr, scope: u32) -> SocketAddr {
    match (addr, link_scope(&addr)) {
        (SocketAddr::V6(v6), Some(0)) => SocketAddrV6::new(*v6.ip(), v6.port(), 0, scope).into(),
        _ => addr,
    }
}

/// Round trip to the peer, by the path in use.
pub(crate) fn rtt(connection: &Connection) -> Duration {
    let paths = connection.paths();
    let path = paths.iter().find(|path| path.is_selected()).or_else(|| paths.iter().next());
    path.map_or(Duration::ZERO, |path| path.rtt())
}
