//! A peer that sends garbage, lies, replays, echoes, forges, interleaves or never finishes: its session ends with a
//! clear reason or goes on, and nothing else is lost.

use ayni_log::ids::{Hash, LogKind};
use ayni_sync::message::{Hello, Kind, Message, RefusedCode, Summary};
use ayni_sync::tag::Side;
use ayni_sync::{Action, CloseCode, Ended, Offer, Reason, Refusal, Replica, Session, limits};
use proptest::prelude::*;

use crate::attack::{Attack, NOW, entry_of};
use crate::toy::{Toy, project_id};
use crate::world::{World, config, messages};

#[test]
fn a_lying_length_ends_the_session_before_anything_is_kept() {
    for head in [[0xff, 0xff, 0xff, 0xff, 11], [0, 0, 0, 0, 18], [0, 0, 0, 2, 17], [0x7f, 0, 0, 0, 99]] {
        let mut attack = Attack::open();
        attack.send(&head);
        attack.assert_ended(CloseCode::Malformed);
        assert!(attack.session.held_bytes() < 1_000);
    }
}

#[test]
fn before_hello_only_small_frames_are_taken() {
    let mut attack = Attack::new();
    attack.send(&[0, 0x20, 0, 0, 11]);
    attack.assert_ended(CloseCode::Malformed);
}

#[test]
fn nothing_but_hello_may_come_first_and_it_comes_once() {
    let mut attack = Attack::new();
    attack.say(&Message::Ping);
    attack.assert_ended(CloseCode::Unexpected);

    let mut replayed = Attack::open();
    replayed.say(&Message::Hello(replayed.hello()));
    replayed.assert_ended(CloseCode::Unexpected);
}

#[test]
fn a_device_that_cannot_prove_itself_is_told_nothing_more() {
    let mut attack = Attack::new();
    let mut hello = attack.hello();
    hello.device = attack.honest.id();
    attack.say(&Message::Hello(hello));
    attack.assert_ended(CloseCode::Proof);
    let kinds: Vec<_> = messages(&attack.heard).iter().map(Message::kind).collect();
    assert_eq!(kinds, [Kind::Close]);
}

#[test]
fn an_echo_of_all_that_was_said_proves_nothing() {
    let mut attack = Attack::new();
    attack.drain();
    let heard = attack.heard.clone();
    attack.send(&heard);
    attack.assert_ended(CloseCode::Proof);

    // With a hello of its own, but with the tags that it heard.
    let mut attack = Attack::new();
    attack.drain();
    let Some(Message::Hello(heard)) = messages(&attack.heard).pop() else { panic!("hello comes first") };
    let mut hello = attack.hello();
    hello.tags = heard.tags;
    attack.say(&Message::Hello(hello));
    let kinds: Vec<_> = messages(&attack.heard).iter().map(Message::kind).collect();
    assert_eq!(kinds, [Kind::Hello], "no project is in common");
    attack.say(&Message::Summary { project: 0, summary: Summary { control: Hash([0; 32]), rest: None } });
    attack.assert_ended(CloseCode::Unexpected);
}

#[test]
fn a_copy_of_this_very_folder_is_not_talked_to() {
    let toy = Toy::new(1);
    let mut session = Session::new(config(&toy, &toy, Side::Acceptor, 1, Vec::new()), NOW);
    let mut other = Session::new(config(&toy, &toy, Side::Initiator, 1, Vec::new()), NOW);
    session.receive(&toy, &other.poll_send(&toy, 1 << 20), NOW);
    assert!(
        matches!(session.poll_action(), Some(Action::Ended(Ended::Here(reason))) if reason.code == CloseCode::Itself)
    );
}

#[test]
fn a_newer_version_that_no_longer_speaks_ours_is_named() {
    let mut attack = Attack::new();
    let mut hello = attack.hello();
    (hello.version, hello.oldest) = (9, 2);
    attack.say(&Message::Hello(hello));
    attack.assert_ended(CloseCode::Version);
}

#[test]
fn a_newer_version_that_still_speaks_ours_is_met_and_its_new_messages_are_skipped() {
    let mut attack = Attack::new();
    let mut hello = attack.hello();
    hello.version = 9;
    let mut frame = Message::Hello(hello).encode();
    frame.extend(b"something new");
    let len = frame.len() as u32 - 4;
    frame[..4].copy_from_slice(&len.to_be_bytes());
    attack.send(&frame);
    attack.send(&[0, 0, 0, 4, 200, 1, 2, 3]);
    attack.assert_open();
    assert!(attack.session.peer().is_some());
    attack.send(&[0, 0, 0, 4, 100, 1, 2, 3]);
    attack.assert_ended(CloseCode::Malformed);
}

#[test]
fn a_hello_of_this_version_ends_where_the_page_says() {
    let mut attack = Attack::new();
    let mut frame = Message::Hello(attack.hello()).encode();
    frame.push(0);
    let len = frame.len() as u32 - 4;
    frame[..4].copy_from_slice(&len.to_be_bytes());
    attack.send(&frame);
    attack.assert_ended(CloseCode::Malformed);
}

#[test]
fn a_range_of_versions_that_is_none_is_no_hello() {
    for (version, oldest) in [(1, 0), (0, 1), (0, 0)] {
        let mut attack = Attack::new();
        let hello = attack.hello();
        attack.say(&Message::Hello(Hello { version, oldest, ..hello }));
        attack.assert_ended(CloseCode::Malformed);
    }
}

#[test]
fn a_project_is_named_once() {
    let mut attack = Attack::open();
    let tags = attack.hello().tags;
    attack.say(&Message::Tags(tags));
    attack.assert_ended(CloseCode::Unexpected);
}

#[test]
fn two_copies_of_one_device_are_two_peers() {
    let (one, mut other) = (Toy::new(1), Toy::new(1));
    other.store = Toy::new(2).store;
    let mut session = Session::new(config(&one, &other, Side::Acceptor, 1, Vec::new()), NOW);
    let mut theirs = Session::new(config(&other, &one, Side::Initiator, 1, Vec::new()), NOW);
    session.receive(&one, &theirs.poll_send(&other, 1 << 20), NOW);
    assert_eq!(session.peer(), Some((one.id(), other.store)));
    assert!(!session.is_ended());
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_ends_the_session_at_once() {
    let mut attack = Attack::open();
    attack.say(&Message::Stored { first: 0, count: u64::MAX });
    attack.assert_ended(CloseCode::Unexpected);

    let mut attack = Attack::open();
    attack.say(&Message::Probed { id: 3, held: 1 });
    attack.assert_ended(CloseCode::Unexpected);
}

#[test]
fn a_replayed_segment_and_one_out_of_order_do_no_harm() {
    let mut attack = Attack::open();
    let segments = attack.segments(12);
    for at in [0, 0, 2, 1, 2, 0] {
        attack.say(&segments[at]);
        let stores: Vec<_> = attack.actions.drain(..).collect();
        for action in stores {
            let Action::Store { project, segment } = action else { continue };
            match attack.honest.store(project, &segment) {
                Ok(_) => attack.session.stored(&attack.honest, segment.token),
                Err(refusal) => {
                    assert_eq!((at, refusal), (2, Refusal::UnknownBase));
                    attack.session.refused(segment.token, refusal);
                }
            }
        }
    }
    attack.drain();
    attack.assert_open();
    assert_eq!(attack.honest.gained, 12);
    let refused = messages(&attack.heard).into_iter().filter(|message| message.kind() == Kind::Refused).count();
    assert_eq!(refused, 1, "the one that came before what it follows");
    // An answer that is given twice is taken once.
    attack.session.stored(&attack.honest, ayni_sync::Token(0));
    attack.drain();
    attack.assert_open();
}

#[test]
fn a_forged_or_cut_segment_ends_this_session_and_no_other() {
    for spoil in [0, 1] {
        let mut world = World::new(3);
        world.write(0, 30, "place");
        world.connect(1, 2);
        let bad = world.connect(0, 1);
        for _ in 0..3 {
            world.round();
        }
        let mut attack = Attack::open();
        let Message::Segment { mut segment, .. } = attack.segments(4).remove(0) else { panic!("a segment") };
        if spoil == 0 {
            let last = segment.bytes.len() - 70;
            segment.bytes[last] ^= 1;
        } else {
            segment.bytes.truncate(segment.bytes.len() - 1);
        }
        attack.say(&Message::Segment { project: 0, segment });
        let stored = attack.actions.iter().find_map(|action| match action {
            Action::Store { project, segment } => Some((*project, segment.clone())),
            _ => None,
        });
        let (project, arrived) = stored.expect("it is for the database to judge");
        let refusal = attack.honest.store(project, &arrived).expect_err("it is not genuine");
        attack.session.refused(arrived.token, refusal);
        attack.assert_ended(CloseCode::Forged);
        assert_eq!(attack.honest.gained, 0);

        let forged = Reason::new(CloseCode::Forged, "forged");
        world.links[bad].ends[1].session.close(forged.clone());
        world.write(2, 5, "others go on");
        world.settle();
        assert_eq!(world.links[bad].ends[0].ended(), Some(&Ended::There(forged)));
        assert!(world.links[0].ends.iter().all(|end| end.ended().is_none()));
        assert_eq!(world.devices[1].digest(project_id(1)), world.devices[2].digest(project_id(1)));
    }
}

#[test]
fn segments_of_projects_and_logs_may_be_interleaved_but_not_inside_each_other() {
    let mut attack = Attack::open();
    let segments = attack.segments(8);
    let (first, second) = (segments[0].encode(), segments[1].encode());
    let interleaved = [&first[..20], &second[..], &first[20..]].concat();
    attack.send(&interleaved);
    let stores: Vec<_> = attack
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Store { project, segment } => Some((*project, segment.clone())),
            _ => None,
        })
        .collect();
    for (project, segment) in stores {
        if let Err(refusal) = attack.honest.store(project, &segment) {
            attack.session.refused(segment.token, refusal);
        }
    }
    attack.drain();
    assert!(attack.session.is_ended());
    assert_eq!(attack.honest.gained, 0);
}

#[test]
fn more_than_the_window_is_not_taken() {
    let mut attack = Attack::open();
    let Message::Segment { project, mut segment } = attack.segments(1).remove(0) else { panic!("a segment") };
    segment.bytes.resize(2 << 20, 0);
    let message = Message::Segment { project, segment }.encode();
    for _ in 0..limits::WINDOW / (2 << 20) {
        attack.send(&message);
        attack.assert_open();
    }
    attack.send(&message);
    attack.assert_ended(CloseCode::Unexpected);
    assert!(attack.session.held_bytes() <= limits::WINDOW + 2 * limits::SEGMENT_FRAME as u64);
}

/// The segments of documents that the honest side has sent since this was last asked.
fn data_segments(attack: &mut Attack) -> Vec<u64> {
    let heard = messages(&std::mem::take(&mut attack.heard));
    let starts = heard.into_iter().filter_map(|message| match message {
        Message::Segment { segment, .. } if segment.log.kind == LogKind::Data => Some(segment.start),
        _ => None,
    });
    starts.collect()
}

#[test]
fn what_was_refused_for_want_of_an_admission_is_sent_again_once_the_other_gained_control_entries() {
    let admission = || [b"an admission".to_vec()];
    let from_here = |attack: &mut Attack| {
        let branch = attack.honest.write(project_id(1), LogKind::Control, admission());
        attack.session.advanced(&attack.honest, &project_id(1), &[branch], attack.now);
        attack.drain();
        attack.say(&Message::Stored { first: 5, count: 1 });
    };
    let which_is_here = |attack: &mut Attack| {
        let tip = attack.honest.frontier(&project_id(1), LogKind::Control).remove(0);
        attack.say(&Message::News { project: 0, kind: LogKind::Control, entries: vec![entry_of(&tip)] });
    };
    let which_it_brings = |attack: &mut Attack| {
        let branch = attack.peer.write(project_id(1), LogKind::Control, admission());
        attack.frames(LogKind::Control, branch).iter().for_each(|frame| attack.say(frame));
        for action in std::mem::take(&mut attack.actions) {
            if let Action::Store { project, segment } = action {
                attack.honest.store(project, &segment).unwrap();
                attack.session.stored(&attack.honest, segment.token);
            }
        }
        attack.drain();
    };
    let gains: [&dyn Fn(&mut Attack); 3] = [&from_here, &which_is_here, &which_it_brings];
    for gain in gains {
        let mut attack = Attack::open();
        attack.say(&Message::Frontier { project: 0, kind: LogKind::Data, last: true, entries: Vec::new() });
        let sent = data_segments(&mut attack);
        assert_eq!(sent, [0, 4, 8, 12, 16]);
        for segment in 0..5 {
            attack.say(&Message::Refused { segment, code: RefusedCode::AuthorUnknown });
        }
        assert_eq!(data_segments(&mut attack), [], "not before something has changed");
        gain(&mut attack);
        assert_eq!(data_segments(&mut attack), sent);
        attack.assert_open();
    }
}

#[test]
fn what_is_refused_after_a_part_was_stored_is_not_given_up() {
    let mut attack = Attack::open();
    attack.say_frontier(&[]);
    assert_eq!(data_segments(&mut attack), [0, 4, 8, 12, 16]);
    attack.say(&Message::Stored { first: 0, count: 1 });
    attack.say(&Message::Refused { segment: 1, code: RefusedCode::UnknownBase });
    assert_eq!(attack.heard_of(Kind::Probe).len(), 1, "what of it is there?");
    assert!(!attack.session.is_level(&project_id(1)));
}

#[test]
fn what_is_not_wanted_is_not_sent_again() {
    let mut attack = Attack::open();
    attack.say(&Message::Frontier { project: 0, kind: LogKind::Data, last: true, entries: Vec::new() });
    let count = data_segments(&mut attack).len() as u64;
    for segment in 0..count {
        attack.say(&Message::Refused { segment, code: RefusedCode::Unwanted });
    }
    let branch = attack.honest.write_data(project_id(1), 3, "more");
    attack.session.advanced(&attack.honest, &project_id(1), &[branch], attack.now);
    attack.drain();
    assert_eq!(data_segments(&mut attack), []);
    attack.assert_open();
}

#[test]
fn probes_that_are_answered_with_lies_come_to_an_end() {
    for lie in [0u64, 1, 5, 32] {
        let mut attack = Attack::open();
        let other = attack.honest.forked(project_id(1), 3, 17, "other");
        let mut holder = Toy::new(1);
        holder.plant(project_id(1), other);
        let tip = holder.frontier(&project_id(1), LogKind::Data)[0];
        let entry = ayni_sync::message::FrontierEntry {
            device: tip.log.device,
            incarnation: tip.log.incarnation,
            length: tip.length,
            hash: tip.hash,
            bytes: 1,
        };
        attack.say(&Message::Frontier { project: 0, kind: LogKind::Data, last: true, entries: vec![entry] });
        for _ in 0..100 {
            let probe = messages(&std::mem::take(&mut attack.heard)).into_iter().find_map(|message| match message {
                Message::Probe { id, points, .. } => Some((id, points.len() as u64)),
                _ => None,
            });
            let Some((id, points)) = probe else { break };
            attack.say(&Message::Probed { id, held: lie.min(points) });
        }
        attack.assert_open();
        assert!(!messages(&attack.heard).iter().any(|message| message.kind() == Kind::Probe), "it would ask for ever");
    }
}

fn some_message() -> impl Strategy<Value = Vec<u8>> {
    let kinds = proptest::sample::select((0u8..=20).chain([128, 255]).collect::<Vec<_>>());
    (kinds, proptest::collection::vec(any::<u8>(), 0..200)).prop_map(|(kind, body)| {
        let mut frame = (body.len() as u32 + 1).to_be_bytes().to_vec();
        frame.push(kind);
        frame.extend(body);
        frame
    })
}

proptest! {
    #[test]
    fn garbage_ends_the_session_and_nothing_else(
        frames in proptest::collection::vec(some_message(), 0..20),
        open in any::<bool>(),
    ) {
        let mut attack = if open { Attack::open() } else { Attack::new() };
        for frame in frames {
            attack.send(&frame);
        }
        prop_assert_eq!(attack.honest.gained, 0);
    }

    #[test]
    fn what_an_honest_peer_says_with_some_bytes_changed_never_harms(
        changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..4),
        chunk in 1usize..5_000,
    ) {
        let mut world = World::new(2);
        world.write(0, 30, "a");
        world.write(1, 30, "b");
        let link = world.connect(0, 1);
        world.settle();
        let mut spoken = world.links[link].ends[0].spoken.clone();
        for (at, value) in changes {
            let at = usize::from(at) % spoken.len();
            spoken[at] = value;
        }
        let mut fresh = World::new(2);
        fresh.write(1, 30, "b");
        let (a, b) = (&fresh.devices[0], &fresh.devices[1]);
        let offer = vec![Offer::from(project_id(1))];
        let mut session = Session::new(config(b, a, Side::Acceptor, 1, offer), NOW);
        let mut honest = fresh.devices[1].clone();
        for piece in spoken.chunks(chunk) {
            session.receive(&honest, piece, NOW);
            while let Some(action) = session.poll_action() {
                let Action::Store { project, segment } = action else { continue };
                match honest.store(project, &segment) {
                    Ok(_) => session.stored(&honest, segment.token),
                    Err(refusal) => session.refused(segment.token, refusal),
                }
            }
            session.poll_send(&honest, 1 << 20);
        }
        // Whatever was stored is what device 0 wrote.
        let whole = &world.devices[0];
        for tip in honest.frontier(&project_id(1), LogKind::Data) {
            let theirs = whole.branches(&tip.log);
            prop_assert!(theirs.iter().any(|held| whole.hash_at(&project_id(1), held.branch, tip.length - 1) == Some(tip.hash)));
        }
    }

    #[test]
    fn a_message_that_can_be_read_is_written_the_same(kind in 1u8..20, body in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(Some(message)) = Message::decode(kind, &body) {
            prop_assert_eq!(&message.encode()[5..], &body[..]);
        }
    }
}

#[test]
fn a_message_about_a_project_that_was_not_named_ends_the_session() {
    let mut attack = Attack::open();
    attack.say(&Message::Plan { project: 1, entries: 1, bytes: 1 });
    attack.assert_ended(CloseCode::Unexpected);
}
