//! A project: what a set of devices shares.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use ayni_log::ids::{DeviceId, Hash, ProjectId};
use ayni_log::membership::{ControlBody, Member as KnownMember, Role, Ticket, invite, open_name};
use ayni_store::{BranchRow, CollectionRow, ProjectRow, StoreError, Write};

use crate::collection::Collection;
use crate::core::documents::{Documents, Indexes};
use crate::core::state::State;
use crate::database::{Database, Inner, check_name};
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
}

/// What is known of a project between transactions, for those who only read.
#[derive(Default)]
pub(crate) struct Published {
    pub(crate) name: Option<String>,
    pub(crate) members: Vec<KnownMember>,
    pub(crate) names: BTreeMap<DeviceId, String>,
    pub(crate) collections: BTreeMap<String, CollectionRow>,
    pub(crate) indexes: Indexes,
    /// How much of what it was made of there was: another amount means it is out of date.
    measure: (usize, usize, usize, usize),
}

impl Published {
    pub(crate) fn role_of(&self, device: DeviceId) -> Option<Role> {
        self.members.iter().find(|member| member.device == device).map(|member| member.role)
    }

    fn of(state: &State) -> Self {
        let naming = state.ring.naming_key();
        let founding = state.view.founding();
        let name = founding.zip(naming).and_then(|(body, naming)| open_name(naming, &body.random, &body.name).ok());
        let members = state.view.members();
        let open =
            |member: &KnownMember| Some((member.device, open_name(naming?, &member.device.0, &member.name).ok()?));
        let names = members.iter().filter_map(open).collect();
        let named = state.collections.values().filter_map(|known| Some((known.name.clone()?, known.row)));
        let collections: BTreeMap<String, CollectionRow> = named.collect();
        let indexes = state.indexes.clone();
        Self { name, members, names, collections, indexes, measure: Self::measure(state) }
    }

    fn measure(state: &State) -> (usize, usize, usize, usize) {
        let named = state.collections.values().filter(|known| known.name.is_some()).count();
        let indexes = state.indexes.values().map(Vec::len).sum();
        (state.view.lengths().0, state.ring.epochs().count(), named, indexes)
    }
}

/// The state of a project in this process.
pub(crate) struct ProjectCore {
    pub(crate) id: ProjectId,
    pub(crate) row: ProjectRow,
    memory: Mutex<Memory>,
    published: RwLock<Option<Arc<Published>>>,
    changes: (Mutex<u64>, Condvar),
}

#[derive(Default)]
struct Memory {
    loaded: Option<Loaded>,
    /// How long each branch was when those who listen last learned of it; `None` before anything was loaded.
    announced: Option<BTreeMap<BranchRow, u64>>,
}

struct Loaded {
    /// What the store said of other processes' commits when this was what it held; `None`: it is to be compared.
    others: Option<i64>,
    state: State,
}

impl ProjectCore {
    pub(crate) fn new(id: ProjectId, row: ProjectRow) -> Self {
        Self {
            id,
            row,
            memory: Mutex::default(),
            published: RwLock::default(),
            changes: (Mutex::new(0), Condvar::new()),
        }
    }

    /// Runs `work` in one durable transaction on the project's state as it is now, another process's commits included.
    /// Afterwards those who listen learn of what grew, by whomever.
    pub(crate) fn write<T>(
        &self,
        inner: &Inner,
        work: impl FnOnce(&mut Write<'_>, &mut State) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut memory = self.lock(inner)?;
        let result = inner.store.write(|tx| {
            let others = Some(tx.others()?);
            let state = self.current(inner, tx, &mut memory, others)?;
            if self.published.read().unwrap_or_else(PoisonError::into_inner).is_none() {
                // Who reads inside of `work` cannot wait for its end.
                self.publish(state);
            }
            work(tx, state)
        });
        match (&result, memory.loaded.as_ref()) {
            (Ok(_), Some(current)) => {
                self.publish(&current.state);
                let grown = memory.take_grown();
                drop(memory);
                self.announce(inner, &grown);
                inner.committed();
            }
            // What was done in memory did not happen.
            _ => memory.loaded = None,
        }
        result
    }

    /// Runs `work` on the project's state and a snapshot of the store that belongs to it.
    pub(crate) fn read<T>(
        &self,
        inner: &Inner,
        work: impl FnOnce(&ayni_store::Snapshot<'_>, &mut State) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut memory = self.lock(inner)?;
        let result = inner.store.read_beside_others(|snapshot, others| {
            let state = self.current(inner, snapshot, &mut memory, others)?;
            self.publish(state);
            work(snapshot, state)
        });
        let grown = memory.take_grown();
        drop(memory);
        if !grown.is_empty() {
            self.announce(inner, &grown);
        }
        result
    }

    /// What readers need, from memory.
    pub(crate) fn published(&self, inner: &Inner) -> Result<Arc<Published>, Error> {
        if let Some(published) = self.published.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            return Ok(published.clone());
        }
        self.read(inner, |_, _| Ok(()))?;
        Ok(self.published.read().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default())
    }

    /// Takes in what another process committed.
    pub(crate) fn refresh(&self, inner: &Inner) -> Result<(), Error> {
        self.read(inner, |_, _| Ok(()))
    }

    /// Runs `work`, which changes in the store what the state of projects is made of, while nobody in this process uses it;
    /// it is loaded again afterwards.
    pub(crate) fn outdate<T>(
        cores: &[Arc<Self>],
        inner: &Inner,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut memories = cores.iter().map(|core| core.lock(inner)).collect::<Result<Vec<_>, _>>()?;
        let result = work();
        memories.iter_mut().for_each(|memory| memory.loaded = None);
        result
    }

    fn current<'l>(
        &self,
        inner: &Inner,
        store: &ayni_store::Snapshot<'_>,
        memory: &'l mut Memory,
        others: Option<i64>,
    ) -> Result<&'l mut State, Error> {
        let known = match memory.loaded.take() {
            Some(loaded) if others.is_some() && loaded.others == others => Some(loaded.state),
            // What others committed may have been about something else.
            Some(loaded) if loaded.state.is_as_stored(store)? => Some(loaded.state),
            _ => None,
        };
        let state = match known {
            Some(state) => state,
            None => State::load(store, self.row, self.id, &inner.secret, inner.incarnation)?,
        };
        memory.announced.get_or_insert_with(|| lengths(&state));
        Ok(&mut memory.loaded.insert(Loaded { others, state }).state)
    }

    fn publish(&self, state: &State) {
        let mut published = self.published.write().unwrap_or_else(PoisonError::into_inner);
        if published.as_ref().is_none_or(|published| published.measure != Published::measure(state)) {
            *published = Some(Arc::new(Published::of(state)));
        }
    }

    fn announce(&self, inner: &Inner, grown: &[BranchRow]) {
        *self.changes.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changes.1.notify_all();
        inner.pool.advanced(inner, self.id, grown);
    }

    fn lock(&self, inner: &Inner) -> Result<MutexGuard<'_, Memory>, Error> {
        // A transaction of this thread has the memory, or that of another project and the store's writer.
        if inner.store.is_writing_here() {
            return Err(Error::Nested);
        }
        // A panic in a transaction leaves a state that may not be the store's: it is loaded again.
        Ok(self.memory.lock().unwrap_or_else(|poisoned| {
            self.memory.clear_poison();
            let mut memory = poisoned.into_inner();
            memory.loaded = None;
            memory
        }))
    }
}

impl Memory {
    /// The branches that have grown since this was last asked.
    fn take_grown(&mut self) -> Vec<BranchRow> {
        let (Some(loaded), Some(announced)) = (&self.loaded, &mut self.announced) else { return Vec::new() };
        let mut grown = Vec::new();
        for branch in loaded.state.branches.iter() {
            let known = announced.entry(branch.row).or_default();
            if *known < branch.tip.length() {
                *known = branch.tip.length();
                grown.push(branch.row);
            }
        }
        grown
    }
}

fn lengths(state: &State) -> BTreeMap<BranchRow, u64> {
    state.branches.iter().map(|branch| (branch.row, branch.tip.length())).collect()
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
            documents.flush(tx, &state.indexes)
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
                    Ok(CollectionInfo { name: name.clone(), documents: crate::collection::present(snapshot, *row)? })
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

    /// A digest over all documents of the project: equal on two devices exactly when they show the same.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn digest(&self) -> Result<Hash, Error> {
        let published = self.published()?;
        self.database.inner.store.read(|snapshot| crate::collection::digest(snapshot, &published.collections))
    }

    /// A number that grows whenever something in the project changed. With [`Project::wait`] it makes live views.
    pub fn revision(&self) -> u64 {
        *self.core.changes.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the revision is beyond `seen`, at most so long; gives the revision then.
    pub fn wait(&self, seen: u64, at_most: Duration) -> u64 {
        let (revision, changed) = &self.core.changes;
        let revision = revision.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(revision, at_most, |revision| *revision <= seen);
        *waited.unwrap_or_else(PoisonError::into_inner).0
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
            documents.flush(tx, &state.indexes)
        })
    }

    pub(crate) fn published(&self) -> Result<Arc<Published>, Error> {
        self.core.published(&self.database.inner)
    }
}

/// Refuses what the role of a device does not allow.
fn require(state: &State, device: DeviceId, least: Role, what: &'static str) -> Result<(), Error> {
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
