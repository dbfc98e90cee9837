//! Values as JSON and back.

use ayni_doc::{DEPTH, Geometry, JsonError, Map, Position, Value};
use ayni_log::ids::DocumentId;
use proptest::prelude::*;

use crate::made::value;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_value_reads_back_from_json_text(value in value()) {
        let text = value.to_json().to_string();
        let json = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(Value::from_json(&json).unwrap(), value);
    }
}

#[test]
fn json_keeps_what_a_browser_would_lose() {
    let check = |value: Value, json: &str| {
        assert_eq!(value.to_json().to_string(), json);
        assert_eq!(Value::from_json(&serde_json::from_str(json).unwrap()), Ok(value));
    };
    check(Value::Int((1 << 53) - 1), "9007199254740991");
    check(Value::Int(1 << 53), r#"{"$int":"9007199254740992"}"#);
    check(Value::Float(1.0), "1.0");
    check(Value::Float(f64::NAN), r#"{"$float":"NaN"}"#);
    check(Value::Bytes(vec![1, 2]), r#"{"$bytes":"AQI="}"#);
    check(Value::Reference(DocumentId([0; 16])), r#"{"$ref":"aaaaaaaaaaaaaaaaaaaaaaaaaa"}"#);
    check(Value::Map(Map::from([("$int".to_owned(), Value::from("5"))])), r#"{"$map":{"$int":"5"}}"#);
}

#[test]
fn a_value_is_what_it_was_made_from() {
    let check = |value: Value, json: &str| {
        assert_eq!(value.to_json(), serde_json::from_str::<serde_json::Value>(json).unwrap());
    };
    check(Value::from(true), "true");
    check(Value::from(-7), "-7");
    check(Value::from(1.5), "1.5");
    check(Value::from("text"), r#""text""#);
    check(Value::from("text".to_owned()), r#""text""#);
    check(Value::from(vec![Value::from(1), Value::Null]), "[1,null]");
    check(Value::from(Map::from([("a".to_owned(), Value::from(1))])), r#"{"a":1}"#);
    check(Value::from(DocumentId([0; 16])), r#"{"$ref":"aaaaaaaaaaaaaaaaaaaaaaaaaa"}"#);
    let point = Geometry::Point(Position { x: 1.0, y: 2.5, z: None });
    check(Value::from(point), r#"{"type":"Point","coordinates":[1.0,2.5]}"#);
}

#[test]
fn json_that_only_resembles_a_tag_or_geometry_is_a_map() {
    for text in [
        r##"{"$ref":"#/definitions/a"}"##,
        r#"{"$int":5}"#,
        r#"{"type":"Point","coordinates":[1]}"#,
        r#"{"type":"Point"}"#,
    ] {
        let json: serde_json::Value = serde_json::from_str(text).unwrap();
        let value = Value::from_json(&json).unwrap();
        assert!(value.as_map().is_some(), "{text}");
        assert_eq!(Value::from_json(&value.to_json()), Ok(value));
    }
}

#[test]
fn coordinates_may_be_whole_numbers_that_a_float_holds() {
    let read = |x: i64| {
        let point = format!(r#"{{"type":"Point","coordinates":[{x},-1]}}"#);
        Value::from_json(&serde_json::from_str(&point).unwrap()).unwrap()
    };
    let most = (1i64 << 53) - 1;
    for x in [0, 1, most, -most] {
        assert_eq!(read(x), Geometry::Point(Position::new(x as f64, -1.0)).into());
    }
    assert!(read(most + 2).as_map().is_some());
}

#[test]
fn json_beyond_the_limits_is_refused_with_the_reason() {
    let read = |text: &str| Value::from_json(&serde_json::from_str(text).unwrap());
    assert_eq!(read("9223372036854775808"), Err(JsonError::Large(1 << 63)));
    let [fits, deep] = [DEPTH, DEPTH + 1].map(|depth| read(&("[".repeat(depth) + &"]".repeat(depth))));
    assert_eq!((fits.unwrap().depth(), deep), (DEPTH, Err(JsonError::Deep)));
    let [fits, long] = [256, 257].map(|length| read(&format!(r#"{{"{}":1}}"#, "n".repeat(length))));
    assert!(fits.is_ok());
    assert_eq!(long, Err(JsonError::Name(257)));
}
