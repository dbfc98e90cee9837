//! What selectors promise.

use ayni_doc::{Map, Value};
use ayni_log::ids::DocumentId;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::interchange::samples;

fn selector(json: &Json) -> Selector {
    Selector::from_json(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// Whether `json`, a selector, holds for `document`, by the plainest reading of `docs/queries.md`.
fn holds(json: &Json, document: &Map) -> bool {
    let any = |operand: &Json| operand.as_array().unwrap().iter().any(|json| holds(json, document));
    json.as_object().unwrap().iter().all(|(name, operand)| match name.as_str() {
        "$and" => operand.as_array().unwrap().iter().all(|json| holds(json, document)),
        "$or" => any(operand),
        "$nor" => !any(operand),
        "$not" => !holds(operand, document),
        field => {
            let value = field.split('.').try_fold(Value::Map(document.clone()), |value, name| match &value {
                Value::List(items) => items.get(name.parse::<usize>().ok()?).cloned(),
                other => other.get(name).cloned(),
            });
            satisfies(value.as_ref(), operand)
        }
    })
}

/// Whether a value passes all of an object of operators.
fn satisfies(value: Option<&Value>, operators: &Json) -> bool {
    operators.as_object().unwrap().iter().all(|(operator, operand)| passes(value, operator, operand))
}

fn passes(value: Option<&Value>, operator: &str, operand: &Json) -> bool {
    let equal = |value: &Value, operand: &Json| value.compare(&Value::from_json(operand).unwrap()).is_eq();
    let operands = || operand.as_array().unwrap().iter();
    match (operator, value) {
        ("$exists", _) => return value.is_some() == operand.as_bool().unwrap(),
        ("$ne", None) => return !operand.is_null(),
        ("$not", _) => return !satisfies(value, operand),
        (_, None) => return false,
        _ => {}
    }
    let value = value.unwrap();
    let order = |operand: &Json| value.compare(&Value::from_json(operand).unwrap());
    let text = || value.as_text().zip(operand.as_str());
    match (operator, value) {
        ("$eq", _) => equal(value, operand),
        ("$ne", _) => !equal(value, operand),
        ("$gt", _) => order(operand).is_gt(),
        ("$gte", _) => order(operand).is_ge(),
        ("$lt", _) => order(operand).is_lt(),
        ("$lte", _) => order(operand).is_le(),
        ("$in", Value::List(items)) => operands().any(|operand| items.iter().any(|item| equal(item, operand))),
        ("$in", _) => operands().any(|operand| equal(value, operand)),
        ("$nin", _) => !passes(Some(value), "$in", operand),
        ("$all", Value::List(items)) => operands().all(|operand| items.iter().any(|item| equal(item, operand))),
        ("$size", Value::List(items)) => items.len() as u64 == operand.as_u64().unwrap(),
        ("$elemMatch", Value::List(items)) => items.iter().any(|item| satisfies(Some(item), operand)),
        ("$allMatch", Value::List(items)) => {
            !items.is_empty() && items.iter().all(|item| satisfies(Some(item), operand))
        }
        ("$type", _) => {
            let name = match value.to_json() {
                Json::Null => "null",
                Json::Bool(_) => "boolean",
                Json::Number(_) => "number",
                Json::String(_) => "string",
                Json::Array(_) => "array",
                Json::Object(_) => match value {
                    Value::Float(_) | Value::Int(_) => "number",
                    Value::Map(_) | Value::Geometry(_) => "object",
                    _ => "something of our own",
                },
            };
            operand == name || (operand == "geometry" && matches!(value, Value::Geometry(_)))
        }
        ("$mod", Value::Int(number)) => {
            let [divisor, remainder] = [0, 1].map(|at| i128::from(operand[at].as_i64().unwrap()));
            i128::from(*number) % divisor == remainder
        }
        ("$mod", _) => value.as_number().is_some_and(|number| {
            let [divisor, remainder] = [0, 1].map(|at| operand[at].as_f64().unwrap());
            number.fract() == 0.0 && number % divisor == remainder
        }),
        ("$regex", _) => text().is_some_and(|(text, pattern)| regex::Regex::new(pattern).unwrap().is_match(text)),
        ("$beginsWith", _) => text().is_some_and(|(text, beginning)| text.starts_with(beginning)),
        ("$all" | "$size" | "$elemMatch" | "$allMatch", _) => false,
        other => panic!("{other:?}"),
    }
}

/// Values that often meet each other, and now and then any at all; long texts that begin alike among them.
fn value() -> impl Strategy<Value = Value> {
    let long = (250usize..270, "[ab]").prop_map(|(length, end)| Value::Text("x".repeat(length) + &end));
    let large = (-2i64..2).prop_map(|near| Value::Int((1 << 53) + near));
    prop_oneof![
        8 => (-2i64..3).prop_map(Value::Int),
        4 => (-4i32..5).prop_map(|number| Value::from(f64::from(number) / 2.0)),
        4 => "[ab]{0,2}".prop_map(Value::Text),
        1 => large,
        1 => Just(Value::from(9_007_199_254_740_992.0)),
        2 => long,
        2 => prop_oneof![Just(Value::Null), Just(true.into()), Just(f64::NAN.into())],
        2 => samples::value(),
    ]
}

fn document() -> impl Strategy<Value = Map> {
    let inner = btree_map("[cd]", value(), 0..3).prop_map(Value::Map);
    let list = vec(value(), 0..3).prop_map(Value::List);
    btree_map("[abc]", prop_oneof![3 => value(), 1 => inner, 2 => list], 0..4)
}

fn selector_json() -> impl Strategy<Value = Json> {
    let operand = || value().prop_map(|value| value.to_json());
    let operands = || vec(operand(), 0..4).prop_map(Json::Array);
    let pattern = prop_oneof!["\\^?([ab]{1,2}[*?+]?)?\\$?", Just("^(a|b)|ab".to_owned())];
    let kind = prop_oneof!["null", "boolean", "number", "string", "array", "object", "geometry"];
    let test = prop_oneof![
        6 => ("\\$(eq|ne|gt|gte|lt|lte)", operand()),
        2 => ("\\$(in|nin|all)", operands()),
        1 => (Just("$exists".to_owned()), any::<bool>().prop_map(Json::Bool)),
        1 => (Just("$type".to_owned()), kind.prop_map(Json::String)),
        1 => (Just("$size".to_owned()), (0u64..3).prop_map(Json::from)),
        1 => (Just("$mod".to_owned()), (prop_oneof![-3i64..0, 1i64..4], -2i64..3).prop_map(|(by, left)| json!([by, left]))),
        1 => (Just("$regex".to_owned()), pattern.prop_map(Json::String)),
        1 => (Just("$beginsWith".to_owned()), "[ab]{0,2}".prop_map(Json::String)),
    ];
    let tests = move |test: BoxedStrategy<(String, Json)>| {
        vec(test, 1..3).prop_map(|tests| Json::Object(tests.into_iter().collect()))
    };
    let test = test.boxed();
    let nested = ("\\$(not|elemMatch|allMatch)", tests(test.clone()));
    let tests = tests(prop_oneof![4 => test, 1 => nested].boxed());
    let fields = vec(("[abc](\\.[cd01])?", tests), 0..3).prop_map(|fields| Json::Object(fields.into_iter().collect()));
    fields.prop_recursive(3, 12, 3, |inner| {
        ("\\$(and|or|nor|not)", vec(inner.clone(), 0..3), inner).prop_map(|(operator, mut branches, beside)| {
            let mut members = beside.as_object().unwrap().clone();
            let operand = match operator.as_str() {
                "$not" => branches.pop().unwrap_or_default(),
                _ => Json::Array(branches),
            };
            if !operand.is_null() {
                members.insert(operator, operand);
            }
            Json::Object(members)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn a_selector_matches_what_its_plainest_reading_does(json in selector_json(), documents in vec(document(), 8)) {
        let selector = selector(&json);
        for document in documents {
            prop_assert_eq!(selector.matches(&document), holds(&json, &document), "{} of {:?}", json, document);
        }
    }

    #[test]
    fn no_range_leaves_out_a_match(json in selector_json(), documents in vec(document(), 8)) {
        let selector = selector(&json);
        for path in ["a", "b", "c", "a.c"].map(|path| path.parse::<Path>().unwrap()) {
            let Some(ranges) = selector.ranges_on(&path) else { continue };
            for apart in ranges.windows(2) {
                prop_assert!(apart[0].to < apart[1].from, "{:?}", ranges);
            }
            let hull = selector.range_on(&path);
            for document in documents.iter().filter(|document| selector.matches(*document)) {
                let key = document.lookup(&path).unwrap().index_key();
                prop_assert!(ranges.iter().any(|range| range.contains(&key)), "{} of {:?}", json, document);
                prop_assert!(hull.as_ref().unwrap().contains(&key));
            }
        }
    }

    #[test]
    fn no_text_makes_a_selector_panic(text in "[{}\\[\\]\"a$.:=<>! \\\\0-9]{0,30}") {
        let _ = text.parse::<Selector>();
    }
}

#[test]
fn short_forms_mean_their_long_ones() {
    let same = |short: Json, long: Json| assert_eq!(selector(&short), selector(&long), "{short}");
    same(json!({"a": 1}), json!({"a": {"$eq": 1}}));
    same(json!({"a": {"b": {"c": 1}}}), json!({"a.b.c": {"$eq": 1}}));
    same(json!({"a": {"b": {"$gt": 1}, "c": 2}}), json!({"$and": [{"a.b": {"$gt": 1}}, {"a.c": 2}]}));
    same(json!({"a": {}}), json!({"a": {"$eq": {}}}));
    let place = json!({"type": "Point", "coordinates": [1, 2]});
    same(json!({"a": place}), json!({"a": {"$eq": place}}));
    same(
        json!({"a": {"$ref": "aaaaaaaaaaaaaaaaaaaaaaaaaa"}}),
        json!({"a": {"$eq": {"$ref": "aaaaaaaaaaaaaaaaaaaaaaaaaa"}}}),
    );
    assert_eq!(selector(&json!({})), Selector::default());
}

#[test]
fn words_mean_the_same_as_json() {
    let same = |words: &str, json: Json| assert_eq!(words.parse::<Selector>().unwrap(), selector(&json), "{words}");
    same("country=PE population>=10000", json!({"$and": [{"country": "PE"}, {"population": {"$gte": 10000}}]}));
    same(" name=\"La Paz\" ", json!({"name": "La Paz"}));
    same("code=\"5\"", json!({"code": "5"}));
    same("open=true", json!({"open": true}));
    same("a.b<1.5", json!({"a.b": {"$lt": 1.5}}));
    same("a>b=c", json!({"a": {"$gt": "b=c"}}));
    same("country!=PE", json!({"country": {"$ne": "PE"}}));
    same("name~^San", json!({"name": {"$regex": "^San"}}));
    same("name~\"La P\"", json!({"name": {"$regex": "La P"}}));
    same("name~a=b", json!({"name": {"$regex": "a=b"}}));
    same("name", json!({"name": {"$exists": true}}));
    same("", json!({}));
    same("{\"a\": 1}", json!({"a": 1}));
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    let refused = |json: Json, part: &str| {
        let error = Selector::from_json(&json).unwrap_err().to_string();
        assert!(error.contains(part), "{json}: {error}");
    };
    refused(json!({"a": {"$near": "b"}}), "$near is not known on a field: there are $eq, $ne, $gt,");
    refused(json!({"$xor": []}), "$xor is not known as a condition of its own: there are $and, $or, $nor, $not");
    refused(json!({"a": {"$regex": "(b"}}), "the pattern \"(b\" cannot be used: unclosed group");
    refused(json!({"a": {"$regex": "x{1000}{1000}"}}), "cannot be used");
    refused(json!({"a": {"$regex": "b".repeat(5_000)}}), "5000 bytes are too long");
    refused(json!({"a": {"$mod": [0, 1]}}), "$mod wants two whole numbers");
    refused(json!({"a": {"$size": -1}}), "$size wants how many items");
    refused(json!({"a": {"$type": "text"}}), "$type wants null, boolean");
    refused(json!({"a": {"$elemMatch": {"$near": 1}}}), "$near is not known");
    refused(json!({"a": {"$gt": 1, "b": 2}}), "cannot stand in one object");
    refused(json!({"a": {"$in": 1}}), "$in wants a list of values");
    refused(json!({"a": {"$exists": 1}}), "$exists wants true or false");
    refused(json!({"$and": {}}), "$and wants a list of selectors");
    refused(json!({"$or": [1]}), "must be an object");
    refused(json!([]), "must be an object");
    refused(json!({"": 1}), "is no field");
    let mut deep = json!({});
    (0..100).for_each(|_| deep = json!({"$and": [deep]}));
    refused(deep, "deep inside each other");
    for (text, part) in [
        ("{", "not JSON"),
        ("=5", "no condition"),
        ("a==5", "no condition"),
        ("!=5", "no condition"),
        ("a~(", "cannot be used"),
        ("a=\"b", "not JSON"),
    ] {
        let error = text.parse::<Selector>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn absent_fields_match_only_their_absence() {
    let document = Map::from([("a".into(), Value::Null)]);
    let matches = |json: Json| selector(&json).matches(&document);
    assert!(matches(json!({"a": null})));
    assert!(matches(json!({"a": {"$exists": true}})));
    assert!(matches(json!({"b": {"$exists": false}})));
    assert!(!matches(json!({"b": null})));
    assert!(!matches(json!({"b": {"$lt": 5}})));
    assert!(!matches(json!({"a.b": 1})));
}

#[test]
fn what_every_match_of_a_pattern_begins_with_is_found() {
    let beginning = |pattern: &str| pattern.parse::<Pattern>().unwrap().beginning().to_owned();
    for (pattern, expected) in [
        ("^San (Juan|Pedro)", ""),
        ("^San [JP]", "San "),
        ("^Ñuñoa$", "Ñuñoa"),
        ("San", ""),
        ("^abc*", "ab"),
        ("^abc?d", "ab"),
        ("^abc{0,1}", "ab"),
        ("^abc+", "abc"),
        ("^a|b", ""),
        ("(?i)^a", ""),
        ("^", ""),
    ] {
        assert_eq!(beginning(pattern), expected, "{pattern}");
    }
}

#[test]
fn the_id_is_asked_for_like_a_field() {
    let document = Map::from([("a".into(), Value::Int(1))]);
    let asked = WithId(DocumentId([0; 16]), &document);
    let matches = |id: String| selector(&json!({"_id": id, "a": 1})).matches(&asked);
    assert!(matches("a".repeat(26)));
    assert!(!matches("b".repeat(26)));
}

#[test]
fn ranges_narrow_down_what_they_can() {
    let path: Path = "a".parse().unwrap();
    let count = |json: Json| selector(&json).ranges_on(&path).map(|ranges| ranges.len());
    assert_eq!(count(json!({"a": 1, "b": 2})), Some(1));
    // And one for lists, which may have one of them among their items.
    assert_eq!(count(json!({"a": {"$in": [3, 1, 2, 1]}})), Some(4));
    assert_eq!(count(json!({"a": {"$in": [3, 1, 2]}, "$and": [{"a": {"$gte": 2}}]})), Some(3));
    assert_eq!(count(json!({"a": {"$regex": "^San "}})), Some(1));
    assert_eq!(count(json!({"a": {"$or": [{"$eq": 1}, {"$eq": 2}]}})), Some(2));
    assert_eq!(count(json!({"a": {"$ne": 1}})), None);
    assert_eq!(count(json!({"a": {"$not": {"$eq": 1}}})), None);
    assert_eq!(count(json!({"a": {"$gt": 2, "$lt": 1}})), Some(0));
    assert_eq!(count(json!({"$or": [{"a": 1}, {"a": {"$gt": 5}}]})), Some(2));
    assert_eq!(count(json!({"$or": [{"a": 1}, {"b": 1}]})), None);
    assert_eq!(count(json!({"$or": []})), Some(0));
    assert_eq!(count(json!({"b": 1})), None);
    assert_eq!(count(json!({})), None);
    assert_eq!(selector(&json!({"a": {"$gt": 2, "$lt": 1}})).range_on(&path), None);
}

#[test]
fn documents_are_sorted_by_each_field_in_turn() {
    let sort: Sort = "a, b:desc".parse().unwrap();
    let document = |a: Option<i64>, b: i64| {
        let mut map = Map::from([("b".into(), Value::Int(b))]);
        map.extend(a.map(|a| ("a".into(), Value::Int(a))));
        map
    };
    let sorted = [document(None, 1), document(Some(1), 9), document(Some(1), 2), document(Some(2), 5)];
    let mut found = sorted.clone();
    found.reverse();
    found.sort_by(|left, right| sort.compare(left, right));
    assert_eq!(found, sorted);
    assert!("a,,.b\\".parse::<Sort>().is_ok_and(|sort| sort.fields().len() == 2));
    for wrong in ["a:dsc", "a:up", "a:", "a,b:DESC", "addr:city"] {
        assert!(matches!(wrong.parse::<Sort>(), Err(SortError::Direction(_))), "{wrong}");
    }
    assert_eq!(":desc".parse::<Sort>(), Err(SortError::Path(PathError::Empty)));
    let with_colon: Sort = "addr:city:asc".parse().unwrap();
    assert_eq!(with_colon.fields(), [("addr:city".parse().unwrap(), Direction::Ascending)]);
}
