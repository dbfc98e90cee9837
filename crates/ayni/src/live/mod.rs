//! Live queries: the answer to a query, and then what becomes of it.
//!
//! A [`LiveQuery`] looks at the store when something was committed. It finds the documents that changed since it last looked
//! by the entries that took effect ([`moment`]), compares them with what it keeps of its answer ([`window`], a sorted list
//! that knows its places: [`ranked`]), and tells by which [`steps`] the list that its reader has becomes the present one
//! ([`look`]). All of that is read in one snapshot, so a batch leads from the state after one commit to the state after another.

mod look;
mod moment;
mod ranked;
mod steps;
mod window;

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ayni_log::ids::DocumentId;

use crate::collection::Collection;
use crate::document::Document;
use crate::error::Error;
use crate::live::moment::Moment;
use crate::live::window::{SPARE, Window};
use crate::query::{Query, Sort};

/// One difference between the answer to a query before and after.
///
/// The places in it, from 0, hold once the differences before it were applied: a list to which all of a batch are applied
/// in turn is exactly the answer to the query asked anew.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Difference {
    /// A document is in the answer that was not.
    Appeared {
        /// Where it is to be put in.
        at: usize,
        /// What it shows.
        document: Document,
    },
    /// A document stays where it is, and another version of it is there.
    Changed {
        /// Where it is.
        at: usize,
        /// What it shows now.
        document: Document,
    },
    /// A document has another place. It may show something else too.
    Moved {
        /// Where it is to be taken out.
        from: usize,
        /// Where it is to be put in then.
        to: usize,
        /// What it shows now.
        document: Document,
    },
    /// A document is not in the answer any more: it was deleted, or the selector does not hold for it any more, or others
    /// stand before it.
    Went {
        /// Where it is to be taken out.
        at: usize,
        /// Which it was.
        id: DocumentId,
    },
}

impl Difference {
    /// Does to a list what it tells.
    ///
    /// # Panics
    /// If the list is not the one that the batch is about.
    pub fn apply(self, list: &mut Vec<Document>) {
        match self {
            Self::Appeared { at, document } => list.insert(at, document),
            Self::Changed { at, document } => list[at] = document,
            Self::Moved { from, to, document } => {
                list.remove(from);
                list.insert(to, document);
            }
            Self::Went { at, .. } => drop(list.remove(at)),
        }
    }

    /// The document that it is about.
    pub fn id(&self) -> DocumentId {
        match self {
            Self::Appeared { document, .. } | Self::Changed { document, .. } | Self::Moved { document, .. } => {
                document.id
            }
            Self::Went { id, .. } => *id,
        }
    }
}

/// What a live query has cost so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Effort {
    /// How often the query was asked as a whole; the first time included.
    pub asked: u64,
    /// Entries that were followed to the documents that they changed.
    pub entries: u64,
    /// Documents that were looked at because they had changed, or had moved up into the answer; not those that
    /// asking as a whole looked at.
    pub documents: u64,
}

/// A query whose answer is told as it changes: made by [`Collection::watch`].
///
/// It holds no documents, but for each in the answer its id, what it is sorted by and a hash (with a limit: of those that are passed
/// over, those that are shown, and some hundred more). Whoever does not ask for long holds up nothing: the next call gives
/// what became of all changes together.
pub struct LiveQuery {
    collection: Collection,
    query: Query,
    /// `None` until it was first asked.
    known: Option<Known>,
    effort: Effort,
}

struct Known {
    moment: Moment,
    window: Window,
}

impl Collection {
    /// Watches the answer to a query: first all documents that are in it appear, then comes each difference, without polling.
    /// Documents come whole, as from [`Collection::query`]. A query for words, without a sort and a place to be near to, gets a sort by `_id`.
    ///
    /// What this process commits or takes in by sync is seen at once. For what another process on the same folder commits it
    /// needs a hint, by [`Database::nudge`](crate::Database::nudge) or [`Database::refresh`](crate::Database::refresh); the
    /// crate `ayni-net` gives it (`wake::watch`).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use ayni::doc::{Map, Value};
    /// use ayni::query::Query;
    /// # use ayni::{Database, Options};
    /// # let temporary = tempfile::tempdir()?;
    /// # let database = Database::create(&temporary.path().join("db"), "Ana", Options::new(temporary.path().join("keys")))?;
    /// # let (project, _) = database.create_project("Mapa")?;
    ///
    /// let places = project.collection("places");
    /// let mut largest = places.watch(Query::new("".parse()?).sort("population:desc".parse()?).limit(20));
    /// let mut shown = Vec::new();
    /// // The first batch: what there is.
    /// for difference in largest.next(Duration::ZERO)?.unwrap_or_default() {
    ///     difference.apply(&mut shown);
    /// }
    ///
    /// let cusco = Map::from([("name".into(), "Cusco".into()), ("population".into(), Value::Int(428_450))]);
    /// project.write(|tx| tx.create("places", cusco))?;
    /// for difference in largest.next(Duration::from_secs(1))?.unwrap_or_default() {
    ///     difference.apply(&mut shown);
    /// }
    /// assert_eq!(shown, places.query(largest.query())?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn watch(&self, mut query: Query) -> LiveQuery {
        if query.is_by_rank() {
            query.sort = Sort::by_id();
        }
        LiveQuery { collection: self.clone(), query, known: None, effort: Effort::default() }
    }
}

impl LiveQuery {
    /// What leads from the answer as it was at the last batch to the present one: waits until there is something, at most so
    /// long; `None` if there was nothing. The first batch comes at once, empty if nothing is in the answer.
    ///
    /// Each batch leads to the answer as it was after some commit, with nothing of a later one. Each call looks at the
    /// store before it waits. While documents are made anew from the log there is nothing.
    ///
    /// # Errors
    /// If the database cannot be read. Nothing is lost: the next call gives what this one would have.
    pub fn next(&mut self, at_most: Duration) -> Result<Option<Vec<Difference>>, Error> {
        let start = Instant::now();
        loop {
            let seen = self.collection.project.core.revision();
            if let Some(batch) = self.look()? {
                return Ok(Some(batch));
            }
            let left = at_most.saturating_sub(start.elapsed());
            if self.collection.project.core.wait(seen, left) <= seen {
                return Ok(None);
            }
        }
    }

    /// The same for tasks: gives a batch if there is one, or has the task woken when something was committed. For use with
    /// `std::future::poll_fn`; it reads the disk, for a moment if few documents changed.
    ///
    /// # Errors
    /// As [`LiveQuery::next`].
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Vec<Difference>, Error>> {
        loop {
            let seen = self.collection.project.core.revision();
            match self.look() {
                Ok(Some(batch)) => return Poll::Ready(Ok(batch)),
                Err(error) => return Poll::Ready(Err(error)),
                Ok(None) => {}
            }
            if self.collection.project.core.wake_beyond(seen, context.waker()) {
                return Poll::Pending;
            }
        }
    }

    /// The query.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// The ids of the documents in the answer as of the last batch, in their order.
    pub fn ids(&self) -> impl Iterator<Item = DocumentId> {
        let (skip, limit) = self.shown();
        let rows = self.known.iter().flat_map(|known| known.window.iter());
        rows.skip(skip).take(limit).map(|row| row.id)
    }

    /// What it has cost so far.
    pub fn effort(&self) -> Effort {
        self.effort
    }

    /// How many documents are passed over, and how many are shown at the most.
    fn shown(&self) -> (usize, usize) {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        (number(self.query.skip), self.query.limit.map_or(usize::MAX, number))
    }

    /// How many rows are kept of a query with a limit.
    fn kept(&self) -> Option<usize> {
        let (skip, limit) = self.shown();
        self.query.limit.map(|_| skip.saturating_add(limit).saturating_add(SPARE))
    }
}
