//! A damaged file: what was lost is named, all else stays.

mod support;

use std::io::{Seek, SeekFrom, Write};

use ayni::doc::Value;
use ayni::{Database, DocumentId, Role, Standing};
use ayni_log::ids::LogKind;
use ayni_store::Loss;
use support::{Device, Pipe, eventually, fields, get, meet, options, set, team};

#[test]
fn of_a_file_with_a_damaged_page_all_stays_but_what_is_named() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let mut ids = Vec::new();
    for chunk in 0..30 {
        let made = one.write(|tx| {
            let record = |number: i64| fields([("number", Value::Int(number)), ("text", "x".repeat(200).into())]);
            (0..50).map(|number| tx.create("places", record(chunk * 50 + number))).collect::<Result<Vec<_>, _>>()
        });
        ids.extend(made.unwrap());
    }
    meet(&a.database, &b.database);
    for id in ids.iter().step_by(100) {
        set(&two, *id, "edited", 1);
    }
    meet(&a.database, &b.database);
    drop((one, two));
    let Device { folder, database, clock } = a;
    drop(database);
    let path = folder.path().join("db");
    let file = path.join("ayni.db");
    support::eventually("the last one to close it", || !path.join("ayni.db-wal").exists());
    let sound = std::fs::read(&file).unwrap();
    let pages = sound.len() as u64 / 4096;
    let (mut named, mut entries_lost) = (0, 0);
    for (count, page) in (1..20).chain(20..pages).enumerate() {
        // Where what lies differs from run to run: at least one page of entries is to be among them.
        if count > 30 && entries_lost > 0 {
            break;
        }
        std::fs::write(&file, &sound).unwrap();
        let mut open = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
        open.seek(SeekFrom::Start(page * 4096 + 100)).unwrap();
        open.write_all(&[0x55; 64]).unwrap();
        drop(open);
        let failed = |error: &dyn std::fmt::Display| -> ! { panic!("page {page}: {error}") };
        let options = || options(folder.path(), &clock);
        let report = Database::salvage(&path, &options()).unwrap_or_else(|error| failed(&error));
        named += usize::from(!report.lost.is_empty());
        let opened = Database::open(&path, options()).unwrap_or_else(|error| failed(&error));
        let takes = |kind| report.lost.iter().any(|loss| matches!(loss, Loss::Entries { log, .. } if log.kind == kind));
        assert!(!takes(LogKind::Control), "page {page}: what says who is in the project is kept twice");
        let project = opened.projects().unwrap().remove(0);
        let places = project.collection("places");
        let is_here = |id: &&DocumentId| places.get(**id).unwrap_or_else(|error| failed(&error)).is_some();
        let here = ids.iter().filter(is_here).count();
        assert!(here >= ids.len() - 60, "page {page}: {here} of {} are here; {:?}", ids.len(), report.lost);
        assert!(takes(LogKind::Data) || here == ids.len(), "page {page}: what is lost is named");
        entries_lost += ids.len() - here;
        // It goes on working.
        let made = project.write(|tx| tx.create("places", fields([("number", Value::Int(-1))])));
        let id = made.unwrap_or_else(|error| failed(&error));
        assert_eq!(get(&project, id, "number"), Some(Value::Int(-1)));
        drop(opened);
        // Whatever could not be moved into the file belongs to it, and not to the next one.
        for beside in ["ayni.db-wal", "ayni.db-shm"] {
            let _ = std::fs::remove_file(path.join(beside));
        }
    }
    assert!(named > 10 && entries_lost > 0, "pages that matter were damaged: {named}, {entries_lost}");
}

#[test]
fn a_device_that_lost_entries_of_its_own_is_no_backup_and_says_so() {
    a_device_that_lost_entries_says_so(true);
}

#[test]
fn a_device_that_lost_entries_of_others_is_no_backup_and_says_so() {
    a_device_that_lost_entries_says_so(false);
}

fn a_device_that_lost_entries_says_so(its_own: bool) {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let text = || fields([("text", "x".repeat(200).into())]);
    let author = if its_own { &one } else { &two };
    author.write(|tx| (0..1_000).try_for_each(|_| tx.create("places", text()).map(|_| ()))).unwrap();
    let pipe = Pipe::new(&a.database, &b.database);
    eventually("a backup on the first device", || two.status().unwrap().safe_with().count() == 1);
    drop((pipe, one));
    let Device { folder, database, clock } = a;
    drop(database);
    let path = folder.path().join("db");
    let file = path.join("ayni.db");
    let pages = std::fs::metadata(&file).unwrap().len() / 4096;
    let sound = std::fs::read(&file).unwrap();
    let lost_entries = (pages / 4..pages).find(|page| {
        std::fs::write(&file, &sound).unwrap();
        let mut open = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
        open.seek(SeekFrom::Start(page * 4096 + 100)).unwrap();
        open.write_all(&[0x55; 64]).unwrap();
        drop(open);
        let report = Database::salvage(&path, &options(folder.path(), &clock)).unwrap();
        report.lost.iter().any(|loss| matches!(loss, Loss::Entries { .. }))
    });
    assert!(lost_entries.is_some(), "some page holds entries");
    let opened = Database::open(&path, options(folder.path(), &clock)).unwrap();
    let standing = opened.projects().unwrap()[0].standing().unwrap();
    assert_eq!(standing, Standing::Member(Role::Coordinator), "what says who is in the project is kept twice");
    let _pipe = Pipe::new(&opened, &b.database);
    eventually("a receipt that names what is lacking", || {
        let status = two.status().unwrap();
        let receipt = status.devices.first().and_then(|device| device.receipt);
        status.safe_with().count() == 0 && receipt.is_some_and(|receipt| !receipt.keeps_everything)
    });
}
