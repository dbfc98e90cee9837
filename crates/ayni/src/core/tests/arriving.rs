//! What arrives: in any order, forged, in part, or from a newer program.

use ayni_doc::Value;
use ayni_log::entry::Entry;
use ayni_log::ids::{Hash, LogKind};
use ayni_log::segment::{Segment, WireEntry};
use ayni_sync::Refusal;

use super::*;
use crate::core::ingest::{Incoming, ingest};
use crate::core::state::State;
use crate::tests_support::{Device, create, get, meet, read, rebuilt_equal, same, set, set_in, team};
use crate::{Database, Error};

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

#[test]
fn what_follows_an_entry_of_a_newer_version_shows_and_the_entry_is_passed_on() {
    let [a, b, c] = team();
    create(&b.project(), number(1));
    meet(&a.database, &b.database);
    let mut scribe = Scribe::of(&b);
    let (newer, tip) = scribe.commit_of_a_newer_version();
    scribe.tip = tip;
    let (later, _) = scribe.commit(vec![scribe.creation([1; 8], 2)]);
    assert_eq!(offer(&a.project(), [&newer, &later[0]]), [Ok(()), Ok(())]);
    assert_eq!(a.project().collection("places").len().unwrap(), 2);
    meet(&a.database, &c.database);
    assert_eq!(c.project().collection("places").len().unwrap(), 2);
    rebuilt_equal(&c.database);
}
