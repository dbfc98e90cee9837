//! Who learns what.

use ayni_log::ids::{Hash, LogKind};
use ayni_sync::message::{Kind, LogRef, Message, RefusedCode, Summary};
use ayni_sync::{Action, Amount, BranchTip, Offer, Replica};

use crate::attack::{Attack, entry_of};
use crate::toy::{Toy, project_id};
use crate::world::{World, messages};

fn world_with_stranger() -> World {
    let mut world = World::new(2);
    world.write(0, 20, "secret");
    world.devices.push(Toy::new(9));
    world
}

fn offer(join: Option<Vec<u8>>) -> Vec<Offer> {
    vec![Offer { project: project_id(1), join }]
}

#[test]
fn who_has_no_project_in_common_hears_only_hello() {
    let mut world = world_with_stranger();
    let link = world.connect_with(0, 2, offer(None), vec![Offer::from(project_id(5))]);
    world.settle();
    world.write(0, 1, "more");
    let stranger = world.devices[2].id();
    let branch = world.devices[0].admit(project_id(1), stranger);
    world.advanced(0, project_id(1), branch, None);
    world.settle();
    for end in &world.links[link].ends {
        let kinds: Vec<_> = end.said().iter().map(Message::kind).collect();
        assert_eq!(kinds, [Kind::Hello]);
    }
}

#[test]
fn hello_does_not_tell_how_many_projects_there_are_nor_which() {
    let hellos: Vec<_> = (1..=4)
        .map(|count| {
            let mut world = world_with_stranger();
            let offers = (1..=count).map(|number| Offer::from(project_id(number))).collect();
            world.connect_with(0, 2, offers, Vec::new());
            world.round();
            world.links[0].ends[0].spoken.clone()
        })
        .collect();
    assert!(hellos.iter().all(|hello| hello.len() == hellos[0].len()));
    assert!(!hellos[0].windows(32).any(|window| window == project_id(1).0));
}

#[test]
fn tags_differ_in_every_session_and_direction() {
    use ayni_sync::tag::{Side, project_tag};
    let tag = project_tag(&project_id(1), &[1; 32], Side::Initiator);
    assert_ne!(tag, project_tag(&project_id(1), &[1; 32], Side::Acceptor));
    assert_ne!(tag, project_tag(&project_id(1), &[2; 32], Side::Initiator));
    assert_ne!(tag, project_tag(&project_id(2), &[1; 32], Side::Initiator));
}

#[test]
fn a_device_that_is_not_admitted_gets_no_data_frontier_no_digest_and_no_receipt() {
    let mut world = world_with_stranger();
    world.connect(0, 1);
    world.settle();
    let link = world.connect_with(0, 2, offer(None), offer(None));
    world.settle();
    for message in world.links[link].ends[0].said() {
        match message {
            Message::Summary { summary, .. } => assert_eq!(summary.rest, None),
            Message::Frontier { kind, .. } | Message::News { kind, .. } => assert_eq!(kind, LogKind::Control),
            Message::Segment { segment, .. } => assert_eq!(segment.log.kind, LogKind::Control),
            Message::Receipts { .. } | Message::Receipt { .. } => panic!("receipts were shown"),
            _ => {}
        }
    }
    let log = &world.links[link].ends[1].log;
    assert!(log.contains(&Action::NotAdmitted { project: project_id(1) }));
    assert_eq!(world.data_entries(2), 0);
}

#[test]
fn a_device_with_a_ticket_asks_is_admitted_and_gets_everything_in_one_session() {
    let mut world = world_with_stranger();
    world.admits = true;
    let request = world.devices[2].id().0.to_vec();
    world.connect(0, 1);
    let link = world.connect_with(0, 2, offer(None), offer(Some(request.clone())));
    world.settle();
    let asked = Action::JoinRequest { project: project_id(1), request };
    assert_eq!(world.links[link].ends[0].log.iter().filter(|action| **action == asked).count(), 1);
    world.assert_same();
    world.assert_level();
    assert_eq!(world.data_entries(2), 20);
}

#[test]
fn a_refused_request_is_told_with_its_reason() {
    let mut world = world_with_stranger();
    let link = world.connect_with(0, 2, offer(None), offer(Some(vec![1, 2, 3])));
    world.settle();
    world.links[link].ends[0].session.decline(&project_id(1), "the ticket has expired:\nask for a new one");
    world.settle();
    let text = "the ticket has expired: ask for a new one".to_owned();
    assert!(world.links[link].ends[1].log.contains(&Action::Declined { project: project_id(1), text }));
}

#[test]
fn an_admission_made_elsewhere_is_shown_and_then_believed() {
    // Device 0 admitted device 2, which was told by device 0 in an earlier session; device 1 has not heard of it.
    let mut world = world_with_stranger();
    let newcomer = world.devices[2].id();
    world.devices[0].admit(project_id(1), newcomer);
    let project = world.devices[0].projects[&project_id(1)].clone();
    world.devices[2].projects.insert(project_id(1), project);
    world.devices[2].next_branch = 1_000;
    world.connect(1, 2);
    world.settle();
    world.assert_level();
    assert_eq!(world.data_entries(1), 20);
}

#[test]
fn a_removed_device_gets_nothing_new() {
    let mut world = World::new(3);
    world.write(0, 20, "before");
    let link = world.connect(0, 2);
    world.connect(0, 1);
    world.settle();
    let removed = world.devices[2].id();
    let branch = world.devices[0].remove(project_id(1), removed);
    world.advanced(0, project_id(1), branch, None);
    world.write(0, 5, "after");
    world.settle();
    assert_eq!((world.data_entries(1), world.data_entries(2)), (25, 20));
    let told = |action: &Action| matches!(action, Action::Declined { .. });
    assert!(world.links[link].ends[1].log.iter().any(told));
    // Nor in another session, nor by who has heard of the removal.
    let by_b = world.connect(1, 2);
    world.write(2, 3, "backdated");
    world.settle();
    assert_eq!((world.data_entries(1), world.data_entries(2)), (25, 23));
    let kinds: Vec<_> = world.links[by_b].ends[0].said().iter().map(Message::kind).collect();
    assert!(kinds.iter().all(|kind| matches!(kind, Kind::Hello | Kind::Declined | Kind::Refused)), "{kinds:?}");
}

#[test]
fn a_device_that_is_removed_while_it_listens_hears_so_at_once_and_nothing_else() {
    let mut world = World::new(2);
    world.write(0, 20, "before");
    let link = world.connect(0, 1);
    world.settle();
    let before = world.links[link].ends[0].said().len();
    let removed = world.devices[1].id();
    let branch = world.devices[0].remove(project_id(1), removed);
    world.advanced(0, project_id(1), branch, None);
    world.settle();
    let kinds: Vec<_> = world.links[link].ends[0].said()[before..].iter().map(Message::kind).collect();
    assert_eq!(kinds, [Kind::Declined]);
}

#[test]
fn who_takes_back_an_admission_and_gives_it_again_is_told_all_anew() {
    let mut attack = Attack::level();
    let control = attack.peer.digest(project_id(1)).0;
    let mut say = |rest| {
        attack.say(&Message::Summary { project: 0, summary: Summary { control, rest } });
        (attack.session.is_level(&project_id(1)), attack.heard_of(Kind::Frontier).len())
    };
    assert_eq!(say(None), (false, 1));
    assert_eq!(say(Some((Hash([3; 32]), Hash([4; 32])))), (false, 2));
}

#[test]
fn what_is_on_its_way_when_an_admission_is_taken_back_still_counts() {
    let mut attack = Attack::open();
    attack.say_frontier(&[]);
    let theirs = attack.segments(3).remove(0);
    attack.say(&theirs);
    let (control, data) = attack.honest.digest(project_id(1));
    for rest in [None, Some((data, Hash([4; 32])))] {
        attack.say(&Message::Summary { project: 0, summary: Summary { control, rest } });
    }
    let progress = attack.session.progress(&project_id(1)).unwrap();
    assert_eq!((progress.to_send.entries, progress.to_receive.entries), (20, 3));
    assert!(!attack.session.is_level(&project_id(1)));
    attack.session.stored(&attack.honest, ayni_sync::Token(0));
    assert!(!attack.session.is_level(&project_id(1)), "what was sent is not acknowledged");
    attack.say(&Message::Stored { first: 0, count: 5 });
    assert!(attack.session.is_level(&project_id(1)));
}

#[test]
fn a_summary_that_says_the_same_again_changes_nothing() {
    let mut attack = Attack::level();
    let control = attack.peer.digest(project_id(1)).0;
    attack.say(&Message::Summary {
        project: 0,
        summary: Summary { control, rest: Some((Hash([3; 32]), Hash([4; 32]))) },
    });
    assert!(attack.session.is_level(&project_id(1)));
    assert_eq!((attack.heard_of(Kind::Frontier).len(), attack.heard_of(Kind::Receipts).len()), (1, 1));
}

#[test]
fn who_was_refused_still_hears_who_is_in_the_project_and_can_ask_anew() {
    let mut world = world_with_stranger();
    let first = vec![1, 2, 3];
    let link = world.connect_with(0, 2, offer(None), offer(Some(first)));
    world.settle();
    world.links[link].ends[0].session.decline(&project_id(1), "the ticket has expired");
    world.settle();
    let branch = world.devices[0].admit(project_id(1), Toy::new(44).id());
    world.advanced(0, project_id(1), branch, None);
    world.settle();
    assert_eq!(world.devices[2].digest(project_id(1)).0, world.devices[0].digest(project_id(1)).0);

    world.admits = true;
    let request = world.devices[2].id().0.to_vec();
    let again = Offer { project: project_id(1), join: Some(request) };
    world.links[link].ends[1].session.add_project(&world.devices[2], again);
    world.settle();
    assert_eq!(world.data_entries(2), 20);
    let told = world.links[link].ends[1].log.iter();
    assert_eq!(told.filter(|action| matches!(action, Action::NotAdmitted { .. })).count(), 2, "once for each request");
}

#[test]
fn a_stranger_that_asks_as_if_it_were_admitted_learns_nothing_and_gives_nothing() {
    let mut attack = Attack::stranger();
    attack.honest.renew_receipt(project_id(1));
    let tip = attack.honest.frontier(&project_id(1), LogKind::Data)[0];
    let (log, hash) = (LogRef::from(&tip.log), tip.hash);
    attack.heard.clear();
    attack.say_frontier(&[]);
    attack.say_news(&[BranchTip { length: 8, hash: Hash([1; 32]), ..tip }]);
    attack.say(&Message::Missing { project: 0, log, length: tip.length, hash });
    attack.say(&Message::Probe { project: 0, id: 0, log, points: vec![(tip.length, hash)] });
    attack.say(&Message::Receipts { project: 0, last: true, entries: Vec::new() });
    let segment = attack.segments(1).remove(0);
    attack.say(&segment);
    let branch = attack.honest.write_data(project_id(1), 1, "later");
    attack.session.advanced(&attack.honest, &project_id(1), &[branch], attack.now);
    attack.drain();
    let answers = [Message::Probed { id: 0, held: 0 }, Message::Refused { segment: 0, code: RefusedCode::Unwanted }];
    assert_eq!(messages(&attack.heard), answers);
    attack.assert_open();
    assert!(!attack.session.is_level(&project_id(1)));
    assert!(!attack.actions.iter().any(|action| matches!(action, Action::Store { .. } | Action::StoreReceipt { .. })));
}

#[test]
fn from_the_moment_of_a_removal_nothing_is_sent_be_it_told_to_the_session_or_not() {
    let mut attack = Attack::open();
    let frontier = Message::Frontier { project: 0, kind: LogKind::Data, last: true, entries: Vec::new() };
    attack.session.receive(&attack.honest, &frontier.encode(), attack.now);
    let removed = attack.peer.id();
    attack.honest.remove(project_id(1), removed);
    attack.drain();
    assert_eq!(attack.heard_of(Kind::Segment), []);
    assert_eq!(attack.heard_of(Kind::Declined).len(), 1);
}

#[test]
fn what_was_to_be_sent_is_dropped_where_an_admission_turns_out_to_count_for_nothing() {
    let mut attack = Attack::open();
    let frontier = Message::Frontier { project: 0, kind: LogKind::Data, last: true, entries: Vec::new() };
    attack.session.receive(&attack.honest, &frontier.encode(), attack.now);
    let peer = attack.peer.id();
    let branch = attack.honest.undo_admission(project_id(1), peer);
    attack.session.advanced(&attack.honest, &project_id(1), &[branch], attack.now);
    assert_eq!(attack.session.progress(&project_id(1)).unwrap().to_send, Amount::default());
    attack.drain();
    assert_eq!(attack.heard_of(Kind::Segment), []);
    let summary = attack.heard_of(Kind::Summary).pop();
    assert!(matches!(summary, Some(Message::Summary { summary: Summary { rest: None, .. }, .. })));
}

#[test]
fn a_removed_device_that_asks_all_the_same_learns_nothing_of_control_logs_either() {
    let mut attack = Attack::open();
    let (project, kind) = (project_id(1), LogKind::Control);
    let removed = attack.peer.id();
    let branch = attack.honest.remove(project, removed);
    attack.session.advanced(&attack.honest, &project, &[branch], attack.now);
    attack.drain();
    attack.heard.clear();
    let tip = attack.honest.frontier(&project, kind)[0];
    let (log, hash) = (LogRef::from(&tip.log), tip.hash);
    attack.say(&Message::Frontier { project: 0, kind, last: true, entries: Vec::new() });
    attack.say(&Message::News { project: 0, kind, entries: vec![entry_of(&tip)] });
    attack.say(&Message::Missing { project: 0, log, length: tip.length, hash });
    attack.say(&Message::Probe { project: 0, id: 0, log, points: vec![(tip.length, hash)] });
    let theirs = attack.peer.write(project, kind, [b"backdated".to_vec()]);
    attack.frames(kind, theirs).iter().for_each(|frame| attack.say(frame));
    let branch = attack.honest.write(project, kind, [b"later".to_vec()]);
    attack.session.advanced(&attack.honest, &project, &[branch], attack.now);
    attack.drain();
    let answers = [Message::Probed { id: 0, held: 0 }, Message::Refused { segment: 0, code: RefusedCode::Unwanted }];
    assert_eq!(messages(&attack.heard), answers);
}

#[test]
fn who_was_refused_and_is_taken_back_gets_and_gives_what_came_meanwhile() {
    for writers in [&[0][..], &[1], &[0, 1]] {
        let mut world = World::new(2);
        world.connect(0, 1);
        world.settle();
        let project = project_id(1);
        let (refused, decision) = (world.devices[1].id(), world.devices[0].write(project, LogKind::Control, []));
        world.devices[0].projects.get_mut(&project).unwrap().refused.insert(refused);
        world.advanced(0, project, decision, None);
        world.settle();
        for device in writers {
            let branch = world.devices[*device].write(project, LogKind::Control, [b"meanwhile".to_vec()]);
            world.advanced(*device, project, branch, None);
            world.write(*device, 3, "meanwhile");
        }
        world.settle();
        assert_ne!(world.devices[0].digest(project), world.devices[1].digest(project));
        world.devices[0].projects.get_mut(&project).unwrap().refused.clear();
        world.advanced(0, project, decision, None);
        world.settle();
        world.assert_same();
        world.assert_level();
        let told = world.links[0].ends[1].log.iter();
        assert_eq!(told.filter(|action| matches!(action, Action::Admitted { .. })).count(), 2, "and again");
    }
}
