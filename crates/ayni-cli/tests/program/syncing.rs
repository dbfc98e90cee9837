//! Devices that meet: real processes over loopback.

use crate::support::{Device, copy, eventually};

/// Two devices in one project that have met; what Ana's listening sync prints.
fn two() -> (Device, Device) {
    let ana = Device::with_project("Ana");
    ana.ok(&["put", "places", "--key", "cusco", "name=Cusco", "population=1"]);
    let ticket = ana.json(&["invite"])["ticket"].as_str().unwrap().to_owned();
    let ben = Device::new("Ben");
    ben.ok(&["join", &ticket]);
    meet(&ana, &ben);
    (ana, ben)
}

/// The arguments to `sync` until level with the devices at these addresses, or nothing has moved for so long.
fn once<'a>(addresses: &[&'a str], patience: &'a str) -> Vec<&'a str> {
    let begin = ["sync", "--once", "--no-discovery", "--listen", "127.0.0.1:0", "--timeout", patience];
    begin.into_iter().chain(addresses.iter().flat_map(|address| ["--peer", address])).collect()
}

/// Lets two devices meet until they are level.
fn meet(ana: &Device, ben: &Device) {
    let mut watch = ana.syncing(&[]);
    let address = watch.address();
    let once = ben.run(&["sync", "--once", "--no-discovery", "--listen", "127.0.0.1:0", "--peer", &address]);
    assert_eq!(once.code, 0, "{}", once.err);
    watch.event("gone");
}

#[test]
fn a_ticket_and_one_meeting_bring_everything() {
    let (ana, ben) = two();
    assert_eq!(ben.json(&["project", "list"])[0]["name"], "Mapa");
    assert_eq!(ben.json(&["get", "places", "cusco"])["name"], "Cusco");
    assert_eq!(ana.digest(), ben.digest());
    for device in [&ana, &ben] {
        let status = device.json(&["status"]);
        assert_eq!(status["safe_with"].as_array().unwrap().len(), 1, "{status}");
        assert_eq!(status["devices"][0]["level"], true, "{status}");
        assert!(device.run(&["status"]).err.contains("Safe: "));
    }
    ana.ok(&["put", "places", "name=Puno"]);
    let status = ana.json(&["status"]);
    assert_eq!(status["devices"][0]["entries_behind"], 1);
    assert_eq!(ana.run(&["status"]).code, 1);
    assert!(!ana.run(&["status"]).err.contains("Safe"));
    let peers = ana.run(&["peers", "--wait", "0"]);
    assert_eq!(peers.code, 1, "nobody is here");
    assert!(peers.out.contains("Ben"), "{}", peers.out);
}

#[cfg(unix)]
#[test]
fn once_ends_well_only_when_level_with_everyone_who_was_met() {
    let (ana, ben) = two();
    let ticket = ana.json(&["invite"])["ticket"].as_str().unwrap().to_owned();
    let carl = Device::new("Carl");
    carl.ok(&["join", &ticket]);
    meet(&ana, &carl);
    let records: String = (0..30_000).map(|number| format!("{{\"number\":{number}}}\n")).collect();
    ana.ok(&["import", &ana.file("many.jsonl", &records), "-c", "numbers"]);

    // Carl has no room for so much, which shows when he was met some time ago.
    let (mut bens, mut carls) = (ben.syncing(&[]), carl.syncing_in_little_room(3_000));
    let (at_bens, at_carls) = (bens.address(), carls.address());
    ana.refused(&once(&[&at_bens, &at_carls], "5s"), 1, "nothing has moved for 5");
    drop(carls);
    ana.ok(&once(&[&at_bens], "60s"));
    assert_eq!(ben.json(&["query", "numbers", "--count"])["count"], 30_000);
    let mut carls = carl.syncing(&[]);
    let at_carls = carls.address();
    ana.ok(&once(&[&at_bens, &at_carls], "60s"));
    assert_eq!(carl.digest(), ana.digest());
}

#[test]
fn a_put_beside_a_running_sync_arrives_at_once() {
    let (ana, ben) = two();
    let mut watch = ana.syncing(&[]);
    let address = watch.address();
    let mut other = ben.syncing(&["--watch", "--peer", &address]);
    other.event("level");
    ana.ok(&["put", "places", "--key", "puno", "name=Puno"]);
    eventually("the put on the other device", || ben.run(&["get", "places", "puno"]).code == 0);
    ben.ok(&["edit", "places", "puno", "population=120000"]);
    eventually("the edit back again", || ana.json(&["get", "places", "puno"])["population"] == 120_000);
    let here = ben.json(&["peers"]);
    assert_eq!((here[0]["name"].as_str(), here[0]["here"].as_bool()), (Some("Ana"), Some(true)));
    eventually("the receipt", || ana.run(&["status"]).code == 0);
}

#[test]
fn one_process_syncs_a_folder_at_a_time() {
    let ana = Device::with_project("Ana");
    let mut watch = ana.syncing(&[]);
    watch.address();
    ana.refused(&["sync", "--once"], 1, "another `ayni sync` runs");
    #[cfg(unix)]
    assert_eq!(watch.interrupt(), 0, "Ctrl-C is how a watch ends");
}

#[test]
fn edits_made_apart_stand_beside_each_other_or_are_shown_as_conflicts() {
    let (ana, ben) = two();
    ana.ok(&["edit", "places", "cusco", "population=2", "region=Cusco"]);
    ben.ok(&["edit", "places", "cusco", "population=3", "altitude=3399"]);
    meet(&ana, &ben);
    assert_eq!(ana.digest(), ben.digest());
    let cusco = ana.json(&["get", "places", "cusco"]);
    assert_eq!((cusco["region"].as_str(), cusco["altitude"].as_i64()), (Some("Cusco"), Some(3399)));
    let conflicts = ben.json(&["conflicts"]);
    assert_eq!(conflicts.as_array().unwrap().len(), 1, "{conflicts}");
    assert_eq!(conflicts[0]["field"], "population");
    let mut names: Vec<&str> =
        conflicts[0]["values"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Ana", "Ben"]);
    assert_eq!(ben.run(&["conflicts"]).code, 1);
    ben.ok(&["edit", "places", "cusco", "population=4"]);
    assert_eq!(ben.run(&["conflicts"]).code, 0);
    meet(&ana, &ben);
    assert_eq!(ana.run(&["conflicts"]).code, 0, "settled for everyone");
}

#[test]
fn a_conflict_is_settled_by_its_number_its_device_or_another_value() {
    let (ana, ben) = two();
    let fields =
        [("altitude", "3399", "3400"), ("mayor", "Rosa", "Juan"), ("phone", "1", "2"), ("population", "2", "3")];
    for (field, here, there) in fields {
        ana.ok(&["edit", "places", "cusco", &format!("{field}={here}")]);
        ben.ok(&["edit", "places", "cusco", &format!("{field}={there}")]);
    }
    meet(&ana, &ben);
    assert_eq!(ana.json(&["conflicts"]).as_array().unwrap().len(), 4);
    ana.refused(&["settle"], 2, "4 conflicts to settle, and no terminal");
    ana.refused(&["settle", "towns"], 1, "no collection");
    ana.refused(&["settle", "places", "cusco", "--pick", "1"], 2, "several fields are in conflict");
    ana.refused(&["settle", "places", "cusco", "population", "--pick", "3"], 2, "none of the values");
    ana.refused(&["settle", "places", "cusco", "population", "--pick", "Eva"], 2, "(3, by Ben)");
    ana.refused(&["settle", "places", "cusco", "name", "--pick", "1"], 1, "no such conflict");
    ana.refused(&["settle", "places", "cusco", "--pick", "1", "--unset"], 2, "cannot be used with");
    let conflict = &ana.json(&["conflicts"])[0];
    assert_eq!(conflict["field"], "altitude");
    let settle = |field: &str, decision: &[&str]| {
        let arguments = [&["settle", "places", "cusco", field], decision].concat();
        assert_eq!(ana.json(&arguments), serde_json::json!({ "settled": 1, "left": 0 }), "{field}");
        ana.json(&["get", "places", "cusco"])[field].clone()
    };
    assert_eq!(settle("altitude", &["--pick", "2"]), conflict["values"][1]["value"]);
    assert_eq!(settle("mayor", &["--pick", "an"]), "Rosa", "the beginning of a name is enough");
    assert_eq!(settle("phone", &["--unset"]), serde_json::Value::Null);
    assert_eq!(settle("population", &["--value", "many"]), "many");
    assert_eq!(ana.run(&["conflicts"]).code, 0);
    let none = ana.run(&["settle"]);
    assert!(none.code == 0 && none.err.contains("no conflicts"), "{}", none.err);
    meet(&ana, &ben);
    assert_eq!(ben.run(&["conflicts"]).code, 0, "settled for everyone");
}

#[test]
fn who_was_not_reached_is_said() {
    let ana = Device::with_project("Ana");
    let alone = ["sync", "--once", "--no-discovery", "--listen", "127.0.0.1:0", "--timeout", "2s"];
    ana.refused(&alone, 1, "no other device");
    let gone = Device::with_project("Gone").syncing(&[]).address();
    ana.refused(&once(&[&gone], "1s"), 1, "could not be reached");
    ana.refused(&once(&[&gone], "9s"), 1, "(it does not answer");
    ana.refused(&["sync", "--peer", "192.168.1.7:4433"], 2, "is not a peer address");
    ana.refused(&["sync", "--listen", "here"], 2, "invalid value");
    ana.refused(&["sync", "--once", "--timeout", "soon"], 2, "no length of time");
    let bare = Device::new("Ben");
    bare.refused(&["sync", "--once"], 1, "in no project");
}

#[test]
fn a_project_joined_beside_a_running_sync_is_fetched_by_it() {
    let ana = Device::with_project("Ana");
    ana.ok(&["put", "places", "--key", "cusco", "name=Cusco"]);
    let mut watch = ana.syncing(&[]);
    let address = watch.address();
    let ben = Device::with_project("Ben");
    let _other = ben.syncing(&["--peer", &address]);
    let ticket = ana.json(&["invite", "--address", address.split_once('@').unwrap().1])["ticket"].clone();
    std::thread::sleep(std::time::Duration::from_millis(500));
    ben.ok(&["join", ticket.as_str().unwrap()]);
    eventually("the documents of the project", || ben.run(&["get", "places", "cusco"]).code == 0);
}

#[test]
fn a_folder_restored_from_yesterday_is_noticed_and_everything_of_both_days_counts() {
    let (ana, ben) = two();
    let yesterday = ana.home.path().join("yesterday");
    copy(&ana.folder(), &yesterday);
    ana.ok(&["put", "places", "--key", "today", "name=Today"]);
    meet(&ana, &ben);
    std::fs::remove_dir_all(ana.folder()).unwrap();
    copy(&yesterday, &ana.folder());
    let ran = ana.run(&["put", "places", "--key", "again", "name=Again"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("copied or restored"), "{}", ran.err);
    assert!(!ana.run(&["status"]).err.contains("restored"), "it is said once");
    meet(&ana, &ben);
    assert_eq!(ana.digest(), ben.digest());
    for key in ["cusco", "today", "again"] {
        assert_eq!(ana.run(&["get", "places", "--key", key]).code, 0, "{key}");
    }
}

#[test]
fn a_coordinator_admits_one_device_after_another_however_often_it_is_opened() {
    let (ana, ben) = two();
    for name in ["Carla", "Dora", "Eva"] {
        let ticket = ana.json(&["invite"])["ticket"].as_str().unwrap().to_owned();
        let new = Device::new(name);
        new.ok(&["join", &ticket]);
        meet(&ana, &new);
        assert_eq!(new.digest(), ana.digest());
    }
    meet(&ana, &ben);
    assert_eq!(ben.json(&["status"])["devices"].as_array().unwrap().len(), 4);
}
