//! Provenance: who wrote what a document shows.

use std::collections::{BTreeMap, BTreeSet};

use ayni_doc::{Change, EntryKey, Map, Operation, Path, Value, Version, version_id};
use ayni_log::ids::{DeviceId, Hash};

use super::{VersionInfo, in_order, listed};
use crate::collection::Collection;
use crate::core::effects::versions_of;
use crate::document::Document;
use crate::error::Error;

/// Who wrote something, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authored {
    /// The id of the version.
    pub version: Hash,
    /// The wall time that its author claims: milliseconds since 1970 (UTC).
    pub time: i64,
    /// Who wrote it.
    pub author: DeviceId,
    /// The name of that device.
    pub author_name: String,
}

/// Where what a document shows comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    /// How many versions made it.
    pub versions: usize,
    /// The first of them.
    pub first: Option<Authored>,
    /// The newest: one, or several that had not seen each other.
    pub heads: Vec<VersionInfo>,
    /// Who last wrote each field that is shown, those inside of maps by their paths. Of a counter or set: who last added to it.
    pub fields: BTreeMap<Path, Authored>,
}

impl Collection {
    /// Where what a document shows comes from: as it is now, or as it was in a version or at a moment.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn provenance(&self, document: &Document) -> Result<Provenance, Error> {
        let published = self.project.published()?;
        let heads: Vec<_> = document.merged.heads().iter().map(|key| key.0).collect();
        let versions = self
            .project
            .core
            .read(&self.project.database.inner, |snapshot, state| versions_of(snapshot, state, heads))?;
        let versions = in_order(versions);
        let by = |version: &Version| authored(version, &published.names);
        let conflicts = document.conflicts();
        let mut fields = BTreeMap::new();
        for (path, value) in leaves(&document.fields()) {
            let contested = conflicts.iter().find(|conflict| overlap(&conflict.path, &path));
            let shown = contested.and_then(|conflict| conflict.alternatives.first()).map(|shown| shown.stamp.hash);
            let writer = match shown {
                Some(hash) => versions.iter().find(|version| version.hash == hash),
                None => writer(&versions, &path, Some(&value), &|_| true),
            };
            fields.extend(writer.map(|version| (path, by(version))));
        }
        let first = versions.iter().find(|version| version.change.is_some()).map(by);
        let heads: BTreeSet<Hash> = versions
            .iter()
            .filter(|version| document.merged.heads().contains(&version.key))
            .map(|version| version_id(&[version.hash]))
            .collect();
        let listed = listed(versions, &published.names);
        let count = listed.len();
        let heads = listed.into_iter().filter(|version| heads.contains(&version.id)).collect();
        Ok(Provenance { versions: count, first, heads, fields })
    }
}

pub(super) fn authored(version: &Version, names: &BTreeMap<DeviceId, String>) -> Authored {
    Authored {
        version: version_id(&[version.hash]),
        time: version.time,
        author: version.author,
        author_name: names.get(&version.author).cloned().unwrap_or_default(),
    }
}

/// Who last wrote at a path, of versions that stand in order: of those that no other writer there had seen the one that
/// wrote just this value, if one did, and else the latest. Only versions that are `among` are asked for.
pub(super) fn writer<'v>(
    versions: &'v [Version],
    path: &Path,
    value: Option<&Value>,
    among: &dyn Fn(&Version) -> bool,
) -> Option<&'v Version> {
    // Versions that a writer found so far had seen.
    let mut seen: BTreeSet<EntryKey> = BTreeSet::new();
    let mut found: Vec<&Version> = Vec::new();
    for version in versions.iter().rev() {
        let was_seen = seen.contains(&version.key);
        let writes = !was_seen && among(version) && touches(version, path);
        if writes {
            found.push(version);
        }
        if writes || was_seen {
            seen.extend(&version.parents);
        }
    }
    let exact = |version: &&Version| value.is_some_and(|value| sets(version, path, value));
    found.into_iter().max_by_key(|version| (exact(version), version.stamp()))
}

pub(super) fn operations(version: &Version) -> &[Operation] {
    match &version.change {
        Some(Change::Edit(operations)) => operations,
        _ => &[],
    }
}

fn touches(version: &Version, path: &Path) -> bool {
    operations(version).iter().any(|operation| overlap(operation.path(), path))
}

/// Whether a version sets just this value at a path, by itself or within a map.
fn sets(version: &Version, path: &Path, value: &Value) -> bool {
    operations(version).iter().any(|operation| match operation {
        Operation::Set { path: at, value: set, .. } => {
            let inner = path.names().strip_prefix(at.names());
            inner.is_some_and(|inner| set.at(inner) == Some(value))
        }
        _ => false,
    })
}

/// Whether one path leads through or to where the other does.
pub(super) fn overlap(one: &Path, other: &Path) -> bool {
    one.names().iter().zip(other.names()).all(|(one, other)| one == other)
}

/// The fields and those inside of maps, by their paths.
pub(super) fn leaves(fields: &Map) -> Vec<(Path, Value)> {
    fn walk<'v>(above: &mut Vec<&'v str>, fields: &'v Map, found: &mut Vec<(Path, Value)>) {
        for (name, value) in fields {
            above.push(name);
            match value {
                Value::Map(inner) if !inner.is_empty() => walk(above, inner, found),
                value => found.extend(Path::new(above.iter().copied()).ok().map(|path| (path, value.clone()))),
            }
            above.pop();
        }
    }
    let mut found = Vec::new();
    walk(&mut Vec::new(), fields, &mut found);
    found
}
