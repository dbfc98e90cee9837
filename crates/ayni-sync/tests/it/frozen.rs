//! Every message as it was first written. The files are never made anew: old and new code must read and write them alike.

use ayni_log::ids::{DeviceId, Hash, LogId, LogKind, LogName, ProjectId, Signature, StoreId};
use ayni_log::segment::encode_segment;
use ayni_log::sign::DeviceSecret;
use ayni_sync::message::{FrontierEntry, Hello, LogRef, Message, RefusedCode, SegmentFrame, Summary};
use ayni_sync::receipt::{self, Head, Lacked, Retention};
use ayni_sync::tag::{Side, project_tag, prove_transport};
use ayni_sync::{BranchId, BranchTip, Receipt, ReceiptKey, SignedReceipt};

const PROJECT: ProjectId = ProjectId([0x11; 32]);
const STORE: StoreId = StoreId([0x22; 16]);

fn secret() -> DeviceSecret {
    DeviceSecret::from_seed(&[0x33; 32])
}

fn log() -> LogRef {
    LogRef { device: DeviceId([0x44; 32]), kind: LogKind::Data, incarnation: STORE }
}

fn entry(length: u64) -> FrontierEntry {
    FrontierEntry {
        device: DeviceId([0x44; 32]),
        incarnation: STORE,
        length,
        hash: Hash([0x55; 32]),
        bytes: length * 100,
    }
}

fn key() -> ReceiptKey {
    ReceiptKey { device: secret().id(), store: STORE }
}

fn signed_receipt() -> SignedReceipt {
    let receipt = Receipt {
        project: PROJECT,
        key: key(),
        counter: 300,
        time: 1_795_000_000_000,
        retention: Retention::Everything,
        heads: vec![Head { log: LogId([0x66; 32]), length: 1_024, hash: Hash([0x55; 32]) }],
        lacked: vec![Lacked { head: 0, start: 10, count: 5 }],
        attachments_lacked: 2,
    };
    receipt.sign(&secret())
}

fn segment() -> SegmentFrame {
    let name: LogName = log().name(PROJECT);
    let entries: [(&[u8], Option<&[u8]>); 2] = [(b"a header", None), (b"another header", None)];
    SegmentFrame {
        log: log(),
        start: 1_024,
        count: 2,
        previous: Hash([0x77; 32]),
        hash: Hash([0x88; 32]),
        size: 22,
        left: (3, 400),
        bytes: encode_segment(&name, 1_024, entries.into_iter(), &Signature([0x99; 64])),
    }
}

fn hello() -> Message {
    let mut tags = [Side::Initiator, Side::Acceptor].map(|side| project_tag(&PROJECT, &[0xaa; 32], side)).to_vec();
    tags.sort_unstable();
    Message::Hello(Hello {
        version: 1,
        oldest: 1,
        device: secret().id(),
        proof: prove_transport(&secret(), &[0xbb; 32]),
        store: STORE,
        tags,
    })
}

macro_rules! example {
    ($name:literal, $message:expr $(,)?) => {
        ($name, include_str!(concat!("../frozen/", $name, ".hex")), $message)
    };
}

fn examples() -> Vec<(&'static str, &'static str, Message)> {
    let project = 300;
    let hash = Hash([0x55; 32]);
    let summary = |rest| Message::Summary { project, summary: Summary { control: hash, rest } };
    vec![
        example!("hello", hello()),
        example!("tags", Message::Tags(vec![[0x01; 32]])),
        example!("summary", summary(Some((Hash([0x66; 32]), Hash([0x77; 32]))))),
        example!("summary_not_admitted", summary(None)),
        example!("declined", Message::Declined { project, text: "the ticket has expired".into() }),
        example!(
            "frontier",
            Message::Frontier { project, kind: LogKind::Data, last: true, entries: vec![entry(1), entry(1_024)] },
        ),
        example!("news", Message::News { project, kind: LogKind::Control, entries: vec![entry(7)] }),
        example!("missing", Message::Missing { project, log: log(), length: 500, hash }),
        example!(
            "probe",
            Message::Probe { project, id: 5, log: log(), points: vec![(10, hash), (20, Hash([0x66; 32]))] }
        ),
        example!("probed", Message::Probed { id: 5, held: 1 }),
        example!("plan", Message::Plan { project, entries: 171_075, bytes: 20_000_000 }),
        example!("segment", Message::Segment { project, segment: segment() }),
        example!("stored", Message::Stored { first: 128, count: 3 }),
        example!("refused", Message::Refused { segment: 130, code: RefusedCode::AuthorUnknown }),
        example!("receipts", Message::Receipts { project, last: true, entries: vec![(key(), 300)] }),
        example!("receipt", Message::Receipt { project, bytes: signed_receipt().encode() }),
        example!("join", Message::Join { project, request: b"as membership encodes it".to_vec() }),
        example!("goodbye", Message::Goodbye),
        example!("ping", Message::Ping),
        example!("close", Message::Close { code: 5, text: "nothing was heard".into() }),
    ]
}

fn bytes(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_message_is_written_and_read_as_it_was_first() {
    for (name, file, message) in examples() {
        let frame = bytes(file);
        assert_eq!(hex(&message.encode()), hex(&frame), "{name} is written otherwise");
        assert_eq!(Message::decode(frame[4], &frame[5..]), Ok(Some(message)), "{name} is read otherwise");
    }
}

#[test]
fn the_frozen_receipt_is_still_genuine_and_says_the_same() {
    let frame = bytes(include_str!("../frozen/receipt.hex"));
    let Ok(Some(Message::Receipt { bytes, .. })) = Message::decode(frame[4], &frame[5..]) else { panic!("a receipt") };
    let signed = SignedReceipt::decode(&bytes).unwrap();
    assert_eq!(signed.verify(), Ok(()));
    assert_eq!(signed.receipt().unwrap().attachments_lacked, 2);
}

#[test]
fn digests_are_made_as_they_were_first() {
    let name = log().name(PROJECT);
    let tip = |branch, length| BranchTip {
        branch: BranchId(branch),
        log: name,
        length,
        hash: Hash([0x55; 32]),
        bytes: branch,
    };
    let one_way = ayni_sync::digest(&[tip(1, 7), tip(2, 3)]);
    assert_eq!(one_way, ayni_sync::digest(&[tip(9, 3), tip(8, 7)]), "neither order nor branch numbers nor bytes count");
    let digests = [one_way, ayni_sync::digest(&[]), receipt::digest(&[(key(), 300)]), receipt::digest(&[])];
    let lines: Vec<String> = digests.iter().map(|digest| digest.to_string()).collect();
    assert_eq!(hex(&bytes(include_str!("../frozen/digests.hex"))), lines.concat());
}
