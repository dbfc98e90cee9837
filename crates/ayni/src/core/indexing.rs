//! The indexes of collections: which there are, and their making.
//!
//! An index is made a piece at a time, each in a transaction of its own, so that others can write meanwhile. What is written
//! takes its place in it from the beginning; it is read once all documents have theirs.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use ayni_log::codec::{Reader, Writer};
use ayni_store::{CollectionRow, DocumentRow, IndexRow, ProjectRow, Snapshot, Write};

use crate::core::documents::read;
use crate::core::standing::Standing;
use crate::core::state::State;
use crate::error::Error;
use crate::index::Index;

/// An index of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownIndex {
    pub(crate) row: IndexRow,
    pub(crate) index: Index,
    /// All documents stand in it.
    pub(crate) complete: bool,
}

/// The indexes of each collection.
pub(crate) type Indexes = BTreeMap<CollectionRow, Vec<KnownIndex>>;

/// Documents that take their place in a new index in one transaction.
const PIECE: usize = 4_096;
/// Bytes that these put into it at most, but for the last.
const PIECE_BYTES: usize = 16 << 20;

/// The indexes of a collection as the store has them.
pub(crate) fn read_indexes(
    store: &Snapshot<'_>,
    project: ProjectRow,
    collection: CollectionRow,
) -> Result<Vec<KnownIndex>, Error> {
    let known = |(row, definition): (IndexRow, Vec<u8>)| {
        let index = Index::from_definition(&definition).ok_or(Error::Damaged("an index"))?;
        let complete = store.setting(Some(project), &progress_name(row))?.is_none();
        Ok(KnownIndex { row, index, complete })
    };
    store.indexes(collection)?.into_iter().map(known).collect()
}

/// Begins an index, unless there is one like it. It is complete after as many [`continue_index`] as it takes.
pub(crate) fn begin_index(
    tx: &mut Write<'_>,
    state: &mut State,
    collection: CollectionRow,
    index: &Index,
) -> Result<(), Error> {
    let (row, new) = tx.add_index(collection, &index.definition())?;
    if new {
        tx.set_setting(Some(state.row), &progress_name(row), &encode_progress(0))?;
        state.load_indexes(tx, collection)?;
    }
    Ok(())
}

/// Drops an index; gives whether there was one like it.
pub(crate) fn drop_index(
    tx: &mut Write<'_>,
    state: &mut State,
    collection: CollectionRow,
    index: &Index,
) -> Result<bool, Error> {
    let known = state.indexes.get(&collection).and_then(|known| known.iter().find(|known| known.index == *index));
    let Some(row) = known.map(|known| known.row) else { return Ok(false) };
    tx.drop_index(row)?;
    tx.remove_setting(Some(state.row), &progress_name(row))?;
    state.load_indexes(tx, collection)?;
    Ok(true)
}

/// Lets the next documents take their place in the first index that is not complete; `false` if all are.
pub(crate) fn continue_index(tx: &mut Write<'_>, state: &mut State) -> Result<bool, Error> {
    let incomplete = |(collection, known): (&CollectionRow, &Vec<KnownIndex>)| {
        known.iter().find(|known| !known.complete).map(|known| (*collection, known.clone()))
    };
    let Some((collection, known)) = state.indexes.iter().find_map(incomplete) else { return Ok(false) };
    let name = progress_name(known.row);
    let done = tx.setting(Some(state.row), &name)?.and_then(|progress| decode_progress(&progress));
    let mut last = None;
    let mut standings = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    tx.documents(collection, done, |stored| {
        if let Some(standing) = Standing::of(&known.index, &read(stored.body, &stored.heads)?) {
            bytes += standing.bytes();
            standings.push((standing, stored.row));
        }
        count += 1;
        last = Some(stored.row);
        let full = count == PIECE || bytes >= PIECE_BYTES;
        Ok::<_, Error>(if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    for (standing, document) in standings {
        standing.write(tx, known.row, document)?;
    }
    match last.filter(|_| count == PIECE || bytes >= PIECE_BYTES) {
        Some(last) => tx.set_setting(Some(state.row), &name, &encode_progress(last))?,
        None => {
            tx.remove_setting(Some(state.row), &name)?;
            state.load_indexes(tx, collection)?;
        }
    }
    Ok(true)
}

/// Below which name it stands how far the making of an index has come; complete ones have no such setting.
fn progress_name(index: IndexRow) -> String {
    format!("index {}", index.0)
}

fn encode_progress(last: DocumentRow) -> Vec<u8> {
    let mut out = Writer::new();
    out.varint(last.unsigned_abs());
    out.into_vec()
}

fn decode_progress(bytes: &[u8]) -> Option<DocumentRow> {
    Reader::new(bytes).varint().ok().and_then(|last| DocumentRow::try_from(last).ok())
}
