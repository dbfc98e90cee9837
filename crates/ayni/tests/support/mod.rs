//! Devices in one process, joined by pipes in memory.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ayni::{ChannelInfo, Database, Link, Options, Project};
use tempfile::TempDir;

/// A device with a folder of its own.
pub struct Device {
    pub name: String,
    pub folder: TempDir,
    pub database: Database,
}

impl Device {
    pub fn new(name: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let database = Database::create(&folder.path().join("db"), name, options(folder.path())).unwrap();
        Self { name: name.to_owned(), folder, database }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("db")
    }

    pub fn project(&self) -> Project {
        self.database.projects().unwrap().remove(0)
    }
}

pub fn options(folder: &Path) -> Options {
    Options::new(folder.join("keys"))
}

/// A connection between two databases, until it is dropped.
pub struct Pipe {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    pub links: [Link; 2],
}

impl Pipe {
    pub fn new(one: &Database, other: &Database) -> Self {
        let ids = [one, other].map(|database| *blake3_of(&*database.transport_secret()));
        let binding = [7; 32];
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
        let carry = |from: Link, to: Link, stop: Arc<AtomicBool>| {
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    from.tick();
                    let bytes = from.outgoing(64 << 10);
                    match bytes.is_empty() {
                        true => std::thread::sleep(Duration::from_micros(500)),
                        false => to.receive(&bytes),
                    }
                }
            })
        };
        let threads = vec![
            carry(links[0].clone(), links[1].clone(), stop.clone()),
            carry(links[1].clone(), links[0].clone(), stop.clone()),
        ];
        Self { stop, threads, links }
    }
}

fn blake3_of(secret: &[u8; 32]) -> Box<[u8; 32]> {
    Box::new(*secret)
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
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what} did not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether all projects show the same documents.
pub fn same(projects: &[&Project]) -> bool {
    let digests: Vec<_> = projects.iter().map(|project| project.digest().unwrap()).collect();
    digests.windows(2).all(|pair| pair[0] == pair[1])
}
