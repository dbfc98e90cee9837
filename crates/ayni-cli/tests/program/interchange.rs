//! Files of others, taken in and written out.

use crate::support::Device;

const PLACES: &str = r#"{"geonameid":3039154,"name":"El Tarter","country":"AD","population":1052,"location":{"type":"Point","coordinates":[1.65362,42.57952]}}
{"geonameid":3039163,"name":"Sant Julià de Lòria","country":"AD","population":8022,"location":{"type":"Point","coordinates":[1.49129,42.46372]}}
{"geonameid":3041563,"name":"Andorra la Vella","country":"AD","population":20430,"location":{"type":"Point","coordinates":[1.52109,42.50779]}}
"#;

#[test]
fn importing_again_doubles_nothing() {
    let device = Device::with_project("Ana");
    let file = device.file("places.jsonl", PLACES);
    let import = ["import", &file, "--collection", "places", "--id", "geonameid"];
    let first = device.json(&import);
    assert_eq!((first["created"].as_u64(), first["bad"].as_u64()), (Some(3), Some(0)));
    assert_eq!(device.json(&import)["unchanged"], 3);
    let file = device.file("places.jsonl", &PLACES.replace("8022", "8100"));
    let again = device.json(&["import", &file, "-c", "places", "--id", "geonameid"]);
    assert_eq!((again["updated"].as_u64(), again["unchanged"].as_u64()), (Some(1), Some(2)));
    assert_eq!(device.json(&["get", "places", "3039163"])["population"], 8100);
    let ran = device.run_with_input(&["import", "-", "-c", "places", "--id", "geonameid"], PLACES);
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("3 records into places"), "{}", ran.err);
}

#[test]
fn a_bad_record_is_told_with_its_line_and_the_rest_is_kept() {
    let device = Device::with_project("Ana");
    let file = device.file("bad.jsonl", "{\"n\":1}\n{\"n\":\n{\"n\":3}\n[]\n");
    let dry = device.run(&["import", &file, "-c", "numbers", "--dry-run"]);
    assert_eq!(dry.code, 1);
    assert!(dry.err.contains("line 2") && dry.err.contains("line 4"), "{}", dry.err);
    device.refused(&["query", "numbers"], 1, "no collection");
    device.refused(&["import", &file, "-c", "numbers", "--strict"], 1, "nothing was written");
    device.refused(&["query", "numbers"], 1, "no collection");
    let kept = device.run(&["import", &file, "-c", "numbers"]);
    assert_eq!(kept.code, 1);
    assert!(kept.err.contains("2 bad records"), "{}", kept.err);
    assert_eq!(device.ok(&["query", "numbers", "--count"]), "2\n");
    let good = device.run_with_input(&["import", "-", "-c", "numbers", "--strict"], "{\"n\":4}\n");
    assert_eq!(good.code, 0, "{}", good.err);
}

#[test]
fn a_record_that_can_be_read_and_not_written_is_told_too() {
    let device = Device::with_project("Ana");
    // Each of its fields is written with the whole path to it.
    let leaves = (0..4_000).map(|number| format!("\"{number}\":1")).collect::<Vec<_>>().join(",");
    let deep = (0..29).fold(format!("{{{leaves}}}"), |inner, _| format!("{{\"{}\":{inner}}}", "k".repeat(250)));
    let file = device.file("deep.jsonl", &format!("{{\"n\":1}}\n{deep}\n{{\"n\":2}}\n"));
    let ran = device.run(&["import", &file, "-c", "numbers"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("line 2: a change of") && ran.err.contains("1 bad record"), "{}", ran.err);
    assert_eq!(device.ok(&["query", "numbers", "--count"]), "2\n");
}

#[test]
fn a_file_that_is_not_there_or_of_no_known_format_is_refused() {
    let device = Device::with_project("Ana");
    device.refused(&["import", "nowhere.csv", "-c", "x"], 1, "nowhere.csv");
    let file = device.file("a.csv", "name\nCusco\n");
    device.refused(&["import", &file, "-c", "x", "--format", "xlsx"], 2, "not a format");
    device.refused(&["import", &file], 2, "--collection");
    let folder = device.path("");
    device.refused(&["import", &folder, "-c", "x"], 1, "is a folder");
}

/// Exports and imports in the same project and in another, and compares what both show.
fn round_trip(format: &str) {
    let ana = Device::with_project("Ana");
    let file = ana.file("places.jsonl", PLACES);
    ana.ok(&["import", &file, "--collection", "places", "--id", "geonameid"]);
    ana.ok(&["put", "places", "name=Cusco \"la bella\", Perú", "tags=[1,2.5,null]", "open=true"]);
    let before = ana.digest();
    let out = ana.path(&format!("out.{format}"));
    ana.ok(&["export", "--collection", "places", "--output", &out]);
    let to_stdout = ana.ok(&["export", "--format", format, "--collection", "places"]);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), to_stdout);

    let back = ana.json(&["import", &out, "--collection", "places"]);
    assert_eq!((back["unchanged"].as_u64(), back["bad"].as_u64()), (Some(4), Some(0)), "{format}");
    assert_eq!(ana.digest(), before, "{format}: what was exported is what is there");

    let ben = Device::with_project("Ben");
    assert_eq!(ben.json(&["import", &out, "--collection", "places"])["created"], 4);
    assert_eq!(ben.json(&["import", &out, "--collection", "places"])["unchanged"], 4);
    let shown = |device: &Device| {
        let mut all = device.json(&["query", "places", "--sort", "name"]);
        all.as_array_mut().unwrap().iter_mut().for_each(|one| drop(one.as_object_mut().unwrap().remove("_id")));
        all
    };
    assert_eq!(shown(&ana), shown(&ben), "{format}");
    let id = ana.json(&["query", "places", "country=AD", "--limit", "1"])[0]["_id"].as_str().unwrap().to_owned();
    assert_eq!(ben.json(&["get", "places", "--key", &id])["country"], "AD", "keyed by the old id");
}

#[test]
fn json_lines_read_back_to_equal_documents() {
    round_trip("jsonl");
}

#[test]
fn geojson_reads_back_to_equal_documents() {
    round_trip("geojson");
}

#[test]
fn csv_reads_back_to_equal_documents() {
    round_trip("csv");
}

#[test]
fn an_export_appears_whole_or_not_at_all() {
    let device = Device::with_project("Ana");
    device.ok(&["put", "places", "name=Cusco"]);
    device.refused(&["export", "-c", "places", "-o", "/nowhere/at/all.csv"], 1, "/nowhere/at/all.csv");
    device.refused(&["export", "-c", "places", "--format", "pdf"], 2, "not a format");
    assert_eq!(device.run(&["export", "-c", "empty"]).code, 1);
}
