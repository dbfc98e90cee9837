//! GeoJSON (RFC 7946): a feature collection of any size, feature by feature; single features and geometries; and a
//! feature a line.

use std::io::BufRead;

use ayni_doc::{Map, Value};
use serde_json::Value as Json;

use super::FEATURE_ID;
use super::frame::{Extent, Scanner};
use super::json_lines::{Element, Text, next_element, next_line};
use super::limits::RECORD_BYTES;
use super::lines::Lines;
use super::object::{self, Members};
use super::record::{BadRecord, Fault, Found, RecordId};

/// The types of geometries.
const GEOMETRIES: [&str; 7] =
    ["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection"];

/// Reads features.
#[derive(Debug)]
pub(super) struct Reader<R> {
    source: Source<R>,
    geometry: String,
}

#[derive(Debug)]
enum Source<R> {
    Lines(Lines<R>),
    Document(Document<R>),
}

/// Whether a file that starts so has a whole feature or geometry on its first line.
pub(super) fn is_a_feature_a_line(start: &[u8]) -> bool {
    let start = start.trim_ascii_start();
    let start = start.strip_prefix(b"\x1e").unwrap_or(start);
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    object::parse(line, 1).is_ok_and(|members| !is_type(&members, &["FeatureCollection"]))
}

impl<R: BufRead> Reader<R> {
    /// Reads a feature a line.
    pub(super) fn of_lines(input: R, geometry: String) -> Self {
        Self { source: Source::Lines(Lines::new(input)), geometry }
    }

    /// Reads feature collections, or single features.
    pub(super) fn of_document(input: R, geometry: String) -> Self {
        let document = Document { scanner: Scanner::new(input), at: At::Top, whole: Vec::new(), begun: 1 };
        Self { source: Source::Document(document), geometry }
    }

    /// The next feature; `None` at the end.
    pub(super) fn next(&mut self) -> Option<Result<Found, BadRecord>> {
        let text = match &mut self.source {
            Source::Lines(lines) => next_line(lines)?,
            Source::Document(document) => document.next()?,
        };
        Some(text.and_then(|(line, text)| record(object::parse(&text, line)?, line, &self.geometry)))
    }
}

/// Walks through the whole text and cuts features out of it.
#[derive(Debug)]
struct Document<R> {
    scanner: Scanner<R>,
    at: At,
    /// The members of the object at the top as far as they were read, unless they are those of a collection.
    whole: Vec<u8>,
    /// The line that the object at the top begins on.
    begun: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before an object, or after the last.
    Top,
    /// Among the members of an object that may be a single feature.
    Single,
    /// Among the features of a collection; `bare`: of an array that stands by itself.
    Features { bare: bool },
    /// Among the members of a collection, after its features.
    Collection,
}

/// What one step through the text came upon.
enum Step {
    /// A feature, or what should be one: the line that it begins on, and its text.
    Feature(u64, Result<Vec<u8>, Fault>),
    /// Something around the features.
    Between,
    /// The end of the text.
    End,
}

impl<R: BufRead> Document<R> {
    fn next(&mut self) -> Option<Text> {
        loop {
            return match self.step() {
                Ok(Step::Between) => continue,
                Ok(Step::Feature(line, text)) => Some(text.map(|text| (line, text)).map_err(|fault| fault.on(line))),
                Ok(Step::End) => None,
                Err(fault) => Some(Err(fault.on(self.scanner.line()))),
            };
        }
    }

    fn step(&mut self) -> Result<Step, Fault> {
        if let At::Features { bare } = self.at {
            return Ok(match next_element(&mut self.scanner)? {
                Element::Item(line, text) => Step::Feature(line, text),
                Element::End => {
                    self.at = if bare { At::Top } else { At::Collection };
                    Step::Between
                }
            });
        }
        let Some(byte) = self.scanner.blank()? else {
            return if self.at == At::Top { Ok(Step::End) } else { Err(Fault::CutOff) };
        };
        match (self.at, byte) {
            (At::Top, b'{') => {
                (self.at, self.begun) = (At::Single, self.scanner.line());
                self.whole.clear();
            }
            (At::Top, b'[') => self.at = At::Features { bare: true },
            (At::Top, _) => return Err(Fault::NotGeoJson("an object must stand here".to_owned())),
            (_, b'"') => {
                self.member()?;
                return Ok(Step::Between);
            }
            (_, b',') => {}
            (At::Single, b'}') => {
                self.scanner.advance(byte);
                self.at = At::Top;
                return Ok(Step::Feature(self.begun, self.single()));
            }
            (_, b'}') => self.at = At::Top,
            _ => return Err(Fault::NotGeoJson("the name of a member must stand here".to_owned())),
        }
        self.scanner.advance(byte);
        Ok(Step::Between)
    }

    /// The object at the top, which had no features in it.
    fn single(&mut self) -> Result<Vec<u8>, Fault> {
        let members = std::mem::take(&mut self.whole);
        if members.len() > RECORD_BYTES {
            return Err(Fault::TooLong);
        }
        Ok([b"{", members.as_slice(), b"}"].concat())
    }

    /// Reads a member of the object at the top: enters the features, keeps what a single feature may consist of, and
    /// passes over the rest.
    fn member(&mut self) -> Result<(), Fault> {
        let mut member = Vec::new();
        if self.scanner.value(Some(&mut member))? == Extent::Cut {
            return Err(Fault::CutOff);
        }
        match self.scanner.blank()? {
            Some(byte @ b':') => self.scanner.advance(byte),
            Some(_) => return Err(Fault::NotGeoJson("a colon must stand between a name and its value".to_owned())),
            None => return Err(Fault::CutOff),
        }
        let value = self.scanner.blank()?;
        if member == b"\"features\"" && value == Some(b'[') && self.at == At::Single {
            self.scanner.advance(b'[');
            self.at = At::Features { bare: false };
            return Ok(());
        }
        member.push(b':');
        let keep = (self.at == At::Single).then_some(&mut member);
        match (value, self.scanner.value(keep)?) {
            (None, _) | (_, Extent::Cut) => Err(Fault::CutOff),
            (_, extent) => {
                self.keep(&member, extent);
                Ok(())
            }
        }
    }

    fn keep(&mut self, member: &[u8], extent: Extent) {
        if self.at != At::Single || self.whole.len() > RECORD_BYTES {
            return;
        }
        if !self.whole.is_empty() {
            self.whole.push(b',');
        }
        self.whole.extend_from_slice(member);
        if extent == Extent::TooLong {
            self.whole.resize(RECORD_BYTES + 1, b' ');
        }
    }
}

fn is_type(members: &Members, types: &[&str]) -> bool {
    members.get("type").and_then(Json::as_str).is_some_and(|found| types.contains(&found))
}

/// The record that a feature is, or a geometry by itself; it begins on `line`.
fn record(mut members: Members, line: u64, geometry: &str) -> Result<Found, BadRecord> {
    if is_type(&members, &GEOMETRIES) {
        let value = geometry_value(&Json::Object(members)).map_err(|fault| fault.on(line))?;
        return Ok(Found { line, id: None, fields: Map::from([(geometry.to_owned(), value)]) });
    }
    if !is_type(&members, &["Feature"]) {
        return Err(Fault::NotAFeature("its `type` must be \"Feature\"".to_owned()).on(line));
    }
    let mut fields = match members.shift_remove("properties") {
        None | Some(Json::Null) => Map::new(),
        Some(Json::Object(properties)) => object::fields(&properties, line)?,
        Some(_) => return Err(Fault::NotAFeature("its `properties` must be an object".to_owned()).on(line)),
    };
    if let Some(shape) = members.get("geometry").filter(|shape| !shape.is_null()) {
        let value = geometry_value(shape).map_err(|fault| fault.at(line, "geometry"))?;
        object::check(geometry, &value).map_err(|fault| fault.at(line, "geometry"))?;
        if fields.insert(geometry.to_owned(), value).is_some() {
            return Err(Fault::GeometryField(geometry.to_owned()).on(line));
        }
    }
    let id = match members.get("id") {
        None => None,
        Some(id) => feature_id(id, &mut fields, line)?,
    };
    Ok(Found { line, id, fields })
}

/// The geometry that `json` is; members that a geometry needs not, such as `bbox`, are passed over.
fn geometry_value(json: &Json) -> Result<Value, Fault> {
    let wrong = || Fault::NotAFeature("its geometry has a wrong type or wrong coordinates".to_owned());
    let mut members = json.as_object().ok_or_else(wrong)?.clone();
    members.retain(|name, _| matches!(name.as_str(), "type" | "coordinates" | "geometries"));
    match Value::from_json(&Json::Object(members)) {
        Ok(value @ Value::Geometry(_)) => Ok(value),
        Ok(_) => Err(wrong()),
        Err(error) => Err(Fault::Value(error.to_string())),
    }
}

/// What the `id` of a feature tells: the document if it is the id of one. Else it only numbers the features of its own file:
/// it becomes a field, which can be named as the key.
fn feature_id(id: &Json, fields: &mut Map, line: u64) -> Result<Option<RecordId>, BadRecord> {
    let document = id.as_str().map(RecordId::from_text).filter(|id| matches!(id, RecordId::Document(_)));
    if document.is_some() {
        return Ok(document);
    }
    if !id.is_string() && !id.is_number() {
        return Err(Fault::BadKey.at(line, "id"));
    }
    let value = Value::from_json(id).map_err(|error| Fault::Value(error.to_string()).at(line, "id"))?;
    let name = ["id", FEATURE_ID].into_iter().find(|name| !fields.contains_key(*name));
    if fields.get("id") != Some(&value)
        && let Some(name) = name
    {
        fields.insert(name.to_owned(), value);
    }
    Ok(None)
}
