//! Devices in one process, joined by pipes in memory.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ayni::doc::{Map, Value};
use ayni::environment::{Environment, System};
use ayni::{
    ChannelInfo, Continuity, Database, Document, DocumentId, Invitation, Link, Options, Project, Role, Standing,
};
use tempfile::TempDir;

/// A device with a folder of its own.
pub(crate) struct Device {
    pub(crate) folder: TempDir,
    pub(crate) database: Database,
    pub(crate) clock: Arc<LyingClock>,
}

impl Device {
    pub(crate) fn new(name: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Arc::new(LyingClock::default());
        let database = Database::create(&folder.path().join("db"), name, options(folder.path(), &clock)).unwrap();
        Self { folder, database, clock }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("db")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    pub(crate) fn project(&self) -> Project {
        self.database.projects().unwrap().remove(0)
    }

    /// Opens its folder once more, as another process would.
    pub(crate) fn open_beside(&self) -> Database {
        Database::open(&self.path(), options(self.folder.path(), &self.clock)).unwrap()
    }

    /// Lets go of the database and opens it again.
    pub(crate) fn restart(self) -> Self {
        self.restart_as(|options| options)
    }

    /// The same, opened otherwise.
    pub(crate) fn restart_as(self, change: impl FnOnce(Options) -> Options) -> Self {
        let Self { folder, database, clock } = self;
        drop(database);
        let options = change(options(folder.path(), &clock));
        let database = Database::open(&folder.path().join("db"), options).unwrap();
        Self { folder, database, clock }
    }

    /// Copies the folder to a place of its own, with or without what is kept outside of it.
    pub(crate) fn copy(&self, with_keys: bool) -> TempDir {
        let target = TempDir::new().unwrap();
        copy_folder(&self.path(), &target.path().join("db"));
        if with_keys {
            copy_folder(&self.keys(), &target.path().join("keys"));
        }
        target
    }
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// With keys in a folder beside the database, few pages in memory, and a clock that can be set.
pub(crate) fn options(folder: &Path, clock: &Arc<LyingClock>) -> Options {
    let mut options = Options::new(folder.join("keys"));
    options.environment = clock.clone();
    options.store.writer_cache = 64;
    options.store.reader_cache = 64;
    options
}

/// The machine's own environment, but for a wall time that can be off by any amount.
#[derive(Default)]
pub(crate) struct LyingClock {
    off: AtomicI64,
    later: AtomicU64,
}

impl LyingClock {
    /// How far the clock is ahead: milliseconds.
    pub(crate) fn set_ahead(&self, off: i64) {
        self.off.store(off, Ordering::Relaxed);
    }

    /// Lets time pass for timeouts: milliseconds.
    pub(crate) fn pass(&self, millis: u64) {
        self.later.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Environment for LyingClock {
    fn now(&self) -> i64 {
        System.now() + self.off.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> u64 {
        System.monotonic() + self.later.load(Ordering::Relaxed)
    }

    fn random(&self, buffer: &mut [u8]) {
        System.random(buffer);
    }

    fn spawn(&self, job: Box<dyn FnOnce() + Send>) {
        System.spawn(job);
    }
}

/// Keeps what a device's folders hold now, and puts it back each time it is opened: what notices a restored folder is
/// restored along with it, so that every opening goes on in the same logs.
pub(crate) struct Image {
    pub(crate) device: Device,
    kept: TempDir,
}

impl Image {
    pub(crate) fn of(device: Device) -> Self {
        let kept = TempDir::new().unwrap();
        let Device { folder, database, clock } = device;
        drop(database);
        for part in ["db", "keys"] {
            copy_folder(&folder.path().join(part), &kept.path().join(part));
        }
        let database = Database::open(&folder.path().join("db"), options(folder.path(), &clock)).unwrap();
        Self { device: Device { folder, database, clock }, kept }
    }

    pub(crate) fn restore(self) -> Self {
        let Self { device: Device { folder, database, clock }, kept } = self;
        drop(database);
        for part in ["db", "keys"] {
            std::fs::remove_dir_all(folder.path().join(part)).unwrap();
            copy_folder(&kept.path().join(part), &folder.path().join(part));
        }
        let database = Database::open(&folder.path().join("db"), options(folder.path(), &clock)).unwrap();
        assert_eq!(database.continuity(), Continuity::Same);
        Self { device: Device { folder, database, clock }, kept }
    }
}

/// What happens to the bytes on their way: gets the way (0: from the first to the second) and what is to be sent; gives
/// what arrives, or `None` to cut the connection.
pub(crate) type Way = dyn Fn(usize, Vec<u8>) -> Option<Vec<u8>> + Send + Sync;

/// A connection between two databases, until it is dropped.
pub(crate) struct Pipe {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    pub(crate) links: [Link; 2],
}

impl Pipe {
    pub(crate) fn new(one: &Database, other: &Database) -> Self {
        Self::through(one, other, Arc::new(|_, bytes| Some(bytes)))
    }

    /// A connection that does something to what passes.
    pub(crate) fn through(one: &Database, other: &Database, way: Arc<Way>) -> Self {
        static COUNT: AtomicU8 = AtomicU8::new(0);
        let ids = [one, other].map(|database| *database.transport_secret());
        let binding = [COUNT.fetch_add(1, Ordering::Relaxed); 32];
        let link = |database: &Database, own: usize| {
            let info = ChannelInfo {
                own_transport: ids[own],
                peer_transport: ids[1 - own],
                initiator: own == 0,
                binding,
                address: format!("pipe {own}"),
            };
            database.pool().connect(info, || {}).unwrap()
        };
        let links = [link(one, 0), link(other, 1)];
        let stop = Arc::new(AtomicBool::new(false));
        let carry = |from: usize| {
            let (sender, receiver) = (links[from].clone(), links[1 - from].clone());
            let (stop, way) = (stop.clone(), way.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    sender.tick();
                    let bytes = sender.outgoing(64 << 10);
                    if bytes.is_empty() {
                        std::thread::sleep(Duration::from_micros(500));
                        continue;
                    }
                    match way(from, bytes) {
                        Some(bytes) => receiver.receive(&bytes),
                        None => stop.store(true, Ordering::Relaxed),
                    }
                }
            })
        };
        let threads = vec![carry(0), carry(1)];
        Self { stop, threads, links }
    }

    /// Whether the connection was cut, or one side has ended the conversation.
    pub(crate) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.links.iter().any(Link::is_over)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        for link in &self.links {
            link.closed();
        }
    }
}

/// Waits until something holds, and fails the test if it does not for a minute.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what} did not come about");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether all projects show the same documents.
pub(crate) fn same(projects: &[&Project]) -> bool {
    let digests: Vec<_> = projects.iter().map(|project| project.digest().unwrap()).collect();
    digests.windows(2).all(|pair| pair[0] == pair[1])
}

/// Whether every conversation of a database is level in every project in common, of which there is one at least.
pub(crate) fn level(database: &Database) -> bool {
    let peers = database.pool().peers();
    let is_level =
        |peer: &ayni::PeerStatus| !peer.projects.is_empty() && peer.projects.iter().all(|project| project.level);
    !peers.is_empty() && peers.iter().all(is_level)
}

/// Lets two databases meet until both hold the same, then parts them.
pub(crate) fn meet(one: &Database, other: &Database) {
    let pipe = Pipe::new(one, other);
    let entries = |database: &Database| database.projects().unwrap()[0].status().unwrap().entries;
    eventually("meeting on level terms", || {
        level(one) && level(other) && entries(one) == entries(other) && level(one) && level(other)
    });
    drop(pipe);
}

/// Devices in one project, the first of them its founder; all hold the same, none is connected.
pub(crate) fn team<const N: usize>() -> [Device; N] {
    let devices: [Device; N] = std::array::from_fn(|number| Device::new(&format!("device {number}")));
    let (project, _) = devices[0].database.create_project("Mapa").unwrap();
    for device in &devices[1..] {
        join(device, &project, Role::Member);
    }
    for device in &devices[1..] {
        meet(&devices[0].database, &device.database);
    }
    devices
}

/// Joins a device by a ticket of a coordinator's, whom it meets.
pub(crate) fn join(device: &Device, coordinator: &Project, role: Role) -> Project {
    let ticket = coordinator.invite(&Invitation { role, ..Invitation::default() }).unwrap();
    let joined = device.database.join(&ticket).unwrap();
    meet(&device.database, coordinator.database());
    assert_eq!(joined.standing().unwrap(), Standing::Member(role));
    joined
}

pub(crate) fn fields<const N: usize>(pairs: [(&str, Value); N]) -> Map {
    pairs.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

pub(crate) fn create(project: &Project, fields: Map) -> DocumentId {
    project.write(|tx| tx.create("places", fields)).unwrap()
}

pub(crate) fn read(project: &Project, id: DocumentId) -> Document {
    project.collection("places").get(id).unwrap().expect("the document is here")
}

/// Sets one field, having seen what is shown now.
pub(crate) fn set(project: &Project, id: DocumentId, field: &str, value: impl Into<Value>) {
    let document = read(project, id);
    set_in(project, &document, field, value);
}

/// Sets one field, having seen what the handle shows.
pub(crate) fn set_in(project: &Project, document: &Document, field: &str, value: impl Into<Value>) {
    let mut all = document.fields();
    all.insert(field.into(), value.into());
    project.write(|tx| tx.replace(document, all)).unwrap();
}

pub(crate) fn get(project: &Project, id: DocumentId, field: &str) -> Option<Value> {
    read(project, id).get(&[field])
}

/// The digest of the documents as they are, and as they are when made anew from the log.
pub(crate) fn rebuilt_equal(database: &Database) {
    for project in database.projects().unwrap() {
        let before = project.digest().unwrap();
        database.rebuild_views(|_| ()).unwrap();
        assert_eq!(project.digest().unwrap(), before, "rebuilt from the log it shows something else");
    }
}
