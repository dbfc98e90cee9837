//! The past: a whole collection as it was at a moment.

use std::ops::ControlFlow;

use ayni_doc::Document as Merged;
use ayni_log::ids::DocumentId;
use ayni_store::{CollectionRow, DocumentRef, Snapshot};

use crate::collection::Collection;
use crate::core::documents::read;
use crate::core::past::{Then, as_of};
use crate::core::state::State;
use crate::document::Document;
use crate::error::Error;
use crate::query::{Explanation, Found, Query, Selector, WithId};

/// A collection as it was at a moment, as far as this device holds it now and by the times that the authors claim. Made by
/// [`Collection::as_of`]. Devices that hold the same give the same answers.
#[derive(Clone)]
pub struct Past {
    collection: Collection,
    moment: i64,
}

/// A document that is visited.
enum Visited<'a> {
    /// It was as it is now.
    AsNow(&'a DocumentRef<'a>),
    /// It was this; it may have been deleted.
    Was(DocumentId, Merged),
    /// It was not there yet.
    Absent,
}

impl Collection {
    /// The collection as it was at a moment: milliseconds since 1970 (UTC). Each document is made of the versions whose
    /// claimed time is at or before the moment, and all of whose ancestors are among them; so a clock that was wrong shows
    /// no effect without its cause.
    ///
    /// ```
    /// # use ayni::doc::{Map, Operation, Value};
    /// # use ayni::query::Query;
    /// # let temporary = tempfile::tempdir()?;
    /// # let folder = temporary.path();
    /// # let options = ayni::Options::new(folder.join("keys"));
    /// # let database = ayni::Database::create(&folder.join("database"), "Ana's laptop", options)?;
    /// # let (project, _) = database.create_project("Mapa")?;
    /// let id = project.write(|tx| tx.create("places", Map::from([("people".into(), Value::Int(1))])))?;
    /// let places = project.collection("places");
    /// let then = places.history(id)?[0].time;
    /// # std::thread::sleep(std::time::Duration::from_millis(5));
    /// let read = places.get(id)?.ok_or("it is there")?;
    /// project.write(|tx| tx.edit(&read, vec![Operation::set("people", Value::Int(2))]))?;
    /// let query = Query::new("people=1".parse()?);
    /// assert_eq!((places.query(&query)?.len(), places.as_of(then).query(&query)?.len()), (0, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn as_of(&self, moment: i64) -> Past {
        Past { collection: self.clone(), moment }
    }
}

impl Past {
    /// The moment: milliseconds since 1970 (UTC).
    pub fn moment(&self) -> i64 {
        self.moment
    }

    /// A document as it was; `None` if it was not there yet, or was deleted. An edit of this handle is one by somebody who has
    /// seen nothing since; [`Collection::restore_to`] brings back what it shows.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn get(&self, id: DocumentId) -> Result<Option<Document>, Error> {
        let Some(row) = self.collection.row()? else { return Ok(None) };
        let project = &self.collection.project;
        let merged = project.core.read(&project.database.inner, |snapshot, state| {
            let Some(stored) = snapshot.document_by_id(row, id)? else { return Ok(None) };
            Ok(match as_of(snapshot, state, (row, id), &stored.heads, self.moment)? {
                Then::AsNow => Some(read(&stored.body, &stored.heads)?),
                Then::Was(merged) => Some(merged),
                Then::Absent => None,
            })
        })?;
        Ok(merged.filter(Merged::is_present).map(|merged| self.collection.document(id, merged)))
    }

    /// Visits all documents in the order of their ids, until the visitor breaks off.
    ///
    /// # Errors
    /// If the database cannot be read, and those of the visitor.
    pub fn for_each(&self, mut visit: impl FnMut(Document) -> Result<ControlFlow<()>, Error>) -> Result<(), Error> {
        let Some(row) = self.collection.row()? else { return Ok(()) };
        self.read(|snapshot, state| {
            snapshot.documents_by_id(row, None, |stored| {
                let (id, merged) = match self.visited(snapshot, state, row, &stored)? {
                    Visited::AsNow(stored) => (stored.id, read(stored.body, &stored.heads)?),
                    Visited::Was(id, merged) => (id, merged),
                    Visited::Absent => return Ok(ControlFlow::Continue(())),
                };
                match merged.is_present() {
                    true => visit(self.collection.document(id, merged)),
                    false => Ok(ControlFlow::Continue(())),
                }
            })
        })
    }

    /// The documents that a query asks for, in its order, as [`Collection::query`] gives them. Indexes are of what is shown
    /// now, so all documents are looked at; those that were changed since are merged from their versions of then. Documents with
    /// words that are asked for come in the order of their ids, unless a sort is given.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn query(&self, query: &Query) -> Result<Vec<Document>, Error> {
        Ok(self.answer(query)?.0)
    }

    /// Answers a query and says what it cost.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn explain(&self, query: &Query) -> Result<Explanation, Error> {
        Ok(self.answer(query)?.1)
    }

    /// How many documents a selector held for.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn count(&self, selector: &Selector) -> Result<u64, Error> {
        let mut count = 0;
        self.for_all(|visited| {
            count += u64::from(match visited {
                Visited::AsNow(stored) => selector.holds_for_stored(stored),
                Visited::Was(id, merged) => merged.is_present() && selector.matches(&WithId(id, &merged)),
                Visited::Absent => false,
            });
            Ok(())
        })?;
        Ok(count)
    }

    fn answer(&self, query: &Query) -> Result<(Vec<Document>, Explanation), Error> {
        let mut found = Found::new(query, &self.collection);
        found.cost.as_of = Some(self.moment);
        self.for_all(|visited| {
            match visited {
                Visited::AsNow(stored) => drop(found.take(stored)?),
                Visited::Was(id, merged) => {
                    found.cost.merged += 1;
                    found.take_merged(self.collection.document(id, merged));
                }
                Visited::Absent => found.cost.documents += 1,
            }
            Ok(())
        })?;
        Ok(found.finish())
    }

    /// Visits all documents in the order in which they lie.
    fn for_all(&self, mut visit: impl FnMut(Visited<'_>) -> Result<(), Error>) -> Result<(), Error> {
        let Some(row) = self.collection.row()? else { return Ok(()) };
        self.read(|snapshot, state| {
            snapshot.documents(row, None, |stored| {
                visit(self.visited(snapshot, state, row, &stored)?)?;
                Ok(ControlFlow::Continue(()))
            })
        })
    }

    fn read<T>(&self, work: impl FnOnce(&Snapshot<'_>, &mut State) -> Result<T, Error>) -> Result<T, Error> {
        self.collection.project.core.read_long(&self.collection.project.database.inner, work)
    }

    fn visited<'a>(
        &self,
        snapshot: &Snapshot<'_>,
        state: &mut State,
        row: CollectionRow,
        stored: &'a DocumentRef<'a>,
    ) -> Result<Visited<'a>, Error> {
        Ok(match as_of(snapshot, state, (row, stored.id), &stored.heads, self.moment)? {
            Then::AsNow => Visited::AsNow(stored),
            Then::Was(merged) => Visited::Was(stored.id, merged),
            Then::Absent => Visited::Absent,
        })
    }
}
