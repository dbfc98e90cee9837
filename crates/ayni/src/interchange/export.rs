//! Documents written for others to read, one at a time.

use std::io::{self, Write};

use ayni_doc::{Map, Value};
use ayni_log::ids::DocumentId;
use serde_json::Value as Json;
use serde_json::map::Map as Members;

use super::cells::Type;
use super::columns::Columns;
use super::{Format, GEOMETRY, ID};

/// Writes documents in one of the formats. What it wrote, [`read`](super::read) reads back: see `docs/interchange.md`.
#[derive(Debug)]
pub struct Exporter<W> {
    out: W,
    shape: Shape,
    written: u64,
}

/// What a file of each format looks like.
#[derive(Debug)]
enum Shape {
    JsonLines,
    GeoJson { geometry: String },
    Csv { columns: Columns },
}

/// Why a document was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The file failed.
    #[error("the export cannot be written: {0}")]
    Io(#[from] io::Error),
    /// A field has the name that stands for the document's id.
    #[error(
        "document {0} has a field `{ID}`, which stands for its id in files: take it away with `ayni edit COLLECTION {0} --unset {ID}`"
    )]
    Reserved(DocumentId),
    /// A field that the columns were not made for.
    #[error(
        "document {0} has fields or types that the CSV header lacks: all documents must be seen before the first is written"
    )]
    Unseen(DocumentId),
}

impl<W: Write> Exporter<W> {
    /// An object a line.
    pub fn json_lines(out: W) -> Self {
        Self { out, shape: Shape::JsonLines, written: 0 }
    }

    /// One feature collection. The geometry in the field that is named, [`GEOMETRY`] for `None`, becomes that of the feature.
    pub fn geojson(out: W, geometry: Option<String>) -> Self {
        let geometry = geometry.unwrap_or_else(|| GEOMETRY.to_owned());
        Self { out, shape: Shape::GeoJson { geometry }, written: 0 }
    }

    /// A row for each document, under a header of `columns`, which must have seen all of them.
    pub fn csv(out: W, columns: Columns) -> Self {
        Self { out, shape: Shape::Csv { columns }, written: 0 }
    }

    /// The format that is written.
    pub fn format(&self) -> Format {
        match self.shape {
            Shape::JsonLines => Format::JsonLines,
            Shape::GeoJson { .. } => Format::GeoJson,
            Shape::Csv { .. } => Format::Csv,
        }
    }

    /// How many documents were written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Writes one document.
    pub fn write(&mut self, id: &DocumentId, fields: &Map) -> Result<(), ExportError> {
        if fields.contains_key(ID) {
            return Err(ExportError::Reserved(*id));
        }
        if self.written == 0 {
            self.begin()?;
        }
        match &self.shape {
            Shape::JsonLines => {
                serde_json::to_writer(&mut self.out, &line(id, fields)).map_err(io::Error::from)?;
                self.out.write_all(b"\n")?;
            }
            Shape::GeoJson { geometry } => {
                self.out.write_all(if self.written == 0 { b"\n" } else { b",\n" })?;
                serde_json::to_writer(&mut self.out, &feature(id, fields, geometry)).map_err(io::Error::from)?;
            }
            Shape::Csv { columns } if columns.fit(fields) => write_row(&mut self.out, row(id, fields, columns))?,
            Shape::Csv { .. } => return Err(ExportError::Unseen(*id)),
        }
        self.written += 1;
        Ok(())
    }

    /// Writes what ends the file, flushes it and gives it back.
    pub fn finish(mut self) -> io::Result<W> {
        if self.written == 0 {
            self.begin()?;
        }
        if let Shape::GeoJson { .. } = self.shape {
            self.out.write_all(b"\n]}\n")?;
        }
        self.out.flush()?;
        Ok(self.out)
    }

    fn begin(&mut self) -> io::Result<()> {
        match &self.shape {
            Shape::JsonLines => Ok(()),
            Shape::GeoJson { .. } => self.out.write_all(b"{\"type\":\"FeatureCollection\",\"features\":["),
            Shape::Csv { columns } => {
                let names = columns.typed().map(|(name, kind)| Some(format!("{name}:{}", kind.name())));
                write_row(&mut self.out, std::iter::once(Some(ID.to_owned())).chain(names))
            }
        }
    }
}

fn members(fields: &Map) -> impl Iterator<Item = (String, Json)> {
    fields.iter().map(|(name, value)| (name.clone(), value.to_json()))
}

fn line(id: &DocumentId, fields: &Map) -> Json {
    let id = (ID.to_owned(), Json::String(id.to_string()));
    Json::Object(std::iter::once(id).chain(members(fields)).collect())
}

fn feature(id: &DocumentId, fields: &Map, geometry: &str) -> Json {
    let shape = fields.get(geometry).filter(|value| matches!(value, Value::Geometry(_)));
    let mut properties: Members<String, Json> = members(fields).collect();
    if shape.is_some() {
        properties.shift_remove(geometry);
    }
    let feature = [
        ("type", Json::from("Feature")),
        ("id", Json::String(id.to_string())),
        ("geometry", shape.map_or(Json::Null, Value::to_json)),
        ("properties", Json::Object(properties)),
    ];
    Json::Object(feature.into_iter().map(|(name, json)| (name.to_owned(), json)).collect())
}

/// The cells of a document; `None` for a field that it lacks.
fn row(id: &DocumentId, fields: &Map, columns: &Columns) -> impl Iterator<Item = Option<String>> {
    let cell = |(name, kind): (&str, Type)| fields.get(name).map(|value| kind.write(value));
    std::iter::once(Some(id.to_string())).chain(columns.typed().map(cell))
}

fn write_row(out: &mut impl Write, cells: impl Iterator<Item = Option<String>>) -> io::Result<()> {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        match cell {
            None => {}
            Some(text) if wants_quotes(&text) => write!(out, "\"{}\"", text.replace('"', "\"\""))?,
            Some(text) => out.write_all(text.as_bytes())?,
        }
    }
    out.write_all(b"\r\n")
}

/// Whether a cell would be read otherwise, by this or other programs, if it stood without quotes.
fn wants_quotes(text: &str) -> bool {
    text.is_empty() || text.trim().len() < text.len() || text.contains([',', ';', '\t', '"', '\r', '\n'])
}
