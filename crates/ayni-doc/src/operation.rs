//! Operations: the smallest things a change does.

use crate::path::Path;
use crate::value::Value;

/// How concurrent writes of one field become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Kind {
    /// One value is shown, the others are kept as conflicts.
    #[default]
    Latest,
    /// The value with the earliest claimed time.
    First,
    /// The smallest value.
    Min,
    /// The greatest value.
    Max,
    /// An integer to which everyone adds.
    Counter,
    /// Elements that are added and removed one by one.
    Set,
    /// An ordered list that several edit at once.
    List,
    /// Text that several type into at once.
    Text,
}

/// One thing that a change does to one field. Each carries its kind, so that writers with different schemas harm nothing.
///
/// Operations of one change act in order: a later one has seen those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Puts a value at a path, replacing what was seen at it, below it, and the single values seen above it.
    Set {
        /// Where.
        path: Path,
        /// [`Kind::Latest`], [`Kind::First`], [`Kind::Min`] or [`Kind::Max`]: what becomes of values written concurrently.
        kind: SetKind,
        /// What.
        value: Value,
    },
    /// Takes away what was seen at a path and below it.
    Unset {
        /// Where.
        path: Path,
    },
    /// Adds to a counter; on top of an integer that was set there, if any.
    Add {
        /// Where.
        path: Path,
        /// How much; negative to subtract.
        amount: i64,
    },
    /// Puts an element into a set.
    Insert {
        /// Where the set is.
        path: Path,
        /// The element.
        element: Value,
    },
    /// Takes an element that was seen out of a set.
    Remove {
        /// Where the set is.
        path: Path,
        /// The element.
        element: Value,
    },
    /// An operation on an ordered list: kept and passed on; this version does not apply it.
    List {
        /// Where the list is.
        path: Path,
        /// The operation, opaque here.
        bytes: Vec<u8>,
    },
    /// An operation on collaborative text: kept and passed on; this version does not apply it.
    Text {
        /// Where the text is.
        path: Path,
        /// The operation, opaque here.
        bytes: Vec<u8>,
    },
}

/// The kinds whose operation is to set a whole value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum SetKind {
    /// See [`Kind::Latest`].
    #[default]
    Latest,
    /// See [`Kind::First`].
    First,
    /// See [`Kind::Min`].
    Min,
    /// See [`Kind::Max`].
    Max,
}

impl Operation {
    /// Sets a field at the top of the document, of kind `latest`.
    ///
    /// # Panics
    /// If the name is longer than a name can be; for names from outside make a [`Path`].
    pub fn set(name: &str, value: Value) -> Self {
        Self::set_at(top(name), value)
    }

    /// Sets the value at a path, of kind `latest`.
    pub fn set_at(path: Path, value: Value) -> Self {
        Self::Set { path, kind: SetKind::Latest, value }
    }

    /// Takes away a field at the top of the document.
    ///
    /// # Panics
    /// If the name is longer than a name can be.
    pub fn unset(name: &str) -> Self {
        Self::Unset { path: top(name) }
    }

    /// Adds to a counter at the top of the document.
    ///
    /// # Panics
    /// If the name is longer than a name can be.
    pub fn add(name: &str, amount: i64) -> Self {
        Self::Add { path: top(name), amount }
    }

    /// Where it acts.
    pub fn path(&self) -> &Path {
        match self {
            Self::Set { path, .. }
            | Self::Unset { path }
            | Self::Add { path, .. }
            | Self::Insert { path, .. }
            | Self::Remove { path, .. }
            | Self::List { path, .. }
            | Self::Text { path, .. } => path,
        }
    }
}

#[expect(clippy::expect_used, reason = "for names that stand in code; the panic is documented")]
fn top(name: &str) -> Path {
    Path::new([name]).expect("a field name is at most 256 bytes")
}
