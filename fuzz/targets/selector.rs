//! Questions: selectors, sort orders and projections from text, asked of a few documents.
#![no_main]

use ayni::doc::{Geometry, Map, Position, Value};
use ayni::query::{Projection, Selector, Sort};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static DOCUMENTS: LazyLock<Vec<Map>> = LazyLock::new(|| {
    let map = |pairs: Vec<(&str, Value)>| pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    vec![
        Map::new(),
        map(vec![("a", Value::Int(1)), ("b", Value::from("x")), ("c", Value::Float(f64::NAN))]),
        map(vec![("a", Value::Null), ("b", Value::List(vec![Value::Int(1), Value::from("y")]))]),
        map(vec![("a", Value::Map(map(vec![("b", Value::Bool(true))])))]),
        map(vec![("a", Value::from(Geometry::Point(Position::new(1.0, 2.0)))), ("b", Value::Int(i64::MIN))]),
    ]
});

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(selector) = text.parse::<Selector>() {
        let path = "a".parse().expect("a path");
        let ranges = selector.ranges_on(&path);
        for document in DOCUMENTS.iter() {
            let matches = selector.matches(document);
            // What an index is read for must not leave out what matches.
            if let (true, Some(ranges), Some(value)) = (matches, &ranges, document.get("a")) {
                let key = value.index_key();
                assert!(ranges.iter().any(|range| range.contains(&key)), "{selector:?} leaves out {document:?}");
            }
        }
    }
    let _ = text.parse::<Sort>();
    if let Ok(projection) = text.parse::<Projection>() {
        DOCUMENTS.iter().for_each(|document| drop(projection.of(document)));
    }
});
