//! What SQL may do, and when it is stopped.
//!
//! The database that it runs in is empty and in memory, so nothing of this is all that stands between a question and the
//! disk; it is what says no with a reason, and what bounds time and memory.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, Result};
use thiserror::Error;

use super::error::Denied;
use crate::ending;

/// Bytes of one value at the most. One call of a function can take some hundred times as much for a moment.
pub(super) const VALUE_BYTES: i32 = 4 << 20;
/// Bytes of a question at the most.
pub(super) const TEXT_BYTES: i32 = 100_000;

/// Steps of SQLite's machine, some microseconds all together, after which it is asked whether to go on.
const STEPS: i32 = 100;

const LIMITS: [(Limit, i32); 11] = [
    (Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, TEXT_BYTES),
    (Limit::SQLITE_LIMIT_COLUMN, 1_100),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 100),
    (Limit::SQLITE_LIMIT_VDBE_OP, 100_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 64),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    // To match one text takes time by the length of the pattern and that of the text multiplied.
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 0),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

const SWITCHES: [(DbConfig, bool); 8] = [
    (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
    (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
    (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
    // A misspelt "column" is no text.
    (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
    (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
];

/// SQLite's functions that compute and do nothing else, and take no more memory than what they give and a little more
/// (`json_pretty` takes what it is told to indent by, for each line and level).
const FUNCTIONS: &str = "
    abs char coalesce concat concat_ws format glob hex if ifnull iif instr length like likelihood likely lower ltrim max
    min nullif octet_length printf quote random randomblob replace round rtrim sign soundex sqlite_version substr
    substring trim typeof unhex unicode unistr unistr_quote unlikely upper zeroblob
    avg count group_concat median percentile percentile_cont percentile_disc string_agg sum total
    cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
    current_date current_time current_timestamp date datetime julianday strftime time timediff unixepoch
    -> ->> json json_array json_array_insert json_array_length json_each json_error_position json_extract
    json_group_array json_group_object json_insert json_object json_patch json_quote json_remove json_replace
    json_set json_tree json_type json_valid jsonb jsonb_array jsonb_array_insert jsonb_extract jsonb_group_array
    jsonb_group_object jsonb_insert jsonb_object jsonb_patch jsonb_remove jsonb_replace jsonb_set";

/// SQLite's tables that show what is in a value.
const TABLES: [&str; 2] = ["json_each", "json_tree"];

/// Why an answer was broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Stopped {
    /// It took too long.
    #[error("stopped, as it took longer than it may: ask for less, add an index, or give it more time")]
    Time,
    /// Somebody cancelled it.
    #[error("cancelled")]
    Cancelled,
    /// It took too much memory.
    #[error("stopped, as it took more memory than it may: sort, group or join fewer rows")]
    Memory,
}

/// What happened while a question was read and answered.
#[derive(Clone, Default)]
pub(super) struct Watch(Arc<Mutex<Noted>>);

#[derive(Default)]
struct Noted {
    stopped: Option<Stopped>,
    denied: Option<Denied>,
}

impl Watch {
    pub(super) fn stopped(&self) -> Option<Stopped> {
        self.noted().stopped
    }

    pub(super) fn denied(&self) -> Option<Denied> {
        self.noted().denied.clone()
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets a connection do nothing but answer from these tables, until it is to stop. What was registered before is allowed.
pub(super) fn set_up(
    connection: &mut Connection,
    tables: &[String],
    functions: &[String],
    mut stop: Box<dyn FnMut() -> Option<Stopped> + Send>,
    memory: u64,
    watch: &Watch,
) -> Result<()> {
    connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA query_only = ON; PRAGMA cell_size_check = ON;")?;
    for (limit, most) in LIMITS {
        connection.set_limit(limit, most)?;
    }
    for (switch, on) in SWITCHES {
        connection.set_db_config(switch, on)?;
    }
    let most = memory_used().saturating_add(memory);
    let noted = watch.clone();
    connection.progress_handler(
        STEPS,
        Some(move || {
            ending::stop_at_the_end();
            let stopped = stop().or_else(|| (memory_used() > most).then_some(Stopped::Memory));
            noted.noted().stopped = stopped;
            stopped.is_some()
        }),
    )?;
    let lower = |name: &String| name.to_ascii_lowercase();
    let tables: BTreeSet<String> = tables.iter().map(lower).chain(TABLES.map(str::to_owned)).collect();
    let own = functions.iter().map(lower);
    let functions: BTreeSet<String> = own.chain(FUNCTIONS.split_whitespace().map(str::to_owned)).collect();
    let noted = watch.clone();
    connection.authorizer(Some(move |context: AuthContext<'_>| match judge(context.action, &tables, &functions) {
        Ok(()) => Authorization::Allow,
        Err(denied) => {
            noted.noted().denied.get_or_insert(denied);
            Authorization::Deny
        }
    }))
}

/// Whether SQL may do something. Everything that is not named here as allowed is not.
fn judge(
    action: AuthAction<'_>,
    tables: &BTreeSet<String>,
    functions: &BTreeSet<String>,
) -> std::result::Result<(), Denied> {
    let write = |word: &str| Err(Denied::Write(word.to_owned()));
    match action {
        AuthAction::Select | AuthAction::Recursive => Ok(()),
        AuthAction::Read { table_name, .. } if tables.contains(&table_name.to_ascii_lowercase()) => Ok(()),
        // Where no column is read SQLite asks for the names of subqueries too, of which it says no more than the name.
        AuthAction::Read { table_name, column_name: "" } if !is_of_sqlite(table_name) => Ok(()),
        AuthAction::Read { table_name, .. } => Err(Denied::Table(table_name.to_owned())),
        AuthAction::Function { function_name } if functions.contains(&function_name.to_ascii_lowercase()) => Ok(()),
        AuthAction::Function { function_name } => Err(Denied::Function(function_name.to_owned())),
        AuthAction::Pragma { pragma_name, .. } => Err(Denied::Pragma(pragma_name.to_owned())),
        AuthAction::Attach { .. } => Err(Denied::Attach("ATTACH")),
        AuthAction::Detach { .. } => Err(Denied::Attach("DETACH")),
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => Err(Denied::Transaction),
        AuthAction::Insert { .. } => write("INSERT"),
        AuthAction::Update { .. } => write("UPDATE"),
        AuthAction::Delete { .. } => write("DELETE"),
        AuthAction::AlterTable { .. } => write("ALTER"),
        AuthAction::Analyze { .. } => write("ANALYZE"),
        AuthAction::Reindex { .. } => write("REINDEX"),
        AuthAction::DropIndex { .. }
        | AuthAction::DropTable { .. }
        | AuthAction::DropTempIndex { .. }
        | AuthAction::DropTempTable { .. }
        | AuthAction::DropTempTrigger { .. }
        | AuthAction::DropTempView { .. }
        | AuthAction::DropTrigger { .. }
        | AuthAction::DropView { .. }
        | AuthAction::DropVtable { .. } => write("DROP"),
        _ => write("CREATE"),
    }
}

/// Whether a table is one that SQLite has by itself, of which not even the number of rows is to be had.
fn is_of_sqlite(table: &str) -> bool {
    let table = table.to_ascii_lowercase();
    table.starts_with("sqlite_") || table.starts_with("pragma_") || table == "dbstat"
}

/// Bytes that SQLite has taken in this process.
#[expect(unsafe_code, reason = "reads a counter of SQLite, which can be done at any time")]
fn memory_used() -> u64 {
    u64::try_from(unsafe { rusqlite::ffi::sqlite3_memory_used() }).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_as_allowed_is_denied() {
        let (tables, functions) = (BTreeSet::from(["places".to_owned()]), BTreeSet::from(["lower".to_owned()]));
        let judge = |action| judge(action, &tables, &functions);
        assert_eq!(judge(AuthAction::Read { table_name: "Places", column_name: "x" }), Ok(()));
        let schema = AuthAction::Read { table_name: "sqlite_master", column_name: "sql" };
        assert_eq!(judge(schema), Err(Denied::Table("sqlite_master".into())));
        assert_eq!(judge(AuthAction::Read { table_name: "a_subquery", column_name: "" }), Ok(()));
        let counted = AuthAction::Read { table_name: "PRAGMA_database_list", column_name: "" };
        assert_eq!(judge(counted), Err(Denied::Table("PRAGMA_database_list".into())));
        let load = AuthAction::Function { function_name: "load_extension" };
        assert_eq!(judge(load), Err(Denied::Function("load_extension".into())));
        let newer = AuthAction::Unknown { code: 99, arg1: None, arg2: None };
        assert!(judge(newer).is_err(), "an action of a newer SQLite");
    }
}
