//! Two ways to read on where SQLite gives up, because the damage hit a page that others hang on.
//!
//! A database of this version and layout always has the roots of the same tables on the same pages: those of text and geometry
//! indexes are made later, and only they move when one is dropped. So pages with the tables' names can be taken from a fresh one
//! made with the same key. And an entry lies whole on its leaf page (and that page's overflow), so where the pages above are gone
//! each page can be read as if it were a table of its own.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::DatabaseKey;
use crate::ending::Enclosed;
use crate::entries::StoredEntry;
use crate::error::{OpenError, StoreError};
use crate::schema::{self, Layout, Options, PAGE_BYTES, Purpose};

/// No entry takes less than 40 bytes.
const MOST_ON_A_PAGE: usize = PAGE_BYTES as usize / 40;

/// Pages with the tables' names are a few.
const MOST_MOVES: u32 = 100;

/// A copy of the file whose pages with the tables' names are those of a fresh database; whoever asked for it removes it.
pub(crate) fn readable_copy(
    file: &Path,
    key: &DatabaseKey,
    options: &Options,
    layout: Layout,
) -> Result<PathBuf, OpenError> {
    let copy = file.with_extension("db.rescue");
    remove_database(&copy)?;
    fs::copy(file, &copy).map_err(OpenError::file(&copy))?;
    let mut bytes = fs::metadata(&copy).map_err(OpenError::file(&copy))?.len();
    let log = with_suffix(file, "-wal");
    if log.exists() {
        let logged = fs::copy(&log, with_suffix(&copy, "-wal")).map_err(OpenError::file(log))?;
        bytes = bytes.saturating_add(logged);
    }
    let template = file.with_extension("db.template");
    remove_database(&template)?;
    let names = write_template(&template, key, options, layout, bytes / PAGE_BYTES).map_err(OpenError::Store);
    let transplanted = names.and_then(|names| transplant(&template, &copy, &names).map_err(OpenError::file(&copy)));
    remove_database(&template)?;
    transplanted.map(|()| copy)
}

/// A fresh database of at least so many pages; gives those with the tables' names. Where pages can move, all of these but the
/// first come after so many, so that they take no other's place.
fn write_template(
    path: &Path,
    key: &DatabaseKey,
    options: &Options,
    layout: Layout,
    pages: u64,
) -> Result<Vec<u64>, StoreError> {
    let connection = schema::connect(path, key, options, Purpose::Create(layout))?;
    schema::create_tables(&connection)?;
    // The first page says how many there are, so there must be as many as in the file that it is to be put into.
    connection
        .execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; CREATE TABLE filler(bytes BLOB);")?;
    let count = || connection.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0));
    while count()?.unsigned_abs() < pages {
        connection.execute("INSERT INTO filler VALUES (zeroblob(1000000))", [])?;
    }
    let mut names = pages_with_names(&connection)?;
    for number in 0..MOST_MOVES {
        if layout == Layout::Fixed || names.iter().all(|page| *page == 1 || *page > pages) {
            break;
        }
        // The root of a new table takes the place after the last one's, and what is there moves to the end.
        connection.execute_batch(&format!("CREATE TABLE filler_{number}(bytes BLOB);"))?;
        names = pages_with_names(&connection)?;
    }
    connection.execute_batch("PRAGMA journal_mode = WAL;")?;
    Ok(names)
}

fn pages_with_names(connection: &Connection) -> Result<Vec<u64>, StoreError> {
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
    connect: impl Fn() -> Result<Enclosed, StoreError>,
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

fn begin(connect: &impl Fn() -> Result<Enclosed, StoreError>) -> Result<Enclosed, StoreError> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;
    use std::ops::ControlFlow;

    use ayni_log::ids::{CollectionTag, ProjectId};

    use super::*;
    use crate::{Folder, NewLock, PlaceBox, Random, Store, Write};

    const KEYS: i64 = 3_000;

    fn roots(connection: &Connection) -> BTreeMap<String, i64> {
        let mut statement = connection.prepare("SELECT name, rootpage FROM sqlite_schema").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// Makes indexes of all kinds; gives them.
    fn add_indexes(write: &mut Write<'_>, round: u8) -> Result<Vec<crate::IndexRow>, StoreError> {
        let project = write.add_project(ProjectId([1; 32]))?;
        let collection = write.add_collection(project, CollectionTag([2; 16]), None)?;
        let mut made = Vec::new();
        for number in 0..3 {
            let (index, _) = write.add_index(collection, &[round, number])?;
            for row in 1..KEYS {
                match number {
                    0 => write.insert_key(index, vec![row.to_le_bytes()[0]; 100], row)?,
                    1 => write.set_text(index, row, vec![format!("word{row} word")])?,
                    _ => {
                        let at = row as f64 / KEYS as f64;
                        write.set_boxes(index, row, vec![PlaceBox { west: at, south: at, east: at, north: at }])?;
                    }
                }
            }
            made.push(index);
        }
        Ok(made)
    }

    #[test]
    fn the_tables_that_every_database_has_stay_where_a_fresh_one_has_them() {
        let root = tempfile::tempdir().unwrap();
        let _inside = crate::ending::enter();
        let folder = Folder::new(root.path().join("db"), root.path().join("keys"));
        let random = Random { key: [1; 48], database: [1; 16], instance: [1; 16], salt: [1; 16], key_file: [1; 32] };
        let store = Store::create(&folder, NewLock::KeyFile, &random, Options::default()).unwrap();
        let connect = || {
            schema::connect(&folder.database_file(), store.key(), &Options::default(), Purpose::Read { cache: 64 })
                .unwrap()
        };
        let fixed = roots(&connect());
        assert!(fixed.len() > 20, "{fixed:?}");
        let mut kept = Vec::new();
        for round in 0..6 {
            let made = store.write(|write| add_indexes(write, round)).unwrap();
            // Every second round stays, so that those after it have to move into the gaps.
            match round % 2 {
                0 => kept.extend(made),
                _ => made.into_iter().rev().for_each(|index| store.write(|write| write.drop_index(index)).unwrap()),
            }
            if round == 4 {
                kept.drain(..4).for_each(|index| store.write(|write| write.drop_index(index)).unwrap());
            }
            store.compact(|_| ControlFlow::Continue(())).unwrap();
            let now = roots(&connect());
            assert!(now.len() > fixed.len());
            for (name, root) in &fixed {
                assert_eq!(now.get(name), Some(root), "{name} after round {round}");
            }
        }
        let template = root.path().join("template");
        let pages = fs::metadata(folder.database_file()).unwrap().len() / PAGE_BYTES;
        let names = write_template(&template, store.key(), &Options::default(), Layout::Shrinks, pages).unwrap();
        assert!(names.len() > 1 && names.iter().all(|page| *page == 1 || *page > pages), "{names:?} of {pages}");
        let fresh = schema::connect(&template, store.key(), &Options::default(), Purpose::Read { cache: 64 }).unwrap();
        let fresh = roots(&fresh);
        assert!(fixed.iter().all(|(name, root)| fresh.get(name) == Some(root)), "{fixed:?}, {fresh:?}");
    }
}
