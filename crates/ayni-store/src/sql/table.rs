//! What a table is to SQL: columns, ways to be read, and rows.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::types::{Value, ValueRef};

/// A value, as SQL has them.
#[derive(Debug, Clone, PartialEq, Default)]
#[expect(missing_docs, reason = "each says it")]
pub enum SqlValue {
    #[default]
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl From<ValueRef<'_>> for SqlValue {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(integer) => Self::Integer(integer),
            ValueRef::Real(real) => Self::Real(real),
            // SQL can cut text within a letter, or make it from any bytes.
            ValueRef::Text(text) => Self::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_vec()),
        }
    }
}

impl From<SqlValue> for Value {
    fn from(value: SqlValue) -> Self {
        match value {
            SqlValue::Null => Self::Null,
            SqlValue::Integer(integer) => Self::Integer(integer),
            SqlValue::Real(real) => Self::Real(real),
            SqlValue::Text(text) => Self::Text(text),
            SqlValue::Blob(bytes) => Self::Blob(bytes),
        }
    }
}

impl<'v> From<&'v SqlValue> for ValueRef<'v> {
    fn from(value: &'v SqlValue) -> Self {
        match value {
            SqlValue::Null => Self::Null,
            SqlValue::Integer(integer) => Self::Integer(*integer),
            SqlValue::Real(real) => Self::Real(*real),
            SqlValue::Text(text) => Self::Text(text.as_bytes()),
            SqlValue::Blob(bytes) => Self::Blob(bytes),
        }
    }
}

/// A column. None has a type of its own, so that each value is compared as what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlColumn {
    /// Its name: no two of a table that differ in nothing but capitals, no zero bytes.
    pub name: String,
    /// It is there for who names it, and not in `*`.
    pub hidden: bool,
}

/// How a column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each says it")]
pub enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Something that is asked of a column, the value of which is known once the table is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Constraint {
    /// The column, by its place.
    pub column: usize,
    /// How it is compared.
    pub comparison: Comparison,
}

/// A way to read a table, in words of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Approach {
    /// What it tells itself.
    pub text: String,
    /// Which constraints it wants the values of, by their places. All are asked again of the rows that it gives.
    pub wanted: Vec<usize>,
    /// How many rows it is likely to give.
    pub rows: f64,
    /// It gives one at most.
    pub unique: bool,
}

/// Why a table cannot be read.
pub type TableFailure = Box<dyn Error + Send + Sync>;

/// A table.
pub trait SqlTable: Send + Sync + 'static {
    /// Its columns: at least one, and at most 1,000.
    ///
    /// # Errors
    /// If they cannot be told.
    fn columns(&self) -> Result<Vec<SqlColumn>, TableFailure>;

    /// The best way to read it for what is asked. Of `used` each bit stands for a column that is needed, the highest for all
    /// from the 64th on.
    fn approach(&self, constraints: &[Constraint], used: u64) -> Approach;

    /// Rows of it, which are to be [found](SqlRows::find) first.
    fn rows(&self) -> Box<dyn SqlRows>;
}

/// Rows of a table, one at a time.
pub trait SqlRows {
    /// Finds rows by a way that [`SqlTable::approach`] gave, with the values that it wanted, and goes to the first.
    /// All rows for which the constraints hold must be among them, each once.
    ///
    /// # Errors
    /// If they cannot be read.
    fn find(&mut self, approach: &str, values: Vec<SqlValue>) -> Result<(), TableFailure>;

    /// Goes to the next row.
    ///
    /// # Errors
    /// If it cannot be read.
    fn advance(&mut self) -> Result<(), TableFailure>;

    /// Whether there is no row here, and none behind it.
    fn ended(&self) -> bool;

    /// What stands in a column.
    ///
    /// # Errors
    /// If it cannot be read.
    fn value(&self, column: usize) -> Result<SqlValue, TableFailure>;

    /// The number of the row: each has one of its own.
    fn number(&self) -> i64;
}

/// Where a table or function leaves why it failed, as SQLite passes on text alone.
#[derive(Clone, Default)]
pub struct SqlFailure(Arc<Mutex<Option<TableFailure>>>);

impl SqlFailure {
    /// Leaves it, and gives what SQLite is told.
    pub(super) fn leave(&self, failure: TableFailure) -> rusqlite::Error {
        let text = failure.to_string();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        rusqlite::Error::ModuleError(text)
    }

    /// Takes it.
    pub(super) fn take(&self) -> Option<TableFailure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
