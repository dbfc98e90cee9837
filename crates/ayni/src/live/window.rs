//! What a live query keeps of its answer: for each document its id, what it is sorted by, and a hash of what it shows.
//!
//! Of a query with a limit these are the first ones, some more than are shown, so that others move up when some go; up to
//! the last of them (or its place, once it is gone) all are known.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use ayni_doc::Document as Merged;
use ayni_log::ids::DocumentId;

use super::ranked::Ranked;
use crate::document::Document;
use crate::query::{Query, Sort, SortKey, WithId};

/// Rows beyond those that are shown. As many documents must go, and none come, until the query is asked anew.
pub(super) const SPARE: usize = 256;

/// One document of the answer. Rows are equal if they are of the same version that shows the same.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: DocumentId,
    key: SortKey,
    /// How far it is from the place that the query is about; 0 where that is not the order.
    metres: f64,
    /// A hash of the version that it is, and of what that shows.
    print: [u8; 16],
}

/// A row on its way: what there was of a document and what there is.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) before: Option<Arc<Row>>,
    pub(super) after: Option<Arc<Row>>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Window {
    sort: Sort,
    rows: Ranked<Arc<Row>>,
    by_id: HashMap<DocumentId, Arc<Row>>,
    /// Up to here all are known; `None`: there are no others.
    bound: Option<Arc<Row>>,
}

impl Row {
    pub(super) fn new(query: &Query, id: DocumentId, document: &Merged) -> Self {
        let mut hasher = blake3::Hasher::new();
        for head in document.heads() {
            hasher.update(&head.0.to_be_bytes());
        }
        hasher.update(&document.encode());
        let mut print = [0; 16];
        hasher.finalize_xof().fill(&mut print);
        let metres = if query.is_by_distance() { query.metres(document).unwrap_or(f64::INFINITY) } else { 0.0 };
        Self { id, key: query.sort.key(&WithId(id, document)), metres, print }
    }

    /// Whether two rows of one document stand at one place among the others.
    pub(super) fn stands_as(&self, sort: &Sort, other: &Self) -> bool {
        compare(sort, self, other).is_eq()
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        (self.id, self.print) == (other.id, other.print)
    }
}

fn compare(sort: &Sort, one: &Row, other: &Row) -> Ordering {
    let sorted = sort.compare_keys(&one.key, &other.key);
    sorted.then_with(|| one.metres.total_cmp(&other.metres)).then_with(|| one.id.cmp(&other.id))
}

impl Window {
    /// Of an answer that was asked for up to `most` documents, in their order.
    pub(super) fn of(query: &Query, answer: &[Document], most: Option<usize>) -> Self {
        let rows: Vec<_> =
            answer.iter().map(|document| Arc::new(Row::new(query, document.id, &document.merged))).collect();
        let bound = most.filter(|most| rows.len() >= *most).and_then(|_| rows.last().cloned());
        let by_id = rows.iter().map(|row| (row.id, row.clone())).collect();
        Self { sort: query.sort.clone(), rows: Ranked::from_sorted(rows), by_id, bound }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn get(&self, place: usize) -> Option<&Arc<Row>> {
        self.rows.get(place)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.rows.iter()
    }

    pub(super) fn of_id(&self, id: DocumentId) -> Option<&Arc<Row>> {
        self.by_id.get(&id)
    }

    /// Whether a row belongs among those that are known.
    pub(super) fn reaches(&self, row: &Row) -> bool {
        self.bound.as_ref().is_none_or(|bound| compare(&self.sort, row, bound).is_le())
    }

    /// Whether there may be documents that are not known.
    pub(super) fn is_part(&self) -> bool {
        self.bound.is_some()
    }

    pub(super) fn place(&self, row: &Row) -> Option<usize> {
        self.rows.place_by(|other| compare(&self.sort, other, row))
    }

    /// Puts what there is in the place of what there was.
    pub(super) fn change(&mut self, changes: &[Change]) {
        for row in changes.iter().filter_map(|change| change.before.as_ref()) {
            self.rows.remove_by(|other| compare(&self.sort, other, row));
            self.by_id.remove(&row.id);
        }
        for row in changes.iter().filter_map(|change| change.after.as_ref()) {
            self.rows.insert_by(row.clone(), |other| compare(&self.sort, other, row));
            self.by_id.insert(row.id, row.clone());
        }
    }

    /// Forgets those at the end of many more than `most`.
    pub(super) fn cut(&mut self, most: usize) {
        if self.len() <= most.saturating_add(SPARE) {
            return;
        }
        for _ in most..self.len() {
            if let Some(row) = self.rows.pop() {
                self.by_id.remove(&row.id);
            }
        }
        self.bound = self.rows.last().cloned();
    }
}
