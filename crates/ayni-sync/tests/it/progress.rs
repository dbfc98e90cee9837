//! How far it is, as both sides are told.

use ayni_log::ids::LogKind;
use ayni_sync::message::{Kind, Message};
use ayni_sync::{Amount, BranchTip, Replica};

use crate::attack::{Attack, entry_of};
use crate::toy::project_id;
use crate::world::World;

#[test]
fn progress_is_exact_and_only_grows() {
    let mut world = World::new(2);
    world.chunk = 500;
    world.watch = Some(project_id(1));
    world.write(0, 333, "place");
    let bytes = world.devices[0].bytes(project_id(1), LogKind::Data);
    let link = world.connect(0, 1);
    world.settle();
    let seen = &world.links[link].ends[1].progress;
    let whole = Amount { entries: 333, bytes };
    let first = seen.iter().position(|(_, left)| left.entries > 0).expect("it is told how much is to come");
    for pair in seen[first..].windows(2) {
        assert!(pair[0].0.entries <= pair[1].0.entries && pair[0].0.bytes <= pair[1].0.bytes, "what is done shrank");
    }
    for (received, left) in &seen[first..] {
        assert_eq!(received.entries + left.entries, whole.entries);
        assert_eq!(received.bytes + left.bytes, whole.bytes);
    }
    assert_eq!(seen.last(), Some(&(whole, Amount::default())));
    let sent = world.links[link].ends[0].session.progress(&project_id(1)).unwrap();
    assert_eq!((sent.sent, sent.to_send), (whole, Amount::default()));
}

fn planned(message: &Message) -> Option<Amount> {
    match *message {
        Message::Plan { entries, bytes, .. } => Some(Amount { entries, bytes }),
        _ => None,
    }
}

#[test]
fn the_plan_comes_before_the_first_segment_and_tells_the_whole() {
    let mut world = World::new(2);
    world.write(0, 33, "place");
    let bytes = world.devices[0].bytes(project_id(1), LogKind::Data);
    let link = world.connect(0, 1);
    world.settle();
    let mut said = world.links[link].ends[0].said().into_iter();
    let first = said.find(|message| matches!(message.kind(), Kind::Plan | Kind::Segment));
    assert_eq!(first.as_ref().and_then(planned), Some(Amount { entries: 33, bytes }));
    assert_eq!(said.filter(|message| message.kind() == Kind::Plan).count(), 0, "once");
}

#[test]
fn what_is_left_is_right_and_counted_only_where_the_other_side_did_not_tell_bytes() {
    let project = project_id(1);
    for tells in [true, false] {
        let mut attack = Attack::open();
        let tip = attack.honest.frontier(&project, LogKind::Data)[0];
        let hash = attack.honest.hash_at(&project, tip.branch, 7).unwrap();
        let held = attack.honest.bytes_at(&project, tip.branch, 8).unwrap();
        attack.honest.bytes_counted.set(0);
        let theirs = BranchTip { length: 8, hash, bytes: if tells { held } else { 0 }, ..tip };
        let frontier =
            Message::Frontier { project: 0, kind: LogKind::Data, last: true, entries: vec![entry_of(&theirs)] };
        attack.session.receive(&attack.honest, &frontier.encode(), attack.now);
        // It grows before anything of it is sent.
        attack.honest.write_data(project, 1, "more");
        let tip = attack.honest.tip(&project, tip.branch).unwrap();
        attack.session.advanced(&attack.honest, &project, &[tip.branch], attack.now);
        attack.drain();
        let plans: Vec<_> = attack.heard_of(Kind::Plan).iter().filter_map(planned).collect();
        assert_eq!(plans, [Amount { entries: 13, bytes: tip.bytes - held }]);
        assert_eq!(attack.honest.bytes_counted.get(), u64::from(!tells));
    }
}

#[test]
fn of_what_the_other_side_lacks_from_the_beginning_or_sent_itself_no_bytes_are_counted() {
    let project = project_id(1);
    let mut attack = Attack::open();
    attack.say_frontier(&[]);
    let first = attack.segments(4).remove(0);
    attack.say(&first);
    let sent = attack.session.progress(&project).unwrap().to_receive;
    // A copy of the peer's folder went on from there, and somebody brings that.
    let branch = attack.peer.write_data(project, 3, "copy");
    let tip = attack.peer.tip(&project, branch).unwrap();
    let before = attack.session.progress(&project).unwrap().to_send;
    let branch = attack.peer.projects[&project].branches[&branch].clone();
    attack.comes_from_elsewhere(branch);
    let after = attack.session.progress(&project).unwrap().to_send;
    assert_eq!((after.entries - before.entries, after.bytes - before.bytes), (3, tip.bytes - sent.bytes));
    assert_eq!(attack.honest.bytes_counted.get(), 0);
}
