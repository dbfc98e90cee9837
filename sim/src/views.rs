//! What users see beside single documents: live lists, searches, the past; and the schemas and undoings that change it.

use std::ops::ControlFlow;
use std::time::Duration;

use ayni::query::{Query, Search};
use ayni::schema::Schema;
use ayni::{Document, DocumentId, LiveQuery};

use crate::broken::{Broken, Promise};
use crate::dice::Dice;
use crate::users::{NOTES, PLACES};
use crate::world::World;

/// A live query and the list that its user sees.
pub(crate) struct Watched {
    live: LiveQuery,
    list: Vec<Document>,
}

impl World {
    /// Begins to watch a query, or reads what became of its answer: the list must be what the query asked anew gives.
    pub(crate) fn watch(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let Some(mut watched) = self.devices[device].watched.take().filter(|_| dice.percent(90)) else {
            let selector = ["", "a>=3", "m.x", "a!=2"][dice.below(4)];
            let sort = ["", "a", "b:desc,a", "c:desc"][dice.below(4)];
            let mut query: Query = selector.parse().expect("a selector");
            query.sort = sort.parse().expect("a sort");
            (query.skip, query.limit) = (dice.below(2) as u64, dice.percent(70).then(|| 1 + dice.below(4) as u64));
            self.note(format_args!("{} watches {selector:?} sorted by {sort:?}", self.name(device)));
            let live = self.devices[device].project().map(|project| project.collection(PLACES).watch(query));
            self.devices[device].watched = live.map(|live| Watched { live, list: Vec::new() });
            return Ok(());
        };
        let read = self.ask(device, |_| watched.live.next(Duration::ZERO))?;
        // What failed has told nothing, and the next reading goes on.
        let Some(batch) = read else {
            if self.devices[device].is_on() {
                self.devices[device].watched = Some(watched);
            }
            return Ok(());
        };
        let told = batch.as_ref().map_or(0, Vec::len);
        batch.into_iter().flatten().for_each(|difference| difference.apply(&mut watched.list));
        self.note(format_args!("{} is told {told} differences", self.name(device)));
        let query = watched.live.query().clone();
        let answer = self.ask(device, |project| project.collection(PLACES).query(&query))?;
        if let Some(answer) = answer {
            if answer != watched.list {
                let ids = |list: &[Document]| list.iter().map(Document::id).collect::<Vec<_>>();
                let what = format!("{} sees {:?} live, not {:?}", self.name(device), ids(&watched.list), ids(&answer));
                return Broken::that(Promise::Same, what);
            }
            self.devices[device].watched = Some(watched);
        }
        Ok(())
    }

    /// Searches the notes: an index must lead to what looking at all of them finds.
    pub(crate) fn search(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let words = ["cusco", "q*", "cusco OR qosqo", "-cusco q*"][dice.below(4)];
        let query = Query::default().search(words.parse::<Search>().expect("words"));
        let both = self.ask(device, |project| {
            let (notes, mut plain) = (project.collection(NOTES), Vec::new());
            notes.for_each(|note| {
                plain.extend(query.matches(&note).then(|| note.id()));
                Ok(ControlFlow::Continue(()))
            })?;
            let mut found: Vec<DocumentId> = notes.query(&query)?.iter().map(Document::id).collect();
            found.sort_unstable();
            plain.sort_unstable();
            Ok((plain, found))
        })?;
        let Some((plain, found)) = both else { return Ok(()) };
        self.note(format_args!("{} finds {} notes with {words}", self.name(device), found.len()));
        match plain == found {
            true => Ok(()),
            false => Broken::that(Promise::Works, format!("{words} finds {found:?}, not {plain:?}")),
        }
    }

    /// Decides a schema: it refuses nothing here, and brings indexes to everyone.
    pub(crate) fn decide_schema(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let (collection, schema) = [
            (PLACES, r#"{"version": 1, "indexes": ["a", "b,c"]}"#),
            (PLACES, r#"{"version": 2, "properties": {"a": {"type": "integer"}}, "indexes": ["c,a,b"]}"#),
            (NOTES, r#"{"indexes": [{"text": []}]}"#),
            (NOTES, r#"{"version": 1, "indexes": [{"text": []}, "a", {"geometry": "a"}]}"#),
        ][dice.below(4)];
        let schema: Schema = schema.parse().expect("a schema");
        self.note(format_args!("{} decides a schema of {collection}", self.name(device)));
        self.ask(device, |project| project.collection(collection).set_schema(&schema).map(drop))?;
        Ok(())
    }

    /// Takes back a change that this device made to a note.
    pub(crate) fn undo(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let Some(id) = dice.pick(&self.loose).copied() else { return Ok(()) };
        let undone = self.ask(device, |project| {
            let notes = project.collection(NOTES);
            match notes.get_deleted(id)? {
                Some(_) => notes.last_change_here(id)?.map(|change| notes.undo(id, change.id)).transpose(),
                None => Ok(None),
            }
        })?;
        if undone.flatten().is_some() {
            self.census.count("a change was undone");
        }
        self.note(format_args!("{} takes back what it did to {id}", self.name(device)));
        Ok(())
    }

    /// Asks for the documents of a moment of the past, each alone and all together.
    pub(crate) fn look_back(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let now = ayni::environment::Environment::now(&*self.devices[device].environment);
        let moment = now - dice.below(600_000) as i64;
        let both = self.ask(device, |project| {
            let places = project.collection(PLACES);
            let past = places.as_of(moment);
            let all = past.query(&Query::default())?;
            let alone = all.iter().map(|document| past.get(document.id())).collect::<Result<Vec<_>, _>>()?;
            Ok((all, alone))
        })?;
        let Some((all, alone)) = both else { return Ok(()) };
        self.note(format_args!("{} sees {} documents of then", self.name(device), all.len()));
        match all.iter().zip(&alone).all(|(one, other)| Some(one) == other.as_ref()) {
            true => Ok(()),
            false => Broken::that(Promise::Works, "a document of the past is another alone than among all"),
        }
    }

    /// Everyone has the same schemas, and indexes that are made; the same moments of the past; and live lists that are right.
    pub(crate) fn check_views(&mut self, members: &[usize]) -> Result<(), Broken> {
        let moment = ayni::environment::Environment::now(&*self.devices[0].environment) - 60_000;
        let mut first = None;
        for device in members {
            let mut dice = Dice::branch(self.seed, "views", *device as u64);
            let seen = self.ask(*device, |project| {
                let (places, notes) = (project.collection(PLACES), project.collection(NOTES));
                let schemas = [&places, &notes].map(|collection| collection.schema());
                let [of_places, of_notes] = schemas;
                let then = [&places, &notes].map(|collection| collection.as_of(moment).query(&Query::default()));
                let [places_then, notes_then] = then;
                Ok((of_places?, of_notes?, views(places_then?), views(notes_then?)))
            })?;
            let same = first.is_none() || seen.is_none() || first == seen;
            if !same {
                let what = format!("{} has other schemas or another past than the others", self.name(*device));
                return Broken::that(Promise::Same, what);
            }
            first = first.or(seen);
            self.search(*device, &mut dice)?;
            self.watch(*device, &mut dice)?;
        }
        Ok(())
    }
}

/// What documents show, without what is another on each device.
fn views(documents: Vec<Document>) -> Vec<(DocumentId, String)> {
    documents.into_iter().map(|document| (document.id(), document.to_json().to_string())).collect()
}
