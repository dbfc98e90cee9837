//! Opening: locks, versions, and folders that are not what they were.

use std::fs;
use std::path::Path;

use ayni_store::{Continuity, Folder, KeyError, LockKind, NewLock, OpenError, Options, Store};

use crate::support::{Author, Place, copy, key, length, new_lock, open, random, store_commit};

#[test]
fn what_was_written_is_there_after_opening_again() {
    let place = Place::new();
    let mut author = Author::new(1);
    store_commit(&place.create(), &author.commit_many(3)).unwrap();
    let opened = place.open();
    assert_eq!(opened.continuity, Continuity::Same);
    assert_eq!(length(&opened.store), 3);
}

#[test]
fn a_passphrase_opens_and_a_wrong_one_says_so() {
    let place = Place::new();
    Store::create(&place.folder, new_lock("good words"), &random(1), Options::default()).unwrap();
    assert_eq!(place.folder.lock_kind().unwrap(), LockKind::Passphrase);
    let wrong = place.folder.unlock_with_passphrase("god words").unwrap_err();
    assert!(matches!(wrong, OpenError::Key(KeyError::WrongPassphrase)), "{wrong}");
    let key = place.folder.unlock_with_passphrase("good words").unwrap();
    assert_eq!(Store::open(&place.folder, &key, Options::default()).unwrap().continuity, Continuity::Same);
    let other = place.folder.unlock_with_key_file().unwrap_err();
    assert!(matches!(other, OpenError::Key(KeyError::OtherLock(LockKind::Passphrase))), "{other}");
}

#[test]
fn a_new_passphrase_replaces_the_old_and_the_database_stays() {
    let place = Place::new();
    let store = place.create();
    place.folder.relock(store.key(), new_lock("words"), [7; 16], [0; 32]).unwrap();
    drop(store);
    assert!(place.folder.unlock_with_key_file().is_err());
    let key = place.folder.unlock_with_passphrase("words").unwrap();
    Store::open(&place.folder, &key, Options::default()).unwrap();
    place.folder.relock(&key, NewLock::KeyFile, [8; 16], [9; 32]).unwrap();
    place.open();
}

#[test]
fn the_key_file_lies_outside_the_folder() {
    let place = Place::new();
    place.create();
    let names = |path: &Path| -> Vec<_> { fs::read_dir(path).unwrap().map(|file| file.unwrap().path()).collect() };
    let inside = names(place.folder.path());
    assert!(inside.iter().all(|path| path.extension() != Some("key".as_ref()) || path.ends_with("ayni.key")));
    let outside = names(&place.root.path().join("keys"));
    let file = outside.iter().find(|path| path.extension().is_some_and(|kind| kind == "key")).unwrap();
    assert_eq!(fs::read(file).unwrap(), [1; 32]);
}

#[cfg(unix)]
mod owners {
    //! Who may look into the folders, and into the files where a folder is open to others.

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn folders(place: &Place) -> [std::path::PathBuf; 2] {
        [place.folder.path().to_owned(), place.root.path().join("keys")]
    }

    fn every_file_is_its_owners(place: &Place) {
        let mut seen = Vec::new();
        for folder in folders(place) {
            for file in fs::read_dir(folder).unwrap() {
                let path = file.unwrap().path();
                assert_eq!(mode(&path), 0o600, "{}", path.display());
                seen.extend(path.extension().map(|kind| kind.to_str().unwrap().to_owned()));
            }
        }
        seen.sort();
        assert_eq!(seen, ["db", "db-shm", "db-wal", "instance", "key", "key", "length", "lock"]);
    }

    #[test]
    fn the_folders_and_all_files_in_them_are_made_for_their_owner_only() {
        let place = Place::new();
        place.create();
        let store = place.open().store;
        store_commit(&store, &Author::new(1).commit_many(3)).unwrap();
        assert_eq!(folders(&place).map(|folder| mode(&folder)), [0o700; 2]);
        every_file_is_its_owners(&place);
    }

    #[test]
    fn folders_that_were_there_stay_as_they_are_and_the_files_are_their_owners() {
        let place = Place::new();
        for folder in folders(&place) {
            fs::create_dir(&folder).unwrap();
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        }
        place.create();
        let store = place.open().store;
        store_commit(&store, &Author::new(1).commit_many(3)).unwrap();
        assert_eq!(folders(&place).map(|folder| mode(&folder)), [0o755; 2]);
        every_file_is_its_owners(&place);
    }
}

#[test]
fn a_missing_key_file_is_named() {
    let place = Place::new();
    place.create();
    let elsewhere = Folder::new(place.folder.path(), place.root.path().join("other keys"));
    let error = elsewhere.unlock_with_key_file().unwrap_err();
    assert!(matches!(&error, OpenError::NoKeyFile(path) if path.starts_with(place.root.path().join("other keys"))));
}

#[test]
fn a_missing_wrapped_key_is_named() {
    let place = Place::new();
    place.create();
    fs::remove_file(place.folder.path().join("ayni.key")).unwrap();
    assert!(matches!(place.folder.unlock_with_key_file(), Err(OpenError::NoWrappedKey(_))));
}

#[test]
fn a_folder_without_a_database_says_so_and_one_with_is_not_overwritten() {
    let place = Place::new();
    assert!(matches!(place.folder.lock_kind(), Err(OpenError::NoDatabase(_))));
    place.create();
    let again = Store::create(&place.folder, NewLock::KeyFile, &random(2), Options::default());
    assert!(matches!(again, Err(OpenError::Exists(_))));
    place.open();
}

#[test]
fn a_making_that_was_cut_off_can_be_done_again() {
    let place = Place::new();
    place.create();
    fs::rename(place.folder.database_file(), place.folder.path().join("ayni.db.new")).unwrap();
    place.create();
    assert_eq!(place.open().continuity, Continuity::Same);
    assert!(place.folder.path().join("ayni.key.old").exists());
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let place = Place::new();
    place.create();
    let key = key(&place.folder);
    let file = place.folder.database_file();
    let hex = "01".repeat(48);
    let connection = rusqlite::Connection::open(&file).unwrap();
    let unlock = format!("PRAGMA key = \"x'{hex}'\"; PRAGMA cipher_hmac_algorithm = HMAC_SHA256;");
    connection.execute_batch(&format!("{unlock} PRAGMA user_version = 9;")).unwrap();
    drop(connection);
    let error = Store::open(&place.folder, &key, Options::default()).err().unwrap();
    assert!(matches!(error, OpenError::Newer { version: 9, known: 1 }), "{error}");
}

#[test]
fn a_file_that_is_no_database_is_called_that_and_left_as_it_is() {
    let place = Place::new();
    place.create();
    let key = key(&place.folder);
    let file = place.folder.database_file();
    for content in [vec![0x55; 20_000], b"short".to_vec()] {
        fs::write(&file, &content).unwrap();
        let error = Store::open(&place.folder, &key, Options::default()).err().unwrap();
        assert!(matches!(error, OpenError::NotADatabase(_)), "{error}");
        assert_eq!(fs::read(&file).unwrap(), content);
    }
}

#[test]
fn nothing_of_the_content_can_be_read_in_the_files() {
    let place = Place::new();
    let store = place.create();
    store.write(|write| write.set_setting(None, "name", b"a telling little secret")).unwrap();
    store.checkpoint().unwrap();
    store.write(|write| write.set_setting(None, "other", b"a telling little secret")).unwrap();
    for file in fs::read_dir(place.folder.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"telling" || window == b"CREATE "));
    }
}

#[test]
fn a_copied_folder_is_noticed_and_the_original_goes_on() {
    let place = Place::new();
    drop(place.create());
    let second = place.beside("copy");
    copy(place.folder.path(), second.path());
    // Not only once: until it settled, it stays a copy.
    assert_eq!(open(&second).continuity, Continuity::Restored);
    let copied = open(&second);
    assert_eq!(copied.continuity, Continuity::Restored);
    copied.store.write(|write| write.settle([9; 16])).unwrap();
    drop(copied);
    for _ in 0..3 {
        assert_eq!(place.open().continuity, Continuity::Same);
        assert_eq!(open(&second).continuity, Continuity::Same);
    }
}

#[test]
fn a_copy_is_noticed_while_the_original_is_open() {
    let place = Place::new();
    let original = place.create();
    let second = place.beside("copy");
    copy(place.folder.path(), second.path());
    assert_eq!(open(&second).continuity, Continuity::Restored);
    drop(original);
    assert_eq!(place.open().continuity, Continuity::Same);
}

#[test]
fn a_folder_restored_from_yesterday_is_noticed() {
    let place = Place::new();
    drop(place.create());
    let backup = place.root.path().join("backup");
    copy(place.folder.path(), &backup);
    drop(place.open());
    copy(&backup, place.folder.path());
    let restored = place.open();
    assert_eq!(restored.continuity, Continuity::Restored);
    restored.store.write(|write| write.settle([9; 16])).unwrap();
    drop(restored);
    assert_eq!(place.open().continuity, Continuity::Same);
}

#[test]
fn a_folder_restored_from_within_the_same_session_is_noticed_by_its_length() {
    let place = Place::new();
    let mut author = Author::new(1);
    let store = place.create();
    store_commit(&store, &author.commit_many(2)).unwrap();
    let backup = place.root.path().join("backup");
    copy(place.folder.path(), &backup);
    store_commit(&store, &author.commit_many(1)).unwrap();
    drop(store);
    copy(&backup, place.folder.path());
    assert_eq!(place.open().continuity, Continuity::Restored);
}

#[test]
fn a_moved_folder_is_the_same() {
    let place = Place::new();
    drop(place.create());
    let moved = place.beside("moved");
    fs::rename(place.folder.path(), moved.path()).unwrap();
    assert_eq!(open(&moved).continuity, Continuity::Same);
}

#[test]
fn without_the_record_outside_a_folder_is_taken_for_restored() {
    let place = Place::new();
    drop(place.create());
    let key = key(&place.folder);
    let elsewhere = Folder::new(place.folder.path(), place.root.path().join("other keys"));
    let opened = Store::open(&elsewhere, &key, Options::default()).unwrap();
    assert_eq!(opened.continuity, Continuity::Restored);
}

#[test]
fn two_processes_on_one_folder_are_both_the_same() {
    let place = Place::new();
    let first = place.create();
    let second = place.open();
    let third = place.open();
    assert_eq!((second.continuity, third.continuity), (Continuity::Same, Continuity::Same));
    drop((first, second, third));
    assert_eq!(place.open().continuity, Continuity::Same);
}
