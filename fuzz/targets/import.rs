//! Files that others wrote: every record is read or named as bad, and reading ends. What was read can be exported, and reads
//! back as the same.
#![no_main]

use ayni::interchange::{Exporter, Format, ReadOptions, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((which, bytes)) = data.split_first() else { return };
    let format = [None, Some(Format::GeoJson), Some(Format::JsonLines), Some(Format::Csv)][usize::from(which % 4)];
    let id = (which & 4 != 0).then(|| "id".parse().expect("a path"));
    let options = ReadOptions { format, id, ..ReadOptions::default() };
    let Ok(records) = read(bytes, &options) else { return };
    let document = "aaaaaaaaaaaaaaaaaaaaaaaaaa".parse().expect("an id");
    for (count, record) in records.enumerate() {
        assert!(count <= bytes.len(), "more records than bytes");
        let Ok(record) = record else { continue };
        let mut out = Exporter::json_lines(Vec::new());
        out.write(&document, &record.fields).expect("memory takes everything");
        let written = out.finish().expect("memory takes everything");
        let lines = ReadOptions { format: Some(Format::JsonLines), ..ReadOptions::default() };
        let mut again = read(&written[..], &lines).expect("memory can be read");
        let again = again.next().expect("one record").expect("what was exported reads back");
        assert_eq!(again.fields, record.fields);
    }
});
