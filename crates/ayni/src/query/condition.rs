//! All that a query asks of one document, and what its place in the answer follows from.

use std::borrow::Cow;

use ayni_doc::{Map, Path, Value, encoded};
use ayni_log::ids::DocumentId;

use crate::document::Document;
use crate::query::search::Texts;
use crate::query::selector::through_lists;
use crate::query::{Lookup, Query, WithId};

/// A document as the store keeps it, of which only the fields asked for are read.
pub(crate) struct Encoded<'a>(pub(crate) &'a [u8]);

impl Lookup for Encoded<'_> {
    fn lookup(&self, path: &Path) -> Option<Cow<'_, Value>> {
        through_lists(path.names(), |names| encoded::get(self.0, names).ok().flatten()).map(Cow::Owned)
    }
}

impl Texts for Encoded<'_> {
    fn whole(&self) -> Map {
        match encoded::get::<&str>(self.0, &[]) {
            Ok(Some(Value::Map(fields))) => fields,
            _ => Map::new(),
        }
    }
}

/// What documents are put in order by. Those that are alike in it come in the order of their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// The fields that are asked for.
    Sort,
    /// How far they are from the place asked for.
    Distance,
    /// How well they fit the words asked for.
    Rank,
    /// Nothing but their ids.
    Id,
}

impl Query {
    /// Whether it asks for a document: its selector, its words and its area all hold.
    pub fn matches(&self, document: &Document) -> bool {
        !document.is_deleted() && self.holds(document.id(), &document.merged)
    }

    /// How far a document is from the place of [`Area::near`](crate::query::Area::near), in metres, if the query asks for one
    /// and the document lies anywhere.
    pub fn metres_to(&self, document: &Document) -> Option<f64> {
        self.metres(&document.merged)
    }

    /// The same for a document that is not yet one of a collection.
    pub(crate) fn metres(&self, document: &impl Lookup) -> Option<f64> {
        let (field, area) = self.area.as_ref()?;
        area.metres_to(document.lookup(field)?.as_ref())
    }

    /// Whether the nearest come first.
    pub(crate) fn is_by_distance(&self) -> bool {
        self.order() == Order::Distance
    }

    pub(crate) fn holds(&self, id: DocumentId, document: &impl Texts) -> bool {
        self.holds_but_words(id, document) && self.search.as_ref().is_none_or(|search| search.matches(document))
    }

    pub(super) fn holds_but_words(&self, id: DocumentId, document: &impl Lookup) -> bool {
        let lies_in = |(field, area): &(Path, crate::query::Area)| {
            document.lookup(field).is_some_and(|value| area.contains(value.as_ref()))
        };
        self.selector.matches(&WithId(id, document)) && self.area.as_ref().is_none_or(lies_in)
    }

    /// Whether those that fit the words best come first.
    pub(crate) fn is_by_rank(&self) -> bool {
        self.order() == Order::Rank
    }

    pub(super) fn order(&self) -> Order {
        if !self.sort.fields().is_empty() {
            Order::Sort
        } else if self.area.as_ref().is_some_and(|(_, area)| area.place().is_some()) {
            Order::Distance
        } else if self.search.is_some() {
            Order::Rank
        } else {
            Order::Id
        }
    }
}
