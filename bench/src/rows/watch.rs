//! A live query of a large collection: from a put until it says what changed.

use super::{Bench, median, timed};
use crate::devices::{COLLECTION, values};
use crate::records::records;
use crate::row::{Row, Target};
use anyhow::{Result, ensure};
use ayni::doc::Value;
use ayni::query::Query;
use std::time::Duration;

/// A put that nobody watches, and one until the difference that it makes is there, in turn. Each goes to the top of the list
/// of the 20 seen last.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let large = bench.large()?;
    let (mut puts, mut told) = (Vec::new(), Vec::new());
    let mut last = 1_800_000_000_000_i64;
    let mut next = |mut record: Value| {
        last += 1_000;
        if let Value::Map(fields) = &mut record {
            fields.insert("seen_at".into(), last.into());
        }
        record
    };
    let put = |record| Ok::<_, anyhow::Error>(large.project().write(|tx| tx.create(COLLECTION, record).map(|_| ()))?);
    for pair in values(&records(bench.singles * 2))?.chunks(2) {
        let [alone, watched] = [next(pair[0].clone()), next(pair[1].clone())];
        puts.push(timed(|| put(alone))?);
        let mut live = large.collection().watch(Query::default().sort("seen_at:desc".parse()?).limit(20));
        ensure!(live.next(Duration::from_secs(10))?.is_some_and(|list| list.len() == 20), "the list was not told");
        told.push(timed(|| {
            put(watched)?;
            let differences = live.next(Duration::from_secs(10))?;
            ensure!(differences.is_some_and(|all| all.len() == 2), "one comes and one goes");
            Ok(())
        })?);
    }
    let milliseconds = |times| median(times).as_secs_f64() * 1e3;
    let plain = Row::baseline("a put that nobody watches", milliseconds(puts), "ms");
    let name = format!("a put until a live query of 20 of {} records tells", large.count());
    let ayni = Row::ayni(name, milliseconds(told), "ms").beside(&plain).wants(Target::AddsAtMost(1.0));
    Ok(vec![plain, ayni])
}
