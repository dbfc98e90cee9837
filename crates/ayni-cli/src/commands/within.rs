//! `ayni within`: finds documents that lie in a box or a shape.

use std::path::Path as File;
use std::time::Instant;

use ayni::Document;
use ayni::doc::{Geometry, Map};
use ayni::query::{Area, Query};
use serde_json::Value as Json;

use super::{document, place, query};
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::{out, say, words};

/// Documents that a person is shown without having asked for more.
const ROWS: u64 = 100;
/// Bytes of a file with a shape at most.
const FILE_BYTES: u64 = 64 << 20;

/// Find the documents that lie in a box, or in the shape of a GeoJSON file
#[derive(clap::Args)]
#[command(after_help = "\
A box is west, south, east and north in degrees; south and west are negative. Where its west is greater than its east it crosses \
the date line. What lies partly inside is found too. The exit code is 1 if nothing is found.

Examples:
  ayni within places -73,-14,-71,-13
  ayni within places 170,-20,-170,-10 --where 'population>=1000'
  ayni within wells parish.geojson --sort depth:desc --limit 10
  ayni index add wells location --geometry   # makes it quick")]
pub(crate) struct Arguments {
    /// The collection
    collection: String,
    /// The box: west,south,east,north; or a file with a geometry, a feature or several
    #[arg(value_name = "BOX|FILE", allow_hyphen_values = true)]
    area: String,
    /// The field with the places [default: the one that has some]
    #[arg(long)]
    field: Option<String>,
    /// Only documents for which this holds, written as for `ayni query`; may be given several times
    #[arg(id = "selector", long = "where", value_name = "SELECTOR")]
    selector: Vec<String>,
    /// In what order: fields, each perhaps with :desc
    #[arg(long, value_name = "FIELDS")]
    sort: Option<String>,
    /// How many at most
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u64>,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let area = area(&arguments.area)?;
    let selector = query::selector(&arguments.selector)?;
    let sort = query::sort(arguments.sort.as_deref())?;
    let project = setting.open_project()?;
    let collection = project.collection(&arguments.collection);
    query::check_exists(&collection)?;
    let field = place::field(&collection, arguments.field.as_deref())?;
    let at_terminal = out::is_terminal() && !setting.json;
    let mut query = Query::new(selector).within(field, area).sort(sort);
    query.limit = arguments.limit.or(at_terminal.then_some(ROWS + 1));
    let start = Instant::now();
    let mut found = collection.query(&query)?;
    let took = start.elapsed();
    let more = arguments.limit.is_none() && at_terminal && found.len() as u64 > ROWS;
    found.truncate(if more { ROWS as usize } else { found.len() });
    if setting.json {
        let all: Vec<Json> = found.iter().map(|found| document::json(found.id(), &found.fields())).collect();
        out::json(&Json::Array(all))?;
        return Ok(Answer::from(!found.is_empty()));
    }
    if arguments.limit == Some(0) {
        return Ok(Answer::No);
    }
    if found.is_empty() {
        say::note(format_args!("nothing in {} lies there", collection.name()));
        say::hint("a box is west,south,east,north; `ayni near` finds what is nearest to a place");
        return Ok(Answer::No);
    }
    let rows: Vec<(&Document, Map)> = found.iter().map(|document| (document, document.fields())).collect();
    query::print(&rows, None)?;
    if at_terminal {
        query::found_in(found.len(), more, "", took);
    }
    Ok(Answer::Yes)
}

/// The area that is written, or stands in a file.
pub(super) fn area(text: &str) -> Result<Area, Failure> {
    let numbers = text.split(',').all(|part| part.trim().parse::<f64>().is_ok());
    if numbers {
        return text.parse::<Area>().map_err(Failure::nonsense);
    }
    let path = File::new(text);
    let size = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::usage(
            format_args!("{text:?} is neither a box nor a file"),
            "write west,south,east,north in degrees, as in -73,-14,-71,-13, or the name of a GeoJSON file",
        ),
        _ => Failure::file(path, &error),
    })?;
    if size.len() > FILE_BYTES {
        let what =
            format!("{text} has {}, and a shape can have {}", words::bytes(size.len()), words::bytes(FILE_BYTES));
        return Err(Failure::new(what, "make the shape simpler"));
    }
    let content = std::fs::read(path).map_err(|error| Failure::file(path, &error))?;
    let remedy = "give a file with a GeoJSON geometry, feature or feature collection";
    let json: Json = serde_json::from_slice(&content)
        .map_err(|error| Failure::new(format_args!("{text} is not JSON: {error}"), remedy))?;
    let geometry = geometry(&json).ok_or_else(|| Failure::new(format_args!("{text} has no shape"), remedy))?;
    Area::shape(&geometry).map_err(Failure::told)
}

/// The geometry of a GeoJSON object: of a collection of features those of all.
fn geometry(json: &Json) -> Option<Geometry> {
    match json.get("type")?.as_str()? {
        "FeatureCollection" => {
            let features = json.get("features")?.as_array()?;
            features
                .iter()
                .filter(|feature| !feature["geometry"].is_null())
                .map(geometry)
                .collect::<Option<Vec<_>>>()
                .map(Geometry::Collection)
        }
        "Feature" => geometry(json.get("geometry")?),
        "GeometryCollection" => json
            .get("geometries")?
            .as_array()?
            .iter()
            .map(geometry)
            .collect::<Option<Vec<_>>>()
            .map(Geometry::Collection),
        kind => {
            // Members beside these, such as `bbox`, say nothing of the shape.
            Geometry::from_json(&serde_json::json!({ "type": kind, "coordinates": json.get("coordinates")? }))
        }
    }
}
