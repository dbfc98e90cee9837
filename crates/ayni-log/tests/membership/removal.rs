//! Removals: how coordinators who remove each other settle.

use ayni_log::ids::{DeviceId, Hash};
use ayni_log::membership::{AdoptBody, ControlBody, Fence, Retention, RetentionBody, Role, removal, role_change};
use ayni_log::segment::checkpoint_message;

use crate::world::{FOUNDER, RECOVERY, World};

/// Roles after everything was told to everyone.
fn roles(world: &World, devices: &[usize]) -> Vec<Option<Role>> {
    let view = world.everything();
    devices.iter().map(|who| view.role(world.id(*who))).collect()
}

const COORDINATOR: Option<Role> = Some(Role::Coordinator);
const REMOVED: Option<Role> = Some(Role::Removed);

#[test]
fn a_removed_coordinator_decides_nothing_more() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let before = world.admit(ana, Role::Member);
    world.tell(ana, FOUNDER);
    world.remove(FOUNDER, ana);
    // Ana has not heard of it, or acts as if she had not.
    let after = world.admit(ana, Role::Member);
    assert_eq!(roles(&world, &[ana, before, after]), [REMOVED, Some(Role::Member), None]);
    // Nor after having heard of it.
    world.tell(FOUNDER, ana);
    let much_later = world.admit(ana, Role::Member);
    assert_eq!(roles(&world, &[much_later]), [None]);
    // Their entries may be stored: she was a coordinator by all that her first act had seen. Not so her second.
    let view = world.everything();
    assert!(view.admitted(world.id(after)).is_some());
    assert!(view.admitted(world.id(much_later)).is_none());
}

#[test]
fn of_two_who_remove_each_other_the_one_admitted_closer_to_the_founder_stays() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let ben = world.admit(ana, Role::Coordinator);
    world.tell(ben, ana);
    world.remove(ben, ana);
    world.remove(ana, ben);
    assert_eq!(roles(&world, &[ana, ben]), [COORDINATOR, REMOVED]);
}

#[test]
fn at_equal_depth_the_earlier_admission_stays() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let ben = world.admit(FOUNDER, Role::Coordinator);
    world.tell(FOUNDER, ana);
    world.remove(ben, ana);
    world.remove(ana, ben);
    assert_eq!(roles(&world, &[ana, ben]), [COORDINATOR, REMOVED]);
}

#[test]
fn removals_in_a_circle_settle_by_rank() {
    let mut world = World::new();
    let circle: Vec<usize> = (0..3).map(|_| world.admit(FOUNDER, Role::Coordinator)).collect();
    world.tell_everyone();
    for (index, who) in circle.iter().enumerate() {
        world.remove(*who, circle[(index + 1) % 3]);
    }
    // The first removes the second, so the second's removal of the third is void; the third's of the first stands, for
    // nothing fences the third.
    assert_eq!(roles(&world, &circle), [REMOVED, REMOVED, COORDINATOR]);
}

#[test]
fn the_recovery_key_settles_a_stolen_founders_device() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    world.tell(FOUNDER, RECOVERY);
    // The thief removes everyone and admits a friend.
    world.remove(FOUNDER, ana);
    let thief = world.admit(FOUNDER, Role::Coordinator);
    // The recovery key has seen nothing of it, and fences the founder behind Ana's admission.
    let fence = world.control_fence(FOUNDER, 3);
    world.remove_at(RECOVERY, FOUNDER, vec![fence]);
    assert_eq!(roles(&world, &[FOUNDER, ana, thief]), [REMOVED, COORDINATOR, None]);
    // And nobody removes the recovery key.
    world.tell_everyone();
    let recovery: DeviceId = world.id(RECOVERY);
    world.act(ana, vec![ControlBody::Remove(removal(recovery, vec![]))]);
    let late = world.admit(RECOVERY, Role::Member);
    assert_eq!(roles(&world, &[late, RECOVERY]), [Some(Role::Member), COORDINATOR]);
}

#[test]
fn a_removal_that_was_seen_cannot_be_answered_by_removing_the_remover() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let ben = world.admit(ana, Role::Coordinator);
    world.tell(ben, ana);
    world.remove(ben, ana);
    world.tell(ben, ana);
    // Ana ranks higher, but she had seen that she is out.
    world.remove(ana, ben);
    assert_eq!(roles(&world, &[ana, ben]), [REMOVED, COORDINATOR]);
}

#[test]
fn whom_a_voided_removal_would_have_removed_stays() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let ben = world.admit(ana, Role::Member);
    world.tell(FOUNDER, ana);
    world.remove(FOUNDER, ana);
    let void = world.remove(ana, ben);
    assert_eq!(roles(&world, &[ana, ben]), [REMOVED, None], "Ben's admission lay past Ana's fence too");
    assert!(!world.everything().counts(&void));
}

#[test]
fn among_concurrent_removals_the_highest_fence_stands_and_a_later_one_overrides() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let ben = world.admit(FOUNDER, Role::Coordinator);
    let one = world.admit(ana, Role::Member);
    let two = world.admit(ana, Role::Member);
    world.tell_everyone();
    let low = world.control_fence(ana, 1);
    let high = world.control_fence(ana, 2);
    world.remove_at(FOUNDER, ana, vec![low]);
    assert_eq!(roles(&world, &[one, two]), [Some(Role::Member), None]);
    world.remove_at(ben, ana, vec![high]);
    assert_eq!(roles(&world, &[one, two]), [Some(Role::Member), Some(Role::Member)]);
    world.tell_everyone();
    world.remove_at(ben, ana, vec![low]);
    assert_eq!(roles(&world, &[one, two]), [Some(Role::Member), None]);
    world.tell_everyone();
    world.remove_at(FOUNDER, ana, vec![high]);
    assert_eq!(roles(&world, &[one, two]), [Some(Role::Member), Some(Role::Member)]);
}

#[test]
fn a_fenced_entry_that_comes_after_its_fence_counts_as_if_it_had_come_before() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let ben = world.admit(ana, Role::Member);
    let fence = world.control_fence(ana, 1);
    // The founder never held Ana's entry, only its checkpoint.
    world.remove_at(FOUNDER, ana, vec![fence]);
    let (late, others): (Vec<_>, Vec<_>) =
        world.written.clone().into_iter().partition(|entry| entry.hash == fence.hash);
    let mut view = ayni_log::membership::ControlView::new(world.project);
    view.insert_all(others).unwrap();
    assert_eq!(view.role(world.id(ben)), None);
    view.insert(late[0].clone()).unwrap();
    assert_eq!(view.role(world.id(ben)), Some(Role::Member));
}

#[test]
fn a_fence_within_a_commit_stands_at_the_end_of_the_commit_before() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let name = |world: &World, text: &str| {
        ControlBody::DeviceName(ayni_log::membership::device_name(&world.naming, world.id(ana), text).unwrap())
    };
    let before = world.act(ana, vec![name(&world, "one")])[0];
    let torn = world.act(ana, vec![name(&world, "two"), name(&world, "three")])[0];
    let log = world.devices[ana].own[0].0.log;
    let signature = world.devices[ana].secret.sign(&checkpoint_message(log.id(), 2, &torn));
    let fence = Fence { kind: log.kind, incarnation: log.incarnation, length: 2, hash: torn, signature };
    world.remove_at(FOUNDER, ana, vec![fence]);
    let view = world.everything();
    assert_eq!(view.role(world.id(ana)), REMOVED);
    assert!(view.counts(&before) && !view.counts(&torn));
}

#[test]
fn an_entry_that_misplaces_what_it_had_seen_has_no_effect() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    world.admit(ana, Role::Member);
    world.admit(ana, Role::Member);
    let written = |back: usize| world.written[world.written.len() - back].clone();
    let (mut position, mut log, mut first) = (written(2), written(2), written(2));
    position.references[0].position += 1;
    log.references[0].log = position.log.id();
    first.position = 1;
    let (mut further, mut elsewhere, mut headless) = (written(1), written(1), written(1));
    further.position += 1;
    elsewhere.log = world.written[0].log;
    headless.previous = None;
    for crooked in [position, log, first, further, elsewhere, headless] {
        assert!(world.everything().counts(&crooked.hash), "as it was written");
        let mut view = ayni_log::membership::ControlView::new(world.project);
        let others = world.written.iter().filter(|entry| entry.hash != crooked.hash).cloned();
        view.insert_all(others.chain([crooked.clone()])).unwrap();
        assert!(view.entry(&crooked.hash).is_some() && !view.counts(&crooked.hash), "{crooked:?}");
    }
}

#[test]
fn what_a_device_says_of_its_own_end_raises_no_fence() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let ben = world.admit(ana, Role::Coordinator);
    world.remove(ben, ana);
    // She ranks higher, so what she says of herself is applied first.
    let sneaked = world.admit(ana, Role::Member);
    let high = world.control_fence(ana, 2);
    let farewell = world.remove_at(ana, ana, vec![high]);
    assert!(world.everything().counts(&farewell));
    assert_eq!(roles(&world, &[ana, ben, sneaked]), [REMOVED, COORDINATOR, None]);
}

#[test]
fn concurrent_roles_leave_the_least_and_a_later_one_decides() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let ben = world.admit(FOUNDER, Role::Reader);
    world.tell_everyone();
    let role = |world: &World, then| ControlBody::Role(role_change(world.id(ben), Role::Reader, then, vec![]));
    let (up, down) = (role(&world, Role::Member), role(&world, Role::Carrier));
    world.act(ana, vec![up]);
    world.act(FOUNDER, vec![down]);
    assert_eq!(roles(&world, &[ben]), [Some(Role::Carrier)]);
    world.tell_everyone();
    let up = ControlBody::Role(role_change(world.id(ben), Role::Carrier, Role::Member, vec![]));
    world.act(ana, vec![up]);
    assert_eq!(roles(&world, &[ben]), [Some(Role::Member)]);
}

#[test]
fn a_demoted_coordinator_may_be_promoted_again_and_what_lay_between_stays_void() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    world.tell_everyone();
    let fences = world.fences_as_held(FOUNDER, ana);
    let demotion = role_change(world.id(ana), Role::Coordinator, Role::Member, fences);
    world.act(FOUNDER, vec![ControlBody::Role(demotion)]);
    let between = world.admit(ana, Role::Member);
    let promotion = role_change(world.id(ana), Role::Member, Role::Coordinator, vec![]);
    world.act(FOUNDER, vec![ControlBody::Role(promotion)]);
    world.tell(FOUNDER, ana);
    let after = world.admit(ana, Role::Member);
    assert_eq!(roles(&world, &[ana, between, after]), [COORDINATOR, None, Some(Role::Member)]);
    // A second demotion, whose fence reaches past what lay between, does not take that in.
    world.tell(ana, FOUNDER);
    let fences = world.fences_as_held(FOUNDER, ana);
    let demotion = role_change(world.id(ana), Role::Coordinator, Role::Member, fences);
    world.act(FOUNDER, vec![ControlBody::Role(demotion)]);
    assert_eq!(roles(&world, &[ana, between, after]), [Some(Role::Member), None, Some(Role::Member)]);
}

#[test]
fn members_decide_only_about_themselves() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Member);
    let ben = world.admit(ana, Role::Member);
    let kept = world.act(ana, vec![ControlBody::Retention(RetentionBody { retention: Retention::Recent })]);
    let view = world.everything();
    assert_eq!(view.role(world.id(ben)), None);
    assert!(view.admitted(world.id(ben)).is_none());
    assert!(view.counts(&kept[0]));
    let member = view.members().into_iter().find(|member| member.device == world.id(ana)).unwrap();
    assert_eq!((member.retention, member.admitted_by), (Retention::Recent, Some(world.id(FOUNDER))));
}

#[test]
fn one_fence_that_the_device_never_signed_voids_the_whole_entry() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    world.admit(ana, Role::Member);
    world.tell_everyone();
    let signed = world.data_fence(ana, 1, 4, Hash([4; 32]));
    let forged = Fence { hash: Hash([1; 32]), ..signed };
    let device = world.id(ana);
    let bodies = |fences: Vec<Fence>| {
        [
            ControlBody::Remove(removal(device, fences.clone())),
            ControlBody::Role(role_change(device, Role::Coordinator, Role::Reader, fences.clone())),
            ControlBody::Adopt(AdoptBody { device, fences, entries: vec![] }),
        ]
    };
    for body in bodies(vec![forged, signed]) {
        let void = world.act(FOUNDER, vec![body])[0];
        assert!(!world.everything().counts(&void));
    }
    assert_eq!(roles(&world, &[ana]), [COORDINATOR]);
    for body in bodies(vec![signed]) {
        let counts = world.act(FOUNDER, vec![body])[0];
        assert!(world.everything().counts(&counts));
    }
}

#[test]
fn a_commit_takes_effect_when_its_last_entry_is_here() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    world.tell_everyone();
    let name = |world: &World, n: u8| {
        let body = ayni_log::membership::device_name(&world.naming, world.id(ana), &format!("name {n}")).unwrap();
        ControlBody::DeviceName(body)
    };
    let bodies = vec![name(&world, 1), name(&world, 2)];
    let hashes = world.act(ana, bodies);
    let mut view = ayni_log::membership::ControlView::new(world.project);
    let (last, others) = world.written.split_last().unwrap();
    view.insert_all(others.to_vec()).unwrap();
    assert!(!view.counts(&hashes[0]));
    assert!(view.heads().iter().all(|(_, _, hash)| *hash != hashes[0]));
    view.insert(last.clone()).unwrap();
    assert!(view.counts(&hashes[0]) && view.counts(&hashes[1]));
    assert_eq!(view.digest(), world.everything().digest());
}

#[test]
fn what_a_removed_device_still_writes_is_no_head_to_anchor() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    world.tell(ana, FOUNDER);
    world.remove(FOUNDER, ana);
    let heads = world.everything().heads();
    // Unaware of its removal, and aware of it.
    world.admit(ana, Role::Member);
    world.tell(FOUNDER, ana);
    world.admit(ana, Role::Member);
    assert_eq!(world.everything().heads(), heads);
    assert_eq!(heads.len(), 1);
}

#[test]
fn a_removed_device_that_is_admitted_again_begins_anew() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    world.tell(ana, FOUNDER);
    world.remove(FOUNDER, ana);
    let between = world.admit(ana, Role::Member);
    world.admit_again(FOUNDER, ana, Role::Coordinator);
    world.tell(FOUNDER, ana);
    let after = world.admit(ana, Role::Member);
    assert_eq!(roles(&world, &[ana, between, after]), [COORDINATOR, None, Some(Role::Member)]);
}

#[test]
fn a_removed_founder_cannot_found_the_project_again() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    world.tell_everyone();
    world.remove(RECOVERY, FOUNDER);
    let founding = world.written[0].body.clone();
    for (incarnation, saw_the_removal) in [(2, false), (3, true)] {
        world.begin_anew(FOUNDER, incarnation);
        if saw_the_removal {
            world.tell_everyone();
        }
        // Having seen nothing it only says again how the project began.
        let again = world.act(FOUNDER, vec![founding.clone()])[0];
        assert_eq!(world.everything().counts(&again), !saw_the_removal);
        let friend = world.admit(FOUNDER, Role::Member);
        assert_eq!(roles(&world, &[FOUNDER, ana, friend]), [REMOVED, COORDINATOR, None]);
    }
}

/// The recovery key after it was used on two copies of a folder, each of which wrote: it holds both sides, and goes on from
/// the one that had seen only the beginning.
fn forked_recovery_key(world: &mut World) {
    world.tell(FOUNDER, RECOVERY);
    let copy = world.copy(RECOVERY);
    world.admit(RECOVERY, Role::Carrier);
    world.restore(copy);
    world.tell_everyone();
}

#[test]
fn a_recovery_key_whose_log_forked_still_settles_a_stolen_founders_device() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    forked_recovery_key(&mut world);
    world.remove(RECOVERY, FOUNDER);
    assert_eq!(roles(&world, &[FOUNDER, ana]), [REMOVED, COORDINATOR]);
}

#[test]
fn a_recovery_key_whose_log_forked_removes_a_founder_whom_another_demoted() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    world.tell_everyone();
    // No fence: by it all that the founder did is void, Ana's own admission too.
    let demotion = role_change(world.id(FOUNDER), Role::Coordinator, Role::Carrier, vec![]);
    world.act(ana, vec![ControlBody::Role(demotion)]);
    forked_recovery_key(&mut world);
    world.remove(RECOVERY, ana);
    world.remove(RECOVERY, FOUNDER);
    assert_eq!(roles(&world, &[FOUNDER, ana]), [REMOVED, REMOVED]);
}

#[test]
fn what_the_sides_of_a_fork_say_of_one_device_leaves_the_least_role_and_the_furthest_fence() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let ben = world.admit(ana, Role::Member);
    world.tell(ana, RECOVERY);
    let copy = world.copy(RECOVERY);
    let fences = vec![world.control_fence(ana, 1)];
    let demotion = role_change(world.id(ana), Role::Coordinator, Role::Reader, fences);
    world.act(RECOVERY, vec![ControlBody::Role(demotion)]);
    world.restore(copy);
    // It holds the demotion, and has not seen it.
    world.tell_everyone();
    world.remove_at(RECOVERY, ana, vec![]);
    assert_eq!(roles(&world, &[ana, ben]), [REMOVED, Some(Role::Member)]);
}

#[test]
fn a_log_that_forked_anchors_anew_what_only_its_other_side_had_seen() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let ben = world.admit(FOUNDER, Role::Coordinator);
    world.tell(FOUNDER, ana);
    world.admit(ana, Role::Member);
    let copy = world.copy(ana);
    let by_ben = world.admit_again(ben, ana, Role::Coordinator);
    world.tell(ben, ana);
    let other_side = world.admit_again(ana, ben, Role::Coordinator);
    world.restore(copy);
    world.tell_everyone();
    let heads = |named: Vec<(_, _, Hash)>| named.into_iter().map(|(_, _, hash)| hash).collect::<Vec<_>>();
    let to_anchor = |world: &World| heads(world.devices[ana].view.heads_for(&world.devices[ana].tip));
    assert_eq!(heads(world.devices[ana].view.heads()), [other_side]);
    assert_eq!(to_anchor(&world), [by_ben]);
    world.act(ana, vec![ControlBody::Retention(RetentionBody { retention: Retention::Recent })]);
    assert_eq!(to_anchor(&world), [], "nothing is anchored twice");
}
