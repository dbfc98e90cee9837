//! Values, changes, shapes and bodies of documents: what can be read is written back byte by byte, and what is read of a
//! body without reading it whole is what the whole says.
#![no_main]

use ayni_doc::{Change, Document, Shape, Value, encoded};
use ayni_log::codec::Reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((which, bytes)) = data.split_first() else { return };
    match which % 4 {
        0 => {
            let mut input = Reader::new(bytes);
            if let Ok(value) = Value::decode(&mut input) {
                assert_eq!(value.to_bytes(), bytes[..bytes.len() - input.remaining()]);
                let _ = (value.index_key(), value.to_json(), value.compare(&Value::Null));
            }
        }
        1 => {
            if let Ok(change) = Change::decode(bytes, &|_| None) {
                assert_eq!(change.encode().as_deref(), Ok(bytes));
            }
        }
        2 => shaped(bytes),
        _ => body(bytes),
    }
});

/// A shape, and behind it a change under that shape.
fn shaped(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else { return };
    let Some((shape, change)) = rest.split_at_checked(usize::from(*length)) else { return };
    let Ok(shape) = Shape::decode(shape) else { return };
    if let Ok(change_read) = Change::decode(change, &|number| (number == 1).then_some(&shape))
        && Change::shape_number(change) == Some(1)
    {
        assert!(shape.fits(&change_read));
        assert_eq!(change_read.encode_shaped(1).as_deref(), Ok(change));
    }
}

fn body(bytes: &[u8]) {
    let paths = [vec!["a"], vec!["name"], vec!["a", "b"]];
    let read: Vec<_> = paths.iter().map(|path| encoded::get(bytes, path)).collect();
    let Ok(document) = Document::decode(bytes, Vec::new()) else { return };
    assert_eq!(document.encode(), bytes);
    for (path, read) in paths.iter().zip(read) {
        assert_eq!(read, Ok(document.get(path)));
    }
    // Bodies come from merging only; of made-up ones nothing more holds than that they do no harm.
    let _ = (document.conflicts(), document.to_json());
}
