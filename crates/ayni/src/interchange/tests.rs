//! What reading and writing promise.

use std::collections::BTreeMap;
use std::io::{self, Read};

use ayni_doc::{Geometry, Map, Position, Value};
use ayni_log::ids::DocumentId;
use proptest::prelude::*;

use super::limits::{RECORD_BYTES, SAMPLE_RECORDS};
use super::samples::fields;
use super::*;

type Documents = BTreeMap<DocumentId, Map>;

fn write(format: Format, documents: &Documents) -> Vec<u8> {
    let mut columns = Columns::default();
    documents.values().for_each(|fields| columns.see(fields));
    let mut out = match format {
        Format::JsonLines => Exporter::json_lines(Vec::new()),
        Format::GeoJson => Exporter::geojson(Vec::new(), None),
        Format::Csv => Exporter::csv(Vec::new(), columns),
    };
    for (id, fields) in documents {
        out.write(id, fields).unwrap();
    }
    out.finish().unwrap()
}

fn options(format: Format) -> ReadOptions {
    ReadOptions { format: Some(format), ..ReadOptions::default() }
}

fn all(text: impl AsRef<[u8]>, options: &ReadOptions) -> Vec<Result<Record, BadRecord>> {
    read(text.as_ref(), options).unwrap().collect()
}

/// The records of a text that has no bad ones, as lines, keys and fields.
fn good(text: &str, options: &ReadOptions) -> Vec<(u64, Option<String>, Map)> {
    let records = all(text, options).into_iter().map(|record| record.unwrap_or_else(|bad| panic!("{bad}")));
    records.map(|record| (record.line, record.id.map(|id| id.key()), record.fields)).collect()
}

/// The lines of the good records, and the texts of the bad ones.
fn sorted_out(text: &str, options: &ReadOptions) -> (Vec<u64>, Vec<String>) {
    let mut found = (Vec::new(), Vec::new());
    for record in all(text, options) {
        match record {
            Ok(record) => found.0.push(record.line),
            Err(bad) => found.1.push(bad.to_string()),
        }
    }
    found
}

fn map(members: &[(&str, Value)]) -> Map {
    members.iter().map(|(name, value)| (name.to_string(), value.clone())).collect()
}

fn point(x: f64, y: f64) -> Value {
    Geometry::Point(Position::new(x, y)).into()
}

fn documents() -> impl Strategy<Value = Documents> {
    proptest::collection::btree_map(any::<[u8; 16]>().prop_map(DocumentId), fields(), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_written_reads_back_equal_in_every_format(documents in documents()) {
        for format in Format::ALL {
            let text = write(format, &documents);
            let records = all(&text, &options(format)).into_iter().collect::<Result<Vec<_>, _>>();
            let records = records.unwrap_or_else(|bad| panic!("{format}: {bad}\n{}", String::from_utf8_lossy(&text)));
            let back: Vec<_> = records.into_iter().map(|record| (record.id.unwrap(), record.fields)).collect();
            let expected: Vec<_> = documents.iter().map(|(id, map)| (RecordId::Document(*id), map.clone())).collect();
            prop_assert_eq!(back, expected, "{}:\n{}", format, String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn no_bytes_make_reading_panic_or_go_on_forever(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for format in Format::ALL {
            prop_assert!(all(&bytes, &options(format)).len() <= bytes.len() + 1);
        }
    }

    #[test]
    fn no_damage_makes_reading_panic_or_go_on_forever(
        documents in documents(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}\",:\n\\\\0a]"), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        for format in Format::ALL {
            let mut text = write(format, &documents);
            for (at, byte) in &damage {
                if let Some(place) = text.get_mut(at.index(10_000)) {
                    *place = byte.as_bytes()[0];
                }
            }
            text.truncate(cut.index(text.len().max(1)) + 1);
            for read_as in Format::ALL {
                prop_assert!(all(&text, &options(read_as)).len() <= text.len() + 1);
            }
        }
    }
}

#[test]
fn numbers_read_back_to_the_bit() {
    let numbers =
        [0.1, 1.0, -0.0, 5e-324, 1.7976931348623157e308, 123456789.12345679, 1e21, 9007199254740993.0, 2.5e-7];
    let mut documents = Documents::new();
    for (at, number) in numbers.into_iter().enumerate() {
        let field = map(&[("number", Value::from(number)), ("whole", Value::Int(at as i64 - 3))]);
        documents.insert(DocumentId([at as u8; 16]), field);
    }
    documents.insert(DocumentId([99; 16]), map(&[("number", Value::Float(1.0)), ("whole", Value::Int(i64::MIN))]));
    for format in Format::ALL {
        for record in all(write(format, &documents), &options(format)) {
            let record = record.unwrap();
            let Some(RecordId::Document(id)) = record.id else { panic!("{format}") };
            assert_eq!(record.fields, documents[&id], "{format}");
        }
    }
}

#[test]
fn an_export_is_the_same_every_time_and_easy_to_read() {
    let fields = map(&[("b", Value::Float(1.0)), ("a", "x,y".into()), ("location", point(-71.97, -13.53))]);
    let documents = Documents::from([(DocumentId([0; 16]), fields)]);
    let text = |format| String::from_utf8(write(format, &documents)).unwrap();
    let id = "a".repeat(26);
    let shape = r#"{"type":"Point","coordinates":[-71.97,-13.53]}"#;
    assert_eq!(text(Format::JsonLines), format!("{{\"_id\":\"{id}\",\"a\":\"x,y\",\"b\":1.0,\"location\":{shape}}}\n"));
    assert_eq!(
        text(Format::GeoJson),
        format!(
            "{{\"type\":\"FeatureCollection\",\"features\":[\n\
             {{\"type\":\"Feature\",\"id\":\"{id}\",\"geometry\":{shape},\"properties\":{{\"a\":\"x,y\",\"b\":1.0}}}}\n]}}\n"
        )
    );
    let header = "_id,a:text,b:float,location:lat,location:lon";
    assert_eq!(text(Format::Csv), format!("{header}\r\n{id},\"x,y\",1.0,-13.53,-71.97\r\n"));
}

#[test]
fn an_export_without_documents_reads_back_as_none() {
    for format in Format::ALL {
        let text = write(format, &Documents::new());
        assert_eq!(all(&text, &options(format)), [], "{format}");
    }
}

#[test]
fn a_field_that_would_be_taken_for_the_id_is_not_written() {
    let fields = map(&[("_id", Value::Int(1))]);
    let error = Exporter::json_lines(Vec::new()).write(&DocumentId([0; 16]), &fields).unwrap_err();
    assert!(matches!(error, ExportError::Reserved(_)));
}

#[test]
fn json_lines_keep_what_is_good_and_say_what_is_not() {
    let text = "{\"a\":1,\"location\":{\"type\":\"Point\",\"coordinates\":[1,2]}}\n\n{\"a\":\n[1]\n{\"a\":18446744073709551615}\n\
                \u{1e}{\"a\":2.0}\r\n{\"_id\":true}\n{\"a\":3}";
    let (lines, bad) = sorted_out(text, &options(Format::JsonLines));
    assert_eq!(lines, [1, 6, 8]);
    assert_eq!(
        bad,
        [
            "line 3: this is not JSON: it ends in the middle",
            "line 4: a record must be an object {\"field\": value, …}",
            "line 5, a: the integer 18446744073709551615 is too large: integers go up to 9223372036854775807; write it as text",
            "line 7, _id: the key must be a text or a whole number, and not empty",
        ]
    );
    let records =
        good("{\"a\":1,\"b\":1.0,\"location\":{\"type\":\"Point\",\"coordinates\":[1,2]}}", &ReadOptions::default());
    assert_eq!(records[0].2, map(&[("a", Value::Int(1)), ("b", Value::Float(1.0)), ("location", point(1.0, 2.0))]));
}

#[test]
fn a_json_array_is_read_element_by_element() {
    let text = "\u{feff}[\n {\"a\":1},\n {\"a\" 2},\n [3],\n\n {\"a\":4}\n]\n";
    let (lines, bad) = sorted_out(text, &ReadOptions::default());
    assert_eq!(lines, [2, 6]);
    assert!(bad[0].starts_with("line 3: this is not JSON: expected `:`"), "{bad:?}");
    assert!(bad[1].starts_with("line 4: a record must be an object"), "{bad:?}");
    assert_eq!(bad.len(), 2);
    let (lines, bad) = sorted_out("[{\"a\":1},{\"a\":2}", &ReadOptions::default());
    assert_eq!((lines.len(), bad.len()), (2, 1));
    assert!(bad[0].contains("cut off"), "{bad:?}");
}

#[test]
fn a_feature_collection_is_read_feature_by_feature_wherever_its_features_stand() {
    let features = "[\n\
        {\"type\":\"Feature\",\"id\":7,\"geometry\":{\"type\":\"Point\",\"coordinates\":[1,2],\"bbox\":[]},\"properties\":{\"a\":1}},\n\
        {\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[\"1\",2]},\"properties\":{}},\n\
        {\"type\":\"Feature\",\"geometry\":null,\"properties\":null}, null,\n\
        {\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[1,2]},\"properties\":{\"location\":\"here\"}}\n]";
    for text in [
        format!("{{\"type\":\"FeatureCollection\",\"name\":\"}}{{\",\"features\":{features},\"bbox\":[1,2,3,4]}}\n"),
        format!("{{\"bbox\":[{{}}],\"features\":{features},\"type\":\"FeatureCollection\"}}"),
        features.to_owned(),
    ] {
        let (lines, bad) = sorted_out(&text, &options(Format::GeoJson));
        assert_eq!(lines, [2, 4], "{text}");
        assert!(bad[0].starts_with("line 3, geometry: this is not a GeoJSON feature: its geometry has"), "{bad:?}");
        assert!(bad[1].starts_with("line 4: a record must be an object"), "{bad:?}");
        assert!(bad[2].starts_with("line 5: the feature has a property \"location\""), "{bad:?}");
        assert_eq!(bad.len(), 3);
        let elsewhere = ReadOptions { geometry: Some("place".into()), ..options(Format::GeoJson) };
        let records: Vec<_> = all(&text, &elsewhere).into_iter().filter_map(Result::ok).collect();
        assert_eq!(records[0].fields, map(&[("a", Value::Int(1)), ("id", Value::Int(7)), ("place", point(1.0, 2.0))]));
        assert_eq!(records[2].fields, map(&[("location", "here".into()), ("place", point(1.0, 2.0))]));
    }
}

#[test]
fn features_stand_alone_or_one_a_line() {
    let feature = |x: i32| {
        format!(
            "{{\"type\":\"Feature\",\"geometry\":{{\"type\":\"Point\",\"coordinates\":[{x},2]}},\"properties\":{{}}}}"
        )
    };
    let expected = |x: f64| map(&[("location", point(x, 2.0))]);
    let alone = good(&feature(1).replace(',', ",\n"), &ReadOptions::default());
    assert_eq!(alone, [(1, None, expected(1.0))]);
    let lines = format!("{}\n{}\n{{\"type\":\"Feature\"\n{}\n", feature(1), "{]", feature(3));
    let (good_lines, bad) = sorted_out(&lines, &ReadOptions::default());
    assert_eq!((good_lines, bad.len()), (vec![1, 4], 2));
    let geometry = good("{\"type\":\"Point\",\"coordinates\":[1,2]}", &options(Format::GeoJson));
    assert_eq!(geometry, [(1, None, expected(1.0))]);
}

#[test]
fn a_collection_that_was_cut_off_yields_what_came_before() {
    let text = "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"properties\":{\"a\":1}},\n{\"type\":\"Fea";
    let (lines, bad) = sorted_out(text, &ReadOptions::default());
    assert_eq!(lines, [1]);
    assert!(bad.len() == 1 && bad[0].starts_with("line 2: the file ends in the middle"), "{bad:?}");
    let (_, bad) = sorted_out("not JSON at all", &options(Format::GeoJson));
    assert!(bad.len() == 1 && bad[0].contains("is it in another format?"), "{bad:?}");
}

#[test]
fn a_feature_id_tells_the_document_only_if_it_is_the_id_of_one() {
    let id = "a".repeat(26);
    let feature =
        |member: &str| format!("{{\"type\":\"Feature\",{member}\"geometry\":null,\"properties\":{{\"id\":1}}}}");
    let read = |member: &str| good(&feature(member), &ReadOptions::default()).remove(0);
    assert_eq!(read(&format!("\"id\":\"{id}\",")), (1, Some(id), map(&[("id", Value::Int(1))])));
    assert_eq!(read("\"id\":1,"), (1, None, map(&[("id", Value::Int(1))])));
    assert_eq!(read("\"id\":\"b\","), (1, None, map(&[("id", Value::Int(1)), ("feature_id", "b".into())])));
}

#[test]
fn csv_types_are_guessed_by_column() {
    let text = "zip,count,size,open,name,mixed,big\n\
                01234,1,1,true,\"Ana\",1,9223372036854775808\n98765,-2,2.5,FALSE,\"\",x,1\n,,,,,,\n";
    let records = good(text, &ReadOptions::default());
    let expected = [
        map(&[
            ("zip", "01234".into()),
            ("count", Value::Int(1)),
            ("size", Value::Float(1.0)),
            ("open", true.into()),
            ("name", "Ana".into()),
            ("mixed", "1".into()),
            ("big", "9223372036854775808".into()),
        ]),
        map(&[
            ("zip", "98765".into()),
            ("count", Value::Int(-2)),
            ("size", Value::Float(2.5)),
            ("open", false.into()),
            ("mixed", "x".into()),
            ("big", "1".into()),
        ]),
        Map::new(),
    ];
    assert_eq!(records.into_iter().map(|(_, _, fields)| fields).collect::<Vec<_>>(), expected);
}

#[test]
fn a_cell_that_breaks_its_columns_type_is_reported_with_the_remedy() {
    let mut text = String::from("house,name\n");
    (0..SAMPLE_RECORDS).for_each(|at| text.push_str(&format!("{at},x\n")));
    text.push_str("12a,y\n13,z\n1,2,3\n");
    let (lines, bad) = sorted_out(&text, &ReadOptions::default());
    assert_eq!(lines.len(), SAMPLE_RECORDS + 1);
    assert_eq!(
        bad,
        [
            "line 1002, house: \"12a\" is not a whole number of 64 bits: mend it, or head the column `house:text` to take it as text",
            "line 1004: 3 cells under a header of 2: put cells with separators in them into quotes",
        ]
    );
    assert_eq!(good("house:text,n:int\n12a,007\n", &ReadOptions::default())[0].2["n"], Value::Int(7));
}

#[test]
fn latitude_and_longitude_columns_make_points() {
    let text =
        "name;Latitude;LNG\nCusco;-13.53;-71.97\nNowhere;;\nHalf;1;\nSwapped;-120;10\nMercator;-1506000;-8011000\n";
    let (lines, bad) = sorted_out(text, &ReadOptions::default());
    assert_eq!(lines, [2, 3]);
    assert!(bad[0].starts_with("line 4, location: a latitude without a longitude"), "{bad:?}");
    assert!(bad[1].contains("exchanged"), "{bad:?}");
    assert!(bad[2].contains("WGS 84"), "{bad:?}");
    let read = all(text, &ReadOptions::default());
    let cusco = read[0].as_ref().unwrap();
    assert_eq!(cusco.fields, map(&[("name", "Cusco".into()), ("location", point(-71.97, -13.53))]));
}

#[test]
fn a_key_field_makes_the_same_key_from_every_format() {
    let by = |path: &str| ReadOptions { id: Some(path.parse().unwrap()), ..ReadOptions::default() };
    let keys =
        |text: &str, path: &str| good(text, &by(path)).into_iter().map(|(_, key, _)| key.unwrap()).collect::<Vec<_>>();
    assert_eq!(keys("{\"code\":12}\n{\"code\":\"x\"}", "code"), ["12", "x"]);
    assert_eq!(keys("{\"a\":{\"b\":12}}", "a.b"), ["12"]);
    assert_eq!(keys("code,a\n12,1\nx,2\n", "code"), ["12", "x"]);
    assert_eq!(keys("{\"type\":\"Feature\",\"id\":\"12\",\"properties\":{}}", "id"), ["12"]);
    assert_eq!(keys("{\"_id\":\"other\",\"code\":12}", "code"), ["12"]);
}

#[test]
fn missing_unfit_and_repeated_keys_are_bad_records() {
    let text = "{\"code\":1}\n{}\n{\"code\":1.5}\n{\"code\":\"1\"}\n{\"code\":\"\"}\n{\"code\":2}\n{\"code\":1}";
    let options = ReadOptions { id: Some("code".parse().unwrap()), ..options(Format::JsonLines) };
    let (lines, bad) = sorted_out(text, &options);
    assert_eq!(lines, [1, 6]);
    assert_eq!(
        bad,
        [
            "line 2: no field \"code\", which was to be the record's key",
            "line 3, code: the key must be a text or a whole number, and not empty",
            "line 4: \"1\" is the key of the record on line 1 already",
            "line 5, code: the key must be a text or a whole number, and not empty",
            "line 7: \"1\" is the key of the record on line 1 already",
        ]
    );
}

#[test]
fn too_much_is_refused_by_name() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(32), "]".repeat(32));
    let deeper = format!("{{\"a\":{}1{}}}", "[".repeat(1000), "]".repeat(1000));
    let wide = format!("{{{}}}", (0..5000).map(|at| format!("\"{at}\":1")).collect::<Vec<_>>().join(","));
    let long_name = format!("{{\"{}\":1}}", "n".repeat(257));
    let long_inner = format!("{{\"a\":{{\"{}\":1}}}}", "n".repeat(257));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(RECORD_BYTES));
    let text = [deep, deeper, wide, long_name, long_inner, long, "{\"a\":1}".into()].join("\n");
    let (lines, bad) = sorted_out(&text, &options(Format::JsonLines));
    assert_eq!(lines, [7]);
    let parts = ["deep", "deep", "4096 fields", "256 bytes", "256", "8 MiB"];
    assert_eq!(bad.len(), parts.len());
    for (bad, part) in bad.iter().zip(parts) {
        assert!(bad.contains(part), "{bad}");
    }
    let not_utf8 = all(b"a,b\n1,\xff\n2,3\n", &options(Format::Csv));
    assert_eq!(not_utf8[0].as_ref().unwrap_err().fault, Fault::NotUtf8);
    assert!(not_utf8[1].is_ok());
}

/// Yields a feature collection of any size without ever holding it, then fails.
struct Endless {
    features: u64,
    ready: Vec<u8>,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ready.is_empty() {
            if self.features == 0 {
                return Err(io::Error::other("the disk went away"));
            }
            self.features -= 1;
            self.ready = b"{\"type\":\"Feature\",\"geometry\":null,\"properties\":{\"a\":1}},".to_vec();
        }
        let count = buffer.len().min(self.ready.len());
        buffer[..count].copy_from_slice(&self.ready[..count]);
        self.ready.drain(..count);
        Ok(count)
    }
}

#[test]
fn features_come_out_while_the_rest_of_the_file_is_not_here_yet() {
    let start = b"{\"type\":\"FeatureCollection\",\"features\":[".to_vec();
    let input = Endless { features: 100_000, ready: start };
    let mut records = read(input, &ReadOptions::default()).unwrap();
    assert_eq!(records.by_ref().take(100_000).filter(Result::is_ok).count(), 100_000);
    let bad = records.next().unwrap().unwrap_err();
    assert_eq!(bad.to_string(), "line 1: the file cannot be read on: the disk went away");
    assert_eq!(records.next(), None);
}
