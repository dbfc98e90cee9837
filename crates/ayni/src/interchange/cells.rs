//! What one CSV cell says, by the type of its column; reading and writing are inverse.

use ayni_doc::{Geometry, Position, Value};
use data_encoding::BASE64;

/// What the cells of a column hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Type {
    /// Text as it is.
    Text,
    /// Whole numbers.
    Int,
    /// Floats; `1` is 1.0.
    Float,
    /// Whole numbers where only digits stand, else floats.
    Number,
    /// `true` or `false`.
    Bool,
    /// Base64 (RFC 4648).
    Bytes,
    /// The id of a document.
    Reference,
    /// A GeoJSON geometry.
    Geometry,
    /// The latitude of a point; its longitude is in another column of the same name.
    Lat,
    /// The longitude of a point.
    Lon,
    /// A value as JSON Lines has it.
    Json,
}

const NAMES: [(&str, Type); 11] = [
    ("text", Type::Text),
    ("int", Type::Int),
    ("float", Type::Float),
    ("number", Type::Number),
    ("bool", Type::Bool),
    ("bytes", Type::Bytes),
    ("reference", Type::Reference),
    ("geometry", Type::Geometry),
    ("lat", Type::Lat),
    ("lon", Type::Lon),
    ("json", Type::Json),
];

impl Type {
    /// The type that a header names.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, found)| *found)
    }

    /// Its name in a header.
    pub(super) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, known)| *known == self).map_or("text", |(name, _)| name)
    }

    /// What a person calls what it holds.
    pub(super) fn described(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "a whole number of 64 bits",
            Self::Float | Self::Number => "a number",
            Self::Bool => "`true` or `false`",
            Self::Bytes => "base64",
            Self::Reference => "the id of a document",
            Self::Geometry => "a GeoJSON geometry",
            Self::Lat => "a latitude in degrees",
            Self::Lon => "a longitude in degrees",
            Self::Json => "JSON that a field can hold",
        }
    }

    /// The value of a cell; `None` if it is not of this type. [`Type::Lat`] and [`Type::Lon`] give a float.
    pub(super) fn read(self, cell: &str) -> Option<Value> {
        if self == Self::Text {
            return Some(Value::Text(cell.to_owned()));
        }
        let cell = cell.trim();
        match self {
            Self::Text => None,
            Self::Int => cell.parse().ok().map(Value::Int),
            Self::Float | Self::Lat | Self::Lon => float(cell).map(Value::from),
            Self::Number => cell.parse().ok().map(Value::Int).or_else(|| float(cell).map(Value::from)),
            Self::Bool => bool(cell).map(Value::Bool),
            Self::Bytes => BASE64.decode(cell.as_bytes()).ok().map(Value::Bytes),
            Self::Reference => cell.parse().ok().map(Value::Reference),
            Self::Geometry => json(cell).filter(|value| matches!(value, Value::Geometry(_))),
            Self::Json => json(cell),
        }
    }

    /// The cell of a value that [`Type::of`] fits into this type.
    pub(super) fn write(self, value: &Value) -> String {
        match (self, value) {
            (Self::Text, Value::Text(text)) => text.clone(),
            (Self::Int | Self::Number, Value::Int(number)) => number.to_string(),
            (Self::Float | Self::Number, Value::Float(number)) => float_text(*number),
            (Self::Lat, Value::Geometry(shape)) => point(shape).map_or_else(String::new, |point| float_text(point.y)),
            (Self::Lon, Value::Geometry(shape)) => point(shape).map_or_else(String::new, |point| float_text(point.x)),
            (Self::Bool, Value::Bool(yes)) => yes.to_string(),
            (Self::Bytes, Value::Bytes(bytes)) => BASE64.encode(bytes),
            (Self::Reference, Value::Reference(id)) => id.to_string(),
            _ => value.to_json().to_string(),
        }
    }

    /// The type that fits one value; [`Type::Lat`] stands for a point, and for both of its columns.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Text(_) => Self::Text,
            Value::Int(_) => Self::Int,
            Value::Float(_) => Self::Float,
            Value::Bool(_) => Self::Bool,
            Value::Bytes(_) => Self::Bytes,
            Value::Reference(_) => Self::Reference,
            Value::Geometry(shape) if point(shape).is_some() => Self::Lat,
            Value::Geometry(_) => Self::Geometry,
            Value::Null | Value::List(_) | Value::Map(_) | Value::Attachment(_) => Self::Json,
        }
    }

    /// The narrowest type that fits what fits either.
    pub(super) fn join(self, other: Self) -> Self {
        use Type::{Float, Geometry, Int, Json, Lat, Number};
        match (self, other) {
            (one, same) if one == same => one,
            (Int | Float | Number, Int | Float | Number) => Number,
            (Lat | Geometry, Lat | Geometry) => Geometry,
            _ => Json,
        }
    }
}

/// Whether a longitude and a latitude are ones, in degrees.
pub(super) fn is_on_earth(lon: f64, lat: f64) -> bool {
    (-180.0..=180.0).contains(&lon) && (-90.0..=90.0).contains(&lat)
}

/// The one place of a point without height.
fn point(shape: &Geometry) -> Option<Position> {
    match shape {
        Geometry::Point(place) if place.z.is_none() && is_on_earth(place.x, place.y) => Some(*place),
        _ => None,
    }
}

fn json(cell: &str) -> Option<Value> {
    Value::from_json(&serde_json::from_str(cell).ok()?).ok()
}

fn bool(cell: &str) -> Option<bool> {
    [("true", true), ("false", false)].iter().find(|(word, _)| cell.eq_ignore_ascii_case(word)).map(|(_, value)| *value)
}

/// A decimal number, or one of the three floats that have no digits.
fn float(cell: &str) -> Option<f64> {
    match cell {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ if cell.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) => {
            cell.parse().ok().filter(|number: &f64| number.is_finite())
        }
        _ => None,
    }
}

/// The shortest digits that read back as the same float, with a point or exponent so that it is told from a whole number.
fn float_text(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        format!("{number:?}")
    }
}

/// The type that an untyped cell seems to have: see `docs/interchange.md`.
pub(super) fn guess(cell: &str) -> Type {
    let cell = cell.trim();
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let whole = digits.split(['.', 'e', 'E']).next().unwrap_or_default();
    let is_decimal = digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.ends_with(|last: char| last.is_ascii_digit())
        && (whole == "0" || !whole.starts_with('0'));
    if is_decimal && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return if cell.parse::<i64>().is_ok() { Type::Int } else { Type::Text };
    }
    if is_decimal && float(cell).is_some() {
        return Type::Float;
    }
    if bool(cell).is_some() { Type::Bool } else { Type::Text }
}

/// The type of a column of which one cell seems to be `one` and another `other`.
pub(super) fn join_guess(one: Type, other: Type) -> Type {
    match (one, other) {
        (one, same) if one == same => one,
        (Type::Int | Type::Float, Type::Int | Type::Float) => Type::Float,
        _ => Type::Text,
    }
}
