//! How a database is opened.

use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::environment::{Environment, System};
use crate::handler::ConflictHandler;

/// How a database is opened.
#[derive(Clone)]
pub struct Options {
    /// The folder, outside the database's own, for the key file and for what tells a copied or restored database from
    /// the one last used here.
    pub keys: PathBuf,
    /// Opens (or, for a new database, becomes) the lock; without one a key file in `keys` does.
    pub passphrase: Option<Zeroizing<String>>,
    /// The time, randomness and threads.
    pub environment: Arc<dyn Environment>,
    /// How the store uses SQLite.
    pub store: ayni_store::Options,
    /// What settles conflicts, where the schema of a collection names it.
    pub conflict_handlers: Vec<ConflictHandler>,
}

impl Options {
    /// With a key file in `keys`, on the machine's own clock, randomness and threads.
    pub fn new(keys: impl Into<PathBuf>) -> Self {
        Self {
            keys: keys.into(),
            passphrase: None,
            environment: Arc::new(System),
            store: ayni_store::Options::default(),
            conflict_handlers: Vec::new(),
        }
    }

    /// With a passphrase instead.
    #[must_use]
    pub fn passphrase(mut self, passphrase: impl Into<String>) -> Self {
        self.passphrase = Some(Zeroizing::new(passphrase.into()));
        self
    }

    /// With one more conflict handler; of several with one name and version the last is taken.
    #[must_use]
    pub fn conflict_handler(mut self, handler: ConflictHandler) -> Self {
        self.conflict_handlers.push(handler);
        self
    }
}
