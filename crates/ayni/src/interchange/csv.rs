//! CSV (RFC 4180) with a header; types as the header names them, or as the first records suggest.

use std::collections::{BTreeMap, VecDeque};
use std::io::BufRead;

use ayni_doc::{Geometry, Map, Position, Value};

use super::cells::{Type, guess, is_on_earth, join_guess};
use super::columns::{Column, from_header};
use super::limits::{SAMPLE_BYTES, SAMPLE_RECORDS};
use super::object;
use super::record::{BadRecord, Fault, Found, RecordId, shortened};
use super::rows::{Cell, Numbered, Rows};

/// Reads records.
#[derive(Debug)]
pub(super) struct Reader<R> {
    rows: Rows<R>,
    geometry: String,
    /// Known once the header and the sample were read.
    columns: Option<Vec<Sure>>,
    /// Rows that were read to guess from.
    sample: VecDeque<Numbered>,
}

/// A column whose type is known.
#[derive(Debug, Clone)]
enum Sure {
    Id,
    Field {
        name: String,
        kind: Type,
        /// Whether the header said so: then `""` can be a value.
        typed: bool,
    },
}

impl<R: BufRead> Reader<R> {
    /// Reads `input`; points in columns without a type go to the field `geometry`.
    pub(super) fn new(input: R, geometry: String) -> Self {
        Self { rows: Rows::new(input), geometry, columns: None, sample: VecDeque::new() }
    }

    /// The next record; `None` at the end.
    pub(super) fn next(&mut self) -> Option<Result<Found, BadRecord>> {
        if self.columns.is_none() {
            match self.begin() {
                Ok(Some(columns)) => self.columns = Some(columns),
                Ok(None) => return None,
                Err(bad) => return Some(Err(bad)),
            }
        }
        let columns = self.columns.as_deref()?;
        let row = match self.sample.pop_front() {
            Some(row) => Ok(Some(row)),
            None => self.rows.next(),
        };
        match row {
            Ok(Some((line, Ok(cells)))) => Some(record(columns, &cells, line)),
            Ok(Some((line, Err(fault)))) => Some(Err(fault.on(line))),
            Ok(None) => None,
            Err(error) => Some(Err(Fault::from(error).on(self.rows.line_number()))),
        }
    }

    /// Reads the header and what is needed to guess the types that it does not name.
    fn begin(&mut self) -> Result<Option<Vec<Sure>>, BadRecord> {
        let Some((line, header)) = self.row()? else { return Ok(None) };
        let header = header.map_err(|fault| Fault::Header(fault.to_string()).on(line))?;
        let columns = from_header(&header, &self.geometry).map_err(|error| Fault::Header(error).on(line))?;
        if columns.iter().any(|column| matches!(column, Column::Plain(_))) {
            self.take_sample()?;
        }
        let sure = columns.into_iter().enumerate().map(|(at, column)| match column {
            Column::Id => Sure::Id,
            Column::Typed(name, kind) => Sure::Field { name, kind, typed: true },
            Column::Plain(name) => Sure::Field { name, kind: self.guessed(at), typed: false },
        });
        Ok(Some(sure.collect()))
    }

    fn row(&mut self) -> Result<Option<Numbered>, BadRecord> {
        self.rows.next().map_err(|error| Fault::from(error).on(self.rows.line_number()))
    }

    fn take_sample(&mut self) -> Result<(), BadRecord> {
        let mut bytes = 0usize;
        while self.sample.len() < SAMPLE_RECORDS && bytes < SAMPLE_BYTES {
            let Some(row) = self.row()? else { break };
            let size = |cells: &Vec<Cell>| cells.iter().map(|cell| cell.text.len() + size_of::<Cell>()).sum::<usize>();
            bytes = bytes.saturating_add(row.1.as_ref().map_or(0, size));
            self.sample.push_back(row);
        }
        Ok(())
    }

    /// The narrowest type that fits all cells of a column in the sample; text if there are none.
    fn guessed(&self, column: usize) -> Type {
        let rows = self.sample.iter().filter_map(|(_, row)| row.as_ref().ok());
        let cells = rows.filter_map(|cells| cells.get(column)).filter(|cell| !cell.text.trim().is_empty());
        cells.map(|cell| guess(&cell.text)).reduce(join_guess).unwrap_or(Type::Text)
    }
}

fn record(columns: &[Sure], cells: &[Cell], line: u64) -> Result<Found, BadRecord> {
    if columns.len() != cells.len() {
        return Err(Fault::Cells { expected: columns.len(), found: cells.len() }.on(line));
    }
    let (mut id, mut fields, mut points) = (None, Map::new(), Points::default());
    for (column, cell) in columns.iter().zip(cells) {
        match column {
            Sure::Id => id = (!cell.text.is_empty()).then(|| RecordId::from_text(&cell.text)),
            Sure::Field { kind, typed, .. } if is_absent(cell, *kind, *typed) => {}
            Sure::Field { name, kind, .. } => {
                let value = value(name, *kind, &cell.text).map_err(|fault| fault.at(line, shortened(name)))?;
                match (kind, value.as_number()) {
                    (Type::Lat, Some(degrees)) => points.entry(name).or_default().0 = Some(degrees),
                    (Type::Lon, Some(degrees)) => points.entry(name).or_default().1 = Some(degrees),
                    _ => drop(fields.insert(name.clone(), value)),
                }
            }
        }
    }
    for (name, (lat, lon)) in points {
        let point = point(lat, lon).map_err(|fault| fault.at(line, shortened(name)))?;
        fields.insert(name.to_owned(), point);
    }
    Ok(Found { line, id, fields })
}

/// Latitudes and longitudes by field.
type Points<'a> = BTreeMap<&'a str, (Option<f64>, Option<f64>)>;

/// Whether a cell says that the record lacks the field. In a column that is headed `:text` or `:bytes`, `""` is an empty value.
fn is_absent(cell: &Cell, kind: Type, typed: bool) -> bool {
    let can_be_empty = typed && matches!(kind, Type::Text | Type::Bytes);
    if can_be_empty { cell.text.is_empty() && !cell.quoted } else { cell.text.trim().is_empty() }
}

/// The value of a cell that is not empty.
fn value(name: &str, kind: Type, text: &str) -> Result<Value, Fault> {
    let wrong = || Fault::Cell { text: shortened(text), kind: kind.described(), name: name.to_owned() };
    let value = kind.read(text).ok_or_else(wrong)?;
    object::check(name, &value)?;
    Ok(value)
}

fn point(lat: Option<f64>, lon: Option<f64>) -> Result<Value, Fault> {
    let wrong = |what: &str| Err(Fault::Coordinates(what.to_owned()));
    match (lat, lon) {
        (Some(y), Some(x)) if is_on_earth(x, y) => Ok(Geometry::Point(Position::new(x, y)).into()),
        (Some(y), Some(x)) if is_on_earth(y, x) => {
            wrong("no latitude is beyond 90 degrees: are latitude and longitude exchanged?")
        }
        (Some(_), Some(_)) => wrong(
            "latitudes go from -90 to 90, longitudes from -180 to 180: convert the coordinates to degrees (WGS 84)",
        ),
        (Some(_), None) => wrong("a latitude without a longitude: fill in both, or neither"),
        _ => wrong("a longitude without a latitude: fill in both, or neither"),
    }
}
