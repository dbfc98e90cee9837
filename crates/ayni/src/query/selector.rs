//! Selectors: what holds for a document.

use std::borrow::Cow;
use std::cmp::Ordering;

use ayni_doc::{Document, Map, Path, Value};
use ayni_log::ids::DocumentId;

use crate::interchange::ID;

/// What holds for the documents that are looked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Selector {
    /// All of them hold; for none: always.
    All(Vec<Selector>),
    /// At least one of them holds; for none: never.
    Any(Vec<Selector>),
    /// The value at a path passes a test.
    Field {
        /// Where the value stands.
        path: Path,
        /// What it must be.
        test: Test,
    },
}

/// What a value must be. All but [`Test::Exists`] fail where there is no value.
///
/// Values are compared by [`Value::compare`]: types in CouchDB's order, integers and floats as one type.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Equal.
    Eq(Value),
    /// After it.
    Gt(Value),
    /// At or after it.
    Gte(Value),
    /// Before it.
    Lt(Value),
    /// At or before it.
    Lte(Value),
    /// Equal to one of them.
    In(Vec<Value>),
    /// There, `null` included, or not there.
    Exists(bool),
}

/// What has values at paths: a document, or a map of fields.
pub trait Lookup {
    /// The value at `path`; `None` where there is none.
    fn lookup(&self, path: &Path) -> Option<Cow<'_, Value>>;
}

impl Lookup for Map {
    fn lookup(&self, path: &Path) -> Option<Cow<'_, Value>> {
        let (field, inner) = path.names().split_first()?;
        self.get(field.as_ref())?.at(inner).map(Cow::Borrowed)
    }
}

impl Lookup for Document {
    fn lookup(&self, path: &Path) -> Option<Cow<'_, Value>> {
        self.get(path.names()).map(Cow::Owned)
    }
}

/// A document that is asked together with its id, which stands at the path `_id` as text.
#[derive(Debug, Clone, Copy)]
pub struct WithId<'a, L>(pub DocumentId, pub &'a L);

impl<L: Lookup> Lookup for WithId<'_, L> {
    fn lookup(&self, path: &Path) -> Option<Cow<'_, Value>> {
        match path.names() {
            [only] if only.as_ref() == ID => Some(Cow::Owned(Value::Text(self.0.to_string()))),
            [first, ..] if first.as_ref() == ID => None,
            _ => self.1.lookup(path),
        }
    }
}

impl Default for Selector {
    /// Holds for every document.
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl Selector {
    /// The value at `path` passes `test`.
    pub fn field(path: Path, test: Test) -> Self {
        Self::Field { path, test }
    }

    /// Whether it holds for `document`.
    pub fn matches(&self, document: &impl Lookup) -> bool {
        match self {
            Self::All(selectors) => selectors.iter().all(|selector| selector.matches(document)),
            Self::Any(selectors) => selectors.iter().any(|selector| selector.matches(document)),
            Self::Field { path, test } => test.passes(document.lookup(path).as_deref()),
        }
    }
}

impl Test {
    /// Whether a value passes, or its absence does.
    pub fn passes(&self, value: Option<&Value>) -> bool {
        let Some(value) = value else { return *self == Self::Exists(false) };
        let to = |operand: &Value| value.compare(operand);
        match self {
            Self::Eq(operand) => to(operand).is_eq(),
            Self::Gt(operand) => to(operand).is_gt(),
            Self::Gte(operand) => to(operand).is_ge(),
            Self::Lt(operand) => to(operand).is_lt(),
            Self::Lte(operand) => to(operand).is_le(),
            Self::In(operands) => operands.iter().any(|operand| to(operand) == Ordering::Equal),
            Self::Exists(expected) => *expected,
        }
    }
}
