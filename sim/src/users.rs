//! What users do: reading and writing, with what each had seen when doing it.

use std::collections::BTreeMap;

use ayni::doc::{Map, Operation, Value};
use ayni::interchange::{Exporter, ImportError, ImportOptions, ReadOptions, read};
use ayni::query::{Query, Selector};
use ayni::{Document, DocumentId, Error, Project};

use crate::broken::{Broken, Promise};
use crate::dice::Dice;
use crate::model::{Edit, EditId, Edits, Effect, KEY, Standing, View, Write, signature};
use crate::world::World;

/// The collection that the model follows.
pub(crate) const PLACES: &str = "places";
/// The collection that it does not.
pub(crate) const NOTES: &str = "notes";

const FIELDS: [&str; 5] = ["a", "b", "c", "m.x", "m.y"];
const COUNTER: &str = "count";
/// Keys of keyed documents: from 0.
pub(crate) const KEYS: usize = 5;

/// An edit that is about to be written.
enum Draft {
    Create(Map),
    Put(String, Map),
    Edit(Document),
    Replace(Document, Map),
    Delete(Document),
}

impl World {
    /// The outcome of what a user did: `None` if it failed for a reason that is no defect.
    pub(crate) fn outcome<T>(&mut self, device: usize, result: Result<T, Error>) -> Result<Option<T>, Broken> {
        let error = match result {
            Ok(done) => return Ok(Some(done)),
            Err(error) => error,
        };
        self.note(format_args!("{}: {error}", self.name(device)));
        if self.devices[device].disk.is_off() {
            self.notice_power_cut(device);
        } else if self.devices[device].disk.is_filling() {
            self.census.count("refused for want of room");
        } else if matches!(error, Error::Forked) && !self.is_honest(device) {
            self.census.count("a forked device notices");
        } else if !matches!(error, Error::Pending | Error::NoKeys | Error::Role { .. } | Error::AlreadyJoined) {
            return Broken::that(Promise::Works, format!("{}: {error} ({error:?})", self.name(device)));
        }
        Ok(None)
    }

    /// Asks a device's project for something.
    pub(crate) fn ask<T>(
        &mut self,
        device: usize,
        question: impl FnOnce(&Project) -> Result<T, Error>,
    ) -> Result<Option<T>, Broken> {
        let Some(project) = self.devices[device].project() else {
            self.notice_power_cut(device);
            return Ok(None);
        };
        let result = self.guarded(device, || question(&project))?;
        drop(project);
        self.outcome(device, result)
    }

    /// A document as a device has it, deleted or not, with the edits that are in it. The user knows them from now on; and if
    /// they lack what he knew before, something acknowledged is lost.
    pub(crate) fn read(&mut self, device: usize, id: DocumentId) -> Result<Option<(Document, Edits)>, Broken> {
        let Some(document) = self.ask(device, |project| project.collection(PLACES).get_deleted(id))? else {
            return Ok(None);
        };
        let seen = match &document {
            Some(document) => self.model.seen_in(id, &View::of(document))?,
            None => Edits::new(),
        };
        let Some(device_known) = self.devices.get_mut(device) else { return Ok(None) };
        let known = device_known.known.entry(id).or_default();
        if let Some(lost) = known.difference(&seen).next() {
            let what = format!("{} shows {id} without edit {lost}, which it had", device_known.name);
            return Broken::that(Promise::Lost, what);
        }
        known.extend(&seen);
        device_known.ever.entry(id).or_default().extend(&seen);
        Ok(document.map(|document| (document, seen)))
    }

    /// Reads all documents of a device.
    pub(crate) fn survey(&mut self, device: usize) -> Result<(), Broken> {
        for id in self.model.documents() {
            self.read(device, id)?;
        }
        Ok(())
    }

    /// Some document that a device has.
    fn some_document(&mut self, device: usize, dice: &mut Dice) -> Result<Option<(Document, Edits)>, Broken> {
        match dice.pick(&self.model.documents()).copied() {
            Some(id) => self.read(device, id),
            None => Ok(None),
        }
    }

    /// Writes drafts in one commit, each with what its author had seen and what it does to which fields.
    fn write(&mut self, device: usize, drafts: Vec<(Draft, Edits, Effect)>) -> Result<bool, Broken> {
        let commit = self.model.begin_commit();
        let first = self.model.next();
        let time = ayni::environment::Environment::now(&*self.devices[device].environment);
        for (_, seen, effect) in &drafts {
            let (effect, seen) = (effect.clone(), seen.clone());
            let document = DocumentId([0; 16]);
            let author = device;
            self.model.begin(Edit { document, author, time, effect, seen, standing: Standing::Begun, commit });
        }
        let operations: Vec<_> = self.model.edits().skip(first as usize - 1).collect();
        let operations: Vec<Vec<Operation>> =
            operations.iter().map(|(number, edit)| edit.operations(*number)).collect();
        let mut ids = Vec::new();
        let done = self.ask(device, |project| {
            project.write(|tx| {
                for ((draft, ..), operations) in drafts.into_iter().zip(operations) {
                    ids.push(match draft {
                        Draft::Create(fields) => tx.create(PLACES, fields)?,
                        Draft::Put(key, fields) => tx.put(PLACES, &key, fields)?.0,
                        Draft::Edit(document) => {
                            tx.edit(&document, operations)?;
                            document.id()
                        }
                        Draft::Replace(document, fields) => {
                            tx.replace(&document, fields)?;
                            document.id()
                        }
                        Draft::Delete(document) => {
                            tx.delete(&document)?;
                            document.id()
                        }
                    });
                }
                Ok(())
            })
        })?;
        self.ended(device, commit, first, &ids, done.is_some())
    }

    /// Notes how a commit ended whose first edit has this number.
    fn ended(
        &mut self,
        device: usize,
        commit: usize,
        first: EditId,
        ids: &[DocumentId],
        done: bool,
    ) -> Result<bool, Broken> {
        for (number, id) in (first..).zip(ids) {
            if let Some(edit) = self.model.get_mut(number) {
                edit.document = *id;
            }
        }
        let standing = match done {
            true if self.is_honest(device) => Standing::Acknowledged,
            true => Standing::Optional,
            false if self.devices[device].is_on() => Standing::Refused,
            false => Standing::Uncertain,
        };
        self.model.end_commit(commit, standing);
        let last = first + ids.len() as EditId - 1;
        match last < first {
            true => self.note(format_args!("{}: nothing was written", self.name(device))),
            false => self.note(format_args!("{}: edits {first} to {last}: {standing:?}", self.name(device))),
        }
        for (number, id) in (first..).zip(ids).filter(|_| done) {
            if self.model.get(number).is_some_and(|edit| edit.effect != Effect::Delete) {
                self.devices[device].known.entry(*id).or_default().insert(number);
                self.devices[device].ever.entry(*id).or_default().insert(number);
            }
        }
        Ok(done)
    }

    /// Fields for an edit of a device's: some set, and its signature.
    fn sets(&self, device: usize, dice: &mut Dice) -> BTreeMap<String, Write> {
        let mut fields = BTreeMap::from([(signature(device), Write::Set)]);
        for _ in 0..=dice.below(2) {
            fields.insert(FIELDS[dice.below(FIELDS.len())].into(), Write::Set);
        }
        fields
    }

    pub(crate) fn create(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let fields = self.sets(device, dice);
        let map = map_of(&fields, self.model.next());
        self.note(format_args!("{} creates a document", self.name(device)));
        self.write(device, vec![(Draft::Create(map), Edits::new(), Effect::Fields(fields))])?;
        Ok(())
    }

    /// Puts a keyed document: what it shows with something changed, or as a record from elsewhere that knows nothing of it.
    pub(crate) fn put(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let key = dice.below(KEYS).to_string();
        let Some(draft) = self.draft_put(device, &key, self.model.next(), dice)? else { return Ok(()) };
        self.note(format_args!("{} puts key {key}", self.name(device)));
        self.write(device, vec![draft])?;
        Ok(())
    }

    fn draft_put(
        &mut self,
        device: usize,
        key: &str,
        number: EditId,
        dice: &mut Dice,
    ) -> Result<Option<(Draft, Edits, Effect)>, Broken> {
        let Some(id) = self.ask(device, |project| project.collection(PLACES).id_of_key(key))? else { return Ok(None) };
        let current = self.read(device, id)?;
        if !self.devices[device].is_on() {
            return Ok(None);
        }
        let mut sets = self.sets(device, dice);
        sets.retain(|path, _| !path.contains('.'));
        let (shown, seen) = current.map_or_else(Default::default, |(document, seen)| (document.fields(), seen));
        let mut map = if dice.percent(60) { shown.clone() } else { Map::new() };
        map.extend(map_of(&sets, number));
        Ok(Some((Draft::Put(key.into(), map.clone()), seen, Effect::Fields(difference(&shown, &map)))))
    }

    /// Edits a document as it is now.
    pub(crate) fn edit(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let Some((document, seen)) = self.some_document(device, dice)? else { return Ok(()) };
        self.note(format_args!("{} edits {}", self.name(device), document.id()));
        if document.is_deleted() {
            self.census.count("undelete");
        }
        let draft = self.draft_edit(device, document, seen, self.model.next(), dice);
        self.write(device, vec![draft])?;
        Ok(())
    }

    fn draft_edit(
        &self,
        device: usize,
        document: Document,
        seen: Edits,
        number: EditId,
        dice: &mut Dice,
    ) -> (Draft, Edits, Effect) {
        let mut fields = self.sets(device, dice);
        if dice.percent(40) {
            fields.retain(|path, _| !path.contains('.'));
            let shown = document.fields();
            let mut map = shown.clone();
            map.extend(map_of(&fields, number));
            let effect = Effect::Fields(difference(&shown, &map));
            return (Draft::Replace(document, map), seen, effect);
        }
        (Draft::Edit(document), seen, Effect::Fields(fields))
    }

    /// Opens a document in a window, through which it can be edited much later.
    pub(crate) fn open_window(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        if let Some((document, _)) = self.some_document(device, dice)? {
            self.note(format_args!("{} opens {} in a window", self.name(device), document.id()));
            let windows = &mut self.devices[device].windows;
            windows.push(document);
            if windows.len() > 4 {
                windows.remove(0);
            }
        }
        Ok(())
    }

    /// Edits a document as it was when its window was opened.
    pub(crate) fn edit_in_window(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let Some(document) = dice.pick(&self.devices[device].windows).cloned() else {
            return self.open_window(device, dice);
        };
        let seen = self.model.seen_in(document.id(), &View::of(&document))?;
        self.note(format_args!("{} edits {} in its window", self.name(device), document.id()));
        self.census.count("edit through an old window");
        let draft = match dice.below(10) {
            0 => (Draft::Delete(document), seen, Effect::Delete),
            1 => (Draft::Edit(document), seen, self.addition(device, dice)),
            _ => self.draft_edit(device, document, seen, self.model.next(), dice),
        };
        self.write(device, vec![draft])?;
        Ok(())
    }

    fn addition(&self, device: usize, dice: &mut Dice) -> Effect {
        let amount = dice.between(1, 9) as i64 - 3;
        Effect::Fields([(COUNTER.into(), Write::Add(amount)), (signature(device), Write::Set)].into())
    }

    pub(crate) fn add(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let Some((document, seen)) = self.some_document(device, dice)? else { return Ok(()) };
        self.note(format_args!("{} adds to {}", self.name(device), document.id()));
        let effect = self.addition(device, dice);
        self.write(device, vec![(Draft::Edit(document), seen, effect)])?;
        Ok(())
    }

    pub(crate) fn unset(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let Some((document, seen)) = self.some_document(device, dice)? else { return Ok(()) };
        let path = ["a", "b", "c", "m", "m.x", COUNTER][dice.below(6)];
        self.note(format_args!("{} takes {path} from {}", self.name(device), document.id()));
        let fields = [(path.to_owned(), Write::Unset), (signature(device), Write::Set)];
        self.write(device, vec![(Draft::Edit(document), seen, Effect::Fields(fields.into()))])?;
        Ok(())
    }

    pub(crate) fn delete(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let Some((document, seen)) = self.some_document(device, dice)? else { return Ok(()) };
        self.note(format_args!("{} deletes {}", self.name(device), document.id()));
        let mut drafts = vec![(Draft::Delete(document), seen, Effect::Delete)];
        if dice.percent(60) {
            // A deletion signs nothing. A document that is made in the same commit tells whether it is there.
            let fields = self.sets(device, dice);
            let map = map_of(&fields, self.model.next() + 1);
            drafts.push((Draft::Create(map), Edits::new(), Effect::Fields(fields)));
        }
        self.write(device, drafts)?;
        Ok(())
    }

    /// Several edits in one commit, some of them of one document through one handle.
    pub(crate) fn several(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let mut drafts = Vec::new();
        let mut number = self.model.next();
        for _ in 0..dice.between(2, 5) {
            if dice.percent(30) {
                let fields = self.sets(device, dice);
                drafts.push((Draft::Create(map_of(&fields, number)), Edits::new(), Effect::Fields(fields)));
            } else if let Some((document, seen)) = self.some_document(device, dice)? {
                if dice.percent(20) {
                    drafts.push((Draft::Delete(document), seen, Effect::Delete));
                    number += 1;
                    continue;
                }
                drafts.push(self.draft_edit(device, document, seen, number, dice));
            } else {
                continue;
            }
            number += 1;
        }
        if !self.devices[device].is_on() {
            return Ok(());
        }
        self.note(format_args!("{} writes {} changes in one commit", self.name(device), drafts.len()));
        self.write(device, drafts)?;
        Ok(())
    }

    /// Imports a few records with keys.
    pub(crate) fn import(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let mut lines = String::new();
        let mut drafts = Vec::new();
        let start = dice.below(KEYS);
        for (number, place) in (self.model.next()..).zip(0..=dice.below(3)) {
            let key = (start + place) % KEYS;
            let key_text = key.to_string();
            let Some(id) = self.ask(device, |project| project.collection(PLACES).id_of_key(&key_text))? else {
                return Ok(());
            };
            let current = self.read(device, id)?;
            let (shown, seen) = current.map_or_else(Default::default, |(document, seen)| (document.fields(), seen));
            let mut map = map_of(&BTreeMap::from([("a".into(), Write::Set), (signature(device), Write::Set)]), number);
            lines += &format!("{{\"{KEY}\":{key},\"a\":{number},\"{}\":{number}}}\n", signature(device));
            map.insert(KEY.into(), Value::Int(key as i64));
            drafts.push((id, seen, Effect::Fields(difference(&shown, &map))));
        }
        if !self.devices[device].is_on() {
            return Ok(());
        }
        self.note(format_args!("{} imports {} records", self.name(device), drafts.len()));
        let (commit, first) = (self.model.begin_commit(), self.model.next());
        let time = ayni::environment::Environment::now(&*self.devices[device].environment);
        let mut ids = Vec::new();
        for (document, seen, effect) in drafts {
            ids.push(document);
            let author = device;
            self.model.begin(Edit { document, author, time, effect, seen, standing: Standing::Begun, commit });
        }
        let options = ReadOptions { id: Some(KEY.parse().expect("a path")), ..ReadOptions::default() };
        let done = self.ask(device, |project| {
            let records = read(lines.as_bytes(), &options).expect("memory can be read");
            let bad = |error: &dyn std::error::Error| panic!("a record of the simulator is bad: {error}");
            let imported = project.import(PLACES, records, ImportOptions::default(), bad, |_| ());
            imported.map_err(|error| match error {
                ImportError::Database(error) => error,
                _ => Error::Defect("importing"),
            })
        })?;
        self.ended(device, commit, first, &ids, done.is_some())?;
        Ok(())
    }

    pub(crate) fn index(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let path = FIELDS[dice.below(FIELDS.len())];
        self.note(format_args!("{} makes an index on {path}", self.name(device)));
        self.ask(device, |project| project.collection(PLACES).create_index(path))?;
        Ok(())
    }

    /// Asks a query, which must find what looking at every document finds.
    pub(crate) fn query(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let path = ["a", "b", "c"][dice.below(3)];
        let (least, other) = (dice.below(self.model.next() as usize), dice.below(self.model.next() as usize));
        let text = match dice.below(6) {
            0 => format!("{path}!={least}"),
            1 => format!(r#"{{"{path}": {{"$in": [{least}, {other}]}}}}"#),
            2 => format!(r#"{{"{path}": {{"$mod": [3, {}]}}}}"#, least % 3),
            3 => format!(r#"{{"$nor": [{{"{path}": {{"$lt": {least}}}}}, {{"{path}": {other}}}]}}"#),
            _ => format!("{path}>={least}"),
        };
        let selector: Selector = text.parse().expect("a selector");
        let found = self.ask(device, |project| {
            let places = project.collection(PLACES);
            let mut plain = Vec::new();
            places.for_each(|document| {
                if selector.matches(&document.fields()) {
                    plain.push(document.id());
                }
                Ok(std::ops::ControlFlow::Continue(()))
            })?;
            let mut found: Vec<_> = places.query(&Query::new(selector))?.iter().map(Document::id).collect();
            found.sort_unstable();
            Ok((plain, found))
        })?;
        if let Some((mut plain, found)) = found {
            plain.sort_unstable();
            self.note(format_args!("{} finds {} with {text}", self.name(device), found.len()));
            if plain != found {
                return Broken::that(Promise::Works, format!("{text} finds {found:?}, not {plain:?}"));
            }
        }
        Ok(())
    }

    /// Looks at a document's history, in which everything must be that its user knows.
    pub(crate) fn history(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let Some((document, seen)) = self.some_document(device, dice)? else { return Ok(()) };
        let id = document.id();
        let versions = self.ask(device, |project| project.collection(PLACES).history(id))?;
        if let Some(versions) = versions {
            self.note(format_args!("{} sees {} versions of {id}", self.name(device), versions.len()));
            if versions.len() < seen.len() {
                let what = format!("the history of {id} has {} versions of {}", versions.len(), seen.len());
                return Broken::that(Promise::Disappeared, what);
            }
        }
        Ok(())
    }

    pub(crate) fn export(&mut self, device: usize) -> Result<(), Broken> {
        let written = self.ask(device, |project| {
            let mut out = Exporter::json_lines(Vec::new());
            project.collection(PLACES).for_each(|document| {
                out.write(&document.id(), &document.fields()).map_err(|_| Error::Defect("exporting"))?;
                Ok(std::ops::ControlFlow::Continue(()))
            })?;
            out.finish().map_err(|_| Error::Defect("exporting"))
        })?;
        if let Some(written) = written {
            self.note(format_args!("{} exports {} bytes", self.name(device), written.len()));
        }
        Ok(())
    }

    pub(crate) fn rename(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let name = format!("{} {}", self.name(device), dice.below(100));
        self.note(format_args!("{} is now named {name}", self.name(device)));
        self.ask(device, |project| project.rename_device(&name))?;
        Ok(())
    }
}

/// A map in which these fields are set to a number. Only of fields at the top, or of a whole new document.
fn map_of(fields: &BTreeMap<String, Write>, number: EditId) -> Map {
    let mut map = Map::new();
    for path in fields.keys() {
        match path.split_once('.') {
            None => drop(map.insert(path.clone(), Value::Int(number))),
            Some((above, name)) => {
                let below = map.entry(above.into()).or_insert_with(|| Value::Map(Map::new()));
                if let Value::Map(below) = below {
                    below.insert(name.into(), Value::Int(number));
                }
            }
        }
    }
    map
}

/// What it does to make a document show `new` that shows `old`, where maps in it are either as they were or gone.
fn difference(old: &Map, new: &Map) -> BTreeMap<String, Write> {
    let gone = old.keys().filter(|name| !new.contains_key(*name)).map(|name| (name.clone(), Write::Unset));
    let set =
        new.iter().filter(|(name, value)| old.get(*name) != Some(value)).map(|(name, _)| (name.clone(), Write::Set));
    gone.chain(set).filter(|(name, _)| name != KEY).collect()
}
