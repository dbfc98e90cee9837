//! What can go wrong, with the facts, for people.

use std::io;
use std::path::PathBuf;

use ayni_log::codec::DecodeError;
use rusqlite::ErrorCode;
use thiserror::Error;

use crate::key::LockKind;

/// Why the database key could not be unwrapped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The passphrase is another.
    #[error("wrong passphrase: try again (capitals and spaces count)")]
    WrongPassphrase,
    /// The key file is another database's.
    #[error("the key file belongs to another database: put back the right one")]
    WrongKeyFile,
    /// It is locked by another kind of lock than was tried.
    #[error("this database opens with {}", match .0 { LockKind::Passphrase => "a passphrase: give it", LockKind::KeyFile => "its key file, not a passphrase" })]
    OtherLock(LockKind),
    /// The file's content is not what was written.
    #[error("ayni.key is damaged ({0}): put it back from a copy of the folder")]
    Damaged(&'static str),
    /// A newer program wrote it.
    #[error("ayni.key is of version {version}, this program knows {known}: use a newer Ayni")]
    Newer {
        /// Its version.
        version: u32,
        /// The newest that is known here.
        known: u32,
    },
}

/// Why a database folder could not be made or opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is none.
    #[error("{0} holds no database: make one with `ayni init`, or name the folder that holds it")]
    NoDatabase(PathBuf),
    /// There is one already.
    #[error("{0} holds a database already: open it, or name another folder")]
    Exists(PathBuf),
    /// The database is there, what unwraps its key is not.
    #[error("{0} is missing, and without it the database cannot be read: put it back from a copy of the folder")]
    NoWrappedKey(PathBuf),
    /// The key file is not where it was put.
    #[error("the key file {0} is missing, and without it the database cannot be read: put it back from a copy")]
    NoKeyFile(PathBuf),
    /// The key could not be unwrapped.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A newer program wrote the database.
    #[error("the database is of version {version}, this program knows {known}: use a newer Ayni")]
    Newer {
        /// Its version.
        version: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// The file is no database that this key opens.
    #[error("{0} is damaged at its start, or no database of Ayni: run `ayni repair`, or put it back from a copy")]
    NotADatabase(PathBuf),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database itself.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OpenError {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// Whether it is for want of room.
    pub(crate) fn is_full_disk(&self) -> bool {
        match self {
            Self::Store(error) => matches!(error, StoreError::Full),
            Self::File { source, .. } => source.kind() == io::ErrorKind::StorageFull,
            _ => false,
        }
    }
}

/// Why reading or writing failed. Whatever it was, everything acknowledged before is still there.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No room.
    #[error("the disk is full: nothing of this was written, all before is safe; free some space and try again")]
    Full,
    /// Another process holds the write lock.
    #[error("another process has been writing to this database for a long time: try again")]
    Busy,
    /// A page is not what was written.
    #[error("the database is damaged: run `ayni repair`, which names what is lost and keeps everything else")]
    Damaged,
    /// The system could not read or write.
    #[error("the disk could not be read or written ({0}): nothing of this was written, all before is safe")]
    Io(String),
    /// What is stored does not read back.
    #[error("a stored {what} does not read back ({why}): run `ayni repair`")]
    Unreadable {
        /// What kind of thing.
        what: &'static str,
        /// Why.
        why: DecodeError,
    },
    /// Entries that damage took: their place is known, their content is not here.
    #[error("{0} is lost here to damage: fetch it from another device")]
    Lost(&'static str),
    /// The caller's picture of a branch is older than the branch.
    #[error("the branch has {held} entries, this continues from {given}: read its tip again")]
    Moved {
        /// Its length.
        held: u64,
        /// Where the segment starts.
        given: u64,
    },
    /// Asked for inside of a transaction of the same database and thread, which would wait for itself.
    #[error("this needs a transaction of its own and was called inside of one: use that one, or call it afterwards")]
    Nested,
    /// What was given does not fit together or names what is not here: a mistake of the program.
    #[error("a mistake of the program: {0}")]
    Misuse(&'static str),
    /// Anything else that SQLite reports.
    #[error("the database reports: {0}")]
    Sql(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
                Self::Io(error.to_string())
            }
            _ => Self::Sql(error),
        }
    }
}

impl StoreError {
    pub(crate) fn unreadable(what: &'static str) -> impl FnOnce(DecodeError) -> Self {
        move |why| Self::Unreadable { what, why }
    }
}
