//! The steps of `cargo xtask test`, in the order in which failures are cheapest to find.
//!
//! All of them build with the same profile, features and flags, so that nothing is compiled twice.

use crate::run::{Call, cargo, program, target};
use crate::{house, machine, pouchdb, wasm};
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// What to run.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// These steps alone; all when empty.
    pub(crate) only: Vec<String>,
    /// A step that cannot run here is a failure.
    pub(crate) strict: bool,
}

/// How a step ended that did not fail.
pub(crate) enum Outcome {
    Held,
    /// It cannot run here; why, and what would let it.
    Skipped(String),
}

/// The tests that make network namespaces, as nextest's filtersets name them.
const BETWEEN_HOSTS: &str = "(package(ayni-net) & test(/^namespaces::/)) | (package(ayni-cli) & binary(lan))";

struct Step {
    name: &'static str,
    about: &'static str,
    work: Work,
}

enum Work {
    Calls(Vec<Call>),
    Check(fn() -> Result<Outcome>),
}

fn steps() -> Vec<Step> {
    let calls = |name, about, calls: Vec<Call>| Step { name, about, work: Work::Calls(calls) };
    let check = |name, about, check| Step { name, about, work: Work::Check(check) };
    vec![
        check("needs", "what the machine must have beside Rust", || machine::prepare().map(|()| Outcome::Held)),
        calls("fmt", "the code is formatted", vec![cargo(&["fmt", "--all", "--check"])]),
        check(
            "house",
            "dependencies run one way; the pure crates are pure; one version of what is heavy; planted defects fit",
            || house::check().map(|()| Outcome::Held),
        ),
        calls(
            "clippy",
            "no lint speaks",
            vec![cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])],
        ),
        check("test", "all tests", tests),
        check("pouchdb", "queries find what PouchDB finds", pouchdb::check),
        calls("doctest", "the examples in the documentation", vec![cargo(&["test", "--doc", "--workspace"])]),
        calls("doc", "the documentation, without a broken link", documentation()),
        check("wasm", "the pure crates are built for the browser", wasm::check),
        calls("demo", "three devices, all of the real data", demo()),
    ]
}

/// All tests; where nobody may make network namespaces, all but those that need some.
fn tests() -> Result<Outcome> {
    let mut call = cargo(&["nextest", "run", "--workspace"]);
    let may = machine::may_make_hosts();
    if !may {
        call = call.arg("--filterset").arg(format!("not ({BETWEEN_HOSTS})"));
    }
    println!("$ {call}");
    call.run()?;
    if may {
        return Ok(Outcome::Held);
    }
    Ok(Outcome::Skipped(
        "the tests between hosts, which make network namespaces: Linux and root; all others hold".into(),
    ))
}

/// The pages of the crates; and apart from them those of the program, which cargo leaves out since the crate `ayni` has its
/// name. What they are made from is compiled once for both.
fn documentation() -> Vec<Call> {
    let strict = |call: Call| call.env("RUSTDOCFLAGS", "-D warnings");
    let apart = target().join("program");
    vec![
        strict(cargo(&["doc", "--workspace", "--no-deps"])),
        strict(cargo(&["rustdoc", "--package", "ayni-cli", "--bin", "ayni", "--target-dir"]))
            .arg(apart.display().to_string())
            .env("CARGO_BUILD_BUILD_DIR", target().display().to_string()),
    ]
}

/// The program as the tests have built it, so that it is not compiled again for other features.
fn demo() -> Vec<Call> {
    let program_path = target().join("debug").join(format!("ayni{}", std::env::consts::EXE_SUFFIX));
    let stage = target().join("demo");
    vec![
        cargo(&["nextest", "run", "--workspace", "--no-run"]),
        program(program_path.display().to_string(), &["demo", "--plain", "--dir"]).arg(stage.display().to_string()),
    ]
}

/// Prints the steps.
pub(crate) fn list() {
    for step in steps() {
        println!("{:8} {}", step.name, step.about);
    }
}

/// Runs the steps of the plan; the first failure ends it with the command to repeat.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    let steps = steps();
    if let Some(unknown) = plan.only.iter().find(|name| !steps.iter().any(|step| step.name == name.as_str())) {
        let names: Vec<&str> = steps.iter().map(|step| step.name).collect();
        bail!("there is no step '{unknown}'; there are {}", names.join(", "));
    }
    let begun = Instant::now();
    let mut report = Vec::new();
    for step in steps.iter().filter(|step| plan.only.is_empty() || plan.only.iter().any(|name| name == step.name)) {
        println!("\n━━ {} ━━ {} (at {})", step.name, step.about, shown(begun.elapsed()));
        let started = Instant::now();
        let outcome = match attempt(step) {
            Ok(Outcome::Skipped(why)) if plan.strict => bail!("✗ {}: {why}", step.name),
            Ok(outcome) => outcome,
            Err(error) => {
                let (name, took) = (step.name, shown(started.elapsed()));
                bail!("✗ {name} failed after {took}: {error:#}\n\nto repeat it: cargo xtask test --only {name}")
            }
        };
        report.push((step.name, started.elapsed(), outcome));
    }
    println!();
    let mut skipped = 0;
    for (name, took, outcome) in &report {
        match outcome {
            Outcome::Held => println!("✓ {name:8} {:>9}", shown(*took)),
            Outcome::Skipped(why) => {
                skipped += 1;
                println!("– {name:8} {:>9}  skipped: {why}", shown(*took));
            }
        }
    }
    let held = report.len() - skipped;
    println!("{held} of {} steps hold, in {}", report.len(), shown(begun.elapsed()));
    Ok(())
}

fn attempt(step: &Step) -> Result<Outcome> {
    match &step.work {
        Work::Check(check) => check(),
        Work::Calls(calls) => {
            for call in calls {
                println!("$ {call}");
                call.run()?;
            }
            Ok(Outcome::Held)
        }
    }
}

fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_does_not_exist_is_not_taken_for_a_success() {
        let plan = Plan { only: vec!["tests".into()], strict: false };
        assert!(run(&plan).unwrap_err().to_string().contains("no step 'tests'"));
    }

    #[test]
    fn times_are_shown_as_people_read_them() {
        assert_eq!(shown(Duration::from_millis(1_234)), "1.2 s");
        assert_eq!(shown(Duration::from_secs(605)), "10 min 05 s");
    }
}
