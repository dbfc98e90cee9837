//! Documents of which a conflict handler made something.

use ayni_doc::{Change, Document, Handled, Kind, Map, SetKind, Value, encoded, merge};
use proptest::prelude::*;
use proptest::sample::select;

use crate::histories::{check, history, operation, path, set, value, version, versions};

fn fields() -> impl Strategy<Value = Map> {
    proptest::collection::btree_map(select(vec!["a", "b", "c"]).prop_map(str::to_owned), value(), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_a_handler_made_is_shown_and_the_next_edit_leaves_no_conflict_for_anyone(
        steps in history(operation), made in fields(), new in fields(), at in path(),
        kind in select(vec![Kind::Latest, Kind::Counter, Kind::Max])
    ) {
        let (mut all, _) = versions(&steps);
        let merged = merge(&all);
        if !merged.is_present() || !merged.has_conflicts() {
            return Ok(());
        }
        let mut document = merged.clone();
        document.show_handled(Handled::new("places", 3, [7; 8], made.clone()));
        let body = document.encode();

        // It reads like any other, and lets go of nothing.
        prop_assert_eq!((document.shown(), document.has_conflicts()), (made.clone(), false));
        prop_assert_eq!(&Document::decode(&body, document.heads().to_vec()).unwrap(), &document);
        prop_assert_eq!(encoded::has_conflicts(&body), Ok(false));
        prop_assert_eq!(encoded::get(&body, at.names()).unwrap(), Value::Map(made.clone()).at(at.names()).cloned());
        prop_assert_eq!(encoded::as_merged(&body).unwrap().into_owned(), merged.encode());
        prop_assert_eq!(document.merged_conflicts(), merged.conflicts());

        let written = document.write_down(&|_| kind).unwrap();
        let edited = document.edit_to(&new, &|_| kind).unwrap();
        prop_assert_eq!(edited.is_empty(), new == made);
        for (operations, shown) in [(written, &made), (edited, &new)] {
            if operations.is_empty() {
                continue;
            }
            let next = version(2000, -9, document.heads(), Change::Edit(operations));
            let mut advanced = document.clone();
            prop_assert!(advanced.advance(next.clone()));
            prop_assert!(advanced.handled().is_none() && !advanced.has_conflicts());
            prop_assert_eq!(&advanced.shown(), shown);
            all.push(next);
            prop_assert_eq!(&merge(&all), &advanced, "on a device without the handler");
            all.pop();
        }
    }
}

#[test]
fn writing_down_sets_what_is_in_conflict_and_what_the_handler_changed_beside_and_nothing_else() {
    let edits = [(1, 0, &[][..], &[set("a", "1"), set("b", "1"), set("n", "1")][..])];
    let apart = [(2, 1, &[1][..], &[set("a", "2"), set("b", "2")][..]), (3, 2, &[1], &[set("a", "3"), set("c", "3")])];
    let mut document = check(&[edits[0], apart[0], apart[1]], r#"{"a":3,"b":2,"c":3,"n":1}"#, 1);
    let made =
        Map::from([("a", 3), ("b", 2), ("c", 9), ("n", 1)].map(|(name, value)| (name.into(), Value::Int(value))));
    document.show_handled(Handled::new("places", 1, [0; 8], made));
    let kinds = |names: &[&str]| if names == ["a"] { Kind::Max } else { Kind::Latest };
    let mut written = document.write_down(&kinds).unwrap();
    written.sort_by_key(|operation| operation.path().clone());
    let greatest = ayni_doc::Operation::Set { path: "a".parse().unwrap(), kind: SetKind::Max, value: Value::Int(3) };
    assert_eq!(written, [greatest, set("c", "9")]);
}
