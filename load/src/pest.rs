//! A member that means ill: it is let in like any other, and then sends nonsense as fast as the network takes it.
//!
//! Its conversations begin as true ones, by the real database. Once the other side has let it in, what it sends is made here. When
//! it is shown the door it comes again at once, which a true device would not do.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use ayni::doc::{Map, Value};
use ayni::{ChannelInfo, Database, DeviceId, Hash, Project, ProjectId};
use ayni_bench::records::Random;
use ayni_log::ids::{LogKind, Signature, StoreId};
use ayni_net::{CloseReason, Link, LinkError, LinkInfo, Network, NetworkConfig, PeerAddr, Peers, TransportId, Waker};
use ayni_sync::message::{FrontierEntry, Kind, LogRef, Message, Summary};
use ayni_sync::receipt::{Receipt, ReceiptKey, Retention};
use ayni_sync::tag::{Side, project_tag};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::device::COLLECTION;
use crate::orders::{Nuisance, Pestered};

/// How long a true conversation may take until both know what the other holds.
const COURTESY: Duration = Duration::from_millis(300);
/// How long it stays away when it was shown the door.
const SHAME: Duration = Duration::from_millis(10);
/// Time between two true commits, where those are spoilt on their way.
const COMMITS: Duration = Duration::from_millis(5);

/// Conversations that it begins at once with everyone, where it comes as a crowd.
const CROWD: usize = 50;

/// A pest on the network.
pub(crate) struct Pest {
    faces: Vec<Face>,
    done: Arc<Deeds>,
    writing: Option<JoinHandle<()>>,
}

/// One of the peers that it is to the network.
struct Face {
    network: Arc<Network>,
    coming_again: JoinHandle<()>,
}

#[derive(Default)]
struct Deeds {
    bytes: AtomicU64,
    ended: AtomicU64,
}

impl Pest {
    pub(crate) async fn start(
        database: Database,
        project: Project,
        listen: SocketAddr,
        links: Vec<PeerAddr>,
        how: Nuisance,
    ) -> Result<Self> {
        let done = Arc::new(Deeds::default());
        let mut secrets = vec![*database.transport_secret()];
        if how == Nuisance::Crowd {
            // The device proves of any transport key that it is its own.
            secrets.extend((1..CROWD).map(|face| [u8::try_from(face).unwrap_or(0); 32]));
        }
        let mut faces = Vec::new();
        for secret in secrets {
            let mut config = NetworkConfig::new(secret);
            (config.discovery, config.listen) = (false, Some(listen));
            let rude = |farewells| Rude {
                database: database.clone(),
                project: project.id(),
                how,
                done: done.clone(),
                farewells,
            };
            faces.push(Face::show(config, links.clone(), rude).await?);
        }
        let writing = (how == Nuisance::Spoilt).then(|| tokio::spawn(write(project)));
        Ok(Self { faces, done, writing })
    }

    pub(crate) async fn stop(self) -> Pestered {
        if let Some(writing) = self.writing {
            writing.abort();
            let _ = writing.await;
        }
        for face in &self.faces {
            face.coming_again.abort();
        }
        let mut ending = tokio::task::JoinSet::new();
        for face in self.faces {
            let _ = face.coming_again.await;
            if let Some(network) = Arc::into_inner(face.network) {
                ending.spawn(network.shutdown());
            }
        }
        ending.join_all().await;
        let (bytes, ended) = (self.done.bytes.load(Ordering::Relaxed), self.done.ended.load(Ordering::Relaxed));
        Pestered { bytes, ended }
    }
}

impl Face {
    async fn show(
        config: NetworkConfig,
        links: Vec<PeerAddr>,
        rude: impl FnOnce(mpsc::UnboundedSender<TransportId>) -> Rude,
    ) -> Result<Self> {
        let (farewells, mut shown_out) = mpsc::unbounded_channel();
        let network = Arc::new(Network::start(config, Arc::new(rude(farewells))).await?);
        links.iter().for_each(|link| network.dial(*link));
        let again = network.clone();
        let coming_again = tokio::spawn(async move {
            while let Some(peer) = shown_out.recv().await {
                tokio::time::sleep(SHAME).await;
                // Who is forgotten is dialed without the wait that a refusal asks for.
                again.forget(peer);
                links.iter().filter(|link| link.id == peer).for_each(|link| again.dial(*link));
            }
        });
        Ok(Self { network, coming_again })
    }
}

/// Writes something true again and again.
async fn write(project: Project) {
    loop {
        let fields = Map::from([("flood".to_owned(), Value::Bool(true))]);
        let writing = project.clone();
        let written = tokio::task::spawn_blocking(move || writing.write(|tx| tx.create(COLLECTION, fields)));
        if !matches!(written.await, Ok(Ok(_))) {
            return;
        }
        tokio::time::sleep(COMMITS).await;
    }
}

/// The pest, as its network sees it.
struct Rude {
    database: Database,
    project: ProjectId,
    how: Nuisance,
    done: Arc<Deeds>,
    farewells: mpsc::UnboundedSender<TransportId>,
}

impl Peers for Rude {
    fn connected(&self, info: LinkInfo, waker: Waker) -> Result<Box<dyn Link>, LinkError> {
        let channel = ChannelInfo {
            own_transport: info.own.0,
            peer_transport: info.peer.0,
            initiator: info.initiator,
            binding: info.binding,
            address: PeerAddr { id: info.peer, addr: info.remote }.to_string(),
        };
        let link = self.database.pool().connect(channel, move || waker.wake());
        let side = if info.initiator { Side::Initiator } else { Side::Acceptor };
        let nonsense = Nonsense {
            how: self.how,
            tag: project_tag(&self.project, &info.binding, side),
            project: self.project,
            device: self.database.device(),
            store: self.database.incarnation(),
            number: 0,
            made: 0,
            random: Random::new(u64::from(info.binding[0])),
        };
        Ok(Box::new(Talk {
            link: link.map_err(|error| LinkError::Local(error.to_string()))?,
            nonsense: Mutex::new(nonsense),
            how: self.how,
            greeted: Instant::now(),
            greeting: AtomicBool::new(true),
            peer: info.peer,
            done: self.done.clone(),
            farewells: self.farewells.clone(),
        }))
    }
}

/// One conversation: true at first.
struct Talk {
    link: ayni::Link,
    nonsense: Mutex<Nonsense>,
    how: Nuisance,
    greeted: Instant,
    /// Nothing was sent yet.
    greeting: AtomicBool,
    peer: TransportId,
    done: Arc<Deeds>,
    farewells: mpsc::UnboundedSender<TransportId>,
}

impl Talk {
    /// Whether what is sent is made here by now.
    fn is_rude(&self) -> bool {
        let is_true_at_heart = matches!(self.how, Nuisance::Spoilt | Nuisance::Crowd);
        !is_true_at_heart && self.link.shares_a_project() && self.greeted.elapsed() > COURTESY
    }
}

impl Link for Talk {
    fn receive(&self, bytes: &[u8]) -> Result<(), LinkError> {
        if !self.is_rude() {
            self.link.receive(bytes);
        }
        Ok(())
    }

    fn outgoing(&self, max: usize) -> Option<Vec<u8>> {
        let mut nonsense = self.nonsense.lock().unwrap_or_else(PoisonError::into_inner);
        let spoils = nonsense.how == Nuisance::Spoilt;
        let bytes = if self.is_rude() { nonsense.fill(max) } else { self.link.outgoing(max) };
        if bytes.is_empty() {
            return None;
        }
        if self.greeting.swap(false, Ordering::Relaxed) {
            nonsense.learn_number(&bytes);
            return Some(bytes);
        }
        self.done.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Some(if spoils { nonsense.spoil(bytes) } else { bytes })
    }

    fn finished(&self) -> bool {
        self.link.is_over()
    }

    fn admitted(&self) -> bool {
        self.link.shares_a_project()
    }

    fn tick(&self) {
        self.link.tick();
    }

    fn closed(&self, reason: &CloseReason) {
        self.link.closed();
        if !matches!(reason, CloseReason::Shutdown | CloseReason::Replaced) {
            self.done.ended.fetch_add(1, Ordering::Relaxed);
            let _ = self.farewells.send(self.peer);
        }
    }
}

/// Makes what is sent.
struct Nonsense {
    how: Nuisance,
    tag: ayni_sync::tag::Tag,
    project: ProjectId,
    device: DeviceId,
    store: StoreId,
    /// The project's number in this conversation.
    number: u32,
    made: u64,
    random: Random,
}

impl Nonsense {
    /// Finds the project's number in the hello that was sent.
    fn learn_number(&mut self, hello: &[u8]) {
        if let Ok(Some(Message::Hello(hello))) = Message::decode(Kind::Hello as u8, hello.get(5..).unwrap_or_default())
        {
            let place = hello.tags.iter().position(|tag| *tag == self.tag).unwrap_or(0);
            self.number = u32::try_from(place).unwrap_or(0);
        }
    }

    /// About so many bytes of whole frames.
    fn fill(&mut self, max: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let frame = self.frame();
            if bytes.len() + frame.len() > max {
                return bytes;
            }
            bytes.extend(frame);
        }
    }

    fn frame(&mut self) -> Vec<u8> {
        self.made += 1;
        let (project, hash) = (self.number, Hash(self.random.bytes()));
        let log = LogRef { device: self.device, kind: LogKind::Data, incarnation: self.store };
        match self.how {
            Nuisance::Pings => Message::Ping.encode(),
            Nuisance::Summaries => {
                let summary = Summary { control: hash, rest: Some((hash, hash)) };
                Message::Summary { project, summary }.encode()
            }
            Nuisance::Probes => {
                let points = (1..=32).map(|length| (length, hash)).collect();
                Message::Probe { project, id: self.made, log, points }.encode()
            }
            Nuisance::Receipts => Message::Receipt { project, bytes: self.receipt() }.encode(),
            // A piece of news first: it is read as far as the noise.
            Nuisance::Noise | Nuisance::Spoilt | Nuisance::Crowd => {
                let entry = FrontierEntry {
                    device: DeviceId(self.random.bytes()),
                    incarnation: StoreId(self.random.bytes()),
                    length: self.made,
                    hash,
                    bytes: 1,
                };
                let mut news = Message::News { project, kind: LogKind::Data, entries: vec![entry] }.encode();
                if self.made.is_multiple_of(1_000) {
                    news.extend(self.random.bytes::<64>());
                }
                news
            }
        }
    }

    /// One in the device's own name, which looks newer than the one before and was not signed.
    fn receipt(&self) -> Vec<u8> {
        let receipt = Receipt {
            project: self.project,
            key: ReceiptKey { device: self.device, store: self.store },
            counter: 1_000_000 + self.made,
            time: 0,
            retention: Retention::Everything,
            heads: Vec::new(),
            lacked: Vec::new(),
            attachments_lacked: 0,
        };
        [receipt.encode(), Signature([7; 64]).0.to_vec()].concat()
    }

    /// Turns a bit of what is true; the lengths of frames stay.
    fn spoil(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if bytes.len() > 256 {
            let at = 200 + self.random.below(bytes.len() as u64 - 200) as usize;
            bytes[at] ^= 1;
        }
        bytes
    }
}
