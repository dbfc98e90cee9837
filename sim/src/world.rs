//! The world: devices, the wires between them, and the scheduler that decides what happens next.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ayni::{ChannelInfo, DocumentId, ProjectId};

use crate::broken::{Broken, Promise};
use crate::census::Census;
use crate::device::{Device, Nature};
use crate::dice::Dice;
use crate::environment::Time;
use crate::forger::Forger;
use crate::forging::Roles;
use crate::model::{Known, Model};
use crate::overheard::Tags;
use crate::panics;
use crate::tamper::Tamper;
use crate::wire::{End, Wire};

/// How often conversations are told that time has passed: milliseconds.
const TICK: u64 = 200;
/// Bytes on their way by one wire at the most: two frames of the largest kind beyond what is taken at once.
const WIRE_BYTES: usize = 8 << 20;

/// The network in halves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Split {
    /// A bit for each device: which half it is in.
    pub(crate) halves: u64,
    /// Only bytes from the first half to the second are held back.
    pub(crate) one_way: bool,
}

/// What a status said of a device that was off then: to be checked once it is on.
pub(crate) struct Claim {
    /// Who was told.
    pub(crate) by: usize,
    /// Of whom.
    pub(crate) of: usize,
    /// What the one who was told held.
    pub(crate) held: Known,
    /// How much of it the other did not acknowledge.
    pub(crate) behind: u64,
}

/// See the module.
pub(crate) struct World {
    pub(crate) seed: u64,
    /// The project, once it is founded.
    pub(crate) project: Option<ProjectId>,
    pub(crate) home: PathBuf,
    pub(crate) time: Arc<Time>,
    pub(crate) devices: Vec<Device>,
    pub(crate) wires: Vec<Wire>,
    pub(crate) model: Model,
    pub(crate) census: Census,
    pub(crate) split: Option<Split>,
    pub(crate) claims: Vec<Claim>,
    /// Documents that no model follows: they must be the same everywhere, whatever was done to them.
    pub(crate) loose: Vec<DocumentId>,
    /// Members whose programs are not ours.
    pub(crate) forgers: Vec<Rc<RefCell<Forger>>>,
    /// The roles that coordinators gave.
    pub(crate) roles: Roles,
    /// Tags that strangers heard.
    tags: Tags,
    trace: String,
    connections: u64,
    ticked: u64,
    /// Since when nothing has happened.
    pub(crate) quiet_since: u64,
}

/// What can happen next.
enum Event {
    Job(usize),
    Pull(usize, usize),
    Deliver(usize, usize),
}

impl World {
    pub(crate) fn new(seed: u64, home: PathBuf) -> Self {
        Self {
            seed,
            project: None,
            home,
            time: Arc::default(),
            devices: Vec::new(),
            wires: Vec::new(),
            model: Model::default(),
            census: Census::default(),
            split: None,
            claims: Vec::new(),
            loose: Vec::new(),
            forgers: Vec::new(),
            roles: Roles::default(),
            tags: Tags::new(),
            trace: String::new(),
            connections: 0,
            ticked: 0,
            quiet_since: 0,
        }
    }

    /// All that happened, a line for each thing.
    pub(crate) fn into_trace(self) -> String {
        self.trace
    }

    /// Notes that something happened.
    pub(crate) fn note(&mut self, what: impl std::fmt::Display) {
        let now = self.time.now();
        // The folder has another name in each run.
        let what = what.to_string().replace(&self.home.display().to_string(), "");
        let _ = writeln!(self.trace, "{:>6}.{:03} {what}", now / 1_000, now % 1_000);
    }

    pub(crate) fn name(&self, device: usize) -> &'static str {
        self.devices[device].name
    }

    /// Lets a device's database do something, which must not panic.
    pub(crate) fn guarded<T>(&self, device: usize, work: impl FnOnce() -> T) -> Result<T, Broken> {
        let result = panics::caught(work);
        result.or_else(|text| Broken::that(Promise::Remote, format!("{}: a panic: {text}", self.name(device))))
    }

    /// A device that is on and passes, drawn from all such.
    pub(crate) fn some_device(&self, dice: &mut Dice, passes: impl Fn(&Device) -> bool) -> Option<usize> {
        let numbers = 0..self.devices.len();
        let fit: Vec<usize> = numbers.filter(|number| passes(&self.devices[*number])).collect();
        dice.pick(&fit).copied()
    }

    /// Lets some moments pass: in each one thing happens, or time passes.
    pub(crate) fn moments(&mut self, count: usize, dice: &mut Dice) -> Result<(), Broken> {
        for _ in 0..count {
            self.moment(dice)?;
        }
        Ok(())
    }

    /// Lets things happen until nothing does for so long, in milliseconds.
    pub(crate) fn until_quiet(&mut self, quiet: u64, dice: &mut Dice) -> Result<(), Broken> {
        let mut since = self.time.now();
        for _ in 0..100_000 {
            if self.moment(dice)? {
                since = self.time.now();
            }
            if self.time.now() - since >= quiet {
                return Ok(());
            }
        }
        Broken::that(Promise::Live, "devices that were left alone never came to rest")
    }

    /// One thing happens, or time passes; whether anything did.
    fn moment(&mut self, dice: &mut Dice) -> Result<bool, Broken> {
        let events = self.events();
        let Some(event) = dice.pick(&events) else {
            let next = self.wires.iter().enumerate().flat_map(|(wire, _)| self.arrivals(wire)).min();
            let wait = next.map_or(TICK / 2, |next| next.saturating_sub(self.time.now()).clamp(1, TICK));
            self.pass(wait)?;
            return Ok(next.is_some());
        };
        let mut happened = true;
        match *event {
            Event::Job(device) => {
                let Some(job) = self.devices[device].environment.next_job() else { return Ok(true) };
                self.guarded(device, job)?;
                self.notice_power_cut(device);
            }
            Event::Pull(wire, side) => {
                let now = self.time.now();
                let device = self.wires[wire].ends[side].device;
                match panics::caught(|| self.wires[wire].pull(side, now, dice)) {
                    Ok(sent) => happened = sent > 0,
                    Err(text) => {
                        return Broken::that(Promise::Remote, format!("{}: a panic: {text}", self.name(device)));
                    }
                }
                if self.wires[wire].flying() > WIRE_BYTES {
                    return Broken::that(Promise::Remote, format!("{} sends without end", self.name(device)));
                }
                self.notice_power_cut(device);
            }
            Event::Deliver(wire, side) => self.deliver(wire, side, dice)?,
        }
        if happened {
            self.quiet_since = self.time.now();
        }
        if self.time.now() - self.ticked >= TICK {
            self.tick()?;
        }
        if dice.percent(20) {
            self.time.pass(1);
        }
        self.drop_done()?;
        Ok(happened)
    }

    fn events(&self) -> Vec<Event> {
        let now = self.time.now();
        let mut events = Vec::new();
        for (number, device) in self.devices.iter().enumerate() {
            if device.environment.jobs() > 0 {
                events.push(Event::Job(number));
            }
        }
        for (number, wire) in self.wires.iter().enumerate() {
            for side in 0..2 {
                if wire.may_send(side) {
                    events.push(Event::Pull(number, side));
                }
                if wire.ways[side].arrival().is_some_and(|when| when <= now) && !self.is_held(wire, side) {
                    events.push(Event::Deliver(number, side));
                }
            }
        }
        events
    }

    fn arrivals(&self, wire: usize) -> impl Iterator<Item = u64> {
        let wire = &self.wires[wire];
        (0..2).filter(|side| !self.is_held(wire, *side)).filter_map(|side| wire.ways[side].arrival())
    }

    /// Whether the network is split between the two ends.
    fn is_held(&self, wire: &Wire, side: usize) -> bool {
        let (from, to) = (wire.ends[side].device, wire.ends[1 - side].device);
        self.is_split(from, to)
    }

    pub(crate) fn is_split(&self, from: usize, to: usize) -> bool {
        self.split.is_some_and(|split| {
            let half = |device: usize| split.halves >> (device % 64) & 1;
            half(from) != half(to) && (!split.one_way || half(from) == 0)
        })
    }

    fn deliver(&mut self, wire: usize, side: usize, dice: &mut Dice) -> Result<(), Broken> {
        let mut bytes = self.wires[wire].ways[side].deliver(dice);
        let mut is_cut = false;
        if let Some(left) = &mut self.wires[wire].cut_after {
            is_cut = *left < bytes.len();
            bytes.truncate(*left);
            *left -= bytes.len();
        }
        let to = self.wires[wire].ends[1 - side].device;
        if self.wires[wire].is_nobody(1 - side) || self.devices[to].nature == Nature::Stranger {
            let secrets = self.secrets();
            self.wires[wire].overheard.hear(&bytes, &secrets, &mut self.tags)?;
        }
        let arrived = blake3::hash(&bytes).to_hex();
        self.note(format_args!("wire {wire}.{side} {} bytes {}", bytes.len(), &arrived[..8]));
        if let Some(link) = self.wires[wire].ends[1 - side].link.clone() {
            self.guarded(to, || link.receive(&bytes))?;
        }
        let now = self.time.now();
        let end = &mut self.wires[wire].ends[1 - side];
        if let Some(forger) = &mut end.forger {
            forger.receive(&bytes, now)?;
            end.wake();
        }
        if is_cut {
            self.census.count("wire cut at a byte");
            self.cut(wire);
        }
        self.notice_power_cut(to);
        Ok(())
    }

    /// Time passes, and conversations are told.
    pub(crate) fn pass(&mut self, millis: u64) -> Result<(), Broken> {
        self.time.pass(millis);
        self.tick()
    }

    fn tick(&mut self) -> Result<(), Broken> {
        self.ticked = self.time.now();
        let links: Vec<_> = self.wires.iter().flat_map(|wire| &wire.ends).collect();
        let links: Vec<_> = links.into_iter().filter_map(|end| Some((end.device, end.link.clone()?))).collect();
        for (device, link) in links {
            self.guarded(device, || link.tick())?;
        }
        let now = self.time.now();
        for end in self.wires.iter_mut().flat_map(|wire| &mut wire.ends) {
            if let Some(forger) = &mut end.forger {
                forger.tick(now)?;
                end.wake();
            }
        }
        (0..self.devices.len()).for_each(|device| self.notice_power_cut(device));
        self.drop_done()
    }

    fn drop_done(&mut self) -> Result<(), Broken> {
        while let Some(wire) = self.wires.iter().position(Wire::is_done) {
            let faults = self.wires[wire].ends.iter().filter_map(|end| end.link.as_ref()?.fault());
            let faults: Vec<String> = faults.collect();
            if !faults.is_empty() {
                self.census.count("conversation ended with a reason");
            }
            self.look_at_tampering(wire, &faults);
            self.note(format_args!("wire {wire} is over {faults:?}"));
            self.look_at_forger(wire, &faults)?;
            self.cut(wire);
        }
        Ok(())
    }

    /// What no stranger may hear: names and ids of the project and what is in it.
    fn secrets(&self) -> Vec<Vec<u8>> {
        let project = self.project.map(|project| project.0.to_vec());
        let names = ["Mapa", crate::users::PLACES, crate::users::NOTES].map(|name| name.as_bytes().to_vec());
        let documents = self.model.documents().into_iter().chain(self.loose.iter().copied()).map(|id| id.0.to_vec());
        names.into_iter().chain(project).chain(documents).collect()
    }

    /// Cuts a wire.
    pub(crate) fn cut(&mut self, wire: usize) {
        self.note(format_args!("wire {wire} ends"));
        self.wires.remove(wire).close();
    }

    /// Cuts all wires of a device.
    pub(crate) fn cut_off(&mut self, device: usize) {
        while let Some(wire) = self.wires.iter().position(|wire| wire.touches(device)) {
            self.cut(wire);
        }
    }

    /// Sees whether the power of a device is gone, which ends all it did.
    pub(crate) fn notice_power_cut(&mut self, device: usize) {
        if self.devices[device].is_on() && self.devices[device].disk.is_off() {
            self.note(format_args!("{}: the power is gone", self.name(device)));
            self.census.count("power cut");
            self.turn_off(device);
        }
    }

    /// Lets go of a device's database.
    pub(crate) fn turn_off(&mut self, device: usize) {
        self.cut_off(device);
        let open = self.devices[device].close();
        assert_eq!(open, 0, "something of {} still holds its database", self.name(device));
    }

    /// What both sides of the next channel have alike, and no other has.
    pub(crate) fn next_binding(&mut self) -> [u8; 32] {
        self.connections += 1;
        let mut binding = [0; 32];
        Dice::branch(self.seed, "binding", self.connections).fill(&mut binding);
        binding
    }

    /// Connects two devices.
    pub(crate) fn connect(&mut self, one: usize, other: usize, delay: (u64, u64), tamper: [Tamper; 2]) {
        let binding = self.next_binding();
        let ids = [one, other].map(|device| {
            let database = self.devices[device].database();
            database.map_or([7; 32], |database| *database.transport_secret())
        });
        let mut ends = Vec::new();
        for (side, device) in [one, other].into_iter().enumerate() {
            let Some(database) = self.devices[device].database() else { continue };
            let info = ChannelInfo {
                own_transport: ids[side],
                peer_transport: ids[1 - side],
                initiator: side == 0,
                binding,
                address: format!("wire {}", self.connections),
            };
            let woken = Arc::new(AtomicBool::new(true));
            let wake = woken.clone();
            if let Ok(link) = database.pool().connect(info, move || wake.store(true, Ordering::Relaxed)) {
                ends.push(End::new(device, link, woken));
            }
        }
        match <[End; 2]>::try_from(ends) {
            Ok(ends) => {
                self.note(format_args!("wire {} from {} to {}", self.wires.len(), self.name(one), self.name(other)));
                let mut wire = Wire::new(ends, delay, tamper);
                wire.address = format!("wire {}", self.connections);
                self.wires.push(wire);
            }
            Err(ends) => ends.into_iter().filter_map(|end| end.link).for_each(|link| link.closed()),
        }
    }

    /// Whether two devices are connected.
    pub(crate) fn are_connected(&self, one: usize, other: usize) -> bool {
        self.wires.iter().any(|wire| wire.touches(one) && wire.touches(other))
    }

    /// Whether a device is trusted to keep promises.
    pub(crate) fn is_honest(&self, device: usize) -> bool {
        self.devices[device].nature == Nature::Honest
    }
}
