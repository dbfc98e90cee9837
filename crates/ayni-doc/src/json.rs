//! Values as JSON and back, without loss.
//!
//! What JSON has no word for stands in an object with one member: `{"$bytes": base64}`, `{"$ref": document id}`,
//! `{"$attachment": {…}}`, `{"$int": "9007199254740993"}` for integers that a browser cannot hold exactly, and
//! `{"$float": "NaN" | "Infinity" | "-Infinity"}`. A GeoJSON geometry is a geometry. A map that would be mistaken for any
//! of these is written `{"$map": {…}}`. An object that only resembles one (a JSON schema's `$ref`, say) is a map.

use ayni_log::limits;
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Map as Object, Number, Value as Json, json};
use thiserror::Error;

use crate::DEPTH;
use crate::geometry::{Geometry, Position};
use crate::value::{Attachment, AttachmentKey, Map, Value};

/// JSON that is no value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Nested deeper than [`DEPTH`].
    #[error("nested more than {DEPTH} deep")]
    Deep,
    /// An integer beyond 64 bits with sign.
    #[error("the integer {0} is too large: integers go up to 9223372036854775807; write it as text")]
    Large(u64),
    /// A member name of more than [`limits::NAME_BYTES`].
    #[error("a field name of {0} bytes: at most {max} are possible", max = limits::NAME_BYTES)]
    Name(usize),
}

/// The largest integer up to which JavaScript holds every one.
const BROWSER_EXACT: u64 = (1 << 53) - 1;

impl Value {
    /// Reads JSON.
    ///
    /// Numbers without fraction or exponent are integers, others floats (those beyond 64 bits too, as the JSON parser
    /// gives them).
    pub fn from_json(json: &Json) -> Result<Self, JsonError> {
        read(json, DEPTH)
    }

    /// Writes JSON, from which [`Value::from_json`] makes an equal value.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(bool) => Json::Bool(*bool),
            Self::Int(int) if int.unsigned_abs() > BROWSER_EXACT => json!({ "$int": int.to_string() }),
            Self::Int(int) => Json::from(*int),
            Self::Float(float) => match Number::from_f64(*float) {
                Some(number) => Json::Number(number),
                None => json!({ "$float": special_name(*float) }),
            },
            Self::Text(text) => Json::String(text.clone()),
            Self::Bytes(bytes) => json!({ "$bytes": BASE64.encode(bytes) }),
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Map(map) => map_to_json(map),
            Self::Geometry(geometry) => geometry.to_json(),
            Self::Attachment(attachment) => attachment_to_json(attachment),
            Self::Reference(id) => json!({ "$ref": id.to_string() }),
        }
    }
}

fn read(json: &Json, depth: usize) -> Result<Value, JsonError> {
    let inner = || depth.checked_sub(1).ok_or(JsonError::Deep);
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::Bool(*bool),
        Json::Number(number) => read_number(number)?,
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => {
            let inner = inner()?;
            Value::List(items.iter().map(|item| read(item, inner)).collect::<Result<_, _>>()?)
        }
        Json::Object(object) => match escaped(object) {
            Some(plain) => Value::Map(read_map(plain, inner()?)?),
            None => match special(object).filter(|value| value.depth() <= depth) {
                Some(value) => value,
                None => Value::Map(read_map(object, inner()?)?),
            },
        },
    })
}

fn read_number(number: &Number) -> Result<Value, JsonError> {
    if let Some(int) = number.as_i64() {
        return Ok(Value::Int(int));
    }
    match number.as_u64() {
        Some(large) => Err(JsonError::Large(large)),
        None => Ok(Value::from(number.as_f64().unwrap_or(f64::NAN))),
    }
}

fn read_map(object: &Object<String, Json>, inner: usize) -> Result<Map, JsonError> {
    let member = |(name, json): (&String, &Json)| {
        if name.len() > limits::NAME_BYTES {
            return Err(JsonError::Name(name.len()));
        }
        Ok((name.clone(), read(json, inner)?))
    };
    object.iter().map(member).collect()
}

fn map_to_json(map: &Map) -> Json {
    let object: Object<String, Json> = map.iter().map(|(name, value)| (name.clone(), value.to_json())).collect();
    if escaped(&object).is_some() || special(&object).is_some() {
        return json!({ "$map": object });
    }
    Json::Object(object)
}

/// What stands in `{"$map": {…}}`.
fn escaped(object: &Object<String, Json>) -> Option<&Object<String, Json>> {
    match only_member(object)? {
        ("$map", Json::Object(plain)) => Some(plain),
        _ => None,
    }
}

fn only_member(object: &Object<String, Json>) -> Option<(&str, &Json)> {
    let mut members = object.iter();
    let (name, json) = members.next()?;
    members.next().is_none().then_some((name.as_str(), json))
}

/// The value that an object stands for, if it is one of those with a meaning.
fn special(object: &Object<String, Json>) -> Option<Value> {
    match only_member(object) {
        None => geometry_from_json(object).map(Value::from),
        Some(("$bytes", Json::String(text))) => BASE64.decode(text.as_bytes()).ok().map(Value::Bytes),
        Some(("$ref", Json::String(text))) => text.parse().ok().map(Value::Reference),
        Some(("$int", Json::String(text))) => text.parse().ok().map(Value::Int),
        Some(("$float", Json::String(text))) => special_float(text).map(Value::Float),
        Some(("$attachment", Json::Object(object))) => attachment_from_json(object),
        Some(_) => None,
    }
}

fn special_name(float: f64) -> &'static str {
    match float {
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => "NaN",
    }
}

fn special_float(name: &str) -> Option<f64> {
    match name {
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ => None,
    }
}

fn attachment_to_json(attachment: &Attachment) -> Json {
    let Attachment { hash, sealed_length, length, key, name, media_type } = attachment;
    json!({ "$attachment": {
        "name": name, "media_type": media_type, "length": length, "hash": hash.to_string(),
        "sealed_length": sealed_length, "key": HEXLOWER.encode(&key.0),
    }})
}

fn attachment_from_json(object: &Object<String, Json>) -> Option<Value> {
    let text = |name| object.get(name)?.as_str();
    let length = |name| object.get(name)?.as_u64();
    let key = HEXLOWER.decode(text("key")?.as_bytes()).ok()?;
    let attachment = Attachment {
        hash: text("hash")?.parse().ok()?,
        sealed_length: length("sealed_length")?,
        length: length("length")?,
        key: AttachmentKey(key.try_into().ok()?),
        name: text("name")?.to_owned(),
        media_type: text("media_type")?.to_owned(),
    };
    (object.len() == 6).then(|| Value::Attachment(Box::new(attachment)))
}

impl Geometry {
    /// Writes a GeoJSON geometry object.
    pub fn to_json(&self) -> Json {
        let line = |line: &Vec<Position>| Json::Array(line.iter().map(position_to_json).collect());
        let lines = |lines: &Vec<Vec<Position>>| Json::Array(lines.iter().map(line).collect());
        let (name, coordinates) = match self {
            Self::Point(position) => ("Point", position_to_json(position)),
            Self::MultiPoint(positions) => ("MultiPoint", line(positions)),
            Self::LineString(positions) => ("LineString", line(positions)),
            Self::MultiLineString(rings) => ("MultiLineString", lines(rings)),
            Self::Polygon(rings) => ("Polygon", lines(rings)),
            Self::MultiPolygon(areas) => ("MultiPolygon", Json::Array(areas.iter().map(lines).collect())),
            Self::Collection(members) => {
                let members: Vec<Json> = members.iter().map(Self::to_json).collect();
                return json!({ "type": "GeometryCollection", "geometries": members });
            }
        };
        json!({ "type": name, "coordinates": coordinates })
    }

    /// Reads a GeoJSON geometry object: exactly `type` and `coordinates` (or `geometries`), positions of two or three
    /// ordinates, heights in all or none. `None` for anything else.
    pub fn from_json(json: &Json) -> Option<Self> {
        geometry_from_json(json.as_object()?)
    }
}

fn geometry_from_json(object: &Object<String, Json>) -> Option<Geometry> {
    if object.len() != 2 {
        return None;
    }
    let kind = object.get("type")?.as_str()?;
    let geometry = if kind == "GeometryCollection" {
        let members = object.get("geometries")?;
        Geometry::Collection(each(members, Geometry::from_json)?)
    } else {
        let coordinates = object.get("coordinates")?;
        let line = |json: &Json| each(json, position_from_json);
        let lines = |json: &Json| each(json, line);
        match kind {
            "Point" => Geometry::Point(position_from_json(coordinates)?),
            "MultiPoint" => Geometry::MultiPoint(line(coordinates)?),
            "LineString" => Geometry::LineString(line(coordinates)?),
            "MultiLineString" => Geometry::MultiLineString(lines(coordinates)?),
            "Polygon" => Geometry::Polygon(lines(coordinates)?),
            "MultiPolygon" => Geometry::MultiPolygon(each(coordinates, lines)?),
            _ => return None,
        }
    };
    geometry.is_sound().then_some(geometry)
}

fn each<T>(json: &Json, item: impl Fn(&Json) -> Option<T>) -> Option<Vec<T>> {
    json.as_array()?.iter().map(item).collect()
}

fn position_to_json(position: &Position) -> Json {
    Json::Array([position.x, position.y].into_iter().chain(position.z).map(Json::from).collect())
}

fn position_from_json(json: &Json) -> Option<Position> {
    match json.as_array()?.as_slice() {
        [x, y] => Some(Position { x: ordinate(x)?, y: ordinate(y)?, z: None }),
        [x, y, z] => Some(Position { x: ordinate(x)?, y: ordinate(y)?, z: Some(ordinate(z)?) }),
        _ => None,
    }
}

/// A number that a float holds without loss.
fn ordinate(json: &Json) -> Option<f64> {
    let float = json.as_f64()?;
    let whole = json.as_i64().map(i64::unsigned_abs).or(json.as_u64());
    whole.is_none_or(|whole| whole <= BROWSER_EXACT).then_some(crate::float::canonical(float))
}
