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
