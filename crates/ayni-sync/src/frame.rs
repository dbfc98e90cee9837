//! Frames: where one message ends and the next begins.
//!
//! A frame is the length of what follows (4 bytes, big-endian), one byte for the type, and the body. The length is judged
//! by the type's limit as soon as these five bytes are here, before any room is made for the body.

use std::collections::VecDeque;

use ayni_log::codec::DecodeError;

use crate::limits;
use crate::message::Kind;

const HEAD: usize = 5;

/// A type and a body.
pub(crate) type Frame = (u8, Vec<u8>);

/// Bytes that came and are not yet a whole frame.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    partial: Vec<u8>,
    /// When the first byte of the unfinished frame came.
    since: Option<u64>,
}

impl Inbox {
    /// Takes one frame off the front of what was left before and `bytes`; `None` once all of `bytes` is taken in. Until
    /// the other side has said who it is (`greeted`), only small frames are taken.
    pub(crate) fn next(&mut self, bytes: &mut &[u8], greeted: bool, now: u64) -> Result<Option<Frame>, DecodeError> {
        self.fill(bytes, HEAD);
        let Some(&[a, b, c, d, kind]) = self.partial.first_chunk::<HEAD>() else {
            self.since = if self.partial.is_empty() { None } else { self.since.or(Some(now)) };
            return Ok(None);
        };
        let len = u32::from_be_bytes([a, b, c, d]) as usize;
        let limit = if greeted { Kind::frame_limit(kind) } else { Kind::frame_limit(kind).min(limits::SMALL_FRAME) };
        if len == 0 || len > limit {
            return Err(DecodeError::Limit { what: "length of a frame", got: len as u64, limit: limit as u64 });
        }
        self.fill(bytes, HEAD + len - 1);
        if self.partial.len() < HEAD + len - 1 {
            self.since = self.since.or(Some(now));
            return Ok(None);
        }
        self.since = None;
        let mut frame = std::mem::take(&mut self.partial);
        frame.drain(..HEAD);
        Ok(Some((kind, frame)))
    }

    /// Moves bytes over until `target` are here or no more are left.
    fn fill(&mut self, bytes: &mut &[u8], target: usize) {
        let lacking = target.saturating_sub(self.partial.len()).min(bytes.len());
        let (taken, rest) = bytes.split_at(lacking);
        self.partial.extend_from_slice(taken);
        *bytes = rest;
    }

    /// When the frame began that is not finished.
    pub(crate) fn unfinished_since(&self) -> Option<u64> {
        self.since
    }

    pub(crate) fn len(&self) -> usize {
        self.partial.len()
    }
}

/// Frames waiting to be sent, in order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    frames: VecDeque<Vec<u8>>,
    /// Bytes of the first frame that are sent.
    sent: usize,
    len: usize,
}

impl Outbox {
    pub(crate) fn push(&mut self, frame: Vec<u8>) {
        self.len += frame.len();
        self.frames.push_back(frame);
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether answers pile up that the other side does not take.
    pub(crate) fn is_over(&self) -> bool {
        self.len > limits::SEND_LIMIT
    }

    /// Drops every frame of which no byte was sent.
    pub(crate) fn cut(&mut self) {
        self.frames.truncate(usize::from(self.sent > 0));
        self.len = self.frames.front().map_or(0, Vec::len).saturating_sub(self.sent);
    }

    /// At most `max` bytes off the front.
    pub(crate) fn take(&mut self, max: usize) -> Vec<u8> {
        if self.sent == 0 && self.frames.front().is_some_and(|first| self.frames.len() == 1 && first.len() <= max) {
            self.len = 0;
            return self.frames.pop_front().unwrap_or_default();
        }
        let mut out = Vec::with_capacity(max.min(self.len));
        while let Some(first) = self.frames.front() {
            let rest = first.get(self.sent..).unwrap_or_default();
            let room = max - out.len();
            if rest.len() > room {
                out.extend_from_slice(rest.get(..room).unwrap_or_default());
                self.sent += room;
                break;
            }
            out.extend_from_slice(rest);
            self.frames.pop_front();
            self.sent = 0;
        }
        self.len -= out.len();
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAMES: [&[u8]; 4] = [&[1, 2, 3, 4, 5, 6], &[7], &[8, 9, 10], &[11, 12]];

    fn outbox() -> Outbox {
        let mut outbox = Outbox::default();
        FRAMES.iter().for_each(|frame| outbox.push(frame.to_vec()));
        outbox
    }

    #[test]
    fn what_is_sent_is_the_same_however_it_is_cut() {
        let all = FRAMES.concat();
        for max in 1..=all.len() + 1 {
            let (mut outbox, mut sent) = (outbox(), Vec::new());
            while !outbox.is_empty() {
                assert_eq!(outbox.len(), all.len() - sent.len());
                let piece = outbox.take(max);
                assert_eq!(piece.len(), max.min(all.len() - sent.len()), "as much as there is room for");
                sent.extend(piece);
            }
            assert_eq!((outbox.len(), sent), (0, all.clone()));
        }
    }

    #[test]
    fn what_is_dropped_leaves_a_frame_that_was_begun_whole() {
        for (sent, left) in [(0, &[][..]), (2, &[3, 4, 5, 6]), (6, &[]), (8, &[9, 10])] {
            let mut outbox = outbox();
            outbox.take(sent);
            outbox.cut();
            assert_eq!(outbox.len(), left.len());
            assert_eq!(outbox.take(100), left, "after {sent} bytes");
            assert!(outbox.is_empty());
        }
    }

    #[test]
    fn answers_pile_up_beyond_the_limit_not_at_it() {
        let mut outbox = Outbox::default();
        outbox.push(vec![0; limits::SEND_LIMIT]);
        assert!(!outbox.is_over());
        outbox.push(vec![0]);
        assert!(outbox.is_over());
    }

    #[test]
    fn frames_are_read_the_same_however_they_come() {
        let frames = [(17, vec![]), (11, vec![5; 300]), (18, vec![]), (12, vec![1, 2])];
        let bytes: Vec<u8> = frames
            .iter()
            .flat_map(|(kind, body)| [&(body.len() as u32 + 1).to_be_bytes()[..], &[*kind], body].concat())
            .collect();
        for size in 1..bytes.len() {
            let (mut inbox, mut read) = (Inbox::default(), Vec::new());
            for (number, mut piece) in bytes.chunks(size).enumerate() {
                let now = number as u64;
                while let Some(frame) = inbox.next(&mut piece, true, now).unwrap() {
                    read.push(frame);
                }
                assert_eq!(inbox.unfinished_since().is_some(), inbox.len() > 0, "in pieces of {size}");
                let came = bytes.len().min((number + 1) * size);
                let whole: usize = read.iter().map(|(_, body)| body.len() + HEAD).sum();
                assert_eq!(inbox.len(), came - whole);
            }
            assert_eq!(read, frames);
        }
    }

    #[test]
    fn a_frame_is_unfinished_since_its_first_byte() {
        let mut inbox = Inbox::default();
        for (now, byte) in [(5, 0), (6, 0), (7, 0), (8, 3), (9, 12), (10, 1)] {
            assert_eq!(inbox.next(&mut &[byte][..], true, now), Ok(None));
            assert_eq!(inbox.unfinished_since(), Some(5));
        }
        assert_eq!(inbox.next(&mut &[2][..], true, 11), Ok(Some((12, vec![1, 2]))));
        assert_eq!((inbox.unfinished_since(), inbox.len()), (None, 0));
    }
}
