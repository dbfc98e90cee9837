//! What the commands on single documents share: how one is named on the command line, how fields are written there, and
//! how one is shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use ayni::doc::{Map, Operation, Path, Value};
use ayni::{Collection, Document, DocumentId};
use console::{Style, style};
use serde_json::Value as Json;

use crate::failure::Failure;
use crate::terminal::entries::Entries;
use crate::terminal::{out, words};

/// The member of a document's JSON that holds its id.
pub(crate) const ID: &str = ayni::interchange::ID;

/// The document that a word names: by its key, its id, or the start of its id.
pub(crate) fn find(collection: &Collection, word: Option<&str>, key: Option<&str>) -> Result<Document, Failure> {
    let id = find_id(collection, word, key)?;
    collection.get(id)?.ok_or_else(|| deleted(collection, id))
}

/// That a document was deleted.
pub(super) fn deleted(collection: &Collection, id: DocumentId) -> Failure {
    Failure::new(
        format_args!("{} in {} was deleted", words::short(id), collection.name()),
        format_args!(
            "`ayni history {0} {1}` shows by whom; `ayni edit {0} {1} --undelete` brings it back",
            collection.name(),
            words::short(id)
        ),
    )
}

/// The id of a document that is named, deleted or not.
pub(crate) fn find_id(collection: &Collection, word: Option<&str>, key: Option<&str>) -> Result<DocumentId, Failure> {
    let name = collection.name();
    let list = format!("`ayni query {name}` lists what there is");
    let by_key = |key: &str| -> Result<Option<DocumentId>, Failure> {
        let id = collection.id_of_key(key)?;
        Ok(collection.get_deleted(id)?.map(|document| document.id()))
    };
    let (word, key) = match (word, key) {
        (_, Some(key)) => {
            let missing = || Failure::new(format_args!("no document with the key {key:?} in {name}"), &list);
            return by_key(key)?.ok_or_else(missing);
        }
        (Some(word), None) => (word, word),
        (None, None) => return Err(Failure::usage("which document is not said", "give its id, or its key with --key")),
    };
    if let Some(id) = by_key(key)? {
        return Ok(id);
    }
    let found = collection.ids_beginning(word, 6)?;
    match found.as_slice() {
        [id] => Ok(*id),
        [] => Err(Failure::new(format_args!("no document {word:?} in {name}, by id or by key"), list)),
        several => {
            let some: Vec<String> = several.iter().map(ToString::to_string).collect();
            let what = format!("several documents in {name} begin with {word:?}: {}", some.join(", "));
            Err(Failure::usage(what, "write more of the id"))
        }
    }
}

/// A field and the value that a word `field=value` gives it. What is not JSON is text.
pub(crate) fn assignment(word: &str) -> Result<(Path, Value), Failure> {
    let remedy = "write field=value, as in name=Cusco population=428450 address.city=Lima";
    let at = split_at(word).ok_or_else(|| Failure::usage(format_args!("{word:?} gives no field a value"), remedy))?;
    let (field, value) = word.split_at(at);
    let value = value.get(1..).unwrap_or_default();
    if let Some(name) = field.strip_suffix('+').filter(|name| !name.ends_with('\\')) {
        return Err(Failure::usage(
            format_args!("{word:?} sets no field: += adds to none"),
            format_args!(
                "`ayni edit … --add {name}={value}` adds to a counter; a list or set is written whole, or changed in the \
                 editor with `ayni edit COLLECTION DOCUMENT`; a name that ends with + is written {name}\\+"
            ),
        ));
    }
    let json = match serde_json::from_str(value) {
        Ok(json) => json,
        Err(error) if value.starts_with(['{', '[', '"']) => {
            return Err(Failure::usage(format_args!("the value of {field} is not JSON: {error}"), remedy));
        }
        Err(_) => Json::String(value.to_owned()),
    };
    let path = field.parse().map_err(|error| Failure::usage(format_args!("{word:?}: {error}"), remedy))?;
    let value = Value::from_json(&json).map_err(|error| Failure::usage(format_args!("{field}: {error}"), remedy))?;
    Ok((path, value))
}

/// Where the first `=` stands that is not behind a backslash.
fn split_at(word: &str) -> Option<usize> {
    let mut escaped = false;
    let ends = |(_, letter): &(usize, char)| {
        let found = *letter == '=' && !escaped;
        escaped = *letter == '\\' && !escaped;
        found
    };
    word.char_indices().find(ends).map(|(at, _)| at)
}

/// The operations that words `field=value` stand for.
pub(crate) fn settings(given: &[String]) -> Result<Vec<Operation>, Failure> {
    let assignments = assignments(given)?;
    Ok(assignments.into_iter().map(|(path, value)| Operation::set_at(path, value)).collect())
}

/// The fields that words give: one JSON object, or `field=value` each.
pub(crate) fn fields(given: &[String]) -> Result<Map, Failure> {
    if let [text] = given
        && text.trim_start().starts_with(['{', '['])
    {
        return object(text);
    }
    let mut fields = Map::new();
    for (path, value) in assignments(given)? {
        place(&mut fields, path.names(), value);
    }
    Ok(fields)
}

/// What words `field=value` give, of which none takes the place of another.
fn assignments(given: &[String]) -> Result<Vec<(Path, Value)>, Failure> {
    let assignments = given.iter().map(|word| assignment(word)).collect::<Result<Vec<_>, _>>()?;
    let mut fields = Map::new();
    for (at, (path, value)) in assignments.iter().enumerate() {
        if place(&mut fields, path.names(), value.clone()) {
            continue;
        }
        let names = path.names();
        let meets = |other: &&Path| other.names().starts_with(names) || names.starts_with(other.names());
        let what = match assignments.iter().take(at).map(|(other, _)| other).rfind(meets) {
            Some(other) if other != path => {
                format!("{other} and {path} cannot both be given, one lies inside of the other")
            }
            _ => format!("{path} is given twice"),
        };
        return Err(Failure::usage(what, "give each field one value"));
    }
    Ok(assignments)
}

/// The fields of a JSON object.
pub(crate) fn object(text: &str) -> Result<Map, Failure> {
    let remedy = "write {\"field\": value, …}";
    let json: Json = serde_json::from_str(text)
        .map_err(|error| Failure::usage(format_args!("this is not JSON: {error}"), remedy))?;
    let value = Value::from_json(&json).map_err(|error| Failure::usage(error, remedy))?;
    match value {
        Value::Map(fields) => Ok(fields),
        _ => Err(Failure::usage("a document must be a JSON object", remedy)),
    }
}

/// Puts a value at a path, if nothing stands there nor on the way.
fn place(fields: &mut Map, names: &[Arc<str>], value: Value) -> bool {
    match names {
        [] => false,
        [name] if fields.contains_key(&**name) => false,
        [name] => fields.insert(name.to_string(), value).is_none(),
        [name, inner @ ..] => match fields.entry(name.to_string()).or_insert_with(|| Value::Map(Map::new())) {
            Value::Map(map) => place(map, inner, value),
            _ => false,
        },
    }
}

/// A document as JSON: its id first, then its fields. A field that a program unlike this one named as the id is left out:
/// whatever works on ids must not take it for one.
pub(crate) fn json(id: DocumentId, fields: &Map) -> Json {
    let id = (ID.to_owned(), Json::String(id.to_string()));
    let fields = fields.iter().filter(|(name, _)| *name != ID);
    Json::Object(std::iter::once(id).chain(fields.map(|(name, value)| (name.clone(), value.to_json()))).collect())
}

/// Which document it is: its collection and its id, which stands whole, to be copied.
pub(crate) fn heading(document: &Document) -> Result<(), Failure> {
    let (collection, id) = (words::clean(document.collection()), document.id());
    Ok(out::text(style(format!("{collection}  {id}")).dim())?)
}

/// What a person would call the document; empty where nothing says.
pub(crate) fn title(document: &Document) -> String {
    let fields = document.fields();
    let named = ["name", "title", "label"].iter().find_map(|name| fields.get(*name));
    named.and_then(Value::as_text).map(words::clean).unwrap_or_default().replace('\n', " ")
}

/// Shows a document: a line for each field, those of maps with their path.
pub(crate) fn show(document: &Document) -> Result<(), Failure> {
    heading(document)?;
    let fields = document.fields();
    let conflicts = document.conflicts();
    let mut entries = Entries::new(2);
    for (name, value) in leaves(&fields) {
        let conflict = conflicts.iter().find(|conflict| conflict.path.to_string() == name);
        let (look, mark) = match conflict {
            None => (Style::new().cyan(), String::new()),
            Some(conflict) => {
                let others = words::counted(conflict.alternatives.len().saturating_sub(1) as u64, "other value");
                (Style::new().yellow(), format!("⚠ {others} in conflict"))
            }
        };
        entries.row(name, look, words::value(value), mark);
    }
    let mut out = out::data();
    entries.write(&mut out)?;
    Ok(std::io::Write::flush(&mut out)?)
}

/// The fields of a document and those inside maps, by their paths.
pub(crate) fn leaves(fields: &Map) -> BTreeMap<String, &Value> {
    fn walk<'v>(path: &str, map: &'v Map, found: &mut BTreeMap<String, &'v Value>) {
        for (name, value) in map {
            let name = words::clean(name).replace('\\', "\\\\").replace('.', "\\.");
            let path = if path.is_empty() { name } else { format!("{path}.{name}") };
            match value {
                Value::Map(inner) if !inner.is_empty() => walk(&path, inner, found),
                value => drop(found.insert(path, value)),
            }
        }
    }
    let mut found = BTreeMap::new();
    walk("", fields, &mut found);
    found
}
