//! Planning a query: which index leads to what it asks for, if any does.

use std::ops::Bound;

use ayni_store::{KeyRange as StoredRange, Snapshot};

use crate::core::indexing::KnownIndex;
use crate::error::Error;
use crate::index::Index;
use crate::query::ranges::Narrowed;
use crate::query::{Direction, KeyRange, Query, Selector, Sort};

/// How the documents are found that a query is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// By looking at all.
    Scan,
    /// By reading runs of an index.
    Index(Reading),
}

/// Runs of an index that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) index: KnownIndex,
    pub(super) ranges: Vec<KeyRange>,
    /// What of the order asked for the index gives them in.
    pub(super) ordered: Option<Sort>,
    /// Documents that lack the first field come after all that have it, so the index does not lead to them.
    pub(super) lacks_last: bool,
    /// How many fields, of the first, have the same value in all runs.
    fixed: usize,
}

/// Keys of an index that are counted at most to find out whether it narrows a query down more than another does.
const COUNTED: u64 = 1_000;

impl Plan {
    /// Of the indexes that serve a query the one that has the fewest keys to read.
    pub(super) fn of(store: &Snapshot<'_>, indexes: &[KnownIndex], query: &Query) -> Result<Self, Error> {
        let mut readings: Vec<Reading> = indexes.iter().filter_map(|known| Reading::of(known, query)).collect();
        if readings.len() < 2 {
            return Ok(readings.pop().map_or(Self::Scan, Self::Index));
        }
        let mut best: Option<(u64, Reading)> = None;
        for reading in readings {
            let most = best.as_ref().map_or(COUNTED, |(least, _)| *least);
            let cost = reading.cost(store, query, most)?;
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, reading));
            }
        }
        Ok(best.map_or(Self::Scan, |(_, reading)| Self::Index(reading)))
    }
}

impl Reading {
    /// How an index serves a query, if it does.
    fn of(known: &KnownIndex, query: &Query) -> Option<Self> {
        let Index::Values(fields) = &known.index else { return None };
        if !known.complete {
            return None;
        }
        let index = known.clone();
        if let Some(Narrowed { ranges, fixed }) = query.selector.narrow(fields) {
            let ordered = in_order_of(&index, fixed, &query.sort);
            return Some(Self { index, ranges, ordered, lacks_last: false, fixed });
        }
        let ordered = in_order_of(&index, 0, &query.sort)?;
        let greatest = ordered.fields().first().is_some_and(|(_, direction)| *direction == Direction::Descending);
        let of_all = query.selector == Selector::default() && query.limit.is_some() && greatest;
        let ranges = vec![KeyRange::ALL];
        of_all.then_some(Self { index, ranges, ordered: Some(ordered), lacks_last: true, fixed: 0 })
    }

    /// Which way the index is read for the order asked for.
    pub(super) fn direction(&self) -> Option<Direction> {
        self.ordered.as_ref()?.fields().first().map(|(_, direction)| *direction)
    }

    /// Whether documents with different keys are in the order asked for.
    pub(super) fn orders_by_whole_keys(&self) -> bool {
        let ordered = self.ordered.as_ref().map_or(0, |sort| sort.fields().len());
        self.fixed.saturating_add(ordered) == self.index.index.fields().len()
    }

    /// How many keys will be read, as far as that can be told and up to `most`: where the order is the one asked for,
    /// reading stops when there are enough.
    fn cost(&self, store: &Snapshot<'_>, query: &Query, most: u64) -> Result<u64, Error> {
        let mut keys = 0;
        for range in &self.ranges {
            keys += store.count_keys(self.index.row, stored(range), most.saturating_sub(keys))?;
            if keys >= most {
                break;
            }
        }
        // Where many match, those wanted are among the first.
        let wanted = query.limit.filter(|_| self.ordered.is_some()).map(|limit| limit.saturating_add(query.skip));
        Ok(wanted.map_or(keys, |wanted| keys.min(wanted.saturating_mul(4).max(COUNTED / 4))))
    }
}

/// What of `sort` an index gives, within runs in which its first fields are fixed: the fields that come next in it, as far as
/// they go the same way. `None` if nothing.
fn in_order_of(known: &KnownIndex, fixed: usize, sort: &Sort) -> Option<Sort> {
    let (fixed, free) = known.index.fields().split_at_checked(fixed)?;
    // To sort by what is the same everywhere changes nothing.
    let mut wanted = sort.fields().iter().filter(|(path, _)| !fixed.contains(path)).peekable();
    let direction = wanted.peek()?.1;
    let alike = wanted.zip(free).take_while(|((path, way), field)| path == *field && *way == direction);
    let ordered = alike.fold(Sort::default(), |sort, ((path, way), _)| sort.by(path.clone(), *way));
    (!ordered.fields().is_empty()).then_some(ordered)
}

/// The run as the store takes it.
pub(super) fn stored(range: &KeyRange) -> StoredRange<'_> {
    StoredRange {
        from: range.from.as_deref().map_or(Bound::Unbounded, Bound::Included),
        to: range.to.as_deref().map_or(Bound::Unbounded, Bound::Included),
        after: None,
    }
}
