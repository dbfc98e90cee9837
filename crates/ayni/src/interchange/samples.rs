//! Random values for property tests.

use ayni_doc::{Attachment, AttachmentKey, Geometry, Map, Position, Value};
use ayni_log::ids::{DocumentId, Hash};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

/// Any value that a field can hold, those that JSON and CSV have trouble with among them.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    let single = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-3i64..3).prop_map(Value::Int),
        any::<f64>().prop_map(Value::from),
        (-3i32..3).prop_map(|number| Value::from(f64::from(number) / 2.0)),
        prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)].prop_map(Value::from),
        text().prop_map(Value::Text),
        vec(any::<u8>(), 0..6).prop_map(Value::Bytes),
        any::<[u8; 16]>().prop_map(|id| Value::Reference(DocumentId(id))),
        geometry().prop_map(Value::from),
        (any::<[u8; 32]>(), any::<u64>(), text()).prop_map(attachment),
    ];
    single.prop_recursive(3, 16, 4, |inner| {
        let name = prop_oneof![text(), "\\$(map|bytes|ref|int|float)", Just("type".to_owned())];
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::List),
            btree_map(name, inner.clone(), 0..4).prop_map(Value::Map),
            ("\\$(map|bytes|ref|int|float)", inner).prop_map(|(name, value)| Value::Map(Map::from([(name, value)]))),
        ]
    })
}

/// The fields of a document, `location` often among them.
pub(crate) fn fields() -> impl Strategy<Value = Map> {
    let name = prop_oneof![text(), Just("location".to_owned()), Just("id".to_owned()), "[ab]:(int|lat|text)"];
    btree_map(name.prop_filter("stands for the document's id", |name| name != super::ID), value(), 0..5)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[ab,;\t\"\r\n ]{0,4}", "-?[0-9]{1,3}(\\.[0-9])?", "true|null|_id|lat|lon"]
        .prop_filter("is a name too", |text| text.len() <= 256)
}

fn attachment((hash, length, name): ([u8; 32], u64, String)) -> Value {
    let media_type = "image/jpeg".to_owned();
    let key = AttachmentKey(hash);
    Value::Attachment(Box::new(Attachment { hash: Hash(hash), sealed_length: length, length, key, name, media_type }))
}

/// Points, as most places are, and other shapes.
pub(crate) fn geometry() -> impl Strategy<Value = Geometry> {
    let flat = || (-180.0..180.0, -90.0..90.0).prop_map(|(x, y)| Position::new(x, y));
    let far = || (-1e9..1e9, -1e9..1e9).prop_map(|(x, y)| Position::new(x, y));
    let high = || (flat(), -100.0..9000.0).prop_map(|(place, height)| Position { z: Some(height), ..place });
    let shape = prop_oneof![
        3 => flat().prop_map(Geometry::Point),
        1 => far().prop_map(Geometry::Point),
        1 => high().prop_map(Geometry::Point),
        1 => vec(flat(), 0..3).prop_map(Geometry::MultiPoint),
        1 => vec(high(), 0..3).prop_map(Geometry::LineString),
        1 => vec(vec(flat(), 0..4), 0..3).prop_map(Geometry::Polygon),
        1 => vec(vec(vec(flat(), 0..4), 0..2), 0..2).prop_map(Geometry::MultiPolygon),
    ];
    shape.prop_recursive(2, 6, 3, |inner| vec(inner, 0..3).prop_map(Geometry::Collection))
}
