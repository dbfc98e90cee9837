//! Queries of a large collection: by an index, by a box, by words, and by looking at all.

use super::large::LargeRef;
use super::{Bench, median, timed};
use crate::records::Random;
use crate::row::{Row, Target};
use anyhow::{Result, ensure};
use ayni::query::{Area, Query, Search};
use std::time::Duration;

/// Documents that a query wants.
const WANTED: usize = 20;
/// Words that stand in a third of the notes each.
const WORDS: [&str; 8] = ["frost", "stream", "slope", "terraces", "growth", "seedlings", "damaged", "green"];

/// The same statement on plain SQLite and as a query, in turn; SQLite gives the records as bytes, Ayni as documents.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let large = bench.large()?;
    let mut rows = Vec::new();
    let singles = bench.singles;
    rows.extend(compare("indexed query of 20", singles, large, by_index)?);
    rows.extend(compare("box query of about 20", singles, large, by_box)?);
    rows.extend(compare("search of two words, the best 20", singles / 25, large, by_words)?);
    rows.extend(compare("query without an index", bench.runs, large, by_looking_at_all)?);
    Ok(rows)
}

/// How long plain SQLite and Ayni took for a question.
type Answered = [Duration; 2];

fn compare(
    name: &str,
    times: usize,
    large: LargeRef<'_>,
    ask: fn(LargeRef<'_>, &mut Random) -> Result<Answered>,
) -> Result<Vec<Row>> {
    let mut random = Random::new(11);
    // The first question of a kind prepares statements, on both sides.
    ask(large, &mut random)?;
    let answered = (0..times.max(1)).map(|_| ask(large, &mut random)).collect::<Result<Vec<_>>>()?;
    let milliseconds = |side: usize| median(answered.iter().map(|both| both[side]).collect()).as_secs_f64() * 1e3;
    let name = format!("{name} in {} records", large.count());
    let plain = Row::baseline(format!("plain SQLite: {name}"), milliseconds(0), "ms");
    let ayni = Row::ayni(name, milliseconds(1), "ms").beside(&plain).wants(Target::RatioAtMost(2.0));
    Ok(vec![plain, ayni])
}

/// Asks both, and holds the numbers of what they found against each other.
fn ask(
    plain: impl FnOnce() -> Result<Vec<Vec<u8>>>,
    large: LargeRef<'_>,
    query: &Query,
    found: impl FnOnce(usize) -> bool,
) -> Result<Answered> {
    let (mut one, mut other) = (0, 0);
    let by_plain = timed(|| {
        one = plain()?.len();
        Ok(())
    })?;
    let by_ayni = timed(|| {
        other = large.collection().query(query)?.len();
        Ok(())
    })?;
    // At the edges of a box SQLite has a few more, as it keeps 32 bits of a coordinate.
    ensure!(one.abs_diff(other) <= 3 && found(other), "plain SQLite found {one}, Ayni {other} by {query:?}");
    Ok([by_plain, by_ayni])
}

fn by_index(large: LargeRef<'_>, random: &mut Random) -> Result<Answered> {
    let from = 1_750_000_000_000 + random.below(30_000_000_000) as i64;
    let query = Query::new(format!(r#"{{"seen_at": {{"$gte": {from}}}}}"#).parse()?);
    let query = query.sort("seen_at".parse()?).limit(WANTED as u64);
    ask(|| large.plain().seen_from(from, WANTED), large, &query, |found| found == WANTED)
}

/// A box of such a size that it has as many as are wanted, more or less.
fn by_box(large: LargeRef<'_>, random: &mut Random) -> Result<Answered> {
    let side = 4.0 * (WANTED as f64 / large.count() as f64).sqrt();
    let mut degrees = |least: f64| least + random.below(390_000) as f64 / 1e5;
    let (west, south) = (degrees(-72.0), degrees(-17.0));
    let (east, north) = (west + side, south + side);
    let query = Query::default().within("location".parse()?, Area::within(west, south, east, north)?);
    ask(|| large.plain().within([west, south, east, north]), large, &query, |_| true)
}

fn by_words(large: LargeRef<'_>, random: &mut Random) -> Result<Answered> {
    let one = random.below(WORDS.len() as u64) as usize;
    let other = (one + 1 + random.below(WORDS.len() as u64 - 1) as usize) % WORDS.len();
    let words = format!("{} {}", WORDS[one], WORDS[other]);
    let search = words.parse::<Search>()?.fields(["note".parse()?])?;
    let query = Query::default().search(search).limit(WANTED as u64);
    ask(|| large.plain().search(&words, WANTED), large, &query, |found| found == WANTED)
}

fn by_looking_at_all(large: LargeRef<'_>, random: &mut Random) -> Result<Answered> {
    let metres = 29.95 + random.below(4) as f64 / 100.0;
    let query = Query::new(format!(r#"{{"height": {{"$gte": {metres}}}}}"#).parse()?);
    ask(|| large.plain().higher(metres), large, &query, |found| found > 0)
}
