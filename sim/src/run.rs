//! One run: a world is made, a plan is carried out, everything heals, and the promises are checked.

use std::path::{Path, PathBuf};

use ayni::Role;

use crate::action::{Step, plan};
use crate::broken::{Broken, Promise};
use crate::census::Census;
use crate::dice::Dice;
use crate::tamper::Tamper;
use crate::world::World;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The promise that was broken, and how, if one was.
    pub broken: Option<Broken>,
    /// All that happened, a line for each thing.
    pub trace: String,
    /// How often what happened.
    pub census: Census,
    /// How many steps were taken.
    pub steps: usize,
}

/// Carries out the plan of a seed.
pub fn run_seed(seed: u64, actions: usize) -> Ended {
    run(seed, &plan(seed, actions))
}

/// Carries out a plan in the world of a seed.
///
/// # Panics
/// If there is no place for temporary files.
pub fn run(seed: u64, steps: &[Step]) -> Ended {
    let folder = tempfile::Builder::new().prefix("ayni-sim-").tempdir_in(place()).expect("a folder for the devices");
    let home = folder.path().canonicalize().expect("a folder that was just made");
    let mut world = World::new(seed, home);
    let mut taken = 0;
    let outcome = all(&mut world, steps, &mut taken);
    if let Err(broken) = &outcome {
        world.note(broken);
    }
    let summary = world.summary();
    world.note(summary);
    (0..world.devices.len()).for_each(|device| world.turn_off(device));
    let census = std::mem::take(&mut world.census);
    Ended { broken: outcome.err(), census, steps: taken, trace: world.into_trace() }
}

/// Memory if there is a folder that is: the disks are simulated anyway.
fn place() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

fn all(world: &mut World, steps: &[Step], taken: &mut usize) -> Result<(), Broken> {
    found(world)?;
    for step in steps {
        *taken += 1;
        world.step(*step)?;
    }
    world.settle()
}

/// Three devices in one project, the first its founder; all hold the same, and none is connected.
fn found(world: &mut World) -> Result<(), Broken> {
    let mut dice = Dice::branch(world.seed, "founding", 0);
    let founder = world.add_device(None);
    world.start(founder)?;
    let founded = world.devices[founder].database().map(|database| database.create_project("Mapa").map(drop));
    if world.outcome(founder, founded.unwrap_or(Ok(())))?.is_none() {
        return Broken::that(Promise::Works, "the project could not be founded");
    }
    world.project = world.devices[founder].project().map(|project| project.id());
    if let Some(id) = world.devices[founder].id() {
        world.roles.give(id, Role::Coordinator);
    }
    for _ in 0..2 {
        world.join(Role::Member, &mut dice)?;
    }
    for device in 1..world.devices.len() {
        world.connect(founder, device, (0, 1), [Tamper::None, Tamper::None]);
    }
    world.until_quiet(1_500, &mut dice)?;
    while !world.wires.is_empty() {
        world.cut(0);
    }
    Ok(())
}
