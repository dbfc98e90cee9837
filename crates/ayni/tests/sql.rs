//! SQL over the collections of a project: which tables and columns there are, what stands in them, which indexes are read,
//! and that all of an answer is of one moment.

mod support;

use std::ops::ControlFlow;

use ayni::doc::{Geometry, Map, Operation, Position, Value};
use ayni::sql::{Answer, Sql, SqlError};
use ayni::{Error, Project};
use proptest::prelude::*;
use support::{Device, fields, meet, team};

fn rows(project: &Project, question: impl Into<Sql>) -> Vec<Vec<Value>> {
    project.sql(question).unwrap().rows
}

/// The values of the first column.
fn column(project: &Project, question: impl Into<Sql>) -> Vec<Value> {
    rows(project, question).into_iter().map(|row| row.into_iter().next().unwrap()).collect()
}

/// Numbered things, of which one in ten has no group.
fn filled(amount: i64) -> Device {
    let [device] = team();
    let document = |number: i64| {
        let mut document = fields([("number", Value::Int(number)), ("name", format!("thing {number:04}").into())]);
        if number % 10 != 7 {
            document.insert("group".into(), Value::Int(number % 4));
        }
        document
    };
    let all: Vec<Map> = (0..amount).map(document).collect();
    for some in all.chunks(2_000) {
        let made = device
            .project()
            .write(|tx| some.iter().try_for_each(|document| tx.create("things", document.clone()).map(drop)));
        made.unwrap();
    }
    device
}

#[test]
fn each_type_of_value_stands_in_a_column_as_sql_has_it() {
    let [device] = team();
    let project = device.project();
    let other = project.write(|tx| tx.create("other", Map::new())).unwrap();
    let point: Value = Geometry::Point(Position::new(-71.97, -13.53)).into();
    let list: Value = vec![Value::Int(1), "a".into()].into();
    let all = fields([
        ("boolean", true.into()),
        ("bytes", Value::Bytes(vec![0, 255])),
        ("float", Value::from(1.5)),
        ("geometry", point.clone()),
        ("integer", Value::Int(i64::MIN)),
        ("list", list.clone()),
        ("map", fields([("b", Value::Int(2))]).into()),
        ("nan", Value::from(f64::NAN)),
        ("null", Value::Null),
        ("reference", other.into()),
        ("text", "ñandú".into()),
    ]);
    let id = project.write(|tx| tx.create("things", all)).unwrap();
    let answer = project.sql("SELECT * FROM things").unwrap();
    let shown: Vec<(String, Value)> = answer.columns.into_iter().zip(answer.rows[0].clone()).collect();
    let expected: [(&str, Value); 12] = [
        ("_id", id.to_string().into()),
        ("boolean", Value::Int(1)),
        ("bytes", Value::Bytes(vec![0, 255])),
        ("float", Value::from(1.5)),
        ("geometry", point.to_json().to_string().into()),
        ("integer", Value::Int(i64::MIN)),
        ("list", list.to_json().to_string().into()),
        ("map", r#"{"b":2}"#.into()),
        ("nan", Value::Null),
        ("null", Value::Null),
        ("reference", other.to_string().into()),
        ("text", "ñandú".into()),
    ];
    assert_eq!(shown, expected.map(|(name, value)| (name.to_owned(), value)));
    let types = "SELECT typeof(boolean), typeof(bytes), typeof(float), typeof(text), typeof(nan) FROM things";
    assert_eq!(rows(&project, types), [["integer", "blob", "real", "text", "null"].map(Value::from)]);
    let inside = "SELECT map ->> 'b', list ->> 0, longitude(geometry), latitude(geometry) FROM things";
    let expected = [Value::Int(2), Value::Int(1), Value::from(-71.97), Value::from(-13.53)];
    assert_eq!(rows(&project, inside), [expected]);
    assert_eq!(column(&project, "SELECT value FROM things, json_each(list)"), [Value::Int(1), "a".into()]);
}

#[test]
fn what_is_null_and_what_is_not_there_are_null_and_the_document_tells_them_apart() {
    let [device] = team();
    let project = device.project();
    let documents = [fields([("a", Value::Null)]), fields([("b", Value::Int(1))]), fields([("a", Value::Int(0))])];
    project.write(|tx| documents.into_iter().try_for_each(|made| tx.create("things", made).map(drop))).unwrap();
    assert_eq!(column(&project, "SELECT count(*) FROM things WHERE a IS NULL"), [Value::Int(2)]);
    let there = "SELECT count(*) FROM things WHERE json_type(_document, '$.a') IS NOT NULL";
    assert_eq!(column(&project, there), [Value::Int(2)]);
    assert_eq!(column(&project, "SELECT count(*) FROM things WHERE a = NULL OR a <> 0"), [Value::Int(0)]);
    project.collection("things").create_index("a").unwrap();
    assert_eq!(column(&project, "SELECT count(*) FROM things WHERE a = NULL"), [Value::Int(0)]);
    assert_eq!(column(&project, "SELECT count(*) FROM things WHERE a IS NULL"), [Value::Int(2)]);
}

#[test]
fn collections_are_joined_by_references_keys_and_values() {
    let [device] = team();
    let project = device.project();
    let made = project.write(|tx| {
        for name in ["Pisac", "Calca"] {
            let (village, _) = tx.put("villages", name, fields([("name", name.into())]))?;
            for depth in [5, 20] {
                tx.create("wells", fields([("village", village.into()), ("depth", Value::Int(depth))]))?;
            }
        }
        Ok(())
    });
    made.unwrap();
    let joined = "SELECT v.name, sum(w.depth), count(*) FROM wells AS w JOIN villages AS v ON v._id = w.village
                  GROUP BY v._id ORDER BY v.name";
    let answer = project.sql(joined).unwrap();
    let row = |name: &str| vec![name.into(), Value::Int(25), Value::Int(2)];
    assert_eq!(answer.rows, [row("Calca"), row("Pisac")]);
    assert_eq!(answer.cost.documents, 8, "four wells, and for each its village by its id");
    let by_key = "SELECT name FROM villages WHERE _id = id_of_key('villages', ?)";
    let answer = project.sql(Sql::new(by_key).bind("Pisac")).unwrap();
    assert_eq!((answer.rows, answer.cost.documents), (vec![vec!["Pisac".into()]], 1));
    assert_eq!(rows(&project, Sql::new(by_key).bind("Urubamba")), Vec::<Vec<Value>>::new());
    let deep = "WITH RECURSIVE halves(depth) AS (SELECT max(depth) FROM wells UNION ALL SELECT depth / 2 FROM halves
                WHERE depth > 1) SELECT group_concat(depth, ' ') FROM halves";
    assert_eq!(column(&project, deep), ["20 10 5 2 1".into()]);
}

#[test]
fn an_index_is_read_for_what_it_narrows_down_and_all_for_the_rest() {
    let device = filled(2_000);
    let project = device.project();
    let things = project.collection("things");
    let narrow = "SELECT count(*), min(name) FROM things WHERE number >= 100 AND number < 120";
    let without = project.sql(narrow).unwrap();
    assert_eq!((without.cost.documents, without.cost.indexes.len()), (2_000, 0));
    for index in ["number", "name", "group,number"] {
        things.create_index(index).unwrap();
    }
    let of = |question: &str| {
        let Answer { rows, cost, .. } = project.sql(question).unwrap();
        (rows, cost.indexes.first().map(|(_, index)| index.to_string()), cost.documents)
    };
    let (rows, index, documents) = of(narrow);
    assert_eq!((rows, index.as_deref()), (without.rows, Some("number")));
    assert!(documents <= 21, "{documents}");
    let (_, index, documents) = of("SELECT * FROM things WHERE name = 'thing 0005'");
    assert_eq!((index.as_deref(), documents), (Some("name"), 1));
    let (rows, index, documents) = of("SELECT number FROM things WHERE \"group\" = 1 AND number BETWEEN 5 AND 13");
    assert_eq!((index.as_deref(), rows.len()), (Some("group,number"), 3));
    assert!(documents <= 3, "{documents}");
    let (rows, _, documents) = of("SELECT count(*) FROM things WHERE number IN (3, 5, 7, 5000)");
    assert_eq!((rows, documents), (vec![vec![Value::Int(3)]], 3));
    let (rows, index, documents) =
        of("SELECT count(*) FROM things AS a JOIN things AS b ON b.number = a.number + 1 WHERE a.number < 10");
    assert_eq!((rows, index.as_deref()), (vec![vec![Value::Int(10)]], Some("number")));
    assert!(documents <= 21, "{documents}");
    for unserved in
        ["lower(name) = 'thing 0005'", "name = 'THING 0005' COLLATE NOCASE", "number + 0 = 5", "number IS 5"]
    {
        let (rows, index, documents) = of(&format!("SELECT number FROM things WHERE {unserved}"));
        assert_eq!((rows, index, documents), (vec![vec![Value::Int(5)]], None, 2_000), "{unserved}");
    }
    let (rows, _, documents) = of("SELECT number FROM things LIMIT 3");
    assert_eq!(rows.len(), 3);
    assert!(documents <= 4, "{documents}: a few are read first");
}

#[test]
fn an_index_that_another_process_dropped_or_made_is_not_taken_for_one_that_was_there() {
    let device = filled(50);
    let project = device.project();
    project.collection("things").create_index("number").unwrap();
    let asked = "SELECT name FROM things WHERE number = 7";
    assert_eq!(project.sql(asked).unwrap().cost.documents, 1);
    let beside = device.open_beside();
    let things = beside.projects().unwrap()[0].collection("things");
    assert!(things.drop_index("number").unwrap());
    assert_eq!(column(&project, asked), ["thing 0007".into()]);
    things.create_index("group").unwrap();
    assert_eq!(column(&project, asked), ["thing 0007".into()], "though it has the row of the one that went");
    let of_group = project.sql("SELECT count(*) FROM things WHERE \"group\" = 3").unwrap();
    assert_eq!((of_group.cost.indexes.len(), of_group.rows), (1, vec![vec![Value::Int(9)]]));
}

#[test]
fn a_schema_names_the_columns_and_another_schema_other_columns() {
    let [device] = team();
    let project = device.project();
    let wells = project.collection("wells");
    project.write(|tx| tx.create("wells", fields([("depth", Value::Int(3)), ("odd", "yes".into())]))).unwrap();
    let names = || project.sql("SELECT * FROM wells").unwrap().columns;
    assert_eq!(names(), ["_id", "depth", "odd"], "those that documents have");
    let schema = r#"{"properties": {"name": {"type": "string"}, "depth": {"type": ["integer", "null"]}}}"#;
    wells.set_schema(&schema.parse().unwrap()).unwrap();
    assert_eq!(names(), ["_id", "depth", "name"]);
    assert!(matches!(project.sql("SELECT odd FROM wells"), Err(Error::Sql(SqlError::NoColumn(name))) if name == "odd"));
    assert_eq!(column(&project, "SELECT _document ->> 'odd' FROM wells"), ["yes".into()]);
    let tables = project.sql_tables().unwrap();
    let told = tables[0].columns.iter().filter(|column| !column.hidden);
    let told: Vec<String> = told
        .map(|column| {
            let types: Vec<&str> = column.types.iter().map(|kind| kind.name()).collect();
            format!("{} {}", column.name, types.join("|"))
        })
        .collect();
    assert_eq!(told, ["_id ", "depth null|integer", "name string"]);
    wells.set_schema(&r#"{"version": 2, "properties": {"odd": {"type": "string"}}}"#.parse().unwrap()).unwrap();
    assert_eq!(names(), ["_id", "odd"]);
}

#[test]
fn columns_of_a_collection_without_a_schema_are_those_of_its_documents_as_they_are_now() {
    let [ana, ben] = team();
    let (project, of_ben) = (ana.project(), ben.project());
    let id = project.write(|tx| tx.create("places", fields([("name", "Pisac".into())]))).unwrap();
    let names = |project: &Project| project.sql("SELECT * FROM places").unwrap().columns;
    assert_eq!(names(&project), ["_id", "name"]);
    assert!(matches!(project.sql("SELECT height FROM places"), Err(Error::Sql(SqlError::NoColumn(_)))));
    meet(&ana.database, &ben.database);
    of_ben.write(|tx| tx.create("places", fields([("height", Value::Int(2_972)), ("name", "Calca".into())]))).unwrap();
    meet(&ana.database, &ben.database);
    assert_eq!(names(&project), ["_id", "name", "height"], "what most have first");
    assert_eq!(column(&project, "SELECT name FROM places WHERE height > 2000"), ["Calca".into()]);
    // What another process wrote shows as well.
    let beside = ana.open_beside();
    let read = beside.projects().unwrap()[0].collection("places").get(id).unwrap().unwrap();
    let edit = vec![Operation::set("kind", "village".into())];
    beside.projects().unwrap()[0].write(|tx| tx.edit(&read, edit)).unwrap();
    assert_eq!(names(&project), ["_id", "name", "height", "kind"]);
    // What was deleted has no fields.
    let read = project.collection("places").get(id).unwrap().unwrap();
    project.write(|tx| tx.delete(&read)).unwrap();
    assert_eq!(names(&project), ["_id", "height", "name"]);
    assert_eq!(column(&project, "SELECT count(*) FROM places"), [Value::Int(1)]);
}

#[test]
fn names_that_sql_takes_for_the_same_get_a_number_and_odd_ones_stand_in_quotes() {
    let [device] = team();
    let project = device.project();
    let odd = fields([
        ("name", "small".into()),
        ("Name", "capital".into()),
        ("NAME", "all".into()),
        ("", "empty".into()),
        ("with \"quotes\" and, more", "quoted".into()),
        ("select", "word".into()),
        ("_changed", "own".into()),
        ("a\0b", "zero".into()),
        ("ñ", "letter".into()),
        ("rowid", "row".into()),
    ]);
    let made = project.write(|tx| {
        tx.create("things", odd)?;
        tx.create("Things", fields([("x", Value::Int(1))]))?;
        tx.create("json_each", fields([("x", Value::Int(2))]))?;
        tx.create("my \"own\" things", fields([("x", Value::Int(3))]))
    });
    made.unwrap();
    let answer = project.sql("SELECT * FROM things_2").unwrap();
    let of = |name: &str| answer.rows[0][answer.columns.iter().position(|column| column == name).unwrap()].clone();
    for (name, value) in [
        ("NAME", "all"),
        ("Name_2", "capital"),
        ("name_3", "small"),
        ("_", "empty"),
        ("with \"quotes\" and, more", "quoted"),
        ("select", "word"),
        ("_changed_2", "own"),
        ("a\u{fffd}b", "zero"),
        ("ñ", "letter"),
        ("rowid", "row"),
    ] {
        assert_eq!(of(name), value.into(), "{name}");
    }
    let tables = project.sql_tables().unwrap();
    let names: Vec<(&str, &str)> =
        tables.iter().map(|table| (table.name.as_str(), table.collection.as_str())).collect();
    let expected = [
        ("Things", "Things"),
        ("json_each_2", "json_each"),
        ("my \"own\" things", "my \"own\" things"),
        ("things_2", "things"),
    ];
    assert_eq!(names, expected);
    assert_eq!(column(&project, r#"SELECT "select" FROM Things_2"#), ["word".into()]);
    assert_eq!(column(&project, r#"SELECT x FROM "my ""own"" things""#), [Value::Int(3)]);
    assert_eq!(column(&project, "SELECT x FROM json_each_2"), [Value::Int(2)]);
    assert_eq!(column(&project, "SELECT value FROM json_each('[7]')"), [Value::Int(7)]);
}

#[test]
fn a_document_tells_when_and_by_whom_it_was_changed_and_whether_it_has_conflicts() {
    let [ana, ben] = team();
    let place = |project: &Project, name: &str| {
        project.write(|tx| tx.put("places", "pisac", fields([("name", name.into())])).map(drop)).unwrap();
    };
    ana.clock.set_ahead(-60_000);
    place(&ana.project(), "Pisac");
    place(&ben.project(), "P'isaq");
    meet(&ana.database, &ben.database);
    let asked = "SELECT _conflicted, _changed_by, _changed, name FROM places";
    let [of_ana, of_ben] = [&ana, &ben].map(|device| rows(&device.project(), asked));
    assert_eq!(of_ana, of_ben);
    assert_eq!(of_ana[0][..2], [Value::Int(1), "device 1".into()], "the newest of the two");
    let document = &ana.project().collection("places").conflicted().unwrap()[0];
    let provenance = ana.project().collection("places").provenance(document).unwrap();
    let newest = provenance.heads.iter().map(|head| head.time).max().unwrap();
    assert_eq!(of_ana[0][2], Value::Int(newest));
    let not_shown = ana.project().sql("SELECT * FROM places").unwrap().columns;
    assert_eq!(not_shown, ["_id", "name"]);
}

#[test]
fn all_of_an_answer_is_of_one_moment_whatever_is_written_meanwhile() {
    let device = filled(1_000);
    let project = device.project();
    project.collection("things").create_index("number").unwrap();
    let mut seen = Vec::new();
    // Each thing is read in turn, and those like it are looked up by the index; meanwhile all are moved and new ones come.
    let asked = "SELECT a.number, (SELECT count(*) FROM things AS b WHERE b.number = a.number), t.x
                 FROM things AS a LEFT JOIN later AS t ON 1";
    project.write(|tx| tx.create("later", fields([("x", Value::Int(0))])).map(drop)).unwrap();
    let (columns, cost) = project
        .sql_each(asked, |row| {
            if seen.len() % 100 == 0 {
                let moved = |tx: &mut ayni::Transaction<'_, '_>| {
                    tx.create("things", fields([("number", Value::Int(500))]))?;
                    tx.create("later", fields([("x", Value::Int(1))])).map(drop)
                };
                project.write(moved)?;
                let add = [Operation::set("number", Value::Int(500))];
                project.collection("things").edit_where(&"number>=900".parse().unwrap(), &add, |_| ())?;
            }
            seen.push(row.values);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    assert_eq!((columns.len(), cost.rows), (3, 1_000));
    seen.sort_by(|one, other| one[0].compare(&other[0]));
    let expected: Vec<Vec<Value>> =
        (0..1_000).map(|number| vec![Value::Int(number), Value::Int(1), Value::Int(0)]).collect();
    assert_eq!(seen, expected);
    let now = "SELECT count(*) FROM things WHERE number = 500";
    assert_eq!(column(&project, now), [Value::Int(1 + 10 + 100)], "and the next answer is of now");
}

#[test]
fn a_deleted_document_is_found_in_no_way() {
    let device = filled(3);
    let project = device.project();
    project.collection("things").create_index("number").unwrap();
    let id = project.collection("things").query(&"number=1".parse().unwrap()).unwrap()[0].id();
    let ways = ["_id = ?1", "number = 1 AND ?1 IS ?1", "name = 'thing 0001' AND ?1 IS ?1"];
    let found =
        |way: &str| rows(&project, Sql::new(format!("SELECT name FROM things WHERE {way}")).bind(id.to_string()));
    assert!(ways.iter().all(|way| found(way) == [["thing 0001".into()]]));
    let document = project.collection("things").get(id).unwrap().unwrap();
    project.write(|tx| tx.delete(&document)).unwrap();
    for way in ways {
        assert!(found(way).is_empty(), "{way}");
    }
}

#[test]
fn of_documents_however_large_none_is_left_out() {
    let [device] = team();
    let project = device.project();
    let document = |number| fields([("number", Value::Int(number)), ("text", "x".repeat(400_000).into())]);
    project.write(|tx| (0..12).try_for_each(|number| tx.create("things", document(number)).map(drop))).unwrap();
    let asked = "SELECT number, length(text) FROM things WHERE number >= 2 ORDER BY number";
    let expected: Vec<Vec<Value>> = (2..12).map(|number| vec![Value::Int(number), Value::Int(400_000)]).collect();
    assert_eq!(rows(&project, asked), expected);
    project.collection("things").create_index("number").unwrap();
    let answer = project.sql(asked).unwrap();
    assert_eq!((answer.rows, answer.cost.indexes.len()), (expected, 1));
}

#[test]
fn parameters_are_given_by_place_and_by_name_and_none_is_forgotten() {
    let device = filled(20);
    let project = device.project();
    let asked = Sql::new("SELECT number FROM things WHERE number > ? AND number < ?").bind(3).bind(6);
    assert_eq!(column(&project, asked), [Value::Int(4), Value::Int(5)]);
    let asked = Sql::new("SELECT ?2, ?1, ?2").bind(true).bind("it's");
    assert_eq!(rows(&project, asked), [["it's".into(), Value::Int(1), "it's".into()]]);
    let asked = Sql::new("SELECT :a || @b || $c").bind_as("c", "3").bind_as("a", "1").bind_as("b", "2");
    assert_eq!(column(&project, asked), ["123".into()]);
    let values: Value = vec![Value::Int(3), Value::Int(4)].into();
    let asked =
        Sql::new("SELECT sum(number) FROM things WHERE number IN (SELECT value FROM json_each(?))").bind(values);
    assert_eq!(column(&project, asked), [Value::Int(7)]);
    let refused = |sql: Sql| project.sql(sql).unwrap_err().to_string();
    assert_eq!(
        refused(Sql::new("SELECT :a, :b").bind_as("a", 1)),
        "no value for the parameter `:b`: give one for each"
    );
    assert_eq!(refused(Sql::new("SELECT ?, ?").bind(1)), "no value for the parameter `?2`: give one for each");
    assert!(refused(Sql::new("SELECT ?").bind(1).bind(2)).starts_with("this SQL has no parameter `2`"));
    assert!(
        refused(Sql::new("SELECT :a").bind_as("a", 1).bind_as("b", 1)).starts_with("this SQL has no parameter `b`")
    );
}

#[test]
fn functions_are_those_of_sqlite_and_some_for_patterns_and_places() {
    let [device] = team();
    let project = device.project();
    let one = |text: &str| column(&project, text).remove(0);
    assert_eq!(one("SELECT 'San Juan' REGEXP '^San (Juan|Pedro)$'"), Value::Int(1));
    assert_eq!(one("SELECT 'Santa Ana' REGEXP '^San (Juan|Pedro)$'"), Value::Int(0));
    assert!(project.sql("SELECT 'a' REGEXP '('").unwrap_err().to_string().contains("is no pattern"));
    assert_eq!(one("SELECT (hex(zeroblob(2000000)) || 'well') REGEXP 'wel+$'"), Value::Int(1));
    let long = project.sql("SELECT hex(zeroblob(2000000)) REGEXP '0[0-9A-F]{8000}[G-Z]'").unwrap_err();
    assert!(long.to_string().contains("write a simpler pattern"), "{long}");
    let cusco = r#"'{"type":"Point","coordinates":[-71.9675,-13.532]}'"#;
    let puno = r#"'{"type":"Point","coordinates":[-70.0199,-15.8402]}'"#;
    assert_eq!(one(&format!("SELECT round(metres_between({cusco}, {puno}))")), Value::from(331_289.0));
    assert_eq!(one("SELECT metres_between('x', 'y')"), Value::Null);
    assert_eq!(one("SELECT sqrt(2) * sqrt(2) BETWEEN 1.99 AND 2.01"), Value::Int(1));
    assert_eq!(one("SELECT ln(0) IS NULL AND log2(-1) IS NULL AND log10(100) = 2"), Value::Int(1));
    assert_eq!(
        (one("SELECT ceil(9223372036854775807)"), one("SELECT floor(-1.5)")),
        (Value::Int(i64::MAX), Value::Float(-2.0))
    );
    assert_eq!(one("SELECT row_number() OVER () || date(0, 'unixepoch')"), "11970-01-01".into());
}

/// Values of every type that are alike in one way of comparing and not in another.
fn value() -> impl Strategy<Value = Option<Value>> {
    let text = prop::sample::select(vec!["", "a", "ab", "1", "01", " 1", "1.0", "1e0", "[1]", "{\"a\":1}", "9999"]);
    prop_oneof![
        2 => Just(None),
        1 => Just(Some(Value::Null)),
        2 => any::<bool>().prop_map(|yes| Some(yes.into())),
        4 => (-1..3_i64).prop_map(|number| Some(Value::Int(number))),
        2 => prop::sample::select(vec![0.0, 0.5, 1.0, 1e18]).prop_map(|number| Some(Value::from(number))),
        4 => text.prop_map(|text| Some(text.into())),
        1 => "[ab]{0,1}".prop_map(|end| Some(format!("{}{end}", "x".repeat(300)).into())),
        1 => prop::sample::select(vec![vec![], vec![49], b"ab".to_vec()]).prop_map(|bytes| Some(Value::Bytes(bytes))),
        1 => (0..3_u8).prop_map(|id| Some(Value::Reference(ayni::DocumentId([id * 100; 16])))),
        1 => Just(Some(vec![Value::Int(1)].into())),
        1 => Just(Some(fields([("a", Value::Int(1))]).into())),
    ]
}

/// The other side of a comparison: a value, or another field, perhaps turned into another type.
fn other_side() -> impl Strategy<Value = String> {
    let plain = prop::sample::select(vec![
        "?1", "?1", "?1", "?1", "o.a", "o.b", "1", "'1'", "1.0", "'ab'", "x'6162'", "1e18", "true",
    ]);
    let cast = prop::sample::select(vec!["", "", "", "INTEGER", "REAL", "TEXT", "NUMERIC", "BLOB"]);
    (plain, cast).prop_map(|(plain, kind)| match kind {
        "" => plain.to_owned(),
        kind => format!("CAST({plain} AS {kind})"),
    })
}

fn condition() -> impl Strategy<Value = String> {
    let field = || prop::sample::select(vec!["t.a", "t.b"]);
    let operator = prop::sample::select(vec!["=", "=", "<", "<=", ">", ">=", "<>", "IS"]);
    prop_oneof![
        6 => (field(), operator, other_side()).prop_map(|(field, operator, side)| format!("{field} {operator} {side}")),
        1 => (field(), other_side(), other_side()).prop_map(|(f, low, high)| format!("{f} BETWEEN {low} AND {high}")),
        1 => (field(), other_side(), other_side()).prop_map(|(f, one, two)| format!("{f} IN ({one}, {two}, 1)")),
        1 => (field(), other_side()).prop_map(|(field, side)| format!("({field} = {side} OR t.b = 1)")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_index_changes_no_answer_in_sql(
        documents in proptest::collection::vec([value(), value()], 20..40),
        questions in proptest::collection::vec((proptest::collection::vec(condition(), 1..3), value()), 60),
    ) {
        let [device] = team();
        let project = device.project();
        project.write(|tx| {
            documents.into_iter().try_for_each(|values| {
                let named = ["a", "b"].into_iter().zip(values);
                let made: Map = named.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
                tx.create("things", made).map(drop)
            })?;
            // That there are such fields whatever the others have.
            tx.create("things", fields([("a", "n".into()), ("b", "n".into())])).map(drop)
        }).unwrap();
        let ask = |(conditions, parameter): &(Vec<String>, Option<Value>)| {
            let text = format!(
                "SELECT t._id, o._id FROM things AS t, (SELECT * FROM things ORDER BY _id LIMIT 5) AS o WHERE {}
                 AND ?1 IS ?1 ORDER BY 1, 2",
                conditions.join(" AND ")
            );
            rows(&project, Sql::new(text).bind(parameter.clone().unwrap_or_default()))
        };
        let without: Vec<_> = questions.iter().map(ask).collect();
        for index in ["a", "b", "a,b"] {
            project.collection("things").create_index(index).unwrap();
        }
        for (question, without) in questions.iter().zip(without) {
            prop_assert_eq!(ask(question), without, "{:?}", question);
        }
    }

    #[test]
    fn sql_and_a_selector_find_the_same_where_they_mean_the_same(
        documents in proptest::collection::vec(value(), 20..60),
        operators in proptest::collection::vec((0..5_usize, -1..3_i64, "[ab1]{0,2}"), 30),
        indexed in any::<bool>(),
    ) {
        let [device] = team();
        let project = device.project();
        let things = project.collection("things");
        project.write(|tx| documents.iter().try_for_each(|value| {
            let made = value.iter().map(|value| ("a".to_owned(), value.clone())).collect::<Map>();
            tx.create("things", made).map(drop)
        })).unwrap();
        project.write(|tx| tx.create("things", fields([("a", Value::Int(7))])).map(drop)).unwrap();
        if indexed {
            things.create_index("a").unwrap();
        }
        for (operator, number, text) in operators {
            let (sql, mango) = [("=", "$eq"), ("<", "$lt"), ("<=", "$lte"), (">", "$gt"), (">=", "$gte")][operator];
            // Where types differ the two have orders of their own; what is JSON in SQL is a text there.
            for (of_type, mango_type, value) in [
                ("typeof(a) = 'text' AND json_type(_document, '$.a') = 'text'", "string", Value::from(text)),
                ("json_type(_document, '$.a') IN ('integer', 'real')", "number", Value::Int(number)),
            ] {
                let asked = Sql::new(format!("SELECT _id FROM things WHERE a {sql} ? AND {of_type}")).bind(value.clone());
                let mut found: Vec<Value> = column(&project, asked);
                found.sort_by(Value::compare);
                let selector = format!(r#"{{"a": {{"{mango}": {}, "$type": "{mango_type}"}}}}"#, value.to_json());
                let query = ayni::query::Query::new(selector.parse().unwrap());
                let mut expected: Vec<Value> =
                    things.query(&query).unwrap().iter().map(|found| found.id().to_string().into()).collect();
                expected.sort_by(Value::compare);
                prop_assert_eq!(found, expected, "{}", selector);
            }
        }
    }
}
