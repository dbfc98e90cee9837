//! The order in which control entries come makes no difference.

use ayni_log::ids::{Hash, LogKind};
use ayni_log::limits;
use ayni_log::membership::{
    AdoptBody, ControlBody, ControlEntry, ControlView, Counting, InsertError, Inserted, Role, Step, role_change,
};
use proptest::prelude::*;

use crate::world::{Copy, FOUNDER, RECOVERY, World, log_of};

const ROLES: [Role; 4] = [Role::Carrier, Role::Reader, Role::Member, Role::Coordinator];

/// One step of a random history: what happens, who does it, to whom, and how.
type Event = (u8, u8, u8, u8);

fn happen(world: &mut World, copies: &mut Vec<Copy>, (kind, who, whom, how): Event) {
    let count = world.devices.len();
    let (who, whom) = (usize::from(who) % count, usize::from(whom) % count);
    match kind % 10 {
        0 | 1 if count < 9 => drop(world.admit(who, ROLES[usize::from(how) % 4])),
        0..=3 => world.tell(who, whom),
        4 => drop(world.remove(who, whom)),
        5 => drop(world.remove_at(who, whom, low_fence(world, whom, how))),
        6 => {
            let now = world.devices[who].view.role(world.id(whom)).unwrap_or(Role::Removed);
            let fences = low_fence(world, whom, how);
            let body = role_change(world.id(whom), now, ROLES[usize::from(how) % 4], fences);
            world.act(who, vec![ControlBody::Role(body)]);
        }
        7 => {
            let epoch = ControlBody::Epoch(world.first_epoch.clone());
            let fence = world.data_fence(whom, 1, 6, Hash([6; 32]));
            let adopt = AdoptBody { device: world.id(whom), fences: vec![fence], entries: vec![] };
            world.act(who, vec![epoch, ControlBody::Adopt(adopt)]);
        }
        8 => copies.push(world.copy(who)),
        _ => {
            let Some(copy) = copies.pop() else { return };
            world.restore(copy);
        }
    }
}

fn low_fence(world: &World, whom: usize, how: u8) -> Vec<ayni_log::membership::Fence> {
    let ends: Vec<usize> =
        (1..=world.devices[whom].own.len()).filter(|length| world.devices[whom].own[length - 1].1.is_some()).collect();
    let mut fences = vec![world.data_fence(whom, 1, 4, Hash([4; 32]))];
    if !ends.is_empty() && !how.is_multiple_of(4) {
        fences.push(world.control_fence(whom, ends[usize::from(how) % ends.len()]));
    }
    fences
}

/// Everything that a view answers.
#[derive(Debug, PartialEq)]
struct Answers {
    digest: Hash,
    heads: Vec<(ayni_log::ids::LogId, u64, Hash)>,
    epochs: Vec<Hash>,
    members: Vec<ayni_log::membership::Member>,
    admitted: Vec<bool>,
    counting: Vec<Counting>,
    missing: Vec<Hash>,
}

fn answers(world: &World, view: &ControlView) -> Answers {
    let counting = |who: &usize| {
        let log = log_of(world.project, world.id(*who), LogKind::Data, 1);
        let seen = |part: usize| world.written[world.written.len() * part / 4].hash;
        let steps: Vec<Step> = (0..4).map(|part| Step { from: 3 * part as u64, heads: vec![seen(part)] }).collect();
        view.counting(&log, 12, &steps, &|length| Some(Hash([length as u8; 32])))
    };
    let devices: Vec<usize> = (0..world.devices.len()).collect();
    Answers {
        digest: view.digest(),
        heads: view.heads(),
        epochs: view.epoch_heads(),
        members: view.members(),
        admitted: devices.iter().map(|who| view.admitted(world.id(*who)).is_some()).collect(),
        counting: devices.iter().map(counting).collect(),
        missing: view.missing(),
    }
}

fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for index in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(index, (seed >> 33) as usize % (index + 1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_order_of_arrival_gives_the_same_view(
        events in proptest::collection::vec(any::<Event>(), 1..60),
        seeds in proptest::collection::vec(any::<u64>(), 3),
    ) {
        let mut world = World::new();
        for _ in 0..3 {
            world.admit(FOUNDER, Role::Coordinator);
        }
        world.tell_everyone();
        let mut copies = Vec::new();
        for event in events {
            happen(&mut world, &mut copies, event);
        }
        let expected = answers(&world, &world.everything());
        prop_assert!(expected.missing.is_empty());
        for seed in seeds {
            let mut entries = world.written.clone();
            shuffle(&mut entries, seed);
            let mut view = ControlView::new(world.project);
            let (singly, together) = entries.split_at(entries.len() / 2);
            for entry in singly {
                view.insert(entry.clone()).unwrap();
            }
            view.insert_all(together.to_vec()).unwrap();
            prop_assert_eq!(&answers(&world, &view), &expected);
            prop_assert_eq!(view.lengths(), (entries.len(), 0));
        }
    }

    #[test]
    fn the_recovery_key_always_has_the_last_word(
        before in proptest::collection::vec(any::<Event>(), 1..40),
        (restored, heard) in any::<(bool, bool)>(),
        whom in 2usize..5,
        after in proptest::collection::vec(any::<Event>(), 0..20),
    ) {
        let mut world = World::new();
        for _ in 0..3 {
            world.admit(FOUNDER, Role::Coordinator);
        }
        world.tell_everyone();
        let (mut copies, recovery) = (Vec::new(), world.copy(RECOVERY));
        for event in before {
            happen(&mut world, &mut copies, event);
        }
        // Set back, with all that it wrote on the other side of a fork, it may hear of that or of nothing since.
        if restored {
            (0..world.devices.len()).for_each(|who| world.tell(who, RECOVERY));
            world.admit(RECOVERY, Role::Coordinator);
            world.restore(recovery);
        }
        if heard {
            world.tell_everyone();
        }
        world.remove(RECOVERY, whom);
        world.remove(RECOVERY, FOUNDER);
        // They and whomever they admit go on, with old copies of their devices too.
        copies.retain(|copy| [FOUNDER, whom].contains(&copy.who));
        let mut removed = vec![FOUNDER, whom];
        for (kind, who, on, how) in after {
            let who = removed[usize::from(who) % removed.len()];
            let devices = world.devices.len();
            happen(&mut world, &mut copies, (kind, who as u8, on, how));
            removed.extend(devices..world.devices.len());
        }
        for who in [FOUNDER, whom] {
            for other in 0..world.devices.len() {
                world.remove(who, RECOVERY);
                world.admit_again(who, other, Role::Coordinator);
            }
        }
        let view = world.everything();
        // Removed; or never validly admitted, where the history voided the admission too.
        prop_assert!(view.role(world.id(whom)) <= Some(Role::Removed));
        prop_assert_eq!(view.role(world.id(FOUNDER)), Some(Role::Removed));
        prop_assert_eq!(view.role(world.id(RECOVERY)), Some(Role::Coordinator));
        for newcomer in &removed[2..] {
            prop_assert_eq!(view.role(world.id(*newcomer)), None);
        }
    }
}

#[test]
fn an_entry_waits_for_what_it_refers_to_and_has_no_effect_until_then() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let ben = world.admit(ana, Role::Member);
    let mut view = ControlView::new(world.project);
    let mut latest_first: Vec<ControlEntry> = world.written.iter().rev().cloned().collect();
    let founding = latest_first.pop().unwrap();
    for entry in latest_first {
        assert_eq!(view.insert(entry), Ok(Inserted::Waits));
    }
    assert_eq!(view.role(world.id(ben)), None);
    assert_eq!((view.missing(), view.lengths()), (vec![founding.hash], (0, 3)));
    assert_eq!(view.insert(founding.clone()), Ok(Inserted::Taken { released: 3 }));
    assert_eq!(view.insert(founding), Ok(Inserted::Known));
    assert_eq!(view.role(world.id(ben)), Some(Role::Member));
}

#[test]
fn waiting_entries_are_bounded_and_keep_out_nothing_that_could_come_in() {
    let world = World::new();
    let mut view = ControlView::new(world.project);
    let mut stray = world.written[1].clone();
    for number in 0..limits::CONTROL_WAITING as u64 {
        stray.hash.0[..8].copy_from_slice(&number.to_be_bytes());
        assert_eq!(view.insert(stray.clone()), Ok(Inserted::Waits));
    }
    assert_eq!(view.insert(stray.clone()), Ok(Inserted::Known), "it waits already, and takes no room");
    stray.hash = Hash([0xff; 32]);
    assert_eq!(view.insert(stray), Err(InsertError::TooManyWait));
    let mut founding = world.written[0].clone();
    founding.hash = Hash([0xee; 32]);
    assert_eq!(view.insert(founding), Ok(Inserted::Taken { released: 0 }));
}

#[test]
fn waiting_entries_are_bounded_by_their_bytes_and_make_room_once_they_come_in() {
    let world = World::new();
    let mut view = ControlView::new(world.project);
    let body = ControlBody::Unknown(vec![0; limits::PAYLOAD_BYTES]);
    let mut stray = ControlEntry { body, ..world.written[1].clone() };
    let fit = limits::CONTROL_WAITING_BYTES / limits::PAYLOAD_BYTES;
    for number in 0..fit {
        stray.hash = Hash([number as u8; 32]);
        assert_eq!(view.insert(stray.clone()), Ok(Inserted::Waits));
    }
    stray.hash = Hash([0xff; 32]);
    stray.previous = Some(Hash([0xee; 32]));
    assert_eq!(view.insert(stray.clone()), Err(InsertError::TooManyWait));
    assert_eq!(view.insert(world.written[0].clone()), Ok(Inserted::Taken { released: fit }));
    assert_eq!(view.insert(stray), Ok(Inserted::Waits));
}

#[test]
fn entries_of_other_projects_and_data_logs_are_refused() {
    let world = World::new();
    let mut entry = world.written[0].clone();
    entry.log = entry.log.sibling(LogKind::Data);
    let mut view = ControlView::new(world.project);
    assert!(view.insert(entry).is_err());
    let mut other = ControlView::new(ayni_log::ids::ProjectId([0; 32]));
    assert!(other.insert(world.written[0].clone()).is_err());
}

/// Hundreds of devices and thousands of entries settle in the time of a blink, even all at once.
#[test]
#[expect(clippy::disallowed_types, reason = "the promise is about time")]
fn a_large_project_settles_quickly() {
    let mut world = World::new();
    let coordinators: Vec<usize> = (0..8).map(|_| world.admit(FOUNDER, Role::Coordinator)).collect();
    world.tell_everyone();
    let mut last = Vec::new();
    for round in 0..25 {
        for who in &coordinators {
            let number = world.add_device();
            world.admit_again(*who, number, Role::Member);
            last.push(number);
        }
        for who in &coordinators {
            world.tell(*who, coordinators[(round + who) % 8]);
        }
    }
    for (index, whom) in last.iter().enumerate().filter(|(index, _)| index % 4 == 0) {
        world.remove(coordinators[index % 8], *whom);
    }
    let started = std::time::Instant::now();
    let view = world.everything();
    assert!(started.elapsed().as_secs() < 5, "{:?} for {:?} entries", started.elapsed(), view.lengths());
    let removed = last.iter().filter(|who| view.role(world.id(**who)) == Some(Role::Removed)).count();
    assert_eq!(removed, 50);
}
