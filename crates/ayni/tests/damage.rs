//! A damaged file: what was lost is named, and all else stays.

mod support;

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};

use ayni::Database;
use ayni::doc::{Map, Value};
use support::{Device, options};

const PAGE: u64 = 4_096;
const DOCUMENTS: i64 = 6_000;

#[test]
fn after_a_damaged_page_everything_else_is_shown_again() {
    let device = Device::new("Ana");
    let (project, _) = device.database.create_project("Mapa").unwrap();
    for start in (0..DOCUMENTS).step_by(1_000) {
        project
            .write(|tx| {
                for number in start..start + 1_000 {
                    let fields = Map::from([("number".into(), Value::Int(number)), ("name".into(), "Cusco".into())]);
                    tx.create("places", fields)?;
                }
                Ok(())
            })
            .unwrap();
    }
    let path = device.path();
    let options = options(device.folder.path(), &device.clock);
    let Device { folder, database, .. } = device;
    drop((project, database));
    // In the middle of the file: a page of entries, or of documents.
    let file = path.join("ayni.db");
    let pages = std::fs::metadata(&file).unwrap().len() / PAGE;
    let (mut named, mut least) = (0, DOCUMENTS as u64);
    for page in [pages / 5, pages / 3, pages / 2] {
        let mut damaged = OpenOptions::new().write(true).open(&file).unwrap();
        damaged.seek(SeekFrom::Start(page * PAGE + 100)).unwrap();
        damaged.write_all(&[0xaa; 64]).unwrap();
        drop(damaged);
        let report = Database::salvage(&path, &options).unwrap();
        named += report.lost.len();
        let database = Database::open(&path, options.clone()).unwrap();
        let project = database.projects().unwrap().remove(0);
        let shown = project.collection("places").len().unwrap();
        assert!(shown + 120 >= least, "{shown} of {least} documents are shown after page {page} was damaged");
        least = shown;
        assert_eq!(project.status().unwrap().waiting, 0);
        project.write(|tx| tx.create("more", Map::new())).unwrap();
        assert!(!project.collection("more").is_empty().unwrap());
    }
    assert!(named >= 3, "each damage is named");
    drop(folder);
}
