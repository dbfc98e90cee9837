//! A wire: two ends of a conversation, and the bytes on their way between them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ayni::Link;

use crate::dice::Dice;
use crate::forger::Conversation;
use crate::overheard::Overheard;
use crate::tamper::Tamper;

/// Bytes on their way in one direction beyond which nothing more is taken from the sender.
const CAPACITY: usize = 128 << 10;

/// One end: a device's conversation, or something that only pretends to be one.
pub(crate) struct End {
    /// The number of the device.
    pub(crate) device: usize,
    /// Its conversation; none for what only pretends.
    pub(crate) link: Option<Link>,
    /// A forger's conversation with it, at the other end.
    pub(crate) forger: Option<Box<Conversation>>,
    woken: Arc<AtomicBool>,
}

impl End {
    /// Of a device.
    pub(crate) fn new(device: usize, link: Link, woken: Arc<AtomicBool>) -> Self {
        woken.store(true, Ordering::Relaxed);
        Self { device, link: Some(link), forger: None, woken }
    }

    /// Of something that is no conversation and reads nothing.
    pub(crate) fn pretended(device: usize) -> Self {
        Self { device, link: None, forger: None, woken: Arc::default() }
    }

    /// Of a forger that talks to a device.
    pub(crate) fn forging(device: usize, conversation: Conversation) -> Self {
        let woken = Arc::new(AtomicBool::new(true));
        Self { device, link: None, forger: Some(Box::new(conversation)), woken }
    }

    /// There may be something to send.
    pub(crate) fn wake(&self) {
        self.woken.store(true, Ordering::Relaxed);
    }

    fn outgoing(&mut self, most: usize) -> Vec<u8> {
        match (&self.link, &mut self.forger) {
            (Some(link), _) => link.outgoing(most),
            (None, Some(forger)) => forger.outgoing(most),
            (None, None) => Vec::new(),
        }
    }

    /// Whether it is nobody, who reads nothing and is never over.
    fn is_nobody(&self) -> bool {
        self.link.is_none() && self.forger.is_none()
    }

    /// Whether there may be something to send.
    pub(crate) fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        self.link.as_ref().is_some_and(Link::is_over) || self.forger.as_ref().is_some_and(|forger| forger.is_over())
    }
}

/// One direction.
pub(crate) struct Way {
    /// What is on its way, each with when it arrives.
    flying: VecDeque<(u64, Vec<u8>)>,
    bytes: usize,
    /// What is done to what passes.
    pub(crate) tamper: Tamper,
}

impl Way {
    fn new(tamper: Tamper) -> Self {
        Self { flying: VecDeque::new(), bytes: 0, tamper }
    }

    /// When the next bytes arrive.
    pub(crate) fn arrival(&self) -> Option<u64> {
        self.flying.front().map(|(when, _)| *when)
    }

    /// Sends bytes that arrive at some time, after all before them.
    pub(crate) fn send(&mut self, arrival: u64, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            let last = self.flying.back().map_or(0, |(when, _)| *when);
            self.bytes += bytes.len();
            self.flying.push_back((arrival.max(last), bytes));
        }
    }

    /// The bytes that arrive next: those that were sent at once, or only some of them.
    pub(crate) fn deliver(&mut self, dice: &mut Dice) -> Vec<u8> {
        let Some((when, mut bytes)) = self.flying.pop_front() else { return Vec::new() };
        if bytes.len() > 1 && dice.percent(15) {
            let rest = bytes.split_off(1 + dice.below(bytes.len() - 1));
            self.flying.push_front((when, rest));
        }
        self.bytes -= bytes.len();
        bytes
    }
}

/// See the module.
pub(crate) struct Wire {
    /// The two ends.
    pub(crate) ends: [End; 2],
    /// From the first end to the second, and back.
    pub(crate) ways: [Way; 2],
    /// How long bytes take, in milliseconds: at least, at most.
    pub(crate) delay: (u64, u64),
    /// After so many more bytes, both ways together, it is cut.
    pub(crate) cut_after: Option<usize>,
    /// What both ends call it.
    pub(crate) address: String,
    /// What somebody heard at an end whom nobody let in.
    pub(crate) overheard: Overheard,
}

impl Wire {
    /// Between two ends.
    pub(crate) fn new(ends: [End; 2], delay: (u64, u64), tamper: [Tamper; 2]) -> Self {
        let (address, overheard) = (String::new(), Overheard::default());
        Self { ends, ways: tamper.map(Way::new), delay, cut_after: None, address, overheard }
    }

    /// Whether the end on a side may send, and there is room for it.
    pub(crate) fn may_send(&self, side: usize) -> bool {
        self.ends[side].is_woken() && self.ways[side].bytes < CAPACITY
    }

    /// Takes what the end on a side has to send, and puts it on its way.
    pub(crate) fn pull(&mut self, side: usize, now: u64, dice: &mut Dice) -> usize {
        let end = &mut self.ends[side];
        let most = [64, 1_000, 16 << 10, 64 << 10][dice.below(4)];
        end.woken.store(false, Ordering::Relaxed);
        let bytes = end.outgoing(most);
        if !bytes.is_empty() {
            end.wake();
        }
        let sent = bytes.len();
        let arrival = now + dice.between(self.delay.0, self.delay.1);
        for bytes in self.ways[side].tamper.pass(bytes, dice) {
            self.ways[side].send(arrival, bytes);
        }
        sent
    }

    /// Whether nothing more will come of it: an end is over, and what it said is delivered.
    pub(crate) fn is_done(&self) -> bool {
        let quiet = |side: usize| !self.ends[side].is_woken() && self.ways[side].flying.is_empty();
        self.ends.iter().all(|end| end.is_over() || end.is_nobody())
            || (0..2).any(|side| self.ends[side].is_over() && quiet(side))
    }

    /// Whether nothing is on its way, and nobody has anything to say.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.flying() == 0 && self.ends.iter().all(|end| end.link.is_some() && !end.is_woken())
    }

    /// Whether somebody is at an end who is no device of ours.
    pub(crate) fn is_nobody(&self, side: usize) -> bool {
        self.ends[side].is_nobody()
    }

    /// Whether it leads to a device.
    pub(crate) fn touches(&self, device: usize) -> bool {
        self.ends.iter().any(|end| end.device == device)
    }

    /// Bytes on their way.
    pub(crate) fn flying(&self) -> usize {
        self.ways.iter().map(|way| way.bytes).sum()
    }

    /// The channel ends: both conversations are forgotten.
    pub(crate) fn close(self) {
        for end in self.ends {
            if let Some(link) = end.link {
                link.closed();
            }
        }
    }
}
