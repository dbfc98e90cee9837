//! SQL: questions over all collections of a project, that change nothing.
//!
//! Each collection is a table. SQLite reads a question and puts its answer together, in a database of its own that is empty
//! and in memory; what its tables hold it is handed row by row from one snapshot of the project. `docs/sql.md` is the contract.
//!
//! This file has what is asked and what comes back. `catalog` tells which tables there are, `columns` which columns they have;
//! `table` which way one is read for what is asked of it, `bounds` which values that leaves, and `rows` reads them. `cells`
//! are values as SQL has them, `functions` those that it has here beside its own, `patience` how long it may take.
//!
//! ```
//! use ayni::doc::{Map, Value};
//! use ayni::sql::Sql;
//! use ayni::{Database, Options};
//!
//! # let folder = tempfile::tempdir()?;
//! # let database = Database::create(&folder.path().join("db"), "Ana", Options::new(folder.path().join("keys")))?;
//! # let (project, _) = database.create_project("Mapa")?;
//! project.write(|tx| {
//!     let village = tx.create("villages", Map::from([("name".into(), "Ollantaytambo".into())]))?;
//!     for depth in [12, 30] {
//!         tx.create("wells", Map::from([("village".into(), village.into()), ("depth".into(), Value::Int(depth))]))?;
//!     }
//!     Ok(())
//! })?;
//! let deepest = "SELECT v.name, max(w.depth) AS deepest FROM wells w JOIN villages v ON v._id = w.village
//!                WHERE w.depth > :least GROUP BY v._id";
//! let answer = project.sql(Sql::new(deepest).bind_as("least", 10))?;
//! assert_eq!(answer.columns, ["name", "deepest"]);
//! assert_eq!(answer.rows, [["Ollantaytambo".into(), Value::Int(30)]]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bounds;
mod catalog;
mod cells;
mod columns;
mod functions;
mod patience;
mod rows;
mod table;

use std::ops::ControlFlow;
use std::time::Duration;

use ayni_doc::Value;
use ayni_store::sql::{SqlParameter, SqlSetting, ask};

use crate::error::Error;
use crate::index::Index;
use crate::project::Project;

pub use ayni_store::sql::{Denied, SqlError, Stopped};
pub use catalog::{ColumnInfo, TableInfo};
pub(crate) use columns::KnownFields;
pub use patience::Cancel;

use catalog::Catalog;
use patience::Patience;

/// How long an answer may take unless something else is said.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of memory that an answer may take unless something else is said.
const MEMORY: u64 = 256 << 20;

/// A question in SQL: the text, values for its parameters, and what it may take.
#[derive(Debug, Clone)]
pub struct Sql {
    text: String,
    parameters: Vec<(Option<String>, Value)>,
    timeout: Option<Duration>,
    memory: u64,
    cancel: Option<Cancel>,
}

impl Sql {
    /// One SELECT (or VALUES, or EXPLAIN QUERY PLAN). It may take 60 seconds and 256 MiB of memory.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), parameters: Vec::new(), timeout: Some(TIMEOUT), memory: MEMORY, cancel: None }
    }

    /// The value for the next parameter in turn: `?`, `?1`, `?2`. It stands in SQL as it would in a column.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.parameters.push((None, value.into()));
        self
    }

    /// The value for a parameter by name, without the sign before it: `:least` is `least`.
    #[must_use]
    pub fn bind_as(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.parameters.push((Some(name.into()), value.into()));
        self
    }

    /// It may take so long, by the clock, with what the visitor of its rows does; `None`: for ever.
    #[must_use]
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    /// SQLite may take so many bytes of memory for it (for sorting, grouping and joining; all that SQLite takes in this process
    /// meanwhile counts).
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// It stops with [`Error::Cancelled`] once this is cancelled.
    #[must_use]
    pub fn cancelled_by(mut self, cancel: &Cancel) -> Self {
        self.cancel = Some(cancel.clone());
        self
    }
}

impl From<&str> for Sql {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Sql {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&Sql> for Sql {
    fn from(sql: &Sql) -> Self {
        sql.clone()
    }
}

/// A row of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Row<'a> {
    /// The names of the columns.
    pub columns: &'a [String],
    /// What stands in them: null, integers, floats, texts and bytes.
    pub values: Vec<Value>,
}

impl Row<'_> {
    /// What stands in the first column of this name.
    pub fn get(&self, column: &str) -> Option<&Value> {
        let at = self.columns.iter().position(|name| name == column)?;
        self.values.get(at)
    }
}

/// What SQL gave.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Answer {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, each with a value for every column: null, integers, floats, texts and bytes.
    pub rows: Vec<Vec<Value>>,
    /// What it cost.
    pub cost: Cost,
}

/// What an answer in SQL cost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Cost {
    /// The indexes that were read, each with its collection.
    pub indexes: Vec<(String, Index)>,
    /// Keys of indexes that were read.
    pub keys: u64,
    /// Documents that were read. Of one that was read several times each time counts.
    pub documents: u64,
    /// Rows that the answer has.
    pub rows: u64,
}

impl Project {
    /// Answers a question in SQL, of which each collection is a table. All of it is read from one moment, whatever is written
    /// meanwhile, and nothing can be written.
    ///
    /// The whole answer is kept in memory; [`Project::sql_each`] hands out one row at a time.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let options = ayni::Options::new(folder.path().join("keys"));
    /// # let database = ayni::Database::create(&folder.path().join("db"), "Ana", options)?;
    /// # let (project, _) = database.create_project("Mapa")?;
    /// # project.write(|tx| tx.create("places", ayni::doc::Map::from([("country".into(), "PE".into())])))?;
    /// let answer = project.sql("SELECT country, count(*) FROM places GROUP BY country")?;
    /// assert_eq!(answer.rows, [["PE".into(), ayni::doc::Value::Int(1)]]);
    /// assert!(project.sql("DELETE FROM places").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Sql`] says what is wrong with the question, or why it was stopped; [`Error::Cancelled`].
    pub fn sql(&self, question: impl Into<Sql>) -> Result<Answer, Error> {
        let mut rows = Vec::new();
        let (columns, cost) = self.sql_each(question, |row| {
            rows.push(row.values);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(Answer { columns, rows, cost })
    }

    /// Answers a question in SQL as [`Project::sql`] does, and visits each row as it is found, until the visitor breaks off.
    /// Gives the names of the columns, and what it cost.
    ///
    /// # Errors
    /// As [`Project::sql`], and those of the visitor.
    pub fn sql_each(
        &self,
        question: impl Into<Sql>,
        mut visit: impl FnMut(Row<'_>) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(Vec<String>, Cost), Error> {
        let Sql { text, parameters, timeout, memory, cancel } = question.into();
        let patience = Patience::new(self, timeout, cancel);
        Catalog::open(self, &patience, |catalog| {
            let asked = patience.clone();
            let setting = SqlSetting {
                tables: catalog.tables(),
                functions: functions::all(self),
                stop: Box::new(move || asked.is_over()),
                memory,
            };
            let parameter =
                |(name, value): (Option<String>, Value)| SqlParameter { name, value: cells::to_sql(&value) };
            let parameters: Vec<SqlParameter> = parameters.into_iter().map(parameter).collect();
            let mut rows = 0;
            let columns = ask(setting, &text, &parameters, |columns, values| {
                rows += 1;
                visit(Row { columns, values: values.into_iter().map(cells::from_sql).collect() })
            })?;
            Ok((columns, catalog.cost(rows)))
        })
    }

    /// The tables that SQL has here, and their columns.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn sql_tables(&self) -> Result<Vec<TableInfo>, Error> {
        Catalog::open(self, &Patience::new(self, None, None), |catalog| catalog.told())
    }
}
