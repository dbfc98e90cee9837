//! What is done to bytes on their way: by a bad channel, or by a member whose program is not ours.

use crate::dice::Dice;

/// A frame's head: the length of what follows, and the type.
const HEAD: usize = 5;
/// The types of frames that carry entries, say that they are durable, or are receipts.
const OF_VALUE: [u8; 3] = [11, 12, 15];

/// What happens to bytes at some place in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    /// A bit is turned over.
    Flip,
    /// Bytes are lost.
    Lose(usize),
    /// Bytes come twice.
    Twice(usize),
    /// Bytes change places with those after them.
    Swap(usize),
}

/// What a member's own program does to its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Some of those that carry entries, receipts or acknowledgements are never sent.
    Withhold,
    /// Some are sent many times.
    Flood,
    /// Some change places.
    Reorder,
    /// Bits of entries are turned over, receipts and acknowledgements included.
    Forge,
}

/// See the module.
#[derive(Debug)]
pub(crate) enum Tamper {
    /// Nothing.
    None,
    /// Once, that many bytes from now.
    Damage(usize, Damage),
    /// All the time.
    Lie(Lie, Frames),
    /// Done.
    Over,
}

/// A stream cut into frames.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    partial: Vec<u8>,
    kept: Option<Vec<u8>>,
    /// How many frames were tampered with.
    pub(crate) touched: u64,
}

impl Tamper {
    /// What arrives of bytes that were sent.
    pub(crate) fn pass(&mut self, bytes: Vec<u8>, dice: &mut Dice) -> Vec<Vec<u8>> {
        match self {
            Self::None | Self::Over => vec![bytes],
            Self::Damage(left, _) if *left >= bytes.len() => {
                *left -= bytes.len();
                vec![bytes]
            }
            Self::Damage(left, damage) => {
                let damaged = damage.to(bytes, *left, dice);
                *self = Self::Over;
                vec![damaged]
            }
            Self::Lie(lie, frames) => frames.pass(bytes, *lie, dice),
        }
    }

    /// Whether it did something.
    pub(crate) fn did_something(&self) -> bool {
        match self {
            Self::None | Self::Damage(..) => false,
            Self::Over => true,
            Self::Lie(_, frames) => frames.touched > 0,
        }
    }
}

impl Damage {
    fn to(self, mut bytes: Vec<u8>, at: usize, dice: &mut Dice) -> Vec<u8> {
        let end = |count: usize| (at + count).min(bytes.len());
        match self {
            Self::Flip => bytes[at] ^= 1 << dice.below(8),
            Self::Lose(count) => drop(bytes.drain(at..end(count))),
            Self::Twice(count) => {
                let again = bytes[at..end(count)].to_vec();
                bytes.splice(at..at, again);
            }
            Self::Swap(count) => {
                let range = at..end(2 * count);
                let middle = count.min(range.len());
                bytes[range].rotate_left(middle);
            }
        }
        bytes
    }
}

impl Frames {
    fn pass(&mut self, bytes: Vec<u8>, lie: Lie, dice: &mut Dice) -> Vec<Vec<u8>> {
        self.partial.extend(bytes);
        let mut out = Vec::new();
        while let Some(head) = self.partial.first_chunk::<HEAD>() {
            let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize + HEAD - 1;
            if self.partial.len() < length {
                break;
            }
            let rest = self.partial.split_off(length);
            let frame = std::mem::replace(&mut self.partial, rest);
            self.tell(frame, lie, dice, &mut out);
        }
        out
    }

    fn tell(&mut self, mut frame: Vec<u8>, lie: Lie, dice: &mut Dice, out: &mut Vec<Vec<u8>>) {
        let of_value = OF_VALUE.contains(&frame[HEAD - 1]);
        if !of_value || !dice.percent(30) {
            out.push(frame);
            out.extend(self.kept.take());
            return;
        }
        self.touched += 1;
        match lie {
            Lie::Withhold => {}
            Lie::Flood => {
                for _ in 0..dice.between(2, 40) {
                    out.push(frame.clone());
                }
            }
            Lie::Reorder => out.extend(self.kept.replace(frame)),
            Lie::Forge => {
                let at = HEAD + dice.below(frame.len().saturating_sub(HEAD));
                if let Some(byte) = frame.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
                out.push(frame);
            }
        }
    }
}
