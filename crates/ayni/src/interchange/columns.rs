//! The columns of a CSV file: as documents need them, as a header names them.

use std::collections::BTreeMap;

use ayni_doc::{Map, Value};

use super::cells::Type;
use super::limits::FIELDS;
use super::rows::Cell;

/// The columns that documents need: every field that any of them has, in the order of their names, with a type that
/// fits all its values.
///
/// A CSV file begins with its header, so all documents are seen before the first is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    fields: BTreeMap<String, Type>,
}

impl Columns {
    /// Makes room for the fields of a document.
    pub fn see(&mut self, fields: &Map) {
        for (name, value) in fields {
            let needed = Type::of(value);
            let known = self.fields.entry(name.clone()).or_insert(needed);
            *known = known.join(needed);
        }
    }

    /// How many fields there are; a CSV file is read back up to 4,096 columns.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether no document had a field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The columns in order: names and types. A field of points takes two.
    pub(super) fn typed(&self) -> impl Iterator<Item = (&str, Type)> {
        self.fields.iter().flat_map(|(name, kind)| {
            let second = (*kind == Type::Lat).then_some(Type::Lon);
            [Some(*kind), second].into_iter().flatten().map(|kind| (name.as_str(), kind))
        })
    }

    /// Whether the values of `fields` fit the columns.
    pub(super) fn fit(&self, fields: &Map) -> bool {
        let fits = |(name, value): (&String, &Value)| {
            self.fields.get(name).is_some_and(|known| known.join(Type::of(value)) == *known)
        };
        fields.iter().all(fits)
    }
}

/// What one column of a file gives to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    /// The id of the document.
    Id,
    /// A field of this type.
    Typed(String, Type),
    /// A field whose type is to be guessed.
    Plain(String),
}

impl Column {
    /// What the header cell names. A type follows the last colon, if it is one; white space around counts only in quotes.
    fn from_header(cell: &Cell) -> Self {
        let cell = if cell.quoted { &cell.text } else { cell.text.trim() };
        if cell == super::ID {
            return Self::Id;
        }
        match cell.rsplit_once(':').and_then(|(name, kind)| Some((name, Type::from_name(kind)?))) {
            Some((super::ID, _)) => Self::Id,
            Some((name, kind)) => Self::Typed(name.to_owned(), kind),
            None => Self::Plain(cell.to_owned()),
        }
    }

    /// The name of the field.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Id => super::ID,
            Self::Typed(name, _) | Self::Plain(name) => name,
        }
    }
}

/// The columns that a header names; points of unnamed type go to the field `geometry`. The error says what is wrong.
pub(super) fn from_header(cells: &[Cell], geometry: &str) -> Result<Vec<Column>, String> {
    if cells.len() > FIELDS {
        return Err(format!("{} columns: there can be {FIELDS} at most", cells.len()));
    }
    let mut columns: Vec<Column> = cells.iter().map(Column::from_header).collect();
    name_points(&mut columns, geometry);
    check(&columns)?;
    Ok(columns)
}

fn check(columns: &[Column]) -> Result<(), String> {
    let mut seen: BTreeMap<&str, Vec<&Column>> = BTreeMap::new();
    for (at, column) in columns.iter().enumerate() {
        if matches!(column, Column::Plain(name) if name.trim().is_empty()) {
            return Err(format!("column {} has no name: give it one, or remove it", at + 1));
        }
        seen.entry(column.name()).or_default().push(column);
    }
    match seen.into_iter().find(|(_, same)| !may_stand_together(same)) {
        Some((name, same)) if same.len() == 1 => Err(format!("{name:?} needs both `{name}:lat` and `{name}:lon`")),
        Some((name, _)) => Err(format!("two columns are named {name:?}: rename one of them")),
        None => Ok(()),
    }
}

/// Whether columns of one name make one field: one of them, or a latitude and a longitude.
fn may_stand_together(columns: &[&Column]) -> bool {
    let half = |column: &Column| match column {
        Column::Typed(_, kind @ (Type::Lat | Type::Lon)) => Some(*kind),
        _ => None,
    };
    match columns {
        [one] => half(one).is_none(),
        [one, other] => half(one).zip(half(other)).is_some_and(|(one, other)| one != other),
        _ => false,
    }
}

/// Makes a point of the two plain columns that are named as latitude and longitude, if there is exactly one of each and
/// no other column has the name of the field.
fn name_points(columns: &mut [Column], geometry: &str) {
    const LATITUDE: [&str; 2] = ["lat", "latitude"];
    const LONGITUDE: [&str; 4] = ["lon", "lng", "long", "longitude"];
    let only = |names: &[&str]| {
        let named = |column: &Column| matches!(column, Column::Plain(name) if names.iter().any(|known| name.eq_ignore_ascii_case(known)));
        let mut found = columns.iter().enumerate().filter(|(_, column)| named(column)).map(|(at, _)| at);
        found.next().filter(|_| found.next().is_none())
    };
    let (Some(lat), Some(lon)) = (only(&LATITUDE), only(&LONGITUDE)) else { return };
    if columns.iter().any(|column| column.name() == geometry) {
        return;
    }
    for (at, kind) in [(lat, Type::Lat), (lon, Type::Lon)] {
        if let Some(column) = columns.get_mut(at) {
            *column = Column::Typed(geometry.to_owned(), kind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(header: &str, expected: Result<&[(&str, Option<Type>)], &str>) {
        let cell = |text: &str| Cell { text: text.replace('"', ""), quoted: text.starts_with('"') };
        let cells: Vec<Cell> = header.split(',').map(cell).collect();
        let found = from_header(&cells, "location").map(|columns| {
            let described = |column: &Column| match column {
                Column::Typed(name, kind) => (name.clone(), Some(*kind)),
                other => (other.name().to_owned(), None),
            };
            columns.iter().map(described).collect::<Vec<_>>()
        });
        match expected {
            Ok(expected) => {
                let expected: Vec<_> = expected.iter().map(|(name, kind)| (name.to_string(), *kind)).collect();
                assert_eq!(found.as_ref(), Ok(&expected), "{header}");
            }
            Err(part) => assert!(found.as_ref().is_err_and(|error| error.contains(part)), "{header}: {found:?}"),
        }
    }

    #[test]
    fn a_type_follows_the_last_colon() {
        reads(
            "_id,a:int, b ,addr:street",
            Ok(&[("_id", None), ("a", Some(Type::Int)), ("b", None), ("addr:street", None)]),
        );
        reads("\" a:int\",\":int\"", Ok(&[(" a", Some(Type::Int)), ("", Some(Type::Int))]));
        reads("addr:street:text", Ok(&[("addr:street", Some(Type::Text))]));
    }

    #[test]
    fn latitude_and_longitude_make_a_point_if_nothing_else_claims_it() {
        let point: &[_] = &[("name", None), ("location", Some(Type::Lat)), ("location", Some(Type::Lon))];
        reads("name,LAT,lng", Ok(point));
        reads("name,lat", Ok(&[("name", None), ("lat", None)]));
        reads("lat,lon,location", Ok(&[("lat", None), ("lon", None), ("location", None)]));
        reads("lat,lon,long", Ok(&[("lat", None), ("lon", None), ("long", None)]));
        reads("home:lat,home:lon", Ok(&[("home", Some(Type::Lat)), ("home", Some(Type::Lon))]));
    }

    #[test]
    fn a_header_that_is_wrong_says_how_to_mend_it() {
        reads("a,,b", Err("column 2 has no name"));
        reads("a,a:int", Err("two columns are named \"a\""));
        reads("home:lat", Err("needs both"));
        reads("home:lat,home:lat", Err("two columns"));
        reads("_id,_id", Err("two columns"));
    }
}
