//! `ayni schema`: deciding one, what it refuses, and what it finds.

use ayni::doc::{Map, Operation};
use ayni::{ConflictHandler, Database, Options};

use crate::support::Device;

const WATER: &str = r#"{
    "title": "Water",
    "properties": {
        "name": {"type": "string", "maxLength": 10},
        "kind": {"enum": ["well", "spring"], "default": "well"},
        "visits": {"type": "integer", "merge": "counter"},
        "address": {"properties": {"city": {"type": "string"}}}
    },
    "required": ["name"],
    "indexes": ["name", ["kind", "visits"]]
}"#;

#[test]
fn a_schema_is_decided_shown_and_kept_to() {
    let device = Device::with_project("Ana");
    device.ok(&["put", "places", "depth=3"]);
    device.refused(&["schema", "show", "places"], 1, "has no schema");
    let file = device.file("water.json", WATER);
    let set = device.run(&["schema", "set", "places", &file]);
    assert_eq!(set.code, 0, "{}", set.err);
    assert!(set.err.contains("1 document of places is not as it says") && set.err.contains("ayni schema check places"));
    let again = device.json(&["schema", "set", "places", &file]);
    assert_eq!((again["decided"].as_bool(), again["otherwise"].as_u64()), (Some(false), Some(1)));

    let shown = device.ok(&["schema", "show", "places"]);
    for told in ["Water", "required; at most 10 characters", "one of \"well\", \"spring\"; else \"well\"", "counter"] {
        assert!(shown.contains(told), "{told} is not in\n{shown}");
    }
    assert!(shown.contains("address.city") && shown.contains("index on kind,visits"), "{shown}");
    assert_eq!(device.json(&["schema", "show", "places"])["properties"]["visits"]["merge"], "counter");

    device.refused(&["put", "places", "name=Inca", "kind=lake"], 1, r#"`kind` must be "well" or "spring", not "lake""#);
    let id = device.ok(&["put", "places", "name=Inca", "visits=1"]).trim().to_owned();
    assert_eq!(device.json(&["get", "places", &id])["kind"], "well");
    device.refused(&["edit", "places", &id, "name=much too long"], 1, "at most 10 characters");
    let bad =
        device.run(&["import", &device.file("wells.csv", "name\nPuno\nmuch too long\n"), "--collection", "places"]);
    assert!(bad.code == 1 && bad.err.contains("at most 10 characters"), "{}", bad.err);

    let check = device.run(&["schema", "check", "places"]);
    assert!(check.code == 1 && check.out.contains("`name` is required"), "{}", check.out);
    let all = device.run(&["schema", "check", "places", &device.file("any.json", "{}")]);
    assert_eq!((all.code, all.out.as_str()), (0, ""));
}

#[test]
fn what_is_no_schema_is_refused_and_says_why() {
    let device = Device::with_project("Ana");
    let set = |text: &str, told: &str| {
        device.refused(&["schema", "set", "places", &device.file("schema.json", text)], 1, told);
    };
    set("{", "the schema is no JSON");
    set(r#"{"fields": {}}"#, "the fields stand in \"properties\"");
    set(r#"{"properties": {"a": {"type": "text"}}}"#, "in `a`: \"type\" takes");
    set(r#"{"indexes": ["_id"]}"#, "no index on `_id`");
    device.refused(&["schema", "set", "places", "missing.json"], 1, "cannot be read");
    device.refused(&["schema", "check", "places"], 1, "has no schema");
}

#[test]
fn what_the_conflict_handler_of_a_program_settled_is_told_and_can_be_settled_otherwise() {
    let device = Device::with_project("Ana");
    device.refused(
        &["schema", "set", "places", &device.file("bad.json", r#"{"conflictHandler": {"name": "longest"}}"#)],
        1,
        "\"conflictHandler\" takes the name and version of a handler",
    );
    let schema = device.file("schema.json", r#"{"conflictHandler": {"name": "longest", "version": 1}}"#);
    device.ok(&["schema", "set", "places", &schema]);
    let shown = device.ok(&["schema", "show", "places"]);
    assert!(shown.contains("settled by the handler longest, version 1, in programs that have it"), "{shown}");
    let id = device.ok(&["put", "places", "name=Cusco", "people=1"]).trim().to_owned();

    // A program of its own on the same folder: what it writes twice from one reading has not seen each other.
    let open = |options: Options| Database::open(&device.folder(), options).unwrap();
    let options = Options::new(device.path("keys"));
    let without = open(options.clone()).project("Mapa").unwrap();
    let read = without.collection("places").get(id.parse().unwrap()).unwrap().unwrap();
    for name in ["Cuzco", "Qosqo llaqta"] {
        without.write(|tx| tx.edit(&read, vec![Operation::set("name", name.into())])).unwrap();
    }
    drop(without);
    let conflicts = device.run(&["conflicts"]);
    assert!(conflicts.code == 1 && conflicts.err.contains("the handler longest, version 1"), "{}", conflicts.err);

    let longest = ConflictHandler::new("longest", 1, |sides| {
        let name = |side: &Map| side["name"].as_text().map(str::len);
        Ok(if name(sides.theirs) > name(sides.ours) { sides.theirs } else { sides.ours }.clone())
    });
    drop(open(options.conflict_handler(longest)));
    device.ok(&["conflicts"]);
    assert_eq!(device.json(&["get", "places", &id])["name"], "Qosqo llaqta");
    let shown = device.ok(&["show", "places", &id]);
    assert!(shown.contains("settled by the conflict handler longest, version 1"), "{shown}");
    let json = device.json(&["show", "places", &id]);
    assert_eq!((&json["handled"]["name"], json["conflicts"].as_array().map(Vec::len)), (&"longest".into(), Some(0)));
    assert_eq!(json["handled"]["conflicts"][0]["values"].as_array().map(Vec::len), Some(2));

    let settled = device.json(&["settle", "places", &id, "name", "--value", "Cozco"]);
    assert_eq!((settled["settled"].as_u64(), settled["left"].as_u64()), (Some(1), Some(0)));
    let json = device.json(&["show", "places", &id]);
    assert!(json["handled"].is_null() && json["fields"][0]["value"] == "Cozco", "{json}");
}
