//! The numbers of docs/sync.md, and what happens right at them.

use ayni_log::ids::{DeviceId, Hash, LogKind, Signature, StoreId};
use ayni_log::segment::encode_segment;
use ayni_sync::message::{FrontierEntry, Hello, Kind, LogRef, Message, RefusedCode, SegmentFrame};
use ayni_sync::receipt::Retention;
use ayni_sync::tag::Side;
use ayni_sync::{Action, CloseCode, Offer, Receipt, ReceiptKey, Session, SignedReceipt, limits};

use crate::attack::{Attack, NOW};
use crate::toy::{Toy, project_id};
use crate::world::{config, messages};

const KIB: usize = 1_024;
const MIB: usize = 1_024 * KIB;

#[test]
fn the_numbers_are_those_that_the_page_tells() {
    assert_eq!((limits::OLDEST_VERSION, limits::VERSION), (1, 1));
    assert_eq!((limits::WINDOW, limits::SEND_LIMIT), (8 * MIB as u64, 8 * MIB));
    assert_eq!((limits::PROJECTS, limits::TAG_PADDING), (1_024, 4));
    assert_eq!((limits::FRONTIER_BRANCHES, limits::BRANCHES_PER_FRAME), (16_384, 1_024));
    assert_eq!((limits::PEER_BRANCHES_PER_LOG, limits::PROBE_POINTS, limits::PROBE_RETRIES), (16, 32, 3));
    assert_eq!((limits::RECEIPTS, limits::RECEIPT_BYTES, limits::RECEIPT_LACKED), (16_384, 1_280 * KIB, 4_096));
    assert_eq!((limits::JOIN_REQUESTS, limits::JOIN_REQUEST_BYTES, limits::TEXT_BYTES), (8, 4 * KIB, 256));
    let seconds = [limits::HELLO_TIME, limits::KEEP_ALIVE, limits::SILENCE, limits::FRAME_TIME, limits::STALL_TIME];
    assert_eq!(seconds, [10_000, 15_000, 45_000, 120_000, 120_000]);
    assert_eq!((limits::FORWARD_DELAY, limits::FORWARD_PATIENCE, limits::GOODBYE_TIME), (20, 500, 2_000));
    assert_eq!(limits::MUCH, 64 * KIB as u64);
    // Of this side alone, not of the protocol: what is read ahead of the channel.
    assert_eq!(limits::SEND_BUFFER, MIB);
}

#[test]
fn a_frame_is_as_long_as_the_page_tells_and_no_longer() {
    let segment = ayni_log::segment::MAX_SEGMENT_BYTES + 256;
    let table = [
        (Kind::Hello, 128 * KIB),
        (Kind::Tags, 128 * KIB),
        (Kind::Summary, KIB),
        (Kind::Declined, KIB),
        (Kind::Frontier, 128 * KIB),
        (Kind::News, 128 * KIB),
        (Kind::Missing, KIB),
        (Kind::Probe, 4 * KIB),
        (Kind::Probed, KIB),
        (Kind::Plan, KIB),
        (Kind::Segment, segment),
        (Kind::Stored, KIB),
        (Kind::Refused, KIB),
        (Kind::Receipts, 128 * KIB),
        (Kind::Receipt, 1_280 * KIB + 256),
        (Kind::Join, 4 * KIB + 64),
        (Kind::Goodbye, 1),
        (Kind::Ping, 1),
        (Kind::Close, KIB),
    ];
    for (kind, limit) in table {
        assert_eq!(Kind::frame_limit(kind as u8), limit, "{kind:?}");
        let head = |length: usize| [&(length as u32).to_be_bytes()[..], &[kind as u8]].concat();
        let mut attack = Attack::open();
        attack.send(&head(limit));
        // The longest of one byte is whole with that.
        if limit > 1 {
            attack.assert_open();
        }
        let mut attack = Attack::open();
        attack.send(&head(limit + 1));
        attack.assert_ended(CloseCode::Malformed);
    }
    assert_eq!(Kind::frame_limit(200), 128 * KIB, "a type that a newer program knows");
}

#[test]
fn who_has_more_projects_than_can_be_named_names_as_many_as_can() {
    let (honest, peer) = (Toy::new(1), Toy::new(2));
    let number = |n: usize| ayni_log::ids::ProjectId([(n >> 8) as u8, n as u8].repeat(16).try_into().unwrap());
    let offers = (0..1_100).map(|n| Offer::from(number(n))).collect();
    let mut session = Session::new(config(&honest, &peer, Side::Initiator, 1, offers), NOW);
    let hello = messages(&session.poll_send(&honest, MIB)).remove(0);
    let Message::Hello(hello) = hello else { panic!("hello comes first") };
    assert!(hello.tags.len() > 1_000 && hello.tags.len() <= 1_024, "{} are named", hello.tags.len());
}

#[test]
fn a_branch_may_be_as_long_as_the_limit_and_no_longer() {
    let log = LogRef { device: DeviceId([7; 32]), kind: LogKind::Data, incarnation: StoreId([8; 16]) };
    let read = |length| {
        let frame = Message::Missing { project: 0, log, length, hash: Hash([1; 32]) }.encode();
        Message::decode(frame[4], &frame[5..])
    };
    assert!(read(1 << 40).is_ok());
    assert!(read((1 << 40) + 1).is_err());
    assert!(read(0).is_err());
}

/// 1,024 branches that nobody else has, others for each number.
fn page(number: u64) -> Vec<FrontierEntry> {
    let entry = |n: u64| FrontierEntry {
        device: DeviceId([7; 32]),
        incarnation: StoreId(u128::from(number << 10 | n).to_be_bytes()),
        length: 1,
        hash: Hash([1; 32]),
        bytes: 1,
    };
    (0..1_024).map(entry).collect()
}

#[test]
fn a_frontier_may_be_as_long_as_the_limit_and_no_longer() {
    let page = |number| Message::Frontier { project: 0, kind: LogKind::Data, last: false, entries: page(number) };
    let mut attack = Attack::open();
    for number in 0..16 {
        attack.say(&page(number));
    }
    attack.assert_open();
    attack.say(&page(16));
    attack.assert_ended(CloseCode::Unexpected);
}

#[test]
fn news_may_be_of_twice_as_many_branches_as_a_frontier_and_of_no_more() {
    let news = |number| Message::News { project: 0, kind: LogKind::Data, entries: page(number) };
    let mut attack = Attack::level();
    for number in 0..32 {
        attack.say(&news(number));
    }
    attack.assert_open();
    attack.say(&news(32));
    attack.assert_ended(CloseCode::Unexpected);
}

#[test]
fn a_list_of_receipts_may_be_as_long_as_the_limit_and_no_longer() {
    let page = |number: u64| {
        let key = |n: u64| ReceiptKey {
            device: DeviceId([7; 32]),
            store: StoreId(u128::from(number << 10 | n).to_be_bytes()),
        };
        let entries = (0..1_024).map(|n| (key(n), 1)).collect();
        Message::Receipts { project: 0, last: false, entries }
    };
    let mut attack = Attack::open();
    for number in 0..16 {
        attack.say(&page(number));
    }
    attack.assert_open();
    attack.say(&page(16));
    attack.assert_ended(CloseCode::Unexpected);
}

#[test]
fn who_refuses_everything_for_want_of_what_is_before_it_is_asked_three_times() {
    let mut attack = Attack::open();
    attack.say_frontier(&[]);
    let (mut refused, mut asked) = (0, 0);
    for _ in 0..100 {
        for message in messages(&std::mem::take(&mut attack.heard)) {
            match message {
                Message::Segment { .. } => {
                    attack.say(&Message::Refused { segment: refused, code: RefusedCode::UnknownBase });
                    refused += 1;
                }
                Message::Probe { id, .. } => {
                    attack.say(&Message::Probed { id, held: 0 });
                    asked += 1;
                }
                _ => {}
            }
        }
    }
    attack.assert_open();
    assert_eq!(asked, 3);
}

#[test]
fn a_segment_may_end_at_the_last_position_and_no_further() {
    let log = LogRef { device: DeviceId([7; 32]), kind: LogKind::Data, incarnation: StoreId([8; 16]) };
    let read = |start, count| {
        let entries = std::iter::repeat_n((&b"entry"[..], None), count);
        let bytes = encode_segment(&log.name(project_id(1)), start, entries, &Signature([1; 64]));
        let (previous, hash) = (Hash([1; 32]), Hash([2; 32]));
        let count = count as u64;
        let segment = SegmentFrame { log, start, count, previous, hash, size: 5, left: (0, 0), bytes };
        let frame = Message::Segment { project: 0, segment }.encode();
        Message::decode(frame[4], &frame[5..])
    };
    assert!(read((1 << 40) - 2, 2).is_ok());
    assert!(read((1 << 40) - 1, 2).is_err());
    assert!(read(0, 0).is_err());
    assert!(read(u64::MAX, 1).is_err());
}

#[test]
fn a_request_to_join_may_be_as_long_as_the_limit_and_comes_so_often_and_no_more() {
    let join = |length| Message::Join { project: 0, request: vec![1; length] };
    let mut attack = Attack::open();
    for _ in 0..8 {
        attack.say(&join(4 * KIB));
    }
    attack.assert_open();
    let asked = attack.actions.iter().any(|action| matches!(action, Action::JoinRequest { .. }));
    assert!(!asked, "who is admitted has nothing to ask for");
    attack.say(&join(1));
    attack.assert_ended(CloseCode::Unexpected);

    let mut attack = Attack::open();
    attack.say(&join(4 * KIB + 1));
    attack.assert_ended(CloseCode::Malformed);
}

#[test]
fn so_many_projects_may_be_named_and_no_more() {
    let tags = |first: u16, count| (first..first + count).map(|n| [(n >> 8) as u8, n as u8].repeat(16));
    let tags = |first, count| tags(first, count).map(|tag| tag.try_into().unwrap()).collect::<Vec<_>>();
    let mut attack = Attack::new();
    let hello = attack.hello();
    attack.say(&Message::Hello(Hello { tags: tags(0, 1_000), ..hello }));
    attack.say(&Message::Tags(tags(1_000, 24)));
    attack.assert_open();
    attack.say(&Message::Tags(tags(1_024, 1)));
    attack.assert_ended(CloseCode::Unexpected);
}

#[test]
fn no_more_projects_are_added_to_a_session_than_can_be_named() {
    let mut attack = Attack::open();
    let number = |n: usize| ayni_log::ids::ProjectId([(n >> 8) as u8, n as u8].repeat(16).try_into().unwrap());
    for n in 1_000..2_100 {
        attack.session.add_project(&attack.honest, Offer::from(number(n)));
    }
    attack.drain();
    assert_eq!(attack.heard_of(Kind::Tags).len(), 1_024 - limits::TAG_PADDING);
}

fn key(n: u64) -> ReceiptKey {
    ReceiptKey { device: DeviceId([7; 32]), store: StoreId(u128::from(n).to_be_bytes()) }
}

fn receipt(n: u64) -> SignedReceipt {
    let receipt = Receipt {
        project: project_id(1),
        key: key(n),
        counter: 5,
        time: 0,
        retention: Retention::Everything,
        heads: Vec::new(),
        lacked: Vec::new(),
        attachments_lacked: 0,
    };
    receipt.sign(&ayni_log::sign::DeviceSecret::from_seed(&[7; 32]))
}

#[test]
fn a_receipt_may_be_as_long_as_the_limit_and_no_longer() {
    let of_a_newer_version = |length: usize| {
        let mut receipt = receipt(1);
        receipt.body[0] = 9;
        receipt.body.resize(length - Signature::LEN, 0);
        Message::Receipt { project: 0, bytes: receipt.encode() }
    };
    let mut attack = Attack::open();
    attack.say(&of_a_newer_version(1_280 * KIB));
    attack.assert_open();
    assert!(attack.actions.iter().any(|action| matches!(action, Action::StoreReceipt { .. })));
    attack.say(&of_a_newer_version(1_280 * KIB + 1));
    attack.assert_ended(CloseCode::Malformed);
}

#[test]
fn receipts_of_no_more_devices_are_taken_than_a_project_can_have() {
    let receipt = |n| Message::Receipt { project: 0, bytes: receipt(n).encode() };
    let mut attack = Attack::open();
    for page in 0..16 {
        let entries = (page * 1_024..(page + 1) * 1_024).map(|n| (key(n), 1)).collect();
        attack.say(&Message::Receipts { project: 0, last: page == 15, entries });
    }
    attack.say(&receipt(3));
    attack.assert_open();
    attack.say(&receipt(16_384));
    attack.assert_ended(CloseCode::Unexpected);
}

#[test]
fn what_a_session_holds_is_counted() {
    let mut attack = Attack::open();
    assert_eq!(attack.session.held_bytes(), 0);
    let segment = attack.segments(1).remove(0);
    let Message::Segment { segment: SegmentFrame { ref bytes, .. }, .. } = segment else { panic!("a segment") };
    attack.say(&segment);
    let unstored = bytes.len() as u64;
    assert_eq!(attack.session.held_bytes(), unstored);
    attack.send(&segment.encode()[..25]);
    assert_eq!(attack.session.held_bytes(), unstored + 25);
    attack.session.decline(&project_id(1), "no");
    let unsent = attack.session.held_bytes() - unstored - 25;
    attack.drain();
    let declined = attack.heard_of(Kind::Declined).remove(0);
    assert_eq!(unsent, declined.encode().len() as u64);
    attack.session.stored(&attack.honest, ayni_sync::Token(0));
    attack.drain();
    assert_eq!(attack.session.held_bytes(), 25);
}
