//! Bytes for each place of the demo's data.

use super::Bench;
use crate::devices::{Device, level, pair};
use crate::plain::TRANSACTION;
use crate::records::Indexes;
use crate::row::{Row, Target};
use anyhow::{Context, Result, ensure};
use ayni::doc::Value;
use serde_json::Value as Json;
use std::io::{BufRead, BufReader};
use std::path::Path;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let export = export()?;
    let (wire, disk) = ayni(bench)?;
    let wire = wire.beside(&export).wants(Target::RatioAtMost(0.8));
    let disk = disk.beside(&export);
    Ok(vec![export, wire, disk])
}

/// The demo's places from one device to another: bytes of the conversation, and of the other's folder, for each.
fn ayni(bench: &Bench) -> Result<(Row, Row)> {
    let [one, other] = pair(&bench.file("wire-one"), &bench.file("wire-other"), Indexes::Values)?;
    let (here, there) = (one.project()?, other.project()?);
    let places = places()?;
    for places in places.chunks(TRANSACTION) {
        here.write(|tx| {
            for place in places {
                let key = place["geonameid"].to_string();
                let fields = Value::from_json(place).map_err(|error| ayni::Error::Query(error.to_string()))?;
                tx.put("places", &key, fields)?;
            }
            Ok(())
        })?;
    }
    there.collection("places").create_index("country")?;
    there.collection("places").create_index("population")?;
    let pipe = level(&one, &other)?;
    let each = |bytes: u64| bytes as f64 / places.len() as f64;
    let wire = Row::ayni("a place on the wire, its key in it", each(pipe.bytes), "bytes");
    drop((pipe, there));
    let folder = other.folder.clone();
    drop(other);
    Ok((wire, Row::ayni("a place on the other device's disk, 2 indexes", each(Device::disk(&folder)?), "bytes")))
}

/// The demo's places, one JSON object for each.
pub(super) fn places() -> Result<Vec<Json>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/ayni-cli/data/places.jsonl.zst");
    let packed = std::fs::File::open(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines = BufReader::new(zstd::Decoder::new(packed)?).lines();
    lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

/// What a person would send otherwise: each place as a line of JSON.
fn export() -> Result<Row> {
    let places = places()?;
    ensure!(!places.is_empty(), "the demo's data is empty");
    let bytes: usize = places.iter().map(|place| place.to_string().len() + 1).sum();
    Ok(Row::baseline("a place exported as JSON", bytes as f64 / places.len() as f64, "bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demos_data_is_what_its_readme_says() -> Result<()> {
        let places = places()?;
        assert_eq!(places.len(), 135_233);
        let fields = ["geonameid", "name", "country", "population", "location"];
        assert!(places.iter().all(|place| place.as_object().is_some_and(|object| object.keys().eq(fields))));
        let floats =
            |place: &Json| place["location"]["coordinates"].as_array().is_some_and(|c| c.iter().all(Json::is_f64));
        assert!(places.iter().all(floats));
        let ids: std::collections::HashSet<_> = places.iter().map(|place| place["geonameid"].as_i64()).collect();
        assert_eq!(ids.len(), places.len());
        Ok(())
    }
}
