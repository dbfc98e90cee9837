//! What reading yields: records, and records that cannot be read.

use std::fmt;
use std::io;

use ayni_doc::{DEPTH, Map};
use ayni_log::ids::DocumentId;

use super::limits::{FIELDS, RECORD_BYTES};

/// One record of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The line that it begins on, counted from 1.
    pub line: u64,
    /// What tells which document it is; without one it is a new document.
    pub id: Option<RecordId>,
    /// Its fields, at most [`FIELDS`].
    pub fields: Map,
}

/// A record as a format gives it, before it is known whether its key is its own.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) line: u64,
    pub(super) id: Option<RecordId>,
    pub(super) fields: Map,
}

/// What tells which document a record is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordId {
    /// The document with this id, as an export wrote it. In a project that does not know it the record is the keyed
    /// document whose key is the id's text: see [`RecordId::key`].
    Document(DocumentId),
    /// The document with this key.
    Key(String),
}

impl RecordId {
    /// The key of the keyed document that the record is where no document has its id.
    pub fn key(&self) -> String {
        match self {
            Self::Document(id) => id.to_string(),
            Self::Key(key) => key.clone(),
        }
    }

    /// The id that a text tells: a document's if it is exactly as one is printed, else a key.
    pub fn from_text(text: &str) -> Self {
        let document = text.parse::<DocumentId>().ok().filter(|id| id.to_string() == text);
        document.map_or_else(|| Self::Key(text.to_owned()), Self::Document)
    }
}

/// A record that was passed over, where it stands and why. Its text says how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}{}: {fault}", Place(.column))]
pub struct BadRecord {
    /// The line that the record, or what is wrong in it, begins on; counted from 1.
    pub line: u64,
    /// The column or field that is wrong, if it is one.
    pub column: Option<String>,
    /// What is wrong.
    pub fault: Fault,
}

impl BadRecord {
    /// Whether nothing after it could be read.
    pub fn ends_reading(&self) -> bool {
        matches!(
            self.fault,
            Fault::Unreadable(_) | Fault::CutOff | Fault::AfterEnd | Fault::NotGeoJson(_) | Fault::Header(_)
        )
    }
}

struct Place<'a>(&'a Option<String>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |column| write!(f, ", {column}"))
    }
}

/// What can be wrong with a record, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file itself failed.
    #[error("the file cannot be read on: {0}")]
    Unreadable(String),
    /// The file ends inside a record.
    #[error("the file ends in the middle: it was cut off; copy or download it again (everything before is read)")]
    CutOff,
    /// A record over [`RECORD_BYTES`].
    #[error("a record can have {} MiB at most: put large contents into attachments", RECORD_BYTES >> 20)]
    TooLong,
    /// More than [`FIELDS`] fields or columns.
    #[error("a record can have {FIELDS} fields at most")]
    TooManyFields,
    /// Lists and maps more than [`DEPTH`] deep.
    #[error("lists and maps can stand {DEPTH} deep inside each other at most")]
    TooDeep,
    /// A name that no field can have.
    #[error("{0:?} cannot be a field's name: {1}")]
    FieldName(String, &'static str),
    /// Bytes that are not UTF-8.
    #[error("this is not UTF-8 text: save the file as UTF-8")]
    NotUtf8,
    /// JSON that does not parse.
    #[error("this is not JSON: {0}")]
    NotJson(String),
    /// Something follows the end of the JSON text.
    #[error("something follows after the end of the list: it is not read")]
    AfterEnd,
    /// A JSON value that is no object where a record should be.
    #[error("a record must be an object {{\"field\": value, …}}")]
    NotAnObject,
    /// A JSON value that no field can hold.
    #[error("{0}")]
    Value(String),
    /// An object that should be a feature and is not.
    #[error("this is not a GeoJSON feature: {0}")]
    NotAFeature(String),
    /// A file that should be GeoJSON and is not.
    #[error("this is not GeoJSON: {0}; is it in another format?")]
    NotGeoJson(String),
    /// The properties of a feature already have the field that its geometry goes to.
    #[error("the feature has a property {0:?} beside its geometry: name another field for the geometry")]
    GeometryField(String),
    /// The first row of a CSV file names no columns.
    #[error("the header is wrong: {0}")]
    Header(String),
    /// A row with more or fewer cells than the header.
    #[error("{found} cells under a header of {expected}: put cells with separators in them into quotes")]
    Cells {
        /// The columns of the header.
        expected: usize,
        /// The cells of the row.
        found: usize,
    },
    /// A cell that is not of its column's type.
    #[error("{text:?} is not {kind}: mend it, or head the column `{name}:text` to take it as text")]
    Cell {
        /// What the cell says, shortened.
        text: String,
        /// What the column holds.
        kind: &'static str,
        /// The column's field.
        name: String,
    },
    /// A coordinate out of range or without its other half.
    #[error("{0}")]
    Coordinates(String),
    /// A quote in a cell that does not begin with one.
    #[error("a quote inside a cell: put the whole cell into quotes and double the ones in it")]
    QuoteInside,
    /// Text between a closing quote and the next separator.
    #[error("text after a closing quote: double the quotes inside a quoted cell")]
    TextAfterQuote,
    /// A quote that is still open at the end of the file, or at the limit.
    #[error("the quote that opens here never closes")]
    QuoteNeverCloses,
    /// A record without the field that makes the key.
    #[error("no field {0:?}, which was to be the record's key")]
    NoKey(String),
    /// A key that is neither text nor a whole number.
    #[error("the key must be a text or a whole number, and not empty")]
    BadKey,
    /// A key that an earlier record has.
    #[error("{key:?} is the key of the record on line {first} already")]
    SameKey {
        /// The key, shortened.
        key: String,
        /// The line of the earlier record.
        first: u64,
    },
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl Fault {
    /// The bad record on `line`.
    pub(super) fn on(self, line: u64) -> BadRecord {
        BadRecord { line, column: None, fault: self }
    }

    /// The bad record on `line` whose `column` is wrong.
    pub(super) fn at(self, line: u64, column: impl Into<String>) -> BadRecord {
        BadRecord { line, column: Some(column.into()), fault: self }
    }
}

/// The start of a text that is shown in an error.
pub(super) fn shortened(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
