//! How often each action and each fault happened.

use std::collections::BTreeMap;
use std::fmt;

/// Counts by name. Names that stand in [`crate::action::EXPECTED`] must all be counted over a suite.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census(BTreeMap<&'static str, u64>);

impl Census {
    /// It happened once more.
    pub fn count(&mut self, name: &'static str) {
        self.add(name, 1);
    }

    /// It happened so often.
    pub fn add(&mut self, name: &'static str, times: u64) {
        *self.0.entry(name).or_default() += times;
    }

    /// How often it happened.
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Takes in the counts of another run.
    pub fn join(&mut self, other: &Self) {
        for (name, times) in &other.0 {
            self.add(name, *times);
        }
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, times) in &self.0 {
            writeln!(f, "{times:>9}  {name}")?;
        }
        Ok(())
    }
}
