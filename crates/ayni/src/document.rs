//! A document as it was read: what it shows, what is in conflict, and which version it is.

use ayni_doc::{Conflict, Document as Merged, Map, Value};
use ayni_log::ids::DocumentId;

use crate::handler::HandlerId;

/// A document as it was when it was read. It carries the version that was read, so that an edit through it never silently
/// replaces what came since.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub(crate) id: DocumentId,
    pub(crate) collection: String,
    pub(crate) merged: Merged,
}

impl Document {
    /// Its id, the same on every device.
    pub fn id(&self) -> DocumentId {
        self.id
    }

    /// The collection that it is in.
    pub fn collection(&self) -> &str {
        &self.collection
    }

    /// Its fields and what they show.
    pub fn fields(&self) -> Map {
        self.merged.shown()
    }

    /// What a field shows, by the names that lead to it.
    pub fn get<S: AsRef<str>>(&self, path: &[S]) -> Option<Value> {
        self.merged.get(path)
    }

    /// The fields for which devices wrote different values without having seen each other's: none where a conflict handler
    /// settled them.
    pub fn conflicts(&self) -> Vec<Conflict> {
        self.merged.conflicts()
    }

    /// The conflict handler that made what is shown ([`ConflictHandler`](crate::ConflictHandler)): this device shows so until
    /// somebody edits the document, and that edit writes it down for everyone.
    pub fn handled_by(&self) -> Option<HandlerId> {
        let handled = self.merged.handled()?;
        Some(HandlerId { name: handled.name.clone(), version: handled.version })
    }

    /// The conflicts that the conflict handler settled, as devices without it show them.
    pub fn handled_conflicts(&self) -> Vec<Conflict> {
        self.merged.handled().map_or_else(Vec::new, |_| self.merged.merged_conflicts())
    }

    /// Whether there are any.
    pub fn has_conflicts(&self) -> bool {
        self.merged.has_conflicts()
    }

    /// Whether it was deleted.
    pub fn is_deleted(&self) -> bool {
        !self.merged.is_present()
    }

    /// What it shows, as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        self.merged.to_json()
    }
}
