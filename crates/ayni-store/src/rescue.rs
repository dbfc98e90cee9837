//! Two ways to read on where SQLite gives up, because the damage hit a page that others hang on.
//!
//! A database of this version always has the same tables on the same pages (but for those of text and geometry indexes, which are
//! made later and are views), so pages with the tables' names can be taken from a fresh one made with the same key. And an entry lies whole on its leaf page (and that page's overflow), so where the pages
//! above are gone each page can be read as if it were a table of its own.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::DatabaseKey;
use crate::entries::StoredEntry;
use crate::error::{OpenError, StoreError};
use crate::schema::{self, Options, PAGE_BYTES, Purpose};

/// No entry takes less than 40 bytes.
const MOST_ON_A_PAGE: usize = PAGE_BYTES as usize / 40;

/// A copy of the file whose pages with the tables' names are those of a fresh database; whoever asked for it removes it.
pub(crate) fn readable_copy(file: &Path, key: &DatabaseKey, options: &Options) -> Result<PathBuf, OpenError> {
    let copy = file.with_extension("db.rescue");
    remove_database(&copy)?;
    fs::copy(file, &copy).map_err(OpenError::file(&copy))?;
    let log = with_suffix(file, "-wal");
    if log.exists() {
        fs::copy(&log, with_suffix(&copy, "-wal")).map_err(OpenError::file(log))?;
    }
    let template = file.with_extension("db.template");
    remove_database(&template)?;
    let pages = fs::metadata(&copy).map_err(OpenError::file(&copy))?.len() / PAGE_BYTES;
    let names = write_template(&template, key, options, pages).map_err(OpenError::Store);
    let transplanted = names.and_then(|names| transplant(&template, &copy, &names).map_err(OpenError::file(&copy)));
    remove_database(&template)?;
    transplanted.map(|()| copy)
}

/// A fresh database of at least so many pages; gives those with the tables' names.
fn write_template(path: &Path, key: &DatabaseKey, options: &Options, pages: u64) -> Result<Vec<u64>, StoreError> {
    let connection = schema::connect(path, key, options, Purpose::Create)?;
    schema::create_tables(&connection)?;
    // The first page says how many there are, so there must be as many as in the file that it is to be put into.
    connection
        .execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; CREATE TABLE filler(bytes BLOB);")?;
    let count = || connection.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0));
    while count()?.unsigned_abs() < pages {
        connection.execute("INSERT INTO filler VALUES (zeroblob(1000000))", [])?;
    }
    connection.execute_batch("PRAGMA journal_mode = WAL;")?;
    let mut statement = connection.prepare("SELECT pageno FROM dbstat WHERE name = 'sqlite_schema'")?;
    let names = statement.query_map([], |row| row.get::<_, i64>(0))?;
    Ok(names.map(|page| page.map(i64::unsigned_abs)).collect::<Result<_, _>>()?)
}

fn transplant(from: &Path, to: &Path, pages: &[u64]) -> std::io::Result<()> {
    let mut from = File::open(from)?;
    let mut to = OpenOptions::new().write(true).open(to)?;
    // As many pages as the first one says; those added hold nothing.
    to.set_len(from.metadata()?.len().max(to.metadata()?.len()))?;
    let mut content = [0; PAGE_BYTES as usize];
    for page in pages {
        let place = SeekFrom::Start(page.saturating_sub(1).saturating_mul(PAGE_BYTES));
        from.seek(place)?;
        from.read_exact(&mut content)?;
        to.seek(place)?;
        to.write_all(&content)?;
    }
    Ok(())
}

/// Removes a database and the files that SQLite keeps beside it.
pub(crate) fn remove_database(file: &Path) -> Result<(), OpenError> {
    for path in [file.to_owned(), with_suffix(file, "-wal"), with_suffix(file, "-shm")] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(OpenError::file(path)(error)),
            _ => {}
        }
    }
    Ok(())
}

/// `ayni.db` and `-wal` make `ayni.db-wal`.
pub(crate) fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Reads every page as if the entries' table began there, and gives those entries that are found, some of them several times.
/// Nothing is written: it happens in a transaction that is never committed.
pub(crate) fn loose_entries(
    connect: impl Fn() -> Result<Connection, StoreError>,
    mut each: impl FnMut(&StoredEntry) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut connection = begin(&connect)?;
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    for page in 2..=pages {
        match entries_on(&connection, page) {
            Ok(found) => found.iter().try_for_each(&mut each)?,
            // A damaged page leaves the connection of no more use. It holds the write lock, so it goes first.
            Err(StoreError::Damaged | StoreError::Io(_) | StoreError::Sql(_)) => {
                drop(connection);
                connection = begin(&connect)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn begin(connect: &impl Fn() -> Result<Connection, StoreError>) -> Result<Connection, StoreError> {
    let connection = connect()?;
    connection.execute_batch("BEGIN IMMEDIATE; PRAGMA writable_schema = ON;")?;
    Ok(connection)
}

/// The entries on a page and those below it. Rows that are not made like entries are of other tables.
fn entries_on(connection: &Connection, page: i64) -> Result<Vec<StoredEntry>, StoreError> {
    connection.execute("UPDATE sqlite_schema SET rootpage = ?1 WHERE name = 'entries'", [page])?;
    connection.execute_batch("PRAGMA writable_schema = RESET; PRAGMA writable_schema = ON;")?;
    let mut statement = connection.prepare("SELECT key, hash, doc, header, payload FROM entries NOT INDEXED")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        if let Ok(entry) = StoredEntry::from_row(row)
            && entry.read_header().is_ok()
        {
            found.push(entry);
        }
        if found.len() > MOST_ON_A_PAGE {
            break; // A page above others, which are read on their own.
        }
    }
    Ok(found)
}
