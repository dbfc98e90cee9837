//! The schemas of a project: which hold, going by the entries that decided them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use ayni_log::codec::{Reader, Writer};
use ayni_log::ids::{CollectionTag, Hash};
use ayni_log::limits;
use ayni_log::membership::{ControlBody, ControlView, KeyRing, SchemaBody};

use crate::error::Error;
use crate::schema::Schema;

/// The schema of a collection.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KnownSchema {
    /// The name of the collection.
    pub(crate) collection: String,
    pub(crate) schema: Arc<Schema>,
    /// Others that coordinators decided at the same time, and that do not hold.
    pub(crate) passed_over: Vec<Arc<Schema>>,
    /// A hash of the schema: what conflict handlers answered under another one they are asked again.
    pub(crate) basis: [u8; 8],
}

/// The schemas that hold, by collection.
pub(crate) type Schemas = BTreeMap<CollectionTag, KnownSchema>;

/// Bytes of an entry's content at the most, as it is before it is packed.
const CONTENT_BYTES: usize = limits::SCHEMA_BYTES - 64;

/// How the content of an entry is written: a form that this program does not know says nothing to it.
const FORM: u8 = 1;

/// The schemas that hold. Of several that were decided at once it is the one with the greatest number, then that whose entry
/// has the least hash.
pub(crate) fn read_schemas(view: &ControlView, ring: &KeyRing) -> Schemas {
    let known = |tag: CollectionTag| {
        let opened = view.schemas(tag).into_iter().filter_map(|(hash, body)| Some((hash, open(ring, body)?)));
        let mut opened: Vec<(Hash, (String, Schema))> = opened.collect();
        opened.sort_by_key(|(hash, (_, schema))| (Reverse(schema.version()), *hash));
        let mut schemas = opened.into_iter().map(|(_, (collection, schema))| (collection, Arc::new(schema)));
        let (collection, schema) = schemas.next()?;
        let passed_over = schemas.map(|(_, schema)| schema).collect();
        let mut basis = [0; 8];
        basis.copy_from_slice(&blake3::hash(schema.to_json().to_string().as_bytes()).as_bytes()[..8]);
        Some((tag, KnownSchema { collection, schema, passed_over, basis }))
    };
    view.collections_with_schema().into_iter().filter_map(known).collect()
}

/// What the schemas that hold follow from: as long as it is the same, they are.
pub(crate) fn basis(view: &ControlView, ring: &KeyRing) -> (Vec<Hash>, usize) {
    let decided = view.collections_with_schema().into_iter().flat_map(|tag| view.schemas(tag));
    let readable = ring.epochs().filter(|epoch| ring.reading_key(epoch).is_some());
    (decided.map(|(hash, _)| hash).collect(), readable.count())
}

/// The entry that decides the schema of a collection.
pub(crate) fn decide(
    view: &ControlView,
    ring: &KeyRing,
    collection: &str,
    schema: &Schema,
) -> Result<ControlBody, Error> {
    let tag = ring.naming_key().ok_or(Error::NoKeys)?.tag(collection);
    let epochs = view.epoch_heads();
    let json = schema.to_json().to_string();
    let mut content = Writer::with_capacity(json.len() + collection.len() + 8);
    content.byte(FORM);
    content.text(collection);
    content.text(&json);
    let content = content.into_vec();
    if content.len() > CONTENT_BYTES {
        return Err(Error::SchemaTooLarge(content.len()));
    }
    let sealed = ring.set_key(&epochs).ok_or(Error::NoKeys)?.seal_schema(tag, &content);
    Ok(ControlBody::Schema(SchemaBody { collection: tag, epochs, sealed }))
}

/// The collection's name and the schema in an entry; `None` if it is sealed by other keys, or says something else.
fn open(ring: &KeyRing, body: &SchemaBody) -> Option<(String, Schema)> {
    let content = ring.set_key(&body.epochs)?.open_schema(body.collection, &body.sealed).ok()?;
    let mut input = Reader::new(&content);
    if content.len() > CONTENT_BYTES || input.byte().ok()? != FORM {
        return None;
    }
    let name = input.text("collection", limits::NAME_BYTES).ok()?.to_owned();
    // A name that does not belong to the tag is a lie.
    ring.naming_key().filter(|naming| naming.tag(&name) == body.collection)?;
    let json = input.text("schema", input.remaining()).ok()?;
    Some((name, Schema::from_newer(&serde_json::from_str(json).ok()?).ok()?))
}
