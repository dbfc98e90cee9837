//! Which tables SQL has in a project: one for each collection.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use ayni_doc::Path;
use ayni_log::ids::DeviceId;
use ayni_store::sql::SqlTable;
use ayni_store::{CollectionRow, IndexRow, SharedSnapshot};

use super::Cost;
use super::columns::{Column, Content, Names, columns, fields_of};
use super::patience::Patience;
use super::rows::Meter;
use super::table::CollectionTable;
use crate::core::indexing::{KnownIndex, read_indexes};
use crate::error::Error;
use crate::index::Index;
use crate::project::Project;
use crate::schema::{FieldType, Schema};

/// Names that mean something to SQLite already.
const TAKEN: [&str; 6] =
    ["json_each", "json_tree", "sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema"];

/// A table that SQL has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableInfo {
    /// Its name in SQL.
    pub name: String,
    /// The collection that it shows. It has the same name, unless that was taken.
    pub collection: String,
    /// Its columns.
    pub columns: Vec<ColumnInfo>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ColumnInfo {
    /// Its name in SQL.
    pub name: String,
    /// The field that it shows; `None` for what every document has.
    pub field: Option<Path>,
    /// The types that the schema names for the field; none: it can be anything.
    pub types: Vec<FieldType>,
    /// `SELECT *` leaves it out.
    pub hidden: bool,
}

/// The tables of a project, as of the moment of a snapshot.
pub(super) struct Catalog {
    tables: Vec<Arc<CollectionTable>>,
    meter: Arc<Meter>,
}

/// What all tables of a question share.
pub(super) struct Source {
    pub(super) project: Project,
    pub(super) snapshot: SharedSnapshot,
    pub(super) patience: Patience,
    pub(super) meter: Arc<Meter>,
    /// The names of devices.
    pub(super) names: BTreeMap<DeviceId, String>,
    /// What the store counted just before the snapshot.
    revision: i64,
}

impl Catalog {
    /// Runs `work` on the tables of a project at one moment.
    pub(super) fn open<T>(
        project: &Project,
        patience: &Patience,
        work: impl FnOnce(&Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let published = project.published()?;
        let store = &project.database.inner.store;
        let revision = store.revision()?;
        store.read_shared(|snapshot| {
            let meter = Arc::new(Meter::default());
            let source = Arc::new(Source {
                project: project.clone(),
                snapshot: snapshot.clone(),
                patience: patience.clone(),
                meter: meter.clone(),
                names: published.names.clone(),
                revision,
            });
            let mut names = Names::without(TAKEN);
            let table = |(collection, row): (&String, &CollectionRow)| {
                let schema = published.schemas.get(collection).map(|known| known.schema.clone());
                let name = names.add(collection);
                Arc::new(CollectionTable::new(source.clone(), name, collection.clone(), *row, schema))
            };
            let tables = published.collections.iter().map(table).collect();
            drop(source);
            work(&Self { tables, meter })
        })
    }

    /// As SQL takes them.
    pub(super) fn tables(&self) -> Vec<(String, Arc<dyn SqlTable>)> {
        self.tables.iter().map(|table| (table.name.clone(), table.clone() as Arc<dyn SqlTable>)).collect()
    }

    /// As people are told of them.
    pub(super) fn told(&self) -> Result<Vec<TableInfo>, Error> {
        let column = |column: &Column| ColumnInfo {
            name: column.name.clone(),
            field: match &column.content {
                Content::Field(path) => Some(path.clone()),
                _ => None,
            },
            types: column.types.clone(),
            hidden: column.is_hidden(),
        };
        let table = |table: &Arc<CollectionTable>| {
            Ok(TableInfo {
                name: table.name.clone(),
                collection: table.collection.clone(),
                columns: table.known_columns()?.iter().map(column).collect(),
            })
        };
        self.tables.iter().map(table).collect()
    }

    /// What it cost to read them.
    pub(super) fn cost(&self, rows: u64) -> Cost {
        let name = |row: &IndexRow| {
            let known = |table: &Arc<CollectionTable>| {
                let index = table.known_indexes().iter().find(|known| known.row == *row)?;
                Some((table.collection.clone(), index.index.clone()))
            };
            self.tables.iter().find_map(known)
        };
        let (read, keys, documents) = self.meter.read();
        let indexes: Vec<(String, Index)> = read.iter().filter_map(name).collect();
        Cost { indexes, keys, documents, rows }
    }
}

impl Source {
    /// The columns of a collection.
    pub(super) fn columns(&self, row: CollectionRow, schema: Option<&Schema>) -> Result<Vec<Column>, Error> {
        if let Some(schema) = schema {
            let fields: Vec<String> = schema.field_names().map(str::to_owned).collect();
            return Ok(columns(&fields, Some(schema)));
        }
        Ok(columns(&self.fields(row)?, None))
    }

    /// The fields of a collection without a schema. To look at all documents takes as long as many a question, so what was
    /// found is kept for as long as nothing is written.
    fn fields(&self, row: CollectionRow) -> Result<Arc<[String]>, Error> {
        let known = || self.project.core.sql_fields.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut known = known();
            if known.revision != self.revision {
                known.revision = self.revision;
                known.fields.clear();
            } else if let Some(fields) = known.fields.get(&row) {
                return Ok(fields.clone());
            }
        }
        let fields: Arc<[String]> = self.snapshot.with(|snapshot| fields_of(snapshot, row, &self.patience))?.into();
        let mut known = known();
        if known.revision == self.revision {
            known.fields.insert(row, fields.clone());
        }
        Ok(fields)
    }

    /// The indexes of a collection that can be read. They are those of the snapshot: what is known in memory may be of
    /// another moment, and another process can drop one and make another.
    pub(super) fn indexes(&self, row: CollectionRow) -> Result<Vec<KnownIndex>, Error> {
        let project = self.project.core.row;
        let mut indexes = self.snapshot.with(|snapshot| read_indexes(snapshot, project, row))?;
        indexes.retain(|known| known.complete);
        Ok(indexes)
    }
}
