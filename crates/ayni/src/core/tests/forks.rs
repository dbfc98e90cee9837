//! Logs that fork: both sides count, alike for everyone.

use ayni_doc::Value;
use ayni_log::ids::{Hash, LogKind, LogName};
use ayni_log::limits;
use ayni_sync::Refusal;

use super::*;
use crate::tests_support::{Device, Image, create, get, meet, rebuilt_equal, same, set, team};
use crate::{Error, Project};

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
        let answers = offer(&one, all_of(&forked.device.project()).all());
        // The first side goes on from what is known; each further one is a fork.
        assert_eq!(answers.iter().all(Result::is_ok), side <= limits::BRANCHES_PER_LOG as i64, "side {side}");
    }
    forked = forked.restore();
    let late = create(&forked.device.project(), number(9));
    let before = one.digest().unwrap();
    assert!(offer(&one, all_of(&forked.device.project()).all()).contains(&Err(Refusal::Unwanted)));
    assert_eq!(one.digest().unwrap(), before);

    // Another device has met that side, and writes on top of it.
    meet(&forked.device.database, &c.database);
    set(&three, late, "number", 10);
    let built_upon = all_of(&three);
    // In whatever order the branches come, what is built upon is asked for again and taken then.
    offer(&one, built_upon.all());
    assert!(offer(&one, built_upon.all()).iter().all(Result::is_ok));
    assert_eq!(get(&one, late, "number"), Some(Value::Int(10)));
    rebuilt_equal(&a.database);

    // What its author goes on to write there nobody has built upon.
    create(&forked.device.project(), number(11));
    assert!(offer(&one, all_of(&forked.device.project()).all()).contains(&Err(Refusal::Unwanted)));
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
    assert_eq!(offer(&second.project(), pieces.all()), [Ok(())]);
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
pub(super) fn fork_within_a_commit(device: &Device) -> [Vec<Piece>; 3] {
    let scribe = Scribe::of(device);
    let commit = |side: u8, length: u16| {
        // One commit of the same fifty entries, then others.
        let draft = |at: u16| {
            let side = if at < 50 { 0 } else { side };
            let mut random = [side; 8];
            random[..2].copy_from_slice(&at.to_be_bytes());
            scribe.creation(random, i64::from(side))
        };
        scribe.commit((0..length).map(draft).collect()).0
    };
    [commit(1, 1_100), commit(2, 60), commit(3, 70)]
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
