//! How long is waited for a peer that is slow, silent or does not read.

use ayni_log::ids::{Hash, LogKind};
use ayni_sync::message::{Kind, LogRef, Message};
use ayni_sync::{BranchId, BranchTip, CloseCode, limits};

use crate::attack::{Attack, NOW, of_a_third_device, written_by};
use crate::toy::project_id;
use crate::world::World;

#[test]
fn who_asks_and_does_not_read_is_given_up() {
    let mut attack = Attack::open();
    let log = LogRef::from(&attack.honest.log(project_id(1), LogKind::Data));
    let probe = Message::Probe { project: 0, id: 1, log, points: Vec::new() }.encode().repeat(10_000);
    for _ in 0..200 {
        attack.session.receive(&attack.honest, &probe, NOW);
        assert!(attack.session.held_bytes() < 2 * limits::SEND_LIMIT as u64);
    }
    attack.assert_ended(CloseCode::Timeout);
}

#[test]
fn who_never_says_hello_is_given_up() {
    let mut attack = Attack::new();
    attack.wait(NOW + limits::HELLO_TIME - 1);
    attack.assert_open();
    attack.wait(NOW + limits::HELLO_TIME);
    attack.assert_ended(CloseCode::Timeout);
}

#[test]
fn who_falls_silent_is_given_up_and_who_is_idle_is_not() {
    let mut attack = Attack::open();
    attack.wait(NOW + limits::SILENCE);
    attack.assert_ended(CloseCode::Timeout);

    let mut world = World::new(2);
    let link = world.connect(0, 1);
    world.settle();
    for _ in 0..100 {
        world.now += 10_000;
        world.round();
        world.round();
    }
    world.assert_level();
    assert!(world.links[link].ends[0].count(Kind::Ping) >= 40);
}

#[test]
fn who_never_finishes_a_message_is_given_up() {
    let mut attack = Attack::open();
    attack.session.receive(&attack.honest, &[0, 0, 1, 0, 5], NOW);
    for _ in 0..limits::FRAME_TIME / 10_000 {
        attack.assert_open();
        attack.now += 10_000;
        attack.session.receive(&attack.honest, &[0], attack.now);
        attack.session.tick(attack.now);
        attack.drain();
    }
    attack.assert_ended(CloseCode::Timeout);
}

/// Time passes, with pings of the peer and nothing else.
fn nothing_but_pings(attack: &mut Attack, time: u64) {
    let until = attack.now + time;
    while attack.now < until {
        attack.assert_open();
        attack.now = until.min(attack.now + 10_000);
        attack.send(&Message::Ping.encode());
        attack.session.tick(attack.now);
        attack.drain();
    }
}

#[test]
fn who_takes_segments_and_never_acknowledges_is_given_up() {
    let mut attack = Attack::open();
    attack.say_frontier(&[]);
    assert_eq!(attack.heard_of(Kind::Segment).len(), 5);
    nothing_but_pings(&mut attack, limits::STALL_TIME);
    attack.assert_ended(CloseCode::Timeout);
}

#[test]
fn who_acknowledges_slowly_is_not_given_up_as_long_as_something_comes() {
    let mut attack = Attack::open();
    attack.say_frontier(&[]);
    for first in 0..5 {
        nothing_but_pings(&mut attack, limits::STALL_TIME - 1);
        attack.say(&Message::Stored { first, count: 1 });
    }
    nothing_but_pings(&mut attack, 2 * limits::STALL_TIME);
    attack.assert_open();
}

#[test]
fn who_is_asked_where_a_log_forked_and_never_answers_is_given_up() {
    let mut attack = Attack::open();
    let log = attack.honest.log(project_id(1), LogKind::Data);
    let elsewhere = BranchTip { branch: BranchId(0), log, length: 20, hash: Hash([9; 32]), bytes: 1 };
    attack.say_frontier(&[elsewhere]);
    assert_eq!(attack.heard_of(Kind::Probe).len(), 1);
    nothing_but_pings(&mut attack, limits::STALL_TIME);
    attack.assert_ended(CloseCode::Timeout);
}

#[test]
fn who_does_not_take_what_is_sent_is_given_up() {
    let mut attack = Attack::level();
    let probe = Message::Probe {
        project: 0,
        id: 1,
        log: LogRef::from(&attack.honest.log(project_id(1), LogKind::Data)),
        points: Vec::new(),
    };
    attack.session.receive(&attack.honest, &probe.encode(), attack.now);
    assert_eq!(attack.session.poll_send(&attack.honest, 3).len(), 3, "that is all that the channel takes");
    let waits = attack.session.held_bytes();
    for _ in 0..limits::STALL_TIME / 10_000 {
        attack.assert_open();
        assert_eq!(attack.session.held_bytes(), waits, "no ping stands behind it");
        assert!(attack.session.next_tick() > Some(attack.now), "nor is one waited for");
        attack.now += 10_000;
        attack.session.receive(&attack.honest, &Message::Ping.encode(), attack.now);
        attack.session.tick(attack.now);
        attack.actions.extend(std::iter::from_fn(|| attack.session.poll_action()));
    }
    assert_eq!(attack.ended().map(|reason| reason.code), Some(CloseCode::Timeout));
}

#[test]
fn nothing_that_came_is_not_taken_for_a_word() {
    let mut attack = Attack::open();
    attack.now = NOW + limits::SILENCE - 1;
    attack.send(&[]);
    attack.assert_open();
    attack.now = NOW + limits::SILENCE;
    attack.session.tick(attack.now);
    attack.assert_ended(CloseCode::Timeout);
}

#[test]
fn a_ping_goes_out_after_the_time_without_a_word_and_not_before() {
    let mut attack = Attack::new();
    attack.drain();
    attack.now = NOW + limits::HELLO_TIME - 1;
    attack.session.tick(attack.now);
    attack.drain();
    attack.say(&Message::Hello(attack.hello()));
    assert_eq!(attack.heard_of(Kind::Summary).len(), 1);
    let spoke = attack.now;
    for pings in 0..5 {
        assert_eq!(attack.session.next_tick(), Some(spoke + (pings + 1) * limits::KEEP_ALIVE));
        for late in [1, 0] {
            attack.now = spoke + (pings + 1) * limits::KEEP_ALIVE - late;
            attack.say(&Message::Ping);
            attack.session.tick(attack.now);
            attack.drain();
            assert_eq!(attack.heard_of(Kind::Ping).len() as u64, pings + 1 - late);
        }
    }
}

#[test]
fn what_is_held_back_is_looked_at_again_when_its_time_has_come() {
    let mut attack = Attack::level();
    let (branch, _) = of_a_third_device(3);
    attack.comes_from_elsewhere(branch);
    assert_eq!(attack.session.next_tick(), Some(NOW + limits::FORWARD_DELAY));
    attack.now = NOW + limits::FORWARD_DELAY - 1;
    attack.session.tick(attack.now);
    attack.drain();
    assert_eq!(attack.heard_of(Kind::Segment), []);
    attack.now = NOW + limits::FORWARD_DELAY;
    attack.session.tick(attack.now);
    attack.drain();
    assert_eq!(attack.heard_of(Kind::Segment).len(), 1);
    assert!(attack.session.next_tick() > Some(attack.now));
}

#[test]
fn many_bytes_are_held_back_for_longer_and_64_kib_are_not_many() {
    for (bytes, patience) in [(limits::MUCH, limits::FORWARD_DELAY), (limits::MUCH + 1, limits::FORWARD_PATIENCE)] {
        let mut attack = Attack::level();
        attack.comes_from_elsewhere(written_by(3, [vec![1; bytes as usize]]).0);
        assert_eq!(attack.session.next_tick(), Some(NOW + patience), "{bytes} bytes");
    }
}
