//! What happens to machines: power cuts, full disks, wrong clocks, folders that are restored or copied, new devices.

use std::collections::BTreeMap;

use ayni::{Continuity, Invitation, Role, Standing as InProject};

use crate::broken::{Broken, Promise};
use crate::device::{Device, Nature};
use crate::dice::Dice;
use crate::disk::Trouble;
use crate::model::{Edit, EditId, Effect, Standing, View};
use crate::world::World;

/// What devices are called; there are at the most so many, copies included.
const NAMES: [&str; 7] = ["ana", "ben", "cora", "dina", "eloy", "fay", "gil"];
/// Ten years, in milliseconds.
const YEARS: i64 = 10 * 365 * 86_400_000;

impl World {
    /// Adds a device that is off and has no database.
    pub(crate) fn add_device(&mut self, keys_of: Option<usize>) -> usize {
        let number = self.devices.len();
        let name = NAMES[number];
        let keys = keys_of.map(|device| self.devices[device].keys().to_owned());
        let dice = Dice::branch(self.seed, "device", number as u64);
        self.devices.push(Device::new(&self.home, name, keys.as_deref(), self.time.clone(), dice));
        number
    }

    /// Whether there may be more devices.
    pub(crate) fn has_room(&self) -> bool {
        self.devices.len() < NAMES.len()
    }

    /// A new device asks to join by a ticket of a coordinator's.
    pub(crate) fn join(&mut self, role: Role, dice: &mut Dice) -> Result<(), Broken> {
        let may_invite = |device: &Device| {
            let role = device.project().and_then(|project| project.standing().ok());
            role == Some(InProject::Member(Role::Coordinator)) && device.nature == Nature::Honest
        };
        let Some(inviter) = self.some_device(dice, may_invite) else { return Ok(()) };
        let invitation = Invitation { role, ..Invitation::default() };
        let Some(ticket) = self.ask(inviter, |project| project.invite(&invitation))? else { return Ok(()) };
        let device = self.add_device(None);
        self.note(format_args!("{} joins as {role:?} by a ticket of {}", self.name(device), self.name(inviter)));
        self.census.count("join");
        let Some(()) = self.created(device)? else { return Ok(()) };
        if let Some(id) = self.devices[device].id() {
            self.roles.give(id, role);
        }
        let joined = self.devices[device].database().map(|database| database.join(&ticket).map(drop));
        joined.map_or(Ok(None), |joined| self.outcome(device, joined))?;
        Ok(())
    }

    fn created(&mut self, device: usize) -> Result<Option<()>, Broken> {
        match self.devices[device].create() {
            Ok(()) => Ok(Some(())),
            Err(error) => Broken::that(Promise::Works, format!("{}: {error}", self.name(device))),
        }
    }

    /// Lets a device have a database of its own, without a project.
    pub(crate) fn start(&mut self, device: usize) -> Result<(), Broken> {
        self.created(device).map(drop)
    }

    /// The power of a device goes after some writes, or at once.
    pub(crate) fn power_cut(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let trouble = match dice.below(6) {
            0 => Trouble::PowerCutIn(0),
            1 | 2 => Trouble::PowerCutAtSync(dice.between(0, 4)),
            _ => Trouble::PowerCutIn(dice.between(1, 60)),
        };
        self.note(format_args!("{} will lose its power: {trouble:?}", self.name(device)));
        self.devices[device].disk.set(trouble);
        Ok(())
    }

    /// A device that is off is turned on, whatever turned it off. It must have all that was acknowledged.
    pub(crate) fn turn_on(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        if self.devices[device].is_on() {
            return Ok(());
        }
        if self.devices[device].disk.is_off() {
            let left = self.devices[device].after_power_cut(dice);
            let left = left.or_else(|error| Broken::that(Promise::Works, error.to_string()))?;
            self.note(format_args!("{}: after the power cut {left:?}", self.name(device)));
            self.census.add("unsynced write lost", left.lost as u64);
            self.census.add("unsynced write torn", left.torn as u64);
            let hurt = self.real(|world| world.devices[device].tear_keys(dice))?;
            hurt.into_iter().for_each(|what| self.census.count(what));
        }
        if dice.percent(8) {
            // It does not even get through its start.
            let writes = dice.between(0, 12);
            self.devices[device].disk.set(Trouble::PowerCutIn(writes));
        }
        let opened = crate::panics::caught(|| self.devices[device].open());
        let opened = opened.or_else(|text| Broken::that(Promise::Remote, format!("opening: a panic: {text}")))?;
        if self.devices[device].disk.is_off() {
            self.census.count("power cut at opening");
            self.note(format_args!("{}: the power is gone again", self.name(device)));
            drop(opened);
            self.turn_off(device);
            return Ok(());
        }
        if opened.is_err() && self.devices[device].disk.is_filling() {
            self.census.count("opening without room");
            self.make_room(device);
            return self.turn_on(device, dice);
        }
        if !self.devices[device].disk.is_filling() {
            self.devices[device].disk.set(Trouble::None);
        }
        if let Err(error) = opened {
            return Broken::that(Promise::Lost, format!("{} cannot be opened: {error}", self.name(device)));
        }
        self.note(format_args!("{} is on", self.name(device)));
        self.look_after_start(device)
    }

    /// What was in flight is there with its whole commit or not at all, and what others were told of this device holds.
    fn look_after_start(&mut self, device: usize) -> Result<(), Broken> {
        self.settle_uncertain(device)?;
        self.survey(device)?;
        let (mine, rest) = std::mem::take(&mut self.claims).into_iter().partition(|claim| claim.of == device);
        self.claims = rest;
        let mine: Vec<_> = mine;
        for claim in mine {
            self.census.count("claim checked after a start");
            self.check_claim(&claim)?;
        }
        Ok(())
    }

    fn settle_uncertain(&mut self, device: usize) -> Result<(), Broken> {
        let uncertain = |standing| matches!(standing, Standing::Uncertain | Standing::Begun);
        let edits = self.model.edits().filter(|(_, edit)| edit.author == device && uncertain(edit.standing));
        let (deletions, signed): (Vec<_>, Vec<_>) = edits
            .map(|(number, edit)| (number, edit.document, edit.commit, edit.effect == Effect::Delete))
            .partition(|(.., deletes)| *deletes);
        let honest = if self.is_honest(device) { Standing::Acknowledged } else { Standing::Optional };
        let mut there: BTreeMap<usize, bool> = BTreeMap::new();
        for (number, document, commit, _) in signed {
            let shown = self.ask(device, |project| project.collection(crate::users::PLACES).get_deleted(document))?;
            let is_there = shown.flatten().is_some_and(|document| {
                let view = View::of(&document);
                view.fields.get(&crate::model::signature(device)).is_some_and(|values| values.contains(&number))
            });
            if *there.entry(commit).or_insert(is_there) != is_there {
                return Broken::that(Promise::Lost, format!("edit {number} and another of its commit parted"));
            }
            self.census.count(if is_there { "commit in flight: there" } else { "commit in flight: not there" });
            if let Some(edit) = self.model.get_mut(number) {
                edit.standing = if is_there { honest } else { Standing::Refused };
            }
        }
        for (number, _, commit, _) in deletions {
            // It signs nothing: only what was written with it tells whether it is there.
            let standing = match there.get(&commit) {
                Some(true) => honest,
                Some(false) => Standing::Refused,
                None => Standing::Optional,
            };
            if there.contains_key(&commit) {
                self.census.count("deletion in flight that can be told");
            }
            if let Some(edit) = self.model.get_mut(number) {
                edit.standing = standing;
            }
        }
        Ok(())
    }

    /// A device is turned off and on again as its user would.
    pub(crate) fn restart(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        self.note(format_args!("{} is restarted", self.name(device)));
        self.turn_off(device);
        self.turn_on(device, dice)
    }

    pub(crate) fn fill_disk(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let writes = dice.between(0, 30);
        self.note(format_args!("the disk of {} is full after {writes} writes", self.name(device)));
        self.devices[device].disk.set(Trouble::FullIn(writes));
        Ok(())
    }

    pub(crate) fn make_room(&mut self, device: usize) {
        if self.devices[device].disk.is_filling() {
            self.note(format_args!("the disk of {} has room again", self.name(device)));
            let refused = self.devices[device].disk.take_refused();
            self.census.add("write without room", refused);
            self.devices[device].disk.set(Trouble::None);
        }
    }

    pub(crate) fn set_clock(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let off = match dice.below(4) {
            0 => 0,
            1 => dice.between(0, 7_200_000) as i64 - 3_600_000,
            _ => dice.between(0, 2 * YEARS as u64) as i64 - YEARS,
        };
        self.note(format_args!("the clock of {} is off by {off} ms", self.name(device)));
        self.devices[device].environment.set_clock_off(off);
        Ok(())
    }

    /// The folder of a device is copied while it is off.
    pub(crate) fn back_up(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        self.turn_off(device);
        self.note(format_args!("the folder of {} is copied", self.name(device)));
        self.real(|world| world.devices[device].back_up())?;
        self.turn_on(device, dice)
    }

    /// The folder of a device is replaced by an older copy. What no other device has may be lost.
    pub(crate) fn restore(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let backups = self.devices[device].backups.len();
        if backups == 0 || !self.is_honest(device) {
            return self.back_up(device, dice);
        }
        // What it had is what others were told of it.
        self.survey(device)?;
        self.note_waiting(device)?;
        if !self.devices[device].is_on() {
            return Ok(());
        }
        self.turn_off(device);
        let backup = dice.below(backups);
        self.note(format_args!("the folder of {} is replaced by copy {backup}", self.name(device)));
        self.census.count("folder restored");
        self.real(|world| world.devices[device].restore(backup))?;
        self.claims.retain(|claim| claim.of != device);
        self.forgive()?;
        self.turn_on(device, dice)
    }

    /// A folder was replaced by an older one: what no device shows any more may be lost.
    fn forgive(&mut self) -> Result<(), Broken> {
        let honest: Vec<usize> = (0..self.devices.len()).filter(|device| self.is_honest(*device)).collect();
        for device in &honest {
            self.survey(*device)?;
        }
        let shows = |device: &usize, number: &EditId, edit: &Edit| {
            self.devices[*device].known.get(&edit.document).is_some_and(|edits| edits.contains(number))
        };
        let signed = self.model.edits().filter(|(_, edit)| edit.effect != Effect::Delete);
        let gone = signed.filter(|(number, edit)| !honest.iter().any(|device| shows(device, number, edit)));
        let gone: Vec<EditId> = gone.map(|(number, _)| number).collect();
        // Of deletions nobody can tell.
        let deletions = self.model.edits().filter(|(_, edit)| edit.effect == Effect::Delete);
        let deletions: Vec<EditId> = deletions.map(|(number, _)| number).collect();
        for number in gone.into_iter().chain(deletions) {
            if let Some(edit) = self.model.get_mut(number)
                && edit.standing == Standing::Acknowledged
            {
                edit.standing = Standing::Optional;
            }
        }
        Ok(())
    }

    /// A copy of a device's folder is used beside it, on the same machine: it must be noticed.
    pub(crate) fn use_copy(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        if !self.has_room() || self.devices[device].project().is_none() || !self.is_honest(device) {
            return Ok(());
        }
        self.turn_off(device);
        let copy = self.add_device(Some(device));
        self.note(format_args!("{} is a copy of {}", self.name(copy), self.name(device)));
        self.census.count("folder used twice");
        self.copy_folder(device, copy)?;
        self.turn_on(copy, dice)?;
        let noticed = self.devices[copy].database().map(ayni::Database::continuity);
        if noticed == Some(Continuity::Same) {
            let what = format!("{} goes on as if it were not a copy of {}", self.name(copy), self.name(device));
            return Broken::that(Promise::Lost, what);
        }
        self.turn_on(device, dice)
    }

    /// A device is copied with all that could tell, and both are used: its logs fork, dishonestly.
    /// In every other world all are honest, so that promises to them are not excused by what liars withhold.
    pub(crate) fn fork(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        if self.seed % 2 == 1 {
            return Ok(());
        }
        let dishonest = self.devices.iter().filter(|device| device.nature == Nature::Dishonest).count();
        // The first device founded the project: who forks it decides everything.
        if !self.has_room() || device == 0 || dishonest >= 2 || self.devices[device].project().is_none() {
            return Ok(());
        }
        let bearers = self.devices.iter().filter(|other| other.id() == self.devices[device].id()).count();
        if bearers > 1 {
            return Ok(());
        }
        self.turn_off(device);
        let copy = self.add_device(None);
        self.note(format_args!("{} is {} once more, with all its keys", self.name(copy), self.name(device)));
        self.census.count("device forked");
        self.copy_folder(device, copy)?;
        self.real(|world| world.devices[copy].pretend_nothing_happened())?;
        for one in [device, copy] {
            self.devices[one].nature = Nature::Dishonest;
            self.claims.retain(|claim| claim.of != one && claim.by != one);
        }
        let own: Vec<i64> =
            self.model.edits().filter(|(_, edit)| edit.author == device).map(|(number, _)| number).collect();
        for number in own {
            if let Some(edit) = self.model.get_mut(number)
                && edit.standing == Standing::Acknowledged
            {
                edit.standing = Standing::Optional;
            }
        }
        self.turn_on(copy, dice)?;
        self.turn_on(device, dice)
    }

    fn copy_folder(&mut self, from: usize, to: usize) -> Result<(), Broken> {
        self.real(|world| {
            let (before, after) = world.devices.split_at_mut(to);
            before[from].copy_to(&mut after[0])
        })
    }

    /// Somebody with a database of its own, whom nobody let in.
    pub(crate) fn add_stranger(&mut self) -> Result<(), Broken> {
        let device = self.add_device(None);
        self.devices[device].nature = Nature::Stranger;
        self.note(format_args!("{} is a stranger", self.name(device)));
        self.start(device)
    }

    fn real<T>(&mut self, work: impl FnOnce(&mut Self) -> std::io::Result<T>) -> Result<T, Broken> {
        work(self).or_else(|error| Broken::that(Promise::Works, format!("the real disk: {error}")))
    }
}
