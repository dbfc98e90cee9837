//! Indexes of values: keys that sort as their values do, each with the documents that have it.
//!
//! Which keys a document has is the caller's to say, when it takes them in and when it takes them out again. Changes are
//! gathered and written in the order of the index at the end of the transaction: neighbours in the index are then
//! written together.

use std::ops::{Bound, ControlFlow};

use rusqlite::types::ToSqlOutput;
use rusqlite::{Row, params, params_from_iter};

use crate::error::StoreError;
use crate::{CollectionRow, DocumentRow, Snapshot, Write};

/// Which index, within this database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexRow(pub i64);

/// Which way an index is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// From the lowest key up.
    #[default]
    Forward,
    /// From the highest key down.
    Backward,
}

/// A run of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRange<'a> {
    /// Where it begins.
    pub from: Bound<&'a [u8]>,
    /// Where it ends.
    pub to: Bound<&'a [u8]>,
    /// To go on after this key and document, in the direction of the walk.
    pub after: Option<(&'a [u8], DocumentRow)>,
}

impl KeyRange<'_> {
    /// The whole index.
    pub const ALL: Self = KeyRange { from: Bound::Unbounded, to: Bound::Unbounded, after: None };
}

impl<'a> KeyRange<'a> {
    /// One key.
    pub fn only(key: &'a [u8]) -> Self {
        Self { from: Bound::Included(key), to: Bound::Included(key), after: None }
    }

    /// The condition on `index_keys`, and what stands for its parameters, the index first.
    fn condition(self, index: IndexRow, direction: Direction) -> (String, Vec<ToSqlOutput<'a>>) {
        let mut sql = "index_row = ?".to_owned();
        let mut values = vec![ToSqlOutput::from(index.0)];
        let mut bound = |bound: Bound<&'a [u8]>, included: &str, excluded: &str| {
            let (condition, key) = match bound {
                Bound::Included(key) => (included, key),
                Bound::Excluded(key) => (excluded, key),
                Bound::Unbounded => return,
            };
            sql.push_str(condition);
            values.push(ToSqlOutput::from(key));
        };
        bound(self.from, " AND key >= ?", " AND key > ?");
        bound(self.to, " AND key <= ?", " AND key < ?");
        if let Some((key, document)) = self.after {
            sql.push_str(match direction {
                Direction::Forward => " AND (key, doc) > (?, ?)",
                Direction::Backward => " AND (key, doc) < (?, ?)",
            });
            values.extend([ToSqlOutput::from(key), ToSqlOutput::from(document)]);
        }
        (sql, values)
    }
}

impl Snapshot<'_> {
    /// A collection's indexes, each with its definition as the caller encoded it.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn indexes(&self, collection: CollectionRow) -> Result<Vec<(IndexRow, Vec<u8>)>, StoreError> {
        let mut statement = self.statement("SELECT row, definition FROM indexes WHERE collection = ?1 ORDER BY row")?;
        let rows = statement.query_map([collection.0], |row| Ok((IndexRow(row.get(0)?), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The indexes of all collections.
    pub(crate) fn all_indexes(&self) -> Result<Vec<IndexRow>, StoreError> {
        let mut statement = self.statement("SELECT row FROM indexes")?;
        let rows = statement.query_map([], |row| Ok(IndexRow(row.get(0)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Walks a run of an index, until the visitor breaks off. Equal keys come in the order of the documents' rows (backward:
    /// against it).
    ///
    /// Within a [`Write`], keys that it changed itself are seen after [`Write::write_keys`].
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read, and those of the visitor.
    pub fn index_keys<E: From<StoreError>>(
        &self,
        index: IndexRow,
        range: KeyRange<'_>,
        direction: Direction,
        mut visit: impl FnMut(&[u8], DocumentRow) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let (condition, values) = range.condition(index, direction);
        let order = match direction {
            Direction::Forward => "key, doc",
            Direction::Backward => "key DESC, doc DESC",
        };
        let mut statement =
            self.statement(&format!("SELECT key, doc FROM index_keys WHERE {condition} ORDER BY {order}"))?;
        let mut rows = statement.query(params_from_iter(values)).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            let document = row.get(1).map_err(StoreError::from)?;
            if visit(read_key(row).map_err(StoreError::from)?, document)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// How many keys a run of an index has, counted up to `most`.
    ///
    /// Within a [`Write`], keys that it changed itself are seen after [`Write::write_keys`].
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn count_keys(&self, index: IndexRow, range: KeyRange<'_>, most: u64) -> Result<u64, StoreError> {
        let (condition, mut values) = range.condition(index, Direction::Forward);
        values.push(ToSqlOutput::from(i64::try_from(most).unwrap_or(i64::MAX)));
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM index_keys WHERE {condition} LIMIT ?)");
        let mut statement = self.statement(&sql)?;
        Ok(statement.query_row(params_from_iter(values), |row| row.get::<_, i64>(0))?.unsigned_abs())
    }
}

fn read_key<'a>(row: &'a Row<'_>) -> rusqlite::Result<&'a [u8]> {
    Ok(row.get_ref(0)?.as_blob()?)
}

/// Keys to be taken in (`true`) or out (`false`) at the end of a transaction; of several changes of one, the last stands.
#[derive(Default)]
pub(crate) struct KeyChanges(Vec<(IndexRow, Vec<u8>, DocumentRow, bool)>);

impl KeyChanges {
    /// Changes that are gathered before they are written: about 50 MB of memory.
    const MOST: usize = 1 << 19;
}

impl Write<'_> {
    /// Makes an index of a collection; gives the one there is if it has one of this definition. It is empty at first: the
    /// caller takes in the keys of all documents, in this same transaction.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn add_index(&mut self, collection: CollectionRow, definition: &[u8]) -> Result<(IndexRow, bool), StoreError> {
        let mut statement = self.statement(
            "INSERT INTO indexes(collection, definition) VALUES (?1, ?2) ON CONFLICT DO NOTHING RETURNING row",
        )?;
        let mut rows = statement.query(params![collection.0, definition])?;
        if let Some(row) = rows.next()? {
            return Ok((IndexRow(row.get(0)?), true));
        }
        let mut statement = self.statement("SELECT row FROM indexes WHERE collection = ?1 AND definition = ?2")?;
        let row = statement.query_row(params![collection.0, definition], |row| row.get(0))?;
        Ok((IndexRow(row), false))
    }

    /// Drops an index and what stands in it.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn drop_index(&mut self, index: IndexRow) -> Result<(), StoreError> {
        self.key_changes.0.retain(|(changed, ..)| *changed != index);
        self.drop_text(index)?;
        self.drop_places(index)?;
        self.statement("DELETE FROM index_keys WHERE index_row = ?1")?.execute([index.0])?;
        self.statement("DELETE FROM indexes WHERE row = ?1")?.execute([index.0])?;
        Ok(())
    }

    /// Takes a key of a document into an index. One that is there already stays.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn insert_key(&mut self, index: IndexRow, key: Vec<u8>, document: DocumentRow) -> Result<(), StoreError> {
        self.change_key((index, key, document, true))
    }

    /// Takes a key of a document out of an index, if it is there.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn remove_key(&mut self, index: IndexRow, key: Vec<u8>, document: DocumentRow) -> Result<(), StoreError> {
        self.change_key((index, key, document, false))
    }

    /// Writes the gathered changes of all indexes now, so that this transaction sees them.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn write_keys(&mut self) -> Result<(), StoreError> {
        self.write_values()?;
        self.write_texts()?;
        self.write_places()
    }

    fn write_values(&mut self) -> Result<(), StoreError> {
        let mut changes = std::mem::take(&mut self.key_changes.0);
        if changes.is_empty() {
            return Ok(());
        }
        changes.sort_by(|a, b| (a.0, &a.1, a.2).cmp(&(b.0, &b.1, b.2)));
        let mut insert = self.statement("INSERT OR IGNORE INTO index_keys(index_row, key, doc) VALUES (?1, ?2, ?3)")?;
        let mut remove = self.statement("DELETE FROM index_keys WHERE index_row = ?1 AND key = ?2 AND doc = ?3")?;
        let mut changes = changes.into_iter().peekable();
        while let Some((index, key, document, inserted)) = changes.next() {
            let superseded = changes.peek().is_some_and(|next| (next.0, &next.1, next.2) == (index, &key, document));
            if !superseded {
                let statement = if inserted { &mut insert } else { &mut remove };
                statement.execute(params![index.0, key, document])?;
            }
        }
        Ok(())
    }

    fn change_key(&mut self, change: (IndexRow, Vec<u8>, DocumentRow, bool)) -> Result<(), StoreError> {
        self.key_changes.0.push(change);
        if self.key_changes.0.len() >= KeyChanges::MOST { self.write_values() } else { Ok(()) }
    }
}
