//! Devices meet, and both end up with everything.

use ayni_log::ids::{Hash, LogKind};
use ayni_sync::message::{Kind, Message, Summary};
use ayni_sync::{Action, BranchTip, Offer, Refusal, Replica};

use crate::attack::{Attack, entry_of, of_a_third_device};
use crate::toy::project_id;
use crate::world::World;

#[test]
fn an_empty_device_gets_everything() {
    let mut world = World::new(2);
    world.write(0, 1_000, "place");
    let link = world.connect(0, 1);
    world.settle();
    world.assert_same();
    world.assert_level();
    assert_eq!(world.data_entries(1), 1_000);
    assert_eq!(world.links[link].ends[1].stores(), 250, "each segment once");
    assert_eq!(world.links[link].ends[0].stores(), 0);
}

#[test]
fn both_send_at_once() {
    let mut world = World::new(2);
    world.write(0, 101, "from a");
    world.write(1, 203, "from b");
    world.connect(0, 1);
    world.settle();
    world.assert_same();
    world.assert_level();
    assert_eq!(world.data_entries(0), 304);
}

#[test]
fn what_a_third_device_wrote_is_passed_on() {
    let mut world = World::new(3);
    world.write(0, 50, "from a");
    world.write(2, 60, "from c");
    world.connect(0, 1);
    world.connect(1, 2);
    world.settle();
    world.assert_same();
    world.assert_level();
    assert_eq!(world.data_entries(0), 110);
}

#[test]
fn a_short_branch_does_not_wait_for_the_end_of_a_long_one() {
    for (long, short) in [(0, 1), (1, 0)] {
        let mut world = World::new(3);
        world.write(long, 8_000, "one of many");
        world.write(short, 3, "one of few");
        world.connect(0, 1);
        world.settle();
        let link = world.connect(0, 2);
        world.settle();
        world.assert_same();
        let author = world.devices[short].id();
        let stored = world.links[link].ends[1].log.iter().filter_map(|action| match action {
            Action::Store { segment, .. } if segment.log.kind == LogKind::Data => Some(segment.log.device == author),
            _ => None,
        });
        let before = stored.take_while(|is_short| !is_short).count();
        assert_eq!(before, 0, "segments of the long branch that came before the short one");
    }
}

#[test]
fn nothing_changed_costs_one_round_trip_and_less_than_a_kilobyte() {
    let mut world = World::new(2);
    world.write(0, 1_000, "place");
    world.connect(0, 1);
    world.settle();
    world.links.clear();

    let link = world.connect(0, 1);
    world.round();
    world.round();
    world.assert_level();
    world.settle();
    let [a, b] = &world.links[link].ends;
    assert!(a.sent + b.sent < 1_024, "{} and {} bytes", a.sent, b.sent);
    assert_eq!(a.stores() + b.stores(), 0);
}

#[test]
fn a_new_commit_goes_out_at_once_and_is_told_level_again() {
    let mut world = World::new(2);
    let link = world.connect(0, 1);
    world.settle();
    let levels = |world: &World| {
        world.links[link].ends[1].log.iter().filter(|action| matches!(action, Action::Level { .. })).count()
    };
    let before = levels(&world);
    world.write(0, 1, "new");
    assert!(!world.links[link].ends[0].session.is_level(&project_id(1)));
    world.round();
    assert_eq!(world.data_entries(1), 1, "one way, and it is there");
    world.settle();
    world.assert_level();
    assert_eq!(levels(&world), before + 1);
    let news = world.links[link].ends.iter().map(|end| end.count(Kind::News));
    assert_eq!(news.sum::<usize>(), 0, "the entry and its acknowledgement say it all");
}

#[test]
fn in_a_triangle_a_commit_goes_over_each_link_at_most_once() {
    let mut world = World::new(3);
    world.connect(0, 1);
    world.connect(1, 2);
    world.connect(0, 2);
    world.settle();
    world.write(0, 1, "new");
    world.settle();
    world.assert_same();
    world.assert_level();
    let stores: usize = world.links.iter().flat_map(|link| &link.ends).map(|end| end.stores()).sum();
    assert_eq!(stores, 2, "b and c each got it from a, and did not send it to each other");
}

#[test]
fn the_same_segments_from_two_peers_at_once_do_not_confuse() {
    let mut world = World::new(3);
    world.chunk = 700;
    world.write(0, 300, "place");
    world.connect(0, 1);
    world.settle();
    // c now gets all of it from a and from b.
    world.connect(0, 2);
    world.connect(1, 2);
    world.write(1, 10, "meanwhile");
    world.settle();
    world.assert_same();
    world.assert_level();
    assert_eq!(world.devices[2].gained, 310);
}

#[test]
fn a_small_project_does_not_wait_behind_a_large_one() {
    let mut world = World::new(2);
    world.chunk = 2_000;
    world.found(project_id(2));
    world.write(0, 4_000, "large");
    world.devices[0].write_data(project_id(2), 8, "small");
    world.connect(0, 1);
    for _ in 0..1_000 {
        world.round();
        let small = world.devices[1].digest(project_id(2)) == world.devices[0].digest(project_id(2));
        if small {
            break;
        }
    }
    assert!(world.data_entries(1) < 200, "the small project waited for {} entries", world.data_entries(1));
    world.settle();
    world.assert_same();
    world.assert_level();
}

#[test]
fn projects_are_kept_apart_and_only_those_in_common_are_met() {
    let mut world = World::new(2);
    world.devices[0].write_data(project_id(7), 5, "only a has this");
    world.devices[1].write_data(project_id(8), 5, "only b has this");
    let link = world.connect(0, 1);
    world.settle();
    assert!(!world.devices[1].projects.contains_key(&project_id(7)));
    assert!(!world.devices[0].projects.contains_key(&project_id(8)));
    let shared = vec![project_id(1)];
    assert!(
        world.links[link].ends[0]
            .log
            .iter()
            .any(|action| matches!(action, Action::Met { shared: s, .. } if *s == shared))
    );
}

#[test]
fn a_project_can_be_added_to_an_open_session_from_either_side() {
    for first in [0, 1] {
        let mut world = World::new(2);
        let link = world.connect(0, 1);
        world.settle();
        world.found(project_id(2));
        world.devices[0].write_data(project_id(2), 9, "later");
        for side in [first, 1 - first] {
            let end = &mut world.links[link].ends[side];
            end.session.add_project(&world.devices[side], Offer::from(project_id(2)));
            world.settle();
        }
        world.assert_same();
        world.assert_level();
    }
}

#[test]
fn the_window_bounds_what_either_side_holds() {
    let mut world = World::new(2);
    let large: Vec<_> = (0..700u32).map(|n| vec![n as u8; 30 << 10]).collect();
    world.devices[0].write(project_id(1), LogKind::Data, large);
    world.holding.insert(1);
    let link = world.connect(0, 1);
    for _ in 0..100 {
        world.round();
    }
    let [a, b] = &world.links[link].ends;
    let frame = ayni_sync::limits::SEGMENT_FRAME as u64;
    assert!(a.most_held <= ayni_sync::limits::SEND_BUFFER as u64 + frame, "sender holds {}", a.most_held);
    assert!(b.most_held <= ayni_sync::limits::WINDOW + 2 * frame, "receiver holds {}", b.most_held);
    assert!(b.most_held >= ayni_sync::limits::WINDOW, "receiver says that it holds {}", b.most_held);
    assert!(a.sent <= ayni_sync::limits::WINDOW + 2 * frame, "{} bytes were sent unacknowledged", a.sent);
    assert!(a.sent >= ayni_sync::limits::WINDOW, "the window was not used");
    world.holding.clear();
    world.settle();
    world.assert_same();
    world.assert_level();
    assert!(world.links[link].ends[0].most_held <= ayni_sync::limits::SEND_BUFFER as u64 + frame);
}

#[test]
fn control_logs_come_first_and_whole() {
    let mut world = World::new(2);
    world.chunk = 300;
    world.write(0, 20, "a");
    world.devices[0].write(project_id(1), LogKind::Control, (0..30u8).map(|n| vec![n; 20]));
    world.devices[1].write(project_id(1), LogKind::Control, (0..50u8).map(|n| vec![n; 20]));
    world.connect(0, 1);
    world.settle();
    world.assert_same();
    for end in &world.links[0].ends {
        let kinds = end.said().into_iter().filter_map(|message| match message {
            Message::Frontier { kind, .. } => Some(kind),
            Message::Segment { segment, .. } => Some(segment.log.kind),
            _ => None,
        });
        assert!(kinds.is_sorted());
    }
}

#[test]
fn a_commit_costs_by_the_branches_that_changed_not_by_all() {
    let mut world = World::new(2);
    for number in 0..200 {
        world.devices[0].store = ayni_log::ids::StoreId([number; 16]);
        world.devices[0].write_data(project_id(1), 3, "an incarnation");
    }
    let link = world.connect(0, 1);
    world.settle();
    world.assert_level();
    let branch = world.devices[0].write_data(project_id(1), 1, "new");
    let device = &world.devices[0];
    device.frontiers_read.set(0);
    let session = &mut world.links[link].ends[0].session;
    session.advanced(device, &project_id(1), &[branch], world.now);
    assert!(!session.poll_send(device, 1 << 20).is_empty());
    assert_eq!(device.frontiers_read.get(), 0);
}

#[test]
fn a_large_import_is_not_passed_on_to_who_has_it_from_its_author() {
    let mut world = World::new(3);
    world.connect(0, 1);
    let between = world.connect(1, 2);
    world.connect(0, 2);
    world.settle();
    for round in 0..3 {
        world.holding.insert(2);
        world.write(0, 400, &format!("{round}{}", "x".repeat(400)));
        for _ in 0..100 {
            world.round();
        }
        // Device 2 is much slower to store than device 1, and then names what it has.
        world.holding.clear();
        world.settle();
    }
    world.assert_same();
    world.assert_level();
    assert!(world.links[between].ends.iter().all(|end| end.stores() == 0));
}

#[test]
fn what_was_held_back_goes_out_when_no_one_else_brings_it() {
    let mut world = World::new(3);
    world.connect(0, 1);
    world.connect(1, 2);
    let direct = world.connect(0, 2);
    world.settle();
    world.write(0, 400, &"x".repeat(400));
    world.settle();
    world.links[direct].cut = true;
    world.write(0, 400, &"y".repeat(400));
    for _ in 0..700 {
        world.round();
    }
    assert_eq!(world.data_entries(2), 800);
}

#[test]
fn what_came_from_elsewhere_is_named_to_who_named_it_first() {
    let mut attack = Attack::level();
    let (branch, tip) = of_a_third_device(3);
    attack.say_news(&[tip]);
    assert!(!attack.session.is_level(&project_id(1)));
    attack.comes_from_elsewhere(branch);
    assert!(attack.session.is_level(&project_id(1)));
    let news = attack.heard_of(Kind::News);
    assert!(matches!(&news[..], [Message::News { entries, .. }] if entries[..] == [entry_of(&tip)]));
}

#[test]
fn what_comes_from_elsewhere_is_named_also_after_the_other_has_sent_of_that_log() {
    let mut attack = Attack::level();
    let segment = attack.segments(3).remove(0);
    attack.say(&segment);
    attack.session.stored(&attack.honest, ayni_sync::Token(0));
    let branch = attack.peer.write_data(project_id(1), 2, "more");
    let tip = attack.peer.tip(&project_id(1), branch).unwrap();
    attack.say_news(&[tip]);
    let branch = attack.peer.projects[&project_id(1)].branches[&branch].clone();
    attack.comes_from_elsewhere(branch);
    let news = attack.heard_of(Kind::News);
    assert!(matches!(&news[..], [Message::News { entries, .. }] if entries[..] == [entry_of(&tip)]));
}

#[test]
fn what_a_frontier_has_named_is_no_news() {
    let mut attack = Attack::open();
    let tip = attack.honest.frontier(&project_id(1), LogKind::Data)[0];
    attack.say_frontier(&[BranchTip { length: tip.length + 5, hash: Hash([9; 32]), ..tip }]);
    assert_eq!(attack.heard_of(Kind::News), [], "the other can tell by the frontier what it lacks");
}

/// The kinds of the frontiers that the honest side has sent.
fn frontiers(attack: &Attack) -> Vec<LogKind> {
    let kinds = attack.heard_of(Kind::Frontier).into_iter().map(|message| match message {
        Message::Frontier { kind, .. } => kind,
        _ => unreachable!("only frontiers were asked for"),
    });
    kinds.collect()
}

#[test]
fn a_frontier_is_named_once_and_never_where_both_held_the_same() {
    let mut attack = Attack::open();
    let branch = attack.honest.write(project_id(1), LogKind::Control, [b"something".to_vec()]);
    attack.session.advanced(&attack.honest, &project_id(1), &[branch], attack.now);
    attack.drain();
    attack.say(&Message::Stored { first: 0, count: 1 });
    assert_eq!(frontiers(&attack), [LogKind::Data]);
}

#[test]
fn documents_follow_where_control_logs_turn_out_to_be_the_same() {
    let mut attack = Attack::new();
    attack.say(&Message::Hello(attack.hello()));
    let of_before = Summary { control: Hash([7; 32]), rest: Some((Hash([1; 32]), Hash([2; 32]))) };
    attack.say(&Message::Summary { project: 0, summary: of_before });
    let entries = attack.honest.frontier(&project_id(1), LogKind::Control).iter().map(entry_of).collect();
    attack.say(&Message::Frontier { project: 0, kind: LogKind::Control, last: true, entries });
    assert_eq!(frontiers(&attack), [LogKind::Control, LogKind::Data]);
}

#[test]
fn no_more_is_made_ready_than_there_is_room_for() {
    let mut attack = Attack::level();
    let of_third = attack.honest.plant(project_id(1), of_a_third_device(3).0);
    let own = attack.honest.write_data(project_id(1), 1, "own");
    attack.session.advanced(&attack.honest, &project_id(1), &[of_third, own], attack.now);
    assert_eq!(attack.session.poll_send(&attack.honest, 0), []);
    assert_eq!(attack.session.held_bytes(), 0);
    let first = attack.session.poll_send(&attack.honest, 1);
    let waits = attack.session.held_bytes();
    attack.heard = first;
    attack.drain();
    let news = attack.heard_of(Kind::News).remove(0);
    assert_eq!(waits, news.encode().len() as u64 - 1, "the entry is read when the news is gone");
    assert_eq!(attack.heard_of(Kind::Segment).len(), 1);
}

#[test]
fn what_is_sent_before_it_is_told_of_goes_once() {
    let mut attack = Attack::open();
    attack.honest.write_data(project_id(1), 2, "more");
    let frontier = Message::Frontier { project: 0, kind: LogKind::Data, last: true, entries: Vec::new() };
    attack.session.receive(&attack.honest, &frontier.encode(), attack.now);
    // The last segment is read when the database holds more than the session has heard of.
    let branch = attack.honest.write_data(project_id(1), 1, "meanwhile");
    attack.drain();
    attack.session.advanced(&attack.honest, &project_id(1), &[branch], attack.now);
    attack.drain();
    assert_eq!(attack.heard_of(Kind::Segment).len(), 6);
    attack.say(&Message::Stored { first: 0, count: 6 });
    assert!(attack.session.is_level(&project_id(1)));
}

#[test]
fn acknowledgements_are_gathered_into_runs() {
    let mut attack = Attack::level();
    for segment in attack.segments(20) {
        attack.say(&segment);
    }
    for token in [4, 0, 1, 3] {
        attack.session.stored(&attack.honest, ayni_sync::Token(token));
    }
    attack.drain();
    let runs = [(0, 2), (3, 2)].map(|(first, count)| Message::Stored { first, count });
    assert_eq!(attack.heard_of(Kind::Stored), runs);
}

#[test]
fn each_side_names_all_that_it_holds_once() {
    let mut world = World::new(2);
    world.write(0, 20, "a");
    world.write(1, 20, "b");
    for device in [0, 1] {
        world.devices[device].write(project_id(1), LogKind::Control, [vec![device as u8; 20]]);
        world.devices[device].renew_receipt(project_id(1));
    }
    let link = world.connect(0, 1);
    world.settle();
    world.assert_level();
    for end in &world.links[link].ends {
        assert_eq!((end.count(Kind::Summary), end.count(Kind::Frontier), end.count(Kind::Receipts)), (1, 2, 1));
        assert_eq!(end.log.iter().filter(|action| matches!(action, Action::Admitted { .. })).count(), 1);
    }
}

#[test]
fn what_is_not_wanted_is_not_waited_for_and_what_only_lacks_its_base_is() {
    let mut attack = Attack::level();
    let segment = attack.segments(4).remove(0);
    let theirs = attack.peer.frontier(&project_id(1), LogKind::Data);
    let (_, of_third) = of_a_third_device(3);
    let refuse = |attack: &mut Attack, token, refusal| {
        attack.say(&segment);
        attack.session.refused(ayni_sync::Token(token), refusal);
        attack.drain();
        attack.session.is_level(&project_id(1))
    };
    attack.say_news(&theirs);
    assert!(!refuse(&mut attack, 0, Refusal::UnknownBase));
    attack.say_news(&[of_third]);
    assert!(!refuse(&mut attack, 1, Refusal::Unwanted), "what the third device wrote is still lacking");
    let (branch, _) = of_a_third_device(3);
    attack.comes_from_elsewhere(branch);
    assert!(attack.session.is_level(&project_id(1)));
}

#[test]
fn what_the_other_is_known_to_lack_is_not_held_back_when_it_grows() {
    let mut attack = Attack::open();
    let (branch, _) = of_a_third_device(8);
    attack.honest.plant(project_id(1), branch);
    let frontier = Message::Frontier { project: 0, kind: LogKind::Data, last: true, entries: Vec::new() };
    attack.session.receive(&attack.honest, &frontier.encode(), attack.now);
    let (branch, _) = of_a_third_device(12);
    attack.comes_from_elsewhere(branch);
    assert_eq!(attack.heard_of(Kind::Segment).len(), 8);
}
