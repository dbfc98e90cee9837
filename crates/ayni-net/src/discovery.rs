//! Discovery on the local networks: announces this network by mDNS and listens for others.
//!
//! Every interface is used explicitly, so it works without a default route, and on a machine whose
//! only interface is the loopback. Interfaces that come and go are followed. Announced are the
//! transport id and the port, and nothing about devices or projects.
//!
//! What is heard is not trusted: only addresses on a network of this machine are passed on, because
//! nothing may leave the LAN by an announcement, and who is there is proved by the handshake alone.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr, SocketAddrV6},
    time::Duration,
};

use if_addrs::{IfAddr, Interface};
use mdns_sd::{IfKind, Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo};
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::{StartError, TransportId, limits};

/// How often interfaces are looked at, in seconds.
const INTERFACE_CHECK: u32 = 2;
/// How often the records held are counted.
const RECORDS_CHECK: Duration = Duration::from_secs(20);
/// How long the farewell may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// What discovery saw.
pub(crate) enum Sighting {
    Found(TransportId, BTreeSet<SocketAddr>),
    Lost(TransportId),
}

/// What is announced, and where.
#[derive(Clone)]
pub(crate) struct Announcement {
    pub(crate) id: TransportId,
    pub(crate) port: u16,
    pub(crate) service: String,
    /// The one address that we listen on, if not on all.
    pub(crate) only: Option<IpAddr>,
}

pub(crate) struct Discovery {
    announcement: Announcement,
    daemon: ServiceDaemon,
    events: Receiver<ServiceEvent>,
    fullname: String,
}

impl Discovery {
    pub(crate) fn start(announcement: Announcement) -> Result<Self, StartError> {
        Self::begin(announcement).map_err(|e| StartError::Discovery { what: e.to_string() })
    }

    fn begin(announcement: Announcement) -> Result<Self, mdns_sd::Error> {
        let Announcement { id, port, service, only } = &announcement;
        let name = id.to_string();
        let mut info = ServiceInfo::new(service, &name, &format!("{name}.local."), (), *port, None)?.enable_addr_auto();
        // The name is a key: nobody else has it, and probing for that would cost a second.
        info.set_requires_probe(false);
        let fullname = info.get_fullname().to_owned();

        let daemon = ServiceDaemon::new()?;
        daemon.set_ip_check_interval(INTERFACE_CHECK)?;
        if let Some(only) = only {
            daemon.disable_interface(IfKind::All)?;
            daemon.enable_interface(IfKind::Addr(*only))?;
        }
        daemon.register(info)?;
        let events = daemon.browse(service)?;
        Ok(Self { announcement, daemon, events, fullname })
    }

    /// The next sighting. Never ends: a daemon that fails or holds too much is started afresh.
    pub(crate) async fn next(&mut self) -> Sighting {
        loop {
            match timeout(RECORDS_CHECK, self.events.recv_async()).await {
                Ok(Ok(event)) => {
                    if let Some(sighting) = self.judge(event) {
                        return sighting;
                    }
                }
                Ok(Err(_)) => self.restart("it stopped").await,
                Err(_) if self.records().await > limits::MAX_DISCOVERY_RECORDS => {
                    self.restart("somebody floods the network with announcements").await;
                }
                Err(_) => {}
            }
        }
    }

    /// Says farewell on every interface.
    pub(crate) async fn stop(self) {
        if let Ok(done) = self.daemon.unregister(&self.fullname) {
            let _ = timeout(FAREWELL, done.recv_async()).await;
        }
        if let Ok(done) = self.daemon.shutdown() {
            let _ = timeout(FAREWELL, done.recv_async()).await;
        }
    }

    fn judge(&self, event: ServiceEvent) -> Option<Sighting> {
        match event {
            ServiceEvent::ServiceResolved(service) => {
                let id = self.id_in(&service.fullname)?;
                let addrs = addresses(&service, &if_addrs::get_if_addrs().unwrap_or_default());
                debug!(peer = %id.short(), ?addrs, "announced");
                (!addrs.is_empty()).then_some(Sighting::Found(id, addrs))
            }
            ServiceEvent::ServiceRemoved(_, fullname) => self.id_in(&fullname).map(Sighting::Lost),
            _ => None,
        }
    }

    /// The transport id in a service's name, unless it is our own or none.
    fn id_in(&self, fullname: &str) -> Option<TransportId> {
        let id: TransportId = fullname.split('.').next()?.parse().ok()?;
        (id != self.announcement.id).then_some(id)
    }

    async fn records(&self) -> i64 {
        let Ok(metrics) = self.daemon.get_metrics() else {
            return 0;
        };
        match timeout(FAREWELL, metrics.recv_async()).await {
            Ok(Ok(metrics)) => metrics.iter().filter(|(name, _)| name.starts_with("cached")).map(|(_, n)| *n).sum(),
            _ => 0,
        }
    }

    async fn restart(&mut self, why: &str) {
        warn!("discovery is started afresh: {why}");
        if let Ok(done) = self.daemon.shutdown() {
            let _ = timeout(FAREWELL, done.recv_async()).await;
        }
        match Self::begin(self.announcement.clone()) {
            Ok(fresh) => *self = fresh,
            Err(error) => {
                warn!("discovery could not be started: {error}");
                tokio::time::sleep(RECORDS_CHECK).await;
            }
        }
    }
}

/// The addresses of a service that lie on a network of this machine: IPv4 and IPv6 link-local ones.
///
/// Other IPv6 addresses are not listened on at the port announced, and whoever has one has these too.
fn addresses(service: &ResolvedService, own: &[Interface]) -> BTreeSet<SocketAddr> {
    let port = service.port;
    let addr = |ip: &ScopedIp| match ip {
        ScopedIp::V4(v4) => Some(SocketAddr::from((*v4.addr(), port))).filter(|addr| is_near(addr.ip(), own)),
        ScopedIp::V6(v6) if v6.addr().is_unicast_link_local() => {
            Some(SocketAddrV6::new(*v6.addr(), port, 0, v6.scope_id().index).into())
        }
        _ => None,
    };
    service.addresses.iter().filter_map(addr).filter(|_| port != 0).take(limits::MAX_ADDRESSES).collect()
}

/// The IPv4 address belongs to a network that one of our interfaces is on.
fn is_near(ip: IpAddr, own: &[Interface]) -> bool {
    own.iter().any(|interface| match (&interface.addr, ip) {
        (IfAddr::V4(own), IpAddr::V4(ip)) => {
            let mask = u32::from(own.netmask);
            mask != 0 && u32::from(own.ip) & mask == u32::from(ip) & mask
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_announcement_cannot_make_us_send_beyond_our_networks() {
        let own = [Interface {
            name: "eth0".into(),
            addr: IfAddr::V4(if_addrs::Ifv4Addr {
                ip: [192, 168, 1, 5].into(),
                netmask: [255, 255, 255, 0].into(),
                prefixlen: 24,
                broadcast: None,
            }),
            index: Some(2),
            oper_status: if_addrs::IfOperStatus::Up,
            is_p2p: false,
            #[cfg(windows)]
            adapter_name: String::new(),
        }];
        assert!(is_near("192.168.1.9".parse().unwrap(), &own));
        assert!(!is_near("8.8.8.8".parse().unwrap(), &own));
        assert!(!is_near("2001:db8::1".parse().unwrap(), &own));
        let announced = |port| {
            let addresses = "192.168.1.9,192.168.2.9,8.8.8.8,2001:db8::1";
            let service = mdns_sd::ServiceInfo::new("_ayni._udp.local.", "one", "one.local.", addresses, port, None);
            super::addresses(&service.unwrap().as_resolved_service(), &own)
        };
        assert_eq!(announced(4_433), BTreeSet::from(["192.168.1.9:4433".parse().unwrap()]));
        assert_eq!(announced(0), BTreeSet::new());
    }
}
