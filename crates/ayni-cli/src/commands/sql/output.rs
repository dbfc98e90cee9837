//! The rows of an answer, as a table, JSON or CSV.

use std::collections::BTreeSet;
use std::io::{self, Write};

use ayni::doc::Value;
use serde_json::{Map as Object, Value as Json};

use crate::terminal::table::{Cell, Table};
use crate::terminal::{out, words};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people, or with tabs between.
    Table,
    /// One array of objects.
    Json,
    /// An object on each line.
    Jsonl,
    /// RFC 4180, with the names of the columns first.
    Csv,
}

/// Rows that are put in a table before it is printed, where it need not fit.
const ROWS: usize = 1_000;

/// Takes rows, and writes them.
pub(super) struct Output {
    format: Format,
    out: io::BufWriter<io::Stdout>,
    /// Rows of a table that are not printed yet.
    rows: Vec<Vec<Value>>,
    written: u64,
}

impl Output {
    pub(super) fn new(format: Format) -> Self {
        Self { format, out: io::BufWriter::with_capacity(64 << 10, io::stdout()), rows: Vec::new(), written: 0 }
    }

    /// Writes a row, now or soon.
    pub(super) fn row(&mut self, columns: &[String], values: &[Value]) -> io::Result<()> {
        if self.written == 0 {
            self.head(columns)?;
        }
        self.written += 1;
        match self.format {
            Format::Table => {
                self.rows.push(values.to_vec());
                if self.rows.len() >= ROWS && !out::is_terminal() { self.table(columns) } else { Ok(()) }
            }
            Format::Json => {
                self.out.write_all(if self.written == 1 { b"\n" } else { b",\n" })?;
                self.object(columns, values)
            }
            Format::Jsonl => {
                self.object(columns, values)?;
                self.out.write_all(b"\n")
            }
            Format::Csv => self.record(values.iter().map(csv_cell)),
        }
    }

    /// Writes what is left.
    pub(super) fn finish(mut self, columns: &[String]) -> io::Result<()> {
        if self.written == 0 {
            self.head(columns)?;
        }
        match self.format {
            Format::Table => self.table(columns)?,
            Format::Json => self.out.write_all(if self.written == 0 { b"]\n" } else { b"\n]\n" })?,
            Format::Jsonl | Format::Csv => {}
        }
        self.out.flush()
    }

    fn head(&mut self, columns: &[String]) -> io::Result<()> {
        match self.format {
            Format::Json => self.out.write_all(b"["),
            Format::Csv => self.record(columns.iter().map(|name| quoted(name))),
            Format::Table | Format::Jsonl => Ok(()),
        }
    }

    fn table(&mut self, columns: &[String]) -> io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let mut table = Table::new(&[]);
        for (at, name) in columns.iter().enumerate() {
            let mut values =
                rows.iter().filter_map(|row| row.get(at)).filter(|value| **value != Value::Null).peekable();
            let numbers = values.peek().is_some() && values.all(|value| value.as_number().is_some());
            table.add_column(name, numbers);
        }
        let cell = |value: &Value| match value {
            Value::Null => Cell::from(""),
            value if out::is_terminal() => Cell::from(words::value(value)),
            value => Cell::from(words::plain(value)),
        };
        for row in &rows {
            table.row(row.iter().map(cell));
        }
        table.print()
    }

    fn object(&mut self, columns: &[String], values: &[Value]) -> io::Result<()> {
        let mut names = BTreeSet::new();
        let mut object = Object::new();
        for (column, value) in columns.iter().zip(values) {
            let mut name = column.clone();
            let mut next = 2;
            while !names.insert(name.clone()) {
                name = format!("{column}_{next}");
                next += 1;
            }
            object.insert(name, value.to_json());
        }
        serde_json::to_writer(&mut self.out, &Json::Object(object))?;
        Ok(())
    }

    fn record(&mut self, cells: impl Iterator<Item = String>) -> io::Result<()> {
        self.out.write_all(cells.collect::<Vec<_>>().join(",").as_bytes())?;
        self.out.write_all(b"\r\n")
    }
}

/// Nothing for NULL, `""` for the empty text.
fn csv_cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) if text.is_empty() => "\"\"".to_owned(),
        value => quoted(&words::plain(value)),
    }
}

fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) || text.trim() != text {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}
