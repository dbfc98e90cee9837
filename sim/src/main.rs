//! `cargo xtask sim`: runs seeds one after the other, and tells the shortest story of one that fails.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use ayni_sim::action::plan;
use ayni_sim::census::Census;
use ayni_sim::{run, story};

/// Steps of a run, unless told otherwise.
const ACTIONS: usize = 300;

struct Wanted {
    first: u64,
    seeds: Option<u64>,
    minutes: Option<u64>,
    actions: usize,
    trace: bool,
    shorten: Duration,
}

fn main() -> ExitCode {
    match wanted().and_then(|wanted| simulate(&wanted)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

fn wanted() -> Result<Wanted> {
    let mut wanted = Wanted {
        first: 1,
        seeds: None,
        minutes: None,
        actions: ACTIONS,
        trace: false,
        shorten: Duration::from_secs(120),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || -> Result<u64> {
            let text = arguments.next().with_context(|| format!("{argument} wants a number"))?;
            text.parse().with_context(|| format!("{argument} wants a number, not {text:?}"))
        };
        match argument.as_str() {
            "--seed" => wanted.first = number()?,
            "--seeds" => wanted.seeds = Some(number()?),
            "--minutes" => wanted.minutes = Some(number()?),
            "--actions" => wanted.actions = number()? as usize,
            "--shorten" => wanted.shorten = Duration::from_secs(number()?),
            "--trace" => wanted.trace = true,
            other => bail!("no such option: {other}"),
        }
    }
    Ok(wanted)
}

/// Whether all held.
fn simulate(wanted: &Wanted) -> Result<bool> {
    let begun = Instant::now();
    let mut census = Census::default();
    let (mut runs, mut failed) = (0, Vec::new());
    let enough = |runs: u64| match (wanted.seeds, wanted.minutes) {
        (None, None) => runs >= 1,
        (seeds, minutes) => {
            seeds.is_some_and(|seeds| runs >= seeds)
                || minutes.is_some_and(|minutes| begun.elapsed() >= Duration::from_secs(60 * minutes))
        }
    };
    while !enough(runs) {
        let seed = wanted.first + runs;
        let steps = plan(seed, wanted.actions);
        let ended = run(seed, &steps);
        runs += 1;
        census.join(&ended.census);
        if wanted.trace {
            print!("{}", ended.trace);
        }
        if ended.broken.is_some() {
            failed.push(seed);
            let (steps, ended) = story::shortest(seed, &steps, ended, wanted.shorten);
            println!("seed {seed} fails; the shortest story found, of {} steps:\n{}", steps.len(), ended.trace);
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let actions = runs * wanted.actions as u64;
    println!("{census}\n{runs} seeds of {} actions, {actions} in all, in {seconds:.1} s", wanted.actions);
    if !failed.is_empty() {
        println!("failed: {failed:?}");
    }
    Ok(failed.is_empty())
}
