//! The order of values, compared and as index keys.

use std::cmp::Ordering;

use ayni_doc::{Attachment, AttachmentKey, Geometry, INDEX_KEY_BYTES, Map, Position, Value};
use ayni_log::ids::{DocumentId, Hash};
use proptest::prelude::*;

use crate::made::{float, int, value};

/// The sign of a comparison of index keys, where they were not cut.
fn key_order(a: &Value, b: &Value) -> Option<Ordering> {
    let (a, b) = (a.index_key(), b.index_key());
    let cut = a.len() == INDEX_KEY_BYTES || b.len() == INDEX_KEY_BYTES;
    (a != b || !cut).then(|| a.cmp(&b))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn index_keys_sort_as_values_compare(a in value(), b in value()) {
        if let Some(order) = key_order(&a, &b) {
            prop_assert_eq!(order, a.compare(&b));
        }
        prop_assert_eq!(a.compare(&b), b.compare(&a).reverse());
        prop_assert_eq!(a.compare(&a), Ordering::Equal);
    }

    #[test]
    fn integers_and_floats_sort_together_exactly(a in int(), b in float()) {
        let (int, float) = (Value::Int(a), Value::Float(b));
        // Exact: an integer is above a float if it is above its floor, or at it with nothing left over.
        let expected = if b.is_nan() {
            Ordering::Greater
        } else if b >= 9_223_372_036_854_775_808.0 {
            Ordering::Less
        } else if b < -9_223_372_036_854_775_808.0 {
            Ordering::Greater
        } else {
            i128::from(a).cmp(&(b.floor() as i128)).then(if b.fract() == 0.0 { Ordering::Equal } else { Ordering::Less })
        };
        prop_assert_eq!(int.compare(&float), expected);
        prop_assert_eq!(int.index_key().cmp(&float.index_key()), expected);
        prop_assert_eq!(Value::Int(a).index_key().cmp(&Value::Int(a / 2).index_key()), a.cmp(&(a / 2)));
    }
}

#[test]
fn integers_and_floats_of_one_number_are_distinct_and_sort_as_equals() {
    let (int, float) = (Value::Int(1), Value::Float(1.0));
    assert_ne!(int, float);
    assert_ne!(int.to_bytes(), float.to_bytes());
    assert_eq!(int.compare(&float), Ordering::Equal);
    assert_eq!(int.index_key(), float.index_key());
}

#[test]
fn types_sort_in_couchdb_order_with_ours_between() {
    let ordered = [
        Value::Null,
        Value::Bool(false),
        Value::Bool(true),
        Value::Float(f64::NAN),
        Value::Float(f64::NEG_INFINITY),
        Value::Int(-1),
        Value::Int(i64::MAX),
        Value::Text(String::new()),
        Value::from("a"),
        Value::from("a\0"),
        Value::from("aa"),
        Value::Bytes(vec![]),
        Value::Reference(DocumentId([0; 16])),
        Value::List(vec![]),
        Value::List(vec![Value::Null]),
        Value::from(Geometry::Point(Position::new(0.0, 0.0))),
        Value::Map(Map::new()),
    ];
    for pair in ordered.windows(2) {
        assert_eq!(pair[0].compare(&pair[1]), Ordering::Less, "{pair:?}");
        assert!(pair[0].index_key() < pair[1].index_key(), "{pair:?}");
    }
}

#[test]
fn long_texts_have_cut_index_keys_that_still_sort() {
    let long = |end: &str| Value::Text("x".repeat(1000) + end);
    assert_eq!(long("a").index_key().len(), INDEX_KEY_BYTES);
    assert_eq!(long("a").index_key(), long("b").index_key());
    assert!(long("a").index_key() < Value::from("y").index_key());
}

/// Each greater than the one before it, also as index keys.
fn ascend(values: &[Value]) {
    for pair in values.windows(2) {
        assert_eq!(pair[0].compare(&pair[1]), Ordering::Less, "{pair:?}");
        assert!(pair[0].index_key() < pair[1].index_key(), "{pair:?}");
    }
}

#[test]
fn integers_that_no_float_tells_apart_have_an_order() {
    for around in [1i64 << 54, -(1 << 54), 1 << 62, -(1 << 62)] {
        ascend(&(around - 9..around + 9).map(Value::Int).collect::<Vec<_>>());
    }
}

#[test]
fn every_part_of_an_attachment_and_of_a_geometry_counts_for_the_order() {
    let attachment = |name: &str, media_type: &str, hash: u8, sealed_length, length, key: u8| {
        let (name, media_type) = (name.to_owned(), media_type.to_owned());
        let (hash, key) = (Hash([hash; 32]), AttachmentKey([key; 32]));
        Value::Attachment(Box::new(Attachment { hash, sealed_length, length, key, name, media_type }))
    };
    ascend(&[
        attachment("a", "a", 1, 1, 1, 1),
        attachment("a", "a", 1, 1, 1, 2),
        attachment("a", "a", 1, 1, 2, 1),
        attachment("a", "a", 1, 2, 1, 1),
        attachment("a", "a", 2, 1, 1, 1),
        attachment("a", "b", 1, 1, 1, 1),
        attachment("b", "a", 1, 1, 1, 1),
    ]);
    let point = |x| Geometry::Point(Position::new(x, 0.0));
    ascend(&[
        Value::from(point(1.0)),
        Value::from(point(2.0)),
        Value::from(Geometry::Collection(vec![])),
        Value::from(Geometry::Collection(vec![point(1.0)])),
        Value::from(Geometry::Collection(vec![point(1.0), point(0.0)])),
        Value::from(Geometry::Collection(vec![Geometry::Collection(vec![])])),
    ]);
    let line = |xs: &[f64]| xs.iter().map(|x| Position::new(*x, 0.0)).collect::<Vec<_>>();
    let lines: [&[&[f64]]; 5] = [&[], &[&[1.0]], &[&[1.0], &[0.0]], &[&[1.0, 0.0]], &[&[2.0]]];
    let lines = lines.map(|lines| lines.iter().copied().map(line).collect::<Vec<_>>());
    ascend(&lines.clone().map(|lines| Geometry::MultiLineString(lines).into()));
    ascend(&lines.clone().map(|lines| Geometry::Polygon(lines).into()));
    ascend(&lines.map(|lines| Geometry::MultiPolygon(vec![lines]).into()));
    // Whatever comes behind it, a collection that ends is less than one that goes on.
    let before = |members: Vec<Geometry>, next: Value| Value::List(vec![Geometry::Collection(members).into(), next]);
    ascend(&[before(vec![point(1.0)], Value::Map(Map::new())), before(vec![point(1.0), point(f64::MIN)], Value::Null)]);
}
