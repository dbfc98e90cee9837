//! One durable write after another.

use super::{Bench, median, rate, timed};
use crate::plain::{Plain, Rows};
use crate::records::records;
use crate::row::Row;
use anyhow::Result;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    Ok(vec![plain(bench)?])
}

/// One record in one durable transaction of plain SQLite; the rate is that of the median.
fn plain(bench: &Bench) -> Result<Row> {
    let rows = Rows::of_all(&records(bench.singles));
    let mut plain = Plain::create(&bench.file("put.db"))?;
    let times: Result<Vec<_>> = rows.iter().map(|row| timed(|| plain.commit(std::slice::from_ref(row)))).collect();
    Ok(Row::baseline("plain SQLite: one durable transaction", rate(1, median(times?)), "puts/s"))
}
