//! Shapes on the earth: known distances, what meets what, and that the boxes of an index leave out nothing.

use proptest::prelude::*;

use super::sphere::between;
use super::*;
use crate::query::Area;

fn json(text: &str) -> Value {
    Geometry::from_json(&serde_json::from_str(text).unwrap()).unwrap().into()
}

fn near(x: f64, y: f64) -> Area {
    Area::near(Position::new(x, y), f64::INFINITY).unwrap()
}

#[track_caller]
fn is_far(from: (f64, f64), shape: &str, metres: f64) {
    let found = near(from.0, from.1).metres_to(&json(shape)).unwrap();
    assert!((found - metres).abs() < 1.0, "{found} and not {metres}");
}

/// A degree of a great circle.
const DEGREE: f64 = EARTH * std::f64::consts::PI / 180.0;

#[test]
fn distances_are_those_of_a_sphere() {
    // Lima to Cusco; both poles; across the date line; halfway round.
    is_far((-77.0428, -12.0464), r#"{"type": "Point", "coordinates": [-71.9675, -13.5320]}"#, 574_579.0);
    is_far((12.0, 90.0), r#"{"type": "Point", "coordinates": [99, -90]}"#, 180.0 * DEGREE);
    is_far((179.5, 0.0), r#"{"type": "Point", "coordinates": [-179.5, 0]}"#, DEGREE);
    is_far((0.0, 89.0), r#"{"type": "Point", "coordinates": [180, 89]}"#, 2.0 * DEGREE);
    is_far((0.0, 0.0), r#"{"type": "MultiPoint", "coordinates": [[0, 5], [181, 0], [-2, 0]]}"#, 2.0 * DEGREE);
}

#[test]
fn a_place_is_at_no_distance_from_itself_however_its_longitude_is_written() {
    for (from, to) in [((180.0, 0.0), (-180.0, 0.0)), ((-180.0, 12.5), (180.0, 12.5)), ((12.0, 90.0), (99.0, 90.0))] {
        for (one, other) in [(from, from), (from, to), (to, from)] {
            let point = Value::from(Geometry::Point(Position::new(other.0, other.1)));
            assert_eq!(near(one.0, one.1).metres_to(&point), Some(0.0), "{one:?} {other:?}");
            assert!(Area::near(Position::new(one.0, one.1), 0.0).unwrap().contains(&point));
        }
    }
}

#[test]
fn of_a_line_the_nearest_place_counts_and_in_an_area_all_is_near() {
    is_far((5.0, 1.0), r#"{"type": "LineString", "coordinates": [[-10, 0], [10, 0]]}"#, DEGREE);
    is_far((180.0, 1.0), r#"{"type": "LineString", "coordinates": [[170, 0], [190, 0]]}"#, DEGREE);
    is_far((-175.0, 1.0), r#"{"type": "LineString", "coordinates": [[170, 0], [190, 0]]}"#, DEGREE);
    let ring = "[[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]";
    let hole = "[[4, 4], [6, 4], [6, 6], [4, 6], [4, 4]]";
    let area = format!(r#"{{"type": "Polygon", "coordinates": [{ring}, {hole}]}}"#);
    is_far((1.0, 1.0), &area, 0.0);
    is_far((5.0, 4.5), &area, DEGREE / 2.0);
    is_far((5.0, -1.0), &area, DEGREE);
}

#[test]
fn a_direction_is_told_from_north_clockwise() {
    let direction = |from: Place, to: Place| bearing(from, to).round();
    assert_eq!(direction((0.0, 0.0), (0.0, 1.0)), 0.0);
    assert_eq!(direction((0.0, 0.0), (1.0, 0.0)), 90.0);
    assert_eq!(direction((179.0, 0.0), (-179.0, 0.0)), 90.0);
    assert_eq!(direction((0.0, 0.0), (0.0, -1.0)), 180.0);
    assert_eq!(direction((-71.9675, -13.532), (-77.0428, -12.0464)), 286.0);
}

#[track_caller]
fn lies_within(area: &str, shape: &str, holds: bool) {
    assert_eq!(area.parse::<Area>().unwrap().contains(&json(shape)), holds, "{shape} in {area}");
}

#[test]
fn a_box_takes_what_it_touches_also_across_the_date_line_and_at_the_poles() {
    let point = |x: f64, y: f64| format!(r#"{{"type": "Point", "coordinates": [{x}, {y}]}}"#);
    lies_within("-10,-10,10,10", &point(10.0, 10.0), true);
    lies_within("-10,-10,10,10", &point(10.1, 0.0), false);
    for x in [179.0, 180.0, -180.0, -179.0, 181.0, -541.0] {
        lies_within("178,-10,-178,10", &point(x, 0.0), true);
    }
    lies_within("178,-10,-178,10", &point(0.0, 0.0), false);
    lies_within("170,-10,180,10", &point(-180.0, 0.0), true);
    lies_within("-180,-10,-170,10", &point(180.0, 0.0), true);
    lies_within("10,80,20,90", &point(-100.0, 90.0), true);
    lies_within("10,-90,20,-80", &point(-100.0, -90.0), true);
    lies_within("10,80,20,89", &point(-100.0, 89.0), false);
    lies_within("-180,-90,180,90", &point(12.0, 34.0), true);
    lies_within("-180,-90,180,90", &point(12.0, 91.0), false);
}

#[test]
fn lines_and_areas_meet_where_they_cross_touch_or_hold_each_other() {
    let line = |ends: &str| format!(r#"{{"type": "LineString", "coordinates": {ends}}}"#);
    lies_within("0,0,10,10", &line("[[-5, 5], [15, 5]]"), true);
    lies_within("0,0,10,10", &line("[[-5, 0], [0, 15]]"), false);
    lies_within("0,0,10,10", &line("[[-5, 5], [5, 15]]"), true);
    lies_within("179,0,-179,10", &line("[[170, 5], [190, 5]]"), true);
    lies_within("-179,0,-178,10", &line("[[170, 5], [190, 5]]"), true);
    // RFC 7946: a line from 170 to -170 goes by way of 0.
    lies_within("-10,0,10,10", &line("[[170, 5], [-170, 5]]"), true);
    let around = r#"{"type": "Polygon", "coordinates": [[[-20, -20], [30, -20], [30, 30], [-20, 30], [-20, -20]],
        [[-10, -10], [20, -10], [20, 20], [-10, 20], [-10, -10]]]}"#;
    lies_within("0,0,10,10", around, false);
    lies_within("0,0,25,10", around, true);
    lies_within("22,22,23,23", around, true);
    lies_within("-90,-90,90,90", around, true);
    let shape = Area::shape(json(around).as_geometry().unwrap()).unwrap();
    assert!(shape.contains(&json(&line("[[21, 0], [22, 0]]"))));
    assert!(!shape.contains(&json(&line("[[0, 0], [5, 5]]"))));
}

#[test]
fn what_crosses_the_date_line_stands_in_an_index_on_both_sides_and_not_round_the_earth() {
    let boxes = |shape: &str| {
        let boxes = boxes_of(&parts_of(&json(shape)));
        boxes.iter().map(|bounds| (bounds.west, bounds.east)).collect::<Vec<_>>()
    };
    assert_eq!(
        boxes(r#"{"type": "LineString", "coordinates": [[170, 0], [190, 5]]}"#),
        [(-180.0, -170.0), (170.0, 180.0)]
    );
    let cut = r#"{"type": "MultiLineString", "coordinates": [[[170, 0], [180, 0]], [[-180, 0], [-170, 5]]]}"#;
    assert_eq!(boxes(cut), [(-180.0, -170.0), (170.0, 180.0)]);
    assert_eq!(boxes(r#"{"type": "Point", "coordinates": [0, 91]}"#), []);
    assert_eq!(boxes(r#"{"type": "MultiPoint", "coordinates": []}"#), []);
}

#[test]
fn what_ends_at_the_date_line_is_read_from_an_index_for_a_box_that_begins_there() {
    let line = json(r#"{"type": "LineString", "coordinates": [[170, 0], [180, 0]]}"#);
    let area: Area = "-180,-10,-170,10".parse().unwrap();
    assert!(area.contains(&line));
    let boxes = boxes_of(&parts_of(&line));
    assert!(area.boxes().iter().any(|read| boxes.iter().any(|one| boxes_meet(one, read))));
}

#[test]
fn a_place_is_inside_of_a_ring_whichever_edge_is_east_of_it() {
    let ring = [(10.0, 0.0), (0.0, 10.0), (-10.0, 0.0), (0.0, -10.0), (10.0, 0.0)];
    for start in 0..4 {
        let mut turned: Vec<Place> = ring.iter().copied().take(4).cycle().skip(start).take(4).collect();
        turned.push(turned[0]);
        for (x, y) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)] {
            assert!(plane::covers(std::slice::from_ref(&turned), (x, y)));
            assert!(!plane::covers(std::slice::from_ref(&turned), (x * 8.0, y * 8.0)));
        }
    }
}

fn longitude() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => -200.0..200.0,
        2 => (-4.0..4.0).prop_map(|off| 180.0 + off),
        2 => (-4.0..4.0).prop_map(|off| -180.0 + off),
        1 => prop::sample::select(vec![-180.0, 180.0, 0.0, 179.0, -179.0, 10.0]),
    ]
}

fn latitude() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => -90.0..=90.0,
        1 => 85.0..=90.0,
        1 => -90.0..=-85.0,
        1 => prop::sample::select(vec![-90.0, 90.0, 0.0, 10.0]),
    ]
}

fn position() -> impl Strategy<Value = Position> {
    (longitude(), latitude()).prop_map(|(x, y)| Position::new(x, y))
}

/// Positions that are not far apart, or are.
fn line(least: usize) -> impl Strategy<Value = Vec<Position>> {
    let near = (position(), proptest::collection::vec((-5.0..5.0, -5.0..5.0), least..5)).prop_map(|(first, steps)| {
        steps
            .into_iter()
            .map(|(x, y): (f64, f64)| Position::new(first.x + x, (first.y + y).clamp(-90.0, 90.0)))
            .collect()
    });
    prop_oneof![4 => near, 1 => proptest::collection::vec(position(), least..5)]
}

pub(crate) fn geometry() -> impl Strategy<Value = Geometry> {
    let closed = |mut ring: Vec<Position>| {
        ring.extend(ring.first().copied());
        ring
    };
    prop_oneof![
        3 => position().prop_map(Geometry::Point),
        1 => line(1).prop_map(Geometry::MultiPoint),
        2 => line(2).prop_map(Geometry::LineString),
        2 => line(3).prop_map(move |ring| Geometry::Polygon(vec![closed(ring)])),
        1 => (line(2), line(2)).prop_map(|(one, other)| Geometry::MultiLineString(vec![one, other])),
    ]
}

fn area() -> impl Strategy<Value = Area> {
    let turned = |x: f64| (x + 180.0).rem_euclid(360.0) - 180.0;
    prop_oneof![
        (longitude(), latitude(), longitude(), latitude()).prop_map(move |(west, south, east, north)| {
            let exact = |x: f64| if x.abs() == 180.0 { x } else { turned(x) };
            Area::within(exact(west), south.min(north), exact(east), south.max(north)).unwrap()
        }),
        (position(), prop_oneof![0.0..2e6, 0.0..2.1e7])
            .prop_map(move |(at, metres)| { Area::near(Position::new(turned(at.x), at.y), metres).unwrap() }),
        geometry().prop_map(|geometry| Area::shape(&geometry).unwrap()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_lies_in_an_area_has_a_box_that_meets_one_of_the_areas(area in area(), geometry in geometry()) {
        let boxes = boxes_of(&parts(&geometry));
        prop_assert!(boxes.len() <= ayni_store::MOST_BOXES);
        if area.contains(&geometry.into()) {
            let read = area.boxes();
            prop_assert!(boxes.iter().any(|one| read.iter().any(|other| boxes_meet(one, other))), "{boxes:?} {read:?}");
        }
    }

    #[test]
    fn to_meet_is_mutual_and_the_same_a_turn_further(one in geometry(), other in geometry(), turns in -2..3_i8) {
        let (ones, others) = (parts(&one), parts(&other));
        prop_assert!(meet(&ones, &ones));
        let met = meet(&ones, &others);
        prop_assert_eq!(met, meet(&others, &ones));
        let turned: Vec<Part> = others.iter().map(|part| part.turned(360.0 * f64::from(turns))).collect();
        prop_assert_eq!(met, meet(&ones, &turned));
    }

    #[test]
    fn the_distance_of_a_line_is_the_least_of_its_places(from in position(), ends in [position(), position()]) {
        const STEPS: u32 = 2_000;
        let from = (from.x, from.y);
        let [one, other] = ends;
        let line = Geometry::LineString(vec![one, other]);
        let found = distance(from, &parts(&line)).unwrap();
        let at = |step: u32| {
            let share = f64::from(step) / f64::from(STEPS);
            (one.x + (other.x - one.x) * share, one.y + (other.y - one.y) * share)
        };
        let tried = (0..=STEPS).map(|step| between(from, at(step))).fold(f64::INFINITY, f64::min);
        let step = DEGREE * (one.x - other.x).hypot(one.y - other.y) / f64::from(STEPS);
        prop_assert!(found <= tried + 0.01 && found >= tried - step, "{found} {tried} {step}");
    }
}
