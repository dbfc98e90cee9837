//! The table of a collection, and which way it is read for what is asked of it.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use ayni_doc::Path;
use ayni_store::sql::{Approach, Comparison, Constraint, SqlColumn, SqlRows, SqlTable, TableFailure};
use ayni_store::{CollectionRow, IndexRow};

use super::catalog::Source;
use super::columns::{Column, Content};
use super::rows::DocumentRows;
use crate::core::indexing::KnownIndex;
use crate::error::Error;
use crate::index::Index;
use crate::schema::Schema;

/// Documents that a collection is taken to have. What counts is how the ways to read it compare.
const DOCUMENTS: f64 = 1e6;

/// A collection as a table.
pub(super) struct CollectionTable {
    pub(super) source: Arc<Source>,
    pub(super) name: String,
    pub(super) collection: String,
    pub(super) row: CollectionRow,
    schema: Option<Arc<Schema>>,
    /// Once they were asked for: the columns, and the indexes that can be read.
    known: OnceLock<(Arc<[Column]>, Vec<KnownIndex>)>,
}

impl CollectionTable {
    pub(super) fn new(
        source: Arc<Source>,
        name: String,
        collection: String,
        row: CollectionRow,
        schema: Option<Arc<Schema>>,
    ) -> Self {
        Self { source, name, collection, row, schema, known: OnceLock::new() }
    }

    pub(super) fn known_columns(&self) -> Result<Arc<[Column]>, Error> {
        if let Some((columns, _)) = self.known.get() {
            return Ok(columns.clone());
        }
        let columns: Arc<[Column]> = self.source.columns(self.row, self.schema.as_deref())?.into();
        let indexes = self.source.indexes(self.row)?;
        Ok(self.known.get_or_init(|| (columns, indexes)).0.clone())
    }

    /// The indexes that can be read, once the columns were asked for.
    pub(super) fn known_indexes(&self) -> &[KnownIndex] {
        self.known.get().map_or(&[], |(_, indexes)| indexes)
    }

    /// By the index that leaves the fewest, as far as that can be told before the values are known.
    fn by_index(&self, constraints: &[Constraint]) -> Option<Approach> {
        let (columns, indexes) = self.known.get()?;
        let on = |field: &Path| -> Vec<usize> {
            let is_field = |constraint: &Constraint| {
                columns.get(constraint.column).is_some_and(|column| column.content == Content::Field(field.clone()))
            };
            (0..constraints.len()).filter(|at| constraints.get(*at).is_some_and(is_field)).collect()
        };
        let by = |known: &KnownIndex| {
            let Index::Values(fields) = &known.index else { return None };
            let mut wanted = Vec::new();
            let mut rows = DOCUMENTS;
            for field in fields {
                let found = on(field);
                let fixed = found.iter().any(|at| {
                    constraints.get(*at).is_some_and(|constraint| constraint.comparison == Comparison::Equal)
                });
                rows *= match (fixed, found.len()) {
                    (true, _) => 1e-3,
                    (false, 0) => 1.0,
                    (false, 1) => 0.3,
                    (false, _) => 0.1,
                };
                wanted.extend(found);
                if !fixed {
                    break;
                }
            }
            (!wanted.is_empty()).then_some((rows.max(1.0), known.row, wanted))
        };
        let (rows, index, wanted) = indexes.iter().filter_map(by).min_by(|one, other| one.0.total_cmp(&other.0))?;
        let compared = wanted.iter().filter_map(|at| constraints.get(*at).copied()).collect();
        let way = Way { body: true, by: By::Index(index, compared) };
        Some(Approach { text: way.to_string(), wanted, rows, unique: false })
    }
}

impl SqlTable for CollectionTable {
    fn columns(&self) -> Result<Vec<SqlColumn>, TableFailure> {
        let column = |column: &Column| SqlColumn { name: column.name.clone(), hidden: column.is_hidden() };
        Ok(self.known_columns()?.iter().map(column).collect())
    }

    fn approach(&self, constraints: &[Constraint], used: u64) -> Approach {
        let columns = self.known.get().map_or(&[][..], |(columns, _)| columns);
        let is_used = |at: usize| used & (1 << at.min(63)) != 0;
        let body = columns.iter().enumerate().any(|(at, column)| column.needs_body() && is_used(at));
        let is_id = |constraint: &Constraint| {
            let column = columns.get(constraint.column);
            constraint.comparison == Comparison::Equal && column.is_some_and(|column| column.content == Content::Id)
        };
        if let Some(at) = constraints.iter().position(is_id) {
            let way = Way { body, by: By::Id };
            return Approach { text: way.to_string(), wanted: vec![at], rows: 1.0, unique: true };
        }
        self.by_index(constraints).unwrap_or_else(|| {
            let way = Way { body, by: By::All };
            Approach { text: way.to_string(), wanted: Vec::new(), rows: DOCUMENTS, unique: false }
        })
    }

    fn rows(&self) -> Box<dyn SqlRows> {
        let columns = self.known.get().map_or_else(|| Arc::from([]), |(columns, _)| columns.clone());
        let indexes = self.known.get().map_or(Vec::new(), |(_, indexes)| indexes.clone());
        Box::new(DocumentRows::new(self.source.clone(), self.row, columns, indexes))
    }
}

/// A way to read a collection, as it is written for SQLite to keep.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Way {
    /// The documents themselves are needed, not only what is known of them.
    pub(super) body: bool,
    pub(super) by: By,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum By {
    /// Looking at all.
    All,
    /// The id, which is given.
    Id,
    /// An index, with what is compared with the values given.
    Index(IndexRow, Vec<Constraint>),
}

const COMPARISONS: [(char, Comparison); 5] = [
    ('=', Comparison::Equal),
    ('<', Comparison::Less),
    ('[', Comparison::LessOrEqual),
    ('>', Comparison::Greater),
    (']', Comparison::GreaterOrEqual),
];

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.body { "whole" } else { "known" })?;
        match &self.by {
            By::All => f.write_str(" all"),
            By::Id => f.write_str(" id"),
            By::Index(row, constraints) => {
                write!(f, " index {}", row.0)?;
                for Constraint { column, comparison } in constraints {
                    let sign = COMPARISONS.iter().find(|(_, known)| known == comparison).map_or('=', |(sign, _)| *sign);
                    write!(f, " {sign}{column}")?;
                }
                Ok(())
            }
        }
    }
}

impl FromStr for Way {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        const WRONG: Error = Error::Defect("reading a table for SQL");
        let mut words = text.split(' ');
        let body = match words.next() {
            Some("whole") => true,
            Some("known") => false,
            _ => return Err(WRONG),
        };
        let by = match words.next() {
            Some("all") => By::All,
            Some("id") => By::Id,
            Some("index") => {
                let row = words.next().and_then(|row| row.parse().ok()).ok_or(WRONG)?;
                let constraint = |word: &str| {
                    let mut letters = word.chars();
                    let sign = letters.next()?;
                    let comparison = COMPARISONS.iter().find(|(known, _)| *known == sign)?.1;
                    Some(Constraint { column: letters.as_str().parse().ok()?, comparison })
                };
                let constraints = words.map(|word| constraint(word).ok_or(WRONG)).collect::<Result<_, _>>()?;
                By::Index(IndexRow(row), constraints)
            }
            _ => return Err(WRONG),
        };
        Ok(Self { body, by })
    }
}
