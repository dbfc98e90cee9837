//! Why a question in SQL was not answered, told from what SQLite says.

use rusqlite::ErrorCode;
use thiserror::Error;

use super::guard::{self, Stopped, Watch};
use super::table::{SqlFailure, TableFailure};

/// Why a question in SQL was not answered. Nothing was changed by it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SqlError {
    /// It does not follow SQL's grammar, or does not make sense.
    #[error("this SQL is not understood, {why}{}: see https://sqlite.org/lang_select.html", near.as_ref().map_or(String::new(), |near| format!(" (at `{near}`)")))]
    Text {
        /// Why, as SQLite says it.
        why: String,
        /// From which byte on, as far as that is known.
        at: Option<usize>,
        /// What stands there.
        near: Option<String>,
    },
    /// It asks nothing.
    #[error("there is no SQL to answer: write SELECT …")]
    Empty,
    /// It is more than one statement.
    #[error("this is more than one statement: ask one at a time")]
    Several,
    /// There is no such table.
    #[error("no table {name:?}: {}", known_tables(known))]
    NoTable {
        /// The name that was given.
        name: String,
        /// The tables that there are.
        known: Vec<String>,
    },
    /// There is no such column.
    #[error("no column `{0}`: `ayni sql --tables` lists those there are, and text stands in 'single quotes'")]
    NoColumn(String),
    /// There is no such function.
    #[error(
        "no function `{0}`: see https://sqlite.org/lang_corefunc.html, https://sqlite.org/json1.html and docs/sql.md"
    )]
    NoFunction(String),
    /// It would do what is not allowed here.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A value was given for a parameter that it does not have.
    #[error("this SQL has no parameter `{0}`: write it as :name, or as ? for the next in turn")]
    NoParameter(String),
    /// It has a parameter for which no value was given.
    #[error("no value for the parameter `{0}`: give one for each")]
    Unbound(String),
    /// It was stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A text, a list of values or the statement itself is too long, or it is nested too deep.
    #[error("{0}: ask for less at once")]
    Limit(String),
    /// It was understood, and what it computes does not come out.
    #[error("the answer failed: {0}; CAST(… AS REAL) computes without this limit, and total() adds so")]
    Computation(String),
    /// A table cannot be read.
    #[error("{0}")]
    Table(#[source] TableFailure),
    /// Anything else that SQLite reports.
    #[error("SQL: {0}")]
    Other(String),
}

/// What SQL is not allowed to do here.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Denied {
    /// To change anything. With the word for it.
    #[error("SQL only reads here, and {0} is for changing: `ayni edit --where` and `ayni delete` change documents")]
    Write(String),
    /// To open another database.
    #[error("{0} is not available: SQL reads the collections of this project, and no other database or file")]
    Attach(&'static str),
    /// To look at SQLite's own settings.
    #[error("PRAGMA {0} is not available: `ayni sql --tables` lists tables and columns")]
    Pragma(String),
    /// To begin or end a transaction.
    #[error("transactions are not available: each question is answered from one moment anyway")]
    Transaction,
    /// To call a function that does more than compute.
    #[error("the function {0} is not available: docs/sql.md lists those that are")]
    Function(String),
    /// To read a table that is none of the project's.
    #[error("the table {0} is not available: `ayni sql --tables` lists those that are")]
    Table(String),
}

impl Denied {
    /// That a text is for changing something, told by the word in it that says so.
    pub(super) fn writing(text: &str) -> Self {
        const WORDS: [&str; 8] = ["INSERT", "REPLACE", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "VACUUM"];
        let mut words = text.split(|letter: char| !letter.is_alphabetic()).map(str::to_ascii_uppercase);
        Self::Write(words.find(|word| WORDS.contains(&word.as_str())).unwrap_or_else(|| "this".to_owned()))
    }
}

fn known_tables(known: &[String]) -> String {
    const TOLD: usize = 20;
    let more = if known.len() > TOLD { ", …" } else { "" };
    match known {
        [] => "there are no collections yet, `ayni put COLLECTION field=value` writes the first document".to_owned(),
        known => format!("there are {}{more}", known.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ")),
    }
}

/// What is known when SQLite says that something is wrong.
pub(super) struct Told<'t> {
    pub(super) text: &'t str,
    pub(super) tables: &'t [String],
    pub(super) failure: &'t SqlFailure,
    pub(super) watch: &'t Watch,
}

impl Told<'_> {
    /// What it means.
    pub(super) fn of(&self, error: rusqlite::Error) -> SqlError {
        if let Some(stopped) = self.watch.stopped() {
            return stopped.into();
        }
        if let Some(denied) = self.watch.denied() {
            return denied.into();
        }
        if let Some(failure) = self.failure.take() {
            return SqlError::Table(failure);
        }
        match error {
            rusqlite::Error::MultipleStatement => SqlError::Several,
            rusqlite::Error::SqlInputError { msg, offset, .. } => self.of_text(msg, usize::try_from(offset).ok()),
            rusqlite::Error::SqliteFailure(error, text) => {
                let text = text.unwrap_or_else(|| error.to_string());
                match error.code {
                    ErrorCode::TooBig => SqlError::Limit(format!(
                        "a text or blob of more than {} MiB came up, or SQL of more than {} kB",
                        guard::VALUE_BYTES >> 20,
                        guard::TEXT_BYTES / 1_000
                    )),
                    ErrorCode::OutOfMemory => Stopped::Memory.into(),
                    _ => self.of_text(text, None),
                }
            }
            other => SqlError::Other(other.to_string()),
        }
    }

    /// Told from SQLite's words, for which it has no number.
    fn of_text(&self, why: String, at: Option<usize>) -> SqlError {
        if why.contains(" may not be ") || why.starts_with("cannot create") {
            return Denied::writing(self.text).into();
        }
        let after = |words: &str| why.strip_prefix(words).map(|name| name.trim().to_owned());
        if let Some(name) = after("no such table:") {
            let name = name.strip_prefix("main.").map_or(name.clone(), str::to_owned);
            return SqlError::NoTable { name, known: self.tables.to_vec() };
        }
        if let Some(name) = after("no such column:") {
            let name = name.split(" - ").next().unwrap_or_default();
            return SqlError::NoColumn(name.to_owned());
        }
        if let Some(name) = after("no such function:") {
            return SqlError::NoFunction(name);
        }
        let limits =
            ["too many", "too large", "too complex", "maximum depth", "at most", "stack overflow", "Recursion limit"];
        if limits.iter().any(|words| why.contains(words)) {
            return SqlError::Limit(why);
        }
        if why == "integer overflow" {
            return SqlError::Computation(why);
        }
        let near = at.and_then(|at| self.text.get(at..)).map(shortened).filter(|near| !near.is_empty());
        SqlError::Text { why, at, near }
    }
}

fn shortened(text: &str) -> String {
    const LETTERS: usize = 30;
    let line = text.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(LETTERS).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}
