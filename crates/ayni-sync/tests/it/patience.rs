//! How long is waited for a peer that is slow, silent or does not read.

use ayni_log::ids::LogKind;
use ayni_sync::message::{Kind, LogRef, Message};
use ayni_sync::{CloseCode, limits};

use crate::attack::{Attack, NOW};
use crate::toy::project_id;
use crate::world::{World, messages};

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

#[test]
fn who_takes_segments_and_never_acknowledges_is_given_up() {
    let mut attack = Attack::open();
    attack.say(&Message::Frontier { project: 0, kind: LogKind::Data, last: true, entries: Vec::new() });
    assert!(messages(&attack.heard).iter().any(|message| message.kind() == Kind::Segment));
    while attack.now < NOW + limits::STALL_TIME {
        attack.assert_open();
        attack.now += 10_000;
        attack.send(&Message::Ping.encode());
        attack.session.tick(attack.now);
        attack.drain();
    }
    attack.assert_ended(CloseCode::Timeout);
}
