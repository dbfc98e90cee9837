//! Handling: where conflict handlers are asked, and what becomes of their answers.
//!
//! The row of a document keeps what was merged, and beside it what a handler made of it; that is what is shown, and what
//! stands in indexes. Whoever writes a document with a conflict asks the handler that the schema names, if this process has it. If
//! not, the conflict stays, and is *due*: a process that has the handler goes through what is due when it opens the database,
//! when it learns of a schema, and when another process has committed something. Due too is what was made under another schema.

use std::ops::ControlFlow;

use ayni_doc::{Document, Handled, Version};
use ayni_log::ids::DocumentId;
use ayni_store::{CollectionRow, DocumentRow, Snapshot, Write, flags};

use crate::core::documents::{Documents, read};
use crate::core::effects::versions_of;
use crate::core::folding::fold;
use crate::core::inner::Inner;
use crate::core::project::ProjectCore;
use crate::core::schemas::KnownSchema;
use crate::core::state::State;
use crate::error::Error;
use crate::handler::ConflictHandler;

/// Due documents that are gone through in one transaction.
const PIECE: usize = 256;

impl State {
    /// Lets a document show what the handler of its collection makes of its conflicts, if it has some and this process has the
    /// handler.
    pub(crate) fn handle(
        &mut self,
        store: &Snapshot<'_>,
        collection: CollectionRow,
        id: DocumentId,
        document: &mut Document,
    ) -> Result<(), Error> {
        if self.asked(collection, document).is_some() {
            let versions = versions_of(store, self, document.heads().iter().map(|head| head.0))?;
            self.handle_versions(collection, id, document, &versions);
        }
        Ok(())
    }

    /// The same for a document that was merged of these versions.
    pub(crate) fn handle_versions(
        &self,
        collection: CollectionRow,
        id: DocumentId,
        document: &mut Document,
        versions: &[Version],
    ) {
        let Some((handler, known)) = self.asked(collection, document) else { return };
        match fold(versions, handler, known) {
            Ok(fields) => {
                let which = handler.id();
                document.show_handled(Handled::new(&which.name, which.version, known.basis, fields));
            }
            Err(why) => {
                let (handler, collection) = (handler.id(), &known.collection);
                tracing::warn!(%handler, collection, document = %id, %why, "a conflict handler made nothing: the conflict is shown");
                self.handlers.note_no_answer(known.basis, document.heads());
            }
        }
    }

    /// The handler that is to be asked about a document, if any is.
    fn asked(&self, collection: CollectionRow, document: &Document) -> Option<(&ConflictHandler, &KnownSchema)> {
        if !document.has_conflicts() || !document.is_present() {
            return None;
        }
        self.handler_of(collection).filter(|(_, known)| !self.handlers.had_no_answer(known.basis, document.heads()))
    }

    /// The handler that the schema of a collection names, if this process has it.
    fn handler_of(&self, collection: CollectionRow) -> Option<(&ConflictHandler, &KnownSchema)> {
        if self.handlers.is_empty() {
            return None;
        }
        let known = self.schema_of(collection)?;
        Some((self.handlers.get(known.schema.conflict_handler()?)?, known))
    }

    fn schema_of(&self, collection: CollectionRow) -> Option<&KnownSchema> {
        let (tag, _) = self.collections.iter().find(|(_, known)| known.row == collection)?;
        self.schemas.get(tag)
    }

    /// Whether a stored document shows something else than it would if it were written now.
    fn is_due(&self, collection: CollectionRow, document: &Document) -> bool {
        if !document.is_present() {
            return false;
        }
        let (handler, named) = (self.handler_of(collection), self.schema_of(collection));
        let named = named.and_then(|known| known.schema.conflict_handler());
        match (document.handled(), handler) {
            (Some(handled), Some((_, known))) => handled.basis != known.basis,
            // Who has not got the handler leaves what it made, as long as it is the one.
            (Some(handled), None) => named.is_none_or(|id| (&id.name, id.version) != (&handled.name, handled.version)),
            (None, Some((_, known))) => {
                document.has_conflicts() && !self.handlers.had_no_answer(known.basis, document.heads())
            }
            (None, None) => false,
        }
    }
}

/// Goes through a piece of the documents that are due, those there are where none are named; gives the rest.
pub(crate) fn handle_due(inner: &Inner, core: &ProjectCore, rows: Vec<DocumentRow>) -> Result<Vec<DocumentRow>, Error> {
    // Who has nothing to write must not seem to have written: other processes would look again, and so on for ever.
    let mut piece = if rows.is_empty() { core.read(inner, |store, state| due(store, state))? } else { rows };
    if piece.is_empty() {
        return Ok(piece);
    }
    let rest = piece.split_off(piece.len().min(PIECE));
    core.write(inner, |tx, state| go_through(tx, state, &piece))?;
    Ok(rest)
}

/// The documents of a project that are due.
fn due(store: &Snapshot<'_>, state: &State) -> Result<Vec<DocumentRow>, Error> {
    let mut found = Vec::new();
    for collection in state.collections.values().map(|known| known.row) {
        let conflicted = if state.handler_of(collection).is_some() { flags::CONFLICTED } else { 0 };
        store.flagged_documents(collection, flags::HANDLED | conflicted, |stored| {
            let deleted = stored.flags & flags::DELETED != 0;
            if !deleted && state.is_due(collection, &read(stored.body, &stored.heads)?) {
                found.push(stored.row);
            }
            Ok::<_, Error>(ControlFlow::Continue(()))
        })?;
    }
    Ok(found)
}

/// Lets documents that were due show what they would if they were written now.
fn go_through(tx: &mut Write<'_>, state: &mut State, rows: &[DocumentRow]) -> Result<(), Error> {
    let mut documents = Documents::default();
    let mut changed = false;
    for row in rows {
        // Meanwhile others may have gone through it, or made all documents anew.
        let Some(stored) = tx.document(*row)? else { continue };
        if state.is_due(stored.collection, &read(&stored.body, &stored.heads)?) {
            documents.get(tx, &state.indexes, *row)?.show_conflict();
            changed = true;
        }
    }
    if changed {
        tx.note_remade()?;
    }
    documents.flush(tx, state)
}
