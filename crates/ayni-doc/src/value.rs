//! Values: what a field of a document can hold.

use std::collections::BTreeMap;
use std::fmt;

use ayni_log::ids::{DocumentId, Hash};

use crate::float;
use crate::geometry::Geometry;

/// Fields and their values, sorted by name (as UTF-8 bytes).
pub type Map = BTreeMap<String, Value>;

/// What a field can hold.
///
/// Integers and floats are distinct: `Int(1) != Float(1.0)`, though [`Value::compare`] sorts them as equals. All NaN are
/// one value, and −0 is 0.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// Nothing, said on purpose: not the same as a field that is absent.
    #[default]
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction, or one beyond 64 bits.
    Float(f64),
    /// Unicode text.
    Text(String),
    /// Bytes without meaning to Ayni.
    Bytes(Vec<u8>),
    /// Values in order. Merged as one value, unless the field's kind says otherwise.
    List(Vec<Value>),
    /// Names and values. Merged leaf by leaf where it stands in a document directly, as one value inside a list.
    Map(Map),
    /// A shape on the earth, as in GeoJSON.
    Geometry(Box<Geometry>),
    /// A file that belongs to the document.
    Attachment(Box<Attachment>),
    /// Another document.
    Reference(DocumentId),
}

/// A file that belongs to a document: what is needed to find, open and show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// BLAKE3 of its sealed bytes, by which devices and carriers name it.
    pub hash: Hash,
    /// How many sealed bytes there are.
    pub sealed_length: u64,
    /// How many bytes there are in clear.
    pub length: u64,
    /// The random key that it is sealed under.
    pub key: AttachmentKey,
    /// Its file name, without folders; may be empty.
    pub name: String,
    /// Its media type, such as `image/jpeg`; may be empty.
    pub media_type: String,
}

/// The key of one attachment. Its debug form does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct AttachmentKey(pub [u8; 32]);

impl fmt::Debug for AttachmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttachmentKey(…)")
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => float::canonical(*a).to_bits() == float::canonical(*b).to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            (Self::Geometry(a), Self::Geometry(b)) => a == b,
            (Self::Attachment(a), Self::Attachment(b)) => a == b,
            (Self::Reference(a), Self::Reference(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Value {
    /// The member of a map; `None` for other values.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.as_map()?.get(name)
    }

    /// The value at a path of names through nested maps.
    pub fn at<S: AsRef<str>>(&self, path: &[S]) -> Option<&Value> {
        path.iter().try_fold(self, |value, name| value.get(name.as_ref()))
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            _ => None,
        }
    }

    /// The number, integer or float, as the nearest float.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Int(int) => Some(*int as f64),
            Self::Float(float) => Some(*float),
            _ => None,
        }
    }

    /// Yes or no, if it is that.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(bool) => Some(*bool),
            _ => None,
        }
    }

    /// The items, if it is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The members, if it is a map.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The geometry, if it is one.
    pub fn as_geometry(&self) -> Option<&Geometry> {
        match self {
            Self::Geometry(geometry) => Some(geometry),
            _ => None,
        }
    }

    /// How many lists, maps and geometry collections stand inside each other here: 0 for a single value.
    pub fn depth(&self) -> usize {
        match self {
            Self::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Map(map) => 1 + map.values().map(Self::depth).max().unwrap_or(0),
            Self::Geometry(geometry) => geometry.depth(),
            _ => 0,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(float::canonical(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Self {
        Self::List(value)
    }
}

impl From<Map> for Value {
    fn from(value: Map) -> Self {
        Self::Map(value)
    }
}

impl From<Geometry> for Value {
    fn from(value: Geometry) -> Self {
        Self::Geometry(Box::new(value))
    }
}

impl From<DocumentId> for Value {
    fn from(value: DocumentId) -> Self {
        Self::Reference(value)
    }
}
