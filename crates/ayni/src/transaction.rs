//! A transaction: changes to documents that become one commit.

use std::collections::HashMap;
use std::sync::Arc;

use ayni_doc::{Change, Document as Merged, Kind, Map, Operation, Path, Value, Version, creation};
use ayni_log::header::document_id;
use ayni_log::ids::{CollectionTag, DocumentId, Hash, LogKind};
use ayni_log::tip::Tip;
use ayni_log::write::write_commit;
use ayni_store::{BranchRow, CollectionRow, EntryKey, Write, entry_key};

use crate::core::documents::{Documents, read};
use crate::core::ingest::{finish, store_own};
use crate::core::inner::{Inner, check_name};
use crate::core::pen::{About, Nib, Pen, PenError};
use crate::core::state::State;
use crate::document::Document;
use crate::error::Error;
use crate::interchange::ID;
use crate::schema::Schema;

/// Changes on their way to become one commit. Made by [`Project::write`](crate::Project::write).
///
/// What a transaction reads includes what it has written so far.
pub struct Transaction<'t, 's> {
    tx: &'t mut Write<'s>,
    state: &'t mut State,
    inner: &'t Inner,
    row: BranchRow,
    next: u64,
    drafts: Vec<Draft>,
    /// The drafts of each document that was touched, up to a number of them: made when a document is asked for.
    touched: HashMap<DocumentId, Vec<usize>>,
    touched_to: usize,
    random: Random,
}

/// What putting a document did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// There was none: it is new.
    Created,
    /// It shows something else now.
    Updated,
    /// It showed the same already: nothing was written.
    Unchanged,
}

struct Draft {
    id: DocumentId,
    about: Target,
    change: Change,
}

enum Target {
    Create { collection: String, tag: CollectionTag, random: [u8; 8] },
    Keyed { collection: String, tag: CollectionTag, id: DocumentId },
    Edit { parents: Vec<EntryKey> },
}

/// Random bytes, fetched more at a time the more are used.
struct Random {
    bytes: Vec<u8>,
    fetch: usize,
}

impl Random {
    fn next(&mut self, inner: &Inner) -> [u8; 8] {
        if self.bytes.is_empty() {
            self.bytes.resize(self.fetch, 0);
            self.fetch = (self.fetch * 8).min(1 << 12);
            inner.environment.random(&mut self.bytes);
        }
        let rest = self.bytes.len().saturating_sub(8);
        let taken = self.bytes.split_off(rest);
        taken.try_into().unwrap_or([0; 8])
    }
}

impl<'t, 's> Transaction<'t, 's> {
    pub(crate) fn begin(tx: &'t mut Write<'s>, state: &'t mut State, inner: &'t Inner) -> Result<Self, Error> {
        let row = inner.author().branch(tx, state, LogKind::Data)?;
        let next = state.branches.get(row).map_or(0, |branch| branch.tip.length());
        let (drafts, touched, touched_to) = (Vec::new(), HashMap::new(), 0);
        Ok(Self {
            tx,
            state,
            inner,
            row,
            next,
            drafts,
            touched,
            touched_to,
            random: Random { bytes: Vec::new(), fetch: 8 },
        })
    }

    /// How many changes it has so far.
    pub fn len(&self) -> usize {
        self.drafts.len()
    }

    /// Whether it has no change yet.
    pub fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }

    /// Creates a document with these fields, and the defaults of those that are not there; gives its id.
    ///
    /// # Errors
    /// [`Error::NotAMap`] unless the value is a map; [`Error::Path`] for a field name that is too long; [`Error::Reserved`]
    /// for a field `_id`; [`Error::Invalid`] if the schema of the collection says otherwise.
    pub fn create(&mut self, collection: &str, fields: impl Into<Value>) -> Result<DocumentId, Error> {
        let tag = self.tag(collection)?;
        let change = self.creation(collection, tag, fields_of(fields.into())?)?;
        let random = self.random.next(self.inner);
        let log = self.inner.author().log(self.state, LogKind::Data).id();
        let id = document_id(log, random);
        self.push(id, Target::Create { collection: collection.to_owned(), tag, random }, change);
        Ok(id)
    }

    /// Makes the document with this key show these fields: creates it, or changes what differs. The same key is the same
    /// document on every device.
    ///
    /// # Errors
    /// As [`Transaction::create`].
    pub fn put(&mut self, collection: &str, key: &str, fields: impl Into<Value>) -> Result<(DocumentId, Put), Error> {
        let fields = fields_of(fields.into())?;
        let tag = self.tag(collection)?;
        let id = self.id_of_key(collection, key)?;
        if let Some(put) = self.put_existing(collection, id, &fields)? {
            return Ok((id, put));
        }
        let change = self.creation(collection, tag, fields)?;
        self.push(id, Target::Keyed { collection: collection.to_owned(), tag, id }, change);
        Ok((id, Put::Created))
    }

    /// Makes the document with this id show these fields, changing only what differs; `None` if there is none, nor ever was.
    ///
    /// # Errors
    /// As [`Transaction::create`].
    pub fn put_existing(&mut self, collection: &str, id: DocumentId, fields: &Map) -> Result<Option<Put>, Error> {
        check_fields(fields)?;
        let tag = self.tag(collection)?;
        let current = self.current(tag, id)?.filter(|current| !current.heads().is_empty());
        let Some(current) = current else { return Ok(None) };
        let operations = self.differences(collection, tag, &current, fields)?;
        if operations.is_empty() && current.is_present() {
            return Ok(Some(Put::Unchanged));
        }
        let parents = current.heads().iter().map(|key| key.0).collect();
        self.push(id, Target::Edit { parents }, Change::Edit(operations));
        Ok(Some(Put::Updated))
    }

    /// Makes a document show these fields, changing only what differs from what `document` showed when it was read.
    ///
    /// # Errors
    /// As [`Transaction::create`].
    pub fn replace(&mut self, document: &Document, fields: impl Into<Value>) -> Result<(), Error> {
        let (tag, fields) = (self.tag(&document.collection)?, fields_of(fields.into())?);
        let operations = self.differences(&document.collection, tag, &document.merged, &fields)?;
        if operations.is_empty() && document.merged.is_present() {
            return Ok(());
        }
        self.change(document, Change::Edit(operations))
    }

    /// Does operations on a document. They have seen exactly what `document` showed when it was read: what came since is
    /// not overwritten but becomes a conflict. What is set to a field to which the schema gives the kind `first`, `min` or
    /// `max` is set in that kind. What a conflict handler made of the document is written down with them.
    ///
    /// # Errors
    /// [`Error::NoDocument`] for one that was never written; [`Error::Reserved`] for writing to a field `_id`;
    /// [`Error::Invalid`] if it would then break a rule of the schema that it does not break now.
    pub fn edit(&mut self, document: &Document, mut operations: Vec<Operation>) -> Result<(), Error> {
        // What a program that does not know this rule wrote there can be taken away.
        let writes = |operation: &&Operation| !matches!(operation, Operation::Unset { .. });
        if operations.iter().filter(writes).any(|operation| is_reserved(operation.path())) {
            return Err(Error::Reserved);
        }
        let tag = self.tag(&document.collection)?;
        let schema = self.schema(tag);
        if let Some(schema) = &schema {
            schema.give_kinds(&mut operations);
        }
        let operations = written_down(&document.merged, schema.as_deref(), operations)?;
        if let Some(schema) = schema {
            let mut after = document.merged.clone();
            after.advance(self.version(0, after.heads().to_vec(), Change::Edit(operations.clone())));
            schema.check_edit(&document.collection, &document.merged.shown(), &after.shown())?;
        }
        self.change(document, Change::Edit(operations))
    }

    /// Deletes a document. Who edits it meanwhile without having seen that keeps it.
    ///
    /// # Errors
    /// [`Error::NoDocument`] for one that was never written.
    pub fn delete(&mut self, document: &Document) -> Result<(), Error> {
        self.change(document, Change::Delete)
    }

    /// A document as it is now, in this transaction; `None` if there is none or it was deleted.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn get(&mut self, collection: &str, id: DocumentId) -> Result<Option<Document>, Error> {
        let tag = self.tag(collection)?;
        let current = self.current(tag, id)?.filter(Merged::is_present);
        Ok(current.map(|merged| Document { id, collection: collection.to_owned(), merged }))
    }

    /// The id of the document with a key, whether it is there or not.
    ///
    /// # Errors
    /// [`Error::NoKeys`] while the project is pending.
    pub fn id_of_key(&self, collection: &str, key: &str) -> Result<DocumentId, Error> {
        let naming = self.state.ring.naming_key().ok_or(Error::NoKeys)?;
        Ok(naming.document(collection, key.as_bytes()))
    }

    fn change(&mut self, document: &Document, change: Change) -> Result<(), Error> {
        let parents: Vec<EntryKey> = document.merged.heads().iter().map(|key| key.0).collect();
        if parents.is_empty() {
            return Err(Error::NoDocument { collection: document.collection.clone(), id: document.id });
        }
        self.push(document.id, Target::Edit { parents }, change);
        Ok(())
    }

    fn creation(&self, collection: &str, tag: CollectionTag, mut fields: Map) -> Result<Change, Error> {
        if let Some(schema) = self.schema(tag) {
            schema.prepare(collection, &mut fields)?;
            if schema.has_merge_kinds() {
                return Ok(Change::Edit(schema.creation(&fields)?));
            }
        }
        let before = self.drafts.last().map(|draft| &draft.change);
        let before =
            before.map_or(&[][..], |change| if let Change::Edit(operations) = change { operations } else { &[] });
        Ok(Change::Edit(creation(fields, before)?))
    }

    /// The operations that make a document show these fields.
    fn differences(
        &self,
        collection: &str,
        tag: CollectionTag,
        document: &Merged,
        fields: &Map,
    ) -> Result<Vec<Operation>, Error> {
        let shown = document.shown();
        let Some(schema) = self.schema(tag) else { return Ok(document.edit_to(fields, &|_: &[&str]| Kind::Latest)?) };
        schema.check_edit(collection, &shown, fields)?;
        schema.edit(document, fields)
    }

    fn schema(&self, tag: CollectionTag) -> Option<Arc<Schema>> {
        self.state.schemas.get(&tag).map(|known| known.schema.clone())
    }

    /// The version that a draft will be, the drafts before it having been seen.
    fn version(&self, draft: u64, parents: Vec<ayni_doc::EntryKey>, change: Change) -> Version {
        Version {
            key: ayni_doc::EntryKey(entry_key(self.row, self.next + draft)),
            hash: Hash([0; 32]),
            time: self.inner.environment.now(),
            author: self.inner.secret.id(),
            parents,
            change: Some(change),
        }
    }

    fn push(&mut self, id: DocumentId, about: Target, change: Change) {
        self.drafts.push(Draft { id, about, change });
    }

    fn tag(&self, collection: &str) -> Result<CollectionTag, Error> {
        check_name("the name of a collection", collection)?;
        Ok(self.state.ring.naming_key().ok_or(Error::NoKeys)?.tag(collection))
    }

    /// The document as it is stored, with the drafts of this transaction on top.
    fn current(&mut self, tag: CollectionTag, id: DocumentId) -> Result<Option<Merged>, Error> {
        for (index, draft) in self.drafts.iter().enumerate().skip(self.touched_to) {
            self.touched.entry(draft.id).or_default().push(index);
        }
        self.touched_to = self.drafts.len();
        let row: Option<CollectionRow> = self.state.collections.get(&tag).map(|known| known.row);
        let stored = match row {
            Some(row) => self.tx.document_by_id(row, id)?,
            None => None,
        };
        let mut merged = match &stored {
            Some(stored) => read(&stored.body, &stored.heads)?,
            None => Merged::default(),
        };
        let drafts = self.touched.get(&id).map_or(&[][..], Vec::as_slice);
        if stored.is_none() && drafts.is_empty() {
            return Ok(None);
        }
        for index in drafts {
            let Some(draft) = self.drafts.get(*index) else { continue };
            // Drafts of one transaction are written one after the other, each having seen what was before it.
            let version = self.version(*index as u64, merged.heads().to_vec(), draft.change.clone());
            merged.advance(version);
        }
        Ok(Some(merged))
    }

    pub(crate) fn commit(self) -> Result<(), Error> {
        if self.drafts.is_empty() {
            return Ok(());
        }
        let Self { tx, state, inner, row, drafts, .. } = self;
        tracing::debug!(log = row.0, entries = drafts.len(), "writes a commit");
        let (nib, heads) = nib(state, row)?;
        let key = nib.key.clone();
        let time = inner.environment.now();
        let written = {
            let shapes = std::mem::take(&mut state.own_shapes);
            let mut pen = Pen::new(&state.branches, tx, row, nib, shapes, &heads, drafts.len()).map_err(pen_error)?;
            for draft in &drafts {
                pen.write(&about(&draft.about), &draft.change, time).map_err(pen_error)?;
            }
            pen.finish()
        };
        state.own_shapes = written.shapes;
        let tip: &Tip = state.branches.get(row).map(|branch| &branch.tip).ok_or(Error::Damaged("this device's log"))?;
        let (segments, tip) = write_commit(tip, &inner.secret, Some(&key), written.drafts)?;
        let changes = drafts.into_iter().map(|draft| draft.change).collect();
        let mut documents = Documents::default();
        store_own(tx, state, &mut documents, row, &segments, tip, changes)?;
        finish(tx, state, &mut documents)
    }
}

/// Operations on a document, after those that write down what a conflict handler made of it.
fn written_down(
    document: &Merged,
    schema: Option<&Schema>,
    operations: Vec<Operation>,
) -> Result<Vec<Operation>, Error> {
    let kind = |names: &[&str]| schema.map_or(Kind::Latest, |schema| schema.merge_kind(names));
    let mut written = document.write_down(&kind)?;
    // What is written anew need not be written before.
    let sets = |other: &Operation, path: &Path| {
        let whole = matches!(other, Operation::Set { .. } | Operation::Unset { .. });
        whole && path.names().starts_with(other.path().names())
    };
    written.retain(|one| !operations.iter().any(|other| sets(other, one.path())));
    written.extend(operations);
    Ok(written)
}

/// The key to write with, and the control heads to anchor.
#[expect(clippy::type_complexity, reason = "control heads are written so everywhere")]
fn nib(state: &mut State, row: BranchRow) -> Result<(Nib, Vec<(ayni_log::ids::LogId, u64, Hash)>), Error> {
    let epochs = state.view.epoch_heads();
    let tip = state.branches.get(row).map(|branch| branch.tip.clone()).ok_or(Error::Damaged("this device's log"))?;
    let nib = match tip.key_set_number(&epochs) {
        Some(number) => Nib { key: state.log_key(row, number).ok_or(Error::NoKeys)?, number, declare: None },
        None => {
            let key = state.ring.set_key(&epochs).ok_or(Error::NoKeys)?.for_log(tip.id());
            Nib { key: key.into(), number: tip.key_sets() + 1, declare: Some(epochs) }
        }
    };
    Ok((nib, state.view.heads()))
}

fn about(target: &Target) -> About<'_> {
    match target {
        Target::Create { collection, tag, random } => About::Create { collection, tag: *tag, random: *random },
        Target::Keyed { collection, tag, id } => About::Keyed { collection, tag: *tag, id: *id },
        Target::Edit { parents } => About::Edit { parents },
    }
}

fn pen_error(error: PenError) -> Error {
    match error {
        PenError::Change(error) => error.into(),
        PenError::Store(error) => error.into(),
        PenError::NoParent => Error::Damaged("the branch of a document's last change"),
        PenError::Forked => Error::Forked,
    }
}

/// Whether a path begins with the name under which files, queries and JSON have a document's id.
pub(crate) fn is_reserved(path: &Path) -> bool {
    path.names().first().is_some_and(|name| name.as_ref() == ID)
}

fn check_fields(fields: &Map) -> Result<(), Error> {
    if fields.contains_key(ID) { Err(Error::Reserved) } else { Ok(()) }
}

fn fields_of(value: Value) -> Result<Map, Error> {
    match value {
        Value::Map(fields) => check_fields(&fields).map(|()| fields),
        Value::Null => Err(Error::NotAMap("nothing")),
        Value::Bool(_) => Err(Error::NotAMap("true or false")),
        Value::Int(_) | Value::Float(_) => Err(Error::NotAMap("a number")),
        Value::Text(_) => Err(Error::NotAMap("text")),
        Value::List(_) => Err(Error::NotAMap("a list")),
        _ => Err(Error::NotAMap("a single value")),
    }
}
