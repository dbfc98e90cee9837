//! Logs that were forked, by a device whose folder was copied or restored.

use ayni_log::ids::{Hash, LogKind};
use ayni_sync::message::{Kind, LogRef, Message};
use ayni_sync::{BranchTip, Replica, limits};

use crate::attack::{Attack, written_by};
use crate::toy::{Toy, project_id};
use crate::world::World;

/// Device 0 wrote a log; device 1 holds a branch of it that parts at `at` and goes on for `other` entries.
fn forked_world(length: usize, at: u64, other: u64) -> World {
    let mut world = World::new(2);
    world.write(0, length, "one way");
    let branch = world.devices[0].forked(project_id(1), at, other, "other way");
    world.devices[1].plant(project_id(1), branch);
    world
}

fn probes(world: &World) -> usize {
    world.links.iter().flat_map(|link| &link.ends).map(|end| end.count(Kind::Probe)).sum()
}

#[test]
fn both_sides_of_a_fork_end_up_everywhere_and_only_what_differs_is_sent() {
    for at in [0, 1, 3, 4, 6, 30] {
        for (more, other) in [(1, 1), (1, 9), (9, 1), (5, 5), (0, 3), (40, 2), (2, 40)] {
            let length = at + more;
            if length == 0 {
                continue;
            }
            let mut world = forked_world(length as usize, at, other);
            world.connect(0, 1);
            world.settle();
            world.assert_same();
            world.assert_level();
            let [a, b] = &world.links[0].ends;
            assert_eq!(b.entries_arrived(), more, "at {at}, {more} more, {other} on the other side");
            assert_eq!(a.entries_arrived(), other, "at {at}, {more} more, {other} on the other side");
        }
    }
}

#[test]
fn a_peer_that_is_simply_ahead_needs_no_probe() {
    for (here, there) in [(5, 90), (90, 5), (0, 7), (8, 8)] {
        let mut world = World::new(2);
        world.write(0, 90, "one way");
        let whole = world.devices[0].clone();
        let held = world.devices[0].projects.get_mut(&project_id(1)).unwrap();
        held.branches.retain(|_, branch| branch.log.kind == LogKind::Control);
        for (device, length) in [(0, here), (1, there)] {
            if length > 0 {
                world.devices[device].plant(project_id(1), whole.forked(project_id(1), length, 0, ""));
            }
        }
        world.connect(0, 1);
        world.settle();
        world.assert_same();
        world.assert_level();
        assert_eq!(probes(&world), 0, "{here} against {there}");
    }
}

#[test]
fn the_point_where_a_long_log_parts_is_found_in_few_questions() {
    let mut world = forked_world(20_000, 19_321, 700);
    world.connect(0, 1);
    world.settle();
    world.assert_same();
    world.assert_level();
    assert!(probes(&world) <= 8, "{} probes", probes(&world));
    assert_eq!(world.links[0].ends[0].entries_arrived(), 700);
    assert_eq!(world.links[0].ends[1].entries_arrived(), 679);
}

#[test]
fn several_branches_of_one_log_meet_across_three_devices() {
    let mut world = World::new(3);
    world.write(0, 40, "one way");
    for (device, at, count, text) in [(1, 10, 5, "b"), (1, 20, 50, "c"), (2, 10, 6, "d"), (2, 39, 1, "e")] {
        let branch = world.devices[0].forked(project_id(1), at, count, text);
        world.devices[device].plant(project_id(1), branch);
    }
    world.connect(0, 1);
    world.connect(1, 2);
    world.settle();
    world.assert_same();
    world.assert_level();
    assert_eq!(world.data_entries(0), 40 + 15 + 70 + 16 + 40);
}

#[test]
fn a_fork_that_happens_while_the_session_is_open_is_taken_in() {
    for (ours, theirs) in [(3, 1), (1, 3), (2, 2)] {
        let mut world = World::new(2);
        world.write(0, 10, "one way");
        world.connect(0, 1);
        world.settle();
        // Another copy of device 0 gave device 1 a branch, which it now passes on.
        let branch = world.devices[0].forked(project_id(1), 8, theirs, "copy");
        let branch = world.devices[1].plant(project_id(1), branch);
        world.advanced(1, project_id(1), branch, None);
        world.write(0, ours, "goes on");
        world.settle();
        world.assert_same();
        world.assert_level();
    }
}

#[test]
fn what_the_other_holds_of_a_fork_is_lacking_until_it_comes() {
    let mut attack = Attack::open();
    let project = project_id(1);
    let mut copy = Toy::new(1);
    copy.plant(project, attack.honest.forked(project, 17, 3, "copy"));
    let theirs = copy.frontier(&project, LogKind::Data)[0];
    attack.say_frontier(&[theirs]);
    let Message::Probe { id, points, .. } = attack.heard_of(Kind::Probe).remove(0) else { panic!("a probe") };
    let common = points.iter().filter(|(length, _)| *length <= 17).count() as u64;
    attack.say(&Message::Probed { id, held: common });
    attack.say(&Message::Stored { first: 0, count: 1 });
    // Now the branch here grows beyond what the other holds, which must not be taken for a part of it.
    let branch = attack.honest.write_data(project, 1, "goes on");
    attack.session.advanced(&attack.honest, &project, &[branch], attack.now);
    attack.drain();
    attack.say(&Message::Stored { first: 1, count: 1 });
    assert_eq!(attack.heard_of(Kind::Segment).len(), 2, "the other has all from here");
    let missing = attack.heard_of(Kind::Missing);
    assert!(matches!(missing[..], [Message::Missing { length: 20, hash, .. }] if hash == theirs.hash));
    assert!(!attack.session.is_level(&project));
}

#[test]
fn only_who_has_the_longer_branch_says_that_the_other_is_no_part_of_it() {
    for (more, other, missing) in [(5, 5, [0, 0]), (5, 2, [1, 0]), (2, 5, [0, 1])] {
        let mut world = forked_world(10 + more, 10, other);
        let link = world.connect(0, 1);
        world.settle();
        world.assert_level();
        let said = [0, 1].map(|side| world.links[link].ends[side].count(Kind::Missing));
        assert_eq!(said, missing, "{more} more, {other} on the other side");
    }
}

#[test]
fn however_often_one_branch_is_named_another_is_not_forgotten() {
    let mut attack = Attack::open();
    let project = project_id(1);
    let branch = attack.honest.write_data(project, 0, "");
    let fork = attack.honest.forked(project, 9, 3, "copy");
    let fork = attack.honest.plant(project, fork);
    let tips = [branch, fork].map(|branch| attack.honest.tip(&project, branch).unwrap());
    attack.say_frontier(&tips);
    assert!(attack.session.is_level(&project));
    for _ in 0..=limits::PEER_BRANCHES_PER_LOG {
        attack.honest.write_data(project, 1, "goes on");
        attack.say_news(&[attack.honest.tip(&project, branch).unwrap()]);
    }
    // The fork grows: the other side still has what it had of it.
    let grown = attack.honest.forked(project, 9, 4, "copy");
    attack.comes_from_elsewhere(grown);
    let segments = attack.heard_of(Kind::Segment);
    assert!(matches!(&segments[..], [Message::Segment { segment, .. }] if (segment.start, segment.count) == (12, 1)));
}

#[test]
fn what_is_said_to_be_missing_again_and_again_is_asked_about_once() {
    let mut attack = Attack::open();
    let tip = attack.honest.frontier(&project_id(1), LogKind::Data)[0];
    let missing = Message::Missing { project: 0, log: LogRef::from(&tip.log), length: 20, hash: tip.hash };
    for _ in 0..3 {
        attack.say(&missing);
    }
    assert_eq!(attack.heard_of(Kind::Probe).len(), 1);
}

#[test]
fn after_news_only_what_was_written_since_is_sent() {
    let mut attack = Attack::level();
    let project = project_id(1);
    let before = attack.honest.frontier(&project, LogKind::Data)[0];
    attack.honest.write_data(project, 1, "from elsewhere too");
    let named = attack.honest.frontier(&project, LogKind::Data)[0];
    attack.say_news(&[named]);
    attack.say_news(&[before]);
    let branch = attack.honest.write_data(project, 1, "goes on");
    attack.session.advanced(&attack.honest, &project, &[branch], attack.now);
    attack.drain();
    let segments = attack.heard_of(Kind::Segment);
    assert!(matches!(&segments[..], [Message::Segment { segment, .. }] if (segment.start, segment.count) == (21, 1)));
}

#[test]
fn missing_is_said_only_of_what_is_shorter_than_a_branch_here() {
    let project = project_id(1);
    let on_another_branch = |attack: &mut Attack, length| {
        let tip = attack.honest.frontier(&project, LogKind::Data)[0];
        attack.say_news(&[BranchTip { length, hash: Hash([9; 32]), ..tip }]);
    };
    for (named, missing) in [(19, 1), (20, 0), (21, 0)] {
        let mut attack = Attack::level();
        on_another_branch(&mut attack, named);
        assert_eq!(attack.heard_of(Kind::Missing).len(), missing, "{named} entries are named, 20 are here");
    }
    let mut attack = Attack::level();
    on_another_branch(&mut attack, 22);
    for (here, missing) in [(21, 0), (22, 0), (23, 1)] {
        let branch = attack.honest.write_data(project, 1, "goes on");
        attack.session.advanced(&attack.honest, &project, &[branch], attack.now);
        attack.drain();
        assert_eq!(attack.heard_of(Kind::Missing).len(), missing, "22 entries were named, {here} are here");
    }
}

#[test]
fn what_grows_in_one_log_says_nothing_about_another() {
    let written = |number, count| written_by(number, (0..count).map(|n| vec![number, n]));
    for (grows, other) in [(3, 4), (4, 3)] {
        let mut attack = Attack::level();
        let (branch, tip) = written(grows, 5);
        attack.say_news(&[tip, written(other, 2).1]);
        attack.comes_from_elsewhere(branch);
        assert_eq!(attack.heard_of(Kind::Missing), [], "nobody is asked for what is not forked");
        assert!(!attack.session.is_level(&project_id(1)));
    }
}

#[test]
fn what_a_probe_found_holds_for_the_other_branches_of_the_log() {
    let mut attack = Attack::open();
    let project = project_id(1);
    let mut copy = Toy::new(1);
    copy.plant(project, attack.honest.forked(project, 17, 3, "copy"));
    attack.say_frontier(&copy.frontier(&project, LogKind::Data));
    let Message::Probe { id, points, .. } = attack.heard_of(Kind::Probe).remove(0) else { panic!("a probe") };
    let common = points.iter().filter(|(length, _)| *length <= 17).count() as u64;
    attack.say(&Message::Probed { id, held: common });
    let third_way = attack.honest.forked(project, 18, 1, "third way");
    attack.comes_from_elsewhere(third_way);
    let segments = attack.heard_of(Kind::Segment);
    let starts = segments.iter().map(|message| match message {
        Message::Segment { segment, .. } => (segment.start, segment.count),
        _ => unreachable!("only segments were asked for"),
    });
    assert_eq!(starts.collect::<Vec<_>>(), [(17, 3), (17, 2)]);
    assert_eq!(attack.heard_of(Kind::Probe).len(), 1);
}
