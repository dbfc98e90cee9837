//! What counts and what is shown, in whatever order it comes: promises 2 and 6 of the design, held against the inside of the
//! database.

mod arriving;
mod counting;
mod forks;
mod live;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ayni_doc::Value;
use ayni_log::header::{Body, BodyV1, Header, Subject};
use ayni_log::ids::{Hash, LogKind};
use ayni_log::membership::{ControlBody, Fence, removal, rotate};
use ayni_log::seal::LogKey;
use ayni_log::segment::{Segment, WireEntry, checkpoint_message, encode_segment};
use ayni_log::sign::DeviceSecret;
use ayni_log::tip::Tip;
use ayni_log::write::{Draft, write_commit};
use ayni_store::BranchRow;
use ayni_sync::{Refusal, Replica};

use crate::core::documents::Documents;
use crate::core::ingest::{Incoming, finish, ingest};
use crate::core::project::ProjectCore;
use crate::core::state::State;
use crate::environment::random;
use crate::sync::replica::Held;
use crate::tests_support::{Device, fields};
use crate::{DeviceId, Error, Project};

/// A stretch of a branch, as it travels.
#[derive(Clone)]
struct Piece {
    bytes: Vec<u8>,
    previous: Hash,
    last: Hash,
}

impl Piece {
    fn arriving(&self, project: &Project) -> Incoming {
        let segment = Segment::decode(&self.bytes, project.id()).unwrap();
        Incoming { segment, previous: self.previous, last: self.last }
    }
}

/// Pieces of all that a device holds, cut where it ended each time this was called.
#[derive(Default)]
struct Pieces {
    branches: BTreeMap<(ayni_log::ids::LogId, Hash), VecDeque<Piece>>,
}

impl Pieces {
    /// Takes in what a device holds beyond what was taken from it and others before.
    fn gather(&mut self, project: &Project) {
        let inner = &project.database.inner;
        let held = Held(inner);
        for kind in [LogKind::Control, LogKind::Data] {
            for tip in held.frontier(&project.id(), kind) {
                let id = tip.log.id();
                let hash_at = |length: u64| match length.checked_sub(1) {
                    None => Some(Hash(id.0)),
                    Some(last) => held.hash_at(&project.id(), tip.branch, last),
                };
                // Goes on from the furthest point of this branch that is here already.
                let known = self.branches.keys().filter(|(log, _)| *log == id).map(|(_, end)| *end);
                let ends: Vec<Hash> = known.collect();
                let from = (0..=tip.length).rev().find(|at| hash_at(*at).is_some_and(|hash| ends.contains(&hash)));
                let mut from = from.unwrap_or(0);
                let start = hash_at(from).unwrap();
                let mut pieces = self.branches.remove(&(id, start)).unwrap_or_default();
                let mut end = start;
                while from < tip.length {
                    let sent = held.segment(&project.id(), tip.branch, from).unwrap();
                    pieces.push_back(Piece { bytes: sent.bytes, previous: end, last: sent.hash });
                    (from, end) = (sent.length, sent.hash);
                }
                self.branches.insert((id, end), pieces);
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = &Piece> {
        self.branches.values().flatten()
    }

    /// Lets a device take everything in, one piece at a time, the branches interleaved by chance; gives the digest that it
    /// has then. Nothing of it is kept.
    fn digest_in_some_order(&self, project: &Project, seed: u64) -> Hash {
        let inner = &project.database.inner;
        let mut digest = None;
        let result: Result<(), Error> = project.core.write(inner, |tx, state| {
            let mut lanes: Vec<VecDeque<Piece>> = self.branches.values().cloned().collect();
            let mut chance = seed;
            let mut refused = 0;
            while lanes.iter().any(|lane| !lane.is_empty()) {
                chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let lane = (chance >> 33) as usize % lanes.len();
                let Some(piece) = lanes[lane].pop_front() else { continue };
                let ingested = ingest(tx, state, &inner.author(), [Ok(piece.arriving(project))])?;
                if ingested.answers[0].is_err() {
                    assert!(ingested.invalid.is_none(), "{:?}", ingested.invalid);
                    lanes[lane].push_front(piece);
                    refused += 1;
                    assert!(refused < 10_000, "what is refused now is taken once what it needs is here");
                }
            }
            digest = Some(digest_of(tx, state)?);
            Err(Error::Cancelled)
        });
        assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
        digest.unwrap()
    }
}

fn digest_of(tx: &ayni_store::Write<'_>, state: &State) -> Result<Hash, Error> {
    let named = state.collections.values().filter_map(|known| Some((known.name.clone()?, known.row)));
    crate::collection::digest(tx, &named.collect())
}

/// Removes a device, fencing its branches where they end here.
fn remove(project: &Project, device: DeviceId) {
    let inner = &project.database.inner;
    project
        .core
        .write(inner, |tx, state| {
            let mut fences = Vec::new();
            let of_device = |row: &BranchRow| state.branches.get(*row).unwrap().tip.name().device == device;
            let rows = [LogKind::Control, LogKind::Data].into_iter().flat_map(|kind| state.branches.rows(kind));
            for row in rows.filter(of_device) {
                let tip = &state.branches.get(row).unwrap().tip;
                fences.push(Fence {
                    kind: tip.name().kind,
                    incarnation: tip.name().incarnation,
                    length: tip.length(),
                    hash: tip.hash(),
                    signature: tx.signature_at(row, tip.length())?.unwrap(),
                });
            }
            let seed = random(&*inner.environment);
            let (epoch, _) = rotate(&state.view, &state.ring, &[device], &seed).unwrap();
            let bodies = vec![ControlBody::Remove(removal(device, fences)), ControlBody::Epoch(epoch)];
            let mut documents = Documents::default();
            inner.author().write_control(tx, state, &mut documents, bodies)?;
            finish(tx, state, &mut documents)
        })
        .unwrap();
}

/// A device's data log as it could go on: what it writes is not stored.
struct Scribe {
    secret: DeviceSecret,
    tip: Tip,
    number: u32,
    key: Arc<LogKey>,
    collection: u32,
}

impl Scribe {
    /// Goes on where the log of this device ends, which has written to “places”.
    fn of(device: &Device) -> Self {
        let project = device.project();
        let inner = &project.database.inner;
        let mut scribe = None;
        let result: Result<(), Error> = project.core.write(inner, |tx, state| {
            let row = inner.author().branch(tx, state, LogKind::Data)?;
            let tip = state.branches.get(row).unwrap().tip.clone();
            let number = tip.key_sets();
            let key = state.log_key(row, number).unwrap();
            let collection = tip.collection_number(state.ring.naming_key().unwrap().tag("places")).unwrap();
            scribe = Some(Self { secret: inner.secret.clone(), tip, number, key, collection });
            Err(Error::Cancelled)
        });
        assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
        scribe.unwrap()
    }

    /// A document with one number.
    fn creation(&self, random: [u8; 8], value: i64) -> Draft {
        let subject = Subject::Create { collection: self.collection, random };
        let body = BodyV1 { time: 1, key: self.number, declarations: Vec::new(), subject, attachments: Vec::new() };
        let change = ayni_doc::Change::Edit(vec![ayni_doc::Operation::set("number", Value::Int(value))]);
        Draft { body, content: change.encode().unwrap() }
    }

    /// One commit as it travels, and the tip after it.
    fn commit(&self, drafts: Vec<Draft>) -> (Vec<Piece>, Tip) {
        let (segments, tip) = write_commit(&self.tip, &self.secret, Some(&self.key), drafts).unwrap();
        let mut previous = self.tip.hash();
        let pieces = segments.iter().map(|segment| {
            let before = std::mem::replace(&mut previous, segment.hash);
            let entries = segment.entries.iter().map(|entry| (&*entry.header_bytes, entry.payload.as_deref()));
            let bytes = encode_segment(&segment.log, segment.start, entries, &segment.signature);
            Piece { bytes, previous: before, last: segment.hash }
        });
        (pieces.collect(), tip)
    }

    /// A commit of one entry with a header of a version that is not known yet.
    fn commit_of_a_newer_version(&self) -> (Piece, Tip) {
        let payload = b"what a newer program says".to_vec();
        let header = Header {
            ends_commit: true,
            payload_hash: Hash(*blake3::hash(&payload).as_bytes()),
            payload_len: payload.len() as u32,
            body: Body::Unknown { version: 7, flags: 0, bytes: b"anything".to_vec() },
        };
        let (mut tip, start) = (self.tip.clone(), self.tip.length());
        let hash = tip.append(&header, &header.encode()).unwrap();
        let signature = self.secret.sign(&checkpoint_message(tip.id(), tip.length(), &hash));
        let entries = vec![WireEntry { header: header.encode_beside_payload(), payload: Some(payload) }];
        let bytes = Segment { log: *tip.name(), start, entries, signature }.encode();
        (Piece { bytes, previous: self.tip.hash(), last: hash }, tip)
    }
}

/// What becomes of pieces that a device is offered.
fn offer<'a>(project: &Project, pieces: impl IntoIterator<Item = &'a Piece>) -> Vec<Result<(), Refusal>> {
    let inner = &project.database.inner;
    let segments: Vec<_> = pieces.into_iter().map(|piece| Ok(piece.arriving(project))).collect();
    let ingested = project.core.write(inner, |tx, state| ingest(tx, state, &inner.author(), segments)).unwrap();
    assert!(ingested.invalid.is_none(), "{:?}", ingested.invalid);
    ingested.answers
}

fn number(value: i64) -> ayni_doc::Map {
    fields([("number", Value::Int(value))])
}
