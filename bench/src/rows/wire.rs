//! Bytes for each place of the demo's data.

use crate::row::Row;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;

pub(super) fn measure() -> Result<Vec<Row>> {
    Ok(vec![export()?])
}

/// The demo's places, one JSON object for each.
pub(super) fn places() -> Result<Vec<Value>> {
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
            |place: &Value| place["location"]["coordinates"].as_array().is_some_and(|c| c.iter().all(Value::is_f64));
        assert!(places.iter().all(floats));
        let ids: std::collections::HashSet<_> = places.iter().map(|place| place["geonameid"].as_i64()).collect();
        assert_eq!(ids.len(), places.len());
        Ok(())
    }
}
