//! Documents: what all changes together make.

use std::sync::Arc;

use ayni_log::codec::{DecodeError, Reader, Writer};

use crate::DEPTH;
use crate::change::Change;
use crate::conflict::Conflict;
use crate::handled::Handled;
use crate::operation::Operation;
use crate::path::Path;
use crate::state::{Gathered, Node, Sum, Values};
use crate::value::{Map, Value};
use crate::value_codec::tag;
use crate::version::{EntryKey, Version};

/// The version of the body that this program writes.
pub const VERSION: u8 = 1;
pub(crate) const PRESENT: u8 = 0x01;
pub(crate) const CONTESTED: u8 = 0x02;
pub(crate) const HANDLED: u8 = 0x04;

/// A document as it stands after the changes that are here. Made by [`crate::merge`], or from the empty default by
/// [`Document::advance`].
///
/// Devices that have the same changes have equal bodies ([`Document::encode`]), byte for byte. The heads are named by local
/// keys and stand apart.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Document {
    pub(crate) heads: Vec<EntryKey>,
    pub(crate) present: bool,
    pub(crate) contested: bool,
    pub(crate) root: Node,
    /// What is shown in the place of a conflict.
    pub(crate) handled: Option<Box<Handled>>,
}

impl Document {
    /// The versions with effect that no other version with effect has seen, in ascending order: the parents of the next
    /// change. A version without effect is never one.
    pub fn heads(&self) -> &[EntryKey] {
        &self.heads
    }

    /// Whether it exists: some edit has not been seen by any deletion. The fields of a deleted document are still here.
    pub fn is_present(&self) -> bool {
        self.present
    }

    /// Whether any field has a conflict that no handler settled.
    pub fn has_conflicts(&self) -> bool {
        self.contested && self.handled.is_none()
    }

    /// What a conflict handler made, if that is what is shown.
    pub fn handled(&self) -> Option<&Handled> {
        self.handled.as_deref()
    }

    /// Shows what a conflict handler made, until the next version comes.
    ///
    /// # Panics
    /// If the document is deleted, or has no conflict to be handled.
    pub fn show_handled(&mut self, handled: Handled) {
        assert!(self.present && self.contested, "there is nothing to handle");
        self.handled = Some(Box::new(handled));
    }

    /// Shows the conflict again that a handler settled; gives what that had made.
    pub fn show_conflict(&mut self) -> Option<Handled> {
        self.handled.take().map(|handled| *handled)
    }

    /// The value shown at a path; `None` where nothing stands.
    pub fn get<S: AsRef<str>>(&self, path: &[S]) -> Option<Value> {
        self.shown_root().get(path)
    }

    /// All fields that are shown; of a deleted document those that it would show.
    pub fn shown(&self) -> Map {
        self.shown_root().shown_map().unwrap_or_default()
    }

    fn shown_root(&self) -> &Node {
        self.handled.as_ref().map_or(&self.root, |handled| handled.root())
    }

    /// All fields that are shown, as JSON; see [`Value::to_json`].
    pub fn to_json(&self) -> serde_json::Value {
        let fields = self.shown().into_iter().map(|(name, value)| (name, value.to_json()));
        serde_json::Value::Object(fields.collect())
    }

    /// The fields in conflict, in order of path: none if a handler settled them.
    pub fn conflicts(&self) -> Vec<Conflict> {
        if self.handled.is_some() { Vec::new() } else { self.merged_conflicts() }
    }

    /// The fields in conflict, whether a handler settled them or not.
    pub fn merged_conflicts(&self) -> Vec<Conflict> {
        let mut found = Vec::new();
        if self.contested {
            self.root.conflicts(&mut Vec::new(), &mut found);
        }
        found
    }

    /// The names that lead to each field that is gathered of many writes, as it was merged: sums, and sets.
    pub fn gathered(&self) -> Vec<Vec<&str>> {
        let mut found = Vec::new();
        self.root.gathering(&mut Vec::new(), &mut found);
        found
    }

    /// Takes in a version that has seen all before it (its parents are the heads), or one without effect: the common case,
    /// which needs no graph. The result is what [`crate::merge`] makes of all versions.
    ///
    /// Returns `false`, and leaves the document as it was, where the version is concurrent to another: then the document
    /// must be merged from nothing.
    pub fn advance(&mut self, version: Version) -> bool {
        let Some(change) = version.change else { return true };
        if !self.are_heads(&version.parents) {
            return false;
        }
        self.handled = None;
        match change {
            Change::Delete => self.present = false,
            Change::Edit(operations) => {
                if self.root.is_empty() && sets_fields(&operations) {
                    self.root = Node::of_fields(operations);
                } else {
                    operations.into_iter().for_each(|operation| self.root.apply(operation));
                }
                if self.contested {
                    self.contested = self.root.settle(false);
                }
                self.present = true;
            }
        }
        self.heads.clear();
        self.heads.push(version.key);
        true
    }

    /// The body: everything but the heads. Equal documents have equal bodies.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(256);
        out.byte(VERSION);
        let flags = if self.present { PRESENT } else { 0 } | if self.contested { CONTESTED } else { 0 };
        match &self.handled {
            None => out.byte(flags),
            Some(handled) => {
                out.byte(flags | HANDLED);
                handled.encode(&mut out);
            }
        }
        self.root.encode(&mut out);
        out.into_vec()
    }

    /// Reads what [`Document::encode`] wrote, with the heads as the store names them, in any order.
    ///
    /// # Errors
    /// If the bytes are damaged; [`DecodeError::Version`] for a body of another version, which is merged anew from the log.
    pub fn decode(body: &[u8], mut heads: Vec<EntryKey>) -> Result<Self, DecodeError> {
        heads.sort_unstable();
        heads.dedup();
        let mut input = Reader::new(body);
        let flags = read_lead(&mut input)?;
        let handled = match flags & HANDLED {
            0 => None,
            _ => {
                let handled = Handled::decode(&mut input)?;
                read_map(&mut input)?;
                Some(Box::new(handled))
            }
        };
        let children = Node::decode_children(&mut input, DEPTH)?;
        input.finish()?;
        let root = Node { children, ..Node::default() };
        let contested = flags & CONTESTED != 0;
        if contested != root.is_contested() || handled.is_some() && flags != PRESENT | CONTESTED | HANDLED {
            return Err(DecodeError::NotCanonical("flags of a document"));
        }
        Ok(Self { heads, present: flags & PRESENT != 0, contested, root, handled })
    }

    fn are_heads(&self, parents: &[EntryKey]) -> bool {
        if self.heads.len() < 2 {
            return self.heads == parents;
        }
        let mut sorted = parents.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        self.heads == sorted
    }
}

/// Whether each operation sets a field at the top, as most creations do.
fn sets_fields(operations: &[Operation]) -> bool {
    operations.iter().all(|operation| matches!((operation, operation.path().names()), (Operation::Set { .. }, [_])))
}

/// Reads version and flags, and the tag of the map that follows: of the fields that are shown.
pub(crate) fn read_lead(input: &mut Reader<'_>) -> Result<u8, DecodeError> {
    match input.byte()? {
        VERSION => {}
        version => return Err(DecodeError::Version { what: "document body", version }),
    }
    let flags = input.byte()?;
    if flags & !(PRESENT | CONTESTED | HANDLED) != 0 {
        return Err(DecodeError::Invalid("document body"));
    }
    read_map(input)?;
    Ok(flags)
}

/// Reads the tag of a map.
pub(crate) fn read_map(input: &mut Reader<'_>) -> Result<(), DecodeError> {
    if input.byte()? == tag::MAP { Ok(()) } else { Err(DecodeError::Invalid("document body")) }
}

/// Operations that have seen everything that stands in the tree: they replace all that they overlap, save what they add to.
impl Node {
    /// What operations make of nothing that [set fields](sets_fields): built at once, of one name the last.
    fn of_fields(operations: Vec<Operation>) -> Self {
        let child = |operation| match operation {
            Operation::Set { path, value, .. } => Some((path.names().first()?.clone(), Self::from_value(value))),
            _ => None,
        };
        Self { children: operations.into_iter().filter_map(child).collect(), ..Self::default() }
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Set { path, value, .. } => self.replace(path.names(), Some(value)),
            Operation::Unset { path } => self.replace(path.names(), None),
            Operation::Add { path, amount } => self.cleared_to(&path).add(amount),
            Operation::Insert { path, element } => self.cleared_to(&path).put_element(element, true),
            Operation::Remove { path, element } => self.cleared_to(&path).put_element(element, false),
            Operation::List { .. } | Operation::Text { .. } => {}
        }
    }

    fn replace(&mut self, names: &[Arc<str>], value: Option<Value>) {
        let Some((name, rest)) = names.split_first() else { return };
        if rest.is_empty() {
            match (value, self.children.get_mut(name)) {
                (Some(value), Some(node)) => *node = Self::from_value(value),
                (Some(value), None) => drop(self.children.insert(name.clone(), Self::from_value(value))),
                (None, _) => drop(self.children.remove(name)),
            }
            return;
        }
        let child = match (&value, self.children.get_mut(name)) {
            (_, Some(child)) => child,
            (Some(_), None) => self.children.entry(name.clone()).or_default(),
            (None, None) => return,
        };
        child.clear_own();
        child.replace(rest, value);
        if child.is_empty() {
            self.children.remove(name);
        }
    }

    /// The node at a path, made if need be, with nothing left that stands above it.
    fn cleared_to(&mut self, path: &Path) -> &mut Self {
        path.names().iter().fold(self, |node, name| {
            node.clear_own();
            node.children.entry(name.clone()).or_default()
        })
    }

    fn clear_own(&mut self) {
        self.values = Values::None;
        self.gathered = None;
    }

    fn add(&mut self, amount: i64) {
        self.children.clear();
        match &mut self.values {
            Values::Stamped(candidates) => {
                candidates.retain(|one| one.value.as_ref().is_some_and(|value| value.as_int().is_some()));
                if candidates.is_empty() {
                    self.values = Values::None;
                }
            }
            Values::Plain(Value::Int(_)) | Values::None => {}
            Values::Plain(_) => self.values = Values::None,
        }
        let gathered = self.gathered.get_or_insert_default();
        let total = gathered.sum.as_ref().map_or(0, |sum| sum.total).saturating_add(i128::from(amount));
        **gathered = Gathered { sum: Some(Sum { total, stamp: None }), elements: None };
    }

    fn put_element(&mut self, element: Value, insert: bool) {
        self.children.clear();
        self.values = Values::None;
        let gathered = self.gathered.get_or_insert_default();
        gathered.sum = None;
        let elements = gathered.elements.get_or_insert_default();
        elements.stamp = None;
        let bytes = element.to_bytes();
        if insert {
            elements.present.insert(bytes, element);
        } else {
            elements.present.remove(&bytes);
        }
    }
}
