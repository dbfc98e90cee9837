//! Schemas: JSON from people and from other devices, asked about a few documents.
#![no_main]

use ayni::doc::{Map, Value};
use ayni::schema::Schema;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static DOCUMENTS: LazyLock<Vec<Map>> = LazyLock::new(|| {
    let inner = Map::from([("b".into(), Value::from("x")), ("c".into(), Value::Null)]);
    vec![
        Map::new(),
        Map::from([("a".into(), Value::Int(1)), ("b".into(), Value::Float(f64::NAN))]),
        Map::from([("a".into(), Value::List(vec![Value::from(""), Value::Map(inner.clone())])), ("b".into(), true.into())]),
        Map::from([("a".into(), Value::Map(inner))]),
    ]
});

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(schema) = text.parse::<Schema>() else { return };
    let again = Schema::from_json(&schema.to_json()).expect("a schema reads back");
    assert_eq!(again.to_json(), schema.to_json());
    for document in DOCUMENTS.iter() {
        let before = schema.check(document);
        before.iter().for_each(|violation| drop(violation.to_string()));
        let mut filled = document.clone();
        schema.fill_defaults(&mut filled);
        // What has no default is left alone, and a default breaks no rule of its own field.
        assert!(document.iter().all(|(name, value)| matches!(value, Value::Map(_)) || filled.get(name) == Some(value)));
    }
});
