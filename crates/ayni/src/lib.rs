//! An embedded, offline-first, peer-to-peer database.
//!
//! Every device holds the data of the projects that it is in; whenever two devices meet, both end up with everything, and
//! nobody who was not invited can read any of it. Reading and writing never wait for a network.
//!
//! ```
//! use ayni::doc::{Map, Operation, Value};
//! use ayni::{Database, Invitation, Options};
//!
//! # let temporary = tempfile::tempdir()?;
//! # let folder = temporary.path();
//! // One folder holds the database; the key file that opens it lies outside.
//! let database = Database::create(&folder.join("database"), "Ana's laptop", Options::new(folder.join("keys")))?;
//! let (project, words) = database.create_project("Mapa")?;
//! assert_eq!(words.to_string().split(' ').count(), 24); // to be shown once: the project's recovery key
//!
//! // A transaction is durable when `write` returns, or nothing of it is there.
//! let cusco = Map::from([("name".into(), "Cusco".into()), ("population".into(), Value::Int(428_450))]);
//! let id = project.write(|tx| tx.create("places", cusco))?;
//!
//! let places = project.collection("places");
//! places.create_index("population")?;
//! let large = places.query(&ayni::query::Query::new("population>=100000".parse()?))?;
//! assert_eq!(large.len(), 1);
//!
//! // An edit has seen what was read, and nothing else: what came meanwhile is not overwritten.
//! let read = places.get(id)?.ok_or("it is there")?;
//! project.write(|tx| tx.edit(&read, vec![Operation::set("altitude", Value::Int(3_399))]))?;
//!
//! // Whoever gets this ticket can ask to join: `database.join(&ticket.parse()?)` on the other device.
//! let ticket = project.invite(&Invitation::default())?.to_string();
//! assert!(ticket.starts_with("ayni1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Devices meet over channels that [`Database::pool`] is given; the crate `ayni-net` finds the devices and makes the
//! channels. What the parts are and how they hang together is in `ARCHITECTURE.md`.

mod bulk;
mod collection;
mod compact;
mod core;
mod database;
mod document;
pub mod environment;
mod error;
pub mod formats;
mod handler;
mod history;
mod index;
pub mod interchange;
mod live;
mod options;
mod places;
mod project;
pub mod query;
mod repair;
pub mod schema;
pub mod sql;
mod status;
mod sync;
mod text;
mod transaction;
mod typed;

#[cfg(test)]
extern crate self as ayni;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod tests_support;

pub use bulk::BulkProgress;
pub use collection::Collection;
pub use compact::{CompactProgress, Compacted, Hindrance};
pub use database::{Continuity, Database, RecoveryWords};
pub use document::Document;
pub use error::Error;
pub use handler::{ConflictHandler, HandlerError, HandlerId, Sides};
pub use history::{
    Authored, Commit, CommittedDocument, Existence, Kept, PAUSE, Past, Provenance, SetBack, Sitting, Undone,
    VersionInfo,
};
pub use index::{Index, IndexError, Tokenizer};
pub use live::{Difference, Effort, LiveQuery};
pub use options::Options;
pub use project::{CollectionInfo, Invitation, Member, Project, Standing};
pub use repair::RebuildProgress;
pub use status::{DeviceStatus, ReceiptStatus, Status};
pub use sync::link::{ChannelInfo, Link};
pub use sync::pool::{PeerProject, PeerStatus, PoolHandle};
pub use transaction::{Put, Transaction};
pub use typed::{Record, Typed};

pub use ayni_doc as doc;
pub use ayni_log::ids::{DeviceId, DocumentId, Hash, ProjectId};
pub use ayni_log::membership::{Role, Ticket, TicketError};
pub use ayni_store::{LockKind, Loss, OpenError, Report as DamageReport};

/// The example in the README, so that it is compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}
