//! Saying goodbye: not before everything is said, and not much later.

use ayni_log::ids::LogKind;
use ayni_sync::message::{Kind, Message};
use ayni_sync::{Action, CloseCode, Ended, Offer, Reason, Replica, limits};

use crate::attack::{Attack, NOW, of_a_third_device};
use crate::toy::{Toy, project_id};
use crate::world::World;

#[test]
fn goodbye_waits_until_both_hold_the_same_and_have_receipts() {
    let mut world = World::new(2);
    world.chunk = 900;
    world.write(0, 100, "from a");
    world.write(1, 100, "from b");
    let link = world.connect(0, 1);
    world.links[link].ends[0].session.goodbye();
    world.settle();
    world.assert_same();
    for end in &world.links[link].ends {
        assert_eq!(end.ended(), Some(&ayni_sync::Ended::Goodbye));
    }
    for device in &world.devices {
        assert_eq!(device.projects[&project_id(1)].receipts.len(), 2, "each has both receipts");
    }
}

#[test]
fn goodbye_does_not_wait_for_ever_for_a_device_that_gives_no_receipt() {
    let mut world = World::new(2);
    world.connect(0, 1);
    world.settle();
    world.links.clear();
    for device in &mut world.devices {
        device.projects.get_mut(&project_id(1)).unwrap().receipts.clear();
    }
    let link = world.connect(0, 1);
    world.round();
    world.links[link].ends[0].session.goodbye();
    for _ in 0..3 {
        world.links[link].ends.iter_mut().for_each(|end| while end.session.poll_action().is_some() {});
        world.now += 1_500;
        for _ in 0..5 {
            world.now += 1;
            let ends = &mut world.links[link].ends;
            for side in [0, 1] {
                ends[side].session.tick(world.now);
                let bytes = ends[side].session.poll_send(&world.devices[side], 1 << 20);
                ends[1 - side].session.receive(&world.devices[1 - side], &bytes, world.now);
            }
        }
    }
    assert!(world.links[link].ends.iter().all(|end| end.session.is_ended()));
}

#[test]
fn who_is_not_admitted_and_does_not_ask_to_be_can_leave() {
    let mut world = World::new(2);
    world.write(0, 20, "secret");
    world.devices.push(Toy::new(9));
    let offer = vec![Offer::from(project_id(1))];
    let link = world.connect_with(0, 2, offer.clone(), offer);
    world.settle();
    world.links[link].ends[1].session.goodbye();
    world.settle();
    for end in &world.links[link].ends {
        assert_eq!(end.ended(), Some(&Ended::Goodbye));
    }
}

/// An honest device that wants to leave: both hold the same, it has signed its receipt, and it knows of none of its peer.
fn wants_to_leave() -> Attack {
    let mut attack = Attack::level();
    let own = attack.honest.renew_receipt(project_id(1)).expect("it has signed none yet");
    attack.session.receipts_changed(&project_id(1), &[own]);
    attack.say(&Message::Receipts { project: 0, last: true, entries: Vec::new() });
    attack.session.goodbye();
    attack.drain();
    assert_eq!(attack.heard_of(Kind::Receipt).len(), 1, "its own receipt goes out");
    assert_eq!(attack.heard_of(Kind::Goodbye), []);
    attack
}

/// A receipt of the peer for all that the honest device holds now.
fn receipt_of_all(attack: &mut Attack) -> Message {
    let held = attack.honest.projects[&project_id(1)].branches.clone();
    attack.peer.projects.get_mut(&project_id(1)).unwrap().branches = held;
    let key = attack.peer.renew_receipt(project_id(1)).expect("it holds more than it said before");
    let bytes = attack.peer.projects[&project_id(1)].receipts[&key].1.clone();
    Message::Receipt { project: 0, bytes }
}

#[test]
fn who_leaves_goes_as_soon_as_the_others_receipt_covers_everything() {
    let mut attack = wants_to_leave();
    let covers_too_little = {
        attack.peer.renew_receipt(project_id(1)).expect("it has signed none yet");
        let receipts = &attack.peer.projects[&project_id(1)].receipts;
        Message::Receipt { project: 0, bytes: receipts.values().next().unwrap().1.clone() }
    };
    attack.say(&covers_too_little);
    assert_eq!(attack.heard_of(Kind::Goodbye), []);
    let receipt = receipt_of_all(&mut attack);
    attack.say(&receipt);
    assert_eq!(attack.heard_of(Kind::Goodbye), [Message::Goodbye]);
    assert_eq!(attack.now, NOW);
    attack.say(&Message::Ping);
    assert_eq!(attack.heard_of(Kind::Goodbye), [Message::Goodbye], "once");
}

#[test]
fn the_receipt_of_a_third_device_does_not_stand_for_the_others_own() {
    let mut attack = wants_to_leave();
    attack.peer.store = ayni_log::ids::StoreId([77; 16]);
    let of_another_incarnation = receipt_of_all(&mut attack);
    attack.say(&of_another_incarnation);
    assert_eq!(attack.heard_of(Kind::Goodbye), []);
    attack.wait(NOW + limits::GOODBYE_TIME - 1);
    assert_eq!(attack.heard_of(Kind::Goodbye), []);
    attack.wait(NOW + limits::GOODBYE_TIME);
    assert_eq!(attack.heard_of(Kind::Goodbye), [Message::Goodbye]);
}

#[test]
fn who_waits_to_leave_is_not_woken_for_a_time_that_has_passed() {
    for late in [0, 1] {
        let mut attack = wants_to_leave();
        assert_eq!(attack.session.next_tick(), Some(NOW + limits::GOODBYE_TIME));
        // An entry comes and takes long to store: leaving has to wait for it.
        let segment = attack.segments(1).remove(0);
        attack.say(&segment);
        attack.now = NOW + limits::GOODBYE_TIME + late;
        attack.session.tick(attack.now);
        attack.drain();
        assert_eq!(attack.heard_of(Kind::Goodbye), []);
        assert!(attack.session.next_tick() > Some(attack.now));
    }
}

#[test]
fn who_has_both_receipts_leaves_once_it_knows_which_the_other_has() {
    let mut attack = Attack::level();
    attack.honest.renew_receipt(project_id(1));
    receipt_of_all(&mut attack);
    let theirs = attack.peer.projects[&project_id(1)].receipts.clone();
    attack.honest.projects.get_mut(&project_id(1)).unwrap().receipts.extend(theirs);
    attack.session.goodbye();
    attack.drain();
    assert_eq!(attack.heard_of(Kind::Goodbye), [], "the other may lack some of them");
    attack.say(&Message::Receipts { project: 0, last: true, entries: Vec::new() });
    assert_eq!(attack.heard_of(Kind::Receipt).len(), 2);
    assert_eq!(attack.heard_of(Kind::Goodbye), [Message::Goodbye]);
}

#[test]
fn a_receipt_does_not_stand_for_what_came_after_it_from_elsewhere() {
    let mut attack = Attack::level();
    attack.say(&Message::Receipts { project: 0, last: true, entries: Vec::new() });
    attack.session.goodbye();
    let before = receipt_of_all(&mut attack);
    attack.say(&before);
    // Both get the same from a third device, so nothing passes between the two.
    let (branch, tip) = of_a_third_device(3);
    attack.comes_from_elsewhere(branch);
    attack.say_news(&[tip]);
    assert!(attack.session.is_level(&project_id(1)));
    let own = attack.honest.renew_receipt(project_id(1)).expect("it has signed none yet");
    attack.session.receipts_changed(&project_id(1), &[own]);
    attack.drain();
    assert_eq!(attack.heard_of(Kind::Goodbye), [], "the other's receipt is from before");
    let after = receipt_of_all(&mut attack);
    attack.say(&after);
    assert_eq!(attack.heard_of(Kind::Goodbye), [Message::Goodbye]);
}

#[test]
fn a_receipt_from_before_both_were_level_does_not_stand_for_what_came_until_then() {
    for is_stored in [true, false] {
        let mut attack = Attack::level();
        attack.say(&Message::Receipts { project: 0, last: true, entries: Vec::new() });
        let (branch, tip) = of_a_third_device(3);
        attack.say_news(&[tip]);
        attack.session.goodbye();
        let before = receipt_of_all(&mut attack);
        if is_stored {
            let theirs = attack.peer.projects[&project_id(1)].receipts.clone();
            attack.session.receipts_changed(&project_id(1), &theirs.keys().copied().collect::<Vec<_>>());
            attack.honest.projects.get_mut(&project_id(1)).unwrap().receipts.extend(theirs);
            attack.drain();
        } else {
            attack.say(&before);
        }
        attack.comes_from_elsewhere(branch);
        assert!(attack.session.is_level(&project_id(1)));
        let own = attack.honest.renew_receipt(project_id(1)).expect("it has signed none yet");
        attack.session.receipts_changed(&project_id(1), &[own]);
        attack.drain();
        assert_eq!(attack.heard_of(Kind::Goodbye), [], "the other's receipt is from before");
        let after = receipt_of_all(&mut attack);
        attack.say(&after);
        assert_eq!(attack.heard_of(Kind::Goodbye), [Message::Goodbye]);
    }
}

#[test]
fn a_receipt_still_stands_where_nothing_new_is_told_of() {
    let mut attack = Attack::level();
    attack.say(&Message::Receipts { project: 0, last: true, entries: Vec::new() });
    attack.session.goodbye();
    let receipt = receipt_of_all(&mut attack);
    attack.say(&receipt);
    let tip = attack.honest.frontier(&project_id(1), LogKind::Data)[0];
    attack.session.advanced(&attack.honest, &project_id(1), &[tip.branch], attack.now);
    let own = attack.honest.renew_receipt(project_id(1)).expect("it has signed none yet");
    attack.session.receipts_changed(&project_id(1), &[own]);
    attack.drain();
    assert_eq!(attack.heard_of(Kind::Goodbye), [Message::Goodbye]);
}

#[test]
fn who_asks_to_join_does_not_leave_before_it_has_joined_and_got_everything() {
    let mut world = World::new(2);
    world.admits = true;
    world.write(0, 20, "place");
    world.devices.push(Toy::new(9));
    let join = Some(world.devices[2].id().0.to_vec());
    let asks = vec![Offer { project: project_id(1), join }];
    let link = world.connect_with(0, 2, vec![Offer::from(project_id(1))], asks);
    world.links[link].ends[1].session.goodbye();
    world.settle();
    assert_eq!(world.data_entries(2), 20);
    for end in &world.links[link].ends {
        assert_eq!(end.ended(), Some(&Ended::Goodbye));
    }
}

#[test]
fn projects_that_are_not_in_common_or_refused_keep_nobody_from_leaving() {
    let mut world = World::new(2);
    world.write(0, 20, "before");
    world.devices[0].write_data(project_id(7), 5, "only a has this");
    let link = world.connect(0, 1);
    world.settle();
    let removed = world.devices[1].id();
    let branch = world.devices[0].remove(project_id(1), removed);
    world.advanced(0, project_id(1), branch, None);
    world.settle();
    world.links[link].ends[0].session.goodbye();
    world.settle();
    for end in &world.links[link].ends {
        assert_eq!(end.ended(), Some(&Ended::Goodbye));
    }
}

#[test]
fn who_is_told_goodbye_sends_nothing_new_and_answers() {
    let mut attack = Attack::open();
    let frontier = Message::Frontier { project: 0, kind: LogKind::Data, last: true, entries: Vec::new() };
    attack.send(&[frontier.encode(), Message::Goodbye.encode()].concat());
    assert_eq!(attack.heard_of(Kind::Segment), []);
    assert_eq!(attack.heard_of(Kind::Goodbye), [Message::Goodbye]);
    assert!(attack.actions.contains(&Action::Ended(Ended::Goodbye)));
}

#[test]
fn what_is_on_its_way_is_stored_and_acknowledged_before_goodbye() {
    let mut attack = Attack::level();
    let segments = attack.segments(12);
    for segment in &segments {
        attack.say(segment);
    }
    attack.say(&Message::Goodbye);
    for token in [0, 2, 1] {
        assert_eq!(attack.heard_of(Kind::Goodbye), []);
        attack.session.stored(&attack.honest, ayni_sync::Token(token));
    }
    attack.drain();
    assert_eq!(attack.heard_of(Kind::Stored), [Message::Stored { first: 0, count: 3 }]);
    assert_eq!(attack.heard_of(Kind::Goodbye), [Message::Goodbye]);
}

#[test]
fn who_has_closed_says_nothing_more() {
    let mut attack = Attack::level();
    attack.session.close(Reason::new(CloseCode::Shutdown, "the program stops"));
    attack.session.close(Reason::new(CloseCode::Storage, "the disk is full"));
    attack.session.add_project(&attack.honest, Offer::from(project_id(5)));
    let branch = attack.honest.write_data(project_id(1), 1, "later");
    attack.session.advanced(&attack.honest, &project_id(1), &[branch], attack.now);
    attack.assert_ended(CloseCode::Shutdown);
    assert_eq!(attack.heard_of(Kind::Close).len(), 1);
    assert_eq!(attack.session.next_tick(), None);
}
