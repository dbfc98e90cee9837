//! Whatever bytes come: they are refused, or they are the one way to write what they say.

mod log_support;

use ayni_log::codec::{DecodeError, Writer};
use ayni_log::header::{Anchor, AttachmentName, Body, BodyV1, Declaration, Header, Reference, Subject};
use ayni_log::ids::{CollectionTag, DocumentId, Hash, LogId, Signature};
use ayni_log::limits;
use ayni_log::segment::{MAX_SEGMENT_BYTES, Segment, WireEntry, checkpoint_message};
use ayni_log::tip::{Tip, TipError};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use log_support::{Author, TIME, create, edit, opening, outgoing, project};

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

fn reference() -> impl Strategy<Value = Reference> {
    (any::<u32>(), 1..limits::POSITIONS).prop_map(|(branch, position)| Reference { branch, position })
}

fn declaration() -> impl Strategy<Value = Declaration> {
    let anchor = (any::<u32>(), option::of(any::<[u8; 32]>()), 0..limits::POSITIONS, hash()).prop_map(
        |(number, log, position, hash)| Declaration::Anchor(Anchor { number, log: log.map(LogId), position, hash }),
    );
    let keys = btree_set(hash(), 1..5).prop_map(|set| Declaration::Keys(set.into_iter().collect()));
    let name = (any::<[u8; 16]>(), vec(any::<u8>(), 0..40))
        .prop_map(|(tag, name)| Declaration::Collection { tag: CollectionTag(tag), name });
    prop_oneof![anchor, keys, name, vec(any::<u8>(), 0..200).prop_map(Declaration::Shape)]
}

fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![
        Just(Subject::None),
        (any::<u32>(), any::<[u8; 8]>()).prop_map(|(collection, random)| Subject::Create { collection, random }),
        (any::<u32>(), any::<[u8; 16]>())
            .prop_map(|(collection, id)| Subject::Keyed { collection, id: DocumentId(id) }),
        btree_set(reference(), 1..5).prop_map(|set| Subject::Edit { parents: set.into_iter().collect() }),
    ]
}

fn body() -> impl Strategy<Value = Body> {
    let attachment = (hash(), 0..=limits::ATTACHMENT_BYTES).prop_map(|(hash, length)| AttachmentName { hash, length });
    let known = (any::<i64>(), any::<u32>(), vec(declaration(), 0..5), subject(), vec(attachment, 0..3)).prop_map(
        |(time, key, declarations, subject, attachments)| {
            Body::V1(BodyV1 { time, key, declarations, subject, attachments })
        },
    );
    let unknown = (2..=u8::MAX, any::<u8>(), vec(any::<u8>(), 0..60))
        .prop_map(|(version, flags, bytes)| Body::Unknown { version, flags: flags & !1, bytes });
    prop_oneof![4 => known, 1 => unknown]
}

prop_compose! {
    fn header()(ends_commit: bool, body in body(), payload in vec(any::<u8>(), 0..300)) -> (Header, Vec<u8>) {
        let payload_hash = Hash(*blake3::hash(&payload).as_bytes());
        (Header { ends_commit, payload_hash, payload_len: payload.len() as u32, body }, payload)
    }
}

fn mangled(mut bytes: Vec<u8>, cuts: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    for (at, byte) in cuts {
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            match byte % 3 {
                0 => bytes.insert(at, *byte),
                1 => drop(bytes.remove(at)),
                _ => bytes[at] = *byte,
            }
        }
    }
    bytes
}

fn check_header_bytes(bytes: &[u8], payload: &[u8]) {
    if let Ok(header) = Header::decode(bytes) {
        assert_eq!(header.encode(), bytes);
    }
    if let Ok(header) = Header::decode_beside_payload(bytes, payload) {
        assert_eq!(header.encode_beside_payload(), bytes);
        assert!(header.names_payload(payload));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn headers_read_back_as_written((header, payload) in header()) {
        let canonical = header.encode();
        prop_assert_eq!(Header::decode(&canonical).unwrap(), header.clone());
        let beside = header.encode_beside_payload();
        prop_assert_eq!(Header::decode_beside_payload(&beside, &payload).unwrap(), header);
        prop_assert_eq!(beside.len() + 32, canonical.len());
    }

    #[test]
    fn header_bytes_are_refused_or_are_the_only_way_to_write_the_header(
        (header, payload) in header(),
        cuts in vec(any::<(prop::sample::Index, u8)>(), 1..4),
    ) {
        check_header_bytes(&mangled(header.encode(), &cuts), &payload);
        check_header_bytes(&mangled(header.encode_beside_payload(), &cuts), &payload);
    }

    #[test]
    fn any_bytes_are_a_header_segment_and_tip_or_an_error(bytes in vec(any::<u8>(), 0..400)) {
        check_header_bytes(&bytes, b"");
        if let Ok(segment) = Segment::decode(&bytes, project()) {
            prop_assert_eq!(segment.encode(), bytes.clone());
        }
        if let Ok(tip) = Tip::decode(&bytes) {
            prop_assert_eq!(tip.encode(), bytes);
        }
    }

    #[test]
    fn a_mangled_segment_is_refused_or_reads_as_the_bytes_say(cuts in vec(any::<(prop::sample::Index, u8)>(), 1..6)) {
        let author = Author::of_data(1);
        let (segments, _) = author.log_of(5);
        let bytes = mangled(outgoing(&segments[0]).encode(), &cuts);
        if let Ok(segment) = Segment::decode(&bytes, project()) {
            prop_assert_eq!(segment.encode(), bytes);
        }
    }

    #[test]
    fn a_mangled_tip_is_refused_or_can_still_be_followed(cuts in vec(any::<(prop::sample::Index, u8)>(), 0..6)) {
        let author = Author::of_data(1);
        let (_, tip) = author.log_of(5);
        let bytes = mangled(tip.encode(), &cuts);
        if let Ok(mut tip) = Tip::decode(&bytes) {
            prop_assert_eq!(tip.encode(), bytes);
            for _ in 0..3 {
                let body = Body::Unknown { version: 9, flags: 0, bytes: Vec::new() };
                let header =
                    Header { ends_commit: false, payload_hash: Hash([0; 32]), payload_len: 1 << 20, body };
                let _ = tip.append(&header, &header.encode());
            }
        }
    }
}

#[test]
fn a_header_is_within_its_limit_or_not_whether_its_payload_is_here_or_not() {
    let payload = b"payload";
    let shapes = |last: usize| {
        let declarations = [8_190, 8_190, 8_190, last].map(|len| Declaration::Shape(vec![1; len])).to_vec();
        let body = Body::V1(BodyV1 { time: TIME, key: 1, declarations, ..BodyV1::default() });
        let payload_hash = Hash(*blake3::hash(payload).as_bytes());
        Header { ends_commit: true, payload_hash, payload_len: payload.len() as u32, body }
    };
    let base = shapes(8_000).encode().len() - 8_000;
    for (last, fits) in [(limits::HEADER_BYTES - base, true), (limits::HEADER_BYTES - base + 1, false)] {
        let header = shapes(last);
        assert_eq!(Header::decode(&header.encode()).is_ok(), fits);
        assert_eq!(Header::decode_beside_payload(&header.encode_beside_payload(), payload).is_ok(), fits);
        let entries = vec![WireEntry { header: header.encode(), payload: None }];
        let segment = Segment { log: Author::of_data(1).name, start: 0, entries, signature: Signature([0; 64]) };
        assert_eq!(Segment::decode(&segment.encode(), project()).is_ok(), fits);
    }
}

#[test]
fn flags_that_version_1_does_not_know_or_that_exclude_each_other_are_refused() {
    let plain = Header {
        ends_commit: true,
        payload_hash: Hash([0; 32]),
        payload_len: 0,
        body: Body::V1(BodyV1 { time: TIME, key: 1, ..BodyV1::default() }),
    };
    let with = |flags: u8, more: &[u8]| {
        let mut bytes = [plain.encode().as_slice(), more].concat();
        bytes[1] |= flags;
        Header::decode(&bytes)
    };
    assert!(with(0, &[]).is_ok());
    assert!(with(0x04, &[1; 9]).is_ok());
    for unknown in [0x40, 0x80] {
        assert!(with(unknown, &[]).is_err());
    }
    for both in [0x04 | 0x08, 0x04 | 0x10, 0x08 | 0x10, 0x04 | 0x08 | 0x10] {
        for more in 0..40 {
            assert!(with(both, &vec![1; more]).is_err());
        }
    }
    for empty in [0x02, 0x10, 0x20] {
        assert!(with(empty, &[0]).is_err());
    }
    let mut nothing = plain.encode();
    nothing[0] = 0;
    assert!(Header::decode(&nothing).is_err());
}

#[test]
fn lengths_and_positions_go_up_to_their_limits() {
    let reads = |payload_len: usize, body: BodyV1| {
        let (payload_hash, payload_len) = (Hash([0; 32]), payload_len as u32);
        Header::decode(&Header { ends_commit: true, payload_hash, payload_len, body: Body::V1(body) }.encode()).is_ok()
    };
    let anchor = |position| Declaration::Anchor(Anchor { number: 1, log: None, position, hash: Hash([1; 32]) });
    let attachment = |length| AttachmentName { hash: Hash([1; 32]), length };
    let edit = |position| Subject::Edit { parents: vec![Reference { branch: 1, position }] };
    for (more, fits) in [(0, true), (1, false)] {
        assert_eq!(reads(limits::PAYLOAD_BYTES + more, BodyV1::default()), fits);
        let more = more as u64;
        let declarations = vec![anchor(limits::POSITIONS - 1 + more)];
        assert_eq!(reads(0, BodyV1 { declarations, ..BodyV1::default() }), fits);
        let attachments = vec![attachment(limits::ATTACHMENT_BYTES + more)];
        assert_eq!(reads(0, BodyV1 { attachments, ..BodyV1::default() }), fits);
        let subject = edit(limits::POSITIONS + more);
        assert_eq!(reads(0, BodyV1 { subject, ..BodyV1::default() }), fits);
    }
}

/// A tip by its length, bytes, open bytes, commit entries and commit bytes.
fn tip_of(counts: [u64; 5]) -> Result<Tip, DecodeError> {
    let name = Author::of_data(1).name;
    let mut out = Writer::new();
    out.byte(1);
    name.project.encode(&mut out);
    name.encode(&mut out);
    out.varint(counts[0]);
    out.raw(&[7; 32]);
    counts[1..].iter().for_each(|count| out.varint(*count));
    out.raw(&[0; 4]);
    Tip::decode(out.as_slice())
}

#[test]
fn a_tip_of_counts_that_no_entries_lead_to_is_refused() {
    let entry = (limits::HEADER_BYTES + limits::PAYLOAD_BYTES) as u64;
    for possible in [
        [2_000, 300_000, 90_000, 10, 5_000],
        [limits::POSITIONS, 300_000, 90_000, 10, 5_000],
        [2, 2 * entry, 90_000, 1, 5_000],
        [2_000, 3_000_000, limits::SEGMENT_BYTES - 1, 10, 5_000],
        [2_000, 1_000, 1_000, 10, 1_000],
        [20_000, 30_000_000, 90_000, limits::COMMIT_ENTRIES as u64, limits::COMMIT_BYTES],
        [10, 300_000, 90_000, 10, 300_000],
    ] {
        assert!(tip_of(possible).is_ok(), "{possible:?}");
    }
    for wrong in [
        [limits::POSITIONS + 1, 300_000, 90_000, 10, 5_000],
        [2, 2 * entry + 1, 90_000, 1, 5_000],
        [2_000, u64::MAX, 90_000, 10, 5_000],
        [2_000, 3_000_000, limits::SEGMENT_BYTES, 10, 5_000],
        [2_000, 1_000, 1_001, 10, 1_000],
        [20_000, 300_000, 90_000, limits::COMMIT_ENTRIES as u64 + 1, 5_000],
        [20_000, 30_000_000, 90_000, 10, limits::COMMIT_BYTES + 1],
        [5, 300_000, 90_000, 10, 5_000],
        [2_000, 300_000, 90_000, 10, 300_001],
        [0, 1, 0, 0, 0],
    ] {
        assert!(tip_of(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_log_and_a_commit_take_as_much_as_their_limits_say() {
    let body = Body::Unknown { version: 9, flags: 0, bytes: Vec::new() };
    let header = Header { ends_commit: false, payload_hash: Hash([0; 32]), payload_len: 100, body };
    let append = |tip: &mut Tip| tip.append(&header, &header.encode()).map(drop);
    let mut tip = tip_of([limits::POSITIONS - 1, 300_000, 90_000, 10, 5_000]).unwrap();
    assert_eq!([append(&mut tip), append(&mut tip)], [Ok(()), Err(TipError::Full)]);

    let before = limits::COMMIT_BYTES - 100 - header.encode().len() as u64;
    let with = |bytes| append(&mut tip_of([2_000, 30_000_000, 90_000, 10, bytes]).unwrap());
    assert_eq!([with(before), with(before + 1)], [Ok(()), Err(TipError::Commit)]);
}

#[test]
fn the_longest_segment_there_can_be_is_taken_and_none_much_longer() {
    let author = Author::of_data(1);
    let header = |declarations: Vec<Declaration>, payload: &[u8]| {
        let body = Body::V1(BodyV1 { time: TIME, key: 1, declarations, ..BodyV1::default() });
        let payload_hash = Hash(*blake3::hash(payload).as_bytes());
        Header { ends_commit: true, payload_hash, payload_len: payload.len() as u32, body }
    };
    // Entries without payloads whose headers come to one byte less than a checkpoint.
    let (mut tip, mut entries) = (author.empty(), Vec::new());
    for left in (1..limits::SEGMENT_ENTRIES).rev() {
        let declares = |bytes| {
            let opening = if tip.length() == 0 { opening() } else { Vec::new() };
            header([opening, vec![Declaration::Shape(vec![1; bytes])]].concat(), &[])
        };
        let bytes = (limits::SEGMENT_BYTES - 1 - tip.bytes()) / left;
        let of_500 = declares(500).encode().len();
        let header = declares(bytes as usize - of_500 + 500);
        tip.append(&header, &header.encode()).unwrap();
        entries.push(WireEntry { header: header.encode(), payload: None });
    }
    assert_eq!((tip.bytes(), tip.at_fixed_checkpoint()), (limits::SEGMENT_BYTES - 1, false));
    // Then one with as much of everything as it can have.
    let payload = vec![0; limits::PAYLOAD_BYTES];
    let shapes = |last| [8_190, 8_190, 8_190, last].map(|bytes| Declaration::Shape(vec![1; bytes])).to_vec();
    let rest = limits::HEADER_BYTES - header(shapes(8_000), &payload).encode().len();
    let header = header(shapes(8_000 + rest), &payload);
    tip.append(&header, &header.encode()).unwrap();
    entries.push(WireEntry { header: header.encode_beside_payload(), payload: Some(payload) });

    let signature = author.secret.sign(&checkpoint_message(tip.id(), tip.length(), &tip.hash()));
    let bytes = Segment { log: author.name, start: 0, entries, signature }.encode();
    let segment = Segment::decode(&bytes, project()).unwrap();
    assert_eq!(author.verify(segment, &author.empty()).unwrap().1, tip);
    assert!(MAX_SEGMENT_BYTES - bytes.len() < 8 << 10);
    let is_long = |bytes: usize| {
        let read = Segment::decode(&vec![0; bytes], project());
        matches!(read, Err(DecodeError::Limit { what: "segment", .. }))
    };
    assert!(!is_long(MAX_SEGMENT_BYTES) && is_long(MAX_SEGMENT_BYTES + 1));
}

#[test]
fn a_segment_of_more_entries_than_lie_between_fixed_checkpoints_is_refused_before_they_are_read() {
    let author = Author::of_data(1);
    let mut out = Writer::new();
    author.name.encode(&mut out);
    out.varint(0);
    out.varint(limits::SEGMENT_ENTRIES + 1);
    assert!(Segment::decode(out.as_slice(), project()).is_err());
}

#[test]
fn a_segment_begins_at_the_last_position_at_most() {
    let read = |start| {
        let mut out = Writer::new();
        Author::of_data(1).name.encode(&mut out);
        out.varint(start);
        Segment::decode(out.as_slice(), project()).err()
    };
    let limit = limits::POSITIONS - 1;
    assert_eq!(read(limit), Some(DecodeError::Truncated), "only its entries are missing");
    assert_eq!(read(limit + 1), Some(DecodeError::Limit { what: "position", got: limit + 1, limit }));
}

/// What an entry costs on the wire beside its payload: the header as it travels and the length before it.
fn header_cost(wire: &WireEntry) -> usize {
    let mut lead = Writer::new();
    lead.varint((wire.header.len() as u64) << 1);
    lead.len() + wire.header.len()
}

#[test]
fn a_create_or_edit_costs_at_most_24_bytes_of_header_and_a_keyed_create_32() {
    let author = Author::of_data(1);
    let mut far = edit(&[0; 300]);
    far.body.subject = Subject::Edit { parents: vec![Reference { branch: 0, position: 200_000 }] };
    let mut keyed = create(7);
    keyed.body.subject = Subject::Keyed { collection: 1, id: DocumentId([7; 16]) };
    let mut plain = create(6);
    plain.content = vec![0; 300];
    keyed.content = vec![0; 300];

    let (_, mut tip) = author.log_of(10_000);
    for _ in 0..20 {
        tip = author.write(&tip, (1..10_001).map(create).collect()).unwrap().1;
    }
    let (segments, _) = author.write(&tip, vec![plain, edit(&[0; 300]), far, keyed]).unwrap();
    let costs: Vec<usize> =
        segments.iter().flat_map(|segment| outgoing(segment).entries).map(|wire| header_cost(&wire)).collect();
    assert_eq!(costs, [21, 15, 17, 29]);
}
