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

/// Begins an index, unless there is one like it; gives its row. It is complete after as many [`continue_index`] as it takes.
pub(crate) fn begin_index(
    tx: &mut Write<'_>,
    state: &mut State,
    collection: CollectionRow,
    index: &Index,
) -> Result<IndexRow, Error> {
    let (row, new) = tx.add_index(collection, &index.definition())?;
    if new {
        tracing::info!(collection = collection.0, ?index, "begins an index");
        tx.set_setting(Some(state.row), &progress_name(row), &encode_progress(0))?;
        state.load_indexes(tx, collection)?;
    }
    Ok(row)
}

/// Makes the indexes of a collection those that its schema has, beside those that this device made itself: begins what is
/// new, and drops what an earlier schema had.
pub(crate) fn follow_schema(
    tx: &mut Write<'_>,
    state: &mut State,
    collection: CollectionRow,
    wanted: &[Index],
) -> Result<(), Error> {
    let known = state.indexes.get(&collection).cloned().unwrap_or_default();
    for index in wanted.iter().filter(|index| known.iter().all(|known| known.index != **index)) {
        let row = begin_index(tx, state, collection, index)?;
        tx.set_setting(Some(state.row), &schema_name(row), &[])?;
    }
    for known in known.iter().filter(|known| !wanted.contains(&known.index)) {
        if is_of_schema(tx, state.row, known.row)? {
            drop_index(tx, state, collection, &known.index)?;
        }
    }
    Ok(())
}

/// Whether an index is there because a schema has it.
fn is_of_schema(store: &Snapshot<'_>, project: ProjectRow, index: IndexRow) -> Result<bool, Error> {
    Ok(store.setting(Some(project), &schema_name(index))?.is_some())
}

/// Keeps an index on this device also when the schema no longer has it.
pub(crate) fn keep_index(tx: &mut Write<'_>, project: ProjectRow, index: IndexRow) -> Result<(), Error> {
    Ok(tx.remove_setting(Some(project), &schema_name(index))?)
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
    tx.remove_setting(Some(state.row), &schema_name(row))?;
    state.load_indexes(tx, collection)?;
    Ok(true)
}

/// Whether there is an index that is not complete.
pub(crate) fn makes_index(state: &State) -> bool {
    state.indexes.values().flatten().any(|known| !known.complete)
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
            tracing::info!(collection = collection.0, index = ?known.index, "an index is complete");
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

/// Below which name it stands that an index is there because a schema has it.
fn schema_name(index: IndexRow) -> String {
    format!("index of schema {}", index.0)
}

fn encode_progress(last: DocumentRow) -> Vec<u8> {
    let mut out = Writer::new();
    out.varint(last.unsigned_abs());
    out.into_vec()
}

fn decode_progress(bytes: &[u8]) -> Option<DocumentRow> {
    Reader::new(bytes).varint().ok().and_then(|last| DocumentRow::try_from(last).ok())
}

#[cfg(test)]
mod tests {
    use ayni_doc::Value;

    use super::*;
    use crate::Document;
    use crate::query::Query;
    use crate::tests_support::{eventually, fields, team};

    #[test]
    fn a_name_that_no_collection_can_have_makes_none_by_its_index() {
        let [device] = team();
        let project = device.project();
        for name in ["", " ", &"x".repeat(257)] {
            assert_eq!(project.collection(name).create_index("a").unwrap_err().code(), "name");
            assert_eq!(project.collection(name).drop_index("a").unwrap_err().code(), "name");
        }
        assert!(project.collections().unwrap().is_empty());
    }

    #[test]
    fn an_index_in_the_making_is_not_read_and_what_is_written_meanwhile_stands_in_it_once_it_is_made() {
        let [device] = team();
        let project = device.project();
        let document = |number: i64| fields([("number", Value::Int(number))]);
        for from in [0, 3_000, 6_000] {
            let put = |tx: &mut crate::Transaction<'_, '_>, number: i64| {
                tx.put("places", &number.to_string(), document(number)).map(drop)
            };
            project.write(|tx| (from..from + 3_000).try_for_each(|number| put(tx, number))).unwrap();
        }
        let places = project.collection("places");
        let query = Query::new("number>=8990".parse().unwrap());
        let looked_at = || places.explain(&query).unwrap().documents;
        let found = || places.query(&query).unwrap().iter().map(Document::id).collect::<Vec<_>>();
        let without = found();

        let inner = &device.database.inner;
        let index: Index = "number".parse().unwrap();
        project
            .core
            .write(inner, |tx, state| {
                let row = state.collection_named(tx, "places")?;
                begin_index(tx, state, row, &index).map(drop)
            })
            .unwrap();
        assert!(project.core.write(inner, continue_index).unwrap());
        assert_eq!((looked_at(), found()), (9_000, without.clone()), "a part of it leads to a part of the documents");
        let by_sql = project.sql("SELECT count(*) FROM places WHERE number >= 8990").unwrap();
        assert_eq!((by_sql.rows, by_sql.cost.indexes), (vec![vec![Value::Int(10)]], Vec::new()), "nor by SQL");
        assert_eq!(places.unfinished_indexes().unwrap(), std::slice::from_ref(&index));
        // One that stands in it already, one that does not yet, and a new one.
        let put = |key: &str, number: i64| project.write(|tx| tx.put("places", key, document(number))).unwrap().0;
        let now_in = [put("1", 9_001), put("7000", 9_002), put("new", 9_003)];
        project.write(|tx| tx.put("places", "8999", document(0)).map(drop)).unwrap();

        let device = device.restart();
        let places = device.project().collection("places");
        eventually("the index", || places.explain(&query).unwrap().index.is_some());
        assert_eq!(places.unfinished_indexes().unwrap(), []);
        let how = places.explain(&query).unwrap();
        assert_eq!((how.found, how.documents), (12, 12));
        let found: Vec<_> = places.query(&query).unwrap().iter().map(Document::id).collect();
        assert!(now_in.iter().all(|id| found.contains(id)));
        assert_eq!(found.iter().filter(|id| without.contains(id)).count(), 9);
    }
}
