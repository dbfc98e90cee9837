//! Queries by place over a database: boxes, shapes and what is nearest, with an index and without, across the date line and at
//! the poles.

mod support;

use ayni::doc::{Geometry, Map, Operation, Position, Value};
use ayni::query::{Area, Path, Query};
use ayni::{Collection, Document, DocumentId, Index};
use proptest::prelude::*;
use support::{Device, fields, team};

fn point(x: f64, y: f64) -> Value {
    Geometry::Point(Position::new(x, y)).into()
}

fn field() -> Path {
    "place".parse().unwrap()
}

fn index() -> Index {
    Index::geometry(field()).unwrap()
}

fn within(area: &str) -> Query {
    Query::default().within(field(), area.parse().unwrap())
}

fn near(x: f64, y: f64, kilometres: f64) -> Query {
    Query::default().within(field(), Area::near(Position::new(x, y), kilometres * 1_000.0).unwrap())
}

fn names(collection: &Collection, query: &Query) -> Vec<String> {
    let name = |document: &Document| document.get(&["name"]).unwrap().as_text().unwrap().to_owned();
    collection.query(query).unwrap().iter().map(name).collect()
}

fn filled() -> Device {
    let [device] = team();
    let made = device.project().write(|tx| {
        for (name, x, y) in [
            ("Cusco", -71.9675, -13.532),
            ("Lima", -77.0428, -12.0464),
            ("Puno", -70.0199, -15.8402),
            ("Suva", 178.4419, -18.1416),
            ("Apia", -171.7667, -13.8333),
            ("Alert", -62.3481, 82.5018),
            ("Longyearbyen", 15.6356, 78.2186),
            ("South Pole", 0.0, -90.0),
        ] {
            tx.create("places", fields([("name", name.into()), ("place", point(x, y))]))?;
        }
        let reef = Geometry::LineString(vec![Position::new(179.0, -16.0), Position::new(182.0, -17.0)]);
        tx.create("places", fields([("name", "Reef".into()), ("place", reef.into())]))?;
        tx.create("places", fields([("name", "Nowhere".into()), ("place", "unknown".into())]))?;
        tx.create("places", fields([("name", "Without".into())]))
    });
    made.unwrap();
    device
}

#[test]
fn places_are_found_in_boxes_and_by_distance_with_an_index_and_without() {
    let device = filled();
    let places = device.project().collection("places");
    let sorted = |query: &Query| {
        let mut names = names(&places, query);
        names.sort();
        names
    };
    for _ in 0..2 {
        assert_eq!(sorted(&within("-78,-14,-71,-12")), ["Cusco", "Lima"]);
        assert_eq!(sorted(&within("170,-20,-170,-10")), ["Apia", "Reef", "Suva"]);
        assert_eq!(sorted(&within("-179,-20,-170,-10")), ["Apia", "Reef"]);
        assert_eq!(sorted(&within("100,-90,101,-80")), ["South Pole"]);
        assert_eq!(sorted(&within("-180,-90,180,90")).len(), 9);
        assert_eq!(names(&places, &near(-71.9675, -13.532, 600.0)), ["Cusco", "Puno", "Lima"]);
        assert_eq!(names(&places, &near(180.0, -16.2, 300.0)), ["Reef", "Suva"]);
        assert_eq!(names(&places, &near(-120.0, 90.0, 2_000.0)), ["Alert", "Longyearbyen"]);
        assert_eq!(names(&places, &near(12.0, -90.0, 1.0)), ["South Pole"]);
        let nearest = near(-179.0, -14.0, f64::INFINITY);
        assert_eq!(names(&places, &nearest.clone().limit(3)), ["Reef", "Suva", "Apia"]);
        assert_eq!(names(&places, &nearest.skip(3).limit(1)), ["South Pole"]);
        places.create_index(index()).unwrap();
    }
}

#[test]
fn a_place_goes_together_with_words_a_selector_and_a_sort() {
    let device = filled();
    let places = device.project().collection("places");
    for _ in 0..2 {
        let west = within("-180,-90,0,90");
        let sorted = west.clone().sort("name:desc".parse().unwrap()).limit(3);
        assert_eq!(names(&places, &sorted), ["South Pole", "Reef", "Puno"]);
        assert_eq!(names(&places, &west.clone().search("cus* OR suva".parse().unwrap())), ["Cusco"]);
        let query = Query { selector: "name~^[A-L]".parse().unwrap(), ..near(-71.0, -13.0, 7_000.0) };
        assert_eq!(names(&places, &query), ["Cusco", "Lima"]);
        let found = places.query(&query).unwrap();
        let metres: Vec<f64> = found.iter().map(|document| query.metres_to(document).unwrap()).collect();
        assert!(metres[0] > 110_000.0 && metres[0] < 130_000.0 && metres.is_sorted(), "{metres:?}");
        places.create_index(index()).unwrap();
    }
}

#[test]
fn with_an_index_few_documents_are_looked_at() {
    let [device] = team();
    let made = device.project().write(|tx| {
        let at = |number: i64| point((number % 100) as f64 / 10.0, (number / 100) as f64 / 10.0);
        (0..2_000).try_for_each(|number| tx.create("places", fields([("place", at(number))])).map(drop))
    });
    made.unwrap();
    let places = device.project().collection("places");
    let looked_at = |query: &Query| {
        let how = places.explain(query).unwrap();
        (how.index.is_some(), how.documents, how.found)
    };
    assert_eq!(looked_at(&within("0.95,0.95,1.25,1.25")), (false, 2_000, 9));
    places.create_index(index()).unwrap();
    assert_eq!(looked_at(&within("0.95,0.95,1.25,1.25")), (true, 9, 9));
    let (by_index, documents, found) = looked_at(&near(1.01, 1.0, f64::INFINITY).limit(4));
    assert!(by_index && found == 4 && documents < 50, "{documents}");
}

#[test]
fn what_moves_or_is_deleted_is_found_where_it_is_now() {
    let device = filled();
    let (project, places) = (device.project(), device.project().collection("places"));
    places.create_index(index()).unwrap();
    let cusco = places.query(&near(-71.9675, -13.532, 1.0)).unwrap().remove(0);
    project.write(|tx| tx.edit(&cusco, vec![Operation::set("place", point(10.0, 10.0))])).unwrap();
    assert_eq!(names(&places, &near(-71.9675, -13.532, 1.0)), [""; 0]);
    assert_eq!(names(&places, &within("9,9,11,11")), ["Cusco"]);
    device.database.rebuild_views(|_| {}).unwrap();
    assert_eq!(names(&places, &within("9,9,11,11")), ["Cusco"]);
    let read = places.get(cusco.id()).unwrap().unwrap();
    project.write(|tx| tx.delete(&read)).unwrap();
    assert_eq!(names(&places, &within("9,9,11,11")), [""; 0]);
}

fn longitude() -> impl Strategy<Value = f64> {
    prop_oneof![2 => -180.0..180.0, 1 => 176.0..=180.0, 1 => -180.0..-176.0, 1 => prop::sample::select(vec![-180.0, 180.0])]
}

fn latitude() -> impl Strategy<Value = f64> {
    prop_oneof![2 => -90.0..90.0, 1 => 86.0..=90.0, 1 => -90.0..-86.0, 1 => prop::sample::select(vec![-90.0, 90.0])]
}

fn position() -> impl Strategy<Value = Position> {
    (longitude(), latitude()).prop_map(|(x, y)| Position::new(x, y))
}

fn line() -> impl Strategy<Value = Vec<Position>> {
    (position(), proptest::collection::vec((-6.0..6.0, -6.0..6.0), 2..5)).prop_map(|(first, steps)| {
        let step = |(x, y): (f64, f64)| Position::new(first.x + x, (first.y + y).clamp(-90.0, 90.0));
        std::iter::once(first).chain(steps.into_iter().map(step)).collect()
    })
}

fn geometry() -> impl Strategy<Value = Geometry> {
    prop_oneof![
        3 => position().prop_map(Geometry::Point),
        1 => line().prop_map(Geometry::LineString),
        1 => line().prop_map(Geometry::MultiPoint),
        1 => line().prop_map(|mut ring| {
            ring.extend(ring.first().copied());
            Geometry::Polygon(vec![ring])
        }),
    ]
}

fn area() -> impl Strategy<Value = Area> {
    prop_oneof![
        (longitude(), latitude(), longitude(), latitude()).prop_map(|(west, south, east, north)| {
            Area::within(west, south.min(north), east, south.max(north)).unwrap()
        }),
        (position(), prop_oneof![0.0..1e6, 0.0..2.1e7]).prop_map(|(at, metres)| Area::near(at, metres).unwrap()),
        geometry().prop_map(|geometry| Area::shape(&geometry).unwrap()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn an_index_changes_no_answer(
        geometries in proptest::collection::vec(geometry(), 60..120),
        areas in proptest::collection::vec((area(), prop::option::of(1..8_u64), 0..3_u64), 40),
    ) {
        let [device] = team();
        let document = |geometry: &Geometry| Map::from([("place".into(), geometry.clone().into())]);
        let made = device.project().write(|tx| {
            geometries.iter().try_for_each(|geometry| tx.create("places", document(geometry)).map(drop))
        });
        made.unwrap();
        let places = device.project().collection("places");
        let ids = |query: &Query| places.query(query).unwrap().iter().map(Document::id).collect::<Vec<DocumentId>>();
        let without: Vec<(Query, Vec<DocumentId>)> = areas.into_iter().map(|(area, limit, skip)| {
            let query = Query { limit, skip, ..Query::default() }.within(field(), area);
            (query.clone(), ids(&query))
        }).collect();
        places.create_index(index()).unwrap();
        for (query, without) in without {
            prop_assert_eq!(ids(&query), without, "{:?}", query);
        }
    }
}
