//! An embedded, offline-first, peer-to-peer database.

mod collection;
mod core;
mod database;
mod document;
pub mod environment;
mod error;
pub mod formats;
pub mod interchange;
mod project;
pub mod query;
mod repair;
mod status;
mod sync;
mod transaction;

pub use collection::{Collection, VersionInfo};
pub use database::{Continuity, Database, Options, RecoveryWords};
pub use document::Document;
pub use error::Error;
pub use project::{CollectionInfo, Invitation, Member, Project, Standing};
pub use repair::RebuildProgress;
pub use status::{DeviceStatus, ReceiptStatus, Status};
pub use sync::link::{ChannelInfo, Link};
pub use sync::pool::{PeerProject, PeerStatus, PoolHandle};
pub use transaction::{Put, Transaction};

pub use ayni_doc as doc;
pub use ayni_log::ids::{DeviceId, DocumentId, Hash, ProjectId};
pub use ayni_log::membership::{Role, Ticket, TicketError};
pub use ayni_store::{LockKind, Loss, OpenError, Report as DamageReport};
