//! Undo: taking back what a change did, by a change of its own.
//!
//! What the document would show if the change had no effect is what an undo makes it show. Where somebody has written since,
//! that is no different from what it shows now, so theirs stays. Nothing else has to be known of what came since.

use std::collections::{BTreeMap, BTreeSet};

use ayni_doc::{Change, Conflict, EntryKey, Kind, Operation, Path, SetKind, Value, Version, merge, version_id};
use ayni_log::ids::{DeviceId, DocumentId, Hash};
use ayni_store::Snapshot;

use super::in_order;
use super::provenance::{Authored, authored, leaves, operations, overlap, writer};
use crate::collection::Collection;
use crate::core::documents::read;
use crate::core::effects::versions_of;
use crate::core::state::State;
use crate::document::Document;
use crate::error::Error;
use crate::transaction::{Transaction, is_reserved};

/// What an undo takes back, and what it leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Undone {
    /// The collection.
    pub collection: String,
    /// The document.
    pub id: DocumentId,
    /// What becomes of the document as a whole.
    pub existence: Existence,
    /// The fields that are set back.
    pub taken_back: Vec<SetBack>,
    /// What stays as it is.
    pub kept: Vec<Kept>,
    /// Fields that were in conflict before the change: the value that was shown is shown again, and the conflict stays
    /// settled; the other values are in the history.
    pub settled: Vec<Path>,
}

/// A field that an undo sets back.
#[derive(Debug, Clone, PartialEq)]
pub struct SetBack {
    /// Which.
    pub path: Path,
    /// What it shows until then; `None`: nothing.
    pub from: Option<Value>,
    /// What it shows afterwards.
    pub to: Option<Value>,
}

/// What becomes of a document as a whole when a change to it is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existence {
    /// It is there as before, or is not.
    Same,
    /// The change had created it or brought it back, so it is deleted.
    Deleted,
    /// The change had deleted it, so it comes back.
    BroughtBack,
}

/// Something that an undo leaves as it is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Kept {
    /// A field that was written since, or at the same time elsewhere.
    Field {
        /// Which.
        path: Path,
        /// By whom.
        by: Authored,
    },
    /// A field in conflict, for which others than the change give different values: someone has to settle it.
    Conflict(Path),
    /// The document as a whole: others have seen the change and gone on from it, or have brought the document back or
    /// deleted it.
    Document(Authored),
}

impl Undone {
    /// Whether there is nothing to take back.
    pub fn is_nothing(&self) -> bool {
        self.existence == Existence::Same && self.taken_back.is_empty()
    }
}

/// An undo before it is written.
pub(super) struct Plan {
    pub(super) undone: Undone,
    current: Document,
    change: Option<Change>,
}

impl Collection {
    /// Takes back what a version of a document changed, by a change of its own: the fields that it wrote show what they showed
    /// before, but for those that somebody has written since. A creation is taken back by deleting the document, unless
    /// somebody has gone on from it; a deletion by bringing it back; what was added to a counter by subtracting it; elements
    /// of a set one by one. An undo is a change like others, so undoing it does the change again.
    ///
    /// ```
    /// # use ayni::doc::{Map, Operation, Value};
    /// # let temporary = tempfile::tempdir()?;
    /// # let folder = temporary.path();
    /// # let options = ayni::Options::new(folder.join("keys"));
    /// # let database = ayni::Database::create(&folder.join("database"), "Ana's laptop", options)?;
    /// # let (project, _) = database.create_project("Mapa")?;
    /// let id = project.write(|tx| tx.create("places", Map::from([("name".into(), Value::from("Cusco"))])))?;
    /// let places = project.collection("places");
    /// let read = places.get(id)?.ok_or("it is there")?;
    /// project.write(|tx| tx.edit(&read, vec![Operation::set("name", "Cuzco".into())]))?;
    /// let last = places.last_change_here(id)?.ok_or("there is one")?;
    /// places.undo(id, last.id)?;
    /// assert_eq!(places.get(id)?.and_then(|place| place.get(&["name"])), Some("Cusco".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoVersion`] if there is no such version, or no such document; those of [`Project::write`](crate::Project::write).
    pub fn undo(&self, id: DocumentId, version: Hash) -> Result<Undone, Error> {
        let plan = self.plan_undo(id, version)?;
        self.project.write(|tx| plan.write(tx))?;
        Ok(plan.undone)
    }

    /// What [`Collection::undo`] would do, without doing it.
    ///
    /// # Errors
    /// As [`Collection::undo`].
    pub fn preview_undo(&self, id: DocumentId, version: Hash) -> Result<Undone, Error> {
        Ok(self.plan_undo(id, version)?.undone)
    }

    /// The last version of a document that this device wrote.
    ///
    /// # Errors
    /// [`Error::NoDocument`] if there is none with this id.
    pub fn last_change_here(&self, id: DocumentId) -> Result<Option<super::VersionInfo>, Error> {
        let own = self.project.database.device();
        Ok(self.history(id)?.into_iter().rev().find(|version| version.author == own))
    }

    fn plan_undo(&self, id: DocumentId, version: Hash) -> Result<Plan, Error> {
        let published = self.project.published()?;
        self.project.core.read(&self.project.database.inner, |snapshot, state| {
            Plan::new(self, snapshot, state, &published.names, id, &[version])
        })
    }
}

impl Plan {
    /// To take back some versions of a document.
    pub(super) fn new(
        collection: &Collection,
        snapshot: &Snapshot<'_>,
        state: &mut State,
        names: &BTreeMap<DeviceId, String>,
        id: DocumentId,
        undo: &[Hash],
    ) -> Result<Self, Error> {
        let none = |version: Hash| Error::NoVersion { collection: collection.name.clone(), id, version };
        let any = undo.first().copied().unwrap_or(Hash([0; 32]));
        let row = state.collections.values().find(|known| known.name.as_deref() == Some(&collection.name));
        let row = row.ok_or_else(|| none(any))?.row;
        let stored = snapshot.document_by_id(row, id)?.ok_or_else(|| none(any))?;
        // What a conflict handler made of it is no change of anybody's.
        let mut current = read(&stored.body, &stored.heads)?;
        current.show_conflict();
        let current = collection.document(id, current);
        let versions = in_order(versions_of(snapshot, state, stored.heads)?);
        let of_id = |id: &Hash| {
            let is_it = |version: &&Version| version.change.is_some() && version_id(&[version.hash]) == *id;
            versions.iter().find(is_it).map(|version| version.key).ok_or_else(|| none(*id))
        };
        let taken = undo.iter().map(of_id).collect::<Result<BTreeSet<_>, _>>()?;
        let undone = Undone {
            collection: collection.name.clone(),
            id,
            existence: Existence::Same,
            taken_back: Vec::new(),
            kept: Vec::new(),
            settled: Vec::new(),
        };
        let mut plan = Self { undone, current, change: None };
        plan.fill(&Taking::new(&versions, taken), names)?;
        Ok(plan)
    }

    /// Does it.
    pub(super) fn write(&self, tx: &mut Transaction<'_, '_>) -> Result<(), Error> {
        match &self.change {
            None => Ok(()),
            Some(Change::Delete) => tx.delete(&self.current),
            Some(Change::Edit(operations)) => tx.edit(&self.current, operations.clone()),
        }
    }

    fn fill(&mut self, taking: &Taking<'_>, names: &BTreeMap<DeviceId, String>) -> Result<(), Error> {
        let without = taking.without();
        let keep = |version: &Version| Kept::Document(authored(version, names));
        match (self.current.merged.is_present(), without.is_present()) {
            (true, false) => {
                self.undone.existence = Existence::Deleted;
                self.change = Some(Change::Delete);
                return Ok(());
            }
            // It was deleted since, or twice.
            (false, false) => {
                self.undone.kept.extend(taking.others().next_back().map(keep));
                return Ok(());
            }
            (false, true) => self.undone.existence = Existence::BroughtBack,
            (true, true) if taking.creates() && taking.successor().is_some() => {
                self.undone.kept.extend(taking.successor().map(keep));
                return Ok(());
            }
            (true, true) if taking.deletes() => self.undone.kept.extend(taking.others().next_back().map(keep)),
            (true, true) => {}
        }
        let kinds = taking.kinds();
        let kind = |names: &[&str]| kinds.get(names).copied().unwrap_or_default();
        let mut operations = self.current.merged.edit_to(&without.shown(), &kind)?;
        self.leave_to_others(taking, &without, &mut operations);
        self.withdraw(taking, &without, &mut operations);
        // What stands in the place of an id cannot be written.
        operations.retain(|operation| matches!(operation, Operation::Unset { .. }) || !is_reserved(operation.path()));
        self.tell(taking, &without, &operations, names);
        if !operations.is_empty() || self.undone.existence == Existence::BroughtBack {
            self.change = Some(Change::Edit(operations));
        }
        Ok(())
    }

    /// Where others contradict each other too, any value would settle it for them: that is left to somebody who means to.
    fn leave_to_others(&mut self, taking: &Taking<'_>, without: &ayni_doc::Document, operations: &mut Vec<Operation>) {
        let others = without.conflicts();
        let contested = |conflict: &Conflict| others.iter().any(|other| overlap(&other.path, &conflict.path));
        for conflict in self.current.merged.conflicts().into_iter().filter(contested) {
            // An addition settles nothing.
            let settles = |operation: &Operation| {
                !matches!(operation, Operation::Add { .. }) && overlap(operation.path(), &conflict.path)
            };
            if operations.iter().any(settles) || taking.has_part_in(&conflict) {
                operations.retain(|operation| !settles(operation));
                self.undone.kept.push(Kept::Conflict(conflict.path));
            }
        }
    }

    /// A value that is in conflict and not shown is withdrawn by writing what is shown.
    fn withdraw(&self, taking: &Taking<'_>, without: &ayni_doc::Document, operations: &mut Vec<Operation>) {
        for conflict in self.current.merged.conflicts().into_iter().filter(|conflict| taking.has_part_in(conflict)) {
            let left =
                self.undone.kept.iter().any(|kept| matches!(kept, Kept::Conflict(path) if *path == conflict.path));
            if left || operations.iter().any(|operation| overlap(operation.path(), &conflict.path)) {
                continue;
            }
            operations.push(match without.get(conflict.path.names()) {
                Some(value) => Operation::set_at(conflict.path, value),
                None => Operation::Unset { path: conflict.path },
            });
        }
    }

    /// Says what is set back, what was settled by the way, and what stays.
    fn tell(
        &mut self,
        taking: &Taking<'_>,
        without: &ayni_doc::Document,
        operations: &[Operation],
        names: &BTreeMap<DeviceId, String>,
    ) {
        let paths: BTreeSet<Path> = operations.iter().map(|operation| operation.path().clone()).collect();
        let is_set_back = |path: &Path| paths.iter().any(|other| overlap(other, path));
        let written = taking.written();
        let is_written = |path: &Path| written.iter().any(|other| overlap(other, path));
        let now = self.current.merged.conflicts();
        let remains = |path: &Path| !is_set_back(path) && now.iter().any(|conflict| overlap(&conflict.path, path));
        let before = without.conflicts().into_iter().map(|conflict| conflict.path);
        self.undone.settled = before.filter(|path| is_written(path) && !remains(path)).collect();
        for path in written {
            let in_conflict = |kept: &Kept| matches!(kept, Kept::Conflict(other) if overlap(other, &path));
            if is_set_back(&path) || self.undone.kept.iter().any(in_conflict) {
                continue;
            }
            if let Some(by) = writer(taking.versions, &path, None, &|version| taking.is_other(version)) {
                self.undone.kept.push(Kept::Field { path, by: authored(by, names) });
            }
        }
        let set_back = |path: Path| {
            let (from, to) = (self.current.get(path.names()), without.get(path.names()));
            SetBack { path, from, to }
        };
        self.undone.taken_back = paths.into_iter().map(set_back).collect();
    }
}

/// The versions of a document, in the order of its history, and those that are to be taken back.
struct Taking<'v> {
    versions: &'v [Version],
    taken: BTreeSet<EntryKey>,
    /// The taken ones and all that they had seen.
    before: BTreeSet<EntryKey>,
}

impl<'v> Taking<'v> {
    fn new(versions: &'v [Version], taken: BTreeSet<EntryKey>) -> Self {
        let mut before = taken.clone();
        for version in versions.iter().rev() {
            if before.contains(&version.key) {
                before.extend(&version.parents);
            }
        }
        Self { versions, taken, before }
    }

    /// The document as it would be if the taken versions had no effect.
    fn without(&self) -> ayni_doc::Document {
        let mut versions = self.versions.to_vec();
        versions
            .iter_mut()
            .filter(|version| self.taken.contains(&version.key))
            .for_each(|version| version.change = None);
        merge(&versions)
    }

    fn taken(&self) -> impl Iterator<Item = &'v Version> {
        self.versions.iter().filter(|version| self.taken.contains(&version.key))
    }

    /// Whether a taken version wrote one of the values in a conflict.
    fn has_part_in(&self, conflict: &Conflict) -> bool {
        let wrote = |hash: Hash| self.taken().any(|version| version.hash == hash);
        conflict.alternatives.iter().any(|one| wrote(one.stamp.hash))
    }

    /// Whether a version came since, or at the same time elsewhere.
    fn is_other(&self, version: &Version) -> bool {
        version.change.is_some() && !self.before.contains(&version.key)
    }

    fn others(&self) -> impl DoubleEndedIterator<Item = &'v Version> {
        self.versions.iter().filter(|version| self.is_other(version))
    }

    /// The last version that has seen a taken one.
    fn successor(&self) -> Option<&'v Version> {
        let mut after = self.taken.clone();
        let mut last = None;
        for version in self.versions {
            if version.parents.iter().any(|parent| after.contains(parent)) {
                after.insert(version.key);
                last = Some(version).filter(|version| self.is_other(version)).or(last);
            }
        }
        last
    }

    fn creates(&self) -> bool {
        self.taken().any(|version| version.parents.is_empty() && version.change != Some(Change::Delete))
    }

    fn deletes(&self) -> bool {
        self.taken().any(|version| version.change == Some(Change::Delete))
    }

    fn taken_operations(&self) -> impl Iterator<Item = &'v Operation> {
        self.taken().flat_map(operations)
    }

    /// Where the taken versions wrote; inside of maps that they set, each field.
    fn written(&self) -> BTreeSet<Path> {
        let mut written = BTreeSet::new();
        for operation in self.taken_operations() {
            let path = operation.path();
            match operation {
                Operation::Set { value: Value::Map(map), .. } if !map.is_empty() => {
                    let inner = leaves(map)
                        .into_iter()
                        .map(|(inner, _)| path.names().iter().chain(inner.names()).cloned().collect::<Vec<_>>());
                    written.extend(inner.filter_map(|names| Path::new(names).ok()));
                }
                _ => drop(written.insert(path.clone())),
            }
        }
        written
    }

    /// How each field merges, as it was last written.
    fn kinds(&self) -> BTreeMap<Vec<&'v str>, Kind> {
        let kind = |operation: &Operation| match operation {
            Operation::Set { kind: SetKind::Latest, .. } => Some(Kind::Latest),
            Operation::Set { kind: SetKind::First, .. } => Some(Kind::First),
            Operation::Set { kind: SetKind::Min, .. } => Some(Kind::Min),
            Operation::Set { kind: SetKind::Max, .. } => Some(Kind::Max),
            Operation::Add { .. } => Some(Kind::Counter),
            Operation::Insert { .. } | Operation::Remove { .. } => Some(Kind::Set),
            Operation::Unset { .. } | Operation::List { .. } | Operation::Text { .. } => None,
        };
        let all = self.versions.iter().flat_map(operations);
        let names = |operation: &'v Operation| operation.path().names().iter().map(AsRef::as_ref).collect();
        all.filter_map(|operation| Some((names(operation), kind(operation)?))).collect()
    }
}
