//! The project's own chores, run as `cargo xtask …`.
//!
//! `test` proves everything that is proved by machine, in the order in which failures are cheapest to find; `bench`
//! measures; `sim` simulates; `load` loads. CI runs the same `test` (`.ci/run`), so that what is green here is green there.

mod crash;
mod fuzz;
mod house;
mod machine;
mod mutants;
mod pouchdb;
mod run;
mod steps;
mod wasm;

use anyhow::{Result, bail};
use std::process::ExitCode;

const USAGE: &str = "\
The project's own chores.

Usage:
  cargo xtask test [--only STEP]... [--strict] [--list]
  cargo xtask crash [--crashes N] [--seed N]
  cargo xtask fuzz [--seconds N] [TARGET]...
  cargo xtask mutants [--list] [--no-baseline] [NAME]...
  cargo xtask bench [--quick] [--only WORK]... [--json FILE]
  cargo xtask load [--only PART]... [--devices N] [--records N] [--minutes M] [--strangers N] [--seed N]
                   [--dir FOLDER]
  cargo xtask sim [--seed N] [--seeds K] [--minutes M] [--actions A] [--shorten S] [--trace]

test    Everything that proves the project: formatting, lints, documentation, the house rules, all tests.
        Installs what is missing (Debian packages when root) or says what to install.
          --only STEP   run this step alone (may be repeated)
          --strict      a step that cannot run here is a failure, as in CI
          --list        the steps and what each does
bench   Speed, beside baselines measured in the same run, as a table.
          --quick       a fifth of the records, one run of each
          --only WORK   this kind of work alone (may be repeated): create, sync, put, live, wire or open
          --json FILE   the rows as JSON too ('-': only those, on standard output)
crash   The real program, killed at random moments. 30 times in the tests.
          --crashes N   how often (500)
          --seed N      which moments
fuzz    What comes from outside, made up at random and led by coverage. Needs a C++ compiler.
          TARGET        these alone, of fuzz/targets
          --seconds N   how long each (60)
load    Many real devices on this machine, a member that floods, strangers by the thousand. Linux; an hour as it stands.
          --only PART   this part alone (may be repeated): mesh, flood or strangers
          --devices N   devices in the mesh (50)
          --records N   records that all of them hold (500000)
          --minutes M   how long devices come, go, write and are killed (20)
          --strangers N how many of them come (5000)
          --seed N      what is left to chance (1)
          --dir FOLDER  an empty folder for the devices; kept when something fails (one below target)
mutants Whether the tests catch the planted defects of mutants/: each is applied to a copy and tested until a test fails.
          NAME          these alone
          --list        what there is, and what promise each breaks
          --no-baseline do not run all tests without a defect first
sim     Whole devices on virtual time, with everything that can go wrong; docs/simulator.md tells how to read it.
          --seed N      begin with this seed (1)
          --seeds K     run so many seeds, one after the other (1)
          --minutes M   run seeds for so long
          --actions A   so many actions in each run (300)
          --shorten S   look for the shortest story of a failure for so many seconds (120)
          --trace       print all that happens
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match chore(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn chore(arguments: &[String]) -> Result<()> {
    let Some((chore, rest)) = arguments.split_first() else {
        print!("{USAGE}");
        return Ok(());
    };
    match chore.as_str() {
        "test" => test(rest),
        "bench" => bench(rest),
        "crash" => crash::crash(rest),
        "fuzz" => fuzz::fuzz(rest),
        "load" => load(rest),
        "mutants" => mutants::mutants(rest),
        "sim" => sim(rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        other => bail!("there is no chore '{other}'\n\n{USAGE}"),
    }
}

fn test(arguments: &[String]) -> Result<()> {
    let mut plan = steps::Plan::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--strict" => plan.strict = true,
            "--list" => {
                steps::list();
                return Ok(());
            }
            "--only" => match rest.next() {
                Some(step) => plan.only.push(step.clone()),
                None => bail!("--only wants the name of a step; `cargo xtask test --list` shows them"),
            },
            other => bail!("`cargo xtask test` knows no '{other}'\n\n{USAGE}"),
        }
    }
    steps::run(&plan)
}

/// Hands over to the crate `ayni-bench`, built as people would run it.
fn bench(arguments: &[String]) -> Result<()> {
    let mut command = run::cargo(&["run", "--release", "--quiet", "--package", "ayni-bench", "--"]);
    for argument in arguments {
        command = command.arg(argument);
    }
    command.run()
}

/// Hands over to the crate `ayni-load`, built as people would run it.
fn load(arguments: &[String]) -> Result<()> {
    let mut command = run::cargo(&["run", "--release", "--quiet", "--package", "ayni-load", "--"]);
    for argument in arguments {
        command = command.arg(argument);
    }
    command.run()
}

/// Hands over to the crate `ayni-sim`, built as the tests are.
fn sim(arguments: &[String]) -> Result<()> {
    let mut command = run::cargo(&["run", "--quiet", "--package", "ayni-sim", "--"]);
    for argument in arguments {
        command = command.arg(argument);
    }
    command.run()
}
