//! Queries over a database: which index is read for them, what they cost, and changing all that they find.

mod support;

use ayni::doc::{Operation, Value};
use ayni::query::{Explanation, Query, Selector};
use ayni::{Collection, DocumentId};
use support::{Device, fields, team};

const DOCUMENTS: i64 = 2_000;

/// A device with numbered documents, of which every second is even, every hundredth round, and one in ten has no group.
fn filled() -> (Device, Vec<DocumentId>) {
    let [device] = team();
    let made = device.project().write(|tx| {
        let document = |number: i64| {
            let mut document = fields([("number", Value::Int(number)), ("name", format!("place {number:04}").into())]);
            if number % 10 != 7 {
                document.insert("group".into(), Value::Int(number % 4));
            }
            document
        };
        (0..DOCUMENTS).map(|number| tx.create("things", document(number))).collect::<Result<Vec<_>, _>>()
    });
    (device, made.unwrap())
}

fn things(device: &Device) -> Collection {
    device.project().collection("things")
}

fn query(text: &str) -> Query {
    Query::new(text.parse::<Selector>().unwrap())
}

fn explain(collection: &Collection, query: &Query) -> (Option<String>, Explanation) {
    let explanation = collection.explain(query).unwrap();
    (explanation.index.as_ref().map(ToString::to_string), explanation)
}

#[test]
fn with_an_index_few_documents_are_looked_at_and_without_all() {
    let (device, _) = filled();
    let things = things(&device);
    let narrow = query("number>=100 number<120");
    let (index, without) = explain(&things, &narrow);
    assert_eq!((index, without.documents, without.found), (None, DOCUMENTS as u64, 20));
    for path in ["number", "name", "group"] {
        things.create_index(path).unwrap();
    }
    let (index, with) = explain(&things, &narrow);
    assert_eq!((index.as_deref(), with.found), (Some("number"), 20));
    assert!(with.documents <= 21, "{with:?}");
    // A pattern is as good as the text that it begins with.
    let (index, beginning) = explain(&things, &query("name~^place.001"));
    assert_eq!((index.as_deref(), beginning.found), (Some("name"), 10));
    let (_, narrow) = explain(&things, &query(r#"{"name": {"$regex": "^place 001"}}"#));
    assert_eq!((narrow.documents, narrow.found), (10, 10));
    // Of several indexes the one with the fewest keys is read.
    for both in ["group=1 number<50", "number<50 group=1"] {
        let (index, chosen) = explain(&things, &query(both));
        assert_eq!(index.as_deref(), Some("number"), "{both}");
        assert!(chosen.documents <= 51, "{chosen:?}");
    }
    assert_eq!(explain(&things, &query("group=1 number>=0")).0.as_deref(), Some("group"));
}

#[test]
fn the_first_of_a_sort_are_read_off_an_index_and_what_lacks_the_field_is_not_forgotten() {
    let (device, _) = filled();
    let things = things(&device);
    let greatest = |limit| query("").sort("group:desc,number:desc".parse().unwrap()).limit(limit);
    let numbers = |query: &Query| -> Vec<i64> {
        let found = things.query(query).unwrap();
        found.iter().map(|document| document.get(&["number"]).unwrap().as_int().unwrap()).collect()
    };
    let (few, all) = (numbers(&greatest(30)), numbers(&greatest(3_000)));
    assert_eq!(all.len(), DOCUMENTS as usize);
    things.create_index("group").unwrap();
    things.create_index("number").unwrap();
    assert_eq!((numbers(&greatest(30)), numbers(&greatest(3_000))), (few, all));
    let last = query("").sort("number:desc".parse().unwrap()).limit(10);
    let (index, explanation) = explain(&things, &last);
    assert!(
        index.as_deref() == Some("number") && explanation.ordered && explanation.documents <= 11,
        "{explanation:?}"
    );
    assert_eq!(numbers(&last), (DOCUMENTS - 10..DOCUMENTS).rev().collect::<Vec<_>>());
}

#[test]
fn an_index_changes_no_answer() {
    let (device, ids) = filled();
    let (project, things) = (device.project(), things(&device));
    // Values of other types, and lists.
    project
        .write(|tx| {
            for (at, value) in [Value::Null, true.into(), "1".into(), vec![Value::Int(1), Value::Int(2)].into()]
                .into_iter()
                .enumerate()
            {
                tx.create("things", fields([("group", value), ("number", Value::Int(-1 - at as i64))]))?;
            }
            let document = things.get(ids[0])?.unwrap();
            tx.delete(&document)
        })
        .unwrap();
    let selectors = [
        r#"{"group": {"$in": [1, null]}}"#,
        r#"{"group": {"$nin": [1]}}"#,
        r#"{"group": {"$ne": 1}}"#,
        r#"{"group": {"$not": {"$gt": 1}}}"#,
        r#"{"group": {"$type": "array"}}"#,
        r#"{"group": {"$all": [1]}}"#,
        r#"{"group.1": 2}"#,
        r#"{"group": {"$mod": [2, 1]}}"#,
        r#"{"group": {"$gt": "0"}}"#,
        r#"{"$nor": [{"group": 1}, {"group": 2}]}"#,
        r#"{"$or": [{"group": {"$lt": 1}}, {"group": {"$gte": true, "$lt": 1}}]}"#,
    ];
    let answers = || -> Vec<Vec<DocumentId>> {
        let ids = |text: &&str| things.query(&query(text)).unwrap().iter().map(ayni::Document::id).collect();
        selectors.iter().map(ids).collect()
    };
    let without = answers();
    for path in ["group", "group.1"] {
        things.create_index(path).unwrap();
    }
    for ((selector, without), with) in selectors.iter().zip(without).zip(answers()) {
        assert!(!without.is_empty(), "{selector}");
        assert_eq!(with, without, "{selector}");
    }
}

#[test]
fn all_for_which_a_selector_holds_are_changed_in_commits_of_bounded_size() {
    let (device, ids) = filled();
    let (project, things) = (device.project(), things(&device));
    project
        .write(|tx| (0..3_000).try_for_each(|_| tx.create("things", fields([("even", true.into())])).map(|_| ())))
        .unwrap();
    let selector: Selector = "even=true".parse().unwrap();
    let mut told = Vec::new();
    let done =
        things.edit_where(&selector, &[Operation::set("even", false.into())], |at| told.push((at.done, at.changed)));
    let done = done.unwrap();
    assert_eq!((done.matched, done.changed), (3_000, 3_000));
    assert_eq!(told, [(2_048, 2_048), (3_000, 3_000)]);
    assert_eq!(things.count(&selector).unwrap(), 0);

    // What shows it already is not written once more.
    let entries = || project.status().unwrap().entries;
    let before = entries();
    let again =
        things.edit_where(&"number<10".parse().unwrap(), &[Operation::set("number", Value::Int(3))], |_| ()).unwrap();
    assert_eq!((again.matched, again.changed, entries() - before), (10, 9, 9));
    assert_eq!(things.get(ids[5]).unwrap().unwrap().get(&["number"]), Some(Value::Int(3)));

    let deleted = things.delete_where(&"number=3".parse().unwrap(), |_| ()).unwrap();
    assert_eq!((deleted.changed, things.count(&"number<10".parse().unwrap()).unwrap()), (10, 0));
    assert_eq!(things.delete_where(&"number=3".parse().unwrap(), |_| ()).unwrap().matched, 0);
    let refused = things.edit_where(&"number>10".parse().unwrap(), &[Operation::set("_id", Value::Int(1))], |_| ());
    assert!(matches!(refused, Err(ayni::Error::Reserved)));
}
