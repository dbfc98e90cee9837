//! Conflict handlers: a program's own word on what concurrent edits of a document become.
//!
//! The schema of a collection names one, with a version; the programs that have it give it when they open the database. What
//! it is asked, and what becomes of its answers, is in `core::folding` and `core::handling`.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ayni_doc::{EntryKey, Map};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::typed::{change, map_of, read};

/// Which conflict handler: what a schema names, and what a program gives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandlerId {
    /// Its name.
    pub name: String,
    /// Its version: one that answers otherwise has another.
    pub version: u64,
}

impl fmt::Display for HandlerId {
    /// `name, version 1`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, version {}", self.name, self.version)
    }
}

/// What a conflict handler is asked about: states of one document, whole, that did not know of each other. None of them shows
/// a document as deleted: who deleted it takes no part.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Sides<'a> {
    /// What both had seen; empty if there was nothing.
    pub base: &'a Map,
    /// One side: what was made of those before, where more than two did not know of each other.
    pub ours: &'a Map,
    /// The other.
    pub theirs: &'a Map,
    /// What is shown of both without a handler: edits of different fields both stand, and of those of one field the latest.
    pub merged: &'a Map,
}

/// Why a handler gives no answer, in words.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

type Resolve = dyn Fn(&Sides<'_>) -> Result<Map, HandlerError> + Send + Sync;

/// A conflict handler: given to a database by [`Options::conflict_handler`](crate::Options::conflict_handler), and asked where
/// the schema of a collection names it (`"conflictHandler": {"name": "notes", "version": 1}`) and a document has a conflict.
///
/// **Its answer must hang on nothing but what it is asked**: no clock, no randomness, no setting, nothing from the database, which
/// waits for the handler to end, as whoever writes does: so it should be quick. Then every device that has it shows the same, in
/// whatever order the edits came. One that answers otherwise gets another version, in the schema and in the program.
///
/// The answer is what the document shows: to queries, indexes and live queries too. The next edit writes it down, for everyone.
/// Fields that the schema gives a kind of `merge` have merged by themselves and stay so. One that fails, panics, or answers
/// what cannot be written (a field `_id`, more than 512 KiB, a rule of the schema broken) changes nothing: the conflict is
/// shown as without it.
///
/// ```
/// use ayni::doc::{Map, Value};
/// use ayni::schema::Schema;
/// use ayni::{ConflictHandler, Database, Options};
///
/// // Of two notes that were edited apart the one that was edited last stands, and the tags of both.
/// let handler = ConflictHandler::new("notes", 1, |sides| {
///     let edited = |note: &Map| note.get("edited").and_then(Value::as_int);
///     let mut note = if edited(sides.theirs) > edited(sides.ours) { sides.theirs } else { sides.ours }.clone();
///     if let Some(tags) = sides.merged.get("tags") {
///         note.insert("tags".into(), tags.clone());
///     }
///     Ok(note)
/// });
/// # let temporary = tempfile::tempdir()?;
/// # let folder = temporary.path();
/// let options = Options::new(folder.join("keys")).conflict_handler(handler);
/// let database = Database::create(&folder.join("database"), "Ana's laptop", options)?;
/// let (project, _) = database.create_project("Mapa")?;
/// let schema: Schema = r#"{"conflictHandler": {"name": "notes", "version": 1}}"#.parse()?;
/// project.collection("notes").propose_schema(&schema)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ConflictHandler {
    id: HandlerId,
    resolve: Arc<Resolve>,
}

impl ConflictHandler {
    /// A handler of documents as they are.
    pub fn new(
        name: impl Into<String>,
        version: u64,
        resolve: impl Fn(&Sides<'_>) -> Result<Map, HandlerError> + Send + Sync + 'static,
    ) -> Self {
        Self { id: HandlerId { name: name.into(), version }, resolve: Arc::new(resolve) }
    }

    /// A handler of values of a program's own type: base (`None` where there was nothing), ours, theirs. Fields that the type
    /// does not know are shown as they merge without a handler; where a document is no value of the type, its conflict is.
    ///
    /// ```
    /// use ayni::ConflictHandler;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Tank {
    ///     litres: i64,
    /// }
    ///
    /// // What was drawn on one device was drawn beside what was drawn on the other.
    /// let handler = ConflictHandler::typed("tanks", 1, |base: Option<Tank>, ours: Tank, theirs: Tank| {
    ///     let before = base.map_or(0, |base| base.litres);
    ///     Ok(Tank { litres: ours.litres + theirs.litres - before })
    /// });
    /// assert_eq!(handler.id().to_string(), "tanks, version 1");
    /// ```
    pub fn typed<T: Serialize + DeserializeOwned>(
        name: impl Into<String>,
        version: u64,
        resolve: impl Fn(Option<T>, T, T) -> Result<T, HandlerError> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, version, move |sides| {
            let base = if sides.base.is_empty() { None } else { Some(value_of(sides.base)?) };
            let resolved = resolve(base, value_of(sides.ours)?, value_of(sides.theirs)?)?;
            let mut all = sides.merged.clone();
            // What the type writes of what is there: the rest it does not know.
            let before = value_of::<T>(sides.merged).ok().and_then(|value| map_of(&value).ok()).unwrap_or_default();
            change(&mut all, &before, map_of(&resolved)?);
            Ok(all)
        })
    }

    /// Its name and version.
    pub fn id(&self) -> &HandlerId {
        &self.id
    }

    /// Its answer; what it panics with is an error too.
    pub(crate) fn ask(&self, sides: &Sides<'_>) -> Result<Map, HandlerError> {
        std::panic::catch_unwind(AssertUnwindSafe(|| (self.resolve)(sides)))
            .unwrap_or_else(|_| Err("it panicked".into()))
    }
}

impl fmt::Debug for ConflictHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConflictHandler").field(&self.id).finish()
    }
}

fn value_of<T: DeserializeOwned>(fields: &Map) -> Result<T, HandlerError> {
    Ok(read::value_of(fields.clone())?)
}

/// Versions of documents of which a handler made nothing, that are remembered at the most.
const REMEMBERED: usize = 65_536;

/// The handlers of an open database.
#[derive(Default)]
pub(crate) struct Handlers {
    known: BTreeMap<HandlerId, ConflictHandler>,
    /// By the heads of documents, and by what the answer hung on: a handler is not asked again what it had no answer to.
    unanswered: Mutex<HashSet<([u8; 8], Vec<EntryKey>)>>,
}

impl Handlers {
    pub(crate) fn new(handlers: Vec<ConflictHandler>) -> Self {
        let known = handlers.into_iter().map(|handler| (handler.id.clone(), handler)).collect();
        Self { known, unanswered: Mutex::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(crate) fn get(&self, id: &HandlerId) -> Option<&ConflictHandler> {
        self.known.get(id)
    }

    pub(crate) fn had_no_answer(&self, basis: [u8; 8], heads: &[EntryKey]) -> bool {
        self.unanswered().contains(&(basis, heads.to_vec()))
    }

    pub(crate) fn note_no_answer(&self, basis: [u8; 8], heads: &[EntryKey]) {
        let mut unanswered = self.unanswered();
        if unanswered.len() >= REMEMBERED {
            unanswered.clear();
        }
        unanswered.insert((basis, heads.to_vec()));
    }

    fn unanswered(&self) -> MutexGuard<'_, HashSet<([u8; 8], Vec<EntryKey>)>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
