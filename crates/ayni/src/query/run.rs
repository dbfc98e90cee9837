//! Running a query: which index to read, or all documents, and how little of them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::{Bound, ControlFlow};

use ayni_doc::{Path, Value, encoded};
use ayni_log::ids::DocumentId;
use ayni_store::{CollectionRow, DocumentRef, IndexRow, KeyRange as StoredRange, Snapshot, flags};

use crate::collection::Collection;
use crate::core::documents::{Index, read};
use crate::document::Document;
use crate::error::Error;
use crate::query::{Direction, KeyRange, Lookup, Query, Selector, Sort, WithId};

/// How many documents are looked at in the order of their ids, for a query that wants a few.
const FIRST_LOOK: usize = 2_000;

/// A document as the store keeps it, of which only the fields asked for are read.
struct Encoded<'a>(&'a [u8]);

impl Lookup for Encoded<'_> {
    fn lookup(&self, path: &Path) -> Option<Cow<'_, Value>> {
        encoded::get(self.0, path.names()).ok().flatten().map(Cow::Owned)
    }
}

/// How the documents are found that a query is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Plan {
    /// By looking at all.
    Scan,
    /// By reading runs of an index.
    Index {
        index: IndexRow,
        ranges: Vec<KeyRange>,
        /// The index gives them in the order that is asked for, this way round.
        ordered: Option<Direction>,
    },
}

impl Plan {
    fn of(indexes: &[Index], query: &Query) -> Self {
        let mut best: Option<(u32, Self)> = None;
        for index in indexes {
            let Some(ranges) = query.selector.ranges_on(&index.path) else { continue };
            let ordered = match query.sort.fields().first() {
                Some((path, direction)) if *path == index.path => Some(*direction),
                _ => None,
            };
            let exact = ranges.iter().all(|range| range.from.is_some() && range.from == range.to);
            let bounded = ranges.iter().all(|range| range.from.is_some() && range.to.is_some());
            let stops_early = ordered.is_some() && query.limit.is_some();
            let cost = match (exact, stops_early, bounded) {
                (true, ..) => 0,
                (_, true, _) => 1,
                (_, _, true) => 2,
                _ => 3,
            };
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, Self::Index { index: index.row, ranges, ordered }));
            }
        }
        best.map_or(Self::Scan, |(_, plan)| plan)
    }
}

/// What was found so far, no more of it than can still matter.
struct Found<'q> {
    query: &'q Query,
    collection: &'q Collection,
    documents: Vec<Document>,
}

impl Found<'_> {
    /// How many documents can matter at the most.
    fn most(&self) -> Option<usize> {
        let limit = self.query.limit?;
        usize::try_from(limit.saturating_add(self.query.skip)).ok()
    }

    fn take(&mut self, document: &DocumentRef<'_>) -> Result<bool, Error> {
        if document.flags & flags::DELETED != 0 || !matches(&self.query.selector, document.id, document.body) {
            return Ok(false);
        }
        let merged = read(document.body, &document.heads)?;
        self.documents.push(self.collection.document(document.id, merged));
        if let Some(most) = self.most()
            && self.documents.len() > most.saturating_mul(2).saturating_add(1_024)
        {
            self.cut(most);
        }
        Ok(true)
    }

    fn cut(&mut self, most: usize) {
        let sort = &self.query.sort;
        self.documents.sort_by(|one, other| compare(sort, one, other));
        self.documents.truncate(most);
    }

    fn finish(mut self) -> Vec<Document> {
        self.cut(self.most().unwrap_or(usize::MAX));
        let skip = usize::try_from(self.query.skip).unwrap_or(usize::MAX).min(self.documents.len());
        self.documents.split_off(skip)
    }
}

/// Whether a selector holds for a document as the store keeps it.
fn matches(selector: &Selector, id: DocumentId, body: &[u8]) -> bool {
    selector.matches(&WithId(id, &Encoded(body)))
}

/// By what is asked for, then by id, so that the order is the same everywhere.
fn compare(sort: &Sort, one: &Document, other: &Document) -> Ordering {
    sort.compare(&WithId(one.id, &one.merged), &WithId(other.id, &other.merged)).then_with(|| one.id.cmp(&other.id))
}

impl Collection {
    /// The documents that a query asks for, in its order; without one in the order of their ids.
    ///
    /// An index ([`Collection::create_index`]) on a field that the selector compares is used.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn query(&self, query: &Query) -> Result<Vec<Document>, Error> {
        let Some(row) = self.row()? else { return Ok(Vec::new()) };
        let published = self.project.published()?;
        let plan = Plan::of(published.indexes.get(&row).map_or(&[], Vec::as_slice), query);
        let mut found = Found { query, collection: self, documents: Vec::new() };
        self.project.database.inner.store.read(|snapshot| match &plan {
            Plan::Scan => scan(snapshot, row, &mut found),
            Plan::Index { index, ranges, ordered } => {
                for range in in_order(ranges, *ordered) {
                    if read_index(snapshot, *index, range, *ordered, &mut found)?.is_break() {
                        break;
                    }
                }
                Ok(())
            }
        })?;
        Ok(found.finish())
    }

    /// How many documents a selector holds for.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn count(&self, selector: &Selector) -> Result<u64, Error> {
        let Some(row) = self.row()? else { return Ok(0) };
        let published = self.project.published()?;
        let query = Query::new(selector.clone());
        let plan = Plan::of(published.indexes.get(&row).map_or(&[], Vec::as_slice), &query);
        let mut count = 0;
        let mut tally = |id: DocumentId, flags: u32, body: &[u8]| {
            count += u64::from(flags & flags::DELETED == 0 && matches(selector, id, body));
        };
        self.project.database.inner.store.read(|snapshot| {
            let Plan::Index { index, ranges, .. } = &plan else {
                return snapshot.documents(row, None, |document| {
                    tally(document.id, document.flags, document.body);
                    Ok::<_, Error>(ControlFlow::Continue(()))
                });
            };
            for range in ranges {
                snapshot.index_keys(*index, stored(range), ayni_store::Direction::Forward, |_, row| {
                    if let Some(document) = snapshot.document(row)? {
                        tally(document.id, document.flags, &document.body);
                    }
                    Ok::<_, Error>(ControlFlow::Continue(()))
                })?;
            }
            Ok(())
        })?;
        Ok(count)
    }
}

/// Looks at all documents in the order in which they lie, several times as fast as in that of their ids. But where a few
/// of those with the lowest ids are enough, these may be among the first.
fn scan(store: &Snapshot<'_>, row: CollectionRow, found: &mut Found<'_>) -> Result<(), Error> {
    if found.query.sort.fields().is_empty()
        && let Some(most) = found.most()
        && first_are_enough(store, row, found, most)?
    {
        return Ok(());
    }
    found.documents.clear();
    store.documents(row, None, |document| {
        found.take(&document)?;
        Ok(ControlFlow::Continue(()))
    })
}

/// Whether the documents with the lowest ids give `most` that match, or are all there are.
fn first_are_enough(
    store: &Snapshot<'_>,
    row: CollectionRow,
    found: &mut Found<'_>,
    most: usize,
) -> Result<bool, Error> {
    let mut looked_at = 0;
    store.documents_by_id(row, None::<DocumentId>, |document| {
        if found.documents.len() >= most || looked_at == FIRST_LOOK {
            return Ok(ControlFlow::Break(()));
        }
        looked_at += 1;
        found.take(&document)?;
        Ok::<_, Error>(ControlFlow::Continue(()))
    })?;
    Ok(found.documents.len() >= most || looked_at < FIRST_LOOK)
}

/// Reads a run of an index. Where it gives the order asked for, it breaks off once there are enough, but not between
/// documents with the same key: further fields, and the ends of long texts, decide among those.
fn read_index(
    store: &Snapshot<'_>,
    index: IndexRow,
    range: &KeyRange,
    ordered: Option<Direction>,
    found: &mut Found<'_>,
) -> Result<ControlFlow<()>, Error> {
    let direction = match ordered {
        Some(Direction::Descending) => ayni_store::Direction::Backward,
        _ => ayni_store::Direction::Forward,
    };
    let most = found.most().filter(|_| ordered.is_some());
    let mut last: Option<Vec<u8>> = None;
    let mut flow = ControlFlow::Continue(());
    store.index_keys(index, stored(range), direction, |key, row| {
        if most.is_some_and(|most| found.documents.len() >= most) && last.as_deref() != Some(key) {
            flow = ControlFlow::Break(());
            return Ok(flow);
        }
        let Some(document) = store.document(row)? else { return Ok(ControlFlow::Continue(())) };
        let ayni_store::Document { row, id, flags, heads, body, .. } = document;
        if found.take(&DocumentRef { row, id, flags, heads, body: &body })? && most.is_some() {
            last = Some(key.to_vec());
        }
        Ok::<_, Error>(ControlFlow::Continue(()))
    })?;
    Ok(flow)
}

fn in_order(ranges: &[KeyRange], ordered: Option<Direction>) -> Vec<&KeyRange> {
    match ordered {
        Some(Direction::Descending) => ranges.iter().rev().collect(),
        _ => ranges.iter().collect(),
    }
}

fn stored(range: &KeyRange) -> StoredRange<'_> {
    StoredRange {
        from: range.from.as_deref().map_or(Bound::Unbounded, Bound::Included),
        to: range.to.as_deref().map_or(Bound::Unbounded, Bound::Included),
        after: None,
    }
}
