//! Collections of a program's own types, read and written by serde.

pub(crate) mod read;
mod write;

use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::ops::{ControlFlow, Deref, DerefMut};

use ayni_doc::{Map, Value};
use ayni_log::ids::DocumentId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::collection::Collection;
use crate::document::Document;
use crate::error::Error;
use crate::query::Query;
use crate::transaction::{Put, Transaction};

/// A collection whose documents are values of a program's own type.
///
/// What the type does not know stays: fields that another program or a later version wrote are kept when a document is
/// saved. A type takes the form that it has in JSON ([`Value::to_json`]), so a [`serde_json::Value`] holds a geometry as
/// GeoJSON; but integers and floats of all sizes are what they are, and bytes (`serde_bytes`) are bytes.
///
/// ```
/// use ayni::{Database, Options};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Well {
///     name: String,
///     depth: f64,
///     #[serde(default, skip_serializing_if = "Option::is_none")]
///     owner: Option<String>,
/// }
///
/// # let temporary = tempfile::tempdir()?;
/// # let folder = temporary.path();
/// # let database = Database::create(&folder.join("database"), "Ana's laptop", Options::new(folder.join("keys")))?;
/// # let (project, _) = database.create_project("Mapa")?;
/// let wells = project.collection("wells").typed::<Well>();
/// let id = project.write(|tx| wells.create(tx, &Well { name: "Inca".into(), depth: 12.5, owner: None }))?;
///
/// let mut well = wells.get(id)?.ok_or("it is there")?;
/// well.depth = 13.0;
/// project.write(|tx| wells.save(tx, &well))?; // changes `depth` alone, and has seen what was read
/// assert_eq!(wells.query(&"depth>12".parse()?)?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Typed<T> {
    collection: Collection,
    of: PhantomData<fn() -> T>,
}

/// A document as a value of a program's own type: the value can be changed, and then saved.
///
/// It carries the version that was read, so that saving it never silently replaces what came since.
#[derive(Debug, Clone)]
pub struct Record<T> {
    document: Document,
    value: T,
}

impl Collection {
    /// The same collection, its documents as values of a type.
    pub fn typed<T: Serialize + DeserializeOwned>(&self) -> Typed<T> {
        Typed { collection: self.clone(), of: PhantomData }
    }
}

impl<T> Clone for Typed<T> {
    fn clone(&self) -> Self {
        Self { collection: self.collection.clone(), of: PhantomData }
    }
}

impl<T: Serialize + DeserializeOwned> Typed<T> {
    /// The collection, its documents as they are.
    pub fn untyped(&self) -> &Collection {
        &self.collection
    }

    /// A document; `None` if there is none with this id or it was deleted.
    ///
    /// # Errors
    /// [`Error::Typed`] if it is no value of the type.
    pub fn get(&self, id: DocumentId) -> Result<Option<Record<T>>, Error> {
        self.collection.get(id)?.map(Record::of).transpose()
    }

    /// The document with a key; `None` if there is none or it was deleted.
    ///
    /// # Errors
    /// As [`Typed::get`].
    pub fn get_by_key(&self, key: &str) -> Result<Option<Record<T>>, Error> {
        self.get(self.collection.id_of_key(key)?)
    }

    /// The documents that a query asks for, in its order.
    ///
    /// # Errors
    /// As [`Typed::get`]: ask for those that are of the type, where others are among them.
    pub fn query(&self, query: &Query) -> Result<Vec<Record<T>>, Error> {
        self.collection.query(query)?.into_iter().map(Record::of).collect()
    }

    /// Visits all documents in the order of their ids, until the visitor breaks off.
    ///
    /// # Errors
    /// As [`Typed::get`], and those of the visitor.
    pub fn for_each(&self, mut visit: impl FnMut(Record<T>) -> Result<ControlFlow<()>, Error>) -> Result<(), Error> {
        self.collection.for_each(|document| visit(Record::of(document)?))
    }

    /// Creates a document; gives its id.
    ///
    /// # Errors
    /// As [`Transaction::create`]; [`Error::Typed`] if the value is no map of fields.
    pub fn create(&self, tx: &mut Transaction<'_, '_>, value: &T) -> Result<DocumentId, Error> {
        tx.create(self.collection.name(), fields_of(self.collection.name(), value)?)
    }

    /// Makes the document with this key show a value: creates it, or changes what differs. Fields that the type does not
    /// know stay.
    ///
    /// # Errors
    /// As [`Typed::create`].
    pub fn put(&self, tx: &mut Transaction<'_, '_>, key: &str, value: &T) -> Result<(DocumentId, Put), Error> {
        let (name, fields) = (self.collection.name(), fields_of(self.collection.name(), value)?);
        let id = tx.id_of_key(name, key)?;
        match tx.get(name, id)? {
            None => tx.put(name, key, fields),
            Some(current) => {
                let mut all = current.fields();
                // What the type writes of what is there: what it no longer writes was taken out.
                let before = Record::<T>::of(current).and_then(|record| fields_of(name, &record.value));
                change(&mut all, &before.unwrap_or_default(), fields);
                tx.put(name, key, all)
            }
        }
    }

    /// Saves a document that was read and changed: what differs from what was read. Where somebody else changed the same
    /// field since, that becomes a conflict; everything else stands beside.
    ///
    /// # Errors
    /// As [`Transaction::replace`]; [`Error::Typed`] if the value is no map of fields.
    pub fn save(&self, tx: &mut Transaction<'_, '_>, record: &Record<T>) -> Result<(), Error> {
        let name = self.collection.name();
        let read = Record::<T>::of(record.document.clone())?;
        let mut all = record.document.fields();
        change(&mut all, &fields_of(name, &read.value)?, fields_of(name, &record.value)?);
        tx.replace(&record.document, all)
    }
}

impl<T> Record<T> {
    /// Its id, the same on every device.
    pub fn id(&self) -> DocumentId {
        self.document.id()
    }

    /// The document as it was read: its conflicts, and fields that the type does not know.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The value.
    pub fn into_value(self) -> T {
        self.value
    }
}

impl<T: DeserializeOwned> Record<T> {
    fn of(document: Document) -> Result<Self, Error> {
        match read::value_of(document.fields()) {
            Ok(value) => Ok(Self { document, value }),
            Err(error) => Err(Error::Typed {
                collection: document.collection().to_owned(),
                id: Some(document.id()),
                why: error.to_string(),
            }),
        }
    }
}

impl<T> Deref for Record<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Record<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// Why fields are no value of a type, or a value cannot be written as fields.
#[derive(Debug)]
pub(crate) struct Misfit(String);

impl Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misfit {}

impl serde::de::Error for Misfit {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl serde::ser::Error for Misfit {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// The fields that a value is.
fn fields_of<T: Serialize>(collection: &str, value: &T) -> Result<Map, Error> {
    map_of(value).map_err(|why| Error::Typed { collection: collection.to_owned(), id: None, why })
}

/// The same; else why it is none.
pub(crate) fn map_of<T: Serialize>(value: &T) -> Result<Map, String> {
    match write::written(value).map_err(|error| error.to_string())? {
        Value::Map(fields) => Ok(fields),
        _ => Err("a document is a map of fields: use a struct".to_owned()),
    }
}

/// Makes `all` show the change from `before` to `after`, and leaves what is in neither.
pub(crate) fn change(all: &mut Map, before: &Map, after: Map) {
    all.retain(|name, _| after.contains_key(name) || !before.contains_key(name));
    for (name, value) in after {
        match (all.get_mut(&name), before.get(&name), value) {
            (Some(Value::Map(all)), Some(Value::Map(before)), Value::Map(after)) => change(all, before, after),
            // It is as it was read.
            (Some(_), Some(before), after) if *before == after => {}
            (_, _, after) => {
                all.insert(name, after);
            }
        }
    }
}
