//! Conflict handlers: a program's own word on what concurrent edits become.

mod support;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ayni::doc::{Map, Operation, Value};
use ayni::query::Query;
use ayni::schema::Schema;
use ayni::{
    ConflictHandler, Database, Document, DocumentId, HandlerError, HandlerId, Index, Project, Sides, Tokenizer,
};
use support::{Device, create, eventually, fields, get, meet, read, rebuilt_equal, same, set, set_in, team};

/// A handler by the name that the tests' schemas give.
fn handler(
    version: u64,
    resolve: impl Fn(&Sides<'_>) -> Result<Map, HandlerError> + Send + Sync + 'static,
) -> ConflictHandler {
    ConflictHandler::new("places", version, resolve)
}

/// The later of both by the field `updated`, whole.
fn latest() -> ConflictHandler {
    handler(1, |sides| {
        let updated = |side: &Map| side.get("updated").and_then(Value::as_int);
        Ok(if updated(sides.theirs) > updated(sides.ours) { sides.theirs } else { sides.ours }.clone())
    })
}

/// Both names, in the order of the sides.
fn both() -> ConflictHandler {
    handler(1, |sides| joined(sides, "+"))
}

fn joined(sides: &Sides<'_>, between: &str) -> Result<Map, HandlerError> {
    let name = |side: &Map| side.get("name").and_then(Value::as_text).unwrap_or_default().to_owned();
    let mut all = sides.merged.clone();
    all.insert("name".into(), format!("{}{between}{}", name(sides.ours), name(sides.theirs)).into());
    Ok(all)
}

fn with(device: Device, handler: ConflictHandler) -> Device {
    device.restart_as(|options| options.conflict_handler(handler))
}

/// The folder of a device, opened by one more program, which has the handler.
fn beside(device: &Device, handler: ConflictHandler) -> Database {
    Database::open(&device.path(), support::options(device.folder.path(), &device.clock).conflict_handler(handler))
        .unwrap()
}

fn decide(project: &Project, json: &str) {
    let schema: Schema = json.parse().unwrap();
    assert!(project.collection("places").set_schema(&schema).unwrap());
}

const NAMED: &str = r#"{"conflictHandler": {"name": "places", "version": 1}}"#;

/// Three devices in one project whose schema names the handler: two of them have it, the last has not.
fn trio(handler: &ConflictHandler, schema: &str) -> [Device; 3] {
    let [ana, ben, without] = team();
    decide(&ana.project(), schema);
    let [ana, ben] = [ana, ben].map(|device| with(device, handler.clone()));
    meet(&ana.database, &ben.database);
    meet(&ana.database, &without.database);
    [ana, ben, without]
}

/// Lets all devices meet until all hold the same.
fn meet_all(devices: &[&Device]) {
    for _ in 0..2 {
        devices.windows(2).for_each(|pair| meet(&pair[0].database, &pair[1].database));
    }
}

fn int(value: i64) -> Value {
    Value::Int(value)
}

fn name(project: &Project, id: DocumentId) -> Option<String> {
    Some(get(project, id, "name")?.as_text()?.to_owned())
}

/// Two devices set the name apart, and all meet.
fn part(devices: &[&Device; 3], id: DocumentId) {
    set(&devices[0].project(), id, "name", "Cuzco");
    set(&devices[1].project(), id, "name", "Qosqo");
    meet_all(devices);
}

fn conflicted(device: &Device) -> usize {
    device.project().collection("places").conflicted().unwrap().len()
}

#[test]
fn the_examples_of_rxdb_do_here_what_they_do_there() {
    // Its default: of two states that are not equal one is dropped. Equal ones are no conflict.
    let asked = Arc::new(AtomicU64::new(0));
    let count = asked.clone();
    let default = handler(1, move |sides| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(sides.ours.clone())
    });
    let [ana, ben, without] = trio(&default, NAMED);
    let id = create(&ana.project(), fields([("name", "Cusco".into()), ("people", int(1))]));
    meet_all(&[&ana, &ben, &without]);
    for device in [&ana, &ben] {
        set(&device.project(), id, "name", "Cuzco");
    }
    meet(&ana.database, &ben.database);
    assert_eq!(asked.load(Ordering::Relaxed), 0, "equal states");
    set_in(&ana.project(), &read(&ana.project(), id), "name", "Qosqo");
    let mut other = read(&ben.project(), id).fields();
    other.extend([("name".into(), "Cozco".into()), ("people".into(), int(2))]);
    ben.project().write(|tx| tx.replace(&read(&ben.project(), id), other)).unwrap();
    meet_all(&[&ana, &ben, &without]);
    let shown = read(&ana.project(), id).fields();
    assert!(["Qosqo", "Cozco"].map(Value::from).contains(&shown["name"]));
    assert_eq!(shown["people"], int(if shown["name"] == "Cozco".into() { 2 } else { 1 }), "one state, whole");
    assert_eq!(read(&ben.project(), id).fields(), shown);
    assert!(asked.load(Ordering::Relaxed) > 0);

    // What it recommends beside: by the time of an edit, and by merging properties.
    for (resolve, expected) in [(latest(), "Qosqo"), (both(), "Cuzco+Qosqo|Qosqo+Cuzco")] {
        let [ana, ben, without] = trio(&resolve, NAMED);
        let id = create(&ana.project(), fields([("name", "Cusco".into()), ("updated", int(1))]));
        meet_all(&[&ana, &ben, &without]);
        // Who edits later by the field has the earlier clock, which decides nothing here.
        for (device, name, updated, clock) in [(&ana, "Cuzco", 2, 60_000), (&ben, "Qosqo", 3, -60_000)] {
            device.clock.set_ahead(clock);
            let all = fields([("name", name.into()), ("updated", int(updated))]);
            device.project().write(|tx| tx.replace(&read(&device.project(), id), all)).unwrap();
        }
        meet_all(&[&ana, &ben, &without]);
        let shown = name(&ana.project(), id).unwrap();
        assert!(expected.split('|').any(|one| one == shown), "{shown}");
        assert_eq!(read(&ben.project(), id).fields(), read(&ana.project(), id).fields());
        assert_eq!(name(&without.project(), id).as_deref(), Some("Cuzco"), "without it the latest clock");
    }
}

#[test]
fn with_the_handler_there_is_no_conflict_and_without_it_there_is() {
    let [ana, ben, without] = trio(&both(), NAMED);
    let id = create(&ana.project(), fields([("name", "Cusco".into())]));
    meet_all(&[&ana, &ben, &without]);
    part(&[&ana, &ben, &without], id);
    let id_of_handler = HandlerId { name: "places".into(), version: 1 };
    for device in [&ana, &ben] {
        let document = read(&device.project(), id);
        assert_eq!((document.has_conflicts(), document.conflicts().len(), conflicted(device)), (false, 0, 0));
        assert_eq!(document.handled_by().as_ref(), Some(&id_of_handler));
        assert_eq!(document.handled_conflicts(), read(&without.project(), id).conflicts());
    }
    let document = read(&without.project(), id);
    assert_eq!((document.conflicts().len(), conflicted(&without), document.handled_by()), (1, 1, None));
    // What was merged is the same on all of them.
    assert!(same(&[&ana.project(), &ben.project(), &without.project()]));
    let shown = read(&ben.project(), id);
    rebuilt_equal(&ben.database);
    assert_eq!(read(&ben.project(), id).fields(), shown.fields());
}

#[test]
fn the_answer_is_the_same_in_whatever_order_the_edits_came() {
    let [ana, ben, without] = trio(&both(), NAMED);
    let all = [&ana, &ben, &without];
    // Each has entries of its own before those of others come.
    for device in all {
        create(&device.project(), fields([("name", "Puno".into())]));
    }
    let id = create(&ana.project(), fields([("name", "Cusco".into())]));
    meet_all(&all);
    for (device, name) in all.iter().zip(["Cuzco", "Qosqo", "Cozco"]) {
        set(&device.project(), id, "name", name);
    }
    meet_all(&all);
    let made = name(&ana.project(), id).unwrap();
    assert_eq!(made.split('+').count(), 3, "{made}");
    assert_eq!(name(&ben.project(), id), Some(made));
}

#[test]
fn the_next_edit_writes_down_what_the_handler_made_and_no_device_has_a_conflict_any_more() {
    let ways: [fn(&Project, &Document); 4] = [
        |project, document| project.write(|tx| tx.edit(document, vec![Operation::set("people", int(5))])).unwrap(),
        |project, document| set_in(project, document, "people", 5),
        |project, document| {
            let mut all = document.fields();
            all.insert("people".into(), int(5));
            project.write(|tx| tx.put_existing("places", document.id(), &all)).unwrap();
        },
        |project, document| {
            project
                .write(|tx| {
                    tx.edit(document, vec![])?;
                    let current = tx.get("places", document.id())?.unwrap();
                    assert!(current.handled_by().is_none() && !current.has_conflicts());
                    tx.edit(&current, vec![Operation::set("people", int(5))])
                })
                .unwrap();
        },
    ];
    // One that makes something else, and one that makes what is shown without it.
    let handlers = [both(), handler(1, |sides| Ok(sides.merged.clone()))];
    for (write, handler) in ways.iter().flat_map(|write| handlers.iter().map(move |handler| (write, handler))) {
        let [ana, ben, without] = trio(handler, NAMED);
        let id = create(&ana.project(), fields([("name", "Cusco".into())]));
        meet_all(&[&ana, &ben, &without]);
        part(&[&ana, &ben, &without], id);
        let shown = read(&ben.project(), id);
        write(&ben.project(), &shown);
        meet_all(&[&ana, &ben, &without]);
        for device in [&ana, &ben, &without] {
            let document = read(&device.project(), id);
            assert_eq!((document.has_conflicts(), document.handled_by(), conflicted(device)), (false, None, 0));
            assert_eq!((document.get(&["name"]), document.get(&["people"])), (shown.get(&["name"]), Some(int(5))));
        }
        assert!(same(&[&ana.project(), &ben.project(), &without.project()]));
    }
}

#[test]
fn a_device_without_the_handler_can_settle_by_hand_and_that_holds_for_all() {
    let [ana, ben, without] = trio(&both(), NAMED);
    let id = create(&ana.project(), fields([("name", "Cusco".into())]));
    meet_all(&[&ana, &ben, &without]);
    part(&[&ana, &ben, &without], id);
    set(&without.project(), id, "name", "Cozco");
    meet_all(&[&ana, &ben, &without]);
    for device in [&ana, &ben, &without] {
        assert_eq!(name(&device.project(), id).as_deref(), Some("Cozco"));
        assert!(!read(&device.project(), id).has_conflicts() && read(&device.project(), id).handled_by().is_none());
    }
}

#[test]
fn what_is_written_on_top_of_a_conflict_that_was_left_alone_stands_on_what_the_handler_makes_of_it() {
    let [ana, ben, without] = trio(&both(), NAMED);
    let id = create(&ana.project(), fields([("name", "Cusco".into())]));
    meet_all(&[&ana, &ben, &without]);
    part(&[&ana, &ben, &without], id);
    let made = name(&ana.project(), id);
    for people in [1, 2] {
        let document = read(&without.project(), id);
        without.project().write(|tx| tx.edit(&document, vec![Operation::set("people", int(people))])).unwrap();
    }
    meet_all(&[&ana, &ben, &without]);
    assert!(read(&without.project(), id).has_conflicts());
    for device in [&ana, &ben] {
        assert_eq!((name(&device.project(), id), get(&device.project(), id, "people")), (made.clone(), Some(int(2))));
        assert!(!read(&device.project(), id).has_conflicts());
    }
}

#[test]
fn counters_sets_and_whatever_merges_by_itself_are_not_the_handlers() {
    let schema = r#"{"conflictHandler": {"name": "places", "version": 1}, "properties": {
        "visits": {"merge": "counter"}, "tags": {"merge": "set"}, "stay": {"properties": {"most": {"merge": "max"}}}}}"#;
    let [ana, ben, without] = trio(&handler(1, |sides| Ok(sides.ours.clone())), schema);
    let stay = |most: i64| Value::Map(fields([("most", int(most))]));
    let tags = |tags: &[&str]| Value::List(tags.iter().map(|tag| Value::from(*tag)).collect());
    let all = fields([("name", "Cusco".into()), ("visits", int(10)), ("tags", tags(&["a"])), ("stay", stay(1))]);
    let id = create(&ana.project(), all);
    meet_all(&[&ana, &ben, &without]);
    for (device, name, by) in [(&ana, "Cuzco", 1), (&ben, "Qosqo", 2)] {
        let tags = tags(&["a", name]);
        let all = fields([("name", name.into()), ("visits", int(10 + by)), ("tags", tags), ("stay", stay(1 + by))]);
        device.project().write(|tx| tx.replace(&read(&device.project(), id), all)).unwrap();
    }
    meet_all(&[&ana, &ben, &without]);
    let shown = read(&ana.project(), id).fields();
    assert_eq!((&shown["visits"], &shown["tags"]), (&int(13), &tags(&["Cuzco", "Qosqo", "a"])));
    assert_eq!(shown["stay"], stay(3));
    set(&ben.project(), id, "people", 1);
    meet_all(&[&ana, &ben, &without]);
    assert_eq!(get(&without.project(), id, "visits"), Some(int(13)), "and writing down adds nothing");
    assert!(!read(&without.project(), id).has_conflicts());
}

#[test]
fn who_deletes_takes_no_part_and_an_edit_made_meanwhile_keeps_the_document() {
    let [ana, ben, without] = trio(&both(), NAMED);
    let id = create(&ana.project(), fields([("name", "Cusco".into())]));
    meet_all(&[&ana, &ben, &without]);
    // Two names of devices that did not know of each other, and one of them deleted the document after that.
    set(&ana.project(), id, "name", "Cuzco");
    set(&ben.project(), id, "name", "Qosqo");
    ana.project().write(|tx| tx.delete(&read(&ana.project(), id))).unwrap();
    meet_all(&[&ana, &ben, &without]);
    for device in [&ana, &ben] {
        assert_eq!(name(&device.project(), id).as_deref(), Some("Qosqo"));
    }
    assert!(read(&without.project(), id).has_conflicts());
    // Once it is deleted by somebody who has seen all, it is deleted for all.
    ben.project().write(|tx| tx.delete(&read(&ben.project(), id))).unwrap();
    meet_all(&[&ana, &ben, &without]);
    for device in [&ana, &ben, &without] {
        assert!(device.project().collection("places").get(id).unwrap().is_none());
    }
}

#[test]
fn a_handler_without_an_answer_that_can_be_written_changes_nothing() {
    type Answer = fn(&Sides<'_>) -> Result<Map, HandlerError>;
    let answers: [Answer; 5] = [
        |_| Err("no idea".into()),
        |_| panic!("a defect of the program"),
        |_| Ok(fields([("_id", "mine".into())])),
        |_| Ok(fields([("story", "x".repeat(600 << 10).into())])),
        |_| Ok(fields([("name", "x".repeat(200).into())])),
    ];
    for answer in answers {
        let schema = r#"{"conflictHandler": {"name": "places", "version": 1},
            "properties": {"name": {"maxLength": 100}}}"#;
        let [ana, ben, without] = trio(&handler(1, answer), schema);
        let id = create(&ana.project(), fields([("name", "Cusco".into())]));
        meet_all(&[&ana, &ben, &without]);
        part(&[&ana, &ben, &without], id);
        let expected = read(&without.project(), id);
        for device in [&ana, &ben] {
            let document = read(&device.project(), id);
            assert_eq!((document.fields(), document.conflicts()), (expected.fields(), expected.conflicts()));
            assert_eq!(conflicted(device), 1);
        }
        assert!(same(&[&ana.project(), &ben.project(), &without.project()]));
        set(&ana.project(), id, "name", "Cozco");
        meet_all(&[&ana, &ben, &without]);
        assert!(!read(&ben.project(), id).has_conflicts(), "it can be settled by hand");
    }
}

#[test]
fn more_sides_than_a_handler_is_asked_about_are_a_conflict_until_somebody_settles_it() {
    let [ana, ben, without] = trio(&both(), NAMED);
    let id = create(&ana.project(), fields([("name", "Cusco".into())]));
    let old = read(&ana.project(), id);
    let sides = |numbers: std::ops::Range<i64>| {
        for number in numbers {
            let name = Value::from(format!("{number}"));
            ana.project().write(|tx| tx.edit(&old, vec![Operation::set("name", name)])).unwrap();
        }
    };
    sides(0..64);
    let made = name(&ana.project(), id).unwrap();
    let mut names: Vec<i64> = made.split('+').map(|name| name.parse().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, (0..64).collect::<Vec<_>>(), "each once");
    sides(64..65);
    assert!(read(&ana.project(), id).has_conflicts());
    set(&ana.project(), id, "name", "Cuzco");
    meet_all(&[&ana, &ben, &without]);
    assert!(!read(&ben.project(), id).has_conflicts());
}

#[test]
fn queries_indexes_words_places_and_live_queries_find_what_the_handler_made() {
    let [ana, ben, without] = trio(&both(), NAMED);
    let places = ana.project().collection("places");
    places.create_index("name").unwrap();
    places.create_index(Index::text([], Tokenizer::Words).unwrap()).unwrap();
    let id = create(&ana.project(), fields([("name", "Cusco".into())]));
    meet_all(&[&ana, &ben, &without]);
    let mut live = places.watch(Query::new(r#"{"name": {"$regex": "[+]"}}"#.parse().unwrap()));
    assert!(live.next(Duration::ZERO).unwrap().unwrap().is_empty());
    part(&[&ana, &ben, &without], id);

    let made = name(&ana.project(), id).unwrap();
    let found = |query: Query| places.query(&query).unwrap().iter().map(Document::id).collect::<Vec<_>>();
    let by_name = |name: &str| Query::new(serde_json::json!({ "name": name }).to_string().parse().unwrap());
    assert!(places.explain(&by_name(&made)).unwrap().index.is_some());
    assert_eq!(found(by_name(&made)), [id]);
    assert!(["Cuzco", "Qosqo"].iter().all(|name| found(by_name(name)).is_empty()));
    assert_eq!(found(Query::default().search("cuzco qosqo".parse().unwrap())), [id], "words of both");
    let batch = live.next(Duration::from_secs(60)).unwrap().expect("it appeared");
    assert_eq!(batch.len(), 1);
    assert_eq!(live.ids().collect::<Vec<_>>(), [id]);

    // What an export visits.
    let mut visited = Vec::new();
    places
        .for_each(|document| {
            visited.push(document.fields());
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    assert_eq!(visited, [fields([("name", made.into())])]);
}

#[test]
fn two_programs_on_one_folder_with_and_without_the_handler_end_with_what_it_made() {
    let [ana, ben] = team();
    decide(&ana.project(), NAMED);
    let id = create(&ana.project(), fields([("name", "Cusco".into())]));
    meet(&ana.database, &ben.database);
    let part = |one: &str, other: &str| {
        set(&ana.project(), id, "name", one);
        set(&ben.project(), id, "name", other);
        // The program without the handler is the one that syncs.
        meet(&ana.database, &ben.database);
    };
    part("Cuzco", "Qosqo");
    assert!(read(&ana.project(), id).has_conflicts());

    // After one another: what is due is there at the first look.
    let app = beside(&ana, both());
    let seen_by = |database: &Database| read(&database.projects().unwrap()[0], id);
    let made = seen_by(&app).fields();
    assert_eq!((seen_by(&app).handled_by().is_some(), seen_by(&ana.database).fields()), (true, made.clone()));
    assert!(["Cuzco+Qosqo", "Qosqo+Cuzco"].contains(&made["name"].as_text().unwrap()));

    // Beside one another: a hint is enough.
    let mut live = app.projects().unwrap()[0]
        .collection("places")
        .watch(Query::new(r#"{"name": {"$regex": "[+]"}}"#.parse().unwrap()));
    assert_eq!(live.next(Duration::ZERO).unwrap().unwrap().len(), 1);
    part("Cozco", "Kusku");
    assert!(seen_by(&app).has_conflicts());
    assert!(live.next(Duration::from_secs(60)).unwrap().is_some() && live.ids().next().is_none());
    app.nudge();
    eventually("being told", || live.next(Duration::from_millis(10)).unwrap().is_some() && live.ids().eq([id]));
    assert!(seen_by(&app).handled_by().is_some());
    assert_eq!(seen_by(&app).fields(), seen_by(&ana.database).fields());
    // An edit by the program that has it not writes down what its folder shows.
    let shown = name(&ana.project(), id);
    set(&ana.project(), id, "people", 1);
    meet(&ana.database, &ben.database);
    assert_eq!((name(&ben.project(), id), read(&ben.project(), id).has_conflicts()), (shown, false));
}

#[test]
fn a_schema_may_name_the_handler_later_and_another_version_and_none() {
    let [ana, ben, without] = team();
    let id = create(&ana.project(), fields([("name", "Cusco".into())]));
    meet_all(&[&ana, &ben, &without]);
    part(&[&ana, &ben, &without], id);
    // Programs that have one, and the next one, which nobody names yet.
    let [ana, ben] = [ana, ben].map(|device| {
        let next = handler(2, |sides| joined(sides, " or "));
        device.restart_as(|options| options.conflict_handler(both()).conflict_handler(next))
    });
    assert!(read(&ana.project(), id).has_conflicts());
    let shows = |device: &Device, what: &str| name(&device.project(), id).is_some_and(|name| name.contains(what));
    let mut number = 0;
    let mut decide = |handler: &str| {
        number += 1;
        decide(&ana.project(), &format!(r#"{{"version": {number}{handler}}}"#));
        meet_all(&[&ana, &ben, &without]);
    };
    decide(r#", "conflictHandler": {"name": "places", "version": 1}"#);
    for device in [&ana, &ben] {
        eventually("the first version", || shows(device, "+"));
    }
    decide(r#", "conflictHandler": {"name": "places", "version": 2}"#);
    for device in [&ana, &ben] {
        eventually("the second version", || shows(device, " or "));
    }
    assert_eq!(read(&ana.project(), id).fields(), read(&ben.project(), id).fields());
    decide("");
    for device in [&ana, &ben] {
        eventually("the conflict", || read(&device.project(), id).has_conflicts());
    }
    assert!(same(&[&ana.project(), &ben.project(), &without.project()]));
}

#[test]
fn under_another_schema_that_names_it_too_a_handler_is_asked_anew() {
    let [ana, ben, without] = trio(&both(), NAMED);
    let id = create(&ana.project(), fields([("name", "Cusco".into())]));
    meet_all(&[&ana, &ben, &without]);
    part(&[&ana, &ben, &without], id);
    let made = name(&ana.project(), id);
    let decide = |version: u64, most: u64| {
        let rules = format!(r#""conflictHandler": {{"name": "places", "version": 1}}, "version": {version}"#);
        decide(&ana.project(), &format!(r#"{{{rules}, "properties": {{"name": {{"maxLength": {most}}}}}}}"#));
        meet_all(&[&ana, &ben, &without]);
    };
    decide(2, 8);
    for device in [&ana, &ben] {
        eventually("the conflict, as the answer is too long", || read(&device.project(), id).has_conflicts());
    }
    decide(3, 20);
    for device in [&ana, &ben] {
        eventually("the answer", || name(&device.project(), id) == made);
    }
}

#[test]
fn an_edit_within_what_a_handler_made_keeps_the_rest_of_it() {
    let stay = |nights: i64| Value::Map(fields([("nights", int(nights)), ("note", "of both".into())]));
    let resolve = move |sides: &Sides<'_>| {
        let mut all = sides.merged.clone();
        all.insert("stay".into(), stay(2));
        Ok(all)
    };
    let [ana, ben, without] = trio(&handler(1, resolve), NAMED);
    let id = create(&ana.project(), fields([("name", "Cusco".into())]));
    meet_all(&[&ana, &ben, &without]);
    set(&ana.project(), id, "stay", "short");
    set(&ben.project(), id, "stay", 1);
    meet_all(&[&ana, &ben, &without]);
    let document = read(&ben.project(), id);
    assert_eq!(document.get(&["stay"]), Some(stay(2)));
    let longer = Operation::set_at("stay.nights".parse().unwrap(), int(3));
    ben.project().write(|tx| tx.edit(&document, vec![longer])).unwrap();
    meet_all(&[&ana, &ben, &without]);
    for device in [&ana, &ben, &without] {
        let document = read(&device.project(), id);
        assert_eq!((document.get(&["stay"]), document.has_conflicts()), (Some(stay(3)), false));
    }
}

#[test]
fn what_an_older_program_made_is_a_conflict_again_once_the_schema_names_a_handler_that_it_has_not() {
    let [ana, ben] = team();
    decide(&ana.project(), NAMED);
    let id = create(&ana.project(), fields([("name", "Cusco".into())]));
    meet(&ana.database, &ben.database);
    set(&ana.project(), id, "name", "Cuzco");
    set(&ben.project(), id, "name", "Qosqo");
    meet(&ana.database, &ben.database);
    let ana = with(ana, both());
    assert!(!read(&ana.project(), id).has_conflicts());
    // A program that has only the next version leaves what the one of the schema made.
    let ana = with(ana, handler(2, |sides| joined(sides, " or ")));
    assert!(name(&ana.project(), id).unwrap().contains('+'));
    // One that has none leaves it too, until the schema names another.
    let ana = ana.restart();
    assert!(name(&ana.project(), id).unwrap().contains('+'));
    decide(&ana.project(), r#"{"version": 2, "conflictHandler": {"name": "places", "version": 2}}"#);
    eventually("the conflict", || read(&ana.project(), id).has_conflicts());
    let ana = with(ana, handler(2, |sides| joined(sides, " or ")));
    assert!(name(&ana.project(), id).unwrap().contains(" or "));
}

#[test]
fn a_handler_of_a_programs_own_type_keeps_what_the_type_does_not_know() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Tank {
        litres: i64,
    }
    let drawn = ConflictHandler::typed("places", 1, |base: Option<Tank>, ours: Tank, theirs: Tank| {
        let before = base.map_or(0, |tank| tank.litres);
        Ok(Tank { litres: ours.litres + theirs.litres - before })
    });
    let [ana, ben, without] = trio(&drawn, NAMED);
    let id = create(&ana.project(), fields([("litres", int(100)), ("colour", "red".into())]));
    meet_all(&[&ana, &ben, &without]);
    set(&ana.project(), id, "litres", 90);
    set(&ana.project(), id, "colour", "blue");
    set(&ben.project(), id, "litres", 70);
    set(&without.project(), id, "litres", 95);
    meet_all(&[&ana, &ben, &without]);
    for device in [&ana, &ben] {
        let shown = read(&device.project(), id).fields();
        assert_eq!(shown, fields([("litres", int(55)), ("colour", "blue".into())]));
    }
}
