//! The pen: turns changes into the entries of one commit of this device's data log.
//!
//! Whatever an entry uses for the first time in its log (control heads, keys, a collection, a shape, a branch that it
//! refers to) is declared in its header; everything else is a small number.

use std::collections::BTreeMap;
use std::sync::Arc;

use ayni_doc::{Change, ChangeError, Shape};
use ayni_log::header::{BodyV1, Declaration, Reference, Subject};
use ayni_log::ids::{CollectionTag, DocumentId, Hash, LogId};
use ayni_log::seal::{Declared, LogKey};
use ayni_log::write::Draft;
use ayni_store::{BranchRow, EntryKey, Snapshot, StoreError, entry_place};

use crate::core::anchors::Anchors;
use crate::core::branches::{Branches, Seen};

/// Shapes that a log declares before it goes on with names written out: enough for every schema people have, and little
/// to keep in memory.
const SHAPES: u32 = 1_024;

/// Which document a change is about.
pub(crate) enum About<'a> {
    Create { collection: &'a str, tag: CollectionTag, random: [u8; 8] },
    Keyed { collection: &'a str, tag: CollectionTag, id: DocumentId },
    Edit { parents: &'a [EntryKey] },
}

/// The key set in use, and the number under which the log declared it.
pub(crate) struct Nib {
    pub(crate) key: Arc<LogKey>,
    pub(crate) number: u32,
    /// The epochs, if they are still to be declared.
    pub(crate) declare: Option<Vec<Hash>>,
}

/// Writes the drafts of one commit.
pub(crate) struct Pen<'a> {
    branches: &'a Branches,
    store: &'a Snapshot<'a>,
    anchors: Anchors<'a>,
    row: BranchRow,
    nib: Nib,
    next: u64,
    collections: BTreeMap<CollectionTag, u32>,
    new_collections: u32,
    new_shapes: u32,
    shapes: BTreeMap<Vec<u8>, u32>,
    /// The shape used last, and its number: the next record is most often alike.
    last_shape: Option<(Shape, u32)>,
    drafts: Vec<Draft>,
}

/// What the pen wrote.
pub(crate) struct Written {
    pub(crate) drafts: Vec<Draft>,
    /// The log's shapes, by their encoding, with those that were declared now.
    pub(crate) shapes: BTreeMap<Vec<u8>, u32>,
}

/// Why the pen could not write a change.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PenError {
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the branch of a parent is not here")]
    NoParent,
    /// A log cannot refer to another branch of itself, and does not go on after what waits.
    #[error("a copy wrote on in this log")]
    Forked,
}

impl<'a> Pen<'a> {
    /// Begins at the end of this device's own data branch. `heads` are the control heads that it has seen, and `changes` is
    /// how many changes it is to write.
    pub(crate) fn new(
        branches: &'a Branches,
        store: &'a Snapshot<'a>,
        row: BranchRow,
        mut nib: Nib,
        shapes: BTreeMap<Vec<u8>, u32>,
        heads: &[(LogId, u64, Hash)],
        changes: usize,
    ) -> Result<Self, PenError> {
        let branch = branches.get(row).ok_or(PenError::NoParent)?;
        // What this device writes takes effect at once; so what waits at the end of its log is a copy's.
        if branch.applied < branch.tip.length() {
            return Err(PenError::Forked);
        }
        let declared = nib.declare.take();
        let mut pen = Self {
            branches,
            store,
            row,
            nib,
            next: branch.tip.length(),
            anchors: Anchors::new(branches, &branch.seen),
            collections: BTreeMap::new(),
            new_collections: 0,
            new_shapes: 0,
            shapes,
            last_shape: None,
            drafts: Vec::with_capacity(changes),
        };
        pen.anchors.see_heads(store, branch.tip.name().device, heads)?;
        if let Some(epochs) = declared {
            pen.anchors.declarations.push(Declaration::Keys(epochs));
        }
        Ok(pen)
    }

    /// Adds an entry.
    pub(crate) fn write(&mut self, about: &About<'_>, change: &Change, time: i64) -> Result<(), PenError> {
        let subject = match about {
            About::Create { collection, tag, random } => {
                Subject::Create { collection: self.collection(collection, *tag), random: *random }
            }
            About::Keyed { collection, tag, id } => {
                Subject::Keyed { collection: self.collection(collection, *tag), id: *id }
            }
            About::Edit { parents } => Subject::Edit { parents: self.references(parents)? },
        };
        let content = self.content(change)?;
        let declarations = std::mem::take(&mut self.anchors.declarations);
        let body = BodyV1 { time, key: self.nib.number, declarations, subject, attachments: Vec::new() };
        self.drafts.push(Draft { body, content });
        self.next += 1;
        Ok(())
    }

    pub(crate) fn finish(self) -> Written {
        Written { drafts: self.drafts, shapes: self.shapes }
    }

    fn content(&mut self, change: &Change) -> Result<Vec<u8>, PenError> {
        if let Some((_, number)) = self.last_shape.as_ref().filter(|(shape, _)| shape.fits(change)) {
            return Ok(change.encode_shaped(*number)?);
        }
        let Some(shape) = change.shape() else { return Ok(change.encode()?) };
        let encoded = shape.encode();
        if let Some(number) = self.shapes.get(&encoded).copied() {
            self.last_shape = Some((shape, number));
            return Ok(change.encode_shaped(number)?);
        }
        let declared = self.branches.get(self.row).map_or(0, |branch| branch.tip.shapes());
        let number = declared + self.new_shapes + 1;
        if number > SHAPES || encoded.len() + 16 > ayni_log::limits::DECLARED_BYTES {
            return Ok(change.encode()?);
        }
        let content = change.encode_shaped(number)?;
        let sealed = self.seal(Declared::Shape, &encoded);
        self.anchors.declarations.push(Declaration::Shape(sealed));
        self.shapes.insert(encoded, number);
        self.last_shape = Some((shape, number));
        self.new_shapes += 1;
        Ok(content)
    }

    fn collection(&mut self, name: &str, tag: CollectionTag) -> u32 {
        if let Some(number) = self.collections.get(&tag) {
            return *number;
        }
        let tip = self.branches.get(self.row).map(|branch| &branch.tip);
        let known = tip.and_then(|tip| tip.collection_number(tag));
        let number = known.unwrap_or_else(|| {
            let sealed = self.seal(Declared::Collection, name.as_bytes());
            self.anchors.declarations.push(Declaration::Collection { tag, name: sealed });
            self.new_collections += 1;
            tip.map_or(0, |tip| tip.collections()) + self.new_collections
        });
        self.collections.insert(tag, number);
        number
    }

    fn seal(&self, what: Declared, plaintext: &[u8]) -> Vec<u8> {
        self.nib.key.seal_declaration(what, self.next, self.anchors.declarations.len() as u32, plaintext)
    }

    fn references(&mut self, parents: &[EntryKey]) -> Result<Vec<Reference>, PenError> {
        // Of more than an entry can name, the rest stays in conflict with it: nothing is lost, and the next edit takes more.
        let named = parents.iter().take(ayni_log::limits::PARENTS);
        let mut references = named.map(|key| self.reference(*key)).collect::<Result<Vec<_>, _>>()?;
        references.sort_unstable();
        references.dedup();
        Ok(references)
    }

    fn reference(&mut self, key: EntryKey) -> Result<Reference, PenError> {
        let (row, position) = entry_place(key);
        if position < self.next && self.branches.holder(self.row, position) == row {
            return Ok(Reference { branch: 0, position: self.next - position });
        }
        let other = self.branches.get(row).ok_or(PenError::NoParent)?;
        let log = other.tip.id();
        if self.branches.get(self.row).is_some_and(|own| own.tip.id() == log) {
            return Err(PenError::Forked);
        }
        if let Some(number) = self.anchors.reaching(log, row, position) {
            return Ok(Reference { branch: number, position });
        }
        // Anchor as far as this device has the branch in effect, so that further references need no anchor.
        let last = other.applied.max(position + 1) - 1;
        let hash = match last + 1 == other.tip.length() {
            true => other.tip.hash(),
            false => self.store.hash_at(row, last)?.ok_or(PenError::NoParent)?,
        };
        let number = self.anchors.see(Seen { log, position: last, hash, holder: row });
        Ok(Reference { branch: number, position })
    }
}
