//! Interchange: records read from files that others wrote, and documents written for others to read.
//!
//! [`read`] yields one [`Record`] after another from GeoJSON, JSON Lines or CSV of any size, holding one at a time; a record that
//! cannot be read is yielded as a [`BadRecord`] that names its line and how to mend it, and the rest goes on.
//! [`Exporter`] writes the same three. What it wrote reads back the same: `docs/interchange.md` is the contract.
//!
//! ```
//! use ayni::interchange::{Exporter, ReadOptions, RecordId, read};
//!
//! let csv = "code,name,lat,lon\n1,Cusco,-13.53,-71.97\n2,Lima,-12.05,\n";
//! let options = ReadOptions { id: Some("code".parse()?), ..ReadOptions::default() };
//! let mut records = read(csv.as_bytes(), &options)?;
//! let cusco = records.next().unwrap()?;
//! assert_eq!(cusco.id, Some(RecordId::Key("1".into())));
//! assert_eq!(cusco.fields["name"].as_text(), Some("Cusco"));
//! assert!(cusco.fields["location"].as_geometry().is_some());
//! assert_eq!(records.next().unwrap().unwrap_err().line, 3);
//!
//! let mut out = Exporter::json_lines(Vec::new());
//! out.write(&"aaaaaaaaaaaaaaaaaaaaaaaaaa".parse()?, &cusco.fields)?;
//! assert!(out.finish()?.starts_with(b"{\"_id\":\"aaaaaaaaaaaaaaaaaaaaaaaaaa\",\"code\":1,"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cells;
mod columns;
mod csv;
mod export;
mod format;
mod frame;
mod geojson;
mod identity;
mod import;
mod json_lines;
pub mod limits;
mod lines;
mod object;
mod record;
mod rows;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use std::io::{self, BufReader, Chain, Cursor, Read};

use ayni_doc::Path;

pub use columns::Columns;
pub use export::{ExportError, Exporter};
pub use format::{Format, UnknownFormat};
pub use import::{ImportCount, ImportError, ImportOptions};
pub use record::{BadRecord, Fault, Record, RecordId};

use format::BYTE_ORDER_MARK;
use identity::Identity;
use record::Found;

/// The member of a record that holds its document's id; no field can have this name.
pub const ID: &str = "_id";
/// The field that the geometry of a feature, and of latitude and longitude columns, goes to unless another is named.
pub const GEOMETRY: &str = "location";
/// The field that the `id` of a feature goes to where its properties have an `id` of their own.
pub const FEATURE_ID: &str = "feature_id";

/// How a file is to be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// Its format; `None`: told from `file`, else from how it begins.
    pub format: Option<Format>,
    /// The file's name, if it has one.
    pub file: Option<String>,
    /// The field that makes the key of each record; `None`: the id that the file itself gives, if any.
    pub id: Option<Path>,
    /// The field that a geometry goes to; `None`: [`GEOMETRY`].
    pub geometry: Option<String>,
}

/// The input with what was looked at beforehand.
type Input<R> = BufReader<Chain<Cursor<Vec<u8>>, R>>;

/// The records of a file, one at a time.
#[derive(Debug)]
pub struct Records<R> {
    format: Format,
    source: Source<R>,
    identity: Identity,
    ended: bool,
}

#[derive(Debug)]
enum Source<R> {
    GeoJson(geojson::Reader<Input<R>>),
    JsonLines(json_lines::Reader<Input<R>>),
    Csv(csv::Reader<Input<R>>),
}

/// Reads the records of `input`.
///
/// # Errors
/// If the beginning of `input` cannot be read. Whatever fails later is a [`BadRecord`].
pub fn read<R: Read>(mut input: R, options: &ReadOptions) -> io::Result<Records<R>> {
    let mut start = Vec::new();
    (&mut input).take(limits::LOOK_BYTES).read_to_end(&mut start)?;
    if start.starts_with(BYTE_ORDER_MARK) {
        start.drain(..BYTE_ORDER_MARK.len());
    }
    let named = || options.file.as_deref().and_then(Format::of_name);
    let format = options.format.or_else(named).unwrap_or_else(|| Format::of_content(&start));
    let geometry = options.geometry.clone().unwrap_or_else(|| GEOMETRY.to_owned());
    let by_lines = geojson::is_a_feature_a_line(&start);
    let is_array = start.trim_ascii_start().first() == Some(&b'[');
    let input = BufReader::with_capacity(64 << 10, Cursor::new(start).chain(input));
    let source = match format {
        Format::GeoJson if by_lines => Source::GeoJson(geojson::Reader::of_lines(input, geometry)),
        Format::GeoJson => Source::GeoJson(geojson::Reader::of_document(input, geometry)),
        Format::JsonLines if is_array => Source::JsonLines(json_lines::Reader::of_array(input)),
        Format::JsonLines => Source::JsonLines(json_lines::Reader::of_lines(input)),
        Format::Csv => Source::Csv(csv::Reader::new(input, geometry)),
    };
    Ok(Records { format, source, identity: Identity::new(options.id.clone()), ended: false })
}

impl<R: Read> Records<R> {
    /// The format that is read.
    pub fn format(&self) -> Format {
        self.format
    }

    fn identified(&mut self, found: Found) -> Result<Record, BadRecord> {
        let Found { line, id, fields } = found;
        let id = self.identity.of(line, id, &fields)?;
        Ok(Record { line, id, fields })
    }
}

impl<R: Read> Iterator for Records<R> {
    type Item = Result<Record, BadRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let found = match &mut self.source {
            Source::GeoJson(reader) => reader.next(),
            Source::JsonLines(reader) => reader.next(),
            Source::Csv(reader) => reader.next(),
        };
        let item = found.map(|found| found.and_then(|found| self.identified(found)));
        self.ended = match &item {
            None => true,
            Some(Err(bad)) => bad.ends_reading(),
            Some(Ok(_)) => false,
        };
        item
    }
}
