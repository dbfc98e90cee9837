//! `ayni` alone, and what is said to a command that is not understood: there is always something to do next.

use serde_json::{Value as Json, json};

use crate::support::Device;

/// What `ayni` alone says, all of it, and its answer for programs.
fn said(device: &Device) -> (String, Json) {
    let ran = device.run(&[]);
    (format!("{}{}", ran.out, ran.err), device.json(&[]))
}

/// Lets two devices meet until they are level.
fn meet(one: &Device, other: &Device) {
    let mut syncing = one.syncing(&[]);
    let address = syncing.address();
    other.ok(&["sync", "--once", "--no-discovery", "--listen", "127.0.0.1:0", "--peer", &address]);
}

#[test]
fn ayni_alone_says_where_one_stands_and_what_to_do_next() {
    let ana = Device::bare();
    let ran = ana.run(&[]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("There is no database") && ran.err.contains("ayni init --name"), "{}", ran.err);

    ana.ok(&["init", "--name", "Ana"]);
    let (text, facts) = said(&ana);
    assert!(text.contains("in no project yet") && text.contains("ayni project new NAME"), "{text}");
    assert_eq!((facts["projects"].clone(), facts.get("next")), (json!([]), None));

    ana.ok(&["project", "new", "Mapa"]);
    let (text, facts) = said(&ana);
    assert!(text.contains("Mapa  coordinator") && text.contains("No documents yet"), "{text}");
    assert_eq!(facts["next"], json!(["ayni put places name=Cusco", "ayni import FILE --collection places"]));

    ana.ok(&["put", "places", "--key", "cusco", "name=Cusco"]);
    let (text, facts) = said(&ana);
    assert!(text.contains("places\t1") && text.contains("Only this device has it"), "{text}");
    assert_eq!(facts["next"], json!(["ayni invite", "ayni query COLLECTION"]));

    let ben = Device::new("Ben");
    ben.ok(&["join", ana.ok(&["invite"]).trim()]);
    let (text, facts) = said(&ben);
    assert!(text.contains("not admitted yet") && !text.contains("project project"), "{text}");
    assert_eq!(facts["next"], json!(["ayni sync --once"]));
    let status = ben.run(&["status"]);
    assert!(status.code == 1 && status.err.contains("ayni sync --once"), "{}{}", status.out, status.err);
    assert!(!status.err.contains("ayni invite"), "who is not in it invites nobody: {}", status.err);

    meet(&ana, &ben);
    let (text, facts) = said(&ben);
    assert!(text.contains("Safe: Ana has everything, as of"), "{text}");
    assert_eq!(
        (facts["level_devices"].as_u64(), facts["next"].clone()),
        (Some(1), json!(["ayni query COLLECTION", "ayni sync"]))
    );

    ben.ok(&["edit", "places", "cusco", "name=Qosqo"]);
    ana.ok(&["edit", "places", "cusco", "name=Cuzco"]);
    let (text, facts) = said(&ben);
    assert!(text.contains("Ana\tcoordinator\tlacks 1 entry\t"), "{text}");
    assert_eq!(facts["next"], json!(["ayni sync --once", "ayni query COLLECTION"]));

    meet(&ana, &ben);
    let (text, facts) = said(&ben);
    assert!(text.contains("1 document is in conflict."), "{text}");
    assert_eq!((facts["conflicted"].as_u64(), facts["next"][0].as_str()), (Some(1), Some("ayni settle")));
}

#[test]
fn while_sync_runs_it_says_so_and_asks_for_none() {
    let ana = Device::with_project("Ana");
    ana.ok(&["put", "places", "name=Cusco"]);
    let mut syncing = ana.syncing(&[]);
    syncing.address();
    let (text, facts) = said(&ana);
    assert!(text.contains("`ayni sync` runs on this device: nobody is here now."), "{text}");
    assert_eq!(facts["syncing"], true);
}

#[test]
fn of_several_projects_it_tells_of_the_chosen_one_or_of_the_one_that_is_named() {
    let device = Device::with_project("Ana");
    device.ok(&["project", "new", "Salud"]);
    let (text, _) = said(&device);
    assert!(text.contains("Salud  coordinator, one of 2 projects"), "{text}");
    let named = device.ok(&["--project", "Mapa"]);
    assert!(named.contains("Mapa  coordinator, one of 2 projects"), "{named}");
}

#[test]
fn a_command_that_is_not_understood_is_answered_with_an_example_of_it() {
    let device = Device::with_project("Ana");
    for (arguments, example) in [
        (&["put", "places"][..], "ayni put places name=Cusco population=428450"),
        (&["schema", "set", "places"], "ayni schema set places places.schema.json"),
        (&["import", "x.csv"], "ayni import places.geojson --collection places"),
        (&["invite", "--role", "king"], "ayni invite --role coordinator"),
        (&["query", "places", "--bogus"], "ayni query places country=PE"),
        (&["frobnicate"], "ayni init --name"),
    ] {
        let ran = device.run(arguments);
        ran.refused(2, "");
        assert!(ran.err.contains(example), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("usage: ayni ") && ran.err.contains("--help` tells all of it"), "{}", ran.err);
    }
}
