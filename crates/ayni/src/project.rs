//! A project: what a set of devices shares.

use std::sync::Arc;
use std::time::Duration;

use ayni_log::ids::{DeviceId, Hash, ProjectId};
use ayni_log::membership::{ControlBody, Member as KnownMember, Role, Ticket, invite};
use ayni_store::{CollectionRow, StoreError};

use crate::collection::Collection;
use crate::core::documents::Documents;
use crate::core::inner::check_name;
use crate::core::project::{ProjectCore, Published};
use crate::core::state::State;
use crate::database::Database;
use crate::environment::random;
use crate::error::Error;
use crate::transaction::Transaction;

/// A project on this device. Cheap to clone.
#[derive(Clone)]
pub struct Project {
    pub(crate) database: Database,
    pub(crate) core: Arc<ProjectCore>,
}

/// Whether this device is in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It asked to join and no coordinator's device has been met yet.
    Pending,
    /// It is in it.
    Member(Role),
    /// It was removed: it keeps what it has, and gets nothing new.
    Removed,
}

/// A device of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The device.
    pub device: DeviceId,
    /// The name that people gave it; empty if this device cannot read names.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Whether it is this one.
    pub this_device: bool,
}

/// What an invitation allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The role of those who join by it.
    pub role: Role,
    /// Until when it can be used, in milliseconds since 1970; `None`: until it is used up.
    pub expires: Option<i64>,
    /// How many devices can join by it.
    pub uses: u32,
    /// Where this device may be found, in words that the network understands. Without any it is found by discovery.
    pub addresses: Vec<String>,
}

impl Default for Invitation {
    /// One member, without an end, found by discovery.
    fn default() -> Self {
        Self { role: Role::Member, expires: None, uses: 1, addresses: Vec::new() }
    }
}

/// A collection and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionInfo {
    /// Its name.
    pub name: String,
    /// Documents, those not counted that were deleted.
    pub documents: u64,
    /// Those of them that have conflicts.
    pub conflicted: u64,
}

impl Project {
    /// Its id: the same on every device.
    pub fn id(&self) -> ProjectId {
        self.core.id
    }

    /// Its name, once this device can read it.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn name(&self) -> Result<Option<String>, Error> {
        Ok(self.published()?.name.clone())
    }

    /// The database that it is in.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Whether this device is in it, and as what.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn standing(&self) -> Result<Standing, Error> {
        Ok(match self.published()?.role_of(self.database.device()) {
            None => Standing::Pending,
            Some(Role::Removed) => Standing::Removed,
            Some(role) => Standing::Member(role),
        })
    }

    /// The devices in it, those removed too.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn members(&self) -> Result<Vec<Member>, Error> {
        let published = self.published()?;
        let member = |member: &KnownMember| Member {
            device: member.device,
            name: published.names.get(&member.device).cloned().unwrap_or_default(),
            role: member.role,
            this_device: member.device == self.database.device(),
        };
        Ok(published.members.iter().map(member).collect())
    }

    /// Makes a ticket with which other devices can ask to join. Any running coordinator's device can answer them.
    ///
    /// # Errors
    /// [`Error::Role`] unless this device is a coordinator.
    pub fn invite(&self, invitation: &Invitation) -> Result<Ticket, Error> {
        let inner = &self.database.inner;
        let secret: [u8; 16] = random(&*inner.environment);
        let body = invite(self.id(), &secret, invitation.role, invitation.expires, invitation.uses);
        self.core.write(inner, |tx, state| {
            require(state, self.database.device(), Role::Coordinator, "invite")?;
            let mut documents = Documents::default();
            inner.author().write_control(tx, state, &mut documents, vec![ControlBody::Invite(body)])?;
            documents.flush(tx, state)
        })?;
        Ok(Ticket {
            project: self.id(),
            inviter: self.database.device(),
            secret,
            role: invitation.role,
            addresses: invitation.addresses.clone(),
        })
    }

    /// The ticket by which this device asked to join.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn ticket(&self) -> Result<Option<Ticket>, Error> {
        self.database.inner.ticket(&self.core)
    }

    /// A collection by name. It is there once something is written to it.
    pub fn collection(&self, name: &str) -> Collection {
        Collection { project: self.clone(), name: name.to_owned() }
    }

    /// The collections that there are.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn collections(&self) -> Result<Vec<CollectionInfo>, Error> {
        let published = self.published()?;
        self.database
            .inner
            .store
            .read(|snapshot| {
                let info = |(name, row): (&String, &CollectionRow)| {
                    let documents = crate::collection::present(snapshot, *row)?;
                    let conflicted = crate::collection::in_conflict(snapshot, *row)?;
                    Ok(CollectionInfo { name: name.clone(), documents, conflicted })
                };
                published.collections.iter().map(info).collect::<Result<_, StoreError>>()
            })
            .map_err(Error::from)
    }

    /// Runs `work` in one transaction: everything that it writes becomes one commit, durable when this returns, or nothing
    /// is written.
    ///
    /// One transaction runs at a time, others wait. Inside of `work` documents are read through the transaction, which shows
    /// what it has written so far; [`Collection::get`], [`Collection::query`] and the like may be used too, and show what was
    /// there before. What needs a transaction of its own, or the state of a project as it is now, is refused there with
    /// [`Error::Nested`]. (Waiting inside of `work` for another thread that writes would be waiting for ever.)
    ///
    /// # Errors
    /// Those of `work`; [`Error::Nested`] inside of another `work` on the same database; [`Error::Pending`], [`Error::Role`] if this device may not write; [`Error::Write`] for a commit
    /// over the limits (16,384 changes, 16 MiB): write in several.
    pub fn write<T>(&self, work: impl FnOnce(&mut Transaction<'_, '_>) -> Result<T, Error>) -> Result<T, Error> {
        let inner = &self.database.inner;
        self.core.write(inner, |tx, state| {
            require(state, self.database.device(), Role::Member, "write")?;
            inner.author().open_log(tx, state)?;
            let mut transaction = Transaction::begin(tx, state, inner)?;
            let result = work(&mut transaction)?;
            transaction.commit()?;
            Ok(result)
        })
    }

    /// A digest over all documents of the project: equal on two devices exactly when they show the same, but for what conflict
    /// handlers make of it on those that have them.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn digest(&self) -> Result<Hash, Error> {
        let published = self.published()?;
        self.database.inner.store.read(|snapshot| crate::collection::digest(snapshot, &published.collections))
    }

    /// A number that grows whenever something in the project changed, or another process may have changed something. With
    /// [`Project::wait`] it tells when to look again; what changed in the answer to a query is told by
    /// [`Collection::watch`].
    pub fn revision(&self) -> u64 {
        self.core.revision()
    }

    /// Waits until the revision is beyond `seen`, at most so long; gives the revision then.
    pub fn wait(&self, seen: u64, at_most: Duration) -> u64 {
        self.core.wait(seen, at_most)
    }

    /// Gives this device's name in the project.
    ///
    /// # Errors
    /// If the name is empty or too long, or this device is not in the project.
    pub fn rename_device(&self, name: &str) -> Result<(), Error> {
        check_name("the name of a device", name)?;
        let inner = &self.database.inner;
        self.core.write(inner, |tx, state| {
            require(state, self.database.device(), Role::Carrier, "be named")?;
            let naming = state.ring.naming_key().ok_or(Error::NoKeys)?;
            let body = ayni_log::membership::device_name(naming, self.database.device(), name)
                .map_err(|error| Error::Membership(error.to_string()))?;
            let mut documents = Documents::default();
            inner.author().write_control(tx, state, &mut documents, vec![ControlBody::DeviceName(body)])?;
            documents.flush(tx, state)
        })
    }

    pub(crate) fn published(&self) -> Result<Arc<Published>, Error> {
        self.core.published(&self.database.inner)
    }
}

/// Refuses what the role of a device does not allow.
pub(crate) fn require(state: &State, device: DeviceId, least: Role, what: &'static str) -> Result<(), Error> {
    match state.view.role(device) {
        None => Err(Error::Pending),
        Some(role) if role < least => Err(Error::Role { role: role_name(role), what }),
        Some(_) => Ok(()),
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Removed => "removed device",
        Role::Carrier => "carrier",
        Role::Reader => "reader",
        Role::Member => "member",
        Role::Coordinator => "coordinator",
    }
}
