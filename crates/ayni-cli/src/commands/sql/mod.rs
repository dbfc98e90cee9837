//! `ayni sql`: answers questions in SQL over all collections.

mod output;

use std::io::Read;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use ayni::Project;
use ayni::doc::Value;
use ayni::sql::{Cancel, ColumnInfo, Cost, Sql, SqlError, Stopped, TableInfo};
use serde_json::{Value as Json, json};

use super::sync::asked_to_stop;
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::table::{Cell, Table};
use crate::terminal::{out, say, words};
use output::{Format, Output};

/// Rows that a person is shown.
const ROWS: u64 = 1_000;
/// Bytes of a question that is read from the standard input; SQL takes fewer.
const TEXT_BYTES: u64 = 1 << 20;

/// Ask in SQL, over all collections: only reading
#[derive(clap::Args)]
#[command(after_help = "\
Each collection is a table; its columns are _id and the fields. The SQL is SQLite's, and nothing but SELECT. Values for ? and ?1 \
stand behind it, those for :name in --param. Numbers, true and null are read as such, else it is text. Without any SQL \
the tables and their columns are listed. The exit code is 1 if there are no rows. At a terminal the first 1,000 are shown; \
elsewhere and with --format, all.

Examples:
  ayni sql
  ayni sql 'SELECT country, count(*) FROM places GROUP BY country'
  ayni sql 'SELECT * FROM wells JOIN villages v ON v._id = village'
  ayni sql 'SELECT name FROM wells WHERE depth > ? ORDER BY depth' 20
  ayni sql 'SELECT * FROM places WHERE name = :name' --param name=Puno --json
  ayni sql - --format csv < report.sql > report.csv
  ayni sql 'SELECT name FROM places WHERE population > 100000' --explain")]
pub(crate) struct Arguments {
    /// One SELECT; `-` reads it from the standard input [default: lists the tables]
    sql: Option<String>,
    /// Values for the parameters ? and ?1, in turn
    #[arg(allow_negative_numbers = true)]
    values: Vec<String>,
    /// The value for a parameter by its name, for :name
    #[arg(long = "param", value_name = "NAME=VALUE", requires = "sql")]
    parameters: Vec<String>,
    /// How the rows are written: table, json, jsonl or csv [default: table]
    #[arg(long, conflicts_with = "json", requires = "sql")]
    format: Option<Format>,
    /// After how many seconds it is stopped; 0: never
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
    /// Only what it costs: which indexes are read, and how many documents
    #[arg(long, conflicts_with = "format", requires = "sql")]
    explain: bool,
    /// List the tables and their columns
    #[arg(long, conflicts_with_all = ["sql", "values", "parameters", "format", "explain"])]
    tables: bool,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let Some(text) = arguments.sql.as_deref().filter(|_| !arguments.tables) else {
        return tables(setting, &setting.open_project()?);
    };
    let text = if text == "-" { from_standard_input()? } else { text.to_owned() };
    let mut question = Sql::new(text);
    for value in &arguments.values {
        question = question.bind(value_of(value)?);
    }
    for parameter in &arguments.parameters {
        let (name, value) = parameter.split_once('=').ok_or_else(|| {
            Failure::usage(format_args!("{parameter:?} gives no parameter a value"), "write --param name=value")
        })?;
        question = question.bind_as(name.trim_start_matches([':', '@', '$']), value_of(value)?);
    }
    let limit = (arguments.timeout > 0).then(|| Duration::from_secs(arguments.timeout));
    let cancel = stopped_by_signals()?;
    let question = question.timeout(limit).cancelled_by(&cancel);
    let project = setting.open_project()?;
    if arguments.explain {
        return explain(setting, &project, question);
    }
    let format = arguments.format.unwrap_or(if setting.json { Format::Json } else { Format::Table });
    print(&project, question, format)
}

/// Answers and prints each row as it is found, but that a table at a terminal has to be known whole.
fn print(project: &Project, question: Sql, format: Format) -> Outcome {
    let start = Instant::now();
    let at_terminal = out::is_terminal() && format == Format::Table;
    let mut output = Output::new(format);
    let mut failed = None;
    let mut shown = 0;
    let mut more = false;
    let answered = project.sql_each(question, |row| {
        if at_terminal && shown == ROWS {
            more = true;
            return Ok(ControlFlow::Break(()));
        }
        shown += 1;
        Ok(match output.row(row.columns, &row.values) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })
    });
    if let Some(error) = failed {
        return Err(error.into());
    }
    let (columns, _) = answered?;
    output.finish(&columns)?;
    if at_terminal {
        let (amount, took) = (words::counted(shown, "row"), words::duration(start.elapsed()));
        match more {
            true => say::note(format_args!("the first {amount}, in {took}; --format csv or jsonl writes all")),
            false => say::note(format_args!("{amount} in {took}")),
        }
    }
    Ok(Answer::from(shown > 0))
}

/// What it costs to answer.
fn explain(setting: &Setting, project: &Project, question: Sql) -> Outcome {
    let (_, cost) = project.sql_each(question, |_| Ok(ControlFlow::Continue(())))?;
    let Cost { indexes, keys, documents, rows, .. } = cost;
    if setting.json {
        let index =
            |(collection, index): &(String, ayni::Index)| json!({"collection": collection, "index": index.to_string()});
        let indexes: Vec<Json> = indexes.iter().map(index).collect();
        out::json(&json!({ "indexes": indexes, "keys": keys, "documents": documents, "rows": rows }))?;
        return Ok(Answer::from(rows > 0));
    }
    for (collection, index) in &indexes {
        out::line(format_args!("reads the index of {collection} on {index}"))?;
    }
    let keys = if keys > 0 { format!("{}, ", words::counted(keys, "key")) } else { String::new() };
    out::line(format_args!("looks at {keys}{}", words::counted(documents, "document")))?;
    out::line(format_args!("gives {}", words::counted(rows, "row")))?;
    Ok(Answer::from(rows > 0))
}

/// The tables that there are, and their columns.
fn tables(setting: &Setting, project: &Project) -> Outcome {
    let tables = project.sql_tables()?;
    if setting.json {
        out::json(&Json::Array(tables.iter().map(table_json).collect()))?;
        return Ok(Answer::from(!tables.is_empty()));
    }
    let mut shown = Table::new(&["table", "column", "type", ""]);
    for table in &tables {
        for column in &table.columns {
            let note = if column.hidden { "not in *" } else { "" };
            let name = Cell::from(quoted(&table.name));
            shown.row([name, quoted(&column.name).into(), type_of(column).into(), Cell::dim(note)]);
        }
    }
    shown.print()?;
    match tables.first() {
        None => say::hint("no collections yet: `ayni put COLLECTION field=value` writes the first document"),
        Some(table) if out::is_terminal() => {
            say::hint(format_args!("`ayni sql 'SELECT count(*) FROM {}'`", quoted(&table.name)));
        }
        Some(_) => {}
    }
    Ok(Answer::from(!tables.is_empty()))
}

fn table_json(table: &TableInfo) -> Json {
    let column = |column: &ColumnInfo| {
        let types: Vec<&str> = column.types.iter().map(|kind| kind.name()).collect();
        let field = column.field.as_ref().map(ToString::to_string);
        json!({"name": column.name, "field": field, "types": types, "hidden": column.hidden})
    };
    let columns: Vec<Json> = table.columns.iter().map(column).collect();
    json!({"name": table.name, "collection": table.collection, "columns": columns})
}

/// What stands in a column, in a word or two.
fn type_of(column: &ColumnInfo) -> String {
    let types: Vec<&str> = column.types.iter().map(|kind| kind.name()).collect();
    match (column.name.as_str(), &column.field) {
        ("_changed", None) => "integer (ms since 1970)".to_owned(),
        ("_conflicted", None) => "1 or 0".to_owned(),
        ("_document", None) => "JSON".to_owned(),
        (_, None) => "text".to_owned(),
        _ if types.is_empty() => "any".to_owned(),
        _ => types.join(" or "),
    }
}

/// A name as it has to stand in SQL.
fn quoted(name: &str) -> String {
    let mut letters = name.chars();
    let begins = letters.next().is_some_and(|letter| letter.is_ascii_lowercase() || letter == '_');
    let plain = begins && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    let is_word = KEYWORDS.split(' ').any(|word| word.eq_ignore_ascii_case(name));
    if plain && !is_word { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Words that people give to fields and that mean something in SQL.
const KEYWORDS: &str = "all and as between by case check collate commit constraint create default delete desc distinct drop else \
escape except exists foreign from group having in index insert intersect into is isnull join limit not notnull null on or \
order primary references select set table then to transaction union unique update using values when where";

/// What a word on the command line stands for: JSON if it is that, else text.
fn value_of(word: &str) -> Result<Value, Failure> {
    match serde_json::from_str(word) {
        Ok(json) => Value::from_json(&json).map_err(|error| Failure::usage(error, "write it as text in quotes")),
        Err(_) => Ok(Value::from(word)),
    }
}

fn from_standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(TEXT_BYTES).read_to_string(&mut text);
    read.map_err(|error| Failure::usage(format_args!("the SQL cannot be read: {error}"), "give it as UTF-8 text"))?;
    Ok(text)
}

/// What Ctrl-C cancels; a second one ends the program.
fn stopped_by_signals() -> Result<Cancel, Failure> {
    let cancel = Cancel::default();
    let by_signal = cancel.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            asked_to_stop().await;
            by_signal.cancel();
            asked_to_stop().await;
            std::process::exit(130);
        });
    });
    Ok(cancel)
}

/// How a question that was not answered is told.
pub(crate) fn failure(error: SqlError) -> Failure {
    match error {
        SqlError::Text { why, near, .. } => {
            // SQLite's own words often have the place in them.
            let near = near.filter(|_| !why.contains('"')).map_or(String::new(), |near| format!(" at {near:?}"));
            let remedy = "https://sqlite.org/lang_select.html says how SQL is written";
            Failure::usage(format_args!("this SQL is not understood{near}: {why}"), remedy)
        }
        SqlError::Stopped(Stopped::Time) => {
            let remedy = "ask for less, make an index with `ayni index add`, or give it more time with --timeout";
            Failure::new("stopped, as it took longer than it may", remedy)
        }
        error @ (SqlError::Stopped(_)
        | SqlError::Limit(_)
        | SqlError::Computation(_)
        | SqlError::Table(_)
        | SqlError::Other(_)) => Failure::told(error),
        error => Failure::nonsense(error),
    }
}
