//! What all parts have in common: a folder, devices of one project that know each other's addresses, waiting until they are
//! level, and telling how far it is.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ayni_bench::row::Row;
use ayni_net::PeerAddr;

use crate::cast::Cast;
use crate::orders::{Done, Held, Look, Order};

/// What every part is given.
#[derive(Debug, Clone)]
pub struct Setting {
    /// This program, which is the devices', too.
    pub program: PathBuf,
    /// Where the devices have their folders.
    pub folder: PathBuf,
    /// Decides what is left to chance.
    pub seed: u64,
    /// How often a line tells how far it is.
    pub tells: Option<Duration>,
}

/// What a part has found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Figures, with what was wanted of them.
    pub rows: Vec<Row>,
    /// Promises that were broken, in words.
    pub broken: Vec<String>,
}

impl Outcome {
    /// Whether every promise and every bound held.
    pub fn is_well(&self) -> bool {
        self.broken.is_empty() && self.rows.iter().all(|row| row.ok() != Some(false))
    }

    /// A promise is broken unless it `holds`.
    pub fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(what());
        }
    }
}

/// Devices that wait for a new member at a time.
const WAVE: usize = 12;
/// How long joining may take.
const JOINING: Duration = Duration::from_secs(120);

/// See the module.
pub struct Stage {
    /// The devices.
    pub cast: Cast,
    /// The address of each, as the others are given it.
    pub addresses: Vec<String>,
    folder: PathBuf,
    homes: Vec<SocketAddr>,
    began: Instant,
    part: &'static str,
    tells: Option<Duration>,
    told: Instant,
}

impl Stage {
    /// An empty one.
    ///
    /// # Errors
    /// When its folder cannot be made.
    pub fn new(setting: &Setting, part: &'static str) -> Result<Self> {
        crate::process::can_be_measured()?;
        let folder = setting.folder.join(part);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self {
            cast: Cast::new(&setting.program, &folder),
            addresses: Vec::new(),
            folder,
            homes: Vec::new(),
            began: Instant::now(),
            part,
            tells: setting.tells,
            told: Instant::now(),
        })
    }

    /// Where the devices have their folders.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Devices of one project, each of which has met the first and knows nobody else.
    ///
    /// # Errors
    /// When they do not come together.
    pub fn gather(&mut self, names: &[String]) -> Result<()> {
        let Some((first, others)) = names.split_first() else { return Ok(()) };
        let founder = self.enter(first)?;
        let Done {} = self.cast.ask(founder, &Order::Found)?;
        let uses = u32::try_from(others.len().max(1))?;
        let ticket: String = self.cast.ask(founder, &Order::Invite { uses })?;
        self.online(founder, Vec::new())?;
        for wave in others.chunks(WAVE) {
            let mut joining = Vec::new();
            for name in wave {
                let at = self.enter(name)?;
                let Done {} = self.cast.ask(at, &Order::Join { ticket: ticket.clone() })?;
                self.online(at, vec![founder])?;
                joining.push(at);
            }
            let began = Instant::now();
            while !self.look(joining.iter().copied())?.iter().all(|look| look.member) {
                if began.elapsed() > JOINING {
                    bail!("not everyone was let in within {} s", JOINING.as_secs());
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            let there = self.cast.len();
            self.tell(true, || format!("{there} of {} devices are in the project", names.len()));
            joining.into_iter().try_for_each(|at| self.link(at, &BTreeSet::new()))?;
        }
        // It remembers where it has met them.
        self.look([founder])?;
        self.link(founder, &BTreeSet::new())
    }

    /// One more device, that asks a coordinator's device to be let in; gives its place once it is.
    ///
    /// # Errors
    /// When it is not let in in time.
    pub fn join(&mut self, name: &str, coordinator: usize, patience: Duration) -> Result<usize> {
        let ticket: String = self.cast.ask(coordinator, &Order::Invite { uses: 1 })?;
        let at = self.enter(name)?;
        let Done {} = self.cast.ask(at, &Order::Join { ticket })?;
        self.online(at, vec![coordinator])?;
        let began = Instant::now();
        while !self.look([at])?.iter().all(|look| look.member) {
            ensure!(began.elapsed() < patience, "{name} was not let in within {} s", patience.as_secs());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(at)
    }

    /// One more device, that is in no project yet.
    ///
    /// # Errors
    /// When it cannot make its database.
    pub fn enter(&mut self, name: &str) -> Result<usize> {
        let at = self.cast.enter(name)?;
        self.homes.push(home(at));
        self.addresses.push(String::new());
        let Done {} = self.cast.ask(at, &Order::Create { name: name.to_owned() })?;
        Ok(at)
    }

    /// Puts a device on the network, with links to others.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn online(&mut self, at: usize, links: impl IntoIterator<Item = usize>) -> Result<()> {
        let order = self.going_online(at, links);
        let address: String = self.cast.ask(at, &order)?;
        self.homes[at] = address.parse::<PeerAddr>()?.addr;
        self.addresses[at] = address;
        Ok(())
    }

    /// The order that puts a device on the network, where it was before.
    pub fn going_online(&self, at: usize, links: impl IntoIterator<Item = usize>) -> Order {
        Order::Online { listen: self.homes[at], links: self.addresses_of(links) }
    }

    /// Where a device listens, or will.
    pub fn home_of(&self, at: usize) -> SocketAddr {
        self.homes[at]
    }

    /// The addresses of devices.
    pub fn addresses_of(&self, places: impl IntoIterator<Item = usize>) -> Vec<String> {
        places.into_iter().map(|at| self.addresses[at].clone()).collect()
    }

    /// Gives a device its links.
    ///
    /// # Errors
    /// When it is not on the network.
    pub fn link(&mut self, at: usize, links: &BTreeSet<usize>) -> Result<()> {
        let links = self.addresses_of(links.iter().copied());
        let Done {} = self.cast.ask(at, &Order::Links { links })?;
        Ok(())
    }

    /// How far devices are.
    ///
    /// # Errors
    /// When one does not say.
    pub fn look(&mut self, places: impl IntoIterator<Item = usize>) -> Result<Vec<Look>> {
        self.cast.ask_all(places, |_| Order::Look)
    }

    /// Waits until each device has as many links as it should, and all of them are level; gives how far they are then.
    ///
    /// # Errors
    /// When they are not in time.
    pub fn until_level(&mut self, links: &[usize], patience: Duration) -> Result<Vec<Look>> {
        let began = Instant::now();
        let mut before = false;
        loop {
            let looks = self.look(0..links.len())?;
            let level = looks.iter().zip(links).filter(|(look, links)| look.links.len() >= **links);
            let level = level.filter(|(look, _)| look.level == look.links.len()).count();
            // Twice in a row: what one device had just stored was perhaps not told to the next yet.
            let now = level == links.len();
            if now && before {
                return Ok(looks);
            }
            before = now;
            let (standing, received) = totals(&looks);
            self.tell(false, || {
                format!("{level} of {} devices level, {standing} links, {received} entries came", links.len())
            });
            if began.elapsed() > patience {
                let late = looks.iter().zip(links).enumerate();
                let late =
                    late.filter(|(_, (look, links))| look.links.len() < **links || look.level < look.links.len());
                let late: Vec<String> = late
                    .map(|(at, (look, links))| {
                        format!("{} ({} of {links} links, {} level)", self.cast.name(at), look.links.len(), look.level)
                    })
                    .collect();
                bail!("not level after {} s: {}", patience.as_secs(), late.join(", "));
            }
            std::thread::sleep(Duration::from_millis(if links.len() > 10 { 1_000 } else { 100 }));
        }
    }

    /// What devices hold. It reads every document, so few are asked at a time.
    ///
    /// # Errors
    /// When one does not say.
    pub fn holdings(&mut self) -> Result<Vec<Held>> {
        let mut held = Vec::new();
        let all: Vec<usize> = (0..self.cast.len()).collect();
        for few in all.chunks(2) {
            held.extend(self.cast.ask_all::<Held>(few.iter().copied(), |_| Order::Hold)?);
            self.tell(false, || format!("{} devices have said what they hold", held.len()));
        }
        Ok(held)
    }

    /// Tells how far it is, not too often unless it is `news`.
    pub fn tell(&mut self, news: bool, what: impl FnOnce() -> String) {
        let Some(often) = self.tells else { return };
        if news || self.told.elapsed() >= often {
            self.told = Instant::now();
            let seconds = self.began.elapsed().as_secs();
            eprintln!("{} {:3}:{:02}  {}", self.part, seconds / 60, seconds % 60, what());
        }
    }
}

/// Links that stand, and entries that came by them.
pub fn totals(looks: &[Look]) -> (usize, u64) {
    let ends: usize = looks.iter().map(|look| look.links.len()).sum();
    (ends / 2, looks.iter().map(|look| look.received).sum())
}

/// Bytes as megabytes.
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// The part of sorted figures below which a share of them lies.
pub fn quantile(sorted: &[u64], share: f64) -> u64 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

/// Each device has an address of its own, as on a network; where there is but one loopback address, a port.
fn home(at: usize) -> SocketAddr {
    let [high, low] = [(at / 250) as u8, (at % 250) as u8 + 1];
    let run = (std::process::id() % 100) as u8 + 100;
    let ip = if cfg!(target_os = "linux") { Ipv4Addr::new(127, run, high, low) } else { Ipv4Addr::LOCALHOST };
    SocketAddr::from((ip, 0))
}
