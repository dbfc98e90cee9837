//! One look at the store: what became of the answer since the last.

use std::collections::HashMap;
use std::sync::Arc;

use ayni_log::ids::DocumentId;
use ayni_store::{DocumentRow, Snapshot, flags};

use super::moment::{Changed, Moment};
use super::steps::{Lists, Place, Step, Who, steps};
use super::window::{Change, Row, Window};
use super::{Difference, Known, LiveQuery};
use crate::core::documents::read;
use crate::core::indexing::read_indexes;
use crate::document::Document;
use crate::error::Error;
use crate::query::{Encoded, Query, Sort};
use crate::repair::DOCUMENTS;

/// The documents of which something was read already.
type Found = HashMap<DocumentId, Document>;

impl LiveQuery {
    /// What leads to the present answer, if anything does.
    pub(super) fn look(&mut self) -> Result<Option<Vec<Difference>>, Error> {
        let collection = self.collection.clone();
        let project = collection.project();
        project.database.inner.store.read(|store| {
            // Documents are just being made anew, and not all are there.
            if store.view_version(DOCUMENTS)?.is_none() {
                return Ok(None);
            }
            let seen = self.known.as_ref().map(|known| &known.moment);
            let moment = Moment::of(store, project.core.row, collection.name(), seen)?;
            let batch = match seen {
                Some(seen) if *seen == moment => return Ok(None),
                Some(seen) => match moment.since(seen, store)? {
                    Changed::Documents(documents, entries) => {
                        self.effort.entries += entries;
                        self.follow(store, &moment, documents)?
                    }
                    Changed::Unknown => self.ask(store, &moment)?,
                },
                None => return self.ask(store, &moment).map(Some),
            };
            Ok((!batch.is_empty()).then_some(batch))
        })
    }

    /// Looks at documents that may have changed.
    fn follow(
        &mut self,
        store: &Snapshot<'_>,
        moment: &Moment,
        documents: impl IntoIterator<Item = DocumentRow>,
    ) -> Result<Vec<Difference>, Error> {
        let (skip, limit) = self.shown();
        let kept = self.kept();
        let Some(Known { moment: seen, window }) = &mut self.known else { return self.ask(store, moment) };
        let (mut changes, mut found) = (Vec::new(), Found::new());
        for row in documents {
            self.effort.documents += 1;
            let Some(stored) = store.document(row)? else { continue };
            if Some(stored.collection) != moment.collection {
                continue;
            }
            let before = window.of_id(stored.id).cloned();
            let present = stored.flags & flags::DELETED == 0 && self.query.holds(stored.id, &Encoded(&stored.body));
            let document = if present { Some(read(&stored.body, &stored.heads)?) } else { None };
            let after = document.as_ref().map(|merged| Arc::new(Row::new(&self.query, stored.id, merged)));
            let after = after.filter(|row| window.reaches(row));
            if before != after {
                let merged = document.filter(|_| after.is_some());
                found.extend(merged.map(|merged| (stored.id, self.collection.document(stored.id, merged))));
                changes.push(Change { before, after });
            }
        }
        let gone = changes.iter().filter(|change| change.before.is_some()).count();
        let come = changes.iter().filter(|change| change.after.is_some()).count();
        if window.is_part() && window.len() - gone + come < skip.saturating_add(limit) {
            return self.ask(store, moment);
        }
        let told = Told::new(&self.query.sort, window, changes);
        window.change(&told.changes);
        let effort = &mut self.effort.documents;
        let batch = told.differences(window, (skip, limit), found, |row| {
            *effort += 1;
            let stored = moment.collection.map(|collection| store.document_by_id(collection, row.id)).transpose()?;
            let stored = stored.flatten().ok_or(Error::Damaged("a document"))?;
            Ok(self.collection.document(row.id, read(&stored.body, &stored.heads)?))
        });
        match &batch {
            Ok(_) => {
                seen.clone_from(moment);
                kept.into_iter().for_each(|kept| window.cut(kept));
            }
            // As if nothing had been read.
            Err(_) => window.change(&told.undone()),
        }
        batch
    }

    /// Asks the query as a whole.
    fn ask(&mut self, store: &Snapshot<'_>, moment: &Moment) -> Result<Vec<Difference>, Error> {
        let kept = self.kept();
        let whole = Query { skip: 0, limit: kept.map(|kept| kept as u64), ..self.query.clone() };
        let answer = match moment.collection {
            Some(row) => {
                self.effort.asked += 1;
                let project = self.collection.project.core.row;
                self.collection.answer_at(store, row, &read_indexes(store, project, row)?, &whole)?.0
            }
            None => Vec::new(),
        };
        let window = Window::of(&self.query, &answer, kept);
        let nothing = Window::default();
        let before = self.known.as_ref().map_or(&nothing, |known| &known.window);
        let was = before.iter().map(|row| Change { before: Some(row.clone()), after: window.of_id(row.id).cloned() });
        let new = window.iter().filter(|row| before.of_id(row.id).is_none());
        let new = new.map(|row| Change { before: None, after: Some(row.clone()) });
        let changes = was.chain(new).filter(|change| change.before != change.after).collect();
        let told = Told::new(&self.query.sort, before, changes);
        let found = answer.into_iter().map(|document| (document.id, document)).collect();
        let batch = told.differences(&window, self.shown(), found, |_| {
            Err(Error::Defect("looking for a document in the answer to a live query"))
        })?;
        self.known = Some(Known { moment: moment.clone(), window });
        Ok(batch)
    }
}

/// Changes of rows, and where they stood.
struct Told {
    changes: Vec<Change>,
    /// Of those that have another place than before: the index of the change, and its place before.
    placed: Vec<(usize, Option<usize>)>,
    /// The indexes of the others.
    altered: Vec<usize>,
    length_before: usize,
}

impl Told {
    /// Of changes that are still to be done to a window.
    fn new(sort: &Sort, window: &Window, changes: Vec<Change>) -> Self {
        let (mut placed, mut altered) = (Vec::new(), Vec::new());
        for (index, change) in changes.iter().enumerate() {
            match (&change.before, &change.after) {
                (Some(before), Some(after)) if before.stands_as(sort, after) => altered.push(index),
                (before, _) => placed.push((index, before.as_ref().and_then(|row| window.place(row)))),
            }
        }
        Self { changes, placed, altered, length_before: window.len() }
    }

    /// The changes that take these back.
    fn undone(&self) -> Vec<Change> {
        let back = |change: &Change| Change { before: change.after.clone(), after: change.before.clone() };
        self.changes.iter().map(back).collect()
    }

    /// What they are to a reader, given the window as they left it. Documents that were not found yet are read.
    fn differences(
        &self,
        window: &Window,
        (skip, limit): (usize, usize),
        mut found: Found,
        mut read: impl FnMut(&Row) -> Result<Document, Error>,
    ) -> Result<Vec<Difference>, Error> {
        let place = |index: usize| self.changes[index].after.as_ref().and_then(|row| window.place(row));
        let places: Vec<Place> =
            self.placed.iter().map(|(index, before)| Place { before: *before, after: place(*index) }).collect();
        let altered: Vec<usize> = self.altered.iter().filter_map(|index| place(*index)).collect();
        let lengths = (self.length_before, window.len());
        let steps = steps(&Lists { places: &places, altered: &altered, lengths, skip, limit });
        let row = |who: Who| {
            let row = match who {
                Who::Place(index) => {
                    let change = self.placed.get(index).and_then(|(index, _)| self.changes.get(*index));
                    change.and_then(|change| change.after.as_ref().or(change.before.as_ref()))
                }
                Who::After(place) => window.get(place),
            };
            row.ok_or(Error::Defect("finding a row of a live query"))
        };
        let mut document = |who: Who| {
            let row = row(who)?;
            found.remove(&row.id).map_or_else(|| read(row), Ok)
        };
        let difference = |step: Step| {
            Ok(match step {
                Step::Appeared { at, who } => Difference::Appeared { at, document: document(who)? },
                Step::Changed { at, who } => Difference::Changed { at, document: document(who)? },
                Step::Moved { from, to, who } => Difference::Moved { from, to, document: document(who)? },
                Step::Went { at, who } => Difference::Went { at, id: row(who)?.id },
            })
        };
        steps.into_iter().map(difference).collect()
    }
}
