//! Searches: what people type, looked for in any text.
#![no_main]

use ayni::Tokenizer;
use ayni::doc::{Map, Value};
use ayni::query::Search;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (words, text) = text.split_once('\n').unwrap_or((text, text));
    let Ok(search) = words.parse::<Search>() else { return };
    let document = Map::from([("a".into(), Value::from(text)), ("b".into(), Value::List(vec![Value::from(words)]))]);
    let inside = search.clone().tokenizer(Tokenizer::Trigrams);
    for search in std::iter::once(search).chain(inside) {
        let _ = search.matches(&document);
        // Where the words stand is within the text, between its letters, and in order.
        let mut end = 0;
        for place in search.places_in(text) {
            assert!(place.start >= end && text.get(place.clone()).is_some(), "{place:?} of {text:?}");
            end = place.end;
        }
    }
});
