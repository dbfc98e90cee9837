//! Headers, segments and tips as they come from outside: what can be read is written back byte by byte.
#![no_main]

use ayni_log::entry::Entry;
use ayni_log::header::Header;
use ayni_log::ids::ProjectId;
use ayni_log::segment::Segment;
use ayni_log::tip::Tip;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((which, bytes)) = data.split_first() else { return };
    match which % 3 {
        0 => header(bytes),
        1 => segment(bytes),
        _ => {
            if let Ok(tip) = Tip::decode(bytes) {
                assert_eq!(tip.encode(), bytes);
            }
        }
    }
});

fn header(bytes: &[u8]) {
    if let Ok(header) = Header::decode(bytes) {
        assert_eq!(header.encode(), bytes);
    }
}

fn segment(bytes: &[u8]) {
    let Ok(segment) = Segment::decode(bytes, ProjectId([7; 32])) else { return };
    assert_eq!(segment.encode(), bytes);
    let mut tip = Tip::new(segment.log);
    for entry in &segment.entries {
        let Ok(header) = Entry::read_header(&entry.header, entry.payload.as_deref()) else { return };
        let canonical = header.encode();
        assert_eq!(Header::decode(&canonical).as_ref(), Ok(&header));
        if tip.append(&header, &canonical).is_err() {
            return;
        }
    }
    assert_eq!(Tip::decode(&tip.encode()).as_ref(), Ok(&tip));
}
