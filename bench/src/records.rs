//! Records as a field team writes them: eight fields, about 250 bytes each, the same in every run.

use serde_json::{Value, json};
use std::fmt;

const SURVEYORS: [&str; 12] =
    ["Amaru", "Chaska", "Illari", "Inti", "Killa", "Nina", "Quilla", "Rumi", "Sami", "Sisa", "Wayra", "Yaku"];

const SPECIES: [&str; 20] = [
    "Polylepis besseri",
    "Polylepis incana",
    "Buddleja coriacea",
    "Alnus acuminata",
    "Schinus molle",
    "Cantua buxifolia",
    "Puya raimondii",
    "Stipa ichu",
    "Festuca dolichophylla",
    "Lupinus mutabilis",
    "Oxalis tuberosa",
    "Ullucus tuberosus",
    "Chenopodium quinoa",
    "Vicugna vicugna",
    "Lama glama",
    "Vultur gryphus",
    "Phoenicopterus andinus",
    "Telmatobius culeus",
    "Chinchilla lanigera",
    "Leopardus jacobita",
];

const WORDS: [&str; 24] = [
    "young",
    "old",
    "dry",
    "green",
    "damaged",
    "by",
    "frost",
    "near",
    "the",
    "stream",
    "on",
    "a",
    "slope",
    "facing",
    "north",
    "beside",
    "terraces",
    "with",
    "new",
    "growth",
    "and",
    "few",
    "seedlings",
    "below",
];

/// Which indexes the records have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexes {
    /// Of the species, and of when it was seen.
    Values,
    /// These, one of the notes' words and one of the locations.
    All,
}

impl fmt::Display for Indexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Values => "2 indexes",
            Self::All => "2 indexes, words and places",
        })
    }
}

/// One observation.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Where: the plot's name, different for each record.
    pub plot: String,
    /// Who.
    pub surveyor: &'static str,
    /// What; one of twenty, so an index on it has long runs. Indexed.
    pub species: &'static str,
    /// Remarks, 50 to 70 bytes.
    pub note: String,
    /// How many.
    pub count: i64,
    /// When, in milliseconds since 1970; nearly unique and in no order. Indexed.
    pub seen_at: i64,
    /// Height in metres, with two decimals.
    pub height: f64,
    /// Longitude and latitude in degrees, with five decimals.
    pub location: [f64; 2],
}

impl Record {
    /// The record as people export it.
    pub fn to_json(&self) -> Value {
        json!({
            "plot": self.plot,
            "surveyor": self.surveyor,
            "species": self.species,
            "note": self.note,
            "count": self.count,
            "seen_at": self.seen_at,
            "height": self.height,
            "location": { "type": "Point", "coordinates": self.location },
        })
    }
}

/// The first `count` records.
pub fn records(count: usize) -> Vec<Record> {
    let mut random = Random::new(2);
    (0..count).map(|number| record(number, &mut random)).collect()
}

fn record(number: usize, random: &mut Random) -> Record {
    let mut note = String::new();
    while note.len() < 50 {
        note.push_str(random.one_of(&WORDS));
        note.push(' ');
    }
    Record {
        plot: format!("plot-{number:07}"),
        surveyor: random.one_of(&SURVEYORS),
        species: random.one_of(&SPECIES),
        note: note.trim_end().to_owned(),
        count: random.below(200) as i64,
        seen_at: 1_750_000_000_000 + random.below(40_000_000_000) as i64,
        height: random.below(3_000) as f64 / 100.0,
        location: [-72.0 + random.below(400_000) as f64 / 1e5, -17.0 + random.below(400_000) as f64 / 1e5],
    }
}

/// A generator that gives the same numbers everywhere: SplitMix64 (Steele, Lea and Flood, "Fast Splittable
/// Pseudorandom Number Generators", 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    /// `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.number() as u8)
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_the_same_in_every_run() {
        assert_eq!(records(100), records(1_000)[..100]);
        assert_eq!(records(1)[0].plot, "plot-0000000");
    }

    #[test]
    fn a_record_has_eight_fields_and_about_250_bytes() {
        let records = records(1_000);
        assert!(records.iter().all(|record| record.to_json().as_object().is_some_and(|fields| fields.len() == 8)));
        let bytes: usize = records.iter().map(|record| record.to_json().to_string().len()).sum();
        assert!((240_000..260_000).contains(&bytes), "{bytes} bytes in 1,000 records");
    }
}
