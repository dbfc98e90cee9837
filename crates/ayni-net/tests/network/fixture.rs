//! A database in miniature: it keeps what it receives and sends what it is given.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use ayni_net::{CloseReason, Link, LinkError, LinkInfo, Network, NetworkConfig, Peers, Waker};

/// Everything that happened to one network.
#[derive(Clone, Default)]
pub(crate) struct Table {
    pub(crate) links: Arc<Mutex<Vec<Arc<Talk>>>>,
    /// What each link says when it opens.
    greeting: Vec<u8>,
    admits: bool,
    /// Why it can open no channel, if it cannot.
    fails: Option<LinkError>,
}

/// One channel, from opening to end.
pub(crate) struct Talk {
    pub(crate) info: LinkInfo,
    waker: Waker,
    admits: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    outbox: VecDeque<Vec<u8>>,
    inbox: Vec<u8>,
    parting: bool,
    closed: Option<CloseReason>,
}

/// What a link hears that makes it end the channel.
pub(crate) const NONSENSE: &[u8] = b"nonsense";
pub(crate) const STRANGER: &[u8] = b"stranger";
pub(crate) const GOODBYE: &[u8] = b"goodbye";

impl Table {
    pub(crate) fn greeting(greeting: impl Into<Vec<u8>>) -> Self {
        Self { greeting: greeting.into(), admits: true, ..Self::default() }
    }

    /// Admits nobody: every peer stays a stranger.
    pub(crate) fn of_strangers(greeting: impl Into<Vec<u8>>) -> Self {
        Self { greeting: greeting.into(), ..Self::default() }
    }

    /// Opens no channel.
    pub(crate) fn failing(error: LinkError) -> Self {
        Self { fails: Some(error), ..Self::default() }
    }

    pub(crate) fn all(&self) -> Vec<Arc<Talk>> {
        self.links.lock().unwrap().clone()
    }

    pub(crate) fn open(&self) -> Vec<Arc<Talk>> {
        self.all().into_iter().filter(|talk| talk.closed_because().is_none()).collect()
    }

    /// The one open channel, when there is one.
    pub(crate) async fn one(&self) -> Arc<Talk> {
        until("a channel is open", || self.open().len() == 1).await;
        self.open().remove(0)
    }
}

impl Peers for Table {
    fn connected(&self, info: LinkInfo, waker: Waker) -> Result<Box<dyn Link>, LinkError> {
        if let Some(error) = &self.fails {
            return Err(error.clone());
        }
        let talk = Arc::new(Talk { info, waker, admits: self.admits, state: Mutex::default() });
        if !self.greeting.is_empty() {
            talk.state.lock().unwrap().outbox.push_back(self.greeting.clone());
        }
        self.links.lock().unwrap().push(talk.clone());
        Ok(Box::new(TalkLink(talk)))
    }
}

impl Talk {
    pub(crate) fn say(&self, bytes: impl Into<Vec<u8>>) {
        self.state.lock().unwrap().outbox.push_back(bytes.into());
        self.waker.wake();
    }

    pub(crate) fn part(&self) {
        self.say(GOODBYE);
    }

    pub(crate) fn heard(&self) -> Vec<u8> {
        self.state.lock().unwrap().inbox.clone()
    }

    pub(crate) fn closed_because(&self) -> Option<CloseReason> {
        self.state.lock().unwrap().closed.clone()
    }
}

struct TalkLink(Arc<Talk>);

impl Link for TalkLink {
    fn receive(&self, bytes: &[u8]) -> Result<(), LinkError> {
        let mut state = self.0.state.lock().unwrap();
        assert!(state.closed.is_none(), "nothing is received after the end");
        state.inbox.extend_from_slice(bytes);
        if state.inbox.ends_with(NONSENSE) {
            return Err(LinkError::Protocol("nonsense".into()));
        }
        if state.inbox.ends_with(STRANGER) {
            return Err(LinkError::NothingInCommon);
        }
        if state.inbox.ends_with(GOODBYE) && !state.parting {
            state.parting = true;
            state.outbox.push_back(GOODBYE.to_vec());
        }
        Ok(())
    }

    fn outgoing(&self, max: usize) -> Option<Vec<u8>> {
        let mut state = self.0.state.lock().unwrap();
        let bytes = state.outbox.pop_front()?;
        assert!(bytes.len() <= max);
        state.parting |= bytes.ends_with(GOODBYE);
        Some(bytes)
    }

    fn finished(&self) -> bool {
        let state = self.0.state.lock().unwrap();
        state.parting && state.outbox.is_empty() && state.inbox.ends_with(GOODBYE)
    }

    fn admitted(&self) -> bool {
        self.0.admits
    }

    fn closed(&self, reason: &CloseReason) {
        let before = self.0.state.lock().unwrap().closed.replace(reason.clone());
        assert_eq!(before, None, "a channel ends once");
    }
}

/// A network on the loopback without discovery.
pub(crate) async fn start(seed: u8, table: &Table) -> Network {
    start_at(seed, table, (Ipv4Addr::LOCALHOST, 0).into()).await
}

pub(crate) async fn start_at(seed: u8, table: &Table, listen: SocketAddr) -> Network {
    let mut config = NetworkConfig::new([seed; 32]);
    config.discovery = false;
    config.listen = Some(listen);
    Network::start(config, Arc::new(table.clone())).await.unwrap()
}

/// Waits until it is so, and says what was waited for if it is not so in good time.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Stays so for a while.
pub(crate) async fn still(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..50 {
        assert!(is_so(), "no longer so: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
