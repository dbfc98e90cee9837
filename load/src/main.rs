//! `cargo xtask load`: a mesh of many devices, a member that floods, strangers by the thousand.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ayni_bench::report;
use ayni_load::flood::{self, Flood};
use ayni_load::mesh::{self, Mesh};
use ayni_load::siege::{self, Siege};
use ayni_load::stage::{Outcome, Setting};
use ayni_load::{cast, device};

const USAGE: &str = "usage: cargo xtask load [--only mesh|flood|strangers] [--devices N] [--records N] [--minutes M] \
                     [--strangers N] [--seed N] [--dir FOLDER]";
const PARTS: [&str; 3] = ["mesh", "flood", "strangers"];

struct Wanted {
    only: Vec<String>,
    devices: u64,
    records: u64,
    minutes: u64,
    strangers: u64,
    seed: u64,
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, folder] = arguments.as_slice()
        && role == cast::ROLE
    {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()))
            .with_writer(std::io::stderr)
            .init();
        return match device::run(Path::new(folder)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:#}");
                ExitCode::FAILURE
            }
        };
    }
    match wanted(&arguments).map(|wanted| load(&wanted)) {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        Ok(Ok(false)) => ExitCode::FAILURE,
        Ok(Err(error)) => {
            eprintln!("\n{error:#}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error:#}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn wanted(arguments: &[String]) -> Result<Wanted> {
    let mut wanted = Wanted {
        only: Vec::new(),
        devices: 50,
        records: 500_000,
        minutes: 20,
        strangers: 5_000,
        seed: 1,
        folder: None,
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().with_context(|| format!("{argument} wants a value"));
        let number = |text: &String| text.parse().with_context(|| format!("{argument} wants a number, not '{text}'"));
        match argument.as_str() {
            "--only" => match value()? {
                part if PARTS.contains(&part.as_str()) => wanted.only.push(part.clone()),
                other => bail!("there is no part '{other}': there are {}", PARTS.join(", ")),
            },
            "--devices" => wanted.devices = number(value()?)?,
            "--records" => wanted.records = number(value()?)?,
            "--minutes" => wanted.minutes = number(value()?)?,
            "--strangers" => wanted.strangers = number(value()?)?,
            "--seed" => wanted.seed = number(value()?)?,
            "--dir" => wanted.folder = Some(value()?.into()),
            other => bail!("there is no '{other}'"),
        }
    }
    ensure!((2..=250).contains(&wanted.devices), "--devices wants a number from 2 to 250");
    ensure!((1..=5_000_000).contains(&wanted.records), "--records wants a number from 1 to 5000000");
    Ok(wanted)
}

/// Whether everything held. Then the folder is removed; otherwise it is kept to be looked at.
fn load(wanted: &Wanted) -> Result<bool> {
    let folder = folder(wanted)?;
    let setting = Setting {
        program: std::env::current_exe()?,
        folder: folder.clone(),
        seed: wanted.seed,
        tells: Some(Duration::from_secs(10)),
    };
    let mut well = true;
    for part in PARTS.iter().filter(|part| wanted.only.is_empty() || wanted.only.iter().any(|only| only == *part)) {
        let began = Instant::now();
        let outcome = match *part {
            "mesh" => mesh::run(&Mesh::new(wanted.devices as usize, wanted.records, wanted.minutes), &setting),
            "flood" => flood::run(&Flood::new(), &setting),
            _ => siege::run(&Siege { strangers: wanted.strangers, ..Siege::new() }, &setting),
        };
        match outcome {
            Ok(outcome) => well &= tell(part, &outcome, began.elapsed()),
            Err(error) => {
                eprintln!("\n✗ {part}: {error:#}");
                well = false;
            }
        }
        if well {
            std::fs::remove_dir_all(folder.join(part))?;
        }
    }
    if well {
        // One that was given stays, empty as it was.
        let _ = wanted.folder.is_none().then(|| std::fs::remove_dir_all(&folder));
    } else {
        eprintln!(
            "\nthe devices' folders and logs are kept in {}; to repeat it: cargo xtask load --seed {} (and the same options)",
            folder.display(),
            wanted.seed
        );
    }
    Ok(well)
}

/// Prints what a part has found; whether all held.
fn tell(part: &str, outcome: &Outcome, took: Duration) -> bool {
    println!("\n{part}, in {} s\n{}", took.as_secs(), report::table(&outcome.rows));
    for broken in &outcome.broken {
        println!("✗ {broken}");
    }
    outcome.is_well()
}

/// An empty folder: the one that was given, or one beside the build, so that it is a real disk and not memory.
fn folder(wanted: &Wanted) -> Result<PathBuf> {
    let Some(given) = &wanted.folder else {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
        let folder = tempfile::Builder::new().prefix("load-").tempdir_in(target)?;
        return Ok(folder.keep().canonicalize()?);
    };
    std::fs::create_dir_all(given).with_context(|| format!("cannot make {}", given.display()))?;
    let is_empty = std::fs::read_dir(given)?.next().is_none();
    ensure!(is_empty, "{} is not empty: give a folder that is, or none", given.display());
    Ok(given.canonicalize()?)
}
