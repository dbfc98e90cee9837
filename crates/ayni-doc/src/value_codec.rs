//! Values as bytes: compact, and with one way to write each.
//!
//! A tag byte says the type; small integers and the lengths of short texts stand in the tag itself. `docs/documents.md`
//! describes every byte.

use ayni_log::codec::{DecodeError, Reader, Writer};
use ayni_log::ids::{DocumentId, Hash};
use ayni_log::limits;

use crate::DEPTH;
use crate::float;
use crate::geometry::{Geometry, Position};
use crate::value::{Attachment, AttachmentKey, Map, Value};

pub(crate) mod tag {
    pub(crate) const NULL: u8 = 0x00;
    pub(crate) const FALSE: u8 = 0x01;
    pub(crate) const TRUE: u8 = 0x02;
    pub(crate) const FLOAT: u8 = 0x03;
    pub(crate) const TEXT: u8 = 0x04;
    pub(crate) const BYTES: u8 = 0x05;
    pub(crate) const LIST: u8 = 0x06;
    pub(crate) const MAP: u8 = 0x07;
    pub(crate) const ATTACHMENT: u8 = 0x08;
    pub(crate) const REFERENCE: u8 = 0x09;
    /// Not a value: a field of a stored document that holds more than one plain value.
    pub(crate) const CONTESTED: u8 = 0x0f;
    /// And the number of bytes less one: a magnitude, big-endian.
    pub(crate) const POSITIVE: u8 = 0x10;
    /// The same, of −1 − the integer.
    pub(crate) const NEGATIVE: u8 = 0x18;
    /// And −1 − the integer, for −1 to −16.
    pub(crate) const SMALL_NEGATIVE: u8 = 0x20;
    /// And the number of decimal places; a mantissa follows.
    pub(crate) const DECIMAL: u8 = 0x30;
    /// And twice the kind, and 1 if positions have heights.
    pub(crate) const GEOMETRY: u8 = 0x40;
    /// And the integer, for 0 to 63.
    pub(crate) const SMALL: u8 = 0x80;
    /// And the length in bytes, for 0 to 63.
    pub(crate) const SHORT_TEXT: u8 = 0xc0;
}

const SMALL_INTS: i64 = 64;
const SMALL_NEGATIVES: i64 = 16;
const SHORT_TEXTS: usize = 64;
/// No more items than this are reserved room for before they were read.
const RESERVED: usize = 1024;

impl Value {
    /// Writes the value in its one canonical form.
    pub fn encode(&self, out: &mut Writer) {
        match self {
            Self::Null => out.byte(tag::NULL),
            Self::Bool(false) => out.byte(tag::FALSE),
            Self::Bool(true) => out.byte(tag::TRUE),
            Self::Int(int) => encode_int(*int, out),
            Self::Float(float) => encode_float(*float, out),
            Self::Text(text) => encode_text(text, out),
            Self::Bytes(bytes) => {
                out.byte(tag::BYTES);
                out.bytes(bytes);
            }
            Self::List(items) => {
                out.byte(tag::LIST);
                out.varint(items.len() as u64);
                for item in items {
                    item.encode(out);
                }
            }
            Self::Map(map) => {
                out.byte(tag::MAP);
                out.varint(map.len() as u64);
                for (name, value) in map {
                    out.text(name);
                    value.encode(out);
                }
            }
            Self::Geometry(geometry) => encode_geometry(geometry, out),
            Self::Attachment(attachment) => encode_attachment(attachment, out),
            Self::Reference(id) => {
                out.byte(tag::REFERENCE);
                id.encode(out);
            }
        }
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::new();
        self.encode(&mut out);
        out.into_vec()
    }

    /// Reads a value.
    ///
    /// # Errors
    /// If it is cut short, in another than the canonical form, or nested deeper than [`DEPTH`].
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::decode_within(input, DEPTH)
    }

    /// Reads a value that may be nested `depth` deep.
    pub(crate) fn decode_within(input: &mut Reader<'_>, depth: usize) -> Result<Self, DecodeError> {
        let tag = input.byte()?;
        Ok(match tag {
            tag::NULL => Self::Null,
            tag::FALSE => Self::Bool(false),
            tag::TRUE => Self::Bool(true),
            tag::FLOAT => Self::Float(decode_float(input)?),
            tag::TEXT => Self::Text(decode_long_text(input)?.to_owned()),
            tag::BYTES => Self::Bytes(input.bytes("bytes", input.remaining())?.to_vec()),
            tag::LIST => {
                let inner = deeper(depth)?;
                Self::List(items("items in a list", input, |input| Self::decode_within(input, inner))?)
            }
            tag::MAP => {
                let inner = deeper(depth)?;
                Self::Map(decode_map(input, inner)?)
            }
            tag::ATTACHMENT => Self::Attachment(Box::new(decode_attachment(input)?)),
            tag::REFERENCE => Self::Reference(DocumentId::decode(input)?),
            0x10..=0x1f => Self::Int(decode_int(tag, input)?),
            0x20..=0x2f => Self::Int(-1 - i64::from(tag - tag::SMALL_NEGATIVE)),
            0x30..=0x3f => Self::Float(decode_decimal(tag, input)?),
            0x40..=0x4d => Self::Geometry(Box::new(decode_geometry(tag, input, depth)?)),
            tag::SMALL..tag::SHORT_TEXT => Self::Int(i64::from(tag - tag::SMALL)),
            tag::SHORT_TEXT.. => Self::Text(short_text(tag, input)?.to_owned()),
            _ => return Err(DecodeError::Invalid("type of value")),
        })
    }

    /// Moves past a value without making it. What it skips is not checked for canonical form.
    pub(crate) fn skip(input: &mut Reader<'_>, depth: usize) -> Result<(), DecodeError> {
        let tag = input.byte()?;
        match tag {
            tag::NULL | tag::FALSE | tag::TRUE | 0x20..=0x2f | tag::SMALL..tag::SHORT_TEXT => {}
            tag::SHORT_TEXT.. => drop(input.raw(usize::from(tag - tag::SHORT_TEXT))?),
            tag::FLOAT => drop(input.raw(8)?),
            0x10..=0x1f => drop(input.raw(usize::from(tag & 7) + 1)?),
            0x30..=0x3f => drop(input.varint()?),
            tag::TEXT | tag::BYTES => drop(input.bytes("bytes", input.remaining())?),
            tag::REFERENCE => drop(input.raw(DocumentId::LEN)?),
            tag::LIST => {
                let inner = deeper(depth)?;
                for _ in 0..input.count("items in a list", input.remaining())? {
                    Self::skip(input, inner)?;
                }
            }
            tag::MAP => {
                let inner = deeper(depth)?;
                for _ in 0..input.count("fields in a map", input.remaining())? {
                    input.bytes("field name", limits::NAME_BYTES)?;
                    Self::skip(input, inner)?;
                }
            }
            tag::ATTACHMENT => drop(decode_attachment(input)?),
            0x40..=0x4d => drop(decode_geometry(tag, input, depth)?),
            _ => return Err(DecodeError::Invalid("type of value")),
        }
        Ok(())
    }
}

/// What may still be nested inside something that stands at `depth`.
pub(crate) fn deeper(depth: usize) -> Result<usize, DecodeError> {
    depth.checked_sub(1).ok_or(DecodeError::Limit { what: "nesting", got: DEPTH as u64 + 1, limit: DEPTH as u64 })
}

/// A count, then so many items, each of at least one byte.
pub(crate) fn items<T>(
    what: &'static str,
    input: &mut Reader<'_>,
    mut item: impl FnMut(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = input.count(what, input.remaining())?;
    let mut items = Vec::with_capacity(count.min(RESERVED));
    for _ in 0..count {
        items.push(item(input)?);
    }
    Ok(items)
}

fn decode_map(input: &mut Reader<'_>, inner: usize) -> Result<Map, DecodeError> {
    let count = input.count("fields in a map", input.remaining())?;
    let mut map = Map::new();
    for _ in 0..count {
        let name = input.text("field name", limits::NAME_BYTES)?;
        if map.last_key_value().is_some_and(|(last, _)| last.as_str() >= name) {
            return Err(DecodeError::NotCanonical("order of fields"));
        }
        map.insert(name.to_owned(), Value::decode_within(input, inner)?);
    }
    Ok(map)
}

fn encode_int(int: i64, out: &mut Writer) {
    let (small, least, base, magnitude) = if int >= 0 {
        (tag::SMALL, SMALL_INTS, tag::POSITIVE, int)
    } else {
        (tag::SMALL_NEGATIVE, SMALL_NEGATIVES, tag::NEGATIVE, !int)
    };
    if magnitude < least {
        return out.byte(small + magnitude as u8);
    }
    let zeros = magnitude.leading_zeros() / 8;
    out.byte(base + (7 - zeros) as u8);
    for byte in magnitude.to_be_bytes().iter().skip(zeros as usize) {
        out.byte(*byte);
    }
}

fn decode_int(tag: u8, input: &mut Reader<'_>) -> Result<i64, DecodeError> {
    let negative = tag >= tag::NEGATIVE;
    let bytes = input.raw(usize::from(tag & 7) + 1)?;
    let magnitude = bytes.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let magnitude = i64::try_from(magnitude).map_err(|_| DecodeError::Invalid("integer"))?;
    let small = if negative { SMALL_NEGATIVES } else { SMALL_INTS };
    if bytes.first() == Some(&0) || magnitude < small {
        return Err(DecodeError::NotCanonical("integer"));
    }
    Ok(if negative { !magnitude } else { magnitude })
}

fn encode_float(float: f64, out: &mut Writer) {
    let float = float::canonical(float);
    match float::to_decimal(float) {
        Some((places, mantissa)) => {
            out.byte(tag::DECIMAL + places as u8);
            out.signed(mantissa);
        }
        None => {
            out.byte(tag::FLOAT);
            out.raw(&float.to_bits().to_be_bytes());
        }
    }
}

fn decode_float(input: &mut Reader<'_>) -> Result<f64, DecodeError> {
    let float = f64::from_bits(u64::from_be_bytes(input.array()?));
    if float::canonical(float).to_bits() != float.to_bits() || float::to_decimal(float).is_some() {
        return Err(DecodeError::NotCanonical("float"));
    }
    Ok(float)
}

fn decode_decimal(tag: u8, input: &mut Reader<'_>) -> Result<f64, DecodeError> {
    let mantissa = input.signed()?;
    float::from_decimal(usize::from(tag - tag::DECIMAL), mantissa).ok_or(DecodeError::NotCanonical("float"))
}

fn encode_text(text: &str, out: &mut Writer) {
    if text.len() < SHORT_TEXTS {
        out.byte(tag::SHORT_TEXT + text.len() as u8);
        out.raw(text.as_bytes());
    } else {
        out.byte(tag::TEXT);
        out.text(text);
    }
}

fn decode_long_text<'a>(input: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    let text = input.text("text", input.remaining())?;
    if text.len() < SHORT_TEXTS {
        return Err(DecodeError::NotCanonical("length of text"));
    }
    Ok(text)
}

fn short_text<'a>(tag: u8, input: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    let bytes = input.raw(usize::from(tag - tag::SHORT_TEXT))?;
    std::str::from_utf8(bytes).map_err(|_| DecodeError::Invalid("UTF-8 text"))
}

fn encode_attachment(attachment: &Attachment, out: &mut Writer) {
    let Attachment { hash, sealed_length, length, key, name, media_type } = attachment;
    out.byte(tag::ATTACHMENT);
    hash.encode(out);
    out.varint(*sealed_length);
    out.varint(*length);
    out.raw(&key.0);
    out.text(name);
    out.text(media_type);
}

fn decode_attachment(input: &mut Reader<'_>) -> Result<Attachment, DecodeError> {
    Ok(Attachment {
        hash: Hash::decode(input)?,
        sealed_length: input.varint()?,
        length: input.varint()?,
        key: AttachmentKey(input.array()?),
        name: input.text("file name", input.remaining())?.to_owned(),
        media_type: input.text("media type", input.remaining())?.to_owned(),
    })
}

fn encode_geometry(geometry: &Geometry, out: &mut Writer) {
    let heights = geometry.has_heights();
    out.byte(tag::GEOMETRY + 2 * geometry.kind() + u8::from(heights));
    let line = |line: &[Position], out: &mut Writer| {
        out.varint(line.len() as u64);
        line.iter().for_each(|position| encode_position(position, heights, out));
    };
    let lines = |lines: &[Vec<Position>], out: &mut Writer| {
        out.varint(lines.len() as u64);
        lines.iter().for_each(|positions| line(positions, out));
    };
    match geometry {
        Geometry::Point(position) => encode_position(position, heights, out),
        Geometry::MultiPoint(positions) | Geometry::LineString(positions) => line(positions, out),
        Geometry::MultiLineString(rings) | Geometry::Polygon(rings) => lines(rings, out),
        Geometry::MultiPolygon(areas) => {
            out.varint(areas.len() as u64);
            areas.iter().for_each(|area| lines(area, out));
        }
        Geometry::Collection(members) => {
            out.varint(members.len() as u64);
            members.iter().for_each(|member| encode_geometry(member, out));
        }
    }
}

/// A byte with the decimal places of longitude and latitude, then both; with a height, a byte with its places and it.
fn encode_position(position: &Position, height: bool, out: &mut Writer) {
    let (x, y) = (Ordinate::of(position.x), Ordinate::of(position.y));
    out.byte(x.places() << 4 | y.places());
    x.encode(out);
    y.encode(out);
    if height {
        let z = Ordinate::of(position.z.unwrap_or(0.0));
        out.byte(z.places());
        z.encode(out);
    }
}

/// A number of a position, as it is written.
enum Ordinate {
    Decimal(u8, i64),
    Float(f64),
}

impl Ordinate {
    /// Stands for the places of what is written as a float.
    const AS_FLOAT: u8 = 15;

    fn of(float: f64) -> Self {
        let float = float::canonical(float);
        match float::to_decimal(float) {
            Some((places, mantissa)) if places < usize::from(Self::AS_FLOAT) => Self::Decimal(places as u8, mantissa),
            _ => Self::Float(float),
        }
    }

    fn places(&self) -> u8 {
        match self {
            Self::Decimal(places, _) => *places,
            Self::Float(_) => Self::AS_FLOAT,
        }
    }

    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Decimal(_, mantissa) => out.signed(*mantissa),
            Self::Float(float) => out.raw(&float.to_bits().to_be_bytes()),
        }
    }

    fn decode(places: u8, input: &mut Reader<'_>) -> Result<f64, DecodeError> {
        if places < Self::AS_FLOAT {
            let mantissa = input.signed()?;
            return float::from_decimal(usize::from(places), mantissa).ok_or(DecodeError::NotCanonical("position"));
        }
        let float = f64::from_bits(u64::from_be_bytes(input.array()?));
        match Self::of(float) {
            Self::Float(canonical) if canonical.to_bits() == float.to_bits() && float.is_finite() => Ok(float),
            _ => Err(DecodeError::NotCanonical("position")),
        }
    }
}

fn decode_geometry(tag: u8, input: &mut Reader<'_>, depth: usize) -> Result<Geometry, DecodeError> {
    let kind = (tag - tag::GEOMETRY) / 2;
    let heights = tag & 1 == 1;
    let position = |input: &mut Reader<'_>| decode_position(input, heights);
    let line = |input: &mut Reader<'_>| items("positions", input, position);
    let lines = |input: &mut Reader<'_>| items("lines", input, line);
    let geometry = match kind {
        0 => Geometry::Point(position(input)?),
        1 => Geometry::MultiPoint(line(input)?),
        2 => Geometry::LineString(line(input)?),
        3 => Geometry::MultiLineString(lines(input)?),
        4 => Geometry::Polygon(lines(input)?),
        5 => Geometry::MultiPolygon(items("areas", input, lines)?),
        _ => {
            let inner = deeper(depth)?;
            Geometry::Collection(items("geometries", input, |input| match input.byte()? {
                tag @ 0x40..=0x4d => decode_geometry(tag, input, inner),
                _ => Err(DecodeError::Invalid("geometry")),
            })?)
        }
    };
    if geometry.has_heights() != heights {
        return Err(DecodeError::NotCanonical("heights of a geometry"));
    }
    Ok(geometry)
}

fn decode_position(input: &mut Reader<'_>, height: bool) -> Result<Position, DecodeError> {
    let places = input.byte()?;
    let x = Ordinate::decode(places >> 4, input)?;
    let y = Ordinate::decode(places & 0x0f, input)?;
    let z = match height {
        true => Some(match input.byte()? {
            places @ 0..=Ordinate::AS_FLOAT => Ordinate::decode(places, input)?,
            _ => return Err(DecodeError::Invalid("position")),
        }),
        false => None,
    };
    Ok(Position { x, y, z })
}
