//! Fences: which entries of a removed or demoted device still count.

use ayni_log::ids::{Hash, Signature};
use ayni_log::membership::{ControlBody, Fence, Role, RoleBody, role_change};
use ayni_log::segment::checkpoint_message;

use crate::world::{FOUNDER, World};

/// A coordinator who admitted two devices, and whom two coordinators and a member know about. Fenced behind her first
/// entry, she admitted only the first of them.
struct Admitter {
    world: World,
    ana: usize,
    ben: usize,
    member: usize,
    admitted: [usize; 2],
}

impl Admitter {
    fn new() -> Self {
        let mut world = World::new();
        let ana = world.admit(FOUNDER, Role::Coordinator);
        let ben = world.admit(FOUNDER, Role::Coordinator);
        let member = world.admit(FOUNDER, Role::Member);
        let admitted = [world.admit(ana, Role::Member), world.admit(ana, Role::Member)];
        world.tell_everyone();
        Self { world, ana, ben, member, admitted }
    }

    fn remove(&mut self, by: usize, length: usize) {
        let fence = self.world.control_fence(self.ana, length);
        self.world.remove_at(by, self.ana, vec![fence]);
    }

    fn promote(&mut self, by: usize) {
        let body = RoleBody { device: self.world.id(self.ana), role: Role::Coordinator, fences: None };
        self.world.act(by, vec![ControlBody::Role(body)]);
    }

    /// How many of her admissions count.
    fn counting(&self) -> usize {
        let view = self.world.everything();
        self.admitted.iter().filter(|who| view.role(self.world.id(**who)).is_some()).count()
    }
}

#[test]
fn a_later_removal_overrides_an_earlier_one_that_it_had_seen() {
    let mut her = Admitter::new();
    her.remove(FOUNDER, 1);
    assert_eq!(her.counting(), 1);
    her.world.tell_everyone();
    her.remove(FOUNDER, 2);
    assert_eq!(her.counting(), 2);
}

#[test]
fn where_her_role_was_given_back_in_between_each_removal_stands_for_its_time() {
    for [first, second] in [[1, 2], [2, 1]] {
        let mut her = Admitter::new();
        her.remove(FOUNDER, first);
        her.promote(FOUNDER);
        her.remove(FOUNDER, second);
        assert_eq!(her.counting(), 1, "neither raises the other's fence");
    }
}

#[test]
fn a_role_given_back_by_someone_without_the_right_separates_no_removals() {
    let mut her = Admitter::new();
    her.remove(FOUNDER, 1);
    her.world.tell_everyone();
    her.promote(her.member);
    her.world.tell_everyone();
    // It anchors what the member wrote, and so had seen it.
    her.remove(FOUNDER, 2);
    assert_eq!(her.counting(), 2);
}

#[test]
fn a_role_given_back_that_the_later_removal_had_not_seen_separates_no_removals() {
    let mut her = Admitter::new();
    her.remove(FOUNDER, 1);
    her.world.tell_everyone();
    her.promote(her.ben);
    her.remove(FOUNDER, 2);
    assert_eq!(her.counting(), 2);
}

#[test]
fn a_fence_on_one_side_of_a_fork_keeps_out_the_other() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let before = world.admit(ana, Role::Member);
    let copy = world.copy(ana);
    let one_side = world.admit(ana, Role::Member);
    let fence = world.control_fence(ana, 2);
    world.restore(copy);
    let other_side = world.admit(ana, Role::Member);
    world.remove_at(FOUNDER, ana, vec![fence]);
    let roles = [before, one_side, other_side].map(|who| world.everything().role(world.id(who)));
    assert_eq!(roles, [Some(Role::Member), Some(Role::Member), None]);
}

#[test]
fn a_fence_that_names_another_place_than_its_entry_has_keeps_everything_out() {
    let mut her = Admitter::new();
    let hash = her.world.devices[her.ana].own[1].0.hash;
    let log = her.world.devices[her.ana].own[1].0.log;
    // She signed this, and wrote no third entry with that hash.
    let signature: Signature = her.world.devices[her.ana].secret.sign(&checkpoint_message(log.id(), 3, &hash));
    let fence = Fence { kind: log.kind, incarnation: log.incarnation, length: 3, hash, signature };
    her.world.remove_at(FOUNDER, her.ana, vec![fence]);
    assert_eq!(her.counting(), 0);
}

#[test]
fn a_demotion_to_member_ends_what_she_decided_and_not_what_she_says_of_herself_since() {
    let mut her = Admitter::new();
    let fences = vec![her.world.control_fence(her.ana, 1)];
    let device = her.world.id(her.ana);
    let demotion = role_change(device, Role::Coordinator, Role::Member, fences);
    her.world.act(FOUNDER, vec![ControlBody::Role(demotion)]);
    assert_eq!(her.counting(), 1);
    her.world.tell_everyone();
    let name = ayni_log::membership::device_name(&her.world.naming, device, "a member's").unwrap();
    let named: Hash = her.world.act(her.ana, vec![ControlBody::DeviceName(name)])[0];
    assert!(her.world.everything().counts(&named));
}

#[test]
fn while_the_fenced_entry_is_not_here_its_fence_keeps_everything_out() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let admitted = [world.admit(ana, Role::Member), world.admit(ana, Role::Member)];
    // The founder never held what it fences, only her checkpoint.
    let fence = world.control_fence(ana, 2);
    world.remove_at(FOUNDER, ana, vec![fence]);
    let late = world.written.iter().position(|entry| entry.hash == fence.hash).unwrap();
    let late = world.written.remove(late);
    let roles = |world: &World| admitted.map(|who| world.everything().role(world.id(who)));
    assert_eq!(roles(&world), [None, None]);
    world.written.push(late);
    assert_eq!(roles(&world), [Some(Role::Member); 2]);
}
