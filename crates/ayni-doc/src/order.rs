//! The order of values: for sorting, for ranges, and as bytes for indexes.
//!
//! CouchDB's order of types, with ours between: null, false, true, numbers, texts, bytes, references, attachments, lists,
//! geometries, maps. Integers and floats are compared exactly as the numbers they are, NaN before all. Texts go by their
//! UTF-8 bytes (so by code point; CouchDB collates as ICU does). Lists go by their items, maps by their fields in order of
//! name (name, then value); what is a beginning of the other comes first. Geometries go by kind and ordinates.

use std::cmp::Ordering;

use crate::float;
use crate::geometry::{Geometry, Position};
use crate::value::{Attachment, Value};

/// An index key is cut after this many bytes. Values whose keys agree so far have equal keys, so who finds documents by a
/// key of this length must compare the values themselves, and who sorts by keys must sort equal ones by
/// [`Value::compare`].
pub const INDEX_KEY_BYTES: usize = 256;

/// Ends a list, map or text: less than anything that could follow inside.
const END: u8 = 0x00;
/// A zero byte inside a text is followed by this, which no type byte reaches.
const ESCAPED: u8 = 0xff;

impl Value {
    /// The order described above. `Int(1)` and `Float(1.0)` are equals in it.
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Int(_) | Self::Float(_), Self::Int(_) | Self::Float(_)) => number(self).cmp(&number(other)),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            (Self::Reference(a), Self::Reference(b)) => a.cmp(b),
            (Self::Attachment(a), Self::Attachment(b)) => attachment_order(a).cmp(&attachment_order(b)),
            (Self::List(a), Self::List(b)) => lists(a, b, Value::compare),
            (Self::Geometry(a), Self::Geometry(b)) => geometries(a, b),
            (Self::Map(a), Self::Map(b)) => {
                let fields =
                    a.iter().zip(b).map(|((a_name, a), (b_name, b))| a_name.cmp(b_name).then_with(|| a.compare(b)));
                first_difference(fields).then(a.len().cmp(&b.len()))
            }
            _ => self.type_byte().cmp(&other.type_byte()),
        }
    }

    /// Bytes that sort (as bytes) like the values do under [`Value::compare`], cut at [`INDEX_KEY_BYTES`].
    pub fn index_key(&self) -> Vec<u8> {
        let mut key = Key(Vec::with_capacity(24));
        key.value(self);
        key.0.truncate(INDEX_KEY_BYTES);
        key.0
    }

    fn type_byte(&self) -> u8 {
        match self {
            Self::Null => 0x10,
            Self::Bool(false) => 0x18,
            Self::Bool(true) => 0x19,
            Self::Int(_) | Self::Float(_) => 0x20,
            Self::Text(_) => 0x30,
            Self::Bytes(_) => 0x38,
            Self::Reference(_) => 0x40,
            Self::Attachment(_) => 0x48,
            Self::List(_) => 0x50,
            Self::Geometry(_) => 0x58,
            Self::Map(_) => 0x60,
        }
    }
}

/// A number as the greatest float that is not above it, as bits that sort like floats, and what is left over.
fn number(value: &Value) -> (u64, u16) {
    match value {
        Value::Int(int) => {
            let (floor, rest) = floor_float(*int);
            (sortable(floor), rest)
        }
        Value::Float(float) if float.is_nan() => (0, 0),
        Value::Float(float) => (sortable(float::canonical(*float)), 0),
        _ => (0, 0),
    }
}

/// The greatest float not above an integer, and the difference, which is less than 1,024.
fn floor_float(int: i64) -> (f64, u16) {
    let nearest = int as f64;
    let difference = i128::from(int) - nearest as i128;
    if difference >= 0 {
        return (nearest, difference as u16);
    }
    let below = nearest.next_down();
    (below, (i128::from(int) - below as i128) as u16)
}

/// The bits of a float, changed so that they sort like floats as unsigned integers (IEEE 754-2019, totalOrder).
fn sortable(float: f64) -> u64 {
    let bits = float.to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

/// From here on not every integer is a float, so a key says what is left over.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn attachment_order(attachment: &Attachment) -> (&str, &str, &[u8; 32], u64, u64, &[u8; 32]) {
    let Attachment { hash, sealed_length, length, key, name, media_type } = attachment;
    (name, media_type, &hash.0, *sealed_length, *length, &key.0)
}

fn first_difference(mut orders: impl Iterator<Item = Ordering>) -> Ordering {
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn lists<T>(a: &[T], b: &[T], compare: impl Fn(&T, &T) -> Ordering) -> Ordering {
    first_difference(a.iter().zip(b).map(|(a, b)| compare(a, b))).then(a.len().cmp(&b.len()))
}

fn geometries(a: &Geometry, b: &Geometry) -> Ordering {
    let (mut a_key, mut b_key) = (Key(Vec::new()), Key(Vec::new()));
    a_key.unbounded_geometry(a);
    b_key.unbounded_geometry(b);
    a_key.0.cmp(&b_key.0)
}

/// An index key as it grows; it takes no more values once it is long enough.
struct Key(Vec<u8>);

impl Key {
    fn is_full(&self) -> bool {
        self.0.len() >= INDEX_KEY_BYTES
    }

    fn value(&mut self, value: &Value) {
        if self.is_full() {
            return;
        }
        self.0.push(value.type_byte());
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Int(_) | Value::Float(_) => self.number(value),
            Value::Text(text) => self.escaped(text.as_bytes()),
            Value::Bytes(bytes) => self.escaped(bytes),
            Value::Reference(id) => self.0.extend_from_slice(id.as_bytes()),
            Value::Attachment(attachment) => {
                let (name, media_type, hash, sealed_length, length, key) = attachment_order(attachment);
                self.escaped(name.as_bytes());
                self.escaped(media_type.as_bytes());
                self.0.extend_from_slice(hash);
                self.0.extend_from_slice(&sealed_length.to_be_bytes());
                self.0.extend_from_slice(&length.to_be_bytes());
                self.0.extend_from_slice(key);
            }
            Value::List(items) => {
                items.iter().for_each(|item| self.value(item));
                self.0.push(END);
            }
            Value::Geometry(geometry) => self.unbounded_geometry(geometry),
            Value::Map(map) => {
                for (name, value) in map {
                    if self.is_full() {
                        return;
                    }
                    self.0.push(0x30);
                    self.escaped(name.as_bytes());
                    self.value(value);
                }
                self.0.push(END);
            }
        }
    }

    fn number(&mut self, value: &Value) {
        let (bits, rest) = number(value);
        self.0.extend_from_slice(&bits.to_be_bytes());
        if bits != 0 && value.as_number().is_some_and(|number| number.abs() >= EXACT) {
            self.0.extend_from_slice(&rest.to_be_bytes());
        }
    }

    fn escaped(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().take(INDEX_KEY_BYTES) {
            self.0.push(*byte);
            if *byte == END {
                self.0.push(ESCAPED);
            }
        }
        self.0.push(END);
    }

    fn unbounded_geometry(&mut self, geometry: &Geometry) {
        self.0.push(1 + geometry.kind());
        match geometry {
            Geometry::Point(position) => self.position(position),
            Geometry::MultiPoint(line) | Geometry::LineString(line) => self.line(line),
            Geometry::MultiLineString(lines) | Geometry::Polygon(lines) => self.lines(lines),
            Geometry::MultiPolygon(areas) => {
                areas.iter().for_each(|area| {
                    self.0.push(1);
                    self.lines(area);
                });
                self.0.push(END);
            }
            Geometry::Collection(members) => {
                members.iter().for_each(|member| self.unbounded_geometry(member));
                self.0.push(END);
            }
        }
    }

    fn lines(&mut self, lines: &[Vec<Position>]) {
        for line in lines {
            self.0.push(1);
            self.line(line);
        }
        self.0.push(END);
    }

    fn line(&mut self, line: &[Position]) {
        for position in line {
            self.0.push(1);
            self.position(position);
        }
        self.0.push(END);
    }

    fn position(&mut self, position: &Position) {
        for ordinate in [position.x, position.y] {
            self.0.extend_from_slice(&sortable(float::canonical(ordinate)).to_be_bytes());
        }
        match position.z {
            None => self.0.push(END),
            Some(height) => {
                self.0.push(1);
                self.0.extend_from_slice(&sortable(float::canonical(height)).to_be_bytes());
            }
        }
    }
}
