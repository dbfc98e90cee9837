//! Transactions, branches, segments, documents and indexes.

use std::ops::{Bound, ControlFlow};
use std::panic::AssertUnwindSafe;
use std::process::Command;

use ayni_log::ids::LogKind;
use ayni_log::segment::Segment;
use ayni_store::{BranchRow, Direction, IndexRow, KeyRange, Snapshot, Store, StoreError, StoredReceipt, flags};

use crate::support::{
    Author, PROJECT, Place, append, collection, document_id, insert, length, length_in, open, read, store_commit, write,
};

/// All segments of a branch from its start, as another device would be sent them.
fn segments(snapshot: &Snapshot<'_>, branch: BranchRow, mut from: u64) -> Vec<Segment> {
    let mut segments = Vec::new();
    while let Some(segment) = snapshot.segment(branch, from).unwrap() {
        from += segment.entries.len() as u64;
        segments.push(segment);
    }
    segments
}

fn hashes(snapshot: &Snapshot<'_>, branch: BranchRow) -> Vec<[u8; 32]> {
    let mut hashes = Vec::new();
    let end = snapshot.branch(branch).unwrap().length;
    let visit = |entry: ayni_store::EntryRef<'_>| {
        assert_eq!(entry.position, hashes.len() as u64);
        hashes.push(entry.hash.0);
        Ok::<_, StoreError>(ControlFlow::Continue(()))
    };
    snapshot.entries(branch, 0..end, visit).unwrap();
    hashes
}

#[test]
fn a_log_comes_back_as_the_segments_that_were_written() {
    let place = Place::new();
    let store = place.create();
    let mut author = Author::new(1);
    let branch = store_commit(&store, &author.commit_many(5)).unwrap();
    store_commit(&store, &author.commit_many(3_000)).unwrap();
    store_commit(&store, &author.commit_many(1)).unwrap();
    read(&store, |snapshot| {
        let sent = segments(snapshot, branch, 0);
        let lengths: Vec<usize> = sent.iter().map(|segment| segment.entries.len()).collect();
        assert_eq!(lengths, [1024, 1024, 958]);
        assert!(sent.iter().all(|segment| segment.log == author.name()));
        assert_eq!(Segment::decode(&sent[1].encode(), PROJECT).unwrap(), sent[1]);
        // From the middle, as to a device that holds a checkpoint that was dropped since.
        assert_eq!(snapshot.segment(branch, 5).unwrap().unwrap().entries.len(), 1019);
        assert_eq!(snapshot.segment(branch, 3_006).unwrap(), None);
        let held = snapshot.branch(branch).unwrap();
        assert_eq!((held.length, held.hash, held.bytes), (3_006, author.tip.hash(), author.tip.bytes()));
        assert_eq!(snapshot.tip(branch).unwrap(), author.tip);
        assert_eq!(snapshot.hash_at(branch, 3_005).unwrap(), Some(author.tip.hash()));
        assert_eq!(snapshot.hash_at(branch, 3_006).unwrap(), None);
        assert_eq!(snapshot.signature_at(branch, 2_048)?, Some(sent[1].signature));
        assert_eq!(snapshot.signature_at(branch, 3_006)?, Some(sent[2].signature));
        assert_eq!(snapshot.signature_at(branch, 5)?, None);
        let entry = snapshot.entry(snapshot.key_at(branch, 0)?.unwrap())?.unwrap();
        assert!(entry.read_header().unwrap().v1().is_some());
        Ok(())
    });
}

#[test]
fn the_signature_of_a_fixed_checkpoint_stays_also_where_a_commit_ends_there() {
    let place = Place::new();
    let store = place.create();
    let mut author = Author::new(1);
    let (first, second) = (author.commit_many(1_024), author.commit_many(3));
    let branch = store_commit(&store, &first).unwrap();
    store_commit(&store, &second).unwrap();
    read(&store, |snapshot| {
        assert_eq!(snapshot.signature_at(branch, 1_024)?, Some(first.0[0].signature));
        assert_eq!(snapshot.signature_at(branch, 1_027)?, Some(second.0[0].signature));
        Ok(())
    });
}

#[test]
fn both_sides_of_a_fork_are_kept_and_read_back_whole() {
    let place = Place::new();
    let store = place.create();
    let mut author = Author::new(1);
    let first = store_commit(&store, &author.commit_many(1_500)).unwrap();
    let mut restored = author.clone();
    store_commit(&store, &author.commit(&["ours"; 600])).unwrap();
    let shared = restored.tip.clone();
    let theirs = restored.commit(&["theirs"; 900]);
    let second = write(&store, |write| {
        let branch = write.fork(first, &shared)?;
        write.append(branch, &theirs.0, &theirs.1, &[])?;
        Ok(branch)
    });
    read(&store, |snapshot| {
        let (ours, other) = (hashes(snapshot, first), hashes(snapshot, second));
        assert_eq!((ours.len(), other.len()), (2_100, 2_400));
        assert_eq!(ours[..1_500], other[..1_500]);
        assert_ne!(ours[1_500], other[1_500]);
        assert_eq!(ours.last(), Some(&author.tip.hash().0));
        assert_eq!(other.last(), Some(&restored.tip.hash().0));
        let lengths = |branch| segments(snapshot, branch, 0).iter().map(|s| s.entries.len()).collect::<Vec<_>>();
        assert_eq!(lengths(first), [1024, 1024, 52]);
        assert_eq!(lengths(second), [1024, 1024, 352]);
        let branch = snapshot.branch(second)?;
        assert_eq!(branch.fork, Some((first, 1_500)));
        assert_eq!(snapshot.branches_of(author.tip.id())?.len(), 2);
        Ok(())
    });
}

#[test]
fn a_fork_of_a_fork_finds_what_it_shares() {
    let place = Place::new();
    let store = place.create();
    let mut author = Author::new(1);
    let root = store_commit(&store, &author.commit_many(10)).unwrap();
    let at_ten = author.clone();
    store_commit(&store, &author.commit(&["a"; 10])).unwrap();
    let fork = |parent, author: &Author, contents: &[&str]| {
        let mut side = author.clone();
        let commit = side.commit(contents);
        let branch = write(&store, |write| {
            let branch = write.fork(parent, &author.tip)?;
            write.append(branch, &commit.0, &commit.1, &[])?;
            Ok(branch)
        });
        (branch, side)
    };
    let (second, _) = fork(root, &at_ten, &["b"; 10]);
    let (third, _) = fork(second, &at_ten, &["c"; 3]);
    read(&store, |snapshot| {
        // The third came off where the second did, so what it shares lies with the root.
        assert_eq!(snapshot.branch(third)?.fork, Some((root, 10)));
        let (one, two, three) = (hashes(snapshot, root), hashes(snapshot, second), hashes(snapshot, third));
        assert_eq!((one.len(), two.len(), three.len()), (20, 20, 13));
        assert!(one[..10] == two[..10] && two[..10] == three[..10]);
        assert!(two[10] != three[10] && one[10] != two[10]);
        Ok(())
    });
}

#[test]
fn a_segment_that_does_not_continue_the_branch_is_refused() {
    let place = Place::new();
    let store = place.create();
    let mut author = Author::new(1);
    let first = author.commit_many(2);
    let second = author.commit_many(2);
    let branch = store_commit(&store, &first).unwrap();
    let refused = |commit: &crate::support::Commit| {
        store.write(|write| write.append(branch, &commit.0, &commit.1, &[])).unwrap_err()
    };
    assert!(matches!(refused(&first), StoreError::Moved { held: 2, given: 0 }));
    assert!(matches!(refused(&(second.0.clone(), first.1.clone())), StoreError::Misuse(_)));
    assert!(matches!(refused(&Author::new(2).commit_many(1)), StoreError::Misuse(_)));
    // The same log and length, but other entries before: a fork that was not declared as one.
    let mut other = Author::new(1);
    let _ = other.commit(&["x", "y"]);
    assert!(matches!(refused(&other.commit_many(1)), StoreError::Misuse(_)));
    assert_eq!(length(&store), 2);
    store_commit(&store, &second).unwrap();
    assert_eq!(length(&store), 4);
}

#[test]
fn an_error_or_a_panic_leaves_nothing_of_a_transaction() {
    let place = Place::new();
    let store = place.create();
    let mut author = Author::new(1);
    let commit = author.commit_many(3);
    let failed: Result<(), StoreError> = store.write(|write| {
        append(write, &commit)?;
        Err(StoreError::Misuse("changed my mind"))
    });
    assert!(failed.is_err());
    assert_eq!(length(&store), 0);
    let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let _ = store.write(|write| -> Result<(), StoreError> {
            append(write, &commit)?;
            panic!("in the middle");
        });
    }));
    assert!(panicked.is_err());
    assert_eq!(length(&store), 0);
    store_commit(&store, &commit).unwrap();
    assert_eq!(length(&store), 3);
}

#[test]
fn a_reader_sees_one_state_whatever_is_written_meanwhile() {
    let place = Place::new();
    let store = place.create();
    let mut author = Author::new(1);
    store_commit(&store, &author.commit_many(1)).unwrap();
    read(&store, |snapshot| {
        assert_eq!(length_in(snapshot), 1);
        store_commit(&store, &author.commit_many(1)).unwrap();
        assert_eq!(length_in(snapshot), 1);
        assert_eq!(length(&store), 2);
        Ok(())
    });
}

#[test]
fn every_commit_changes_the_revision_whoever_made_it() {
    let place = Place::new();
    let store = place.create();
    let other = open(&place.folder).store;
    let before = store.revision().unwrap();
    assert_eq!(store.revision().unwrap(), before);
    write(&other, |write| write.set_setting(None, "a", b"1"));
    let after = store.revision().unwrap();
    assert_ne!(after, before);
    write(&store, |write| write.set_setting(None, "a", b"2"));
    assert_ne!(store.revision().unwrap(), after);
}

#[test]
fn what_others_commit_is_told_from_what_this_opening_commits() {
    let place = Place::new();
    let store = place.create();
    let other = open(&place.folder).store;
    let in_write = || write(&store, |write| write.set_setting(None, "a", b"1").and_then(|()| write.others()));
    let beside = || store.read_beside_others(|_, others| Ok::<_, StoreError>(others)).unwrap();
    let before = in_write();
    assert_eq!((in_write(), beside()), (before, Some(before)), "own commits do not count");
    store.checkpoint().unwrap();
    assert_eq!((in_write(), beside()), (before, Some(before)), "nor does moving them into the database");

    write(&other, |write| write.set_setting(None, "a", b"2"));
    let after = store
        .read_beside_others(|snapshot, others| {
            assert_eq!(snapshot.setting(None, "a")?.unwrap(), b"2", "the snapshot holds what is counted");
            Ok::<_, StoreError>(others)
        })
        .unwrap();
    assert_ne!(after, Some(before));
    assert_eq!(Some(in_write()), after);
    write(&other, |write| write.set_setting(None, "a", b"3"));
    assert_ne!(Some(in_write()), after);
}

/// Runs itself again as the child, which writes into the folder that the environment names.
#[test]
fn two_processes_write_and_nothing_is_lost() {
    const EACH: u32 = 60;
    let put = |store: &Store, who: &str| {
        for number in 0..EACH {
            write(store, |write| write.set_setting(None, &format!("{who} {number}"), b"here"));
        }
    };
    if let Ok(root) = std::env::var("AYNI_STORE_TEST_ROOT") {
        let folder = ayni_store::Folder::new(format!("{root}/db"), format!("{root}/keys"));
        return put(&open(&folder).store, "child");
    }
    let place = Place::new();
    let store = place.create();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writing::two_processes_write_and_nothing_is_lost"])
        .env("AYNI_STORE_TEST_ROOT", place.root.path())
        .spawn()
        .unwrap();
    put(&store, "parent");
    assert!(child.wait().unwrap().success());
    assert_eq!(read(&store, |snapshot| snapshot.settings(None, "child ")).len(), EACH as usize);
    assert_eq!(read(&store, |snapshot| snapshot.settings(None, "parent ")).len(), EACH as usize);
}

#[test]
fn many_threads_write_and_read_at_once() {
    let place = Place::new();
    let store = place.create();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..25 {
                    write(store, |write| write.set_setting(None, &format!("{thread} {number}"), b""));
                    assert!(read(store, |s| s.setting(None, &format!("{thread} {number}"))).is_some());
                }
            });
        }
    });
    assert_eq!(read(&store, |snapshot| snapshot.settings(None, "")).len(), 100);
}

#[test]
fn documents_are_found_by_row_by_id_and_by_flag() {
    let place = Place::new();
    let store = place.create();
    let (collection, rows) = write(&store, |write| {
        let (_, collection) = collection(write)?;
        let rows: Vec<_> = (0..50).map(|number| insert(write, collection, number)).collect::<Result<_, _>>()?;
        write.update_document(rows[7], flags::CONFLICTED, &[70, 71], b"two heads")?;
        write.update_document(rows[8], flags::DELETED, &[], b"")?;
        Ok((collection, rows))
    });
    read(&store, |snapshot| {
        let seventh = snapshot.document_by_id(collection, document_id(7))?.unwrap();
        assert_eq!((seventh.row, seventh.flags), (rows[7], flags::CONFLICTED));
        assert_eq!((seventh.heads.as_slice(), seventh.body.as_slice()), (&[70, 71][..], &b"two heads"[..]));
        assert_eq!(snapshot.document(rows[3])?.unwrap().heads, [3]);
        assert_eq!(snapshot.document(rows[8])?.unwrap().heads, []);
        assert_eq!(snapshot.document_row(collection, document_id(3))?, Some(rows[3]));
        assert_eq!(snapshot.document_row(collection, document_id(99))?, None);
        assert_eq!(snapshot.document_count(collection)?, 50);
        let mut flagged = Vec::new();
        snapshot.flagged_documents(collection, flags::CONFLICTED, |document| {
            flagged.push(document.row);
            Ok::<_, StoreError>(ControlFlow::Continue(()))
        })?;
        assert_eq!(flagged, [rows[7]]);
        assert_eq!(snapshot.flagged_count(collection, flags::CONFLICTED, 0)?, 1);
        assert_eq!(snapshot.flagged_count(collection, flags::CONFLICTED | flags::DELETED, 0)?, 2);
        assert_eq!(snapshot.flagged_count(collection, flags::CONFLICTED | flags::DELETED, flags::DELETED)?, 1);
        let (mut ids, mut in_row_order) = (Vec::new(), Vec::new());
        snapshot.documents_by_id(collection, None, |document| {
            ids.push(document.id);
            Ok::<_, StoreError>(ControlFlow::Continue(()))
        })?;
        snapshot.documents(collection, Some(rows[39]), |document| {
            in_row_order.push(document.row);
            Ok::<_, StoreError>(ControlFlow::Continue(()))
        })?;
        assert!(ids.len() == 50 && ids.is_sorted());
        assert_eq!(in_row_order, rows[40..]);
        Ok(())
    });
}

fn walk(store: &Store, index: IndexRow, range: KeyRange<'_>, direction: Direction, limit: usize) -> Vec<(u8, i64)> {
    let mut found = Vec::new();
    read(store, |snapshot| {
        snapshot.index_keys(index, range, direction, |key, document| {
            found.push((key[0], document));
            let full = found.len() == limit;
            Ok::<_, StoreError>(if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
    });
    found
}

#[test]
fn an_index_is_walked_forward_and_backward_within_bounds() {
    let place = Place::new();
    let store = place.create();
    let index = write(&store, |write| {
        let (_, collection) = collection(write)?;
        let (index, new) = write.add_index(collection, b"by name")?;
        assert!(new);
        assert_eq!(write.add_index(collection, b"by name")?, (index, false));
        for (key, document) in [(3, 1), (1, 2), (2, 3), (2, 4), (5, 5)] {
            write.insert_key(index, vec![key], document)?;
        }
        write.remove_key(index, vec![5], 5)?;
        write.remove_key(index, vec![3], 1)?;
        write.insert_key(index, vec![3], 1)?;
        Ok(index)
    });
    let all = [(1, 2), (2, 3), (2, 4), (3, 1)];
    assert_eq!(walk(&store, index, KeyRange::ALL, Direction::Forward, 9), all);
    assert_eq!(walk(&store, index, KeyRange::ALL, Direction::Backward, 2), [(3, 1), (2, 4)]);
    assert_eq!(walk(&store, index, KeyRange::only(&[2]), Direction::Forward, 9), [(2, 3), (2, 4)]);
    let range = KeyRange { from: Bound::Excluded(&[1]), to: Bound::Excluded(&[3]), after: None };
    assert_eq!(walk(&store, index, range, Direction::Backward, 9), [(2, 4), (2, 3)]);
    let rest = KeyRange { after: Some((&[2], 3)), ..KeyRange::ALL };
    assert_eq!(walk(&store, index, rest, Direction::Forward, 9), [(2, 4), (3, 1)]);
    assert_eq!(walk(&store, index, rest, Direction::Backward, 9), [(1, 2)]);
    assert_eq!(read(&store, |snapshot| snapshot.count_keys(index, KeyRange::only(&[2]), u64::MAX)), 2);
    write(&store, |write| write.drop_index(index));
    assert_eq!(walk(&store, index, KeyRange::ALL, Direction::Forward, 9), []);
}

fn documents_of(snapshot: &Snapshot<'_>, branch: BranchRow, positions: std::ops::Range<u64>) -> Vec<i64> {
    let mut found = Vec::new();
    snapshot
        .documents_of(branch, positions, |row| {
            found.push(row);
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

#[test]
fn views_are_dropped_and_the_log_stays() {
    let place = Place::new();
    let store = place.create();
    let mut author = Author::new(1);
    let branch = store_commit(&store, &author.commit_many(2)).unwrap();
    let collection = write(&store, |write| {
        let (_, collection) = collection(write)?;
        let row = insert(write, collection, 0)?;
        let key = write.key_at(branch, 0)?.unwrap();
        write.set_document_of(key, row)?;
        write.set_applied(branch, 2)?;
        write.set_view_version("documents", 1)?;
        assert_eq!(write.document_of(key)?, Some(row));
        assert_eq!(documents_of(write, branch, 0..9), [row]);
        assert_eq!(documents_of(write, branch, 1..9), []);
        Ok(collection)
    });
    let before = read(&store, |snapshot| snapshot.remade());
    write(&store, |write| write.drop_views());
    assert_ne!(read(&store, |snapshot| snapshot.remade()), before, "who follows documents must look again");
    assert_eq!(read(&store, |snapshot| Ok(documents_of(snapshot, branch, 0..9))), []);
    read(&store, |snapshot| {
        assert_eq!(snapshot.view_version("documents")?, None);
        assert_eq!(snapshot.document_count(collection)?, 0);
        assert_eq!(snapshot.branch(branch)?.applied, 0);
        assert_eq!(snapshot.document_of(snapshot.key_at(branch, 0)?.unwrap())?, None);
        assert_eq!(length_in(snapshot), 2);
        Ok(())
    });
}

#[test]
fn receipts_settings_and_addresses_are_kept() {
    let place = Place::new();
    let store = place.create();
    let device = Author::new(1).name().device;
    let project = write(&store, |write| {
        let project = write.add_project(PROJECT)?;
        for received in [1, 2] {
            write.set_receipt(project, &StoredReceipt { device, received, receipt: vec![received as u8] })?;
        }
        write.set_setting(Some(project), "key", b"secret")?;
        write.set_setting(None, "seed", b"other")?;
        write.remove_setting(None, "nothing")?;
        for seen in 0..20 {
            write.remember_address(device, &format!("192.0.2.{seen}:1"), seen)?;
        }
        Ok(project)
    });
    read(&store, |snapshot| {
        let newest = StoredReceipt { device, received: 2, receipt: vec![2] };
        assert_eq!(snapshot.receipts(project)?, std::slice::from_ref(&newest));
        assert_eq!(snapshot.receipt(project, device)?, Some(newest));
        assert_eq!(snapshot.receipt(project, Author::new(2).name().device)?, None);
        assert_eq!(snapshot.setting(Some(project), "key")?.as_deref(), Some(&b"secret"[..]));
        assert_eq!(snapshot.setting(None, "key")?, None);
        let addresses = snapshot.addresses()?;
        assert_eq!(addresses.len(), 8);
        assert_eq!(addresses[0], (device, "192.0.2.19:1".to_owned(), 19));
        assert_eq!(snapshot.projects()?, [(project, PROJECT)]);
        assert!(snapshot.frontier(project, LogKind::Control)?.is_empty());
        Ok(())
    });
}
