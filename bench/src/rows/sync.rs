//! Sync: everything to an empty device, nothing, and a little of much.

use super::create::{baseline, write_plain};
use super::{Bench, median, rate, timed};
use crate::devices::{COLLECTION, Pipe, Wire, level, pair, until, values, write};
use crate::plain::Rows;
use crate::records::{Indexes, records};
use crate::row::{Row, Target};
use anyhow::{Context, Result};
use ayni::doc::{Operation, Value};

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = cold(bench, Indexes::Values)?;
    rows.extend(cold(bench, Indexes::All)?);
    rows.push(edited(bench)?);
    rows.extend(unchanged(bench)?);
    Ok(rows)
}

/// Over QUIC, from dialing until each record can be queried on the other device; in turn with plain SQLite writing the same.
fn cold(bench: &Bench, indexes: Indexes) -> Result<Vec<Row>> {
    let records = records(bench.records);
    let rows = Rows::of_all(&records);
    let (mut plain, mut times) = (Vec::new(), Vec::new());
    for run in 0..bench.runs {
        let name = format!("cold-{indexes:?}-{run}");
        plain.push(write_plain(bench, &name, indexes, &rows)?);
        let file = |side: &str| bench.file(&format!("{name}-{side}"));
        let [one, other] = pair(&file("one"), &file("other"), indexes)?;
        write(&one.project()?, values(&records)?)?;
        let there = other.project()?;
        let mut wire = None;
        times.push(timed(|| {
            wire = Some(Wire::connect(&one.database, &other.database)?);
            let mut seen = there.revision();
            until("a cold sync", || {
                seen = there.wait(seen, std::time::Duration::from_millis(50));
                Ok(there.collection(COLLECTION).len()? as usize == records.len())
            })
        })?);
    }
    let plain = baseline(bench, indexes, plain);
    let name = format!("cold sync over QUIC, {indexes}");
    let cold = Row::ayni(name, rate(bench.records, median(times)), "records/s");
    let cold = cold.beside(&plain).wants(Target::RatioAtLeast(0.4));
    let cold = if indexes == Indexes::Values { cold.wants(Target::AtLeast(40_000.0)) } else { cold };
    Ok(vec![plain, cold])
}

/// A thousandth edited on one side: UDP payload of the whole conversation.
fn edited(bench: &Bench) -> Result<Row> {
    let [one, other] = pair(&bench.file("edited-one"), &bench.file("edited-other"), Indexes::Values)?;
    let (here, there) = (one.project()?, other.project()?);
    write(&here, values(&records(bench.records))?)?;
    drop(level(&one, &other)?);
    let mut documents = Vec::new();
    let step = bench.records / 1_000;
    let mut passed = 0;
    here.collection(COLLECTION).for_each(|document| {
        if passed % step == 0 {
            documents.push(document);
        }
        passed += 1;
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    here.write(|tx| {
        documents.iter().try_for_each(|document| tx.edit(document, vec![Operation::set("count", Value::Int(-1))]))
    })?;
    let last = documents.last().context("no records")?.id();
    let wire = Wire::connect(&one.database, &other.database)?;
    until("the edits on the other side", || {
        let document = there.collection(COLLECTION).get(last)?;
        Ok(document.and_then(|document| document.get(&["count"])) == Some(Value::Int(-1)))
    })?;
    std::thread::sleep(std::time::Duration::from_secs(1));
    let name = format!("{} of {} records edited: UDP payload", documents.len(), bench.records);
    Ok(Row::ayni(name, wire.bytes() as f64 / 1e3, "kB").wants(Target::AtMost(300.0)))
}

/// Two devices that hold the same meet: what goes over the wire, and how often the two take turns.
fn unchanged(bench: &Bench) -> Result<Vec<Row>> {
    let [one, other] = pair(&bench.file("same-one"), &bench.file("same-other"), Indexes::Values)?;
    let count = bench.records * 10;
    for records in records(count).chunks(100_000) {
        write(&one.project()?, values(records)?)?;
    }
    drop(level(&one, &other)?);
    let mut pipe = Pipe::connect(&one.database, &other.database)?;
    pipe.settle();
    let bytes = format!("nothing changed in {count} records: both ways");
    let turns = format!("nothing changed in {count} records: flights (a round trip is 2)");
    Ok(vec![
        Row::ayni(bytes, pipe.bytes as f64, "bytes").wants(Target::AtMost(1_000.0)),
        Row::ayni(turns, pipe.flights as f64, "flights").wants(Target::AtMost(2.0)),
    ])
}
