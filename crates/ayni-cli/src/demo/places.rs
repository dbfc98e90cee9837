//! The places of the world that the demo shows: the file in `data/`, compressed as it stands in the program.

use std::io;

/// What must be said wherever the data is used.
pub(super) const ATTRIBUTION: &str = "Places: GeoNames (geonames.org), licensed under CC BY 4.0";
/// The field that tells places apart.
pub(super) const KEY: &str = "geonameid";

const COMPRESSED: &[u8] = include_bytes!("../../data/places.jsonl.zst");

/// The places as JSON Lines: all, or every tenth and those whose numbers are in `always`.
pub(super) fn json_lines(tenth: bool, always: &[&str]) -> io::Result<Vec<u8>> {
    let all = zstd::decode_all(COMPRESSED)?;
    if !tenth {
        return Ok(all);
    }
    let wanted: Vec<String> = always.iter().map(|number| format!("{{\"{KEY}\":{number},")).collect();
    let mut some = Vec::with_capacity(all.len() / 10);
    for (at, line) in all.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if at % 10 == 0 || wanted.iter().any(|start| line.starts_with(start.as_bytes())) {
            some.extend_from_slice(line);
        }
    }
    Ok(some)
}

/// How many places there are in JSON Lines.
pub(super) fn count(json_lines: &[u8]) -> u64 {
    json_lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count() as u64
}
