//! Changes: what one edit does to one document, and how that is written into the payload of an entry.
//!
//! A payload is written either with the names of its fields, or under a *shape* that the log declared before, so that the
//! records of a collection need not repeat them.

use ayni_log::codec::{DecodeError, Reader, Writer};
use ayni_log::limits;
use thiserror::Error;

use crate::DEPTH;
use crate::operation::{Operation, SetKind};
use crate::path::Path;
use crate::value::{Map, Value};
use crate::value_codec::{deeper, items};

/// What one edit does to one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Operations, in order. With none it still is an edit: it brings back a deleted document as it was.
    Edit(Vec<Operation>),
    /// Deletes the document, which keeps its fields: an edit that did not see this brings it back.
    Delete,
}

/// A change that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// A value is nested too deep where it stands.
    #[error("the value of {path} is nested too deep: names, lists and maps together go {DEPTH} deep at most")]
    Deep {
        /// Where.
        path: Path,
    },
    /// A name inside a map is too long.
    #[error("in {path}: a field name of {length} bytes, and at most {max} are possible", max = limits::NAME_BYTES)]
    Name {
        /// Where.
        path: Path,
        /// Bytes of the name.
        length: usize,
    },
    /// A geometry has ordinates that are not finite, or heights at some places only.
    #[error("the geometry in {path} must have finite ordinates, and heights at all of its places or none")]
    Geometry {
        /// Where.
        path: Path,
    },
    /// The change has an operation that fits no shape.
    #[error("a change with list or text operations, or a deletion, has no shape")]
    Shapeless,
}

/// The operations of a change without their values: what a log declares once for all records alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape(Vec<ShapeField>);

/// One operation without its value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ShapeField {
    act: Act,
    path: Path,
}

/// What an operation does, as formats number it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
enum Act {
    Set = 0,
    First = 1,
    Min = 2,
    Max = 3,
    Unset = 4,
    Add = 5,
    Insert = 6,
    Remove = 7,
    List = 8,
    Text = 9,
}

const EDIT: u8 = 0x10;
const SHAPED: u8 = 0x11;
const DELETE: u8 = 0x12;

impl Change {
    /// The shape under which it can be written; `None` for a deletion, no operations, and list and text operations.
    pub fn shape(&self) -> Option<Shape> {
        let Self::Edit(operations) = self else { return None };
        let fields: Option<Vec<_>> = operations.iter().map(ShapeField::of).collect();
        fields.filter(|fields| !fields.is_empty()).map(Shape)
    }

    /// The payload, with all names in it.
    ///
    /// # Errors
    /// If a value can not be written; see [`ChangeError`].
    pub fn encode(&self) -> Result<Vec<u8>, ChangeError> {
        let mut out = Writer::with_capacity(128);
        match self {
            Self::Delete => out.byte(DELETE),
            Self::Edit(operations) => {
                out.byte(EDIT);
                out.varint(operations.len() as u64);
                for operation in operations {
                    check(operation)?;
                    let act = Act::of(operation);
                    out.byte(act as u8);
                    operation.path().encode(&mut out);
                    encode_argument(operation, &mut out);
                }
            }
        }
        Ok(out.into_vec())
    }

    /// The payload under the shape that the log declared as `number`, which must be this change's [`Change::shape`].
    ///
    /// # Errors
    /// If a value can not be written, or the change has no shape.
    pub fn encode_shaped(&self, number: u32) -> Result<Vec<u8>, ChangeError> {
        let Self::Edit(operations) = self else { return Err(ChangeError::Shapeless) };
        let mut out = Writer::with_capacity(128);
        out.byte(SHAPED);
        out.varint(u64::from(number));
        for operation in operations {
            if Act::of(operation) >= Act::List {
                return Err(ChangeError::Shapeless);
            }
            check(operation)?;
            encode_argument(operation, &mut out);
        }
        Ok(out.into_vec())
    }

    /// Under which shape number a payload is written, if under any: what must be known to read it.
    pub fn shape_number(bytes: &[u8]) -> Option<u32> {
        let mut input = Reader::new(bytes);
        (input.byte().ok()? == SHAPED).then(|| input.small("shape number").ok())?
    }

    /// Reads a payload, given the shapes that its log declared, by number.
    ///
    /// # Errors
    /// If the bytes are not what [`Change::encode`] or [`Change::encode_shaped`] writes; [`DecodeError::Version`] for a
    /// form that a newer version may know. The entry then has no effect: a version with `change: None`.
    pub fn decode<'s>(bytes: &[u8], shapes: &dyn Fn(u32) -> Option<&'s Shape>) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let change = match input.byte()? {
            DELETE => Self::Delete,
            EDIT => Self::Edit(items("operations", &mut input, |input| {
                let act = Act::decode(input)?;
                let path = Path::decode(input)?;
                decode_argument(act, path, input)
            })?),
            SHAPED => {
                let number = input.small("shape number")?;
                let Shape(fields) = shapes(number).ok_or(DecodeError::Invalid("shape number"))?;
                let mut operations = Vec::with_capacity(fields.len());
                for ShapeField { act, path } in fields {
                    operations.push(decode_argument(*act, path.clone(), &mut input)?);
                }
                Self::Edit(operations)
            }
            version => return Err(DecodeError::Version { what: "change", version }),
        };
        input.finish()?;
        Ok(change)
    }
}

impl Shape {
    /// What a log declares (sealed).
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.varint(self.0.len() as u64);
        for ShapeField { act, path } in &self.0 {
            out.byte(*act as u8);
            path.encode(&mut out);
        }
        out.into_vec()
    }

    /// Reads a declaration.
    ///
    /// # Errors
    /// If the bytes are not what [`Shape::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let fields = items("fields of a shape", &mut input, |input| {
            let act = Act::decode(input)?;
            if act >= Act::List {
                return Err(DecodeError::Invalid("operation in a shape"));
            }
            Ok(ShapeField { act, path: Path::decode(input)? })
        })?;
        input.finish()?;
        if fields.is_empty() {
            return Err(DecodeError::Invalid("shape"));
        }
        Ok(Self(fields))
    }

    /// Whether it is the shape of this change.
    pub fn fits(&self, change: &Change) -> bool {
        let Change::Edit(operations) = change else { return false };
        let alike = |(field, operation): (&ShapeField, &Operation)| {
            field.act == Act::of(operation) && field.path == *operation.path()
        };
        self.0.len() == operations.len() && self.0.iter().zip(operations).all(alike)
    }
}

impl ShapeField {
    fn of(operation: &Operation) -> Option<Self> {
        let act = Act::of(operation);
        (act < Act::List).then(|| Self { act, path: operation.path().clone() })
    }
}

impl Act {
    fn of(operation: &Operation) -> Self {
        match operation {
            Operation::Set { kind: SetKind::Latest, .. } => Self::Set,
            Operation::Set { kind: SetKind::First, .. } => Self::First,
            Operation::Set { kind: SetKind::Min, .. } => Self::Min,
            Operation::Set { kind: SetKind::Max, .. } => Self::Max,
            Operation::Unset { .. } => Self::Unset,
            Operation::Add { .. } => Self::Add,
            Operation::Insert { .. } => Self::Insert,
            Operation::Remove { .. } => Self::Remove,
            Operation::List { .. } => Self::List,
            Operation::Text { .. } => Self::Text,
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match input.byte()? {
            0 => Self::Set,
            1 => Self::First,
            2 => Self::Min,
            3 => Self::Max,
            4 => Self::Unset,
            5 => Self::Add,
            6 => Self::Insert,
            7 => Self::Remove,
            8 => Self::List,
            9 => Self::Text,
            version => return Err(DecodeError::Version { what: "operation", version }),
        })
    }
}

fn encode_argument(operation: &Operation, out: &mut Writer) {
    match operation {
        Operation::Set { value, .. } => value.encode(out),
        Operation::Insert { element, .. } | Operation::Remove { element, .. } => element.encode(out),
        Operation::Unset { .. } => {}
        Operation::Add { amount, .. } => out.signed(*amount),
        Operation::List { bytes, .. } | Operation::Text { bytes, .. } => out.bytes(bytes),
    }
}

fn decode_argument(act: Act, path: Path, input: &mut Reader<'_>) -> Result<Operation, DecodeError> {
    let depth = DEPTH.saturating_sub(path.names().len());
    Ok(match act {
        Act::Set => Operation::Set { path, kind: SetKind::Latest, value: Value::decode_within(input, depth)? },
        Act::First => Operation::Set { path, kind: SetKind::First, value: Value::decode_within(input, depth)? },
        Act::Min => Operation::Set { path, kind: SetKind::Min, value: Value::decode_within(input, depth)? },
        Act::Max => Operation::Set { path, kind: SetKind::Max, value: Value::decode_within(input, depth)? },
        Act::Unset => Operation::Unset { path },
        Act::Add => Operation::Add { path, amount: input.signed()? },
        // An element stands in a list when it is shown.
        Act::Insert => Operation::Insert { path, element: Value::decode_within(input, deeper(depth)?)? },
        Act::Remove => Operation::Remove { path, element: Value::decode_within(input, deeper(depth)?)? },
        Act::List => Operation::List { path, bytes: input.bytes("operation", input.remaining())?.to_vec() },
        Act::Text => Operation::Text { path, bytes: input.bytes("operation", input.remaining())?.to_vec() },
    })
}

/// Whether an operation can be written.
fn check(operation: &Operation) -> Result<(), ChangeError> {
    let path = operation.path();
    let (value, around) = match operation {
        Operation::Set { value, .. } => (value, path.names().len()),
        Operation::Insert { element, .. } | Operation::Remove { element, .. } => (element, path.names().len() + 1),
        _ => return Ok(()),
    };
    check_value(value, path, around)
}

fn check_value(value: &Value, path: &Path, around: usize) -> Result<(), ChangeError> {
    let deep = || ChangeError::Deep { path: path.clone() };
    match value {
        _ if around > DEPTH => Err(deep()),
        Value::List(_) | Value::Map(_) if around >= DEPTH => Err(deep()),
        Value::List(items) => items.iter().try_for_each(|item| check_value(item, path, around + 1)),
        Value::Map(map) => check_names(map, path)
            .and_then(|()| map.values().try_for_each(|value| check_value(value, path, around + 1))),
        Value::Geometry(geometry) if around + geometry.depth() > DEPTH => Err(deep()),
        Value::Geometry(geometry) if !geometry.is_sound() => Err(ChangeError::Geometry { path: path.clone() }),
        _ => Ok(()),
    }
}

fn check_names(map: &Map, path: &Path) -> Result<(), ChangeError> {
    match map.keys().map(String::len).find(|length| *length > limits::NAME_BYTES) {
        Some(length) => Err(ChangeError::Name { path: path.clone(), length }),
        None => Ok(()),
    }
}
