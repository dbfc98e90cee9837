//! Devices, and links in memory between them, on virtual time.

use std::collections::BTreeSet;

use ayni_log::ids::{DeviceId, LogKind, ProjectId};
use ayni_sync::message::{Kind, Message};
use ayni_sync::tag::{Side, prove_transport};
use ayni_sync::{Action, Amount, Arrived, BranchId, Config, Ended, Offer, ReceiptKey, Refusal, Session};

use crate::toy::{Toy, project_id};

/// One end of a link.
pub(crate) struct End {
    pub(crate) device: usize,
    pub(crate) session: Session,
    /// Bytes that were sent and have not arrived.
    pub(crate) wire: Vec<u8>,
    pub(crate) sent: u64,
    /// All that it ever sent.
    pub(crate) spoken: Vec<u8>,
    pub(crate) log: Vec<Action>,
    pub(crate) waiting: Vec<(ProjectId, Arrived)>,
    pub(crate) most_held: u64,
    /// For each progress that was seen: received and what is to come.
    pub(crate) progress: Vec<(Amount, Amount)>,
    pub(crate) refusals: Vec<Refusal>,
}

impl End {
    pub(crate) fn ended(&self) -> Option<&Ended> {
        self.log.iter().find_map(|action| match action {
            Action::Ended(how) => Some(how),
            _ => None,
        })
    }

    /// The messages that it sent.
    pub(crate) fn said(&self) -> Vec<Message> {
        messages(&self.spoken)
    }

    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.said().iter().filter(|message| message.kind() == kind).count()
    }

    pub(crate) fn entries_arrived(&self) -> u64 {
        let arrived = self.log.iter().map(|action| match action {
            Action::Store { segment, .. } => segment.length - segment.start,
            _ => 0,
        });
        arrived.sum()
    }

    pub(crate) fn stores(&self) -> usize {
        self.log.iter().filter(|action| matches!(action, Action::Store { .. })).count()
    }
}

/// The whole messages in a stream of bytes.
pub(crate) fn messages(mut bytes: &[u8]) -> Vec<Message> {
    let mut all = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<4>() {
        let Some((frame, rest)) = rest.split_at_checked(u32::from_be_bytes(*head) as usize) else { break };
        all.extend(Message::decode(frame[0], &frame[1..]).expect("what a session says can be read"));
        bytes = rest;
    }
    all
}

pub(crate) struct Link {
    pub(crate) ends: [End; 2],
    /// Bytes that still pass before the link is cut.
    pub(crate) budget: u64,
    pub(crate) cut: bool,
}

pub(crate) struct World {
    pub(crate) devices: Vec<Toy>,
    pub(crate) links: Vec<Link>,
    pub(crate) now: u64,
    pub(crate) rounds: usize,
    /// Bytes that pass each link in each direction in a round.
    pub(crate) chunk: usize,
    /// Devices that answer no store.
    pub(crate) holding: BTreeSet<usize>,
    pub(crate) watch: Option<ProjectId>,
    pub(crate) admits: bool,
}

pub(crate) fn transport(toy: &Toy) -> [u8; 32] {
    *blake3::hash(&toy.store.0).as_bytes()
}

pub(crate) fn config(own: &Toy, peer: &Toy, side: Side, binding: u8, projects: Vec<Offer>) -> Config {
    Config {
        side,
        binding: [binding; 32],
        peer_transport: transport(peer),
        device: own.id(),
        proof: prove_transport(&own.secret, &transport(own)),
        store: own.store,
        projects,
        random: [own.store.0[0]; 32],
    }
}

impl World {
    /// So many devices that all admit each other in project 1, none with documents.
    pub(crate) fn new(count: u8) -> Self {
        let mut world = Self {
            devices: (1..=count).map(Toy::new).collect(),
            links: Vec::new(),
            now: 1_000,
            rounds: 0,
            chunk: usize::MAX,
            holding: BTreeSet::new(),
            watch: None,
            admits: false,
        };
        world.found(project_id(1));
        world
    }

    pub(crate) fn found(&mut self, project: ProjectId) {
        let ids: Vec<DeviceId> = self.devices.iter().map(Toy::id).collect();
        for id in ids {
            self.devices[0].admit(project, id);
        }
        let founding = self.devices[0].projects[&project].clone();
        for device in &mut self.devices[1..] {
            device.projects.insert(project, founding.clone());
            device.next_branch = device.next_branch.max(1_000);
        }
    }

    pub(crate) fn connect(&mut self, a: usize, b: usize) -> usize {
        let offers = |toy: &Toy| toy.projects.keys().map(|project| Offer::from(*project)).collect::<Vec<_>>();
        let (of_a, of_b) = (offers(&self.devices[a]), offers(&self.devices[b]));
        self.connect_with(a, b, of_a, of_b)
    }

    pub(crate) fn connect_with(&mut self, a: usize, b: usize, of_a: Vec<Offer>, of_b: Vec<Offer>) -> usize {
        let binding = self.links.len() as u8 + 1;
        let (first, second) = (&self.devices[a], &self.devices[b]);
        let end = |device, config| End {
            device,
            session: Session::new(config, self.now),
            wire: Vec::new(),
            sent: 0,
            spoken: Vec::new(),
            log: Vec::new(),
            waiting: Vec::new(),
            most_held: 0,
            progress: Vec::new(),
            refusals: Vec::new(),
        };
        let ends = [
            end(a, config(first, second, Side::Initiator, binding, of_a)),
            end(b, config(second, first, Side::Acceptor, binding, of_b)),
        ];
        self.links.push(Link { ends, budget: u64::MAX, cut: false });
        self.links.len() - 1
    }

    pub(crate) fn write(&mut self, device: usize, count: usize, text: &str) {
        let branch = self.devices[device].write_data(project_id(1), count, text);
        self.advanced(device, project_id(1), branch, None);
    }

    /// Tells all sessions of a device but one that a branch has grown.
    pub(crate) fn advanced(
        &mut self,
        device: usize,
        project: ProjectId,
        branch: BranchId,
        but: Option<(usize, usize)>,
    ) {
        let now = self.now;
        for (at, link) in self.links.iter_mut().enumerate().filter(|(_, link)| !link.cut) {
            for (side, end) in link.ends.iter_mut().enumerate() {
                if end.device == device && but != Some((at, side)) {
                    end.session.advanced(&self.devices[device], &project, &[branch], now);
                }
            }
        }
    }

    fn receipts_changed(&mut self, device: usize, project: ProjectId, key: ReceiptKey) {
        for end in self.links.iter_mut().filter(|link| !link.cut).flat_map(|link| &mut link.ends) {
            if end.device == device {
                end.session.receipts_changed(&project, &[key]);
            }
        }
    }

    /// One round: every end sends what it can, then every end takes what arrived. Whether anything happened.
    pub(crate) fn round(&mut self) -> bool {
        self.now += 1;
        self.rounds += 1;
        let mut busy = false;
        for at in 0..self.links.len() {
            busy |= self.carry(at);
        }
        for at in 0..self.links.len() {
            busy |= self.act(at, 0) | self.act(at, 1);
        }
        busy
    }

    fn carry(&mut self, at: usize) -> bool {
        let link = &mut self.links[at];
        if link.cut {
            return false;
        }
        let mut moved = false;
        for end in &mut link.ends {
            let room = self.chunk.min(4 << 20).saturating_sub(end.wire.len());
            let bytes = end.session.poll_send(&self.devices[end.device], room);
            end.sent += bytes.len() as u64;
            end.spoken.extend(&bytes);
            end.wire.extend(bytes);
        }
        for side in [0, 1] {
            let mut bytes = std::mem::take(&mut link.ends[side].wire);
            let pass = (bytes.len() as u64).min(link.budget) as usize;
            link.cut |= pass < bytes.len();
            bytes.truncate(pass);
            link.budget -= pass as u64;
            moved |= pass > 0;
            let other = &mut link.ends[1 - side];
            other.session.receive(&self.devices[other.device], &bytes, self.now);
        }
        for end in &mut link.ends {
            end.session.tick(self.now);
            end.most_held = end.most_held.max(end.session.held_bytes());
            if let Some(progress) = self.watch.and_then(|project| end.session.progress(&project)) {
                end.progress.push((progress.received, progress.to_receive));
            }
        }
        moved
    }

    fn act(&mut self, at: usize, side: usize) -> bool {
        let mut busy = false;
        while let Some(action) = self.links[at].ends[side].session.poll_action() {
            busy = true;
            let device = self.links[at].ends[side].device;
            match &action {
                Action::Store { project, segment } => {
                    self.links[at].ends[side].waiting.push((*project, segment.clone()));
                }
                Action::Level { project } => {
                    if let Some(key) = self.devices[device].renew_receipt(*project) {
                        self.receipts_changed(device, *project, key);
                    }
                }
                Action::StoreReceipt { project, receipt } => {
                    receipt.verify().expect("signed by its device");
                    let receipts = &mut self.devices[device].projects.entry(*project).or_default().receipts;
                    if receipts.get(&receipt.key).is_none_or(|held| held.0 < receipt.counter) {
                        receipts.insert(receipt.key, (receipt.counter, receipt.encode()));
                        self.receipts_changed(device, *project, receipt.key);
                    }
                }
                Action::JoinRequest { project, request } if self.admits => {
                    let joiner = DeviceId::from_slice(request).expect("the request is the device's id here");
                    let branch = self.devices[device].admit(*project, joiner);
                    self.advanced(device, *project, branch, None);
                }
                _ => {}
            }
            self.links[at].ends[side].log.push(action);
        }
        busy | (!self.links[at].cut && self.store(at, side))
    }

    fn store(&mut self, at: usize, side: usize) -> bool {
        let device = self.links[at].ends[side].device;
        if self.holding.contains(&device) {
            return false;
        }
        let waiting = std::mem::take(&mut self.links[at].ends[side].waiting);
        let busy = !waiting.is_empty();
        for (project, arrived) in waiting {
            match self.devices[device].store(project, &arrived) {
                Ok(grown) => {
                    let end = &mut self.links[at].ends[side];
                    end.session.stored(&self.devices[device], arrived.token);
                    if let Some(branch) = grown {
                        // All sessions are told, this one too: that must not confuse it.
                        self.advanced(device, project, branch, None);
                    }
                }
                Err(refusal) => {
                    let end = &mut self.links[at].ends[side];
                    end.refusals.push(refusal);
                    end.session.refused(arrived.token, refusal);
                }
            }
        }
        busy
    }

    /// Rounds until nothing happens for longer than anything is held back.
    pub(crate) fn settle(&mut self) {
        // Entries of third devices are held back for up to half a second.
        let enough = if self.devices.len() > 2 { 600 } else { 30 };
        let mut idle = 0;
        for _ in 0..100_000 {
            idle = if self.round() { 0 } else { idle + 1 };
            if idle > enough {
                return;
            }
        }
        panic!("it never settles");
    }

    pub(crate) fn assert_same(&self) {
        for project in self.devices[0].projects.keys() {
            for device in &self.devices[1..] {
                assert_eq!(
                    device.digest(*project),
                    self.devices[0].digest(*project),
                    "two devices hold different things"
                );
            }
        }
    }

    pub(crate) fn assert_level(&self) {
        for link in self.links.iter().filter(|link| !link.cut) {
            for end in &link.ends {
                assert_eq!(end.ended(), None);
                for project in self.devices[end.device].projects.keys() {
                    assert!(end.session.is_level(project), "device {} does not see that it is level", end.device);
                }
            }
        }
    }

    pub(crate) fn data_entries(&self, device: usize) -> u64 {
        use ayni_sync::Replica;
        self.devices[device].frontier(&project_id(1), LogKind::Data).iter().map(|tip| tip.length).sum()
    }
}
