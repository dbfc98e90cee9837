//! Planning a query: which index leads to what it asks for, if any does.

use std::ops::Bound;

use ayni_doc::Path;
use ayni_store::{KeyRange as StoredRange, Snapshot, TextQuery};

use crate::core::indexing::KnownIndex;
use crate::error::Error;
use crate::index::Index;
use crate::query::condition::Order;
use crate::query::ranges::Narrowed;
use crate::query::{Area, Direction, KeyRange, Query, Selector, Sort};

/// How the documents are found that a query is about.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plan<'q> {
    /// By looking at all.
    Scan,
    /// By reading runs of an index of values.
    Index(Reading),
    /// By reading what an index of text has for the words.
    Words(KnownIndex, TextQuery),
    /// By reading what an index of places has for the area.
    Places(KnownIndex, &'q Area),
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

impl<'q> Plan<'q> {
    /// Of the indexes that serve a query the one that has the fewest keys to read.
    pub(super) fn of(store: &Snapshot<'_>, indexes: &[KnownIndex], query: &'q Query) -> Result<Self, Error> {
        let mut plans: Vec<Self> = indexes.iter().filter_map(|known| Self::by(known, query)).collect();
        if plans.len() < 2 {
            return Ok(plans.pop().unwrap_or(Self::Scan));
        }
        let mut best: Option<(u64, Self)> = None;
        for plan in plans {
            let most = best.as_ref().map_or(COUNTED, |(least, _)| *least);
            let cost = plan.cost(store, query, most)?;
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, plan));
            }
        }
        Ok(best.map_or(Self::Scan, |(_, plan)| plan))
    }

    /// How an index serves a query, if it does.
    fn by(known: &KnownIndex, query: &'q Query) -> Option<Self> {
        if !known.complete {
            return None;
        }
        match &known.index {
            Index::Text { .. } => Some(Self::Words(known.clone(), query.search.as_ref()?.in_index(&known.index)?)),
            // To tell how well documents fit, the words of all must be known.
            _ if query.order() == Order::Rank => None,
            Index::Values(fields) => Reading::of(known, fields, query).map(Self::Index),
            Index::Geometry(indexed) => {
                let (field, area) = query.area.as_ref()?;
                (field == indexed).then(|| Self::Places(known.clone(), area))
            }
        }
    }

    /// How many keys will be read, as far as that can be told and up to `most`.
    fn cost(&self, store: &Snapshot<'_>, query: &Query, most: u64) -> Result<u64, Error> {
        match self {
            Self::Scan => Ok(most),
            Self::Index(reading) => reading.cost(store, query, most),
            Self::Words(index, words) => Ok(store.count_text(index.row, words, most)?),
            Self::Places(index, area) => {
                let keys = store.count_boxes(index.row, &area.boxes(), most)?;
                Ok(if query.order() == Order::Distance { few(keys, query) } else { keys })
            }
        }
    }
}

/// Where there are as many keys, and in the order asked for: those wanted are among the first.
fn few(keys: u64, query: &Query) -> u64 {
    let wanted = query.limit.map(|limit| limit.saturating_add(query.skip));
    wanted.map_or(keys, |wanted| keys.min(wanted.saturating_mul(4).max(COUNTED / 4)))
}

impl Reading {
    /// How an index serves a query, if it does.
    fn of(known: &KnownIndex, fields: &[Path], query: &Query) -> Option<Self> {
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
        Ok(if self.ordered.is_some() { few(keys, query) } else { keys })
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
pub(crate) fn stored(range: &KeyRange) -> StoredRange<'_> {
    StoredRange {
        from: range.from.as_deref().map_or(Bound::Unbounded, Bound::Included),
        to: range.to.as_deref().map_or(Bound::Unbounded, Bound::Included),
        after: None,
    }
}
