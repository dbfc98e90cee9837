//! A project in this process: its state between transactions, and what readers need of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::task::Waker;
use std::time::Duration;

use ayni_log::ids::{DeviceId, ProjectId};
use ayni_log::membership::{Member as KnownMember, Role, open_name};
use ayni_store::{BranchRow, CollectionRow, ProjectRow, Write};

use crate::core::indexing::Indexes;
use crate::core::inner::Inner;
use crate::core::schemas::KnownSchema;
use crate::core::state::State;
use crate::error::Error;
use crate::sql::KnownFields;

/// What is known of a project between transactions, for those who only read.
#[derive(Default)]
pub(crate) struct Published {
    pub(crate) name: Option<String>,
    pub(crate) members: Vec<KnownMember>,
    pub(crate) names: BTreeMap<DeviceId, String>,
    pub(crate) collections: BTreeMap<String, CollectionRow>,
    pub(crate) schemas: BTreeMap<String, KnownSchema>,
    pub(crate) indexes: Indexes,
    /// How much of what it was made of there was: another amount means it is out of date.
    measure: (usize, usize, usize),
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
        let schemas = state.schemas.values().map(|known| (known.collection.clone(), known.clone())).collect();
        Self { name, members, names, collections, schemas, indexes, measure: Self::measure(state) }
    }

    fn is_of(&self, state: &State) -> bool {
        self.measure == Self::measure(state) && self.indexes == state.indexes
    }

    fn measure(state: &State) -> (usize, usize, usize) {
        let named = state.collections.values().filter(|known| known.name.is_some()).count();
        (state.view.lengths().0, state.ring.epochs().count(), named)
    }
}

/// The state of a project in this process.
pub(crate) struct ProjectCore {
    pub(crate) id: ProjectId,
    pub(crate) row: ProjectRow,
    memory: Mutex<Memory>,
    /// Held by the thread whose turn with the memory is next, so that a thread that takes it again and again keeps nobody from it.
    next: Mutex<()>,
    published: RwLock<Option<Arc<Published>>>,
    changes: (Mutex<Changes>, Condvar),
    /// The fields that SQL shows of collections without a schema.
    pub(crate) sql_fields: Mutex<KnownFields>,
}

/// What those who watch wait for.
#[derive(Default)]
struct Changes {
    revision: u64,
    /// Tasks to be woken by the next change.
    wakers: Vec<Waker>,
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
            next: Mutex::default(),
            published: RwLock::default(),
            changes: (Mutex::default(), Condvar::new()),
            sql_fields: Mutex::default(),
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

    /// The same on a copy of the state, for who reads for long: meanwhile others write.
    pub(crate) fn read_long<T>(
        &self,
        inner: &Inner,
        work: impl FnOnce(&ayni_store::Snapshot<'_>, &mut State) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut memory = self.lock(inner)?;
        let mut grown = Vec::new();
        let result = inner.store.read_beside_others(|snapshot, others| {
            let mut state = self.current(inner, snapshot, &mut memory, others)?.clone();
            self.publish(&state);
            grown = memory.take_grown();
            drop(memory);
            work(snapshot, &mut state)
        });
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
            None => State::load(store, self.row, self.id, &inner.secret, inner.incarnation, inner.handlers.clone())?,
        };
        memory.announced.get_or_insert_with(|| lengths(&state));
        Ok(&mut memory.loaded.insert(Loaded { others, state }).state)
    }

    fn publish(&self, state: &State) {
        let mut published = self.published.write().unwrap_or_else(PoisonError::into_inner);
        if published.as_ref().is_none_or(|published| !published.is_of(state)) {
            *published = Some(Arc::new(Published::of(state)));
        }
    }

    fn announce(&self, inner: &Inner, grown: &[BranchRow]) {
        self.nudge();
        inner.pool.advanced(inner, self.id, grown);
    }

    /// Lets those who watch look: something changed, or another process may have changed something.
    pub(crate) fn nudge(&self) {
        let mut changes = self.changes();
        changes.revision += 1;
        let wakers = std::mem::take(&mut changes.wakers);
        drop(changes);
        self.changes.1.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// A number that grows whenever something changed, or may have.
    pub(crate) fn revision(&self) -> u64 {
        self.changes().revision
    }

    /// Has a task woken once the revision is beyond `seen`. Gives `false` if it is already; then it is not woken.
    pub(crate) fn wake_beyond(&self, seen: u64, waker: &Waker) -> bool {
        let mut changes = self.changes();
        let waits = changes.revision <= seen;
        if waits && !changes.wakers.iter().any(|known| known.will_wake(waker)) {
            changes.wakers.push(waker.clone());
        }
        waits
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the revision is beyond `seen`, at most so long; gives the revision then.
    pub(crate) fn wait(&self, seen: u64, at_most: Duration) -> u64 {
        let waited = self.changes.1.wait_timeout_while(self.changes(), at_most, |changes| changes.revision <= seen);
        waited.unwrap_or_else(PoisonError::into_inner).0.revision
    }

    /// Whether some thread waits for the transaction under way to end.
    pub(crate) fn is_awaited(&self) -> bool {
        matches!(self.next.try_lock(), Err(TryLockError::WouldBlock))
    }

    fn lock(&self, inner: &Inner) -> Result<MutexGuard<'_, Memory>, Error> {
        // A transaction of this thread has the memory, or that of another project and the store's writer.
        if inner.store.is_writing_here() {
            return Err(Error::Nested);
        }
        let _turn = self.next.lock().unwrap_or_else(PoisonError::into_inner);
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
