//! Taking effect: how whole commits become documents.
//!
//! A commit takes effect when all its entries and everything that they refer to are here. Its entries then find their
//! documents; in the common case (an edit of exactly the version that is shown) the document advances, otherwise it is
//! merged anew from all its entries. Either way gives the same.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use ayni_doc::{Change, Document, Version};
use ayni_log::entry::Entry;
use ayni_log::header::{BodyV1, Header, Subject, document_id};
use ayni_log::ids::{DocumentId, Hash};
use ayni_store::{BranchRow, DocumentRow, EntryKey, Snapshot, Write, entry_place};

use crate::core::documents::Documents;
use crate::core::state::State;
use crate::error::Error;

/// An entry on its way to take effect.
pub(crate) struct Arriving<'a> {
    pub(crate) position: u64,
    pub(crate) hash: Hash,
    pub(crate) header: Cow<'a, Header>,
    pub(crate) payload: Option<Cow<'a, [u8]>>,
    /// What it does, where that is known already: this device has just written it. It is taken once; who asks again
    /// opens the payload.
    change: Cell<Option<Change>>,
}

impl<'a> Arriving<'a> {
    pub(crate) fn new(entry: &'a Entry, change: Option<Change>) -> Self {
        Self {
            position: entry.position,
            hash: entry.hash,
            header: Cow::Borrowed(&entry.header),
            payload: entry.payload.as_deref().map(Cow::Borrowed),
            change: Cell::new(change),
        }
    }
}

/// Whether a commit took effect.
pub(crate) enum Outcome {
    /// It did: the documents of its entries, in their order.
    Applied(Vec<Option<DocumentRow>>),
    /// Something that it refers to, or a key, is not here yet.
    Waits,
}

/// Where a creation leads.
enum Created {
    /// To a new document, which shows it.
    New(DocumentRow),
    /// To one that is here already.
    Known(DocumentRow),
    /// Nowhere: its collection cannot be told.
    Nowhere,
}

/// The entries of one commit, while they take effect.
struct Commit<'a> {
    row: BranchRow,
    entries: &'a [Arriving<'a>],
}

/// Lets one whole commit take effect on its branch, all before it being in effect.
pub(crate) fn apply_commit(
    tx: &mut Write<'_>,
    state: &mut State,
    documents: &mut Documents,
    row: BranchRow,
    entries: &[Arriving<'_>],
) -> Result<Outcome, Error> {
    if state.branches.get(row).is_some_and(|branch| !branch.scanned) {
        state.rescan(tx, row)?;
        state.recount(tx, row)?;
    }
    let Some(branch) = state.branches.get(row).filter(|branch| branch.scanned) else { return Ok(Outcome::Waits) };
    let before = (branch.seen.clone(), branch.steps.clone(), branch.broken_at);
    if !prepare(tx, state, row, entries)? {
        if let Some(branch) = state.branches.get_mut(row) {
            (branch.seen, branch.steps, branch.broken_at) = before;
        }
        return Ok(Outcome::Waits);
    }
    if state.branches.get(row).is_some_and(|branch| branch.steps != before.1) {
        state.recount(tx, row)?;
    }
    let commit = Commit { row, entries };
    let mut rows = Vec::with_capacity(entries.len());
    let mut placed = BTreeMap::new();
    for entry in entries {
        let document = commit.apply_entry(tx, state, documents, entry, &placed)?;
        if let Some(document) = document {
            placed.insert(entry.position, document);
        }
        rows.push(document);
    }
    if let (Some(branch), Some(last)) = (state.branches.get_mut(row), entries.last()) {
        branch.applied = last.position + 1;
    }
    Ok(Outcome::Applied(rows))
}

/// Whether everything is here that the entries need; takes in their anchors.
fn prepare(tx: &Write<'_>, state: &mut State, row: BranchRow, entries: &[Arriving<'_>]) -> Result<bool, Error> {
    for entry in entries {
        let Some(body) = entry.header.v1() else { continue };
        if !state.branches.take_anchors(tx, row, entry.position, body)? {
            return Ok(false);
        }
        if body.subject != Subject::None && (entry.payload.is_none() || state.log_key(row, body.key).is_none()) {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Commit<'_> {
    fn apply_entry(
        &self,
        tx: &mut Write<'_>,
        state: &mut State,
        documents: &mut Documents,
        entry: &Arriving<'_>,
        placed: &BTreeMap<u64, DocumentRow>,
    ) -> Result<Option<DocumentRow>, Error> {
        let Some(body) = entry.header.v1() else { return Ok(None) };
        let Some(parents) = state.branches.resolve(self.row, entry.position, &body.subject) else {
            return Ok(None);
        };
        let version = self.version(state, entry, body, parents)?;
        let row = match &body.subject {
            Subject::None => return Ok(None),
            Subject::Create { collection, random } => {
                let Some(log) = state.branches.get(self.row).map(|branch| branch.tip.id()) else { return Ok(None) };
                match self.create(tx, state, *collection, document_id(log, *random), &version)? {
                    Created::New(row) => return Ok(Some(row)),
                    Created::Known(row) => row,
                    Created::Nowhere => return Ok(None),
                }
            }
            Subject::Keyed { collection, id } => match self.create(tx, state, *collection, *id, &version)? {
                Created::New(row) => return Ok(Some(row)),
                Created::Known(row) => row,
                Created::Nowhere => return Ok(None),
            },
            Subject::Edit { .. } => match self.common_document(tx, &version.parents, placed)? {
                Some(row) => row,
                None => return Ok(None),
            },
        };
        if !documents.get(tx, &state.indexes, row)?.advance(&version) {
            let mut from: BTreeSet<EntryKey> =
                documents.get(tx, &state.indexes, row)?.heads().iter().map(|key| key.0).collect();
            from.insert(version.key.0);
            let merged = merge(tx, state, from, Some(self))?;
            *documents.get(tx, &state.indexes, row)? = merged;
        }
        Ok(Some(row))
    }

    /// Creates the document that a first version makes, unless it is here.
    fn create(
        &self,
        tx: &mut Write<'_>,
        state: &mut State,
        collection: u32,
        id: DocumentId,
        version: &Version,
    ) -> Result<Created, Error> {
        let Some(collection) = state.collection_row(tx, self.row, collection)? else { return Ok(Created::Nowhere) };
        let mut document = Document::default();
        if !document.advance(version) {
            document = ayni_doc::merge(std::slice::from_ref(version));
        }
        match Documents::add(tx, &state.indexes, collection, id, &document)? {
            Some(row) => Ok(Created::New(row)),
            None => Ok(tx.document_row(collection, id)?.map_or(Created::Nowhere, Created::Known)),
        }
    }

    /// The one document that all parents belong to.
    fn common_document(
        &self,
        tx: &Write<'_>,
        parents: &[ayni_doc::EntryKey],
        placed: &BTreeMap<u64, DocumentRow>,
    ) -> Result<Option<DocumentRow>, Error> {
        let mut common = None;
        for parent in parents {
            let (row, position) = entry_place(parent.0);
            let of_commit = (row == self.row).then(|| placed.get(&position).copied()).flatten();
            let document = match of_commit {
                Some(document) => Some(document),
                None => tx.document_of(parent.0)?,
            };
            match (document, common) {
                (None, _) => return Ok(None),
                (Some(document), Some(common)) if document != common => return Ok(None),
                (document, _) => common = document,
            }
        }
        Ok(common)
    }

    fn version(
        &self,
        state: &mut State,
        entry: &Arriving<'_>,
        body: &BodyV1,
        parents: Vec<EntryKey>,
    ) -> Result<Version, Error> {
        let counts = state.branches.get(self.row).is_some_and(|branch| branch.counts(entry.position));
        let change = match (entry.change.take(), &entry.payload) {
            _ if !counts => None,
            (Some(change), _) => Some(change),
            (None, Some(payload)) => state.open_change(self.row, entry.position, &entry.header, payload),
            (None, None) => None,
        };
        Ok(state.version(self.row, entry.position, entry.hash, body.time, parents, change))
    }

    fn holds(&self, key: EntryKey) -> Option<&Arriving<'_>> {
        let (row, position) = entry_place(key);
        let first = self.entries.first()?.position;
        (row == self.row).then(|| self.entries.get(position.checked_sub(first)? as usize)).flatten()
    }
}

/// Merges a document from nothing: from these entries and all their ancestors.
pub(crate) fn merge_document(
    store: &Snapshot<'_>,
    state: &mut State,
    from: BTreeSet<EntryKey>,
) -> Result<Document, Error> {
    merge(store, state, from, None)
}

fn merge(
    store: &Snapshot<'_>,
    state: &mut State,
    from: BTreeSet<EntryKey>,
    commit: Option<&Commit<'_>>,
) -> Result<Document, Error> {
    Ok(ayni_doc::merge(&ancestry(store, state, from, commit)?))
}

/// These entries and all their ancestors, as versions.
fn ancestry(
    store: &Snapshot<'_>,
    state: &mut State,
    from: BTreeSet<EntryKey>,
    commit: Option<&Commit<'_>>,
) -> Result<Vec<Version>, Error> {
    let mut versions = BTreeMap::new();
    let mut wanted: Vec<EntryKey> = from.into_iter().collect();
    while let Some(key) = wanted.pop() {
        if versions.contains_key(&key) {
            continue;
        }
        let version = match commit.and_then(|commit| Some((commit, commit.holds(key)?))) {
            Some((commit, entry)) => {
                let parents = parents_of(state, commit.row, entry.position, &entry.header);
                let body = entry.header.v1().cloned().unwrap_or_default();
                commit.version(state, entry, &body, parents)?
            }
            None => load_version(store, state, key)?,
        };
        wanted.extend(version.parents.iter().map(|parent| parent.0));
        versions.insert(key, version);
    }
    Ok(versions.into_values().collect())
}

/// All versions of a document that are in effect or lie between such, oldest keys first.
pub(crate) fn versions_of(
    store: &Snapshot<'_>,
    state: &mut State,
    heads: impl IntoIterator<Item = EntryKey>,
) -> Result<Vec<Version>, Error> {
    ancestry(store, state, heads.into_iter().collect(), None)
}

fn load_version(store: &Snapshot<'_>, state: &mut State, key: EntryKey) -> Result<Version, Error> {
    let (row, position) = entry_place(key);
    let stored = store.entry(key)?.ok_or(Error::Damaged("an entry of the log"))?;
    let header = stored.read_header().map_err(|_| Error::Damaged("an entry of the log"))?;
    let parents = parents_of(state, row, position, &header);
    let counts = state.branches.get(row).is_some_and(|branch| branch.counts(position));
    let change = match &stored.payload {
        Some(payload) if counts => state.open_change(row, position, &header, payload),
        _ => None,
    };
    let time = header.v1().map_or(0, |body| body.time);
    Ok(state.version(row, position, stored.hash, time, parents, change))
}

fn parents_of(state: &State, row: BranchRow, position: u64, header: &Header) -> Vec<EntryKey> {
    let body = header.v1();
    body.and_then(|body| state.branches.resolve(row, position, &body.subject)).unwrap_or_default()
}
