//! Where an index on a field has to be read for a selector.

use ayni_doc::{Path, Value};

use super::{Selector, Test};

/// A run of index keys, both ends included.
///
/// It may hold a little more than what matches (a bound itself, a long text with the same beginning), never less: the
/// selector decides about every document found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The least key; `None`: from the first.
    pub from: Option<Vec<u8>>,
    /// The greatest key; `None`: to the last.
    pub to: Option<Vec<u8>>,
}

impl KeyRange {
    /// Whether `key` lies in it.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.from.as_deref().is_none_or(|from| from <= key) && self.to.as_deref().is_none_or(|to| key <= to)
    }

    fn only(value: &Value) -> Self {
        let key = value.index_key();
        Self { from: Some(key.clone()), to: Some(key) }
    }

    fn from(value: &Value) -> Self {
        Self { from: Some(value.index_key()), to: None }
    }

    fn to(value: &Value) -> Self {
        Self { from: None, to: Some(value.index_key()) }
    }

    fn is_empty(&self) -> bool {
        matches!((&self.from, &self.to), (Some(from), Some(to)) if from > to)
    }

    /// What lies in both.
    fn intersect(&self, other: &Self) -> Self {
        let from = self.from.clone().max(other.from.clone());
        let to = match (&self.to, &other.to) {
            (Some(left), Some(right)) => Some(left.min(right).clone()),
            (left, right) => left.clone().or_else(|| right.clone()),
        };
        Self { from, to }
    }

    /// Whether all of it lies before the first key of `other`.
    fn ends_before(&self, other: &Self) -> bool {
        matches!((&self.to, &other.from), (Some(to), Some(from)) if to < from)
    }
}

impl Selector {
    /// The runs of keys ([`Value::index_key`]) in which an index on `path` holds every document that this can match:
    /// ascending, apart from each other. Empty: nothing can match. `None`: an index on `path` does not narrow it down.
    pub fn ranges_on(&self, path: &Path) -> Option<Vec<KeyRange>> {
        match self {
            Self::Field { path: at, test } if at == path => test.ranges(),
            Self::Field { .. } => None,
            Self::All(selectors) => selectors
                .iter()
                .filter_map(|selector| selector.ranges_on(path))
                .reduce(|left, right| intersection(&left, &right)),
            Self::Any(selectors) => {
                let branches: Option<Vec<_>> = selectors.iter().map(|selector| selector.ranges_on(path)).collect();
                Some(union(branches?.into_iter().flatten().collect()))
            }
        }
    }

    /// The one run from the first to the last of [`Selector::ranges_on`]; `None` also where that is empty.
    pub fn range_on(&self, path: &Path) -> Option<KeyRange> {
        let ranges = self.ranges_on(path)?;
        let last = ranges.last()?.clone();
        ranges.into_iter().next().map(|first| KeyRange { from: first.from, to: last.to })
    }
}

impl Test {
    fn ranges(&self) -> Option<Vec<KeyRange>> {
        match self {
            Self::Eq(value) => Some(vec![KeyRange::only(value)]),
            Self::Gt(value) | Self::Gte(value) => Some(vec![KeyRange::from(value)]),
            Self::Lt(value) | Self::Lte(value) => Some(vec![KeyRange::to(value)]),
            Self::In(values) => Some(union(values.iter().map(KeyRange::only).collect())),
            Self::Exists(_) => None,
        }
    }
}

/// What lies in any of `ranges`: ascending, apart from each other.
fn union(mut ranges: Vec<KeyRange>) -> Vec<KeyRange> {
    ranges.sort_by(|left, right| left.from.cmp(&right.from));
    let mut joined: Vec<KeyRange> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if !last.ends_before(&range) => {
                last.to = match (last.to.take(), range.to) {
                    (Some(left), Some(right)) => Some(left.max(right)),
                    _ => None,
                };
            }
            _ => joined.push(range),
        }
    }
    joined
}

/// What lies in both; each is ascending and apart.
fn intersection(left: &[KeyRange], right: &[KeyRange]) -> Vec<KeyRange> {
    let (mut lefts, mut rights) = (left.iter().peekable(), right.iter().peekable());
    let mut common = Vec::new();
    while let (Some(left), Some(right)) = (lefts.peek(), rights.peek()) {
        let both = left.intersect(right);
        let left_ends_first = match (&left.to, &right.to) {
            (Some(left), Some(right)) => left < right,
            (left, _) => left.is_some(),
        };
        if !both.is_empty() {
            common.push(both);
        }
        if left_ends_first {
            lefts.next();
        } else {
            rights.next();
        }
    }
    common
}
