//! Histories of one document, made up or written down, and what to make of them.

use ayni_doc::{Change, Document, EntryKey, Map, Operation, Path, SetKind, Value, Version, merge};
use ayni_log::ids::{DeviceId, Hash};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// How a version finds its parents among the versions before it.
#[derive(Debug, Clone)]
enum Parents {
    /// Its author had everything.
    All,
    /// Its author had read these, each counted back from the version.
    Some(Vec<usize>),
}

#[derive(Debug, Clone)]
pub(crate) struct Step {
    parents: Parents,
    time: i64,
    author: u8,
    change: Option<Change>,
    /// Decides the order of arrival, as far as parents allow.
    arrival: u32,
}

pub(crate) fn path() -> impl Strategy<Value = Path> {
    vec(select(vec!["a", "b", "c"]), 1..4).prop_map(|names| Path::new(names).unwrap())
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (0i64..3).prop_map(Value::Int),
        select(vec![Value::Null, Value::from(1.0), Value::from("x"), Value::Map(Map::new()), Value::List(vec![])]),
        vec((0i64..3).prop_map(Value::Int), 0..3).prop_map(Value::List),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        proptest::collection::btree_map(select(vec!["a".to_owned(), "b".to_owned()]), inner, 1..3).prop_map(Value::Map)
    })
}

pub(crate) fn plain_operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => (path(), value()).prop_map(|(path, value)| Operation::set_at(path, value)),
        1 => path().prop_map(|path| Operation::Unset { path }),
    ]
}

pub(crate) fn unchosen_operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => plain_operation(),
        2 => (path(), -3i64..4).prop_map(|(path, amount)| Operation::Add { path, amount }),
        1 => (path(), value()).prop_map(|(path, element)| Operation::Insert { path, element }),
        1 => (path(), value()).prop_map(|(path, element)| Operation::Remove { path, element }),
        1 => path().prop_map(|path| Operation::Text { path, bytes: vec![1, 2] }),
    ]
}

pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    let kinds = select(vec![SetKind::First, SetKind::Min, SetKind::Max]);
    prop_oneof![
        10 => unchosen_operation(),
        1 => (path(), kinds, value()).prop_map(|(path, kind, value)| Operation::Set { path, kind, value }),
    ]
}

pub(crate) fn history<O: Strategy<Value = Operation>>(operation: fn() -> O) -> impl Strategy<Value = Vec<Step>> {
    let parents = prop_oneof![
        2 => Just(Parents::All),
        3 => vec(1usize..4, 1..3).prop_map(Parents::Some),
        1 => Just(Parents::Some(vec![])),
    ];
    let change = prop_oneof![
        8 => vec(operation(), 0..4).prop_map(|operations| Some(Change::Edit(operations))),
        1 => Just(Some(Change::Delete)),
        1 => Just(None),
    ];
    let step = (parents, -2i64..3, 0u8..3, change, any::<u32>());
    vec(
        step.prop_map(|(parents, time, author, change, arrival)| Step { parents, time, author, change, arrival }),
        1..14,
    )
}

/// The versions of a history, and the same in an order in which they could arrive.
pub(crate) fn versions(steps: &[Step]) -> (Vec<Version>, Vec<Version>) {
    let mut versions: Vec<Version> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let mut parents = match &step.parents {
            Parents::All => merge(&versions).heads().to_vec(),
            Parents::Some(back) => {
                back.iter().filter_map(|back| Some(versions[index.checked_sub(*back)?].key)).collect()
            }
        };
        parents.sort();
        parents.dedup();
        versions.push(Version {
            // Keys are local: they say nothing about order.
            key: EntryKey((index as i64 * 7919) % 1009),
            hash: Hash(*blake3::hash(&[index as u8]).as_bytes()),
            time: step.time,
            author: DeviceId([step.author; 32]),
            parents,
            change: step.change.clone(),
        });
    }
    let mut arrived: Vec<Version> = Vec::new();
    while arrived.len() < versions.len() {
        let here = |key: &EntryKey| arrived.iter().any(|version| version.key == *key);
        let ready = (0..versions.len())
            .filter(|index| !here(&versions[*index].key) && versions[*index].parents.iter().all(here))
            .min_by_key(|index| steps[*index].arrival)
            .unwrap();
        arrived.push(versions[ready].clone());
    }
    (versions, arrived)
}

/// Takes versions in as they come, as a database does.
pub(crate) fn as_it_came(arrived: &[Version]) -> Document {
    let mut document = Document::default();
    for (index, version) in arrived.iter().enumerate() {
        let before = document.clone();
        if !document.advance(version.clone()) {
            assert_eq!(document, before, "a document that cannot advance is left alone");
            document = merge(&arrived[..=index]);
        }
        document = Document::decode(&document.encode(), document.heads().to_vec()).unwrap();
    }
    document
}

pub(crate) fn version(key: i64, time: i64, parents: &[EntryKey], change: Change) -> Version {
    Version {
        key: EntryKey(key),
        hash: Hash(*blake3::hash(&key.to_be_bytes()).as_bytes()),
        time,
        author: DeviceId([key as u8; 32]),
        parents: parents.to_vec(),
        change: Some(change),
    }
}

/// Versions written as `(key, time, parents, operations)`; no operations means deletion.
pub(crate) fn written(all: &[(i64, i64, &[i64], &[Operation])]) -> Vec<Version> {
    let make = |(key, time, parents, operations): &(i64, i64, &[i64], &[Operation])| {
        let parents: Vec<_> = parents.iter().copied().map(EntryKey).collect();
        let change = if operations.is_empty() { Change::Delete } else { Change::Edit(operations.to_vec()) };
        version(*key, *time, &parents, change)
    };
    all.iter().map(make).collect()
}

pub(crate) fn check(all: &[(i64, i64, &[i64], &[Operation])], shown: &str, conflicts: usize) -> Document {
    let document = merge(&written(all));
    assert_eq!(document.to_json(), serde_json::from_str::<serde_json::Value>(shown).unwrap());
    assert_eq!(document.conflicts().len(), conflicts, "{:#?}", document.conflicts());
    document
}

pub(crate) fn set(path: &str, json: &str) -> Operation {
    let value = Value::from_json(&serde_json::from_str(json).unwrap()).unwrap();
    Operation::set_at(path.parse().unwrap(), value)
}

pub(crate) fn unset(path: &str) -> Operation {
    Operation::Unset { path: path.parse().unwrap() }
}
