//! Logs and documents in one encrypted SQLite file.
//!
//! The log is the truth; documents and indexes are views of it. This crate knows nothing of merging or values: bytes go in
//! and come out, beside keys that sort as their values do. What it promises:
//!
//! - [`Store::write`] returns when everything is durable, or nothing was written.
//! - Entries are taken only as `Verified` segments that continue what is held.
//! - [`Store::read`] shows one state, whatever is written meanwhile, by this process or another.
//! - A folder that was copied or restored is noticed at opening ([`Continuity`]).
//! - Damage is named, and [`repair`] keeps everything that can still be read.
//!
//! `docs/store.md` describes every file and table, and what one record takes on disk.

#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod backup;
mod branches;
mod compact;
mod damaged;
mod documents;
mod ending;
mod entries;
mod error;
mod files;
mod folder;
mod index;
mod instance;
mod key;
mod notes;
mod places;
mod readers;
mod rebuild;
mod repair;
mod rescue;
mod schema;
mod shared;
pub mod sql;
mod store;
mod text;
mod transaction;

pub use branches::{Branch, BranchRow, ProjectRow};
pub use compact::{CompactProgress, Compacted, Hindrance};
pub use documents::{CollectionRow, Document, DocumentRef, DocumentRow, StoredCollection, flags};
pub use entries::{EntryKey, EntryRef, StoredEntry, entry_key, entry_place};
pub use error::{KeyError, OpenError, StoreError};
pub use folder::{Folder, NewLock, Random};
pub use index::{Direction, IndexRow, KeyRange};
pub use instance::Continuity;
pub use key::{DatabaseKey, Hardness, LockKind};
pub use notes::StoredReceipt;
pub use places::{MOST_BOXES, PlaceBox};
pub use repair::{Loss, Report, check, repair};
pub use schema::{Options, VERSION};
pub use shared::SharedSnapshot;
pub use store::{Opened, Store};
pub use text::{TextPhrase, TextQuery};
pub use transaction::{Snapshot, Write};
