//! Geometry indexes: in which boxes of longitudes and latitudes documents lie, in one R*Tree table for each index.
//!
//! A document lies in up to [`MOST_BOXES`] boxes: what crosses the date line has one on each side of it. Which these are is
//! the caller's to say. SQLite keeps them with 32 bits for each bound, rounded outwards, so a box that is looked up finds all
//! that meet it and perhaps a few that lie close by. Each table is made when the first document takes its place in it.

use std::collections::BTreeMap;

use rusqlite::params;

use crate::error::StoreError;
use crate::{DocumentRow, IndexRow, Snapshot, Write};

/// Boxes in which a document lies at most.
pub const MOST_BOXES: usize = 2;

/// A box, in degrees. Its west is not east of its east.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlaceBox {
    /// The least longitude.
    pub west: f64,
    /// The least latitude.
    pub south: f64,
    /// The greatest longitude.
    pub east: f64,
    /// The greatest latitude.
    pub north: f64,
}

/// The table of an index.
fn table(index: IndexRow) -> String {
    format!("places_{}", index.0)
}

/// What the tables of geometry indexes are called, and those that R*Tree keeps for them.
pub(crate) const TABLES: &str = "places_[0-9]*";

/// The id under which a box of a document stands: the document's row × [`MOST_BOXES`] + the number of the box.
fn id(document: DocumentRow, number: usize) -> i64 {
    document.saturating_mul(MOST_BOXES as i64).saturating_add(number as i64)
}

const MEETS: &str = "west <= ?3 AND east >= ?1 AND south <= ?4 AND north >= ?2";

impl Snapshot<'_> {
    /// The documents whose boxes meet one of these, each once, in the order of their rows.
    ///
    /// Within a [`Write`], boxes that it changed itself are seen after [`Write::write_keys`].
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn documents_in_boxes(&self, index: IndexRow, boxes: &[PlaceBox]) -> Result<Vec<DocumentRow>, StoreError> {
        let table = table(index);
        let mut found = Vec::new();
        if !self.has_table(&table)? {
            return Ok(found);
        }
        let mut statement = self.statement(&format!("SELECT id FROM {table} WHERE {MEETS}"))?;
        for PlaceBox { west, south, east, north } in boxes {
            let mut rows = statement.query(params![west, south, east, north])?;
            while let Some(row) = rows.next()? {
                found.push(row.get::<_, i64>(0)?.div_euclid(MOST_BOXES as i64));
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// How many boxes of documents meet one of these, counted up to `most`.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn count_boxes(&self, index: IndexRow, boxes: &[PlaceBox], most: u64) -> Result<u64, StoreError> {
        let table = table(index);
        if !self.has_table(&table)? {
            return Ok(0);
        }
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {MEETS} LIMIT ?5)");
        let mut statement = self.statement(&sql)?;
        let mut count = 0_u64;
        for PlaceBox { west, south, east, north } in boxes {
            let rest = i64::try_from(most.saturating_sub(count)).unwrap_or(i64::MAX);
            let met = statement.query_row(params![west, south, east, north, rest], |row| row.get::<_, i64>(0))?;
            count = count.saturating_add(met.unsigned_abs());
        }
        Ok(count)
    }
}

/// Boxes to be set at the end of a transaction, or none to take a document out.
#[derive(Default)]
pub(crate) struct PlaceChanges {
    changes: BTreeMap<(IndexRow, DocumentRow), Vec<PlaceBox>>,
    /// Documents from this one on were added since boxes were last written: none of them has any yet.
    new_from: Option<DocumentRow>,
}

impl PlaceChanges {
    /// Changes that are gathered before they are written: about 20 MB of memory.
    const MOST: usize = 1 << 17;

    pub(crate) fn forget(&mut self, index: IndexRow) {
        self.changes.retain(|(changed, _), _| *changed != index);
    }

    /// A document was added; each has a greater row than those before.
    pub(crate) fn added(&mut self, document: DocumentRow) {
        self.new_from.get_or_insert(document);
    }
}

impl Write<'_> {
    /// Says in which boxes a document lies, in the place of those before; none takes it out of the index.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    ///
    /// # Panics
    /// For more than [`MOST_BOXES`].
    pub fn set_boxes(
        &mut self,
        index: IndexRow,
        document: DocumentRow,
        boxes: Vec<PlaceBox>,
    ) -> Result<(), StoreError> {
        assert!(boxes.len() <= MOST_BOXES, "a document lies in {} boxes", boxes.len());
        self.place_changes.changes.insert((index, document), boxes);
        if self.place_changes.changes.len() >= PlaceChanges::MOST { self.write_places() } else { Ok(()) }
    }

    pub(crate) fn write_places(&mut self) -> Result<(), StoreError> {
        let mut made = None;
        let PlaceChanges { changes, new_from } = std::mem::take(&mut self.place_changes);
        for ((index, document), boxes) in changes {
            let table = table(index);
            if made != Some(index) {
                let sql =
                    format!("CREATE VIRTUAL TABLE IF NOT EXISTS {table} USING rtree(id, west, east, south, north)");
                self.statement(&sql)?.execute([])?;
                made = Some(index);
            }
            if new_from.is_none_or(|new| document < new) {
                let mut remove = self.statement(&format!("DELETE FROM {table} WHERE id = ?1"))?;
                for number in 0..MOST_BOXES {
                    remove.execute([id(document, number)])?;
                }
            }
            let mut insert = self.statement(&format!("INSERT OR REPLACE INTO {table} VALUES (?1, ?2, ?3, ?4, ?5)"))?;
            for (number, PlaceBox { west, south, east, north }) in boxes.into_iter().enumerate() {
                insert.execute(params![id(document, number), west, east, south, north])?;
            }
        }
        Ok(())
    }

    /// Drops the table of an index, if it has one.
    pub(crate) fn drop_places(&mut self, index: IndexRow) -> Result<(), StoreError> {
        self.place_changes.forget(index);
        self.statement(&format!("DROP TABLE IF EXISTS {}", table(index)))?.execute([])?;
        Ok(())
    }
}
