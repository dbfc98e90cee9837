//! The network as its owner holds it: [`Network`], how to start it and what to ask of it.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    PeerAddr, PeerStatus, Peers, TransportId,
    connection::Run,
    discovery::{Announcement, Discovery},
    endpoints::Endpoints,
    roster::Roster,
    switchboard::{Order, Switchboard},
};

/// The mDNS service under which Ayni announces itself.
pub const DEFAULT_SERVICE: &str = "_ayni._udp.local.";

/// How a [`Network`] is to be.
#[derive(Clone)]
pub struct NetworkConfig {
    /// The transport key: the seed of an Ed25519 key of this incarnation of the database.
    pub secret_key: [u8; 32],
    /// Where to listen. `None`: on every address, at a port that stays the same for this key while it is free.
    pub listen: Option<SocketAddr>,
    /// Announce this network and listen for others, on every interface (or the one listened on).
    pub discovery: bool,
    /// The mDNS service; only those with the same find each other.
    pub service: String,
}

impl NetworkConfig {
    /// Listening everywhere, with discovery.
    pub fn new(secret_key: [u8; 32]) -> Self {
        Self { secret_key, listen: None, discovery: true, service: DEFAULT_SERVICE.to_owned() }
    }
}

/// Why a network could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address could not be listened on.
    #[error("cannot listen on {listen}: {what}; choose another address or port, or end the program that uses it")]
    Bind {
        /// The address asked for or tried last.
        listen: SocketAddr,
        /// What the system said.
        what: String,
    },
    /// mDNS could not be started.
    #[error("cannot look for other devices on the network: {what}; switch discovery off and give addresses by hand")]
    Discovery {
        /// What the system or the mDNS daemon said.
        what: String,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
}

/// A running network. Dropping it ends it in the background; [`shutdown`](Self::shutdown) waits for that.
///
/// ```
/// use std::sync::Arc;
/// use ayni_net::{CloseReason, Link, LinkError, LinkInfo, Network, NetworkConfig, Peers, Waker};
///
/// struct Nobody;
/// impl Peers for Nobody {
///     fn connected(&self, _: LinkInfo, _: Waker) -> Result<Box<dyn Link>, LinkError> {
///         Err(LinkError::NothingInCommon)
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut config = NetworkConfig::new([7; 32]);
/// config.discovery = false;
/// # config.listen = Some(([127, 0, 0, 1], 0).into());
/// let network = Network::start(config, Arc::new(Nobody)).await?;
/// for address in network.addresses() {
///     println!("others reach this device at {address}");
/// }
/// network.shutdown().await;
/// # Ok(())
/// # }
/// ```
pub struct Network {
    id: TransportId,
    bound: Vec<SocketAddr>,
    orders: mpsc::UnboundedSender<Order>,
    roster: watch::Receiver<Roster>,
}

impl Network {
    /// Starts listening, discovering and dialing, on the tokio runtime that this is called in.
    pub async fn start(config: NetworkConfig, peers: Arc<dyn Peers>) -> Result<Self, StartError> {
        let mut run = Run::default();
        getrandom::fill(&mut run).map_err(|_| StartError::NoRandomness)?;
        let endpoints = Endpoints::bind(config.secret_key, config.listen).await?;
        let id = TransportId(*endpoints.main().id().as_bytes());
        let bound = endpoints.main().bound_sockets();
        let discovery = if config.discovery {
            let started = Discovery::start(Announcement {
                id,
                port: endpoints.port(),
                service: config.service,
                only: config.listen.map(|listen| listen.ip()).filter(|ip| !ip.is_unspecified()),
            });
            match started {
                Ok(discovery) => Some(discovery),
                Err(error) => {
                    endpoints.close().await;
                    return Err(error);
                }
            }
        } else {
            None
        };
        let (orders, incoming_orders) = mpsc::unbounded_channel();
        let (roster_sender, roster) = watch::channel(Roster::default());
        Switchboard::start(endpoints, id, run, peers, discovery, incoming_orders, roster_sender);
        Ok(Self { id, bound, orders, roster })
    }

    /// Our own transport id.
    pub fn id(&self) -> TransportId {
        self.id
    }

    /// Where others reach this device, for printing and for tickets: the addresses of every
    /// interface now, IPv4 first. Those that mean something on this machine or this wire only
    /// (loopback, IPv6 link-local) are left out, unless there is no other.
    pub fn addresses(&self) -> Vec<PeerAddr> {
        let interfaces: BTreeSet<IpAddr> =
            if_addrs::get_if_addrs().unwrap_or_default().iter().map(|interface| interface.ip()).collect();
        let mut all = BTreeSet::new();
        for bound in &self.bound {
            if bound.ip().is_unspecified() {
                let same_family = interfaces.iter().filter(|ip| ip.is_ipv4() == bound.is_ipv4());
                all.extend(same_family.map(|ip| SocketAddr::new(*ip, bound.port())));
            } else {
                all.insert(*bound);
            }
        }
        let reaches_far = |addr: &SocketAddr| match addr.ip() {
            IpAddr::V4(ip) => !ip.is_loopback(),
            IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local(),
        };
        let here = |addr: &SocketAddr| addr.ip().is_loopback();
        let chosen: Vec<_> = match all.iter().any(reaches_far) {
            true => all.into_iter().filter(reaches_far).collect(),
            false => all.into_iter().filter(here).collect(),
        };
        chosen.into_iter().map(|addr| PeerAddr { id: self.id, addr }).collect()
    }

    /// Dials this address now, and again whenever the peer is not connected, until it is forgotten.
    pub fn dial(&self, peer: PeerAddr) {
        self.order(Order::Dial(peer));
    }

    /// Forgets every address of a peer and closes the channel to it. It may still dial us, or be announced again.
    pub fn forget(&self, id: TransportId) {
        self.order(Order::Forget(id));
    }

    /// Dials everyone that is known and not connected now, also those that had nothing in common
    /// with us: for when this device has joined or founded a project.
    pub fn retry(&self) {
        self.order(Order::Retry);
    }

    /// Every peer that is known, as of now.
    pub fn peers(&self) -> Vec<PeerStatus> {
        self.roster.borrow().statuses()
    }

    /// Changes whenever a peer is found, lost, connected or disconnected, so that
    /// [`peers`](Self::peers) is worth asking again. Ends when the network does.
    pub fn changes(&self) -> Changes {
        Changes(self.roster.clone())
    }

    /// Says goodbye to everyone and ends. All links have been closed when this returns.
    pub async fn shutdown(self) {
        let (done, wait) = oneshot::channel();
        self.order(Order::Shutdown(done));
        let _ = wait.await;
    }

    fn order(&self, order: Order) {
        // Fails only when the runtime has dropped the switchboard: then there is nothing to order.
        let _ = self.orders.send(order);
    }
}

/// Tells when the peers of a [`Network`] have changed.
#[derive(Clone)]
pub struct Changes(watch::Receiver<Roster>);

impl Changes {
    /// Waits for the next change since the last call. `false`: the network has ended.
    pub async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}
