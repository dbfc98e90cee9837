//! What the tests of the log share: one place where logs, keys and drafts are made.
#![allow(dead_code, reason = "each test program uses its part")]

use std::sync::LazyLock;

use ayni_log::header::{BodyV1, Declaration, Reference, Subject};
use ayni_log::ids::{CollectionTag, Hash, LogKind, LogName, ProjectId, StoreId};
use ayni_log::membership::{ControlBody, FoundingBody, founder};
use ayni_log::seal::{LogKey, ReadingKey, SetKey};
use ayni_log::segment::{Admitted, Segment, Verified, VerifiedSegment, VerifyError, WireEntry, verify};
use ayni_log::sign::DeviceSecret;
use ayni_log::tip::Tip;
use ayni_log::write::{Draft, WriteError, write_commit};

/// The time of the first entry that tests write: 2026-11-21T00:00:00Z.
pub(crate) const TIME: i64 = 1_795_219_200_000;
pub(crate) const EPOCH: Hash = Hash([0xee; 32]);

/// What founds the project of all tests: device 1 is the founder, device 2 stands for the recovery key, so both are admitted.
fn founding_body() -> FoundingBody {
    let (one, two) = (DeviceSecret::from_seed(&[1; 32]), DeviceSecret::from_seed(&[2; 32]));
    FoundingBody {
        founder: one.id(),
        founder_exchange: one.exchange_public(),
        recovery: two.id(),
        recovery_exchange: two.exchange_public(),
        naming: Hash([0x99; 32]),
        random: [0xaa; 32],
        name: vec![0xbb; 20],
    }
}

fn founding() -> Vec<u8> {
    ControlBody::Found(founding_body()).encode()
}

pub(crate) fn project() -> ProjectId {
    static PROJECT: LazyLock<ProjectId> = LazyLock::new(|| founding_body().project());
    *PROJECT
}

/// A device with one log and the keys to it.
pub(crate) struct Author {
    pub(crate) secret: DeviceSecret,
    pub(crate) name: LogName,
    pub(crate) key: Option<LogKey>,
}

impl Author {
    pub(crate) fn of_data(seed: u8) -> Self {
        Self::new(seed, LogKind::Data)
    }

    pub(crate) fn of_control(seed: u8) -> Self {
        Self::new(seed, LogKind::Control)
    }

    fn new(seed: u8, kind: LogKind) -> Self {
        let secret = DeviceSecret::from_seed(&[seed; 32]);
        let name = LogName { project: project(), device: secret.id(), kind, incarnation: StoreId([seed; 16]) };
        let set = SetKey::combine(vec![(EPOCH, &ReadingKey::from_bytes([0x11; 32]))]);
        let key = (kind == LogKind::Data).then(|| set.for_log(name.id()));
        Self { secret, name, key }
    }

    pub(crate) fn empty(&self) -> Tip {
        Tip::new(self.name)
    }

    pub(crate) fn admitted(&self) -> Admitted {
        founder(project(), &founding(), self.secret.id()).expect("tests use the devices 1 and 2")
    }

    pub(crate) fn write(
        &self,
        tip: &Tip,
        drafts: Vec<Draft>,
    ) -> Result<(Vec<Verified<VerifiedSegment>>, Tip), WriteError> {
        write_commit(tip, &self.secret, self.key.as_ref(), drafts)
    }

    pub(crate) fn verify(&self, segment: Segment, tip: &Tip) -> Result<(Verified<VerifiedSegment>, Tip), VerifyError> {
        verify(segment, tip, &self.admitted())
    }

    /// A log of `creates` new documents, in one commit.
    pub(crate) fn log_of(&self, creates: usize) -> (Vec<Verified<VerifiedSegment>>, Tip) {
        self.write(&self.empty(), (0..creates).map(create).collect()).unwrap()
    }
}

/// The draft of entry `index` of a log: a creation; the first also declares the key set and collection 1.
pub(crate) fn create(index: usize) -> Draft {
    let declarations = if index == 0 { opening() } else { Vec::new() };
    let subject = Subject::Create { collection: 1, random: (index as u64).to_be_bytes() };
    let body = BodyV1 { time: TIME + index as i64, key: 1, declarations, subject, ..BodyV1::default() };
    Draft { body, content: format!("place number {index}").into_bytes() }
}

/// An edit of the document that the entry before it made.
pub(crate) fn edit(content: &[u8]) -> Draft {
    let subject = Subject::Edit { parents: vec![Reference { branch: 0, position: 1 }] };
    Draft { body: BodyV1 { time: TIME, key: 1, subject, ..BodyV1::default() }, content: content.to_vec() }
}

pub(crate) fn opening() -> Vec<Declaration> {
    let collection = Declaration::Collection { tag: CollectionTag([0xcc; 16]), name: vec![0xdd; 22] };
    vec![Declaration::Keys(vec![EPOCH]), collection]
}

/// A segment as it goes out, payloads and all.
pub(crate) fn outgoing(segment: &VerifiedSegment) -> Segment {
    outgoing_without(segment, |_| false)
}

/// The same with the payloads at some positions held back.
pub(crate) fn outgoing_without(segment: &VerifiedSegment, held_back: impl Fn(u64) -> bool) -> Segment {
    let entries = segment.entries.iter().map(|entry| match &entry.payload {
        Some(payload) if !held_back(entry.position) => {
            WireEntry { header: entry.header_bytes.clone(), payload: Some(payload.clone()) }
        }
        _ => WireEntry { header: entry.header.encode(), payload: None },
    });
    Segment { log: segment.log, start: segment.start, entries: entries.collect(), signature: segment.signature }
}
