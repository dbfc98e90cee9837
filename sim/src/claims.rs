//! What devices say: in a status of what others have, in a conversation that both are level, and why it ended.

use ayni::{DocumentId, Project};

use crate::broken::{Broken, Promise};
use crate::forgery::FORGED_TIME;
use crate::model::Edits;
use crate::world::{Claim, World};

/// How long nothing must have happened, so that nothing is held back any more: milliseconds.
const QUIET: u64 = 1_000;

impl World {
    /// Reads the status. What it says that others have, they must have.
    pub(crate) fn status(&mut self, device: usize) -> Result<(), Broken> {
        self.survey(device)?;
        let Some(status) = self.ask(device, Project::status)? else { return Ok(()) };
        self.note(format_args!("{}: {} entries, {} waiting", self.name(device), status.entries, status.waiting));
        for one in &status.devices {
            if one.receipt.is_some_and(|receipt| receipt.time == FORGED_TIME) {
                let what = format!("{} has a receipt of {} from a forger", self.name(device), one.name);
                return Broken::that(Promise::Status, what);
            }
            let bearers = 0..self.devices.len();
            let bearers: Vec<usize> = bearers.filter(|other| self.devices[*other].id() == Some(one.device)).collect();
            // Of copies of one folder any may be meant.
            let ([of], Some(receipt)) = (bearers.as_slice(), one.receipt) else { continue };
            if !self.is_honest(*of) || !self.is_honest(device) {
                continue;
            }
            self.census.count(if receipt.has_everything() { "status: has everything" } else { "status: is behind" });
            self.note(format_args!("  {} lacks {}", self.name(*of), receipt.entries_behind));
            let held = self.devices[device].known.clone();
            let claim = Claim { by: device, of: *of, held, behind: receipt.entries_behind };
            match self.devices[*of].is_on() {
                true => self.check_claim(&claim)?,
                false => self.claims.push(claim),
            }
        }
        Ok(())
    }

    /// Notes how much a device holds that it cannot show, for it waits for something.
    pub(crate) fn note_waiting(&mut self, device: usize) -> Result<(), Broken> {
        let waiting = self.ask(device, Project::status)?.map_or(0, |status| status.waiting);
        let device = &mut self.devices[device];
        device.waited = device.waited.max(waiting);
        Ok(())
    }

    /// Whether a device that is on holds as much as a status said.
    pub(crate) fn check_claim(&mut self, claim: &Claim) -> Result<(), Broken> {
        self.survey(claim.of)?;
        if !self.devices[claim.of].is_on() {
            return Ok(());
        }
        self.note_waiting(claim.of)?;
        let waiting = self.devices[claim.of].waited;
        let ever = &self.devices[claim.of].ever;
        let lacks = |(id, edits): (&DocumentId, &Edits)| match ever.get(id) {
            Some(has) => edits.difference(has).count(),
            None => edits.len(),
        };
        let lacking = claim.held.iter().map(lacks).sum::<usize>() as u64;
        if lacking > claim.behind + waiting {
            let (by, of) = (self.name(claim.by), self.name(claim.of));
            let what = format!("{by} was told that {of} lacks {} entries; it lacks {lacking}", claim.behind);
            return Broken::that(Promise::Status, what);
        }
        Ok(())
    }

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
