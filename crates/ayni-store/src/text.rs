//! Text indexes: which documents have which words, in one FTS5 table for each index.
//!
//! What is a word, and how it is written, is the caller's to say: a text comes as its tokens with spaces between, and is
//! taken apart at the spaces again. The tables keep no text, only where its tokens stand (they are "contentless").
//! Each is made when the first document takes its place in it.
//!
//! Changes are gathered and written in the order of the documents at the end of the transaction: FTS5 writes what it holds
//! in memory whenever a document comes that is before the last.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rusqlite::types::Value;
use rusqlite::{params, params_from_iter};

use crate::error::StoreError;
use crate::{DocumentRow, IndexRow, Snapshot, Write};

/// Tokens that are looked for one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextPhrase {
    /// The tokens: letters, digits, marks, and signs beyond ASCII.
    pub tokens: Vec<String>,
    /// The last need only begin so.
    pub prefix: bool,
}

/// What is looked for in a text index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextQuery {
    /// Of each of these, at least one phrase stands in the document. At least one is needed.
    pub all: Vec<Vec<TextPhrase>>,
    /// None of these stands in it.
    pub none: Vec<TextPhrase>,
    /// In which columns; `None`: in any.
    pub columns: Option<Vec<usize>>,
}

impl TextQuery {
    /// In FTS5's language. Every token stands in quotes.
    fn expression(&self) -> String {
        let any = |phrases: &[TextPhrase]| phrases.iter().map(phrase).collect::<Vec<_>>().join(" OR ");
        let groups: Vec<String> = self.all.iter().map(|phrases| format!("({})", any(phrases))).collect();
        let mut expression = groups.join(" AND ");
        if !self.none.is_empty() {
            expression = format!("({expression}) NOT ({})", any(&self.none));
        }
        match &self.columns {
            Some(columns) => format!("{{{}}} : ({expression})", columns_named(columns.iter().copied()).join(" ")),
            None => expression,
        }
    }
}

fn phrase(phrase: &TextPhrase) -> String {
    let tokens = phrase.tokens.join(" ").replace('"', "\"\"");
    format!("\"{tokens}\"{}", if phrase.prefix { " *" } else { "" })
}

fn columns_named(columns: impl Iterator<Item = usize>) -> Vec<String> {
    columns.map(|column| format!("c{column}")).collect()
}

/// The table of an index.
fn table(index: IndexRow) -> String {
    format!("text_{}", index.0)
}

/// What the tables of text indexes are called, and those that FTS5 keeps for them.
pub(crate) const TABLES: &str = "text_[0-9]*";

/// Bytes of one of FTS5's blocks, so that its row has room on a page that is encrypted.
const BLOCK: u64 = 3_970;

impl Snapshot<'_> {
    /// Visits the documents in which what is looked for stands, each with its rank by BM25 (as FTS5 computes it: the lower
    /// the better; up to SQLite 3.53 texts that were replaced still count in how many there are and how long), until the visitor breaks off: the best first if `ranked`, else in the order of their rows, with 0.
    ///
    /// Within a [`Write`], texts that it changed itself are seen after [`Write::write_keys`].
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read, and those of the visitor.
    pub fn text_matches<E: From<StoreError>>(
        &self,
        index: IndexRow,
        query: &TextQuery,
        ranked: bool,
        mut visit: impl FnMut(DocumentRow, f64) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let table = table(index);
        if !self.has_table(&table)? {
            return Ok(());
        }
        let (rank, order) = if ranked { ("rank", "rank, rowid") } else { ("0.0", "rowid") };
        let sql = format!("SELECT rowid, {rank} FROM {table} WHERE {table} MATCH ?1 ORDER BY {order}");
        let mut statement = self.statement(&sql)?;
        let mut rows = statement.query([query.expression()]).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            let document = row.get(0).map_err(StoreError::from)?;
            if visit(document, row.get(1).map_err(StoreError::from)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// In how many documents what is looked for stands, counted up to `most`.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn count_text(&self, index: IndexRow, query: &TextQuery, most: u64) -> Result<u64, StoreError> {
        let table = table(index);
        if !self.has_table(&table)? {
            return Ok(0);
        }
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {table} MATCH ?1 LIMIT ?2)");
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut statement = self.statement(&sql)?;
        Ok(statement.query_row(params![query.expression(), most], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    pub(crate) fn has_table(&self, name: &str) -> Result<bool, StoreError> {
        let mut statement = self.statement("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1)")?;
        Ok(statement.query_row([name], |row| row.get(0))?)
    }
}

/// Texts to be set (or with `None` taken out) at the end of a transaction.
#[derive(Default)]
pub(crate) struct TextChanges {
    changes: BTreeMap<(IndexRow, DocumentRow), Option<Vec<String>>>,
    bytes: usize,
}

impl TextChanges {
    /// Bytes of text that are gathered before they are written.
    const MOST: usize = 16 << 20;
    /// What one change takes beside its text, at least.
    const EACH: usize = 100;

    pub(crate) fn forget(&mut self, index: IndexRow) {
        self.changes.retain(|(changed, _), _| *changed != index);
    }
}

impl Write<'_> {
    /// Says which texts of a document stand in a text index, in the place of those before: for each column the tokens with
    /// spaces between. The index has as many columns as its first document.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn set_text(&mut self, index: IndexRow, document: DocumentRow, columns: Vec<String>) -> Result<(), StoreError> {
        self.change_text(index, document, Some(columns))
    }

    /// Takes a document out of a text index, if it is there.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn remove_text(&mut self, index: IndexRow, document: DocumentRow) -> Result<(), StoreError> {
        self.change_text(index, document, None)
    }

    fn change_text(
        &mut self,
        index: IndexRow,
        document: DocumentRow,
        columns: Option<Vec<String>>,
    ) -> Result<(), StoreError> {
        let gathered = &mut self.text_changes;
        let bytes: usize = columns.iter().flatten().map(String::len).sum();
        gathered.bytes = gathered.bytes.saturating_add(bytes).saturating_add(TextChanges::EACH);
        gathered.changes.insert((index, document), columns);
        if gathered.bytes >= TextChanges::MOST { self.write_texts() } else { Ok(()) }
    }

    pub(crate) fn write_texts(&mut self) -> Result<(), StoreError> {
        let changes = std::mem::take(&mut self.text_changes).changes;
        let mut made = None;
        for ((index, document), columns) in changes {
            let table = table(index);
            if made != Some(index) {
                let exists = self.has_table(&table)?;
                match columns.as_ref().map(Vec::len) {
                    Some(columns) if !exists => self.make_text_table(&table, columns)?,
                    None if !exists => continue,
                    _ => {}
                }
                made = Some(index);
            }
            let Some(columns) = columns else {
                self.statement(&format!("DELETE FROM {table} WHERE rowid = ?1"))?.execute([document])?;
                continue;
            };
            let names = columns_named(0..columns.len()).join(", ");
            let places = vec!["?"; columns.len()].join(", ");
            let sql = format!("INSERT OR REPLACE INTO {table}(rowid, {names}) VALUES (?, {places})");
            let values = columns.into_iter().map(Value::Text);
            self.statement(&sql)?.execute(params_from_iter(std::iter::once(Value::Integer(document)).chain(values)))?;
        }
        Ok(())
    }

    fn make_text_table(&self, table: &str, columns: usize) -> Result<(), StoreError> {
        let names = columns_named(0..columns).join(", ");
        // To the tokenizer `ascii` everything beyond ASCII is a letter, and so it changes no token.
        let sql = format!(
            "CREATE VIRTUAL TABLE {table} USING fts5({names}, content = '', contentless_delete = 1, tokenize = 'ascii')"
        );
        self.statement(&sql)?.execute([])?;
        self.statement(&format!("INSERT INTO {table}({table}, rank) VALUES ('pgsz', {BLOCK})"))?.execute([])?;
        Ok(())
    }

    /// Drops the table of an index, if it has one.
    pub(crate) fn drop_text(&mut self, index: IndexRow) -> Result<(), StoreError> {
        self.text_changes.forget(index);
        self.statement(&format!("DROP TABLE IF EXISTS {}", table(index)))?.execute([])?;
        Ok(())
    }
}
