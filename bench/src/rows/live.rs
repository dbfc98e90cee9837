//! From a put on one device until a reader on another sees it.

use super::{Bench, median, timed};
use crate::devices::{COLLECTION, Wire, pair, values};
use crate::echo::Echo;
use crate::records::{Indexes, records};
use crate::row::{Row, Target};
use anyhow::Result;
use std::fs::File;
use std::io::Write;
use std::time::Duration;

/// Pages that one record's transaction appends to SQLite's write-ahead log: entry, document, its unique index and the
/// two indexes' keys, each page with its frame header.
const APPENDED: usize = 5 * (4_096 + 24);
/// A record with its header and framing.
const MESSAGE: usize = 300;

/// What no such way can do without (the put is made durable here, goes there and is answered, and is made durable
/// there: the medians of both parts, added), and from before the put here until a reader there has seen it; in turn, so
/// that both meet the disk in the same mood.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let [one, other] = pair(&bench.file("live-one"), &bench.file("live-other"), Indexes::Values)?;
    let (here, there) = (one.project()?, other.project()?);
    let _wire = Wire::connect(&one.database, &other.database)?;
    let read = there.collection(COLLECTION);
    let mut echo = Echo::connect()?;
    let mut file = File::create(bench.file("live.wal"))?;
    let page = vec![7; APPENDED];
    let (mut syncs, mut trips, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for (number, record) in values(&records(bench.singles))?.into_iter().enumerate() {
        syncs.push(timed(|| {
            file.write_all(&page)?;
            Ok(file.sync_data()?)
        })?);
        trips.push(echo.round_trip(MESSAGE)?);
        times.push(timed(|| {
            let mut seen = there.revision();
            here.write(|tx| tx.create(COLLECTION, record).map(|_| ()))?;
            while read.len()? as usize <= number {
                seen = there.wait(seen, Duration::from_millis(50));
            }
            Ok(())
        })?);
    }
    echo.close();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let floor = milliseconds(2 * median(syncs) + median(trips));
    let floor = Row::baseline("2 fsyncs and 1 QUIC round trip", floor, "ms");
    let ayni = Row::ayni("a put until the other device's reader sees it", milliseconds(median(times)), "ms");
    let ayni = ayni.beside(&floor).wants(Target::RatioAtMost(3.0));
    Ok(vec![floor, ayni])
}
