//! SQL over tables that the caller makes up, in a database of its own that holds nothing.
//!
//! SQLite parses and runs what is asked in an empty database in memory; its tables are the caller's ([`SqlTable`]), read as
//! the question asks for them. So there is nothing to write to, and the database on the disk is not in reach: what the
//! caller's tables do not give cannot be had. Beyond that `guard` lets nothing through but reading, and stops what takes
//! too long or too much.
//!
//! This file is what a question goes through, `table` what a table is, `module` how SQLite is told of it, and
//! `functions` those that stand in for SQLite's own.

mod error;
mod functions;
mod guard;
mod module;
mod table;

use std::ops::ControlFlow;
use std::sync::Arc;

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OpenFlags, Statement};

pub use error::{Denied, SqlError};
pub use functions::{Call, SqlFunction};
pub use guard::Stopped;
pub use table::{Approach, Comparison, Constraint, SqlColumn, SqlFailure, SqlRows, SqlTable, SqlValue, TableFailure};

use error::Told;
use guard::Watch;

use crate::ending::{self, Enclosed};

/// What a question can ask, and what may stop it.
pub struct SqlSetting {
    /// The tables by name. Of names that differ in nothing but capitals the last stands.
    pub tables: Vec<(String, Arc<dyn SqlTable>)>,
    /// Functions beside SQLite's own.
    pub functions: Vec<SqlFunction>,
    /// Asked again and again while the question runs; what it gives stops it.
    pub stop: Box<dyn FnMut() -> Option<Stopped> + Send>,
    /// Bytes that SQLite may take beyond what it has at the beginning, in all of this process.
    pub memory: u64,
}

/// A value for a parameter: by name, or the next in turn.
pub struct SqlParameter {
    /// Its name, without the sign before it; `None`: by its place.
    pub name: Option<String>,
    /// The value.
    pub value: SqlValue,
}

/// Asks one question, and visits each row of the answer as it is found, with the names of the columns, until the visitor
/// breaks off. Gives the names of the columns.
///
/// # Errors
/// [`SqlError`], and those of the visitor.
pub fn ask<E: From<SqlError>>(
    setting: SqlSetting,
    text: &str,
    parameters: &[SqlParameter],
    mut visit: impl FnMut(&[String], Vec<SqlValue>) -> Result<ControlFlow<()>, E>,
) -> Result<Vec<String>, E> {
    if let Some(at) = text.find('\0') {
        // SQLite would pass over what stands behind it.
        return Err(E::from(SqlError::Text { why: "it has a zero byte".to_owned(), at: Some(at), near: None }));
    }
    let names: Vec<String> = setting.tables.iter().map(|(name, _)| name.clone()).collect();
    let failure = SqlFailure::default();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_MEMORY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let told = |watch: &Watch, error| Told { text, tables: &names, failure: &failure, watch }.of(error);
    let watch = Watch::default();
    let _inside = ending::enter();
    let opened = Enclosed::open(|| Connection::open_in_memory_with_flags(flags));
    let mut connection = opened.map_err(|error| E::from(told(&watch, error)))?;
    let prepare = || -> rusqlite::Result<()> {
        for (name, table) in setting.tables {
            module::register(&connection, &name, table, &failure)?;
        }
        let functions = functions::register(&connection, setting.functions, &failure)?;
        guard::set_up(&mut connection, &names, &functions, setting.stop, setting.memory, &watch)
    };
    prepare().map_err(|error| E::from(told(&watch, error)))?;
    let mut statement = connection.prepare(text).map_err(|error| E::from(told(&watch, error)))?;
    if statement.column_count() == 0 || !statement.readonly() {
        let empty = statement.expanded_sql().is_none_or(|sql| sql.trim().is_empty());
        return Err(E::from(if empty { SqlError::Empty } else { SqlError::Denied(Denied::writing(text)) }));
    }
    bind(&mut statement, parameters)?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(|error| E::from(told(&watch, error)))? {
        let value = |at| row.get_ref(at).map(SqlValue::from);
        let values = (0..columns.len()).map(value).collect::<rusqlite::Result<Vec<_>>>();
        if visit(&columns, values.map_err(|error| E::from(told(&watch, error)))?)?.is_break() {
            break;
        }
    }
    Ok(columns)
}

/// Gives each parameter of the statement its value, and refuses one without, and a value that belongs to none.
fn bind(statement: &mut Statement<'_>, parameters: &[SqlParameter]) -> Result<(), SqlError> {
    let mut open: Vec<bool> = vec![true; statement.parameter_count()];
    let mut place = 0;
    for SqlParameter { name, value } in parameters {
        let at = match name {
            None => {
                place += 1;
                place
            }
            Some(name) => {
                let spelt = [":", "@", "$", "?"].into_iter();
                let found = spelt.filter_map(|sign| statement.parameter_index(&format!("{sign}{name}")).ok().flatten());
                found.last().ok_or_else(|| SqlError::NoParameter(name.clone()))?
            }
        };
        let open = at.checked_sub(1).and_then(|at| open.get_mut(at));
        *open.ok_or_else(|| SqlError::NoParameter(at.to_string()))? = false;
        let bound = statement.raw_bind_parameter(at, ToSqlOutput::Borrowed(value.into()));
        bound.map_err(|error| SqlError::Other(error.to_string()))?;
    }
    match open.iter().position(|open| *open) {
        None => Ok(()),
        Some(at) => {
            let named = statement.parameter_name(at + 1).map(str::to_owned);
            Err(SqlError::Unbound(named.unwrap_or_else(|| format!("?{}", at + 1))))
        }
    }
}
