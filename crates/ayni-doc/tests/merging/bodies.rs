//! Documents as bytes.

use ayni_doc::{DEPTH, Document, Map, Value, encoded, merge};
use ayni_log::codec::DecodeError;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::histories::{check, history, operation, path, set, versions};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn fields_read_from_bytes_are_those_of_the_document(steps in history(operation), paths in vec(path(), 1..4)) {
        let document = merge(&versions(&steps).0);
        let body = document.encode();
        prop_assert_eq!(encoded::is_present(&body), Ok(document.is_present()));
        prop_assert_eq!(encoded::has_conflicts(&body), Ok(document.has_conflicts()));
        prop_assert_eq!(encoded::get(&body, &[""; 0]), Ok(document.get(&[""; 0])));
        let shown = Value::Map(document.shown());
        for path in &paths {
            let read = encoded::get(&body, path.names()).unwrap();
            prop_assert_eq!(document.get(path.names()), read.clone());
            prop_assert_eq!(shown.at(path.names()).cloned(), read);
        }
    }

    #[test]
    fn damaged_bodies_are_errors_not_panics(steps in history(operation), at: usize, byte: u8, cut: usize) {
        let mut body = merge(&versions(&steps).0).encode();
        let at = at % body.len();
        body[at] = byte;
        let cut = body.len() - cut % 2;
        let _ = Document::decode(&body[..cut], Vec::new()).map(|document| document.encode());
        let _ = encoded::get(&body, &["b", "c"]);
    }
}

#[test]
fn an_empty_map_is_read_from_bytes_as_one() {
    let body = check(&[(1, 0, &[], &[set("a", "{}"), set("b.c", "{}")])], r#"{"a":{},"b":{"c":{}}}"#, 0).encode();
    let empty = Ok(Some(Value::Map(Map::new())));
    assert_eq!(encoded::get(&body, &["a"]), empty);
    assert_eq!(encoded::get(&body, &["b", "c"]), empty);
    assert_eq!(encoded::get(&body, &["a", "b"]), Ok(None));
}

/// Found by fuzzing: a field with flags that say nothing was read as an empty map.
#[test]
fn a_body_that_is_not_written_in_its_one_way_is_refused() {
    const CONTESTED: u8 = 0x0f;
    let field = |bytes: &[u8]| [&[1, 0, 7, 1, 1, b'a'], bytes].concat();
    let decode = |bytes: &[u8]| Document::decode(&field(bytes), Vec::new());
    assert!(decode(&[7, 0]).is_ok(), "an empty map");
    // Nothing, a value alone, a map alone, a map that is empty, a value without a stamp beside a map.
    for flags in [&[0][..], &[1, 0], &[0x40, 1, 1, b'b', 0], &[0x41, 0, 0], &[0x41, 0, 1, 1, b'b', 0]] {
        assert!(decode(&[&[CONTESTED], flags].concat()).is_err(), "{flags:?}");
    }
    // Beside a map: a flag without meaning, both forms of values, stamps of a sum and of elements that are not there.
    for flags in [0x80, 0x03, 0x08, 0x20] {
        assert!(decode(&[CONTESTED, 0x40 | flags, 1, 1, b'b', 0]).is_err(), "{flags:#x}");
    }
}

#[test]
fn a_body_is_nested_as_deep_as_changes_can_nest_and_no_deeper() {
    for (names, fits) in [(DEPTH, true), (DEPTH + 1, false)] {
        let body = [&[1, 1], &*[7, 1, 1, b'a'].repeat(names), &[0]].concat();
        let limit = DecodeError::Limit { what: "nesting", got: DEPTH as u64 + 1, limit: DEPTH as u64 };
        assert_eq!(Document::decode(&body, Vec::new()).err(), (!fits).then_some(limit));
        assert_eq!(encoded::get(&body, &["a"; DEPTH + 1]).is_ok(), fits);
        assert_eq!(encoded::get(&body, &["b"]).is_ok(), fits, "passed over");
    }
}
