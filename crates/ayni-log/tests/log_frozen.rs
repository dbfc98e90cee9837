//! Logs as they were once written: every later version must read them to the same facts and write them in the same bytes.
//!
//! The files in `frozen/` hold one segment a line, as hexadecimal digits, and are never written again; `docs/log.md` lists
//! their hashes. A change that fails here would make logs unreadable that people have.

mod log_support;

use ayni_log::entry::Entry;
use ayni_log::header::{Anchor, AttachmentName, Body, BodyV1, Declaration, Header, Reference, Subject, document_id};
use ayni_log::ids::{Hash, LogId, LogKind, LogName, ProjectId, StoreId};
use ayni_log::seal::{Declared, LogKey, NamingKey, ReadingKey, SetKey};
use ayni_log::segment::{Segment, WireEntry, checkpoint_message, replay};
use ayni_log::sign::DeviceSecret;
use ayni_log::tip::Tip;
use ayni_log::write::Draft;
use data_encoding::HEXLOWER_PERMISSIVE as HEX;

use log_support::{Author, EPOCH, TIME};

const DOCS: &str = include_str!("../../../docs/log.md");
const CONTROL: &str = include_str!("frozen/log_control.hex");
const DATA: &str = include_str!("frozen/log_data.hex");
const TIP: &str = include_str!("frozen/log_tip.hex");

const OTHER_LOG: LogId = LogId([0x33; 32]);
const OTHER_EPOCH: Hash = Hash([0xef; 32]);

fn lines(frozen: &str) -> Vec<Vec<u8>> {
    frozen.lines().map(|line| HEX.decode(line.as_bytes()).unwrap()).collect()
}

/// The author of a frozen log. Its project was never founded, so nobody is admitted to it: [`check`] goes by the chain and
/// the signatures alone.
fn author(kind: LogKind, seed: u8) -> Author {
    let secret = DeviceSecret::from_seed(&[seed; 32]);
    let (project, incarnation) = (ProjectId([0xaa; 32]), StoreId([seed; 16]));
    let name = LogName { project, device: secret.id(), kind, incarnation };
    Author { secret, name, key: None }
}

/// The entries of the frozen log, segment by segment, after checking that it is listed in the docs, that all its signatures
/// hold and that it is written again the same.
fn check(name: &str, frozen: &str, author: &Author) -> (Vec<Vec<Entry>>, Tip) {
    let hash = Hash(*blake3::hash(frozen.as_bytes()).as_bytes());
    assert!(DOCS.contains(&format!("| `{name}` | `{hash}` |")), "docs/log.md must list {name} {hash}");
    let mut tip = author.empty();
    let mut segments = Vec::new();
    for bytes in lines(frozen) {
        let segment = Segment::decode(&bytes, author.name.project).unwrap();
        assert_eq!(segment.encode(), bytes);
        assert_eq!((segment.log, segment.start), (author.name, tip.length()));
        let mut entries = Vec::new();
        for WireEntry { header: header_bytes, payload } in segment.entries {
            let position = tip.length();
            let header = Entry::read_header(&header_bytes, payload.as_deref()).unwrap();
            let again = if payload.is_some() { header.encode_beside_payload() } else { header.encode() };
            assert_eq!(again, header_bytes);
            tip = replay(&tip, [(header_bytes.as_slice(), payload.as_deref())]).unwrap();
            let hash = tip.hash();
            entries.push(Entry { position, hash, header, header_bytes, payload });
        }
        let message = checkpoint_message(tip.id(), tip.length(), &tip.hash());
        author.name.device.verify(&message, &segment.signature).unwrap();
        segments.push(entries);
    }
    (segments, tip)
}

/// What the frozen control log says: three entries, the last two one commit.
fn control() -> Vec<Vec<Draft>> {
    let draft = |time, declarations, content: &[u8]| Draft {
        body: BodyV1 { time, declarations, ..BodyV1::default() },
        content: content.to_vec(),
    };
    let other = |position| Anchor { number: 1, log: Some(OTHER_LOG), position, hash: Hash([0x44; 32]) };
    vec![
        vec![draft(TIME, Vec::new(), b"as if it founded a project")],
        vec![
            draft(TIME + 1, vec![Declaration::Anchor(other(5))], b"as if it admitted a device"),
            draft(-1, Vec::new(), b""),
        ],
    ]
}

fn key_of(log: LogId, number: u32) -> LogKey {
    let (first, second) = (ReadingKey::from_bytes([0x11; 32]), ReadingKey::from_bytes([0x22; 32]));
    let epochs = if number == 1 { vec![(EPOCH, &first)] } else { vec![(OTHER_EPOCH, &second), (EPOCH, &first)] };
    SetKey::combine(epochs).for_log(log)
}

fn naming() -> NamingKey {
    NamingKey::from_bytes([0x55; 32])
}

fn text(len: usize) -> Vec<u8> {
    b"land monitored by those who live on it; ".iter().copied().cycle().take(len).collect()
}

/// What the frozen data log says, commit by commit, with the number of the key set that seals it.
fn data(log: LogId) -> Vec<(u32, Vec<Draft>)> {
    let one = key_of(log, 1);
    let collection = Declaration::Collection {
        tag: naming().tag("places"),
        name: one.seal_declaration(Declared::Collection, 0, 2, b"places"),
    };
    let shape = Declaration::Shape(one.seal_declaration(Declared::Shape, 0, 3, b"name, point"));
    let heads = Anchor { number: 1, log: Some(OTHER_LOG), position: 2, hash: Hash([0x44; 32]) };
    let opening = vec![Declaration::Anchor(heads), Declaration::Keys(vec![EPOCH]), collection, shape];
    let draft = |time, key, declarations, subject, content: Vec<u8>| Draft {
        body: BodyV1 { time, key, declarations, subject, attachments: Vec::new() },
        content,
    };
    let create = |random| Subject::Create { collection: 1, random: [random; 8] };
    let edit = |parents: &[(u32, u64)]| Subject::Edit {
        parents: parents.iter().map(|&(branch, position)| Reference { branch, position }).collect(),
    };
    let keyed = Subject::Keyed { collection: 1, id: naming().document("places", b"3911925") };
    let further = Anchor { number: 1, log: None, position: 9, hash: Hash([0x66; 32]) };
    let both = vec![Declaration::Anchor(further), Declaration::Keys(vec![EPOCH, OTHER_EPOCH])];
    let mut photo = draft(TIME + 4, 2, Vec::new(), edit(&[(0, 1)]), b"with a photo".to_vec());
    photo.body.attachments = vec![AttachmentName { hash: Hash([0x77; 32]), length: 3_000_000_000 }];
    vec![
        (
            1,
            vec![
                draft(TIME, 1, opening, create(1), b"La Paz".to_vec()),
                draft(TIME + 1, 1, Vec::new(), keyed, text(6_000)),
            ],
        ),
        (1, vec![draft(TIME + 2, 1, Vec::new(), edit(&[(0, 2), (1, 2)]), b"El Alto".to_vec())]),
        (2, vec![draft(TIME + 3, 2, both, edit(&[(0, 3), (1, 0), (1, 9)]), Vec::new()), photo]),
    ]
}

fn header_of(draft: &Draft, ends_commit: bool, payload: &[u8]) -> Header {
    let payload_hash = Hash(*blake3::hash(payload).as_bytes());
    Header { ends_commit, payload_hash, payload_len: payload.len() as u32, body: Body::V1(draft.body.clone()) }
}

#[test]
fn the_frozen_control_log_still_says_what_it_said() {
    let author = author(LogKind::Control, 0x0c);
    let (segments, tip) = check("log_control.hex", CONTROL, &author);
    assert_eq!(segments.len(), 2);
    for (segment, drafts) in segments.iter().zip(control()) {
        assert_eq!(segment.len(), drafts.len());
        for (index, (entry, draft)) in segment.iter().zip(&drafts).enumerate() {
            assert_eq!(entry.payload.as_deref(), Some(draft.content.as_slice()));
            assert_eq!(entry.header, header_of(draft, index + 1 == drafts.len(), &draft.content));
        }
    }
    assert_eq!((tip.length(), tip.open_commit()), (3, None));
    assert_eq!(tip.anchor(1).map(|anchored| (anchored.log, anchored.position)), Some((OTHER_LOG, 5)));
}

#[test]
fn the_frozen_data_log_still_says_what_it_said_and_opens() {
    let author = author(LogKind::Data, 0x0d);
    let (segments, tip) = check("log_data.hex", DATA, &author);
    let log = author.name.id();
    // Three commits, then an entry of a version that was unknown when it was written.
    let (last, known) = segments.split_last().unwrap();
    assert_eq!(known.len(), 3);
    for (segment, (number, drafts)) in known.iter().zip(data(log)) {
        assert_eq!(segment.len(), drafts.len());
        for (index, (entry, draft)) in segment.iter().zip(&drafts).enumerate() {
            let sealed = entry.payload.as_deref().unwrap();
            let opened = key_of(log, number).open_payload(entry.position, &entry.header, sealed);
            assert_eq!(opened.as_ref(), Ok(&draft.content));
            assert_eq!(entry.header, header_of(draft, index + 1 == drafts.len(), sealed));
        }
    }
    assert!(known[0][1].payload.as_ref().unwrap().len() < 200, "6,000 bytes of one sentence are compressed");
    let [future, held_back] = last.as_slice() else { panic!("two entries end the log") };
    let bytes = b"a later form".to_vec();
    assert_eq!(future.header.body, Body::Unknown { version: 2, flags: 0x80, bytes });
    assert_eq!(future.payload.as_deref(), Some(b"a later payload".as_slice()));
    assert_eq!((held_back.payload.is_none(), held_back.header.payload_len), (true, 24));

    assert_eq!((tip.length(), tip.key_sets(), tip.collections(), tip.shapes()), (7, 2, 1, 1));
    let key_sets = [1, 2, 3].map(|number| tip.key_set(number));
    assert_eq!(key_sets, [Some(&[EPOCH][..]), Some(&[EPOCH, OTHER_EPOCH]), None]);
    let collection = tip.collection(1).unwrap();
    assert_eq!(collection.tag, naming().tag("places"));
    let (position, index) = (collection.name.position, collection.name.index);
    let name = key_of(log, 1).open_declaration(Declared::Collection, position, index, &collection.name.bytes);
    assert_eq!(name.as_deref(), Ok(b"places".as_slice()));
    let shape = tip.shape(1).unwrap();
    let fields = key_of(log, 1).open_declaration(Declared::Shape, shape.position, shape.index, &shape.bytes);
    assert_eq!(fields.as_deref(), Ok(b"name, point".as_slice()));
}

#[test]
fn the_frozen_tip_still_continues_its_log() {
    let author = author(LogKind::Data, 0x0d);
    let hash = Hash(*blake3::hash(TIP.as_bytes()).as_bytes());
    assert!(DOCS.contains(&format!("| `log_tip.hex` | `{hash}` |")), "docs/log.md must list log_tip.hex {hash}");
    let bytes = HEX.decode(TIP.trim_end().as_bytes()).unwrap();
    let tip = Tip::decode(&bytes).unwrap();
    assert_eq!(tip.encode(), bytes);
    assert_eq!(tip, check("log_data.hex", DATA, &author).1);
}

#[test]
fn the_examples_of_derived_names_in_the_docs_hold() {
    let (control, data) = (author(LogKind::Control, 0x0c), author(LogKind::Data, 0x0d));
    let key = ReadingKey::from_bytes([0x11; 32]);
    let set = SetKey::combine(vec![(EPOCH, &key)]);
    for (what, value) in [
        ("device of the control log", HEX.encode(control.secret.id().as_bytes())),
        ("its exchange key", control.secret.exchange_public().to_string()),
        ("id of the control log", control.name.id().to_string()),
        ("device of the data log", HEX.encode(data.secret.id().as_bytes())),
        ("id of the data log", data.name.id().to_string()),
        ("set key of key set 1", HEX.encode(set.as_bytes())),
        ("tag of `places`", naming().tag("places").to_string()),
        ("keyed document", HEX.encode(naming().document("places", b"3911925").as_bytes())),
        ("first document", HEX.encode(document_id(data.name.id(), [1; 8]).as_bytes())),
        ("hash of control entry 0", check("log_control.hex", CONTROL, &control).0[0][0].hash.to_string()),
        ("hash of data entry 6", check("log_data.hex", DATA, &data).1.hash().to_string()),
    ] {
        let row = format!("| {what} | `{value}` |");
        assert!(DOCS.contains(&row), "docs/log.md must say {row}");
    }
}
