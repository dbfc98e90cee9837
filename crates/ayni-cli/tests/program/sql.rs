//! Questions in SQL: what is printed and in which form, what is refused, and that Ctrl-C stops one.

use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};

use crate::support::Device;

fn with_wells() -> Device {
    let device = Device::with_project("Ana");
    for (key, name) in [("pisac", "Pisac"), ("calca", "Calca, Cusco")] {
        device.ok(&["put", "villages", "--key", key, &format!("name={}", json!(name))]);
    }
    let villages = device.json(&["query", "villages", "name=Pisac"]);
    let pisac = json!({"$ref": villages[0]["_id"]}).to_string();
    for depth in ["30", "5", "12"] {
        device.ok(&["put", "wells", &format!("depth={depth}"), &format!("village={pisac}")]);
    }
    device
}

const DEEP: &str = "SELECT v.name AS village, w.depth FROM wells w JOIN villages v ON v._id = w.village
                    WHERE w.depth > ? ORDER BY w.depth";

#[test]
fn an_answer_is_printed_as_a_table_as_json_and_as_csv() {
    let device = with_wells();
    assert_eq!(device.ok(&["sql", DEEP, "10"]), "Pisac\t12\nPisac\t30\n");
    let expected = json!([{"village": "Pisac", "depth": 12}, {"village": "Pisac", "depth": 30}]);
    assert_eq!(device.json(&["sql", DEEP, "10"]), expected);
    let lines = device.ok(&["sql", DEEP, "10", "--format", "jsonl"]);
    let lines: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Json::from(lines), expected);
    let all = "SELECT name, NULL AS none, '' AS empty, length(name) FROM villages ORDER BY name";
    let csv = device.ok(&["sql", all, "--format", "csv"]);
    assert_eq!(csv, "name,none,empty,length(name)\r\n\"Calca, Cusco\",,\"\",12\r\nPisac,,\"\",5\r\n");
    let none = device.run(&["sql", "SELECT depth FROM wells WHERE depth > 99", "--format", "csv"]);
    assert_eq!((none.code, none.out.as_str()), (1, "depth\r\n"));
    assert_eq!(device.json(&["sql", "SELECT depth FROM wells WHERE depth > 99"]), json!([]));
    assert_eq!(device.json(&["sql", "SELECT 1 AS a, 2 AS a"]), json!([{"a": 1, "a_2": 2}]));
    let large = "SELECT 9007199254740993 AS n, -1e999 AS least";
    assert_eq!(device.ok(&["sql", large]), "9007199254740993\t-Infinity\n");
    assert_eq!(device.ok(&["sql", large, "--format", "csv"]), "n,least\r\n9007199254740993,-Infinity\r\n");
    let exact = json!([{"n": {"$int": "9007199254740993"}, "least": {"$float": "-Infinity"}}]);
    assert_eq!(device.json(&["sql", large]), exact);
}

#[test]
fn values_are_given_behind_the_sql_or_by_name_and_the_sql_on_the_standard_input() {
    let device = with_wells();
    let by_name = ["sql", "SELECT count(*) FROM villages WHERE name = :name", "--param", "name=Pisac"];
    assert_eq!(device.ok(&by_name), "1\n");
    assert_eq!(
        device.ok(&["sql", "SELECT typeof(?), typeof(?), typeof(?)", "5", "\"5\"", "-1.5"]),
        "integer\ttext\treal\n"
    );
    let read = device.run_with_input(&["sql", "-"], "-- how many\nSELECT count(*)\nFROM wells;\n");
    assert_eq!((read.code, read.out.as_str()), (0, "3\n"), "{}", read.err);
    device.refused(&["sql", "SELECT ?"], 2, "no value for the parameter");
    device.refused(&["sql", "SELECT 1", "--param", "x"], 2, "gives no parameter a value");
}

#[test]
fn the_tables_are_listed_with_their_columns_and_what_the_schema_says_of_them() {
    let device = with_wells();
    let schema = device.file("schema.json", r#"{"properties": {"depth": {"type": "integer"}, "order": {}}}"#);
    device.ok(&["schema", "set", "wells", &schema]);
    let listed = device.ok(&["sql"]);
    assert_eq!(listed, device.ok(&["sql", "--tables"]));
    for line in ["villages\t_id\ttext\t", "villages\tname\tany\t", "wells\tdepth\tinteger\t", "wells\t\"order\"\tany\t"]
    {
        assert!(listed.lines().any(|listed| listed == line), "{line}\n{listed}");
    }
    assert!(listed.contains("wells\t_changed_by\ttext\tnot in *\n"), "{listed}");
    let tables = device.json(&["sql"]);
    assert_eq!(tables[1]["name"], "wells");
    let depth = json!({"name": "depth", "field": "depth", "types": ["integer"], "hidden": false});
    assert!(tables[1]["columns"].as_array().unwrap().contains(&depth), "{tables}");
    let empty = Device::with_project("Ben").run(&["sql"]);
    assert_eq!((empty.code, empty.out.as_str()), (1, ""));
    assert!(empty.err.contains("ayni put"), "{}", empty.err);
}

#[test]
fn it_is_told_what_an_answer_costs() {
    let device = with_wells();
    let narrow = "SELECT depth FROM wells WHERE depth = 12";
    assert_eq!(device.ok(&["sql", narrow, "--explain"]), "looks at 3 documents\ngives 1 row\n");
    device.ok(&["index", "add", "wells", "depth"]);
    let explained = device.ok(&["sql", narrow, "--explain"]);
    assert_eq!(explained, "reads the index of wells on depth\nlooks at 1 key, 1 document\ngives 1 row\n");
    let told = device.json(&["sql", narrow, "--explain"]);
    let indexes = json!([{"collection": "wells", "index": "depth"}]);
    assert_eq!(told, json!({"indexes": indexes, "keys": 1, "documents": 1, "rows": 1}));
}

#[test]
fn what_is_wrong_or_not_allowed_is_refused_with_what_to_do() {
    let device = with_wells();
    device.refused(&["sql", "SELECT * FROM well"], 2, "no table \"well\"");
    device.refused(&["sql", "SELECT deep FROM wells"], 2, "no column `deep`");
    device.refused(&["sql", "SELECT depth FRM wells"], 2, "syntax error");
    device.refused(&["sql", "DELETE FROM wells"], 2, "SQL only reads here, and DELETE is for changing");
    device.refused(&["sql", "ATTACH 'x' AS y"], 2, "ATTACH is not available");
    device.refused(&["sql", "PRAGMA key"], 2, "PRAGMA key is not available");
    device.refused(&["sql", "SELECT 1; SELECT 2"], 2, "more than one statement");
    device.refused(&["sql", " "], 2, "no SQL to answer");
    for overflowing in ["SELECT abs(-9223372036854775807 - 1)", "SELECT sum(depth + 9223372036854775000) FROM wells"] {
        device.refused(&["sql", overflowing], 1, "the answer failed: integer overflow");
    }
    assert_eq!(device.ok(&["sql", "SELECT count(*) FROM wells"]), "3\n");
}

const ENDLESS: &str = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n";

#[test]
fn what_takes_too_long_is_stopped() {
    let device = with_wells();
    device.refused(&["sql", ENDLESS, "--timeout", "1"], 1, "took longer than it may");
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_an_answer_and_tells_so() {
    let device = with_wells();
    // The first row tells that it is being answered.
    let rows =
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT n FROM n WHERE n < 20000 OR n < 0";
    let mut command = device.command(&["sql", rows, "--format", "jsonl", "--timeout", "0"]);
    let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 8];
    std::io::Read::read_exact(running.stdout.as_mut().unwrap(), &mut first).unwrap();
    let interrupted = Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let ended = running.wait_with_output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), told.trim_end()), (Some(1), "error: cancelled"));
}
