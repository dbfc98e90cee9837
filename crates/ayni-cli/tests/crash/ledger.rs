//! What was acknowledged, kept outside of the database: one growing number for each key.

use std::collections::BTreeMap;

use serde_json::Value as Json;

#[derive(Default)]
pub(crate) struct Ledger {
    acknowledged: BTreeMap<String, u64>,
    /// What was begun last: it may be there or not unless it was acknowledged.
    under_way: Option<(String, u64)>,
    last: u64,
}

impl Ledger {
    /// What to write next, under one of a few keys.
    pub(crate) fn next(&mut self, key: u64) -> (String, u64) {
        self.last += 1;
        self.under_way = Some((format!("key {key}"), self.last));
        (format!("key {key}"), self.last)
    }

    /// What was begun last has been acknowledged.
    pub(crate) fn acknowledge(&mut self) {
        self.acknowledged.extend(self.under_way.take());
    }

    /// Compares with JSON Lines of what the database shows, and takes over what turned out of what was under way.
    #[track_caller]
    pub(crate) fn compare(&mut self, lines: &str) {
        let mut shown: BTreeMap<u64, usize> = BTreeMap::new();
        for line in lines.lines() {
            let document: Json = serde_json::from_str(line).unwrap();
            *shown.entry(document["value"].as_u64().unwrap()).or_default() += 1;
        }
        if let Some((_, value)) = &self.under_way
            && shown.contains_key(value)
        {
            self.acknowledge();
        }
        self.under_way = None;
        let expected: BTreeMap<u64, usize> = self.acknowledged.values().map(|value| (*value, 1)).collect();
        assert_eq!(shown, expected, "{:?}", self.acknowledged);
    }
}
