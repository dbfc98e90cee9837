//! What users did and what each of them had seen when doing it: the promises are checked against this, and never against
//! what the code under test says of ancestry.
//!
//! Every edit has a number, and every value that it sets is that number, so a value tells who wrote it. Every edit also
//! signs the document: it sets a field of its author's own, `by3` for the third device. A value leaves such a field only when
//! someone who had seen it writes there, so the signatures that a document shows, with all that their authors had seen, are
//! the edits that are in the version that a user has before him.

use std::collections::{BTreeMap, BTreeSet};

use ayni::doc::{Map, Operation, Value};
use ayni::{Document, DocumentId};

use crate::broken::{Broken, Promise};

/// The number of an edit.
pub(crate) type EditId = i64;

/// Edits of one document.
pub(crate) type Edits = BTreeSet<EditId>;

/// Edits by document.
pub(crate) type Known = BTreeMap<DocumentId, Edits>;

/// What an edit did to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    /// Set it to the edit's number.
    Set,
    /// Took it away.
    Unset,
    /// Added to it.
    Add(i64),
}

/// What an edit did to its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Fields, by path.
    Fields(BTreeMap<String, Write>),
    /// Deleted it.
    Delete,
}

/// Whether an edit has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is being written.
    Begun,
    /// The power went before it was acknowledged: there or not, with all of its commit.
    Uncertain,
    /// Acknowledged to a user of an honest device: it must be there.
    Acknowledged,
    /// It may be lost: it was in a folder that was replaced by an older one and nowhere else, or its device is dishonest.
    Optional,
    /// It failed: it must not be there.
    Refused,
    /// It was written by somebody without the right to: it must not be there.
    Forged,
}

/// One edit of one document.
#[derive(Debug, Clone)]
pub(crate) struct Edit {
    /// Which document.
    pub(crate) document: DocumentId,
    /// By which device.
    pub(crate) author: usize,
    /// The time that the device claimed.
    pub(crate) time: i64,
    /// What it did.
    pub(crate) effect: Effect,
    /// All edits of the document that were in the version that its author had read.
    pub(crate) seen: Edits,
    /// Whether it has to be there.
    pub(crate) standing: Standing,
    /// Edits of one commit have the same number.
    pub(crate) commit: usize,
}

/// What a document shows: for each path what stands there, first what is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct View {
    /// By path.
    pub(crate) fields: BTreeMap<String, Vec<i64>>,
    /// Whether it is deleted.
    pub(crate) deleted: bool,
}

/// The field in which a device signs.
pub(crate) fn signature(author: usize) -> String {
    format!("by{author}")
}

fn is_signature(path: &str) -> bool {
    path.starts_with("by")
}

/// The field that makes the key of an imported record. Its value says nothing of who wrote it, so no view has it.
pub(crate) const KEY: &str = "code";

fn is_key(path: &ayni::doc::Path) -> bool {
    path.names().first().is_some_and(|name| **name == *KEY)
}

impl View {
    /// Of a document as it was read.
    pub(crate) fn of(document: &Document) -> Self {
        let mut fields = BTreeMap::new();
        flatten("", &document.fields(), &mut fields);
        fields.remove(KEY);
        for conflict in document.conflicts() {
            let values: Vec<i64> =
                conflict.alternatives.iter().filter_map(|one| one.value.as_ref()?.as_int()).collect();
            // Of a map against an unsetting there are only the fields below.
            if !is_key(&conflict.path) && !values.is_empty() {
                fields.insert(conflict.path.to_string(), values);
            }
        }
        Self { fields, deleted: document.is_deleted() }
    }
}

fn flatten(above: &str, fields: &Map, into: &mut BTreeMap<String, Vec<i64>>) {
    for (name, value) in fields {
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match value {
            Value::Map(below) => flatten(&path, below, into),
            // What is no number nobody wrote: an edit that there is not stands for it.
            value => drop(into.insert(path, vec![value.as_int().unwrap_or(-1)])),
        }
    }
}

/// All edits.
#[derive(Debug, Default)]
pub(crate) struct Model {
    edits: Vec<Edit>,
    commits: usize,
}

impl Model {
    /// The number of the next commit.
    pub(crate) fn begin_commit(&mut self) -> usize {
        self.commits += 1;
        self.commits
    }

    /// Notes an edit that is about to be written; gives its number.
    pub(crate) fn begin(&mut self, edit: Edit) -> EditId {
        self.edits.push(edit);
        self.edits.len() as EditId
    }

    /// The number that the next edit gets.
    pub(crate) fn next(&self) -> EditId {
        self.edits.len() as EditId + 1
    }

    /// An edit.
    pub(crate) fn get(&self, id: EditId) -> Option<&Edit> {
        self.edits.get(usize::try_from(id).ok()?.checked_sub(1)?)
    }

    /// An edit.
    pub(crate) fn get_mut(&mut self, id: EditId) -> Option<&mut Edit> {
        self.edits.get_mut(usize::try_from(id).ok()?.checked_sub(1)?)
    }

    /// All edits with their numbers.
    pub(crate) fn edits(&self) -> impl Iterator<Item = (EditId, &Edit)> {
        (1..).zip(&self.edits)
    }

    /// The documents that were ever written, in the order in which they were.
    pub(crate) fn documents(&self) -> Vec<DocumentId> {
        let mut found = BTreeSet::new();
        self.edits.iter().map(|edit| edit.document).filter(|id| found.insert(*id)).collect()
    }

    /// How the edits of a commit that was begun ended.
    pub(crate) fn end_commit(&mut self, commit: usize, standing: Standing) {
        for edit in self.edits.iter_mut().rev().take_while(|edit| edit.commit >= commit) {
            if edit.commit == commit {
                edit.standing = standing;
            }
        }
    }

    /// The edits that are in a version of a document, by what it shows.
    pub(crate) fn seen_in(&self, id: DocumentId, view: &View) -> Result<Edits, Broken> {
        let mut seen = Edits::new();
        for (path, values) in view.fields.iter().filter(|(path, _)| is_signature(path)) {
            for value in values {
                let edit = self.get(*value).filter(|edit| edit.document == id && signature(edit.author) == *path);
                let Some(edit) = edit else {
                    return Broken::that(
                        Promise::Unverified,
                        format!("{id} shows {value} at {path}, which nobody wrote"),
                    );
                };
                if edit.standing == Standing::Forged {
                    let what = format!("{id} shows edit {value}, whose author may only read");
                    return Broken::that(Promise::Unverified, what);
                }
                if edit.standing == Standing::Refused {
                    return Broken::that(
                        Promise::Lost,
                        format!("{id} shows edit {value}, which was said to have failed"),
                    );
                }
                seen.insert(*value);
                seen.extend(&edit.seen);
            }
        }
        Ok(seen)
    }

    /// Whether a document shows what it has to after some edits.
    pub(crate) fn check(&self, id: DocumentId, there: &Edits, view: &View) -> Result<(), Broken> {
        let edits: Vec<(EditId, &Edit)> = there.iter().filter_map(|id| Some((*id, self.get(*id)?))).collect();
        // Deletions sign nothing, so of those that may be lost nobody can tell.
        let deleted_by = |counts: fn(Standing) -> bool| {
            let deletions = self.edits.iter().filter(|edit| edit.document == id && edit.effect == Effect::Delete);
            let seen: Edits =
                deletions.filter(|edit| counts(edit.standing)).flat_map(|edit| &edit.seen).copied().collect();
            there.is_subset(&seen)
        };
        let must_be = deleted_by(|standing| standing == Standing::Acknowledged);
        let may_be = deleted_by(|standing| standing != Standing::Refused);
        if (must_be && !view.deleted) || (view.deleted && !may_be) {
            let said = if view.deleted { "is deleted, though an edit had not seen that" } else { "is not deleted" };
            return Broken::that(Promise::Disappeared, format!("{id} {said}"));
        }
        let live = Self::live(&edits);
        for (path, values) in &view.fields {
            if !live.contains_key(path.as_str()) {
                return Broken::that(
                    Promise::Disappeared,
                    format!("{id} shows {values:?} at {path}, which was replaced"),
                );
            }
        }
        for (path, writes) in live {
            let shown = view.fields.get(path).map_or(&[][..], Vec::as_slice);
            self.check_field(id, path, &writes, shown)?;
        }
        Ok(())
    }

    fn check_field(&self, id: DocumentId, path: &str, live: &[(EditId, Write)], shown: &[i64]) -> Result<(), Broken> {
        let sum: i64 = live.iter().map(|(_, write)| if let Write::Add(amount) = write { *amount } else { 0 }).sum();
        if live.iter().any(|(_, write)| matches!(write, Write::Add(_))) {
            return match shown.first() == Some(&sum) {
                true => Ok(()),
                false => Broken::that(Promise::Disappeared, format!("{id} counts {shown:?} at {path}, not {sum}")),
            };
        }
        let wanted: Edits = live.iter().map(|(number, _)| *number).collect();
        if wanted != shown.iter().copied().collect() {
            return Broken::that(
                Promise::Disappeared,
                format!("{id} shows {shown:?} at {path}, not all of {wanted:?}"),
            );
        }
        let time = |number: &EditId| self.get(*number).map(|edit| edit.time);
        if shown.first().and_then(time) != wanted.iter().filter_map(time).max() {
            let what = format!("{id} shows {shown:?} at {path}, of which the first is not the latest");
            return Broken::that(Promise::Disappeared, what);
        }
        Ok(())
    }

    /// The writes that no edit has replaced that had seen them, unsettings left out, by path.
    fn live<'a>(edits: &[(EditId, &'a Edit)]) -> BTreeMap<&'a str, Vec<(EditId, Write)>> {
        let mut live: BTreeMap<&str, Vec<(EditId, Write)>> = BTreeMap::new();
        for (number, edit) in edits {
            let Effect::Fields(fields) = &edit.effect else { continue };
            for (path, write) in fields.iter().filter(|(_, write)| **write != Write::Unset) {
                let replaced =
                    edits.iter().any(|(_, other)| other.seen.contains(number) && other.replaces(path, *write));
                if !replaced {
                    live.entry(path).or_default().push((*number, *write));
                }
            }
        }
        live
    }
}

impl Edit {
    fn replaces(&self, path: &str, write: Write) -> bool {
        let Effect::Fields(fields) = &self.effect else { return false };
        fields.iter().any(|(own, by)| match path.strip_prefix(own.as_str()) {
            // Amounts go together.
            Some("") => !matches!((by, write), (Write::Add(_), Write::Add(_))),
            Some(below) => below.starts_with('.'),
            None => false,
        })
    }

    /// The operations that do it, for the edit with this number.
    pub(crate) fn operations(&self, number: EditId) -> Vec<Operation> {
        let Effect::Fields(fields) = &self.effect else { return Vec::new() };
        let operation = |(path, write): (&String, &Write)| {
            let path = path.parse().expect("paths of the model are paths");
            match write {
                Write::Set => Operation::set_at(path, Value::Int(number)),
                Write::Unset => Operation::Unset { path },
                Write::Add(amount) => Operation::Add { path, amount: *amount },
            }
        };
        fields.iter().map(operation).collect()
    }
}
