//! What the rows of a damaged database say of its branches, and the making anew of branches whose rows were lost.

use std::collections::BTreeMap;
use std::ops::Range;

use ayni_log::header::Header;
use ayni_log::ids::{DeviceId, LogKind, LogName, ProjectId, StoreId};
use ayni_log::tip::Tip;
use rusqlite::types::Value;
use rusqlite::{Connection, params};

use crate::damaged::{Present, Trouble, entries_from, read_all};
use crate::entries::{StoredEntry, entry_place};
use crate::error::StoreError;
use crate::{BranchRow, entry_key};

/// The rows of the small tables, by table.
pub(crate) type Rows = BTreeMap<&'static str, Vec<Vec<Value>>>;

/// Whose log each branch is of.
pub(crate) fn names_of_branches(rows: &Rows) -> BTreeMap<i64, LogName> {
    let logs = names_of_logs(rows);
    table(rows, "branches").iter().filter_map(|row| Some((integer(row, 0)?, *logs.get(&integer(row, 1)?)?))).collect()
}

pub(crate) fn known_gaps(rows: &Rows) -> Vec<(i64, Range<u64>)> {
    let gap = |row: &Vec<Value>| {
        let start = integer(row, 1)?.unsigned_abs();
        Some((integer(row, 0)?, start..start.saturating_add(integer(row, 2)?.unsigned_abs())))
    };
    table(rows, "gaps").iter().filter_map(gap).collect()
}

/// What every branch lacks.
pub(crate) fn gaps_of_branches(rows: &Rows, present: &Present) -> Vec<(i64, Range<u64>)> {
    let mut gaps = Vec::new();
    for (branch, (start, end)) in ends_of_branches(rows) {
        let runs = present.get(&branch).map_or(&[][..], Vec::as_slice);
        gaps.extend(missing(runs, start..end).into_iter().map(|gap| (branch, gap)));
    }
    gaps
}

/// From where to where each branch holds entries of its own.
fn ends_of_branches(rows: &Rows) -> BTreeMap<i64, (u64, u64)> {
    let place =
        |row: &Vec<Value>| Some((integer(row, 0)?, (integer(row, 3)?.unsigned_abs(), integer(row, 4)?.unsigned_abs())));
    table(rows, "branches").iter().filter_map(place).collect()
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

/// Makes the row of a branch anew, from its entries, where the row was lost: for logs with one branch, as far as the entries
/// go without a gap. What lies beyond, or belongs to no log that is still known, is taken out again.
pub(crate) fn rebuild_branches(target: &Connection, present: &Present) -> Result<(), StoreError> {
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

fn table<'a>(rows: &'a Rows, name: &str) -> &'a [Vec<Value>] {
    rows.get(name).map_or(&[], Vec::as_slice)
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
