//! Strangers by the thousand come to one member, while it syncs with another.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ayni_bench::row::{Row, Target};

use crate::orders::{Besieged, Done, Held, Order};
use crate::process::{descriptors, memory};
use crate::pulse::Pulse;
use crate::stage::{Outcome, Setting, Stage, megabytes};

/// The one that strangers come to, the one that it syncs with, and the process of the strangers.
const ANA: usize = 0;
const BEN: usize = 1;
const GATE: usize = 2;
/// The most that a stranger may be sent in a channel: sixteen bytes that mean nothing, a hello and a farewell.
const MANNERS: f64 = 800.0;
/// How long after the last stranger nothing of them may be left.
const CALM: Duration = Duration::from_secs(30);

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Siege {
    /// How many strangers come.
    pub strangers: u64,
    /// How many at a time.
    pub at_once: usize,
    /// Records that are synced meanwhile.
    pub records: u64,
    /// How long the two are left in peace first.
    pub peace: Duration,
    /// How the two beat.
    pub pulse: Pulse,
    /// Memory that the member may not exceed, in bytes.
    pub memory: u64,
    /// How long a stranger stays where nobody shows it the door.
    pub stay: Duration,
    /// How long a device may take to get back in, or a new one to be let in, while strangers crowd the door.
    pub back: Duration,
    /// Files that the member may have open beyond those in peace, at most.
    pub descriptors: usize,
}

impl Siege {
    /// As in the long run.
    pub fn new() -> Self {
        Self {
            strangers: 5_000,
            at_once: 200,
            records: 20_000,
            peace: Duration::from_secs(10),
            pulse: Pulse::new(),
            memory: 250_000_000,
            stay: Duration::from_secs(12),
            back: Duration::from_secs(30),
            descriptors: 32,
        }
    }
}

impl Default for Siege {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs it.
///
/// # Errors
/// When a device fails, or does not do what it must for the rest to mean something.
pub fn run(siege: &Siege, setting: &Setting) -> Result<Outcome> {
    let mut stage = Stage::new(setting, "strangers")?;
    let mut outcome = Outcome::default();
    let patience = siege.pulse.patience;
    stage.gather(&["ana", "ben"].map(str::to_owned))?;
    // Ana knows nobody by hand: that ben is no stranger, he has to prove.
    stage.link(BEN, &[ANA].into())?;
    stage.until_level(&[1, 1], patience)?;
    let gate = stage.enter("strangers")?;
    ensure!(gate == GATE, "the strangers came too early");

    let before = siege.pulse.take(&mut stage, [ANA, BEN], "in peace", |stage| {
        stage.tell(true, || "the two beat in peace".to_owned());
        std::thread::sleep(siege.peace);
        Ok(())
    })?;
    outcome.rows.extend(before.rows_in_peace());
    let open_before = open(&stage);

    let mut besieged = Besieged::default();
    let mut rows = Vec::new();
    let during = siege.pulse.take(&mut stage, [ANA, BEN], "besieged", |stage| {
        besieged = besiege(siege, stage, setting.seed, &mut rows)?;
        Ok(())
    })?;
    outcome.rows.extend(rows);
    outcome.rows.extend(during.rows("besieged", &before, &siege.pulse));
    outcome.rows.push(Row::ayni("strangers that got a connection", besieged.connected as f64, "strangers"));
    outcome.rows.push(Row::ayni("strangers that were let into a channel", besieged.channels as f64, "strangers"));
    let most = Row::ayni("bytes that one of them was sent there, at most", besieged.most as f64, "bytes");
    outcome.rows.push(most.wants(Target::AtMost(MANNERS)));
    outcome.expect(besieged.told.is_empty(), || format!("strangers were told {}", besieged.told.join(", ")));
    outcome.expect(besieged.came == siege.strangers, || format!("{} strangers came", besieged.came));
    outcome.expect(besieged.channels > 0, || "no stranger got as far as a channel".to_owned());

    calm(siege, &mut stage, open_before, &mut outcome)?;
    stage.until_level(&[1, 1], patience)?;
    let held = stage.cast.ask_all::<Held>([ANA, BEN], |_| Order::Hold)?;
    outcome.expect(held[0].digest == held[1].digest, || format!("the two do not show the same: {held:?}"));
    outcome.expect(held[0].documents >= siege.records, || format!("records are missing: {:?}", held[0]));
    (0..stage.cast.len()).try_for_each(|at| stage.cast.end(at))?;
    Ok(outcome)
}

/// Strangers come, while the two sync, and one of them leaves and comes in again.
fn besiege(siege: &Siege, stage: &mut Stage, seed: u64, rows: &mut Vec<Row>) -> Result<Besieged> {
    let target = stage.addresses[ANA].clone();
    let &Siege { strangers, at_once, records, .. } = siege;
    let stay = u64::try_from(siege.stay.as_millis())?;
    let patience = siege.pulse.patience;
    let began = Instant::now();
    stage.cast.order(GATE, &Order::Besiege { target, strangers, at_once, stay, seed })?;
    let Done {} = stage.cast.ask(ANA, &Order::Fill { records: 0..records })?;
    stage.until_level(&[1, 1], patience)?;
    rows.push(Row::ayni(format!("{records} records written and synced meanwhile"), began.elapsed().as_secs_f64(), "s"));
    let Done {} = stage.cast.ask(BEN, &Order::Offline)?;
    let left = Instant::now();
    stage.online(BEN, [ANA])?;
    stage.until_level(&[1, 1], patience)?;
    let back = Row::ayni("back in while strangers crowd the door", left.elapsed().as_secs_f64(), "s");
    rows.push(back.wants(Target::AtMost(siege.back.as_secs_f64())));
    let asked = Instant::now();
    stage.join("carl", ANA, patience)?;
    let new = Row::ayni("a new device let in meanwhile", asked.elapsed().as_secs_f64(), "s");
    rows.push(new.wants(Target::AtMost(siege.back.as_secs_f64())));
    let besieged = loop {
        if let Some(besieged) = stage.cast.answered(GATE)? {
            break besieged;
        }
        stage.cast.listen(Duration::from_millis(200))?;
        let (came, files) = (stage.cast.progress(GATE), open(stage));
        stage.tell(false, || format!("{came} of {strangers} strangers came; ana has {files} files open"));
    };
    let rate = strangers as f64 / began.elapsed().as_secs_f64();
    rows.push(Row::ayni(format!("{strangers} strangers, {at_once} at a time"), rate, "strangers/s"));
    Ok(besieged)
}

/// What strangers took is given back.
fn calm(siege: &Siege, stage: &mut Stage, open_before: usize, outcome: &mut Outcome) -> Result<()> {
    let bound = open_before + siege.descriptors;
    let peaks = stage.cast.watch.peaks(ANA);
    let peace = Row::baseline("", open_before as f64, "files");
    let files = Row::ayni("files that the member had open, at most", peaks.descriptors as f64, "files").beside(&peace);
    outcome.rows.push(files.wants(Target::AtMost(bound as f64)));
    let most = Row::ayni("its memory, at most", megabytes(peaks.memory), "MB");
    outcome.rows.push(most.wants(Target::AtMost(megabytes(siege.memory))));
    let began = Instant::now();
    // A few more may be open than before: connections to the database, once made, are kept.
    while open(stage) > open_before + 8 && began.elapsed() < CALM {
        stage.cast.listen(Duration::from_millis(100))?;
    }
    let after = Row::ayni("files that it has open afterwards", open(stage) as f64, "files").beside(&peace);
    outcome.rows.push(after.wants(Target::AtMost((open_before + 8) as f64)));
    let now = stage.cast.watch.pid(ANA).and_then(memory).map_or(0, |memory| memory.now);
    outcome.rows.push(Row::ayni("its memory afterwards", megabytes(now), "MB"));
    Ok(())
}

fn open(stage: &Stage) -> usize {
    stage.cast.watch.pid(ANA).and_then(descriptors).unwrap_or(0)
}
