//! Indexes: which queries they serve, that no answer depends on them, and their making beside other work.

mod support;

use ayni::doc::Value;
use ayni::query::{Query, Selector, Sort};
use ayni::{Collection, Document, DocumentId, Index, IndexError};
use proptest::prelude::*;
use support::{Device, fields, team};

/// Texts that agree as far as an index key goes.
fn long(end: &str) -> Value {
    format!("{}{end}", "x".repeat(300)).into()
}

fn value() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        2 => Just(None),
        1 => Just(Some(Value::Null)),
        6 => (0..4_i64).prop_map(|number| Some(Value::Int(number))),
        1 => Just(Some(Value::Float(1.0))),
        2 => "[ab]{0,2}".prop_map(|text| Some(text.into())),
        2 => "[ab]".prop_map(|end| Some(long(&end))),
        1 => Just(Some(vec![Value::Int(1), Value::Int(2)].into())),
    ]
}

fn documents() -> impl Strategy<Value = Vec<[Option<Value>; 3]>> {
    proptest::collection::vec([value(), value(), value()], 40..80)
}

fn condition() -> impl Strategy<Value = String> {
    let field = prop::sample::select(vec!["a", "b", "c"]);
    let operator = prop::sample::select(vec!["$eq", "$eq", "$eq", "$gt", "$gte", "$lt", "$lte", "$ne"]);
    let value = value().prop_map(|value| value.unwrap_or(Value::Int(1)).to_json());
    let test = prop_oneof![
        4 => (operator, value).prop_map(|(operator, value)| format!(r#"{{"{operator}": {value}}}"#)),
        1 => Just(r#"{"$in": [0, 2, "a"]}"#.to_owned()),
        1 => Just(r#"{"$type": "number"}"#.to_owned()),
        1 => Just(r#"{"$beginsWith": "x"}"#.to_owned()),
        1 => Just(r#"{"$exists": false}"#.to_owned()),
    ];
    (field, test).prop_map(|(field, test)| format!(r#"{{"{field}": {test}}}"#))
}

fn question() -> impl Strategy<Value = Query> {
    let conditions = proptest::collection::vec(condition(), 0..4);
    let sort = prop::sample::select(vec![
        "",
        "a",
        "a:desc",
        "a,b",
        "a:desc,b:desc",
        "a:desc,b",
        "b",
        "b,c",
        "b:desc,c:desc",
        "c,a",
        "b,a",
        "c:desc",
    ]);
    let limit = prop::option::of(1..12_u64);
    (conditions, sort, limit, 0..3_u64).prop_map(|(conditions, sort, limit, skip)| {
        let selector = format!(r#"{{"$and": [{}]}}"#, conditions.join(", "));
        let selector: Selector = selector.parse().unwrap();
        let query = Query::new(selector).sort(sort.parse::<Sort>().unwrap()).skip(skip);
        limit.map_or(query.clone(), |limit| query.limit(limit))
    })
}

fn ids(collection: &Collection, query: &Query) -> Vec<DocumentId> {
    collection.query(query).unwrap().iter().map(Document::id).collect()
}

fn fill(device: &Device, documents: &[[Option<Value>; 3]]) {
    let document = |values: &[Option<Value>; 3]| {
        let present = ["a", "b", "c"].into_iter().zip(values).filter_map(|(name, value)| Some((name, value.clone()?)));
        present.map(|(name, value)| (name.into(), value)).collect::<ayni::doc::Map>()
    };
    device
        .project()
        .write(|tx| documents.iter().try_for_each(|values| tx.create("things", document(values)).map(drop)))
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn an_index_of_several_fields_changes_no_answer(
        documents in documents(),
        questions in proptest::collection::vec(question(), 60),
        index in prop::sample::select(vec!["a,b", "a,b,c", "b,a", "c,b,a", "b"]),
    ) {
        let [device] = team();
        fill(&device, &documents);
        let things = device.project().collection("things");
        let without: Vec<_> = questions.iter().map(|query| ids(&things, query)).collect();
        things.create_index(index).unwrap();
        for (query, without) in questions.iter().zip(without) {
            prop_assert_eq!(ids(&things, query), without, "{:?} with {}", query, index);
        }
    }
}

/// 2,000 documents: country 0 to 9, population 0 to 199 within each.
fn countries() -> Device {
    let [device] = team();
    let document = |number: i64| {
        let name = format!("place {number:04}").into();
        fields([("country", Value::Int(number % 10)), ("population", Value::Int(number / 10)), ("name", name)])
    };
    let created =
        device.project().write(|tx| (0..2_000).try_for_each(|number| tx.create("places", document(number)).map(drop)));
    created.unwrap();
    device
}

#[track_caller]
fn looks_at(collection: &Collection, selector: &str, sort: &str, limit: u64, most: u64) {
    let query = Query::new(selector.parse().unwrap()).sort(sort.parse().unwrap()).limit(limit);
    let how = collection.explain(&query).unwrap();
    assert!(how.index.is_some() && how.documents <= most, "{selector} {sort}: {how:?}");
}

#[test]
fn an_index_of_several_fields_leads_straight_to_what_they_fix_and_sorts_by_the_next() {
    let device = countries();
    let places = device.project().collection("places");
    places.create_index("country,population").unwrap();
    looks_at(&places, "country=3 population=50", "", 20, 1);
    looks_at(&places, "country=3 population>=50 population<60", "", 20, 11);
    looks_at(&places, r#"{"country": {"$in": [3, 5]}, "population": 50}"#, "", 20, 2);
    looks_at(&places, "country=3", "population:desc", 10, 11);
    looks_at(&places, "country=3 population>10", "population", 10, 11);
    looks_at(&places, "country>=3", "country,population", 10, 11);
    // Sorted by what is the same in all, and then by the next.
    looks_at(&places, "country=3", "country,population:desc", 10, 11);
    looks_at(&places, "", "country:desc,population:desc", 10, 11);
    // By the first field alone: those alike in it have to be looked at for their ids.
    looks_at(&places, "", "country:desc", 10, 201);
}

#[test]
fn an_index_that_is_made_serves_at_once_and_one_that_is_dropped_no_more() {
    let device = countries();
    let places = device.project().collection("places");
    let index: Index = "country".parse().unwrap();
    let query = Query::new("country=3".parse().unwrap());
    places.create_index(index.clone()).unwrap();
    places.create_index("country").unwrap();
    assert_eq!(places.indexes().unwrap(), std::slice::from_ref(&index));
    assert_eq!(places.explain(&query).unwrap().documents, 200);
    assert!(places.drop_index("country").unwrap());
    assert!(!places.drop_index("country").unwrap());
    assert_eq!(places.indexes().unwrap(), []);
    assert_eq!(places.explain(&query).unwrap().documents, 2_000);
    // Made anew it does not lead to what was there before.
    device.project().write(|tx| tx.put("places", "one", fields([("country", Value::Int(3))])).map(drop)).unwrap();
    places.create_index(index).unwrap();
    assert_eq!(places.explain(&query).unwrap().documents, 201);
}

#[test]
fn what_cannot_be_an_index_is_refused() {
    let [device] = team();
    let places = device.project().collection("places");
    let refused = |text: &str| match places.create_index(text).unwrap_err() {
        ayni::Error::Index(error) => error,
        other => panic!("{other}"),
    };
    assert_eq!(refused("a,a"), IndexError::Twice("a".parse().unwrap()));
    assert_eq!(refused("a,_id"), IndexError::Reserved);
    assert!(matches!(refused("a,,b"), IndexError::Path(_)));
}
