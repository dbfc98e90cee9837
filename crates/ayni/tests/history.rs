//! History: sittings, who wrote what, undoing, and any moment of the past.

mod support;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use ayni::doc::{Operation, Path, Value};
use ayni::query::{Query, Selector};
use ayni::{Collection, DocumentId, Error, Existence, Kept, PAUSE, Project, Undone};
use support::{Device, create, fields, get, meet, read, same, set, set_in, team};

const MINUTE: i64 = 60_000;

fn places(project: &Project) -> Collection {
    project.collection("places")
}

fn edit(project: &Project, id: DocumentId, operation: Operation) {
    project.write(|tx| tx.edit(&read(project, id), vec![operation])).unwrap();
}

fn path(text: &str) -> Path {
    text.parse().unwrap()
}

fn insert(element: &str) -> Operation {
    Operation::Insert { path: path("tags"), element: element.into() }
}

/// Takes back the last change that this device made to a document.
fn undo(project: &Project, id: DocumentId) -> Undone {
    let last = places(project).last_change_here(id).unwrap().unwrap();
    places(project).undo(id, last.id).unwrap()
}

fn set_back(undone: &Undone) -> Vec<String> {
    undone.taken_back.iter().map(|field| field.path.to_string()).collect()
}

#[test]
fn what_one_device_writes_in_a_row_is_one_sitting_and_what_others_write_meanwhile_another() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let id = create(&one, fields([("name", "Cusco".into())]));
    set(&one, id, "people", 1);
    meet(&a.database, &b.database);
    set(&one, id, "people", 2);
    set(&two, id, "altitude", 3399);
    meet(&a.database, &b.database);
    // Has seen both, so it goes on from two.
    set(&one, id, "people", 3);
    a.clock.set_ahead(4 * MINUTE);
    set(&one, id, "people", 4);
    a.clock.set_ahead(9 * MINUTE + MINUTE / 2);
    set(&one, id, "name", "Qosqo");
    meet(&a.database, &b.database);
    let told = |project: &Project, pause: Duration| -> Vec<(String, usize, Vec<String>)> {
        let sittings = places(project).sittings(id, pause).unwrap();
        let fields = |paths: &[Path]| paths.iter().map(ToString::to_string).collect();
        let mut told: Vec<_> =
            sittings.iter().map(|one| (one.author_name.clone(), one.versions.len(), fields(&one.fields))).collect();
        // Which of those made at once is listed first goes by time and hash.
        told.sort();
        told
    };
    let expected = |author: &str, versions, fields: &[&str]| {
        (author.to_owned(), versions, fields.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let [ana, ben] = ["device 0", "device 1"];
    let grouped = [
        expected(ana, 1, &["name"]),
        expected(ana, 2, &["people"]),
        expected(ana, 3, &["name", "people"]),
        expected(ben, 1, &["altitude"]),
    ];
    assert_eq!(told(&one, PAUSE), grouped);
    assert_eq!(told(&two, PAUSE), grouped, "the same on every device");
    assert_eq!(told(&one, PAUSE * 2).len(), 3, "within a longer pause it is one sitting more");
    assert_eq!(told(&one, Duration::ZERO).len(), 7);
}

#[test]
fn of_each_field_that_is_shown_it_is_told_who_wrote_it() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let id = create(&one, fields([("name", "Cusco".into()), ("people", Value::Int(1))]));
    meet(&a.database, &b.database);
    edit(&two, id, Operation::set_at(path("place.altitude"), Value::Int(3399)));
    edit(&two, id, insert("old"));
    b.clock.set_ahead(MINUTE);
    set(&one, id, "people", 2);
    set(&two, id, "people", 3);
    meet(&a.database, &b.database);
    for project in [&one, &two] {
        let document = read(project, id);
        let told = places(project).provenance(&document).unwrap();
        let by = |field: &str| told.fields[&path(field)].author_name.as_str();
        assert_eq!((by("name"), by("place.altitude"), by("tags")), ("device 0", "device 1", "device 1"));
        assert_eq!((document.get(&["people"]), by("people")), (Some(Value::Int(3)), "device 1"));
        assert_eq!((told.versions, told.heads.len()), (5, 2));
        assert_eq!(told.first.unwrap().author_name, "device 0");
    }
    let first = places(&one).history(id).unwrap()[0].id;
    let before = places(&one).get_version(id, first).unwrap();
    assert_eq!(places(&one).provenance(&before).unwrap().fields.len(), 2);

    a.clock.set_ahead(60 * MINUTE);
    edit(&one, id, Operation::add("visits", 1));
    meet(&a.database, &b.database);
    edit(&two, id, Operation::add("visits", 1));
    let told = places(&two).provenance(&read(&two, id)).unwrap();
    assert_eq!(told.fields[&path("visits")].author_name, "device 1", "the last, whatever the clocks say");
}

#[test]
fn an_undo_sets_back_what_the_change_wrote_but_for_what_others_wrote_since() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let id = create(&one, fields([("name", "Cusco".into()), ("people", Value::Int(1)), ("height", Value::Int(1))]));
    let both = vec![Operation::set("name", "Qosqo".into()), Operation::set("people", Value::Int(2))];
    one.write(|tx| tx.edit(&read(&one, id), both)).unwrap();
    meet(&a.database, &b.database);
    set(&two, id, "people", 3);
    set(&two, id, "height", 3399);
    meet(&a.database, &b.database);
    let undone = undo(&one, id);
    assert_eq!((undone.existence, set_back(&undone)), (Existence::Same, vec!["name".to_owned()]));
    let field = &undone.taken_back[0];
    assert_eq!((field.from.clone(), field.to.clone()), (Some("Qosqo".into()), Some("Cusco".into())));
    let [Kept::Field { path: kept, by }] = undone.kept.as_slice() else { panic!("{undone:?}") };
    assert_eq!((kept.to_string().as_str(), by.author_name.as_str()), ("people", "device 1"));
    let shown = fields([("name", "Cusco".into()), ("people", Value::Int(3)), ("height", Value::Int(3399))]);
    assert_eq!(read(&one, id).fields(), shown);
    meet(&a.database, &b.database);
    assert!(same(&[&one, &two]));
    // What another device changed can be taken back too, if its version is named.
    let height = places(&one).history(id).unwrap()[3].id;
    assert_eq!(set_back(&places(&one).undo(id, height).unwrap()), ["height"]);
    assert_eq!(get(&one, id, "height"), Some(Value::Int(1)));
    assert!(matches!(places(&one).undo(id, ayni::Hash([0; 32])), Err(Error::NoVersion { .. })));
}

#[test]
fn an_undone_creation_is_deleted_unless_somebody_went_on_from_it_and_an_undone_deletion_comes_back() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let [mine, ours] = [(); 2].map(|()| create(&one, fields([("name", "Cusco".into())])));
    meet(&a.database, &b.database);
    set(&two, ours, "people", 3);
    meet(&a.database, &b.database);
    assert_eq!(undo(&one, mine).existence, Existence::Deleted);
    assert!(places(&one).get(mine).unwrap().is_none());
    assert_eq!(undo(&one, mine).existence, Existence::BroughtBack, "undoing that does it again");
    assert_eq!(get(&one, mine, "name"), Some("Cusco".into()));

    let undone = undo(&one, ours);
    assert!(undone.is_nothing() && matches!(&undone.kept[..], [Kept::Document(by)] if by.author_name == "device 1"));
    assert_eq!(get(&one, ours, "name"), Some("Cusco".into()));

    one.write(|tx| tx.delete(&read(&one, ours))).unwrap();
    assert_eq!(undo(&one, ours).existence, Existence::BroughtBack);
    assert_eq!(get(&one, ours, "people"), Some(Value::Int(3)));
    assert_eq!(places(&one).history(ours).unwrap().len(), 4, "nothing is written where nothing is taken back");
}

#[test]
fn what_was_added_to_counters_and_sets_is_taken_back_without_what_others_added() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let id = create(&one, fields([("name", "Cusco".into())]));
    edit(&one, id, Operation::add("visits", 1));
    edit(&one, id, insert("old"));
    meet(&a.database, &b.database);
    // At the same time, and undone before the devices meet.
    one.write(|tx| tx.edit(&read(&one, id), vec![Operation::add("visits", 5), insert("high")])).unwrap();
    edit(&two, id, Operation::add("visits", 10));
    edit(&two, id, insert("stone"));
    assert_eq!(set_back(&undo(&one, id)), ["tags", "visits"]);
    assert_eq!(get(&one, id, "visits"), Some(Value::Int(1)));
    meet(&a.database, &b.database);
    assert_eq!(get(&one, id, "visits"), Some(Value::Int(11)));
    assert_eq!(get(&one, id, "tags"), Some(Value::List(vec!["old".into(), "stone".into()])));
    undo(&one, id);
    assert_eq!(get(&one, id, "visits"), Some(Value::Int(16)), "done again");
    assert_eq!(get(&one, id, "tags"), Some(Value::List(vec!["high".into(), "old".into(), "stone".into()])));
    assert!(!read(&one, id).has_conflicts());
}

#[test]
fn of_a_conflict_the_own_value_is_withdrawn_and_one_that_was_settled_does_not_come_back() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let id = create(&one, fields([("name", "Cusco".into())]));
    meet(&a.database, &b.database);
    b.clock.set_ahead(MINUTE);
    set(&one, id, "name", "Qosqo");
    set(&two, id, "name", "Cuzco");
    meet(&a.database, &b.database);
    assert!(read(&one, id).has_conflicts());
    undo(&one, id);
    assert_eq!((get(&one, id, "name"), read(&one, id).has_conflicts()), (Some("Cuzco".into()), false));
    undo(&one, id);
    assert_eq!((get(&one, id, "name"), read(&one, id).has_conflicts()), (Some("Cuzco".into()), false));

    let old = read(&one, id);
    set(&one, id, "name", "one");
    b.clock.set_ahead(0);
    set_in(&one, &old, "name", "other");
    let shown = get(&one, id, "name");
    assert!(read(&one, id).has_conflicts());
    set(&one, id, "name", "settled");
    let undone = undo(&one, id);
    assert_eq!(undone.settled, [path("name")], "it is said");
    assert_eq!((get(&one, id, "name"), read(&one, id).has_conflicts()), (shown, false));

    // Of three, the other two go on contradicting each other: an undo settles nothing for them.
    let old = read(&one, id);
    for (ahead, name) in ["red", "green", "blue"].into_iter().enumerate() {
        a.clock.set_ahead((2 + ahead as i64) * MINUTE);
        set_in(&one, &old, "name", name);
    }
    let undone = undo(&one, id);
    assert!(undone.is_nothing() && undone.kept == [Kept::Conflict(path("name"))], "{undone:?}");
    assert_eq!(read(&one, id).conflicts()[0].alternatives.len(), 3);
}

#[test]
fn the_last_commit_of_this_device_is_taken_back_as_a_whole_and_done_again() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let ids = [1, 2, 3].map(|number| create(&one, fields([("number", Value::Int(number))])));
    places(&one).edit_where(&Selector::default(), &[Operation::set("seen", true.into())], |_| ()).unwrap();
    one.write(|tx| {
        tx.delete(&read(&one, ids[0]))?;
        for number in [20, 21] {
            let document = tx.get("places", ids[1])?.unwrap();
            tx.edit(&document, vec![Operation::set("number", Value::Int(number))])?;
        }
        tx.put("people", "ana", fields([("name", "Ana".into())])).map(drop)
    })
    .unwrap();
    meet(&a.database, &b.database);
    set(&two, ids[2], "number", 30);
    meet(&a.database, &b.database);
    let commit = one.last_commit().unwrap().unwrap();
    let changed: Vec<_> = commit.documents.iter().map(|one| (one.collection.as_str(), one.versions.len())).collect();
    assert_eq!(changed, [("places", 1), ("places", 2), ("people", 1)]);
    let before = one.digest().unwrap();
    assert_eq!(one.preview_undo(&commit).unwrap().len(), 3);
    assert_eq!(one.digest().unwrap(), before);
    one.undo(&commit).unwrap();
    assert_eq!(get(&one, ids[0], "seen"), Some(true.into()));
    assert_eq!(get(&one, ids[1], "number"), Some(Value::Int(2)));
    assert_eq!(get(&one, ids[2], "number"), Some(Value::Int(30)));
    assert!(one.collection("people").is_empty().unwrap());
    one.undo(&one.last_commit().unwrap().unwrap()).unwrap();
    assert_eq!((get(&one, ids[1], "number"), places(&one).len().unwrap()), (Some(Value::Int(21)), 2));
    assert_eq!(one.collection("people").len().unwrap(), 1);
    let theirs = two.last_commit().unwrap().unwrap();
    assert_eq!(theirs.documents.iter().map(|one| one.id).collect::<Vec<_>>(), [ids[2]], "each has its own");
}

#[test]
fn a_wrong_clock_shows_no_effect_before_its_cause_and_all_devices_agree() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let id = create(&one, fields([("name", "Cusco".into())]));
    let created = places(&one).history(id).unwrap()[0].time;
    // Written an hour ahead; then by somebody who had seen that, and whose clock is right.
    a.clock.set_ahead(60 * MINUTE);
    set(&one, id, "name", "Qosqo");
    meet(&a.database, &b.database);
    set(&two, id, "people", 2);
    meet(&a.database, &b.database);
    for project in [&one, &two] {
        let at = |moment: i64| places(project).as_of(moment).get(id).unwrap().map(|found| found.fields());
        assert_eq!(at(created - 1), None);
        assert_eq!(at(created), Some(fields([("name", "Cusco".into())])));
        assert_eq!(at(created + 30 * MINUTE), Some(fields([("name", "Cusco".into())])), "not the later one alone");
        let last = fields([("name", "Qosqo".into()), ("people", Value::Int(2))]);
        assert_eq!(at(created + 120 * MINUTE), Some(last));
    }
}

/// A device with documents of now and of an hour ahead, and the moment between.
fn grown() -> (Device, Vec<DocumentId>, i64) {
    let [device] = team();
    let project = device.project();
    let ids: Vec<_> = project
        .write(|tx| (0..50).map(|number| tx.create("places", fields([("number", Value::Int(number))]))).collect())
        .unwrap();
    let moment = places(&project).history(ids[0]).unwrap()[0].time + MINUTE;
    device.clock.set_ahead(60 * MINUTE);
    places(&project)
        .edit_where(&"number<10".parse().unwrap(), &[Operation::set("number", Value::Int(99))], |_| ())
        .unwrap();
    places(&project).delete_where(&"number=10".parse().unwrap(), |_| ()).unwrap();
    create(&project, fields([("number", Value::Int(5))]));
    (device, ids, moment)
}

#[test]
fn a_query_of_the_past_reads_no_index_and_merges_only_what_has_changed_since() {
    let (device, ids, moment) = grown();
    let project = device.project();
    places(&project).create_index("number").unwrap();
    let past = places(&project).as_of(moment);
    let query = Query::new("number<20".parse().unwrap()).sort("number:desc".parse().unwrap()).limit(12);
    let numbers: Vec<_> = past.query(&query).unwrap().iter().map(|found| found.get(&["number"]).unwrap()).collect();
    assert_eq!(numbers, (8..20).rev().map(Value::Int).collect::<Vec<_>>());
    assert_eq!(past.count(&"number<20".parse().unwrap()).unwrap(), 20);
    let told = past.explain(&query).unwrap();
    assert_eq!((told.index, told.keys, told.as_of, told.found), (None, 0, Some(moment), 12));
    assert_eq!((told.documents, told.merged), (51, 11), "those edited and the one deleted");
    assert_eq!(places(&project).explain(&query).unwrap().as_of, None);
    // It comes back as it was.
    let deleted = past.get(ids[10]).unwrap().unwrap();
    assert!(places(&project).get(ids[10]).unwrap().is_none());
    assert!(places(&project).restore_to(&deleted).unwrap());
    assert_eq!(get(&project, ids[10], "number"), Some(Value::Int(10)));
}

#[test]
fn who_reads_the_past_keeps_nobody_from_writing_and_sees_nothing_of_it() {
    let (device, ids, moment) = grown();
    let (done, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let project = device.project();
        let mut seen = BTreeSet::new();
        let visited = places(&project).as_of(moment).for_each(|document| {
            seen.insert(document.id());
            if seen.len() == 1 {
                device.clock.set_ahead(-60 * MINUTE);
                create(&project, fields([("number", Value::Int(7))]));
            }
            Ok(ControlFlow::Continue(()))
        });
        visited.unwrap();
        let again = places(&project).as_of(moment).count(&Selector::default()).unwrap();
        let _ = done.send((seen, again));
    });
    let (seen, again) = result.recv_timeout(Duration::from_secs(20)).expect("it ends");
    assert_eq!(seen, ids.into_iter().collect());
    assert_eq!(again, 51, "what was written meanwhile and claims an earlier time");
}
