//! What a value tells of itself.

use ayni_doc::{Geometry, Map, Position, Value};
use ayni_log::ids::DocumentId;

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
fn the_box_around_a_geometry_holds_all_of_it() {
    let line = |from: (f64, f64), to: (f64, f64)| {
        Geometry::LineString(vec![Position::new(from.0, from.1), Position::new(to.0, to.1)])
    };
    let both = Geometry::Collection(vec![line((5.0, -3.0), (7.0, 1.0)), line((-2.0, 0.0), (6.0, 4.0))]);
    assert_eq!(both.bounds(), Some([-2.0, -3.0, 7.0, 4.0]));
    let positions = [(5.0, -3.0), (7.0, 1.0), (-2.0, 0.0), (6.0, 4.0)].map(|(x, y)| Position::new(x, y));
    assert_eq!(both.positions(), positions);
    assert_eq!(Geometry::MultiPoint(vec![]).bounds(), None);
}
