//! What was acknowledged is there, whatever the disk does.

use std::ops::ControlFlow;

use ayni_log::ids::LogKind;
use ayni_store::{Continuity, Folder, Opened, Options, Store, StoreError, Write};

use crate::faulty_vfs::{Disk, Fault, NAME};
use crate::support::{Author, Commit, PROJECT, Place, append, collection, copy, insert, key, read, write};

/// Small enough that the write-ahead log is moved into the database several times within a test, and that pages do not all
/// stay in memory.
fn options() -> Options {
    Options { vfs: Some(NAME.to_owned()), checkpoint_pages: 12, writer_cache: 40, ..Options::default() }
}

/// One commit with its documents and keys, as the database does it.
fn put(write: &mut Write<'_>, commit: &Commit) -> Result<(), StoreError> {
    append(write, commit)?;
    let (_, collection) = collection(write)?;
    let (index, _) = write.add_index(collection, b"by name")?;
    let start = commit.0[0].start;
    for number in start..commit.1.length() {
        let row = insert(write, collection, number)?;
        write.insert_key(index, blake3::hash(&number.to_be_bytes()).as_bytes()[..8].to_vec(), row)?;
    }
    Ok(())
}

fn commits(counts: &[u64]) -> Vec<Commit> {
    let mut author = Author::new(1);
    counts.iter().map(|count| author.commit_many(*count)).collect()
}

/// Entries, documents and keys, all of which must tell the same number; and the log must read back whole.
fn whole(store: &Store) -> u64 {
    read(store, |snapshot| {
        let Some(project) = snapshot.project(PROJECT)? else { return Ok(0) };
        let branch = snapshot.frontier(project, LogKind::Data)?.remove(0);
        let mut position = 0;
        while let Some(segment) = snapshot.segment(branch.row, position)? {
            position += segment.entries.len() as u64;
        }
        assert_eq!(position, branch.length);
        let collection = snapshot.collections(project)?[0].row;
        assert_eq!(snapshot.document_count(collection)?, branch.length);
        let (index, _) = snapshot.indexes(collection)?[0];
        assert_eq!(snapshot.count_keys(index, ayni_store::KeyRange::ALL, u64::MAX)?, branch.length);
        Ok(branch.length)
    })
}

fn reopened(folder: &Folder) -> Store {
    Store::open(folder, &key(folder), Options::default()).unwrap().store
}

const WORKLOAD: [u64; 5] = [1, 20, 1, 90, 1];

/// Runs the workload; gives how many entries were acknowledged, and the errors.
fn run(store: &Store, commits: &[Commit]) -> (u64, Vec<StoreError>) {
    let (mut acknowledged, mut errors) = (0, Vec::new());
    for commit in commits {
        match store.write(|write| put(write, commit)) {
            Ok(()) => acknowledged = commit.1.length(),
            Err(error) => {
                errors.push(error);
                break;
            }
        }
    }
    (acknowledged, errors)
}

/// How many operations the workload takes when nothing fails.
fn operations(disk: &Disk, commits: &[Commit]) -> usize {
    disk.renew();
    let place = Place::new();
    let store = place.create_with(options());
    let before = disk.operations();
    assert_eq!(run(&store, commits).0, commits.last().unwrap().1.length());
    disk.operations() - before
}

#[test]
fn a_commit_is_synced_before_it_is_acknowledged() {
    let disk = Disk::new();
    let place = Place::new();
    // No checkpoints, so that every sync is one of a commit.
    let store = place.create_with(Options { checkpoint_pages: 0, ..options() });
    for commit in commits(&[1; 20]) {
        let before = disk.syncs();
        store.write(|write| put(write, &commit)).unwrap();
        assert_eq!(disk.unsynced(), 0, "something was acknowledged that a power cut would take");
        let syncs = disk.syncs() - before;
        // The first writes the header of the write-ahead log too, which is synced apart.
        assert!(syncs == 1 || commit.1.length() == 1, "{syncs} syncs for one commit");
    }
}

#[test]
fn a_power_cut_at_any_moment_leaves_everything_acknowledged_and_nothing_in_part() {
    let disk = Disk::new();
    let commits = commits(&WORKLOAD);
    let lengths: Vec<u64> = [0].into_iter().chain(commits.iter().map(|commit| commit.1.length())).collect();
    let patterns: [fn(usize) -> bool; 3] = [|_| false, |_| true, |number| number % 2 == 0];
    for moment in 0..operations(&disk, &commits) {
        disk.renew();
        let place = Place::new();
        let store = place.create_with(options());
        disk.set(Fault::PowerCut(moment));
        let (acknowledged, _) = run(&store, &commits);
        drop(store);
        disk.lose_unsynced(patterns[moment % patterns.len()]);
        let there = whole(&reopened(&place.folder));
        assert!(there >= acknowledged, "power cut at {moment}: {acknowledged} acknowledged, {there} there");
        assert!(lengths.contains(&there), "power cut at {moment}: {there} entries are no whole commit");
    }
}

/// What the workload leaves, and the room of an index that is gone, in a database that was just opened.
fn with_free_room(commits: &[Commit]) -> (Place, Store) {
    let place = Place::new();
    let store = place.create_with(options());
    assert!(run(&store, commits).1.is_empty());
    let spare = write(&store, |write| {
        let (_, collection) = collection(write)?;
        let (spare, _) = write.add_index(collection, b"spare")?;
        (0..400_i64).try_for_each(|number| write.insert_key(spare, number.to_be_bytes().repeat(60), number))?;
        Ok(spare)
    });
    write(&store, |write| write.drop_index(spare));
    (place, store)
}

#[test]
fn a_power_cut_at_any_moment_of_a_compaction_loses_nothing_and_the_next_goes_on() {
    let disk = Disk::new();
    let commits = commits(&WORKLOAD);
    // Also what was written last without what was written before it.
    let patterns: [fn(usize) -> bool; 4] = [|_| false, |_| true, |number| number % 2 == 0, |number| number % 2 == 1];
    let mut moments = 0;
    let mut done = false;
    while !done {
        for kept in patterns {
            disk.renew();
            let (place, store) = with_free_room(&commits);
            let free = store.free_bytes().unwrap();
            disk.set(Fault::PowerCut(moments));
            let compacted = store.compact(|_| ControlFlow::Continue(()));
            drop(store);
            disk.lose_unsynced(kept);
            let report = ayni_store::check(&place.folder, &key(&place.folder), &Options::default()).unwrap();
            assert_eq!((report.lost, report.entries), (Vec::new(), 113), "power cut at {moments}");
            let store = reopened(&place.folder);
            assert_eq!(whole(&store), 113, "power cut at {moments}");
            assert_eq!(store.compact(|_| ControlFlow::Continue(())).unwrap().free, 0);
            assert_eq!(whole(&store), 113, "power cut at {moments}");
            if compacted.is_ok() {
                assert!(moments > 20 && free > 100_000, "{moments} operations for {free} bytes");
                done = true;
            }
        }
        moments += 1;
    }
}

#[test]
fn a_write_that_fails_leaves_the_last_acknowledged_state_and_the_next_goes_on() {
    let disk = Disk::new();
    let commits = commits(&WORKLOAD);
    let mut failures = 0;
    for moment in 0..operations(&disk, &commits) {
        disk.renew();
        let place = Place::new();
        let store = place.create_with(options());
        disk.set(Fault::FailOne(moment));
        let (acknowledged, errors) = run(&store, &commits);
        assert_eq!(whole(&store), acknowledged, "failed at {moment}: {errors:?}");
        for error in &errors {
            failures += 1;
            assert!(matches!(error, StoreError::Io(_)), "{error:?}");
        }
        let left = commits.iter().position(|commit| commit.0[0].start == acknowledged).unwrap_or(commits.len());
        let (end, errors) = run(&store, &commits[left..]);
        assert!(errors.is_empty(), "after the failure at {moment}: {errors:?}");
        assert_eq!(end.max(acknowledged), 113);
        drop(store);
        assert_eq!(whole(&reopened(&place.folder)), 113);
    }
    assert!(failures > 20, "only {failures} failures reached the caller");
}

#[test]
fn what_is_on_a_full_disk_can_be_read_and_the_opening_is_counted_once_there_is_room() {
    let disk = Disk::new();
    let place = Place::new();
    let commits = commits(&WORKLOAD);
    let all = run(&place.create_with(options()), &commits[..2]).0;
    let before = place.root.path().join("before");
    copy(place.folder.path(), &before);
    let reopen = || Store::open(&place.folder, &key(&place.folder), options()).unwrap();
    disk.set(Fault::Full(0));
    let Opened { store, continuity } = reopen();
    assert_eq!((continuity, whole(&store)), (Continuity::Same, all));
    assert!(matches!(run(&store, &commits[2..]).1[..], [StoreError::Full]));
    disk.set(Fault::None);
    store.write(|write| write.set_setting(None, "room", b"again")).unwrap();
    drop(store);
    let after = place.root.path().join("after");
    copy(place.folder.path(), &after);
    // It was an opening like any other: the state of before it is noticed, the one after it goes on.
    copy(&before, place.folder.path());
    assert_eq!(reopen().continuity, Continuity::Restored);
    copy(&after, place.folder.path());
    assert_eq!(reopen().continuity, Continuity::Same);
}

#[test]
fn a_full_disk_is_called_that_and_nothing_is_lost() {
    let disk = Disk::new();
    let commits = commits(&WORKLOAD);
    let mut full = 0;
    for moment in 0..operations(&disk, &commits) {
        disk.renew();
        let place = Place::new();
        let store = place.create_with(options());
        disk.set(Fault::Full(moment));
        let (acknowledged, errors) = run(&store, &commits);
        for error in &errors {
            full += 1;
            assert!(matches!(error, StoreError::Full), "{error:?}");
            assert!(error.to_string().starts_with("the disk is full"));
        }
        assert_eq!(whole(&store), acknowledged, "full at {moment}");
        // Room again: it goes on where it was.
        disk.set(Fault::None);
        let left = commits.iter().position(|commit| commit.0[0].start == acknowledged).unwrap_or(commits.len());
        assert!(run(&store, &commits[left..]).1.is_empty());
        assert_eq!(whole(&store), 113);
    }
    assert!(full > 20, "only {full} failures reached the caller");
}
