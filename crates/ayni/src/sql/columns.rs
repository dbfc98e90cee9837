//! Which columns the table of a collection has.
//!
//! Those of all documents first, then the fields: of a collection with a schema those that it names, of another those that
//! its documents have, what most have first. Names in SQL are the same in capitals and small letters, and fields' are
//! not: of those alike the first by its bytes keeps its name, and the next gets `_2`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use ayni_doc::{Path, encoded};
use ayni_store::{CollectionRow, Snapshot, flags};

use super::patience::Patience;
use crate::error::Error;
use crate::interchange::ID;
use crate::schema::{FieldType, Schema};

/// Fields that are columns at the most.
const MOST_FIELDS: usize = 500;

/// Fields of collections without a schema, as they were when the store had some revision.
#[derive(Debug, Default)]
pub(crate) struct KnownFields {
    pub(super) revision: i64,
    pub(super) fields: BTreeMap<CollectionRow, Arc<[String]>>,
}

/// What stands in a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// The document's id.
    Id,
    /// When its newest version was written.
    Changed,
    /// By whom.
    ChangedBy,
    /// Whether it has conflicts.
    Conflicted,
    /// All of it.
    Document,
    /// A field.
    Field(Path),
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) content: Content,
    /// What a schema says of it; nothing: it can be anything.
    pub(super) types: Vec<FieldType>,
}

impl Column {
    /// Whether `*` leaves it out.
    pub(super) fn is_hidden(&self) -> bool {
        !matches!(self.content, Content::Id | Content::Field(_))
    }

    /// Whether the document itself must be read for it.
    pub(super) fn needs_body(&self) -> bool {
        matches!(self.content, Content::Document | Content::Field(_))
    }
}

/// The columns that every table has.
const OF_ALL: [(&str, Content); 5] = [
    (ID, Content::Id),
    ("_changed", Content::Changed),
    ("_changed_by", Content::ChangedBy),
    ("_conflicted", Content::Conflicted),
    ("_document", Content::Document),
];

/// The columns of a table for these fields, in their order.
pub(super) fn columns(fields: &[String], schema: Option<&Schema>) -> Vec<Column> {
    let fields = fields.get(..MOST_FIELDS).unwrap_or(fields);
    let mut names = Names::without(OF_ALL.map(|(name, _)| name));
    let mut sorted: Vec<&String> = fields.iter().collect();
    sorted.sort();
    let named: BTreeMap<&String, String> = sorted.into_iter().map(|field| (field, names.add(field))).collect();
    let of_all = OF_ALL.map(|(name, content)| Column { name: name.to_owned(), content, types: Vec::new() });
    let of_field = |field: &String| {
        let path = Path::new([field.as_str()]).ok()?;
        let types = schema.map_or(Vec::new(), |schema| schema.types(&path).to_vec());
        Some(Column { name: named.get(field)?.clone(), content: Content::Field(path), types })
    };
    of_all.into_iter().chain(fields.iter().filter_map(of_field)).collect()
}

/// The names of the fields that documents of a collection have, what most have first.
pub(super) fn fields_of(
    store: &Snapshot<'_>,
    collection: CollectionRow,
    patience: &Patience,
) -> Result<Vec<String>, Error> {
    const LOOK: usize = 1_024;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut seen = 0;
    store.documents(collection, None, |document| {
        seen += 1;
        if seen % LOOK == 0 {
            patience.check()?;
        }
        if document.flags & flags::DELETED != 0 {
            return Ok(ControlFlow::Continue(()));
        }
        let count = |name: &str| match counts.get_mut(name) {
            Some(count) => *count += 1,
            None => drop(counts.insert(name.to_owned(), 1)),
        };
        encoded::names(document.body, count).map_err(|_| Error::Damaged("a document"))?;
        Ok::<_, Error>(ControlFlow::Continue(()))
    })?;
    let mut fields: Vec<(String, u64)> = counts.into_iter().collect();
    fields.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    fields.truncate(MOST_FIELDS);
    Ok(fields.into_iter().map(|(name, _)| name).collect())
}

/// Names as SQL can have them beside each other.
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// None of which is one of these.
    pub(super) fn without(taken: impl IntoIterator<Item = &'static str>) -> Self {
        Self(taken.into_iter().map(str::to_owned).collect())
    }

    /// The name that something gets: its own, where that is free.
    pub(super) fn add(&mut self, own: &str) -> String {
        let own = match own {
            "" => "_".to_owned(),
            own => own.replace('\0', "\u{fffd}"),
        };
        let mut name = own.clone();
        let mut next = 2_u64;
        while !self.0.insert(name.to_ascii_lowercase()) {
            name = format!("{own}_{next}");
            next += 1;
        }
        name
    }
}
