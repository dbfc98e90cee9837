//! The rows of a collection: documents read from the snapshot, a few at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ayni_doc::encoded;
use ayni_log::ids::{DeviceId, DocumentId};
use ayni_store::sql::{SqlRows, SqlValue, TableFailure};
use ayni_store::{BranchRow, CollectionRow, DocumentRow, EntryKey, IndexRow, Snapshot, entry_place, flags};

use super::bounds::left;
use super::catalog::Source;
use super::cells::to_sql;
use super::columns::{Column, Content};
use super::table::{By, Way};
use crate::core::documents::read;
use crate::core::indexing::KnownIndex;
use crate::error::Error;
use crate::query::{KeyRange, Selector, stored_range};

/// Documents that are read at once: a few first, as a few may be all that are wanted, then more and more.
const FIRST: usize = 4;
const MOST: usize = 256;
/// Bytes of them, but for the last.
const BYTES: usize = 1 << 20;

/// What reading cost so far.
#[derive(Default)]
pub(super) struct Meter {
    indexes: Mutex<BTreeSet<IndexRow>>,
    keys: AtomicU64,
    documents: AtomicU64,
}

impl Meter {
    /// The indexes that were read, how many of their keys, and how many documents.
    pub(super) fn read(&self) -> (BTreeSet<IndexRow>, u64, u64) {
        let indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (indexes, self.keys.load(Ordering::Relaxed), self.documents.load(Ordering::Relaxed))
    }
}

/// A document as it is kept until SQLite has asked for what it wants of it.
struct Held {
    row: DocumentRow,
    id: DocumentId,
    flags: u32,
    heads: Vec<EntryKey>,
    /// Empty where the document itself is not needed.
    body: Vec<u8>,
}

/// Where the next documents come from.
enum Next {
    /// Nothing is left.
    Nothing,
    /// The document of this id.
    Id(DocumentId),
    /// All, after this one.
    All(Option<DocumentRow>),
    /// These runs of an index, the last first, and in that the keys after this one.
    Keys { index: IndexRow, ranges: Vec<KeyRange>, after: Option<(Vec<u8>, DocumentRow)> },
}

/// See the module.
pub(super) struct DocumentRows {
    source: Arc<Source>,
    collection: CollectionRow,
    columns: Arc<[Column]>,
    indexes: Vec<KnownIndex>,
    /// Who writes the branches that were asked for.
    authors: Mutex<BTreeMap<BranchRow, DeviceId>>,
    body: bool,
    next: Next,
    held: Vec<Held>,
    at: usize,
    amount: usize,
}

impl DocumentRows {
    pub(super) fn new(
        source: Arc<Source>,
        collection: CollectionRow,
        columns: Arc<[Column]>,
        indexes: Vec<KnownIndex>,
    ) -> Self {
        let (authors, next, held) = (Mutex::default(), Next::Nothing, Vec::new());
        Self { source, collection, columns, indexes, authors, body: true, next, held, at: 0, amount: FIRST }
    }

    fn begin(&mut self, way: &str, values: &[SqlValue]) -> Result<(), Error> {
        let Way { body, by } = way.parse()?;
        (self.body, self.at, self.amount) = (body, 0, FIRST);
        self.held.clear();
        self.next = match by {
            By::All => Next::All(None),
            By::Id => match values.first() {
                Some(SqlValue::Text(id)) => id.parse().map_or(Next::Nothing, Next::Id),
                _ => Next::Nothing,
            },
            By::Index(row, constraints) => {
                let mut conditions = Vec::new();
                for (constraint, value) in constraints.iter().zip(values) {
                    let Some(test) = left(constraint.comparison, value) else {
                        self.next = Next::Nothing;
                        return Ok(());
                    };
                    if let Some(Content::Field(path)) =
                        self.columns.get(constraint.column).map(|column| &column.content)
                    {
                        conditions.push(Selector::field(path.clone(), test));
                    }
                }
                let known = self.indexes.iter().find(|known| known.row == row);
                let ranges = known.and_then(|known| Selector::And(conditions).ranges_in(known.index.fields()));
                match ranges {
                    None => Next::All(None),
                    Some(mut ranges) => {
                        self.source.meter.indexes.lock().unwrap_or_else(PoisonError::into_inner).insert(row);
                        ranges.reverse();
                        Next::Keys { index: row, ranges, after: None }
                    }
                }
            }
        };
        self.fill()
    }

    fn step(&mut self) -> Result<(), Error> {
        self.at += 1;
        if self.at < self.held.len() { Ok(()) } else { self.fill() }
    }

    /// Reads the next documents, if there are any.
    fn fill(&mut self) -> Result<(), Error> {
        self.held.clear();
        self.at = 0;
        let source = self.source.clone();
        while self.held.is_empty() && !matches!(self.next, Next::Nothing) {
            source.patience.check()?;
            source.snapshot.with(|snapshot| self.read(snapshot))?;
        }
        self.amount = self.amount.saturating_mul(4).min(MOST);
        Ok(())
    }

    fn read(&mut self, snapshot: &Snapshot<'_>) -> Result<(), Error> {
        match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Nothing => Ok(()),
            Next::Id(id) => {
                let found = snapshot.document_by_id(self.collection, id)?;
                self.source.meter.documents.fetch_add(1, Ordering::Relaxed);
                self.held.extend(found.filter(|found| found.flags & flags::DELETED == 0).map(Held::of));
                Ok(())
            }
            Next::All(after) => self.read_all(snapshot, after),
            Next::Keys { index, ranges, after } => self.read_keys(snapshot, index, ranges, after),
        }
    }

    fn read_all(&mut self, snapshot: &Snapshot<'_>, after: Option<DocumentRow>) -> Result<(), Error> {
        let (mut looked_at, mut bytes, mut last) = (0, 0, None);
        let (amount, body, held) = (self.amount, self.body, &mut self.held);
        snapshot.documents(self.collection, after, |document| {
            looked_at += 1;
            if document.flags & flags::DELETED == 0 {
                let body = if body { document.body.to_vec() } else { Vec::new() };
                bytes += body.len();
                let (row, id, flags, heads) = (document.row, document.id, document.flags, document.heads);
                held.push(Held { row, id, flags, heads, body });
            }
            let full = looked_at >= amount || bytes >= BYTES;
            last = full.then_some(document.row);
            Ok::<_, Error>(if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        self.source.meter.documents.fetch_add(looked_at as u64, Ordering::Relaxed);
        if last.is_some() {
            self.next = Next::All(last);
        }
        Ok(())
    }

    fn read_keys(
        &mut self,
        snapshot: &Snapshot<'_>,
        index: IndexRow,
        mut ranges: Vec<KeyRange>,
        after: Option<(Vec<u8>, DocumentRow)>,
    ) -> Result<(), Error> {
        let Some(range) = ranges.last() else { return Ok(()) };
        let (mut keys, mut bytes, mut last) = (0, 0, None);
        let mut run = stored_range(range);
        run.after = after.as_ref().map(|(key, document)| (key.as_slice(), *document));
        snapshot.index_keys(index, run, ayni_store::Direction::Forward, |key, row| {
            keys += 1;
            if let Some(document) = snapshot.document(row)?.filter(|document| document.flags & flags::DELETED == 0) {
                bytes += document.body.len();
                self.held.push(Held::of(document));
            }
            let full = keys >= self.amount || bytes >= BYTES;
            last = full.then(|| (key.to_vec(), row));
            Ok::<_, Error>(if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        self.source.meter.keys.fetch_add(keys as u64, Ordering::Relaxed);
        self.source.meter.documents.fetch_add(keys as u64, Ordering::Relaxed);
        if last.is_none() {
            ranges.pop();
        }
        self.next = Next::Keys { index, ranges, after: last };
        if matches!(&self.next, Next::Keys { ranges, .. } if ranges.is_empty()) {
            self.next = Next::Nothing;
        }
        Ok(())
    }

    fn cell(&self, column: usize) -> Result<SqlValue, Error> {
        let (Some(held), Some(column)) = (self.held.get(self.at), self.columns.get(column)) else {
            return Ok(SqlValue::Null);
        };
        Ok(match &column.content {
            Content::Id => SqlValue::Text(held.id.to_string()),
            Content::Conflicted => SqlValue::Integer(i64::from(held.flags & flags::CONFLICTED != 0)),
            Content::Changed => self.newest(held)?.map_or(SqlValue::Null, |(time, _)| SqlValue::Integer(time)),
            Content::ChangedBy => match self.newest(held)? {
                None => SqlValue::Null,
                Some((_, author)) => {
                    let name = self.source.names.get(&author).filter(|name| !name.is_empty());
                    SqlValue::Text(name.cloned().unwrap_or_else(|| author.to_string()))
                }
            },
            Content::Document => SqlValue::Text(read(&held.body, &held.heads)?.to_json().to_string()),
            Content::Field(path) => {
                let value = encoded::get(&held.body, path.names()).map_err(|_| Error::Damaged("a document"))?;
                value.as_ref().map_or(SqlValue::Null, to_sql)
            }
        })
    }

    /// When the newest version of a document was written, by the clock of who wrote it, and by whom.
    fn newest(&self, held: &Held) -> Result<Option<(i64, DeviceId)>, Error> {
        self.source.snapshot.with(|snapshot| {
            let mut newest = None;
            for head in &held.heads {
                let Some(entry) = snapshot.entry(*head)? else { continue };
                let header = entry.read_header().map_err(|_| Error::Damaged("an entry of the log"))?;
                let Some(body) = header.v1() else { continue };
                newest = newest.max(Some((body.time, entry.hash, *head)));
            }
            let Some((time, _, head)) = newest else { return Ok(None) };
            Ok(Some((time, self.author(snapshot, entry_place(head).0)?)))
        })
    }

    fn author(&self, snapshot: &Snapshot<'_>, branch: BranchRow) -> Result<DeviceId, Error> {
        let mut authors = self.authors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(author) = authors.get(&branch) {
            return Ok(*author);
        }
        let author = snapshot.branch(branch)?.log.device;
        authors.insert(branch, author);
        Ok(author)
    }
}

impl Held {
    fn of(document: ayni_store::Document) -> Self {
        let ayni_store::Document { row, id, flags, heads, body, .. } = document;
        Self { row, id, flags, heads, body }
    }
}

impl SqlRows for DocumentRows {
    fn find(&mut self, approach: &str, values: Vec<SqlValue>) -> Result<(), TableFailure> {
        Ok(self.begin(approach, &values)?)
    }

    fn advance(&mut self) -> Result<(), TableFailure> {
        Ok(self.step()?)
    }

    fn ended(&self) -> bool {
        self.at >= self.held.len()
    }

    fn value(&self, column: usize) -> Result<SqlValue, TableFailure> {
        Ok(self.cell(column)?)
    }

    fn number(&self) -> i64 {
        self.held.get(self.at).map_or(0, |held| held.row)
    }
}
