//! One device: a process with a database of its own that does what it is told, and is on the network like any other.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use ayni::doc::{Map, Operation, Value};
use ayni::{Collection, Database, Invitation, Options, Project, Standing};
use ayni_net::{Network, PeerAddr, PeerState, StartError, TransportId};
use serde::Serialize;
use serde_json::Value as Json;
use tokio::runtime::Runtime;

use crate::ledger;
use crate::live::{Beating, Hearing};
use crate::orders::{Answer, Change, Done, Held, Look, Order};
use crate::pest::Pest;
use crate::stranger;

/// The collection that everything is in.
pub const COLLECTION: &str = "records";
/// Its index: one of ten words, so that changes meet in it.
const INDEX: &str = "kind";
const KINDS: [&str; 10] = ["spring", "bridge", "path", "terrace", "nest", "tree", "house", "field", "canal", "wall"];
/// Records in a commit.
const COMMIT: u64 = 1_000;
/// Documents in a commit of a flood: some dozens of commits a second.
const FLOOD: u64 = 500;

/// How long a port may take until it is free again, and how often that is tried.
const BINDING: Duration = Duration::from_secs(10);
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// The key of the record with a number.
pub fn record(number: u64) -> String {
    format!("record-{number:07}")
}

/// Carries out the orders that come on the standard input, until it ends.
///
/// # Errors
/// For an order that is none.
pub fn run(folder: &Path) -> Result<()> {
    let mut device = Device::new(folder)?;
    for line in io::stdin().lock().lines() {
        let order: Order = serde_json::from_str(&line?).context("an order that this program does not know")?;
        say(&match device.carry_out(order) {
            Ok(answer) => Answer::Done(answer),
            Err(error) => Answer::Failed { what: format!("{error:#}") },
        });
    }
    device.offline();
    Ok(())
}

/// Nobody listening means that whoever gave orders has ended: then the input ends, too.
fn say(answer: &Answer) {
    let mut out = io::stdout().lock();
    if let Ok(text) = serde_json::to_string(answer) {
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}

/// A device and its place on the network.
struct Device {
    folder: PathBuf,
    database: Option<Database>,
    project: Option<Project>,
    runtime: Runtime,
    network: Option<Network>,
    /// Those that it keeps a link with.
    links: BTreeSet<TransportId>,
    beating: Option<Beating>,
    hearing: Option<Hearing>,
    flooding: Option<Flooding>,
    pest: Option<Pest>,
}

impl Device {
    fn new(folder: &Path) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        Ok(Self {
            folder: folder.to_owned(),
            database: None,
            project: None,
            runtime,
            network: None,
            links: BTreeSet::new(),
            beating: None,
            hearing: None,
            flooding: None,
            pest: None,
        })
    }

    fn carry_out(&mut self, order: Order) -> Result<Json> {
        match order {
            Order::Create { name } => done(self.create(&name)),
            Order::Open => done(self.open()),
            Order::Found => done(self.found()),
            Order::Invite { uses } => answer(self.invite(uses)?),
            Order::Join { ticket } => done(self.join(&ticket)),
            Order::Online { listen, links } => answer(self.online(listen, &links)?),
            Order::Links { links } => done(self.link(&links)),
            Order::Offline => {
                self.offline();
                answer(Done {})
            }
            Order::Fill { records } => done(fill(self.project()?, records)),
            Order::Change { changes } => answer(change(self.project()?, &changes)?),
            Order::Look => answer(self.look()?),
            Order::Hold => answer(self.hold()?),
            Order::Check { ledger, records } => answer(check(&self.records()?, &ledger, records)?),
            Order::Beat { name, pause } => {
                self.beating = Some(Beating::start(self.project()?.clone(), name, pause));
                answer(Done {})
            }
            Order::StopBeat => answer(self.beating.take().context("it does not beat")?.stop()?),
            Order::Hear { name } => {
                self.hearing = Some(Hearing::start(self.project()?.clone(), name));
                answer(Done {})
            }
            Order::StopHear { beats, patience } => {
                answer(self.hearing.take().context("it does not listen")?.stop(beats, patience)?)
            }
            Order::Flood => {
                self.flooding = Some(Flooding::start(self.project()?.clone()));
                answer(Done {})
            }
            Order::StopFlood => answer(self.flooding.take().context("it does not flood")?.stop()?),
            Order::Pester { listen, links, how } => done(self.pester(listen, &links, how)),
            Order::StopPester => {
                let pest = self.pest.take().context("it does not pester")?;
                answer(self.runtime.block_on(pest.stop()))
            }
            Order::Besiege { target, strangers, at_once, stay, seed } => {
                let siege = stranger::Siege {
                    target: target.parse()?,
                    strangers,
                    at_once,
                    stay: Duration::from_millis(stay),
                    seed,
                };
                answer(self.runtime.block_on(siege.run(|came| say(&Answer::Progress(came))))?)
            }
        }
    }

    fn options(&self) -> Options {
        Options::new(self.folder.with_extension("keys"))
    }

    fn create(&mut self, name: &str) -> Result<()> {
        self.database = Some(Database::create(&self.folder, name, self.options())?);
        Ok(())
    }

    fn open(&mut self) -> Result<()> {
        let database = Database::open(&self.folder, self.options())?;
        self.project = database.projects()?.into_iter().next();
        self.database = Some(database);
        Ok(())
    }

    fn found(&mut self) -> Result<()> {
        let (project, _) = self.database()?.create_project("Load")?;
        project.collection(COLLECTION).create_index(INDEX)?;
        self.project = Some(project);
        Ok(())
    }

    fn invite(&self, uses: u32) -> Result<String> {
        Ok(self.project()?.invite(&Invitation { uses, ..Invitation::default() })?.to_string())
    }

    fn join(&mut self, ticket: &str) -> Result<()> {
        self.project = Some(self.database()?.join(&ticket.parse()?)?);
        Ok(())
    }

    fn online(&mut self, listen: SocketAddr, links: &[String]) -> Result<String> {
        let database = self.database()?.clone();
        let network = self.runtime.block_on(serve(&database, listen))?;
        self.links.clear();
        for (_, address) in database.remembered_addresses()? {
            self.links.extend(address.parse::<PeerAddr>().map(|met| met.id));
        }
        let own = network.addresses().into_iter().next().context("a network without an address")?;
        self.network = Some(network);
        self.link(links)?;
        Ok(own.to_string())
    }

    /// Keeps a link with these and with nobody else; the device would otherwise look for everyone it ever met.
    fn link(&mut self, links: &[String]) -> Result<()> {
        let wanted: Vec<PeerAddr> = links.iter().map(|link| link.parse()).collect::<Result<_, _>>()?;
        let network = self.network.as_ref().context("it is not on the network")?;
        let connected = network.peers().into_iter().map(|peer| peer.id);
        let known: BTreeSet<_> = self.links.iter().copied().chain(connected).collect();
        for id in known.into_iter().filter(|id| !wanted.iter().any(|peer| peer.id == *id)) {
            network.forget(id);
        }
        wanted.iter().for_each(|peer| network.dial(*peer));
        self.links = wanted.iter().map(|peer| peer.id).collect();
        Ok(())
    }

    fn offline(&mut self) {
        if let Some(network) = self.network.take() {
            self.runtime.block_on(network.shutdown());
        }
    }

    fn pester(&mut self, listen: SocketAddr, links: &[String], how: crate::orders::Nuisance) -> Result<()> {
        let links = links.iter().map(|link| link.parse()).collect::<Result<_, _>>()?;
        let (database, project) = (self.database()?.clone(), self.project()?.clone());
        self.pest = Some(self.runtime.block_on(Pest::start(database, project, listen, links, how))?);
        Ok(())
    }

    fn look(&self) -> Result<Look> {
        let mut look = Look::default();
        let project = self.project()?;
        look.member = matches!(project.standing()?, Standing::Member(_));
        if look.member && !project.collection(COLLECTION).indexes()?.iter().any(|path| path.to_string() == INDEX) {
            project.collection(COLLECTION).create_index(INDEX)?;
        }
        for peer in self.database()?.pool().peers() {
            let ended = peer.fault.is_some();
            for shared in peer.projects.iter().filter(|shared| shared.project == project.id() && !ended) {
                look.links.push(peer.address.clone());
                look.level += usize::from(shared.level);
                look.received += shared.progress.received.entries;
            }
        }
        for peer in self.network.iter().flat_map(Network::peers) {
            if let PeerState::Connected { received, .. } = peer.state {
                look.bytes += received;
            }
        }
        Ok(look)
    }

    fn hold(&self) -> Result<Held> {
        let project = self.project()?;
        let status = project.status()?;
        let mut disk = 0;
        for entry in std::fs::read_dir(&self.folder)? {
            disk += entry?.metadata()?.len();
        }
        Ok(Held {
            digest: project.digest()?.to_string(),
            documents: project.collections()?.iter().map(|collection| collection.documents).sum(),
            entries: status.entries,
            waiting: status.waiting,
            disk,
        })
    }

    fn database(&self) -> Result<&Database> {
        self.database.as_ref().ok_or_else(|| anyhow!("it has no database yet"))
    }

    fn project(&self) -> Result<&Project> {
        self.project.as_ref().ok_or_else(|| anyhow!("it is in no project yet"))
    }

    fn records(&self) -> Result<Collection> {
        Ok(self.project()?.collection(COLLECTION))
    }
}

/// Where it was before, if need be once what is left of the network before is gone from there.
async fn serve(database: &Database, listen: SocketAddr) -> Result<Network, StartError> {
    let began = Instant::now();
    loop {
        let served = Network::serve(database, |config| {
            config.discovery = false;
            config.listen = Some(listen);
        });
        match served.await {
            Err(StartError::Bind { .. }) if began.elapsed() < BINDING => tokio::time::sleep(TRY_AGAIN).await,
            served => return served,
        }
    }
}

fn answer<T: Serialize>(answer: T) -> Result<Json> {
    Ok(serde_json::to_value(answer)?)
}

fn done(outcome: Result<()>) -> Result<Json> {
    outcome.and_then(|()| answer(Done {}))
}

/// A small document: the load is in how many there are.
fn document(key: &str, number: u64) -> Map {
    let kind = KINDS[(number % KINDS.len() as u64) as usize];
    Map::from([
        ("key".to_owned(), Value::from(key)),
        ("kind".to_owned(), Value::from(kind)),
        ("number".to_owned(), Value::Int(number as i64)),
    ])
}

fn fill(project: &Project, records: Range<u64>) -> Result<()> {
    let mut from = records.start;
    while from < records.end {
        let to = (from + COMMIT).min(records.end);
        project.write(|tx| {
            (from..to).try_for_each(|number| {
                let key = record(number);
                tx.put(COLLECTION, &key, document(&key, number)).map(|_| ())
            })
        })?;
        from = to;
    }
    Ok(())
}

fn change(project: &Project, changes: &[Change]) -> Result<Vec<bool>> {
    let records = project.collection(COLLECTION);
    let ids = changes.iter().map(|change| records.id_of_key(key_of(change))).collect::<Result<Vec<_>, _>>()?;
    let mut made = Vec::new();
    project.write(|tx| {
        for (change, id) in changes.iter().zip(&ids) {
            let found = tx.get(COLLECTION, *id)?;
            let possible = match (change, found) {
                (Change::Create { key }, None) => {
                    tx.put(COLLECTION, key, document(key, made.len() as u64))?;
                    true
                }
                (Change::Edit { field, value, .. }, Some(found)) => {
                    tx.edit(&found, vec![Operation::set(field, Value::Int(*value))])?;
                    true
                }
                (Change::Delete { .. }, Some(found)) => {
                    tx.delete(&found)?;
                    true
                }
                _ => false,
            };
            made.push(possible);
        }
        Ok(())
    })?;
    Ok(made)
}

fn key_of(change: &Change) -> &str {
    match change {
        Change::Create { key } | Change::Edit { key, .. } | Change::Delete { key } => key,
    }
}

/// What is wrong, in words; the first few of it.
fn check(records: &Collection, ledger: &Path, filled: u64) -> Result<Vec<String>> {
    const MOST: usize = 10;
    let mut wrong = Vec::new();
    let mut expected: BTreeMap<String, ledger::Expected> = ledger::read(ledger)?;
    let mut there = vec![false; filled as usize];
    records.for_each(|found| {
        let key = found.get(&["key"]).and_then(|key| key.as_text().map(str::to_owned)).unwrap_or_default();
        let number = found.get(&["number"]).and_then(|number| number.as_int());
        match number.filter(|number| record(*number as u64) == key).and_then(|number| there.get_mut(number as usize)) {
            Some(there) => *there = true,
            None if expected.contains_key(&key) => {}
            None => wrong.push(format!("{key} is here, and nobody wrote it")),
        }
        if let Some(expected) = expected.remove(&key) {
            let field = |field: &str| found.get(&[field]).and_then(|value| value.as_int());
            wrong.extend(expected.compare(&key, true, field));
        }
        Ok(if wrong.len() < MOST { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    if wrong.len() < MOST {
        wrong.extend(expected.iter().flat_map(|(key, expected)| expected.compare(key, false, |_| None)));
        let missing = there.iter().enumerate().filter(|(_, there)| !**there);
        wrong.extend(missing.map(|(number, _)| format!("{} is not here", record(number as u64))));
    }
    wrong.truncate(MOST);
    Ok(wrong)
}

/// A thread that writes as fast as the disk takes it.
struct Flooding {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    thread: JoinHandle<Result<(), ayni::Error>>,
}

impl Flooding {
    fn start(project: Project) -> Self {
        let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (stop.clone(), written.clone());
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let from = count.load(Ordering::Relaxed);
                project.write(|tx| {
                    (from..from + FLOOD)
                        .try_for_each(|number| tx.create(COLLECTION, document("flood", number)).map(|_| ()))
                })?;
                count.store(from + FLOOD, Ordering::Relaxed);
            }
            Ok(())
        });
        Self { stop, written, thread }
    }

    fn stop(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the flood panicked"))??;
        Ok(self.written.load(Ordering::Relaxed))
    }
}
