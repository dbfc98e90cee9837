//! The queue: what conversations want done, and in which order it is.
//!
//! Nobody's flood may keep others waiting. So the segments of each log that comes by each conversation are a line of their own, and
//! lines take turns: those with few bytes among each other, those with many among each other, and what is no segment. Within a line the order
//! stays. Segments of control logs go before all others, as they say whose segments may be taken at all.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use ayni_log::ids::{DeviceId, LogKind, LogName, ProjectId};
use ayni_store::DocumentRow;
use ayni_sync::receipt::SignedReceipt;
use ayni_sync::{Arrived, limits};

/// Bytes of segments that are taken at once at the most: the more, the less each costs.
const BATCH_BYTES: usize = 4 << 20;
/// As long as somebody waits, not so many that it takes longer than this to store them: milliseconds.
const PATIENCE: u64 = 150;
/// So many are taken at once however long they take.
const LEAST_BYTES: usize = 128 << 10;
/// Receipts that are taken at once at the most.
const BATCH_RECEIPTS: usize = 64;
/// A line with no more bytes than this is one with few.
const FEW_BYTES: usize = 64 << 10;
/// Bytes of segments from one device that may wait: as much as an honest one has on its way in one conversation.
const ROOM: usize = limits::WINDOW as usize + limits::SEGMENT_FRAME;
/// Bytes of segments that may wait altogether, but for those of devices with less than [`SHARE`].
const ROOM_OF_ALL: usize = 64 << 20;
/// So many bytes of each device may wait however many the others have.
const SHARE: usize = 256 << 10;

/// Something that a conversation wants done.
pub(crate) enum Job {
    Store(Waiting),
    Keep {
        project: ProjectId,
        link: u64,
        receipt: SignedReceipt,
    },
    Admit {
        project: ProjectId,
        link: u64,
        request: Vec<u8>,
    },
    Receipt {
        project: ProjectId,
    },
    Remember {
        device: DeviceId,
        address: String,
    },
    /// A piece of an index that is being made.
    Index {
        project: ProjectId,
    },
    /// A piece of what is due for conflict handlers: of these rows, or of those there are if none are named.
    Handle {
        project: ProjectId,
        rows: Vec<DocumentRow>,
    },
}

/// A segment that waits to be stored.
pub(crate) struct Waiting {
    /// The number of the conversation that it came by.
    pub(crate) link: u64,
    /// With whom that is.
    pub(crate) peer: DeviceId,
    pub(crate) segment: Arrived,
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.segment.bytes.len()
    }
}

/// What is to be done next.
pub(crate) enum Work {
    /// Segments of one project, to be stored together.
    Segments(ProjectId, Vec<Waiting>),
    /// Receipts of one project, to be stored together.
    Receipts(ProjectId, Vec<(u64, SignedReceipt)>),
    Other(Job),
}

/// See the module.
pub(crate) struct Queue {
    control: VecDeque<Waiting>,
    lines: BTreeMap<LineId, Line>,
    /// The lines, the one that waits longest for its turn first.
    turns: VecDeque<LineId>,
    others: VecDeque<Job>,
    /// Bytes of the segments that wait: from each device, and of all.
    waiting: BTreeMap<DeviceId, usize>,
    bytes: usize,
    last: Turn,
    /// Bytes of segments that are taken at once now.
    batch: usize,
    /// Its worker runs.
    pub(crate) working: bool,
}

impl Default for Queue {
    fn default() -> Self {
        let (control, others, turns) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        let (lines, waiting, bytes, last) = (BTreeMap::new(), BTreeMap::new(), 0, Turn::Others);
        Self { control, lines, turns, others, waiting, bytes, last, batch: BATCH_BYTES, working: false }
    }
}

type LineId = (LogName, u64);

#[derive(Default)]
struct Line {
    segments: VecDeque<Waiting>,
    bytes: usize,
}

impl Line {
    fn has_few(&self) -> bool {
        self.bytes <= FEW_BYTES
    }
}

/// Whose turn it was last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Few,
    Many,
    Others,
}

impl Queue {
    /// Adds a job at its place.
    pub(crate) fn push(&mut self, job: Job) {
        if let Job::Store(next) = &job {
            *self.waiting.entry(next.peer).or_default() += next.bytes();
            self.bytes += next.bytes();
        }
        match job {
            Job::Store(next) if next.segment.log.kind == LogKind::Control => self.control.push_back(next),
            Job::Store(next) => {
                let line = self.line((next.segment.log, next.link));
                line.bytes += next.bytes();
                line.segments.push_back(next);
            }
            other => self.others.push_back(other),
        }
    }

    /// Whether more may be read from a device before some of what waits is stored.
    pub(crate) fn has_room(&self, peer: DeviceId) -> bool {
        let room = if self.bytes <= ROOM_OF_ALL { ROOM } else { SHARE };
        self.waiting.get(&peer).is_none_or(|bytes| *bytes <= room)
    }

    /// Whether it will be looked what is due for conflict handlers in a project.
    pub(crate) fn looks_for_due(&self, of: ProjectId) -> bool {
        self.others.iter().any(|job| matches!(job, Job::Handle { project, rows } if *project == of && rows.is_empty()))
    }

    /// What is to be done next, if anything.
    pub(crate) fn next(&mut self) -> Option<Work> {
        let work = self.take();
        if let Some(Work::Segments(_, taken)) = &work {
            for one in taken {
                self.bytes -= one.bytes();
                if let Entry::Occupied(mut waiting) = self.waiting.entry(one.peer) {
                    *waiting.get_mut() -= one.bytes();
                    if *waiting.get() == 0 {
                        waiting.remove();
                    }
                }
            }
        }
        work
    }

    fn take(&mut self) -> Option<Work> {
        if let Some(work) = self.take_control() {
            return Some(work);
        }
        for _ in 0..3 {
            self.last = match self.last {
                Turn::Few => Turn::Many,
                Turn::Many => Turn::Others,
                Turn::Others => Turn::Few,
            };
            let work = match self.last {
                Turn::Few => self.take_lines(true),
                Turn::Many => self.take_lines(false),
                Turn::Others => self.take_other(),
            };
            if work.is_some() {
                return work;
            }
        }
        None
    }

    /// What was taken last took so many milliseconds to store; `awaited`: somebody else wanted to write meanwhile. What is
    /// taken next is as much as can be stored in [`PATIENCE`], or if nobody waits, more each time.
    pub(crate) fn took(&mut self, millis: u64, awaited: bool) {
        let waits = awaited || !self.control.is_empty() || self.lines.values().any(Line::has_few);
        self.batch = match waits && millis > PATIENCE {
            true => (self.batch as u64 * PATIENCE / millis) as usize,
            false if waits && millis > PATIENCE / 2 => self.batch,
            false => self.batch * 2,
        }
        .clamp(LEAST_BYTES, BATCH_BYTES);
    }

    fn line(&mut self, id: LineId) -> &mut Line {
        let turns = &mut self.turns;
        self.lines.entry(id).or_insert_with(|| {
            turns.push_back(id);
            Line::default()
        })
    }

    fn take_control(&mut self) -> Option<Work> {
        let project = self.control.front()?.segment.log.project;
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while bytes < self.batch && self.control.front().is_some_and(|next| next.segment.log.project == project) {
            let Some(next) = self.control.pop_front() else { break };
            bytes += next.bytes();
            taken.push(next);
        }
        Some(Work::Segments(project, taken))
    }

    /// From the lines of one project with few bytes, or with many: one segment of each in turn, until they are enough. Those of
    /// a line stand together, as they are quicker to store so.
    fn take_lines(&mut self, few: bool) -> Option<Work> {
        let is_meant = |id: &&LineId| self.lines.get(id).is_some_and(|line| line.has_few() == few);
        let project = self.turns.iter().find(is_meant)?.0.project;
        let meant: Vec<LineId> =
            self.turns.iter().filter(is_meant).filter(|(log, _)| log.project == project).copied().collect();
        let mut taken: Vec<Vec<Waiting>> = meant.iter().map(|_| Vec::new()).collect();
        let mut bytes = 0;
        let mut at = 0;
        let mut empty = 0;
        while empty < meant.len() && bytes < self.batch {
            let (id, taken) = (meant[at], &mut taken[at]);
            at = (at + 1) % meant.len();
            let line = self.lines.entry(id).or_default();
            let Some(next) = line.segments.pop_front() else {
                empty += 1;
                continue;
            };
            empty = 0;
            line.bytes -= next.bytes();
            bytes += next.bytes();
            taken.push(next);
        }
        for id in meant {
            self.turns.retain(|waiting| *waiting != id);
            match self.lines.get(&id).is_some_and(|line| !line.segments.is_empty()) {
                true => self.turns.push_back(id),
                false => drop(self.lines.remove(&id)),
            }
        }
        Some(Work::Segments(project, taken.into_iter().flatten().collect()))
    }

    /// The next that is no segment. Where many devices are connected, each change that reaches them all leads to a receipt of
    /// each; one transaction for each receipt would be most of the work.
    fn take_other(&mut self) -> Option<Work> {
        let (project, first) = match self.others.pop_front()? {
            Job::Keep { project, link, receipt } => (project, (link, receipt)),
            other => return Some(Work::Other(other)),
        };
        let mut receipts = vec![first];
        let is_next = |job: &Job| matches!(job, Job::Keep { project: next, .. } if *next == project);
        while receipts.len() < BATCH_RECEIPTS && self.others.front().is_some_and(is_next) {
            if let Some(Job::Keep { link, receipt, .. }) = self.others.pop_front() {
                receipts.push((link, receipt));
            }
        }
        Some(Work::Receipts(project, receipts))
    }
}

#[cfg(test)]
pub(in crate::sync) mod tests {
    use ayni_log::ids::{Hash, Signature, StoreId};
    use ayni_sync::Token;
    use ayni_sync::receipt::ReceiptKey;

    use super::*;

    const PROJECT: ProjectId = ProjectId([1; 32]);

    fn segment(device: u8, kind: LogKind, number: u64, bytes: usize) -> Arrived {
        let log = LogName { project: PROJECT, device: DeviceId([device; 32]), kind, incarnation: StoreId([1; 16]) };
        let (previous, hash) = (Hash([0; 32]), Hash([0; 32]));
        Arrived { token: Token(number), log, start: number, length: number + 1, previous, hash, bytes: vec![0; bytes] }
    }

    fn push(queue: &mut Queue, device: u8, numbers: std::ops::Range<u64>, bytes: usize) {
        for number in numbers {
            let segment = segment(device, LogKind::Data, number, bytes);
            queue.push(store(1, segment));
        }
    }

    fn store(peer: u8, segment: Arrived) -> Job {
        Job::Store(Waiting { link: peer.into(), peer: DeviceId([peer; 32]), segment })
    }

    /// A mebibyte from a device, by a conversation that is over.
    pub(in crate::sync) fn mebibyte(peer: DeviceId) -> Job {
        Job::Store(Waiting { link: u64::MAX, peer, segment: segment(1, LogKind::Data, 0, 1 << 20) })
    }

    fn receipt(project: u8, link: u64) -> Job {
        let project = ProjectId([project; 32]);
        let key = ReceiptKey { device: DeviceId([1; 32]), store: StoreId([1; 16]) };
        let receipt = SignedReceipt { project, key, counter: link, body: Vec::new(), signature: Signature([0; 64]) };
        Job::Keep { project, link, receipt }
    }

    /// The authors of the segments that are taken next, and their numbers; of what is no segment, nothing.
    fn next(queue: &mut Queue) -> Option<Vec<(u8, u64)>> {
        Some(match queue.next()? {
            Work::Segments(_, taken) => {
                taken.iter().map(|one| (one.segment.log.device.0[0], one.segment.start)).collect()
            }
            _ => Vec::new(),
        })
    }

    #[test]
    fn a_flood_of_one_member_keeps_no_other_waiting() {
        let mut queue = Queue::default();
        push(&mut queue, 1, 0..40, 1 << 20);
        assert_eq!(next(&mut queue).map(|taken| taken.len()), Some(4));
        push(&mut queue, 2, 0..1, 100);
        queue.push(receipt(1, 1));
        let turns: Vec<_> = (0..4).filter_map(|_| next(&mut queue)).collect();
        let of_two = turns.iter().position(|taken| taken == &[(2, 0)]);
        assert!(of_two.is_some_and(|turn| turn < 2), "{turns:?}");
        assert!(turns.contains(&Vec::new()), "the receipt had its turn");
        assert!(turns.iter().any(|taken| taken.len() == 4), "and the flood goes on");
    }

    #[test]
    fn who_writes_little_all_the_time_does_not_keep_a_long_line_waiting() {
        let mut queue = Queue::default();
        push(&mut queue, 1, 0..10, 1 << 20);
        let mut taken = Vec::new();
        for number in 0..6 {
            push(&mut queue, 2, number..number + 1, 100);
            taken.extend(next(&mut queue).unwrap());
        }
        assert_eq!(taken.iter().filter(|(author, _)| *author == 1).count(), 10);
    }

    #[test]
    fn two_long_lines_share_and_each_stays_in_order() {
        let mut queue = Queue::default();
        push(&mut queue, 1, 0..9, 1 << 20);
        push(&mut queue, 2, 0..9, 1 << 20);
        assert_eq!(next(&mut queue).unwrap(), [(1, 0), (1, 1), (2, 0), (2, 1)]);
        let rest: Vec<_> = std::iter::from_fn(|| next(&mut queue)).flatten().collect();
        for author in [1, 2] {
            let numbers: Vec<_> = rest.iter().filter(|(of, _)| *of == author).map(|(_, number)| *number).collect();
            assert_eq!(numbers, (2..9).collect::<Vec<_>>());
        }
    }

    #[test]
    fn as_long_as_somebody_waits_no_more_is_taken_than_is_stored_quickly() {
        let mut queue = Queue::default();
        let sizes = |queue: &mut Queue, awaited: bool| {
            let size = |_| {
                push(queue, 1, 0..40, 256 << 10);
                let taken = next(queue).unwrap().len();
                while next(queue).is_some() {}
                // Each takes 40 ms.
                queue.took(40 * taken as u64, awaited);
                taken
            };
            (0..4).map(size).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&mut queue, false), [16; 4]);
        assert_eq!(sizes(&mut queue, true), [16, 4, 4, 4]);
        assert_eq!(sizes(&mut queue, false), [4, 7, 13, 16]);
    }

    #[test]
    fn a_device_with_much_that_waits_is_not_read_from_and_those_with_little_are() {
        let mut queue = Queue::default();
        let peer = |number: u8| DeviceId([number; 32]);
        let mebibytes = |queue: &mut Queue, of: u8, count: usize| {
            (0..count).for_each(|_| queue.push(store(of, segment(1, LogKind::Data, 0, 1 << 20))));
        };
        mebibytes(&mut queue, 1, (limits::WINDOW >> 20) as usize);
        assert!(queue.has_room(peer(1)), "as much as one conversation may have on its way");
        mebibytes(&mut queue, 1, 8);
        assert!(!queue.has_room(peer(1)) && queue.has_room(peer(2)));
        (2..=17).for_each(|of| mebibytes(&mut queue, of, 3));
        queue.push(store(50, segment(2, LogKind::Data, 0, 100)));
        assert!((1..=17).all(|of| !queue.has_room(peer(of))), "they are too many");
        assert!(queue.has_room(peer(50)) && queue.has_room(peer(51)), "who sends little is not held back");
        while queue.bytes > ROOM {
            assert!(queue.next().is_some());
        }
        assert!((1..=60).all(|of| queue.has_room(peer(of))));
        while queue.next().is_some() {}
        assert!(queue.bytes == 0 && queue.waiting.is_empty());
    }

    #[test]
    fn control_logs_go_first() {
        let mut queue = Queue::default();
        push(&mut queue, 1, 0..9, 1 << 20);
        let segment = segment(3, LogKind::Control, 7, 100);
        queue.push(store(1, segment));
        assert_eq!(next(&mut queue).unwrap(), [(3, 7)]);
    }

    #[test]
    fn receipts_that_wait_are_stored_together() {
        let mut queue = Queue::default();
        [receipt(1, 1), receipt(1, 2), receipt(2, 3), receipt(1, 4)].into_iter().for_each(|job| queue.push(job));
        let together = std::iter::from_fn(|| queue.next()).map(|work| match work {
            Work::Receipts(_, receipts) => receipts.len(),
            _ => 0,
        });
        assert_eq!(together.collect::<Vec<_>>(), [2, 1, 1]);
        (0..200).for_each(|link| queue.push(receipt(1, link)));
        assert!(matches!(queue.next(), Some(Work::Receipts(_, taken)) if taken.len() == BATCH_RECEIPTS));
    }
}
