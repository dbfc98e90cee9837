//! What `ayni near` and `ayni within` share: which field is meant, and how distances and directions are written.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use ayni::doc::{Geometry, Position, Value};
use ayni::query::Path;
use ayni::{Collection, Index};

use super::document;
use crate::failure::Failure;
use crate::terminal::words;

/// Documents that are looked at to find out which field has geometries.
const LOOKED_AT: usize = 1_000;

/// The field that is named; else the one that has an index of places; else the one that has geometries.
pub(super) fn field(collection: &Collection, named: Option<&str>) -> Result<Path, Failure> {
    if let Some(named) = named {
        return named.parse().map_err(|error| Failure::usage(error, "write --field location"));
    }
    let geometry = |index: Index| match index {
        Index::Geometry(field) => Some(field),
        _ => None,
    };
    let mut indexed = collection.indexes()?.into_iter().filter_map(geometry);
    if let (Some(only), None) = (indexed.next(), indexed.next()) {
        return Ok(only);
    }
    let mut found = BTreeSet::new();
    let mut looked_at = 0;
    collection.for_each(|document| {
        let fields = document.fields();
        let leaves = document::leaves(&fields).into_iter();
        found.extend(leaves.filter(|(_, value)| has_geometry(value)).map(|(name, _)| name));
        looked_at += 1;
        Ok(if looked_at == LOOKED_AT { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    let name = collection.name();
    let mut names = found.into_iter();
    match (names.next(), names.next()) {
        (Some(only), None) => only.parse().map_err(|error| Failure::usage(error, "name the field with --field")),
        (Some(first), Some(second)) => {
            let all: Vec<String> = [first, second].into_iter().chain(names).collect();
            let what = format!("several fields of {name} have places: {}", all.join(", "));
            Err(Failure::usage(what, "say which with --field"))
        }
        (None, _) => Err(Failure::new(
            format_args!("no field of {name} has places"),
            format_args!("`ayni import FILE.geojson --collection {name}` brings some, or name the field with --field"),
        )),
    }
}

fn has_geometry(value: &Value) -> bool {
    value.as_geometry().is_some()
        || value.as_list().is_some_and(|items| items.iter().any(|item| item.as_geometry().is_some()))
}

/// Metres as people read them: `850 m`, `12.4 km`.
pub(super) fn distance(metres: f64) -> String {
    match metres {
        metres if metres < 1_000.0 => format!("{metres:.0} m"),
        metres if metres < 99_950.0 => format!("{:.1} km", metres / 1e3),
        metres => format!("{} km", words::count((metres / 1e3).round() as u64)),
    }
}

/// Degrees from north, clockwise, as one of eight directions.
pub(super) fn direction(degrees: f64) -> &'static str {
    const NAMES: [&str; 8] = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"];
    let eighth = (degrees / 45.0).round() as usize % NAMES.len();
    NAMES.get(eighth).copied().unwrap_or_default()
}

/// The first place of a value: of a point the point.
pub(super) fn first_place(value: &Value) -> Option<Position> {
    let first = |geometry: &Geometry| geometry.positions().first().copied();
    match value {
        Value::Geometry(geometry) => first(geometry),
        Value::List(items) => items.iter().find_map(first_place),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_and_directions_are_written_as_people_read_them() {
        assert_eq!([0.4, 999.4, 12_345.0, 17_617_000.0].map(distance), ["0 m", "999 m", "12.3 km", "17,617 km"]);
        assert_eq!([0.0, 44.0, 180.0, 286.0, 340.0].map(direction), ["N", "NE", "S", "W", "N"]);
    }
}
