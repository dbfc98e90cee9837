//! What conversations say of themselves: that two devices are level, and why they ended.

use ayni::Project;

use crate::broken::{Broken, Promise};
use crate::world::World;

/// How long nothing must have happened, so that nothing is held back any more: milliseconds.
const QUIET: u64 = 1_000;

impl World {
    /// Where both sides of a conversation say that they are level, and nothing is on its way, both hold the same.
    pub(crate) fn check_level_claims(&mut self) -> Result<(), Broken> {
        if self.time.now() - self.quiet_since < QUIET {
            return Ok(());
        }
        let claimed: Vec<[usize; 2]> = (0..self.wires.len()).filter_map(|wire| self.claimed_level(wire)).collect();
        for [one, other] in claimed {
            let mut held = Vec::new();
            for device in [one, other] {
                let state = self.ask(device, |project: &Project| Ok((project.status()?.entries, project.digest()?)))?;
                held.extend(state);
            }
            self.census.count("level: both sides say so");
            if let [one_holds, other_holds] = held[..]
                && one_holds != other_holds
            {
                let (one, other) = (self.name(one), self.name(other));
                let what = format!("{one} and {other} say that they are level, with {one_holds:?} and {other_holds:?}");
                return Broken::that(Promise::Status, what);
            }
        }
        Ok(())
    }

    /// The ends of a wire that is at rest and of which both say that they are level.
    fn claimed_level(&self, wire: usize) -> Option<[usize; 2]> {
        let wire = &self.wires[wire];
        let devices = [wire.ends[0].device, wire.ends[1].device];
        let is_quiet = |device: usize| self.is_honest(device) && self.devices[device].environment.jobs() == 0;
        let says_level = |device: usize| {
            let peers = self.devices[device].database().map(|database| database.pool().peers()).unwrap_or_default();
            let of_wire = peers.into_iter().find(|peer| peer.address == wire.address);
            of_wire.is_some_and(|peer| {
                peer.fault.is_none() && !peer.projects.is_empty() && peer.projects.iter().all(|project| project.level)
            })
        };
        let at_rest = wire.is_at_rest() && devices[0] != devices[1];
        let level = at_rest && devices.iter().all(|device| is_quiet(*device) && says_level(*device));
        level.then_some(devices)
    }

    /// Counts how a conversation ended whose bytes somebody had changed.
    pub(crate) fn look_at_tampering(&mut self, wire: usize, faults: &[String]) {
        if !self.wires[wire].ways.iter().any(|way| way.tamper.did_something()) {
            return;
        }
        self.census.count(match faults.is_empty() {
            true => "tampering did no harm",
            false => "tampering noticed",
        });
    }
}
