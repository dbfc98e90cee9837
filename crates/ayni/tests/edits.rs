//! What becomes of edits made apart: promise 3 of the design.

mod support;

use ayni::doc::{Operation, Value};
use ayni::{Error, IndexError};
use support::{Device, create, fields, get, meet, read, rebuilt_equal, same, set, set_in, team};

#[test]
fn edits_of_different_fields_made_apart_both_stand() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let id = create(&one, fields([("name", "Cusco".into()), ("people", Value::Int(1))]));
    meet(&a.database, &b.database);
    set(&one, id, "name", "Qosqo");
    set(&two, id, "people", 2);
    meet(&a.database, &b.database);
    assert!(same(&[&one, &two]));
    for project in [&one, &two] {
        assert_eq!(get(project, id, "name"), Some("Qosqo".into()));
        assert_eq!(get(project, id, "people"), Some(Value::Int(2)));
        assert!(!read(project, id).has_conflicts());
    }
}

#[test]
fn edits_of_one_field_made_apart_are_one_conflict_on_all_devices() {
    let [a, b, c] = team();
    let (one, two, three) = (a.project(), b.project(), c.project());
    let id = create(&one, fields([("name", "Cusco".into())]));
    meet(&a.database, &b.database);
    set(&one, id, "name", "Qosqo");
    set(&two, id, "name", "Cuzco");
    meet(&a.database, &b.database);
    meet(&b.database, &c.database);
    assert!(same(&[&one, &two, &three]));
    let shown = get(&one, id, "name");
    for project in [&one, &two, &three] {
        let document = read(project, id);
        assert_eq!(document.get(&["name"]), shown);
        let conflicts = document.conflicts();
        assert_eq!(conflicts.len(), 1);
        let mut values: Vec<_> = conflicts[0].alternatives.iter().map(|other| other.value.clone().unwrap()).collect();
        values.sort_by_key(|value| format!("{value:?}"));
        assert_eq!(values, ["Cuzco".into(), "Qosqo".into()]);
        assert_eq!(project.collection("places").conflicted().unwrap().len(), 1);
        assert_eq!(project.collections().unwrap()[0].conflicted, 1);
    }
    // Who settles it, having seen both, settles it for everyone.
    set(&three, id, "name", "Cusco!");
    meet(&c.database, &a.database);
    meet(&a.database, &b.database);
    for project in [&one, &two, &three] {
        assert_eq!(get(project, id, "name"), Some("Cusco!".into()));
        assert!(!read(project, id).has_conflicts());
    }
}

#[test]
fn an_edit_that_has_seen_another_beats_it_whatever_the_clocks_say() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    a.clock.set_ahead(1_000_000_000_000);
    b.clock.set_ahead(-1_000_000_000_000);
    let id = create(&one, fields([("name", "Cusco".into())]));
    set(&one, id, "name", "from the future");
    meet(&a.database, &b.database);
    set(&two, id, "name", "from the past");
    meet(&a.database, &b.database);
    for project in [&one, &two] {
        assert_eq!(get(project, id, "name"), Some("from the past".into()));
        assert!(!read(project, id).has_conflicts());
    }
}

#[test]
fn an_edit_made_apart_from_a_delete_keeps_the_document() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let [kept, gone] = [(); 2].map(|()| create(&one, fields([("name", "Cusco".into())])));
    meet(&a.database, &b.database);
    let doomed = [kept, gone].map(|id| read(&one, id));
    one.write(|tx| doomed.iter().try_for_each(|document| tx.delete(document))).unwrap();
    set(&two, kept, "name", "Qosqo");
    meet(&a.database, &b.database);
    assert!(same(&[&one, &two]));
    for project in [&one, &two] {
        assert_eq!(get(project, kept, "name"), Some("Qosqo".into()));
        assert!(project.collection("places").get(gone).unwrap().is_none());
        assert_eq!(project.collection("places").len().unwrap(), 1);
    }
}

#[test]
fn what_devices_add_to_a_counter_apart_adds_up() {
    let [a, b, c] = team();
    let projects = [a.project(), b.project(), c.project()];
    let id = create(&projects[0], fields([("name", "Cusco".into())]));
    meet(&a.database, &b.database);
    meet(&b.database, &c.database);
    for (number, project) in projects.iter().enumerate() {
        for _ in 0..3 {
            let add = Operation::Add { path: "visits".parse().unwrap(), amount: number as i64 + 1 };
            project.write(|tx| tx.edit(&read(project, id), vec![add])).unwrap();
        }
    }
    meet(&a.database, &b.database);
    meet(&b.database, &c.database);
    meet(&a.database, &b.database);
    assert!(same(&[&projects[0], &projects[1], &projects[2]]));
    for project in &projects {
        assert_eq!(get(project, id, "visits"), Some(Value::Int(18)));
    }
}

#[test]
fn a_keyed_document_made_on_two_devices_is_one_document() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let (id, _) = one.write(|tx| tx.put("places", "cusco", fields([("name", "Cusco".into())]))).unwrap();
    let (other, _) = two.write(|tx| tx.put("places", "cusco", fields([("people", Value::Int(2))]))).unwrap();
    assert_eq!(id, other);
    meet(&a.database, &b.database);
    assert!(same(&[&one, &two]));
    for project in [&one, &two] {
        assert_eq!(project.collection("places").len().unwrap(), 1);
        assert_eq!(get(project, id, "name"), Some("Cusco".into()));
        assert_eq!(get(project, id, "people"), Some(Value::Int(2)));
    }
    rebuilt_equal(&b.database);
}

#[test]
fn an_edit_through_an_old_handle_does_not_overwrite_what_came_since() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let id = create(&one, fields([("name", "Cusco".into())]));
    meet(&a.database, &b.database);
    let opened_at_nine = read(&one, id);
    set(&two, id, "name", "arrived at 9:05");
    meet(&a.database, &b.database);
    set_in(&one, &opened_at_nine, "name", "saved at 9:10");
    meet(&a.database, &b.database);
    assert!(same(&[&one, &two]));
    for project in [&one, &two] {
        let conflicts = read(project, id).conflicts();
        assert_eq!(conflicts.len(), 1);
        assert_eq!(conflicts[0].alternatives.len(), 2);
    }
}

#[test]
fn edits_that_arrive_all_at_once_show_as_when_they_came_one_by_one() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let id = create(&one, fields([("number", Value::Int(0))]));
    for number in 1..50 {
        set(&one, id, "number", number);
        if number % 7 == 0 {
            // A second line of edits, from an older handle.
            let old = read(&one, id);
            set(&one, id, "left", number);
            set_in(&one, &old, "right", number);
        }
    }
    meet(&a.database, &b.database);
    assert_eq!(get(&two, id, "number"), Some(Value::Int(49)));
    assert!(same(&[&one, &two]));
    assert_eq!(
        two.collection("places").history(id).unwrap().len(),
        one.collection("places").history(id).unwrap().len()
    );
    rebuilt_equal(&b.database);
    rebuilt_equal(&a.database);
}

#[test]
fn what_would_wait_for_the_transaction_it_is_called_in_is_refused_and_reading_goes_on() {
    let device = Device::new("device");
    let database = device.open_beside();
    let (project, _) = device.database.create_project("Mapa").unwrap();
    let id = create(&project, fields([("name", "Cusco".into())]));
    let (done, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        // Made by another process: nobody has read anything of it here yet.
        let project = database.projects().unwrap().remove(0);
        let (other, _) = database.create_project("Salud").unwrap();
        let places = project.collection("places");
        let written = project.write(|tx| {
            let refused = [
                project.write(|tx| tx.create("places", fields([]))).map(drop),
                other.write(|tx| tx.create("places", fields([]))).map(drop),
                places.id_of_key("cusco").map(drop),
                places.create_index("name"),
                database.set_label("a", "b"),
                database.rebuild_views(|_| ()).map(drop),
            ];
            for (at, refused) in refused.into_iter().enumerate() {
                assert!(matches!(refused, Err(Error::Nested)), "number {at}: {refused:?}");
            }
            assert_eq!(places.get(id)?.unwrap().get(&["name"]), Some("Cusco".into()));
            assert_eq!(places.query(&"name=Cusco".parse().map(ayni::query::Query::new).unwrap())?.len(), 1);
            tx.create("places", fields([("name", "Puno".into())]))?;
            assert_eq!(places.len()?, 1, "what was there before");
            Ok(())
        });
        written.unwrap();
        assert_eq!(places.len().unwrap(), 2);
        project.write(|tx| tx.create("places", fields([]))).unwrap();
        let _ = done.send(());
    });
    result.recv_timeout(std::time::Duration::from_secs(20)).expect("it ends, and well");
}

#[test]
fn no_field_can_take_the_name_of_the_id_and_one_that_has_it_can_be_taken_away() {
    let [device] = team();
    let project = device.project();
    let id = create(&project, fields([("name", "Cusco".into())]));
    let document = read(&project, id);
    let reserved = || fields([("_id", "x".into())]);
    let inner = || vec![Operation::set_at("_id.a".parse().unwrap(), Value::Int(1))];
    let refused = [
        project.write(|tx| tx.create("places", reserved())).map(drop),
        project.write(|tx| tx.put("places", "key", reserved())).map(drop),
        project.write(|tx| tx.put_existing("places", id, &reserved())).map(drop),
        project.write(|tx| tx.replace(&document, reserved())),
        project.write(|tx| tx.edit(&document, vec![Operation::set("_id", "x".into())])),
        project.write(|tx| tx.edit(&document, vec![Operation::add("_id", 1)])),
        project.write(|tx| tx.edit(&document, inner())),
    ];
    for (at, refused) in refused.into_iter().enumerate() {
        assert!(matches!(refused, Err(Error::Reserved)), "number {at}: {refused:?}");
    }
    let index = project.collection("places").create_index("_id");
    assert!(matches!(index, Err(Error::Index(IndexError::Reserved))), "{index:?}");
    let deeper = Operation::set_at("a._id".parse().unwrap(), Value::Int(1));
    project.write(|tx| tx.edit(&document, vec![deeper, Operation::unset("_id")])).unwrap();
    assert_eq!(project.collection("places").len().unwrap(), 1);
}

#[test]
fn documents_are_selected_counted_and_sorted_by_their_ids() {
    use ayni::query::Query;
    let [device] = team();
    let project = device.project();
    let mut ids = [(); 5].map(|()| create(&project, fields([("a", Value::Int(1))])));
    // As text, in which a digit comes before a letter, and not as the bytes that it stands for.
    ids.sort_by_key(ToString::to_string);
    let places = project.collection("places");
    places.create_index("a").unwrap();
    let found = |query: Query| -> Vec<_> { places.query(&query).unwrap().iter().map(|found| found.id()).collect() };
    for selector in [format!("_id={}", ids[2]), format!("a=1 _id={}", ids[2])] {
        assert_eq!(found(Query::new(selector.parse().unwrap())), [ids[2]], "{selector}");
        assert_eq!(places.count(&selector.parse().unwrap()).unwrap(), 1, "{selector}");
    }
    let later = Query::new(format!("_id>{}", ids[2]).parse().unwrap()).sort("_id".parse().unwrap());
    assert_eq!(found(later), ids[3..]);
    let backwards = Query::new("_id".parse().unwrap()).sort("_id:desc".parse().unwrap()).limit(2);
    assert_eq!(found(backwards), [ids[4], ids[3]]);
    assert_eq!(found(Query::new("_id=x".parse().unwrap())), []);
}

#[test]
fn a_document_is_seen_as_it_was_in_any_version_and_goes_back_to_it() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let id = create(&one, fields([("name", "Cusco".into()), ("population", Value::Int(1))]));
    meet(&a.database, &b.database);
    // Concurrent edits, and one that has seen both.
    set(&one, id, "population", 2);
    set(&two, id, "altitude", 3399);
    meet(&a.database, &b.database);
    set(&one, id, "population", 4);
    let places = one.collection("places");
    let versions = places.history(id).unwrap();
    let shown = |at: usize, field: &str| places.get_version(id, versions[at].id).unwrap().get(&[field]);
    assert_eq!((shown(0, "population"), shown(0, "altitude")), (Some(Value::Int(1)), None));
    // Each of the concurrent ones shows what its own author saw.
    let alone: Vec<_> = [1, 2].map(|at| (shown(at, "population"), shown(at, "altitude"))).into();
    assert!(
        alone.contains(&(Some(Value::Int(2)), None)) && alone.contains(&(Some(Value::Int(1)), Some(Value::Int(3399))))
    );
    assert_eq!(places.get_version(id, versions[3].id).unwrap().fields(), read(&one, id).fields());

    one.write(|tx| tx.delete(&read(&one, id))).unwrap();
    let deleted = places.history(id).unwrap().pop().unwrap().id;
    assert!(matches!(places.restore(id, deleted), Err(Error::VersionDeleted { .. })));
    assert!(places.restore(id, versions[0].id).unwrap());
    assert_eq!(read(&one, id).fields(), fields([("name", "Cusco".into()), ("population", Value::Int(1))]));
    assert!(!places.restore(id, versions[0].id).unwrap(), "it shows that already");
    assert_eq!(places.history(id).unwrap().len(), 6, "nothing went from the history");
    let nothing = ayni::Hash([0; 32]);
    assert!(matches!(places.get_version(id, nothing), Err(Error::NoVersion { .. })));
    meet(&a.database, &b.database);
    assert!(same(&[&one, &two]));
}
