//! Giving room that nothing uses any more back to the disk.

use std::ops::ControlFlow;

pub use ayni_store::{CompactProgress, Compacted, Hindrance};

use crate::database::Database;
use crate::error::Error;

impl Database {
    /// Gives room that nothing uses any more, such as that of an index that was dropped, back to the disk. Others read and
    /// write meanwhile, also in other processes: it is done in small pieces, each durable, with a pause after it. It takes little
    /// memory, and writes nothing outside of the database's files. `progress` is told after each piece and can stop it there;
    /// what is done stays done, also after an error or a crash.
    ///
    /// The room is used again for new data anyway, so there is seldom need for it: after something large was dropped, or when the
    /// disk is short. [`Compacted::hindrance`] says what kept it from giving
    /// back all there is.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// # let temporary = tempfile::tempdir()?;
    /// # let folder = temporary.path();
    /// # let database = ayni::Database::create(&folder.join("db"), "Ana", ayni::Options::new(folder.join("keys")))?;
    /// let compacted = database.compact(|progress| {
    ///     println!("{} bytes given back, {} to go", progress.given, progress.free);
    ///     ControlFlow::Continue(())
    /// })?;
    /// println!("{} bytes before, {} after", compacted.before, compacted.after);
    /// assert_eq!(compacted.hindrance, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Nested`] inside of [`Project::write`](crate::Project::write), and whatever the disk says: that it is full if not
    /// even a piece (4 MB) has room.
    pub fn compact(&self, progress: impl FnMut(CompactProgress) -> ControlFlow<()>) -> Result<Compacted, Error> {
        let compacted = self.inner.store.compact(progress)?;
        tracing::info!(?compacted, "compacted");
        Ok(compacted)
    }

    /// Bytes in the database's file that nothing uses, and that [`Database::compact`] would give back.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn free_bytes(&self) -> Result<u64, Error> {
        Ok(self.inner.store.free_bytes()?)
    }
}
