//! Anchoring: how a log's next header says which control entries its author has seen.

use std::collections::BTreeSet;

use crate::header::{Anchor, Declaration};
use crate::tip::{Anchored, Tip};

use super::view::ControlView;

impl ControlView {
    /// The anchors that the next entry of a branch declares so that its author has seen [`heads`](ControlView::heads); none
    /// when it said so before. For a control log, heads of that log itself are what it continues and are left out.
    pub fn anchors(&self, tip: &Tip) -> Vec<Declaration> {
        let mut next = tip.anchors().map(|(number, _)| number).max().unwrap_or_default();
        let mut anchors = Vec::new();
        let mut advanced = BTreeSet::new();
        for (log, position, hash) in self.heads() {
            if log == tip.id() || tip.anchors().any(|(_, anchored)| anchored.hash == hash) {
                continue;
            }
            // A number goes on along its branch; the other side of a fork takes a number of its own.
            let continues = |number: &u32, seen: &Anchored| {
                seen.log == log && !advanced.contains(number) && self.is_on_branch(&seen.hash, &hash)
            };
            let known = tip.anchors().find(|(number, seen)| continues(number, seen));
            let anchor = match known {
                Some((number, _)) => {
                    advanced.insert(number);
                    Anchor { number, log: None, position, hash }
                }
                None => {
                    next += 1;
                    Anchor { number: next, log: Some(log), position, hash }
                }
            };
            anchors.push(Declaration::Anchor(anchor));
        }
        anchors
    }
}
