//! Where this network listens and dials from: its QUIC endpoints.
//!
//! One endpoint serves every address that means the same on all interfaces. IPv6 link-local
//! addresses do not, and on a network without a router or DHCP they are all there is. `iroh` forgets
//! through which interface a packet came, so each interface's link-local address has an endpoint of
//! its own, at the same port; these come and go with the interfaces.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use iroh::{
    Endpoint, RelayMode, SecretKey,
    endpoint::{BindOpts, QuicTransportConfig, VarInt, presets},
};
use tokio::{sync::mpsc, time::timeout};
use tracing::debug;

use crate::{StartError, connection::ALPN, limits};

/// Ports tried before giving up, when none was asked for.
const PORTS_TRIED: u16 = 32;
/// The ports from which one is chosen: those that nobody registers.
const PORTS: u16 = 16_384;
const FIRST_PORT: u16 = 49_152;
/// How often the interfaces are looked at.
const INTERFACE_CHECK: Duration = Duration::from_secs(1);

/// An endpoint, and the interface that it is bound to, if it is: the scope of its link-local address.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) endpoint: Endpoint,
    pub(crate) scope: u32,
}

/// Every endpoint of this network.
#[derive(Clone)]
pub(crate) struct Endpoints {
    main: Endpoint,
    secret_key: SecretKey,
    listen: SocketAddr,
    wires: Arc<Mutex<BTreeMap<(u32, Ipv6Addr), Endpoint>>>,
}

impl Endpoints {
    /// Binds where asked, or on every address at a port that stays the same for this key if it is
    /// free, so that an address remembered from last time is likely to serve again.
    pub(crate) async fn bind(secret_key: [u8; 32], listen: Option<SocketAddr>) -> Result<Self, StartError> {
        let secret_key = SecretKey::from_bytes(&secret_key);
        let (main, listen) = match listen {
            Some(listen) => (bind_at(&secret_key, listen).await?, listen),
            None => bind_at_home(&secret_key).await?,
        };
        let listen =
            main.bound_sockets().into_iter().find(|bound| bound.is_ipv4() == listen.is_ipv4()).unwrap_or(listen);
        let endpoints = Self { main, secret_key, listen, wires: Arc::default() };
        endpoints.look_at_interfaces().await;
        Ok(endpoints)
    }

    pub(crate) fn main(&self) -> &Endpoint {
        &self.main
    }

    /// The port that is announced: the same for IPv4 and for link-local addresses.
    pub(crate) fn port(&self) -> u16 {
        self.listen.port()
    }

    /// Follows the interfaces, and hands on every endpoint that others may connect to, until the receiver is dropped.
    pub(crate) async fn follow(self, places: mpsc::Sender<Place>) {
        let mut known = BTreeSet::new();
        let main = Place { endpoint: self.main.clone(), scope: self.own_scope() };
        if places.send(main).await.is_err() {
            return;
        }
        loop {
            let now: Vec<_> = self.wires().iter().map(|(wire, endpoint)| (*wire, endpoint.clone())).collect();
            known.retain(|wire| now.iter().any(|(other, _)| other == wire));
            for (wire, endpoint) in now {
                if known.insert(wire) && places.send(Place { endpoint, scope: wire.0 }).await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(INTERFACE_CHECK).await;
            self.look_at_interfaces().await;
        }
    }

    /// From where to dial which of these addresses, in the order in which to try.
    pub(crate) fn ways(&self, addrs: BTreeSet<SocketAddr>) -> Vec<(Place, BTreeSet<SocketAddr>)> {
        let mut far = BTreeSet::new();
        let mut near: BTreeMap<u32, BTreeSet<SocketAddr>> = BTreeMap::new();
        for addr in addrs {
            match link_scope(&addr) {
                Some(scope) => near.entry(scope).or_default().insert(addr),
                None => far.insert(addr),
            };
        }
        let mut ways = Vec::new();
        if !far.is_empty() {
            ways.push((Place { endpoint: self.main.clone(), scope: 0 }, far));
        }
        for (scope, addrs) in near {
            ways.extend(self.on_wire(scope).map(|endpoint| (Place { endpoint, scope }, addrs)));
        }
        ways
    }

    /// Closes every connection and endpoint. Waits a little for the others to have heard of it, and
    /// no longer: what remains is done in the background.
    pub(crate) async fn close(self) {
        let mut all: Vec<_> = std::mem::take(&mut *self.wires()).into_values().collect();
        all.push(self.main);
        let closing = all.into_iter().map(|endpoint| tokio::spawn(async move { endpoint.close().await }));
        let closing: Vec<_> = closing.collect();
        let _ = timeout(limits::CLOSE_TIMEOUT, async {
            for endpoint in closing {
                let _ = endpoint.await;
            }
        })
        .await;
    }

    fn on_wire(&self, scope: u32) -> Option<Endpoint> {
        if self.own_scope() == scope {
            return Some(self.main.clone());
        }
        self.wires().iter().find(|((wire, _), _)| *wire == scope).map(|(_, endpoint)| endpoint.clone())
    }

    /// The interface that all of this network is bound to by a link-local address, or none.
    fn own_scope(&self) -> u32 {
        link_scope(&self.listen).unwrap_or(0)
    }

    /// Binds what has come and closes what has gone. A network bound to one address has no wires.
    async fn look_at_interfaces(&self) {
        if self.main.is_closed() || self.listen.ip() != IpAddr::V4(Ipv4Addr::UNSPECIFIED) {
            return;
        }
        let there: BTreeSet<_> = if_addrs::get_if_addrs()
            .unwrap_or_default()
            .into_iter()
            .filter(|interface| interface.is_oper_up() && !interface.is_loopback())
            .filter_map(|interface| match (interface.index, interface.ip()) {
                (Some(scope), IpAddr::V6(ip)) if ip.is_unicast_link_local() => Some((scope, ip)),
                _ => None,
            })
            .take(limits::MAX_WIRES)
            .collect();
        let gone: Vec<_> = self.wires().extract_if(.., |wire, _| !there.contains(wire)).collect();
        for (_, endpoint) in gone {
            tokio::spawn(async move { endpoint.close().await });
        }
        let new: Vec<_> = there.into_iter().filter(|wire| !self.wires().contains_key(wire)).collect();
        for (scope, ip) in new {
            let listen = SocketAddrV6::new(ip, self.port(), 0, scope).into();
            // An address that the kernel still checks for duplicates cannot be bound yet: next time.
            match bind_at(&self.secret_key, listen).await {
                Ok(endpoint) => {
                    self.wires().insert((scope, ip), endpoint);
                }
                Err(error) => debug!("{error}"),
            }
        }
    }

    fn wires(&self) -> MutexGuard<'_, BTreeMap<(u32, Ipv6Addr), Endpoint>> {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The interface that a link-local address belongs to; none for other addresses.
pub(crate) fn link_scope(addr: &SocketAddr) -> Option<u32> {
    match addr {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => Some(v6.scope_id()),
        _ => None,
    }
}

async fn bind_at_home(secret_key: &SecretKey) -> Result<(Endpoint, SocketAddr), StartError> {
    let id = secret_key.public();
    let home = id.as_bytes().first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes));
    let mut attempt = 0;
    loop {
        // Every second port: the one above it is for IPv6.
        let port = FIRST_PORT.saturating_add(home.wrapping_add(attempt).wrapping_mul(2) % PORTS);
        let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        attempt = attempt.saturating_add(1);
        match bind_at(secret_key, listen).await {
            Ok(endpoint) => return Ok((endpoint, listen)),
            Err(error) if attempt >= PORTS_TRIED => return Err(error),
            Err(_) => {}
        }
    }
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
    if listen.ip() == IpAddr::V4(Ipv4Addr::UNSPECIFIED) {
        // Not at the same port, which the link-local addresses have. A machine may have no IPv6.
        let port = if listen.port() == 0 { 0 } else { listen.port().saturating_add(1) };
        builder = builder
            .bind_addr_with_opts((Ipv6Addr::UNSPECIFIED, port), BindOpts::default().set_is_required(false))
            .map_err(|e| cannot(e.to_string()))?;
    }
    builder.bind().await.map_err(|e| cannot(e.to_string()))
}

fn transport() -> QuicTransportConfig {
    QuicTransportConfig::builder()
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(limits::RECEIVE_WINDOW))
        .receive_window(VarInt::from_u32(limits::RECEIVE_WINDOW))
        .send_window(limits::SEND_WINDOW)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(limits::IDLE_TIMEOUT.try_into().ok())
        .default_path_max_idle_timeout(limits::IDLE_TIMEOUT)
        .keep_alive_interval(limits::KEEP_ALIVE)
        .default_path_keep_alive_interval(limits::KEEP_ALIVE)
        .build()
}
