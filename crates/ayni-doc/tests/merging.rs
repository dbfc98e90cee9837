//! Everyone ends up with the same: whatever the graph, the clocks and the order of arrival.

mod oracle;

use ayni_doc::{
    Change, Document, EntryKey, Kind, Map, Operation, Path, SetKind, Value, Version, creation, diff, encoded, merge,
};
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
struct Step {
    parents: Parents,
    time: i64,
    author: u8,
    change: Option<Change>,
    /// Decides the order of arrival, as far as parents allow.
    arrival: u32,
}

fn path() -> impl Strategy<Value = Path> {
    vec(select(vec!["a", "b", "c"]), 1..4).prop_map(|names| Path::new(names).unwrap())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (0i64..3).prop_map(Value::Int),
        select(vec![Value::Null, Value::from(1.0), Value::from("x"), Value::Map(Map::new()), Value::List(vec![])]),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        proptest::collection::btree_map(select(vec!["a".to_owned(), "b".to_owned()]), inner, 1..3).prop_map(Value::Map)
    })
}

fn plain_operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => (path(), value()).prop_map(|(path, value)| Operation::set_at(path, value)),
        1 => path().prop_map(|path| Operation::Unset { path }),
    ]
}

fn unchosen_operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => plain_operation(),
        2 => (path(), -3i64..4).prop_map(|(path, amount)| Operation::Add { path, amount }),
        1 => (path(), value()).prop_map(|(path, element)| Operation::Insert { path, element }),
        1 => (path(), value()).prop_map(|(path, element)| Operation::Remove { path, element }),
        1 => path().prop_map(|path| Operation::Text { path, bytes: vec![1, 2] }),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let kinds = select(vec![SetKind::First, SetKind::Min, SetKind::Max]);
    prop_oneof![
        10 => unchosen_operation(),
        1 => (path(), kinds, value()).prop_map(|(path, kind, value)| Operation::Set { path, kind, value }),
    ]
}

fn history<O: Strategy<Value = Operation>>(operation: fn() -> O) -> impl Strategy<Value = Vec<Step>> {
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
fn versions(steps: &[Step]) -> (Vec<Version>, Vec<Version>) {
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
fn as_it_came(arrived: &[Version]) -> Document {
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn merging_as_it_came_is_merging_from_nothing(steps in history(operation)) {
        let (versions, arrived) = versions(&steps);
        let merged = merge(&versions);
        let advanced = as_it_came(&arrived);
        prop_assert_eq!(&advanced, &merged);
        prop_assert_eq!(advanced.encode(), merged.encode());
        prop_assert_eq!(merged.has_conflicts(), !merged.conflicts().is_empty());
    }

    #[test]
    fn every_prefix_of_every_arrival_agrees_with_merging_it(steps in history(operation)) {
        let (_, arrived) = versions(&steps);
        for end in 0..=arrived.len() {
            let mut reversed = arrived[..end].to_vec();
            reversed.reverse();
            prop_assert_eq!(as_it_came(&arrived[..end]), merge(&reversed));
        }
    }

    #[test]
    fn a_document_is_what_the_rules_say(steps in history(unchosen_operation)) {
        let (versions, _) = versions(&steps);
        let merged = merge(&versions);
        let told = oracle::tell(&versions);
        prop_assert_eq!(merged.is_present(), told.present);
        prop_assert_eq!(merged.heads(), told.heads);
        prop_assert_eq!(merged.shown(), told.shown);
        let conflicts: Vec<_> = merged.conflicts().into_iter().map(|conflict| {
            (conflict.path.to_string(), conflict.alternatives.len())
        }).collect();
        prop_assert_eq!(conflicts, told.conflicts);
    }

    #[test]
    fn a_version_without_effect_only_connects_those_around_it(steps in history(operation), voids in vec(any::<bool>(), 14)) {
        let (mut versions, _) = versions(&steps);
        for (version, void) in versions.iter_mut().zip(voids) {
            if void {
                version.change = None;
            }
        }
        // The same history, had those versions never been: their children go on from what they went on from.
        let mut without: Vec<Version> = versions.clone();
        for void in versions.iter().filter(|version| version.change.is_none()) {
            let place = without.iter().position(|version| version.key == void.key).unwrap();
            let void = without.remove(place);
            for version in &mut without {
                if version.parents.contains(&void.key) {
                    version.parents.retain(|parent| *parent != void.key);
                    version.parents.extend(&void.parents);
                    version.parents.sort();
                    version.parents.dedup();
                }
            }
        }
        prop_assert_eq!(merge(&versions), merge(&without));
    }

    #[test]
    fn a_later_edit_by_who_has_seen_all_settles_every_conflict_it_touches(steps in history(operation), fields in path()) {
        let (mut all, _) = versions(&steps);
        let merged = merge(&all);
        let set = Operation::set_at(fields.clone(), Value::from("settled"));
        all.push(version(2000, -1_000_000, merged.heads(), Change::Edit(vec![set])));
        let settled = merge(&all);
        prop_assert_eq!(settled.get(fields.names()), Some(Value::from("settled")));
        prop_assert!(settled.conflicts().iter().all(|conflict| !conflict.path.names().starts_with(fields.names())));
    }

    #[test]
    fn an_edit_from_a_whole_value_shows_that_value(
        old in value(), new in value(), steps in history(operation), kind in select(vec![Kind::Latest, Kind::Counter, Kind::Set])
    ) {
        let map = |value: &Value| Map::from([("a".to_owned(), value.clone())]);
        let mut document = Document::default();
        document.advance(version(1, 0, &[], Change::Edit(vec![Operation::set("a", old.clone())])));
        let operations = diff(&map(&old), &map(&new)).unwrap();
        prop_assert_eq!(old == new, operations.is_empty());
        prop_assert!(document.advance(version(2, 0, &[EntryKey(1)], Change::Edit(operations))));
        prop_assert_eq!(document.shown(), map(&new));

        // On top of any history, through merging.
        let (mut all, _) = versions(&steps);
        let merged = merge(&all);
        let operations = merged.edit_to(&map(&new), &|_| kind).unwrap();
        all.push(version(2000, 9, merged.heads(), Change::Edit(operations)));
        let shown = merge(&all).shown();
        match (kind, &new) {
            // The elements of a set are shown in their order.
            (Kind::Set, new) if format!("{new:?}").contains("List") => {}
            // Integers that are set concurrently stay in conflict below what is added.
            _ => prop_assert_eq!(shown, map(&new)),
        }
    }

    #[test]
    fn creating_a_document_is_editing_an_empty_one(
        values in vec((select(vec!["a", "b", "c"]), value()), 0..4), before in vec(operation(), 0..4)
    ) {
        let fields: Map = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let operations = diff(&Map::new(), &fields).unwrap();
        prop_assert_eq!(&creation(fields.clone(), &before).unwrap(), &operations);
        prop_assert_eq!(&creation(fields, &operations).unwrap(), &operations);
    }

    #[test]
    fn fields_read_from_bytes_are_those_of_the_document(steps in history(operation), paths in vec(path(), 1..4)) {
        let document = merge(&versions(&steps).0);
        let body = document.encode();
        prop_assert_eq!(encoded::is_present(&body), Ok(document.is_present()));
        prop_assert_eq!(encoded::has_conflicts(&body), Ok(document.has_conflicts()));
        let names: Vec<_> = paths.iter().map(|path| path.names()).collect();
        let shown = Value::Map(document.shown());
        for (path, projected) in paths.iter().zip(encoded::project(&body, &names).unwrap()) {
            prop_assert_eq!(document.get(path.names()), projected.clone());
            prop_assert_eq!(shown.at(path.names()).cloned(), projected);
        }
    }

    #[test]
    fn damaged_bodies_are_errors_not_panics(steps in history(operation), at: usize, byte: u8, cut: usize) {
        let mut body = merge(&versions(&steps).0).encode();
        let at = at % body.len();
        body[at] = byte;
        let cut = body.len() - cut % 2;
        let _ = Document::decode(&body[..cut], Vec::new()).map(|document| document.encode());
        let _ = encoded::get(&body, &["b", "c"]);
    }
}

fn version(key: i64, time: i64, parents: &[EntryKey], change: Change) -> Version {
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
fn written(all: &[(i64, i64, &[i64], &[Operation])]) -> Vec<Version> {
    let make = |(key, time, parents, operations): &(i64, i64, &[i64], &[Operation])| {
        let parents: Vec<_> = parents.iter().copied().map(EntryKey).collect();
        let change = if operations.is_empty() { Change::Delete } else { Change::Edit(operations.to_vec()) };
        version(*key, *time, &parents, change)
    };
    all.iter().map(make).collect()
}

fn check(all: &[(i64, i64, &[i64], &[Operation])], shown: &str, conflicts: usize) -> Document {
    let document = merge(&written(all));
    assert_eq!(document.to_json(), serde_json::from_str::<serde_json::Value>(shown).unwrap());
    assert_eq!(document.conflicts().len(), conflicts, "{:#?}", document.conflicts());
    document
}

fn set(path: &str, json: &str) -> Operation {
    let value = Value::from_json(&serde_json::from_str(json).unwrap()).unwrap();
    Operation::set_at(path.parse().unwrap(), value)
}

fn unset(path: &str) -> Operation {
    Operation::Unset { path: path.parse().unwrap() }
}

fn insert(element: &str) -> Operation {
    Operation::Insert { path: "tags".parse().unwrap(), element: element.into() }
}

fn chosen(kind: SetKind, value: i64) -> Operation {
    Operation::Set { path: "n".parse().unwrap(), kind, value: Value::Int(value) }
}

#[test]
fn concurrent_edits_of_different_fields_all_stand() {
    check(
        &[(1, 0, &[], &[set("a", "1")]), (2, 1, &[1], &[set("a", "2")]), (3, 2, &[1], &[set("b", "3")])],
        r#"{"a":2,"b":3}"#,
        0,
    );
}

#[test]
fn of_concurrent_edits_of_one_field_the_latest_is_shown_and_the_others_are_kept() {
    let document = check(
        &[(1, 0, &[], &[set("a", "1")]), (2, 9, &[1], &[set("a", "2")]), (3, 5, &[1], &[set("a", "3")])],
        r#"{"a":2}"#,
        1,
    );
    let kept: Vec<_> =
        document.conflicts()[0].alternatives.iter().map(|one| (one.value.clone(), one.stamp.time)).collect();
    assert_eq!(kept, [(Some(Value::Int(2)), 9), (Some(Value::Int(3)), 5)]);
    assert_eq!(document.conflicts()[0].alternatives[1].stamp.author, DeviceId([3; 32]));
}

#[test]
fn an_edit_that_has_seen_another_beats_it_whatever_the_clocks_say() {
    check(&[(1, 100, &[], &[set("a", "1")]), (2, -100, &[1], &[set("a", "2")])], r#"{"a":2}"#, 0);
}

#[test]
fn equal_concurrent_values_are_no_conflict() {
    check(
        &[(1, 0, &[], &[set("a", "1")]), (2, 1, &[1], &[set("a", "2")]), (3, 2, &[1], &[set("a", "2")])],
        r#"{"a":2}"#,
        0,
    );
}

#[test]
fn an_integer_and_a_float_of_one_number_are_a_conflict() {
    check(&[(1, 0, &[], &[set("a", "1")]), (2, 1, &[], &[set("a", "1.0")])], r#"{"a":1.0}"#, 1);
}

#[test]
fn a_scalar_against_a_concurrent_map_is_a_conflict() {
    let all: &[(i64, i64, &[i64], &[Operation])] = &[
        (1, 0, &[], &[set("p", r#"{"x":1,"y":1}"#)]),
        (2, 3, &[1], &[set("p", "7")]),
        (3, 5, &[1], &[set("p.x", "2")]),
    ];
    let document = check(all, r#"{"p":{"x":2}}"#, 1);
    assert_eq!(document.conflicts()[0].alternatives[1].value, Some(Value::Int(7)));
    let older = [all[0], all[1], (3, 1, &[1], &[set("p.x", "2")])];
    assert_eq!(check(&older, r#"{"p":7}"#, 1).get(&["p", "x"]), None);
}

#[test]
fn setting_a_map_sets_its_leaves_and_leaves_concurrent_ones() {
    check(
        &[
            (1, 0, &[], &[set("p", r#"{"x":1,"y":1}"#)]),
            (2, 1, &[1], &[set("p", r#"{"x":2}"#)]),
            (3, 2, &[1], &[set("p.y", "3")]),
        ],
        r#"{"p":{"x":2,"y":3}}"#,
        0,
    );
}

#[test]
fn an_empty_map_is_a_value_until_something_is_put_into_it() {
    check(&[(1, 0, &[], &[set("p", "{}")])], r#"{"p":{}}"#, 0);
    check(&[(1, 0, &[], &[set("p", "{}")]), (2, 0, &[1], &[set("p.x", "1")])], r#"{"p":{"x":1}}"#, 0);
    check(&[(1, 0, &[], &[set("p", r#"{"x":1}"#)]), (2, 0, &[1], &[set("p", "{}")])], r#"{"p":{}}"#, 0);
}

#[test]
fn unsetting_against_a_concurrent_edit_keeps_the_value_and_says_so() {
    let document = check(
        &[(1, 0, &[], &[set("a", "1")]), (2, 9, &[1], &[unset("a")]), (3, 5, &[1], &[set("a", "3")])],
        r#"{"a":3}"#,
        1,
    );
    assert_eq!(document.conflicts()[0].alternatives[1].value, None);
    check(&[(1, 0, &[], &[set("a", "1")]), (2, 9, &[1], &[unset("a")])], "{}", 0);
}

#[test]
fn an_edit_made_at_the_same_time_as_a_delete_keeps_the_document() {
    let both = [(1, 0, &[][..], &[set("a", "1")][..]), (2, 9, &[1], &[]), (3, 5, &[1], &[set("a", "3")])];
    assert!(check(&both, r#"{"a":3}"#, 0).is_present());
    let seen = [both[0], (3, 5, &[1], both[2].3), (2, 9, &[3], &[])];
    assert!(!merge(&written(&seen)).is_present());
}

#[test]
fn an_edit_that_saw_the_delete_brings_the_document_back_as_it_was() {
    let deleted = [(1, 0, &[][..], &[set("a", "1"), set("b", "1")][..]), (2, 9, &[1], &[])];
    assert!(!merge(&written(&deleted)).is_present());
    let back = [deleted[0], deleted[1], (3, -9, &[2], &[set("b", "2")])];
    assert!(check(&back, r#"{"a":1,"b":2}"#, 0).is_present());
}

#[test]
fn counters_add_up_and_start_from_what_was_set() {
    let both = [
        (1, 0, &[][..], &[set("n", "10")][..]),
        (2, 1, &[1], &[Operation::add("n", 5)]),
        (3, 2, &[1], &[Operation::add("n", -2)]),
    ];
    check(&both, r#"{"n":13}"#, 0);
    // A set yields to nothing it has not seen: additions concurrent to it count on top.
    let set_anew = [both[0], both[1], (3, 2, &[1], &[set("n", "100")])];
    check(&set_anew, r#"{"n":105}"#, 0);
    let seen = [both[0], both[1], (3, 2, &[2], &[set("n", "100")])];
    check(&seen, r#"{"n":100}"#, 0);
}

#[test]
fn a_counter_beyond_64_bits_shows_the_nearest_and_loses_nothing() {
    let up = Operation::add("n", i64::MAX);
    let all = [
        (1, 0, &[][..], std::slice::from_ref(&up)),
        (2, 0, &[1], std::slice::from_ref(&up)),
        (3, 0, &[2], &[Operation::add("n", -7)]),
    ];
    assert_eq!(merge(&written(&all)).get(&["n"]), Some(Value::Int(i64::MAX)));
    let back = [all[0], all[1], all[2], (4, 0, &[3], &[Operation::add("n", -i64::MAX)])];
    assert_eq!(merge(&written(&back)).get(&["n"]), Some(Value::Int(i64::MAX - 7)));
}

#[test]
fn first_min_and_max_choose_among_what_was_not_replaced() {
    let of =
        |kind| [(1, 5, &[][..], [chosen(kind, 5)]), (2, 3, &[], [chosen(kind, 9)]), (3, 9, &[], [chosen(kind, 2)])];
    for (kind, shown) in [(SetKind::First, 9), (SetKind::Min, 2), (SetKind::Max, 9)] {
        let all = of(kind);
        let all: Vec<_> = all.iter().map(|(key, time, parents, ops)| (*key, *time, *parents, &ops[..])).collect();
        check(&all, &format!(r#"{{"n":{shown}}}"#), 0);
        // Who has seen a mistyped one can put it right.
        let put_right = [chosen(kind, 4)];
        let all = [all, vec![(4, 7, &[1, 2, 3][..], &put_right[..])]].concat();
        check(&all, r#"{"n":4}"#, 0);
    }
}

#[test]
fn of_equally_small_or_great_values_the_latest_is_shown_whichever_came_first() {
    for kind in [SetKind::Min, SetKind::Max] {
        let of = |value| [Operation::Set { path: "n".parse().unwrap(), kind, value }];
        let (early, late) = (of(Value::Int(1)), of(Value::Float(1.0)));
        for all in [[(1, 5, &[][..], &early[..]), (2, 7, &[], &late)], [(1, 7, &[], &late), (2, 5, &[], &early)]] {
            assert_eq!(merge(&written(&all)).get(&["n"]), Some(Value::Float(1.0)));
        }
    }
}

#[test]
fn an_element_added_while_another_device_removes_it_stays() {
    let remove = Operation::Remove { path: "tags".parse().unwrap(), element: "b".into() };
    let all = [
        (1, 0, &[][..], &[insert("b"), insert("a")][..]),
        (2, 9, &[1], std::slice::from_ref(&remove)),
        (3, 1, &[1], &[insert("b")]),
    ];
    check(&all, r#"{"tags":["a","b"]}"#, 0);
    check(&all[..2], r#"{"tags":["a"]}"#, 0);
}

#[test]
fn within_one_change_later_operations_have_seen_the_earlier() {
    check(
        &[(1, 0, &[], &[set("a", "1"), set("a", "2"), unset("b"), set("b.c", "1"), set("b", "3")])],
        r#"{"a":2,"b":3}"#,
        0,
    );
}

#[test]
#[should_panic(expected = "a parent is not among the versions")]
fn merging_without_all_ancestors_is_refused() {
    merge(&written(&[(2, 0, &[1], &[set("a", "1")])]));
}

#[test]
fn a_long_history_merges_in_linear_time_even_if_every_version_adds_a_field() {
    let versions: Vec<_> = (0..200_000)
        .map(|key: i64| {
            let parents: Vec<_> = (key > 0).then(|| EntryKey(key - 1)).into_iter().collect();
            let operation = Operation::set(&format!("f{}", key % 50_000), Value::Int(key));
            version(key, 0, &parents, Change::Edit(vec![operation]))
        })
        .collect();
    let document = merge(&versions);
    assert_eq!(document.shown().len(), 50_000);
    assert!(!document.has_conflicts());
}

#[test]
fn a_hundred_thousand_concurrent_edits_merge_in_bounded_memory() {
    let mut versions = vec![version(0, 0, &[], Change::Edit(vec![set("a", "0")]))];
    versions.extend((1..100_000).map(|key| {
        let parents = [EntryKey(0)];
        version(key, key, &parents, Change::Edit(vec![set(&format!("p.f{}", key % 5_000), &key.to_string())]))
    }));
    let document = merge(&versions);
    assert_eq!(document.heads().len(), 99_999);
    assert_eq!(document.conflicts().len(), 5_000);
}

/// Found by fuzzing: a field with flags that say nothing was read as an empty map.
#[test]
fn a_body_that_is_not_written_in_its_one_way_is_refused() {
    const CONTESTED: u8 = 0x0f;
    let field = |bytes: &[u8]| [&[1, 0, 7, 1, 1, b'a'], bytes].concat();
    let decode = |bytes: &[u8]| Document::decode(&field(bytes), Vec::new());
    assert!(decode(&[7, 0]).is_ok(), "an empty map");
    // Nothing, a value alone, a map alone, a map that is empty.
    for flags in [&[0][..], &[1, 0], &[0x40, 1, 1, b'b', 0], &[0x41, 0, 0]] {
        assert!(decode(&[&[CONTESTED], flags].concat()).is_err(), "{flags:?}");
    }
}

#[test]
fn an_edit_of_a_set_inserts_and_removes_what_differs_and_leaves_the_rest() {
    let insert =
        |element: &str| Operation::Insert { path: Path::new(["tags"]).unwrap(), element: Value::from(element) };
    let remove =
        |element: &str| Operation::Remove { path: Path::new(["tags"]).unwrap(), element: Value::from(element) };
    let list = |items: &[&str]| {
        Map::from([("tags".to_owned(), Value::List(items.iter().copied().map(Value::from).collect()))])
    };
    let mut document = check(&[(1, 0, &[], &[insert("dry"), insert("high")])], r#"{"tags":["dry","high"]}"#, 0);
    let edit = document.edit_to(&list(&["high", "steep"]), &|_| Kind::Set).unwrap();
    assert_eq!(edit, [remove("dry"), insert("steep")]);
    assert!(document.advance(version(2, 1, &[EntryKey(1)], Change::Edit(edit))));
    assert_eq!(document.shown(), list(&["high", "steep"]));
    assert_eq!(document.edit_to(&list(&["steep", "high"]), &|_| Kind::Set).unwrap(), [], "the order says nothing");

    // Something else stood there before the schema said that it is a set.
    let mut other = check(&[(1, 0, &[], &[set("tags", "5")])], r#"{"tags":5}"#, 0);
    let edit = other.edit_to(&list(&["dry"]), &|_| Kind::Set).unwrap();
    assert_eq!(edit, [Operation::Unset { path: Path::new(["tags"]).unwrap() }, insert("dry")]);
    assert!(other.advance(version(2, 1, &[EntryKey(1)], Change::Edit(edit))));
    assert_eq!(other.shown(), list(&["dry"]));
}
