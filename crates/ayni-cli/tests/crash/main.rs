//! `kill -9` at random moments of real processes, with a ledger outside of what was acknowledged: after each, the database
//! opens, holds everything acknowledged, and goes on.
//!
//! `AYNI_CRASHES` says how often (30), `AYNI_CRASH_SEED` which moments: `cargo xtask crash` sets both.

mod full;
mod ledger;
#[path = "../program/support.rs"]
#[expect(dead_code, reason = "the tests of the program use more of it")]
mod support;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ledger::Ledger;
use support::{Device, eventually};

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Edits,
    Import,
    Sync,
    Repair,
}

const DEEDS: [Deed; 4] = [Deed::Edits, Deed::Import, Deed::Sync, Deed::Repair];

/// Records in one import: several commits.
const RECORDS: usize = 25_000;
/// Records that an import puts into one commit.
const COMMIT: usize = 10_000;

/// A small generator, so that a seed says which moments are chosen.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Two devices in one project, of which the first is killed again and again.
struct Field {
    victim: Device,
    other: Device,
    ledger: Ledger,
    /// Which import the file of records is.
    generation: u64,
    /// How long each deed takes when nobody interferes.
    put_takes: Duration,
    import_takes: Duration,
    repair_takes: Duration,
}

fn environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn a_program_that_is_killed_again_and_again_loses_nothing_that_it_acknowledged() {
    let (crashes, seed) = (environment("AYNI_CRASHES", 30), environment("AYNI_CRASH_SEED", 1));
    println!("{crashes} crashes of seed {seed}");
    let mut chance = Chance(seed);
    let mut field = Field::new();
    let mut killed = [0; DEEDS.len()];
    for crash in 0..crashes {
        let deed = DEEDS[crash as usize % DEEDS.len()];
        let in_time = match deed {
            Deed::Edits => field.edits(&mut chance),
            Deed::Import => field.import(&mut chance),
            Deed::Sync => field.sync(&mut chance),
            Deed::Repair => field.repair(&mut chance),
        };
        killed[deed as usize] += u64::from(in_time);
        println!("{crash}: {deed:?}, {}", if in_time { "killed" } else { "had ended before" });
        field.verify();
    }
    println!("killed in time: {killed:?} of {DEEDS:?}");
    assert!(killed.iter().all(|times| *times > 0), "each is killed in the middle at least once");
    field.end();
}

impl Field {
    fn new() -> Self {
        let victim = Device::with_project("Victim");
        let ticket = victim.json(&["invite"])["ticket"].as_str().unwrap().to_owned();
        let other = Device::new("Other");
        other.ok(&["join", &ticket]);
        let mut field = Self {
            victim,
            other,
            ledger: Ledger::default(),
            generation: 0,
            put_takes: Duration::ZERO,
            import_takes: Duration::ZERO,
            repair_takes: Duration::ZERO,
        };
        field.meet();
        let (key, value) = field.ledger.next(0);
        let started = Instant::now();
        field.victim.ok(&["put", "edits", "--key", &key, &format!("value={value}")]);
        field.put_takes = started.elapsed();
        field.ledger.acknowledge();
        let started = Instant::now();
        let file = field.records();
        field.victim.ok(&["import", &file, "--collection", "records", "--id", "code"]);
        field.import_takes = started.elapsed();
        let started = Instant::now();
        field.victim.ok(&["repair"]);
        field.repair_takes = started.elapsed();
        field
    }

    /// Puts one after the other until one is killed.
    fn edits(&mut self, chance: &mut Chance) -> bool {
        let puts = chance.below(6);
        for _ in 0..puts {
            let (key, value) = self.ledger.next(chance.below(5));
            self.victim.ok(&["put", "edits", "--key", &key, &format!("value={value}")]);
            self.ledger.acknowledge();
        }
        let (key, value) = self.ledger.next(chance.below(5));
        let put = self.spawn(&["put", "edits", "--key", &key, &format!("value={value}")]);
        let killed = kill_after(put, part_of(self.put_takes, chance));
        if !killed {
            self.ledger.acknowledge();
        }
        killed
    }

    /// Imports all records anew, each with another number in it.
    fn import(&mut self, chance: &mut Chance) -> bool {
        let file = self.records();
        let import = self.spawn(&["import", &file, "--collection", "records", "--id", "code"]);
        let killed = kill_after(import, part_of(self.import_takes, chance));
        if !killed {
            assert_eq!(self.imported(), [(self.generation, RECORDS)]);
        }
        killed
    }

    /// Both sync and both write; one of them is killed.
    fn sync(&mut self, chance: &mut Chance) -> bool {
        let mut victim = self.victim.syncing(&["--watch"]);
        let address = victim.address();
        let other = self.other.syncing(&["--watch", "--peer", &address]);
        let started = Instant::now();
        let enough = Duration::from_millis(chance.below(800));
        while started.elapsed() < enough {
            let (key, value) = self.ledger.next(chance.below(5));
            self.victim.ok(&["put", "edits", "--key", &key, &format!("value={value}")]);
            self.ledger.acknowledge();
        }
        // Dropping kills.
        if chance.below(2) == 0 {
            drop(victim);
        } else {
            drop(other);
        }
        true
    }

    fn repair(&mut self, chance: &mut Chance) -> bool {
        let repair = self.spawn(&["repair"]);
        kill_after(repair, part_of(self.repair_takes, chance))
    }

    /// It opens, and holds what was acknowledged and nothing that nobody wrote.
    fn verify(&mut self) {
        let shown = self.victim.ok(&["export", "--collection", "edits", "--format", "jsonl"]);
        self.ledger.compare(&shown);
        let imported = self.imported();
        let all: usize = imported.iter().map(|(_, count)| count).sum();
        assert_eq!(all, RECORDS, "no record is lost: {imported:?}");
        for (generation, count) in &imported {
            assert!(*generation == self.generation || *generation + 1 == self.generation, "{imported:?}");
            let of_last = *generation == self.generation && *count != RECORDS;
            assert!(!of_last || count % COMMIT == 0, "a commit is whole or not at all: {imported:?}");
        }
        if imported.len() == 2 {
            // The next import goes on from where this one was killed.
            self.finish_import();
        }
        self.generation = self.imported()[0].0;
        // What it says of the other is true.
        let status = self.victim.json(&["status"]);
        if status["devices"][0]["level"] == true {
            assert_eq!(self.victim.digest(), self.other.digest(), "said to be level: {status}");
        }
    }

    fn finish_import(&self) {
        let file = self.victim.path("records.jsonl");
        self.victim.ok(&["import", &file, "--collection", "records", "--id", "code"]);
        assert_eq!(self.imported(), [(self.generation, RECORDS)]);
    }

    /// Everything arrives everywhere in the end.
    fn end(&mut self) {
        self.meet();
        assert_eq!(self.victim.digest(), self.other.digest());
        let digest = self.victim.digest();
        self.victim.ok(&["repair"]);
        assert_eq!(self.victim.digest(), digest);
    }

    fn meet(&self) {
        let mut watch = self.victim.syncing(&["--watch"]);
        let address = watch.address();
        let once = ["sync", "--once", "--no-discovery", "--listen", "127.0.0.1:0", "--peer", &address];
        eventually("a meeting", || self.other.run(&once).code == 0);
    }

    /// Writes the file of the next import, and gives its path.
    fn records(&mut self) -> String {
        self.generation += 1;
        let line =
            |code| format!("{{\"code\":\"{code}\",\"generation\":{},\"name\":\"record {code}\"}}\n", self.generation);
        self.victim.file("records.jsonl", &(0..RECORDS).map(line).collect::<String>())
    }

    /// How many records are here of each import.
    fn imported(&self) -> Vec<(u64, usize)> {
        let counted = |generation: u64| {
            let selector = format!("generation={generation}");
            // None is an answer too, by exit code 1.
            let counted = self.victim.run(&["query", "records", &selector, "--count"]);
            (generation, counted.out.trim().parse().unwrap_or_else(|_| panic!("{}", counted.err)))
        };
        let generations = (1..=self.generation).rev().take(2).collect::<Vec<_>>();
        generations.into_iter().map(counted).filter(|(_, count)| *count > 0).collect()
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command: Command = self.victim.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }
}

/// Some part of a time, now and then a little more than all of it.
fn part_of(time: Duration, chance: &mut Chance) -> Duration {
    time.mul_f64(chance.below(1_050) as f64 / 1_000.0)
}

/// Kills a process after a while; gives `false` if it had succeeded before. It may not fail.
fn kill_after(mut child: Child, after: Duration) -> bool {
    let started = Instant::now();
    while started.elapsed() < after {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "it failed by itself: {status}");
            return false;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(status.success() || status.code().is_none(), "it failed by itself: {status}");
    !status.success()
}
