//! Schemas: who decides them, what they refuse and where, how fields merge under them, and the indexes they bring.

mod support;

use ayni::doc::{Operation, Value};
use ayni::query::Query;
use ayni::schema::{Proposal, Schema};
use ayni::{Collection, Error, Index, Project, Put, Role};
use support::{Device, create, eventually, fields, get, join, meet, read, rebuilt_equal, same, set, team};

fn schema(json: &str) -> Schema {
    json.parse().unwrap()
}

fn places(device: &Device) -> Collection {
    device.project().collection("places")
}

fn water() -> Schema {
    schema(
        r#"{"properties": {
            "name": {"type": "string", "maxLength": 10},
            "kind": {"enum": ["well", "spring"], "default": "well"},
            "depth": {"type": "number", "minimum": 0}
        }, "required": ["name"]}"#,
    )
}

fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(error @ Error::Invalid { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_breaks_the_schema_is_refused_on_every_device_and_names_the_field_and_the_rule() {
    let [ana, ben] = team();
    assert!(places(&ana).set_schema(&water()).unwrap());
    assert!(!places(&ana).set_schema(&water()).unwrap());
    meet(&ana.database, &ben.database);
    assert_eq!(*places(&ben).schema().unwrap().unwrap(), water());
    let project = ben.project();
    let wrong = || fields([("kind", "lake".into()), ("depth", Value::Int(-1))]);
    let told = refusal(project.write(|tx| tx.create("places", wrong())));
    assert_eq!(
        told,
        "not as the schema of \"places\" says: `name` is required; `depth` must be at least 0, not -1; `kind` must be \
         \"well\" or \"spring\", not \"lake\""
    );
    refusal(project.write(|tx| tx.put("places", "key", wrong())));
    assert_eq!(places(&ben).len().unwrap(), 0);
    // In other collections there is no such rule.
    project.write(|tx| tx.create("notes", wrong())).unwrap();

    let id = create(&project, fields([("name", "Inca".into())]));
    assert_eq!(get(&project, id, "kind"), Some("well".into()), "the default was put in");
    let document = read(&project, id);
    refusal(project.write(|tx| tx.replace(&document, fields([("kind", "well".into())]))));
    refusal(project.write(|tx| tx.put_existing("places", id, &fields([("name", "much too long".into())]))));
    refusal(project.write(|tx| tx.edit(&document, vec![Operation::unset("name")])));
    refusal(project.write(|tx| tx.edit(&document, vec![Operation::set("depth", "deep".into())])));
    let selector = "name=Inca".parse().unwrap();
    refusal(places(&ben).edit_where(&selector, &[Operation::set("depth", Value::Int(-5))], |_| ()));
    project.write(|tx| tx.edit(&document, vec![Operation::set("depth", Value::Float(2.5))])).unwrap();
    assert_eq!(read(&project, id).fields().len(), 3);
}

#[test]
fn only_a_coordinator_decides_a_schema() {
    let [ana, ben] = team();
    let refused = places(&ben).set_schema(&water());
    assert!(matches!(refused, Err(Error::Role { .. })), "{refused:?}");
    assert_eq!(places(&ben).propose_schema(&water()).unwrap(), Proposal::Waits);
    assert_eq!(places(&ben).schema().unwrap(), None);
    assert_eq!(places(&ana).propose_schema(&water()).unwrap(), Proposal::Decided);
    assert_eq!(places(&ana).propose_schema(&water()).unwrap(), Proposal::Stands);
    meet(&ana.database, &ben.database);
    assert_eq!(places(&ben).propose_schema(&water()).unwrap(), Proposal::Stands);
    // Code of the same number changes nothing, code of a greater one does.
    assert_eq!(places(&ana).propose_schema(&schema("{}")).unwrap(), Proposal::Stands);
    assert_eq!(places(&ana).propose_schema(&schema(r#"{"version": 1}"#)).unwrap(), Proposal::Decided);
    assert_eq!(places(&ana).schema().unwrap().unwrap().version(), 1);
}

#[test]
fn what_others_wrote_before_they_knew_the_schema_is_taken_and_can_be_edited() {
    let [ana, ben] = team();
    let old = create(&ben.project(), fields([("depth", Value::Int(-3)), ("note", "left alone".into())]));
    places(&ana).set_schema(&water()).unwrap();
    meet(&ana.database, &ben.database);
    assert!(same(&[&ana.project(), &ben.project()]));
    // One rule that is broken stays broken, no further one may be.
    set(&ana.project(), old, "note", "changed");
    let document = read(&ana.project(), old);
    refusal(ana.project().write(|tx| tx.edit(&document, vec![Operation::set("depth", Value::Int(-4))])));
    refusal(ana.project().write(|tx| tx.edit(&document, vec![Operation::set("kind", "lake".into())])));
    ana.project().write(|tx| tx.edit(&document, vec![Operation::set("name", "Inca".into())])).unwrap();

    let mut found = Vec::new();
    let visit = |document: ayni::Document, violations: Vec<_>| {
        found.push((document.id(), violations.len()));
        Ok(std::ops::ControlFlow::Continue(()))
    };
    places(&ana).violations(&water(), visit).unwrap();
    assert_eq!(found, [(old, 1)]);
    rebuilt_equal(&ana.database);
}

#[test]
fn fields_merge_as_the_schema_says() {
    let [ana, ben] = team();
    let kinds = r#"{"properties": {
        "visits": {"merge": "counter"}, "tags": {"merge": "set"}, "deepest": {"merge": "max"}, "least": {"merge": "min"},
        "found": {"merge": "first"}, "stay": {"properties": {"nights": {"merge": "counter"}}}
    }}"#;
    places(&ana).set_schema(&schema(kinds)).unwrap();
    let number = Value::Int;
    let document = || {
        let tags = vec!["a".into(), "b".into()];
        let stay = fields([("nights", number(1))]);
        fields([("visits", number(10)), ("tags", tags.into()), ("deepest", number(5)), ("stay", Value::Map(stay))])
    };
    let (id, put) = ana.project().write(|tx| tx.put("places", "Inca", document())).unwrap();
    assert_eq!(put, Put::Created);
    meet(&ana.database, &ben.database);
    let save = |device: &Device, at: i64, by: i64, tags: [&str; 2]| {
        device.clock.set_ahead(at);
        let project = device.project();
        let mut all = read(&project, id).fields();
        all.insert("visits".into(), number(10 + by));
        all.insert("tags".into(), tags.into_iter().map(Value::from).collect::<Vec<_>>().into());
        all.insert("stay".into(), Value::Map(fields([("nights", number(1 + by))])));
        project.write(|tx| tx.put("places", "Inca", all)).unwrap();
        for field in ["deepest", "least", "found"] {
            let document = read(&project, id);
            project.write(|tx| tx.edit(&document, vec![Operation::set(field, number(by))])).unwrap();
        }
    };
    save(&ana, -60_000, 7, ["a", "c"]);
    save(&ben, 60_000, 20, ["b", "d"]);
    meet(&ana.database, &ben.database);
    for device in [&ana, &ben] {
        let shown = read(&device.project(), id);
        assert!(!shown.has_conflicts(), "{:?}", shown.to_json());
        let at = |field: &str| shown.get(&[field]);
        assert_eq!((at("visits"), at("stay")), (Some(number(37)), Some(Value::Map(fields([("nights", number(28))])))));
        assert_eq!(at("tags"), Some(vec!["c".into(), "d".into()].into()));
        assert_eq!((at("deepest"), at("least"), at("found")), (Some(number(20)), Some(number(7)), Some(number(7))));
    }
    rebuilt_equal(&ben.database);
}

#[test]
fn a_document_made_under_one_key_on_two_devices_counts_once() {
    let [ana, ben] = team();
    places(&ana).set_schema(&schema(r#"{"properties": {"visits": {"merge": "counter"}}}"#)).unwrap();
    meet(&ana.database, &ben.database);
    let put = |project: Project| {
        project.write(|tx| tx.put("places", "Inca", fields([("visits", Value::Int(10))]))).unwrap().0
    };
    let id = put(ana.project());
    put(ben.project());
    meet(&ana.database, &ben.database);
    assert_eq!(get(&ben.project(), id, "visits"), Some(Value::Int(10)));
    assert!(!read(&ben.project(), id).has_conflicts());
}

fn fill(project: &Project, count: i64) {
    for from in (0..count).step_by(3_000) {
        let numbers = from..count.min(from + 3_000);
        let document = |number: i64| fields([("number", Value::Int(number)), ("group", Value::Int(number % 10))]);
        project.write(|tx| numbers.clone().try_for_each(|n| tx.create("places", document(n)).map(drop))).unwrap();
    }
}

fn index_read(collection: &Collection, selector: &str) -> Option<String> {
    let query = Query::new(selector.parse().unwrap());
    collection.explain(&query).unwrap().index.map(|index| index.to_string())
}

#[test]
fn a_schema_brings_its_indexes_to_every_device_and_takes_away_those_of_the_one_before() {
    let [ana, ben] = team();
    fill(&ana.project(), 9_000);
    meet(&ana.database, &ben.database);
    places(&ben).create_index("group").unwrap();
    places(&ana).set_schema(&schema(r#"{"indexes": ["number", "group"]}"#)).unwrap();
    meet(&ana.database, &ben.database);
    let complete = |device: &Device, selector: &str, index: &str| {
        eventually(&format!("the index {index}"), || index_read(&places(device), selector).as_deref() == Some(index));
        assert_eq!(places(device).count(&selector.parse().unwrap()).unwrap(), 1);
    };
    for device in [&ana, &ben] {
        complete(device, "number=8999", "number");
    }
    let refused = places(&ben).drop_index("number");
    assert!(matches!(refused, Err(Error::IndexOfSchema(..))), "{refused:?}");

    places(&ana).set_schema(&schema(r#"{"indexes": ["group,number"]}"#)).unwrap();
    meet(&ana.database, &ben.database);
    for device in [&ana, &ben] {
        complete(device, "group=9 number=8999", "group,number");
    }
    let index = |text: &str| -> Index { text.parse().unwrap() };
    assert_eq!(places(&ana).indexes().unwrap(), [index("group,number")]);
    assert_eq!(places(&ben).indexes().unwrap(), [index("group"), index("group,number")], "the device's own stays");
}

#[test]
fn of_schemas_that_were_decided_at_once_all_devices_take_the_same_until_somebody_decides_anew() {
    let [ana, ben] = team();
    let eva = Device::new("Eva");
    join(&eva, &ana.project(), Role::Coordinator);
    meet(&ana.database, &ben.database);
    let numbered = |version: u64, most: u64| {
        schema(&format!(r#"{{"version": {version}, "properties": {{"name": {{"maxLength": {most}}}}}}}"#))
    };
    places(&ana).set_schema(&numbered(1, 5)).unwrap();
    places(&eva).set_schema(&numbered(2, 6)).unwrap();
    meet(&ana.database, &eva.database);
    meet(&ana.database, &ben.database);
    for device in [&ana, &ben, &eva] {
        assert_eq!(*places(device).schema().unwrap().unwrap(), numbered(2, 6));
        assert_eq!(places(device).schemas_passed_over().unwrap().len(), 1);
    }
    // Deciding what holds already settles it.
    assert!(places(&ana).set_schema(&numbered(2, 6)).unwrap());
    meet(&ana.database, &ben.database);
    assert_eq!(places(&ben).schemas_passed_over().unwrap(), []);
    assert_eq!(*places(&ben).schema().unwrap().unwrap(), numbered(2, 6));
}

#[test]
fn a_schema_holds_after_the_device_was_restarted_and_in_another_process() {
    let [device] = team();
    let beside = device.open_beside();
    let other = beside.projects().unwrap().remove(0).collection("places");
    assert_eq!(other.schema().unwrap(), None);
    places(&device).set_schema(&water()).unwrap();
    beside.refresh().unwrap();
    assert_eq!(other.schema().unwrap().as_deref(), Some(&water()));
    drop((other, beside));
    let device = device.restart();
    assert_eq!(places(&device).schema().unwrap().as_deref(), Some(&water()));
    refusal(device.project().write(|tx| tx.create("places", fields([]))));
}

#[test]
fn a_schema_that_nobody_can_send_is_refused() {
    let [device] = team();
    let description = "a".repeat(270_000);
    let large = schema(&serde_json::json!({ "description": description }).to_string());
    let refused = places(&device).set_schema(&large);
    assert!(matches!(refused, Err(Error::SchemaTooLarge(_))), "{refused:?}");
    assert_eq!(places(&device).schema().unwrap(), None);
}
