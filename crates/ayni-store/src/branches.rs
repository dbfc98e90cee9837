//! Projects, their logs, and the branches of these: what a frontier is made of.

use ayni_log::ids::{DeviceId, Hash, LogId, LogKind, LogName, ProjectId, StoreId};
use ayni_log::tip::Tip;
use rusqlite::{OptionalExtension, Row, params};

use crate::error::StoreError;
use crate::{Snapshot, Write};

/// Which project, within this database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectRow(pub i64);

/// Which branch, within this database. Below 2^23.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchRow(pub i64);

/// A branch, but for its tip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Which.
    pub row: BranchRow,
    /// Whose log it is a branch of.
    pub log: LogName,
    /// That log's id.
    pub log_id: LogId,
    /// Whether this device writes the log.
    pub own: bool,
    /// The branch it came off and how many entries they share; `None` for a log's first branch.
    pub fork: Option<(BranchRow, u64)>,
    /// How many entries it has, those it shares included.
    pub length: u64,
    /// Bytes of their headers and payloads.
    pub bytes: u64,
    /// How many of its entries the views have taken in (or passed over), from the start.
    pub applied: u64,
    /// The hash of the last entry.
    pub hash: Hash,
}

const BRANCH: &str = "SELECT branches.row, branches.parent, branches.fork_at, branches.length, branches.bytes,
    branches.applied, branches.hash, logs.id, logs.device, logs.kind, logs.incarnation, logs.own, projects.id
    FROM branches JOIN logs ON logs.row = branches.log JOIN projects ON projects.row = logs.project";

impl Snapshot<'_> {
    /// All projects, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn projects(&self) -> Result<Vec<(ProjectRow, ProjectId)>, StoreError> {
        let mut statement = self.statement("SELECT row, id FROM projects ORDER BY row")?;
        let rows = statement.query_map([], |row| Ok((ProjectRow(row.get(0)?), ProjectId(row.get(1)?))))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A project by its id.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn project(&self, id: ProjectId) -> Result<Option<ProjectRow>, StoreError> {
        let mut statement = self.statement("SELECT row FROM projects WHERE id = ?1")?;
        Ok(statement.query_row([id.0.as_slice()], |row| Ok(ProjectRow(row.get(0)?))).optional()?)
    }

    /// All branches of a project's control or data logs, oldest first: its frontier. Touches no entries.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn frontier(&self, project: ProjectRow, kind: LogKind) -> Result<Vec<Branch>, StoreError> {
        let mut statement =
            self.statement(&format!("{BRANCH} WHERE logs.project = ?1 AND logs.kind = ?2 ORDER BY branches.row"))?;
        let rows = statement.query_map(params![project.0, kind.byte()], read_branch)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// All branches of one log, its first branch first; empty if the log is unknown here.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn branches_of(&self, log: LogId) -> Result<Vec<Branch>, StoreError> {
        let mut statement = self.statement(&format!("{BRANCH} WHERE logs.id = ?1 ORDER BY branches.row"))?;
        let rows = statement.query_map([log.0.as_slice()], read_branch)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One branch.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] if there is none.
    pub fn branch(&self, branch: BranchRow) -> Result<Branch, StoreError> {
        let mut statement = self.statement(&format!("{BRANCH} WHERE branches.row = ?1"))?;
        let found = statement.query_row([branch.0], read_branch).optional()?;
        found.ok_or(StoreError::Misuse("a branch that is not here"))
    }

    /// The tip of a branch: what judges and writes its next entry.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] if there is no such branch, [`StoreError::Unreadable`] if its tip was damaged.
    pub fn tip(&self, branch: BranchRow) -> Result<Tip, StoreError> {
        let mut statement = self.statement("SELECT tip FROM branches WHERE row = ?1")?;
        let bytes: Option<Vec<u8>> = statement.query_row([branch.0], |row| row.get(0)).optional()?;
        let bytes = bytes.ok_or(StoreError::Misuse("a branch that is not here"))?;
        Tip::decode(&bytes).map_err(StoreError::unreadable("tip"))
    }

    /// The rows that hold a branch's positions, first to last: a branch keeps only what it does not share, the rest lies
    /// with its parent. Each with the positions from and up to which it holds.
    pub(crate) fn pieces(&self, branch: BranchRow) -> Result<Vec<Piece>, StoreError> {
        let mut statement = self.statement("SELECT parent, fork_at, length FROM branches WHERE row = ?1")?;
        let mut pieces = Vec::new();
        let mut next = Some((branch.0, i64::MAX));
        while let Some((row, end)) = next {
            let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            let found: Option<(Option<i64>, i64, i64)> = statement.query_row([row], read).optional()?;
            let (parent, start, length) = found.ok_or(StoreError::Misuse("a branch that is not here"))?;
            pieces.push(Piece { row, start, end: length.min(end) });
            // A branch is made after its parent, so this ends.
            next = parent.filter(|parent| *parent < row).map(|parent| (parent, start.min(end)));
        }
        pieces.reverse();
        Ok(pieces)
    }
}

/// A run of positions of a branch that lie under one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) row: i64,
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl Write<'_> {
    /// Takes in a project; gives the one there is if it is here.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn add_project(&mut self, id: ProjectId) -> Result<ProjectRow, StoreError> {
        if let Some(row) = self.project(id)? {
            return Ok(row);
        }
        let mut statement = self.statement("INSERT INTO projects(id) VALUES (?1)")?;
        Ok(ProjectRow(statement.insert([id.0.as_slice()])?))
    }

    /// Takes in a log, with its first branch, still empty; gives the first branch there is if the log is here. `own` says
    /// that this device writes it.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn add_log(&mut self, name: &LogName, own: bool) -> Result<BranchRow, StoreError> {
        let id = name.id();
        if let Some(first) = self.branches_of(id)?.first() {
            return Ok(first.row);
        }
        let project = self.add_project(name.project)?;
        let mut statement = self.statement(
            "INSERT INTO logs(project, id, device, kind, incarnation, own) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let (device, incarnation) = (name.device.0.as_slice(), name.incarnation.0.as_slice());
        let log = statement.insert(params![project.0, id.0.as_slice(), device, name.kind.byte(), incarnation, own])?;
        self.insert_branch(log, None, &Tip::new(*name))
    }

    /// Takes in a further branch of a forked log: it shares the first `tip.length()` entries of `parent`, and has no other
    /// yet.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] if the parent is of another log or has no more entries than are shared.
    pub fn fork(&mut self, parent: BranchRow, tip: &Tip) -> Result<BranchRow, StoreError> {
        let stem = self.branch(parent)?;
        if stem.log_id != tip.id() || tip.length() >= stem.length {
            return Err(StoreError::Misuse("a fork off another log, or where there is none"));
        }
        let shared = tip.length().checked_sub(1).map(|last| self.hash_at(parent, last)).transpose()?;
        if shared.is_some_and(|hash| hash != Some(tip.hash())) {
            return Err(StoreError::Misuse("a fork whose tip is not on the parent"));
        }
        // What is shared may lie with the parent's parent.
        let at = tip.length() as i64;
        let held = self.pieces(parent)?.into_iter().rev().find(|piece| piece.start < at || piece.start == 0);
        let holder = held.map_or(parent.0, |piece| piece.row);
        let mut statement = self.statement("SELECT log FROM branches WHERE row = ?1")?;
        let log = statement.query_row([holder], |row| row.get(0))?;
        self.insert_branch(log, Some(holder), tip)
    }

    /// Notes up to which position the views have taken a branch in.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn set_applied(&mut self, branch: BranchRow, applied: u64) -> Result<(), StoreError> {
        let mut statement = self.statement("UPDATE branches SET applied = ?2 WHERE row = ?1")?;
        match statement.execute(params![branch.0, applied as i64])? {
            1 => Ok(()),
            _ => Err(StoreError::Misuse("a branch that is not here")),
        }
    }

    fn insert_branch(&self, log: i64, parent: Option<i64>, tip: &Tip) -> Result<BranchRow, StoreError> {
        let mut statement = self.statement(
            "INSERT INTO branches(log, parent, fork_at, length, bytes, applied, hash, tip)
             VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let length = tip.length() as i64;
        let hash = tip.hash();
        let row = statement.insert(params![
            log,
            parent,
            length,
            tip.bytes() as i64,
            length,
            hash.0.as_slice(),
            tip.encode()
        ])?;
        if row >= 1 << 23 {
            return Err(StoreError::Misuse("more branches than entry keys can tell apart"));
        }
        Ok(BranchRow(row))
    }
}

fn read_branch(row: &Row<'_>) -> rusqlite::Result<Branch> {
    let number = |column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let parent: Option<i64> = row.get(1)?;
    let kind = LogKind::from_byte(row.get(9)?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(9, rusqlite::types::Type::Integer, Box::new(error))
    })?;
    Ok(Branch {
        row: BranchRow(row.get(0)?),
        fork: match parent {
            Some(parent) => Some((BranchRow(parent), number(2)?)),
            None => None,
        },
        length: number(3)?,
        bytes: number(4)?,
        applied: number(5)?,
        hash: Hash(row.get(6)?),
        log_id: LogId(row.get(7)?),
        log: LogName {
            project: ProjectId(row.get(12)?),
            device: DeviceId(row.get(8)?),
            kind,
            incarnation: StoreId(row.get(10)?),
        },
        own: row.get(11)?,
    })
}
