//! Selectors: what holds for a document.

use std::borrow::Cow;
use std::sync::Arc;

use ayni_doc::{Document, Map, Path, Value};
use ayni_log::ids::DocumentId;

use super::Test;
use super::value_test::{descend, item_number};
use crate::interchange::ID;

/// What holds for the documents that are looked for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Selector {
    /// All of them hold; for none: always.
    And(Vec<Selector>),
    /// At least one of them holds; for none: never.
    Or(Vec<Selector>),
    /// It does not hold.
    Not(Box<Selector>),
    /// The value at a path passes a test.
    Field {
        /// Where the value stands.
        path: Path,
        /// What it must be.
        test: Test,
    },
}

/// What has values at paths: a document, or a map of fields.
pub trait Lookup {
    /// The value at `path`, through maps by name and through lists by number; `None` where there is none.
    fn lookup(&self, path: &Path) -> Option<Cow<'_, Value>>;
}

impl Lookup for Map {
    fn lookup(&self, path: &Path) -> Option<Cow<'_, Value>> {
        let (field, inner) = path.names().split_first()?;
        descend(self.get(field.as_ref())?, inner).map(Cow::Borrowed)
    }
}

impl Lookup for Document {
    fn lookup(&self, path: &Path) -> Option<Cow<'_, Value>> {
        through_lists(path.names(), |names| self.get(names)).map(Cow::Owned)
    }
}

/// The value that names lead to, given who finds values through maps alone.
pub(super) fn through_lists(names: &[Arc<str>], get: impl Fn(&[Arc<str>]) -> Option<Value>) -> Option<Value> {
    let inside_list = |at: usize| match (item_number(names.get(at)?), names.split_at_checked(at)?) {
        (Some(_), (outer, inner)) => {
            get(outer).filter(|value| value.as_list().is_some()).and_then(|list| descend(&list, inner).cloned())
        }
        _ => None,
    };
    get(names).or_else(|| (1..names.len()).rev().find_map(inside_list))
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
        Self::And(Vec::new())
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
            Self::And(selectors) => selectors.iter().all(|selector| selector.matches(document)),
            Self::Or(selectors) => selectors.iter().any(|selector| selector.matches(document)),
            Self::Not(selector) => !selector.matches(document),
            Self::Field { path, test } => test.passes(document.lookup(path).as_deref()),
        }
    }
}
