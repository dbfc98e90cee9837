//! History: the versions of a document, what it was in each, and going back to one.

use std::collections::{BTreeMap, BTreeSet};

use ayni_doc::{Change, Version, version_id};
use ayni_log::ids::{DeviceId, DocumentId, Hash};

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
    /// The hashes of the versions that its author had read.
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
        let inner = &self.project.database.inner;
        let published = self.project.published()?;
        self.project.core.read(inner, |snapshot, state| {
            let stored = snapshot.document_by_id(row, id)?.ok_or_else(none)?;
            let versions = versions_of(snapshot, state, stored.heads)?;
            let hashes: BTreeMap<_, _> = versions.iter().map(|version| (version.key, version.hash)).collect();
            let ordered = in_order(versions);
            let info = |version: Version| {
                Some(VersionInfo {
                    id: version_id(&[version.hash]),
                    time: version.time,
                    author: version.author,
                    author_name: published.names.get(&version.author).cloned().unwrap_or_default(),
                    change: version.change?,
                    parents: version.parents.iter().filter_map(|parent| hashes.get(parent).copied()).collect(),
                })
            };
            Ok(ordered.into_iter().filter_map(info).collect())
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
            Ok(self.document(id, ayni_doc::merge(&ancestry(versions, key))))
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
        let none = || Error::NoDocument { collection: self.name.clone(), id };
        let current = self.get_deleted(id)?.ok_or_else(none)?;
        self.project.write(|tx| {
            tx.replace(&current, wanted.fields())?;
            Ok(!tx.is_empty())
        })
    }
}

/// A version and all before it.
fn ancestry(versions: Vec<Version>, of: ayni_doc::EntryKey) -> Vec<Version> {
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
