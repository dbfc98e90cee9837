//! The order of a query's results.

use std::cmp::Ordering;
use std::str::FromStr;

use ayni_doc::{Path, PathError};

use super::Lookup;

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
/// As text: `country,population:desc`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sort(Vec<(Path, Direction)>);

impl Sort {
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
            let order = match (left.lookup(path), right.lookup(path)) {
                (Some(left), Some(right)) => left.compare(&right),
                (left, right) => left.is_some().cmp(&right.is_some()),
            };
            match direction {
                Direction::Ascending => order,
                Direction::Descending => order.reverse(),
            }
        };
        self.0.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

impl FromStr for Sort {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut sort = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (path, direction) = match part.rsplit_once(':') {
                Some((path, "desc")) => (path, Direction::Descending),
                Some((path, "asc")) => (path, Direction::Ascending),
                _ => (part, Direction::Ascending),
            };
            sort = sort.by(path.parse()?, direction);
        }
        Ok(sort)
    }
}
