//! Queries: which documents, in what order, how many and how much of each.
//!
//! A [`Selector`] says which documents: it is Mango, CouchDB's query language, parsed from JSON or from words. It is
//! asked of one document at a time ([`Selector::matches`]), and tells where an index has to be read for it
//! ([`Selector::ranges_on`]). Nothing here reads a store: `docs/queries.md` is the contract, the database plans and runs.
//!
//! ```
//! use ayni::query::{Query, Selector};
//! use ayni_doc::{Map, Value};
//!
//! let selector: Selector = r#"{"country": "PE", "population": {"$gte": 100000}}"#.parse()?;
//! assert_eq!(selector, "country=PE population>=100000".parse()?);
//! let cusco = Map::from([("country".into(), "PE".into()), ("population".into(), Value::Int(428_450))]);
//! assert!(selector.matches(&cusco));
//! let query = Query::new(selector).sort("population:desc".parse()?).limit(10);
//! # let _ = query;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod area;
mod condition;
mod found;
mod near;
mod parse;
mod plan;
mod projection;
mod ranges;
mod run;
pub(crate) mod search;
mod selector;
mod sort;
#[cfg(test)]
mod tests;
mod value_test;
mod words;

use std::str::FromStr;

pub use area::{Area, AreaError, direction};
pub use ayni_doc::{Path, PathError};
pub(crate) use condition::Encoded;
pub(crate) use found::Found;
pub use parse::SelectorError;
pub(crate) use plan::stored as stored_range;
pub use projection::Projection;
pub use ranges::KeyRange;
pub use run::Explanation;
pub use search::{Search, SearchError, Texts};
pub use selector::{Lookup, Selector, WithId};
pub(crate) use sort::SortKey;
pub use sort::{Direction, Sort, SortError};
pub use value_test::{Pattern, PatternError, Test, Type};

/// A question to one collection. Parsed from text it is that for all documents for which a selector holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    /// Which documents.
    pub selector: Selector,
    /// Which words they must have; `None`: any or none.
    pub search: Option<Search>,
    /// Where the geometry in a field must lie; `None`: anywhere or nowhere.
    pub area: Option<(Path, Area)>,
    /// In what order. Without any: the nearest first if `area` is round a place, else the best first if words are asked for,
    /// else in the order of their ids.
    pub sort: Sort,
    /// How many to pass over first.
    pub skip: u64,
    /// How many at most; `None`: all.
    pub limit: Option<u64>,
    /// Which fields of each; `None`: all.
    pub fields: Option<Projection>,
}

impl FromStr for Query {
    type Err = SelectorError;

    fn from_str(selector: &str) -> Result<Self, SelectorError> {
        Ok(Self::new(selector.parse()?))
    }
}

impl Query {
    /// All documents that `selector` holds for, whole, in the order of their ids.
    pub fn new(selector: Selector) -> Self {
        Self { selector, ..Self::default() }
    }

    /// Only documents with these words.
    #[must_use]
    pub fn search(mut self, search: Search) -> Self {
        self.search = Some(search);
        self
    }

    /// Only documents whose geometry in a field has a place in common with an area.
    #[must_use]
    pub fn within(mut self, field: Path, area: Area) -> Self {
        self.area = Some((field, area));
        self
    }

    /// In this order.
    #[must_use]
    pub fn sort(mut self, sort: Sort) -> Self {
        self.sort = sort;
        self
    }

    /// Without the first `count` documents.
    #[must_use]
    pub fn skip(mut self, count: u64) -> Self {
        self.skip = count;
        self
    }

    /// At most `count` documents.
    #[must_use]
    pub fn limit(mut self, count: u64) -> Self {
        self.limit = Some(count);
        self
    }

    /// These fields only.
    #[must_use]
    pub fn fields(mut self, fields: Projection) -> Self {
        self.fields = Some(fields);
        self
    }
}
