//! Folders that are copied, restored, or opened twice.

mod support;

use ayni::doc::Value;
use ayni::{Continuity, Database, Error, OpenError, Options};
use support::{
    Device, Image, Pipe, copy_folder, create, eventually, fields, get, meet, options, rebuilt_equal, same, set, team,
};

fn number(value: i64) -> ayni::doc::Map {
    fields([("number", Value::Int(value))])
}

#[test]
fn a_device_without_a_name_or_with_an_endless_one_is_refused_and_nothing_is_made() {
    let folder = tempfile::TempDir::new().unwrap();
    for name in ["", " \n", &"a".repeat(257)] {
        let made = Database::create(&folder.path().join("db"), name, Options::new(folder.path().join("keys")));
        let refused = made.err().expect("it is refused");
        assert!(matches!(refused, Error::Name { what: "the name of a device", .. }), "{refused}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_copied_folder_is_noticed_and_everything_of_both_counts_everywhere() {
    for same_keys in [true, false] {
        let [a, b] = team();
        let one = a.project();
        let id = create(&one, number(1));
        let before = a.database.incarnation();
        let Device { folder, database, clock } = a;
        drop((one, database));
        let elsewhere = tempfile::TempDir::new().unwrap();
        copy_folder(&folder.path().join("db"), &elsewhere.path().join("db"));
        let mut copy_options = options(folder.path(), &clock);
        if !same_keys {
            // What is beside the key file does not come along with a copied folder; the key file was carried over.
            let keys = elsewhere.path().join("keys");
            std::fs::create_dir_all(&keys).unwrap();
            for entry in std::fs::read_dir(folder.path().join("keys")).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "key") {
                    std::fs::copy(&path, keys.join(path.file_name().unwrap())).unwrap();
                }
            }
            copy_options.keys = keys;
        }
        let original = Database::open(&folder.path().join("db"), options(folder.path(), &clock)).unwrap();
        let copy = Database::open(&elsewhere.path().join("db"), copy_options).unwrap();
        assert_eq!(original.continuity(), Continuity::Same);
        assert_eq!(copy.continuity(), Continuity::Restored);
        assert_eq!(original.incarnation(), before);
        assert_ne!(copy.incarnation(), before);
        assert_eq!(copy.device(), original.device());

        let (one, two) = (original.projects().unwrap().remove(0), copy.projects().unwrap().remove(0));
        let here = create(&one, number(2));
        let there = create(&two, number(3));
        set(&one, id, "here", 1);
        set(&two, id, "there", 2);
        // The copies meet each other, and another device meets one of them.
        meet(&original, &copy);
        meet(&copy, &b.database);
        let three = b.project();
        assert!(same(&[&one, &two, &three]));
        for project in [&one, &two, &three] {
            assert_eq!(project.collection("places").len().unwrap(), 3);
            assert_eq!(get(project, here, "number"), Some(Value::Int(2)));
            assert_eq!(get(project, there, "number"), Some(Value::Int(3)));
            assert_eq!(get(project, id, "here"), Some(Value::Int(1)));
            assert_eq!(get(project, id, "there"), Some(Value::Int(2)));
        }
        rebuilt_equal(&b.database);
        drop((one, two, original, copy));
        assert!(Database::open(&folder.path().join("db"), options(folder.path(), &clock)).is_ok());
    }
}

#[test]
fn a_folder_restored_from_yesterdays_copy_is_noticed_and_goes_on() {
    let [a, b] = team();
    let one = a.project();
    create(&one, number(1));
    drop(one);
    let Device { folder, database, clock } = a;
    drop(database);
    let yesterday = tempfile::TempDir::new().unwrap();
    copy_folder(&folder.path().join("db"), &yesterday.path().join("db"));
    {
        let database = Database::open(&folder.path().join("db"), options(folder.path(), &clock)).unwrap();
        create(&database.projects().unwrap()[0], number(2));
        meet(&database, &b.database);
        create(&database.projects().unwrap()[0], number(3));
    }
    std::fs::remove_dir_all(folder.path().join("db")).unwrap();
    copy_folder(&yesterday.path().join("db"), &folder.path().join("db"));
    clock.set_ahead(-1_000_000_000_000);
    let restored = Database::open(&folder.path().join("db"), options(folder.path(), &clock)).unwrap();
    assert_eq!(restored.continuity(), Continuity::Restored);
    let one = restored.projects().unwrap().remove(0);
    create(&one, number(4));
    meet(&restored, &b.database);
    assert!(same(&[&one, &b.project()]));
    {
        // Its clock stands before the restore; what it had acknowledged before says nothing of what it has now.
        let _pipe = Pipe::new(&restored, &b.database);
        eventually("a receipt of the new incarnation", || {
            b.project().status().unwrap().devices[0].receipt.is_some_and(|receipt| receipt.time < 1_000_000_000_000)
        });
    }
    // What was written and met nobody before the restore is gone with the folder; all else is there.
    assert_eq!(one.collection("places").len().unwrap(), 3);
    drop((one, restored));
    let again = Database::open(&folder.path().join("db"), options(folder.path(), &clock)).unwrap();
    assert_eq!(again.continuity(), Continuity::Same);
}

#[test]
fn two_copies_that_write_the_same_positions_become_a_fork_that_all_devices_keep() {
    let [a, b, c] = team();
    let id = create(&a.project(), number(0));
    meet(&a.database, &b.database);
    meet(&a.database, &c.database);
    let Device { folder, database, clock } = a;
    drop(database);
    // A whole disk image: what is outside the folder is copied too, so nothing can be noticed.
    let image = tempfile::TempDir::new().unwrap();
    for part in ["db", "keys"] {
        copy_folder(&folder.path().join(part), &image.path().join(part));
    }
    {
        // Put back in the very same place, with the very same record.
        let first = Database::open(&folder.path().join("db"), options(folder.path(), &clock)).unwrap();
        let project = first.projects().unwrap().remove(0);
        set(&project, id, "first", 1);
        for value in 1..4 {
            create(&project, number(value));
        }
        meet(&first, &b.database);
        // The fork goes on on both sides later.
        create(&project, number(4));
        meet(&first, &b.database);
    }
    for part in ["db", "keys"] {
        std::fs::remove_dir_all(folder.path().join(part)).unwrap();
        copy_folder(&image.path().join(part), &folder.path().join(part));
    }
    let second = Database::open(&folder.path().join("db"), options(folder.path(), &clock)).unwrap();
    assert_eq!(second.continuity(), Continuity::Same, "nothing tells it from the one that was used since");
    let project = second.projects().unwrap().remove(0);
    set(&project, id, "second", 2);
    create(&project, number(10));
    meet(&second, &c.database);
    create(&project, number(11));
    meet(&second, &c.database);
    meet(&b.database, &c.database);
    let (two, three) = (b.project(), c.project());
    assert!(same(&[&two, &three]));
    assert_eq!(two.collection("places").len().unwrap(), 1 + 4 + 2);
    meet(&second, &b.database);
    create(&project, number(12));
    meet(&second, &b.database);
    meet(&b.database, &c.database);
    assert!(same(&[&project, &two, &three]));
    for project in [&project, &two, &three] {
        assert_eq!(get(project, id, "first"), Some(Value::Int(1)));
        assert_eq!(get(project, id, "second"), Some(Value::Int(2)));
        assert_eq!(project.collection("places").len().unwrap(), 1 + 4 + 3);
    }
    rebuilt_equal(&b.database);
    rebuilt_equal(&c.database);
    rebuilt_equal(&second);
    assert!(same(&[&project, &two, &three]));
    let b = b.restart();
    assert!(same(&[&b.project(), &three]));
}

#[test]
fn a_device_whose_log_forked_goes_on_in_a_new_incarnation() {
    let [a, b] = team();
    let id = create(&a.project(), number(0));
    meet(&a.database, &b.database);
    let first = Image::of(a);
    set(&first.device.project(), id, "first", 1);
    meet(&first.device.database, &b.database);
    let second = first.restore().device;
    set(&second.project(), id, "second", 2);
    meet(&second.database, &b.database);
    // It has met what its double wrote, and cannot write on top of it in the same log.
    assert_eq!(get(&second.project(), id, "first"), Some(Value::Int(1)));
    let document = support::read(&second.project(), id);
    let refused = second.project().write(|tx| tx.replace(&document, number(3)));
    assert!(matches!(refused, Err(ayni::Error::Forked)), "{refused:?}");
    let before = second.database.incarnation();
    let Device { folder, database, clock } = second;
    drop((document, database));
    let open = || Database::open(&folder.path().join("db"), options(folder.path(), &clock)).unwrap();
    let third = open();
    assert_eq!(third.continuity(), Continuity::Restored);
    assert_ne!(third.incarnation(), before);
    let project = third.projects().unwrap().remove(0);
    set(&project, id, "third", 3);
    meet(&third, &b.database);
    let two = b.project();
    assert!(same(&[&project, &two]));
    assert_eq!(get(&two, id, "third"), Some(Value::Int(3)));
    assert!(!support::read(&two, id).has_conflicts());
    rebuilt_equal(&b.database);
    drop((project, third));
    assert_eq!(open().continuity(), Continuity::Same);
}

#[test]
fn a_device_that_met_what_a_copy_wrote_about_members_goes_on_after_it() {
    let [a, b] = team();
    let first = Image::of(a);
    // What the copy writes has seen what the other wrote, which the device itself has not when it is put back.
    b.project().rename_device("other").unwrap();
    meet(&first.device.database, &b.database);
    first.device.project().rename_device("copy").unwrap();
    meet(&first.device.database, &b.database);
    let second = first.restore().device;
    meet(&second.database, &b.database);
    b.project().rename_device("another").unwrap();
    meet(&second.database, &b.database);
    second.project().rename_device("itself").unwrap();
    meet(&second.database, &b.database);
    let members = b.project().members().unwrap();
    let itself = members.iter().find(|member| member.device == second.database.device()).unwrap();
    assert_eq!(itself.name, "itself");
}

#[test]
fn two_processes_on_one_folder_see_each_others_commits_and_both_reach_the_peers() {
    let [a, b] = team();
    let beside = a.open_beside();
    assert_eq!(beside.continuity(), Continuity::Same);
    let (one, also_one, two) = (a.project(), beside.projects().unwrap().remove(0), b.project());
    // Only the first process talks to others.
    let _pipe = Pipe::new(&a.database, &b.database);
    for round in 0..20 {
        let here = create(&one, number(round));
        let there = create(&also_one, number(-round));
        if round % 3 == 0 {
            // Without waiting for the wake-up, the first writes again: what the other wrote must go out all the same.
            create(&one, number(1_000 + round));
        }
        a.database.refresh().unwrap();
        beside.refresh().unwrap();
        assert!(one.collection("places").get(there).unwrap().is_some());
        assert!(also_one.collection("places").get(here).unwrap().is_some());
        eventually("both on the peer", || {
            let places = two.collection("places");
            places.get(here).unwrap().is_some() && places.get(there).unwrap().is_some()
        });
    }
    assert!(same(&[&one, &also_one, &two]));
    let id = create(&two, number(7));
    eventually("from the peer", || one.collection("places").get(id).unwrap().is_some());
    beside.refresh().unwrap();
    assert!(also_one.collection("places").get(id).unwrap().is_some());
}

#[test]
fn a_project_joined_by_another_process_is_synced_by_the_one_that_syncs() {
    let a = Device::new("founder");
    let (project, _) = a.database.create_project("Mapa").unwrap();
    let b = Device::new("newcomer");
    let beside = b.open_beside();
    let _pipe = Pipe::new(&a.database, &b.database);
    let ticket = project.invite(&ayni::Invitation::default()).unwrap();
    beside.join(&ticket).unwrap();
    b.database.refresh().unwrap();
    eventually("being let in", || {
        beside.refresh().unwrap();
        let joined = beside.projects().unwrap().remove(0);
        joined.standing().unwrap() == ayni::Standing::Member(ayni::Role::Member)
    });
}

#[test]
fn rebuilding_in_one_process_does_not_confuse_another() {
    let [a, _b] = team();
    let beside = a.open_beside();
    let (one, also_one) = (a.project(), beside.projects().unwrap().remove(0));
    let id = create(&one, number(1));
    beside.refresh().unwrap();
    set(&also_one, id, "number", 2);
    a.database.rebuild_views(|_| ()).unwrap();
    set(&also_one, id, "number", 3);
    assert_eq!(get(&one, id, "number"), Some(Value::Int(3)));
    assert_eq!(also_one.collection("places").len().unwrap(), 1);
}

#[test]
fn a_backup_of_a_database_in_use_holds_what_was_acknowledged_and_can_be_opened() {
    let [a, b] = team();
    let (project, elsewhere) = (a.project(), tempfile::TempDir::new().unwrap());
    let to = elsewhere.path().join("backups").join("db");
    let before: Vec<_> = (0..500).map(|value| create(&project, number(value))).collect();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                create(&project, number(-1));
            }
        });
        a.database.backup(&to).unwrap();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let mut names: Vec<_> = std::fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["ayni.db", "ayni.key"]);
    assert!(Database::salvage(&to, &options(a.folder.path(), &a.clock)).unwrap().lost.is_empty());
    let refused = a.database.backup(&to);
    assert!(matches!(refused, Err(OpenError::Exists(_))), "{refused:?}");

    let copy = Database::open(&to, options(a.folder.path(), &a.clock)).unwrap();
    assert_eq!((copy.continuity(), copy.device()), (Continuity::Restored, a.database.device()));
    let restored = copy.projects().unwrap().remove(0);
    assert!(before.iter().all(|id| get(&restored, *id, "number").is_some()));
    create(&restored, number(-2));
    meet(&a.database, &copy);
    meet(&copy, &b.database);
    assert!(same(&[&project, &restored, &b.project()]));
    rebuilt_equal(&copy);
}

#[test]
fn a_backup_that_cannot_be_written_leaves_no_database() {
    let [device] = team();
    let elsewhere = tempfile::TempDir::new().unwrap();
    let file = elsewhere.path().join("file");
    std::fs::write(&file, "not a folder").unwrap();
    assert!(matches!(device.database.backup(&file), Err(OpenError::File { .. })));
    assert_eq!(std::fs::read(&file).unwrap(), b"not a folder");
}
