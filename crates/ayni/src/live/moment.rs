//! The moment up to which a live query has seen the store, and which documents changed since.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use ayni_log::ids::LogKind;
use ayni_store::{Branch, BranchRow, CollectionRow, DocumentRow, ProjectRow, Snapshot};

use crate::core::reading::commit_start;
use crate::error::Error;

/// Entries that are followed from one moment to the next; of more the query is asked anew.
const FOLLOWED: u64 = 1 << 16;

/// What of the store a project's documents follow from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// How often documents were made anew otherwise than by entries that took effect.
    remade: u64,
    /// The collection; `None` as long as nothing is known of it.
    pub(super) collection: Option<CollectionRow>,
    /// Up to where each data branch is in effect, and where it forked off.
    effective: BTreeMap<BranchRow, (u64, Option<u64>)>,
}

/// What changed from one moment to another.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Changed {
    /// These documents at most, of whatever collection, which so many entries tell.
    Documents(BTreeSet<DocumentRow>, u64),
    /// That is not known, or too much.
    Unknown,
}

impl Moment {
    /// The moment of a snapshot.
    pub(super) fn of(
        store: &Snapshot<'_>,
        project: ProjectRow,
        name: &str,
        known: Option<&Self>,
    ) -> Result<Self, Error> {
        let collection = match known.and_then(|known| known.collection) {
            Some(row) => Some(row),
            None => {
                store.collections(project)?.into_iter().find(|one| one.name.as_deref() == Some(name)).map(|one| one.row)
            }
        };
        let branches = store.frontier(project, LogKind::Data)?;
        let effective = |branch: Branch| (branch.row, (branch.applied, branch.fork.map(|(_, at)| at)));
        let effective = branches.into_iter().map(effective).collect();
        Ok(Self { remade: store.remade()?, collection, effective })
    }

    /// What changed since an earlier moment, as of a snapshot of this one.
    pub(super) fn since(&self, earlier: &Self, store: &Snapshot<'_>) -> Result<Changed, Error> {
        if (self.remade, self.collection) != (earlier.remade, earlier.collection) {
            return Ok(Changed::Unknown);
        }
        let (mut documents, mut entries) = (BTreeSet::new(), 0);
        for (branch, (to, fork)) in &self.effective {
            let from = match earlier.effective.get(branch) {
                Some((from, _)) if from == to => continue,
                // Nothing of its own was in effect.
                Some((from, fork)) if Some(*from) != *fork => *from,
                _ => fork.map_or(Ok(0), |at| commit_start(store, *branch, at))?,
            };
            // What was in effect stays so, but where documents are made anew.
            let Some(count) = to.checked_sub(from) else { return Ok(Changed::Unknown) };
            entries += count;
            if entries > FOLLOWED {
                return Ok(Changed::Unknown);
            }
            store.documents_of(*branch, from..*to, |row| {
                documents.insert(row);
                ControlFlow::Continue(())
            })?;
        }
        Ok(Changed::Documents(documents, entries))
    }
}
