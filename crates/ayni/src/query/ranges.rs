//! Where an index on a field has to be read for a selector.

use ayni_doc::{Geometry, INDEX_KEY_BYTES, Map, Path, Position, Value};
use ayni_log::ids::DocumentId;

use super::{Selector, Test, Type};

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
    /// All keys.
    pub const ALL: Self = Self { from: None, to: None };

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

    /// All values of the type that this one has.
    fn like(value: &Value) -> Self {
        let kind = value.index_key().first().copied().unwrap_or_default();
        Self { from: Some(vec![kind]), to: Some(vec![kind.saturating_add(1)]) }
    }

    fn lists() -> Self {
        Self::like(&Value::List(Vec::new()))
    }

    /// All texts that begin like this.
    fn beginning(text: &str) -> Self {
        let mut from = Value::from(text).index_key();
        // Without what ends the text; a zero takes two bytes.
        let zeros = text.bytes().filter(|byte| *byte == 0).count();
        from.truncate(text.len().saturating_add(zeros).saturating_add(1));
        let mut to = from.clone();
        to.push(u8::MAX);
        Self { from: Some(from), to: Some(to) }
    }

    /// The one key that it has, if that stands for one value.
    fn point(&self) -> Option<&[u8]> {
        let key = self.from.as_deref().filter(|from| self.to.as_deref() == Some(from))?;
        (key.len() < INDEX_KEY_BYTES).then_some(key)
    }

    /// The same in an index of more fields, whose keys go on behind what this is about.
    fn with_all_behind(mut self) -> Self {
        if let Some(to) = &mut self.to {
            to.push(u8::MAX);
        }
        self
    }

    /// The same of further fields, behind this of those before.
    fn behind(&self, before: &[u8]) -> Self {
        let from = [before, self.from.as_deref().unwrap_or_default()].concat();
        let to = [before, self.to.as_deref().unwrap_or(&[u8::MAX])].concat();
        Self { from: Some(from), to: Some(to) }
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
            Self::Field { .. } | Self::Not(_) => None,
            Self::And(selectors) => all_of(selectors.iter().map(|selector| selector.ranges_on(path))),
            Self::Or(selectors) => any_of(selectors.iter().map(|selector| selector.ranges_on(path))),
        }
    }

    /// The one run from the first to the last of [`Selector::ranges_on`]; `None` also where that is empty.
    pub fn range_on(&self, path: &Path) -> Option<KeyRange> {
        let ranges = self.ranges_on(path)?;
        let last = ranges.last()?.clone();
        ranges.into_iter().next().map(|first| KeyRange { from: first.from, to: last.to })
    }
}

/// Where an index of the values of several fields has to be read.
pub(super) struct Narrowed {
    /// Ascending, apart from each other.
    pub(super) ranges: Vec<KeyRange>,
    /// How many fields, of the first, have the same value in all of it.
    pub(super) fixed: usize,
}

/// Runs of one index that are read at most.
const MOST_RUNS: usize = 256;

impl Selector {
    /// Where an index of the values of `fields` has to be read; `None` if that does not narrow it down.
    pub(super) fn narrow(&self, fields: &[Path]) -> Option<Narrowed> {
        let (first, further) = fields.split_first()?;
        let ranges = self.ranges_on(first)?;
        if further.is_empty() {
            let fixed = matches!(ranges.as_slice(), [only] if only.point().is_some());
            return Some(Narrowed { ranges, fixed: fixed.into() });
        }
        let inner = self.narrow(further);
        let fixed = match ranges.as_slice() {
            [only] if only.point().is_some() => 1 + inner.as_ref().map_or(0, |inner| inner.fixed),
            _ => 0,
        };
        let many = ranges.len();
        let inner = inner.filter(|inner| many.saturating_mul(inner.ranges.len()) <= MOST_RUNS);
        let mut all = Vec::new();
        for range in ranges {
            match (range.point(), &inner) {
                (Some(point), Some(inner)) => all.extend(inner.ranges.iter().map(|inner| inner.behind(point))),
                _ => all.push(range.with_all_behind()),
            }
        }
        Some(Narrowed { ranges: all, fixed })
    }
}

impl Selector {
    /// The runs in which an index of the values of `fields` has to be read; `None` if that does not narrow it down.
    pub(crate) fn ranges_in(&self, fields: &[Path]) -> Option<Vec<KeyRange>> {
        self.narrow(fields).map(|narrowed| narrowed.ranges)
    }
}

impl Test {
    fn ranges(&self) -> Option<Vec<KeyRange>> {
        match self {
            Self::Eq(value) => Some(vec![KeyRange::only(value)]),
            Self::Gt(value) | Self::Gte(value) => Some(vec![KeyRange::from(value)]),
            Self::Lt(value) | Self::Lte(value) => Some(vec![KeyRange::to(value)]),
            // Of a list one item is enough, and its key begins with the first.
            Self::In(values) => Some(union(values.iter().map(KeyRange::only).chain([KeyRange::lists()]).collect())),
            Self::Type(kind) => Some(kind.ranges()),
            Self::Mod { .. } => Some(Type::Number.ranges()),
            Self::Regex(pattern) => Some(vec![KeyRange::beginning(pattern.beginning())]),
            Self::BeginsWith(text) => Some(vec![KeyRange::beginning(text)]),
            Self::Size(_) | Self::All(_) | Self::ElemMatch(_) | Self::AllMatch(_) => Some(vec![KeyRange::lists()]),
            Self::And(tests) => all_of(tests.iter().map(Self::ranges)),
            Self::Or(tests) => any_of(tests.iter().map(Self::ranges)),
            Self::Ne(_) | Self::Nin(_) | Self::Exists(_) | Self::Inner(..) | Self::Not(_) => None,
        }
    }
}

impl Type {
    fn ranges(self) -> Vec<KeyRange> {
        let like = |value: Value| vec![KeyRange::like(&value)];
        match self {
            Self::Null => like(Value::Null),
            Self::Boolean => union(vec![KeyRange::like(&Value::Bool(false)), KeyRange::like(&Value::Bool(true))]),
            Self::Number => like(Value::Int(0)),
            Self::String => like(Value::Text(String::new())),
            Self::Array => vec![KeyRange::lists()],
            Self::Object => union([geometry(), KeyRange::like(&Value::Map(Map::new()))].into()),
            Self::Bytes => like(Value::Bytes(Vec::new())),
            Self::Reference => like(Value::Reference(DocumentId([0; 16]))),
            // Nobody looks for files by an index: all that may be one.
            Self::Attachment => vec![KeyRange::ALL],
            Self::Geometry => vec![geometry()],
        }
    }
}

fn geometry() -> KeyRange {
    KeyRange::like(&Geometry::Point(Position { x: 0.0, y: 0.0, z: None }).into())
}

fn all_of(ranges: impl Iterator<Item = Option<Vec<KeyRange>>>) -> Option<Vec<KeyRange>> {
    ranges.flatten().reduce(|left, right| intersection(&left, &right))
}

fn any_of(ranges: impl Iterator<Item = Option<Vec<KeyRange>>>) -> Option<Vec<KeyRange>> {
    let branches: Option<Vec<_>> = ranges.collect();
    Some(union(branches?.into_iter().flatten().collect()))
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
