//! Damaged pages: what is lost is named, everything else stays.

use std::fs;
use std::ops::{ControlFlow, Range};

use ayni_log::ids::LogKind;
use ayni_store::{BranchRow, Continuity, Loss, OpenError, Options, PlaceBox, Report, StoreError, check, repair};

use crate::support::{Author, PROJECT, Place, append, collection, insert, key, open, read, store_commit, write};

const PAGE: usize = 4096;
const ENTRIES: u64 = 700;

struct Filled {
    place: Place,
    author: Author,
    branch: BranchRow,
    entries: u64,
    content: Vec<u8>,
}

/// A database with entries and documents, all of it in its one file, and with free room in that.
fn filled() -> Filled {
    filled_with(ENTRIES, 1)
}

/// The same with so many entries, and so many settings.
fn filled_with(entries: u64, settings: usize) -> Filled {
    let place = Place::new();
    let store = place.create();
    let mut author = Author::new(1);
    let commits = [author.commit_many(entries), author.commit(&[large()])];
    let entries = entries + 1;
    let (branch, spare) = write(&store, |write| {
        let branch = append(write, &commits[0])?;
        append(write, &commits[1])?;
        let (project, collection) = collection(write)?;
        for number in 0..settings {
            write.set_setting(Some(project), &name_of_setting(number), b"secret")?;
        }
        let (text, places) = (write.add_index(collection, b"text")?.0, write.add_index(collection, b"places")?.0);
        let spare = [write.add_index(collection, b"spare")?.0, write.add_index(collection, b"another")?.0];
        for number in 0..entries {
            let row = insert(write, collection, number)?;
            write.set_text(text, row, vec![format!("body {number}")])?;
            let place = number as f64 / 10.0;
            write.set_boxes(places, row, vec![PlaceBox { west: place, south: place, east: place, north: place }])?;
            for index in spare {
                write.insert_key(index, number.to_be_bytes().repeat(20), row)?;
            }
        }
        Ok((branch, spare))
    });
    // Some pages have moved, and some are free.
    write(&store, |write| write.drop_index(spare[0]));
    store.compact(|_| ControlFlow::Continue(())).unwrap();
    write(&store, |write| write.drop_index(spare[1]));
    store.checkpoint().unwrap();
    drop(store);
    let content = fs::read(place.folder.database_file()).unwrap();
    Filled { place, author, branch, entries, content }
}

/// A content that takes several pages.
fn large() -> Vec<u8> {
    let mut content = vec![0; 20_000];
    blake3::Hasher::new().finalize_xof().fill(&mut content);
    content
}

/// A file of before there was compaction, with entries, documents and the same indexes.
fn of_before() -> Filled {
    const OLD: u64 = 120;
    let place = Place::new();
    drop(place.create());
    let content = include_bytes!("../frozen/ayni.db.v1-fixed").to_vec();
    fs::write(place.folder.database_file(), &content).unwrap();
    let mut author = Author::new(1);
    author.commit_many(OLD);
    Filled { place, author, branch: BranchRow(1), entries: OLD, content }
}

fn name_of_setting(number: usize) -> String {
    format!("seed {number}")
}

impl Filled {
    fn damage(&self, pages: Range<usize>) {
        let mut content = self.content.clone();
        for page in pages {
            content[page * PAGE + 100..page * PAGE + 110].copy_from_slice(&[0x5a; 10]);
        }
        fs::write(self.place.folder.database_file(), content).unwrap();
    }

    fn pages(&self) -> usize {
        self.content.len() / PAGE
    }

    fn check(&self) -> Report {
        self.try_check().unwrap()
    }

    fn try_check(&self) -> Result<Report, OpenError> {
        check(&self.place.folder, &key(&self.place.folder), &Options::default())
    }

    fn repair(&self) -> Report {
        repair(&self.place.folder, &key(&self.place.folder), &Options::default()).unwrap()
    }
}

/// How many entries a report says are lost.
fn lost(report: &Report) -> u64 {
    let count = |loss: &Loss| match loss {
        Loss::Entries { positions, .. } => positions.end - positions.start,
        _ => 0,
    };
    report.lost.iter().map(count).sum()
}

#[test]
fn a_sound_database_has_nothing_to_name_and_is_left_as_it_is() {
    let filled = filled();
    assert_eq!(filled.check(), Report { entries: filled.entries, ..Report::default() });
    assert_eq!(filled.repair(), Report { entries: filled.entries, ..Report::default() });
}

#[test]
fn whichever_page_is_damaged_what_is_lost_is_named_and_everything_else_stays() {
    let damaged = damage_each_page(&filled());
    assert!(damaged.entries > 15 && damaged.views > 8 && damaged.room > 15, "{damaged:?}");
    assert!((1..5).contains(&damaged.start), "{damaged:?}");
}

#[test]
fn whichever_page_of_a_file_of_before_is_damaged_what_is_lost_is_named_and_everything_else_stays() {
    let damaged = damage_each_page(&of_before());
    assert!(damaged.entries > 2 && damaged.views > 15, "{damaged:?}");
    assert!((1..5).contains(&damaged.start), "{damaged:?}");
}

/// How many pages took what.
#[derive(Debug, Default)]
struct Damaged {
    entries: usize,
    views: usize,
    start: usize,
    room: usize,
}

fn damage_each_page(filled: &Filled) -> Damaged {
    let mut damaged = Damaged::default();
    for page in 0..filled.pages() {
        filled.damage(page..page + 1);
        let found = filled.check();
        let report = filled.repair();
        assert_eq!(found.lost, report.lost, "page {page}");
        damaged.entries += usize::from(lost(&report) > 0);
        assert!(lost(&report) < 60, "page {page}: more than can lie on one page: {:?}", report.lost);
        damaged.start += usize::from(report.lost.contains(&Loss::Start));
        damaged.views += usize::from(report.lost.contains(&Loss::Views));
        damaged.room += usize::from(report.lost == [Loss::Room]);
        assert!(!report.lost.is_empty(), "page {page}");
        assert!(fs::read(report.kept.as_ref().unwrap()).unwrap().len() == filled.content.len());
        let opened = open(&filled.place.folder);
        read(&opened.store, |snapshot| {
            let project = snapshot.project(PROJECT)?.unwrap();
            assert_eq!(snapshot.setting(Some(project), &name_of_setting(0))?.unwrap(), b"secret");
            let branch = snapshot.frontier(project, LogKind::Data)?.remove(0);
            assert_eq!(branch.log, filled.author.name());
            assert_eq!(snapshot.tip(branch.row)?, filled.author.tip, "page {page}");
            let gaps = snapshot.gaps(branch.row)?;
            let gone: u64 = gaps.iter().map(|gap| gap.end - gap.start).sum();
            assert_eq!((gone, report.entries + gone), (lost(&report), filled.entries), "page {page}");
            for position in 0..filled.entries {
                let there = snapshot.hash_at(filled.branch, position)?.is_some();
                assert_eq!(there, !gaps.iter().any(|gap| gap.contains(&position)));
            }
            if let Some(gap) = gaps.first() {
                assert!(matches!(snapshot.segment(branch.row, gap.start), Err(StoreError::Lost(_))));
            }
            Ok(())
        });
        store_commit(&opened.store, &filled.author.clone().commit_many(30)).unwrap();
        write(&opened.store, |write| collection(write).and_then(|(_, collection)| insert(write, collection, 1 << 20)));
        drop(opened);
        assert_eq!(filled.check().lost, [], "page {page}: the loss is known now");
    }
    damaged
}

#[test]
fn of_settings_that_fill_several_pages_what_lay_on_a_damaged_one_comes_from_the_copy() {
    const SETTINGS: usize = 600;
    let filled = filled_with(1, SETTINGS);
    let mut damaged = 0;
    for page in 0..filled.pages() {
        filled.damage(page..page + 1);
        damaged += usize::from(filled.repair().kept.is_some());
        read(&open(&filled.place.folder).store, |snapshot| {
            let project = snapshot.project(PROJECT)?;
            for number in 0..SETTINGS {
                let setting = snapshot.setting(project, &name_of_setting(number))?;
                assert_eq!(setting.as_deref(), Some(&b"secret"[..]), "page {page}, setting {number}");
            }
            Ok(())
        });
    }
    assert!(damaged > 10, "{damaged}");
}

#[test]
fn a_repaired_database_goes_on_as_the_same_device() {
    let filled = filled();
    let of_entries = |page: &usize| {
        filled.damage(*page..page + 1);
        lost(&filled.check()) > 0
    };
    (15..filled.pages()).find(of_entries).unwrap();
    let mut author = filled.author.clone();
    assert!(filled.repair().kept.is_some());
    let opened = open(&filled.place.folder);
    assert_eq!(opened.continuity, Continuity::Same);
    store_commit(&opened.store, &author.commit_many(1)).unwrap();
    drop(opened);
    assert_eq!(open(&filled.place.folder).continuity, Continuity::Same);
}

#[test]
fn reading_damage_is_an_error_and_writing_elsewhere_goes_on() {
    let filled = filled();
    let mut seen = 0;
    for page in (2..filled.pages()).step_by(7) {
        filled.damage(page..page + 1);
        let Ok(opened) = ayni_store::Store::open(&filled.place.folder, &key(&filled.place.folder), Options::default())
        else {
            continue;
        };
        let all = opened.store.read(|snapshot| {
            (0..ENTRIES).try_for_each(|position| snapshot.hash_at(filled.branch, position).map(|_| ()))
        });
        if let Err(error) = all {
            assert!(matches!(error, StoreError::Damaged), "{error:?}");
            assert!(error.to_string().contains("ayni repair"));
            seen += 1;
            let put = opened.store.write(|write| write.set_setting(None, "still", b"works"));
            assert!(put.is_ok() || matches!(put, Err(StoreError::Damaged)));
        }
    }
    assert!(seen > 2, "{seen}");
}

#[test]
fn damage_everywhere_is_said_and_nothing_is_overwritten() {
    let filled = filled();
    filled.damage(0..filled.pages());
    let before = fs::read(filled.place.folder.database_file()).unwrap();
    let folder = &filled.place.folder;
    let error = repair(folder, &key(folder), &Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::NotADatabase(_)), "{error}");
    assert_eq!(fs::read(folder.database_file()).unwrap(), before);
    let mut files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["ayni.db", "ayni.key"]);
}

#[test]
fn what_the_write_ahead_log_makes_sound_needs_no_repair() {
    let filled = filled();
    let opened = open(&filled.place.folder);
    write(&opened.store, |write| {
        let (_, collection) = collection(write)?;
        let spare = write.add_index(collection, b"more")?.0;
        (0..700_u64).try_for_each(|number| write.insert_key(spare, number.to_be_bytes().repeat(20), 1))
    });
    let log = fs::read(filled.place.folder.database_file().with_extension("db-wal")).unwrap();
    drop(opened);
    let mut sound = 0;
    for page in (0..filled.pages()).step_by(3) {
        filled.damage(page..page + 1);
        fs::write(filled.place.folder.database_file().with_extension("db-wal"), &log).unwrap();
        let report = filled.repair();
        sound += usize::from(report.kept.is_none());
        assert_eq!(report.kept.is_none(), report.lost.is_empty(), "page {page}");
        assert_eq!(filled.check().lost, [], "page {page}");
    }
    assert!(sound > 10, "{sound}");
}

#[test]
fn a_repair_waits_for_nobody_to_use_the_database() {
    let filled = filled();
    filled.damage(filled.pages() - 5..filled.pages() - 3);
    let open = open(&filled.place.folder);
    let options = Options { patience: std::time::Duration::from_millis(50), ..Options::default() };
    let folder = &filled.place.folder;
    let error = repair(folder, &key(folder), &options).unwrap_err();
    assert!(matches!(error, OpenError::Store(StoreError::Busy)), "{error}");
    drop(open);
    repair(folder, &key(folder), &options).unwrap();
}
