//! Values, changes and their bytes, JSON and order.

use std::cmp::Ordering;

use ayni_doc::{
    Attachment, AttachmentKey, Change, ChangeError, DEPTH, Document, EntryKey, Geometry, INDEX_KEY_BYTES, JsonError,
    Map, Operation, Path, Position, SetKind, Shape, Value, Version, encoded,
};
use ayni_log::codec::{DecodeError, Reader, Writer};
use ayni_log::ids::{DeviceId, DocumentId, Hash};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

fn int() -> impl Strategy<Value = i64> {
    let near = select(vec![0, 63, 64, -16, -17, 255, 256, 1 << 53, -(1 << 53), i64::MAX, i64::MIN, 1 << 62]);
    prop_oneof![any::<i64>(), -300i64..300, (near, -3i64..4).prop_map(|(near, by)| near.saturating_add(by))]
}

fn float() -> impl Strategy<Value = f64> {
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

fn ordinate() -> impl Strategy<Value = f64> {
    float().prop_filter("finite", |float| float.is_finite())
}

fn geometry() -> impl Strategy<Value = Geometry> {
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

fn attachment() -> impl Strategy<Value = Attachment> {
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

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-c\\x00é]{0,3}",
        1 => select(vec!["$map", "$ref", "$int", "$float", "$bytes", "$attachment", "type", "coordinates"]).prop_map(str::to_owned),
    ]
}

fn value() -> impl Strategy<Value = Value> {
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

fn operation() -> impl Strategy<Value = Operation> {
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

fn read(bytes: &[u8]) -> Result<Value, DecodeError> {
    let mut input = Reader::new(bytes);
    let value = Value::decode(&mut input)?;
    input.finish()?;
    Ok(value)
}

fn no_shapes<'s>(_: u32) -> Option<&'s Shape> {
    None
}

/// The sign of a comparison of index keys, where they were not cut.
fn key_order(a: &Value, b: &Value) -> Option<Ordering> {
    let (a, b) = (a.index_key(), b.index_key());
    let cut = a.len() == INDEX_KEY_BYTES || b.len() == INDEX_KEY_BYTES;
    (a != b || !cut).then(|| a.cmp(&b))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_value_reads_back_from_its_bytes(value in value()) {
        prop_assert_eq!(read(&value.to_bytes()).unwrap(), value);
    }

    #[test]
    fn a_field_is_found_behind_any_other(value in value()) {
        let mut document = Document::default();
        let edit = Change::Edit(vec![Operation::set("a", value), Operation::set("z", Value::Int(7))]);
        let (key, hash, author) = (EntryKey(1), Hash([1; 32]), DeviceId([1; 32]));
        document.advance(Version { key, hash, time: 0, author, parents: vec![], change: Some(edit) });
        prop_assert_eq!(encoded::get(&document.encode(), &["z"]), Ok(Some(Value::Int(7))));
    }

    #[test]
    fn there_is_one_way_to_write_a_value(bytes in vec(any::<u8>(), 0..40), value in value(), at: usize, byte: u8) {
        for mut bytes in [bytes, value.to_bytes()] {
            if let Some(len) = bytes.len().checked_sub(1) {
                bytes[at % (len + 1)] = byte;
            }
            if let Ok(value) = read(&bytes) {
                prop_assert_eq!(value.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn a_value_reads_back_from_json_text(value in value()) {
        let text = value.to_json().to_string();
        let json = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(Value::from_json(&json).unwrap(), value);
    }

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

    #[test]
    fn a_change_reads_back_with_names_and_under_its_shape(
        operations in vec(operation(), 0..5), others in vec(operation(), 1..3)
    ) {
        let (change, other) = (Change::Edit(operations), Change::Edit(others));
        let named = change.encode().unwrap();
        prop_assert_eq!(Change::shape_number(&named), None);
        prop_assert_eq!(&Change::decode(&named, &no_shapes).unwrap(), &change);
        match change.shape() {
            Some(shape) => {
                prop_assert_eq!(&Shape::decode(&shape.encode()).unwrap(), &shape);
                let bytes = change.encode_shaped(7).unwrap();
                prop_assert_eq!(Change::shape_number(&bytes), Some(7));
                let decoded = Change::decode(&bytes, &|number| (number == 7).then_some(&shape)).unwrap();
                prop_assert_eq!(&decoded, &change);
                prop_assert!(Change::decode(&bytes, &no_shapes).is_err());
                prop_assert!(shape.fits(&change));
                prop_assert_eq!(shape.fits(&other), other.shape().as_ref() == Some(&shape));
            }
            None => prop_assert!(change == Change::Edit(vec![]) || change.encode_shaped(7).is_err()),
        }
    }

    #[test]
    fn bytes_from_outside_are_errors_not_panics(bytes in vec(any::<u8>(), 0..60), operations in vec(operation(), 1..3), at: usize) {
        let _ = Change::decode(&bytes, &no_shapes);
        let _ = Shape::decode(&bytes);
        let mut change = Change::Edit(operations).encode().unwrap();
        let at = at % change.len();
        change[at] ^= bytes.first().copied().unwrap_or(1);
        if let Ok(decoded) = Change::decode(&change, &no_shapes) {
            prop_assert_eq!(decoded.encode().unwrap(), change);
        }
    }
}

#[test]
fn a_place_on_the_map_takes_nine_bytes() {
    let point = Value::from(Geometry::Point(Position::new(1.65362, 42.57952)));
    assert_eq!(point.to_bytes().len(), 9);
}

#[test]
fn a_place_on_the_map_reads_back_however_many_decimals_it_has() {
    for places in 0..18 {
        let point = Value::from(Geometry::Point(Position::new(7.0 / 10f64.powi(places), 0.0)));
        assert_eq!(read(&point.to_bytes()), Ok(point), "{places}");
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
fn all_nan_are_one_and_zero_has_no_sign() {
    let nan = f64::from_bits(0xfff8_0000_0000_1234);
    assert_eq!(Value::Float(nan), Value::Float(f64::NAN));
    assert_eq!(Value::Float(nan).to_bytes(), Value::Float(f64::NAN).to_bytes());
    assert_eq!(Value::Float(-0.0).to_bytes(), Value::Float(0.0).to_bytes());
}

#[test]
fn the_short_form_of_a_float_ends_where_its_mantissa_does() {
    let mantissa = (1i64 << 48) - 1;
    // That times a power of ten can round to less than it is, the last of these does.
    for float in [mantissa as f64, mantissa as f64 / 1e15, (1i64 << 48) as f64, 2814.74976710656] {
        for float in [float, -float].map(Value::Float) {
            assert_eq!(read(&float.to_bytes()), Ok(float));
        }
    }
    let short = |mantissa| {
        let mut out = Writer::new();
        out.byte(0x30);
        out.signed(mantissa);
        read(out.as_slice())
    };
    assert_eq!(short(mantissa), Ok(Value::Float(mantissa as f64)));
    assert_eq!(short(mantissa + 1), Err(DecodeError::NotCanonical("float")));
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

#[test]
fn json_keeps_what_a_browser_would_lose() {
    let check = |value: Value, json: &str| assert_eq!(value.to_json().to_string(), json);
    check(Value::Int((1 << 53) - 1), "9007199254740991");
    check(Value::Int(1 << 53), r#"{"$int":"9007199254740992"}"#);
    check(Value::Float(1.0), "1.0");
    check(Value::Float(f64::NAN), r#"{"$float":"NaN"}"#);
    check(Value::Bytes(vec![1, 2]), r#"{"$bytes":"AQI="}"#);
    check(Value::Reference(DocumentId([0; 16])), r#"{"$ref":"aaaaaaaaaaaaaaaaaaaaaaaaaa"}"#);
    check(Value::Map(Map::from([("$int".to_owned(), Value::from("5"))])), r#"{"$map":{"$int":"5"}}"#);
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
fn json_beyond_the_limits_is_refused_with_the_reason() {
    let read = |text: &str| Value::from_json(&serde_json::from_str(text).unwrap());
    assert_eq!(read("9223372036854775808"), Err(JsonError::Large(1 << 63)));
    let [fits, deep] = [DEPTH, DEPTH + 1].map(|depth| read(&("[".repeat(depth) + &"]".repeat(depth))));
    assert_eq!((fits.unwrap().depth(), deep), (DEPTH, Err(JsonError::Deep)));
    let [fits, long] = [256, 257].map(|length| read(&format!(r#"{{"{}":1}}"#, "n".repeat(length))));
    assert!(fits.is_ok());
    assert_eq!(long, Err(JsonError::Name(257)));
}

#[test]
fn what_is_nested_too_deep_is_refused_when_written_and_when_read() {
    let nested = |depth: usize| (0..depth).fold(Value::Null, |value, _| Value::List(vec![value]));
    let path = Path::new(["a", "b"]).unwrap();
    let fits = Change::Edit(vec![Operation::set_at(path.clone(), nested(DEPTH - 2))]);
    assert_eq!(Change::decode(&fits.encode().unwrap(), &no_shapes), Ok(fits));
    let deep = Change::Edit(vec![Operation::set_at(path.clone(), nested(DEPTH - 1))]);
    assert_eq!(deep.encode(), Err(ChangeError::Deep { path }));
    let mut bytes = [0x06, 1].repeat(DEPTH + 1);
    bytes.push(0);
    assert!(matches!(read(&bytes), Err(DecodeError::Limit { .. })));
}

#[test]
fn a_geometry_that_cannot_be_written_is_refused() {
    let mixed = vec![Position::new(1.0, 2.0), Position { z: Some(3.0), ..Position::new(1.0, 2.0) }];
    for geometry in [Geometry::LineString(mixed), Geometry::Point(Position::new(f64::NAN, 0.0))] {
        let change = Change::Edit(vec![Operation::set("a", Value::from(geometry))]);
        assert!(matches!(change.encode(), Err(ChangeError::Geometry { .. })));
    }
}

#[test]
fn an_ordinate_that_is_not_finite_or_has_a_shorter_form_is_not_read() {
    let point = |x: f64| read(&[&[0x40, 0xf0], &x.to_bits().to_be_bytes()[..], &[0]].concat());
    assert_eq!(point(0.1 + 0.2), Ok(Geometry::Point(Position::new(0.1 + 0.2, 0.0)).into()));
    let nan = f64::from_bits(0xfff8_0000_0000_1234);
    for x in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, nan, -0.0, 1.5] {
        assert!(point(x).is_err(), "{x}");
    }
}

#[test]
fn a_change_of_a_newer_form_is_told_from_damage() {
    let newer = DecodeError::Version { what: "change", version: 0x20 };
    assert_eq!(Change::decode(&[0x20, 1, 2], &no_shapes), Err(newer));
    assert_eq!(Change::decode(&[], &no_shapes), Err(DecodeError::Truncated));
}

#[test]
fn a_value_tells_what_it_is_and_nothing_else() {
    let list = vec![Value::Null];
    let map = Map::from([("a".to_owned(), Value::Null)]);
    let point = Geometry::Point(Position::new(1.0, 2.0));
    let all = [
        Value::Null,
        Value::from(true),
        Value::from(3),
        Value::from(2.5),
        Value::from("x"),
        Value::from(list.clone()),
        Value::from(map.clone()),
        Value::from(point.clone()),
    ];
    let told = |asked: fn(&Value) -> bool| all.iter().map(asked).collect::<Vec<_>>();
    let only = |places: &[usize]| (0..all.len()).map(|place| places.contains(&place)).collect::<Vec<_>>();
    assert_eq!(told(|value| value.as_bool().is_some()), only(&[1]));
    assert_eq!(told(|value| value.as_int().is_some()), only(&[2]));
    assert_eq!(told(|value| value.as_number().is_some()), only(&[2, 3]));
    assert_eq!(told(|value| value.as_text().is_some()), only(&[4]));
    assert_eq!(told(|value| value.as_list().is_some()), only(&[5]));
    assert_eq!(told(|value| value.as_map().is_some()), only(&[6]));
    assert_eq!(told(|value| value.as_geometry().is_some()), only(&[7]));
    assert_eq!((all[1].as_bool(), all[2].as_int(), all[2].as_number()), (Some(true), Some(3), Some(3.0)));
    assert_eq!((all[3].as_number(), all[4].as_text(), all[5].as_list()), (Some(2.5), Some("x"), Some(&list[..])));
    assert_eq!((all[6].as_map(), all[7].as_geometry()), (Some(&map), Some(&point)));
    assert_eq!(Value::from(DocumentId([7; 16])), Value::Reference(DocumentId([7; 16])));
}

#[test]
fn depth_is_how_many_stand_inside_each_other() {
    let list = |items: &[Value]| Value::List(items.to_vec());
    let map = |value: Value| Value::Map(Map::from([("a".to_owned(), value)]));
    assert_eq!(Value::Int(1).depth(), 0);
    assert_eq!(list(&[]).depth(), 1);
    assert_eq!(list(&[list(&[]), list(&[list(&[Value::Null])])]).depth(), 3);
    assert_eq!(map(map(list(&[]))).depth(), 3);
    let within = Geometry::Collection(vec![Geometry::Collection(vec![])]);
    assert_eq!((within.depth(), map(Value::from(within.clone())).depth()), (2, 3));
}

#[test]
fn what_can_be_nested_and_how_long_names_may_be_is_exact() {
    let encode = |operation| Change::Edit(vec![operation]).encode();
    let at = |names: usize| Path::new((0..names).map(|_| "a")).unwrap();
    let element = |path| Operation::Insert { path, element: Value::Int(1) };
    let [list, map] =
        [Value::List(vec![]), Value::Map(Map::new())].map(|empty| move |path| Operation::set_at(path, empty.clone()));
    let geometry = |path| Operation::set_at(path, Geometry::Collection(vec![]).into());
    for operation in [&element as &dyn Fn(Path) -> Operation, &list, &map, &geometry] {
        assert!(Change::decode(&encode(operation(at(DEPTH - 1))).unwrap(), &no_shapes).is_ok());
        assert!(matches!(encode(operation(at(DEPTH))), Err(ChangeError::Deep { .. })));
    }
    let named = |length: usize| Operation::set("a", Value::Map(Map::from([("n".repeat(length), Value::Null)])));
    assert!(encode(named(256)).is_ok());
    assert!(matches!(encode(named(257)), Err(ChangeError::Name { length: 257, .. })));
}

#[test]
fn the_box_around_a_geometry_holds_all_of_it() {
    let line = |from: (f64, f64), to: (f64, f64)| {
        Geometry::LineString(vec![Position::new(from.0, from.1), Position::new(to.0, to.1)])
    };
    let both = Geometry::Collection(vec![line((5.0, -3.0), (7.0, 1.0)), line((-2.0, 0.0), (6.0, 4.0))]);
    assert_eq!(both.bounds(), Some([-2.0, -3.0, 7.0, 4.0]));
    assert_eq!(Geometry::MultiPoint(vec![]).bounds(), None);
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
