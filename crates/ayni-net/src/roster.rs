//! The roster: every peer as the switchboard shows it to whoever asks.

use std::{collections::BTreeMap, net::SocketAddr, time::Instant};

use iroh::endpoint::Connection;

use crate::{
    PeerState, PeerStatus, TransportId,
    book::{Page, Standing},
    connection,
};

/// Every peer as last published; what changes all the time is read off the connections when asked.
#[derive(Default)]
pub(crate) struct Roster(BTreeMap<TransportId, Entry>);

struct Entry {
    addresses: Vec<SocketAddr>,
    discovered: bool,
    standing: Standing,
    trouble: Option<String>,
    session: Option<Shown>,
}

/// A channel that stands.
pub(crate) struct Shown {
    pub(crate) since: Instant,
    pub(crate) initiator: bool,
    pub(crate) remote: SocketAddr,
    pub(crate) scope: u32,
    pub(crate) connection: Connection,
}

impl Roster {
    /// A peer that the book knows.
    pub(crate) fn add(&mut self, id: TransportId, page: &Page) {
        let entry = Entry {
            addresses: page.addresses().into_iter().collect(),
            discovered: !page.discovered.is_empty(),
            standing: page.standing.clone(),
            trouble: page.trouble.clone(),
            session: None,
        };
        self.0.insert(id, entry);
    }

    /// A channel to this peer stands, whether the book knows it or not.
    pub(crate) fn connected(&mut self, id: TransportId, shown: Shown) {
        let entry = self.0.entry(id).or_insert_with(|| Entry {
            addresses: Vec::new(),
            discovered: false,
            standing: Standing::Connected,
            trouble: None,
            session: None,
        });
        entry.session = Some(shown);
    }

    /// Whether both show the same but for what changes all the time.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        let since = |entry: &Entry| entry.session.as_ref().map(|session| session.since);
        let same = |a: &Entry, b: &Entry| {
            a.addresses == b.addresses
                && a.discovered == b.discovered
                && a.standing == b.standing
                && a.trouble == b.trouble
                && since(a) == since(b)
        };
        self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|((a_id, a), (b_id, b))| a_id == b_id && same(a, b))
    }

    pub(crate) fn statuses(&self) -> Vec<PeerStatus> {
        self.0
            .iter()
            .map(|(id, entry)| PeerStatus {
                id: *id,
                addresses: entry.addresses.clone(),
                discovered: entry.discovered,
                state: entry.state(),
                trouble: entry.trouble.clone(),
            })
            .collect()
    }
}

impl Entry {
    fn state(&self) -> PeerState {
        if let Some(Shown { since, initiator, remote, scope, connection }) = &self.session {
            let stats = connection.stats();
            return PeerState::Connected {
                since: *since,
                initiator: *initiator,
                address: connection::remote_address(connection, *scope).unwrap_or(*remote),
                rtt: connection::rtt(connection),
                sent: stats.udp_tx.bytes,
                received: stats.udp_rx.bytes,
            };
        }
        match &self.standing {
            Standing::Waiting { until } => PeerState::Waiting { until: *until },
            _ => PeerState::Dialing,
        }
    }
}
