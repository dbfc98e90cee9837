//! Two devices that beat and hear each other, and how long that takes: see [`live`](crate::live) for their part in it.

use std::time::Duration;

use anyhow::Result;
use ayni_bench::row::{Row, Target};

use crate::orders::{Beats, Done, Heard, Order};
use crate::stage::{Stage, quantile};

/// How two devices beat, and what is asked of it.
#[derive(Debug, Clone)]
pub struct Pulse {
    /// Time between two beats of each.
    pub beat: Duration,
    /// How long a beat may take to the other device; nineteen of twenty must take less.
    pub latency: Duration,
    /// The longest that one may take.
    pub patience: Duration,
}

impl Pulse {
    /// As in the long run.
    pub fn new() -> Self {
        let latency = Duration::from_millis(1_000);
        Self { beat: Duration::from_millis(50), latency, patience: Duration::from_secs(60) }
    }

    /// Both beat, under a name of this time's own, and hear each other while something is done.
    ///
    /// # Errors
    /// Those of what is done, and when a device fails.
    pub fn take(
        &self,
        stage: &mut Stage,
        both: [usize; 2],
        name: &str,
        meanwhile: impl FnOnce(&mut Stage) -> Result<()>,
    ) -> Result<Latency> {
        let pause = u64::try_from(self.beat.as_millis())?;
        let patience = u64::try_from(self.patience.as_millis())?;
        let [one, other] = both;
        for (at, from) in [(one, other), (other, one)] {
            let Done {} = stage.cast.ask(at, &Order::Hear { name: format!("{from}, {name}") })?;
        }
        for at in both {
            let Done {} = stage.cast.ask(at, &Order::Beat { name: format!("{at}, {name}"), pause })?;
        }
        meanwhile(stage)?;
        let mut latency = Latency::default();
        let beats: Vec<Beats> = stage.cast.ask_all(both, |_| Order::StopBeat)?;
        for (at, beats) in [other, one].into_iter().zip(beats) {
            let heard: Heard = stage.cast.ask(at, &Order::StopHear { beats: beats.written, patience })?;
            latency.lost += beats.written - heard.after.len() as u64;
            latency.heard.extend(heard.after);
            latency.written.extend(beats.took);
        }
        latency.heard.sort_unstable();
        latency.written.sort_unstable();
        Ok(latency)
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Self::new()
    }
}

/// How long beats took, in microseconds, sorted.
#[derive(Debug, Default)]
pub struct Latency {
    heard: Vec<u64>,
    written: Vec<u64>,
    lost: u64,
}

impl Latency {
    /// The figures alone: nothing is asked of peace.
    pub fn rows_in_peace(&self) -> Vec<Row> {
        let row = |name: &str, sorted: &[u64], share: f64| Row::ayni(name, millis(sorted, share), "ms");
        vec![
            row("a beat until it is at the other device, in peace: half take less", &self.heard, 0.5),
            row("  19 of 20 take less", &self.heard, 0.95),
            row("  19 of 20 are durable in less", &self.written, 0.95),
        ]
    }

    /// The figures meanwhile, beside those in peace.
    pub fn rows(&self, when: &str, peace: &Self, pulse: &Pulse) -> Vec<Row> {
        let row = |name: String, sorted: &[u64], past: &[u64], share: f64| {
            Row::ayni(name, millis(sorted, share), "ms").beside(&Row::baseline("", millis(past, share), "ms"))
        };
        let most = |time: Duration| Target::AtMost(time.as_secs_f64() * 1_000.0);
        vec![
            row(format!("a beat, {when}: half take less"), &self.heard, &peace.heard, 0.5),
            row("  19 of 20 take less".to_owned(), &self.heard, &peace.heard, 0.95).wants(most(pulse.latency)),
            row("  the longest".to_owned(), &self.heard, &peace.heard, 1.0).wants(most(pulse.patience)),
            row("  19 of 20 are durable in less".to_owned(), &self.written, &peace.written, 0.95)
                .wants(most(pulse.latency)),
            Row::ayni("  that never came", self.lost as f64, "beats").wants(Target::AtMost(0.0)),
        ]
    }
}

fn millis(sorted: &[u64], share: f64) -> f64 {
    quantile(sorted, share) as f64 / 1_000.0
}
