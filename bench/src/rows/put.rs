//! One durable write after another.

use super::{Bench, median, rate, timed};
use crate::devices::{COLLECTION, Device, values};
use crate::plain::{Plain, Rows};
use crate::records::{Indexes, records};
use crate::row::{Row, Target};
use anyhow::Result;

/// One record in one durable transaction of plain SQLite, and one put, in turn, so that both meet the disk in the same
/// mood; the rates are those of the medians.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let records = records(bench.singles);
    let mut plain = Plain::create(&bench.file("put.db"), Indexes::Values)?;
    let device = Device::create(&bench.file("put"), "one")?;
    let project = device.found(Indexes::Values)?;
    let (mut commits, mut puts) = (Vec::new(), Vec::new());
    for (row, record) in Rows::of_all(&records).iter().zip(values(&records)?) {
        commits.push(timed(|| plain.commit(std::slice::from_ref(row)))?);
        puts.push(timed(|| Ok(project.write(|tx| tx.create(COLLECTION, record).map(|_| ()))?))?);
    }
    let plain = Row::baseline("plain SQLite: one durable transaction", rate(1, median(commits)), "puts/s");
    let ayni = Row::ayni("one durable put", rate(1, median(puts)), "puts/s");
    let ayni = ayni.beside(&plain).wants(Target::RatioAtLeast(0.6));
    Ok(vec![plain, ayni])
}
