//! A damaged file: what was lost is named, all else stays.

mod support;

use std::io::{Seek, SeekFrom, Write};

use ayni::Database;
use ayni::doc::Value;
use support::{Device, fields, get, meet, options, set, team};

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
    let pages = std::fs::metadata(&file).unwrap().len() / 4096;
    let sound = std::fs::read(&file).unwrap();
    let (mut damaged, mut lost) = (0, 0);
    for page in (5..pages).step_by(pages as usize / 12) {
        std::fs::write(&file, &sound).unwrap();
        let mut open = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
        open.seek(SeekFrom::Start(page * 4096 + 100)).unwrap();
        open.write_all(&[0x55; 64]).unwrap();
        drop(open);
        let report = Database::salvage(&path, &options(folder.path(), &clock)).unwrap();
        damaged += usize::from(!report.lost.is_empty());
        let opened = Database::open(&path, options(folder.path(), &clock)).unwrap();
        let project = opened.projects().unwrap().remove(0);
        let here = ids.iter().filter(|id| project.collection("places").get(**id).unwrap().is_some()).count();
        lost = lost.max(ids.len() - here);
        assert!(here >= ids.len() - 60, "page {page}: {here} of {} are here; lost: {:?}", ids.len(), report.lost);
        if report.lost.is_empty() {
            assert_eq!(here, ids.len());
        }
        // It goes on working.
        let made = project.write(|tx| tx.create("places", fields([("number", Value::Int(-1))])));
        let id = made.unwrap_or_else(|error| panic!("page {page}: {error}; lost: {:?}", report.lost));
        assert_eq!(get(&project, id, "number"), Some(Value::Int(-1)));
        drop((project, opened));
    }
    assert!(damaged > 3, "pages that matter were damaged");
    assert!(lost > 0, "entries were among what was damaged");
}
