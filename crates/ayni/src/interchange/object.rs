//! JSON objects into fields, for the two formats that are made of them.

use ayni_doc::{DEPTH, Map, Path, Value};
use ayni_log::limits::NAME_BYTES;
use serde_json::Value as Json;
use serde_json::error::Category;

use super::ID;
use super::limits::FIELDS;
use super::record::{BadRecord, Fault, RecordId, shortened};

/// The members of a JSON object.
pub(super) type Members = serde_json::Map<String, Json>;

/// The object that `text` is; it begins on `line`.
pub(super) fn parse(text: &[u8], line: u64) -> Result<Members, BadRecord> {
    let text = std::str::from_utf8(text).map_err(|_| Fault::NotUtf8.on(line))?;
    match serde_json::from_str(text) {
        Ok(Json::Object(members)) => Ok(members),
        Ok(_) => Err(Fault::NotAnObject.on(line)),
        Err(error) => Err(not_json(&error).on(line.saturating_add((error.line() as u64).saturating_sub(1)))),
    }
}

fn not_json(error: &serde_json::Error) -> Fault {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    match error.classify() {
        Category::Eof => Fault::NotJson("it ends in the middle".to_owned()),
        _ if what.starts_with("recursion limit") => Fault::TooDeep,
        _ => Fault::NotJson(format!("{what} at character {}", error.column())),
    }
}

/// The fields that `members` are; the record begins on `line`.
pub(super) fn fields(members: &Members, line: u64) -> Result<Map, BadRecord> {
    if members.len() > FIELDS {
        return Err(Fault::TooManyFields.on(line));
    }
    let field = |(name, json): (&String, &Json)| {
        let value =
            Value::from_json(json).map_err(|error| Fault::Value(error.to_string()).at(line, shortened(name)))?;
        check(name, &value).map_err(|fault| fault.at(line, shortened(name)))?;
        Ok((name.clone(), value))
    };
    members.iter().map(field).collect()
}

/// Whether a document can have the field.
pub(super) fn check(name: &str, value: &Value) -> Result<(), Fault> {
    if name == ID {
        return Err(Fault::FieldName(name.to_owned(), "it is the name of the document's id"));
    }
    if value.depth() >= DEPTH {
        return Err(Fault::TooDeep);
    }
    check_names(name, value)
}

/// Whether the names down to every leaf are ones that a path can have.
fn check_names(name: &str, value: &Value) -> Result<(), Fault> {
    if Path::new([name]).is_err() {
        return Err(Fault::FieldName(shortened(name), NAME_TOO_LONG));
    }
    match value {
        Value::Map(map) => map.iter().try_for_each(|(name, value)| check_names(name, value)),
        _ => Ok(()),
    }
}

const NAME_TOO_LONG: &str = "a name can have 256 bytes at most";
const _: () = assert!(NAME_BYTES == 256, "the message says so");

/// The id that a record's `_id` tells.
pub(super) fn record_id(json: &Json, line: u64) -> Result<Option<RecordId>, BadRecord> {
    match json {
        Json::String(text) if !text.is_empty() => Ok(Some(RecordId::from_text(text))),
        Json::Number(number) if number.is_i64() => Ok(Some(RecordId::Key(number.to_string()))),
        _ => Err(Fault::BadKey.at(line, ID)),
    }
}
