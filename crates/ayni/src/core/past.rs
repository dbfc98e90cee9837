//! The past: which versions of a document there were at a moment.
//!
//! Those whose claimed time is at or before the moment, and all of whose ancestors are among them: so a clock that was wrong
//! shows no effect without its cause. An entry that does not count only connects those around it, here as in merging, and
//! its time is not asked for.

use std::collections::{BTreeMap, BTreeSet};

use ayni_doc::Document;
use ayni_log::ids::DocumentId;
use ayni_store::{CollectionRow, EntryKey, Snapshot, entry_place};

use crate::core::effects::{load_version, parents_of};
use crate::core::state::State;
use crate::error::Error;

/// A document as it was at a moment.
pub(crate) enum Then {
    /// As it is now: nothing came since.
    AsNow,
    /// It was not there yet.
    Absent,
    /// This.
    Was(Document),
}

/// An entry in the graph of a document, without what it does.
struct Place {
    parents: Vec<EntryKey>,
    /// It counts, and claims to be of after the moment.
    later: bool,
}

/// The document of these heads as it was at a moment, with what the conflict handler of now makes of it. No payload is opened where the answer is "as now", and only those of
/// then where it is not.
pub(crate) fn as_of(
    store: &Snapshot<'_>,
    state: &mut State,
    (collection, id): (CollectionRow, DocumentId),
    heads: &[EntryKey],
    moment: i64,
) -> Result<Then, Error> {
    if heads.is_empty() {
        return Ok(Then::Absent);
    }
    let places = places(store, state, heads, moment)?;
    if places.values().all(|place| !place.later) {
        return Ok(Then::AsNow);
    }
    let later = with_descendants(&places);
    let versions = places.into_keys().filter(|key| !later.contains(key)).map(|key| load_version(store, state, key));
    let versions = versions.collect::<Result<Vec<_>, _>>()?;
    let mut document = ayni_doc::merge(&versions);
    state.handle_versions(collection, id, &mut document, &versions);
    Ok(if document.heads().is_empty() { Then::Absent } else { Then::Was(document) })
}

/// These entries and all their ancestors.
fn places(
    store: &Snapshot<'_>,
    state: &State,
    heads: &[EntryKey],
    moment: i64,
) -> Result<BTreeMap<EntryKey, Place>, Error> {
    let mut places = BTreeMap::new();
    let mut wanted = heads.to_vec();
    while let Some(key) = wanted.pop() {
        if places.contains_key(&key) {
            continue;
        }
        let (row, position) = entry_place(key);
        let place = match store.entry(key)? {
            Some(stored) => {
                let header = stored.read_header().map_err(|_| Error::Damaged("an entry of the log"))?;
                let after = header.v1().is_some_and(|body| body.time > moment);
                let later = after && state.branches.counts(row, position);
                Place { parents: parents_of(state, row, position, &header), later }
            }
            // Damage took it.
            None => Place { parents: Vec::new(), later: false },
        };
        wanted.extend(&place.parents);
        places.insert(key, place);
    }
    Ok(places)
}

/// The entries of after the moment, and those that have seen one of them.
fn with_descendants(places: &BTreeMap<EntryKey, Place>) -> BTreeSet<EntryKey> {
    let mut children: BTreeMap<EntryKey, Vec<EntryKey>> = BTreeMap::new();
    for (key, place) in places {
        place.parents.iter().for_each(|parent| children.entry(*parent).or_default().push(*key));
    }
    let mut found = BTreeSet::new();
    let mut wanted: Vec<EntryKey> = places.iter().filter(|(_, place)| place.later).map(|(key, _)| *key).collect();
    while let Some(key) = wanted.pop() {
        if found.insert(key) {
            wanted.extend(children.get(&key).into_iter().flatten());
        }
    }
    found
}
