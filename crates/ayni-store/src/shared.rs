//! A snapshot that can be handed around: for what asks again and again, between other things.

use std::sync::{Arc, Mutex, PoisonError};

use crate::ending;
use crate::error::StoreError;
use crate::readers::Reader;
use crate::{Snapshot, Store};

/// The state of the database after some commit, for several who read it in turns. Cheap to clone.
///
/// As long as one is kept, the database keeps what it shows: let go of all soon.
#[derive(Clone)]
pub struct SharedSnapshot(Arc<Mutex<Reader>>);

impl SharedSnapshot {
    /// Runs `work` on the snapshot. Within it no other of its clones can be asked.
    pub fn with<T>(&self, work: impl FnOnce(&Snapshot<'_>) -> T) -> T {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _inside = ending::enter();
        work(&Snapshot::new(&connection))
    }
}

impl Store {
    /// Like [`Store::read`], with a snapshot that can be handed around. Clones that outlive `work` hold on to it.
    ///
    /// # Errors
    /// Those of `work`, and [`StoreError`] for the beginning.
    pub fn read_shared<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&SharedSnapshot) -> Result<T, E>,
    ) -> Result<T, E> {
        let reader = self.reader()?;
        let inside = ending::enter();
        reader.execute_batch("BEGIN").map_err(StoreError::from)?;
        drop(inside);
        let shared = SharedSnapshot(Arc::new(Mutex::new(reader)));
        shared.with(|snapshot| snapshot.begin())?;
        let result = work(&shared);
        let _inside = ending::enter();
        // Nothing was written. A connection on which anything failed is not used again.
        if result.is_ok()
            && let Some(reader) = Arc::into_inner(shared.0)
            && let Ok(reader) = reader.into_inner()
            && reader.execute_batch("ROLLBACK").is_ok()
        {
            reader.keep();
        }
        result
    }
}
