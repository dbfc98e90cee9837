//! Links that break, at any byte.

use ayni_log::ids::LogKind;
use proptest::prelude::*;

use crate::toy::project_id;
use crate::world::World;

/// Connects the first two devices over a link that is cut after so many bytes, then over one that holds; what had arrived
/// before is not sent again.
fn cut_then_resume(mut world: World, budgets: &[u64]) -> World {
    for budget in budgets {
        let link = world.connect(0, 1);
        world.links[link].budget = *budget;
        world.settle();
        world.links[link].cut = true;
    }
    let missing = [missing(&world, 0, 1), missing(&world, 1, 0)];
    let link = world.connect(0, 1);
    world.settle();
    world.assert_same();
    world.assert_level();
    for (end, missing) in world.links[link].ends.iter().zip(missing) {
        assert_eq!(end.entries_arrived(), missing, "cut after {budgets:?}: exactly what was missing comes");
    }
    world
}

/// Entries of both kinds that the second device has and the first has not.
fn missing(world: &World, here: usize, there: usize) -> u64 {
    use ayni_sync::Replica;
    let mut missing = 0;
    for kind in [LogKind::Control, LogKind::Data] {
        for tip in world.devices[there].frontier(&project_id(1), kind) {
            let held = world.devices[here].branches(&tip.log).iter().map(|tip| tip.length).max().unwrap_or(0);
            missing += tip.length.saturating_sub(held);
        }
    }
    missing
}

fn small_world() -> World {
    let mut world = World::new(2);
    world.chunk = 211;
    world.write(0, 9, "a");
    world.write(1, 6, "b");
    world.devices[1].write(project_id(1), LogKind::Control, [b"something".to_vec()]);
    world
}

#[test]
fn cut_at_every_byte_it_goes_on_from_there() {
    let whole = cut_then_resume(small_world(), &[]);
    let total: u64 = whole.links[0].ends.iter().map(|end| end.sent).sum();
    assert!(total > 1_000);
    for budget in 0..=total {
        cut_then_resume(small_world(), &[budget]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn however_often_it_is_cut_nothing_is_started_again(
        written in proptest::collection::vec((0usize..2, 1usize..60), 1..6),
        budgets in proptest::collection::vec(0u64..6_000, 0..5),
        chunk in 50usize..3_000,
    ) {
        let mut world = World::new(2);
        world.chunk = chunk;
        for (number, (device, count)) in written.iter().enumerate() {
            world.write(*device, *count, &format!("round {number}"));
        }
        cut_then_resume(world, &budgets);
    }

    #[test]
    fn writing_while_syncing_ends_level_too(
        steps in proptest::collection::vec((0usize..3, 1usize..9, 0usize..12), 1..12),
        chunk in 100usize..3_000,
    ) {
        let mut world = World::new(3);
        world.chunk = chunk;
        world.connect(0, 1);
        world.connect(1, 2);
        for (number, (device, count, rounds)) in steps.iter().enumerate() {
            world.write(*device, *count, &format!("step {number}"));
            for _ in 0..*rounds {
                world.round();
            }
            if number == 5 {
                world.connect(2, 0);
            }
        }
        world.settle();
        world.assert_same();
        world.assert_level();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn forks_links_that_break_and_third_devices_together_end_level(
        forks in proptest::collection::vec((1usize..4, 0u64..30, 1u64..20), 0..6),
        steps in proptest::collection::vec((0usize..4, 1usize..9, 0usize..9, 0u64..5_000), 1..9),
        chunk in 100usize..3_000,
    ) {
        let mut world = World::new(4);
        world.chunk = chunk;
        world.write(0, 30, "one way");
        for (number, (device, at, count)) in forks.iter().enumerate() {
            let branch = world.devices[0].forked(project_id(1), *at, *count, &format!("copy {number}"));
            world.devices[*device].plant(project_id(1), branch);
        }
        for (number, (device, count, rounds, budget)) in steps.iter().enumerate() {
            let link = world.connect(number % 4, (number + 1 + number / 4) % 4);
            world.links[link].budget = *budget;
            world.write(*device, *count, &format!("step {number}"));
            for _ in 0..*rounds {
                world.round();
            }
        }
        world.settle();
        world.links.clear();
        for (a, b) in [(0, 1), (1, 2), (2, 3)] {
            world.connect(a, b);
        }
        world.settle();
        world.assert_same();
        world.assert_level();
    }
}
