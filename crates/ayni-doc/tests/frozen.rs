//! Bytes that were once written stay readable, and are still written the same. The files are never regenerated: a format
//! that must change gets a new version and new examples.

use std::fmt::Write;

use ayni_doc::{
    Attachment, AttachmentKey, Change, Document, EntryKey, Geometry, Handled, Map, Operation, Path, Position, SetKind,
    Shape, Value, Version, merge, version_id,
};
use ayni_log::codec::Reader;
use ayni_log::ids::{DeviceId, DocumentId, Hash};

/// The frozen bytes: hex, in lines of any length.
#[expect(clippy::disallowed_methods, reason = "frozen examples are files")]
fn frozen(name: &str) -> Vec<u8> {
    let file = format!("{}/tests/frozen/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let text: String = text.split_whitespace().collect();
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
}

/// Asserts that `bytes` are those of the file.
fn check(name: &str, bytes: &[u8]) {
    let mut hex = String::new();
    for byte in bytes {
        write!(hex, "{byte:02x}").unwrap();
    }
    assert_eq!(bytes, frozen(name), "{name} is now written as\n{hex}");
}

fn path(text: &str) -> Path {
    text.parse().unwrap()
}

fn every_value() -> Value {
    let line = |z| vec![Position { x: 1.65362, y: 42.57952, z }, Position { x: -180.0, y: 0.1 + 0.2, z }];
    let attachment = Attachment {
        hash: Hash([0xaa; 32]),
        sealed_length: 1016,
        length: 1000,
        key: AttachmentKey([0xbb; 32]),
        name: "photo.jpg".to_owned(),
        media_type: "image/jpeg".to_owned(),
    };
    let ints = [0, 63, 64, 255, 256, i64::MAX, -1, -16, -17, -257, i64::MIN].map(Value::Int);
    let floats = [0.0, 1.0, -2.5, 1e15, 0.1 + 0.2, 1e300, f64::NAN, f64::INFINITY].map(Value::from);
    let geometries = [
        Geometry::Point(Position::new(1.65362, 42.57952)),
        Geometry::MultiPoint(line(None)),
        Geometry::LineString(line(Some(1234.5))),
        Geometry::MultiLineString(vec![line(None), vec![]]),
        Geometry::Polygon(vec![line(None)]),
        Geometry::MultiPolygon(vec![vec![line(None)]]),
        Geometry::Collection(vec![Geometry::Point(Position::new(0.0, 0.0))]),
    ];
    Value::List(vec![
        Value::Null,
        Value::Bool(false),
        Value::Bool(true),
        Value::List(ints.to_vec()),
        Value::List(floats.to_vec()),
        Value::List(vec![Value::from(""), Value::from("Sant Julià"), Value::Text("x".repeat(64))]),
        Value::Bytes(vec![0, 1, 255]),
        Value::Map(Map::from([("a".to_owned(), Value::Map(Map::new())), ("b".to_owned(), Value::Null)])),
        Value::List(geometries.into_iter().map(Value::from).collect()),
        Value::Attachment(Box::new(attachment)),
        Value::Reference(DocumentId([0xcc; 16])),
    ])
}

fn every_operation() -> Change {
    let set = |path, kind, value| Operation::Set { path, kind, value: Value::Int(value) };
    Change::Edit(vec![
        set(path("a"), SetKind::Latest, 1),
        set(path("b.c"), SetKind::First, 2),
        set(path("min"), SetKind::Min, 3),
        set(path("max"), SetKind::Max, 4),
        Operation::Unset { path: path("gone") },
        Operation::Add { path: path("count"), amount: -300 },
        Operation::Insert { path: path("tags"), element: Value::from("new") },
        Operation::Remove { path: path("tags"), element: Value::from("old") },
        Operation::List { path: path("items"), bytes: vec![1, 2] },
        Operation::Text { path: path("notes"), bytes: vec![3] },
    ])
}

fn place() -> Change {
    Change::Edit(vec![
        Operation::set("geonameid", Value::Int(3_039_154)),
        Operation::set("name", Value::from("El Tarter")),
        Operation::set("country", Value::from("AD")),
        Operation::set("population", Value::Int(1052)),
        Operation::set("location", Value::from(Geometry::Point(Position::new(1.65362, 42.57952)))),
    ])
}

fn version(number: u8, time: i64, parents: &[i64], change: Change) -> Version {
    Version {
        key: EntryKey(i64::from(number)),
        hash: Hash([number; 32]),
        time,
        author: DeviceId([0xd0 + number; 32]),
        parents: parents.iter().copied().map(EntryKey).collect(),
        change: Some(change),
    }
}

/// A document with every kind of conflict.
fn contested() -> Document {
    let insert = |element: &str| Operation::Insert { path: path("tags"), element: element.into() };
    merge(&[
        version(1, 1000, &[], place()),
        version(
            2,
            3000,
            &[1],
            Change::Edit(vec![
                Operation::set("name", Value::from("Tarter")),
                Operation::set("p", Value::Int(7)),
                Operation::add("population", 5),
                Operation::add("n", 1),
                insert("b"),
                insert("a"),
            ]),
        ),
        version(
            3,
            2000,
            &[1],
            Change::Edit(vec![
                Operation::unset("name"),
                Operation::set_at(path("p.x"), Value::Int(8)),
                Operation::set("n", Value::from("one")),
                Operation::set("tags", Value::Null),
            ]),
        ),
    ])
}

#[test]
fn values_are_written_and_read_as_ever() {
    check("values", &every_value().to_bytes());
    let bytes = frozen("values");
    assert_eq!(Value::decode(&mut Reader::new(&bytes)).unwrap(), every_value());
}

#[test]
fn index_keys_are_made_as_ever() {
    let values = every_value();
    let keys = values.as_list().unwrap().iter().flat_map(|value| match value.as_list() {
        Some(values) => values.iter().flat_map(Value::index_key).collect(),
        None => value.index_key(),
    });
    check("index_keys", &keys.collect::<Vec<u8>>());
}

#[test]
fn changes_are_written_and_read_as_ever() {
    let shape = place().shape().unwrap();
    check("operations", &every_operation().encode().unwrap());
    check("place", &place().encode().unwrap());
    check("place_shaped", &place().encode_shaped(1).unwrap());
    check("place_shape", &shape.encode());
    check("delete", &Change::Delete.encode().unwrap());

    let shape = Shape::decode(&frozen("place_shape")).unwrap();
    let shapes = |number| (number == 1).then_some(&shape);
    assert_eq!(Change::decode(&frozen("operations"), &shapes), Ok(every_operation()));
    assert_eq!(Change::decode(&frozen("place"), &shapes), Ok(place()));
    assert_eq!(Change::decode(&frozen("place_shaped"), &shapes), Ok(place()));
    assert_eq!(Change::decode(&frozen("delete"), &shapes), Ok(Change::Delete));
}

#[test]
fn documents_are_written_and_read_as_ever() {
    let mut plain = Document::default();
    assert!(plain.advance(version(1, 1000, &[], place())));
    check("document", &plain.encode());
    check("document_contested", &contested().encode());
    assert_eq!(Document::decode(&frozen("document_contested"), contested().heads().to_vec()), Ok(contested()));
    let mut handled = contested();
    let made = Map::from([("name".to_owned(), "Tarter".into()), ("p".to_owned(), Value::Map(Map::new()))]);
    handled.show_handled(Handled::new("places", 300, [0xee; 8], made));
    check("document_handled", &handled.encode());
    assert_eq!(Document::decode(&frozen("document_handled"), handled.heads().to_vec()), Ok(handled));
}

#[test]
fn version_ids_are_as_ever() {
    check("version_id", version_id(&[Hash([2; 32]), Hash([1; 32])]).as_bytes());
}
