//! The switchboard: one task that knows every connection and decides which of them stand.
//!
//! **Two connections to one peer.** Both sides may dial at once. The connection that the lower
//! transport id initiated wins: the lower side holds the other's back until its own has succeeded or
//! failed ([`limits::HOLD`]), the higher side takes the lower's and gives its own up. A connection is
//! a channel only once its acceptor has answered, so one that loses was never seen by the database.
//! A channel that stands gives way to a new connection only from the side that initiated it, or from
//! a peer that has restarted.
//!
//! **Strangers** (peers not yet admitted by the link) have places of their own; when these are full,
//! the oldest makes room.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use iroh::endpoint::{Connection, IncomingAddr};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{AbortHandle, JoinHandle, JoinSet},
};
use tracing::debug;

use crate::{
    CloseReason, PeerAddr, Peers, TransportId,
    book::Book,
    channel,
    connection::{self, Code, Open, Run},
    discovery::{Discovery, Sighting},
    door::Door,
    endpoints::{Endpoints, Place},
    limits,
    roster::{Roster, Shown},
};

/// What the owner of the network asks for.
pub(crate) enum Order {
    Dial(PeerAddr),
    Forget(TransportId),
    Retry,
    Shutdown(oneshot::Sender<()>),
}

/// What the switchboard's own tasks report.
enum Report {
    Arrived(Open),
    Dialed(TransportId, u64, Result<Open, CloseReason>),
    Sighted(Sighting),
    Ended(TransportId, u64, CloseReason),
}

/// A channel that stands.
struct Session {
    number: u64,
    initiator: bool,
    run: Run,
    remote: SocketAddr,
    scope: u32,
    since: Instant,
    admitted: Arc<AtomicBool>,
    connection: Connection,
    cancel: Option<oneshot::Sender<CloseReason>>,
    task: Option<JoinHandle<()>>,
}

impl Session {
    fn is_stranger(&self) -> bool {
        !self.admitted.load(Ordering::Relaxed)
    }

    fn end(&mut self, reason: CloseReason) {
        if let Some(cancel) = self.cancel.take() {
            let _ = cancel.send(reason);
        }
    }
}

/// A peer's connection that waits for our own dial to it.
struct Held {
    open: Open,
    until: Instant,
}

pub(crate) struct Switchboard {
    endpoints: Endpoints,
    own: TransportId,
    run: Run,
    peers: Arc<dyn Peers>,
    book: Book,
    sessions: HashMap<TransportId, Session>,
    /// The dials under way, each with its number.
    dials: HashMap<TransportId, (u64, AbortHandle)>,
    held: HashMap<TransportId, Held>,
    tasks: JoinSet<()>,
    reports: mpsc::Sender<Report>,
    roster: watch::Sender<Roster>,
    numbers: u64,
}

/// The task that looks around, and how to stop it.
type Watcher = (oneshot::Sender<()>, JoinHandle<()>);

/// Reports waiting to be looked at.
const REPORTS: usize = 64;

impl Switchboard {
    pub(crate) fn start(
        endpoints: Endpoints,
        own: TransportId,
        run: Run,
        peers: Arc<dyn Peers>,
        discovery: Option<Discovery>,
        orders: mpsc::UnboundedReceiver<Order>,
        roster: watch::Sender<Roster>,
    ) {
        let (reports, incoming) = mpsc::channel(REPORTS);
        let mut tasks = JoinSet::new();
        let (places, arriving) = mpsc::channel(1);
        tasks.spawn(endpoints.clone().follow(places));
        tasks.spawn(answer_everywhere(arriving, reports.clone()));
        let seed = run.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let switchboard = Self {
            endpoints,
            own,
            run,
            peers,
            book: Book::new(own, seed),
            sessions: HashMap::new(),
            dials: HashMap::new(),
            held: HashMap::new(),
            tasks,
            reports,
            roster,
            numbers: 0,
        };
        let watcher = discovery.map(|discovery| {
            let (stop, stopped) = oneshot::channel();
            (stop, tokio::spawn(look_around(discovery, switchboard.reports.clone(), stopped)))
        });
        tokio::spawn(switchboard.work(orders, incoming, watcher));
    }

    async fn work(
        mut self,
        mut orders: mpsc::UnboundedReceiver<Order>,
        mut reports: mpsc::Receiver<Report>,
        watcher: Option<Watcher>,
    ) {
        let done = loop {
            self.dial_due();
            self.publish();
            let next = self.next_time();
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Shutdown(done)) => break Some(done),
                    None => break None,
                    Some(order) => self.obey(order),
                },
                Some(report) = reports.recv() => self.hear(report),
                () = at(next) => self.release_held(),
                Some(_) = self.tasks.join_next() => {}
            }
        };
        self.close(reports, watcher).await;
        if let Some(done) = done {
            let _ = done.send(());
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Dial(peer) => self.book.given(peer, Instant::now()),
            Order::Retry => self.book.retry(Instant::now()),
            Order::Forget(id) => {
                self.book.forget(&id);
                self.give_up_dial(&id);
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.end(CloseReason::Shutdown);
                }
            }
            Order::Shutdown(_) => unreachable!("the loop ends on it"),
        }
    }

    fn hear(&mut self, report: Report) {
        match report {
            Report::Arrived(open) => self.arrived(open),
            Report::Dialed(id, number, result) => self.dialed(id, number, result),
            Report::Sighted(Sighting::Found(id, addrs)) => self.book.found(id, addrs, Instant::now()),
            Report::Sighted(Sighting::Lost(id)) => self.book.lost(&id),
            Report::Ended(id, number, reason) => self.ended(id, number, &reason),
        }
    }

    fn dial_due(&mut self) {
        let room = limits::MAX_DIALS.saturating_sub(self.dials.len());
        for (id, addrs) in self.book.due(Instant::now(), room) {
            debug!(peer = %id.short(), ?addrs, "dialing");
            self.give_up_dial(&id);
            let number = self.next_number();
            let (endpoints, run, reports) = (self.endpoints.clone(), self.run, self.reports.clone());
            let dial = self.tasks.spawn(async move {
                let result = connection::dial(&endpoints, id, addrs, run).await;
                let _ = reports.send(Report::Dialed(id, number, result)).await;
            });
            self.dials.insert(id, (number, dial));
        }
    }

    fn give_up_dial(&mut self, id: &TransportId) {
        if let Some((_, dial)) = self.dials.remove(id) {
            dial.abort();
        }
    }

    fn next_number(&mut self) -> u64 {
        self.numbers = self.numbers.saturating_add(1);
        self.numbers
    }

    fn dialed(&mut self, id: TransportId, number: u64, result: Result<Open, CloseReason>) {
        // Without this dial on record it was given up just as it ended.
        let was_wanted = self.dials.get(&id).is_some_and(|(under_way, _)| *under_way == number);
        if was_wanted {
            self.dials.remove(&id);
        }
        match result {
            Ok(open) if was_wanted && !self.sessions.contains_key(&id) => {
                if let Some(held) = self.held.remove(&id) {
                    Code::Duplicate.close(&held.open.connection);
                }
                self.establish(open);
            }
            Ok(open) => Code::Duplicate.close(&open.connection),
            Err(_) if !was_wanted => {}
            Err(reason) => {
                debug!(peer = %id.short(), %reason, "not reached");
                match self.held.remove(&id) {
                    Some(held) => self.establish(held.open),
                    None => self.book.unreached(&id, &reason, Instant::now()),
                }
            }
        }
    }

    /// A peer has dialed us: does this connection stand?
    fn arrived(&mut self, open: Open) {
        let id = open.peer;
        if let Some(session) = self.sessions.get(&id) {
            let has_restarted = session.run != open.run;
            let has_dialed_again = !session.initiator;
            match has_restarted || has_dialed_again {
                true => self.establish(open),
                false => Code::Duplicate.close(&open.connection),
            }
        } else if self.dials.contains_key(&id) && self.own < id {
            let until = Instant::now().checked_add(limits::HOLD).unwrap_or_else(Instant::now);
            if let Some(before) = self.held.insert(id, Held { open, until }) {
                Code::Replaced.close(&before.open.connection);
            }
        } else {
            self.establish(open);
        }
    }

    /// Our own dials took too long: the peers' connections that waited for them stand.
    fn release_held(&mut self) {
        let now = Instant::now();
        let due: Vec<_> = self.held.iter().filter(|(_, held)| held.until <= now).map(|(id, _)| *id).collect();
        for id in due {
            if let Some(held) = self.held.remove(&id) {
                self.establish(held.open);
            }
        }
    }

    /// This connection stands, if there is room for it.
    fn establish(&mut self, open: Open) {
        let id = open.peer;
        self.give_up_dial(&id);
        if !self.make_room(&open) {
            Code::Busy.close(&open.connection);
            self.book.unreached(&id, &CloseReason::Busy, Instant::now());
            return;
        }
        let previous = self.sessions.remove(&id).and_then(|mut session| {
            session.end(CloseReason::Replaced);
            session.task
        });
        let number = self.next_number();
        let admitted = Arc::new(AtomicBool::new(false));
        let (cancel, cancelled) = oneshot::channel();
        let mut session = Session {
            number,
            initiator: open.initiator,
            run: open.run,
            remote: open.remote,
            scope: open.scope,
            since: Instant::now(),
            admitted: admitted.clone(),
            connection: open.connection.clone(),
            cancel: Some(cancel),
            task: None,
        };
        debug!(peer = %id.short(), initiator = open.initiator, remote = %open.remote, "channel opened");
        let setting = channel::Setting {
            own: self.own,
            own_run: self.run,
            peers: self.peers.clone(),
            previous,
            admitted,
            cancel: cancelled,
        };
        let reports = self.reports.clone();
        session.task = Some(tokio::spawn(async move {
            let reason = channel::run(open, setting).await;
            let _ = reports.send(Report::Ended(id, number, reason)).await;
        }));
        self.sessions.insert(id, session);
        self.book.connected(id, Instant::now());
    }

    fn ended(&mut self, id: TransportId, number: u64, reason: &CloseReason) {
        if self.sessions.get(&id).is_none_or(|session| session.number != number) {
            return;
        }
        let Some(session) = self.sessions.remove(&id) else {
            return;
        };
        let seen = connection::remote_address(&session.connection, session.scope).unwrap_or(session.remote);
        let seen = Some(seen).filter(|_| !session.is_stranger());
        self.book.disconnected(&id, reason, seen, Instant::now());
    }

    /// Room for one more channel: among strangers the oldest makes it, once it has had its time.
    fn make_room(&mut self, open: &Open) -> bool {
        if self.sessions.contains_key(&open.peer) {
            return true;
        }
        if self.sessions.len() >= limits::MAX_CONNECTIONS {
            return false;
        }
        let is_chosen = self.book.page(&open.peer).is_some_and(|page| page.is_given());
        let strangers = || self.sessions.values().filter(|session| session.is_stranger());
        let from_there = strangers().filter(|session| session.remote.ip() == open.remote.ip()).count();
        if is_chosen || (strangers().count() < limits::MAX_STRANGERS && from_there < limits::MAX_STRANGERS_PER_ADDRESS)
        {
            return true;
        }
        let crowded_there = from_there >= limits::MAX_STRANGERS_PER_ADDRESS;
        let oldest = self
            .sessions
            .values_mut()
            .filter(|session| session.is_stranger() && session.cancel.is_some())
            .filter(|session| !crowded_there || session.remote.ip() == open.remote.ip())
            .min_by_key(|session| session.since)
            .filter(|session| session.since.elapsed() >= limits::STRANGER_GRACE);
        match oldest {
            Some(session) => {
                session.end(CloseReason::Busy);
                true
            }
            None => false,
        }
    }

    fn next_time(&self) -> Option<Instant> {
        let dial = self.book.next_due().filter(|_| self.dials.len() < limits::MAX_DIALS);
        self.held.values().map(|held| held.until).chain(dial).min()
    }

    fn publish(&self) {
        let mut now = Roster::default();
        self.book.pages().for_each(|(id, page)| now.add(*id, page));
        for (id, session) in &self.sessions {
            let shown = Shown {
                since: session.since,
                initiator: session.initiator,
                remote: session.remote,
                scope: session.scope,
                connection: session.connection.clone(),
            };
            now.connected(*id, shown);
        }
        self.roster.send_if_modified(|roster| {
            let is_news = !roster.same_as(&now);
            *roster = now;
            is_news
        });
    }

    async fn close(mut self, mut reports: mpsc::Receiver<Report>, watcher: Option<Watcher>) {
        self.tasks.shutdown().await;
        let mut last = Vec::new();
        if let Some((stop, task)) = watcher {
            let _ = stop.send(());
            last.push(task);
        }
        for (_, mut session) in self.sessions.drain() {
            session.end(CloseReason::Shutdown);
            last.extend(session.task.take());
        }
        let drained = tokio::spawn(async move { while reports.recv().await.is_some() {} });
        for task in last {
            let _ = task.await;
        }
        drop(self.reports);
        self.roster.send_replace(Roster::default());
        self.endpoints.close().await;
        let _ = drained.await;
    }
}

/// Answers incoming connections at every place.
async fn answer_everywhere(mut places: mpsc::Receiver<Place>, reports: mpsc::Sender<Report>) {
    let door = Door::default();
    let mut answering = JoinSet::new();
    loop {
        tokio::select! {
            Some(place) = places.recv() => {
                answering.spawn(answer(place, door.clone(), reports.clone()));
            }
            Some(_) = answering.join_next() => {}
            else => return,
        }
    }
}

/// Answers incoming connections at one place, as many at a time as the door lets in.
async fn answer(Place { endpoint, scope }: Place, door: Door, reports: mpsc::Sender<Report>) {
    let mut handshakes = JoinSet::new();
    loop {
        let incoming = tokio::select! {
            incoming = endpoint.accept() => incoming,
            Some(_) = handshakes.join_next() => continue,
        };
        let Some(incoming) = incoming else { return };
        let IncomingAddr::Ip(from) = incoming.remote_addr() else {
            incoming.ignore();
            continue;
        };
        if door.is_crowded() && !incoming.remote_addr_validated() {
            let _ = incoming.retry();
            continue;
        }
        let Some(pass) = door.enter(from.ip()) else {
            incoming.refuse();
            continue;
        };
        let reports = reports.clone();
        handshakes.spawn(async move {
            let arrived = connection::accept(incoming, scope, from).await;
            drop(pass);
            if let Some(open) = arrived {
                let _ = reports.send(Report::Arrived(open)).await;
            }
        });
    }
}

/// Passes on what discovery sees, until told to say farewell.
async fn look_around(mut discovery: Discovery, reports: mpsc::Sender<Report>, stop: oneshot::Receiver<()>) {
    let looking = async {
        loop {
            let sighting = discovery.next().await;
            if reports.send(Report::Sighted(sighting)).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = looking => {}
        _ = stop => {}
    }
    discovery.stop().await;
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}
