//! A whole session against a peer whose every byte is chosen: it ends or goes on, within its bounds.
#![no_main]

#[allow(dead_code, reason = "the sync tests, whose toy database and world these are, use more of them")]
#[path = "../../crates/ayni-sync/tests/it/toy.rs"]
mod toy;
#[allow(dead_code, reason = "as above")]
#[path = "../../crates/ayni-sync/tests/it/world.rs"]
mod world;

use arbitrary::Arbitrary;
use ayni_log::ids::{Hash, LogKind};
use ayni_sync::message::{Hello, LogRef, Message, SegmentFrame, Summary};
use ayni_sync::tag::{Side, project_tag, prove_transport};
use ayni_sync::{Action, Arrived, Offer, Refusal, Replica, Session};
use libfuzzer_sys::fuzz_target;

use crate::toy::{Toy, project_id};
use crate::world::{World, config, transport};

/// What the peer does next.
#[derive(Debug, Arbitrary)]
enum Step {
    /// A true hello.
    Hello,
    /// Summaries that differ, so that everything is exchanged.
    Summary { control: bool, rest: Option<([u8; 32], [u8; 32])> },
    /// A true segment of the peer's own log.
    Segment { count: u8 },
    /// A true segment with something turned over.
    Damaged { at: u16, with: u8 },
    /// A frame of any kind with any content.
    Frame { kind: u8, body: Vec<u8> },
    /// Bytes that may be no frame.
    Raw(Vec<u8>),
    /// The session answers what it was given to store, or refuses it.
    Stored { take: bool },
    /// Time passes.
    Wait { milliseconds: u16 },
    /// Something is written on the honest side.
    Write,
    /// The honest side's transport takes so much.
    Drain { bytes: u16 },
}

/// More than a session may ever hold for one peer.
const HELD: u64 = 256 << 20;

fuzz_target!(|steps: Vec<Step>| {
    let mut play = Play::new();
    for step in steps {
        if play.session.is_ended() {
            break;
        }
        play.step(step);
        assert!(play.session.held_bytes() < HELD);
    }
});

struct Play {
    honest: Toy,
    peer: Toy,
    session: Session,
    sent: (u64, Hash),
    stored: Vec<Arrived>,
    now: u64,
}

impl Play {
    fn new() -> Self {
        let mut world = World::new(2);
        world.write(0, 20, "place");
        let (peer, honest) = (world.devices.pop().expect("two"), world.devices.pop().expect("two"));
        let config = config(&honest, &peer, Side::Acceptor, 1, vec![Offer::from(project_id(1))]);
        let start = Hash(peer.log(project_id(1), LogKind::Data).id().0);
        Self { session: Session::new(config, 0), honest, peer, sent: (0, start), stored: Vec::new(), now: 0 }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Hello => {
                let hello = self.hello();
                self.say(&Message::Hello(hello).encode());
            }
            Step::Summary { control, rest } => {
                let control = if control { self.peer.digest(project_id(1)).0 } else { Hash([3; 32]) };
                let rest = rest.map(|(data, receipts)| (Hash(data), Hash(receipts)));
                self.say(&Message::Summary { project: 0, summary: Summary { control, rest } }.encode());
            }
            Step::Segment { count } => {
                if let Some(bytes) = self.segment(usize::from(count % 16) + 1) {
                    self.say(&bytes);
                }
            }
            Step::Damaged { at, with } => {
                let sent = self.sent;
                if let Some(mut bytes) = self.segment(3) {
                    let at = usize::from(at) % bytes.len();
                    bytes[at] ^= with;
                    self.sent = sent;
                    self.say(&bytes);
                }
            }
            Step::Frame { kind, body } => {
                let mut frame = (body.len() as u32 + 1).to_be_bytes().to_vec();
                frame.push(kind);
                frame.extend(body);
                self.say(&frame);
            }
            Step::Raw(bytes) => self.say(&bytes),
            Step::Stored { take } => self.answer(take),
            Step::Wait { milliseconds } => {
                self.now += u64::from(milliseconds);
                self.session.tick(self.now);
            }
            Step::Write => {
                let branch = self.honest.write_data(project_id(1), 1, "more");
                self.session.advanced(&self.honest, &project_id(1), &[branch], self.now);
            }
            Step::Drain { bytes } => drop(self.session.poll_send(&self.honest, usize::from(bytes))),
        }
        while let Some(action) = self.session.poll_action() {
            if let Action::Store { segment, .. } = action {
                self.stored.push(segment);
            }
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.session.receive(&self.honest, bytes, self.now);
    }

    fn answer(&mut self, take: bool) {
        let Some(segment) = self.stored.pop() else { return };
        let token = segment.token;
        match take {
            true => match self.honest.store(project_id(1), &segment) {
                Ok(_) => self.session.stored(&self.honest, token),
                Err(refusal) => self.session.refused(token, refusal),
            },
            false => self.session.refused(token, Refusal::Unwanted),
        }
    }

    fn hello(&self) -> Hello {
        Hello {
            version: 1,
            oldest: 1,
            device: self.peer.id(),
            proof: prove_transport(&self.peer.secret, &transport(&self.peer)),
            store: self.peer.store,
            tags: vec![project_tag(&project_id(1), &[1; 32], Side::Initiator)],
        }
    }

    fn segment(&mut self, count: usize) -> Option<Vec<u8>> {
        let project = project_id(1);
        let branch = self.peer.write_data(project, count, "new");
        let (from, previous) = self.sent;
        let segment = self.peer.segment(&project, branch, from).filter(|segment| segment.length > from)?;
        self.sent = (segment.length, segment.hash);
        let frame = SegmentFrame {
            log: LogRef::from(&self.peer.log(project, LogKind::Data)),
            start: from,
            count: segment.length - from,
            previous,
            hash: segment.hash,
            size: 1,
            left: (0, 0),
            bytes: segment.bytes,
        };
        Some(Message::Segment { project: 0, segment: frame }.encode())
    }
}
