//! `cargo xtask bench`: a table for people, JSON rows for programs.

use anyhow::{Context, Result, bail};
use ayni_bench::report;
use ayni_bench::rows::{self, Bench, WORKS};
use std::path::Path;

const USAGE: &str = "usage: cargo xtask bench [--quick] [--only WORK]... [--json FILE]";

fn main() -> Result<()> {
    let (mut quick, mut json, mut only) = (false, None, Vec::new());
    if let Some(folder) = std::env::var_os(rows::OPEN_FOLDER) {
        return rows::open_in_this_process(Path::new(&folder));
    }
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => quick = true,
            "--json" => json = Some(arguments.next().with_context(|| format!("--json wants a file\n{USAGE}"))?),
            "--only" => only.push(work(arguments.next())?),
            other => bail!("there is no '{other}'\n{USAGE}"),
        }
    }
    // Beside the build, so that it is a real disk and not memory that makes things durable.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let bench = Bench::new(quick, &folder)?;
    let mut rows = Vec::new();
    for work in WORKS.iter().filter(|work| only.is_empty() || only.contains(&work.name)) {
        eprintln!("measuring: {}", work.about);
        rows.extend(work.measure(&bench)?);
    }
    match json.as_deref() {
        Some("-") => print!("{}", report::json(&rows)),
        file => {
            print!("\n{}", report::table(&rows));
            if let Some(file) = file {
                std::fs::write(file, report::json(&rows)).with_context(|| format!("cannot write {file}"))?;
            }
        }
    }
    Ok(())
}

fn work(name: Option<String>) -> Result<&'static str> {
    let known = WORKS.iter().map(|work| work.name).find(|known| name.as_deref() == Some(known));
    known.with_context(|| format!("--only wants one of: {}\n{USAGE}", WORKS.map(|work| work.name).join(", ")))
}
