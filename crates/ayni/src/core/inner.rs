//! An open database as its parts know it: what stands behind every handle.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ayni_log::ids::{DeviceId, LogKind, ProjectId, StoreId};
use ayni_log::limits;
use ayni_log::membership::{JoinRequest, Ticket};
use ayni_log::sign::DeviceSecret;
use ayni_store::{Continuity, Store};

use crate::core::control::Author;
use crate::core::project::ProjectCore;
use crate::environment::Environment;
use crate::error::Error;
use crate::handler::Handlers;
use crate::sync::pool::Pool;

/// Which of a device's logs there are, in the order in which they travel.
pub(crate) const LOG_KINDS: [LogKind; 2] = [LogKind::Control, LogKind::Data];

/// Names of settings: what people call this device, and the ticket by which it asked to join a project.
pub(crate) const NAME: &str = "device name";
pub(crate) const TICKET: &str = "ticket";

/// See the module.
pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) secret: DeviceSecret,
    pub(crate) incarnation: StoreId,
    pub(crate) previous: Option<StoreId>,
    pub(crate) continuity: Continuity,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) projects: RwLock<BTreeMap<ProjectId, Arc<ProjectCore>>>,
    pub(crate) pool: Pool,
    pub(crate) on_commit: Mutex<Vec<Box<dyn Fn() + Send + Sync>>>,
    /// Nobody has the database open any more: what can wait for the next opening is left.
    pub(crate) closing: AtomicBool,
}

impl Inner {
    pub(crate) fn author(&self) -> Author<'_> {
        Author {
            secret: &self.secret,
            incarnation: self.incarnation,
            previous: self.previous,
            environment: &*self.environment,
        }
    }

    pub(crate) fn core(&self, id: &ProjectId) -> Option<Arc<ProjectCore>> {
        self.projects.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    pub(crate) fn cores(&self) -> Vec<Arc<ProjectCore>> {
        let mut cores: Vec<_> =
            self.projects.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        cores.sort_by_key(|core| core.row);
        cores
    }

    pub(crate) fn remember_address(&self, device: DeviceId, address: &str) -> Result<(), Error> {
        let now = self.environment.now();
        Ok(self.store.write(|tx| tx.remember_address(device, address, now))?)
    }

    /// Learns of the projects that another process founded or joined.
    pub(crate) fn refresh_projects(&self) -> Result<(), Error> {
        let known = self.store.read(|snapshot| snapshot.projects())?;
        let mut new = Vec::new();
        {
            let mut projects = self.projects.write().unwrap_or_else(PoisonError::into_inner);
            for (row, id) in known {
                projects.entry(id).or_insert_with(|| {
                    new.push(id);
                    Arc::new(ProjectCore::new(id, row))
                });
            }
        }
        // Another process founded or joined them: conversations under way learn of it.
        new.into_iter().for_each(|id| self.pool.offer(self, id));
        Ok(())
    }

    /// The request with which this device asks to join a project, as long as it is pending.
    pub(crate) fn join_request(&self, core: &ProjectCore) -> Result<Option<Vec<u8>>, Error> {
        let (ticket, name) = self.store.read(|snapshot| {
            Ok::<_, Error>((snapshot.setting(Some(core.row), TICKET)?, snapshot.setting(None, NAME)?))
        })?;
        let text = ticket.and_then(|ticket| String::from_utf8(ticket).ok());
        let Some(ticket) = text.and_then(|text| text.parse::<Ticket>().ok()) else { return Ok(None) };
        if core.published(self)?.role_of(self.secret.id()).is_some() {
            return Ok(None);
        }
        let name = String::from_utf8(name.unwrap_or_default()).unwrap_or_default();
        Ok(Some(JoinRequest::new(&ticket, &self.secret, &name).encode()))
    }

    /// The ticket by which a pending project was joined.
    pub(crate) fn ticket(&self, core: &ProjectCore) -> Result<Option<Ticket>, Error> {
        let ticket = self.store.read(|snapshot| snapshot.setting(Some(core.row), TICKET))?;
        Ok(ticket.and_then(|ticket| String::from_utf8(ticket).ok()?.parse().ok()))
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    pub(crate) fn committed(&self) {
        for call in self.hooks().iter() {
            call();
        }
    }

    fn hooks(&self) -> MutexGuard<'_, Vec<Box<dyn Fn() + Send + Sync>>> {
        self.on_commit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses an empty name or one over the limit.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), Error> {
    match name.trim().is_empty() || name.len() > limits::NAME_BYTES {
        true => Err(Error::Name { what, limit: limits::NAME_BYTES }),
        false => Ok(()),
    }
}
