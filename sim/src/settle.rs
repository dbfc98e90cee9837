//! The end of a run: the network heals, everyone meets, and then everything that was promised must be so.

use ayni::{Invitation, Role, Standing as InProject};

use crate::broken::{Broken, Promise};
use crate::device::Nature;
use crate::dice::Dice;
use crate::model::{Edits, Effect, Standing, View};
use crate::tamper::Tamper;
use crate::users::{NOTES, PLACES};
use crate::world::World;

/// Meetings of everyone with everyone, after which all must be level.
const ROUNDS: usize = 6;
/// How long nothing must happen until devices have nothing more to say: longer than anything is held back.
const QUIET: u64 = 1_500;

impl World {
    /// Heals everything and lets all devices meet, then checks the promises.
    pub(crate) fn settle(&mut self) -> Result<(), Broken> {
        let mut dice = Dice::branch(self.seed, "settling", 0);
        self.note("everything heals");
        self.heal(&mut dice)?;
        self.forge_all(&mut dice)?;
        self.meet_all(&mut dice)?;
        self.note("everyone has met");
        self.check_strangers()?;
        self.forge_in_vain(&mut dice)?;
        let members = self.members();
        self.check_membership(&members)?;
        for device in &members {
            self.survey(*device)?;
        }
        self.check_documents(&members)?;
        self.check_views(&members)?;
        self.check_statuses(&members)?;
        for device in &members {
            self.rebuild(*device)?;
        }
        Ok(())
    }

    /// The devices that are in the project and keep the promises.
    pub(crate) fn members(&self) -> Vec<usize> {
        let is_member = |device: &usize| {
            let standing = self.devices[*device].project().and_then(|project| project.standing().ok());
            self.is_honest(*device) && matches!(standing, Some(InProject::Member(_)))
        };
        (0..self.devices.len()).filter(is_member).collect()
    }

    fn heal(&mut self, dice: &mut Dice) -> Result<(), Broken> {
        self.split = None;
        while !self.wires.is_empty() {
            self.cut(0);
        }
        for device in 0..self.devices.len() {
            self.devices[device].environment.set_clock_off(0);
            self.make_room(device);
            for _ in 0..20 {
                if self.devices[device].is_on() {
                    break;
                }
                self.turn_on(device, dice)?;
            }
            self.devices[device].disk.set(crate::disk::Trouble::None);
        }
        Ok(())
    }

    /// Lets everyone meet until all hold the same.
    fn meet_all(&mut self, dice: &mut Dice) -> Result<(), Broken> {
        for round in 0..ROUNDS {
            self.invite_again(dice)?;
            let all: Vec<usize> = (0..self.devices.len()).filter(|device| self.is_honest(*device)).collect();
            for (place, one) in all.iter().enumerate() {
                for other in &all[place + 1..] {
                    self.connect(*one, *other, (0, 10), [Tamper::None, Tamper::None]);
                }
            }
            self.until_quiet(QUIET, dice)?;
            self.check_level_claims()?;
            let level = self.is_level()?;
            while !self.wires.is_empty() {
                self.cut(0);
            }
            let pending = all.iter().any(|device| !self.members().contains(device));
            if level && !pending {
                self.note(format_args!("level after {} rounds", round + 1));
                return Ok(());
            }
        }
        let members = self.members();
        let mut states = Vec::new();
        for device in &members {
            let status = self.ask(*device, ayni::Project::status)?;
            let entries = status.map(|status| (status.entries, status.waiting));
            states.push(format!("{}: {entries:?}", self.name(*device)));
        }
        Broken::that(Promise::Live, format!("after {ROUNDS} meetings of all: {}", states.join(", ")))
    }

    /// A device whose ticket went with a folder that was replaced gets another.
    fn invite_again(&mut self, dice: &mut Dice) -> Result<(), Broken> {
        for device in 0..self.devices.len() {
            let standing = self.devices[device].project().and_then(|project| project.standing().ok());
            let waits = self.is_honest(device) && standing.is_none_or(|standing| standing == InProject::Pending);
            let may_invite = |other: &crate::device::Device| {
                let standing = other.project().and_then(|project| project.standing().ok());
                standing == Some(InProject::Member(Role::Coordinator)) && other.nature == Nature::Honest
            };
            if !waits {
                continue;
            }
            let Some(inviter) = self.some_device(dice, may_invite) else { continue };
            let Some(ticket) = self.ask(inviter, |project| project.invite(&Invitation::default()))? else { continue };
            let joined = self.devices[device].database().map(|database| database.join(&ticket).map(drop));
            if let Some(id) = self.devices[device].id() {
                self.roles.give(id, Role::Member);
            }
            joined.map_or(Ok(None), |joined| self.outcome(device, joined))?;
        }
        Ok(())
    }

    /// Whether all members hold as many entries, of which none waits, and show the same.
    fn is_level(&mut self) -> Result<bool, Broken> {
        let mut states = Vec::new();
        for device in self.members() {
            let state = self.ask(device, |project| {
                let status = project.status()?;
                Ok((status.entries, status.waiting, project.digest()?))
            })?;
            states.extend(state);
        }
        // What a dishonest member or a forger wrote may wait for what it never sent to anyone: for what a device told it that
        // was restored since.
        let may_wait = !self.forgers.is_empty() || self.devices.iter().any(|device| device.nature == Nature::Dishonest);
        let none_waits = states.iter().all(|(_, waiting, _)| *waiting == 0);
        Ok(states.windows(2).all(|pair| pair[0] == pair[1]) && (none_waits || may_wait))
    }

    /// All documents are the same everywhere, and show what the model says.
    fn check_documents(&mut self, members: &[usize]) -> Result<(), Broken> {
        let Some((first, others)) = members.split_first() else { return Ok(()) };
        for id in self.model.documents() {
            let known = self.devices[*first].known.get(&id).cloned().unwrap_or_default();
            self.check_lost(id, &known)?;
            let Some((document, there)) = self.read(*first, id)? else { continue };
            let view = View::of(&document);
            self.model.check(id, &there, &view)?;
            for other in others {
                let theirs = self.read(*other, id)?.map(|(document, _)| (View::of(&document), document.conflicts()));
                if theirs != Some((view.clone(), document.conflicts())) {
                    let (one, other) = (self.name(*first), self.name(*other));
                    return Broken::that(Promise::Same, format!("{id} is not the same on {one} and {other}"));
                }
            }
        }
        for id in self.loose.clone() {
            let first_shows = self.ask(*first, |project| project.collection(NOTES).get_deleted(id))?.flatten();
            let first_shows = first_shows.map(|document| (document.fields(), document.conflicts()));
            for other in others {
                let shows = self.ask(*other, |project| project.collection(NOTES).get_deleted(id))?.flatten();
                if shows.map(|document| (document.fields(), document.conflicts())) != first_shows {
                    return Broken::that(
                        Promise::Same,
                        format!("the note {id} is not the same on {}", self.name(*other)),
                    );
                }
            }
        }
        Ok(())
    }

    /// Whether every acknowledged edit of a document is among those that are there.
    fn check_lost(&self, id: ayni::DocumentId, there: &Edits) -> Result<(), Broken> {
        for (number, edit) in self.model.edits().filter(|(_, edit)| edit.document == id) {
            let must = edit.standing == Standing::Acknowledged && edit.effect != Effect::Delete;
            if must && !there.contains(&number) {
                let who = self.name(edit.author);
                return Broken::that(
                    Promise::Lost,
                    format!("edit {number} of {id} by {who} was acknowledged and is gone"),
                );
            }
        }
        Ok(())
    }

    /// All have met and are level: every status says so, and none says more.
    fn check_statuses(&mut self, members: &[usize]) -> Result<(), Broken> {
        for device in members {
            self.status(*device)?;
        }
        Ok(())
    }

    /// Documents made anew from the log are the same.
    pub(crate) fn rebuild(&mut self, device: usize) -> Result<(), Broken> {
        self.note(format_args!("{} rebuilds its views", self.name(device)));
        let before = self.ask(device, ayni::Project::digest)?;
        let rebuilt = self.devices[device].database().cloned();
        let rebuilt = rebuilt.map(|database| self.guarded(device, || database.rebuild_views(|_| ()).map(drop)));
        let Some(rebuilt) = rebuilt else { return Ok(()) };
        let rebuilt = rebuilt?;
        if self.outcome(device, rebuilt)?.is_none() {
            // A rebuilding that is cut off goes on at the next opening.
            if self.devices[device].is_on() {
                self.census.count("rebuilding cut off");
                self.devices[device].disk.set(crate::disk::Trouble::None);
                let mut dice = Dice::branch(self.seed, "rebuilding", device as u64);
                return self.restart(device, &mut dice);
            }
            return Ok(());
        }
        let after = self.ask(device, ayni::Project::digest)?;
        match before.is_none() || after.is_none() || before == after {
            true => Ok(()),
            false => Broken::that(Promise::Same, format!("{} shows something else once rebuilt", self.name(device))),
        }
    }

    /// How much there was.
    pub(crate) fn summary(&self) -> String {
        let documents = self.devices.iter().map(|device| device.known.len()).max().unwrap_or(0);
        format!("{} devices, {} edits of {documents} {PLACES}", self.devices.len(), self.model.next() - 1)
    }
}
