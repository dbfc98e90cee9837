//! The load in small: what it checks, with few devices and for a few seconds. How long things take is for `cargo xtask load`.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use ayni_load::flood::{self, Flood};
use ayni_load::mesh::{self, Mesh};
use ayni_load::pulse::Pulse;
use ayni_load::siege::{self, Siege};
use ayni_load::stage::{Outcome, Setting};

/// Longer than anything takes, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Memory that nothing this small comes near.
const MEMORY: u64 = 400_000_000;

fn run(part: impl FnOnce(&Setting) -> Result<Outcome>) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_ayni-load")).to_owned();
    let setting = Setting { program, folder: folder.path().to_owned(), seed: 7, tells: None };
    let outcome = part(&setting).unwrap();
    assert!(outcome.is_well(), "{:#?}\n{}", outcome.broken, ayni_bench::report::table(&outcome.rows));
    outcome
}

fn figure(outcome: &Outcome, name: &str) -> f64 {
    outcome.rows.iter().find(|row| row.name.contains(name)).unwrap_or_else(|| panic!("no row {name}")).figure
}

fn pulse() -> Pulse {
    Pulse { beat: Duration::from_millis(50), latency: PATIENCE, patience: PATIENCE }
}

#[test]
fn a_mesh_that_churns_ends_level_and_holds_all_that_was_acknowledged() {
    let mesh = Mesh {
        churn: Duration::from_secs(6),
        trouble: Duration::from_secs(2),
        writes: Duration::from_millis(40),
        away: Duration::from_millis(800),
        filling: PATIENCE,
        settling: PATIENCE,
        memory: MEMORY,
        ..Mesh::new(6, 600, 0)
    };
    let outcome = run(|setting| mesh::run(&mesh, setting));
    assert!(figure(&outcome, "killed") > 0.0 && figure(&outcome, "changes in them") > 0.0);
    assert!(figure(&outcome, "documents on every device") > 600.0);
}

#[test]
fn a_member_that_floods_keeps_no_edit_of_others_from_arriving() {
    let time = Duration::from_millis(500);
    let flood = Flood { backlog: 3_000, time, nuisance: time, pulse: pulse(), memory: MEMORY };
    let outcome = run(|setting| flood::run(&flood, setting));
    assert!(figure(&outcome, "true entries") > 0.0);
}

#[test]
fn strangers_learn_nothing_and_leave_nothing_behind() {
    let siege = Siege {
        strangers: 100,
        at_once: 25,
        records: 500,
        peace: Duration::from_millis(500),
        pulse: pulse(),
        memory: MEMORY,
        stay: Duration::from_secs(1),
        back: PATIENCE,
        descriptors: 64,
    };
    let outcome = run(|setting| siege::run(&siege, setting));
    assert!(figure(&outcome, "let into a channel") > 0.0);
}
