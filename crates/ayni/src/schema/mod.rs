//! Schemas: what the documents of a collection should look like, how their fields merge, and which indexes they have.
//!
//! A schema is decided by a coordinator and travels as an entry, so that all devices know it. It is asked when something is
//! written on a device, never of what arrives: what a device with an older schema wrote, or with none, is taken as it is, and
//! fields that the schema does not know are kept and passed on.
//!
//! It is written as JSON in the words of [JSON Schema](https://json-schema.org), with Ayni's types and three words of its own:
//! `merge` for a field, `indexes`, `conflictHandler` and `version` for the whole.
//!
//! ```
//! use ayni::doc::{Map, Value};
//! use ayni::schema::Schema;
//!
//! let schema: Schema = r#"{
//!     "properties": {
//!         "name": {"type": "string", "maxLength": 100},
//!         "kind": {"enum": ["well", "spring"], "default": "well"},
//!         "visits": {"type": "integer", "merge": "counter"},
//!         "place": {"type": "geometry"}
//!     },
//!     "required": ["name"],
//!     "indexes": ["name", {"geometry": "place"}]
//! }"#.parse()?;
//! let wrong = Map::from([("kind".into(), "lake".into()), ("place".into(), "Cusco".into())]);
//! let told: Vec<String> = schema.check(&wrong).iter().map(ToString::to_string).collect();
//! assert_eq!(told, [
//!     "`name` is required",
//!     r#"`kind` must be "well" or "spring", not "lake""#,
//!     "`place` must be a geometry, not text",
//! ]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod deciding;
mod json;
mod writing;

use std::collections::BTreeMap;

use ayni_doc::{Kind, Map, Path, Value};

use crate::handler::HandlerId;
use crate::index::Index;
use crate::query::Pattern;

pub use check::{Rule, Violation};
pub use deciding::Proposal;
pub use json::SchemaError;

/// What the documents of a collection should look like. Made from JSON: [`Schema::from_json`], or parsed from text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schema {
    version: u64,
    title: Option<String>,
    description: Option<String>,
    fields: Fields,
    indexes: Vec<Index>,
    handler: Option<HandlerId>,
}

/// The rules of one value.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Field {
    title: Option<String>,
    description: Option<String>,
    /// None: of any type.
    types: Vec<FieldType>,
    one_of: Option<Vec<Value>>,
    minimum: Option<Value>,
    maximum: Option<Value>,
    /// Characters of a text.
    length: Bounds,
    /// Items of a list.
    count: Bounds,
    pattern: Option<Pattern>,
    default: Option<Value>,
    merge: Kind,
    items: Option<Box<Field>>,
    fields: Fields,
}

/// How many there may be, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bounds {
    least: Option<u64>,
    most: Option<u64>,
}

/// The rules of what is inside a map.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Fields {
    known: BTreeMap<String, Field>,
    required: Vec<String>,
    /// No other fields.
    closed: bool,
}

/// What type a value may be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each says it")]
#[non_exhaustive]
pub enum FieldType {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
    Geometry,
    Bytes,
    Reference,
    Attachment,
}

impl Schema {
    /// Its number: where two coordinators decided at once, the schema with the greater one holds.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What people call it.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// The indexes that every device has.
    pub fn indexes(&self) -> &[Index] {
        &self.indexes
    }

    /// The conflict handler that settles what devices wrote to one field without having seen each other's, on those that have
    /// it; see [`ConflictHandler`](crate::ConflictHandler).
    pub fn conflict_handler(&self) -> Option<&HandlerId> {
        self.handler.as_ref()
    }

    /// The names of the fields at the top, ascending.
    pub fn field_names(&self) -> impl Iterator<Item = &str> {
        self.fields.known.keys().map(String::as_str)
    }

    /// The types that a field may be of; empty: any, or it is not known.
    pub fn types(&self, path: &Path) -> &[FieldType] {
        self.fields.field(path.names()).map_or(&[], |field| &field.types)
    }

    /// How what devices wrote to a field without having seen each other's becomes one value.
    pub fn merge_kind<S: AsRef<str>>(&self, names: &[S]) -> Kind {
        self.fields.field(names).map_or(Kind::Latest, |field| field.merge)
    }

    /// Whether any field merges otherwise than [`Kind::Latest`].
    pub(crate) fn has_merge_kinds(&self) -> bool {
        self.fields.any(&|field| field.merge != Kind::Latest)
    }

    /// The fields that merge otherwise than [`Kind::Latest`]: the names that lead to each.
    pub(crate) fn merging_fields(&self) -> Vec<Vec<&str>> {
        let mut found = Vec::new();
        self.fields.merging(&mut Vec::new(), &mut found);
        found
    }

    /// Puts in the defaults of fields that are not there.
    pub fn fill_defaults(&self, fields: &mut Map) {
        self.fields.fill(fields);
    }
}

impl Fields {
    fn field<S: AsRef<str>>(&self, names: &[S]) -> Option<&Field> {
        let (first, inner) = names.split_first()?;
        let field = self.known.get(first.as_ref())?;
        if inner.is_empty() { Some(field) } else { field.fields.field(inner) }
    }

    fn any(&self, holds: &dyn Fn(&Field) -> bool) -> bool {
        self.known.values().any(|field| holds(field) || field.fields.any(holds))
    }

    fn merging<'a>(&'a self, above: &mut Vec<&'a str>, found: &mut Vec<Vec<&'a str>>) {
        for (name, field) in &self.known {
            above.push(name);
            if field.merge != Kind::Latest {
                found.push(above.clone());
            }
            field.fields.merging(above, found);
            above.pop();
        }
    }

    fn fill(&self, fields: &mut Map) {
        for (name, field) in &self.known {
            match (fields.get_mut(name), &field.default) {
                (Some(Value::Map(inner)), _) => field.fields.fill(inner),
                (None, Some(default)) => {
                    fields.insert(name.clone(), default.clone());
                }
                _ => {}
            }
        }
    }
}

impl FieldType {
    const NAMES: [(&'static str, Self); 11] = [
        ("null", Self::Null),
        ("boolean", Self::Boolean),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("string", Self::String),
        ("array", Self::Array),
        ("object", Self::Object),
        ("geometry", Self::Geometry),
        ("bytes", Self::Bytes),
        ("reference", Self::Reference),
        ("attachment", Self::Attachment),
    ];

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Whether a value is of this type. An integer is a number too.
    pub fn is_of(self, value: &Value) -> bool {
        match self {
            Self::Null => matches!(value, Value::Null),
            Self::Boolean => matches!(value, Value::Bool(_)),
            Self::Integer => matches!(value, Value::Int(_)),
            Self::Number => matches!(value, Value::Int(_) | Value::Float(_)),
            Self::String => matches!(value, Value::Text(_)),
            Self::Array => matches!(value, Value::List(_)),
            Self::Object => matches!(value, Value::Map(_)),
            Self::Geometry => matches!(value, Value::Geometry(_)),
            Self::Bytes => matches!(value, Value::Bytes(_)),
            Self::Reference => matches!(value, Value::Reference(_)),
            Self::Attachment => matches!(value, Value::Attachment(_)),
        }
    }
}

#[cfg(test)]
mod tests;
