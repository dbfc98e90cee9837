//! Which format a file is in: by its name, or by how it begins.

use std::fmt;
use std::str::FromStr;

/// A format that records are read from and written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// GeoJSON (RFC 7946): a feature collection, single features, or a feature a line.
    GeoJson,
    /// A JSON object a line; a JSON array of objects is read too.
    JsonLines,
    /// Comma-separated values (RFC 4180) under a header.
    Csv,
}

/// A name that is none of the formats'.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a format: choose geojson, jsonl or csv")]
pub struct UnknownFormat(String);

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::GeoJson, Self::JsonLines, Self::Csv];

    /// Its name on the command line, and its usual extension.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GeoJson => "geojson",
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
        }
    }

    /// The format that a file's name tells, if it does. `.json` may be two of them: there the content decides.
    pub fn of_name(file: &str) -> Option<Self> {
        let (_, extension) = file.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "geojson" | "geojsonl" | "geojsons" | "geojsonseq" | "ndgeojson" => Some(Self::GeoJson),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "csv" | "tsv" => Some(Self::Csv),
            _ => None,
        }
    }

    /// The format that the first bytes of a file tell: an object with a GeoJSON type near its start is GeoJSON, any
    /// other object and any array is JSON, and everything else CSV.
    pub fn of_content(start: &[u8]) -> Self {
        let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
        let start = start.trim_ascii_start();
        match start.first() {
            Some(0x1e) => Self::GeoJson,
            Some(b'[') => Self::JsonLines,
            Some(b'{') if names_geojson(start) => Self::GeoJson,
            Some(b'{') => Self::JsonLines,
            _ => Self::Csv,
        }
    }
}

/// What some programs put before UTF-8 text.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whether `"type": "Feature"` or `"FeatureCollection"` stands in `text`, with whatever white space.
fn names_geojson(text: &[u8]) -> bool {
    text.windows(6).enumerate().filter(|(_, window)| window == b"\"type\"").any(|(at, _)| {
        let rest = text.get(at + 6..).unwrap_or_default().trim_ascii_start();
        let value = rest.strip_prefix(b":").unwrap_or_default().trim_ascii_start();
        value.starts_with(b"\"FeatureCollection\"") || value.starts_with(b"\"Feature\"")
    })
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        let found = Self::ALL.into_iter().find(|format| format.name() == text);
        found.ok_or_else(|| UnknownFormat(text.chars().take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_format_whatever_its_case() {
        assert_eq!(Format::of_name("a.b/Places.GeoJSON"), Some(Format::GeoJson));
        assert_eq!(Format::of_name("places.ndjson"), Some(Format::JsonLines));
        assert_eq!(Format::of_name("places.tsv"), Some(Format::Csv));
        assert_eq!(Format::of_name("places.json"), None);
        assert_eq!(Format::of_name("-"), None);
    }

    #[test]
    fn content_tells_the_format() {
        let cases: [(&str, Format); 7] = [
            ("{ \"type\" :\n\"FeatureCollection\", \"features\": []}", Format::GeoJson),
            ("{\"type\":\"Feature\",\"geometry\":null}", Format::GeoJson),
            ("{\"type\":\"house\",\"rooms\":3}", Format::JsonLines),
            ("\u{feff}[{\"name\":\"Lima\"}]", Format::JsonLines),
            ("name,population\n", Format::Csv),
            ("\"name\"\n", Format::Csv),
            ("", Format::Csv),
        ];
        for (text, format) in cases {
            assert_eq!(Format::of_content(text.as_bytes()), format, "{text}");
        }
    }
}
