//! `cargo xtask fuzz`: builds the fuzz targets and runs each for a while.
//!
//! They are built by the ordinary toolchain: the coverage that libFuzzer follows is a pass of LLVM's. What a run has learned
//! is kept below `target/fuzz/corpus`, for the next one to go on from.

use crate::run::{cargo, program, root};
use anyhow::{Context, Result, bail};
use std::path::Path;

/// The flags by which `cargo fuzz` instruments code, without a sanitizer: there is no unsafe code to watch.
const INSTRUMENT: &[&str] = &[
    "--cfg fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];
const BUILT: &str = "target/fuzz";

pub(crate) fn fuzz(arguments: &[String]) -> Result<()> {
    let (mut seconds, mut wanted) = ("60".to_owned(), Vec::new());
    let known = targets()?;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--seconds" => {
                let given = rest.next().context("--seconds wants a number")?;
                seconds = given.parse::<u64>().with_context(|| format!("'{given}' is no number"))?.to_string();
            }
            target if known.iter().any(|known| known == target) => wanted.push(target.to_owned()),
            other => bail!("there is no fuzz target '{other}': there are {}", known.join(", ")),
        }
    }
    let wanted = if wanted.is_empty() { known } else { wanted };
    // With `--target`, build scripts are not instrumented.
    let host = host()?;
    cargo(&["build", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target-dir", BUILT, "--target", &host])
        .env("RUSTFLAGS", INSTRUMENT.join(" "))
        .run()?;
    let mut failed = Vec::new();
    for target in wanted {
        println!("fuzzing {target} for {seconds} s");
        match run(&target, &host, &seconds) {
            Ok(figures) => println!("  {figures}"),
            Err(error) => {
                eprintln!("{error:#}");
                failed.push(target);
            }
        }
    }
    if !failed.is_empty() {
        bail!("fuzzing found something in {}: see {BUILT}/artifacts", failed.join(", "));
    }
    Ok(())
}

/// Runs a target, and says in a line how far it came.
fn run(target: &str, host: &str, seconds: &str) -> Result<String> {
    let learned = format!("{BUILT}/corpus/{target}");
    let artifacts = format!("{BUILT}/artifacts/{target}/");
    for folder in [&learned, &artifacts] {
        std::fs::create_dir_all(root().join(folder)).with_context(|| format!("cannot make {folder}"))?;
    }
    let call = program(format!("{BUILT}/{host}/release/{target}"), &[])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={artifacts}"))
        .arg("-timeout=20")
        .arg("-rss_limit_mb=3000")
        .arg("-max_len=65536")
        .arg("-verbosity=0")
        .arg("-print_final_stats=1")
        .arg(learned);
    let output = call.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{said}\n`{call}` failed ({})", output.status);
    }
    let figure = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim().to_owned();
    let (inputs, memory) = (figure("stat::number_of_executed_units:"), figure("stat::peak_rss_mb:"));
    Ok(format!("{inputs} inputs, nothing found, at most {memory} MB of memory"))
}

/// Named as their files.
fn targets() -> Result<Vec<String>> {
    let folder = root().join("fuzz/targets");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        names.extend(Path::file_stem(&path).map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn host() -> Result<String> {
    let said = program("rustc", &["-vV"]).read()?;
    let line = said.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned).context("rustc does not say for which machine it builds")
}
