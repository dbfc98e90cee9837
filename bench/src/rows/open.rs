//! Opening a large database, and what a process needs that asks it a thousand queries.
//!
//! Memory is that of a process of its own: this program starts itself again.

use super::Bench;
use crate::devices::{COLLECTION, Device, values, write};
use crate::records::{Indexes, records};
use crate::row::{Row, Target};
use anyhow::{Context, Result, ensure};
use ayni::query::Query;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// The environment variable that makes this program open the folder it names, measure itself, and say how it went.
pub const OPEN_FOLDER: &str = "AYNI_BENCH_OPEN";

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let count = bench.records * 10;
    let folder = bench.file("open");
    {
        let device = Device::create(&folder, "one")?;
        let project = device.found(Indexes::Values)?;
        for records in records(count).chunks(100_000) {
            write(&project, values(records)?)?;
        }
    }
    let output = Command::new(&bench.program).env(OPEN_FOLDER, &folder).output()?;
    ensure!(output.status.success(), "opening failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let mut figures = text.split_whitespace().map(str::parse::<f64>);
    let mut next = || Ok::<_, anyhow::Error>(figures.next().context("no figure")??);
    let (open, memory) = (next()?, next()?);
    Ok(vec![
        Row::ayni(format!("open a database of {count} records"), open, "ms").wants(Target::AtMost(100.0)),
        Row::ayni("peak memory after 1,000 queries on it", memory, "MB").wants(Target::AtMost(150.0)),
    ])
}

/// Opens, reads a first document, asks a thousand queries, and prints milliseconds and megabytes.
///
/// # Errors
/// When the database cannot be opened or read.
pub fn open_in_this_process(folder: &Path) -> Result<()> {
    let started = Instant::now();
    let device = Device::open(folder)?;
    let collection = device.project()?.collection(COLLECTION);
    let first = collection.query(&Query::default().limit(1))?;
    let open = started.elapsed();
    ensure!(first.len() == 1, "an empty database");
    for number in 0..1_000 {
        let from = 1_600_000_000_000_i64 + number * 100_000_000;
        let selector = format!(r#"{{"seen_at": {{"$gte": {from}}}}}"#).parse()?;
        collection.query(&Query::new(selector).sort("seen_at".parse()?).limit(20))?;
    }
    println!("{} {}", open.as_secs_f64() * 1e3, peak_memory()? as f64 / 1e3);
    Ok(())
}

/// The most memory that this process has had, in kB.
fn peak_memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("peak memory is read from /proc (Linux)")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("no VmHWM")?;
    Ok(line.split_whitespace().nth(1).context("no VmHWM")?.parse()?)
}
