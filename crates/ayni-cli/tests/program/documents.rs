//! Writing, reading, changing, finding documents.

use crate::support::Device;

#[test]
fn a_document_is_written_read_changed_and_deleted() {
    let device = Device::with_project("Ana");
    let id = device.ok(&["put", "places", "name=Cusco", "population=428450", "address.city=Cusco", "note=12 de mayo"]);
    let id = id.trim();
    assert_eq!(id.len(), 26);
    let cusco = device.json(&["get", "places", id]);
    assert_eq!(cusco["_id"], id);
    assert_eq!((cusco["population"].as_i64(), cusco["note"].as_str()), (Some(428_450), Some("12 de mayo")));
    assert_eq!(cusco["address"]["city"], "Cusco");
    assert_eq!(device.json(&["get", "places", &id[..6]])["_id"], id, "a start of the id is enough");

    device.ok(&["edit", "places", &id[..8], "population=430000", "address.street=Sol", "--unset", "note"]);
    device.ok(&["edit", "places", id, "--add", "visits=2"]);
    device.ok(&["edit", "places", id, "--add", "visits=-1"]);
    let cusco = device.json(&["get", "places", id]);
    assert_eq!((cusco["population"].as_i64(), cusco["visits"].as_i64()), (Some(430_000), Some(1)));
    assert_eq!(cusco["address"]["street"], "Sol");
    assert!(cusco.get("note").is_none());
    assert!(device.ok(&["get", "places", id]).contains("430000"));

    device.ok(&["delete", "places", id]);
    device.refused(&["get", "places", id], 1, "was deleted");
    device.refused(&["edit", "places", id, "name=X"], 1, "was deleted");
    device.ok(&["edit", "places", id, "--undelete"]);
    assert_eq!(device.json(&["get", "places", id])["name"], "Cusco");

    let versions = device.json(&["history", "places", id, "--all"])["versions"].as_array().unwrap().clone();
    assert_eq!(versions.len(), 6);
    assert!(versions.iter().all(|version| version["name"] == "Ana"));
    assert_eq!(versions[4]["deleted"], true);
    let table = device.ok(&["history", "places", id, "--all"]);
    assert!(table.contains("name=Cusco") && table.contains("deleted"), "{table}");
}

#[test]
fn a_key_is_one_document_whoever_writes_it() {
    let device = Device::with_project("Ana");
    let one = device.json(&["put", "people", "--key", "ana", r#"{"name": "Ana", "age": 30}"#]);
    let two = device.json(&["put", "people", "--key", "ana", "name=Ana", "age=31"]);
    let three = device.json(&["put", "people", "--key", "ana", "name=Ana", "age=31"]);
    assert_eq!(
        (&one["change"], &two["change"], &three["change"]),
        (&"created".into(), &"updated".into(), &"unchanged".into())
    );
    assert_eq!(one["id"], two["id"]);
    assert_eq!(device.json(&["get", "people", "--key", "ana"])["age"], 31);
    assert_eq!(device.json(&["get", "people", "ana"])["age"], 31, "the key alone will do");
    device.ok(&["edit", "people", "--key", "ana", "age=32"]);
    assert_eq!(device.json(&["history", "people", "--key", "ana"])["sittings"][0]["changes"], 3);
    device.ok(&["delete", "people", "--key", "ana"]);
    device.refused(&["get", "people", "--key", "ana"], 1, "was deleted");
    device.refused(&["get", "people", "--key", "ben"], 1, "no document with the key");
    assert_eq!(device.run_with_input(&["put", "people", "-"], r#"{"name": "Eva"}"#).code, 0);
}

#[test]
fn what_cannot_be_understood_is_refused_and_nothing_is_written() {
    let device = Device::with_project("Ana");
    device.refused(&["put", "places", "Cusco"], 2, "gives no field a value");
    device.refused(&["put", "places", "{\"name\":"], 2, "not JSON");
    device.refused(&["put", "places", "[1, 2]"], 2, "must be a JSON object");
    device.refused(&["put", "places", "tags=[1,"], 2, "not JSON");
    device.refused(&["put", "places"], 2, "required");
    device.refused(&["put", "", "a=1"], 2, "1 to 256 bytes");
    device.refused(&["get", "places", "zzzz"], 1, "no document");
    device.refused(&["get", "places"], 2, "required");
    device.refused(&["query", "places"], 1, "no collection");
    let id = device.ok(&["put", "places", "name=Cusco"]);
    device.refused(&["edit", "places", id.trim()], 2, "no terminal");
    device.refused(&["edit", "places"], 2, "not said");
    device.refused(&["edit", "places", id.trim(), "--add", "name=much"], 2, "no whole number");
    for twice in [["a=1", "a=2"], ["a.b=1", "a.b=1"]] {
        device.refused(&["put", "places", twice[0], twice[1]], 2, "is given twice");
        device.refused(&["edit", "places", id.trim(), twice[0], twice[1]], 2, "is given twice");
    }
    for inside in [["a=1", "a.c=2"], ["a.c=2", "a=1"], ["a={\"c\": 1}", "a.c=2"], ["a.c=2", "a={}"]] {
        device.refused(&["put", "places", inside[0], inside[1]], 2, "one lies inside of the other");
        device.refused(&["edit", "places", id.trim(), inside[0], inside[1]], 2, "one lies inside of the other");
    }
    device.refused(&["edit", "places", id.trim(), "visits+=2"], 2, "--add visits=2");
    device.refused(&["put", "places", "tags+=b"], 2, "editor");
    assert_eq!(device.json(&["get", "places", id.trim()]).as_object().unwrap().len(), 2);
    device.ok(&["edit", "places", id.trim(), "a={\"b\": 1}", "a.c=2", r"x\+=1"]);
    let edited = device.json(&["get", "places", id.trim()]);
    assert_eq!((&edited["a"], edited["x+"].as_i64()), (&serde_json::json!({"b": 1, "c": 2}), Some(1)));
    device.refused(&["query", "places", "name==Cusco"], 2, "no condition");
    device.refused(&["query", "places", "[]"], 2, "hint: write {\"field\": value}");
    device.refused(&["query", "places", "--sort", "name:dsc"], 2, "hint: write field:asc or field:desc");
    device.refused(&["query", "places", "name~(Cusco"], 2, "unclosed group");
    device.refused(&["query", "places", "{\"name\": {\"$near\": \"C\"}}"], 2, "$near");
}

#[test]
fn queries_find_sort_and_count() {
    let device = Device::with_project("Ana");
    let places =
        [("Cusco", "PE", 428_450), ("El Tarter", "AD", 1_052), ("Lima", "PE", 7_737_002), ("La Paz", "BO", 812_799)];
    for (name, country, population) in places {
        let fields = format!(r#"{{"name": "{name}", "country": "{country}", "population": {population}}}"#);
        device.ok(&["put", "places", &fields]);
    }
    let names = |arguments: &[&str]| -> Vec<String> {
        let mut all = vec!["query", "places"];
        all.extend(arguments);
        let found = device.json(&all);
        found.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&["--sort", "population:desc"]), ["Lima", "La Paz", "Cusco", "El Tarter"]);
    assert_eq!(names(&["country=PE", "population>1000000"]), ["Lima"]);
    assert_eq!(names(&["country=PE population<1000000"]), ["Cusco"]);
    assert_eq!(names(&["country=PE", "--where", "population<1000000"]), ["Cusco"], "as other commands take it");
    assert_eq!(names(&["name=El Tarter"]), ["El Tarter"], "the shell has taken the quotes off");
    assert_eq!(names(&["{\"country\": {\"$in\": [\"BO\", \"AD\"]}}", "--sort", "name"]), ["El Tarter", "La Paz"]);
    assert_eq!(names(&["--sort", "name", "--skip", "1", "--limit", "2"]), ["El Tarter", "La Paz"]);
    assert_eq!(device.ok(&["query", "places", "country=PE", "--count"]), "2\n");
    let few = device.json(&["query", "places", "name=Lima", "--fields", "population"]);
    assert_eq!(few[0].as_object().unwrap().len(), 2, "the id and what was asked for");
    let lines = device.ok(&["query", "places", "name=Lima", "--fields", "name,population"]);
    assert!(lines.ends_with("\tLima\t7737002\n"), "{lines:?}");
    assert_eq!(device.run(&["query", "places", "country=XX"]).code, 1);
    assert_eq!(device.run(&["query", "places", "country=XX", "--count"]).code, 1);
    assert_eq!(device.run(&["conflicts"]).code, 0);
}

#[test]
fn all_documents_for_which_something_holds_are_changed_or_deleted_and_a_trial_changes_nothing() {
    let device = Device::with_project("Ana");
    for number in 1..=9 {
        device.ok(&["put", "places", &format!("number={number}"), "open=true"]);
    }
    let count = |selector: &str| device.json(&["query", "places", selector, "--count"])["count"].as_u64().unwrap();
    let trial = device.run(&["edit", "places", "--where", "number>5", "open=false", "--dry-run"]);
    assert!(trial.code == 0 && trial.err.contains("would change 4 documents in places"), "{}", trial.err);
    assert_eq!(count("open=false"), 0);
    let edited = device.json(&["edit", "places", "--where", "number>5", "--where", "number<9", "open=false"]);
    assert_eq!((edited["matched"].as_u64(), edited["changed"].as_u64()), (Some(3), Some(3)));
    assert_eq!(count("open=false"), 3);
    let again = device.run(&["edit", "places", "--where", "number>5", "open=false"]);
    assert!(again.err.contains("changed 1 document in places; 3 documents showed all of it already"), "{}", again.err);
    assert_eq!(device.run(&["delete", "places", "--where", "number=77"]).code, 1, "there is none");
    assert_eq!(device.json(&["delete", "places", "--where", "open=false"])["deleted"], 4);
    assert_eq!(count(""), 5);
    device.refused(&["edit", "places", "--where", "number>5"], 2, "what to change is not said");
    device.refused(&["edit", "towns", "--where", "number>5", "a=1"], 1, "no collection");
    device.refused(&["delete", "places", "--where", "number>>5"], 2, "no condition");
    device.refused(&["delete", "places", "abc", "--where", "number>5"], 2, "cannot be used with");
    for empty in ["", " "] {
        device.refused(&["delete", "places", "--where", empty], 2, "--where '{}' means all");
        device.refused(&["edit", "places", "--where", "number>0", "--where", empty, "a=1"], 2, "is empty");
    }
    assert_eq!(count(""), 5);
    assert_eq!(device.json(&["delete", "places", "--where", "{}"])["deleted"], 5);
}

#[test]
fn a_query_says_how_it_is_answered() {
    let device = Device::with_project("Ana");
    for number in 1..=9 {
        device.ok(&["put", "places", &format!("number={number}")]);
    }
    let told = device.ok(&["query", "places", "number>5", "--explain"]);
    assert_eq!(told, "looks at all: 9 documents\nfinds 4 documents\n");
    let json = device.json(&["query", "places", "number>5", "--explain"]);
    assert_eq!((json["documents"].as_u64(), json["index"].is_null()), (Some(9), true));
}

#[test]
fn output_that_is_not_for_a_terminal_has_no_colours() {
    let device = Device::with_project("Ana");
    device.ok(&["put", "places", "name=Cusco", r#"location={"type":"Point","coordinates":[-71.97,-13.53]}"#]);
    for arguments in [&["query", "places"][..], &["project", "list"], &["status"], &[]] {
        let ran = device.run(arguments);
        assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{arguments:?}");
    }
}

#[test]
fn a_documents_id_is_no_field_and_can_be_asked_for() {
    let device = Device::with_project("Ana");
    let [cusco, lima] = ["name=Cusco", "name=Lima"].map(|name| device.ok(&["put", "places", name]).trim().to_owned());
    for fields in ["{\"_id\": \"x\"}", "_id=x", "_id.inner=1"] {
        device.refused(&["put", "places", fields], 2, "`_id` stands for");
        device.refused(&["put", "places", "--key", "x", fields], 2, "`_id` stands for");
    }
    device.refused(&["edit", "places", &cusco, "_id=x"], 2, "`_id` stands for");
    device.refused(&["edit", "places", &cusco, "--add", "_id=1"], 2, "`_id` stands for");
    let points = r#"{"type": "Feature", "geometry": null, "properties": {"_id": "x"}}"#;
    let bad = device.run(&["import", &device.file("points.geojson", points), "--collection", "places"]);
    assert_eq!(bad.code, 1, "{}", bad.err);
    assert!(bad.err.contains("_id"), "{}", bad.err);
    assert_eq!(device.ok(&["query", "places", "--count"]), "2\n");

    let by_id = format!("_id={cusco}");
    assert_eq!(device.json(&["query", "places", &by_id])[0]["name"], "Cusco");
    assert_eq!(device.ok(&["query", "places", &by_id, "name=Cusco", "--count"]), "1\n");
    assert_eq!(device.run(&["query", "places", &by_id, "name=Lima"]).code, 1);
    let either = format!(r#"{{"_id": {{"$in": ["{lima}", "{cusco}"]}}}}"#);
    let sorted = device.json(&["query", "places", &either, "--sort", "_id:desc", "--fields", "_id"]);
    let ids: Vec<&str> = sorted.as_array().unwrap().iter().map(|one| one["_id"].as_str().unwrap()).collect();
    assert_eq!(ids, [lima.as_str().max(&cusco), lima.as_str().min(&cusco)]);
}
