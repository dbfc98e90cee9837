//! What can go wrong, said so that a person knows what to do.

use std::convert::Infallible;

use ayni_doc::{ChangeError, PathError};
use ayni_log::ids::{DeviceId, DocumentId};
use ayni_log::segment::VerifyError;
use ayni_log::write::WriteError;
use ayni_store::sql::{SqlError, Stopped};
use ayni_store::{OpenError, StoreError};
use thiserror::Error;

use crate::index::{Index, IndexError};
use crate::schema::{SchemaError, Violation};

/// Why an operation on a database failed. Nothing of it happened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk, or the file on it.
    #[error(transparent)]
    Store(StoreError),
    /// The folder: a database could not be made in it.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Called inside of [`Project::write`](crate::Project::write) on the same database, for whose end it would wait.
    #[error(
        "this cannot be called inside of `write`, for whose end it would wait: use the transaction, or call it after"
    )]
    Nested,
    /// A part of the database is not as this program wrote it.
    #[error("{0} in the database is damaged: run `ayni repair`, which rebuilds it from the log")]
    Damaged(&'static str),
    /// There is no such project on this device.
    #[error("no project {0:?} on this device: `ayni project list` shows those there are")]
    NoProject(String),
    /// Several projects answer to the name.
    #[error("{0} projects are named {1:?}: use the id that `ayni project list` shows")]
    AmbiguousProject(usize, String),
    /// The project was joined and no coordinator has admitted this device yet.
    #[error("this device is not admitted yet: run `ayni sync` where a coordinator's device can be reached")]
    Pending,
    /// The role of this device does not allow it.
    #[error("this device is a {role} in the project and cannot {what}: ask a coordinator")]
    Role {
        /// The role.
        role: &'static str,
        /// What was asked for.
        what: &'static str,
    },
    /// The keys to write or read with are not here yet.
    #[error("the keys of the project are not here yet: run `ayni sync` with a device that has them")]
    NoKeys,
    /// There is no such document.
    #[error("no document {id} in collection {collection:?}")]
    NoDocument {
        /// The collection.
        collection: String,
        /// The id.
        id: DocumentId,
    },
    /// There is no such version of a document.
    #[error("no version {version} of document {id} in collection {collection:?}")]
    NoVersion {
        /// The collection.
        collection: String,
        /// The document.
        id: DocumentId,
        /// The version.
        version: ayni_log::ids::Hash,
    },
    /// In this version the document was deleted, so there is nothing to go back to.
    #[error("in version {version} document {id} of collection {collection:?} was deleted")]
    VersionDeleted {
        /// The collection.
        collection: String,
        /// The document.
        id: DocumentId,
        /// The version.
        version: ayni_log::ids::Hash,
    },
    /// A document must be a map of fields.
    #[error("a document must be a map of fields to values, not {0}")]
    NotAMap(&'static str),
    /// A field of the name that stands for a document's id.
    #[error("`_id` stands for a document's id and cannot be a field")]
    Reserved,
    /// A field's path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// An index that cannot be made.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A document that is not as the schema of its collection says.
    #[error("{}", invalid(collection, violations))]
    Invalid {
        /// The collection.
        collection: String,
        /// What is wrong; at least one thing.
        violations: Vec<Violation>,
    },
    /// A document that is no value of the type that a program reads it as, or a value that is no document.
    #[error("{} in collection {collection:?} does not fit the program's type: {why}", whose(*id))]
    Typed {
        /// The collection.
        collection: String,
        /// The document; `None` for a value that was to be written.
        id: Option<DocumentId>,
        /// What serde says.
        why: String,
    },
    /// JSON that is no schema.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A schema that does not fit into an entry.
    #[error("a schema of {0} bytes, and at most {max} are possible: leave out descriptions", max = ayni_log::limits::SCHEMA_BYTES - 64)]
    SchemaTooLarge(usize),
    /// An index that cannot be dropped, as it comes back.
    #[error("the index {0} is in the schema of collection {1:?}: take it out there")]
    IndexOfSchema(Index, String),
    /// A change that cannot be written.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// A name over its limit, or empty.
    #[error("{what} must have 1 to {limit} bytes of text")]
    Name {
        /// What is named.
        what: &'static str,
        /// The most bytes.
        limit: usize,
    },
    /// A commit or change over the limits of the log.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A segment from outside that is not genuine.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A device that nobody admitted wants to be heard.
    #[error("device {0} is not admitted to the project")]
    NotAdmitted(DeviceId),
    /// The ticket is for a project that this device is in.
    #[error("this device is in the project already")]
    AlreadyJoined,
    /// A membership entry that could not be made.
    #[error("{0}")]
    Membership(String),
    /// A copy of this device has written on in its log, and the document has changes of both.
    #[error("a copy of this device was in use too: open the database again, and it goes on apart from the copy")]
    Forked,
    /// The device has begun anew too often.
    #[error("this device was restored or copied {0} times, which is the limit: make a new database and join with it")]
    Incarnations(usize),
    /// A selector, sort or path that cannot be understood.
    #[error("{0}")]
    Query(String),
    /// A question in SQL that is not understood, not allowed, or was stopped.
    #[error(transparent)]
    Sql(SqlError),
    /// This program did what it never should.
    #[error("a defect in Ayni, while {0}: nothing was changed; please report it")]
    Defect(&'static str),
    /// Asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// A name for what went wrong that stays the same, while texts may become better: for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(StoreError::Full) => "disk-full",
            Self::Store(StoreError::Busy) => "busy",
            Self::Store(StoreError::Damaged | StoreError::Unreadable { .. } | StoreError::Lost(_))
            | Self::Damaged(_) => "damaged",
            Self::Store(_) => "store",
            Self::Open(_) => "open",
            Self::Nested => "nested",
            Self::NoProject(_) => "no-project",
            Self::AmbiguousProject(..) => "ambiguous-project",
            Self::Pending => "pending",
            Self::Role { .. } => "role",
            Self::NoKeys => "no-keys",
            Self::NoDocument { .. } => "no-document",
            Self::NoVersion { .. } => "no-version",
            Self::VersionDeleted { .. } => "version-deleted",
            Self::NotAMap(_) => "not-a-map",
            Self::Reserved => "reserved",
            Self::Path(_) => "path",
            Self::Index(_) => "index",
            Self::IndexOfSchema(..) => "index-of-schema",
            Self::Invalid { .. } => "invalid",
            Self::Typed { .. } => "typed",
            Self::Schema(_) => "schema",
            Self::SchemaTooLarge(_) => "schema-too-large",
            Self::Change(_) => "change",
            Self::Name { .. } => "name",
            Self::Write(_) => "limit",
            Self::Verify(_) => "verify",
            Self::NotAdmitted(_) => "not-admitted",
            Self::AlreadyJoined => "already-joined",
            Self::Membership(_) => "membership",
            Self::Forked => "forked",
            Self::Incarnations(_) => "incarnations",
            Self::Query(_) => "query",
            Self::Sql(SqlError::Stopped(Stopped::Time)) => "timeout",
            Self::Sql(SqlError::Stopped(Stopped::Memory) | SqlError::Limit(_)) => "sql-limit",
            Self::Sql(SqlError::Denied(_)) => "sql-denied",
            Self::Sql(_) => "sql",
            Self::Defect(_) => "defect",
            Self::Cancelled => "cancelled",
        }
    }
}

fn whose(id: Option<DocumentId>) -> String {
    id.map_or_else(|| "a value".to_owned(), |id| format!("document {id}"))
}

/// Things that are wrong with a document, and that are told at the most.
const TOLD: usize = 5;

fn invalid(collection: &str, violations: &[Violation]) -> String {
    let mut told: Vec<String> = violations.iter().take(TOLD).map(ToString::to_string).collect();
    if violations.len() > TOLD {
        told.push(format!("and {} more", violations.len() - TOLD));
    }
    format!("not as the schema of {collection:?} says: {}", told.join("; "))
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Nested => Self::Nested,
            error => Self::Store(error),
        }
    }
}

impl From<SqlError> for Error {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Stopped(Stopped::Cancelled) => Self::Cancelled,
            // What our own tables say comes back as what it was.
            SqlError::Table(failure) => match failure.downcast::<Self>() {
                Ok(own) => *own,
                Err(failure) => Self::Sql(SqlError::Table(failure)),
            },
            error => Self::Sql(error),
        }
    }
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
