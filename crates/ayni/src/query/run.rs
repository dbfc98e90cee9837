//! Running a query: which index to read, or all documents, and how little of them.

use std::ops::ControlFlow;

use ayni_log::ids::DocumentId;
use ayni_store::{CollectionRow, DocumentRef, Snapshot, flags};

use crate::collection::Collection;
use crate::core::indexing::KnownIndex;
use crate::document::Document;
use crate::error::Error;
use crate::index::Index;
use crate::query::condition::{Encoded, Order};
use crate::query::found::Found;
use crate::query::plan::{Plan, Reading, stored};
use crate::query::{Direction, KeyRange, Query, Selector, WithId, near, search};

/// How many documents are looked at in the order of their ids, for a query that wants a few.
const FIRST_LOOK: usize = 2_000;

/// How a query was answered, and what it cost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Explanation {
    /// The index that was read; `None`: all documents were looked at.
    pub index: Option<Index>,
    /// In how many runs the index was read.
    pub runs: usize,
    /// The index gave the documents in the order asked for.
    pub ordered: bool,
    /// Keys of the index that were read.
    pub keys: u64,
    /// Documents that were looked at.
    pub documents: u64,
    /// Documents that were found.
    pub found: u64,
    /// Asked of the past, at this moment (milliseconds since 1970), which no index serves; `None`: of what is shown now.
    pub as_of: Option<i64>,
    /// Of the documents those that were merged from their versions of then: they have changed since.
    pub merged: u64,
}

impl Selector {
    /// Whether it holds for a document that is stored and was not deleted.
    pub(crate) fn holds_for_stored(&self, document: &DocumentRef<'_>) -> bool {
        document.flags & flags::DELETED == 0 && matches(self, document.id, document.body)
    }
}

/// Whether a selector holds for a document as the store keeps it.
fn matches(selector: &Selector, id: DocumentId, body: &[u8]) -> bool {
    selector.matches(&WithId(id, &Encoded(body)))
}

impl Collection {
    /// The documents that a query asks for, in its order; without one the nearest or the best first, else in the order of
    /// their ids.
    ///
    /// An index ([`Collection::create_index`]) is used on a field that the selector compares, on the words or on the places
    /// asked for. It never changes what is found.
    ///
    /// ```
    /// use ayni::doc::Map;
    /// use ayni::query::Query;
    /// use ayni::{Database, Index, Options, Tokenizer};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let database = Database::create(&folder.path().join("db"), "Ana", Options::new(folder.path().join("keys")))?;
    /// # let (project, _) = database.create_project("Mapa")?;
    /// let wells = project.collection("wells");
    /// project.write(|tx| tx.create("wells", Map::from([("name".into(), "Poço d'Água".into())])))?;
    /// wells.create_index(Index::text([], Tokenizer::Words)?)?; // of all texts
    /// let found = wells.query(&Query::default().search("agua poç*".parse()?).limit(20))?;
    /// assert_eq!(found.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn query(&self, query: &Query) -> Result<Vec<Document>, Error> {
        Ok(self.answer(query)?.0)
    }

    /// Answers a query and says how that was done and what it cost.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn explain(&self, query: &Query) -> Result<Explanation, Error> {
        Ok(self.answer(query)?.1)
    }

    fn answer(&self, query: &Query) -> Result<(Vec<Document>, Explanation), Error> {
        let Some(row) = self.row()? else { return Ok(Default::default()) };
        let published = self.project.published()?;
        let indexes = published.indexes.get(&row).map_or(&[][..], Vec::as_slice);
        self.project.database.inner.store.read(|snapshot| self.answer_at(snapshot, row, indexes, query))
    }

    /// Answers a query as of the moment of a snapshot.
    pub(crate) fn answer_at(
        &self,
        snapshot: &Snapshot<'_>,
        row: CollectionRow,
        indexes: &[KnownIndex],
        query: &Query,
    ) -> Result<(Vec<Document>, Explanation), Error> {
        let mut found = Found::new(query, self);
        find(snapshot, row, indexes, &mut found)?;
        let (documents, cost) = found.finish();
        let Explanation { index, keys, documents: looked_at, found, .. } = &cost;
        tracing::debug!(collection = self.name(), ?index, keys, looked_at, found, "answered a query");
        Ok((documents, cost))
    }

    /// How many documents a selector holds for.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn count(&self, selector: &Selector) -> Result<u64, Error> {
        let mut count = 0;
        self.each_match(selector, |_| count += 1)?;
        Ok(count)
    }

    /// Visits the documents that a selector holds for, in no particular order.
    pub(crate) fn each_match(&self, selector: &Selector, mut visit: impl FnMut(DocumentId)) -> Result<(), Error> {
        let Some(row) = self.row()? else { return Ok(()) };
        let published = self.project.published()?;
        let query = Query::new(selector.clone());
        let indexes = published.indexes.get(&row).map_or(&[][..], Vec::as_slice);
        let mut look = |id: DocumentId, flags: u32, body: &[u8]| {
            if flags & flags::DELETED == 0 && matches(selector, id, body) {
                visit(id);
            }
        };
        self.project.database.inner.store.read(|snapshot| {
            let Plan::Index(reading) = Plan::of(snapshot, indexes, &query)? else {
                return snapshot.documents(row, None, |document| {
                    look(document.id, document.flags, document.body);
                    Ok::<_, Error>(ControlFlow::Continue(()))
                });
            };
            for range in &reading.ranges {
                snapshot.index_keys(reading.index.row, stored(range), ayni_store::Direction::Forward, |_, row| {
                    if let Some(document) = snapshot.document(row)? {
                        look(document.id, document.flags, &document.body);
                    }
                    Ok::<_, Error>(ControlFlow::Continue(()))
                })?;
            }
            Ok(())
        })
    }
}

fn find(store: &Snapshot<'_>, row: CollectionRow, indexes: &[KnownIndex], found: &mut Found<'_>) -> Result<(), Error> {
    let query = found.query;
    let reading = match Plan::of(store, indexes, query)? {
        Plan::Scan => {
            return match &query.search {
                Some(search) if query.order() == Order::Rank => search::run::scan(store, row, search, found),
                _ => scan(store, row, found),
            };
        }
        Plan::Words(index, words) => {
            found.cost.index = Some(index.index);
            return search::run::read_index(store, index.row, &words, found);
        }
        Plan::Places(index, area) => {
            found.cost.index = Some(index.index);
            return near::read_index(store, index.row, area, found);
        }
        Plan::Index(reading) => reading,
    };
    found.cost.index = Some(reading.index.index.clone());
    (found.cost.runs, found.cost.ordered) = (reading.ranges.len(), reading.ordered.is_some());
    for range in in_order(&reading.ranges, reading.direction()) {
        if read_index(store, &reading, range, found)?.is_break() {
            return Ok(());
        }
    }
    if reading.lacks_last { scan(store, row, found) } else { Ok(()) }
}

/// Looks at all documents in the order in which they lie, several times as fast as in that of their ids. But where a few
/// of those with the lowest ids are enough, these may be among the first.
fn scan(store: &Snapshot<'_>, row: CollectionRow, found: &mut Found<'_>) -> Result<(), Error> {
    if found.query.order() == Order::Id
        && let Some(most) = found.most()
        && first_are_enough(store, row, found, most)?
    {
        return Ok(());
    }
    found.clear();
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
        if found.len() >= most || looked_at == FIRST_LOOK {
            return Ok(ControlFlow::Break(()));
        }
        looked_at += 1;
        found.take(&document)?;
        Ok::<_, Error>(ControlFlow::Continue(()))
    })?;
    Ok(found.len() >= most || looked_at < FIRST_LOOK)
}

/// Reads a run of an index. Where it gives the order asked for, it breaks off once there are enough, but not between
/// documents that are alike in it: further fields, and the ends of long texts, decide among those.
fn read_index(
    store: &Snapshot<'_>,
    reading: &Reading,
    range: &KeyRange,
    found: &mut Found<'_>,
) -> Result<ControlFlow<()>, Error> {
    let direction = match reading.direction() {
        Some(Direction::Descending) => ayni_store::Direction::Backward,
        _ => ayni_store::Direction::Forward,
    };
    let most = found.most().filter(|_| reading.ordered.is_some());
    let mut last: Option<Vec<u8>> = None;
    let mut flow = ControlFlow::Continue(());
    store.index_keys(reading.index.row, stored(range), direction, |key, row| {
        found.cost.keys += 1;
        let enough = most.is_some_and(|most| found.len() >= most) && last.as_deref() != Some(key);
        if enough && reading.orders_by_whole_keys() {
            flow = ControlFlow::Break(());
            return Ok(flow);
        }
        let Some(document) = store.document(row)? else { return Ok(ControlFlow::Continue(())) };
        let ayni_store::Document { row, id, flags, heads, body, .. } = document;
        if enough && !found.is_like_last(reading, &body) {
            found.cost.documents += 1;
            flow = ControlFlow::Break(());
            return Ok(flow);
        }
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
