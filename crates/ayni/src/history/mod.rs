//! History: the versions of a document, what it was in each, and going back to one.
//!
//! - [`sittings`]: versions that one author wrote in a row, as people look at a history.
//! - [`provenance`]: who wrote what a document shows.
//! - [`undo`]: taking back what a change did; [`commits`]: what this device's last commit did, and taking that back.
//! - [`past`]: a whole collection as it was at a moment.

mod commits;
mod past;
mod provenance;
mod sittings;
#[cfg(test)]
mod tests;
mod undo;

use std::collections::{BTreeMap, BTreeSet};

use ayni_doc::{Change, EntryKey, Version, version_id};
use ayni_log::ids::{DeviceId, DocumentId, Hash};

pub use commits::{Commit, CommittedDocument};
pub use past::Past;
pub use provenance::{Authored, Provenance};
pub use sittings::{PAUSE, Sitting};
pub use undo::{Existence, Kept, SetBack, Undone};

use crate::collection::Collection;
use crate::core::effects::versions_of;
use crate::document::Document;
use crate::error::Error;

/// One version of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionInfo {
    /// Its id: a hash of the heads that it has.
    pub id: Hash,
    /// The wall time that its author claims: milliseconds since 1970 (UTC).
    pub time: i64,
    /// Who wrote it.
    pub author: DeviceId,
    /// The name of that device.
    pub author_name: String,
    /// What it did.
    pub change: Change,
    /// The ids of the versions that its author had read.
    pub parents: Vec<Hash>,
}

impl Collection {
    /// The versions of a document, oldest first: each after those that its author had read, and otherwise by claimed time.
    ///
    /// # Errors
    /// [`Error::NoDocument`] if there is none with this id.
    pub fn history(&self, id: DocumentId) -> Result<Vec<VersionInfo>, Error> {
        let none = || Error::NoDocument { collection: self.name.clone(), id };
        let row = self.row()?.ok_or_else(none)?;
        let published = self.project.published()?;
        self.project.core.read(&self.project.database.inner, |snapshot, state| {
            let stored = snapshot.document_by_id(row, id)?.ok_or_else(none)?;
            Ok(listed(versions_of(snapshot, state, stored.heads)?, &published.names))
        })
    }

    /// The document as it was in a version of its history: what its author showed after writing it, having read all that
    /// came before. To bring that back there is [`Collection::restore`]; an edit of this handle is one by somebody who has seen
    /// nothing since.
    ///
    /// # Errors
    /// [`Error::NoVersion`] if there is no such version, or no such document.
    pub fn get_version(&self, id: DocumentId, version: Hash) -> Result<Document, Error> {
        let none = || Error::NoVersion { collection: self.name.clone(), id, version };
        let row = self.row()?.ok_or_else(none)?;
        self.project.core.read(&self.project.database.inner, |snapshot, state| {
            let stored = snapshot.document_by_id(row, id)?.ok_or_else(none)?;
            let versions = versions_of(snapshot, state, stored.heads)?;
            let is_it = |one: &&Version| one.change.is_some() && version_id(&[one.hash]) == version;
            let key = versions.iter().find(is_it).ok_or_else(none)?.key;
            let versions = with_ancestors(versions, key);
            let mut merged = ayni_doc::merge(&versions);
            state.handle_versions(row, id, &mut merged, &versions);
            Ok(self.document(id, merged))
        })
    }

    /// Makes a document show what it showed in a version of its history, by a change of its own: what came since stays in
    /// the history. A document that was deleted comes back. Gives whether anything had to be changed.
    ///
    /// # Errors
    /// As [`Collection::get_version`]; [`Error::VersionDeleted`] if the version is the deletion itself.
    pub fn restore(&self, id: DocumentId, version: Hash) -> Result<bool, Error> {
        let wanted = self.get_version(id, version)?;
        if wanted.is_deleted() {
            return Err(Error::VersionDeleted { collection: self.name.clone(), id, version });
        }
        self.restore_to(&wanted)
    }

    /// Makes a document show what a handle of it shows, as [`Collection::restore`] does: for one of [`Past::get`].
    ///
    /// # Errors
    /// [`Error::NoDocument`] if there is none with this id.
    pub fn restore_to(&self, past: &Document) -> Result<bool, Error> {
        let none = || Error::NoDocument { collection: self.name.clone(), id: past.id };
        let current = self.get_deleted(past.id)?.ok_or_else(none)?;
        self.project.write(|tx| {
            tx.replace(&current, past.fields())?;
            Ok(!tx.is_empty())
        })
    }
}

/// What is told of versions, in the order of a history. Those without effect are left out: who has seen one has seen what it
/// had seen.
fn listed(versions: Vec<Version>, names: &BTreeMap<DeviceId, String>) -> Vec<VersionInfo> {
    let mut listed = Vec::with_capacity(versions.len());
    let mut stands_for: BTreeMap<EntryKey, Vec<Hash>> = BTreeMap::new();
    for version in in_order(versions) {
        let mut parents: Vec<Hash> =
            version.parents.iter().filter_map(|parent| stands_for.get(parent)).flatten().copied().collect();
        parents.sort_unstable();
        parents.dedup();
        let Some(change) = version.change else {
            stands_for.insert(version.key, parents);
            continue;
        };
        let id = version_id(&[version.hash]);
        stands_for.insert(version.key, vec![id]);
        let author_name = names.get(&version.author).cloned().unwrap_or_default();
        listed.push(VersionInfo { id, time: version.time, author: version.author, author_name, change, parents });
    }
    listed
}

/// A version and all before it.
fn with_ancestors(versions: Vec<Version>, of: EntryKey) -> Vec<Version> {
    let mut by_key: BTreeMap<_, Version> = versions.into_iter().map(|version| (version.key, version)).collect();
    let (mut wanted, mut found) = (vec![of], Vec::new());
    while let Some(key) = wanted.pop() {
        // One that is reached again is taken already.
        let Some(version) = by_key.remove(&key) else { continue };
        wanted.extend(&version.parents);
        found.push(version);
    }
    found
}

/// Versions after their parents, and otherwise by claimed time, then hash.
fn in_order(versions: Vec<Version>) -> Vec<Version> {
    let mut lacking: BTreeMap<_, usize> = BTreeMap::new();
    let mut children: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for version in &versions {
        lacking.insert(version.key, version.parents.len());
        for parent in &version.parents {
            children.entry(*parent).or_default().push(version.key);
        }
    }
    let mut by_key: BTreeMap<_, _> = versions.into_iter().map(|version| (version.key, version)).collect();
    let stamp = |by_key: &BTreeMap<_, Version>, key| by_key.get(&key).map(|version| (version.time, version.hash, key));
    let mut ready: BTreeSet<_> =
        lacking.iter().filter(|(_, count)| **count == 0).filter_map(|(key, _)| stamp(&by_key, *key)).collect();
    let mut ordered = Vec::with_capacity(by_key.len());
    while let Some((_, _, key)) = ready.pop_first() {
        for child in children.remove(&key).unwrap_or_default() {
            if let Some(count) = lacking.get_mut(&child) {
                *count -= 1;
                if *count == 0 {
                    ready.extend(stamp(&by_key, child));
                }
            }
        }
        ordered.extend(by_key.remove(&key));
    }
    ordered
}
