//! The database: one folder, one device, any number of projects.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ayni_log::ids::{DeviceId, LogKind, LogName, ProjectId, StoreId};
use ayni_log::membership::{ControlBody, RecoveryKey, Role, Ticket, first_epoch, founding};
use ayni_log::seal::NamingKey;
use ayni_log::sign::DeviceSecret;
use ayni_store::{
    DatabaseKey, Folder, Hardness, LockKind, NewLock, OpenError, Random, Snapshot, Store, StoreError, Write,
};
use zeroize::Zeroizing;

use crate::core::documents::Documents;
use crate::core::handling::handle_due;
use crate::core::indexing::makes_index;
use crate::core::inner::{Inner, LOG_KINDS, NAME, TICKET, check_name};
use crate::core::project::ProjectCore;
use crate::environment::{Environment, random};
use crate::error::Error;
use crate::handler::{ConflictHandler, Handlers};
use crate::options::Options;
use crate::project::Project;
use crate::sync::pool::{Pool, PoolHandle, enqueue, look_for_due};
use crate::sync::queue::Job;

pub use ayni_store::Continuity;

/// An open database. Cheap to clone; all clones are the same database.
///
/// When the last of them goes, it waits for what is being stored just then.
#[derive(Clone)]
pub struct Database {
    /// Before `inner`, so that it is dropped before.
    _open: Arc<Open>,
    pub(crate) inner: Arc<Inner>,
}

/// What all clones have in common, and workers do not: so that the store is closed with the last clone, and not by one of
/// them some time later.
struct Open(Arc<Inner>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closing.store(true, Ordering::Relaxed);
        if self.0.environment.is_parallel() {
            self.0.pool.workers.wait();
        }
    }
}

/// The 24 words of a project's recovery key. They are shown once and kept nowhere: whoever has them can remove any
/// device and read everything.
pub struct RecoveryWords(Zeroizing<String>);

impl std::fmt::Display for RecoveryWords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

const SEED: &str = "device seed";
const INCARNATION: &str = "incarnation";
const PREVIOUS: &str = "incarnation before";
const LABEL: &str = "label ";

impl Database {
    /// Makes a database in a folder that has none, for a device with a name that people will know it by.
    ///
    /// # Errors
    /// [`Error::Name`] if the name is empty or too long, [`OpenError::Exists`] in [`Error::Open`] if there is a database, and
    /// whatever the disk says. Then nothing was made.
    pub fn create(folder: &Path, device_name: &str, options: Options) -> Result<Self, Error> {
        check_name("the name of a device", device_name)?;
        let environment = options.environment.clone();
        let folder = Folder::new(folder, &options.keys);
        let random = Random {
            key: random(&*environment),
            database: random(&*environment),
            instance: random(&*environment),
            salt: random(&*environment),
            key_file: random(&*environment),
        };
        let lock = match &options.passphrase {
            Some(passphrase) => NewLock::Passphrase(passphrase, Hardness::STANDARD),
            None => NewLock::KeyFile,
        };
        let store = Store::create(&folder, lock, &random, options.store)?;
        let seed = Zeroizing::new(crate::environment::random::<32>(&*environment));
        let incarnation = StoreId(crate::environment::random(&*environment));
        store.write(|tx| {
            tx.set_setting(None, SEED, seed.as_slice())?;
            tx.set_setting(None, NAME, device_name.as_bytes())?;
            tx.set_setting(None, INCARNATION, &incarnation.0)?;
            tx.set_view_version(crate::repair::DOCUMENTS, crate::repair::DOCUMENTS_VERSION)
        })?;
        tracing::info!(folder = %store.folder().database_file().display(), "made a database");
        Ok(Self::start(store, Continuity::Same, environment, options.conflict_handlers)?)
    }

    /// Opens the database in a folder, or makes it if there is none: what a program does when it starts.
    ///
    /// # Errors
    /// As [`Database::open`] and [`Database::create`].
    pub fn open_or_create(folder: &Path, device_name: &str, options: Options) -> Result<Self, Error> {
        match Folder::new(folder, &options.keys).has_database() {
            true => Ok(Self::open(folder, options)?),
            false => Self::create(folder, device_name, options),
        }
    }

    /// Opens the database in a folder.
    ///
    /// A folder that was copied or restored from an older state is noticed: the device then goes on in a new incarnation,
    /// so that nothing it writes can collide with what the other copy writes. Everything of both counts. So it does where
    /// only meeting other devices showed that a copy had written on in its log ([`Error::Forked`]).
    ///
    /// # Errors
    /// [`OpenError`] says what is missing, wrong or too new, and what to do.
    pub fn open(folder: &Path, options: Options) -> Result<Self, OpenError> {
        let environment = options.environment.clone();
        let folder = Folder::new(folder, &options.keys);
        let key = unlock(&folder, &options)?;
        let opened = Store::open(&folder, &key, options.store)?;
        let continuity = if is_forked(&opened.store)? { Continuity::Restored } else { opened.continuity };
        if continuity == Continuity::Restored {
            let incarnation: [u8; 16] = random(&*environment);
            let instance = random(&*environment);
            opened.store.write(|tx| {
                if let Some(previous) = tx.setting(None, INCARNATION)? {
                    tx.set_setting(None, PREVIOUS, &previous)?;
                }
                tx.set_setting(None, INCARNATION, &incarnation)?;
                tx.settle(instance)
            })?;
        }
        let database = Self::start(opened.store, continuity, environment, options.conflict_handlers)?;
        let file = database.inner.store.folder().database_file();
        match continuity {
            Continuity::Same => tracing::info!(file = %file.display(), "opened a database"),
            _ => {
                tracing::warn!(file = %file.display(), ?continuity, "opened a database that is not the one last used here")
            }
        }
        let failed = |error| match error {
            Error::Store(error) => OpenError::Store(error),
            _ => OpenError::NotADatabase(database.inner.store.folder().database_file()),
        };
        if !database.views_are_current()? {
            database.rebuild_views(|_| ()).map_err(failed)?;
        }
        database.open_incarnation().map_err(failed)?;
        database.continue_indexes().map_err(failed)?;
        database.handle_due();
        Ok(database)
    }

    /// Lets conflict handlers answer what came while this program was not there: a piece of it before anybody looks, the rest
    /// in the background.
    fn handle_due(&self) {
        for core in self.inner.cores() {
            // Where the disk is full it can be looked at nevertheless.
            let rows = handle_due(&self.inner, &core, Vec::new());
            if !rows.as_ref().is_ok_and(Vec::is_empty) {
                enqueue(&self.inner, Job::Handle { project: core.id, rows: rows.unwrap_or_default() });
            }
        }
    }

    /// Opens this device's logs in its incarnation where that is still to be done, as after a restore: until then the
    /// others take its receipts for older than those of the incarnation before.
    fn open_incarnation(&self) -> Result<(), Error> {
        let author = self.inner.author();
        for core in self.inner.cores() {
            let due = core.read(&self.inner, |_, state| {
                let log = author.log(state, LogKind::Control).id();
                let opened = state.branches.of_log(log).any(|branch| branch.tip.length() > 0);
                let role = state.view.role(self.device()).filter(|role| *role != Role::Removed);
                Ok(!opened && role.is_some())
            })?;
            if due {
                core.write(&self.inner, |tx, state| author.open_log(tx, state))?;
            }
        }
        Ok(())
    }

    /// Goes on with the indexes that were being made when the database was closed.
    fn continue_indexes(&self) -> Result<(), Error> {
        for core in self.inner.cores() {
            if core.read(&self.inner, |_, state| Ok(makes_index(state)))? {
                enqueue(&self.inner, Job::Index { project: core.id });
            }
        }
        Ok(())
    }

    /// Reads the whole database file, which nobody may have open, and names what is damaged. If something is, everything
    /// else is saved into a fresh file, which takes its place; the damaged one is kept beside it, and the next opening
    /// makes documents and indexes again. A sound file is left as it is.
    ///
    /// # Errors
    /// [`OpenError::NotADatabase`] when nothing in it can be read; the others of [`Database::open`].
    pub fn salvage(folder: &Path, options: &Options) -> Result<ayni_store::Report, OpenError> {
        let folder = Folder::new(folder, &options.keys);
        ayni_store::repair(&folder, &unlock(&folder, options)?, &options.store)
    }

    /// Writes the database as it is now into a folder that has none. Others read and write meanwhile.
    ///
    /// The passphrase opens it, or the key file, which is not part of it: keep a copy of that too. Whoever opens it is this
    /// device, restored to that moment, and goes on in a new incarnation; what the others have since comes by sync.
    ///
    /// # Errors
    /// [`OpenError::Exists`] if the folder holds a database, and whatever the disk says; then it holds none.
    pub fn backup(&self, to: &Path) -> Result<(), OpenError> {
        self.inner.store.backup(to)?;
        tracing::info!(to = %to.display(), "made a backup");
        Ok(())
    }

    /// How the database in a folder is locked: what to ask for before opening it.
    ///
    /// # Errors
    /// [`OpenError::NoDatabase`] and the like.
    pub fn lock_kind(folder: &Path, keys: &Path) -> Result<LockKind, OpenError> {
        Folder::new(folder, keys).lock_kind()
    }

    fn start(
        store: Store,
        continuity: Continuity,
        environment: Arc<dyn Environment>,
        handlers: Vec<ConflictHandler>,
    ) -> Result<Self, OpenError> {
        let (secret, incarnation, previous, projects) = store.read(|snapshot| {
            let incarnation = snapshot.setting(None, INCARNATION)?;
            let previous = snapshot.setting(None, PREVIOUS)?;
            Ok::<_, StoreError>((
                secret_in(snapshot)?,
                incarnation.as_deref().and_then(StoreId::from_slice),
                previous.as_deref().and_then(StoreId::from_slice),
                snapshot.projects()?,
            ))
        })?;
        let (Some(secret), Some(incarnation)) = (secret, incarnation) else {
            return Err(OpenError::NotADatabase(store.folder().database_file()));
        };
        let projects = projects.into_iter().map(|(row, id)| (id, Arc::new(ProjectCore::new(id, row)))).collect();
        let inner = Arc::new(Inner {
            store,
            secret,
            incarnation,
            previous,
            continuity,
            environment,
            handlers: Arc::new(Handlers::new(handlers)),
            projects: RwLock::new(projects),
            pool: Pool::default(),
            on_commit: Mutex::default(),
            closing: AtomicBool::new(false),
        });
        Ok(Self { _open: Arc::new(Open(inner.clone())), inner })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        self.inner.store.folder().path()
    }

    /// This device.
    pub fn device(&self) -> DeviceId {
        self.inner.secret.id()
    }

    /// The incarnation in which it writes.
    pub fn incarnation(&self) -> StoreId {
        self.inner.incarnation
    }

    /// Whether the folder was the one last used here, or a copy or an older state of it.
    pub fn continuity(&self) -> Continuity {
        self.inner.continuity
    }

    /// The name that people gave this device.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn device_name(&self) -> Result<String, Error> {
        Ok(self.text_setting(NAME)?.unwrap_or_default())
    }

    /// The seed of the transport key: of this incarnation, so that two copies of one device are two peers on the network.
    pub fn transport_secret(&self) -> Zeroizing<[u8; 32]> {
        let mut hasher = blake3::Hasher::new_derive_key("ayni v1 transport key");
        hasher.update(self.inner.secret.seed());
        hasher.update(&self.inner.incarnation.0);
        Zeroizing::new(*hasher.finalize().as_bytes())
    }

    /// Founds a project, with this device as its first coordinator. The words of its recovery key are given once.
    ///
    /// # Errors
    /// If the name is empty or too long, or the disk fails.
    pub fn create_project(&self, name: &str) -> Result<(Project, RecoveryWords), Error> {
        check_name("the name of a project", name)?;
        let environment = &*self.inner.environment;
        let recovery = RecoveryKey::from_random(random(environment));
        let naming = NamingKey::from_bytes(random(environment));
        let founded = founding(&self.inner.secret, &recovery.secret(), &naming, name, random(environment));
        let (body, id) = founded.map_err(|error| Error::Membership(error.to_string()))?;
        let (epoch, _) =
            first_epoch(&body, &naming, &random(environment)).map_err(|error| Error::Membership(error.to_string()))?;
        let device_name = ayni_log::membership::device_name(&naming, self.device(), &self.device_name()?)
            .map_err(|error| Error::Membership(error.to_string()))?;
        let bodies = vec![ControlBody::Found(body), ControlBody::Epoch(epoch), ControlBody::DeviceName(device_name)];
        let core = self.add_core(id, |tx| Ok(tx.add_project(id)?))?;
        core.write(&self.inner, |tx, state| {
            let mut documents = Documents::default();
            self.inner.author().write_control(tx, state, &mut documents, bodies)
        })?;
        Ok((self.handle(core), RecoveryWords(recovery.words())))
    }

    /// Joins the project of a ticket. The project is pending until a coordinator's device has been met by sync.
    ///
    /// # Errors
    /// [`Error::AlreadyJoined`] if this device is in it.
    pub fn join(&self, ticket: &Ticket) -> Result<Project, Error> {
        if let Some(core) = self.inner.core(&ticket.project)
            && core.published(&self.inner)?.role_of(self.device()).is_some()
        {
            return Err(Error::AlreadyJoined);
        }
        let text = ticket.to_string();
        let core = self.add_core(ticket.project, |tx| {
            let row = tx.add_project(ticket.project)?;
            tx.set_setting(Some(row), TICKET, text.as_bytes())?;
            Ok(row)
        })?;
        self.inner.pool.offer(&self.inner, ticket.project);
        Ok(self.handle(core))
    }

    /// The projects of this device, oldest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn projects(&self) -> Result<Vec<Project>, Error> {
        self.inner.refresh_projects()?;
        Ok(self.inner.cores().into_iter().map(|core| self.handle(core)).collect())
    }

    /// The project with this name, or whose id begins like this.
    ///
    /// # Errors
    /// [`Error::NoProject`], and [`Error::AmbiguousProject`] if several answer to it.
    pub fn project(&self, name_or_id: &str) -> Result<Project, Error> {
        let mut found = Vec::new();
        for project in self.projects()? {
            let by_id = name_or_id.len() >= 4 && project.id().to_string().starts_with(name_or_id);
            if by_id || project.name()?.as_deref() == Some(name_or_id) {
                found.push(project);
            }
        }
        match found.len() {
            0 => Err(Error::NoProject(name_or_id.to_owned())),
            1 => Ok(found.remove(0)),
            several => Err(Error::AmbiguousProject(several, name_or_id.to_owned())),
        }
    }

    /// A text that the application keeps in this database for itself; not shared.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn label(&self, name: &str) -> Result<Option<String>, Error> {
        self.text_setting(&format!("{LABEL}{name}"))
    }

    /// Keeps a text, see [`Database::label`].
    ///
    /// # Errors
    /// If the disk fails.
    pub fn set_label(&self, name: &str, text: &str) -> Result<(), Error> {
        Ok(self.inner.store.write(|tx| tx.set_setting(None, &format!("{LABEL}{name}"), text.as_bytes()))?)
    }

    /// Addresses under which devices were met, the latest first, each with the device's transport id in it.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn remembered_addresses(&self) -> Result<Vec<(DeviceId, String)>, Error> {
        let addresses = self.inner.store.read(|snapshot| snapshot.addresses())?;
        Ok(addresses.into_iter().map(|(device, address, _)| (device, address)).collect())
    }

    /// Remembers where a device was met.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn remember_address(&self, device: DeviceId, address: &str) -> Result<(), Error> {
        self.inner.remember_address(device, address)
    }

    /// All conversations with other devices.
    pub fn pool(&self) -> PoolHandle {
        PoolHandle::new(self.clone())
    }

    /// Takes in what other processes on the same folder have committed, and sends it to the devices that this one is
    /// connected to.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn refresh(&self) -> Result<(), Error> {
        self.inner.refresh_projects()?;
        for core in self.inner.cores() {
            core.refresh(&self.inner)?;
        }
        self.nudge();
        Ok(())
    }

    /// Lets live queries ([`Collection::watch`](crate::Collection::watch)) look whether another process on the same folder
    /// has committed something, and conflict handlers answer what that left to them. It reads nothing itself, so it may be called for every hint there is: `ayni-net` does, when
    /// another process signals.
    pub fn nudge(&self) {
        for core in self.inner.cores() {
            core.nudge();
            if !self.inner.handlers.is_empty() {
                look_for_due(&self.inner, core.id);
            }
        }
    }

    /// Calls something after each commit of this process: to wake the processes that sync or watch.
    pub fn on_commit(&self, call: impl Fn() + Send + Sync + 'static) {
        self.inner.on_commit.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(call));
    }

    fn add_core(
        &self,
        id: ProjectId,
        add: impl FnOnce(&mut Write<'_>) -> Result<ayni_store::ProjectRow, Error>,
    ) -> Result<Arc<ProjectCore>, Error> {
        let row = self.inner.store.write(add)?;
        let mut projects = self.inner.projects.write().unwrap_or_else(PoisonError::into_inner);
        Ok(projects.entry(id).or_insert_with(|| Arc::new(ProjectCore::new(id, row))).clone())
    }

    pub(crate) fn handle(&self, core: Arc<ProjectCore>) -> Project {
        Project { database: self.clone(), core }
    }

    fn text_setting(&self, name: &str) -> Result<Option<String>, Error> {
        let value = self.inner.store.read(|snapshot| snapshot.setting(None, name))?;
        value.map(|value| String::from_utf8(value).map_err(|_| Error::Damaged("a setting"))).transpose()
    }
}

/// Whether a copy of this device has written on in its logs too: one has another branch, or ends in what waits, which nothing
/// does that was written here. A log cannot refer to another branch of itself, so the device goes on in a new one.
fn is_forked(store: &Store) -> Result<bool, StoreError> {
    store.read(|snapshot| {
        // While documents are made anew, what was written here waits too.
        let tells = snapshot.view_version(crate::repair::DOCUMENTS)? == Some(crate::repair::DOCUMENTS_VERSION);
        let incarnation = snapshot.setting(None, INCARNATION)?;
        let incarnation = incarnation.as_deref().and_then(StoreId::from_slice);
        let (Some(secret), Some(incarnation)) = (secret_in(snapshot)?, incarnation) else { return Ok(false) };
        for (_, project) in snapshot.projects()? {
            for kind in LOG_KINDS {
                let log = LogName { project, device: secret.id(), kind, incarnation };
                let branches = snapshot.branches_of(log.id())?;
                let waits = |branch: &ayni_store::Branch| kind == LogKind::Data && branch.applied < branch.length;
                if branches.len() > 1 || (tells && branches.iter().any(waits)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    })
}

fn secret_in(snapshot: &Snapshot<'_>) -> Result<Option<DeviceSecret>, StoreError> {
    let seed = snapshot.setting(None, SEED)?.map(Zeroizing::new);
    let seed = seed.and_then(|seed| <[u8; 32]>::try_from(seed.as_slice()).ok()).map(Zeroizing::new);
    Ok(seed.map(|seed| DeviceSecret::from_seed(&seed)))
}

fn unlock(folder: &Folder, options: &Options) -> Result<DatabaseKey, OpenError> {
    match (&options.passphrase, folder.lock_kind()?) {
        (Some(passphrase), LockKind::Passphrase) => folder.unlock_with_passphrase(passphrase),
        (None, kind @ LockKind::Passphrase) => Err(ayni_store::KeyError::OtherLock(kind).into()),
        (_, LockKind::KeyFile) => folder.unlock_with_key_file(),
    }
}
