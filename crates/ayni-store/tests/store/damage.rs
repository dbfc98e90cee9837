//! Damaged pages: what is lost is named, everything else stays.

use std::fs;
use std::ops::Range;

use ayni_log::ids::LogKind;
use ayni_store::{BranchRow, Continuity, Loss, OpenError, Options, PlaceBox, Report, StoreError, check, repair};

use crate::support::{Author, PROJECT, Place, append, collection, insert, key, open, read, store_commit, write};

const PAGE: usize = 4096;
const ENTRIES: u64 = 700;

struct Filled {
    place: Place,
    author: Author,
    branch: BranchRow,
    content: Vec<u8>,
}

/// A database with entries and documents, all of it in its one file.
fn filled() -> Filled {
    filled_with(ENTRIES, 1)
}

/// The same with so many entries, and so many settings.
fn filled_with(entries: u64, settings: usize) -> Filled {
    let place = Place::new();
    let store = place.create();
    let mut author = Author::new(1);
    let commit = author.commit_many(entries);
    let branch = write(&store, |write| {
        let branch = append(write, &commit)?;
        let (project, collection) = collection(write)?;
        for number in 0..settings {
            write.set_setting(Some(project), &name_of_setting(number), b"secret")?;
        }
        let (text, places) = (write.add_index(collection, b"text")?.0, write.add_index(collection, b"places")?.0);
        for number in 0..entries {
            let row = insert(write, collection, number)?;
            write.set_text(text, row, vec![format!("body {number}")])?;
            let place = number as f64 / 10.0;
            write.set_boxes(places, row, vec![PlaceBox { west: place, south: place, east: place, north: place }])?;
        }
        Ok(branch)
    });
    store.checkpoint().unwrap();
    drop(store);
    let content = fs::read(place.folder.database_file()).unwrap();
    Filled { place, author, branch, content }
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
    assert_eq!(filled.check(), Report { entries: ENTRIES, ..Report::default() });
    assert_eq!(filled.repair(), Report { entries: ENTRIES, ..Report::default() });
}

#[test]
fn whichever_page_is_damaged_what_is_lost_is_named_and_everything_else_stays() {
    let filled = filled();
    let (mut of_entries, mut of_views, mut of_start) = (0, 0, 0);
    for page in 0..filled.pages() {
        filled.damage(page..page + 1);
        let found = filled.check();
        let report = filled.repair();
        assert_eq!(found.lost, report.lost, "page {page}");
        of_entries += usize::from(lost(&report) > 0);
        assert!(lost(&report) < 60, "page {page}: more than can lie on one page: {:?}", report.lost);
        of_start += usize::from(report.lost.contains(&Loss::Start));
        of_views += usize::from(report.lost.contains(&Loss::Views));
        if report.lost.is_empty() {
            continue; // A page that nothing uses.
        }
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
            assert_eq!((gone, report.entries + gone), (lost(&report), ENTRIES), "page {page}");
            for position in 0..ENTRIES {
                let there = snapshot.hash_at(filled.branch, position)?.is_some();
                assert_eq!(there, !gaps.iter().any(|gap| gap.contains(&position)));
            }
            if let Some(gap) = gaps.first() {
                assert!(matches!(snapshot.segment(branch.row, gap.start), Err(StoreError::Lost(_))));
            }
            Ok(())
        });
        drop(opened);
        assert_eq!(filled.check().lost, [], "page {page}: the loss is known now");
    }
    assert!(of_entries > 15 && of_views > 8, "{of_entries} pages of entries, {of_views} of views");
    assert!((1..5).contains(&of_start), "{of_start}");
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
