//! A process ends when it is told to, with the code that it was told, whatever its other threads do with databases.
//!
//! Each test runs itself again as the child that ends, with what the child is to do in the environment.

use std::ffi::c_int;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use ayni_store::sql::{self, SqlError, SqlSetting};
use ayni_store::{Options, Store, StoreError, check};

use crate::support::{Place, key, read, write};

const CHILD: &str = "AYNI_STORE_TEST_ENDING";
const CODE: i32 = 7;

#[expect(unsafe_code, reason = "a function of C that can be called at any time")]
unsafe extern "C" {
    safe fn atexit(handler: extern "C" fn()) -> c_int;
}

/// Time in which a thread crashes that uses what SQLCipher has freed.
extern "C" fn linger() {
    thread::sleep(Duration::from_millis(100));
}

/// The folder, when this is the child. To be called before a database is opened: what is registered before SQLCipher's handler
/// runs after it.
fn root() -> Option<PathBuf> {
    let root = std::env::var_os(CHILD).map(PathBuf::from);
    if root.is_some() {
        assert_eq!(atexit(linger), 0);
        // An error that a thread meets as the process ends is no better than a crash.
        std::panic::set_hook(Box::new(|_| std::process::abort()));
    }
    root
}

/// Runs a test again as the child; gives the code with which it ended, `None` if it crashed.
fn code_of_child(test: &str, root: &Path) -> Option<i32> {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &format!("ending::{test}")]).env(CHILD, root);
    child.stdout(Stdio::null()).status().unwrap().code()
}

/// Few pages in memory, so that nearly all that is read is decrypted.
fn small() -> Options {
    Options { reader_cache: 16, other_readers_cache: 16, writer_cache: 16, ..Options::default() }
}

fn open_small(root: &Path) -> Store {
    let folder = ayni_store::Folder::new(root.join("db"), root.join("keys"));
    Store::open(&folder, &key(&folder), small()).unwrap().store
}

/// Threads that use a database in every way, again and again; gives once each has begun.
fn use_in_every_way(root: &Path) -> Arc<Store> {
    let store = Arc::new(open_small(root));
    let begun = Arc::new(AtomicU64::new(0));
    let uses: [fn(&Store, &Path, u64); 8] = [reads, reads, writes, shares, asks, watches, opens, backs_up];
    for (bit, usage) in uses.into_iter().enumerate() {
        let (store, begun, root) = (store.clone(), begun.clone(), root.to_owned());
        thread::spawn(move || {
            for round in 0.. {
                usage(&store, &root, round);
                begun.fetch_or(1 << bit, Ordering::Relaxed);
            }
        });
    }
    while begun.load(Ordering::Relaxed).count_ones() < uses.len() as u32 {
        thread::sleep(Duration::from_millis(1));
    }
    store
}

fn reads(store: &Store, _: &Path, round: u64) {
    let read = store.read(|snapshot| snapshot.setting(None, &format!("{}", round * 7 % 400)));
    assert!(read.unwrap().is_some());
}

fn writes(store: &Store, _: &Path, round: u64) {
    write(store, |write| write.set_setting(None, &format!("{}", round % 400), &[1; 900]));
    // Other connections wait for the writer's lock by looking for it now and then.
    thread::sleep(Duration::from_millis(2));
}

fn shares(store: &Store, _: &Path, round: u64) {
    let shared = store.read_shared(|shared| Ok::<_, StoreError>(shared.clone())).unwrap();
    assert!(shared.with(|snapshot| snapshot.setting(None, &format!("{}", round % 400))).unwrap().is_some());
}

fn asks(_: &Store, _: &Path, _: u64) {
    let stop = Box::new(|| None);
    let setting = SqlSetting { tables: Vec::new(), functions: Vec::new(), stop, memory: 1 << 30 };
    sql::ask(setting, "SELECT 1", &[], |_, _| Ok::<_, SqlError>(ControlFlow::Continue(()))).unwrap();
}

fn watches(store: &Store, _: &Path, _: u64) {
    store.revision().unwrap();
}

fn opens(_: &Store, root: &Path, round: u64) {
    let store = open_small(root);
    // A reader of its own, to be closed too.
    reads(&store, root, round);
}

fn backs_up(store: &Store, root: &Path, _: u64) {
    let to = tempfile::tempdir_in(root).unwrap();
    store.backup(&to.path().join("copy")).unwrap();
    check(store.folder(), store.key(), &small()).unwrap();
}

fn filled() -> Place {
    let place = Place::new();
    let store = place.create();
    write(&store, |write| {
        (0..400).try_for_each(|number| write.set_setting(None, &number.to_string(), &[0; 900]))?;
        Ok(())
    });
    place
}

const ROUNDS: u64 = 10;

fn rounds() -> u64 {
    std::env::var("AYNI_STORE_TEST_ENDINGS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS)
}

#[test]
fn a_process_exits_with_its_code_while_other_threads_use_and_close_databases() {
    if let Some(root) = root() {
        use_in_every_way(&root);
        std::process::exit(CODE);
    }
    let place = filled();
    let test = "a_process_exits_with_its_code_while_other_threads_use_and_close_databases";
    for round in 0..rounds() {
        assert_eq!(code_of_child(test, place.root.path()), Some(CODE), "round {round}");
    }
    assert!(check(&place.folder, &key(&place.folder), &Options::default()).unwrap().lost.is_empty());
}

#[test]
fn main_returns_while_other_threads_use_and_close_databases() {
    if let Some(root) = root() {
        use_in_every_way(&root);
        return;
    }
    let place = filled();
    for round in 0..rounds() {
        let code = code_of_child("main_returns_while_other_threads_use_and_close_databases", place.root.path());
        assert_eq!(code, Some(0), "round {round}");
    }
}

#[test]
fn a_process_exits_in_the_middle_of_a_transaction_which_leaves_nothing() {
    let name = "a_process_exits_in_the_middle_of_a_transaction_which_leaves_nothing";
    if let Some(root) = root() {
        let store = Arc::new(open_small(&root));
        for _ in 0..2 {
            let (store, root) = (store.clone(), root.clone());
            thread::spawn(move || {
                for round in 0.. {
                    reads(&store, &root, round);
                }
            });
        }
        return write(&store, |write| {
            write.set_setting(None, "0", b"not committed")?;
            std::process::exit(CODE)
        });
    }
    let place = filled();
    assert_eq!(code_of_child(name, place.root.path()), Some(CODE));
    assert_eq!(read(&place.open().store, |snapshot| snapshot.setting(None, "0")), Some(vec![0; 900]));
}

/// One waits inside for what another has that comes and goes: shutting it out for good would keep both where they are.
#[test]
fn who_is_inside_and_waits_for_who_is_not_gets_through_before_the_process_ends() {
    let name = "who_is_inside_and_waits_for_who_is_not_gets_through_before_the_process_ends";
    const THROUGH: &str = "through";
    if let Some(root) = root() {
        let (store, wanted) = (Arc::new(open_small(&root)), Arc::new(Mutex::new(())));
        let (tell, told) = mpsc::channel();
        let had = wanted.lock().unwrap();
        thread::spawn({
            let (store, wanted, root) = (store.clone(), wanted.clone(), root.clone());
            move || {
                read(&store, |_| {
                    tell.send(()).unwrap();
                    drop(wanted.lock());
                    std::fs::write(root.join(THROUGH), "").unwrap();
                    Ok(())
                });
            }
        });
        told.recv().unwrap();
        thread::spawn(|| {
            thread::sleep(Duration::from_millis(100));
            std::process::exit(CODE);
        });
        // Some of these are made while the process ends.
        for round in 0..100 {
            reads(&store, &root, round);
            thread::sleep(Duration::from_millis(2));
        }
        drop(had);
        return thread::sleep(Duration::MAX);
    }
    let place = filled();
    assert_eq!(code_of_child(name, place.root.path()), Some(CODE));
    assert!(place.root.path().join(THROUGH).exists());
}

#[test]
fn what_never_ends_keeps_no_process_from_ending() {
    if let Some(root) = root() {
        let store = Arc::new(open_small(&root));
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            read(&store, |snapshot| {
                for round in 0_u64.. {
                    // More than is kept in memory: some of it is decrypted each time.
                    snapshot.setting(None, &format!("{}", round * 7 % 400))?;
                    let _ = tell.send(());
                }
                Ok(())
            });
        });
        told.recv().unwrap();
        std::process::exit(CODE);
    }
    let place = filled();
    assert_eq!(code_of_child("what_never_ends_keeps_no_process_from_ending", place.root.path()), Some(CODE));
}
