//! What documents were: looking at it, comparing, going back, taking back.

use serde_json::json;

use crate::support::Device;

/// The versions of a document, as the program lists them.
fn versions(device: &Device, document: &str) -> Vec<String> {
    let told = device.json(&["history", "places", document, "--all"])["versions"].clone();
    told.as_array().unwrap().iter().map(|one| one["version"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_document_is_shown_compared_and_brought_back_as_it_was() {
    let device = Device::with_project("Ana");
    device.ok(&["put", "places", "--key", "cusco", "name=Cusco", "address.city=Cusco", "open=true"]);
    device.ok(&["edit", "places", "cusco", "address.city=Qosqo", "population=5", "--unset", "open"]);
    let [first, second] = versions(&device, "cusco").try_into().unwrap();
    let at = |version: &str| format!("cusco@{version}");
    assert_eq!(device.json(&["get", "places", &at(&first)])["address"]["city"], "Cusco");
    assert_eq!(device.json(&["get", "places", "--key", &at(&first[..8])])["address"]["city"], "Cusco");
    let differing = device.json(&["diff", "places", &at(&first[..8])]);
    let fields: Vec<&str> = differing.as_array().unwrap().iter().map(|one| one["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["address.city", "open", "population"]);
    assert_eq!(differing[1], json!({ "field": "open", "before": true, "after": null }));
    let told = device.run(&["diff", "places", &at(&second), &first]);
    assert_eq!((told.code, told.out.lines().next()), (1, Some("- address.city  Qosqo")));
    assert_eq!(device.run(&["diff", "places", &at(&second)]).code, 0, "nothing differs");
    device.ok(&["delete", "places", "cusco"]);
    assert_eq!(device.json(&["restore", "places", &at(&first)])["changed"], true);
    assert_eq!(device.json(&["get", "places", "cusco"])["open"], true);
    assert_eq!(device.run(&["diff", "places", &at(&first)]).code, 0);
    let again = device.run(&["restore", "places", &at(&first)]);
    assert!(again.code == 0 && again.err.contains("nothing was changed"), "{}", again.err);
    let deletion = &versions(&device, "cusco")[2];
    for command in ["restore", "show", "get"] {
        device.refused(&[command, "places", &at("00")], 1, "no version \"00\"");
        device.refused(&[command, "places", &at(deletion)], 1, "was deleted");
    }
    device.refused(&["restore", "places", "cusco"], 2, "is not said");
    device.refused(&["diff", "places", "cusco"], 2, "is not said");
}

#[test]
fn what_was_written_in_a_row_is_one_line_and_with_all_each_version() {
    let device = Device::with_project("Ana");
    device.ok(&["put", "places", "--key", "cusco", "name=Cusco"]);
    device.ok(&["edit", "places", "cusco", "population=5"]);
    device.ok(&["delete", "places", "cusco"]);
    let line = device.ok(&["history", "places", "cusco"]);
    let cells: Vec<&str> = line.trim_end().split('\t').collect();
    assert_eq!(
        (line.lines().count(), cells[2..].to_vec()),
        (1, vec!["Ana", "3", "created: name, population; deleted"])
    );
    let sitting = device.json(&["history", "places", "cusco"])["sittings"][0].clone();
    assert_eq!((&sitting["changes"], &sitting["deleted"]), (&json!(3), &json!(true)));
    assert_eq!(sitting["fields"], json!(["name", "population"]));
    assert_eq!(sitting["versions"].as_array().unwrap().last(), Some(&sitting["version"]));
    assert_eq!(device.ok(&["history", "places", "cusco", "--all"]).lines().count(), 3);
    device.refused(&["history", "places", "cusco", "--pause", "soon"], 2, "no length of time");
    device.refused(&["history", "places", "cusco", "--all", "--pause", "1h"], 2, "cannot be used with");
}

#[test]
fn a_document_is_shown_with_who_wrote_it_and_a_key_may_have_an_at_sign() {
    let device = Device::with_project("Ana");
    let place = r#"{"name": "Cusco", "location": {"type": "Point", "coordinates": [-71.97, -13.53]}}"#;
    device.ok(&["put", "places", "--key", "ana@example.org", place]);
    let text = device.ok(&["show", "places", "ana@example.org"]);
    assert!(text.contains("13.5300° S 71.9700° W  Ana, just now"), "{text}");
    assert!(text.contains("1 change; created just now by Ana"), "{text}");
    let [version] = versions(&device, "ana@example.org").try_into().unwrap();
    let told = device.json(&["show", "places", &format!("ana@example.org@{}", &version[..6])]);
    assert_eq!((&told["versions"], &told["changes"]), (&json!([version]), &json!(1)));
    assert_eq!(told["fields"][1]["field"], "name");
    assert_eq!((&told["fields"][1]["value"], &told["fields"][1]["name"]), (&json!("Cusco"), &json!("Ana")));
    device.refused(&["show", "places", "ben@example.org"], 1, "no document \"ben\"");
}

#[test]
fn the_last_change_is_taken_back_and_done_again() {
    let device = Device::with_project("Ana");
    device.ok(&["put", "places", "--key", "cusco", "name=Cusco", "population=5"]);
    device.ok(&["edit", "places", "cusco", "name=Qosqo", "population=6"]);
    let name = || device.json(&["get", "places", "cusco"])["name"].clone();
    let trial = device.run(&["undo", "places", "cusco", "--dry-run"]);
    assert!(trial.code == 0 && trial.err.contains("name  Qosqo → Cusco"), "{}", trial.err);
    assert_eq!(name(), "Qosqo");
    let undone = device.json(&["undo", "places", "cusco"])["undone"][0].clone();
    assert_eq!(undone["taken_back"][1], json!({ "field": "population", "from": 6, "to": 5 }));
    assert_eq!(name(), "Cusco");
    device.ok(&["undo", "places", "--key", "cusco"]);
    assert_eq!(name(), "Qosqo");

    // An older one: what was written since stays, and that is said.
    device.ok(&["edit", "places", "cusco", "population=7"]);
    let edit = format!("cusco@{}", versions(&device, "cusco")[3]);
    let kept = device.run(&["undo", "places", &edit]);
    assert!(kept.code == 0 && kept.err.contains("population stays: written since by Ana"), "{}", kept.err);
    assert_eq!(name(), "Cusco");
    assert_eq!(device.run(&["undo", "places", &edit]).code, 1, "there is nothing left of it");

    device.refused(&["undo", "places"], 2, "is not said");
    device.refused(&["undo", "--key", "cusco"], 2, "is not said");
    device.refused(&["undo", "places", "cusco@yesterday"], 2, "a time names none");
}

#[test]
fn without_a_document_the_whole_last_commit_is_taken_back() {
    let device = Device::with_project("Ana");
    device.refused(&["undo"], 1, "written nothing yet");
    for number in 1..=3 {
        device.ok(&["put", "places", &format!("number={number}")]);
    }
    device.ok(&["edit", "places", "--where", "number>1", "open=true"]);
    let open = || device.json(&["query", "places", "open=true", "--count"])["count"].clone();
    let trial = device.json(&["undo", "--dry-run"]);
    assert_eq!((trial["undone"].as_array().unwrap().len(), &trial["dry_run"]), (2, &json!(true)));
    assert_eq!(open(), 2);
    let told = device.run(&["undo"]);
    assert!(told.code == 0 && told.err.contains("took back the changes of 2 documents"), "{}", told.err);
    assert_eq!(open(), 0);
    device.ok(&["undo", "--yes"]);
    assert_eq!(open(), 2);
}

#[test]
fn a_query_and_an_export_are_of_any_moment_of_the_past() {
    let device = Device::with_project("Ana");
    device.ok(&["put", "places", "--key", "cusco", "name=Cusco", "open=true"]);
    let told = device.json(&["history", "places", "cusco"]);
    let then = told["sittings"][0]["to"].as_str().unwrap().to_owned();
    // A moment to the millisecond, so what comes later is later.
    std::thread::sleep(std::time::Duration::from_millis(5));
    device.ok(&["edit", "places", "cusco", "open=false"]);
    device.ok(&["put", "places", "--key", "lima", "name=Lima", "open=true"]);
    let names = |arguments: &[&str]| {
        let found = device.json(&[&["query", "places", "open=true", "--fields", "name"], arguments].concat());
        found.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((names(&[]), names(&["--as-of", &then])), (vec!["Lima".to_owned()], vec!["Cusco".to_owned()]));
    assert_eq!(device.ok(&["query", "places", "--count", "--as-of", &then]), "1\n");
    let how = device.ok(&["query", "places", "--explain", "--as-of", &then]);
    assert!(how.contains("no index is of the past: 2 documents, 1 merged"), "{how}");
    let exported = device.ok(&["export", "--collection", "places", "--as-of", &then]);
    assert!(exported.lines().count() == 1 && exported.contains("\"open\":true"), "{exported}");
    let at = format!("cusco@{then}");
    assert_eq!(device.json(&["get", "places", &at])["open"], true);
    device.refused(&["show", "places", &format!("lima@{then}")], 1, "was not in places at");
    assert_eq!(device.run(&["diff", "places", &at]).code, 1);
    assert_eq!(device.json(&["restore", "places", &at])["changed"], true);
    assert_eq!(names(&[]).len(), 2);
    assert_eq!(device.run(&["query", "places", "--as-of", "yesterday"]).code, 1);
    for unclear in ["20.11.2026", "14:30", "2h", "soon"] {
        device.refused(&["query", "places", "--as-of", unclear], 2, unclear);
        device.refused(&["show", "places", &format!("cusco@{unclear}")], 2, unclear);
    }
}
