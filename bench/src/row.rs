//! One line of the result: a figure, the baseline's figure beside it, and what was wanted of it.

use serde_json::{Value, json};
use std::fmt;

/// Whose work a row measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The same work done by what Ayni stands on.
    Baseline,
    /// Ayni's own.
    Ayni,
}

/// What is wanted of a figure, or of its ratio to the baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// The figure is at least this.
    AtLeast(f64),
    /// The figure is at most this.
    AtMost(f64),
    /// The figure is at least this many times the baseline's.
    RatioAtLeast(f64),
    /// The figure is at most this many times the baseline's.
    RatioAtMost(f64),
    /// The figure is at most this more than the baseline's, in the figure's unit.
    AddsAtMost(f64),
}

/// One measured figure.
#[derive(Clone, Debug)]
pub struct Row {
    /// The work, as the table calls it.
    pub name: String,
    /// Whose work it was.
    pub kind: Kind,
    /// What was measured, in `unit`.
    pub figure: f64,
    /// The unit of the figure and of the baseline.
    pub unit: &'static str,
    /// The baseline's figure for the same work.
    pub baseline: Option<f64>,
    /// All of these are wanted.
    pub targets: Vec<Target>,
}

impl Row {
    /// A baseline's figure.
    pub fn baseline(name: impl Into<String>, figure: f64, unit: &'static str) -> Self {
        Self { name: name.into(), kind: Kind::Baseline, figure, unit, baseline: None, targets: Vec::new() }
    }

    /// A figure of Ayni's.
    pub fn ayni(name: impl Into<String>, figure: f64, unit: &'static str) -> Self {
        Self { kind: Kind::Ayni, ..Self::baseline(name, figure, unit) }
    }

    /// Puts a baseline of the same unit beside the figure.
    ///
    /// # Panics
    /// When the units differ: such a ratio would mean nothing.
    #[must_use]
    pub fn beside(mut self, baseline: &Row) -> Self {
        assert_eq!(self.unit, baseline.unit, "'{}' and '{}' have different units", self.name, baseline.name);
        self.baseline = Some(baseline.figure);
        self
    }

    /// Adds what is wanted.
    #[must_use]
    pub fn wants(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// How many times the baseline's figure this one is.
    pub fn ratio(&self) -> Option<f64> {
        self.baseline.filter(|baseline| *baseline != 0.0).map(|baseline| self.figure / baseline)
    }

    /// Whether the figure is as wanted; `None` where nothing is.
    pub fn ok(&self) -> Option<bool> {
        let holds = |target: &Target| match *target {
            Target::AtLeast(least) => self.figure >= least,
            Target::AtMost(most) => self.figure <= most,
            Target::RatioAtLeast(least) => self.ratio().is_some_and(|ratio| ratio >= least),
            Target::RatioAtMost(most) => self.ratio().is_some_and(|ratio| ratio <= most),
            Target::AddsAtMost(most) => self.baseline.is_some_and(|baseline| self.figure - baseline <= most),
        };
        (!self.targets.is_empty()).then(|| self.targets.iter().all(holds))
    }

    /// What is wanted, in words; empty where nothing is.
    pub fn target(&self) -> String {
        let words: Vec<String> = self.targets.iter().map(Target::to_string).collect();
        words.join(", ")
    }

    /// The row for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "kind": match self.kind { Kind::Baseline => "baseline", Kind::Ayni => "ayni" },
            "figure": self.figure,
            "unit": self.unit,
            "baseline": self.baseline,
            "ratio": self.ratio(),
            "target": (!self.targets.is_empty()).then(|| self.target()),
            "ok": self.ok(),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "≥ {least}"),
            Self::AtMost(most) => write!(f, "≤ {most}"),
            Self::RatioAtLeast(least) => write!(f, "≥ {least} ×"),
            Self::RatioAtMost(most) => write!(f, "≤ {most} ×"),
            Self::AddsAtMost(most) => write!(f, "adds ≤ {most}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_ok_only_when_all_that_is_wanted_holds() {
        let plain = Row::baseline("insert", 100.0, "records/s");
        let row = |figure| Row::ayni("create", figure, "records/s").beside(&plain).wants(Target::RatioAtLeast(0.5));
        assert_eq!(row(50.0).ok(), Some(true));
        assert_eq!(row(49.0).ok(), Some(false));
        assert_eq!(row(50.0).wants(Target::AtLeast(60.0)).ok(), Some(false));
        assert_eq!(plain.ok(), None);
    }

    #[test]
    fn what_a_figure_adds_is_its_difference_to_the_baseline() {
        let plain = Row::baseline("put", 3.0, "ms");
        let row = |figure| Row::ayni("live", figure, "ms").beside(&plain).wants(Target::AddsAtMost(1.0));
        assert_eq!([row(4.0).ok(), row(2.0).ok(), row(4.5).ok()], [Some(true), Some(true), Some(false)]);
        assert_eq!(Row::ayni("live", 0.5, "ms").wants(Target::AddsAtMost(1.0)).ok(), Some(false));
    }

    #[test]
    fn a_ratio_that_cannot_be_had_is_not_ok() {
        assert_eq!(Row::ayni("create", 1.0, "records/s").wants(Target::RatioAtLeast(0.5)).ok(), Some(false));
    }

    #[test]
    fn programs_get_every_part_of_a_row() {
        let plain = Row::baseline("fsyncs", 4.0, "ms");
        let row = Row::ayni("live", 6.0, "ms").beside(&plain).wants(Target::RatioAtMost(3.0)).to_json();
        assert_eq!(
            row.to_string(),
            r#"{"name":"live","kind":"ayni","figure":6.0,"unit":"ms","baseline":4.0,"ratio":1.5,"target":"≤ 3 ×","ok":true}"#
        );
    }
}
