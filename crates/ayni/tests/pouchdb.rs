//! Queries held against PouchDB's `find`, over random documents and selectors.
//!
//! It needs Node.js and what `npm ci` fetches (`cargo xtask test --only pouchdb` sees to that), so it is ignored otherwise.
//! Where PouchDB means something else on purpose or by mistake, the random questions keep clear of it, and
//! `the_differences_are_those_that_are_told` holds both answers: `docs/queries.md` lists them.

mod support;

use std::io::Write;
use std::path::Path as FilePath;
use std::process::{Command, Stdio};

use ayni::doc::Value;
use ayni::query::{Query, Selector};
use ayni::{Collection, DocumentId};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};
use support::{Device, team};

const DOCUMENTS: usize = 80;
const QUESTIONS: usize = 3_000;

/// The fields that have an index here. With PouchDB only `number` has one, as sorting by it wants it.
const INDEXES: [&str; 3] = ["a", "s", "number"];

/// What PouchDB answers to each question about these documents.
fn pouchdb(documents: &[Json], indexes: &[&str], questions: &[Json]) -> Vec<Json> {
    let folder = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("tests/pouchdb");
    assert!(folder.join("node_modules").exists(), "run `npm ci` in {}", folder.display());
    let mut node = Command::new("node");
    let mut child =
        node.arg("ask.js").current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines = std::iter::once(json!({ "documents": documents, "indexes": indexes })).chain(questions.iter().cloned());
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    let answers: Vec<Json> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), questions.len());
    answers
}

/// A collection with these documents and indexes, each document with its number.
fn ayni(device: &Device, documents: &[Json]) -> Collection {
    let project = device.project();
    let fields = |json: &Json| match Value::from_json(json).unwrap() {
        Value::Map(mut fields) => {
            fields.remove("_id");
            fields
        }
        other => panic!("{other:?}"),
    };
    let added = project.write(|tx| {
        let ids = documents.iter().map(|json| tx.create("things", fields(json)));
        ids.collect::<Result<Vec<DocumentId>, _>>()
    });
    added.unwrap();
    let collection = project.collection("things");
    for path in INDEXES {
        collection.create_index(path).unwrap();
    }
    collection
}

fn with_ids(documents: Vec<Json>) -> Vec<Json> {
    let numbered = documents.into_iter().enumerate().map(|(number, mut document)| {
        document["_id"] = format!("{number:04}").into();
        document["number"] = number.into();
        document
    });
    numbered.collect()
}

/// Our answer to a question, as PouchDB gives it.
fn answer(collection: &Collection, question: &Json) -> Vec<Json> {
    let mut query = Query::new(Selector::from_json(&question["selector"]).unwrap());
    if let Some(sort) = question["sort"][0].as_object() {
        let (field, direction) = sort.iter().next().unwrap();
        query.sort = format!("{field}:{}", direction.as_str().unwrap()).parse().unwrap();
    }
    query.skip = question["skip"].as_u64().unwrap_or(0);
    query.limit = question["limit"].as_u64();
    let number = |found: &ayni::Document| found.get(&["number"]).unwrap().as_int().unwrap();
    collection.query(&query).unwrap().iter().map(|found| format!("{:04}", number(found)).into()).collect()
}

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        5 => (-2i64..4).prop_map(Json::from),
        2 => (-3i32..4).prop_map(|number| json!(f64::from(number) / 2.0)),
        4 => "[ab]{0,2}".prop_map(Json::String),
        1 => any::<bool>().prop_map(Json::Bool),
    ]
}

fn map() -> impl Strategy<Value = Json> {
    btree_map("[cd]", scalar(), 1..3).prop_map(|map| Json::Object(map.into_iter().collect()))
}

/// Any value: those in `s` are lists of single values, those in `o` lists of maps.
fn document() -> impl Strategy<Value = Json> {
    let single = || prop_oneof![6 => scalar(), 1 => Just(Json::Null), 1 => map()];
    let scalars = vec(scalar(), 0..4).prop_map(Json::Array);
    let maps = vec(map(), 0..3).prop_map(Json::Array);
    let optional = |value: BoxedStrategy<Json>| proptest::option::weighted(0.8, value);
    let fields = (
        optional(single().boxed()),
        optional(single().boxed()),
        optional(prop_oneof![4 => scalars, 1 => scalar()].boxed()),
        optional(maps.boxed()),
    );
    fields.prop_map(|(a, b, s, o)| {
        let fields = [("a", a), ("b", b), ("s", s), ("o", o)];
        Json::Object(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    })
}

fn comparison() -> impl Strategy<Value = Json> {
    let operand = || prop_oneof![4 => scalar(), 1 => map()];
    prop_oneof![
        6 => ("\\$(eq|ne|gt|gte|lt|lte)", operand()).prop_map(|(operator, operand)| json!({ operator: operand })),
        1 => "\\$(eq|gt|gte|lt|lte)".prop_map(|operator| json!({ operator: null })),
        1 => (("\\$(gt|gte)", scalar()), ("\\$(lt|lte)", scalar()))
            .prop_map(|((above, least), (below, most))| json!({ above: least, below: most })),
        1 => any::<bool>().prop_map(|there| json!({ "$exists": there })),
    ]
}

/// One field, and what must hold for it.
fn condition() -> impl Strategy<Value = (String, Json)> {
    let named =
        |field: &'static str, test: BoxedStrategy<Json>| (field, test).prop_map(|(f, test)| (f.to_owned(), test));
    let many = || vec(scalar(), 0..4);
    let field = prop_oneof!["a", "b", "s"];
    prop_oneof![
        8 => (field.clone(), comparison()),
        2 => (field.clone(), many()).prop_map(|(field, values)| (field, json!({ "$in": values }))),
        2 => (field.clone(), many()).prop_map(|(field, values)| (field, json!({ "$nin": values, "$gt": null }))),
        1 => (field, "(null|boolean|number|string|array|object)").prop_map(|(field, kind)| (field, json!({ "$type": kind }))),
        1 => ("[ab]", "\\^?[ab]{1,2}\\$?")
            .prop_map(|(field, pattern)| (field, json!({ "$regex": pattern }))),
        1 => ("[ab]", 1i64..4, -2i64..3).prop_map(|(field, by, left)| (field, json!({ "$mod": [by, left] }))),
        1 => named("s", many().prop_map(|values| json!({ "$all": values })).boxed()),
        1 => ("[so]", 0u64..4).prop_map(|(field, size)| (field, json!({ "$size": size }))),
        1 => ("\\$(elemMatch|allMatch)", comparison()).prop_map(|(operator, test)| ("s".to_owned(), json!({ operator: test }))),
        1 => ("\\$(elemMatch|allMatch)", "[cd]", comparison())
            .prop_map(|(operator, field, test)| ("o".to_owned(), json!({ operator: { field: test } }))),
    ]
}

fn conditions(most: usize) -> impl Strategy<Value = Json> {
    vec(condition(), 1..=most).prop_map(|all| Json::Object(all.into_iter().collect()))
}

fn selector() -> impl Strategy<Value = Json> {
    // Inside of what is there: see the differences.
    let inside = ("[ab]", "[cd]", comparison()).prop_map(
        |(field, inner, test)| json!({ field.as_str(): { "$type": "object" }, format!("{field}.{inner}"): test }),
    );
    let item =
        (0usize..3, comparison()).prop_map(|(at, test)| json!({ "s": { "$type": "array" }, format!("s.{at}"): test }));
    let apart = vec(conditions(1), 1..4).prop_map(|mut all| {
        all.dedup_by_key(|one| one.as_object().unwrap().keys().next().cloned());
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|one| seen.insert(one.as_object().unwrap().keys().next().cloned()));
        json!({ "$and": all })
    });
    prop_oneof![
        6 => conditions(3),
        1 => inside,
        1 => item,
        1 => apart,
        2 => ("\\$(or|nor)", vec(conditions(2), 1..4), conditions(1)).prop_map(|(operator, branches, mut beside)| {
            beside[operator] = Json::Array(branches);
            beside
        }),
        1 => conditions(2).prop_map(|inner| json!({ "$not": inner })),
    ]
}

fn question() -> impl Strategy<Value = Json> {
    let sorted = ("(asc|desc)", 0u64..5, 1u64..20, conditions(2)).prop_map(|(direction, skip, limit, mut selector)| {
        selector["number"] = json!({ "$gte": 0 });
        json!({ "selector": selector, "sort": [{ "number": direction }], "skip": skip, "limit": limit })
    });
    prop_oneof![
        7 => selector().prop_map(|selector| json!({ "selector": selector })),
        1 => sorted,
    ]
}

fn sorted(answer: &Json) -> Vec<Json> {
    let mut ids = answer.as_array().cloned().unwrap_or_else(|| panic!("PouchDB says {answer}"));
    ids.sort_by_key(ToString::to_string);
    ids
}

#[test]
#[ignore = "needs Node.js: cargo xtask test --only pouchdb"]
fn queries_find_what_pouchdb_finds() {
    let mut runner = TestRunner::deterministic();
    let mut several = |count: usize| -> (Vec<Json>, Vec<Json>) {
        let documents = (0..DOCUMENTS).map(|_| document().new_tree(&mut runner).unwrap().current()).collect();
        let questions = (0..count).map(|_| question().new_tree(&mut runner).unwrap().current()).collect();
        (with_ids(documents), questions)
    };
    let (mut found, mut differing) = (0, Vec::new());
    for _ in 0..4 {
        let (documents, questions) = several(QUESTIONS / 4);
        let theirs = pouchdb(&documents, &["number"], &questions);
        let [device] = team();
        let collection = ayni(&device, &documents);
        for (question, theirs) in questions.iter().zip(theirs) {
            let ours = Json::Array(answer(&collection, question));
            found += ours.as_array().unwrap().len();
            let same = match question.get("sort") {
                Some(_) => ours == theirs,
                None => theirs.is_array() && sorted(&ours) == sorted(&theirs),
            };
            if !same {
                differing.push(format!("{question}\n  ours   {ours}\n  theirs {theirs}"));
            }
        }
    }
    assert!(
        differing.is_empty(),
        "{} of {QUESTIONS} differ:\n{}",
        differing.len(),
        differing[..differing.len().min(12)].join("\n")
    );
    assert!(found > 10 * QUESTIONS, "most questions find something: {found}");
}

#[test]
#[ignore = "needs Node.js: cargo xtask test --only pouchdb"]
fn the_differences_are_those_that_are_told() {
    let documents = with_ids(vec![
        json!({ "a": null, "b": { "c": 1 } }),
        json!({ "a": 0, "b": 5 }),
        json!({ "a": "ab", "s": [1, { "c": 2 }] }),
        json!({ "b": true }),
        json!({ "a": [1, 2] }),
    ]);
    // A selector, what we find, and what PouchDB finds, by number.
    let told: [(Json, &[i64], &[i64]); 7] = [
        // `$in` and `$nin` take null for a value, as CouchDB does.
        (json!({ "a": { "$in": [null] } }), &[0], &[]),
        (json!({ "a": { "$nin": [5] } }), &[0, 1, 2, 4], &[1, 2, 4]),
        // A path leads through maps and lists only; nothing is inside of 0.
        (json!({ "a.c": { "$exists": true } }), &[], &[0, 1]),
        (json!({ "a.0": "a" }), &[], &[2]),
        // All of what is written holds, also beside `$and` and twice for one field.
        (json!({ "a": 0, "$and": [{ "b": { "$exists": true } }] }), &[1], &[0, 1, 3]),
        (json!({ "$and": [{ "a": { "$eq": 0 } }, { "a": { "$gt": 5 } }] }), &[], &[1]),
        // A list after `$ne` is one value.
        (json!({ "a": { "$ne": [1, 2] } }), &[0, 1, 2, 3], &[0, 1, 2, 3, 4]),
    ];
    let questions: Vec<Json> = told.iter().map(|(selector, ..)| json!({ "selector": selector })).collect();
    let theirs = pouchdb(&documents, &[], &questions);
    let unequal_to_null = pouchdb(&documents, &[], &[json!({ "selector": { "a": { "$ne": null } } })]);
    assert!(unequal_to_null[0]["error"].is_string(), "PouchDB cannot be asked for what is not null");
    let with_index = pouchdb(&documents, &["a"], &[json!({ "selector": { "a": { "$lt": 1 } } })]);
    assert_eq!(sorted(&with_index[0]), ["0000", "0001", "0003"], "with an index the one without is taken for null");
    let [device] = team();
    let collection = ayni(&device, &documents);
    for ((question, theirs), (_, our_numbers, their_numbers)) in questions.iter().zip(theirs).zip(told) {
        let ids = |numbers: &[i64]| numbers.iter().map(|number| Json::from(format!("{number:04}"))).collect::<Vec<_>>();
        assert_eq!(sorted(&Json::Array(answer(&collection, question))), ids(our_numbers), "ours: {question}");
        assert_eq!(sorted(&theirs), ids(their_numbers), "theirs: {question}");
    }
}
