//! What counts, in whatever order it comes: promises 2 and 6 of the design, held against the inside of the database.

use std::collections::{BTreeMap, VecDeque};

use ayni_doc::Value;
use ayni_log::entry::Entry;
use ayni_log::header::{Anchor, BodyV1, Declaration, Subject};
use ayni_log::ids::{Hash, LogKind, LogName, StoreId};
use ayni_log::limits;
use ayni_log::membership::{ControlBody, Fence, IncarnationBody, JoinRequest, admit, control_entries, removal, rotate};
use ayni_log::segment::{Segment, WireEntry, encode_segment};
use ayni_log::sign::DeviceSecret;
use ayni_log::tip::Tip;
use ayni_log::write::{Draft, write_commit};
use ayni_store::BranchRow;
use ayni_sync::{Refusal, Replica, Standing};

use crate::core::branches::Branch;
use crate::core::documents::Documents;
use crate::core::ingest::{Incoming, finish, ingest};
use crate::core::state::State;
use crate::environment::random;
use crate::sync::replica::Held;
use crate::tests_support::{Device, Image, create, fields, get, meet, read, rebuilt_equal, same, set, set_in, team};
use crate::{Database, DeviceId, Error, Project};

/// A stretch of a branch, as it travels.
#[derive(Clone)]
struct Piece {
    bytes: Vec<u8>,
    previous: Hash,
    last: Hash,
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
                let segment = Segment::decode(&piece.bytes, project.id()).unwrap();
                let incoming = Incoming { segment, previous: piece.previous, last: piece.last };
                let ingested = ingest(tx, state, &inner.author(), [Ok(incoming)])?;
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

fn number(value: i64) -> ayni_doc::Map {
    fields([("number", Value::Int(value))])
}

#[test]
fn what_a_removed_device_wrote_past_its_fence_has_no_effect_in_whatever_order_it_comes() {
    let [a, b, c, d] = team();
    let [one, two, three, four] = [&a, &b, &c, &d].map(Device::project);
    let mut pieces = Pieces::default();
    pieces.gather(&one);
    let id = create(&one, number(1));
    meet(&a.database, &b.database);
    meet(&a.database, &c.database);
    for value in 0..5 {
        set(&two, id, "honest", value);
        meet(&b.database, &a.database);
        pieces.gather(&one);
    }
    meet(&a.database, &c.database);
    remove(&one, b.database.device());
    pieces.gather(&one);

    // Neither of them knows yet; one builds on what the other wrote past its fence.
    set(&two, id, "late", 1);
    let late = create(&two, number(2));
    meet(&b.database, &c.database);
    pieces.gather(&three);
    assert_eq!(get(&three, id, "late"), Some(Value::Int(1)));
    set(&three, id, "built upon", 1);
    set(&three, late, "number", 3);
    pieces.gather(&three);

    meet(&c.database, &a.database);
    pieces.gather(&one);
    for project in [&one, &three] {
        let document = read(project, id);
        assert_eq!(document.get(&["honest"]), Some(Value::Int(4)), "what stands before the fence counts");
        assert_eq!(document.get(&["late"]), None, "what stands past the fence does not");
        assert_eq!(document.get(&["built upon"]), Some(Value::Int(1)), "what others wrote counts");
        assert_eq!(get(project, late, "number"), Some(Value::Int(3)));
        rebuilt_equal(project.database());
    }
    assert!(same(&[&one, &three]));
    let expected = one.digest().unwrap();
    for seed in 0..40 {
        assert_eq!(pieces.digest_in_some_order(&four, seed), expected, "in the order of seed {seed}");
    }
}

#[test]
fn a_removed_device_is_told_nothing_more_and_its_receipt_counts_no_more() {
    let [ana, ben, carl] = team();
    create(&ana.project(), number(1));
    meet(&ana.database, &ben.database);
    meet(&ana.database, &carl.database);
    let (project, ben, carl) = (ana.project(), ben.database.device(), carl.database.device());
    let standings = || [ben, carl].map(|device| Held(&ana.database.inner).standing(&project.id(), &device));
    let counted = || project.status().unwrap().devices.into_iter().map(|device| device.device).collect::<Vec<_>>();
    assert_eq!(standings(), [Standing::Admitted; 2]);
    assert_eq!(counted().len(), 2);
    remove(&project, ben);
    assert_eq!(standings(), [Standing::Refused, Standing::Admitted]);
    assert_eq!(counted(), [carl]);
}

#[test]
fn what_was_judged_before_all_that_its_author_had_seen_came_shows_once_it_counts() {
    let [a, b, c, d] = team();
    let [one, two, three, four] = [&a, &b, &c, &d].map(Device::project);
    let mut pieces = Pieces::default();
    pieces.gather(&one);
    let new = |value| move |tx: &mut crate::Transaction<'_, '_>| tx.put("places", "one", number(value)).map(drop);
    // What the member wrote has seen the second name, and that has seen the first.
    one.rename_device("first").unwrap();
    meet(&a.database, &c.database);
    three.rename_device("second").unwrap();
    meet(&c.database, &b.database);
    two.write(new(1)).unwrap();
    pieces.gather(&two);
    for seed in 0..40 {
        assert_eq!(pieces.digest_in_some_order(&four, seed), two.digest().unwrap(), "in the order of seed {seed}");
    }
}

#[test]
fn a_fence_on_one_side_of_a_fork_acts_alike_whichever_side_came_first() {
    let [a, b, c, d] = team();
    let [one, three, four] = [&a, &c, &d].map(Device::project);
    let device = b.database.device();
    let mut pieces = Pieces::default();
    let id = create(&b.project(), number(1));
    set(&b.project(), id, "shared", 1);
    meet(&b.database, &a.database);
    meet(&b.database, &c.database);
    pieces.gather(&one);
    let first = Image::of(b);
    set(&first.device.project(), id, "first", 1);
    meet(&first.device.database, &a.database);
    pieces.gather(&one);
    let second = first.restore().device;
    set(&second.project(), id, "second", 1);
    meet(&second.database, &c.database);
    pieces.gather(&three);
    // Only the first side is known to who removes the device.
    remove(&one, device);
    pieces.gather(&one);
    meet(&a.database, &c.database);
    assert!(same(&[&one, &three]));
    for project in [&one, &three] {
        assert_eq!(get(project, id, "shared"), Some(Value::Int(1)));
        assert_eq!(get(project, id, "first"), Some(Value::Int(1)));
        assert_eq!(get(project, id, "second"), None);
        rebuilt_equal(project.database());
    }
    for seed in 0..40 {
        assert_eq!(pieces.digest_in_some_order(&four, seed), one.digest().unwrap(), "in the order of seed {seed}");
    }
}

/// What becomes of all that a device holds beyond `known` where another is offered it.
fn offer(pieces: &Pieces, project: &Project) -> Vec<Result<(), Refusal>> {
    let inner = &project.database.inner;
    let segments = pieces.branches.values().flatten().map(|piece| {
        let segment = Segment::decode(&piece.bytes, project.id()).unwrap();
        Ok(Incoming { segment, previous: piece.previous, last: piece.last })
    });
    let ingested = project.core.write(inner, |tx, state| ingest(tx, state, &inner.author(), segments)).unwrap();
    assert!(ingested.invalid.is_none(), "{:?}", ingested.invalid);
    ingested.answers
}

#[test]
fn of_a_log_that_forks_again_and_again_what_others_refer_to_is_taken_by_everyone() {
    let [a, b, c] = team();
    let (one, three) = (a.project(), c.project());
    let id = create(&b.project(), number(0));
    meet(&b.database, &a.database);
    meet(&b.database, &c.database);
    let all_of = |project: &Project| {
        let mut pieces = Pieces::default();
        pieces.gather(project);
        pieces
    };
    let mut forked = Image::of(b);
    for side in 1..9 {
        forked = forked.restore();
        set(&forked.device.project(), id, "side", side);
        let answers = offer(&all_of(&forked.device.project()), &one);
        // The first side goes on from what is known; each further one is a fork.
        assert_eq!(answers.iter().all(Result::is_ok), side <= limits::BRANCHES_PER_LOG as i64, "side {side}");
    }
    forked = forked.restore();
    let late = create(&forked.device.project(), number(9));
    let before = one.digest().unwrap();
    assert!(offer(&all_of(&forked.device.project()), &one).contains(&Err(Refusal::Unwanted)));
    assert_eq!(one.digest().unwrap(), before);

    // Another device has met that side, and writes on top of it.
    meet(&forked.device.database, &c.database);
    set(&three, late, "number", 10);
    let built_upon = all_of(&three);
    // In whatever order the branches come, what is built upon is asked for again and taken then.
    offer(&built_upon, &one);
    assert!(offer(&built_upon, &one).iter().all(Result::is_ok));
    assert_eq!(get(&one, late, "number"), Some(Value::Int(10)));
    rebuilt_equal(&a.database);

    // What its author goes on to write there nobody has built upon.
    create(&forked.device.project(), number(11));
    assert!(offer(&all_of(&forked.device.project()), &one).contains(&Err(Refusal::Unwanted)));
    assert_eq!(one.collection("places").len().unwrap(), 2);
}

#[test]
fn a_device_whose_own_log_ends_in_what_waits_goes_on_in_a_new_incarnation() {
    let [a, b, c] = team();
    meet(&a.database, &c.database);
    let first = Image::of(a);
    c.project().rename_device("seen by the copy").unwrap();
    meet(&first.device.database, &c.database);
    let id = create(&first.device.project(), number(1));
    let mut pieces = Pieces::default();
    pieces.gather(&first.device.project());
    let second = first.restore().device;
    // Its own entry comes back, and not what that refers to.
    let (project, device) = (second.project().id(), second.database.device());
    let own = LogName { project, device, kind: LogKind::Data, incarnation: second.database.incarnation() };
    pieces.branches.retain(|(log, _), _| *log == own.id());
    assert_eq!(offer(&pieces, &second.project()), [Ok(())]);
    assert_eq!(second.project().status().unwrap().waiting, 1);
    let refused = second.project().write(|tx| tx.create("places", number(2)).map(drop));
    assert!(matches!(refused, Err(Error::Forked)), "{refused:?}");
    let third = second.restart();
    create(&third.project(), number(3));
    for other in [&c, &b] {
        meet(&third.database, &other.database);
    }
    meet(&third.database, &c.database);
    assert_eq!(get(&third.project(), id, "number"), Some(Value::Int(1)));
    assert_eq!(third.project().collection("places").len().unwrap(), 2);
    assert!(same(&[&third.project(), &b.project(), &c.project()]));
}

/// Writes the same beginning of one commit with several endings, the first of them without its own end yet.
fn fork_within_a_commit(device: &Device) -> [Vec<Piece>; 3] {
    let project = device.project();
    let inner = &project.database.inner;
    let mut written = None;
    let result: Result<(), Error> = project.core.write(inner, |tx, state| {
        let row = inner.author().branch(tx, state, LogKind::Data)?;
        let tip = state.branches.get(row).unwrap().tip.clone();
        let number = tip.key_sets();
        let key = state.log_key(row, number).unwrap();
        let collection = tip.collection_number(state.ring.naming_key().unwrap().tag("places")).unwrap();
        let draft = |side: u8, at: u16| {
            let mut random = [side; 8];
            random[..2].copy_from_slice(&at.to_be_bytes());
            let subject = Subject::Create { collection, random };
            let body = BodyV1 { time: 1, key: number, declarations: Vec::new(), subject, attachments: Vec::new() };
            let change = ayni_doc::Change::Edit(vec![ayni_doc::Operation::set("side", Value::Int(i64::from(side)))]);
            Draft { body, content: change.encode().unwrap() }
        };
        let commit = |side: u8, length: u16| {
            // One commit of the same fifty entries, then others.
            let drafts = (0..length).map(|at| draft(if at < 50 { 0 } else { side }, at)).collect();
            let (segments, _) = write_commit(&tip, &inner.secret, Some(&key), drafts).unwrap();
            let mut previous = tip.hash();
            let pieces = segments.iter().map(|segment| {
                let before = std::mem::replace(&mut previous, segment.hash);
                let entries = segment.entries.iter().map(|entry| (&*entry.header_bytes, entry.payload.as_deref()));
                let bytes = encode_segment(&segment.log, segment.start, entries, &segment.signature);
                Piece { bytes, previous: before, last: segment.hash }
            });
            pieces.collect::<Vec<_>>()
        };
        written = Some([commit(1, 1_100), commit(2, 60), commit(3, 70)]);
        Err(Error::Cancelled)
    });
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
    written.unwrap()
}

#[test]
fn a_fork_within_a_commit_has_the_same_effect_whichever_side_came_first_and_whichever_never_ends() {
    let [a, b, d] = team();
    let (one, four) = (a.project(), d.project());
    create(&b.project(), number(0));
    meet(&b.database, &a.database);
    let mut known = Pieces::default();
    known.gather(&one);
    let sides = fork_within_a_commit(&b);
    assert_eq!(sides.each_ref().map(Vec::len), [2, 1, 1]);
    let shown = |lengths: [usize; 3]| {
        let mut pieces = Pieces { branches: known.branches.clone() };
        // All sides go on from the end of what is known of the log.
        let end = sides[1][0].previous;
        let lane = pieces.branches.iter().find(|((_, last), _)| *last == end).map(|(lane, _)| *lane).unwrap();
        let before = pieces.branches.remove(&lane).unwrap();
        for (side, length) in lengths.into_iter().enumerate() {
            let mut lane_of_side = before.clone();
            lane_of_side.extend(sides[side][..length].iter().cloned());
            pieces.branches.insert((lane.0, Hash([side as u8; 32])), lane_of_side);
        }
        let digests: Vec<_> = (0..30).map(|seed| pieces.digest_in_some_order(&four, seed)).collect();
        assert!(digests.iter().all(|digest| *digest == digests[0]), "{lengths:?}");
        digests[0]
    };
    let digests = [[1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 1, 1], [2, 1, 1]].map(shown);
    assert_eq!(
        digests[1], digests[2],
        "a commit that never ends has no effect, and keeps none that shares its beginning"
    );
    let distinct: std::collections::BTreeSet<_> = digests.into_iter().collect();
    assert_eq!(distinct.len(), 4);
}

#[test]
fn what_came_in_any_order_shows_the_same() {
    let [a, b, c, d] = team();
    let [one, two, three, four] = [&a, &b, &c, &d].map(Device::project);
    let mut pieces = Pieces::default();
    let id = create(&one, number(0));
    meet(&a.database, &b.database);
    meet(&b.database, &c.database);
    for round in 0..6 {
        let old = read(&two, id);
        set(&one, id, "number", round);
        set(&two, id, "number", 10 + round);
        set_in(&two, &old, "other", round);
        set(&three, id, "number", 20 + round);
        create(&three, number(round));
        match round % 3 {
            0 => meet(&a.database, &b.database),
            1 => meet(&b.database, &c.database),
            _ => meet(&c.database, &a.database),
        }
        [&one, &two, &three].iter().for_each(|project| pieces.gather(project));
    }
    meet(&a.database, &b.database);
    meet(&b.database, &c.database);
    meet(&a.database, &b.database);
    pieces.gather(&one);
    assert!(same(&[&one, &two, &three]));
    for seed in 0..40 {
        assert_eq!(pieces.digest_in_some_order(&four, seed), one.digest().unwrap(), "in the order of seed {seed}");
    }
}

#[test]
fn what_a_branch_has_seen_is_found_again_when_the_note_of_it_is_lost() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let id = create(&one, number(1));
    for value in 0..5 {
        meet(&a.database, &b.database);
        set(&two, id, "two", value);
        meet(&a.database, &b.database);
        set(&one, id, "one", value);
    }
    let known = |database: &Database| {
        let project = database.projects().unwrap().remove(0);
        let branches = |state: &State| {
            let of = |branch: &crate::core::branches::Branch| {
                (branch.row, branch.seen.clone(), branch.steps.clone(), branch.counting.clone(), branch.applied)
            };
            state.branches.iter().filter(|branch| branch.tip.name().kind == LogKind::Data).map(of).collect::<Vec<_>>()
        };
        project.core.read(&project.database.inner, |_, state| Ok(branches(state))).unwrap()
    };
    let before = known(&a.database);
    let by_note = known(&a.open_beside());
    assert_eq!(by_note, before, "as it was written down");
    a.database
        .inner
        .store
        .write(|tx| {
            for (name, _) in tx.settings(Some(one.core.row), "steps ")? {
                tx.remove_setting(Some(one.core.row), &name)?;
            }
            Ok::<_, Error>(())
        })
        .unwrap();
    let beside = a.open_beside();
    assert_eq!(known(&beside), before, "as the headers say");
    set(&beside.projects().unwrap()[0], id, "one", 9);
    meet(&beside, &b.database);
    assert_eq!(get(&two, id, "one"), Some(Value::Int(9)));
}

#[test]
fn a_segment_that_is_forged_or_cut_is_refused_and_changes_nothing() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let mut known = Pieces::default();
    known.gather(&two);
    for value in 0..20 {
        create(&one, number(value));
    }
    let mut pieces = Pieces::default();
    pieces.gather(&one);
    let data = |piece: &&Piece| Segment::decode(&piece.bytes, one.id()).unwrap().log.kind == LogKind::Data;
    let genuine = pieces.branches.values().flatten().find(data).unwrap().clone();
    let inner = &two.database.inner;
    let before = two.status().unwrap();
    let offer = |bytes: &[u8], previous: Hash, last: Hash| -> bool {
        let Ok(segment) = Segment::decode(bytes, one.id()) else { return false };
        let mut taken = false;
        let result: Result<(), Error> = two.core.write(inner, |tx, state| {
            taken = ingest(tx, state, &inner.author(), [Ok(Incoming { segment, previous, last })])?.answers[0].is_ok();
            Err(Error::Cancelled)
        });
        assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
        taken
    };
    assert!(offer(&genuine.bytes, genuine.previous, genuine.last), "the genuine one is taken");
    for at in 0..genuine.bytes.len() {
        let mut forged = genuine.bytes.clone();
        forged[at] ^= 1 << (at % 8);
        assert!(!offer(&forged, genuine.previous, genuine.last), "with a bit of byte {at} turned over");
        assert!(!offer(&genuine.bytes[..at], genuine.previous, genuine.last), "cut at byte {at}");
    }
    let mut cut = Segment::decode(&genuine.bytes, one.id()).unwrap();
    cut.entries.pop();
    assert!(!offer(&cut.encode(), genuine.previous, genuine.last), "without its last entry");
    let other = Hash([7; 32]);
    assert!(!offer(&genuine.bytes, genuine.previous, other), "announced with another end");
    assert_eq!(two.status().unwrap(), before);
}

#[test]
fn headers_that_come_without_their_content_are_refused_and_the_content_can_come_from_another() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let id = create(&one, number(1));
    let mut pieces = Pieces::default();
    pieces.gather(&one);
    let data = |piece: &&Piece| Segment::decode(&piece.bytes, one.id()).unwrap().log.kind == LogKind::Data;
    let genuine = pieces.branches.values().flatten().find(data).unwrap().clone();
    let mut segment = Segment::decode(&genuine.bytes, one.id()).unwrap();
    for entry in &mut segment.entries {
        let header = Entry::read_header(&entry.header, entry.payload.as_deref()).unwrap();
        *entry = WireEntry { header: header.encode(), payload: None };
    }
    let inner = &two.database.inner;
    let incoming = Incoming { segment, previous: genuine.previous, last: genuine.last };
    let taken = two.core.write(inner, |tx, state| ingest(tx, state, &inner.author(), [Ok(incoming)]));
    assert_eq!(taken.unwrap().answers, [Err(Refusal::Invalid)]);
    meet(&a.database, &b.database);
    assert_eq!(read(&two, id).fields(), read(&one, id).fields());
}

#[test]
fn a_transaction_that_panics_leaves_nothing_and_the_next_one_works() {
    let [a, b] = team();
    let one = a.project();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        one.write(|tx| {
            tx.create("places", number(1))?;
            if tx.len() == 1 {
                panic!("in the middle of a transaction");
            }
            Ok(())
        })
    }));
    assert!(result.is_err());
    let id = create(&one, number(2));
    assert_eq!(one.collection("places").len().unwrap(), 1, "nothing of what panicked stands");
    meet(&a.database, &b.database);
    assert_eq!(get(&b.project(), id, "number"), Some(Value::Int(2)));
}

/// Admits as many devices as said, each of which opens its log without having seen the others.
fn crowd(project: &Project, count: usize) {
    let inner = &project.database.inner;
    let invitation = crate::Invitation { uses: count as u32, ..Default::default() };
    let ticket = project.invite(&invitation).unwrap();
    let secrets: Vec<DeviceSecret> =
        (0..count).map(|_| DeviceSecret::from_seed(&random(&*inner.environment))).collect();
    let result: Result<(), Error> = project.core.write(inner, |tx, state| {
        let mut documents = Documents::default();
        for chunk in secrets.chunks(64) {
            let admissions = chunk.iter().map(|secret| {
                let request = JoinRequest::new(&ticket, secret, "one of many");
                let invite = state.view.check_request(&request, 0).unwrap();
                ControlBody::Admit(admit(&request, &invite, state.ring.naming_key().unwrap()).unwrap())
            });
            let admissions = admissions.collect();
            inner.author().write_control(tx, state, &mut documents, admissions)?;
        }
        let heads = state.view.heads();
        assert_eq!(heads.len(), 1);
        let (log, position, hash) = heads[0];
        for secret in &secrets {
            let incarnation = StoreId(random(&*inner.environment));
            let name = LogName { project: state.project, device: secret.id(), kind: LogKind::Control, incarnation };
            let before = Tip::new(name);
            let anchor = Anchor { number: 1, log: Some(log), position, hash };
            let declarations = vec![Declaration::Anchor(anchor)];
            let body = BodyV1 { time: 0, key: 0, declarations, subject: Subject::None, attachments: Vec::new() };
            let content = ControlBody::Incarnation(IncarnationBody { previous: None }).encode();
            let (segments, tip) = write_commit(&before, secret, None, vec![Draft { body, content }])?;
            let row = tx.add_log(&name, false)?;
            state.branches.insert(Branch::new(row, None, before.clone(), 0));
            state.view.insert_all(control_entries(&segments[0].entries, &before).unwrap()).unwrap();
            tx.append(row, &segments, &tip, &[])?;
            state.branches.get_mut(row).unwrap().tip = tip;
        }
        finish(tx, state, &mut documents)
    });
    result.unwrap();
}

#[test]
fn more_control_heads_than_a_header_can_name_keep_nobody_from_writing() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    crowd(&one, 600);
    let id = create(&one, number(1));
    for value in 0..20 {
        set(&one, id, "number", value);
    }
    meet(&a.database, &b.database);
    set(&two, id, "two", 2);
    meet(&a.database, &b.database);
    assert_eq!(get(&one, id, "two"), Some(Value::Int(2)));
    assert!(same(&[&one, &two]));
    // Membership goes on too.
    let c = Device::new("one more");
    crate::tests_support::join(&c, &one, crate::Role::Member);
    assert_eq!(get(&c.project(), id, "two"), Some(Value::Int(2)));
    rebuilt_equal(&b.database);
}
