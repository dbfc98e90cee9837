//! How long an answer may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ayni_store::sql::{SqlError, Stopped};

use crate::environment::Environment;
use crate::error::Error;
use crate::project::Project;

/// Cancels questions that are being answered, from another thread. Cheap to clone: all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Cancels all questions that it was given to, also those that are asked later.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Until when an answer may take, and who may cancel it.
#[derive(Clone)]
pub(super) struct Patience {
    environment: Arc<dyn Environment>,
    /// On the environment's monotonic clock.
    until: Option<u64>,
    cancel: Option<Cancel>,
}

impl Patience {
    pub(super) fn new(project: &Project, timeout: Option<Duration>, cancel: Option<Cancel>) -> Self {
        let environment = project.database.inner.environment.clone();
        let millis = timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        let until = millis.map(|millis| environment.monotonic().saturating_add(millis));
        Self { environment, until, cancel }
    }

    pub(super) fn is_over(&self) -> Option<Stopped> {
        if self.cancel.as_ref().is_some_and(Cancel::is_cancelled) {
            return Some(Stopped::Cancelled);
        }
        self.until.is_some_and(|until| self.environment.monotonic() >= until).then_some(Stopped::Time)
    }

    /// An error if it is over.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.is_over().map_or(Ok(()), |stopped| Err(SqlError::from(stopped).into()))
    }
}
