//! A collection: the documents of one kind.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use ayni_doc::Document as Merged;
use ayni_doc::encoded::as_merged;
use ayni_log::ids::{DocumentId, Hash};
use ayni_store::{CollectionRow, Snapshot, StoreError, flags};

use crate::core::documents::read;
use crate::core::indexing::{begin_index, continue_index, drop_index, keep_index};
use crate::core::inner::check_name;
use crate::document::Document;
use crate::error::Error;
use crate::index::Index;
use crate::project::Project;

/// The documents of one kind. Cheap to clone.
#[derive(Clone)]
pub struct Collection {
    pub(crate) project: Project,
    pub(crate) name: String,
}

impl Collection {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The project that it is in.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// A document; `None` if there is none with this id or it was deleted.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn get(&self, id: DocumentId) -> Result<Option<Document>, Error> {
        Ok(self.get_deleted(id)?.filter(|document| !document.is_deleted()))
    }

    /// A document, deleted or not: by editing it, it comes back.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn get_deleted(&self, id: DocumentId) -> Result<Option<Document>, Error> {
        let Some(row) = self.row()? else { return Ok(None) };
        let stored = self.project.database.inner.store.read(|snapshot| snapshot.document_by_id(row, id))?;
        let stored = stored.filter(|stored| !stored.heads.is_empty());
        stored.map(|stored| Ok(self.document(id, read(&stored.body, &stored.heads)?))).transpose()
    }

    /// The id of the document with a key, whether it is there or not.
    ///
    /// # Errors
    /// [`Error::NoKeys`] while the project is pending.
    pub fn id_of_key(&self, key: &str) -> Result<DocumentId, Error> {
        let inner = &self.project.database.inner;
        self.project.core.read(inner, |_, state| {
            let naming = state.ring.naming_key().ok_or(Error::NoKeys)?;
            Ok(naming.document(&self.name, key.as_bytes()))
        })
    }

    /// The ids of documents, deleted ones too, whose text begins like this: as many as `most`, in their order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn ids_beginning(&self, text: &str, most: usize) -> Result<Vec<DocumentId>, Error> {
        const TEXT: usize = 26;
        let (Some(row), Some(rest)) = (self.row()?, TEXT.checked_sub(text.len())) else { return Ok(Vec::new()) };
        // `a` stands for zero, so this is the least id that begins so.
        let Ok(least) = format!("{text}{}", "a".repeat(rest)).parse::<DocumentId>() else { return Ok(Vec::new()) };
        let before = u128::from_be_bytes(least.0).checked_sub(1).map(|id| DocumentId(id.to_be_bytes()));
        let text = text.to_ascii_lowercase();
        let mut found = Vec::new();
        self.project.database.inner.store.read(|snapshot| {
            snapshot.documents_by_id(row, before, |stored| {
                if found.len() == most || !stored.id.to_string().starts_with(&text) {
                    return Ok(ControlFlow::Break(()));
                }
                if !stored.heads.is_empty() {
                    found.push(stored.id);
                }
                Ok::<_, Error>(ControlFlow::Continue(()))
            })
        })?;
        Ok(found)
    }

    /// Whether anything was ever written to it, as far as this device knows.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn exists(&self) -> Result<bool, Error> {
        Ok(self.row()?.is_some())
    }

    /// Visits all documents in the order of their ids, until the visitor breaks off. They are those of one moment,
    /// whatever is written meanwhile.
    ///
    /// # Errors
    /// If the database cannot be read, and those of the visitor.
    pub fn for_each(&self, mut visit: impl FnMut(Document) -> Result<ControlFlow<()>, Error>) -> Result<(), Error> {
        let Some(row) = self.row()? else { return Ok(()) };
        self.project.database.inner.store.read(|snapshot| {
            snapshot.documents_by_id(row, None, |stored| {
                if stored.flags & flags::DELETED != 0 {
                    return Ok(ControlFlow::Continue(()));
                }
                visit(self.document(stored.id, read(stored.body, &stored.heads)?))
            })
        })
    }

    /// How many documents there are.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn len(&self) -> Result<u64, Error> {
        let Some(row) = self.row()? else { return Ok(0) };
        Ok(self.project.database.inner.store.read(|snapshot| present(snapshot, row))?)
    }

    /// Whether there are none.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.len()? == 0)
    }

    /// The documents with conflicts; those not that a conflict handler settled.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn conflicted(&self) -> Result<Vec<Document>, Error> {
        let Some(row) = self.row()? else { return Ok(Vec::new()) };
        let mut documents = Vec::new();
        self.project.database.inner.store.read(|snapshot| {
            snapshot.flagged_documents(row, flags::CONFLICTED, |stored| {
                if stored.flags & flags::DELETED == 0 {
                    documents.push(self.document(stored.id, read(stored.body, &stored.heads)?));
                }
                Ok::<_, Error>(ControlFlow::Continue(()))
            })
        })?;
        Ok(documents)
    }

    /// Makes an index, so that queries that compare or sort by its fields need not look at every document: given as what
    /// it is, or as the names of fields, `country,population`. It is this device's own; made once, it stays.
    ///
    /// It is there when this returns. Others can write meanwhile; if this is interrupted, it goes on at the next call.
    ///
    /// # Errors
    /// [`Error::Index`] for what cannot be an index, [`Error::Name`] if the collection's name is empty or too long,
    /// [`Error::NoKeys`] while the project is pending, and whatever the disk says.
    pub fn create_index<I>(&self, index: I) -> Result<(), Error>
    where
        I: TryInto<Index>,
        Error: From<I::Error>,
    {
        let index = index.try_into()?;
        check_name("the name of a collection", &self.name)?;
        let inner = &self.project.database.inner;
        self.project.core.write(inner, |tx, state| {
            let row = state.collection_named(tx, &self.name)?;
            let index = begin_index(tx, state, row, &index)?;
            keep_index(tx, state.row, index)
        })?;
        while self.project.core.write(inner, continue_index)? {}
        Ok(())
    }

    /// Drops an index of this device; gives whether there was one like it.
    ///
    /// # Errors
    /// [`Error::Index`] for what cannot be an index, [`Error::Name`] if the collection's name is empty or too long,
    /// [`Error::IndexOfSchema`] for one that all devices are to have, and whatever the disk says.
    pub fn drop_index<I>(&self, index: I) -> Result<bool, Error>
    where
        I: TryInto<Index>,
        Error: From<I::Error>,
    {
        let index = index.try_into()?;
        check_name("the name of a collection", &self.name)?;
        let inner = &self.project.database.inner;
        self.project.core.write(inner, |tx, state| {
            let row = state.collection_named(tx, &self.name)?;
            let tag = state.ring.naming_key().ok_or(Error::NoKeys)?.tag(&self.name);
            if state.schemas.get(&tag).is_some_and(|known| known.schema.indexes().contains(&index)) {
                return Err(Error::IndexOfSchema(index, self.name.clone()));
            }
            drop_index(tx, state, row, &index)
        })
    }

    /// The indexes that there are.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn indexes(&self) -> Result<Vec<Index>, Error> {
        let published = self.project.published()?;
        let row = published.collections.get(&self.name);
        let indexes = row.and_then(|row| published.indexes.get(row));
        Ok(indexes.map_or(Vec::new(), |indexes| indexes.iter().map(|known| known.index.clone()).collect()))
    }

    /// Those of the indexes that are still being made: they answer nothing yet. It goes on as long as a process has the
    /// database open.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn unfinished_indexes(&self) -> Result<Vec<Index>, Error> {
        let published = self.project.published()?;
        let indexes = published.collections.get(&self.name).and_then(|row| published.indexes.get(row));
        let unfinished = indexes.into_iter().flatten().filter(|known| !known.complete);
        Ok(unfinished.map(|known| known.index.clone()).collect())
    }

    pub(crate) fn row(&self) -> Result<Option<CollectionRow>, Error> {
        Ok(self.project.published()?.collections.get(&self.name).copied())
    }

    pub(crate) fn document(&self, id: DocumentId, merged: Merged) -> Document {
        Document { id, collection: self.name.clone(), merged }
    }
}

/// How many documents of a collection were not deleted.
pub(crate) fn present(store: &Snapshot<'_>, row: CollectionRow) -> Result<u64, StoreError> {
    Ok(store.document_count(row)?.saturating_sub(store.flagged_count(row, flags::DELETED, 0)?))
}

/// How many documents of a collection have conflicts, those not counted that were deleted.
pub(crate) fn in_conflict(store: &Snapshot<'_>, row: CollectionRow) -> Result<u64, StoreError> {
    store.flagged_count(row, flags::CONFLICTED, flags::DELETED)
}

/// A digest over all documents of some collections, deleted ones and conflicts included; what handlers made is left out.
pub(crate) fn digest(store: &Snapshot<'_>, collections: &BTreeMap<String, CollectionRow>) -> Result<Hash, Error> {
    let mut hasher = blake3::Hasher::new_derive_key("ayni v1 documents digest");
    for (name, row) in collections {
        // Read as they lie on disk, and put in order by their hashes: in the order of their ids it would cost several
        // times as much.
        let mut hashes = Vec::new();
        store.documents(*row, None, |stored| {
            if !stored.heads.is_empty() {
                let mut document = blake3::Hasher::new();
                document.update(&stored.id.0);
                document.update(&as_merged(stored.body).map_err(|_| Error::Damaged("a document"))?);
                hashes.push(*document.finalize().as_bytes());
            }
            Ok::<_, Error>(ControlFlow::Continue(()))
        })?;
        if hashes.is_empty() {
            continue;
        }
        hashes.sort_unstable();
        hasher.update(&(name.len() as u64).to_be_bytes());
        hasher.update(name.as_bytes());
        hasher.update(&(hashes.len() as u64).to_be_bytes());
        hashes.iter().for_each(|hash| {
            hasher.update(hash);
        });
    }
    Ok(Hash(*hasher.finalize().as_bytes()))
}
