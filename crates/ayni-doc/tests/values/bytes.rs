//! Values and changes as bytes, and what cannot be written.

use ayni_doc::{
    Change, ChangeError, DEPTH, Document, EntryKey, Geometry, Map, Operation, Path, Position, Shape, Value, Version,
    encoded,
};
use ayni_log::codec::{DecodeError, Reader, Writer};
use ayni_log::ids::{DeviceId, Hash};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::made::{operation, value};

fn read(bytes: &[u8]) -> Result<Value, DecodeError> {
    let mut input = Reader::new(bytes);
    let value = Value::decode(&mut input)?;
    input.finish()?;
    Ok(value)
}

fn no_shapes<'s>(_: u32) -> Option<&'s Shape> {
    None
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
fn what_is_nested_too_deep_is_refused_when_written_and_when_read() {
    let in_list: fn(Value) -> Value = |value| Value::List(vec![value]);
    let in_map: fn(Value) -> Value = |value| Value::Map(Map::from([("n".into(), value)]));
    let path = Path::new(["a", "b"]).unwrap();
    for inside in [in_list, in_map] {
        let nested = |depth: usize| (0..depth).fold(Value::Null, |value, _| inside(value));
        let fits = Change::Edit(vec![Operation::set_at(path.clone(), nested(DEPTH - 2))]);
        assert_eq!(Change::decode(&fits.encode().unwrap(), &no_shapes), Ok(fits));
        let deep = Change::Edit(vec![Operation::set_at(path.clone(), nested(DEPTH - 1))]);
        assert_eq!(deep.encode(), Err(ChangeError::Deep { path: path.clone() }));
    }
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
