//! Of the past, sittings and undoing, what must hold whatever was written: held against plain second implementations.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Duration;

use ayni_doc::{Change, Document as Merged, EntryKey, Map, Operation, Path, SetKind, Value, Version, merge};
use ayni_log::ids::{DeviceId, DocumentId, Hash};
use proptest::prelude::*;
use proptest::sample::select;

use super::sittings::sittings;
use super::{Existence, VersionInfo};
use crate::core::effects::versions_of;
use crate::query::{Query, Selector, WithId};
use crate::tests_support::{Device, fields, meet, team};
use crate::{Collection, Document, Project};

fn places(device: &Device) -> Collection {
    device.project().collection("places")
}

fn path() -> impl Strategy<Value = Path> {
    select(vec!["a", "b", "m", "m.x", "m.y", "count", "tags"]).prop_map(|text| text.parse().unwrap())
}

fn value() -> impl Strategy<Value = Value> {
    let map = |number: i64| Value::Map(fields([("x", Value::Int(number)), ("y", "y".into())]));
    prop_oneof![4 => (0..4i64).prop_map(Value::Int), 1 => (0..2i64).prop_map(map), 1 => Just(Value::Map(Map::new()))]
}

fn operation() -> impl Strategy<Value = Operation> {
    let kind = select(vec![SetKind::Latest, SetKind::Latest, SetKind::First, SetKind::Max]);
    let of = |text: &str| text.parse::<Path>().unwrap();
    prop_oneof![
        5 => (path(), kind, value()).prop_map(|(path, kind, value)| Operation::Set { path, kind, value }),
        2 => path().prop_map(|path| Operation::Unset { path }),
        2 => (-2..3i64).prop_map(move |amount| Operation::Add { path: of("count"), amount }),
        2 => (0..3i64).prop_map(move |of_set| Operation::Insert { path: of("tags"), element: Value::Int(of_set) }),
        1 => (0..3i64).prop_map(move |of_set| Operation::Remove { path: of("tags"), element: Value::Int(of_set) }),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => proptest::collection::vec(operation(), 0..3).prop_map(Change::Edit),
        1 => Just(Change::Delete),
    ]
}

fn apply(project: &Project, document: &Document, change: &Change) {
    let written = project.write(|tx| match change {
        Change::Edit(operations) => tx.edit(document, operations.clone()),
        Change::Delete => tx.delete(document),
    });
    written.unwrap();
}

fn current(collection: &Collection, id: DocumentId) -> Document {
    collection.get_deleted(id).unwrap().unwrap()
}

/// What is shown of a document, if it is there.
fn shown(collection: &Collection, id: DocumentId) -> Option<Map> {
    collection.get(id).unwrap().map(|document| document.fields())
}

/// All versions of a document, as merging knows them.
fn versions(collection: &Collection, id: DocumentId) -> Vec<Version> {
    let document = current(collection, id);
    let heads: Vec<_> = document.merged.heads().iter().map(|key| key.0).collect();
    let inner = &collection.project.database.inner;
    collection.project.core.read(inner, |snapshot, state| versions_of(snapshot, state, heads)).unwrap()
}

/// What there was at a moment, found by going through all versions until none is added.
fn naive(versions: &[Version], moment: i64) -> Option<Merged> {
    let mut keys: BTreeSet<EntryKey> = BTreeSet::new();
    loop {
        let fits =
            |version: &&Version| version.time <= moment && version.parents.iter().all(|parent| keys.contains(parent));
        let more: BTreeSet<EntryKey> = versions.iter().filter(fits).map(|version| version.key).collect();
        if more.len() == keys.len() {
            break;
        }
        keys = more;
    }
    let then: Vec<Version> = versions.iter().filter(|version| keys.contains(&version.key)).cloned().collect();
    Some(merge(&then)).filter(Merged::is_present)
}

#[derive(Debug, Clone)]
enum Act {
    Create {
        device: usize,
        value: i64,
    },
    Edit {
        device: usize,
        document: usize,
        change: Change,
    },
    /// Through a handle that was read a while ago.
    EditOld {
        device: usize,
        document: usize,
        change: Change,
    },
    Meet,
    Clock {
        device: usize,
        ahead: i64,
    },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let (device, document) = (0..2usize, 0..4usize);
    let act = prop_oneof![
        2 => (device.clone(), 0..4i64).prop_map(|(device, value)| Act::Create { device, value }),
        8 => (device.clone(), document.clone(), change())
            .prop_map(|(device, document, change)| Act::Edit { device, document, change }),
        2 => (device.clone(), document, change())
            .prop_map(|(device, document, change)| Act::EditOld { device, document, change }),
        2 => Just(Act::Meet),
        3 => (device, 0..100_000i64).prop_map(|(device, ahead)| Act::Clock { device, ahead }),
    ];
    proptest::collection::vec(act, 8..40)
}

/// Does what it says; gives the documents that there are.
fn perform(devices: &[Device; 2], acts: Vec<Act>) -> Vec<DocumentId> {
    let mut ids = Vec::new();
    let mut old: BTreeMap<(usize, DocumentId), Document> = BTreeMap::new();
    for act in acts {
        match act {
            Act::Create { device, value } => {
                let new = fields([("a", Value::Int(value)), ("b", "x".into())]);
                ids.push(devices[device].project().write(|tx| tx.create("places", new)).unwrap());
            }
            Act::Edit { device, document, change } | Act::EditOld { device, document, change } if ids.is_empty() => {
                drop((device, document, change));
            }
            Act::Edit { device, document, change } => {
                let id = ids[document % ids.len()];
                let Some(read) = places(&devices[device]).get_deleted(id).unwrap() else { continue };
                apply(&devices[device].project(), &read, &change);
                old.entry((device, id)).or_insert(read);
            }
            Act::EditOld { device, document, change } => {
                let id = ids[document % ids.len()];
                let Some(read) = old.remove(&(device, id)) else { continue };
                apply(&devices[device].project(), &read, &change);
            }
            Act::Meet => meet(&devices[0].database, &devices[1].database),
            Act::Clock { device, ahead } => devices[device].clock.set_ahead(ahead),
        }
    }
    meet(&devices[0].database, &devices[1].database);
    ids
}

fn ordered(mut documents: Vec<(DocumentId, Map)>) -> Vec<(DocumentId, Map)> {
    documents.sort_by_key(|(id, _)| *id);
    documents
}

fn as_pairs(documents: &[Document]) -> Vec<(DocumentId, Map)> {
    documents.iter().map(|document| (document.id(), document.fields())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_moment_of_the_past_shows_what_a_merge_of_its_versions_shows_on_every_device(
        acts in acts(), picks in proptest::collection::vec((any::<prop::sample::Index>(), -1..2i64), 4)
    ) {
        let devices: [Device; 2] = team();
        let ids = perform(&devices, acts);
        prop_assume!(!ids.is_empty());
        let known: Vec<(DocumentId, Vec<Version>)> =
            ids.iter().map(|id| (*id, versions(&places(&devices[0]), *id))).collect();
        let times: Vec<i64> = known.iter().flat_map(|(_, versions)| versions.iter().map(|version| version.time)).collect();
        for (pick, beside) in picks {
            let moment = *pick.get(&times) + beside;
            let then: Vec<(DocumentId, Merged)> =
                known.iter().filter_map(|(id, versions)| Some((*id, naive(versions, moment)?))).collect();
            let selector: Selector = "a>=1".parse().unwrap();
            let matching = then.iter().filter(|(id, merged)| selector.matches(&WithId(*id, merged)));
            let matching: Vec<_> = matching.map(|(id, merged)| (*id, merged.shown())).collect();
            for device in &devices {
                let past = places(device).as_of(moment);
                for id in &ids {
                    let expected = then.iter().find(|(other, _)| other == id).map(|(_, merged)| merged.encode());
                    prop_assert_eq!(past.get(*id).unwrap().map(|document| document.merged.encode()), expected);
                }
                let mut visited = Vec::new();
                past.for_each(|document| {
                    visited.push((document.id(), document.fields()));
                    Ok(ControlFlow::Continue(()))
                }).unwrap();
                let all = ordered(then.iter().map(|(id, merged)| (*id, merged.shown())).collect());
                prop_assert_eq!(&visited, &all);
                prop_assert_eq!(as_pairs(&past.query(&Query::default()).unwrap()), all);
                let query = Query::new(selector.clone());
                prop_assert_eq!(as_pairs(&past.query(&query).unwrap()), ordered(matching.clone()));
                prop_assert_eq!(past.count(&selector).unwrap(), matching.len() as u64);
                let few = past.query(&query.sort("a:desc".parse().unwrap()).skip(1).limit(2)).unwrap();
                prop_assert_eq!(few.len(), matching.len().saturating_sub(1).min(2));
            }
        }
    }

    #[test]
    fn an_undo_right_after_a_change_shows_what_was_before_it_and_another_does_it_again(
        before in proptest::collection::vec((change(), any::<bool>()), 0..8), last in change()
    ) {
        let [device] = team();
        let (project, places) = (device.project(), places(&device));
        let id = project.write(|tx| tx.create("places", fields([("a", Value::Int(0))]))).unwrap();
        let first = current(&places, id);
        for (change, from_the_first) in before {
            let read = if from_the_first { first.clone() } else { current(&places, id) };
            apply(&project, &read, &change);
        }
        let shown_before = shown(&places, id);
        apply(&project, &current(&places, id), &last);
        let shown_after = shown(&places, id);
        let version = places.last_change_here(id).unwrap().unwrap().id;
        let preview = places.preview_undo(id, version).unwrap();
        prop_assert_eq!(shown(&places, id), shown_after.clone(), "looking at it changes nothing");
        let entries = places.history(id).unwrap().len();
        let undone = places.undo(id, version).unwrap();
        prop_assert_eq!(&undone, &preview);
        prop_assert_eq!(shown(&places, id), shown_before.clone());
        prop_assert_eq!(places.history(id).unwrap().len() - entries, usize::from(!undone.is_nothing()));
        if !undone.is_nothing() {
            let undo = places.last_change_here(id).unwrap().unwrap().id;
            places.undo(id, undo).unwrap();
            prop_assert_eq!(shown(&places, id), shown_after);
        }
    }

    #[test]
    fn an_undo_keeps_what_others_wrote_since(
        change in proptest::collection::vec(operation(), 1..4),
        others in proptest::collection::vec((operation(), any::<bool>()), 1..5)
    ) {
        let [device] = team();
        let (project, places) = (device.project(), places(&device));
        let id = project.write(|tx| tx.create("places", fields([("a", Value::Int(9)), ("b", "x".into())]))).unwrap();
        let before = current(&places, id);
        apply(&project, &before, &Change::Edit(change.clone()));
        let version = places.last_change_here(id).unwrap().unwrap().id;
        let mut written = Vec::new();
        for (operation, apart) in others {
            let read = if apart { before.clone() } else { current(&places, id) };
            apply(&project, &read, &Change::Edit(vec![operation.clone()]));
            written.push(operation.path().clone());
        }
        let then = current(&places, id);
        let undone = places.undo(id, version).unwrap();
        let now = current(&places, id);
        prop_assert_eq!(undone.existence, Existence::Same);
        let overlap = |one: &Path, other: &Path| super::provenance::overlap(one, other);
        let gathers = |path: &Path| ["count", "tags"].contains(&path.to_string().as_str());
        for path in &written {
            if !change.iter().any(|operation| overlap(operation.path(), path)) {
                prop_assert_eq!(now.get(path.names()), then.get(path.names()), "{} was not touched by it", path);
            }
        }
        // What is set back is of the change, and where others had written the same field it says so.
        for path in undone.taken_back.iter().map(|set_back| &set_back.path) {
            prop_assert!(change.iter().any(|operation| overlap(operation.path(), path)), "{}", path);
        }
        for operation in &change {
            let path = operation.path();
            let kept = undone.kept.iter().any(|kept| matches!(kept, super::Kept::Field { path: at, .. } if overlap(at, path)));
            let rewritten = written.iter().any(|other| overlap(other, path));
            prop_assert!(!kept || rewritten, "{}: nobody else wrote it", path);
            if !rewritten && !gathers(path) {
                let same_before = now.get(path.names()) == before.get(path.names());
                prop_assert!(same_before, "{} shows what it did before", path);
            }
        }
    }

    #[test]
    fn a_sitting_is_a_chain_of_one_author_without_a_pause_and_every_version_is_in_one(
        made in proptest::collection::vec((0..3u8, 0..400i64, any::<prop::sample::Index>(), any::<bool>()), 1..20)
    ) {
        let mut all: Vec<VersionInfo> = Vec::new();
        for (number, (author, seconds, parent, merges)) in made.into_iter().enumerate() {
            let mut parents: BTreeSet<Hash> = all.last().map(|last| last.id).into_iter().collect();
            if !all.is_empty() {
                let other = parent.get(&all).id;
                parents = if merges { parents.into_iter().chain([other]).collect() } else { [other].into() };
            }
            let time = all.last().map_or(0, |last| last.time) + seconds * 1_000;
            all.push(made_version(number as u8, author, time, parents.into_iter().collect()));
        }
        let pause = Duration::from_secs(300);
        let grouped = sittings(all.clone(), pause);
        let mut in_one: Vec<Hash> = Vec::new();
        for sitting in &grouped {
            prop_assert!(sitting.versions.iter().all(|version| version.author == sitting.author));
            for pair in sitting.versions.windows(2) {
                prop_assert_eq!(&pair[1].parents, &[pair[0].id]);
                prop_assert!(pair[0].time.abs_diff(pair[1].time) < 300_000);
            }
            in_one.extend(sitting.versions.iter().map(|version| version.id));
        }
        let mut ids: Vec<Hash> = all.iter().map(|version| version.id).collect();
        ids.sort_unstable();
        in_one.sort_unstable();
        prop_assert_eq!(in_one, ids);
        // None could be longer: of versions that go on from one, at least one is in its sitting if any may be.
        for version in &all {
            let follows = |next: &&VersionInfo| {
                next.parents == [version.id] && next.author == version.author && next.time.abs_diff(version.time) < 300_000
            };
            let together = |next: &VersionInfo| {
                grouped.iter().any(|sitting| [version, next].iter().all(|one| sitting.versions.contains(one)))
            };
            let next: Vec<&VersionInfo> = all.iter().filter(follows).collect();
            prop_assert!(next.is_empty() || next.iter().filter(|next| together(next)).count() == 1);
        }
    }
}

fn made_version(number: u8, author: u8, time: i64, parents: Vec<Hash>) -> VersionInfo {
    let change = Change::Edit(vec![Operation::set(["a", "b"][usize::from(number % 2)], Value::Int(1))]);
    let author = DeviceId([author; 32]);
    VersionInfo { id: Hash([number + 1; 32]), time, author, author_name: String::new(), change, parents }
}
