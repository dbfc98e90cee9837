//! The QUIC endpoint: where it listens, its windows and timeouts, and how one connection is opened.
//!
//! Each connection carries one stream in both directions. Each side first sends its *run*, 16 random
//! bytes drawn when its network started; the acceptor sends its own only once it has decided that
//! this connection is the one that stands. So the two agree on which of several it is, and each can
//! tell a peer that restarted from one that dialed twice.

use std::{collections::BTreeSet, net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr}, time::Duration};

use iroh::{
    Endpoint, EndpointAddr, PublicKey, RelayMode, SecretKey, TransportAddr,
    endpoint::{
        BindOpts, Connection, Incoming, QuicTransportConfig, RecvStream, SendStream, VarInt, presets,
    },
};

use crate::{CloseReason, StartError, TransportId, limits};

/// The protocol, with its version: peers that speak another do not connect.
const ALPN: &[u8] = b"ayni/1";

/// Ports tried before giving up, when none was asked for.
const PORTS_TRIED: u16 = 32;

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
    Refused = 6,
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
            CloseReason::Refused => Self::Refused,
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
            c if c == code(Code::Refused) => CloseReason::Refused,
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
    pub(crate) remote: SocketAddr,
    pub(crate) initiator: bool,
}

/// Binds where asked, or on every address at a port that stays the same for this key if it is free,
/// so that an address remembered from last time is likely to serve again.
pub(crate) async fn bind(secret_key: [u8; 32], listen: Option<SocketAddr>) -> Result<Endpoint, StartError> {
    let secret_key = SecretKey::from_bytes(&secret_key);
    if let Some(listen) = listen {
        return bind_at(&secret_key, listen).await;
    }
    let id = secret_key.public();
    let home = id.as_bytes().first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes)) % 16_384;
    let mut last = None;
    for attempt in 0..PORTS_TRIED {
        let port = 49_152_u16.saturating_add(home.wrapping_add(attempt) % 16_384);
        match bind_at(&secret_key, SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).await {
            Ok(endpoint) => return Ok(endpoint),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or(StartError::NoRandomness))
}

async fn bind_at(secret_key: &SecretKey, listen: SocketAddr) -> Result<Endpoint, StartError> {
    let cannot = |what: String| StartError::Bind { listen, what };
    let mut builder = Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .secret_key(secret_key.clone())
        .alpns(vec![ALPN.to_vec()])
        .transport_config(transport())
        .clear_ip_transports()
        .bind_addr(listen)
        .map_err(|e| cannot(e.to_string()))?;
    if listen.ip() == IpAddr::V4(Ipv4Addr::UNSPECIFIED) && listen.port() != 0 {
        // Both families at one port, because an announcement holds one. A machine may have no IPv6.
        builder = builder
            .bind_addr_with_opts((Ipv6Addr::UNSPECIFIED, listen.port()), BindOpts::default().set_is_required(false))
            .map_err(|e| cannot(e.to_string()))?;
    }
    builder.bind().await.map_err(|e| cannot(e.to_string()))
}

fn transport() -> QuicTransportConfig {
    let idle = limits::IDLE_TIMEOUT.try_into().ok();
    QuicTransportConfig::builder()
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(limits::RECEIVE_WINDOW))
        .receive_window(VarInt::from_u32(limits::RECEIVE_WINDOW))
        .send_window(limits::SEND_WINDOW)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(idle)
        .default_path_max_idle_timeout(limits::IDLE_TIMEOUT)
        .keep_alive_interval(limits::KEEP_ALIVE)
        .default_path_keep_alive_interval(limits::KEEP_ALIVE)
        .build()
}

/// Dials a peer at all its addresses at once, and waits until it has accepted the channel.
///
/// `Err(CloseReason::Replaced)` means that the peer prefers another connection between the two.
pub(crate) async fn dial(
    endpoint: &Endpoint,
    peer: TransportId,
    addrs: BTreeSet<SocketAddr>,
    own_run: Run,
) -> Result<Open, CloseReason> {
    let id = PublicKey::from_bytes(&peer.0).map_err(|_| CloseReason::Lost("the transport id is not a key".into()))?;
    let target = EndpointAddr::from_parts(id, addrs.into_iter().map(TransportAddr::Ip));
    let attempt = async {
        let connection = endpoint
            .connect(target, ALPN)
            .await
            .map_err(|e| CloseReason::Lost(format!("it does not answer: {e}")))?;
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
        let remote = remote_address(&connection).unwrap_or(UNKNOWN);
        Ok(Open { connection, send, receive, peer, run, remote, initiator: true })
    };
    tokio::time::timeout(limits::DIAL_TIMEOUT, attempt)
        .await
        .unwrap_or_else(|_| Err(CloseReason::Lost("it does not answer".into())))
}

/// Takes an incoming connection up to the point where it is to be decided whether it stands.
pub(crate) async fn accept(incoming: Incoming, from: SocketAddr) -> Option<Open> {
    let attempt = async {
        let connection = incoming.accept().ok()?.await.ok()?;
        let (send, mut receive) = connection.accept_bi().await.ok()?;
        let mut run = Run::default();
        receive.read_exact(&mut run).await.ok()?;
        let peer = TransportId(*connection.remote_id().as_bytes());
        let remote = remote_address(&connection).unwrap_or(from);
        Some(Open { connection, send, receive, peer, run, remote, initiator: false })
    };
    tokio::time::timeout(limits::HANDSHAKE_TIMEOUT, attempt).await.ok()?
}

const UNKNOWN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Where the peer is now.
pub(crate) fn remote_address(connection: &Connection) -> Option<SocketAddr> {
    let paths = connection.paths();
    let path = paths.iter().find(|path| path.is_selected()).or_else(|| paths.iter().next())?;
    match path.remote_addr() {
        TransportAddr::Ip(addr) => Some(*addr),
        _ => None,
    }
}

/// Round trip to the peer, by the path in use.
pub(crate) fn rtt(connection: &Connection) -> Duration {
    let paths = connection.paths();
    let path = paths.iter().find(|path| path.is_selected()).or_else(|| paths.iter().next());
    path.map_or(Duration::ZERO, |path| path.rtt())
}
