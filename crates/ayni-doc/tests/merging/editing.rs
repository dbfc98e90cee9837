//! Edits made from what a document is to show.

use ayni_doc::{Change, Document, EntryKey, Kind, Map, Operation, Path, SetKind, Value, creation, diff, merge};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::histories::{check, history, operation, set, unset, value, version, versions};

/// The same with the items of each list in order, each once, as a set is shown.
fn in_order(value: &Value) -> Value {
    match value {
        Value::Map(map) => Value::Map(map.iter().map(|(name, value)| (name.clone(), in_order(value))).collect()),
        Value::List(items) => {
            let mut items = items.clone();
            items.sort_by(Value::compare);
            items.dedup();
            Value::List(items)
        }
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

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
        let (shown, new) = (Value::Map(merge(&all).shown()), Value::Map(map(&new)));
        match kind {
            Kind::Set => prop_assert_eq!(in_order(&shown), in_order(&new)),
            _ => prop_assert_eq!(shown, new),
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
}

#[test]
fn an_edit_leaves_alone_what_is_equal_also_inside_maps() {
    let fields = |json: &str| match Value::from_json(&serde_json::from_str(json).unwrap()).unwrap() {
        Value::Map(fields) => fields,
        other => panic!("{other:?}"),
    };
    let edit = |old: &str, new: &str| diff(&fields(old), &fields(new)).unwrap();
    assert_eq!(edit(r#"{"p":{"x":1,"y":1}}"#, r#"{"p":{"x":2,"y":1}}"#), [set("p.x", "2")]);
    assert_eq!(edit(r#"{"p":{"x":1,"y":1}}"#, r#"{"p":{"y":1}}"#), [unset("p.x")]);
    assert_eq!(edit(r#"{"p":{}}"#, r#"{"p":{"x":2}}"#), [set("p", r#"{"x":2}"#)]);
    assert_eq!(edit(r#"{"p":{"x":1}}"#, r#"{"p":{}}"#), [set("p", "{}")]);
    assert_eq!(edit("{}", r#"{"p":{"x":2}}"#), [set("p.x", "2")]);
}

fn insert(element: &str) -> Operation {
    Operation::Insert { path: Path::new(["tags"]).unwrap(), element: Value::from(element) }
}

fn remove(element: &str) -> Operation {
    Operation::Remove { path: Path::new(["tags"]).unwrap(), element: Value::from(element) }
}

fn tags(items: &[&str]) -> Map {
    Map::from([("tags".to_owned(), Value::List(items.iter().copied().map(Value::from).collect()))])
}

#[test]
fn an_edit_of_a_set_inserts_and_removes_what_differs_and_leaves_the_rest() {
    let mut document = check(&[(1, 0, &[], &[insert("dry"), insert("high")])], r#"{"tags":["dry","high"]}"#, 0);
    let edit = document.edit_to(&tags(&["high", "steep"]), &|_| Kind::Set).unwrap();
    assert_eq!(edit, [remove("dry"), insert("steep")]);
    assert!(document.advance(version(2, 1, &[EntryKey(1)], Change::Edit(edit))));
    assert_eq!(document.shown(), tags(&["high", "steep"]));
    assert_eq!(document.edit_to(&tags(&["steep", "high"]), &|_| Kind::Set).unwrap(), [], "the order says nothing");
    assert_eq!(document.edit_to(&tags(&[]), &|_| Kind::Set).unwrap(), [remove("high"), remove("steep")]);
}

#[test]
fn an_edit_of_a_set_replaces_what_else_stands_there() {
    let dry = insert("dry");
    let number = check(&[(1, 0, &[], &[set("tags", "5")])], r#"{"tags":5}"#, 0);
    let against = |other| check(&[(1, 0, &[], std::slice::from_ref(&dry)), (2, 1, &[], &[other])], r#"{"tags":5}"#, 1);
    for document in [number, against(set("tags", "5")), against(Operation::add("tags", 5))] {
        let edit_to = |items: &[&str]| document.edit_to(&tags(items), &|_| Kind::Set).unwrap();
        assert_eq!(edit_to(&["dry"]), [Operation::unset("tags"), dry.clone()]);
        assert_eq!(edit_to(&[]), [set("tags", "[]")]);
    }
    assert_eq!(Document::default().edit_to(&tags(&[]), &|_| Kind::Set).unwrap(), [set("tags", "[]")]);
}

#[test]
fn counters_that_two_devices_begin_at_once_add_up() {
    let begun = |amount| {
        let fields = Map::from([("n".to_owned(), Value::Int(amount))]);
        Document::default().edit_to(&fields, &|_| Kind::Counter).unwrap()
    };
    check(&[(1, 0, &[], &begun(2)), (2, 1, &[], &begun(3))], r#"{"n":5}"#, 0);
}

#[test]
fn an_edit_of_a_field_that_chooses_says_how() {
    let fields = Map::from([("n".to_owned(), Value::Int(1))]);
    for (kind, chosen) in [
        (Kind::Latest, SetKind::Latest),
        (Kind::First, SetKind::First),
        (Kind::Min, SetKind::Min),
        (Kind::Max, SetKind::Max),
        (Kind::Text, SetKind::Latest),
    ] {
        let set = Operation::Set { path: "n".parse().unwrap(), kind: chosen, value: Value::Int(1) };
        assert_eq!(Document::default().edit_to(&fields, &|_| kind).unwrap(), [set]);
    }
}
