//! The documents that a transaction changes, held until it ends, and the index keys that follow from them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use ayni_doc::Document;
use ayni_log::ids::DocumentId;
use ayni_store::{CollectionRow, DocumentRow, IndexRow, Write, flags};

use crate::core::indexing::Indexes;
use crate::core::standing::{Trace, standings};
use crate::core::state::State;
use crate::error::Error;

/// Documents that are held at most before they are written.
const HELD: usize = 4_096;

/// Documents under change.
#[derive(Default)]
pub(crate) struct Documents {
    held: BTreeMap<DocumentRow, Held>,
}

struct Held {
    collection: CollectionRow,
    id: DocumentId,
    document: Document,
    /// What the indexes hold of it.
    traces: Vec<(IndexRow, Trace)>,
    changed: bool,
}

impl Documents {
    /// Adds a new document at once: most are written once and not touched again in the same transaction. `None` if it is
    /// not new.
    pub(crate) fn add(
        tx: &mut Write<'_>,
        indexes: &Indexes,
        collection: CollectionRow,
        id: DocumentId,
        document: &Document,
    ) -> Result<Option<DocumentRow>, Error> {
        let heads = keys_of(document);
        let added = tx.insert_document(collection, id, flags_of(document), &heads, &document.encode())?;
        if let Some(row) = added {
            for (index, standing) in standings(indexes, collection, document) {
                standing.write(tx, index, row)?;
            }
        }
        Ok(added)
    }

    /// A document as it is now.
    pub(crate) fn get(&mut self, tx: &Write<'_>, indexes: &Indexes, row: DocumentRow) -> Result<&mut Document, Error> {
        let held = match self.held.entry(row) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(place) => {
                let stored = tx.document(row)?.ok_or(Error::Damaged("a document"))?;
                let document = read(&stored.body, &stored.heads)?;
                let standings = standings(indexes, stored.collection, &document);
                let traces = standings.iter().map(|(index, standing)| (*index, standing.trace())).collect();
                let (collection, id) = (stored.collection, stored.id);
                place.insert(Held { collection, id, document, traces, changed: false })
            }
        };
        held.changed = true;
        Ok(&mut held.document)
    }

    /// Writes what changed if that is much, so that a long transaction does not hold all that it touched.
    ///
    /// To be called when the entries that are in effect are in the store.
    pub(crate) fn relieve(&mut self, tx: &mut Write<'_>, state: &mut State) -> Result<(), Error> {
        if self.held.len() < HELD { Ok(()) } else { self.flush(tx, state) }
    }

    /// Writes what changed, with what conflict handlers make of it. To be called when the entries that are in effect are in the
    /// store.
    pub(crate) fn flush(&mut self, tx: &mut Write<'_>, state: &mut State) -> Result<(), Error> {
        for (row, mut held) in std::mem::take(&mut self.held) {
            if !held.changed {
                continue;
            }
            state.handle(tx, held.collection, held.id, &mut held.document)?;
            let document = &held.document;
            tx.update_document(row, flags_of(document), &keys_of(document), &document.encode())?;
            let standings = standings(&state.indexes, held.collection, document);
            let mut unchanged = Vec::new();
            for (index, trace) in held.traces {
                if standings.iter().any(|(other, standing)| *other == index && standing.trace() == trace) {
                    unchanged.push(index);
                } else {
                    trace.remove(tx, index, row)?;
                }
            }
            for (index, standing) in standings.into_iter().filter(|(index, _)| !unchanged.contains(index)) {
                standing.write(tx, index, row)?;
            }
        }
        Ok(())
    }
}

/// The document that the store keeps as body and heads.
pub(crate) fn read(body: &[u8], heads: &[i64]) -> Result<Document, Error> {
    let heads = heads.iter().copied().map(ayni_doc::EntryKey).collect();
    Document::decode(body, heads).map_err(|_| Error::Damaged("a document"))
}

fn flags_of(document: &Document) -> u32 {
    let deleted = if document.is_present() { 0 } else { flags::DELETED };
    let conflicted = if document.has_conflicts() { flags::CONFLICTED } else { 0 };
    let handled = if document.handled().is_some() { flags::HANDLED } else { 0 };
    deleted | conflicted | handled
}

fn keys_of(document: &Document) -> Vec<i64> {
    document.heads().iter().map(|key| key.0).collect()
}
