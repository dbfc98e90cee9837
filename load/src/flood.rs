//! A member that sends as fast as it can, while two others exchange edits.
//!
//! First it writes true entries as fast as its disk takes them; then it sends nonsense of each kind. The two others beat all the
//! while, and hear each other: how long after it was written a beat is at the other device, before and meanwhile.

use std::time::{Duration, Instant};

use anyhow::Result;
use ayni_bench::row::{Row, Target};

use crate::orders::{Done, Nuisance, Order, Pestered};
use crate::pulse::{Latency, Pulse};
use crate::stage::{Outcome, Setting, Stage, megabytes};

/// The two that mean well, and the other.
const ANA: usize = 0;
const BEN: usize = 1;
const EVE: usize = 2;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Flood {
    /// Entries that she wrote before while she was off the network, and brings all at once.
    pub backlog: u64,
    /// How long the two are left in peace first, and then flooded by true entries.
    pub time: Duration,
    /// How long each kind of nonsense is sent.
    pub nuisance: Duration,
    /// How the two beat.
    pub pulse: Pulse,
    /// Memory that neither of the two may exceed, in bytes.
    pub memory: u64,
}

impl Flood {
    /// As in the long run.
    pub fn new() -> Self {
        Self {
            backlog: 300_000,
            time: Duration::from_secs(20),
            nuisance: Duration::from_secs(10),
            pulse: Pulse::new(),
            memory: 250_000_000,
        }
    }
}

impl Default for Flood {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs it.
///
/// # Errors
/// When a device fails, or does not do what it must for the rest to mean something.
pub fn run(flood: &Flood, setting: &Setting) -> Result<Outcome> {
    let mut stage = Stage::new(setting, "flood")?;
    let mut outcome = Outcome::default();
    stage.gather(&["ana", "ben", "eve"].map(str::to_owned))?;
    for at in [ANA, BEN, EVE] {
        stage.link(at, &[ANA, BEN, EVE].into_iter().filter(|other| *other != at).collect())?;
    }
    stage.until_level(&[2, 2, 2], flood.pulse.patience)?;

    let pulse = &flood.pulse;
    let before = pulse.take(&mut stage, [ANA, BEN], "in peace", |stage| {
        stage.tell(true, || "the two beat in peace".to_owned());
        std::thread::sleep(flood.time);
        Ok(())
    })?;
    outcome.rows.extend(before.rows_in_peace());
    backlog(flood, &mut stage, &before, &mut outcome)?;
    let mut entries = 0;
    let during = pulse.take(&mut stage, [ANA, BEN], "true entries", |stage| {
        stage.tell(true, || "eve writes as fast as her disk takes it".to_owned());
        let Done {} = stage.cast.ask(EVE, &Order::Flood)?;
        std::thread::sleep(flood.time);
        entries = stage.cast.ask(EVE, &Order::StopFlood)?;
        Ok(())
    })?;
    let rate = entries as f64 / flood.time.as_secs_f64();
    outcome.rows.push(Row::ayni("  true entries that eve wrote meanwhile", rate, "entries/s"));
    outcome.rows.extend(during.rows("flooded by true entries", &before, pulse));
    outcome.rows.push(memory_so_far(&stage));
    let began = Instant::now();
    stage.until_level(&[2, 2, 2], flood.pulse.patience * 4)?;
    outcome.rows.push(Row::ayni("  all level after the flood", began.elapsed().as_secs_f64(), "s"));

    let Done {} = stage.cast.ask(EVE, &Order::Offline)?;
    for how in Nuisance::ALL {
        if how == Nuisance::Crowd {
            let Done {} = stage.cast.ask(EVE, &Order::Fill { records: flood.backlog..2 * flood.backlog })?;
        }
        let mut did = Pestered::default();
        let during = pulse.take(&mut stage, [ANA, BEN], &format!("{how:?}"), |stage| {
            stage.tell(true, || format!("eve sends {how:?}"));
            // At another port each time: the system may keep the last one for a while.
            let (listen, links) = ((stage.home_of(EVE).ip(), 0).into(), stage.addresses_of([ANA, BEN]));
            let Done {} = stage.cast.ask(EVE, &Order::Pester { listen, links, how })?;
            std::thread::sleep(flood.nuisance);
            did = stage.cast.ask(EVE, &Order::StopPester)?;
            Ok(())
        })?;
        let rate = megabytes(did.bytes) / flood.nuisance.as_secs_f64();
        outcome.rows.push(Row::ayni(format!("  {how:?} sent, and shown the door {} times", did.ended), rate, "MB/s"));
        outcome.rows.extend(during.rows(&format!("flooded by {how:?}"), &before, pulse));
        outcome.rows.push(memory_so_far(&stage));
        outcome.expect(did.bytes > 0, || format!("eve could send no {how:?}"));
    }

    stage.online(EVE, [ANA, BEN])?;
    for at in [ANA, BEN] {
        stage.link(at, &[ANA, BEN, EVE].into_iter().filter(|other| *other != at).collect())?;
    }
    stage.until_level(&[2, 2, 2], flood.pulse.patience * 4)?;
    let held = stage.holdings()?;
    let [ana, ben, eve] = [ANA, BEN, EVE].map(|at| held[at].digest.clone());
    outcome.expect(ana == ben && ben == eve, || format!("the three do not show the same: {held:?}"));
    for (at, name) in [(ANA, "ana"), (BEN, "ben")] {
        let most = Row::ayni(format!("memory of {name}, at most"), megabytes(stage.cast.watch.peaks(at).memory), "MB");
        outcome.rows.push(most.wants(Target::AtMost(megabytes(flood.memory))));
    }
    [ANA, BEN, EVE].into_iter().try_for_each(|at| stage.cast.end(at))?;
    Ok(outcome)
}

/// The most that either of the two took until now.
fn memory_so_far(stage: &Stage) -> Row {
    let most = [ANA, BEN].map(|at| stage.cast.watch.peaks(at).memory).into_iter().max().unwrap_or(0);
    Row::ayni("  memory so far, at most", megabytes(most), "MB")
}

/// Eve comes back with all that she wrote while she was off the network.
fn backlog(flood: &Flood, stage: &mut Stage, peace: &Latency, outcome: &mut Outcome) -> Result<()> {
    stage.tell(true, || format!("eve writes {} entries off the network", flood.backlog));
    let Done {} = stage.cast.ask(EVE, &Order::Offline)?;
    let Done {} = stage.cast.ask(EVE, &Order::Fill { records: 0..flood.backlog })?;
    let mut seconds = 0.0;
    let during = flood.pulse.take(stage, [ANA, BEN], "backlog", |stage| {
        stage.tell(true, || "eve brings them all at once".to_owned());
        let began = Instant::now();
        stage.online(EVE, [ANA, BEN])?;
        stage.until_level(&[2, 2, 2], flood.pulse.patience * 4)?;
        seconds = began.elapsed().as_secs_f64();
        Ok(())
    })?;
    let rate = flood.backlog as f64 / seconds;
    outcome.rows.push(Row::ayni(format!("  {} entries that eve brings at once", flood.backlog), rate, "entries/s"));
    outcome.rows.extend(during.rows("while eve brings them", peace, &flood.pulse));
    Ok(())
}
