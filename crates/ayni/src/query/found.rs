//! What a query has found so far, no more of it than can still matter.

use std::cmp::Ordering;

use ayni_store::{DocumentRef, flags};

use crate::collection::Collection;
use crate::core::documents::read;
use crate::document::Document;
use crate::error::Error;
use crate::query::condition::{Encoded, Order};
use crate::query::plan::Reading;
use crate::query::run::Explanation;
use crate::query::{Query, WithId};

/// What was found so far.
pub(crate) struct Found<'q> {
    pub(super) query: &'q Query,
    collection: &'q Collection,
    documents: Vec<Hit>,
    pub(crate) cost: Explanation,
}

/// A document, and what it is put in order by where that is no field: the less the better.
struct Hit {
    document: Document,
    score: f64,
}

impl<'q> Found<'q> {
    pub(crate) fn new(query: &'q Query, collection: &'q Collection) -> Self {
        Self { query, collection, documents: Vec::new(), cost: Explanation::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.documents.len()
    }

    pub(super) fn clear(&mut self) {
        self.documents.clear();
    }

    /// How many documents can matter at the most.
    pub(super) fn most(&self) -> Option<usize> {
        let limit = self.query.limit?;
        usize::try_from(limit.saturating_add(self.query.skip)).ok()
    }

    /// Looks at a document; whether it was taken.
    pub(crate) fn take(&mut self, document: &DocumentRef<'_>) -> Result<bool, Error> {
        self.cost.documents += 1;
        let holds = document.flags & flags::DELETED == 0 && self.query.holds(document.id, &Encoded(document.body));
        if !holds {
            return Ok(false);
        }
        self.keep(self.collection.document(document.id, read(document.body, &document.heads)?), 0.0);
        Ok(true)
    }

    /// Looks at a document that has the words asked for, with its rank; whether it was taken.
    pub(super) fn take_ranked(&mut self, document: &DocumentRef<'_>, rank: f64) -> Result<bool, Error> {
        self.cost.documents += 1;
        let body = Encoded(document.body);
        let holds = document.flags & flags::DELETED == 0 && self.query.holds_but_words(document.id, &body);
        if !holds {
            return Ok(false);
        }
        self.keep(self.collection.document(document.id, read(document.body, &document.heads)?), rank);
        Ok(true)
    }

    /// Looks at a document that is not stored as it is, without a rank.
    pub(crate) fn take_merged(&mut self, document: Document) {
        self.cost.documents += 1;
        if self.query.matches(&document) {
            self.keep(document, 0.0);
        }
    }

    /// Keeps a document that is asked for.
    fn keep(&mut self, document: Document, rank: f64) {
        let score = match self.query.order() {
            Order::Distance => self.query.metres_to(&document).unwrap_or(f64::INFINITY),
            Order::Rank => rank,
            Order::Sort | Order::Id => 0.0,
        };
        self.documents.push(Hit { document, score });
        if let Some(most) = self.most()
            && self.documents.len() > most.saturating_mul(2).saturating_add(1_024)
        {
            self.cut(most);
        }
    }

    /// Whether a document is no further in the order of an index than the one found last.
    pub(super) fn is_like_last(&self, reading: &Reading, body: &[u8]) -> bool {
        let Some((last, ordered)) = self.documents.last().zip(reading.ordered.as_ref()) else { return true };
        ordered.compare(&last.document.merged, &Encoded(body)).is_eq()
    }

    /// How many have at most this score.
    pub(super) fn up_to(&self, score: f64) -> usize {
        self.documents.iter().filter(|hit| hit.score <= score).count()
    }

    fn cut(&mut self, most: usize) {
        let query = self.query;
        self.documents.sort_by(|one, other| compare(query, one, other));
        self.documents.truncate(most);
    }

    /// Those asked for, in order, and what it cost to find them.
    pub(crate) fn finish(mut self) -> (Vec<Document>, Explanation) {
        self.cut(self.most().unwrap_or(usize::MAX));
        let skip = usize::try_from(self.query.skip).unwrap_or(usize::MAX).min(self.documents.len());
        let documents: Vec<Document> = self.documents.split_off(skip).into_iter().map(|hit| hit.document).collect();
        let cost = Explanation { found: documents.len() as u64, ..self.cost };
        (documents, cost)
    }
}

/// By what is asked for, then by score, then by id, so that the order is the same everywhere.
fn compare(query: &Query, one: &Hit, other: &Hit) -> Ordering {
    let (first, second) = (&one.document, &other.document);
    let sorted = query.sort.compare(&WithId(first.id, &first.merged), &WithId(second.id, &second.merged));
    sorted.then_with(|| one.score.total_cmp(&other.score)).then_with(|| first.id.cmp(&second.id))
}
