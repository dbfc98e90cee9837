//! What the indexes of a collection hold of a document, and its being written to them and taken out again.

use ayni_doc::{Document, INDEX_KEY_BYTES, Path};
use ayni_store::{CollectionRow, DocumentRow, IndexRow, PlaceBox, Write};

use crate::core::indexing::Indexes;
use crate::error::Error;
use crate::index::Index;
use crate::places::{boxes_of, parts_of};
use crate::query::Lookup;
use crate::query::search::columns;

/// Stands in a key for a field that the document lacks: before all values.
const LACKING: u8 = 0;

/// What an index holds of a document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Standing {
    /// The key under which it stands in an index of values.
    Key(Vec<u8>),
    /// The tokens of each column of an index of text.
    Text(Vec<String>),
    /// The boxes in which it lies.
    Places(Vec<PlaceBox>),
}

/// The same, as far as is needed to tell whether it changed, and to take it out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Trace {
    Key(Vec<u8>),
    Text(blake3::Hash),
    Places(Vec<PlaceBox>),
}

/// What each index of its collection holds of a document; nothing once it is deleted.
pub(crate) fn standings(
    indexes: &Indexes,
    collection: CollectionRow,
    document: &Document,
) -> Vec<(IndexRow, Standing)> {
    let Some(indexes) = indexes.get(&collection) else { return Vec::new() };
    indexes.iter().filter_map(|known| Some((known.row, Standing::of(&known.index, document)?))).collect()
}

impl Standing {
    /// `None` if there is nothing of the document in the index: it lacks the fields, or is deleted.
    pub(crate) fn of(index: &Index, document: &Document) -> Option<Self> {
        if !document.is_present() {
            return None;
        }
        match index {
            Index::Values(fields) => key_of(fields, document).map(Self::Key),
            Index::Text { fields, tokenizer } => {
                let columns = columns(fields, *tokenizer, document);
                columns.iter().any(|column| !column.is_empty()).then_some(Self::Text(columns))
            }
            Index::Geometry(field) => {
                let boxes = boxes_of(&parts_of(document.lookup(field)?.as_ref()));
                (!boxes.is_empty()).then_some(Self::Places(boxes))
            }
        }
    }

    pub(crate) fn trace(&self) -> Trace {
        match self {
            Self::Key(key) => Trace::Key(key.clone()),
            Self::Text(columns) => {
                let mut hasher = blake3::Hasher::new();
                for column in columns {
                    hasher.update(&(column.len() as u64).to_be_bytes()).update(column.as_bytes());
                }
                Trace::Text(hasher.finalize())
            }
            Self::Places(boxes) => Trace::Places(boxes.clone()),
        }
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Key(key) => key.len(),
            Self::Text(columns) => columns.iter().map(String::len).sum(),
            Self::Places(boxes) => size_of_val(boxes.as_slice()),
        }
    }

    /// Writes it, in the place of what the index of text or places held of the document.
    pub(crate) fn write(self, tx: &mut Write<'_>, index: IndexRow, row: DocumentRow) -> Result<(), Error> {
        match self {
            Self::Key(key) => tx.insert_key(index, key, row)?,
            Self::Text(columns) => tx.set_text(index, row, columns)?,
            Self::Places(boxes) => tx.set_boxes(index, row, boxes)?,
        }
        Ok(())
    }
}

impl Trace {
    /// Takes what it is of out of the index.
    pub(crate) fn remove(self, tx: &mut Write<'_>, index: IndexRow, row: DocumentRow) -> Result<(), Error> {
        match self {
            Self::Key(key) => tx.remove_key(index, key, row)?,
            Self::Text(_) => tx.remove_text(index, row)?,
            Self::Places(_) => tx.set_boxes(index, row, Vec::new())?,
        }
        Ok(())
    }
}

/// The key of a document in an index of values: those of the fields' values one after the other. One that is cut, because
/// its value is long, is the last. `None` if the document lacks the first field.
fn key_of(fields: &[Path], document: &Document) -> Option<Vec<u8>> {
    let (first, further) = fields.split_first()?;
    let mut key = document.lookup(first)?.index_key();
    let mut cut = key.len() >= INDEX_KEY_BYTES;
    for field in further {
        if cut {
            break;
        }
        cut = push_value(&mut key, document, field);
    }
    Some(key)
}

/// Whether the key of the value is cut.
fn push_value(key: &mut Vec<u8>, document: &Document, field: &Path) -> bool {
    let Some(value) = document.lookup(field) else {
        key.push(LACKING);
        return false;
    };
    let value = value.index_key();
    key.extend_from_slice(&value);
    value.len() >= INDEX_KEY_BYTES
}
