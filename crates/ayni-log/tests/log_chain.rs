//! What was written verifies everywhere, and nothing else does.

mod log_support;

use ayni_log::codec::DecodeError;
use ayni_log::header::{Anchor, AttachmentName, Body, BodyV1, Declaration, Header, Reference, Subject};
use ayni_log::ids::{CollectionTag, Hash, LogId, StoreId};
use ayni_log::limits;
use ayni_log::seal::{PLAINTEXT_BYTES, ReadingKey, SetKey};
use ayni_log::segment::{
    MAX_SEGMENT_BYTES, Segment, Verified, VerifiedSegment, VerifyError, WireEntry, checkpoint_message, replay,
    verify_payload,
};
use ayni_log::tip::{Tip, TipError};
use ayni_log::write::{Draft, WriteError};
use proptest::collection::vec;
use proptest::prelude::*;

use log_support::{Author, EPOCH, TIME, create, edit, opening, outgoing, outgoing_without, project};

/// Sends segments through their bytes to a device that holds `tip`: what it then holds.
fn receive(
    author: &Author,
    segments: &[Verified<VerifiedSegment>],
    tip: &Tip,
) -> (Vec<Verified<VerifiedSegment>>, Tip) {
    let mut tip = tip.clone();
    let mut held = Vec::new();
    for segment in segments {
        let bytes = outgoing(segment).encode();
        assert!(bytes.len() <= MAX_SEGMENT_BYTES);
        let (verified, next) = author.verify(Segment::decode(&bytes, project()).unwrap(), &tip).unwrap();
        held.push(verified);
        tip = Tip::decode(&next.encode()).unwrap();
        assert_eq!(tip, next);
    }
    (held, tip)
}

/// A log of two entries and the segment that continues it with `drafts`.
fn two_then(drafts: Vec<Draft>) -> (Author, Tip, Segment) {
    let author = Author::of_data(1);
    let (_, tip) = author.log_of(2);
    let (segments, _) = author.write(&tip, drafts).unwrap();
    let segment = outgoing(&segments[0]);
    (author, tip, segment)
}

/// Signs entries that no honest device would write, as their author could: what a receiver says to them.
fn verify_forged(author: &Author, tip: &Tip, headers: &[Header]) -> Result<Tip, VerifyError> {
    let mut hash = tip.hash();
    for header in headers {
        hash = ayni_log::entry::entry_hash(&hash, &header.encode());
    }
    let length = tip.length() + headers.len() as u64;
    let signature = author.secret.sign(&checkpoint_message(tip.id(), length, &hash));
    let entries = headers.iter().map(|header| WireEntry { header: header.encode(), payload: None }).collect();
    let segment = Segment { log: author.name, start: tip.length(), entries, signature };
    author.verify(segment, tip).map(|(_, tip)| tip)
}

fn header(body: BodyV1) -> Header {
    Header { ends_commit: true, payload_hash: Hash([5; 32]), payload_len: 10, body: Body::V1(body) }
}

fn declaring(declarations: Vec<Declaration>) -> Header {
    header(BodyV1 { time: TIME, key: 1, declarations, ..BodyV1::default() })
}

fn anchor(number: u32, log: Option<LogId>, position: u64) -> Declaration {
    Declaration::Anchor(Anchor { number, log, position, hash: Hash([9; 32]) })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_what_every_receiver_holds(
        commits in vec(vec((any::<bool>(), 0usize..400), 1..700), 1..5),
        large in vec(200_000usize..1_000_000, 0..4),
    ) {
        let author = Author::of_data(1);
        let mut tip = author.empty();
        let mut held = author.empty();
        let large = large.into_iter().map(|len| vec![(true, len)]);
        for commit in commits.into_iter().chain(large) {
            let drafts = commit.into_iter().enumerate().map(|(index, (edits, len))| {
                let at = tip.length() as usize + index;
                // Bytes that do not compress, so that large ones pass fixed checkpoints early.
                let mut content = vec![0; len];
                blake3::Hasher::new().update(&(at as u64).to_be_bytes()).finalize_xof().fill(&mut content);
                if edits && at > 0 { edit(&content) } else { Draft { content, ..create(at) } }
            });
            let (segments, next) = author.write(&tip, drafts.collect()).unwrap();
            let (received, now) = receive(&author, &segments, &held);
            prop_assert_eq!(&received, &segments);
            prop_assert_eq!(&now, &next);
            prop_assert_eq!(next.open_commit(), None);
            (tip, held) = (next, now);
        }
    }
}

#[test]
fn a_segment_with_any_bit_changed_is_refused() {
    let author = Author::of_data(1);
    let (segments, _) = author.log_of(5);
    for segment in [outgoing(&segments[0]), outgoing_without(&segments[0], |position| position % 2 == 0)] {
        let bytes = segment.encode();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(changed) = Segment::decode(&changed, project()) {
                assert!(author.verify(changed, &author.empty()).is_err(), "bit {bit} of {}", bytes.len() * 8);
            }
        }
    }
}

#[test]
fn a_commit_is_signed_at_every_fixed_checkpoint_that_it_passes_and_at_its_end() {
    let author = Author::of_data(1);
    let (segments, tip) = author.log_of(2_500);
    let ends: Vec<(u64, bool)> = segments.iter().map(|segment| (segment.length, segment.fixed)).collect();
    assert_eq!(ends, [(1_024, true), (2_048, true), (2_500, false)]);
    assert_eq!(tip.length(), 2_500);

    let big = |index| {
        let mut content = vec![0; 600_000];
        blake3::Hasher::new().update(&[index as u8]).finalize_xof().fill(&mut content);
        Draft { content, ..create(index) }
    };
    let (segments, _) = author.write(&author.empty(), (0..5).map(big).collect()).unwrap();
    let ends: Vec<(u64, bool)> = segments.iter().map(|segment| (segment.length, segment.fixed)).collect();
    assert_eq!(ends, [(2, true), (4, true), (5, false)]);
}

#[test]
fn a_fixed_checkpoint_comes_early_once_a_mebibyte_has_passed_counting_payloads_that_are_not_here() {
    let mut tip = Author::of_control(1).empty();
    let of = |payload_len| Header { payload_len, ..header(BodyV1::default()) };
    let entry = of(1 << 20).encode().len() as u64;
    for (below, fixed) in [(1, false), (0, true)] {
        let length = limits::SEGMENT_BYTES - entry - below;
        let header = of(length as u32);
        assert_eq!(header.encode().len() as u64, entry);
        let mut next = tip.clone();
        next.append(&header, &header.encode()).unwrap();
        assert_eq!(next.at_fixed_checkpoint(), fixed);
        tip = if fixed { next } else { tip };
    }
    assert!(!Author::of_control(1).empty().at_fixed_checkpoint(), "there is nothing yet");
    // What is counted begins anew after it.
    tip.append(&of(9), &of(9).encode()).unwrap();
    assert!(!tip.at_fixed_checkpoint());
}

#[test]
fn a_segment_past_a_fixed_checkpoint_is_refused() {
    let author = Author::of_data(1);
    let (segments, _) = author.log_of(1_030);
    let mut joined = outgoing(&segments[0]);
    joined.entries.truncate(1_000);
    let rest: Vec<WireEntry> = outgoing(&segments[0]).entries.split_off(1_000);
    // In memory a segment can hold more than the wire allows.
    joined.entries.extend(rest);
    joined.entries.extend(outgoing(&segments[1]).entries);
    joined.signature = segments[1].signature;
    assert_eq!(author.verify(joined, &author.empty()), Err(VerifyError::PastCheckpoint(1_024)));
}

#[test]
fn reordered_cut_extended_and_replayed_segments_are_refused() {
    let (author, tip, segment) = two_then((2..8).map(create).collect());
    assert!(author.verify(segment.clone(), &tip).is_ok());

    let mut reordered = segment.clone();
    reordered.entries.swap(1, 2);
    let mut cut = segment.clone();
    cut.entries.pop();
    let mut beheaded = segment.clone();
    beheaded.entries.remove(0);
    let mut extended = segment.clone();
    extended.entries.push(segment.entries[3].clone());
    let mut doubled = segment.clone();
    doubled.entries.insert(0, segment.entries[0].clone());
    for changed in [reordered, cut, beheaded, extended, doubled] {
        assert!(matches!(author.verify(changed, &tip), Err(VerifyError::Signature(_))));
    }

    let (_, after) = author.verify(segment.clone(), &tip).unwrap();
    assert_eq!(author.verify(segment.clone(), &after), Err(VerifyError::Gap { start: 2, length: 8 }));
    let moved = Segment { start: after.length(), ..segment };
    assert!(matches!(author.verify(moved, &after), Err(VerifyError::Signature(_))));
}

#[test]
fn a_segment_of_another_device_or_log_is_refused() {
    let (author, tip, segment) = two_then(vec![create(2)]);
    let other = Author::of_data(2);
    assert_eq!(other.verify(segment.clone(), &other.empty()), Err(VerifyError::OtherLog));
    assert_eq!(other.verify(segment.clone(), &tip), Err(VerifyError::OtherLog));

    let message = checkpoint_message(tip.id(), 3, &author.verify(segment.clone(), &tip).unwrap().1.hash());
    let forged = Segment { signature: other.secret.sign(&message), ..segment.clone() };
    assert!(matches!(author.verify(forged, &tip), Err(VerifyError::Signature(_))));

    let mut elsewhere = author.name;
    elsewhere.incarnation = StoreId([99; 16]);
    let (first, _) = author.log_of(1);
    let replayed = Segment { log: elsewhere, ..outgoing(&first[0]) };
    assert!(matches!(author.verify(replayed, &Tip::new(elsewhere)), Err(VerifyError::Signature(_))));
}

#[test]
fn a_log_verifies_without_its_payloads_and_each_can_come_later() {
    let author = Author::of_data(1);
    let (segments, whole) = author.log_of(40);
    let lacking = outgoing_without(&segments[0], |position| position % 3 == 0).encode();
    let (held, tip) = author.verify(Segment::decode(&lacking, project()).unwrap(), &author.empty()).unwrap();
    assert_eq!(tip, whole);

    let filled = held.entries.iter().zip(&segments[0].entries).map(|(entry, sent)| {
        assert_eq!(entry.payload.is_none(), entry.position % 3 == 0);
        let payload = sent.payload.clone().unwrap();
        let mut other = payload.clone();
        other[0] ^= 1;
        assert!(verify_payload(&entry.header, other).is_err());
        let late = verify_payload(&entry.header, payload).unwrap();
        WireEntry { header: late.header_bytes.clone(), payload: Some(late.payload.clone()) }
    });
    let filled = Segment { entries: filled.collect(), ..outgoing(&segments[0]) };
    assert_eq!(filled, outgoing(&segments[0]));
}

#[test]
fn an_entry_of_an_unknown_version_is_chained_and_passed_on_and_the_log_goes_on_after_it() {
    let (author, tip, _) = two_then(vec![create(2)]);
    let payload = b"what a newer version says".to_vec();
    let unknown = Header {
        ends_commit: true,
        payload_hash: Hash(*blake3::hash(&payload).as_bytes()),
        payload_len: payload.len() as u32,
        body: Body::Unknown { version: 7, flags: 0xf0, bytes: b"anything at all".to_vec() },
    };
    let mut next = tip.clone();
    let hash = next.append(&unknown, &unknown.encode()).unwrap();
    let signature = author.secret.sign(&checkpoint_message(tip.id(), 3, &hash));
    let entries = vec![WireEntry { header: unknown.encode_beside_payload(), payload: Some(payload) }];
    let bytes = Segment { log: author.name, start: 2, entries, signature }.encode();

    let (verified, tip) = author.verify(Segment::decode(&bytes, project()).unwrap(), &tip).unwrap();
    assert_eq!(outgoing(&verified).encode(), bytes);
    assert_eq!(verified.entries[0].header.v1(), None);
    let (later, tip) = author.write(&tip, vec![create(3), edit(b"later")]).unwrap();
    assert_eq!(receive(&author, &later, &next).1, tip);

    // And what it may have declared changes nothing for entries of version 1.
    let undeclared = Subject::Create { collection: 2, random: [0; 8] };
    let refused = verify_forged(&author, &tip, &[header(BodyV1 { key: 1, subject: undeclared, ..BodyV1::default() })]);
    assert_eq!(refused, Err(VerifyError::Rule { position: 5, error: TipError::Undeclared("collection", 2) }));
}

#[test]
fn both_sides_of_a_fork_verify_from_the_entry_at_which_they_part() {
    let author = Author::of_data(1);
    let (stem, at_fork) = author.log_of(3);
    let (left, left_tip) = author.write(&at_fork, vec![create(3), edit(b"left")]).unwrap();
    let (right, right_tip) = author.write(&at_fork, vec![create(4)]).unwrap();
    assert_ne!(left_tip.hash(), right_tip.hash());

    // A device that holds the left side finds the tip of the fork again from what it stored.
    let (held, tip) = receive(&author, &stem, &author.empty());
    let (more, tip) = receive(&author, &left, &tip);
    assert_eq!(tip, left_tip);
    let stored = held.iter().chain(&more).flat_map(|segment| &segment.entries);
    let upto = stored.take(3).map(|entry| (entry.header_bytes.as_slice(), entry.payload.as_deref()));
    let again = replay(&author.empty(), upto).unwrap();
    assert_eq!(again, at_fork);
    assert_eq!(receive(&author, &right, &again).1, right_tip);
    assert!(author.verify(outgoing(&right[0]), &left_tip).is_err());
}

#[test]
fn references_reach_only_what_was_anchored() {
    let (author, tip, _) = two_then(vec![create(2)]);
    let other = LogId([3; 32]);
    let tip = verify_forged(&author, &tip, &[declaring(vec![anchor(1, Some(other), 40)])]).unwrap();
    let edit_of = |branch, position| {
        let subject = Subject::Edit { parents: vec![Reference { branch, position }] };
        verify_forged(&author, &tip, &[header(BodyV1 { key: 1, subject, ..BodyV1::default() })])
    };
    for (branch, position, reached) in
        [(0, 1, true), (0, 3, true), (0, 4, false), (1, 0, true), (1, 40, true), (1, 41, false), (2, 0, false)]
    {
        let error = TipError::Reference(Reference { branch, position });
        match edit_of(branch, position) {
            Ok(_) => assert!(reached),
            Err(refused) => assert_eq!((refused, reached), (VerifyError::Rule { position: 3, error }, false)),
        }
    }
}

#[test]
fn declarations_out_of_order_are_refused() {
    let (author, tip, _) = two_then(vec![create(2)]);
    let other = LogId([3; 32]);
    let tip = verify_forged(&author, &tip, &[declaring(vec![anchor(1, Some(other), 40)])]).unwrap();
    for wrong in [
        anchor(0, None, 41),
        anchor(1, None, 40),
        anchor(1, None, 39),
        anchor(1, Some(other), 41),
        anchor(2, None, 1),
        anchor(3, Some(other), 1),
        anchor(2, Some(tip.id()), 1),
    ] {
        let refused = verify_forged(&author, &tip, &[declaring(vec![wrong])]);
        assert!(matches!(refused, Err(VerifyError::Rule { error: TipError::Declaration(_), .. })));
    }
    assert!(verify_forged(&author, &tip, &[declaring(vec![anchor(1, None, 41), anchor(2, Some(other), 1)])]).is_ok());
    let key = BodyV1 { key: 2, ..BodyV1::default() };
    let refused = verify_forged(&author, &tip, &[header(key)]);
    assert_eq!(refused, Err(VerifyError::Rule { position: 3, error: TipError::Undeclared("key set", 2) }));
}

#[test]
fn a_control_log_holds_no_documents_keys_or_attachments() {
    let author = Author::of_control(1);
    let tip = author.empty();
    let parents = vec![Reference { branch: 0, position: 1 }];
    for body in [
        BodyV1 { subject: Subject::Create { collection: 1, random: [0; 8] }, ..BodyV1::default() },
        BodyV1 { subject: Subject::Edit { parents }, ..BodyV1::default() },
        BodyV1 { declarations: opening(), ..BodyV1::default() },
        BodyV1 { key: 1, ..BodyV1::default() },
        BodyV1 { attachments: vec![AttachmentName { hash: Hash([1; 32]), length: 1 }], ..BodyV1::default() },
    ] {
        assert!(matches!(verify_forged(&author, &tip, &[header(body)]), Err(VerifyError::Rule { .. })));
    }
    assert!(verify_forged(&author, &tip, &[header(BodyV1::default())]).is_ok());
}

#[test]
fn what_an_author_declares_cannot_grow_without_end() {
    let (author, mut tip, _) = two_then(vec![create(2)]);
    let mut branches = 0u32;
    let refused = loop {
        let next = (1..=400).map(|more| anchor(branches + more, Some(LogId([3; 32])), 1)).collect();
        match verify_forged(&author, &tip, &[declaring(next)]) {
            Ok(next) => (tip, branches) = (next, branches + 400),
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, VerifyError::Rule { error: TipError::Declaration("branches"), .. }));
    assert!(branches as usize <= limits::ANCHORED_BRANCHES);
}

#[test]
fn a_log_declares_as_many_bytes_as_its_limit_says() {
    let (author, mut tip, _) = two_then(vec![create(2)]);
    let shape = |bytes| declaring(vec![Declaration::Shape(vec![1; bytes])]);
    // A key set and a collection are declared. The last shape is short.
    let mut left = limits::TABLE_BYTES - Hash::LEN - CollectionTag::LEN - 22;
    while left > 0 {
        let bytes = left.min(limits::DECLARED_BYTES - 1);
        tip = verify_forged(&author, &tip, &[shape(bytes)]).unwrap();
        left -= bytes;
    }
    let refused = verify_forged(&author, &tip, &[shape(1)]);
    assert!(matches!(refused, Err(VerifyError::Rule { error: TipError::Declaration("shapes"), .. })));
    let mut bytes = tip.encode();
    assert_eq!(Tip::decode(&bytes), Ok(tip));
    // One byte more in it.
    let length = bytes.iter().rposition(|byte| *byte != 1).unwrap();
    bytes[length] += 1;
    bytes.push(1);
    assert!(matches!(Tip::decode(&bytes), Err(DecodeError::Limit { .. })));
}

#[test]
fn a_commit_over_its_limits_is_not_written_and_not_taken() {
    let author = Author::of_data(1);
    let too_many = author.write(&author.empty(), (0..limits::COMMIT_ENTRIES + 1).map(create).collect());
    assert_eq!(too_many, Err(WriteError::Rule(TipError::Commit)));
    assert!(author.write(&author.empty(), (0..limits::COMMIT_ENTRIES).map(create).collect()).is_ok());

    let (_, mut tip) = author.log_of(1);
    let open = |payload_len| Header { ends_commit: false, payload_len, ..declaring(Vec::new()) };
    let refused = loop {
        match verify_forged(&author, &tip, &[open(1 << 20)]) {
            Ok(next) => tip = next,
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, VerifyError::Rule { error: TipError::Commit, position: 16 }));
    assert_eq!(tip.open_commit(), Some(1));
}

#[test]
fn nothing_is_written_that_could_not_be_read_back() {
    let author = Author::of_data(1);
    let (_, tip) = author.log_of(3);
    let parents = |parents: Vec<Reference>| Draft {
        body: BodyV1 { subject: Subject::Edit { parents }, ..create(3).body },
        ..create(3)
    };
    let back = |position| Reference { branch: 0, position };
    let declares =
        |declaration| Draft { body: BodyV1 { declarations: vec![declaration], ..create(3).body }, ..create(3) };
    for draft in [
        parents(Vec::new()),
        parents(vec![back(2), back(1)]),
        parents(vec![back(1), back(1)]),
        declares(Declaration::Keys(Vec::new())),
        declares(Declaration::Keys(vec![EPOCH, EPOCH])),
        declares(Declaration::Shape(vec![0; limits::DECLARED_BYTES + 1])),
    ] {
        assert!(matches!(author.write(&tip, vec![draft]), Err(WriteError::Header(_))));
    }
}

#[test]
fn a_change_takes_as_many_bytes_as_its_limits_say() {
    let noise = |bytes: usize| {
        let mut content = vec![0; bytes];
        blake3::Hasher::new().finalize_xof().fill(&mut content);
        content
    };
    let mostly_empty = |bytes: usize| [noise(100_000), vec![0; bytes - 100_000]].concat();
    let write = |author: Author, draft: Draft| author.write(&author.empty(), vec![draft]).map(drop);
    let data = |content| write(Author::of_data(1), Draft { content, ..create(0) });
    let control = |content| write(Author::of_control(1), Draft { content, body: BodyV1::default() });
    let limit = limits::PAYLOAD_BYTES;
    let too_large = |limit: usize| Err(WriteError::TooLarge { bytes: limit + 1, limit });
    assert_eq!(control(noise(limit)), Ok(()));
    assert_eq!(control(noise(limit + 1)), too_large(limit));
    // Sealing takes 17 bytes.
    assert_eq!(data(noise(limit - 17)), Ok(()));
    assert_eq!(data(noise(limit - 16)), too_large(limit));
    assert_eq!(data(mostly_empty(PLAINTEXT_BYTES)), Ok(()));
    assert_eq!(data(mostly_empty(PLAINTEXT_BYTES + 1)), too_large(PLAINTEXT_BYTES));
}

#[test]
fn what_a_log_declared_is_found_under_its_last_number() {
    let (author, tip, _) = two_then(vec![create(2)]);
    let again = verify_forged(&author, &tip, &[declaring(opening())]).unwrap();
    let numbers = |tip: &Tip, epoch, tag| (tip.key_set_number(&[epoch]), tip.collection_number(CollectionTag(tag)));
    assert_eq!(numbers(&tip, EPOCH, [0xcc; 16]), (Some(1), Some(1)));
    assert_eq!(numbers(&again, EPOCH, [0xcc; 16]), (Some(2), Some(2)));
    assert_eq!(numbers(&again, Hash([1; 32]), [1; 16]), (None, None));
    assert_eq!((again.key_sets(), again.collections(), again.shapes()), (2, 2, 0));
}

#[test]
fn a_log_is_written_by_its_device_with_its_key_only() {
    let author = Author::of_data(1);
    let set = SetKey::combine(vec![(EPOCH, &ReadingKey::from_bytes([0x11; 32]))]);
    let strange = Author { key: Some(set.for_log(LogId([8; 32]))), ..Author::of_data(1) };
    assert_eq!(strange.write(&strange.empty(), vec![create(0)]), Err(WriteError::Key));
    let unsealed = Author { key: None, ..Author::of_data(1) };
    assert_eq!(unsealed.write(&unsealed.empty(), vec![create(0)]), Err(WriteError::Key));
    assert_eq!(author.write(&Author::of_data(2).empty(), vec![create(0)]), Err(WriteError::OtherDevice));
    assert_eq!(author.write(&author.empty(), Vec::new()), Err(WriteError::Empty));
}

#[test]
fn sealed_content_opens_for_every_reader_and_at_its_place_only() {
    let author = Author::of_data(1);
    let (segments, _) = author.log_of(3);
    let key = author.key.as_ref().unwrap();
    for entry in &segments[0].entries {
        let sealed = entry.payload.as_deref().unwrap();
        let expected = format!("place number {}", entry.position).into_bytes();
        assert_eq!(key.open_payload(entry.position, &entry.header, sealed), Ok(expected));
        assert!(key.open_payload(entry.position + 1, &entry.header, sealed).is_err());
        let other = Author::of_data(2);
        assert!(other.key.as_ref().unwrap().open_payload(entry.position, &entry.header, sealed).is_err());
    }
}
