//! Edits made from what a document is to show.

use ayni_doc::{Change, Document, EntryKey, Kind, Map, Operation, Path, Value, creation, diff, merge};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::histories::{check, history, operation, set, value, version, versions};

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
