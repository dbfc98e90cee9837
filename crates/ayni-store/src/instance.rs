//! How a copied or restored folder is noticed.
//!
//! A device whose folder was copied, or put back from yesterday's backup, would write the same positions of its log twice:
//! a fork. So something is kept outside the folder, which a copy or a backup of the folder does not carry along: a record
//! under the database's *instance* (16 random bytes that stand in the database), with a counter that each opening
//! raises in both places, and where the folder was. Beside it lies a hint, written after commits and not synced, of how many
//! entries the device's own logs hold: a folder put back from a copy of an hour ago, without an opening in between, has
//! fewer than the hint says.
//!
//! What this cannot notice: folder and record put back together (a whole disk image). Then the fork is seen when the device
//! meets another; `docs/store.md` says so.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

use crate::error::OpenError;
use crate::files;

/// Whether the folder is the one that was last used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuity {
    /// It is: the device goes on in its incarnation.
    Same,
    /// It was copied, restored, or moved where this cannot be told: begin a new incarnation, and
    /// [`settle`](crate::Write::settle) in the same transaction.
    Restored,
}

/// What the database itself says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inside {
    pub(crate) instance: [u8; 16],
    pub(crate) counter: u64,
    /// Entries in the device's own logs.
    pub(crate) entries: u64,
}

/// The record outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Record {
    counter: u64,
    place: Place,
}

/// Where a database is: the same path or the same file on disk is the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    path: [u8; 32],
    inode: u64,
}

/// The files outside the folder that belong to one instance.
#[derive(Debug, Clone)]
pub(crate) struct Outside {
    keys: PathBuf,
    database_file: PathBuf,
}

/// The open file of the hint.
pub(crate) struct Hint {
    pub(crate) instance: [u8; 16],
    file: File,
}

impl Hint {
    /// Notes how many entries the device's own logs hold. Not synced: it is only ever behind, never wrong.
    pub(crate) fn note(&mut self, entries: u64) {
        let _ = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.write_all(&entries.to_be_bytes()));
    }
}

/// Held while an opening compares and raises the counters, by all processes in turn.
pub(crate) struct OpeningLock {
    _file: File,
}

const TITLE: &str = "ayni instance 1";

impl Outside {
    /// For the database in `database_file`, with what is kept outside in `keys`.
    pub(crate) fn new(keys: &Path, database_file: &Path) -> Self {
        Self { keys: keys.to_owned(), database_file: database_file.to_owned() }
    }

    /// Waits until no other opening of this database or a copy of it is under way.
    pub(crate) fn lock(&self, database: [u8; 16]) -> Result<OpeningLock, OpenError> {
        let path = self.keys.join(format!("{}.lock", HEXLOWER.encode(&database)));
        files::make_private_folder(&self.keys).map_err(OpenError::file(&self.keys))?;
        let file = files::private().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(OpenError::file(&path))?;
        file.lock().map_err(OpenError::file(&path))?;
        Ok(OpeningLock { _file: file })
    }

    /// Whether the database is the one that the record speaks of.
    pub(crate) fn judge(&self, inside: &Inside) -> Result<Continuity, OpenError> {
        let path = self.record_path(inside.instance);
        let bytes = files::read_small(&path, 4096).map_err(OpenError::file(&path))?;
        let Some(record) = bytes.as_deref().and_then(Record::decode) else { return Ok(Continuity::Restored) };
        let here = self.place()?;
        let same_place = here.path == record.place.path || here.inode == record.place.inode;
        // The database is raised first: one ahead is an opening that was cut off between the two.
        let same_counter = inside.counter == record.counter || inside.counter == record.counter.saturating_add(1);
        let hint = self.hinted(inside.instance)?;
        Ok(if same_place && same_counter && hint <= inside.entries { Continuity::Same } else { Continuity::Restored })
    }

    /// Writes the record, durably.
    pub(crate) fn record(&self, instance: [u8; 16], counter: u64) -> Result<(), OpenError> {
        let path = self.record_path(instance);
        let text = Record { counter, place: self.place()? }.encode();
        files::make_private_folder(&self.keys).map_err(OpenError::file(&self.keys))?;
        files::write_durably(&path, text.as_bytes()).map_err(OpenError::file(&path))
    }

    /// The file for the hint, ready to be written over and over.
    pub(crate) fn open_hint(&self, instance: [u8; 16]) -> Option<Hint> {
        // Not truncated: rewriting in place is what costs next to nothing. What cannot be noted makes a restored copy a
        // little harder to notice; the commits themselves are safe.
        let file = files::private().create(true).truncate(false).write(true).open(self.hint_path(instance));
        file.ok().map(|file| Hint { instance, file })
    }

    fn hinted(&self, instance: [u8; 16]) -> Result<u64, OpenError> {
        let path = self.hint_path(instance);
        let bytes = files::read_small(&path, 8).map_err(OpenError::file(&path))?;
        Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes))
    }

    fn place(&self) -> Result<Place, OpenError> {
        let path = fs::canonicalize(&self.database_file).map_err(OpenError::file(&self.database_file))?;
        let metadata = fs::metadata(&path).map_err(OpenError::file(&path))?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let inode = {
            let _ = metadata;
            u64::MAX
        };
        Ok(Place { path: *blake3::hash(path.as_os_str().as_encoded_bytes()).as_bytes(), inode })
    }

    fn record_path(&self, instance: [u8; 16]) -> PathBuf {
        self.keys.join(format!("{}.instance", HEXLOWER.encode(&instance)))
    }

    fn hint_path(&self, instance: [u8; 16]) -> PathBuf {
        self.keys.join(format!("{}.length", HEXLOWER.encode(&instance)))
    }
}

impl Record {
    fn encode(&self) -> String {
        let Place { path, inode } = self.place;
        format!("{TITLE}\ncounter {}\npath {}\ninode {inode}\n", self.counter, HEXLOWER.encode(&path))
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(bytes).ok()?.lines();
        if lines.next()? != TITLE {
            return None;
        }
        let counter = lines.next()?.strip_prefix("counter ")?.parse().ok()?;
        let path = HEXLOWER.decode(lines.next()?.strip_prefix("path ")?.as_bytes()).ok()?.try_into().ok()?;
        let inode = lines.next()?.strip_prefix("inode ")?.parse().ok()?;
        Some(Self { counter, place: Place { path, inode } })
    }
}
