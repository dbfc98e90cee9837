//! Which entries of a data log count.

use ayni_log::ids::{Hash, LogKind, LogName};
use ayni_log::membership::{
    AdoptBody, ControlBody, ControlView, Counting, EntryName, Role, Step, Wait, device_name, role_change,
};

use crate::world::{FOUNDER, World, log_of};

/// The data log of a device, of which every branch is told by a letter.
struct Branch {
    log: LogName,
    length: u64,
    /// Up to which length it is the same as branch `a`.
    fork_at: u64,
    letter: u8,
    steps: Vec<Step>,
}

fn hash_of(letter: u8, length: u64) -> Hash {
    Hash([letter.wrapping_mul(31).wrapping_add(length as u8); 32])
}

impl Branch {
    fn hash_at(&self, length: u64) -> Option<Hash> {
        let letter = if length <= self.fork_at { b'a' } else { self.letter };
        (length >= 1 && length <= self.length).then(|| hash_of(letter, length))
    }

    fn counted(&self, view: &ControlView) -> Counting {
        view.counting(&self.log, self.length, &self.steps, &|length| self.hash_at(length))
    }

    fn ranges(&self, view: &ControlView) -> Vec<(u64, u64)> {
        pairs(&self.counted(view))
    }
}

fn pairs(counting: &Counting) -> Vec<(u64, u64)> {
    counting.ranges.iter().map(|range| (range.start, range.end)).collect()
}

/// A world with a member who wrote ten entries by what was seen after its admission.
fn with_writer(role: Role) -> (World, usize, Branch) {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, role);
    let heads = heads(&world.devices[ana].view);
    let log = log_of(world.project, world.id(ana), LogKind::Data, 1);
    let branch = Branch { log, length: 10, fork_at: 10, letter: b'a', steps: vec![Step { from: 0, heads }] };
    (world, ana, branch)
}

fn heads(view: &ControlView) -> Vec<Hash> {
    view.heads().into_iter().map(|(_, _, hash)| hash).collect()
}

#[test]
fn what_a_member_writes_counts_and_what_a_reader_writes_does_not() {
    for (role, counts) in [
        (Role::Coordinator, vec![(0, 10)]),
        (Role::Member, vec![(0, 10)]),
        (Role::Reader, vec![]),
        (Role::Carrier, vec![]),
    ] {
        let (world, _, branch) = with_writer(role);
        assert_eq!(branch.ranges(&world.everything()), counts, "{role}");
    }
}

#[test]
fn an_entry_that_saw_nothing_of_its_admission_does_not_count() {
    let (world, _, mut branch) = with_writer(Role::Member);
    branch.steps = vec![
        Step { from: 0, heads: vec![world.written[0].hash] },
        Step { from: 4, heads: branch.steps[0].heads.clone() },
    ];
    assert_eq!(branch.ranges(&world.everything()), [(4, 10)]);
    branch.steps.remove(0);
    assert_eq!(branch.ranges(&world.everything()), [(4, 10)], "without any anchor nothing counts");
}

#[test]
fn until_the_anchored_control_entries_are_here_it_waits() {
    let (world, _, mut branch) = with_writer(Role::Member);
    branch.steps.push(Step { from: 6, heads: vec![Hash([9; 32])] });
    let counting = branch.counted(&world.everything());
    assert_eq!(pairs(&counting), [(0, 6)]);
    assert_eq!(counting.waits, Some(Wait::Control { from: 6, hash: Hash([9; 32]) }));
    assert!(counting.counts(5) && !counting.counts(6));
}

#[test]
fn a_removed_device_cannot_backdate_an_edit() {
    let (mut world, ana, mut branch) = with_writer(Role::Member);
    let fence = world.data_fence(ana, 1, 7, hash_of(b'a', 7));
    world.remove_at(FOUNDER, ana, vec![fence]);
    // By what she anchors she had never heard of her removal, and her claimed times are as old as she likes.
    assert_eq!(branch.ranges(&world.everything()), [(0, 7)]);
    // To anchor the removal does not help: there she is removed.
    let seen = heads(&world.devices[FOUNDER].view);
    branch.steps.push(Step { from: 8, heads: seen });
    assert_eq!(branch.ranges(&world.everything()), [(0, 7)]);
}

#[test]
fn a_branch_that_no_fence_names_ends_where_it_left_the_one_that_is_named() {
    let (mut world, ana, branch) = with_writer(Role::Member);
    let fork = Branch { fork_at: 3, letter: b'b', steps: branch.steps.clone(), ..branch };
    assert_eq!(fork.ranges(&world.everything()), [(0, 10)]);
    let low = world.data_fence(ana, 1, 2, hash_of(b'a', 2));
    let fence = world.data_fence(ana, 1, 7, hash_of(b'a', 7));
    world.remove_at(FOUNDER, ana, vec![low, fence]);
    assert_eq!(fork.ranges(&world.everything()), [(0, 2)]);
    // A short fork, which could yet be the beginning of the fenced branch, does not count meanwhile.
    let short = Branch { length: 5, ..fork };
    let counting = short.counted(&world.everything());
    assert_eq!((pairs(&counting), counting.waits), (vec![(0, 2)], Some(Wait::Fence { length: 7 })));
    // A log of an incarnation that nobody named ends at 0.
    let elsewhere = Branch { log: log_of(world.project, world.id(ana), LogKind::Data, 9), ..short };
    assert_eq!(elsewhere.ranges(&world.everything()), []);
}

#[test]
fn what_is_here_waits_for_no_fence_once_all_of_it_counts() {
    let (mut world, ana, branch) = with_writer(Role::Member);
    let fences = [2, 7].map(|length| world.data_fence(ana, 1, length, hash_of(b'a', length)));
    world.remove_at(FOUNDER, ana, fences.to_vec());
    let waits = Some(Wait::Fence { length: 7 });
    for (length, counts, waits) in [(2, 2, None), (3, 2, waits), (6, 2, waits), (7, 7, None), (8, 7, None)] {
        let counting = Branch { length, steps: branch.steps.clone(), ..branch }.counted(&world.everything());
        assert_eq!((pairs(&counting), counting.waits), (vec![(0, counts)], waits), "{length}");
    }
}

#[test]
fn a_demotion_to_reader_fences_and_a_later_promotion_counts_again() {
    let (mut world, ana, mut branch) = with_writer(Role::Member);
    let fence = world.data_fence(ana, 1, 4, hash_of(b'a', 4));
    let demotion = role_change(world.id(ana), Role::Member, Role::Reader, vec![fence]);
    world.act(FOUNDER, vec![ControlBody::Role(demotion)]);
    assert_eq!(branch.ranges(&world.everything()), [(0, 4)]);
    let promotion = role_change(world.id(ana), Role::Reader, Role::Member, vec![]);
    world.act(FOUNDER, vec![ControlBody::Role(promotion)]);
    assert_eq!(branch.ranges(&world.everything()), [(0, 4)], "what lay between stays out");
    branch.steps.push(Step { from: 8, heads: heads(&world.devices[FOUNDER].view) });
    assert_eq!(branch.ranges(&world.everything()), [(0, 4), (8, 10)]);
}

#[test]
fn a_demoted_coordinator_goes_on_writing_documents() {
    let (mut world, ana, branch) = with_writer(Role::Coordinator);
    let demotion = role_change(world.id(ana), Role::Coordinator, Role::Member, vec![]);
    world.act(FOUNDER, vec![ControlBody::Role(demotion)]);
    assert_eq!(branch.ranges(&world.everything()), [(0, 10)]);
}

#[test]
fn quarantined_work_is_taken_in_by_adoption() {
    let (mut world, ana, branch) = with_writer(Role::Member);
    let low = world.data_fence(ana, 1, 2, hash_of(b'a', 2));
    world.remove_at(FOUNDER, ana, vec![low]);
    let name = |position: u64| EntryName { log: branch.log.id(), position, hash: hash_of(b'a', position + 1) };
    let raised = world.data_fence(ana, 1, 5, hash_of(b'a', 5));
    let mut adopt = AdoptBody { device: world.id(ana), fences: vec![raised], entries: vec![name(7)] };
    world.act(FOUNDER, vec![ControlBody::Adopt(adopt.clone())]);
    assert_eq!(branch.ranges(&world.everything()), [(0, 5), (7, 8)]);
    // Only a coordinator adopts.
    let ben = world.admit(FOUNDER, Role::Member);
    adopt.entries.push(name(9));
    world.act(ben, vec![ControlBody::Adopt(adopt)]);
    assert_eq!(branch.ranges(&world.everything()), [(0, 5), (7, 8)]);
    // A later removal that had seen the adoption overrides it.
    world.tell_everyone();
    world.remove_at(FOUNDER, ana, vec![low]);
    assert_eq!(branch.ranges(&world.everything()), [(0, 2)]);
}

#[test]
fn when_the_admitter_was_fenced_before_the_admission_nothing_counts() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let ben = world.admit(ana, Role::Member);
    let log = log_of(world.project, world.id(ben), LogKind::Data, 1);
    let steps = vec![Step { from: 0, heads: heads(&world.devices[ben].view) }];
    let branch = Branch { log, length: 10, fork_at: 10, letter: b'a', steps };
    assert_eq!(branch.ranges(&world.everything()), [(0, 10)]);
    world.remove_at(FOUNDER, ana, vec![]);
    assert_eq!(branch.ranges(&world.everything()), []);
}

#[test]
fn what_an_author_had_seen_it_goes_on_having_seen() {
    let (world, _, mut branch) = with_writer(Role::Member);
    branch.steps.push(Step { from: 5, heads: vec![world.written[0].hash] });
    assert_eq!(branch.ranges(&world.everything()), [(0, 10)]);
}

#[test]
fn of_concurrent_fences_of_a_data_log_the_furthest_stands() {
    let (mut world, ana, branch) = with_writer(Role::Member);
    let ben = world.admit(FOUNDER, Role::Coordinator);
    for (by, length) in [(FOUNDER, 3), (ben, 6)] {
        let fence = world.data_fence(ana, 1, length, hash_of(b'a', length));
        world.remove_at(by, ana, vec![fence]);
    }
    assert_eq!(branch.ranges(&world.everything()), [(0, 6)]);
}

/// Demotes a writer at a length of its log, gives it back its role, and removes it at a further length. What comes in
/// between, a coordinator adopts meanwhile.
fn demote_promote_and_remove(world: &mut World, ana: usize, adopt: Option<AdoptBody>) -> Vec<Hash> {
    let low = world.data_fence(ana, 1, 4, hash_of(b'a', 4));
    let demotion = role_change(world.id(ana), Role::Member, Role::Reader, vec![low]);
    world.act(FOUNDER, vec![ControlBody::Role(demotion)]);
    let promotion = role_change(world.id(ana), Role::Reader, Role::Member, vec![]);
    world.act(FOUNDER, vec![ControlBody::Role(promotion)]);
    let promoted = heads(&world.devices[FOUNDER].view);
    world.act(FOUNDER, adopt.into_iter().map(ControlBody::Adopt).chain([name(world, ana)]).collect());
    let high = world.data_fence(ana, 1, 8, hash_of(b'a', 8));
    world.remove_at(FOUNDER, ana, vec![high]);
    promoted
}

fn name(world: &World, who: usize) -> ControlBody {
    ControlBody::DeviceName(device_name(&world.naming, world.id(who), "a name").unwrap())
}

#[test]
fn every_fence_that_stands_keeps_out_what_had_not_seen_it() {
    let (mut world, ana, mut branch) = with_writer(Role::Member);
    let promoted = demote_promote_and_remove(&mut world, ana, None);
    assert_eq!(branch.ranges(&world.everything()), [(0, 4)]);
    branch.steps.push(Step { from: 6, heads: promoted });
    assert_eq!(branch.ranges(&world.everything()), [(0, 4), (6, 8)]);
}

#[test]
fn an_adoption_takes_in_nothing_past_a_fence_that_had_seen_it() {
    let (mut world, ana, branch) = with_writer(Role::Member);
    let name = |position: u64| EntryName { log: branch.log.id(), position, hash: hash_of(b'a', position + 1) };
    let adopt = AdoptBody { device: world.id(ana), fences: vec![], entries: [5, 7, 8, 9].map(name).to_vec() };
    demote_promote_and_remove(&mut world, ana, Some(adopt));
    // The first fence lets all in; past the second only what that one reaches.
    assert_eq!(branch.ranges(&world.everything()), [(0, 4), (5, 6), (7, 8)]);
}

#[test]
fn an_adoption_takes_in_the_very_entries_it_names() {
    let (mut world, ana, branch) = with_writer(Role::Member);
    let ben = world.admit(FOUNDER, Role::Member);
    world.remove_at(FOUNDER, ana, vec![]);
    let entry = EntryName { log: branch.log.id(), position: 7, hash: hash_of(b'a', 8) };
    let elsewhere = EntryName { log: log_of(world.project, world.id(ana), LogKind::Data, 2).id(), ..entry };
    let other_side = EntryName { hash: hash_of(b'b', 8), ..entry };
    let adopt = |who: usize, world: &World, entry| {
        ControlBody::Adopt(AdoptBody { device: world.id(who), fences: vec![], entries: vec![entry] })
    };
    for body in [adopt(ana, &world, elsewhere), adopt(ana, &world, other_side), adopt(ben, &world, entry)] {
        let adopted = world.act(FOUNDER, vec![body])[0];
        assert!(world.everything().counts(&adopted));
        assert_eq!(branch.ranges(&world.everything()), []);
    }
    let body = adopt(ana, &world, entry);
    world.act(FOUNDER, vec![body]);
    assert_eq!(branch.ranges(&world.everything()), [(7, 8)]);
}
