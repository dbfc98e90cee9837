//! Creating records of about 250 bytes with two indexes, in large transactions.

use super::{Bench, median, rate, timed};
use crate::devices::{Device, values, write};
use crate::plain::{Plain, Rows};
use crate::records::records;
use crate::row::{Row, Target};
use anyhow::Result;
use std::time::Duration;

/// The same rows and indexes into plain SQLite, and as documents, run by run in turn.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let records = records(bench.records);
    let rows = Rows::of_all(&records);
    let (mut plain, mut ayni) = (Vec::new(), Vec::new());
    for run in 0..bench.runs {
        plain.push(write_plain(bench, &format!("create-{run}"), &rows)?);
        let project = Device::create(&bench.file(&format!("create-{run}")), "one")?.found()?;
        let records = values(&records)?;
        ayni.push(timed(|| write(&project, records))?);
    }
    let plain = baseline(bench, plain);
    let ayni = Row::ayni("create records with 2 indexes", rate(bench.records, median(ayni)), "records/s");
    let ayni = ayni.beside(&plain).wants(Target::RatioAtLeast(0.5));
    Ok(vec![plain, ayni])
}

/// How long plain SQLite takes for these rows; a cold sync ends with them too.
pub(super) fn write_plain(bench: &Bench, name: &str, rows: &[Rows]) -> Result<Duration> {
    let mut plain = Plain::create(&bench.file(&format!("{name}.db")))?;
    timed(|| plain.write(rows))
}

/// The row of what plain SQLite took.
pub(super) fn baseline(bench: &Bench, times: Vec<Duration>) -> Row {
    Row::baseline("plain SQLite: records with 2 indexes", rate(bench.records, median(times)), "records/s")
}
