//! Commits: what this device's last one did, and taking it back as a whole.

use std::collections::BTreeMap;
use std::ops::Range;

use ayni_doc::version_id;
use ayni_log::ids::{DocumentId, Hash, LogKind};
use ayni_store::{BranchRow, CollectionRow, DocumentRow, Snapshot};

use super::undo::{Plan, Undone};
use crate::core::reading::{commit_start, read_entries};
use crate::core::state::State;
use crate::error::Error;
use crate::project::Project;

/// What one commit of this device did to documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The wall time that it claims: milliseconds since 1970 (UTC).
    pub time: i64,
    /// The documents that it changed.
    pub documents: Vec<CommittedDocument>,
}

/// A document that a commit changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedDocument {
    /// The collection.
    pub collection: String,
    /// The document.
    pub id: DocumentId,
    /// The versions that the commit made of it, oldest first.
    pub versions: Vec<Hash>,
}

impl Project {
    /// The last commit of this device that changed documents; `None` if there is none, or if it stands in the logs of the time
    /// before the folder was restored or copied.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn last_commit(&self) -> Result<Option<Commit>, Error> {
        let inner = &self.database.inner;
        self.core.read(inner, |snapshot, state| {
            let log = inner.author().log(state, LogKind::Data).id();
            let Some(branch) = state.branches.of_log(log).next() else { return Ok(None) };
            let (row, mut end) = (branch.row, branch.applied);
            while let Some(last) = end.checked_sub(1) {
                let start = commit_start(snapshot, row, last)?;
                let commit = read_commit(snapshot, state, row, start..end)?;
                if !commit.documents.is_empty() {
                    return Ok(Some(commit));
                }
                end = start;
            }
            Ok(None)
        })
    }

    /// Takes back what a commit changed, document by document as [`Collection::undo`](crate::Collection::undo) does, in one
    /// commit of its own: taking that back does it all again.
    ///
    /// # Errors
    /// As [`Collection::undo`](crate::Collection::undo).
    pub fn undo(&self, commit: &Commit) -> Result<Vec<Undone>, Error> {
        let plans = self.plan_undo(commit)?;
        self.write(|tx| plans.iter().try_for_each(|plan| plan.write(tx)))?;
        Ok(plans.into_iter().map(|plan| plan.undone).collect())
    }

    /// What [`Project::undo`] would do, without doing it.
    ///
    /// # Errors
    /// As [`Project::undo`].
    pub fn preview_undo(&self, commit: &Commit) -> Result<Vec<Undone>, Error> {
        Ok(self.plan_undo(commit)?.into_iter().map(|plan| plan.undone).collect())
    }

    fn plan_undo(&self, commit: &Commit) -> Result<Vec<Plan>, Error> {
        let published = self.published()?;
        self.core.read(&self.database.inner, |snapshot, state| {
            let plan = |changed: &CommittedDocument| {
                let collection = self.collection(&changed.collection);
                Plan::new(&collection, snapshot, state, &published.names, changed.id, &changed.versions)
            };
            commit.documents.iter().map(plan).collect()
        })
    }
}

/// The documents of the entries at some positions.
fn read_commit(snapshot: &Snapshot<'_>, state: &State, row: BranchRow, positions: Range<u64>) -> Result<Commit, Error> {
    let names: BTreeMap<CollectionRow, &String> =
        state.collections.values().filter_map(|known| Some((known.row, known.name.as_ref()?))).collect();
    let mut commit = Commit { time: 0, documents: Vec::new() };
    let mut at: BTreeMap<DocumentRow, usize> = BTreeMap::new();
    for entry in read_entries(snapshot, row, positions.start, positions.end)? {
        let document = snapshot.document_of(state.branches.key(row, entry.position))?;
        let (Some(document), true) = (document, state.branches.counts(row, entry.position)) else { continue };
        commit.time = entry.header.v1().map_or(commit.time, |body| body.time);
        let version = version_id(&[entry.hash]);
        if let Some(known) = at.get(&document).and_then(|at| commit.documents.get_mut(*at)) {
            known.versions.push(version);
            continue;
        }
        let Some(stored) = snapshot.document(document)? else { continue };
        let Some(collection) = names.get(&stored.collection) else { continue };
        at.insert(document, commit.documents.len());
        let collection = (*collection).clone();
        commit.documents.push(CommittedDocument { collection, id: stored.id, versions: vec![version] });
    }
    Ok(commit)
}
