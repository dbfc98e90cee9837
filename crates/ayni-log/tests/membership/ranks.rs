//! Whose removal is applied first: coordinators who remove each other tell their ranks.

use ayni_log::ids::Hash;
use ayni_log::membership::Role;

use crate::world::{FOUNDER, RECOVERY, World};

/// Lets two coordinators remove each other, neither having heard of it; gives the one who stays.
fn duel(world: &mut World, one: usize, other: usize) -> usize {
    world.remove(one, other);
    world.remove(other, one);
    let stays = |who: &usize| world.everything().role(world.id(*who)) == Some(Role::Coordinator);
    let stay: Vec<usize> = [one, other].into_iter().filter(stays).collect();
    assert_eq!(stay.len(), 1);
    stay[0]
}

#[test]
fn whoever_was_admitted_closer_to_the_founder_stays_however_late() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let by_ana = world.admit(ana, Role::Coordinator);
    let late = world.admit(FOUNDER, Role::Coordinator);
    assert_eq!(duel(&mut world, by_ana, late), late);
}

#[test]
fn of_several_admissions_the_best_decides() {
    for again_first in [false, true] {
        let mut world = World::new();
        let ana = world.admit(FOUNDER, Role::Coordinator);
        let ben = world.add_device();
        if again_first {
            world.admit_again(FOUNDER, ben, Role::Coordinator);
            world.admit_again(ana, ben, Role::Coordinator);
        } else {
            world.admit_again(ana, ben, Role::Coordinator);
            world.admit_again(FOUNDER, ben, Role::Coordinator);
        }
        let cat = world.admit(FOUNDER, Role::Coordinator);
        world.tell(FOUNDER, ben);
        world.tell(ana, ben);
        assert_eq!(duel(&mut world, cat, ben), ben);
    }
}

#[test]
fn an_admission_that_the_author_had_not_seen_does_not_raise_it() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let cat = world.admit(ana, Role::Coordinator);
    let ben = world.admit(ana, Role::Coordinator);
    world.admit_again(FOUNDER, ben, Role::Coordinator);
    assert_eq!(duel(&mut world, cat, ben), cat);
}

#[test]
fn an_admission_that_does_not_count_raises_nobody() {
    let mut world = World::new();
    let first = world.admit(FOUNDER, Role::Coordinator);
    let second = world.admit(FOUNDER, Role::Coordinator);
    let cat = world.admit(second, Role::Coordinator);
    let ben = world.admit(second, Role::Coordinator);
    world.admit_again(first, ben, Role::Coordinator);
    world.tell(first, ben);
    world.remove_at(FOUNDER, first, vec![]);
    assert_eq!(duel(&mut world, cat, ben), cat);
}

#[test]
fn at_equal_depth_the_rank_of_who_admitted_goes_before_the_place() {
    let mut world = World::new();
    let earlier = world.admit(FOUNDER, Role::Coordinator);
    let later = world.admit(FOUNDER, Role::Coordinator);
    world.admit(earlier, Role::Reader);
    let by_earlier = world.admit(earlier, Role::Coordinator);
    let by_later = world.admit(later, Role::Coordinator);
    assert_eq!(duel(&mut world, by_later, by_earlier), by_earlier);
}

#[test]
fn whom_the_recovery_key_admitted_goes_before_whom_the_founder_admitted() {
    let mut world = World::new();
    let by_founder = world.admit(FOUNDER, Role::Coordinator);
    world.tell(FOUNDER, RECOVERY);
    for _ in 0..5 {
        world.admit(RECOVERY, Role::Reader);
    }
    let by_recovery = world.admit(RECOVERY, Role::Coordinator);
    assert_eq!(duel(&mut world, by_founder, by_recovery), by_recovery);
}

#[test]
fn of_admissions_at_one_place_of_a_forked_log_the_hash_decides() {
    for number in 0..6 {
        let mut world = World::new();
        for _ in 0..number {
            world.admit(FOUNDER, Role::Reader);
        }
        let copy = world.copy(FOUNDER);
        let one = world.admit(FOUNDER, Role::Coordinator);
        let hash_of_one = world.written.last().unwrap().hash;
        world.restore(copy);
        let other = world.admit(FOUNDER, Role::Coordinator);
        let hash_of_other = world.written.last().unwrap().hash;
        let higher = if hash_of_one < hash_of_other { one } else { other };
        assert_eq!(duel(&mut world, one, other), higher);
    }
}

#[test]
fn of_one_authors_removals_the_earlier_goes_first() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let ben = world.admit(FOUNDER, Role::Coordinator);
    world.tell(FOUNDER, ana);
    world.admit(ana, Role::Reader);
    let before = world.control_fence(ana, 1);
    // She leaves by a fence in front of her removal of Ben, which had been applied by then.
    world.remove(ana, ben);
    world.remove_at(ana, ana, vec![before]);
    let roles = [ana, ben].map(|who| world.everything().role(world.id(who)));
    assert_eq!(roles, [Some(Role::Removed); 2]);
}

#[test]
fn of_one_authors_removals_at_one_place_of_a_forked_log_the_hash_decides() {
    let outcomes = (0..6).map(|number| {
        let mut world = World::new();
        let ana = world.admit(FOUNDER, Role::Coordinator);
        let ben = world.admit(FOUNDER, Role::Coordinator);
        world.tell(FOUNDER, ana);
        for _ in 0..=number {
            world.admit(ana, Role::Reader);
        }
        let before = world.control_fence(ana, number + 1);
        let copy = world.copy(ana);
        let of_ben: Hash = world.remove(ana, ben);
        world.restore(copy);
        let of_herself = world.remove_at(ana, ana, vec![before]);
        let removed = world.everything().role(world.id(ben)) == Some(Role::Removed);
        assert_eq!(removed, of_ben < of_herself);
        removed
    });
    let outcomes: Vec<bool> = outcomes.collect();
    assert!(outcomes.contains(&true) && outcomes.contains(&false), "{outcomes:?}");
}
