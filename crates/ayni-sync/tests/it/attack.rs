//! An honest device, and a peer whose every byte the test chooses.

use ayni_log::ids::{Hash, LogKind};
use ayni_sync::message::{FrontierEntry, Hello, Kind, LogRef, Message, Summary};
use ayni_sync::tag::{Side, project_tag, prove_transport};
use ayni_sync::{Action, BranchId, BranchTip, CloseCode, Ended, Offer, Reason, Replica, Session};

use crate::toy::{Branch, Toy, project_id};
use crate::world::{World, config, messages, transport};

pub(crate) const NOW: u64 = 1_000;

/// An honest device with a session, and a peer whose every byte the test chooses.
pub(crate) struct Attack {
    pub(crate) honest: Toy,
    pub(crate) peer: Toy,
    pub(crate) session: Session,
    pub(crate) heard: Vec<u8>,
    pub(crate) actions: Vec<Action>,
    pub(crate) now: u64,
}

impl Attack {
    pub(crate) fn new() -> Self {
        let mut world = World::new(2);
        world.write(0, 20, "place");
        let (peer, honest) = (world.devices.pop().unwrap(), world.devices.pop().unwrap());
        Self::between(honest, peer)
    }

    fn between(honest: Toy, peer: Toy) -> Self {
        let config = config(&honest, &peer, Side::Acceptor, 1, vec![Offer::from(project_id(1))]);
        let session = Session::new(config, NOW);
        Self { honest, peer, session, heard: Vec::new(), actions: Vec::new(), now: NOW }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.session.receive(&self.honest, bytes, self.now);
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        self.actions.extend(std::iter::from_fn(|| self.session.poll_action()));
        self.heard.extend(self.session.poll_send(&self.honest, 64 << 20));
        self.actions.extend(std::iter::from_fn(|| self.session.poll_action()));
    }

    pub(crate) fn say(&mut self, message: &Message) {
        self.send(&message.encode());
    }

    pub(crate) fn hello(&self) -> Hello {
        let tag = project_tag(&project_id(1), &[1; 32], Side::Initiator);
        Hello {
            version: 1,
            oldest: 1,
            device: self.peer.id(),
            proof: prove_transport(&self.peer.secret, &transport(&self.peer)),
            store: self.peer.store,
            tags: vec![tag],
        }
    }

    /// Past hello and summaries, with both control logs level and both data logs known to differ.
    pub(crate) fn open() -> Self {
        let mut attack = Self::new();
        attack.say(&Message::Hello(attack.hello()));
        let control = attack.peer.digest(project_id(1)).0;
        let summary = Summary { control, rest: Some((Hash([1; 32]), Hash([2; 32]))) };
        attack.say(&Message::Summary { project: 0, summary });
        attack
    }

    /// Writes entries on the peer and gives their segments as messages.
    pub(crate) fn segments(&mut self, count: usize) -> Vec<Message> {
        let branch = self.peer.write_data(project_id(1), count, "new");
        self.frames(LogKind::Data, branch)
    }

    /// The segments of a log of the peer's as messages.
    pub(crate) fn frames(&self, kind: LogKind, branch: BranchId) -> Vec<Message> {
        let project = project_id(1);
        let mut all = Vec::new();
        let log = LogRef::from(&self.peer.log(project, kind));
        let (mut from, mut previous) = (0, Hash(self.peer.log(project, kind).id().0));
        while let Some(segment) = self.peer.segment(&project, branch, from).filter(|segment| segment.length > from) {
            let count = segment.length - from;
            let frame = ayni_sync::message::SegmentFrame {
                log,
                start: from,
                count,
                previous,
                hash: segment.hash,
                size: segment.size,
                left: (0, 0),
                bytes: segment.bytes,
            };
            all.push(Message::Segment { project: 0, segment: frame });
            (from, previous) = (segment.length, segment.hash);
        }
        all
    }

    /// Past hello and summaries too, but the peer knows no more than the project's id: it is not admitted.
    pub(crate) fn stranger() -> Self {
        let mut attack = Self::between(Self::new().honest, Toy::new(9));
        attack.say(&Message::Hello(attack.hello()));
        let control = attack.honest.digest(project_id(1)).0;
        let summary = Summary { control, rest: Some((Hash([1; 32]), Hash([2; 32]))) };
        attack.say(&Message::Summary { project: 0, summary });
        attack
    }

    /// What the honest side holds, as a frontier of the peer: both data logs are level.
    pub(crate) fn level() -> Self {
        let mut attack = Self::open();
        let held = attack.honest.frontier(&project_id(1), LogKind::Data);
        attack.say_frontier(&held);
        assert!(attack.session.is_level(&project_id(1)));
        attack
    }

    /// The peer says that it holds these branches of documents.
    pub(crate) fn say_frontier(&mut self, tips: &[BranchTip]) {
        let entries = tips.iter().map(entry_of).collect();
        self.say(&Message::Frontier { project: 0, kind: LogKind::Data, last: true, entries });
    }

    /// The peer says that it has gained these branches of documents.
    pub(crate) fn say_news(&mut self, tips: &[BranchTip]) {
        let entries = tips.iter().map(entry_of).collect();
        self.say(&Message::News { project: 0, kind: LogKind::Data, entries });
    }

    /// The honest side has got a branch by another session.
    pub(crate) fn comes_from_elsewhere(&mut self, branch: Branch) {
        let branch = self.honest.plant(project_id(1), branch);
        self.session.advanced(&self.honest, &project_id(1), &[branch], self.now);
        self.drain();
    }

    /// The messages of a type that the honest side has said, until now.
    pub(crate) fn heard_of(&self, kind: Kind) -> Vec<Message> {
        messages(&self.heard).into_iter().filter(|message| message.kind() == kind).collect()
    }

    pub(crate) fn ended(&self) -> Option<&Reason> {
        self.actions.iter().find_map(|action| match action {
            Action::Ended(Ended::Here(reason)) => Some(reason),
            _ => None,
        })
    }

    /// The session has ended for this reason, and the peer was told.
    #[track_caller]
    pub(crate) fn assert_ended(&mut self, code: CloseCode) {
        self.drain();
        let reason = self.ended().expect("the session has ended").clone();
        assert_eq!(reason.code, code, "{reason}");
        let last = messages(&self.heard).pop();
        assert_eq!(last, Some(Message::Close { code: code.byte(), text: reason.text }));
    }

    #[track_caller]
    pub(crate) fn assert_open(&self) {
        assert_eq!(self.ended(), None);
        assert!(!self.session.is_ended());
    }

    pub(crate) fn wait(&mut self, until: u64) {
        while self.now < until && !self.session.is_ended() {
            self.now = self.session.next_tick().unwrap_or(until).clamp(self.now + 1, until);
            self.session.tick(self.now);
            self.drain();
        }
    }
}

/// A branch as a frontier names it.
pub(crate) fn entry_of(tip: &BranchTip) -> FrontierEntry {
    FrontierEntry {
        device: tip.log.device,
        incarnation: tip.log.incarnation,
        length: tip.length,
        hash: tip.hash,
        bytes: tip.bytes,
    }
}

/// What a device has written, and how far that goes.
pub(crate) fn written_by(number: u8, entries: impl IntoIterator<Item = Vec<u8>>) -> (Branch, BranchTip) {
    let mut author = Toy::new(number);
    let branch = author.write(project_id(1), LogKind::Data, entries);
    let tip = author.tip(&project_id(1), branch).unwrap();
    (author.projects[&project_id(1)].branches[&branch].clone(), tip)
}

/// So many entries of a third device.
pub(crate) fn of_a_third_device(count: usize) -> (Branch, BranchTip) {
    written_by(3, (0..count).map(|n| format!("third {n}").into_bytes()))
}
