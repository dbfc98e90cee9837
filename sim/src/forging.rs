//! What forgers do in the world, and what must be so whatever they did: nobody has a right that no coordinator gave, and
//! what is forged ends the conversation with the reason.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use ayni::{ChannelInfo, DeviceId, Invitation, Project, Role, Standing as InProject};

use crate::broken::{Broken, Promise};
use crate::device::{Device, Nature};
use crate::dice::Dice;
use crate::forger::{Conversation, Forger};
use crate::forgery::{DECISIONS, Deed};
use crate::model::{Edit, Edits, Effect, Standing, Write, signature};
use crate::tamper::Tamper;
use crate::users::{KEYS, PLACES};
use crate::wire::{End, Wire};
use crate::world::World;

/// Forgers of a project at the most.
const FORGERS: usize = 2;
/// The number of the first of them as an author: no device has it.
const FIRST_AUTHOR: usize = 100;
/// A hundred years, in milliseconds.
const CENTURY: i64 = 100 * 365 * 86_400_000;
/// How long everyone is left alone until forgers have heard all and are answered: milliseconds.
const QUIET: u64 = 1_500;

/// The roles that coordinators gave to devices, each device perhaps more than one, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Roles(BTreeMap<DeviceId, Vec<Role>>);

impl Roles {
    /// A coordinator gave a role, or a ticket for it.
    pub(crate) fn give(&mut self, device: DeviceId, role: Role) {
        self.0.entry(device).or_default().push(role);
    }

    fn allow(&self, device: DeviceId, role: Role) -> bool {
        self.0.get(&device).is_some_and(|given| given.contains(&role))
    }
}

impl World {
    /// Somebody whose program is not ours does one deed to a device.
    pub(crate) fn forge(&mut self, dice: &mut Dice) -> Result<(), Broken> {
        if self.forgers.is_empty() || (self.forgers.len() < FORGERS && dice.percent(20)) {
            self.let_forger_in(dice)?;
        }
        let Some(forger) = dice.pick(&self.forgers).cloned() else { return Ok(()) };
        let honest = |device: &Device| device.is_on() && device.nature == Nature::Honest && device.project().is_some();
        let Some(device) = self.some_device(dice, honest) else { return Ok(()) };
        let deed = self.some_deed(device, &forger, dice)?;
        self.connect_forger(device, forger, deed, dice);
        Ok(())
    }

    /// A coordinator gives somebody a ticket who will forge.
    fn let_forger_in(&mut self, dice: &mut Dice) -> Result<(), Broken> {
        let may_invite = |device: &Device| {
            let role = device.project().and_then(|project| project.standing().ok());
            role == Some(InProject::Member(Role::Coordinator)) && device.nature == Nature::Honest
        };
        let Some(inviter) = self.some_device(dice, may_invite) else { return Ok(()) };
        let role = [Role::Member, Role::Reader][self.forgers.len().wrapping_add(self.seed as usize) % 2];
        let invitation = Invitation { role, ..Invitation::default() };
        let Some(ticket) = self.ask(inviter, |project| project.invite(&invitation))? else { return Ok(()) };
        let author = FIRST_AUTHOR + self.forgers.len();
        let forger = Forger::new(author, ticket, dice);
        self.roles.give(forger.id(), role);
        self.note(format_args!("{} lets a forger in as {role:?}", self.name(inviter)));
        self.census.count("forger let in");
        let forger = Rc::new(RefCell::new(forger));
        self.forgers.push(forger.clone());
        self.connect_forger(inviter, forger, Deed::OthersLog, dice);
        Ok(())
    }

    fn some_deed(&mut self, device: usize, forger: &Rc<RefCell<Forger>>, dice: &mut Dice) -> Result<Deed, Broken> {
        Ok(match dice.below(16) {
            0 | 1 => self.some_forged_edit(device, forger, dice)?.unwrap_or(Deed::OwnFork),
            2 => Deed::OwnFork,
            3..=6 => Deed::Decide(DECISIONS[dice.below(DECISIONS.len())]),
            7..=9 => Deed::NoPayload,
            _ => some_refused_deed(dice),
        })
    }

    /// An edit that a forger writes as if it had seen nothing, at any time; of one that may only read it must not be seen.
    fn some_forged_edit(
        &mut self,
        device: usize,
        forger: &Rc<RefCell<Forger>>,
        dice: &mut Dice,
    ) -> Result<Option<Deed>, Broken> {
        let key = dice.below(KEYS).to_string();
        let document = self.ask(device, |project| project.collection(PLACES).id_of_key(&key))?;
        let Some(document) = document else { return Ok(None) };
        let now = ayni::environment::Environment::now(&*self.devices[device].environment);
        let time = [i64::MIN, 0, now.saturating_sub(CENTURY), now.saturating_add(CENTURY), i64::MAX][dice.below(5)];
        let (author, role) = (forger.borrow().author, forger.borrow().role);
        let standing = if role == Role::Reader { Standing::Forged } else { Standing::Optional };
        let fields = [("a".to_owned(), Write::Set), (signature(author), Write::Set)];
        let effect = Effect::Fields(fields.into());
        let commit = self.model.begin_commit();
        let number = self.model.begin(Edit { document, author, time, effect, seen: Edits::new(), standing, commit });
        self.note(format_args!("edit {number} is forged: {standing:?}"));
        Ok(Some(Deed::Edit { document, number, time }))
    }

    fn connect_forger(&mut self, device: usize, forger: Rc<RefCell<Forger>>, deed: Deed, dice: &mut Dice) {
        let Some(database) = self.devices[device].database().cloned() else { return };
        let binding = self.next_binding();
        let info = ChannelInfo {
            own_transport: *database.transport_secret(),
            peer_transport: Conversation::transport(&forger.borrow()),
            initiator: false,
            binding,
            address: "a forger".into(),
        };
        let woken = std::sync::Arc::default();
        let wake = std::sync::Arc::clone(&woken);
        let wake = move || std::sync::atomic::AtomicBool::store(&wake, true, std::sync::atomic::Ordering::Relaxed);
        let Ok(link) = database.pool().connect(info, wake) else { return };
        self.note(format_args!("wire {} from a forger to {}: {deed:?}", self.wires.len(), self.name(device)));
        let dice = Dice::new(dice.number());
        let conversation = Conversation::new(forger, deed, &binding, self.time.now(), dice);
        let ends = [End::forging(device, conversation), End::new(device, link, woken)];
        self.wires.push(Wire::new(ends, (0, 20), [Tamper::None, Tamper::None]));
    }

    /// How a conversation with a forger ended that is over.
    pub(crate) fn look_at_forger(&mut self, wire: usize, faults: &[String]) -> Result<(), Broken> {
        let Some(forger) = self.wires[wire].ends.iter().find_map(|end| end.forger.as_ref()) else { return Ok(()) };
        let deed = forger.deed();
        if forger.was_answered() {
            self.census.count(deed.name());
            if deed.must_be_named() && faults.is_empty() {
                let what = format!("{deed:?} ended a conversation without the reason");
                return Broken::that(Promise::Unverified, what);
            }
        } else if forger.waits() && !forger.was_given_up() {
            return Broken::that(Promise::Unverified, format!("{deed:?} ended a conversation silently"));
        }
        Ok(())
    }

    /// Once everything has healed each forger does some more, and is answered.
    pub(crate) fn forge_all(&mut self, dice: &mut Dice) -> Result<(), Broken> {
        for forger in self.forgers.clone() {
            for device in self.members().into_iter().take(2) {
                let deed = self.some_deed(device, &forger, dice)?;
                self.connect_forger(device, forger.clone(), deed, dice);
            }
            self.leave_to_forgers(dice)?;
        }
        Ok(())
    }

    /// Forgers look once more at what every device serves, and do what must leave no trace.
    pub(crate) fn forge_in_vain(&mut self, dice: &mut Dice) -> Result<(), Broken> {
        let Some(forger) = dice.pick(&self.forgers).cloned() else { return Ok(()) };
        let mut before = Vec::new();
        for device in self.members() {
            before.push((device, self.ask(device, Project::digest)?));
            let deed = some_refused_deed(dice);
            self.connect_forger(device, forger.clone(), deed, dice);
        }
        self.leave_to_forgers(dice)?;
        for (device, digest) in before {
            if self.ask(device, Project::digest)? != digest {
                let what = format!("{} shows something else after what it refused", self.name(device));
                return Broken::that(Promise::Unverified, what);
            }
        }
        Ok(())
    }

    fn leave_to_forgers(&mut self, dice: &mut Dice) -> Result<(), Broken> {
        self.until_quiet(QUIET, dice)?;
        let silent = self.wires.iter().flat_map(|wire| &wire.ends).filter_map(|end| end.forger.as_ref());
        let silent: Vec<Deed> = silent.filter(|forger| forger.waits()).map(|forger| forger.deed()).collect();
        while !self.wires.is_empty() {
            self.cut(0);
        }
        match silent.first() {
            Some(deed) => Broken::that(Promise::Unverified, format!("{deed:?} is not answered")),
            None => Ok(()),
        }
    }

    /// Nobody is in the project whom no coordinator let in, nor has another role than he was given.
    pub(crate) fn check_membership(&mut self, members: &[usize]) -> Result<(), Broken> {
        for device in members {
            let known = self.ask(*device, Project::members)?.unwrap_or_default();
            for member in known {
                let who = self.name(*device);
                if !self.roles.allow(member.device, member.role) {
                    let what = format!("on {who} {:?} is {:?}, which no coordinator decided", member.name, member.role);
                    return Broken::that(Promise::Unverified, what);
                }
                if member.name == "forged" {
                    return Broken::that(Promise::Unverified, format!("on {who} a device has a name from a forger"));
                }
            }
        }
        Ok(())
    }
}

/// Something that is refused, or has no effect.
fn some_refused_deed(dice: &mut Dice) -> Deed {
    let deeds = [
        Deed::OthersLog,
        Deed::TakenPosition,
        Deed::OldSignature,
        Deed::OtherPayload,
        Deed::OtherPrevious,
        Deed::BrokenChain,
        Deed::StrangersLog,
        Deed::Intrude,
        Deed::OthersReceipt,
    ];
    deeds[dice.below(deeds.len())]
}
