//! One durable write after another.

use super::{Bench, median, rate, timed};
use crate::devices::{COLLECTION, Device, values};
use crate::plain::{Plain, Rows};
use crate::records::records;
use crate::row::{Row, Target};
use anyhow::Result;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let plain = plain(bench)?;
    let ayni = ayni(bench)?.beside(&plain).wants(Target::RatioAtLeast(0.6));
    Ok(vec![plain, ayni])
}

/// One record in one durable transaction of plain SQLite; the rate is that of the median.
fn plain(bench: &Bench) -> Result<Row> {
    let rows = Rows::of_all(&records(bench.singles));
    let mut plain = Plain::create(&bench.file("put.db"))?;
    let times: Result<Vec<_>> = rows.iter().map(|row| timed(|| plain.commit(std::slice::from_ref(row)))).collect();
    Ok(Row::baseline("plain SQLite: one durable transaction", rate(1, median(times?)), "puts/s"))
}

fn ayni(bench: &Bench) -> Result<Row> {
    let device = Device::create(&bench.file("put"), "one")?;
    let project = device.found()?;
    let mut times = Vec::new();
    for record in values(&records(bench.singles))? {
        times.push(timed(|| Ok(project.write(|tx| tx.create(COLLECTION, record).map(|_| ()))?))?);
    }
    Ok(Row::ayni("one durable put", rate(1, median(times)), "puts/s"))
}
