//! Finding documents by words and by place, and making the indexes for it.

use serde_json::{Value as Json, json};

use crate::support::Device;

fn with_wells() -> Device {
    let device = Device::with_project("Ana");
    for (name, depth, x, y) in [
        ("Poço d'Água", 30, -71.9675, -13.532),
        ("K'anka pukyu", 3, -71.97, -13.54),
        ("村里的水井", 80, 121.47, 31.23),
        ("بِئْرُ المَاءِ", 45, 31.23, 30.04),
        ("Vaitele well", 12, -171.76, -13.83),
    ] {
        let place = format!(r#"place={{"type": "Point", "coordinates": [{x}, {y}]}}"#);
        device.ok(&["put", "wells", &format!("name={}", json!(name)), &format!("depth={depth}"), &place]);
    }
    device
}

fn names(found: &Json) -> Vec<&str> {
    found.as_array().unwrap().iter().map(|document| document["name"].as_str().unwrap()).collect()
}

#[test]
fn documents_are_found_by_words_of_any_language_before_and_after_an_index() {
    let device = with_wells();
    for _ in 0..2 {
        assert_eq!(names(&device.json(&["search", "wells", "agua", "poco"])), ["Poço d'Água"]);
        assert_eq!(names(&device.json(&["search", "wells", "k’anka"])), ["K'anka pukyu"]);
        assert_eq!(names(&device.json(&["search", "wells", "水井"])), ["村里的水井"]);
        assert_eq!(names(&device.json(&["search", "wells", "بئر"])), ["بِئْرُ المَاءِ"]);
        assert_eq!(names(&device.json(&["search", "wells", "agua OR well -poço"])), ["Vaitele well"]);
        assert_eq!(
            names(&device.json(&["search", "wells", "agua OR well", "-poço", "--limit", "5"])),
            ["Vaitele well"]
        );
        let deep = device.json(&["search", "wells", "agua OR 水井 OR puk*", "--where", "depth>=30", "--limit", "1"]);
        assert_eq!(deep.as_array().unwrap().len(), 1);
        device.ok(&["index", "add", "wells", "--text"]);
    }
    assert_eq!(names(&device.json(&["search", "wells", "uky", "--inside"])), ["K'anka pukyu"]);
    let shown = device.ok(&["search", "wells", "pukyu"]);
    assert!(shown.contains("\tname\tK'anka pukyu"), "{shown}");
    let ran = device.run(&["search", "wells", "puk"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("puk*") && ran.err.contains("--inside"), "{}", ran.err);
    assert_eq!(device.json(&["search", "wells", "pukyu", "--fields", "notes"]), json!([]));
}

#[test]
fn documents_are_found_by_place_before_and_after_an_index() {
    let device = with_wells();
    let shape = device.file(
        "shape.geojson",
        r#"{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "bbox": [0, 0, 1, 1], "geometry":
            {"type": "Polygon", "coordinates": [[[30, 30], [32, 30], [32, 31], [30, 31], [30, 30]]]}}]}"#,
    );
    for _ in 0..2 {
        let near = device.json(&["near", "wells", "-13.532,-71.9675", "--km", "5"]);
        assert_eq!(names(&near), ["Poço d'Água", "K'anka pukyu"]);
        assert_eq!(near[0]["_metres"], 0.0);
        assert!((900.0..950.0).contains(&near[1]["_metres"].as_f64().unwrap()), "{near}");
        assert_eq!(near[1]["_direction"], 197.0);
        assert_eq!(names(&device.json(&["near", "wells", "-13.8,179", "--limit", "1"])), ["Vaitele well"]);
        assert_eq!(names(&device.json(&["within", "wells", "170,-20,-170,-10"])), ["Vaitele well"]);
        let sorted = device.json(&["within", "wells", "-73,-14,-71,-13", "--sort", "depth", "--where", "depth<50"]);
        assert_eq!(names(&sorted), ["K'anka pukyu", "Poço d'Água"]);
        assert_eq!(names(&device.json(&["within", "wells", &shape])), ["بِئْرُ المَاءِ"]);
        device.ok(&["index", "add", "wells", "place", "--geometry"]);
    }
    assert_eq!(device.run(&["within", "wells", "0,0,1,1"]).code, 1);
    for all in
        [&["near", "wells", "-13.5,-72"][..], &["within", "wells", "-73,-14,-71,-13"], &["search", "wells", "agua"]]
    {
        let none = device.run(&[all, &["--limit", "0"]].concat());
        assert_eq!((none.code, none.out.as_str(), none.err.as_str()), (1, "", ""), "nothing was asked for");
    }
    assert!(device.ok(&["near", "wells", "30,31"]).contains("بِئْرُ"));
}

#[test]
fn indexes_are_made_listed_and_dropped() {
    let device = with_wells();
    let none = device.run(&["index", "wells"]);
    assert!(none.code == 1 && none.err.contains("ayni index add wells --text"), "{}", none.err);
    device.ok(&["index", "add", "wells", "depth,name"]);
    device.ok(&["index", "add", "wells", "name", "--text", "--tokenizer", "trigrams"]);
    device.ok(&["index", "add", "wells", "place", "--geometry"]);
    assert_eq!(device.json(&["index", "add", "wells", "depth,name"])["new"], false);
    let all = device.json(&["index"]);
    let made = |index: Json| all.as_array().unwrap().contains(&json!({ "collection": "wells", "index": index }));
    assert!(made(json!(["depth", "name"])) && made(json!({"geometry": "place"})), "{all}");
    assert!(made(json!({"text": ["name"], "tokenizer": "trigrams"})), "{all}");
    assert!(device.ok(&["index", "wells"]).contains("the places of place"));
    device.ok(&["index", "drop", "wells", "place", "--geometry"]);
    device.refused(&["index", "drop", "wells", "place", "--geometry"], 1, "no index on the places of place");
    assert_eq!(device.json(&["index", "wells"]).as_array().unwrap().len(), 2);
}

#[test]
fn what_makes_no_sense_is_refused_with_what_to_do() {
    let device = with_wells();
    device.refused(&["search", "wells", "!!"], 2, "no letter and no digit");
    device.refused(&["search", "wells", "\"agua"], 2, "not closed");
    device.refused(&["search", "wells"], 2, "required");
    device.refused(&["search", "lakes", "agua"], 1, "no collection");
    device.refused(&["near", "wells", "Cusco"], 2, "is no place");
    device.refused(&["near", "wells", "-113.5,71.9"], 2, "a latitude of -113.5 degrees");
    device.refused(&["near", "wells", "0,0", "--km=-1"], 2, "a distance of -1000 metres");
    device.refused(&["within", "wells", "1,2,3"], 2, "is no box");
    device.refused(&["within", "wells", "0,5,1,-5"], 2, "the southern one comes first");
    device.refused(&["within", "wells", "no.geojson"], 2, "neither a box nor a file");
    let text = device.file("text.geojson", "[]");
    device.refused(&["within", "wells", &text], 1, "has no shape");
    device.refused(&["index", "add", "wells", "name,name"], 2, "twice");
    device.refused(&["index", "add", "wells"], 2, "required");
    device.refused(&["index", "add", "wells", "a,b", "--geometry"], 2, "on 2 fields");
    device.refused(&["index", "add", "wells", "--text", "--tokenizer", "x"], 2, "no tokenizer");
    device.ok(&["put", "notes", "text=hello"]);
    device.refused(&["near", "notes", "0,0"], 1, "no field of notes has places");
    let other = r#"{"type": "Point", "coordinates": [0, 0]}"#;
    device.ok(&["put", "wells", &format!("other={other}")]);
    device.refused(&["near", "wells", "0,0"], 2, "several fields of wells have places");
}
