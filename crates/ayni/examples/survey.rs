//! A survey of wells: a schema that says what a well is, numbers that add up, places, and a file for other programs.
//!
//!     cargo run -p ayni --example survey

use std::error::Error;
use std::io::{Write, stdout};
use std::path::Path;

use ayni::doc::{Geometry, Map, Operation, Position, Value};
use ayni::interchange::Exporter;
use ayni::query::Query;
use ayni::schema::Schema;
use ayni::{Database, Options};

const WELLS: &str = r#"{
    "properties": {
        "name": {"type": "string", "maxLength": 60},
        "kind": {"enum": ["well", "spring"], "default": "well"},
        "depth": {"type": "number", "minimum": 0},
        "visits": {"type": "integer", "merge": "counter", "default": 0},
        "location": {"type": "geometry"}
    },
    "required": ["name", "location"],
    "indexes": [["kind", "depth"]]
}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    run(folder.path(), &mut stdout())
}

/// Maps three wells, counts a visit, and exports them.
pub(crate) fn run(folder: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let database = Database::create(&folder.join("survey"), "Tablet", Options::new(folder.join("keys")))?;
    let (project, _words) = database.create_project("Water of the valley")?;
    let wells = project.collection("wells");
    wells.propose_schema(&WELLS.parse::<Schema>()?)?;

    let well = |name: &str, depth: f64, x: f64, y: f64| {
        let location = Value::from(Geometry::Point(Position::new(x, y)));
        Map::from([("name".into(), name.into()), ("depth".into(), Value::Float(depth)), ("location".into(), location)])
    };
    project.write(|tx| {
        tx.put("wells", "inca", well("Inca", 12.5, -71.97, -13.52))?;
        tx.put("wells", "qori", well("Qori", 30.0, -71.95, -13.55))?;
        tx.put("wells", "sara", well("Sara", 4.0, -72.01, -13.50))
    })?;

    // What is no well is refused, and says why.
    let refused = project.write(|tx| tx.create("wells", Map::from([("kind".into(), "lake".into())])));
    if let Err(error) = refused {
        writeln!(out, "refused: {error}")?;
    }

    // Two devices that count visits apart add up.
    let qori = wells.get(wells.id_of_key("qori")?)?.ok_or("it was put")?;
    project.write(|tx| tx.edit(&qori, vec![Operation::add("visits", 1)]))?;

    let deepest = Query::new("kind=well depth>5".parse()?).sort("depth:desc".parse()?);
    for well in wells.query(&deepest)? {
        writeln!(out, "{}", well.to_json())?;
    }

    let mut exporter = Exporter::geojson(Vec::new(), None);
    for well in wells.query(&Query::default())? {
        exporter.write(&well.id(), &well.fields())?;
    }
    let file = exporter.finish()?;
    writeln!(out, "{} bytes of GeoJSON", file.len())?;
    Ok(())
}
