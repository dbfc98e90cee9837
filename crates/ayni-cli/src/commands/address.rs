//! How a document of the past is named on the command line: `DOCUMENT@VERSION` or `DOCUMENT@TIME`.

use ayni::{Collection, Document, DocumentId, Error, Hash};

use super::{document, history, moment};
use crate::failure::Failure;
use crate::terminal::words;

/// Which document, perhaps as it was.
#[derive(clap::Args)]
pub(super) struct Named {
    /// The collection
    pub(super) collection: String,
    /// The id, the start of it, or the key; @VERSION or @TIME behind it: as it was
    #[arg(required_unless_present = "key", conflicts_with = "key")]
    document: Option<String>,
    /// The key
    #[arg(long)]
    key: Option<String>,
}

impl Named {
    pub(super) fn find(&self, collection: &Collection) -> Result<Address, Failure> {
        Address::find(collection, self.document.as_deref(), self.key.as_deref())
    }
}

/// A document, now or as it was.
pub(super) struct Address {
    pub(super) id: DocumentId,
    pub(super) at: Option<When>,
}

/// Which state of a document.
#[derive(Clone, Copy)]
pub(super) enum When {
    /// In a version of its history.
    Version(Hash),
    /// At a moment: milliseconds since 1970.
    Moment(i64),
}

impl Address {
    /// What a word names. A document whose key has an `@` in it comes first.
    pub(super) fn find(collection: &Collection, word: Option<&str>, key: Option<&str>) -> Result<Self, Failure> {
        let whole = document::find_id(collection, word, key);
        let parts = key.or(word).and_then(|text| text.rsplit_once('@'));
        let (Err(_), Some((document, when))) = (&whole, parts) else { return Ok(Self { id: whole?, at: None }) };
        let id = match key {
            Some(_) => document::find_id(collection, None, Some(document))?,
            None => document::find_id(collection, Some(document), None)?,
        };
        Ok(Self { id, at: Some(When::parse(collection, id, when)?) })
    }

    /// The document; `None` where it was deleted or not there yet.
    pub(super) fn read(&self, collection: &Collection) -> Result<Option<Document>, Failure> {
        let document = match self.at {
            None => collection.get(self.id)?,
            Some(When::Version(version)) => Some(collection.get_version(self.id, version)?),
            Some(When::Moment(moment)) => collection.as_of(moment).get(self.id)?,
        };
        Ok(document.filter(|document| !document.is_deleted()))
    }

    /// The document, which must be there.
    pub(super) fn open(&self, collection: &Collection) -> Result<Document, Failure> {
        self.read(collection)?.ok_or_else(|| match self.at {
            None => document::deleted(collection, self.id),
            Some(When::Version(version)) => {
                Error::VersionDeleted { collection: collection.name().to_owned(), id: self.id, version }.into()
            }
            Some(When::Moment(moment)) => {
                let (id, name) = (words::short(self.id), collection.name());
                let what = format!("{id} was not in {name} at {}", words::date(moment));
                Failure::new(what, format_args!("`ayni history {name} {id}` shows since when it is"))
            }
        })
    }
}

impl When {
    /// A version, or the start of it, or a moment: what has hexadecimal digits alone is a version.
    pub(super) fn parse(collection: &Collection, id: DocumentId, text: &str) -> Result<Self, Failure> {
        let is_version = !text.is_empty() && text.chars().all(|letter| letter.is_ascii_hexdigit());
        match is_version {
            true => history::find(collection, id, text).map(Self::Version),
            false => moment::parse(text).map(Self::Moment),
        }
    }
}
