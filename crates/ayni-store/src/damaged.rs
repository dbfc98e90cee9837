//! Reading a damaged database around its damage: the entries row by row, small tables from both ends.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params};

use crate::ending::Enclosed;
use crate::entries::{StoredEntry, entry_place};
use crate::error::{OpenError, StoreError};
use crate::schema::{self, Options, Purpose};
use crate::{DatabaseKey, EntryKey, places, rescue, text};

/// A damaged database. After an error its connection may be of no more use, so it is opened anew.
pub(crate) struct Source<'a> {
    pub(crate) file: PathBuf,
    key: &'a DatabaseKey,
    options: &'a Options,
    connection: Enclosed,
    /// Whether anything could not be read, be it found elsewhere or not.
    pub(crate) met_damage: bool,
}

impl<'a> Source<'a> {
    pub(crate) fn open(file: PathBuf, key: &'a DatabaseKey, options: &'a Options) -> Result<Self, OpenError> {
        let unreadable = |error| match error {
            StoreError::Damaged => OpenError::NotADatabase(file.clone()),
            error => OpenError::Store(error),
        };
        let connection = schema::connect(&file, key, options, Purpose::Inspect).map_err(unreadable)?;
        schema::check_version(&connection, &file)?;
        Ok(Self { file, key, options, connection, met_damage: false })
    }

    /// Makes sure that nobody else has the file open, and that all of the database is in it.
    pub(crate) fn take_alone(&self) -> Result<(), StoreError> {
        let mode: String = self.connection.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))?;
        if mode != "delete" {
            return Err(StoreError::Busy);
        }
        Ok(())
    }

    fn connect(&self) -> Result<Enclosed, StoreError> {
        schema::connect(&self.file, self.key, self.options, Purpose::Inspect)
    }

    /// Goes on after an error if it was one of damage.
    fn recover(&mut self, error: rusqlite::Error) -> Result<(), StoreError> {
        match StoreError::from(error) {
            StoreError::Damaged | StoreError::Io(_) | StoreError::Sql(_) => {}
            error => return Err(error),
        }
        self.met_damage = true;
        self.connection = self.connect()?;
        Ok(())
    }
}

/// The runs of positions that are there, by branch.
pub(crate) type Present = BTreeMap<i64, Vec<Range<u64>>>;

/// A small table from its first row on, and from its last one back: all that lies before the first and after the last damage.
/// Whether that is all.
pub(crate) fn read_small(
    source: &mut Source<'_>,
    table: &str,
    key: &str,
) -> Result<(BTreeMap<String, Vec<Value>>, bool), StoreError> {
    let mut found = BTreeMap::new();
    let mut whole = true;
    for direction in ["ASC", "DESC"] {
        let order: Vec<String> = key.split(", ").map(|column| format!("{column} {direction}")).collect();
        let sql = format!("SELECT * FROM {table} ORDER BY {}", order.join(", "));
        let keys = key.split(", ").count();
        if let Err(error) = read_all(&source.connection, &sql, |row| {
            let columns = row.as_ref().column_count();
            let values = (0..columns).map(|column| row.get(column)).collect::<Result<Vec<Value>, _>>()?;
            found.insert(format!("{:?}", values.get(..keys)), values);
            Ok(())
        }) {
            whole = false;
            source.recover(error)?;
        } else {
            break;
        }
    }
    Ok((found, whole))
}

pub(crate) fn read_all(
    connection: &Connection,
    sql: &str,
    mut each: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        each(row)?;
    }
    Ok(())
}

/// Reads all entries around the damage.
pub(crate) fn read_entries(
    source: &mut Source<'_>,
    target: Option<&Connection>,
    count: &mut u64,
) -> Result<Present, StoreError> {
    let mut present = Present::new();
    let mut next: EntryKey = 0;
    loop {
        let outcome = entries_from(&source.connection, next, |entry| {
            let (branch, position) = entry_place(entry.key);
            let runs = present.entry(branch.0).or_default();
            match runs.last_mut() {
                Some(run) if run.end == position => run.end = run.end.saturating_add(1),
                _ => runs.push(position..position.saturating_add(1)),
            }
            *count = count.saturating_add(1);
            next = entry.key.saturating_add(1);
            match target {
                Some(target) => insert_entry(target, entry),
                None => Ok(()),
            }
        });
        match outcome {
            Ok(()) => return Ok(present),
            Err(Trouble::Target(error)) => return Err(error),
            Err(Trouble::Source(error)) => source.recover(error)?,
        }
        match next_readable(source, next)? {
            Some(readable) => next = readable,
            None => return Ok(present),
        }
    }
}

/// Looks for entries of the gaps page by page: they are there if only a page above theirs was damaged.
pub(crate) fn read_loose_entries(
    source: &Source<'_>,
    target: Option<&Connection>,
    gaps: &[(i64, Range<u64>)],
    present: &mut Present,
    count: &mut u64,
) -> Result<(), StoreError> {
    let mut found = BTreeSet::new();
    rescue::loose_entries(
        || source.connect(),
        |entry| {
            let (branch, position) = entry_place(entry.key);
            let lacking = gaps.iter().any(|(row, gap)| *row == branch.0 && gap.contains(&position));
            if !lacking || !found.insert(entry.key) {
                return Ok(());
            }
            target.map_or(Ok(()), |target| insert_entry(target, entry))
        },
    )?;
    *count = count.saturating_add(found.len() as u64);
    for key in found {
        let (branch, position) = entry_place(key);
        present.entry(branch.0).or_default().push(position..position.saturating_add(1));
    }
    for runs in present.values_mut() {
        runs.sort_by_key(|run| run.start);
    }
    Ok(())
}

pub(crate) enum Trouble {
    Source(rusqlite::Error),
    Target(StoreError),
}

pub(crate) fn entries_from(
    connection: &Connection,
    from: EntryKey,
    mut each: impl FnMut(&StoredEntry) -> Result<(), StoreError>,
) -> Result<(), Trouble> {
    let sql = "SELECT key, hash, doc, header, payload FROM entries WHERE key >= ?1 ORDER BY key";
    let mut statement = connection.prepare_cached(sql).map_err(Trouble::Source)?;
    let mut rows = statement.query([from]).map_err(Trouble::Source)?;
    while let Some(row) = rows.next().map_err(Trouble::Source)? {
        let entry = StoredEntry::from_row(row).map_err(Trouble::Source)?;
        each(&entry).map_err(Trouble::Target)?;
    }
    Ok(())
}

fn insert_entry(target: &Connection, entry: &StoredEntry) -> Result<(), StoreError> {
    let mut insert =
        target.prepare_cached("INSERT INTO entries(key, hash, header, payload) VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![entry.key, entry.hash.0.as_slice(), entry.header, entry.payload])?;
    Ok(())
}

/// The lowest key from which on reading works again after damage at `from`: steps that double until one works, then halving
/// between that and the last that did not. `None` if nothing follows.
fn next_readable(source: &mut Source<'_>, from: EntryKey) -> Result<Option<EntryKey>, StoreError> {
    let mut step = 1;
    let mut damaged = from;
    let mut readable = loop {
        let probe = damaged.saturating_add(step);
        if is_readable(source, probe)? {
            break probe;
        }
        if probe == EntryKey::MAX {
            return Ok(None);
        }
        damaged = probe;
        step = step.saturating_mul(2);
    };
    while readable.saturating_sub(damaged) > 1 {
        let middle = damaged.saturating_add(readable.saturating_sub(damaged) / 2);
        if is_readable(source, middle)? { readable = middle } else { damaged = middle }
    }
    Ok(Some(readable))
}

fn is_readable(source: &mut Source<'_>, key: EntryKey) -> Result<bool, StoreError> {
    let sql = "SELECT key, hash, doc, header, payload FROM entries WHERE key >= ?1 ORDER BY key LIMIT 1";
    let outcome = source.connection.prepare_cached(sql).and_then(|mut statement| {
        let mut rows = statement.query([key])?;
        while let Some(row) = rows.next()? {
            StoredEntry::from_row(row)?;
        }
        Ok(())
    });
    match outcome {
        Ok(()) => Ok(true),
        Err(error) => source.recover(error).map(|()| false),
    }
}

/// Tables of which more can be damaged than reading their rows shows: views, which are not read, copies, and indexes. Without
/// them nothing is lost, but nothing could be written any more.
const UNREAD: [&str; 13] = [
    "settings",
    "documents",
    "index_keys",
    "views",
    "settings_copy",
    "projects_copy",
    "logs_copy",
    "entries_copy",
    "projects",
    "logs",
    "branches",
    "collections",
    "indexes",
];

/// The tables that text and geometry indexes have of their own.
fn index_tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND (name GLOB ?1 OR name GLOB ?2) AND rootpage <> 0";
    let mut statement = connection.prepare(sql)?;
    let names = statement.query_map([text::TABLES, places::TABLES], |row| row.get(0))?;
    names.collect()
}

/// Whether all documents and indexes can be read, and hang together.
pub(crate) fn views_are_sound(source: &mut Source<'_>) -> Result<bool, StoreError> {
    let mut sound = true;
    let made = match index_tables(&source.connection) {
        Ok(made) => made,
        Err(error) => {
            sound = false;
            source.recover(error)?;
            Vec::new()
        }
    };
    for table in UNREAD.into_iter().map(str::to_owned).chain(made) {
        let mut problems = Vec::new();
        let checked = read_all(&source.connection, &format!("PRAGMA integrity_check({table})"), |row| {
            problems.push(row.get::<_, String>(0)?);
            Ok(())
        });
        if let Err(error) = checked {
            sound = false;
            source.recover(error)?;
        }
        sound &= problems.iter().all(|problem| problem == "ok");
    }
    Ok(sound)
}

/// Whether any page of the file is not what was written, be it one that nothing reads. SQLCipher looks at the file as it is, so a
/// page that another process was just writing is looked at again.
pub(crate) fn has_damaged_pages(source: &Source<'_>) -> Result<bool, StoreError> {
    let damaged = || {
        let mut pages = BTreeSet::new();
        read_all(&source.connection, "PRAGMA cipher_integrity_check", |row| {
            pages.insert(row.get::<_, String>(0)?);
            Ok(())
        })?;
        Ok::<_, StoreError>(pages)
    };
    let first = damaged()?;
    Ok(!first.is_empty() && !first.is_disjoint(&damaged()?))
}
