//! Collections and documents: views of the log, as bytes that this crate does not read.

use std::ops::ControlFlow;

use ayni_log::ids::{CollectionTag, DocumentId};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{OptionalExtension, Row, ToSql, params};

use crate::error::StoreError;
use crate::{EntryKey, ProjectRow, Snapshot, Write};

/// Which collection, within this database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CollectionRow(pub i64);

/// A document within this database: the number of its row. It means nothing elsewhere.
pub type DocumentRow = i64;

/// What can be found of documents without reading them. The caller gives them their meaning beyond these.
pub mod flags {
    /// It is deleted.
    pub const DELETED: u32 = 1;
    /// It has conflicts.
    pub const CONFLICTED: u32 = 2;
    /// Entries of it wait for others.
    pub const WAITING: u32 = 4;
    /// It shows what a conflict handler made.
    pub const HANDLED: u32 = 8;
}

/// A collection of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCollection {
    /// Which.
    pub row: CollectionRow,
    /// What headers name it by.
    pub tag: CollectionTag,
    /// Its name, where this device can read it.
    pub name: Option<String>,
}

/// A document as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its row.
    pub row: DocumentRow,
    /// Its collection.
    pub collection: CollectionRow,
    /// Its id.
    pub id: DocumentId,
    /// See [`flags`].
    pub flags: u32,
    /// The entries that no other entry of it names as parents.
    pub heads: Vec<EntryKey>,
    /// Its state, as the caller encoded it.
    pub body: Vec<u8>,
}

/// A document while it is visited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRef<'a> {
    /// Its row.
    pub row: DocumentRow,
    /// Its id.
    pub id: DocumentId,
    /// See [`flags`].
    pub flags: u32,
    /// The entries that no other entry of it names as parents.
    pub heads: Vec<EntryKey>,
    /// Its state, as the caller encoded it.
    pub body: &'a [u8],
}

const DOCUMENT: &str = "SELECT row, id, flags, heads, body, collection FROM documents";

impl Snapshot<'_> {
    /// A project's collections, in the order in which they became known here.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn collections(&self, project: ProjectRow) -> Result<Vec<StoredCollection>, StoreError> {
        let mut statement = self.statement("SELECT row, tag, name FROM collections WHERE project = ?1 ORDER BY row")?;
        let rows = statement.query_map([project.0], |row| {
            Ok(StoredCollection { row: CollectionRow(row.get(0)?), tag: CollectionTag(row.get(1)?), name: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A document by its row.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn document(&self, row: DocumentRow) -> Result<Option<Document>, StoreError> {
        let mut statement = self.statement(&format!("{DOCUMENT} WHERE row = ?1"))?;
        Ok(statement.query_row([row], read_document).optional()?)
    }

    /// A document of a collection by its id.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn document_by_id(&self, collection: CollectionRow, id: DocumentId) -> Result<Option<Document>, StoreError> {
        let mut statement = self.statement(&format!("{DOCUMENT} WHERE collection = ?1 AND id = ?2"))?;
        Ok(statement.query_row(params![collection.0, id.0.as_slice()], read_document).optional()?)
    }

    /// The row of a document, read from the index of ids alone.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn document_row(&self, collection: CollectionRow, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
        let mut statement = self.statement("SELECT row FROM documents WHERE collection = ?1 AND id = ?2")?;
        Ok(statement.query_row(params![collection.0, id.0.as_slice()], |row| row.get(0)).optional()?)
    }

    /// How many documents a collection has, deleted ones included.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn document_count(&self, collection: CollectionRow) -> Result<u64, StoreError> {
        let mut statement = self.statement("SELECT count(*) FROM documents WHERE collection = ?1")?;
        Ok(statement.query_row([collection.0], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// How many documents of a collection have any of the flags `with`, and none of `without`.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn flagged_count(&self, collection: CollectionRow, with: u32, without: u32) -> Result<u64, StoreError> {
        let mut statement = self.statement(
            "SELECT count(*) FROM documents INDEXED BY flagged
            WHERE collection = ?1 AND flags <> 0 AND (flags & ?2) <> 0 AND (flags & ?3) = 0",
        )?;
        let count = statement.query_row(params![collection.0, with, without], |row| row.get::<_, i64>(0))?;
        Ok(count.unsigned_abs())
    }

    /// Visits a collection's documents in the order of their rows, which is the fastest, until the visitor breaks off.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read, and those of the visitor.
    pub fn documents<E: From<StoreError>>(
        &self,
        collection: CollectionRow,
        after: Option<DocumentRow>,
        visit: impl FnMut(DocumentRef<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let from = "FROM documents NOT INDEXED WHERE collection = ?1 AND row > ?2 ORDER BY row";
        self.visit_documents(from, params![collection.0, after.unwrap_or(0)], visit)
    }

    /// Visits a collection's documents in the order of their ids, which is the same on every device, until the visitor
    /// breaks off.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read, and those of the visitor.
    pub fn documents_by_id<E: From<StoreError>>(
        &self,
        collection: CollectionRow,
        after: Option<DocumentId>,
        visit: impl FnMut(DocumentRef<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let from = "FROM documents WHERE collection = ?1 AND id > ?2 ORDER BY id";
        // An empty blob sorts before every id.
        let after: &[u8] = after.as_ref().map_or(&[], |id| id.0.as_slice());
        self.visit_documents(from, params![collection.0, after], visit)
    }

    /// Visits those of a collection's documents that have any of the given flags; costs by their number alone.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read, and those of the visitor.
    pub fn flagged_documents<E: From<StoreError>>(
        &self,
        collection: CollectionRow,
        flags: u32,
        visit: impl FnMut(DocumentRef<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let from = "FROM documents INDEXED BY flagged WHERE collection = ?1 AND flags <> 0 AND (flags & ?2) <> 0
            ORDER BY flags, row";
        self.visit_documents(from, params![collection.0, flags], visit)
    }

    fn visit_documents<E: From<StoreError>>(
        &self,
        from: &str,
        params: impl rusqlite::Params,
        mut visit: impl FnMut(DocumentRef<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let mut statement = self.statement(&format!("SELECT row, id, flags, heads, body {from}"))?;
        let mut rows = statement.query(params).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            if visit(document_ref(row).map_err(StoreError::from)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Write<'_> {
    /// Takes in a collection; gives the one there is if it is here, and notes its name if that became readable.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn add_collection(
        &mut self,
        project: ProjectRow,
        tag: CollectionTag,
        name: Option<&str>,
    ) -> Result<CollectionRow, StoreError> {
        let mut statement = self.statement(
            "INSERT INTO collections(project, tag, name) VALUES (?1, ?2, ?3)
             ON CONFLICT(project, tag) DO UPDATE SET name = coalesce(excluded.name, name) RETURNING row",
        )?;
        Ok(statement.query_row(params![project.0, tag.0.as_slice(), name], |row| row.get(0).map(CollectionRow))?)
    }

    /// Takes in a document that is not here; `None`, and nothing done, if one with its id is.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn insert_document(
        &mut self,
        collection: CollectionRow,
        id: DocumentId,
        flags: u32,
        heads: &[EntryKey],
        body: &[u8],
    ) -> Result<Option<DocumentRow>, StoreError> {
        let mut statement = self.statement(
            "INSERT INTO documents(collection, id, flags, heads, body) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
        )?;
        let inserted = statement.execute(params![collection.0, id.0.as_slice(), flags, Heads(heads), body])? > 0;
        drop(statement);
        if !inserted {
            return Ok(None);
        }
        let row = self.last_insert_row();
        self.place_changes.added(row);
        Ok(Some(row))
    }

    /// Replaces the state of a document.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] if there is no such document.
    pub fn update_document(
        &mut self,
        row: DocumentRow,
        flags: u32,
        heads: &[EntryKey],
        body: &[u8],
    ) -> Result<(), StoreError> {
        let mut statement = self.statement("UPDATE documents SET flags = ?2, heads = ?3, body = ?4 WHERE row = ?1")?;
        match statement.execute(params![row, flags, Heads(heads), body])? {
            1 => Ok(()),
            _ => Err(StoreError::Misuse("a document that is not here")),
        }
    }
}

/// One head, as nearly every document has, is an integer of six bytes or so; more are eight bytes each.
struct Heads<'a>(&'a [EntryKey]);

impl ToSql for Heads<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            [head] => ToSqlOutput::from(*head),
            heads => ToSqlOutput::Owned(Value::Blob(heads.iter().flat_map(|head| head.to_be_bytes()).collect())),
        })
    }
}

fn read_heads(value: ValueRef<'_>) -> Vec<EntryKey> {
    match value {
        ValueRef::Integer(head) => vec![head],
        ValueRef::Blob(heads) => heads.as_chunks::<8>().0.iter().map(|head| i64::from_be_bytes(*head)).collect(),
        _ => Vec::new(),
    }
}

fn document_ref<'a>(row: &'a Row<'_>) -> rusqlite::Result<DocumentRef<'a>> {
    Ok(DocumentRef {
        row: row.get(0)?,
        id: DocumentId(row.get(1)?),
        flags: row.get(2)?,
        heads: read_heads(row.get_ref(3)?),
        body: row.get_ref(4)?.as_blob()?,
    })
}

fn read_document(row: &Row<'_>) -> rusqlite::Result<Document> {
    let DocumentRef { row: number, id, flags, heads, body } = document_ref(row)?;
    Ok(Document { row: number, collection: CollectionRow(row.get(5)?), id, flags, heads, body: body.to_vec() })
}
