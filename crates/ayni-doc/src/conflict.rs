//! Conflicts: values of one field that devices wrote without having seen each other's.

use crate::path::Path;
use crate::value::Value;
use crate::version::Stamp;

/// A field with more than one value.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// Which field; for a value that stands against a map, where both stand.
    pub path: Path,
    /// What it could be, at least two: the one that is shown first, then the others, latest first.
    pub alternatives: Vec<Alternative>,
}

/// One of the values of a field in conflict.
#[derive(Debug, Clone, PartialEq)]
pub struct Alternative {
    /// The value; `None` for an [`crate::Operation::Unset`].
    pub value: Option<Value>,
    /// Who wrote it, when, and in which entry; of a map or sum the latest who wrote part of it.
    pub stamp: Stamp,
}
