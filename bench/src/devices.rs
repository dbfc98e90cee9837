//! Devices to measure: databases with a project in common, over QUIC on loopback or over a pipe that counts.

use crate::plain::TRANSACTION;
use crate::records::{Indexes, Record};
use anyhow::{Context, Result, ensure};
use ayni::doc::Value;
use ayni::{ChannelInfo, Database, Index, Invitation, Link, Options, Project, Tokenizer};
use ayni_net::Network;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The collection that everything is measured on.
pub const COLLECTION: &str = "observations";
/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(600);

/// A database, with the one project that it is in.
pub struct Device {
    /// The database.
    pub database: Database,
    /// Its folder.
    pub folder: PathBuf,
}

impl Device {
    /// Makes a database in a folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(folder: &Path, name: &str) -> Result<Self> {
        let database = Database::create(folder, name, Options::new(folder.with_extension("keys")))?;
        Ok(Self { database, folder: folder.to_owned() })
    }

    /// Opens it again.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(folder: &Path) -> Result<Self> {
        let database = Database::open(folder, Options::new(folder.with_extension("keys")))?;
        Ok(Self { database, folder: folder.to_owned() })
    }

    /// Founds the project, with its indexes.
    ///
    /// # Errors
    /// When the database fails.
    pub fn found(&self, indexes: Indexes) -> Result<Project> {
        let (project, _) = self.database.create_project("bench")?;
        index(&project, indexes)?;
        Ok(project)
    }

    /// The project.
    ///
    /// # Errors
    /// When there is none.
    pub fn project(&self) -> Result<Project> {
        self.database.projects()?.into_iter().next().context("a device without a project")
    }

    /// Bytes on disk, once everything is in the database's one file.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn disk(folder: &Path) -> Result<u64> {
        let mut bytes = 0;
        for entry in std::fs::read_dir(folder)? {
            bytes += entry?.metadata()?.len();
        }
        Ok(bytes)
    }
}

/// Two devices, of which the second has joined the first one's project, with nothing in it yet.
///
/// # Errors
/// When they do not come together.
pub fn pair(one: &Path, other: &Path, indexes: Indexes) -> Result<[Device; 2]> {
    let devices = [Device::create(one, "one")?, Device::create(other, "other")?];
    let project = devices[0].found(indexes)?;
    let ticket = project.invite(&Invitation::default())?;
    let joined = devices[1].database.join(&ticket)?;
    let mut pipe = Pipe::connect(&devices[0].database, &devices[1].database)?;
    let started = Instant::now();
    while joined.collection(COLLECTION).create_index("species").is_err() {
        ensure!(started.elapsed() < PATIENCE, "the devices did not come together");
        pipe.pump();
    }
    index(&joined, indexes)?;
    pipe.settle();
    Ok(devices)
}

fn index(project: &Project, indexes: Indexes) -> Result<()> {
    let collection = project.collection(COLLECTION);
    collection.create_index("species")?;
    collection.create_index("seen_at")?;
    if indexes == Indexes::All {
        collection.create_index(Index::text(["note".parse()?], Tokenizer::Words)?)?;
        collection.create_index(Index::geometry("location".parse()?)?)?;
    }
    Ok(())
}

/// Writes records in transactions of 10,000.
///
/// # Errors
/// When the database fails.
pub fn write(project: &Project, records: Vec<Value>) -> Result<()> {
    let mut records = records.into_iter().peekable();
    while records.peek().is_some() {
        project.write(|tx| {
            records.by_ref().take(TRANSACTION).try_for_each(|record| tx.create(COLLECTION, record).map(|_| ()))
        })?;
    }
    Ok(())
}

/// Records as values.
///
/// # Errors
/// Never for the generator's.
pub fn values(records: &[Record]) -> Result<Vec<Value>> {
    records.iter().map(|record| Ok(Value::from_json(&record.to_json())?)).collect()
}

/// Carries everything from one device to another.
///
/// # Errors
/// When it does not all arrive.
pub fn level(one: &Device, other: &Device) -> Result<Pipe> {
    let (here, there) = (one.project()?, other.project()?);
    let mut pipe = Pipe::connect(&one.database, &other.database)?;
    let documents = |project: &Project| -> Result<u64> {
        Ok(project.collections()?.iter().map(|collection| collection.documents).sum())
    };
    let all = documents(&here)?;
    pipe.carry_until("the same on both devices", || Ok(documents(&there)? == all))?;
    pipe.settle();
    Ok(pipe)
}

/// Waits until something holds.
///
/// # Errors
/// When it does not for ten minutes.
pub fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    while !holds()? {
        ensure!(started.elapsed() < PATIENCE, "{what} did not come about");
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// Two databases on QUIC over loopback, until it is dropped.
pub struct Wire {
    runtime: tokio::runtime::Runtime,
    networks: Vec<Network>,
}

impl Wire {
    /// Starts both and lets the second dial the first.
    ///
    /// # Errors
    /// When a network cannot be started.
    pub fn connect(one: &Database, other: &Database) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let serve = |database: &Database| {
            runtime.block_on(Network::serve(database, |config| {
                config.discovery = false;
                config.listen = Some(([127, 0, 0, 1], 0).into());
            }))
        };
        let networks = vec![serve(one)?, serve(other)?];
        let address = networks[0].addresses().into_iter().next().context("a network without an address")?;
        networks[1].dial(address);
        Ok(Self { runtime, networks })
    }

    /// UDP payload that the first device has sent and received, in bytes.
    pub fn bytes(&self) -> u64 {
        let peers = self.networks[0].peers();
        let bytes = peers.iter().map(|peer| match peer.state {
            ayni_net::PeerState::Connected { sent, received, .. } => sent + received,
            _ => 0,
        });
        bytes.sum()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for network in self.networks.drain(..) {
            self.runtime.block_on(network.shutdown());
        }
    }
}

/// Two databases joined in memory, by hand, so that every byte and flight is counted.
pub struct Pipe {
    links: [Link; 2],
    /// Bytes that went both ways.
    pub bytes: u64,
    /// How often both sides in turn had something to say.
    pub flights: u64,
}

impl Pipe {
    /// Begins a conversation.
    ///
    /// # Errors
    /// When a database cannot be read.
    pub fn connect(one: &Database, other: &Database) -> Result<Self> {
        let ids = [one, other].map(|database| *database.transport_secret());
        let link = |database: &Database, own: usize| {
            let info = ChannelInfo {
                own_transport: ids[own],
                peer_transport: ids[1 - own],
                initiator: own == 0,
                binding: [1; 32],
                address: "pipe".to_owned(),
            };
            database.pool().connect(info, || {})
        };
        Ok(Self { links: [link(one, 0)?, link(other, 1)?], bytes: 0, flights: 0 })
    }

    /// Carries what both have to say once; whether there was anything.
    pub fn pump(&mut self) -> bool {
        let said = [0, 1].map(|side| self.links[side].outgoing(1 << 20));
        for (side, bytes) in said.iter().enumerate() {
            self.bytes += bytes.len() as u64;
            self.links[1 - side].receive(bytes);
        }
        let any = said.iter().any(|bytes| !bytes.is_empty());
        self.flights += u64::from(any);
        if !any {
            self.links.iter().for_each(Link::tick);
            std::thread::sleep(Duration::from_micros(200));
        }
        any
    }

    /// Carries until something holds.
    ///
    /// # Errors
    /// When it does not for ten minutes.
    pub fn carry_until(&mut self, what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
        let started = Instant::now();
        while !holds()? {
            ensure!(started.elapsed() < PATIENCE, "{what} did not come about");
            (0..64).for_each(|_| {
                self.pump();
            });
        }
        Ok(())
    }

    /// Carries until neither has had anything to say for a second.
    pub fn settle(&mut self) {
        let mut quiet = Instant::now();
        while quiet.elapsed() < Duration::from_secs(1) {
            if self.pump() {
                quiet = Instant::now();
            }
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.links.iter().for_each(Link::closed);
    }
}
