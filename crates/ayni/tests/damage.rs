//! A damaged file: what was lost is named, all else stays.

mod support;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use ayni::doc::Value;
use ayni::{Database, DocumentId, Options, Role, Standing};
use ayni_log::ids::LogKind;
use ayni_store::{Loss, Report};
use support::{Device, LyingClock, Pipe, eventually, fields, get, meet, options, set, team};
use tempfile::TempDir;

const PAGE: usize = 4096;

/// A database that nobody has open, as it was before it is damaged.
struct Closed {
    folder: TempDir,
    clock: Arc<LyingClock>,
    sound: Vec<u8>,
}

impl Closed {
    fn of(Device { folder, database, clock }: Device) -> Self {
        drop(database);
        let file = folder.path().join("db/ayni.db");
        eventually("the last one to close it", || !file.with_extension("db-wal").exists());
        let sound = std::fs::read(&file).unwrap();
        Self { folder, clock, sound }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("db")
    }

    fn pages(&self) -> usize {
        self.sound.len() / PAGE
    }

    fn options(&self) -> Options {
        options(self.folder.path(), &self.clock)
    }

    fn open(&self) -> Database {
        Database::open(&self.path(), self.options()).unwrap()
    }

    /// Damages one page, saves what is left, and gives what was lost.
    fn salvage_with_damage(&self, page: usize) -> Report {
        // Whatever could not be moved into the file before belongs to it.
        for beside in ["ayni.db-wal", "ayni.db-shm"] {
            let _ = std::fs::remove_file(self.path().join(beside));
        }
        let mut content = self.sound.clone();
        content[page * PAGE + 100..page * PAGE + 164].fill(0x55);
        std::fs::write(self.path().join("ayni.db"), content).unwrap();
        Database::salvage(&self.path(), &self.options()).unwrap_or_else(|error| panic!("page {page}: {error}"))
    }

    /// Damages the first page from `page` on that takes such entries; gives which were lost.
    fn salvage_with_entries_lost(&self, page: usize, such: impl Fn(&Range<u64>) -> bool) -> Range<u64> {
        let lost = (page..self.pages()).find_map(|page| {
            self.salvage_with_damage(page).lost.into_iter().find_map(|loss| match loss {
                Loss::Entries { log, positions } if log.kind == LogKind::Data && such(&positions) => Some(positions),
                _ => None,
            })
        });
        lost.expect("some page holds such entries")
    }
}

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
    let closed = Closed::of(a);
    let (mut named, mut entries_lost) = (0, 0);
    for page in 1..closed.pages() {
        // Where what lies differs from run to run: at least one page of entries is to be among them.
        if page > 31 && entries_lost > 0 {
            break;
        }
        let failed = |error: &dyn std::fmt::Display| -> ! { panic!("page {page}: {error}") };
        let report = closed.salvage_with_damage(page);
        named += usize::from(!report.lost.is_empty());
        let opened = closed.open();
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
    }
    assert!(named > 10 && entries_lost > 0, "pages that matter were damaged: {named}, {entries_lost}");
}

#[test]
fn where_the_beginning_of_a_log_is_damaged_the_rest_of_its_commit_stays() {
    let [device] = team();
    let record = |number| fields([("number", Value::Int(number)), ("text", "x".repeat(200).into())]);
    device.project().write(|tx| (0..1_000).try_for_each(|n| tx.create("places", record(n)).map(|_| ()))).unwrap();
    let closed = Closed::of(device);
    let lost = closed.salvage_with_entries_lost(1, |positions| positions.start == 0);
    let here = closed.open().projects().unwrap()[0].collection("places").len().unwrap();
    assert_eq!(here, 1_000 - (lost.end - lost.start));
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
    let closed = Closed::of(a);
    closed.salvage_with_entries_lost(closed.pages() / 4, |_| true);
    let opened = closed.open();
    let standing = opened.projects().unwrap()[0].standing().unwrap();
    assert_eq!(standing, Standing::Member(Role::Coordinator), "what says who is in the project is kept twice");
    let _pipe = Pipe::new(&opened, &b.database);
    eventually("a receipt that names what is lacking", || {
        let status = two.status().unwrap();
        let receipt = status.devices.first().and_then(|device| device.receipt);
        status.safe_with().count() == 0 && receipt.is_some_and(|receipt| !receipt.keeps_everything)
    });
}
