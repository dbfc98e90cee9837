//! From a put on one device until a reader on another sees it.

use super::{Bench, median, timed};
use crate::echo::Echo;
use crate::row::Row;
use anyhow::Result;
use std::fs::File;
use std::io::Write;

/// Pages that one record's transaction appends to SQLite's write-ahead log: entry, document, its unique index and the
/// two indexes' keys, each page with its frame header.
const APPENDED: usize = 5 * (4_096 + 24);
/// A record with its header and framing.
const MESSAGE: usize = 300;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    Ok(vec![floor(bench)?])
}

/// What no such way can do without: the put is made durable here, goes there and is answered, and is made durable
/// there. The medians of both parts, added.
fn floor(bench: &Bench) -> Result<Row> {
    let mut file = File::create(bench.file("live.wal"))?;
    let page = vec![7; APPENDED];
    let syncs: Result<Vec<_>> = (0..bench.singles)
        .map(|_| {
            timed(|| {
                file.write_all(&page)?;
                Ok(file.sync_data()?)
            })
        })
        .collect();
    let mut echo = Echo::connect()?;
    let trips: Result<Vec<_>> = (0..bench.singles).map(|_| echo.round_trip(MESSAGE)).collect();
    echo.close();
    let whole = 2 * median(syncs?) + median(trips?);
    Ok(Row::baseline("2 fsyncs and 1 QUIC round trip", whole.as_secs_f64() * 1e3, "ms"))
}
