//! Taking effect: how whole commits become documents.
//!
//! A commit takes effect when all its entries and everything that they refer to are here. Its entries then find their
//! documents; in the common case (an edit of exactly the version that is shown) the document advances, otherwise it is
//! merged anew from all its entries. Either way gives the same.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use ayni_doc::{Change, Document, Version};
use ayni_log::entry::Entry;
use ayni_log::header::{Header, Subject, document_id};
use ayni_log::ids::{DocumentId, Hash};
use ayni_store::{BranchRow, DocumentRow, EntryKey, Snapshot, Write, entry_place};

use crate::core::documents::Documents;
use crate::core::state::State;
use crate::error::Error;

/// An entry on its way to take effect.
pub(crate) struct Arriving<'a> {
    pub(crate) position: u64,
    pub(crate) hash: Hash,
    pub(crate) header: &'a Header,
    pub(crate) payload: Option<&'a [u8]>,
    /// What it does, where that is known already: this device has just written it. It is taken once; who asks again
    /// opens the payload.
    change: Cell<Option<Change>>,
    /// Whether it is the last of its commit that is here: damage may have taken the rest.
    ends: bool,
}

impl<'a> Arriving<'a> {
    pub(crate) fn new(entry: &'a Entry, change: Option<Change>) -> Self {
        Self {
            position: entry.position,
            hash: entry.hash,
            header: &entry.header,
            payload: entry.payload.as_deref(),
            change: Cell::new(change),
            ends: entry.header.ends_commit,
        }
    }

    /// Of whole commits that were in the store, up to a position: where damage took what follows, what is here of a
    /// commit stands for it.
    pub(crate) fn stored(entries: &'a [Entry], to: u64) -> Vec<Self> {
        let mut arriving: Vec<Self> = entries.iter().map(|entry| Self::new(entry, None)).collect();
        let mut next = to;
        for entry in arriving.iter_mut().rev() {
            entry.ends |= next != entry.position + 1;
            next = entry.position;
        }
        arriving
    }
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

/// Entries of a branch that take effect one commit after the other. They may not be in the store yet, so what they say and
/// where they belong is looked for here first.
pub(crate) struct Run<'a> {
    row: BranchRow,
    entries: &'a [Arriving<'a>],
    /// The documents of those that have taken effect, in their order.
    documents: Vec<Option<DocumentRow>>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(row: BranchRow, entries: &'a [Arriving<'a>]) -> Self {
        Self { row, entries, documents: Vec::with_capacity(entries.len()) }
    }

    /// The documents of the entries that have taken effect, in their order.
    pub(crate) fn into_documents(self) -> Vec<Option<DocumentRow>> {
        self.documents
    }

    /// The next whole commit.
    fn next_commit(&self) -> Option<&'a [Arriving<'a>]> {
        let rest = self.entries.get(self.documents.len()..)?;
        let end = rest.iter().position(|entry| entry.ends)?;
        rest.get(..=end)
    }

    fn index_of(&self, key: EntryKey) -> Option<usize> {
        let (row, position) = entry_place(key);
        if row != self.row {
            return None;
        }
        self.entries.binary_search_by_key(&position, |entry| entry.position).ok()
    }

    fn entry(&self, key: EntryKey) -> Option<&'a Arriving<'a>> {
        self.entries.get(self.index_of(key)?)
    }

    /// The document of an entry that has taken effect.
    fn document_of(&self, tx: &Write<'_>, key: EntryKey) -> Result<Option<DocumentRow>, Error> {
        match self.index_of(key).and_then(|index| self.documents.get(index)) {
            Some(document) => Ok(*document),
            None => Ok(tx.document_of(key)?),
        }
    }
}

/// Lets the next whole commit of a run take effect, all before it on its branch being in effect. Gives `false` if there is
/// none, or if something that it refers to, or a key, is not here yet: it waits.
pub(crate) fn apply_next(
    tx: &mut Write<'_>,
    state: &mut State,
    documents: &mut Documents,
    run: &mut Run<'_>,
) -> Result<bool, Error> {
    let Some(commit) = run.next_commit() else { return Ok(false) };
    let row = run.row;
    if state.branches.get(row).is_some_and(|branch| !branch.scanned) {
        state.rescan(tx, row)?;
        state.recount(tx, row)?;
    }
    let first = commit.first().map_or(0, |entry| entry.position);
    if state.branches.get(row).is_some_and(|branch| branch.scanned && branch.applied < first) {
        state.branches.recover_anchors(tx, row, first)?;
        state.recount(tx, row)?;
    }
    let Some(branch) = state.branches.get(row).filter(|branch| branch.scanned) else { return Ok(false) };
    let before = (branch.seen.clone(), branch.steps.clone(), branch.broken_at);
    if !prepare(tx, state, row, commit)? {
        if let Some(branch) = state.branches.get_mut(row) {
            (branch.seen, branch.steps, branch.broken_at) = before;
        }
        return Ok(false);
    }
    if state.branches.get(row).is_some_and(|branch| branch.steps != before.1) {
        state.recount(tx, row)?;
    }
    for entry in commit {
        let document = run.apply_entry(tx, state, documents, entry)?;
        run.documents.push(document);
    }
    if let (Some(branch), Some(last)) = (state.branches.get_mut(row), commit.last()) {
        branch.applied = last.position + 1;
    }
    Ok(true)
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

impl Run<'_> {
    fn apply_entry(
        &self,
        tx: &mut Write<'_>,
        state: &mut State,
        documents: &mut Documents,
        entry: &Arriving<'_>,
    ) -> Result<Option<DocumentRow>, Error> {
        let Some(body) = entry.header.v1() else { return Ok(None) };
        let Some(parents) = state.branches.resolve(self.row, entry.position, &body.subject) else {
            return Ok(None);
        };
        let version = self.version(state, entry, body.time, parents);
        // Of an entry that creates what is here already, it is made again.
        let (row, version) = match &body.subject {
            Subject::None => return Ok(None),
            Subject::Create { collection, random } => {
                let Some(log) = state.branches.get(self.row).map(|branch| branch.tip.id()) else { return Ok(None) };
                let id = document_id(log, *random);
                match self.create(tx, state, *collection, id, version)? {
                    Created::New(row) => return Ok(Some(row)),
                    Created::Known(row) => (row, self.version(state, entry, body.time, Vec::new())),
                    Created::Nowhere => return Ok(None),
                }
            }
            Subject::Keyed { collection, id } => match self.create(tx, state, *collection, *id, version)? {
                Created::New(row) => return Ok(Some(row)),
                Created::Known(row) => (row, self.version(state, entry, body.time, Vec::new())),
                Created::Nowhere => return Ok(None),
            },
            Subject::Edit { .. } => match self.common_document(tx, &version.parents)? {
                Some(row) => (row, version),
                None => return Ok(None),
            },
        };
        let key = version.key.0;
        if !documents.get(tx, &state.indexes, row)?.advance(version) {
            let mut from: BTreeSet<EntryKey> =
                documents.get(tx, &state.indexes, row)?.heads().iter().map(|key| key.0).collect();
            from.insert(key);
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
        version: Version,
    ) -> Result<Created, Error> {
        let Some(collection) = state.collection_row(tx, self.row, collection)? else { return Ok(Created::Nowhere) };
        let mut document = Document::default();
        // It has no parents, so it follows on nothing.
        document.advance(version);
        match Documents::add(tx, &state.indexes, collection, id, &document)? {
            Some(row) => Ok(Created::New(row)),
            None => Ok(tx.document_row(collection, id)?.map_or(Created::Nowhere, Created::Known)),
        }
    }

    /// The one document that all parents belong to.
    fn common_document(&self, tx: &Write<'_>, parents: &[ayni_doc::EntryKey]) -> Result<Option<DocumentRow>, Error> {
        let mut common = None;
        for parent in parents {
            match (self.document_of(tx, parent.0)?, common) {
                (None, _) => return Ok(None),
                (Some(document), Some(common)) if document != common => return Ok(None),
                (document, _) => common = document,
            }
        }
        Ok(common)
    }

    fn version(&self, state: &mut State, entry: &Arriving<'_>, time: i64, parents: Vec<EntryKey>) -> Version {
        let counts = state.branches.counts(self.row, entry.position);
        let change = match (entry.change.take(), &entry.payload) {
            _ if !counts => None,
            (Some(change), _) => Some(change),
            (None, Some(payload)) => state.open_change(self.row, entry.position, entry.header, payload),
            (None, None) => None,
        };
        state.version(self.row, entry.position, entry.hash, time, parents, change)
    }
}

/// Merges the documents anew of which entries in effect count now and did not before, or the other way round. To be called
/// when what is in effect is in the store.
pub(crate) fn merge_rejudged(tx: &mut Write<'_>, state: &mut State, documents: &mut Documents) -> Result<(), Error> {
    let mut affected: BTreeMap<DocumentRow, BTreeSet<EntryKey>> = BTreeMap::new();
    for (row, range) in std::mem::take(&mut state.rejudged) {
        tx.entries(row, range, |entry| {
            if let Some(document) = entry.document {
                affected.entry(document).or_default().insert(entry.key);
            }
            Ok::<_, Error>(ControlFlow::Continue(()))
        })?;
    }
    if !affected.is_empty() {
        tx.note_remade()?;
    }
    for (row, rejudged) in affected {
        // An entry that had no effect so far is no head and perhaps no ancestor of one, so it is named.
        let heads = documents.get(tx, &state.indexes, row)?.heads().iter().map(|key| key.0);
        let heads = heads.chain(rejudged).collect();
        let merged = merge(tx, state, heads, None)?;
        *documents.get(tx, &state.indexes, row)? = merged;
        documents.relieve(tx, state)?;
    }
    Ok(())
}

fn merge(
    store: &Snapshot<'_>,
    state: &mut State,
    from: BTreeSet<EntryKey>,
    run: Option<&Run<'_>>,
) -> Result<Document, Error> {
    Ok(ayni_doc::merge(&ancestry(store, state, from, run)?))
}

/// These entries and all their ancestors, as versions.
fn ancestry(
    store: &Snapshot<'_>,
    state: &mut State,
    from: BTreeSet<EntryKey>,
    run: Option<&Run<'_>>,
) -> Result<Vec<Version>, Error> {
    let mut versions = BTreeMap::new();
    let mut wanted: Vec<EntryKey> = from.into_iter().collect();
    while let Some(key) = wanted.pop() {
        if versions.contains_key(&key) {
            continue;
        }
        let version = match run.and_then(|run| Some((run, run.entry(key)?))) {
            Some((run, entry)) => {
                let parents = parents_of(state, run.row, entry.position, entry.header);
                let time = entry.header.v1().map_or(0, |body| body.time);
                run.version(state, entry, time, parents)
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

/// The version that an entry is, read from the store.
pub(crate) fn load_version(store: &Snapshot<'_>, state: &mut State, key: EntryKey) -> Result<Version, Error> {
    let (row, position) = entry_place(key);
    let Some(stored) = store.entry(key)? else {
        // Damage took it: it keeps its place, and has no effect any more.
        return Ok(state.version(row, position, Hash([0; 32]), 0, Vec::new(), None));
    };
    let header = stored.read_header().map_err(|_| Error::Damaged("an entry of the log"))?;
    let parents = parents_of(state, row, position, &header);
    let counts = state.branches.counts(row, position);
    let change = match &stored.payload {
        Some(payload) if counts => state.open_change(row, position, &header, payload),
        _ => None,
    };
    let time = header.v1().map_or(0, |body| body.time);
    Ok(state.version(row, position, stored.hash, time, parents, change))
}

/// The entries that an entry names as parents, as far as they lead somewhere.
pub(crate) fn parents_of(state: &State, row: BranchRow, position: u64, header: &Header) -> Vec<EntryKey> {
    let body = header.v1();
    body.and_then(|body| state.branches.resolve(row, position, &body.subject)).unwrap_or_default()
}
