//! What happens to the network, and who comes by it.

use crate::broken::{Broken, Promise};
use crate::device::{Device, Nature};
use crate::dice::Dice;
use crate::tamper::{Damage, Frames, Lie, Tamper};
use crate::wire::{End, Wire};
use crate::world::{Split, World};

impl World {
    /// Another device that is on, not connected to this one and not cut off from it.
    fn partner(&self, device: usize, dice: &mut Dice) -> Option<usize> {
        let reachable = |other: usize| {
            other != device
                && self.devices[other].is_on()
                && self.devices[other].nature != Nature::Stranger
                && !self.are_connected(device, other)
                && !self.is_split(device, other)
                && !self.is_split(other, device)
        };
        let fit: Vec<usize> = (0..self.devices.len()).filter(|other| reachable(*other)).collect();
        dice.pick(&fit).copied()
    }

    pub(crate) fn connect_some(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        if let Some(other) = self.partner(device, dice) {
            let delay = [(0, 1), (2, 40), (100, 900)][dice.below(3)];
            self.connect(device, other, delay, [Tamper::None, Tamper::None]);
        }
        Ok(())
    }

    /// By a channel that does not keep what channels promise.
    pub(crate) fn connect_badly(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let Some(other) = self.partner(device, dice) else { return Ok(()) };
        let count = 1 + dice.below(40);
        let damage = match dice.below(4) {
            0 => Damage::Flip,
            1 => Damage::Lose(count),
            2 => Damage::Twice(count),
            _ => Damage::Swap(count),
        };
        let name = match damage {
            Damage::Flip => "bad channel: a bit turned over",
            Damage::Lose(_) => "bad channel: bytes lost",
            Damage::Twice(_) => "bad channel: bytes twice",
            Damage::Swap(_) => "bad channel: bytes out of order",
        };
        self.census.count(name);
        let far = [200, 2_000, 20_000][dice.below(3)];
        let place = dice.below(far);
        let mut tamper = [Tamper::None, Tamper::None];
        tamper[dice.below(2)] = Tamper::Damage(place, damage);
        self.note(format_args!("the next channel has {damage:?} at {place}"));
        self.connect(device, other, (0, 20), tamper);
        Ok(())
    }

    /// By a channel that is cut after some bytes.
    pub(crate) fn connect_shortly(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let Some(other) = self.partner(device, dice) else { return Ok(()) };
        self.connect(device, other, (0, 20), [Tamper::None, Tamper::None]);
        let most = [500, 3_000, 20_000][dice.below(3)];
        let bytes = dice.below(most);
        if let Some(wire) = self.wires.last_mut() {
            wire.cut_after = Some(bytes);
        }
        Ok(())
    }

    /// With a member whose program does not do what ours does.
    pub(crate) fn connect_to_liar(&mut self, dice: &mut Dice) -> Result<(), Broken> {
        let dishonest = |device: &Device| device.is_on() && device.nature == Nature::Dishonest;
        let Some(liar) = self.some_device(dice, dishonest) else {
            // Nobody is dishonest yet.
            let honest = |device: &Device| device.is_on() && device.nature == Nature::Honest;
            return match self.some_device(dice, honest) {
                Some(device) => self.fork(device, dice),
                None => Ok(()),
            };
        };
        let Some(other) = self.partner(liar, dice) else { return Ok(()) };
        let (lie, name) = match dice.below(4) {
            0 => (Lie::Withhold, "liar: withholds"),
            1 => (Lie::Flood, "liar: floods"),
            2 => (Lie::Reorder, "liar: sends out of order"),
            _ => (Lie::Forge, "liar: forges"),
        };
        self.census.count(name);
        self.note(format_args!("{} will {lie:?}", self.name(liar)));
        self.connect(liar, other, (0, 20), [Tamper::Lie(lie, Frames::default()), Tamper::None]);
        Ok(())
    }

    pub(crate) fn cut_some(&mut self, dice: &mut Dice) -> Result<(), Broken> {
        if !self.wires.is_empty() {
            let wire = dice.below(self.wires.len());
            self.cut(wire);
        }
        Ok(())
    }

    pub(crate) fn split_network(&mut self, dice: &mut Dice) -> Result<(), Broken> {
        let split = Split { halves: dice.number(), one_way: dice.percent(40) };
        self.census.count(if split.one_way { "network split one way" } else { "network split both ways" });
        self.note(format_args!("the network is split: {:b}, one way: {}", split.halves & 0xff, split.one_way));
        self.split = Some(split);
        Ok(())
    }

    pub(crate) fn join_network(&mut self) -> Result<(), Broken> {
        if self.split.take().is_some() {
            self.note("the network is whole again");
        }
        Ok(())
    }

    /// A user lets go of all conversations, once both sides are level.
    pub(crate) fn goodbye(&mut self, device: usize) -> Result<(), Broken> {
        self.note(format_args!("{} says goodbye", self.name(device)));
        if let Some(pool) = self.devices[device].database().map(ayni::Database::pool) {
            self.guarded(device, || pool.goodbye())?;
        }
        Ok(())
    }

    pub(crate) fn wait(&mut self, dice: &mut Dice, most: u64) -> Result<(), Broken> {
        let until = self.time.now() + dice.between(1, most);
        self.note(format_args!("until {until} nobody does anything"));
        // What happens meanwhile takes no time; a moment in which nothing can happen lets some pass.
        for _ in 0..20_000 {
            if self.time.now() >= until {
                break;
            }
            self.moments(1, dice)?;
        }
        Ok(())
    }

    /// Somebody with a database of its own, in no project of ours, connects. Nothing may reach it.
    pub(crate) fn stranger(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let is_stranger = |device: &Device| device.is_on() && device.nature == Nature::Stranger;
        let stranger = match self.some_device(dice, is_stranger) {
            Some(stranger) => stranger,
            None if self.has_room() => {
                self.add_stranger()?;
                self.devices.len() - 1
            }
            None => return Ok(()),
        };
        if !self.are_connected(stranger, device) {
            self.connect(stranger, device, (0, 20), [Tamper::None, Tamper::None]);
            self.census.count("stranger at the door");
        }
        Ok(())
    }

    /// Something that is no device sends bytes, and never reads.
    pub(crate) fn garbage(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        let mut bytes = vec![0; dice.below(5_000)];
        match dice.below(3) {
            0 => dice.fill(&mut bytes),
            1 => bytes.fill(0xff),
            _ => bytes = b"GET / HTTP/1.1\r\nHost: ayni\r\n\r\n".to_vec(),
        }
        self.connect(device, device, (0, 20), [Tamper::None, Tamper::None]);
        let Some(wire) = self.wires.pop() else { return Ok(()) };
        let [one, other] = wire.ends;
        if let Some(link) = other.link {
            link.closed();
        }
        let mut wire = Wire::new([End::pretended(device), one], (0, 20), [Tamper::None, Tamper::None]);
        let now = self.time.now();
        bytes.chunks(700).for_each(|piece| wire.ways[0].send(now, piece.to_vec()));
        self.note(format_args!("{} bytes of garbage come to {}", bytes.len(), self.name(device)));
        self.census.count("garbage at the door");
        self.wires.push(wire);
        Ok(())
    }

    /// What no stranger may have got.
    pub(crate) fn check_strangers(&self) -> Result<(), Broken> {
        for device in self.devices.iter().filter(|device| device.nature == Nature::Stranger) {
            if device.project().is_some() {
                return Broken::that(Promise::Uninvited, format!("{} is in a project", device.name));
            }
        }
        Ok(())
    }
}
