//! The order of a query's results.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::str::FromStr;

use ayni_doc::{Path, PathError, Value};

use super::Lookup;
use crate::interchange::ID;

/// Ascending or descending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// The least first.
    #[default]
    Ascending,
    /// The greatest first.
    Descending,
}

/// Fields to sort by, the first one first.
///
/// As text: `country,population:desc`. A field whose name has a colon in it takes its direction too: `addr:city:asc`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sort(Vec<(Path, Direction)>);

/// Why a text is no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SortError {
    /// A field that is none.
    #[error(transparent)]
    Path(#[from] PathError),
    /// What stands behind the last colon is no direction.
    #[error(
        "{0:?} has no direction behind its colon: write field:asc or field:desc, also where the name of the field has a colon in it"
    )]
    Direction(String),
}

impl Sort {
    /// By the documents' ids, as text.
    pub(crate) fn by_id() -> Self {
        Path::new([ID]).map_or_else(|_| Self::default(), |id| Self::default().by(id, Direction::Ascending))
    }

    /// Sorts by `path`, after what was given before.
    #[must_use]
    pub fn by(mut self, path: Path, direction: Direction) -> Self {
        self.0.push((path, direction));
        self
    }

    /// The fields and directions, the first one first; none if the order does not matter.
    pub fn fields(&self) -> &[(Path, Direction)] {
        &self.0
    }

    /// Whether `left` comes before `right`. Where they are equal in all the fields it is up to the caller to put them in the order of
    /// their ids. A document without a field comes before all that have it.
    pub fn compare(&self, left: &impl Lookup, right: &impl Lookup) -> Ordering {
        let by = |(path, direction): &(Path, Direction)| {
            direction.of(order(left.lookup(path).as_deref(), right.lookup(path).as_deref()))
        };
        self.0.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }

    /// What a document is sorted by.
    pub(crate) fn key(&self, document: &impl Lookup) -> SortKey {
        self.0.iter().map(|(path, _)| document.lookup(path).map(Cow::into_owned)).collect()
    }

    /// As [`Sort::compare`] of the documents whose keys these are.
    pub(crate) fn compare_keys(&self, left: &SortKey, right: &SortKey) -> Ordering {
        let values = left.iter().zip(right).zip(&self.0);
        let mut orders =
            values.map(|((left, right), (_, direction))| direction.of(order(left.as_ref(), right.as_ref())));
        orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// What a document is sorted by: for each field its value, `None` where it has none.
pub(crate) type SortKey = Box<[Option<Value>]>;

fn order(left: Option<&Value>, right: Option<&Value>) -> Ordering {
    match (left, right) {
        (Some(left), Some(right)) => left.compare(right),
        (left, right) => left.is_some().cmp(&right.is_some()),
    }
}

impl Direction {
    fn of(self, order: Ordering) -> Ordering {
        match self {
            Self::Ascending => order,
            Self::Descending => order.reverse(),
        }
    }
}

impl FromStr for Sort {
    type Err = SortError;

    fn from_str(text: &str) -> Result<Self, SortError> {
        let mut sort = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (path, direction) = match part.rsplit_once(':') {
                Some((path, "desc")) => (path, Direction::Descending),
                Some((path, "asc")) => (path, Direction::Ascending),
                Some(_) => return Err(SortError::Direction(part.to_owned())),
                None => (part, Direction::Ascending),
            };
            sort = sort.by(path.parse()?, direction);
        }
        Ok(sort)
    }
}
