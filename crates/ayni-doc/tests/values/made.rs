//! Values and operations, made up.

use ayni_doc::{Attachment, AttachmentKey, Geometry, Operation, Path, Position, SetKind, Value};
use ayni_log::ids::{DocumentId, Hash};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) fn int() -> impl Strategy<Value = i64> {
    let near = select(vec![0, 63, 64, -16, -17, 255, 256, 1 << 53, -(1 << 53), i64::MAX, i64::MIN, 1 << 62]);
    prop_oneof![any::<i64>(), -300i64..300, (near, -3i64..4).prop_map(|(near, by)| near.saturating_add(by))]
}

pub(crate) fn float() -> impl Strategy<Value = f64> {
    let odd =
        select(vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, 5e-324, 0.1 + 0.2, 1e22]);
    prop_oneof![
        any::<f64>(),
        odd,
        (-1_000_000_000i64..1_000_000_000, 0i32..12)
            .prop_map(|(mantissa, places)| mantissa as f64 / 10f64.powi(places)),
        int().prop_map(|int| int as f64),
    ]
}

pub(crate) fn ordinate() -> impl Strategy<Value = f64> {
    float().prop_filter("finite", |float| float.is_finite())
}

pub(crate) fn geometry() -> impl Strategy<Value = Geometry> {
    let position = |heights: bool| {
        (ordinate(), ordinate(), ordinate()).prop_map(move |(x, y, z)| Position { x, y, z: heights.then_some(z) })
    };
    let simple = any::<bool>().prop_flat_map(move |heights| {
        let line = move || vec(position(heights), 0..4);
        let lines = move || vec(line(), 0..3);
        prop_oneof![
            position(heights).prop_map(Geometry::Point),
            line().prop_map(Geometry::MultiPoint),
            line().prop_map(Geometry::LineString),
            lines().prop_map(Geometry::MultiLineString),
            lines().prop_map(Geometry::Polygon),
            vec(lines(), 0..3).prop_map(Geometry::MultiPolygon),
        ]
    });
    simple.prop_recursive(2, 6, 3, |inner| vec(inner, 0..3).prop_map(Geometry::Collection))
}

pub(crate) fn attachment() -> impl Strategy<Value = Attachment> {
    let (hash, key) = (any::<[u8; 32]>(), any::<[u8; 32]>());
    (hash, any::<u64>(), any::<u64>(), key, "[a-z]{0,3}", "[a-z/]{0,3}").prop_map(
        |(hash, sealed_length, length, key, name, media_type)| Attachment {
            hash: Hash(hash),
            sealed_length,
            length,
            key: AttachmentKey(key),
            name,
            media_type,
        },
    )
}

pub(crate) fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-c\\x00é]{0,3}",
        1 => select(vec!["$map", "$ref", "$int", "$float", "$bytes", "$attachment", "type", "coordinates"]).prop_map(str::to_owned),
    ]
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let text =
        prop_oneof!["[ab\\x00é]{0,3}".prop_map(String::from), "[ab]{60,70}".prop_map(String::from), any::<String>()];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        int().prop_map(Value::Int),
        float().prop_map(Value::Float),
        text.prop_map(Value::Text),
        vec(select(vec![0u8, 1, 255]), 0..4).prop_map(Value::Bytes),
        geometry().prop_map(Value::from),
        attachment().prop_map(|attachment| Value::Attachment(Box::new(attachment))),
        any::<[u8; 16]>().prop_map(|id| Value::Reference(DocumentId(id))),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![vec(inner.clone(), 0..4).prop_map(Value::List), btree_map(name(), inner, 0..4).prop_map(Value::Map)]
    })
}

pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    let path = || vec("[a-c]{0,2}", 1..4).prop_map(|names| Path::new(names).unwrap());
    let kinds = select(vec![SetKind::Latest, SetKind::First, SetKind::Min, SetKind::Max]);
    prop_oneof![
        4 => (path(), kinds, value()).prop_map(|(path, kind, value)| Operation::Set { path, kind, value }),
        1 => path().prop_map(|path| Operation::Unset { path }),
        1 => (path(), any::<i64>()).prop_map(|(path, amount)| Operation::Add { path, amount }),
        1 => (path(), value()).prop_map(|(path, element)| Operation::Insert { path, element }),
        1 => (path(), value()).prop_map(|(path, element)| Operation::Remove { path, element }),
        1 => (path(), vec(any::<u8>(), 0..4)).prop_map(|(path, bytes)| Operation::List { path, bytes }),
        1 => (path(), vec(any::<u8>(), 0..4)).prop_map(|(path, bytes)| Operation::Text { path, bytes }),
    ]
}
