//! One device of the demo: a process with a database of its own that does what it is told, and is on the network
//! like any other device.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use ayni::doc::{Geometry, Map, Operation, Position, Value};
use ayni::environment::{Environment, System};
use ayni::interchange::{ImportOptions, ReadOptions, read};
use ayni::query::{Query, Selector};
use ayni::{Collection, Database, Document, Invitation, Options, Project, Transaction};
use ayni_net::Network;
use serde_json::Value as Json;
use tokio::runtime::Runtime;

use super::orders::{Answer, Answered, Claim, Disputed, Done, Edit, Holdings, Imported, Invited, Order, Progress};
use super::{PLACES, places, story};

/// The fields that get an index on every device.
const INDEXES: [&str; 2] = ["country", "population"];

/// Carries out the orders that come on the standard input, until it ends.
pub(super) fn run(folder: &Path, keys: &Path) -> Result<()> {
    let mut device = Device::new(folder, keys)?;
    for line in io::stdin().lock().lines() {
        let order: Order = serde_json::from_str(&line?).context("an order that this program does not know")?;
        match device.carry_out(order) {
            Ok(answer) => answer_with(&Answer::Done(answer)),
            Err(error) => answer_with(&Answer::Failed { what: format!("{error:#}") }),
        }
    }
    device.offline();
    Ok(())
}

/// Nobody listening means that the demo has ended: then the input ends, too.
fn answer_with(answer: &Answer) {
    let mut out = io::stdout().lock();
    if let Ok(text) = serde_json::to_string(answer) {
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}

/// Tells how far an order is.
pub(super) fn tell(progress: Progress) {
    answer_with(&Answer::Progress(progress));
}

/// The machine's own clock, randomness and threads; the clock may be wrong.
#[derive(Default)]
struct WrongClock {
    by: AtomicI64,
}

impl Environment for WrongClock {
    fn now(&self) -> i64 {
        System.now().saturating_add(self.by.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> u64 {
        System.monotonic()
    }

    fn random(&self, buffer: &mut [u8]) {
        System.random(buffer);
    }

    fn spawn(&self, job: Box<dyn FnOnce() + Send>) {
        System.spawn(job);
    }
}

/// A device and its place on the network.
pub(super) struct Device {
    folder: PathBuf,
    keys: PathBuf,
    clock: Arc<WrongClock>,
    database: Option<Database>,
    project: Option<Project>,
    runtime: Runtime,
    network: Option<Network>,
    /// When it went on the network.
    online: Instant,
}

impl Device {
    fn new(folder: &Path, keys: &Path) -> Result<Self> {
        Ok(Self {
            folder: folder.to_owned(),
            keys: keys.to_owned(),
            clock: Arc::default(),
            database: None,
            project: None,
            runtime: Runtime::new()?,
            network: None,
            online: Instant::now(),
        })
    }

    fn carry_out(&mut self, order: Order) -> Result<Json> {
        Ok(match order {
            Order::Create { name } => serde_json::to_value(self.create(&name)?)?,
            Order::Found { project } => serde_json::to_value(self.found(&project)?)?,
            Order::Import { tenth } => serde_json::to_value(import(self.project()?, tenth)?)?,
            Order::Invite => serde_json::to_value(invite(self.project()?)?)?,
            Order::Join { ticket } => serde_json::to_value(self.join(&ticket)?)?,
            Order::Online => serde_json::to_value(self.online()?)?,
            Order::Fetch { places } => serde_json::to_value(self.fetch(places)?)?,
            Order::Offline => serde_json::to_value(self.offline())?,
            Order::Edit { edits, clock } => serde_json::to_value(self.edit(&edits, clock)?)?,
            Order::See { place, field, number } => serde_json::to_value(self.see(&place, &field, number)?)?,
            Order::Settle { devices } => serde_json::to_value(self.settle(devices)?)?,
            Order::Hold { places, names } => serde_json::to_value(holdings(self.project()?, &places, &names)?)?,
            Order::Ask { selector, sort, limit } => {
                serde_json::to_value(answer(self.project()?, &selector, sort.as_deref(), limit)?)?
            }
        })
    }

    fn create(&mut self, name: &str) -> Result<Done> {
        let options = Options { environment: self.clock.clone(), ..Options::new(&self.keys) };
        self.database = Some(Database::create(&self.folder, name, options)?);
        Ok(Done {})
    }

    fn found(&mut self, project: &str) -> Result<Done> {
        let (project, _) = self.database()?.create_project(project)?;
        create_indexes(&project)?;
        self.project = Some(project);
        Ok(Done {})
    }

    fn join(&mut self, ticket: &str) -> Result<Done> {
        self.project = Some(self.database()?.join(&ticket.parse()?)?);
        Ok(Done {})
    }

    fn online(&mut self) -> Result<Done> {
        let database = self.database()?.clone();
        self.online = Instant::now();
        let network = self.runtime.block_on(Network::serve(&database, |config| config.discovery = true))?;
        self.network = Some(network);
        Ok(Done {})
    }

    fn offline(&mut self) -> Done {
        if let Some(network) = self.network.take() {
            self.runtime.block_on(network.shutdown());
        }
        Done {}
    }

    fn edit(&self, edits: &[Edit], clock: i64) -> Result<Done> {
        let project = self.project()?;
        self.clock.by.store(clock, Ordering::Relaxed);
        let written = edit(project, edits);
        self.clock.by.store(0, Ordering::Relaxed);
        written?;
        Ok(Done {})
    }

    pub(super) fn database(&self) -> Result<&Database> {
        self.database.as_ref().context("this device has no database yet")
    }

    pub(super) fn project(&self) -> Result<&Project> {
        self.project.as_ref().context("this device is in no project yet")
    }

    /// Since when it is on the network.
    pub(super) fn online_since(&self) -> Instant {
        self.online
    }

    pub(super) fn network(&self) -> Result<&Network> {
        self.network.as_ref().context("this device is not on the network")
    }
}

/// Makes the indexes of the places.
pub(super) fn create_indexes(project: &Project) -> Result<()> {
    for field in INDEXES {
        project.collection(PLACES).create_index(field)?;
    }
    Ok(())
}

fn import(project: &Project, tenth: bool) -> Result<Imported> {
    let text = places::json_lines(tenth, &story::PLACES_IN_IT)?;
    let bytes = text.len() as u64;
    let total = places::count(&text);
    tell(Progress { done: 0, total, bytes: 0 });
    let began = Instant::now();
    let records = read(text.as_slice(), &ReadOptions { id: Some(places::KEY.parse()?), ..ReadOptions::default() })?;
    let mut first_bad = None;
    let count = project.import(
        PLACES,
        records,
        ImportOptions::default(),
        |bad| _ = first_bad.get_or_insert_with(|| bad.to_string()),
        |count| tell(Progress { done: count.records(), total, bytes: bytes * count.records() / total.max(1) }),
    )?;
    match first_bad {
        Some(bad) => Err(anyhow!("{} of the places could not be read: {bad}", count.bad)),
        None => Ok(Imported { places: count.created, bytes, millis: millis_since(began) }),
    }
}

fn invite(project: &Project) -> Result<Invited> {
    let ticket = project.invite(&Invitation::default())?;
    Ok(Invited { ticket: ticket.to_string() })
}

fn edit(project: &Project, edits: &[Edit]) -> Result<()> {
    let places = project.collection(PLACES);
    let mut read = Vec::with_capacity(edits.len());
    for edit in edits {
        read.push(match edit {
            Edit::Set { place, .. } | Edit::Delete { place } => Some(place_by_number(&places, place)?),
            Edit::Create { .. } => None,
        });
    }
    Ok(project.write(|tx| edits.iter().zip(&read).try_for_each(|(edit, read)| do_edit(tx, edit, read.as_ref())))?)
}

fn do_edit(tx: &mut Transaction<'_, '_>, edit: &Edit, read: Option<&Document>) -> Result<(), ayni::Error> {
    match (edit, read) {
        (Edit::Set { field, number, .. }, Some(document)) => {
            tx.edit(document, vec![Operation::set(field, Value::Int(*number))])
        }
        (Edit::Delete { .. }, Some(document)) => tx.delete(document),
        (Edit::Create { name, population, longitude, latitude }, _) => {
            let location = Geometry::Point(Position { x: *longitude, y: *latitude, z: None });
            let fields = Map::from([
                ("name".into(), Value::from(name.as_str())),
                ("country".into(), Value::from("PE")),
                ("population".into(), Value::Int(*population)),
                ("location".into(), Value::Geometry(Box::new(location))),
            ]);
            tx.create(PLACES, fields).map(|_| ())
        }
        (Edit::Set { .. } | Edit::Delete { .. }, None) => Ok(()),
    }
}

fn place_by_number(places: &Collection, number: &str) -> Result<Document> {
    let found = places.get(places.id_of_key(number)?)?;
    found.with_context(|| format!("there is no place with the number {number}"))
}

fn holdings(project: &Project, numbers: &[String], names: &[String]) -> Result<Holdings> {
    let places = project.collection(PLACES);
    let mut records = Vec::with_capacity(numbers.len());
    for number in numbers {
        records.push(places.get(places.id_of_key(number)?)?.map(|document| document.to_json()));
    }
    let mut named = Vec::with_capacity(names.len());
    for name in names {
        let selector = Selector::from_json(&serde_json::json!({ "country": "PE", "name": name }))?;
        named.push(places.count(&selector)?);
    }
    let (digest, count) = (project.digest()?.to_string(), places.len()?);
    Ok(Holdings { digest, places: count, records, named, conflicts: disputed(project)? })
}

fn disputed(project: &Project) -> Result<Vec<Disputed>> {
    let members = project.members()?;
    let mut disputed = Vec::new();
    for document in project.collection(PLACES).conflicted()? {
        let place = document.get(&["name"]).and_then(|name| name.as_text().map(str::to_owned)).unwrap_or_default();
        for conflict in document.conflicts() {
            let claim = |alternative: &ayni::doc::Alternative| {
                let author = members.iter().find(|member| member.device == alternative.stamp.author);
                Claim {
                    value: alternative.value.as_ref().map_or(Json::Null, Value::to_json),
                    author: author.map(|member| member.name.clone()).unwrap_or_default(),
                    time: alternative.stamp.time,
                }
            };
            let values = conflict.alternatives.iter().map(claim).collect();
            disputed.push(Disputed { place: place.clone(), field: conflict.path.to_string(), values });
        }
    }
    Ok(disputed)
}

fn answer(project: &Project, selector: &str, sort: Option<&str>, limit: Option<u64>) -> Result<Answered> {
    let began = Instant::now();
    let mut query = Query::new(selector.parse()?);
    if let Some(sort) = sort {
        query = query.sort(sort.parse()?);
    }
    query.limit = limit;
    let documents = project.collection(PLACES).query(&query)?;
    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    Ok(Answered { documents: documents.iter().map(Document::to_json).collect(), micros })
}

pub(super) fn millis_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
