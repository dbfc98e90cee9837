//! Creating records of about 250 bytes with two indexes, in large transactions.

use super::{Bench, median, rate, timed};
use crate::plain::{Plain, Rows};
use crate::records::records;
use crate::row::Row;
use anyhow::Result;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    Ok(vec![plain(bench)?])
}

/// The same rows and indexes into plain SQLite; also the baseline of a cold sync, which ends with these rows too.
fn plain(bench: &Bench) -> Result<Row> {
    let rows = Rows::of_all(&records(bench.records));
    let mut times = Vec::new();
    for run in 0..bench.runs {
        let mut plain = Plain::create(&bench.file(&format!("create-{run}.db")))?;
        times.push(timed(|| plain.write(&rows))?);
    }
    Ok(Row::baseline("plain SQLite: records with 2 indexes", rate(bench.records, median(times)), "records/s"))
}
