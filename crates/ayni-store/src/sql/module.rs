//! How SQLite is told of a table: as an eponymous virtual table, which is there by its name alone.
//!
//! The two `unsafe impl` promise what SQLite's interface in C asks of them: that the structs are laid out as in C and begin
//! with SQLite's own part. There is no other unsafe code here.
#![expect(unsafe_code, reason = "SQLite's tables are C structs that begin with a part of its own")]

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int};
use std::sync::Arc;

use rusqlite::types::ToSqlOutput;
use rusqlite::vtab::{
    Context, Filters, IndexConstraintOp, IndexFlags, IndexInfo, Module, VTab, VTabConnection, VTabCursor, sqlite3_vtab,
    sqlite3_vtab_cursor,
};
use rusqlite::{Connection, Error, Result};

use super::table::{Comparison, Constraint, SqlColumn, SqlFailure, SqlRows, SqlTable, SqlValue};

const MODULE: Module<'_, Connected> = Module::eponymous_only_module();

/// Makes a table known by its name.
pub(super) fn register(
    connection: &Connection,
    name: &str,
    table: Arc<dyn SqlTable>,
    failure: &SqlFailure,
) -> Result<()> {
    connection.create_module(name, &MODULE, Some(Known { table, failure: failure.clone() }))
}

struct Known {
    table: Arc<dyn SqlTable>,
    failure: SqlFailure,
}

/// A table that the question names.
#[repr(C)]
struct Connected {
    base: sqlite3_vtab,
    table: Arc<dyn SqlTable>,
    failure: SqlFailure,
}

/// A place in a table.
#[repr(C)]
struct Cursor {
    base: sqlite3_vtab_cursor,
    rows: Box<dyn SqlRows>,
    failure: SqlFailure,
}

unsafe impl<'vtab> VTab<'vtab> for Connected {
    type Aux = Known;
    type Cursor = Cursor;

    fn connect(
        _: &mut VTabConnection,
        known: Option<&Known>,
        _: &[u8],
        _: &[u8],
        _: &[u8],
        _: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Self)> {
        let Some(Known { table, failure }) = known else {
            return Err(Error::ModuleError("a table without content".into()));
        };
        let columns = table.columns().map_err(|error| failure.leave(error))?;
        let declaration = CString::new(declaration(&columns))?;
        let connected = Self { base: sqlite3_vtab::default(), table: table.clone(), failure: failure.clone() };
        Ok((Cow::Owned(declaration), connected))
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        let mut places = Vec::new();
        let mut constraints = Vec::new();
        for (place, constraint) in info.constraints().enumerate() {
            let column = usize::try_from(constraint.column());
            let comparison = comparison(&constraint.operator());
            if let (true, Ok(column), Some(comparison)) = (constraint.is_usable(), column, comparison)
                // What is compared in another order than that of its bytes is compared by SQLite alone.
                && info.collation(place)? == "BINARY"
            {
                places.push(place);
                constraints.push(Constraint { column, comparison });
            }
        }
        let approach = self.table.approach(&constraints, info.col_used());
        let wanted = approach.wanted.iter().filter_map(|wanted| places.get(*wanted));
        for (number, place) in (1..).zip(wanted) {
            // All that is asked is asked again of each row.
            info.constraint_usage(*place).set_argv_index(number);
        }
        info.set_idx_str(&approach.text);
        info.set_estimated_rows(approach.rows as i64);
        info.set_estimated_cost(approach.rows * 2.0 + 20.0);
        if approach.unique {
            info.set_idx_flags(IndexFlags::SQLITE_INDEX_SCAN_UNIQUE);
        }
        Ok(true)
    }

    fn open(&'vtab mut self) -> Result<Cursor> {
        let rows = self.table.rows();
        Ok(Cursor { base: sqlite3_vtab_cursor::default(), rows, failure: self.failure.clone() })
    }
}

unsafe impl VTabCursor for Cursor {
    fn filter(&mut self, _: c_int, approach: Option<&str>, values: &Filters<'_>) -> Result<()> {
        let values = values.iter().map(SqlValue::from).collect();
        self.rows.find(approach.unwrap_or_default(), values).map_err(|error| self.failure.leave(error))
    }

    fn next(&mut self) -> Result<()> {
        self.rows.advance().map_err(|error| self.failure.leave(error))
    }

    fn eof(&self) -> bool {
        self.rows.ended()
    }

    fn column(&self, context: &mut Context, column: c_int) -> Result<()> {
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        let value = self.rows.value(column).map_err(|error| self.failure.leave(error))?;
        context.set_result(ToSqlOutput::Borrowed((&value).into()))
    }

    fn rowid(&self) -> Result<i64> {
        Ok(self.rows.number())
    }
}

fn comparison(operator: &IndexConstraintOp) -> Option<Comparison> {
    match operator {
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ => Some(Comparison::Equal),
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_LT => Some(Comparison::Less),
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_LE => Some(Comparison::LessOrEqual),
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_GT => Some(Comparison::Greater),
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_GE => Some(Comparison::GreaterOrEqual),
        _ => None,
    }
}

fn declaration(columns: &[SqlColumn]) -> String {
    let column = |column: &SqlColumn| {
        let hidden = if column.hidden { " HIDDEN" } else { "" };
        format!("\"{}\"{hidden}", column.name.replace('"', "\"\""))
    };
    format!("CREATE TABLE x({})", columns.iter().map(column).collect::<Vec<_>>().join(", "))
}
