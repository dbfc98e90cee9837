//! Collections of a program's own types: what is read and written, and what the type does not know.

mod support;

use ayni::doc::{Operation, Value};
use ayni::{Error, Put, Typed};
use serde::{Deserialize, Serialize};
use support::{create, fields, meet, read, set, team};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Well {
    name: String,
    depth: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(default)]
    address: Address,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Address {
    city: String,
}

fn inca() -> Well {
    Well { name: "Inca".into(), depth: 12.0, owner: Some("Ana".into()), address: Address { city: "Cusco".into() } }
}

#[test]
fn a_value_reads_back_as_it_was_written() {
    let [device] = team();
    let project = device.project();
    let wells: Typed<Well> = project.collection("places").typed();
    let id = project.write(|tx| wells.create(tx, &inca())).unwrap();
    assert_eq!(wells.get(id).unwrap().unwrap().into_value(), inca());
    assert_eq!(read(&project, id).get(&["depth"]), Some(Value::Float(12.0)));
    let found = wells.query(&"address.city=Cusco".parse().unwrap()).unwrap();
    assert_eq!(found.iter().map(|well| (well.id(), well.name.as_str())).collect::<Vec<_>>(), [(id, "Inca")]);
    assert!(wells.get_by_key("none").unwrap().is_none());
}

#[test]
fn saving_changes_what_was_changed_and_keeps_what_the_type_does_not_know() {
    let [ana, ben] = team();
    let (project, theirs) = (ana.project(), ben.project());
    let wells: Typed<Well> = project.collection("places").typed();
    let id = project.write(|tx| wells.create(tx, &inca())).unwrap();
    let unknown =
        vec![Operation::set("pump", "hand".into()), Operation::set_at("address.street".parse().unwrap(), "Sol".into())];
    project.write(|tx| tx.edit(&read(&project, id), unknown)).unwrap();
    meet(&ana.database, &ben.database);

    let mut well = wells.get(id).unwrap().unwrap();
    set(&theirs, id, "name", "Qori");
    meet(&ana.database, &ben.database);
    well.depth = 13.5;
    well.owner = None;
    well.address.city = "Qosqo".into();
    project.write(|tx| wells.save(tx, &well)).unwrap();
    meet(&ana.database, &ben.database);
    let shown = read(&theirs, id);
    assert!(!shown.has_conflicts());
    let expected = serde_json::json!({
        "address": {"city": "Qosqo", "street": "Sol"}, "depth": 13.5, "name": "Qori", "pump": "hand"
    });
    assert_eq!(shown.to_json(), expected);

    // The same field, written by both without having seen each other's.
    let mut well = wells.get(id).unwrap().unwrap();
    well.depth = 14.0;
    set(&theirs, id, "depth", Value::Float(15.0));
    project.write(|tx| wells.save(tx, &well)).unwrap();
    meet(&ana.database, &ben.database);
    assert_eq!(read(&project, id).conflicts().len(), 1);
}

#[test]
fn a_value_put_under_a_key_changes_what_differs() {
    let [device] = team();
    let project = device.project();
    let wells: Typed<Well> = project.collection("places").typed();
    let put = |well: &Well| project.write(|tx| wells.put(tx, "inca", well)).unwrap();
    let (id, made) = put(&inca());
    assert_eq!(made, Put::Created);
    set(&project, id, "pump", "hand");
    assert_eq!(put(&inca()), (id, Put::Unchanged));
    let sold = Well { owner: None, ..inca() };
    assert_eq!(put(&sold), (id, Put::Updated));
    assert_eq!(wells.get_by_key("inca").unwrap().unwrap().into_value(), sold);
    let shown = read(&project, id);
    assert_eq!((shown.get(&["owner"]), shown.get(&["pump"])), (None, Some("hand".into())));
}

#[test]
fn what_is_no_value_of_the_type_is_told_with_the_document() {
    let [device] = team();
    let project = device.project();
    let id = create(&project, fields([("name", Value::Int(5))]));
    let wells: Typed<Well> = project.collection("places").typed();
    let Err(Error::Typed { id: Some(told), why, .. }) = wells.get(id) else { panic!("it is no well") };
    assert!(told == id && why.contains("expected a string"), "{why}");
    assert!(matches!(wells.query(&"name=5".parse().unwrap()), Err(Error::Typed { .. })));
    let numbers: Typed<u32> = project.collection("places").typed();
    let refused = project.write(|tx| numbers.create(tx, &5));
    assert!(matches!(refused, Err(Error::Typed { id: None, .. })), "{refused:?}");
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Source {
    Rain,
    Depth(u16),
    Place(f64, f64),
    Owned { by: String, since: i64 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Id(u64);

/// Something of everything that serde knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    integers: Vec<i64>,
    small: (i8, u8, i128),
    id: Id,
    floats: Vec<f64>,
    single: f32,
    letter: char,
    unit: Unit,
    nothing: Option<Box<Everything>>,
    something: Option<i64>,
    sources: Vec<Source>,
    by_number: std::collections::BTreeMap<i64, Source>,
    by_flag: std::collections::BTreeMap<bool, Option<f64>>,
    place: serde_json::Value,
    #[serde(flatten)]
    rest: std::collections::BTreeMap<String, serde_json::Value>,
}

fn everything() -> Everything {
    Everything {
        integers: vec![0, -1, (1 << 53) + 1, i64::MAX, i64::MIN],
        small: (-128, 255, 1 << 60),
        id: Id(i64::MAX as u64),
        floats: vec![0.0, -0.5, 1e300, f64::INFINITY, f64::NEG_INFINITY, 3.0],
        single: 0.1,
        letter: '水',
        unit: Unit,
        nothing: None,
        something: Some(i64::MIN),
        sources: vec![
            Source::Rain,
            Source::Depth(7),
            Source::Place(-71.97, -13.53),
            Source::Owned { by: "Ana".into(), since: 1_700_000_000_000_000_000 },
        ],
        by_number: [(-5, Source::Rain), (i64::MAX, Source::Depth(1))].into(),
        by_flag: [(true, Some(f64::INFINITY)), (false, None)].into(),
        place: serde_json::json!({ "type": "Point", "coordinates": [-71.97, -13.53] }),
        rest: [("more".to_owned(), serde_json::json!([1, { "a": i64::MAX }, null]))].into(),
    }
}

#[test]
fn whatever_serde_knows_reads_back_as_it_was_written() {
    let [device] = team();
    let project = device.project();
    let all: Typed<Everything> = project.collection("places").typed();
    let written = Everything { nothing: Some(Box::new(everything())), ..everything() };
    let id = project.write(|tx| all.create(tx, &written)).unwrap();
    assert_eq!(all.get(id).unwrap().unwrap().into_value(), written);
    let shown = read(&project, id);
    assert_eq!(shown.get(&["something"]), Some(Value::Int(i64::MIN)));
    assert!(matches!(shown.get(&["place"]), Some(Value::Geometry(_))), "{shown:?}");
    assert_eq!(shown.get(&["by_flag", "true"]), Some(Value::Float(f64::INFINITY)));

    let not_a_number = Everything { floats: vec![f64::NAN], ..everything() };
    let id = project.write(|tx| all.create(tx, &not_a_number)).unwrap();
    assert!(all.get(id).unwrap().unwrap().floats[0].is_nan());
}

#[test]
fn but_for_numbers_it_is_written_as_json_would_be() {
    let [device] = team();
    let project = device.project();
    let all: Typed<Everything> = project.collection("places").typed();
    let plain = Everything { floats: vec![0.5], by_flag: [(true, Some(2.0))].into(), ..everything() };
    let id = project.write(|tx| all.create(tx, &plain)).unwrap();
    let json = Value::from_json(&serde_json::to_value(&plain).unwrap()).unwrap();
    assert_eq!(Value::Map(read(&project, id).fields()), json);
}

#[test]
fn what_cannot_be_written_or_read_is_said() {
    let [device] = team();
    let project = device.project();
    let ids = project.collection("places").typed::<std::collections::BTreeMap<String, u64>>();
    let refused = project.write(|tx| ids.create(tx, &[("id".to_owned(), u64::MAX)].into())).unwrap_err();
    assert!(refused.to_string().contains("the integer 18446744073709551615 is too large"), "{refused}");
    for (value, why) in [
        (Value::from("three"), "invalid type: string \"three\", expected i64"),
        (Value::from(1.5), "expected i64"),
        (Value::Null, "expected i64"),
    ] {
        let id = create(&project, fields([("number", value)]));
        let refused = project.collection("places").typed::<std::collections::BTreeMap<String, i64>>().get(id);
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(why) && refused.contains(&id.to_string()), "{refused}");
    }
    let id = create(&project, fields([("source", "Snow".into())]));
    let refused = project.collection("places").typed::<std::collections::BTreeMap<String, Source>>().get(id);
    assert!(refused.unwrap_err().to_string().contains("unknown variant `Snow`, expected one of `Rain`"));
}
