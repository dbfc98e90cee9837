//! Giving room that nothing uses any more back to the disk, while others read and write.
//!
//! A database notes of each page what points to it (SQLite's `auto_vacuum = INCREMENTAL`), so the last pages of the file can
//! take the place of free ones, and the file be cut off after them. That is done in pieces. Each is a transaction like any
//! other: encrypted page by page, safe from a power cut, and between two of them whoever waits has a turn. Nothing is written
//! anywhere else, and no more is held in memory than the writer's cache.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::StoreError;
use crate::rescue::with_suffix;
use crate::schema::PAGE_BYTES;
use crate::store::Store;
use crate::{Snapshot, Write, text};

/// Pages that move in one transaction: 4 MB.
const PIECE: u64 = 1_000;
/// Pages of a text index that are merged in one transaction.
const MERGE_PIECE: i64 = 500;
/// The longest pause between two pieces. Each is as long as the piece before it took, so that others get half of the time:
/// another process looks again every tenth of a second.
const LONGEST_PAUSE: Duration = Duration::from_millis(150);
/// Bytes of the write-ahead log above which it is moved into the database before compaction goes on.
const LONGEST_LOG: u64 = 32 << 20;
/// How long readers are waited for, each time; nobody writes meanwhile.
const WAIT_FOR_READERS: Duration = Duration::from_secs(1);
/// How often.
const WAITS: u32 = 3;

/// How far a compaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CompactProgress {
    /// Bytes that were taken off the file so far.
    pub given: u64,
    /// Bytes in the file that nothing uses.
    pub free: u64,
}

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// Bytes on the disk before: of the database's file and its write-ahead log.
    pub before: u64,
    /// Bytes on the disk after.
    pub after: u64,
    /// Bytes in the file that nothing uses, and that are used again before it grows.
    pub free: u64,
    /// What kept it from giving back all there is.
    pub hindrance: Option<Hindrance>,
}

/// What keeps a compaction from giving back all there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hindrance {
    /// The database was made by a program that could not compact yet, so its file cannot become shorter.
    FixedFile,
    /// Somebody reads the database as it was before, or writes without a pause. The file becomes shorter with a later commit
    /// or compaction.
    InUse,
    /// It was asked to stop.
    Stopped,
}

impl Store {
    /// Gives room that nothing uses back to the disk: merges what text indexes keep of texts that are gone, moves the last
    /// pages of the file into free ones and cuts it off. Others read and write meanwhile. `progress` is told after each
    /// piece, and can stop it there; what is done by then stays done, as it does after an error or a crash.
    ///
    /// # Errors
    /// [`StoreError::Nested`] inside of a transaction, [`StoreError::Full`] where the log has no room for a piece, and whatever
    /// the disk says.
    pub fn compact(
        &self,
        mut progress: impl FnMut(CompactProgress) -> ControlFlow<()>,
    ) -> Result<Compacted, StoreError> {
        let before = self.bytes_on_disk()?;
        let shrinks = self.read(|snapshot| snapshot.shrinks())?;
        let mut hindrance = self.merge_texts(&mut progress)?;
        if shrinks && hindrance.is_none() {
            hindrance = self.shrink(&mut progress)?;
        }
        if !self.move_log()? && hindrance.is_none() {
            hindrance = Some(Hindrance::InUse);
        }
        let free = self.free_bytes()?;
        if !shrinks && free > 0 && hindrance.is_none() {
            hindrance = Some(Hindrance::FixedFile);
        }
        Ok(Compacted { before, after: self.bytes_on_disk()?, free, hindrance })
    }

    /// Bytes in the file that nothing uses: what [`Store::compact`] gives back, but for what text indexes keep.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        Ok(self.read(|snapshot| snapshot.free_pages())?.saturating_mul(PAGE_BYTES))
    }

    fn bytes_on_disk(&self) -> Result<u64, StoreError> {
        let file = self.folder().database_file();
        Ok(length(&file)?.saturating_add(length(&with_suffix(&file, "-wal"))?))
    }

    /// Merges each text index into one, without what is gone.
    fn merge_texts(
        &self,
        progress: &mut impl FnMut(CompactProgress) -> ControlFlow<()>,
    ) -> Result<Option<Hindrance>, StoreError> {
        for table in self.read(|snapshot| snapshot.text_tables())? {
            // The first, with a minus, takes all of the index; those after it go on with that.
            let mut pages = -MERGE_PIECE;
            while self.piece(|write| write.merge_text(&table, pages))? {
                pages = MERGE_PIECE;
                if progress(CompactProgress { given: 0, free: self.free_bytes()? }).is_break() {
                    return Ok(Some(Hindrance::Stopped));
                }
                if self.log_is_held()? {
                    return Ok(Some(Hindrance::InUse));
                }
            }
        }
        Ok(None)
    }

    /// Moves pages until all that were free at the beginning are given back. Others may free more meanwhile: that is for the
    /// next time, so that this one ends.
    fn shrink(
        &self,
        progress: &mut impl FnMut(CompactProgress) -> ControlFlow<()>,
    ) -> Result<Option<Hindrance>, StoreError> {
        let mut rest = self.read(|snapshot| snapshot.free_pages())?;
        let mut given = 0_u64;
        while rest > 0 {
            let (used, off) = self.piece(|write| write.cut_off(rest.min(PIECE)))?;
            if used == 0 {
                break;
            }
            rest = rest.saturating_sub(used);
            given = given.saturating_add(off.saturating_mul(PAGE_BYTES));
            if progress(CompactProgress { given, free: self.free_bytes()? }).is_break() && rest > 0 {
                return Ok(Some(Hindrance::Stopped));
            }
            if self.log_is_held()? {
                return Ok(Some(Hindrance::InUse));
            }
        }
        Ok(None)
    }

    /// A transaction, and a pause after it for whoever waits.
    fn piece<T>(&self, work: impl FnOnce(&mut Write<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let start = Instant::now();
        let done = self.write(work)?;
        thread::sleep(start.elapsed().min(LONGEST_PAUSE));
        Ok(done)
    }

    /// Whether the log is long and cannot be moved into the database: going on would take room instead of giving it.
    fn log_is_held(&self) -> Result<bool, StoreError> {
        let log = length(&with_suffix(&self.folder().database_file(), "-wal"))?;
        Ok(log > LONGEST_LOG && !self.move_log()?)
    }

    /// Moves the log into the database, which cuts the file off, and empties it. Whether that could be done.
    fn move_log(&self) -> Result<bool, StoreError> {
        let patience = self.options().patience;
        for _ in 0..WAITS {
            let writer = self.writer()?;
            writer.busy_timeout(patience.min(WAIT_FOR_READERS))?;
            let moved = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
            writer.busy_timeout(patience)?;
            drop(writer);
            match moved.map_err(StoreError::from) {
                Ok(false) => return Ok(true),
                Ok(true) | Err(StoreError::Busy) => thread::sleep(LONGEST_PAUSE),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

impl Snapshot<'_> {
    /// Whether the file can become shorter.
    fn shrinks(&self) -> Result<bool, StoreError> {
        Ok(self.number("PRAGMA auto_vacuum")? != 0)
    }

    fn free_pages(&self) -> Result<u64, StoreError> {
        self.number("PRAGMA freelist_count")
    }

    fn number(&self, sql: &str) -> Result<u64, StoreError> {
        Ok(self.statement(sql)?.query_row([], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// The tables of all text indexes.
    fn text_tables(&self) -> Result<Vec<String>, StoreError> {
        // Those that FTS5 keeps for them have pages.
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB ?1 AND rootpage = 0";
        let mut statement = self.statement(sql)?;
        Ok(statement.query_map([text::TABLES], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }
}

impl Write<'_> {
    /// Merges some pages of a text index, if it is still there. Whether there may be more to merge.
    fn merge_text(&mut self, table: &str, pages: i64) -> Result<bool, StoreError> {
        if !self.has_table(table)? {
            return Ok(false);
        }
        let before = self.number("SELECT total_changes()")?;
        self.statement(&format!("INSERT INTO {table}({table}, rank) VALUES ('merge', ?1)"))?.execute([pages])?;
        // The command itself counts as one.
        Ok(self.number("SELECT total_changes()")?.saturating_sub(before) >= 2)
    }

    /// Fills up to so many free pages with the last ones. Gives how many, and by how many pages the file is shorter: notes of
    /// what pointed to them go too.
    fn cut_off(&mut self, pages: u64) -> Result<(u64, u64), StoreError> {
        let before = self.number("PRAGMA page_count")?;
        let mut statement = self.statement(&format!("PRAGMA incremental_vacuum({pages})"))?;
        let mut rows = statement.query([])?;
        let mut used = 0_u64;
        // Each row is a page; it moves when the row is asked for.
        while rows.next()?.is_some() {
            used = used.saturating_add(1);
        }
        Ok((used, before.saturating_sub(self.number("PRAGMA page_count")?)))
    }
}

/// Bytes of a file; none if it is not there.
fn length(file: &Path) -> Result<u64, StoreError> {
    match fs::metadata(file) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(StoreError::Io(error.to_string())),
    }
}
