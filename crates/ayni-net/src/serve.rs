//! The database on the network: every channel becomes one of its conversations.

use ayni::{ChannelInfo, Database};

use crate::{CloseReason, Link, LinkError, LinkInfo, Network, NetworkConfig, PeerAddr, Peers, StartError, Waker};

/// A database as the network sees it.
struct Served(Database);

/// A conversation as the network sees it.
struct Conversation(ayni::Link);

impl Network {
    /// Starts a network that carries the conversations of a database: it finds the devices of its projects, and keeps
    /// connected to them, until it is shut down. `configure` may change what is not the default; the transport key
    /// is the database's own. Addresses at which its devices were met before are dialed.
    ///
    /// # Errors
    /// [`StartError`] when the address is taken or discovery cannot be had.
    ///
    /// ```no_run
    /// # async fn sync(database: ayni::Database) -> Result<(), Box<dyn std::error::Error>> {
    /// let network = ayni_net::Network::serve(&database, |config| config.discovery = true).await?;
    /// // … until the program ends
    /// network.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn serve(database: &Database, configure: impl FnOnce(&mut NetworkConfig)) -> Result<Self, StartError> {
        let mut config = NetworkConfig::new(*database.transport_secret());
        configure(&mut config);
        let network = Self::start(config, std::sync::Arc::new(Served(database.clone()))).await?;
        for (_, address) in database.remembered_addresses().unwrap_or_default() {
            if let Ok(address) = address.parse::<PeerAddr>() {
                network.dial(address);
            }
        }
        Ok(network)
    }
}

impl Peers for Served {
    fn connected(&self, info: LinkInfo, waker: Waker) -> Result<Box<dyn Link>, LinkError> {
        let channel = ChannelInfo {
            own_transport: info.own.0,
            peer_transport: info.peer.0,
            initiator: info.initiator,
            binding: info.binding,
            address: PeerAddr { id: info.peer, addr: info.remote }.to_string(),
        };
        match self.0.pool().connect(channel, move || waker.wake()) {
            Ok(link) => Ok(Box::new(Conversation(link))),
            Err(error) => {
                tracing::warn!(%error, "cannot talk to another device");
                Err(LinkError::Local(error.to_string()))
            }
        }
    }
}

impl Link for Conversation {
    fn receive(&self, bytes: &[u8]) -> Result<(), LinkError> {
        self.0.receive(bytes);
        if self.0.nothing_in_common() { Err(LinkError::NothingInCommon) } else { Ok(()) }
    }

    fn outgoing(&self, max: usize) -> Option<Vec<u8>> {
        Some(self.0.outgoing(max)).filter(|bytes| !bytes.is_empty())
    }

    fn finished(&self) -> bool {
        self.0.is_over()
    }

    fn admitted(&self) -> bool {
        self.0.shares_a_project()
    }

    fn tick(&self) {
        self.0.tick();
    }

    fn closed(&self, reason: &CloseReason) {
        tracing::debug!(%reason, "a conversation ended");
        self.0.closed();
    }
}
