//! Creating records of about 250 bytes, in large transactions.

use super::{Bench, median, rate, timed};
use crate::devices::{Device, values, write};
use crate::plain::{Plain, Rows};
use crate::records::{Indexes, records};
use crate::row::{Row, Target};
use anyhow::Result;
use std::time::Duration;

/// With two indexes, and with those of words and places too.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = create(bench, Indexes::Values)?;
    rows.extend(create(bench, Indexes::All)?);
    Ok(rows)
}

/// The same rows and indexes into plain SQLite, and as documents, run by run in turn.
fn create(bench: &Bench, indexes: Indexes) -> Result<Vec<Row>> {
    let records = records(bench.records);
    let rows = Rows::of_all(&records);
    let (mut plain, mut ayni) = (Vec::new(), Vec::new());
    for run in 0..bench.runs {
        let name = format!("create-{indexes:?}-{run}");
        plain.push(write_plain(bench, &name, indexes, &rows)?);
        let project = Device::create(&bench.file(&name), "one")?.found(indexes)?;
        let records = values(&records)?;
        ayni.push(timed(|| write(&project, records))?);
    }
    let plain = baseline(bench, indexes, plain);
    let ayni = Row::ayni(format!("create records with {indexes}"), rate(bench.records, median(ayni)), "records/s");
    let ayni = ayni.beside(&plain).wants(Target::RatioAtLeast(0.5));
    Ok(vec![plain, ayni])
}

/// How long plain SQLite takes for these rows; a cold sync ends with them too.
pub(super) fn write_plain(bench: &Bench, name: &str, indexes: Indexes, rows: &[Rows]) -> Result<Duration> {
    let mut plain = Plain::create(&bench.file(&format!("{name}.db")), indexes)?;
    timed(|| plain.write(rows))
}

/// The row of what plain SQLite took.
pub(super) fn baseline(bench: &Bench, indexes: Indexes, times: Vec<Duration>) -> Row {
    let name = format!("plain SQLite: records with {indexes}");
    Row::baseline(name, rate(bench.records, median(times)), "records/s")
}
