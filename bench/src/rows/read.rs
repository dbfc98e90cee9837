//! One document of a large collection, read by its id into a value of the program's own type.

use super::{Bench, median, timed};
use crate::records::Random;
use crate::row::{Row, Target};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// What a program that has these records would say they are.
#[derive(Serialize, Deserialize)]
struct Observation {
    plot: String,
    surveyor: String,
    species: String,
    note: String,
    count: i64,
    seen_at: i64,
    height: f64,
    location: serde_json::Value,
}

/// Documents among which one is read: a program's working set.
const AMONG: usize = 10_000;

/// A row of plain SQLite by its key, its JSON read into the type, and a typed document, in turn.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let large = bench.large()?;
    let typed = large.collection().typed::<Observation>();
    let mut ids = Vec::new();
    large.collection().for_each(|document| {
        ids.push(document.id());
        Ok(if ids.len() < AMONG { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    let (mut rows, mut reads) = (Vec::new(), Vec::new());
    let mut random = Random::new(13);
    for _ in 0..bench.singles * 20 {
        let number = random.below(ids.len() as u64) as usize;
        let row = &large.plain_ids()[number];
        rows.push(timed(|| {
            let body = large.plain().read(row)?;
            let read: Observation = serde_json::from_slice(&body)?;
            ensure!(!read.plot.is_empty(), "an empty row");
            Ok(())
        })?);
        reads.push(timed(|| {
            let record = typed.get(ids[number])?.context("a document that is gone")?;
            ensure!(!record.plot.is_empty(), "an empty document");
            Ok(())
        })?);
    }
    let microseconds = |times| median(times).as_secs_f64() * 1e6;
    let name = format!("typed read of one of {} records by id", large.count());
    let plain = Row::baseline("plain SQLite: a row by its key, read from JSON", microseconds(rows), "µs");
    let ayni = Row::ayni(name, microseconds(reads), "µs").beside(&plain);
    Ok(vec![plain, ayni.wants(Target::RatioAtMost(3.0)).wants(Target::AtMost(20.0))])
}
