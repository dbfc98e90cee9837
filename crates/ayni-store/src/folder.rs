//! The folder that a database is, and what belongs to it outside.
//!
//! Inside: `ayni.db` (and, while it is open, `ayni.db-wal` and `ayni.db-shm`) and `ayni.key`. Outside, in a folder that the
//! caller names: the key file and the instance's record. There is a database exactly when `ayni.db` is there. On Unix both
//! folders are made for their owner only, and so are the files; a folder that was there already stays as it is.

use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use crate::error::OpenError;
use crate::files;
use crate::instance::Outside;
use crate::key::{DatabaseKey, Hardness, Lock, LockKind, WrappedKey};

/// A database folder, whether or not there is a database in it yet.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    keys: PathBuf,
}

/// What a new database is locked with.
#[derive(Clone, Copy)]
pub enum NewLock<'a> {
    /// A passphrase, and how hard guessing is made.
    Passphrase(&'a str, Hardness),
    /// A key file, which is written into the folder of keys.
    KeyFile,
}

/// The randomness that making or locking a database takes: from a cryptographic generator, never used before or again.
#[derive(Clone)]
pub struct Random {
    /// For the database key.
    pub key: [u8; 48],
    /// For the database's name.
    pub database: [u8; 16],
    /// For the instance.
    pub instance: [u8; 16],
    /// For the salt of the lock.
    pub salt: [u8; 16],
    /// For the key file.
    pub key_file: [u8; 32],
}

impl Folder {
    /// The most bytes that `ayni.key` has.
    const KEY_BYTES: u64 = 4096;

    /// The folder `path`, with key files and instance records in `keys`, which must lie outside of it.
    pub fn new(path: impl Into<PathBuf>, keys: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), keys: keys.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database's file.
    pub fn database_file(&self) -> PathBuf {
        self.path.join("ayni.db")
    }

    /// Whether there is a database.
    pub fn has_database(&self) -> bool {
        self.database_file().exists()
    }

    /// What opens the database here.
    ///
    /// # Errors
    /// [`OpenError`] says what is missing or damaged.
    pub fn lock_kind(&self) -> Result<LockKind, OpenError> {
        Ok(self.wrapped()?.kind())
    }

    /// The database key, by passphrase: about 0.15 s of work.
    ///
    /// # Errors
    /// [`OpenError::Key`] for a wrong passphrase; otherwise what is missing or damaged.
    pub fn unlock_with_passphrase(&self, passphrase: &str) -> Result<DatabaseKey, OpenError> {
        Ok(self.wrapped()?.unwrap(Lock::Passphrase(passphrase))?)
    }

    /// The database key, by the key file.
    ///
    /// # Errors
    /// [`OpenError::NoKeyFile`] when it is not there; otherwise what is missing or damaged.
    pub fn unlock_with_key_file(&self) -> Result<DatabaseKey, OpenError> {
        let wrapped = self.wrapped()?;
        if wrapped.kind() != LockKind::KeyFile {
            return Err(crate::KeyError::OtherLock(wrapped.kind()).into());
        }
        let path = self.key_file(wrapped.database);
        let bytes = files::read_small(&path, 32).map_err(OpenError::file(&path))?.map(Zeroizing::new);
        let bytes = bytes.ok_or_else(|| OpenError::NoKeyFile(path))?;
        let bytes = bytes.as_slice().try_into().map_err(|_| crate::KeyError::WrongKeyFile)?;
        Ok(wrapped.unwrap(Lock::KeyFile(bytes))?)
    }

    /// Changes what opens the database. The key inside stays; `salt` and `key_file` are fresh random bytes.
    ///
    /// # Errors
    /// [`OpenError`]; then the old lock still opens it.
    pub fn relock(
        &self,
        key: &DatabaseKey,
        lock: NewLock<'_>,
        salt: [u8; 16],
        key_file: [u8; 32],
    ) -> Result<(), OpenError> {
        let database = self.wrapped()?.database;
        self.write_lock(key, database, lock, salt, key_file)
    }

    /// Writes everything that a new database needs before its file.
    pub(crate) fn prepare(&self, lock: NewLock<'_>, random: &Random) -> Result<DatabaseKey, OpenError> {
        if self.has_database() {
            return Err(OpenError::Exists(self.path.clone()));
        }
        files::make_private_folder(&self.path).map_err(OpenError::file(&self.path))?;
        let wrapped = self.wrapped_path();
        if wrapped.exists() {
            // Left by a making that was cut off, or all that is left of a database: kept, in case the file comes back.
            let kept = wrapped.with_added_extension("old");
            fs::rename(&wrapped, &kept).map_err(OpenError::file(&wrapped))?;
        }
        let key = DatabaseKey::from_random(random.key);
        self.write_lock(&key, random.database, lock, random.salt, random.key_file)?;
        Ok(key)
    }

    /// Locks what will be in this folder as another is.
    pub(crate) fn lock_like(&self, other: &Self) -> Result<(), OpenError> {
        let path = self.wrapped_path();
        files::write_durably(&path, other.wrapped()?.encode().as_bytes()).map_err(OpenError::file(&path))
    }

    /// The folder of key files and instance records.
    pub(crate) fn keys(&self) -> &Path {
        &self.keys
    }

    /// The name that the database has outside.
    pub(crate) fn database_name(&self) -> Result<[u8; 16], OpenError> {
        Ok(self.wrapped()?.database)
    }

    pub(crate) fn outside(&self) -> Outside {
        Outside::new(&self.keys, &self.database_file())
    }

    fn write_lock(
        &self,
        key: &DatabaseKey,
        database: [u8; 16],
        lock: NewLock<'_>,
        salt: [u8; 16],
        key_file: [u8; 32],
    ) -> Result<(), OpenError> {
        let wrapped = match lock {
            NewLock::Passphrase(passphrase, hardness) => {
                WrappedKey::wrap(key, database, Lock::Passphrase(passphrase), hardness, salt)?
            }
            NewLock::KeyFile => {
                let path = self.key_file(database);
                files::make_private_folder(&self.keys).map_err(OpenError::file(&self.keys))?;
                // Relocking by a key file keeps the one there is: copies of the folder open by it too.
                let there = files::read_small(&path, 32).map_err(OpenError::file(&path))?;
                let bytes = match there.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
                    Some(bytes) => bytes,
                    None => {
                        files::write_durably(&path, &key_file).map_err(OpenError::file(&path))?;
                        key_file
                    }
                };
                WrappedKey::wrap(key, database, Lock::KeyFile(&bytes), Hardness::STANDARD, salt)?
            }
        };
        let path = self.wrapped_path();
        files::write_durably(&path, wrapped.encode().as_bytes()).map_err(OpenError::file(&path))
    }

    fn wrapped(&self) -> Result<WrappedKey, OpenError> {
        if !self.has_database() {
            return Err(OpenError::NoDatabase(self.path.clone()));
        }
        let path = self.wrapped_path();
        let bytes = files::read_small(&path, Self::KEY_BYTES).map_err(OpenError::file(&path))?;
        let bytes = bytes.ok_or_else(|| OpenError::NoWrappedKey(path))?;
        let text = String::from_utf8(bytes).map_err(|_| crate::KeyError::Damaged("not text"))?;
        Ok(WrappedKey::decode(&text)?)
    }

    fn wrapped_path(&self) -> PathBuf {
        self.path.join("ayni.key")
    }

    fn key_file(&self, database: [u8; 16]) -> PathBuf {
        self.keys.join(format!("{}.key", HEXLOWER.encode(&database)))
    }
}
