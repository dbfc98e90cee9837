//! Which document a record is: by the field that was named as its key, or by the id that the file gives it.

use std::collections::HashMap;

use ayni_doc::{Map, Path, Value};

use super::record::{BadRecord, Fault, RecordId, shortened};
use crate::query::Lookup as _;

/// Bytes of a key.
const KEY_BYTES: usize = 1 << 10;

/// Tells records apart, and finds those that are the same document twice.
///
/// It remembers 24 bytes for each record with an id: the one thing in reading that grows with the file.
#[derive(Debug, Default)]
pub(super) struct Identity {
    field: Option<Path>,
    seen: HashMap<[u8; 16], u64>,
}

impl Identity {
    /// Takes the keys from `field`, or where it is `None` the ids that the file gives.
    pub(super) fn new(field: Option<Path>) -> Self {
        Self { field, seen: HashMap::new() }
    }

    /// The id of the record on `line`.
    pub(super) fn of(
        &mut self,
        line: u64,
        given: Option<RecordId>,
        fields: &Map,
    ) -> Result<Option<RecordId>, BadRecord> {
        let id = match &self.field {
            None => given,
            Some(path) => {
                let name = || path.to_string();
                let value = fields.lookup(path).ok_or_else(|| Fault::NoKey(name()).on(line))?;
                Some(RecordId::Key(key_text(&value).ok_or_else(|| Fault::BadKey.at(line, name()))?))
            }
        };
        if let Some(id) = &id {
            self.first_of(line, &id.key()).map_err(|fault| fault.on(line))?;
        }
        Ok(id)
    }

    fn first_of(&mut self, line: u64, key: &str) -> Result<(), Fault> {
        let mut print = [0; 16];
        blake3::Hasher::new().update(key.as_bytes()).finalize_xof().fill(&mut print);
        match self.seen.insert(print, line) {
            None => Ok(()),
            Some(first) => {
                self.seen.insert(print, first);
                Err(Fault::SameKey { key: shortened(key), first })
            }
        }
    }
}

/// The key that a value makes: text as it is, a whole number as its decimal digits. So the same key from CSV, GeoJSON and JSON
/// Lines makes the same document.
pub(super) fn key_text(value: &Value) -> Option<String> {
    let key = match value {
        Value::Text(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        _ => return None,
    };
    (!key.is_empty() && key.len() <= KEY_BYTES).then_some(key)
}
