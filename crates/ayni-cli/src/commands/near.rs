//! `ayni near`: finds documents by how far they are from a place.

use std::time::Instant;

use ayni::Document;
use ayni::doc::{Map, Position};
use ayni::query::{Area, Path, Query, direction};
use serde_json::{Value as Json, json};

use super::{document, place, query};
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::table::{Cell, Table};
use crate::terminal::{out, say};

/// Documents that are shown without having asked for more.
const SHOWN: u64 = 20;

/// Find the documents that are nearest to a place
#[derive(clap::Args)]
#[command(after_help = "\
The place is a latitude and a longitude in degrees; south and west are negative. The nearest come first: 20, unless --limit \
says otherwise. Of lines and areas the nearest point counts. The exit code is 1 if nothing is found.

Examples:
  ayni near places -13.532,-71.9675
  ayni near places -13.532,-71.9675 --km 50 --where 'population>=10000'
  ayni near wells 63.18,14.64 --metres 500 --field location --json
  ayni index add wells location --geometry   # makes it quick")]
pub(crate) struct Arguments {
    /// The collection
    collection: String,
    /// The place: latitude and longitude
    #[arg(value_name = "LAT,LON", allow_hyphen_values = true)]
    place: String,
    /// No further than this
    #[arg(long, value_name = "NUMBER", conflicts_with = "metres")]
    km: Option<f64>,
    /// No further than this
    #[arg(long, value_name = "NUMBER")]
    metres: Option<f64>,
    /// The field with the places [default: the one that has some]
    #[arg(long)]
    field: Option<String>,
    /// Only documents for which this holds, written as for `ayni query`; may be given several times
    #[arg(id = "selector", long = "where", value_name = "SELECTOR")]
    selector: Vec<String>,
    /// How many at most
    #[arg(long, value_name = "NUMBER", default_value_t = SHOWN)]
    limit: u64,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let most = arguments.metres.or(arguments.km.map(|km| km * 1e3));
    let area = area(&arguments.place, most)?;
    let selector = query::selector(&arguments.selector)?;
    let project = setting.open_project()?;
    let collection = project.collection(&arguments.collection);
    query::check_exists(&collection)?;
    let field = place::field(&collection, arguments.field.as_deref())?;
    let query = Query::new(selector).within(field.clone(), area).limit(arguments.limit.saturating_add(1));
    let start = Instant::now();
    let mut found = collection.query(&query)?;
    let took = start.elapsed();
    let more = found.len() as u64 > arguments.limit;
    found.truncate(usize::try_from(arguments.limit).unwrap_or(usize::MAX));
    let rows: Vec<Row<'_>> = found.iter().map(|document| Row::of(document, &query, &field)).collect();
    if setting.json {
        out::json(&Json::Array(rows.iter().map(Row::json).collect()))?;
    } else if rows.is_empty() {
        if arguments.limit == 0 {
            return Ok(Answer::No);
        }
        say::note(format_args!("nothing in {} lies there", collection.name()));
        let further = most.is_some() || !arguments.selector.is_empty();
        match further {
            true => say::hint("look further with --km, or with less of a condition"),
            false => say::hint(format_args!("its field {field} has no places: name another with --field")),
        }
    } else {
        print(&rows)?;
        if out::is_terminal() {
            query::found_in(rows.len(), more, "", took);
        }
    }
    Ok(Answer::from(!rows.is_empty()))
}

/// What lies round a place that is written as latitude and longitude: no further than so many metres, if any.
pub(super) fn area(place: &str, metres: Option<f64>) -> Result<Area, Failure> {
    Area::near(position(place)?, metres.unwrap_or(f64::INFINITY)).map_err(Failure::nonsense)
}

/// A latitude and a longitude with a comma between.
fn position(text: &str) -> Result<Position, Failure> {
    let remedy = "write latitude,longitude in degrees, south and west negative, as in -13.532,-71.9675";
    let degrees: Option<Vec<f64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    match degrees.as_deref() {
        Some([latitude, longitude]) if latitude.is_finite() && longitude.is_finite() => {
            Ok(Position::new(*longitude, *latitude))
        }
        _ => Err(Failure::usage(format_args!("{text:?} is no place"), remedy)),
    }
}

struct Row<'d> {
    document: &'d Document,
    fields: Map,
    metres: f64,
    degrees: Option<f64>,
}

impl<'d> Row<'d> {
    fn of(document: &'d Document, query: &Query, field: &Path) -> Self {
        let metres = query.metres_to(document).unwrap_or_default();
        let here = query.area.as_ref().and_then(|(_, area)| area.place());
        let value = document.get(field.names());
        let there = value.as_ref().and_then(place::first_place);
        let degrees = here.zip(there).filter(|_| metres > 0.0).map(|(here, there)| direction(here, there));
        Self { document, fields: document.fields(), metres, degrees }
    }

    fn json(&self) -> Json {
        let mut json = document::json(self.document.id(), &self.fields);
        if let Some(members) = json.as_object_mut() {
            members.insert("_metres".to_owned(), json!((self.metres * 10.0).round() / 10.0));
            members.insert("_direction".to_owned(), json!(self.degrees.map(f64::round)));
        }
        json
    }
}

fn print(rows: &[Row<'_>]) -> Result<(), Failure> {
    let shown: Vec<(&Document, Map)> = rows.iter().map(|row| (row.document, row.fields.clone())).collect();
    let columns = query::columns(&shown, None);
    let mut table = Table::new(&["id", ">distance", ""]);
    query::add_columns(&mut table, &columns, &shown);
    let at_terminal = out::is_terminal();
    for row in rows {
        let far = if at_terminal { place::distance(row.metres) } else { format!("{:.1}", row.metres) };
        let towards = row.degrees.map_or("", place::direction);
        let value = |column: &Vec<String>| query::cell(&row.fields, column, at_terminal);
        let start = [query::id(row.document, at_terminal), Cell::from(far).whole(), Cell::dim(towards).whole()];
        table.row(start.into_iter().chain(columns.iter().map(value)));
    }
    Ok(table.print()?)
}
