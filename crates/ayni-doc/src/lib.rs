//! Documents that merge.
//!
//! A document is a map of fields to values, made by changes that several devices wrote, some of them without having seen
//! the others'. This crate says what a change is ([`Change`], [`Operation`]), how it is written ([`Change::encode`]), and
//! what the document is once any set of changes is here ([`merge`], [`Document`]): the same on every device, in whatever
//! order they came and whatever the clocks said. It does no I/O and knows no clock, network or key.
//!
//! ```
//! use ayni_doc::{Change, Document, EntryKey, Operation, Value, Version};
//! use ayni_log::ids::{DeviceId, Hash};
//!
//! let change = Change::Edit(vec![Operation::set("name", Value::from("Cusco"))]);
//! let version = Version {
//!     key: EntryKey(1),
//!     hash: Hash([1; 32]),
//!     time: 1_700_000_000_000,
//!     author: DeviceId([7; 32]),
//!     parents: vec![],
//!     change: Some(change),
//! };
//! let mut document = Document::default();
//! assert!(document.advance(version.clone()));
//! assert_eq!(document.get(&["name"]), Some(Value::from("Cusco")));
//! assert_eq!(document, ayni_doc::merge(&[version]));
//! ```
//!
//! `docs/documents.md` describes every byte and every rule.
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod change;
mod conflict;
mod diff;
mod document;
pub mod encoded;
mod float;
mod geometry;
mod graph;
mod handled;
mod json;
mod marks;
mod merge;
mod operation;
mod order;
mod path;
mod state;
mod state_codec;
mod value;
mod value_codec;
mod version;

pub use change::{Change, ChangeError, Shape};
pub use conflict::{Alternative, Conflict};
pub use diff::{creation, diff};
pub use document::{Document, VERSION};
pub use geometry::{Geometry, Position};
pub use handled::Handled;
pub use json::JsonError;
pub use merge::merge;
pub use operation::{Kind, Operation, SetKind};
pub use order::INDEX_KEY_BYTES;
pub use path::{Path, PathError};
pub use value::{Attachment, AttachmentKey, Map, Value};
pub use version::{EntryKey, Stamp, Version, version_id};

/// How deep a value may stand: the names in its path and the lists, maps and geometry collections around it, together.
pub const DEPTH: usize = 32;
