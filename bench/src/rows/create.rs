//! Creating records of about 250 bytes with two indexes, in large transactions.

use super::{Bench, median, rate, timed};
use crate::devices::{Device, values, write};
use crate::plain::{Plain, Rows};
use crate::records::records;
use crate::row::{Row, Target};
use anyhow::Result;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let plain = plain(bench, "create")?;
    let ayni = ayni(bench)?.beside(&plain).wants(Target::RatioAtLeast(0.5));
    Ok(vec![plain, ayni])
}

/// The same rows and indexes into plain SQLite; also the baseline of a cold sync, which ends with these rows too.
pub(super) fn plain(bench: &Bench, name: &str) -> Result<Row> {
    let rows = Rows::of_all(&records(bench.records));
    let mut times = Vec::new();
    for run in 0..bench.runs {
        let mut plain = Plain::create(&bench.file(&format!("{name}-{run}.db")))?;
        times.push(timed(|| plain.write(&rows))?);
    }
    Ok(Row::baseline("plain SQLite: records with 2 indexes", rate(bench.records, median(times)), "records/s"))
}

fn ayni(bench: &Bench) -> Result<Row> {
    let records = values(&records(bench.records))?;
    let mut times = Vec::new();
    for run in 0..bench.runs {
        let device = Device::create(&bench.file(&format!("create-{run}")), "one")?;
        let project = device.found()?;
        times.push(timed(|| write(&project, &records))?);
    }
    Ok(Row::ayni("create records with 2 indexes", rate(bench.records, median(times)), "records/s"))
}
