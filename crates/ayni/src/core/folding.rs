//! Folding: what a conflict handler makes of a document whose versions contradict each other.
//!
//! The heads are taken in the order of their hashes. Of each the whole state is known; the first is *ours*, the next *theirs*,
//! what both had seen is the *base*, and what the handler answers is ours when the next comes. As long as nothing contradicts
//! anything the handler is not asked, and what is merged is ours. A head that deletes takes no part.
//!
//! A state that goes into it may have had a conflict too, which its author, without the handler, left alone. Then it is
//! folded itself: what the handler would have shown, and on top of it what was written since.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use ayni_doc::{Change, Conflict, Document, EntryKey, Map, Value, Version, creation, merge};
use ayni_log::codec::Reader;
use ayni_log::ids::{DeviceId, Hash};

use crate::core::schemas::KnownSchema;
use crate::handler::{ConflictHandler, HandlerError, Sides};
use crate::interchange::ID;

/// Heads that are folded at the most.
const HEADS: usize = 64;
/// Versions that are merged at the most on the way, each as often as it is.
const WORK: usize = 1 << 18;
/// How deep conflicts may lie below conflicts that nobody settled.
const DEPTH: usize = 32;
/// Bytes of an answer: the edit that writes it down has room for as much beside it.
const ANSWER_BYTES: usize = ayni_log::limits::PAYLOAD_BYTES / 2;

/// Why a document has no answer, and shows its conflict.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The handler failed or panicked.
    Failed(HandlerError),
    /// What it answered cannot be written.
    Refused(String),
    /// The history of the document is over a limit.
    Work(&'static str),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "{error}"),
            Self::Refused(why) => write!(f, "its answer cannot be written: {why}"),
            Self::Work(what) => write!(f, "the document has too many {what}"),
        }
    }
}

/// What a handler makes of all these versions of a document, which is there and has conflicts.
pub(crate) fn fold(versions: &[Version], handler: &ConflictHandler, known: &KnownSchema) -> Result<Map, Unanswered> {
    let by_key: BTreeMap<EntryKey, &Version> = versions.iter().map(|version| (version.key, version)).collect();
    let all: Keys = by_key.keys().copied().collect();
    let kinds = known.schema.merging_fields();
    let mut folding = Folding { versions: by_key, handler, kinds, folded: HashMap::new(), work: 0 };
    let merged = folding.merge(&all)?;
    let fields = folding.state(&merged, 0)?;
    let checked = known.schema.check_edit(&known.collection, &merged.shown(), &fields);
    checked.map_err(|error| Unanswered::Refused(error.to_string()))?;
    Ok(fields)
}

/// Versions, and all that they had seen.
type Keys = BTreeSet<EntryKey>;

struct Folding<'a> {
    versions: BTreeMap<EntryKey, &'a Version>,
    handler: &'a ConflictHandler,
    /// Fields that merge by themselves.
    kinds: Vec<Vec<&'a str>>,
    /// The states that were folded, by their heads.
    folded: HashMap<Vec<EntryKey>, Map>,
    work: usize,
}

/// What was made of some heads so far.
struct Ours {
    keys: Keys,
    fields: Map,
    /// It is not just what is merged.
    folded: bool,
}

impl Folding<'_> {
    /// What versions show that merge to this.
    fn state(&mut self, merged: &Document, depth: usize) -> Result<Map, Unanswered> {
        if !merged.has_conflicts() {
            return Ok(merged.shown());
        }
        if let Some(known) = self.folded.get(merged.heads()) {
            return Ok(known.clone());
        }
        if depth > DEPTH {
            return Err(Unanswered::Work("conflicts below conflicts"));
        }
        let mut fields = match merged.heads() {
            [head] => self.edited(*head, depth)?,
            heads => self.fold(heads, depth)?.unwrap_or_else(|| merged.shown()),
        };
        self.keep_merged(merged, &mut fields);
        self.folded.insert(merged.heads().to_vec(), fields.clone());
        Ok(fields)
    }

    /// The state at a version that left the conflicts before it alone: theirs folded, and on top of that what was written since.
    fn edited(&mut self, head: EntryKey, depth: usize) -> Result<Map, Unanswered> {
        let mut edits = Vec::new();
        let mut parents = vec![head];
        while let [only] = parents[..] {
            let Some(version) = self.versions.get(&only) else { break };
            edits.extend(version.change.clone());
            parents.clone_from(&version.parents);
        }
        let before = self.merge(&self.ancestry(&parents))?;
        let before = created(self.state(&before, depth + 1)?)?;
        let mut document = Document::default();
        for change in std::iter::once(before).chain(edits.into_iter().rev()) {
            // Each has seen what was before it, and nothing else matters of it.
            let (key, parents) = (EntryKey(0), document.heads().to_vec());
            let (hash, author) = (Hash([0; 32]), DeviceId([0; 32]));
            document.advance(Version { key, hash, time: 0, author, parents, change: Some(change) });
        }
        Ok(document.shown())
    }

    /// What the handler makes of heads; `None` if all of them delete.
    fn fold(&mut self, heads: &[EntryKey], depth: usize) -> Result<Option<Map>, Unanswered> {
        if heads.len() > HEADS {
            return Err(Unanswered::Work("versions that did not know of each other"));
        }
        let mut heads = heads.to_vec();
        heads.sort_unstable_by_key(|head| self.versions.get(head).map(|version| version.hash));
        let mut ours: Option<Ours> = None;
        for head in heads {
            let keys = self.ancestry(&[head]);
            let merged = self.merge(&keys)?;
            if !merged.is_present() {
                continue;
            }
            let theirs = self.state(&merged, depth + 1)?;
            ours = Some(match ours {
                None => Ours { keys, fields: theirs, folded: false },
                Some(ours) => self.fold_in(ours, keys, theirs, depth)?,
            });
        }
        Ok(ours.map(|ours| ours.fields))
    }

    fn fold_in(&mut self, ours: Ours, keys: Keys, theirs: Map, depth: usize) -> Result<Ours, Unanswered> {
        let all: Keys = ours.keys.union(&keys).copied().collect();
        let merged = self.merge(&all)?;
        if !ours.folded && !merged.has_conflicts() {
            return Ok(Ours { keys: all, fields: merged.shown(), folded: false });
        }
        if ours.fields == theirs {
            return Ok(Ours { keys: all, fields: theirs, folded: true });
        }
        let common: Keys = ours.keys.intersection(&keys).copied().collect();
        let base = self.merge(&common)?;
        let base = if base.is_present() { self.state(&base, depth + 1)? } else { Map::new() };
        let sides = Sides { base: &base, ours: &ours.fields, theirs: &theirs, merged: &merged.shown() };
        let fields = writable(self.handler.ask(&sides).map_err(Unanswered::Failed)?)?;
        Ok(Ours { keys: all, fields, folded: true })
    }

    /// Puts what merges by itself in its place, as it is merged.
    fn keep_merged(&self, merged: &Document, fields: &mut Map) {
        let conflicts = merged.conflicts();
        let overlaps = |names: &[&str], conflict: &Conflict| {
            names.iter().zip(conflict.path.names()).all(|(one, other)| *one == &**other)
        };
        let gathered = merged.gathered();
        for names in self.kinds.iter().chain(&gathered) {
            if !conflicts.iter().any(|conflict| overlaps(names, conflict)) {
                put(fields, names, merged.get(names));
            }
        }
    }

    fn merge(&mut self, keys: &Keys) -> Result<Document, Unanswered> {
        self.work += keys.len();
        if self.work > WORK {
            return Err(Unanswered::Work("versions"));
        }
        let versions: Vec<Version> = keys.iter().filter_map(|key| Some((*self.versions.get(key)?).clone())).collect();
        Ok(merge(&versions))
    }

    /// Versions and all that they had seen.
    fn ancestry(&self, of: &[EntryKey]) -> Keys {
        let (mut wanted, mut found) = (of.to_vec(), Keys::new());
        while let Some(key) = wanted.pop() {
            if let Some(version) = self.versions.get(&key)
                && found.insert(key)
            {
                wanted.extend(&version.parents);
            }
        }
        found
    }
}

/// The change that makes these fields.
fn created(fields: Map) -> Result<Change, Unanswered> {
    Ok(Change::Edit(creation(fields, &[]).map_err(|error| Unanswered::Refused(error.to_string()))?))
}

/// An answer, in its one form, if it can be written.
fn writable(answer: Map) -> Result<Map, Unanswered> {
    let refused = Unanswered::Refused;
    if answer.contains_key(ID) {
        return Err(refused(format!("`{ID}` stands for a document's id and cannot be a field")));
    }
    let encoded = Value::Map(answer.clone()).to_bytes();
    let change = created(answer)?.encode().map_err(|error| refused(error.to_string()))?;
    if change.len() > ANSWER_BYTES {
        return Err(refused(format!("it takes {} bytes, and {ANSWER_BYTES} are possible", change.len())));
    }
    match Value::decode(&mut Reader::new(&encoded)) {
        Ok(Value::Map(fields)) => Ok(fields),
        _ => Err(refused("it is nested too deep".to_owned())),
    }
}

/// Puts a value where names lead, or takes away what is there; where something else stands on the way, nothing is done.
fn put(fields: &mut Map, names: &[&str], value: Option<Value>) {
    let Some((name, inner)) = names.split_first() else { return };
    match (inner.is_empty(), value) {
        (true, Some(value)) => drop(fields.insert((*name).to_owned(), value)),
        (true, None) => drop(fields.remove(*name)),
        (false, value) => {
            if value.is_some() {
                fields.entry((*name).to_owned()).or_insert_with(|| Value::Map(Map::new()));
            }
            if let Some(Value::Map(around)) = fields.get_mut(*name) {
                put(around, inner, value);
            }
        }
    }
}
