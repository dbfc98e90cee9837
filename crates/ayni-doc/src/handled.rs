//! What a conflict handler made of a document: shown in the place of the conflict until an edit writes it down.
//!
//! The document below it stays as it was merged. So nothing of the conflict is lost, and what was made can be made again.

use ayni_log::codec::{DecodeError, Reader, Writer};
use ayni_log::limits;

use crate::DEPTH;
use crate::state::{Node, Values};
use crate::value::Map;

/// Bytes of what the caller keeps with it.
pub(crate) const BASIS_BYTES: usize = 8;

/// What a conflict handler made of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Handled {
    /// The name of the handler.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// What else the result hangs on: the caller gives it its meaning.
    pub basis: [u8; BASIS_BYTES],
    root: Node,
}

impl Handled {
    /// These fields, made by a handler.
    pub fn new(name: &str, version: u64, basis: [u8; BASIS_BYTES], fields: Map) -> Self {
        let children = fields.into_iter().map(|(name, value)| (name.into(), Node::from_value(value)));
        Self { name: name.to_owned(), version, basis, root: Node { children: children.collect(), ..Node::default() } }
    }

    /// The fields.
    pub fn fields(&self) -> Map {
        self.root.shown_map().unwrap_or_default()
    }

    pub(crate) fn root(&self) -> &Node {
        &self.root
    }

    /// The fields as a map, then the rest.
    pub(crate) fn encode(&self, out: &mut Writer) {
        self.root.encode(out);
        out.raw(&self.basis);
        out.text(&self.name);
        out.varint(self.version);
    }

    /// Reads what [`Handled::encode`] wrote, after the tag of the map.
    pub(crate) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let root = Node { children: Node::decode_children(input, DEPTH)?, ..Node::default() };
        if !root.children.values().all(is_plain) {
            return Err(DecodeError::NotCanonical("what a handler made"));
        }
        let basis = input.array()?;
        let name = input.text("name of a handler", limits::NAME_BYTES)?.to_owned();
        Ok(Self { name, version: input.varint()?, basis, root })
    }
}

/// Whether a node is as a value makes it.
fn is_plain(node: &Node) -> bool {
    let stands = match node.values {
        Values::None => !node.children.is_empty(),
        Values::Plain(_) => node.children.is_empty(),
        Values::Stamped(_) => false,
    };
    stands && node.gathered.is_none() && node.children.values().all(is_plain)
}
