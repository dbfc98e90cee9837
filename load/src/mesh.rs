//! Many devices in one mesh of sparse links: filled with records, then churned, then left in peace until all show the same.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use anyhow::Result;
use ayni_bench::records::Random;
use ayni_bench::row::{Row, Target};

use crate::device::record;
use crate::ledger::Ledger;
use crate::orders::{Change, Done, Held, Look, Order};
use crate::stage::{Outcome, Setting, Stage, megabytes, totals};
use crate::topology::Topology;

/// One device in so many writes the records that all get.
const AUTHORS: usize = 5;
/// Records that an author is ordered to write at a time.
const ORDER: u64 = 5_000;
/// Changes in a commit, at most.
const CHANGES: u64 = 10;
/// Devices that compare all that they hold with the ledger; of the others the digest is compared.
const CHECKED: usize = 3;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Mesh {
    /// Devices.
    pub devices: usize,
    /// Records that some of them write at first.
    pub records: u64,
    /// How long there is churn.
    pub churn: Duration,
    /// How long each device is left in peace, on the average, until something happens to it.
    pub trouble: Duration,
    /// How long until one of the devices commits something.
    pub writes: Duration,
    /// How long a device is away that was killed, ended or went off; between a tenth of it and all.
    pub away: Duration,
    /// How long the filling may take.
    pub filling: Duration,
    /// How long it may take, after the last change, until all are level.
    pub settling: Duration,
    /// Memory that no device may exceed, in bytes.
    pub memory: u64,
}

impl Mesh {
    /// So many devices, records and minutes of churn, at the pace of the long run.
    pub fn new(devices: usize, records: u64, minutes: u64) -> Self {
        Self {
            devices,
            records,
            churn: Duration::from_secs(60 * minutes),
            trouble: Duration::from_secs(90),
            writes: Duration::from_millis(500),
            away: Duration::from_secs(20),
            filling: Duration::from_secs(3_600),
            settling: Duration::from_secs(180),
            memory: 250_000_000,
        }
    }
}

/// Runs it.
///
/// # Errors
/// When a device fails, or does not do what it must for the rest to mean something.
pub fn run(mesh: &Mesh, setting: &Setting) -> Result<Outcome> {
    let mut stage = Stage::new(setting, "mesh")?;
    let mut random = Random::new(setting.seed);
    let mut outcome = Outcome::default();
    let began = Instant::now();
    let names: Vec<String> = (0..mesh.devices).map(|at| format!("device-{at:02}")).collect();
    stage.gather(&names)?;
    outcome.rows.push(Row::ayni(format!("{} devices come together", mesh.devices), began.elapsed().as_secs_f64(), "s"));

    let mut topology = Topology::new(mesh.devices, &mut random);
    (0..mesh.devices).try_for_each(|at| stage.link(at, &topology.links_of(at)))?;
    fill(mesh, &mut stage, &topology, &mut outcome)?;

    let before = stage.cast.watch.processor();
    let mut churn = Churn::new(mesh, &mut stage, &mut topology, random);
    churn.run()?;
    let (ledger, counts) = (churn.ledger, churn.counts);
    let processor = stage.cast.watch.processor().saturating_sub(before);
    let quiet = Instant::now();
    let links: Vec<usize> = (0..mesh.devices).map(|at| topology.links_of(at).len()).collect();
    stage.until_level(&links, mesh.settling)?;
    let took = quiet.elapsed().as_secs_f64();
    compare(mesh, &mut stage, &ledger, &mut outcome)?;
    outcome.rows.extend(counts.rows(&ledger));
    let each = processor.as_secs_f64() / counts.commits.max(1) as f64 / mesh.devices as f64;
    outcome.rows.push(Row::ayni("processor time for a commit on each device", each * 1_000.0, "ms"));
    let level = Row::ayni("level after the last change", took, "s");
    outcome.rows.push(level.wants(Target::AtMost(mesh.settling.as_secs_f64())));
    let watch = &stage.cast.watch;
    let most = Row::ayni("memory of a device, at most", megabytes(watch.most()), "MB");
    outcome.rows.push(most.wants(Target::AtMost(megabytes(mesh.memory))));
    outcome.rows.push(Row::ayni("memory of a device, on the average", megabytes(watch.mean()), "MB"));
    outcome.rows.push(Row::ayni("memory of all, at most", megabytes(watch.most_of_all()), "MB"));
    (0..mesh.devices).try_for_each(|at| stage.cast.end(at))?;
    Ok(outcome)
}

/// Some devices write records, and all get them.
fn fill(mesh: &Mesh, stage: &mut Stage, topology: &Topology, outcome: &mut Outcome) -> Result<()> {
    let began = Instant::now();
    let authors: Vec<usize> = (0..mesh.devices).step_by(AUTHORS).collect();
    let share = mesh.records.div_ceil(authors.len() as u64);
    let mut left: Vec<_> = (0..authors.len() as u64)
        .map(|author| (author * share).min(mesh.records)..((author + 1) * share).min(mesh.records))
        .collect();
    while left.iter().any(|records| !records.is_empty()) {
        let mut asked = Vec::new();
        for (at, records) in authors.iter().zip(&mut left).filter(|(_, records)| !records.is_empty()) {
            let to = (records.start + ORDER).min(records.end);
            stage.cast.order(*at, &Order::Fill { records: records.start..to })?;
            records.start = to;
            asked.push(*at);
        }
        for at in asked {
            let Done {} = stage.cast.answer(at)?;
        }
        let unwritten: u64 = left.iter().map(|records| records.end - records.start).sum();
        stage.tell(false, || format!("filling: {} of {} records written", mesh.records - unwritten, mesh.records));
    }
    let written = began.elapsed().as_secs_f64();
    let links: Vec<usize> = (0..mesh.devices).map(|at| topology.links_of(at).len()).collect();
    let looks = stage.until_level(&links, mesh.filling)?;
    let seconds = began.elapsed().as_secs_f64();
    let needed = (mesh.devices as u64 - 1) * mesh.records;
    let (_, received) = totals(&looks);
    let bytes: u64 = looks.iter().map(|look: &Look| look.bytes).sum();
    stage.tell(true, || format!("filled in {seconds:.0} s"));
    outcome.rows.extend([
        Row::ayni(format!("{} records written by {} devices", mesh.records, authors.len()), written, "s"),
        Row::ayni("all of them on every device", seconds, "s"),
        Row::ayni("entries that became durable elsewhere", needed as f64 / seconds, "entries/s"),
        Row::ayni("entries that came for each that was needed", received as f64 / needed as f64, "entries"),
        Row::ayni("bytes that came for each entry that was needed", bytes as f64 / needed as f64, "bytes"),
    ]);
    Ok(())
}

/// All show the same, and it is right.
fn compare(mesh: &Mesh, stage: &mut Stage, ledger: &Ledger, outcome: &mut Outcome) -> Result<()> {
    let held = stage.holdings()?;
    let Some(first) = held.first().cloned() else { return Ok(()) };
    let shown = |held: &Held| (held.digest.clone(), held.documents, held.entries, held.waiting);
    for (at, held) in held.iter().enumerate() {
        let name = stage.cast.name(at);
        outcome.expect(shown(held) == shown(&first), || format!("{name} holds {held:?}, not {first:?}"));
    }
    outcome.expect(first.waiting == 0, || format!("{} entries wait for something", first.waiting));
    let file = stage.folder().join("ledger.json");
    ledger.write(&file)?;
    for at in (0..mesh.devices).step_by(mesh.devices.div_ceil(CHECKED)) {
        let order = Order::Check { ledger: file.clone(), records: mesh.records };
        let wrong: Vec<String> = stage.cast.ask(at, &order)?;
        let name = stage.cast.name(at);
        outcome.broken.extend(wrong.into_iter().map(|wrong| format!("{name}: {wrong}")));
    }
    let disk = held.iter().map(|held| held.disk).max().unwrap_or(0);
    outcome.rows.push(Row::ayni("documents on every device", first.documents as f64, "documents"));
    outcome.rows.push(Row::ayni("disk of a device, at most", megabytes(disk), "MB"));
    Ok(())
}

/// How often what happened.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    commits: u64,
    changes: u64,
    kills: u64,
    ends: u64,
    offs: u64,
    relinks: u64,
}

impl Counts {
    fn rows(self, ledger: &Ledger) -> Vec<Row> {
        let row = |name: &str, count: u64| Row::ayni(name, count as f64, "times");
        vec![
            Row::ayni("documents in the ledger", ledger.documents() as f64, "documents"),
            row("commits while it churned", self.commits),
            row("changes in them", self.changes),
            row("devices killed and started again", self.kills),
            row("devices ended and started again", self.ends),
            row("devices off the network for a while", self.offs),
            row("links changed", self.relinks),
        ]
    }
}

/// Where a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    On,
    /// Off the network, until then.
    Off(Instant),
    /// It has no process, until then.
    Gone(Instant),
}

/// An order that was not answered yet.
enum Pending {
    Changes(Vec<Change>),
    Other,
}

/// Devices come and go and write, all at once: nobody waits for anybody's answer.
struct Churn<'a> {
    mesh: &'a Mesh,
    stage: &'a mut Stage,
    topology: &'a mut Topology,
    random: Random,
    ledger: Ledger,
    counts: Counts,
    places: Vec<Place>,
    pending: Vec<VecDeque<Pending>>,
    /// Documents made so far, that anyone may edit.
    made: Vec<String>,
    /// Of each device: documents that it made, nobody else edits, and it may delete.
    brief: BTreeMap<usize, Vec<String>>,
    numbers: i64,
}

impl<'a> Churn<'a> {
    fn new(mesh: &'a Mesh, stage: &'a mut Stage, topology: &'a mut Topology, random: Random) -> Self {
        Self {
            mesh,
            stage,
            topology,
            random,
            ledger: Ledger::default(),
            counts: Counts::default(),
            places: vec![Place::On; mesh.devices],
            pending: (0..mesh.devices).map(|_| VecDeque::new()).collect(),
            made: Vec::new(),
            brief: BTreeMap::new(),
            numbers: 0,
        }
    }

    fn run(&mut self) -> Result<()> {
        let began = Instant::now();
        let between_troubles = self.mesh.trouble / self.mesh.devices as u32;
        let (mut write, mut trouble) = (began, began + between_troubles);
        while began.elapsed() < self.mesh.churn {
            self.stage.cast.listen(Duration::from_millis(10))?;
            (0..self.mesh.devices).try_for_each(|at| self.hear(at))?;
            (0..self.mesh.devices).try_for_each(|at| self.come_back(at))?;
            let now = Instant::now();
            if write <= now {
                write = now + self.mesh.writes;
                self.write()?;
            }
            if trouble <= now {
                trouble = now + between_troubles;
                self.trouble()?;
            }
            let (counts, left) = (self.counts, self.mesh.churn.saturating_sub(began.elapsed()).as_secs());
            let (on, most) =
                (self.places.iter().filter(|place| **place == Place::On).count(), self.stage.cast.watch.most());
            self.stage.tell(false, || {
                let Counts { changes, kills, .. } = counts;
                format!(
                    "churn, {left} s left: {on} devices on, {changes} changes, {kills} kills, at most {:.0} MB",
                    megabytes(most)
                )
            });
        }
        self.end()
    }

    /// Everyone comes back, and nothing more is written.
    fn end(&mut self) -> Result<()> {
        let now = Instant::now();
        for at in 0..self.mesh.devices {
            match &mut self.places[at] {
                Place::On => {}
                Place::Off(until) | Place::Gone(until) => *until = now,
            }
            self.come_back(at)?;
        }
        for at in 0..self.mesh.devices {
            while !self.pending[at].is_empty() {
                self.stage.cast.listen(Duration::from_millis(10))?;
                self.hear(at)?;
            }
        }
        Ok(())
    }

    /// Takes in what a device has answered.
    fn hear(&mut self, at: usize) -> Result<()> {
        while let Some(answer) = self.stage.cast.answered::<serde_json::Value>(at)? {
            if let Some(Pending::Changes(changes)) = self.pending[at].pop_front() {
                let done: Vec<bool> = serde_json::from_value(answer)?;
                self.ledger.answered(&changes, &done);
                self.counts.commits += 1;
                self.counts.changes += done.iter().filter(|done| **done).count() as u64;
                for (change, _) in changes.iter().zip(done).filter(|(_, done)| *done) {
                    if let Change::Create { key } = change {
                        let list =
                            if key.starts_with("brief") { self.brief.entry(at).or_default() } else { &mut self.made };
                        list.push(key.clone());
                    }
                }
            }
        }
        Ok(())
    }

    /// Whoever was away long enough comes back.
    fn come_back(&mut self, at: usize) -> Result<()> {
        let now = Instant::now();
        match self.places[at] {
            Place::Gone(until) if until <= now => {
                self.stage.cast.start(at)?;
                self.order(at, &Order::Open)?;
            }
            Place::Off(until) if until <= now => {}
            _ => return Ok(()),
        }
        let online = self.stage.going_online(at, self.topology.links_of(at));
        self.order(at, &online)?;
        self.places[at] = Place::On;
        Ok(())
    }

    fn order(&mut self, at: usize, order: &Order) -> Result<()> {
        self.pending[at].push_back(match order {
            Order::Change { changes } => Pending::Changes(changes.clone()),
            _ => Pending::Other,
        });
        self.stage.cast.order(at, order)
    }

    /// A device commits something, be it on the network or off.
    fn write(&mut self) -> Result<()> {
        let idle = |at: &usize| !matches!(self.places[*at], Place::Gone(_)) && self.pending[*at].len() < 2;
        let idle: Vec<usize> = (0..self.mesh.devices).filter(idle).collect();
        let Some(at) = self.one_of(&idle) else { return Ok(()) };
        let changes: Vec<Change> = (0..=self.random.below(CHANGES)).map(|_| self.change(at)).collect();
        self.ledger.ordered(&changes);
        self.order(at, &Order::Change { changes })
    }

    fn change(&mut self, at: usize) -> Change {
        self.numbers += 1;
        let number = self.numbers;
        match self.random.below(100) {
            0..40 => Change::Create { key: format!("made-{number}") },
            40..50 => Change::Create { key: format!("brief-{number}") },
            50..60 => match self.brief.get_mut(&at).and_then(Vec::pop) {
                Some(key) => Change::Delete { key },
                None => Change::Create { key: format!("brief-{number}") },
            },
            chance => {
                let made = if chance < 80 { self.one_of(&self.made.clone()) } else { None };
                let key = made.unwrap_or_else(|| record(self.random.below(self.mesh.records)));
                Change::Edit { key, field: format!("of-{at}"), value: number }
            }
        }
    }

    /// Something happens to a device that is there.
    fn trouble(&mut self) -> Result<()> {
        let there: Vec<usize> = (0..self.mesh.devices).filter(|at| self.places[*at] == Place::On).collect();
        let Some(at) = self.one_of(&there) else { return Ok(()) };
        let away = self.mesh.away.mul_f64(0.1 + 0.9 * self.random.below(1_000) as f64 / 1_000.0);
        let until = Instant::now() + away;
        match self.random.below(10) {
            0..4 => {
                if self.random.below(2) == 0 {
                    // In the middle of a commit.
                    let changes: Vec<Change> = (0..CHANGES).map(|_| self.change(at)).collect();
                    self.ledger.ordered(&changes);
                    self.order(at, &Order::Change { changes })?;
                    std::thread::sleep(Duration::from_micros(self.random.below(3_000)));
                }
                self.stage.cast.kill(at)?;
                self.hear(at)?;
                self.pending[at].clear();
                (self.places[at], self.counts.kills) = (Place::Gone(until), self.counts.kills + 1);
            }
            4..6 => {
                self.stage.cast.end(at)?;
                self.hear(at)?;
                (self.places[at], self.counts.ends) = (Place::Gone(until), self.counts.ends + 1);
            }
            6..8 => {
                self.order(at, &Order::Offline)?;
                (self.places[at], self.counts.offs) = (Place::Off(until), self.counts.offs + 1);
            }
            _ => {
                let changed: BTreeSet<usize> = self.topology.change(&mut self.random);
                for at in changed {
                    if self.places[at] != Place::On {
                        continue;
                    }
                    let links = self.stage.addresses_of(self.topology.links_of(at));
                    self.order(at, &Order::Links { links })?;
                }
                self.counts.relinks += 1;
            }
        }
        Ok(())
    }

    fn one_of<T: Clone>(&mut self, choices: &[T]) -> Option<T> {
        let at = self.random.below((choices.len() as u64).max(1)) as usize;
        choices.get(at).cloned()
    }
}
