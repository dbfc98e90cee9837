//! The simulator over many seeds. They are split over several tests, so that they run side by side.

use std::time::Duration;

use ayni_sim::action::{EXPECTED, all, plan};
use ayni_sim::census::Census;
use ayni_sim::{run, run_seed, story};

/// Steps of a run.
const ACTIONS: usize = 300;
/// Seeds of a test.
const SEEDS: u64 = 52;
/// How long the shortest story of a failure is looked for, if `AYNI_SIM_SHORTEN` names no other number of seconds.
const SHORTEN: u64 = 60;

/// Every promise holds for some seeds, and everything happened that can.
fn hold(part: u64) {
    let mut census = Census::default();
    for seed in part * SEEDS + 1..=(part + 1) * SEEDS {
        let steps = plan(seed, ACTIONS);
        let ended = run(seed, &steps);
        census.join(&ended.census);
        if ended.broken.is_some() {
            let given = std::env::var("AYNI_SIM_SHORTEN").ok().and_then(|seconds| seconds.parse().ok());
            let shorten = Duration::from_secs(given.unwrap_or(SHORTEN));
            let (steps, ended) = story::shortest(seed, &steps, ended, shorten);
            panic!(
                "seed {seed} fails; the shortest story found, of {} steps:\n{}\nto repeat it: cargo xtask sim --seed {seed}",
                steps.len(),
                ended.trace
            );
        }
    }
    let names = all().map(|action| action.name()).chain(EXPECTED.iter().copied());
    let missing: Vec<&str> = names.filter(|name| census.of(name) == 0).collect();
    assert!(missing.is_empty(), "never happened: {missing:?}\n{census}");
    println!("{census}");
}

#[test]
fn the_promises_hold_in_the_first_part() {
    hold(0);
}

#[test]
fn the_promises_hold_in_the_second_part() {
    hold(1);
}

#[test]
fn the_promises_hold_in_the_third_part() {
    hold(2);
}

#[test]
fn the_promises_hold_in_the_fourth_part() {
    hold(3);
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    for seed in [3, 1_000_003, u64::MAX] {
        let (one, other) = (run_seed(seed, ACTIONS), run_seed(seed, ACTIONS));
        let parted = one.trace.lines().zip(other.trace.lines()).find(|(one, other)| one != other);
        assert_eq!(parted, None, "seed {seed}");
        assert_eq!(one, other);
        assert!(one.trace.len() > 10_000);
    }
}
