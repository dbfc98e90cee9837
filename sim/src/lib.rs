//! The simulator: whole devices on virtual time, with everything that can go wrong, decided by one seed.
//!
//! [`run`] founds a project on a few devices of the real code, takes the steps of a plan, lets the network heal, and checks
//! the promises. Time, randomness, disks and wires are the simulator's, and one thread does everything, so the same seed
//! gives the same trace, byte for byte. `docs/simulator.md` tells how to read what it says.

pub mod action;
mod broken;
pub mod census;
mod claims;
mod device;
mod dice;
mod disk;
mod environment;
mod forger;
mod forgery;
mod forging;
mod knowledge;
mod machines;
mod model;
mod network;
mod overheard;
mod panics;
mod run;
mod scribble;
mod settle;
pub mod story;
mod tamper;
mod users;
mod vfs;
mod views;
mod wire;
mod world;

pub use broken::{Broken, Promise};
pub use run::{Ended, run, run_seed};
