//! A backup of a database that is in use: all of it as it was at one moment, in a folder of its own.

use std::fs;
use std::io;
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};

use crate::ending;
use crate::error::{OpenError, StoreError};
use crate::files;
use crate::folder::Folder;
use crate::schema::{self, Layout, Purpose};
use crate::store::{self, Store};

/// Pages that are copied in one step: 4 MB.
const STEP: i32 = 1_000;

impl Store {
    /// Writes the database as it is now into a folder that has none, encrypted with the same key and locked by the same lock.
    /// Others read and write meanwhile. The folder gets its database file last, whole: before that it holds none.
    ///
    /// A key file is not part of it. Opened, it is a copy ([`Continuity::Restored`](crate::Continuity::Restored)).
    ///
    /// # Errors
    /// [`OpenError::Exists`] if the folder holds a database, and whatever the disk says; then it holds none.
    pub fn backup(&self, to: &Path) -> Result<(), OpenError> {
        let target = Folder::new(to, self.folder().keys());
        let (file, beside) = (target.database_file(), target.database_file().with_added_extension("new"));
        if target.has_database() {
            return Err(OpenError::Exists(to.to_owned()));
        }
        files::make_private_folder(to).map_err(OpenError::file(to))?;
        target.lock_like(self.folder())?;
        remove(&beside).map_err(OpenError::file(&beside))?;
        if let Err(error) = self.copy_into(&beside) {
            // A part of a copy is of no use.
            let _ = remove(&beside);
            return Err(error.into());
        }
        fs::rename(&beside, &file).map_err(OpenError::file(&file))?;
        files::sync_folder_of(&file).map_err(OpenError::file(&file))
    }

    fn copy_into(&self, file: &Path) -> Result<(), StoreError> {
        let _inside = ending::enter();
        let source =
            schema::connect(&self.folder().database_file(), self.key(), self.options(), Purpose::Read { cache: 64 })?;
        let mut copy = schema::connect(file, self.key(), self.options(), Purpose::Create(Layout::Shrinks))?;
        // Within a transaction, as a commit between two steps would make it begin again.
        source.execute_batch("BEGIN")?;
        store::others(&source)?;
        let backup = Backup::new(&source, &mut copy)?;
        loop {
            match backup.step(STEP)? {
                StepResult::Done => return Ok(()),
                StepResult::More => ending::stop_at_the_end(),
                _ => return Err(StoreError::Busy),
            }
        }
    }
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
