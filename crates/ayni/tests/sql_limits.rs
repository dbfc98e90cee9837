//! What SQL must not do: write, reach anything but the project's collections, run on for ever, or take all memory.

mod support;

use std::ops::ControlFlow;
use std::time::Duration;

use ayni::doc::{Map, Value};
use ayni::sql::{Cancel, Denied, Sql, SqlError, Stopped};
use ayni::{Error, Project};
use support::{Device, fields, team};

fn with_places() -> Device {
    let [device] = team();
    let made = device.project().write(|tx| {
        tx.put("places", "cusco", fields([("name", "Cusco".into())]))?;
        tx.put("wells", "one", fields([("depth", Value::Int(3))]))
    });
    made.unwrap();
    device
}

fn refused(project: &Project, text: &str) -> SqlError {
    match project.sql(text) {
        Err(Error::Sql(error)) => error,
        other => panic!("{text}: {other:?}"),
    }
}

/// Counts for ever.
const RUNAWAY: &str =
    "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) SELECT count(*) FROM numbers";

#[test]
fn nothing_can_be_written() {
    let device = with_places();
    let project = device.project();
    let before = project.digest().unwrap();
    for text in [
        "INSERT INTO places(name) VALUES ('x')",
        "INSERT INTO places DEFAULT VALUES RETURNING name",
        "REPLACE INTO places(name) VALUES ('x')",
        "UPDATE places SET name = 'x'",
        "UPDATE places SET name = 'x' RETURNING *",
        "DELETE FROM places",
        "DELETE FROM places RETURNING _id",
        "WITH gone AS (SELECT _id FROM places) DELETE FROM places WHERE _id IN gone",
        "WITH x AS (SELECT 1) INSERT INTO places SELECT * FROM x",
        "EXPLAIN DELETE FROM places",
        "CREATE TABLE x(a)",
        "CREATE TABLE x AS SELECT * FROM places",
        "CREATE TEMP TABLE x(a)",
        "CREATE TEMPORARY VIEW x AS SELECT 1",
        "CREATE VIEW x AS SELECT 1",
        "CREATE INDEX x ON places(name)",
        "CREATE TRIGGER x AFTER INSERT ON places BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE x USING fts5(a)",
        "CREATE VIRTUAL TABLE temp.x USING rtree(a, b, c)",
        "DROP TABLE places",
        "ALTER TABLE places RENAME TO x",
        "INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 2, 'CREATE TABLE x(a)')",
        "UPDATE sqlite_schema SET sql = ''",
        "REINDEX",
        "ANALYZE",
        "VACUUM",
    ] {
        let error = refused(&project, text);
        assert!(
            matches!(error, SqlError::Denied(Denied::Write(_)) | SqlError::Denied(Denied::Table(_))),
            "{text}: {error}"
        );
    }
    let told = refused(&project, "UPDATE places SET name = 'x'").to_string();
    assert!(told.starts_with("SQL only reads here, and UPDATE is for changing: `ayni edit --where`"), "{told}");
    assert_eq!(project.digest().unwrap(), before);
}

#[test]
fn no_other_database_file_or_setting_is_in_reach() {
    let device = with_places();
    let project = device.project();
    let file = device.folder.path().join("out.db");
    let path = file.display();
    for (text, allowed) in [
        (format!("ATTACH '{path}' AS other"), Denied::Attach("ATTACH")),
        ("ATTACH ':memory:' AS other".into(), Denied::Attach("ATTACH")),
        ("DETACH main".into(), Denied::Attach("DETACH")),
        ("PRAGMA writable_schema = 1".into(), Denied::Pragma("writable_schema".into())),
        ("PRAGMA query_only = 0".into(), Denied::Pragma("query_only".into())),
        ("PRAGMA temp_store = FILE".into(), Denied::Pragma("temp_store".into())),
        ("PRAGMA temp_store_directory = '/'".into(), Denied::Pragma("temp_store_directory".into())),
        ("PRAGMA hard_heap_limit = 0".into(), Denied::Pragma("hard_heap_limit".into())),
        ("PRAGMA key = 'x'".into(), Denied::Pragma("key".into())),
        ("PRAGMA cipher_version".into(), Denied::Pragma("cipher_version".into())),
        ("PRAGMA database_list".into(), Denied::Pragma("database_list".into())),
        ("SELECT * FROM pragma_database_list".into(), Denied::Table("pragma_database_list".into())),
        ("SELECT load_extension('x')".into(), Denied::Function("load_extension".into())),
        ("SELECT fts3_tokenizer('simple')".into(), Denied::Function("fts3_tokenizer".into())),
        ("SELECT sqlcipher_export('main')".into(), Denied::Function("sqlcipher_export".into())),
        ("SELECT json_pretty('[]', 'x')".into(), Denied::Function("json_pretty".into())),
        ("SELECT sqlite_compileoption_get(1)".into(), Denied::Function("sqlite_compileoption_get".into())),
        ("SELECT * FROM sqlite_schema".into(), Denied::Table("sqlite_master".into())),
        ("SELECT * FROM sqlite_temp_schema".into(), Denied::Table("sqlite_temp_master".into())),
        ("SELECT * FROM dbstat".into(), Denied::Table("dbstat".into())),
        ("SELECT count(*) FROM sqlite_master".into(), Denied::Table("sqlite_master".into())),
        ("SELECT count(*) FROM pragma_table_list".into(), Denied::Table("pragma_table_list".into())),
        ("BEGIN".into(), Denied::Transaction),
        ("COMMIT".into(), Denied::Transaction),
        ("SAVEPOINT x".into(), Denied::Transaction),
    ] {
        match refused(&project, &text) {
            SqlError::Denied(denied) => assert_eq!(denied, allowed, "{text}"),
            other => panic!("{text}: {other}"),
        }
    }
    let into = refused(&project, &format!("VACUUM INTO '{path}'"));
    assert!(matches!(into, SqlError::Denied(_)), "{into}");
    for text in
        ["SELECT readfile('/etc/passwd')", "SELECT writefile('x', 'y')", "SELECT edit('x')", "SELECT shell('ls')"]
    {
        assert!(matches!(refused(&project, text), SqlError::NoFunction(_)), "{text}");
    }
    // The tables of the encrypted database.
    for table in ["settings", "entries", "documents", "main.settings", "index_keys"] {
        let error = refused(&project, &format!("SELECT * FROM {table}"));
        assert!(matches!(error, SqlError::NoTable { .. }), "{table}: {error}");
    }
    assert!(!file.exists());
}

#[test]
fn another_project_is_not_in_reach() {
    let device = with_places();
    let (other, _) = device.database.create_project("Secret").unwrap();
    other.write(|tx| tx.create("secrets", fields([("name", "x".into())])).map(drop)).unwrap();
    let told = refused(&device.project(), "SELECT * FROM secrets").to_string();
    assert_eq!(told, "no table \"secrets\": there are places, wells");
    let of_other = other.sql("SELECT count(*) FROM secrets").unwrap();
    assert_eq!(of_other.rows, [[Value::Int(1)]]);
}

#[test]
fn what_is_asked_is_one_statement() {
    let device = with_places();
    let project = device.project();
    for text in ["SELECT 1; SELECT 2", "SELECT 1;; SELECT 2;", "SELECT 1; -- two\nSELECT 2"] {
        assert!(matches!(refused(&project, text), SqlError::Several), "{text}");
    }
    assert!(matches!(refused(&project, "SELECT 1; DELETE FROM places"), SqlError::Denied(Denied::Write(_))));
    for text in ["", "  ", ";", "-- nothing", "/* nothing */"] {
        assert!(matches!(refused(&project, text), SqlError::Empty), "{text:?}: {}", refused(&project, text));
    }
    for text in ["SELECT 1;", "SELECT 1 ; \n -- done", "VALUES (1)", "EXPLAIN QUERY PLAN SELECT * FROM places"] {
        assert_eq!(project.sql(text).unwrap().rows.len(), 1, "{text}");
    }
}

#[test]
fn what_is_not_understood_is_told_with_its_place_and_what_there_is() {
    let device = with_places();
    let told = |text: &str| refused(&device.project(), text).to_string();
    assert_eq!(told("SELECT * FROM place"), "no table \"place\": there are places, wells");
    assert!(told("SELECT nam FROM places").starts_with("no column `nam`: `ayni sql --tables`"));
    assert!(told("SELECT name FROM places WHERE name = \"Cusco\"").starts_with("no column `\"Cusco\"`"));
    assert!(told("SELECT nonsense(1)").starts_with("no function `nonsense`"));
    let syntax = refused(&device.project(), "SELECT name FRM places");
    assert!(matches!(&syntax, SqlError::Text { at: Some(16), near: Some(near), .. } if near == "places"), "{syntax:?}");
    assert!(matches!(refused(&device.project(), "SELECT 1 \0"), SqlError::Text { .. }));
    let [empty] = team();
    let none = refused(&empty.project(), "SELECT * FROM places").to_string();
    assert!(none.starts_with("no table \"places\": there are no collections yet"), "{none}");
}

#[test]
fn what_runs_on_for_ever_is_stopped_when_its_time_is_up() {
    let device = with_places();
    let project = device.project();
    let endless = [
        RUNAWAY.to_owned(),
        // Each has more rows than could ever be counted.
        format!("SELECT count(*) FROM {}", ["json_each('[1,2,3,4,5,6,7,8]')"; 30].join(", ")),
        format!("SELECT * FROM places WHERE 5 < ({RUNAWAY})"),
    ];
    for text in endless {
        let asked = Sql::new(text.clone()).timeout(Some(Duration::from_millis(50)));
        let stopped = project.sql(asked).unwrap_err();
        assert!(matches!(stopped, Error::Sql(SqlError::Stopped(Stopped::Time))), "{text}: {stopped}");
        assert_eq!(stopped.code(), "timeout");
    }
    assert_eq!(project.sql("SELECT 1").unwrap().rows.len(), 1, "the next is answered");
}

#[test]
fn a_question_is_answered_within_the_time_that_the_machine_has_not_that_of_its_wall_clock() {
    let device = with_places();
    let project = device.project();
    device.clock.set_ahead(1_000_000_000);
    assert_eq!(project.sql("SELECT name FROM places").unwrap().rows.len(), 1);
    // Unless something is said, a minute.
    let mut rows = 0;
    let endless = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) SELECT n FROM numbers";
    let stopped = project.sql_each(endless, |_| {
        rows += 1;
        if rows == 10 {
            device.clock.pass(60_000);
        }
        Ok(ControlFlow::Continue(()))
    });
    assert!(matches!(stopped, Err(Error::Sql(SqlError::Stopped(Stopped::Time)))), "{stopped:?}");
}

#[test]
fn what_is_running_can_be_cancelled_from_another_thread() {
    let device = with_places();
    let cancel = Cancel::default();
    let asked = Sql::new(RUNAWAY).timeout(None).cancelled_by(&cancel);
    let project = device.project();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| project.sql(asked.clone()));
        std::thread::sleep(Duration::from_millis(20));
        cancel.cancel();
        assert!(matches!(running.join().unwrap(), Err(Error::Cancelled)));
    });
    assert!(matches!(project.sql(asked), Err(Error::Cancelled)), "and what is asked later, too");
}

#[test]
fn what_takes_more_memory_than_it_may_is_stopped() {
    let device = with_places();
    let project = device.project();
    for text in [
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT * FROM n ORDER BY -n",
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION SELECT n + 1 FROM n) SELECT * FROM n WHERE n < 0",
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT n, count(*) FROM n GROUP BY n % 999999999",
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT hex(zeroblob(2000000)) AS x FROM n ORDER BY x",
    ] {
        let stopped = project.sql(Sql::new(text).timeout(None).memory(32 << 20)).unwrap_err();
        assert!(matches!(stopped, Error::Sql(SqlError::Stopped(Stopped::Memory))), "{text}: {stopped}");
    }
    for text in ["SELECT zeroblob(100000000)", "SELECT hex(zeroblob(9000000))", "SELECT printf('%99999999d', 1)"] {
        assert!(matches!(refused(&project, text), SqlError::Limit(_)), "{text}");
    }
    let long = format!("SELECT '{}'", "x".repeat(200_000));
    assert!(matches!(refused(&project, &long), SqlError::Limit(_)));
    let deep = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(matches!(refused(&project, &deep), SqlError::Limit(_)), "{:?}", refused(&project, &deep));
}

#[test]
fn no_single_step_takes_for_ever() {
    let device = with_places();
    let project = device.project();
    // Each would take hours by the product of two lengths.
    for text in [
        "SELECT instr(printf('%.*c', 4000000, 'a'), printf('%.*c', 2000000, 'a') || 'b')",
        "SELECT length(replace(printf('%.*c', 4000000, 'a'), printf('%.*c', 2000000, 'a') || 'b', ''))",
        "SELECT length(trim(printf('%.*c', 4000000, 'a'), printf('%.*c', 2000000, 'b') || 'a'))",
        "SELECT printf('%.*c', 4000000, 'a') LIKE '%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%b'",
        "SELECT printf('%.*c', 4000000, 'a') LIKE '%' || printf('%.*c', 190, 'a') || 'b'",
    ] {
        let answer = project.sql(Sql::new(text).timeout(None)).unwrap();
        assert_eq!(answer.rows.len(), 1, "{text}");
    }
    let known = "SELECT instr('ñandú', 'd'), instr(x'0102', x'02'), replace('aXbXc', 'X', '--'), replace('a', '', 'b'),
                 trim('  a '), trim('xyaxy', 'yx'), ltrim('  a '), rtrim('aaab', 'ab'), instr(NULL, 'a'), instr('a', '')";
    let expected: [Value; 10] = [
        Value::Int(4),
        Value::Int(2),
        "a--b--c".into(),
        "a".into(),
        "a".into(),
        "a".into(),
        "a ".into(),
        "".into(),
        Value::Null,
        Value::Int(1),
    ];
    assert_eq!(project.sql(known).unwrap().rows, [expected]);
}

#[test]
fn the_visitor_can_break_off_and_its_error_comes_back() {
    let device = with_places();
    let project = device.project();
    let endless = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) SELECT n FROM numbers";
    let mut last = Value::Null;
    let (columns, cost) = project
        .sql_each(endless, |row| {
            last = row.get("n").unwrap().clone();
            Ok(if last == Value::Int(100_000) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .unwrap();
    assert_eq!((columns, cost.rows, last), (vec!["n".to_owned()], 100_000, Value::Int(100_000)));
    let failed = project.sql_each(endless, |_| Err(Error::NoKeys));
    assert!(matches!(failed, Err(Error::NoKeys)));
}

#[test]
fn inside_of_a_transaction_sql_shows_what_was_there_before() {
    let device = with_places();
    let project = device.project();
    project
        .write(|tx| {
            tx.create("places", Map::new())?;
            assert_eq!(project.sql("SELECT count(*) FROM places")?.rows, [[Value::Int(1)]]);
            Ok(())
        })
        .unwrap();
    assert_eq!(project.sql("SELECT count(*) FROM places").unwrap().rows, [[Value::Int(2)]]);
}
