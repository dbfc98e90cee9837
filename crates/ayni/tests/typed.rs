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
