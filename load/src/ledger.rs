//! The ledger: what devices have acknowledged, kept outside of them, and so what must be there in the end.
//!
//! Each field that is edited belongs to one device, which edits it with growing numbers; a document that is deleted was made, and
//! is touched, by one device only. So of everything there is one value that must be there, or those of edits that a kill took the
//! answer from.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::orders::Change;

/// What is to be expected of one document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Its creation was acknowledged.
    created: bool,
    /// Its deletion was ordered.
    doomed: bool,
    /// Its deletion was acknowledged.
    deleted: bool,
    /// Its fields.
    fields: BTreeMap<String, Field>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Field {
    acknowledged: Option<i64>,
    /// Ordered after that, and never answered.
    perhaps: Vec<i64>,
}

impl Expected {
    /// What is wrong with a document, in words; `shown` gives what it shows of a field.
    pub fn compare(&self, key: &str, is_there: bool, shown: impl Fn(&str) -> Option<i64>) -> Vec<String> {
        match is_there {
            false if self.created && !self.doomed => return vec![format!("{key} is not here")],
            false => return Vec::new(),
            true if self.deleted => return vec![format!("{key} is here, and was deleted")],
            true => {}
        }
        let mut wrong = Vec::new();
        for (name, field) in &self.fields {
            let value = shown(name);
            let perhaps = value.is_some_and(|value| field.perhaps.contains(&value));
            if value != field.acknowledged && !perhaps {
                wrong.push(format!("{key} shows {value:?} in {name}, not {:?}", field.acknowledged));
            }
        }
        wrong
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger(BTreeMap<String, Expected>);

impl Ledger {
    /// Notes what was ordered, before it is. Records that stand in no ledger were written before it began.
    pub fn ordered(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Create { key } => drop(self.0.entry(key.clone()).or_default()),
                Change::Edit { key, field, value } => self.field(key, field).perhaps.push(*value),
                Change::Delete { key } => self.0.entry(key.clone()).or_default().doomed = true,
            }
        }
    }

    /// Notes what was answered: which of them were done, and are durable.
    pub fn answered(&mut self, changes: &[Change], done: &[bool]) {
        for (change, done) in changes.iter().zip(done) {
            match change {
                Change::Create { key } => self.0.entry(key.clone()).or_default().created |= done,
                Change::Edit { key, field, value } => {
                    let field = self.field(key, field);
                    if *done {
                        *field = Field { acknowledged: Some(*value), perhaps: Vec::new() };
                    } else {
                        field.perhaps.retain(|perhaps| perhaps != value);
                    }
                }
                Change::Delete { key } => self.0.entry(key.clone()).or_default().deleted |= done,
            }
        }
    }

    /// Documents that were made, acknowledged, and may be edited by anyone.
    pub fn documents(&self) -> usize {
        self.0.values().filter(|expected| expected.created && !expected.deleted).count()
    }

    /// Writes it to a file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string(&self.0)?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    fn field(&mut self, key: &str, field: &str) -> &mut Field {
        self.0.entry(key.to_owned()).or_default().fields.entry(field.to_owned()).or_default()
    }
}

/// Reads what [`Ledger::write`] wrote.
///
/// # Errors
/// When it is not there, or something else.
pub fn read(file: &Path) -> Result<BTreeMap<String, Expected>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(serde_json::from_str(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(value: i64) -> Vec<Change> {
        vec![Change::Edit { key: "a".into(), field: "of-1".into(), value }]
    }

    fn wrong(ledger: &Ledger, is_there: bool, shown: Option<i64>) -> usize {
        ledger.0["a"].compare("a", is_there, |_| shown).len()
    }

    #[test]
    fn what_was_acknowledged_must_be_there_and_what_was_cut_off_may() {
        let mut ledger = Ledger::default();
        let create = [Change::Create { key: "a".into() }];
        ledger.ordered(&create);
        assert_eq!(wrong(&ledger, false, None), 0, "nobody has answered");
        ledger.answered(&create, &[true]);
        assert_eq!(wrong(&ledger, false, None), 1);
        ledger.ordered(&edit(1));
        ledger.answered(&edit(1), &[true]);
        ledger.ordered(&edit(2));
        assert_eq!([Some(1), Some(2), None, Some(3)].map(|shown| wrong(&ledger, true, shown)), [0, 0, 1, 1]);
        ledger.ordered(&edit(3));
        ledger.answered(&edit(3), &[true]);
        assert_eq!([Some(1), Some(2), Some(3)].map(|shown| wrong(&ledger, true, shown)), [1, 1, 0]);
    }

    #[test]
    fn what_was_deleted_must_be_gone_and_what_was_cut_off_may() {
        let mut ledger = Ledger::default();
        let (create, delete) = ([Change::Create { key: "a".into() }], [Change::Delete { key: "a".into() }]);
        ledger.ordered(&create);
        ledger.answered(&create, &[true]);
        ledger.ordered(&delete);
        assert_eq!([true, false].map(|there| wrong(&ledger, there, None)), [0, 0]);
        ledger.answered(&delete, &[true]);
        assert_eq!([true, false].map(|there| wrong(&ledger, there, None)), [1, 0]);
    }

    #[test]
    fn a_change_that_could_not_be_done_is_not_expected() {
        let mut ledger = Ledger::default();
        ledger.ordered(&edit(1));
        ledger.answered(&edit(1), &[false]);
        assert_eq!([Some(1), None].map(|shown| wrong(&ledger, true, shown)), [1, 0]);
    }
}
