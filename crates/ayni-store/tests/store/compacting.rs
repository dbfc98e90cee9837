//! Room that nothing uses is given back to the disk, while others read and write.

use std::fs;
use std::ops::ControlFlow;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ayni_store::{
    CollectionRow, CompactProgress, Compacted, Hindrance, IndexRow, KeyRange, Options, PlaceBox, Store, StoreError,
    TextPhrase, TextQuery,
};

use crate::faulty_vfs::{Disk, NAME};
use crate::support::{Author, Place, collection, insert, length, open, read, store_commit, write};

/// Enough for several pieces.
const DOCUMENTS: u64 = 6_000;
/// Stands in what is indexed, so that it would be seen in the plain.
const SECRET: &str = "quinoa";

struct Filled {
    place: Place,
    store: Store,
    author: Author,
    collection: CollectionRow,
    text: IndexRow,
    keys: IndexRow,
}

/// A database most of which is a large index, with documents after it.
fn filled() -> Filled {
    filled_with(Options::default())
}

fn filled_with(options: Options) -> Filled {
    let place = Place::new();
    let store = place.create_with(options);
    let mut author = Author::new(1);
    let (collection, text, keys) = write(&store, |write| {
        let (_, collection) = collection(write)?;
        Ok((collection, write.add_index(collection, b"text")?.0, write.add_index(collection, b"keys")?.0))
    });
    for start in (0..DOCUMENTS).step_by(1_000) {
        store_commit(&store, &author.commit_many(1_000)).unwrap();
        write(&store, |write| {
            for number in start..start + 1_000 {
                let row = insert(write, collection, number)?;
                write.set_text(text, row, vec![format!("{SECRET} body{number}")])?;
                write.insert_key(keys, [SECRET.repeat(200).as_bytes(), &number.to_be_bytes()].concat(), row)?;
            }
            Ok(())
        });
    }
    Filled { place, store, author, collection, text, keys }
}

fn drop_index(filled: &Filled) {
    write(&filled.store, |write| write.drop_index(filled.keys));
}

fn compact(store: &Store) -> Compacted {
    store.compact(|_| ControlFlow::Continue(())).unwrap()
}

fn bytes_of(filled: &Filled) -> u64 {
    fs::metadata(filled.place.folder.database_file()).unwrap().len()
}

fn documents_with(filled: &Filled, token: &str) -> u64 {
    let phrase = TextPhrase { tokens: vec![token.to_owned()], prefix: false };
    let query = TextQuery { all: vec![vec![phrase]], ..TextQuery::default() };
    read(&filled.store, |snapshot| snapshot.count_text(filled.text, &query, u64::MAX))
}

#[test]
fn the_room_of_an_index_that_is_gone_goes_back_to_the_disk_and_everything_else_stays() {
    let filled = filled();
    drop_index(&filled);
    filled.store.checkpoint().unwrap();
    let (before, free) = (bytes_of(&filled), filled.store.free_bytes().unwrap());
    assert!(free > 6 << 20, "{free}");
    let mut told = Vec::new();
    let compacted = filled.store.compact(|progress| {
        told.push(progress);
        ControlFlow::Continue(())
    });
    let compacted = compacted.unwrap();
    assert_eq!((compacted.before, compacted.after), (before, bytes_of(&filled)));
    assert_eq!((compacted.free, compacted.hindrance, filled.store.free_bytes().unwrap()), (0, None, 0));
    assert!(compacted.after <= before - free, "{compacted:?}");
    assert!(told.windows(2).all(|pair| pair[0].given <= pair[1].given) && told.len() > 2, "{told:?}");
    assert!(told.last().unwrap().given >= free);
    assert_eq!(documents_with(&filled, SECRET), DOCUMENTS);
    assert_eq!(read(&filled.store, |snapshot| snapshot.document_count(filled.collection)), DOCUMENTS);
    let again = filled.store.compact(|progress| panic!("there is nothing more to do: {progress:?}")).unwrap();
    assert_eq!((again.before, again.after), (compacted.after, compacted.after));
    drop(filled.store);
    assert_eq!(length(&open(&filled.place.folder).store), DOCUMENTS);
}

#[test]
fn what_a_text_index_keeps_of_texts_that_are_gone_goes_too() {
    let place = Place::new();
    let store = place.create();
    let words =
        |number: u64| (0..40).map(|word| format!("w{}", number * 7_919 % (900 + word))).collect::<Vec<_>>().join(" ");
    let (collection, text) = write(&store, |write| {
        let (_, collection) = collection(write)?;
        let text = write.add_index(collection, b"text")?.0;
        for number in 0..DOCUMENTS {
            let row = insert(write, collection, number)?;
            write.set_text(text, row, vec![words(number)])?;
        }
        Ok((collection, text))
    });
    let with_all = compact(&store).after;
    // Of so few FTS5 only notes that they are gone.
    write(&store, |write| (1..=DOCUMENTS as i64 / 12).try_for_each(|row| write.remove_text(text, row)));
    assert_eq!(read(&store, |snapshot| snapshot.document_count(collection)), DOCUMENTS);
    let with_most = compact(&store).after;
    write(&store, |write| write.drop_index(text));
    let with_none = compact(&store).after;
    assert!(with_none + (500 << 10) < with_all, "{with_none} without an index, {with_all} with it");
    let (all, most) = (with_all - with_none, with_most - with_none);
    assert!(most < all - all / 20, "{most} bytes of index with eleven twelfths of the texts, {all} with all");
}

#[test]
fn others_read_and_write_between_the_pieces() {
    let mut filled = filled();
    drop_index(&filled);
    let commits: Vec<_> = (0..50).map(|_| filled.author.commit_many(3)).collect();
    let mut commits = commits.iter();
    let mut seen = 0;
    let other = open(&filled.place.folder).store;
    // Each piece is over when it is told of, so another opening can write here; one of this thread, too.
    let compacted = filled.store.compact(|_| {
        if let Some(commit) = commits.next() {
            let writer = if seen % 2 == 0 { &other } else { &filled.store };
            store_commit(writer, commit).unwrap();
            seen += 1;
            assert_eq!(length(&filled.store), DOCUMENTS + 3 * seen);
            assert_eq!(length(&other), DOCUMENTS + 3 * seen);
        }
        ControlFlow::Continue(())
    });
    assert_eq!(compacted.unwrap().hindrance, None);
    assert!(seen > 2, "{seen}");
    assert_eq!(length(&open(&filled.place.folder).store), DOCUMENTS + 3 * seen);
}

#[test]
fn threads_write_and_read_meanwhile_and_nothing_is_lost() {
    let mut filled = filled();
    drop_index(&filled);
    let commits: Vec<_> = (0..40).map(|_| filled.author.commit_many(3)).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            for commit in &commits {
                store_commit(&filled.store, commit).unwrap();
            }
        });
        scope.spawn(|| (0..40).for_each(|_| assert_eq!(documents_with(&filled, SECRET), DOCUMENTS)));
        compact(&filled.store);
    });
    assert_eq!(compact(&filled.store).free, 0);
    assert_eq!(length(&filled.store), DOCUMENTS + 120);
}

#[test]
fn whoever_reads_an_older_state_keeps_it_and_is_named_as_what_stands_in_the_way() {
    let filled = filled();
    filled.store.checkpoint().unwrap();
    let before = bytes_of(&filled);
    let options = Options { patience: Duration::from_millis(50), ..Options::default() };
    let key = filled.store.key().clone();
    let other = Store::open(&filled.place.folder, &key, options).unwrap().store;
    filled
        .store
        .read(|snapshot| {
            assert_eq!(snapshot.count_keys(filled.keys, KeyRange::ALL, u64::MAX)?, DOCUMENTS);
            drop_index(&filled);
            let compacted = compact(&other);
            assert_eq!(compacted.hindrance, Some(Hindrance::InUse));
            assert_eq!(bytes_of(&filled), before);
            assert_eq!(snapshot.count_keys(filled.keys, KeyRange::ALL, u64::MAX)?, DOCUMENTS);
            Ok::<_, StoreError>(())
        })
        .unwrap();
    let compacted = compact(&other);
    assert_eq!(compacted.hindrance, None);
    assert!(compacted.after < before / 2, "{compacted:?}");
}

#[test]
fn a_compaction_that_is_stopped_keeps_what_it_did_and_the_next_goes_on() {
    let filled = filled();
    drop_index(&filled);
    let free = filled.store.free_bytes().unwrap();
    let stopped = filled.store.compact(|progress: CompactProgress| match progress.given {
        0 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    });
    let stopped = stopped.unwrap();
    assert_eq!(stopped.hindrance, Some(Hindrance::Stopped));
    assert!(0 < stopped.free && stopped.free < free, "{stopped:?} of {free}");
    assert_eq!(compact(&filled.store).free, 0);
}

#[test]
fn a_compaction_ends_though_others_free_room_meanwhile() {
    let filled = filled();
    drop_index(&filled);
    let mut told = 0_u64;
    let compacted = filled.store.compact(|_| {
        told += 1;
        assert!(told < 30, "it goes on for as long as others free room");
        // More than goes back in a piece.
        write(&filled.store, |write| {
            let (spare, _) = write.add_index(filled.collection, format!("spare {told}").as_bytes())?;
            (0..1_200_i64).try_for_each(|row| write.insert_key(spare, row.to_be_bytes().repeat(450), row))?;
            write.write_keys()?;
            write.drop_index(spare)
        });
        ControlFlow::Continue(())
    });
    let compacted = compacted.unwrap();
    assert!(compacted.free > 0 && compacted.hindrance.is_none(), "{compacted:?} after {told} pieces");
    assert_eq!(compact(&filled.store).free, 0);
}

#[test]
fn a_text_index_that_is_dropped_meanwhile_does_not_end_a_compaction() {
    let filled = filled();
    let free = filled.store.free_bytes().unwrap();
    let mut told = Vec::new();
    let compacted = filled.store.compact(|progress| {
        told.push(progress.given);
        if told.len() == 1 {
            write(&filled.store, |write| write.drop_index(filled.text));
            assert!(filled.store.free_bytes().unwrap() > free);
        }
        ControlFlow::Continue(())
    });
    assert_eq!((compacted.unwrap().free, told[0]), (0, 0), "it was dropped while it was merged");
    assert_eq!(documents_with(&filled, SECRET), 0);
    assert_eq!(length(&filled.store), DOCUMENTS);
}

#[test]
fn after_a_compaction_writers_wait_for_those_of_others_as_long_as_before() {
    let options = Options { patience: Duration::from_secs(60), ..Options::default() };
    let filled = filled_with(options);
    compact(&filled.store);
    let other = open(&filled.place.folder).store;
    let (begun, wait) = mpsc::channel();
    thread::scope(|scope| {
        // Longer than a compaction waits for readers.
        let other = scope.spawn(move || {
            write(&other, |_| {
                begun.send(()).unwrap();
                thread::sleep(Duration::from_millis(2_500));
                Ok(())
            });
        });
        wait.recv().unwrap();
        write(&filled.store, |write| write.drop_index(filled.keys));
        other.join().unwrap();
    });
}

#[test]
fn nothing_stands_in_plain_on_the_disk_meanwhile() {
    let disk = Disk::new();
    let filled = filled_with(Options { vfs: Some(NAME.to_owned()), ..Options::default() });
    drop_index(&filled);
    let mut looked = 0;
    let compacted = filled.store.compact(|_| {
        for file in fs::read_dir(filled.place.folder.path()).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            assert!(["ayni.db", "ayni.db-wal", "ayni.db-shm", "ayni.key"].contains(&name.as_str()), "{name}");
            let content = fs::read(file.path()).unwrap();
            let found = content.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes());
            assert!(!found, "{name}");
            looked += 1;
        }
        ControlFlow::Continue(())
    });
    compacted.unwrap();
    assert!(looked > 6, "{looked}");
    assert_eq!(disk.temporary(), 0, "files elsewhere");
}

#[test]
fn a_file_of_before_does_not_become_shorter_and_that_is_said() {
    let place = Place::new();
    drop(place.create());
    fs::write(place.folder.database_file(), include_bytes!("../frozen/ayni.db.v1-fixed")).unwrap();
    let store = open(&place.folder).store;
    let before = fs::metadata(place.folder.database_file()).unwrap().len();
    assert_eq!(compact(&store).hindrance, None, "there is no free room in it");
    write(&store, |write| {
        let (_, collection) = collection(write)?;
        let (places, made) = write.add_index(collection, b"places")?;
        assert!(!made);
        write.drop_index(places)
    });
    let compacted = compact(&store);
    assert_eq!(compacted.hindrance, Some(Hindrance::FixedFile));
    assert!(compacted.free > 0 && compacted.after >= before, "{compacted:?}");
    assert_eq!(length(&store), 120);
}

#[test]
fn inside_of_a_transaction_it_is_refused() {
    let place = Place::new();
    let store = place.create();
    let inside = store.write(|_| store.compact(|_| ControlFlow::Continue(())));
    assert!(matches!(inside, Err(StoreError::Nested)), "{inside:?}");
}

const CHILD: &str = "AYNI_STORE_TEST_COMPACT";

/// The other process of the test below.
#[test]
fn child_that_compacts() {
    let Ok(root) = std::env::var(CHILD) else { return };
    let folder = ayni_store::Folder::new(format!("{root}/db"), format!("{root}/keys"));
    let compacted = compact(&open(&folder).store);
    assert!(compacted.after < compacted.before, "{compacted:?}");
}

#[test]
fn one_process_compacts_while_another_writes() {
    let mut filled = filled();
    drop_index(&filled);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "compacting::child_that_compacts"]).env(CHILD, filled.place.root.path());
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let mut written = DOCUMENTS;
    let places = write(&filled.store, |write| Ok(write.add_index(filled.collection, b"places")?.0));
    while child.try_wait().unwrap().is_none() {
        store_commit(&filled.store, &filled.author.commit_many(5)).unwrap();
        written += 5;
        let box_of = |at: f64| PlaceBox { west: at, south: at, east: at, north: at };
        write(&filled.store, |write| write.set_boxes(places, written as i64, vec![box_of(1.0)]));
        thread::yield_now();
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(length(&filled.store), written);
    assert_eq!(compact(&filled.store).free, 0);
    assert_eq!(documents_with(&filled, SECRET), DOCUMENTS);
}
