//! What a transaction is to its caller: a snapshot to read, or a write that can also read.
//!
//! Their methods stand with what they are about: [branches](crate::branches), [entries](crate::entries),
//! [documents](crate::documents), indexes of [values](crate::index), [text](crate::text) and [places](crate::places), and [notes](crate::notes).

use std::ops::Deref;

use rusqlite::{CachedStatement, Connection};

use crate::error::StoreError;
use crate::index::KeyChanges;
use crate::places::PlaceChanges;
use crate::store;
use crate::text::TextChanges;

/// The state of the database after some commit.
pub struct Snapshot<'c> {
    connection: &'c Connection,
}

impl<'c> Snapshot<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { connection }
    }

    /// Makes this the moment of which it is the snapshot.
    pub(crate) fn begin(&self) -> Result<(), StoreError> {
        store::others(self.connection).map(|_| ())
    }

    /// The row of the last insertion.
    pub(crate) fn last_insert_row(&self) -> i64 {
        self.connection.last_insert_rowid()
    }

    /// The statement for `sql`, made once for each connection.
    pub(crate) fn statement(&self, sql: &str) -> Result<CachedStatement<'c>, StoreError> {
        Ok(self.connection.prepare_cached(sql)?)
    }
}

/// A write that is under way. It reads what it wrote itself.
pub struct Write<'c> {
    snapshot: Snapshot<'c>,
    pub(crate) key_changes: KeyChanges,
    pub(crate) text_changes: TextChanges,
    pub(crate) place_changes: PlaceChanges,
    /// Whether one of the device's own logs grew.
    pub(crate) own_grew: bool,
    settled: Option<[u8; 16]>,
}

/// What is to be done outside the database once a write is durable.
pub(crate) struct Outcome {
    pub(crate) settled: Option<[u8; 16]>,
    pub(crate) own_entries: Option<u64>,
}

impl<'c> Deref for Write<'c> {
    type Target = Snapshot<'c>;

    fn deref(&self) -> &Snapshot<'c> {
        &self.snapshot
    }
}

impl<'c> Write<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self {
            snapshot: Snapshot::new(connection),
            key_changes: KeyChanges::default(),
            text_changes: TextChanges::default(),
            place_changes: PlaceChanges::default(),
            own_grew: false,
            settled: None,
        }
    }

    /// A number that is another once something was committed by another process (or by another opening of the same folder
    /// in this one); own commits do not change it. It costs a microsecond and means something within this opening only.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn others(&self) -> Result<i64, StoreError> {
        store::others(self.snapshot.connection)
    }

    /// After [`Continuity::Restored`](crate::Continuity::Restored), in the transaction that begins the new incarnation: this
    /// folder is an instance of its own from now on. `instance` is 16 fresh random bytes.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn settle(&mut self, instance: [u8; 16]) -> Result<(), StoreError> {
        store::write_instance(self.snapshot.connection, instance, 1)?;
        self.settled = Some(instance);
        self.own_grew = true;
        Ok(())
    }

    /// Writes what was held back for the end.
    pub(crate) fn finish(mut self) -> Result<Outcome, StoreError> {
        self.write_keys()?;
        let own_entries = if self.own_grew { Some(store::own_entries(self.snapshot.connection)?) } else { None };
        Ok(Outcome { settled: self.settled, own_entries })
    }
}
