//! The tables, and how a connection to them is opened. `docs/store.md` describes every column.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::ending::{self, Enclosed};
use crate::error::{OpenError, StoreError};
use crate::key::DatabaseKey;

/// Stands in the file as SQLite's `application_id`: "Ayni".
const APPLICATION: i64 = 0x4179_6e69;
/// The version of the tables, as SQLite's `user_version`.
pub const VERSION: i64 = 1;

/// Bytes of a page, 80 of which SQLCipher takes for nonce and authentication.
pub(crate) const PAGE_BYTES: u64 = 4096;

/// Everything in a new database, but the instance.
const TABLES: &str = "
CREATE TABLE settings(
    scope INTEGER NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY(scope, name)) STRICT, WITHOUT ROWID;
CREATE TABLE projects(row INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE) STRICT;
CREATE TABLE logs(
    row INTEGER PRIMARY KEY, project INTEGER NOT NULL, id BLOB NOT NULL UNIQUE, device BLOB NOT NULL,
    kind INTEGER NOT NULL, incarnation BLOB NOT NULL, own INTEGER NOT NULL) STRICT;
CREATE INDEX logs_of_project ON logs(project, kind);
CREATE TABLE branches(
    row INTEGER PRIMARY KEY, log INTEGER NOT NULL, parent INTEGER, fork_at INTEGER NOT NULL, length INTEGER NOT NULL,
    bytes INTEGER NOT NULL, applied INTEGER NOT NULL, hash BLOB NOT NULL, signature BLOB, tip BLOB NOT NULL) STRICT;
CREATE INDEX branches_of_log ON branches(log);
CREATE TABLE entries(
    key INTEGER PRIMARY KEY, hash BLOB NOT NULL, doc INTEGER, header BLOB NOT NULL, payload BLOB) STRICT;
CREATE TABLE signatures(
    branch INTEGER NOT NULL, length INTEGER NOT NULL, signature BLOB NOT NULL,
    PRIMARY KEY(branch, length)) STRICT, WITHOUT ROWID;
CREATE TABLE gaps(
    branch INTEGER NOT NULL, start INTEGER NOT NULL, length INTEGER NOT NULL,
    PRIMARY KEY(branch, start)) STRICT, WITHOUT ROWID;
CREATE TABLE collections(
    row INTEGER PRIMARY KEY, project INTEGER NOT NULL, tag BLOB NOT NULL, name TEXT, UNIQUE(project, tag)) STRICT;
CREATE TABLE documents(
    row INTEGER PRIMARY KEY, collection INTEGER NOT NULL, id BLOB NOT NULL, flags INTEGER NOT NULL, heads ANY NOT NULL,
    body BLOB NOT NULL, UNIQUE(collection, id)) STRICT;
CREATE INDEX flagged ON documents(collection, flags) WHERE flags <> 0;
CREATE TABLE indexes(
    row INTEGER PRIMARY KEY, collection INTEGER NOT NULL, definition BLOB NOT NULL,
    UNIQUE(collection, definition)) STRICT;
CREATE TABLE index_keys(
    index_row INTEGER NOT NULL, key BLOB NOT NULL, doc INTEGER NOT NULL,
    PRIMARY KEY(index_row, key, doc)) STRICT, WITHOUT ROWID;
CREATE TABLE views(name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE receipts(
    project INTEGER NOT NULL, device BLOB NOT NULL, received INTEGER NOT NULL, receipt BLOB NOT NULL,
    PRIMARY KEY(project, device)) STRICT, WITHOUT ROWID;
CREATE TABLE addresses(
    device BLOB NOT NULL, address TEXT NOT NULL, seen INTEGER NOT NULL,
    PRIMARY KEY(device, address)) STRICT, WITHOUT ROWID;
";

/// Without the device's secrets, the names of the logs and the entries of control logs (keys and members) nothing else can be
/// read, and each lies on a page or two: so they are kept twice, on pages of their own. They change seldom.
const COPIES: &str = "
CREATE TABLE settings_copy(
    scope INTEGER NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY(scope, name)) STRICT, WITHOUT ROWID;
CREATE TRIGGER settings_set AFTER INSERT ON settings BEGIN
    INSERT OR REPLACE INTO settings_copy VALUES (new.scope, new.name, new.value); END;
CREATE TRIGGER settings_removed AFTER DELETE ON settings BEGIN
    DELETE FROM settings_copy WHERE scope = old.scope AND name = old.name; END;
CREATE TABLE projects_copy(row INTEGER PRIMARY KEY, id BLOB NOT NULL) STRICT;
CREATE TRIGGER projects_set AFTER INSERT ON projects BEGIN INSERT INTO projects_copy VALUES (new.row, new.id); END;
CREATE TABLE logs_copy(
    row INTEGER PRIMARY KEY, project INTEGER NOT NULL, id BLOB NOT NULL, device BLOB NOT NULL, kind INTEGER NOT NULL,
    incarnation BLOB NOT NULL, own INTEGER NOT NULL) STRICT;
CREATE TRIGGER logs_set AFTER INSERT ON logs BEGIN
    INSERT INTO logs_copy VALUES (new.row, new.project, new.id, new.device, new.kind, new.incarnation, new.own); END;
CREATE TABLE entries_copy(
    key INTEGER PRIMARY KEY, hash BLOB NOT NULL, doc INTEGER, header BLOB NOT NULL, payload BLOB) STRICT;
";

/// Shows whether the key fits and the first page is sound.
const READ_NAMES: &str = "SELECT count(*) FROM sqlite_schema;";

/// How the store uses SQLite. The defaults suit a laptop and a phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// KiB of pages that the writer keeps in memory.
    pub writer_cache: u32,
    /// KiB of pages that the reader keeps in memory who begins while nobody else reads.
    pub reader_cache: u32,
    /// KiB of pages that each reader beside it keeps in memory.
    pub other_readers_cache: u32,
    /// Readers that are kept open for the next use.
    pub readers: usize,
    /// Pages in the write-ahead log after which they are moved into the database.
    pub checkpoint_pages: u32,
    /// How long to wait for another process that writes.
    pub patience: Duration,
    /// The SQLite VFS to go through; `None`: the system's files.
    pub vfs: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            writer_cache: 64 << 10,
            reader_cache: 32 << 10,
            other_readers_cache: 4 << 10,
            readers: 4,
            checkpoint_pages: 4_000,
            patience: Duration::from_secs(30),
            vfs: None,
        }
    }
}

/// How the pages of a file are laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Some pages (the second, and about every 800th after it) tell what points to each of those that follow. So pages can move,
    /// and the file can become shorter.
    Shrinks,
    /// Without them, as files were before there was compaction. None is made anew, but to rescue such a file.
    Fixed,
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Makes the file.
    Create(Layout),
    /// Writes, and reads what it wrote.
    Write,
    /// Reads only.
    Read {
        /// KiB of pages that it keeps in memory.
        cache: u32,
    },
    /// Reads a damaged file, changing nothing of how it is kept.
    Inspect,
}

/// Opens a connection and sets it up, the key first.
pub(crate) fn connect(
    file: &Path,
    key: &DatabaseKey,
    options: &Options,
    purpose: Purpose,
) -> Result<Enclosed, StoreError> {
    let _inside = ending::enter();
    let access = match purpose {
        Purpose::Create(_) => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        // A reader must be able to recover the write-ahead log after a crash, so the file is opened for writing, and
        // `query_only` keeps the reader from it.
        Purpose::Write | Purpose::Read { .. } | Purpose::Inspect => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    if let Purpose::Create(_) = purpose {
        // An empty file is an empty database to SQLite, and what it keeps beside one is for the same readers.
        let made = crate::files::private().create(true).truncate(false).write(true).open(file);
        made.map_err(|error| StoreError::Io(error.to_string()))?;
    }
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE;
    let connection = Enclosed::open(|| match &options.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(file, flags, vfs.as_str()),
        None => Connection::open_with_flags(file, flags),
    })?;
    connection.pragma_update(None, "key", key.pragma_text().as_str())?;
    // SHA-256 rather than SHA-512: processors have instructions for it, phones' too.
    connection.execute_batch(&format!(
        "PRAGMA cipher_log_level = NONE; PRAGMA cipher_page_size = {PAGE_BYTES};
         PRAGMA cipher_hmac_algorithm = HMAC_SHA256;"
    ))?;
    connection.busy_timeout(options.patience)?;
    let (cache, journal) = match purpose {
        // The layout comes before the first table.
        Purpose::Create(Layout::Shrinks) => {
            (options.writer_cache, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = DELETE;")
        }
        Purpose::Create(Layout::Fixed) => (options.writer_cache, "PRAGMA journal_mode = DELETE;"),
        Purpose::Write => (options.writer_cache, "PRAGMA journal_mode = WAL;"),
        // The file itself says which.
        Purpose::Read { cache } => (cache, READ_NAMES),
        Purpose::Inspect => (options.writer_cache, READ_NAMES),
    };
    connection.execute_batch(&format!(
        "{journal} PRAGMA synchronous = FULL; PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON; PRAGMA wal_autocheckpoint = {}; PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -{cache}; PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = OFF;
         PRAGMA trusted_schema = OFF;",
        options.checkpoint_pages
    ))?;
    if let Purpose::Read { .. } = purpose {
        connection.pragma_update(None, "query_only", true)?;
    }
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// Makes the tables in an empty file.
pub(crate) fn create_tables(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {TABLES} {COPIES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
    ))?;
    Ok(())
}

/// Refuses what is no database of Ayni, or one of a newer program.
pub(crate) fn check_version(connection: &Connection, file: &Path) -> Result<(), OpenError> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = number("application_id").map_err(StoreError::from)?;
    if application != APPLICATION {
        return Err(OpenError::NotADatabase(file.to_owned()));
    }
    let version = number("user_version").map_err(StoreError::from)?;
    if version > VERSION {
        return Err(OpenError::Newer { version, known: VERSION });
    }
    Ok(())
}
