//! Finding damage, naming what it took, and saving everything else into a fresh file.
//!
//! A page that is not what was written does not decrypt, so damage shows wherever something reads it. The log is read row
//! by row around it; small tables from both ends, those without which nothing can be read (settings with the device's
//! secrets, projects, logs) from their copies too. Documents and indexes are views: they are not saved but dropped, and
//! the caller builds them anew from the log.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ayni_log::ids::{LogKind, LogName};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::damaged::{Source, has_damaged_pages, read_entries, read_loose_entries, read_small, views_are_sound};
use crate::ending;
use crate::error::{OpenError, StoreError};
use crate::rebuild::{Rows, gaps_of_branches, known_gaps, names_of_branches, rebuild_branches};
use crate::rescue;
use crate::schema::{self, Layout, Options, Purpose};
use crate::{BranchRow, DatabaseKey, Folder, entry_key};

/// Something that damage took.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// Entries of a log. Other devices that have them can still give them to each other, not this one.
    Entries {
        /// Whose.
        log: LogName,
        /// Where in the log.
        positions: Range<u64>,
    },
    /// Some rows of a table; which cannot be told.
    Rows(&'static str),
    /// The start of the file, with the tables' names: these are known, so nothing is lost.
    Start,
    /// Documents or indexes: nothing is lost once they are built anew from the log.
    Views,
    /// Room that nothing uses, or the notes of what is where: nothing is lost, but the next write might fail.
    Room,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entries { log, positions } => {
                let kind = if log.kind == LogKind::Control { "control" } else { "data" };
                let (first, last) = (positions.start, positions.end.saturating_sub(1));
                write!(f, "entries {first} to {last} of the {kind} log of device {}", log.device)
            }
            Self::Rows(table) => write!(f, "some of the {table}"),
            Self::Start => f.write_str("the start of the file, which is known and put back"),
            Self::Views => f.write_str("documents or indexes, which are built anew from the log"),
            Self::Room => f.write_str("pages that hold no data: free room, or the notes of what is where"),
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Entries that can be read.
    pub entries: u64,
    /// What cannot. Empty: the database is sound.
    pub lost: Vec<Loss>,
    /// Where a repair put the damaged file.
    pub kept: Option<PathBuf>,
}

/// Reads the whole database and names what is damaged; changes nothing. About a second for 100 MB, more where
/// the indexes do not fit into the writer's cache.
///
/// # Errors
/// [`OpenError::NotADatabase`] when nothing in it can be read with this key; otherwise what failed that is not damage.
pub fn check(folder: &Folder, key: &DatabaseKey, options: &Options) -> Result<Report, OpenError> {
    let _inside = ending::enter();
    salvage_file(&folder.database_file(), key, options, None)
}

/// Saves everything that can be read into a fresh file, which takes the place of the damaged one; that one is kept beside it.
/// Views are dropped: the caller builds them anew. A sound database is left as it is.
///
/// # Errors
/// [`OpenError::NotADatabase`] when nothing in it can be read with this key; [`StoreError::Busy`] while it is open
/// elsewhere. Then nothing was changed.
pub fn repair(folder: &Folder, key: &DatabaseKey, options: &Options) -> Result<Report, OpenError> {
    let outside = folder.outside();
    let _lock = outside.lock(folder.database_name()?)?;
    let _inside = ending::enter();
    let report = check(folder, key, options)?;
    if report.lost.is_empty() {
        return Ok(report);
    }
    let file = folder.database_file();
    if !report.lost.contains(&Loss::Start) {
        Source::open(file.clone(), key, options)?.take_alone()?;
        // Room is looked at in the file alone, and what was to be written there may just have made it sound.
        if report.lost == [Loss::Room] && check(folder, key, options)?.lost.is_empty() {
            return Ok(Report { lost: Vec::new(), ..report });
        }
    }
    let fresh = file.with_extension("db.new");
    rescue::remove_database(&fresh)?;
    let mut target = schema::connect(&fresh, key, options, Purpose::Create(Layout::Shrinks))?;
    schema::create_tables(&target)?;
    let transaction = target.transaction().map_err(StoreError::from)?;
    let mut report = salvage_file(&file, key, options, Some(&transaction))?;
    transaction.commit().map_err(StoreError::from)?;
    target.close()?;
    report.kept = Some(exchange(&file, &fresh)?);
    Ok(report)
}

/// Salvages from the file, or where SQLite does not even open it, from a copy with another start.
fn salvage_file(
    file: &Path,
    key: &DatabaseKey,
    options: &Options,
    target: Option<&Connection>,
) -> Result<Report, OpenError> {
    match Source::open(file.to_owned(), key, options) {
        Err(OpenError::NotADatabase(_)) => {
            let report = match salvage_copy(file, key, options, Layout::Shrinks, target) {
                // In a file of the other layout the settings are not where they are looked for.
                Err(OpenError::NotADatabase(_)) => salvage_copy(file, key, options, Layout::Fixed, target),
                report => report,
            };
            let mut report = report.map_err(|error| match error {
                OpenError::NotADatabase(_) => OpenError::NotADatabase(file.to_owned()),
                error => error,
            })?;
            report.lost.insert(0, Loss::Start);
            Ok(report)
        }
        Err(error) => Err(error),
        Ok(mut source) => {
            let mut report = salvage(&mut source, target)?;
            if report.lost.is_empty() && has_damaged_pages(&source)? {
                report.lost.push(Loss::Room);
            }
            Ok(report)
        }
    }
}

/// Salvages from a copy with the start of a fresh file.
fn salvage_copy(
    file: &Path,
    key: &DatabaseKey,
    options: &Options,
    layout: Layout,
    target: Option<&Connection>,
) -> Result<Report, OpenError> {
    let copy = rescue::readable_copy(file, key, options, layout)?;
    let report = Source::open(copy.clone(), key, options).and_then(|mut source| salvage(&mut source, target));
    rescue::remove_database(&copy)?;
    report
}

/// Puts `fresh` in the place of `file`, and gives the name under which the old one is kept.
fn exchange(file: &Path, fresh: &Path) -> Result<PathBuf, OpenError> {
    let mut kept = file.with_added_extension("damaged");
    let mut number = 1;
    while kept.exists() {
        number += 1;
        kept = file.with_added_extension(format!("damaged-{number}"));
    }
    // A log that could not be moved into the damaged file belongs to it, and must never meet the fresh one.
    let log = rescue::with_suffix(file, "-wal");
    if log.exists() {
        std::fs::rename(&log, rescue::with_suffix(&kept, "-wal")).map_err(OpenError::file(log))?;
    }
    let _ = std::fs::remove_file(rescue::with_suffix(file, "-shm"));
    // With a second name for the old file there is a database at every moment; not all file systems can do that.
    if std::fs::hard_link(file, &kept).is_err() {
        std::fs::rename(file, &kept).map_err(OpenError::file(file))?;
    }
    std::fs::rename(fresh, file).map_err(OpenError::file(file))?;
    crate::files::sync_folder_of(file).map_err(OpenError::file(file))?;
    Ok(kept)
}

/// A small table: its name, what its rows are to people, its key, and whether there is a copy of it.
struct Small {
    name: &'static str,
    people: &'static str,
    key: &'static str,
    copied: bool,
}

const SMALL: [Small; 10] = [
    Small { name: "settings", people: "settings and secrets", key: "scope, name", copied: true },
    Small { name: "projects", people: "projects", key: "row", copied: true },
    Small { name: "logs", people: "logs' names", key: "row", copied: true },
    Small { name: "branches", people: "branches' ends", key: "row", copied: false },
    Small { name: "signatures", people: "signatures of checkpoints", key: "branch, length", copied: false },
    Small { name: "gaps", people: "notes of earlier losses", key: "branch, start", copied: false },
    Small { name: "collections", people: "collections' names", key: "row", copied: false },
    Small { name: "indexes", people: "definitions of indexes", key: "row", copied: false },
    Small { name: "receipts", people: "receipts", key: "project, device", copied: false },
    Small { name: "addresses", people: "addresses", key: "device, address", copied: false },
];

/// Reads everything that can be read, and writes it into `target` if there is one.
fn salvage(source: &mut Source<'_>, target: Option<&Connection>) -> Result<Report, OpenError> {
    let mut report = Report::default();
    let mut rows = Rows::new();
    for table in &SMALL {
        let (found, mut whole) = read_small(source, table.name, table.key)?;
        let mut found: BTreeMap<String, Vec<Value>> = found;
        if !whole && table.copied {
            let (copy, copy_whole) = read_small(source, &format!("{}_copy", table.name), table.key)?;
            for (key, row) in copy {
                found.entry(key).or_insert(row);
            }
            whole = copy_whole;
        }
        if !whole {
            report.lost.push(Loss::Rows(table.people));
        }
        rows.insert(table.name, found.into_values().collect());
    }
    if rows.get("settings").is_none_or(Vec::is_empty) {
        return Err(OpenError::NotADatabase(source.file.clone()));
    }
    let mut present = read_entries(source, target, &mut report.entries)?;
    let known = known_gaps(&rows);
    let mut gaps = gaps_of_branches(&rows, &present);
    if gaps.iter().any(|gap| !known.contains(gap)) {
        read_loose_entries(source, target, &gaps, &mut present, &mut report.entries)?;
        gaps = gaps_of_branches(&rows, &present);
    }
    let names = names_of_branches(&rows);
    for (branch, gap) in gaps.iter().filter(|gap| !known.contains(gap)) {
        if let Some(log) = names.get(branch) {
            report.lost.push(Loss::Entries { log: *log, positions: gap.clone() });
        }
    }
    let sound = views_are_sound(source)?;
    // What was damaged and found again elsewhere is no loss, and yet the file cannot be left as it is.
    if !sound || (source.met_damage && report.lost.is_empty()) {
        report.lost.push(Loss::Views);
    }
    if let Some(target) = target {
        write_small(target, &rows, &gaps)?;
        rebuild_branches(target, &present)?;
        copy_control_entries(target)?;
    }
    Ok(report)
}

/// Keeps the entries of control logs twice again.
fn copy_control_entries(target: &Connection) -> Result<(), StoreError> {
    let kind = LogKind::Control.byte();
    let mut statement =
        target.prepare("SELECT branches.row FROM branches JOIN logs ON logs.row = log WHERE kind = ?1")?;
    let branches: Vec<i64> = statement.query_map([kind], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut copy = target.prepare("INSERT INTO entries_copy SELECT * FROM entries WHERE key >= ?1 AND key < ?2")?;
    for branch in branches {
        copy.execute([entry_key(BranchRow(branch), 0), entry_key(BranchRow(branch.saturating_add(1)), 0)])?;
    }
    Ok(())
}

fn write_small(target: &Connection, rows: &Rows, gaps: &[(i64, Range<u64>)]) -> Result<(), StoreError> {
    for (name, rows) in rows.iter().filter(|(name, _)| **name != "gaps") {
        let Some(first) = rows.first() else { continue };
        let places = vec!["?"; first.len()].join(", ");
        let mut insert = target.prepare(&format!("INSERT OR IGNORE INTO {name} VALUES ({places})"))?;
        for row in rows {
            insert.execute(params_from_iter(row))?;
        }
    }
    let mut insert = target.prepare("INSERT INTO gaps(branch, start, length) VALUES (?1, ?2, ?3)")?;
    for (branch, gap) in gaps {
        insert.execute([*branch, gap.start as i64, gap.end.saturating_sub(gap.start) as i64])?;
    }
    target.execute("UPDATE branches SET applied = fork_at", [])?;
    Ok(())
}
