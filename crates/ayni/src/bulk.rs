//! Changing every document that a selector holds for, in commits of bounded size.

use ayni_doc::{Change, Operation, SetKind, Value};
use ayni_log::ids::DocumentId;

use crate::collection::Collection;
use crate::document::Document;
use crate::error::Error;
use crate::query::{Selector, WithId};
use crate::transaction::Transaction;

/// Documents changed in one commit, at most.
const COMMIT_DOCUMENTS: usize = 2_048;
/// Bytes of changes in one commit, about: half of what a commit can hold.
const COMMIT_BYTES: usize = 8 << 20;

/// How far changing many documents is, or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BulkProgress {
    /// Documents that the selector held for at the beginning.
    pub matched: u64,
    /// Of these, those that were looked at.
    pub done: u64,
    /// Of these, those that were changed: the others showed all of it already, or the selector no longer held for them.
    pub changed: u64,
}

impl Collection {
    /// Does operations on every document that a selector holds for. Each commit is acknowledged before the next begins, so
    /// what was done stands when it is cut off, and doing it again goes on.
    ///
    /// # Errors
    /// As [`Transaction::edit`]; what `progress` was told of stands.
    pub fn edit_where(
        &self,
        selector: &Selector,
        operations: &[Operation],
        progress: impl FnMut(BulkProgress),
    ) -> Result<BulkProgress, Error> {
        let bytes = Change::Edit(operations.to_vec()).encode()?.len();
        self.change_where(selector, bytes, progress, |tx, document| {
            let changes = operations.iter().any(|operation| !shows(document, operation));
            if changes {
                tx.edit(document, operations.to_vec())?;
            }
            Ok(changes)
        })
    }

    /// Deletes every document that a selector holds for, as [`Collection::edit_where`] changes them.
    ///
    /// # Errors
    /// If the database cannot be read or written; what `progress` was told of stands.
    pub fn delete_where(&self, selector: &Selector, progress: impl FnMut(BulkProgress)) -> Result<BulkProgress, Error> {
        self.change_where(selector, 0, progress, |tx, document| tx.delete(document).map(|()| true))
    }

    fn change_where(
        &self,
        selector: &Selector,
        bytes_of_each: usize,
        mut progress: impl FnMut(BulkProgress),
        change: impl Fn(&mut Transaction<'_, '_>, &Document) -> Result<bool, Error>,
    ) -> Result<BulkProgress, Error> {
        let mut matching: Vec<DocumentId> = Vec::new();
        self.each_match(selector, |id| matching.push(id))?;
        let mut state = BulkProgress { matched: matching.len() as u64, ..BulkProgress::default() };
        let at_once = (COMMIT_BYTES / bytes_of_each.max(1)).clamp(1, COMMIT_DOCUMENTS);
        for ids in matching.chunks(at_once) {
            let changed = self.project().write(|tx| {
                let mut changed = 0;
                for id in ids {
                    let document = tx.get(self.name(), *id)?;
                    let document = document.filter(|found| selector.matches(&WithId(*id, &found.merged)));
                    if let Some(document) = document {
                        changed += u64::from(change(tx, &document)?);
                    }
                }
                Ok(changed)
            })?;
            state.done += ids.len() as u64;
            state.changed += changed;
            progress(state);
        }
        Ok(state)
    }
}

/// Whether a document shows already what an operation would write, and nothing else beside it.
fn shows(document: &Document, operation: &Operation) -> bool {
    let path = operation.path();
    let contested = || document.conflicts().iter().any(|conflict| conflict.path == *path);
    match operation {
        Operation::Set { value, kind: SetKind::Latest, .. } => {
            let is_map = matches!(value, Value::Map(_));
            !is_map && document.get(path.names()).as_ref() == Some(value) && !contested()
        }
        Operation::Unset { .. } => document.get(path.names()).is_none() && !contested(),
        _ => false,
    }
}
