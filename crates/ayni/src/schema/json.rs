//! Schemas as JSON, in the words of JSON Schema: <https://json-schema.org/draft/2020-12/json-schema-validation>.

use std::collections::BTreeMap;
use std::str::FromStr;

use ayni_doc::{JsonError, Kind, Value};
use ayni_log::limits;
use serde_json::{Map as Object, Value as Json, json};
use thiserror::Error;

use super::{Bounds, Field, FieldType, Fields, Schema};
use crate::handler::HandlerId;
use crate::index::{Index, IndexError};
use crate::interchange::ID;
use crate::query::{Pattern, PatternError};

/// How deep fields can stand inside of each other.
const DEPTH: usize = ayni_doc::DEPTH;
/// Fields that a schema can have, those inside of maps and the items of lists too.
const MOST_FIELDS: usize = 1_000;
/// Patterns that it can have: each takes memory that its length does not tell.
const MOST_PATTERNS: usize = 50;
/// Indexes that it can have: every write pays for each.
const MOST_INDEXES: usize = 64;

/// JSON that is no schema. `at` says where, as names between dots; the top is empty.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// Text that is no JSON.
    #[error("the schema is no JSON: {0}")]
    Syntax(String),
    /// A word that means nothing here.
    #[error("{}{word:?} is no word of a schema{}", place(at), hint(word))]
    Word {
        /// Where.
        at: String,
        /// The word.
        word: String,
    },
    /// A word with something else behind it than it takes.
    #[error("{}{word:?} takes {takes}", place(at))]
    Takes {
        /// Where.
        at: String,
        /// The word.
        word: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// A value in it that is none.
    #[error("{}{error}", place(at))]
    Value {
        /// Where.
        at: String,
        /// Why.
        error: JsonError,
    },
    /// A pattern that is none.
    #[error("{}{error}", place(at))]
    Pattern {
        /// Where.
        at: String,
        /// Why.
        error: PatternError,
    },
    /// An index that cannot be made.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Rules that do not go together.
    #[error("{}{what}", place(at))]
    Contradiction {
        /// Where.
        at: String,
        /// What does not.
        what: &'static str,
    },
    /// More of something than a schema can have.
    #[error("a schema has at most {most} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// So many can be.
        most: usize,
    },
    /// Fields stand too deep inside of each other.
    #[error("fields go {DEPTH} deep at most")]
    Deep,
}

fn place(at: &str) -> String {
    if at.is_empty() { String::new() } else { format!("in `{at}`: ") }
}

/// What people who know other schemas look for.
fn hint(word: &str) -> &'static str {
    match word {
        "primaryKey" => ": `put` gives the key of a document",
        "fields" => ": the fields stand in \"properties\"",
        "format" => ": \"pattern\" says what a text must look like",
        "exclusiveMinimum" | "exclusiveMaximum" => ": there are \"minimum\" and \"maximum\"",
        "oneOf" | "anyOf" | "allOf" | "not" | "if" | "$ref" | "const" => ": there are \"type\" and \"enum\"",
        "encrypted" | "keyCompression" => ": everything is sealed and compact as it is",
        "ref" => ": a field of type \"reference\" holds the id of a document",
        _ => "",
    }
}

/// Whether words that this program does not know are refused, as in what people write, or passed over, as in what a newer
/// program wrote.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unknown {
    Refused,
    PassedOver,
}

impl FromStr for Schema {
    type Err = SchemaError;

    fn from_str(text: &str) -> Result<Self, SchemaError> {
        let json = serde_json::from_str(text).map_err(|error| SchemaError::Syntax(error.to_string()))?;
        Self::from_json(&json)
    }
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// [`SchemaError`] names what is wrong, and where.
    pub fn from_json(json: &Json) -> Result<Self, SchemaError> {
        Reader::new(Unknown::Refused).schema(json)
    }

    /// Reads a schema that a newer program may have written: words that are not known here mean nothing here.
    pub(crate) fn from_newer(json: &Json) -> Result<Self, SchemaError> {
        Reader::new(Unknown::PassedOver).schema(json)
    }

    /// The schema as JSON, which reads back as the same.
    pub fn to_json(&self) -> Json {
        let mut object = Object::new();
        if self.version > 0 {
            object.insert("version".into(), json!(self.version));
        }
        describe(&mut object, self.title.as_ref(), self.description.as_ref());
        write_fields(&mut object, &self.fields);
        if !self.indexes.is_empty() {
            object.insert("indexes".into(), self.indexes.iter().map(Index::to_json).collect());
        }
        if let Some(HandlerId { name, version }) = &self.handler {
            object.insert("conflictHandler".into(), json!({"name": name, "version": version}));
        }
        Json::Object(object)
    }
}

struct Reader {
    unknown: Unknown,
    at: Vec<String>,
    fields: usize,
    patterns: usize,
}

impl Reader {
    fn new(unknown: Unknown) -> Self {
        Self { unknown, at: Vec::new(), fields: 0, patterns: 0 }
    }

    fn at(&self) -> String {
        self.at.join(".")
    }

    fn takes(&self, word: &'static str, takes: &'static str) -> SchemaError {
        SchemaError::Takes { at: self.at(), word, takes }
    }

    fn contradiction(&self, what: &'static str) -> SchemaError {
        SchemaError::Contradiction { at: self.at(), what }
    }

    fn schema(&mut self, json: &Json) -> Result<Schema, SchemaError> {
        let Json::Object(object) = json else {
            return Err(self.contradiction("a schema is an object: {\"properties\": {…}}"));
        };
        let mut schema = Schema::default();
        for (word, json) in object {
            match word.as_str() {
                "$schema" | "$id" | "$comment" => {}
                "version" => schema.version = json.as_u64().ok_or_else(|| self.takes("version", "a whole number"))?,
                "title" => schema.title = Some(self.text("title", json)?),
                "description" => schema.description = Some(self.text("description", json)?),
                "type" if json == "object" => {}
                "type" => return Err(self.takes("type", "\"object\" here: a document is one")),
                "properties" | "required" | "additionalProperties" => self.inside(&mut schema.fields, word, json)?,
                "indexes" => {
                    let indexes = json.as_array().ok_or_else(|| self.takes("indexes", "a list of indexes"))?;
                    at_most(indexes.len(), MOST_INDEXES, "indexes")?;
                    schema.indexes = indexes.iter().map(Index::from_json).collect::<Result<_, _>>()?;
                    schema.indexes.sort();
                    schema.indexes.dedup();
                }
                "conflictHandler" => schema.handler = Some(self.handler(json)?),
                word => self.unknown(word)?,
            }
        }
        if schema.fields.known.contains_key(ID) || schema.fields.required.iter().any(|name| name == ID) {
            return Err(self.contradiction("`_id` stands for a document's id and is no field"));
        }
        Ok(schema)
    }

    fn unknown(&self, word: &str) -> Result<(), SchemaError> {
        match self.unknown {
            Unknown::Refused => Err(SchemaError::Word { at: self.at(), word: word.to_owned() }),
            Unknown::PassedOver => Ok(()),
        }
    }

    fn text(&self, word: &'static str, json: &Json) -> Result<String, SchemaError> {
        json.as_str().map(str::to_owned).ok_or_else(|| self.takes(word, "text"))
    }

    fn handler(&self, json: &Json) -> Result<HandlerId, SchemaError> {
        const TAKES: &str = "the name and version of a handler: {\"name\": \"notes\", \"version\": 1}";
        let takes = || self.takes("conflictHandler", TAKES);
        let object = json.as_object().ok_or_else(takes)?;
        let unknown = object.keys().find(|word| !matches!(word.as_str(), "name" | "version"));
        if let (Unknown::Refused, Some(word)) = (self.unknown, unknown) {
            return Err(SchemaError::Word { at: "conflictHandler".to_owned(), word: word.clone() });
        }
        let name = object.get("name").and_then(Json::as_str).filter(|name| !name.trim().is_empty());
        let name = name.filter(|name| name.len() <= limits::NAME_BYTES).ok_or_else(takes)?;
        let version = object.get("version").and_then(Json::as_u64).ok_or_else(takes)?;
        Ok(HandlerId { name: name.to_owned(), version })
    }

    fn value(&self, json: &Json) -> Result<Value, SchemaError> {
        Value::from_json(json).map_err(|error| SchemaError::Value { at: self.at(), error })
    }

    fn inside(&mut self, fields: &mut Fields, word: &str, json: &Json) -> Result<(), SchemaError> {
        match word {
            "properties" => {
                let known = json.as_object().ok_or_else(|| self.takes("properties", "an object of fields"))?;
                fields.known = self.known(known)?;
            }
            "required" => {
                let names = json.as_array().into_iter().flatten().map(|name| name.as_str().map(str::to_owned));
                let names: Option<Vec<String>> = names.collect();
                fields.required = names
                    .filter(|_| json.is_array())
                    .ok_or_else(|| self.takes("required", "a list of the names of fields"))?;
            }
            _ => {
                let open = json.as_bool().ok_or_else(|| self.takes("additionalProperties", "true or false"))?;
                fields.closed = !open;
            }
        }
        Ok(())
    }

    fn known(&mut self, known: &Object<String, Json>) -> Result<BTreeMap<String, Field>, SchemaError> {
        let mut fields = BTreeMap::new();
        for (name, json) in known {
            self.at.push(name.clone());
            if self.at.len() > DEPTH {
                return Err(SchemaError::Deep);
            }
            fields.insert(name.clone(), self.field(json)?);
            self.at.pop();
        }
        Ok(fields)
    }

    fn field(&mut self, json: &Json) -> Result<Field, SchemaError> {
        let Json::Object(object) = json else {
            return Err(self.contradiction("the rules of a field are an object: {\"type\": \"string\"}"));
        };
        self.fields += 1;
        at_most(self.fields, MOST_FIELDS, "fields")?;
        let mut field = Field::default();
        for (word, json) in object {
            self.word(&mut field, word, json)?;
        }
        self.agrees(&mut field)?;
        Ok(field)
    }

    fn word(&mut self, field: &mut Field, word: &str, json: &Json) -> Result<(), SchemaError> {
        match word {
            "$comment" => {}
            "title" => field.title = Some(self.text("title", json)?),
            "description" => field.description = Some(self.text("description", json)?),
            "type" => field.types = self.types(json)?,
            "enum" => {
                let values = json.as_array().filter(|values| !values.is_empty());
                let values = values.ok_or_else(|| self.takes("enum", "a list of at least one value"))?;
                field.one_of = Some(values.iter().map(|value| self.value(value)).collect::<Result<_, _>>()?);
            }
            "minimum" => field.minimum = Some(self.number("minimum", json)?),
            "maximum" => field.maximum = Some(self.number("maximum", json)?),
            "minLength" => field.length.least = Some(self.length("minLength", json)?),
            "maxLength" => field.length.most = Some(self.length("maxLength", json)?),
            "minItems" => field.count.least = Some(self.length("minItems", json)?),
            "maxItems" => field.count.most = Some(self.length("maxItems", json)?),
            "pattern" => {
                self.patterns += 1;
                at_most(self.patterns, MOST_PATTERNS, "patterns")?;
                let pattern = Pattern::from_str(&self.text("pattern", json)?);
                field.pattern = Some(pattern.map_err(|error| SchemaError::Pattern { at: self.at(), error })?);
            }
            "default" => field.default = Some(self.value(json)?),
            "merge" => field.merge = self.merge(json)?,
            "items" => {
                if self.at.len() >= DEPTH {
                    return Err(SchemaError::Deep);
                }
                self.at.push("items".into());
                field.items = Some(Box::new(self.field(json)?));
                self.at.pop();
            }
            "properties" | "required" | "additionalProperties" => self.inside(&mut field.fields, word, json)?,
            word => self.unknown(word)?,
        }
        Ok(())
    }

    fn types(&self, json: &Json) -> Result<Vec<FieldType>, SchemaError> {
        const TAKES: &str = "one or a list of null, boolean, integer, number, string, array, object, geometry, bytes, \
                             reference, attachment";
        let names = match json {
            Json::Array(names) if !names.is_empty() => names.as_slice(),
            name => std::slice::from_ref(name),
        };
        let kind = |name: &Json| {
            let known = FieldType::NAMES.iter().find(|(known, _)| name == known);
            known.map(|(_, kind)| *kind).ok_or_else(|| self.takes("type", TAKES))
        };
        let mut types = names.iter().map(kind).collect::<Result<Vec<_>, _>>()?;
        types.sort_unstable();
        types.dedup();
        Ok(types)
    }

    fn number(&self, word: &'static str, json: &Json) -> Result<Value, SchemaError> {
        let value = self.value(json)?;
        value.as_number().is_some().then_some(value).ok_or_else(|| self.takes(word, "a number"))
    }

    fn length(&self, word: &'static str, json: &Json) -> Result<u64, SchemaError> {
        json.as_u64().ok_or_else(|| self.takes(word, "a whole number from 0"))
    }

    fn merge(&self, json: &Json) -> Result<Kind, SchemaError> {
        match json.as_str() {
            Some("latest") => Ok(Kind::Latest),
            Some("first") => Ok(Kind::First),
            Some("min") => Ok(Kind::Min),
            Some("max") => Ok(Kind::Max),
            Some("counter") => Ok(Kind::Counter),
            Some("set") => Ok(Kind::Set),
            _ => Err(self.takes("merge", "\"latest\", \"first\", \"min\", \"max\", \"counter\" or \"set\"")),
        }
    }

    /// Refuses rules that nothing can follow, and gives a counter and a set their types.
    fn agrees(&self, field: &mut Field) -> Result<(), SchemaError> {
        let whole = match field.merge {
            Kind::Counter => Some((FieldType::Integer, "a counter is of type \"integer\"")),
            Kind::Set => Some((FieldType::Array, "a set is of type \"array\"")),
            _ => None,
        };
        if let Some((kind, what)) = whole {
            match field.types.as_slice() {
                [] => field.types.push(kind),
                [only] if *only == kind => {}
                _ => return Err(self.contradiction(what)),
            }
        }
        if field.merge != Kind::Latest && !field.fields.known.is_empty() {
            return Err(self.contradiction("the fields inside of a map merge one by one: \"merge\" stands with them"));
        }
        if field.items.as_ref().is_some_and(|items| items.merge != Kind::Latest || items.default.is_some()) {
            return Err(self.contradiction("the items of a list have no \"merge\" and no \"default\""));
        }
        if let (Some(least), Some(most)) = (&field.minimum, &field.maximum)
            && least.compare(most).is_gt()
        {
            return Err(self.contradiction("\"minimum\" is more than \"maximum\""));
        }
        let crossed = |bounds: Bounds| bounds.least.zip(bounds.most).is_some_and(|(least, most)| least > most);
        if crossed(field.length) || crossed(field.count) {
            return Err(self.contradiction("the least length is more than the greatest"));
        }
        if field.default.as_ref().is_some_and(|default| !field.allows(default)) {
            return Err(self.contradiction("\"default\" breaks the rules beside it"));
        }
        Ok(())
    }
}

fn at_most(count: usize, most: usize, what: &'static str) -> Result<(), SchemaError> {
    if count <= most { Ok(()) } else { Err(SchemaError::TooMany { what, most }) }
}

fn describe(object: &mut Object<String, Json>, title: Option<&String>, description: Option<&String>) {
    for (word, text) in [("title", title), ("description", description)] {
        if let Some(text) = text {
            object.insert(word.into(), json!(text));
        }
    }
}

fn write_fields(object: &mut Object<String, Json>, fields: &Fields) {
    if !fields.known.is_empty() {
        let known = fields.known.iter().map(|(name, field)| (name.clone(), write_field(field)));
        object.insert("properties".into(), Json::Object(known.collect()));
    }
    if !fields.required.is_empty() {
        object.insert("required".into(), json!(fields.required));
    }
    if fields.closed {
        object.insert("additionalProperties".into(), json!(false));
    }
}

fn write_field(field: &Field) -> Json {
    let mut object = Object::new();
    describe(&mut object, field.title.as_ref(), field.description.as_ref());
    let names: Vec<&str> = field.types.iter().map(|kind| kind.name()).collect();
    let types = match names.as_slice() {
        [] => None,
        [name] => Some(json!(name)),
        names => Some(json!(names)),
    };
    let merge = (field.merge != Kind::Latest).then(|| json!(merge_name(field.merge)));
    let words = [
        ("type", types),
        ("enum", field.one_of.as_ref().map(|values| values.iter().map(Value::to_json).collect())),
        ("minimum", field.minimum.as_ref().map(Value::to_json)),
        ("maximum", field.maximum.as_ref().map(Value::to_json)),
        ("minLength", field.length.least.map(Json::from)),
        ("maxLength", field.length.most.map(Json::from)),
        ("minItems", field.count.least.map(Json::from)),
        ("maxItems", field.count.most.map(Json::from)),
        ("pattern", field.pattern.as_ref().map(|pattern| json!(pattern.as_str()))),
        ("default", field.default.as_ref().map(Value::to_json)),
        ("merge", merge),
        ("items", field.items.as_ref().map(|items| write_field(items))),
    ];
    let present = words.into_iter().filter_map(|(word, json)| Some((word.to_owned(), json?)));
    object.extend(present);
    write_fields(&mut object, &field.fields);
    Json::Object(object)
}

/// The name of a merge kind in a schema.
fn merge_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Latest => "latest",
        Kind::First => "first",
        Kind::Min => "min",
        Kind::Max => "max",
        Kind::Counter => "counter",
        Kind::Set => "set",
        Kind::List => "list",
        Kind::Text => "text",
    }
}
