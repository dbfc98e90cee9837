//! Finding damage, naming what it took, and saving everything else into a fresh file.
//!
//! A page that is not what was written does not decrypt, so damage shows wherever something reads it. The log is read row
//! by row around it; small tables from both ends, those without which nothing can be read (settings with the device's
//! secrets, projects, logs) from their copies too. Documents and indexes are views: they are not saved but dropped, and
//! the caller builds them anew from the log.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ayni_log::header::Header;
use ayni_log::ids::{DeviceId, LogKind, LogName, ProjectId, StoreId};
use ayni_log::tip::Tip;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use crate::entries::{StoredEntry, entry_place};
use crate::error::{OpenError, StoreError};
use crate::rescue;
use crate::schema::{self, Options, Purpose};
use crate::{BranchRow, DatabaseKey, EntryKey, Folder, entry_key};

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

/// Reads the whole database and names what is damaged; changes nothing. About a second for 200 MB.
///
/// # Errors
/// [`OpenError::NotADatabase`] when nothing in it can be read with this key; otherwise what failed that is not damage.
pub fn check(folder: &Folder, key: &DatabaseKey, options: &Options) -> Result<Report, OpenError> {
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
    let report = check(folder, key, options)?;
    if report.lost.is_empty() {
        return Ok(report);
    }
    let file = folder.database_file();
    if !report.lost.contains(&Loss::Start) {
        Source::open(file.clone(), key, options)?.take_alone()?;
    }
    let fresh = file.with_extension("db.new");
    rescue::remove_database(&fresh)?;
    let mut target = schema::connect(&fresh, key, options, Purpose::Create)?;
    schema::create_tables(&target)?;
    let transaction = target.transaction().map_err(StoreError::from)?;
    let mut report = salvage_file(&file, key, options, Some(&transaction))?;
    transaction.commit().map_err(StoreError::from)?;
    target.close().map_err(|(_, error)| StoreError::from(error))?;
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
            let copy = rescue::readable_copy(file, key, options)?;
            let report = Source::open(copy.clone(), key, options).and_then(|mut source| salvage(&mut source, target));
            rescue::remove_database(&copy)?;
            let mut report = report.map_err(|error| match error {
                OpenError::NotADatabase(_) => OpenError::NotADatabase(file.to_owned()),
                error => error,
            })?;
            report.lost.insert(0, Loss::Start);
            Ok(report)
        }
        Err(error) => Err(error),
        Ok(mut source) => salvage(&mut source, target),
    }
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

/// A damaged database. After an error its connection may be of no more use, so it is opened anew.
struct Source<'a> {
    file: PathBuf,
    key: &'a DatabaseKey,
    options: &'a Options,
    connection: Connection,
}

impl<'a> Source<'a> {
    fn open(file: PathBuf, key: &'a DatabaseKey, options: &'a Options) -> Result<Self, OpenError> {
        let unreadable = |error| match error {
            StoreError::Damaged => OpenError::NotADatabase(file.clone()),
            error => OpenError::Store(error),
        };
        let connection = schema::connect(&file, key, options, Purpose::Inspect).map_err(unreadable)?;
        schema::check_version(&connection, &file)?;
        Ok(Self { file, key, options, connection })
    }

    /// Makes sure that nobody else has the file open, and that all of the database is in it.
    fn take_alone(&self) -> Result<(), StoreError> {
        let mode: String = self.connection.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))?;
        if mode != "delete" {
            return Err(StoreError::Busy);
        }
        Ok(())
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        schema::connect(&self.file, self.key, self.options, Purpose::Inspect)
    }

    /// Goes on after an error if it was one of damage.
    fn recover(&mut self, error: rusqlite::Error) -> Result<(), StoreError> {
        match StoreError::from(error) {
            StoreError::Damaged | StoreError::Io(_) | StoreError::Sql(_) => {}
            error => return Err(error),
        }
        self.connection = self.connect()?;
        Ok(())
    }
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

/// The rows of the small tables, by table.
type Rows = BTreeMap<&'static str, Vec<Vec<Value>>>;

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
    if !views_are_sound(source)? {
        report.lost.push(Loss::Views);
    }
    if let Some(target) = target {
        write_small(target, &rows, &gaps)?;
        rebuild_branches(target, &present)?;
    }
    Ok(report)
}

/// A small table from its first row on, and from its last one back: all that lies before the first and after the last damage.
/// Whether that is all.
fn read_small(
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

fn read_all(
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

/// The runs of positions that are there, by branch.
type Present = BTreeMap<i64, Vec<Range<u64>>>;

/// Reads all entries around the damage.
fn read_entries(source: &mut Source<'_>, target: Option<&Connection>, count: &mut u64) -> Result<Present, StoreError> {
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
fn read_loose_entries(
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

/// What every branch lacks.
fn gaps_of_branches(rows: &Rows, present: &Present) -> Vec<(i64, Range<u64>)> {
    let mut gaps = Vec::new();
    for (branch, (start, end)) in ends_of_branches(rows) {
        let runs = present.get(&branch).map_or(&[][..], Vec::as_slice);
        gaps.extend(missing(runs, start..end).into_iter().map(|gap| (branch, gap)));
    }
    gaps
}

enum Trouble {
    Source(rusqlite::Error),
    Target(StoreError),
}

fn entries_from(
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

/// What of `all` no run covers. The runs ascend.
fn missing(present: &[Range<u64>], all: Range<u64>) -> Vec<Range<u64>> {
    let mut gaps = Vec::new();
    let mut next = all.start;
    for run in present {
        if run.start > next {
            gaps.push(next..run.start.min(all.end));
        }
        next = next.max(run.end);
    }
    if next < all.end {
        gaps.push(next..all.end);
    }
    gaps
}

fn integer(row: &[Value], column: usize) -> Option<i64> {
    match row.get(column) {
        Some(Value::Integer(number)) => Some(*number),
        _ => None,
    }
}

fn blob<const N: usize>(row: &[Value], column: usize) -> Option<[u8; N]> {
    match row.get(column) {
        Some(Value::Blob(bytes)) => bytes.as_slice().try_into().ok(),
        _ => None,
    }
}

fn table<'a>(rows: &'a Rows, name: &str) -> &'a [Vec<Value>] {
    rows.get(name).map_or(&[], Vec::as_slice)
}

/// Logs by their rows.
fn names_of_logs(rows: &Rows) -> BTreeMap<i64, LogName> {
    let projects: BTreeMap<i64, ProjectId> =
        table(rows, "projects").iter().filter_map(|row| Some((integer(row, 0)?, ProjectId(blob(row, 1)?)))).collect();
    let name = |row: &Vec<Value>| {
        let name = LogName {
            project: *projects.get(&integer(row, 1)?)?,
            device: DeviceId(blob(row, 3)?),
            kind: LogKind::from_byte(u8::try_from(integer(row, 4)?).ok()?).ok()?,
            incarnation: StoreId(blob(row, 5)?),
        };
        Some((integer(row, 0)?, name))
    };
    table(rows, "logs").iter().filter_map(name).collect()
}

/// Whose log each branch is of.
fn names_of_branches(rows: &Rows) -> BTreeMap<i64, LogName> {
    let logs = names_of_logs(rows);
    table(rows, "branches").iter().filter_map(|row| Some((integer(row, 0)?, *logs.get(&integer(row, 1)?)?))).collect()
}

/// From where to where each branch holds entries of its own.
fn ends_of_branches(rows: &Rows) -> BTreeMap<i64, (u64, u64)> {
    let place =
        |row: &Vec<Value>| Some((integer(row, 0)?, (integer(row, 3)?.unsigned_abs(), integer(row, 4)?.unsigned_abs())));
    table(rows, "branches").iter().filter_map(place).collect()
}

fn known_gaps(rows: &Rows) -> Vec<(i64, Range<u64>)> {
    let gap = |row: &Vec<Value>| {
        let start = integer(row, 1)?.unsigned_abs();
        Some((integer(row, 0)?, start..start.saturating_add(integer(row, 2)?.unsigned_abs())))
    };
    table(rows, "gaps").iter().filter_map(gap).collect()
}

/// Whether all documents and indexes can be read, and hang together.
fn views_are_sound(source: &mut Source<'_>) -> Result<bool, StoreError> {
    let mut sound = true;
    for table in ["documents", "index_keys", "views"] {
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

/// Makes the row of a branch anew, from its entries, where the row was lost: for logs with one branch, as far as the entries
/// go without a gap. What lies beyond, or belongs to no log that is still known, is taken out again.
fn rebuild_branches(target: &Connection, present: &Present) -> Result<(), StoreError> {
    let mut orphans: Vec<i64> = Vec::new();
    let mut known = target.prepare("SELECT EXISTS (SELECT 1 FROM branches WHERE row = ?1)")?;
    for branch in present.keys() {
        if !known.query_row([branch], |row| row.get::<_, bool>(0))? {
            orphans.push(*branch);
        }
    }
    for branch in orphans {
        let run = present.get(&branch).and_then(|runs| runs.first()).cloned().unwrap_or_default();
        let rebuilt = rebuild_branch(target, branch, run)?;
        let from = entry_key(BranchRow(branch), rebuilt);
        let to = entry_key(BranchRow(branch.saturating_add(1)), 0);
        target.execute("DELETE FROM entries WHERE key >= ?1 AND key < ?2", [from, to])?;
    }
    Ok(())
}

/// Gives the length up to which it could.
fn rebuild_branch(target: &Connection, branch: i64, run: Range<u64>) -> Result<u64, StoreError> {
    if run.start != 0 {
        return Ok(0);
    }
    for (log, name) in lone_logs(target)? {
        let mut tip = Tip::new(name);
        let mut fits = true;
        let walked = entries_from(target, entry_key(BranchRow(branch), 0), |entry| {
            let follows = entry_place(entry.key).0.0 == branch && tip.length() < run.end;
            fits = fits && follows && replay(&mut tip, entry);
            Ok(())
        });
        if let Err(Trouble::Source(error)) = walked {
            return Err(error.into());
        }
        // The first entry hangs on the log's id, so a log that it fits is the one.
        if tip.length() > 0 {
            let length = tip.length();
            target.execute(
                "INSERT INTO branches(row, log, fork_at, length, bytes, applied, hash, tip)
                 VALUES (?1, ?2, 0, ?3, ?4, 0, ?5, ?6)",
                params![branch, log, length as i64, tip.bytes() as i64, tip.hash().0.as_slice(), tip.encode()],
            )?;
            return Ok(length);
        }
    }
    Ok(0)
}

/// Logs of which no branch is left.
fn lone_logs(target: &Connection) -> Result<Vec<(i64, LogName)>, StoreError> {
    let mut rows = Rows::new();
    for name in ["projects", "logs"] {
        let mut found = Vec::new();
        read_all(target, &format!("SELECT * FROM {name}"), |row| {
            found.push((0..row.as_ref().column_count()).map(|column| row.get(column)).collect::<Result<_, _>>()?);
            Ok(())
        })?;
        rows.insert(name, found);
    }
    let mut lone = Vec::new();
    for (log, name) in names_of_logs(&rows) {
        let taken: bool =
            target.query_row("SELECT EXISTS (SELECT 1 FROM branches WHERE log = ?1)", [log], |row| row.get(0))?;
        if !taken {
            lone.push((log, name));
        }
    }
    Ok(lone)
}

/// Follows with a stored entry; `false` (and the tip as it was) if it does not fit.
fn replay(tip: &mut Tip, entry: &StoredEntry) -> bool {
    let Ok(header) = entry.read_header() else { return false };
    let mut next = tip.clone();
    let fits = next.append(&header, &Header::encode(&header)).is_ok_and(|hash| hash == entry.hash);
    if fits {
        *tip = next;
    }
    fits
}
