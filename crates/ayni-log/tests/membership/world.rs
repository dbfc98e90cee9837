//! A small world for tests: devices with real control logs, each holding what it was told.

use ayni_log::header::{Anchor, BodyV1, Declaration};
use ayni_log::ids::{DeviceId, Hash, LogKind, LogName, ProjectId, Signature, StoreId};
use ayni_log::membership::{
    AdmitBody, ControlBody, ControlEntry, ControlView, EpochBody, Fence, KeyRing, RecoveryKey, Role, control_entries,
    first_epoch, founder, founding, removal, seal_name,
};
use ayni_log::seal::NamingKey;
use ayni_log::segment::{Segment, WireEntry, checkpoint_message, verify};
use ayni_log::sign::DeviceSecret;
use ayni_log::tip::Tip;
use ayni_log::write::{Draft, write_commit};

/// A device, with the control log that it writes and the entries that it holds.
pub(crate) struct Device {
    pub(crate) secret: DeviceSecret,
    pub(crate) tip: Tip,
    pub(crate) view: ControlView,
    /// Entries and signatures of its own log, to fence it at.
    pub(crate) own: Vec<(ControlEntry, Option<Signature>)>,
}

/// A device's folder as it was, to be restored from.
pub(crate) struct Copy {
    pub(crate) who: usize,
    tip: Tip,
    own: Vec<(ControlEntry, Option<Signature>)>,
    held: Vec<ControlEntry>,
}

/// All devices, and every entry that any of them wrote.
pub(crate) struct World {
    pub(crate) project: ProjectId,
    pub(crate) naming: NamingKey,
    pub(crate) devices: Vec<Device>,
    pub(crate) written: Vec<ControlEntry>,
    pub(crate) first_epoch: EpochBody,
    clock: i64,
}

/// The index of the founder, and of the recovery key, among a world's devices.
pub(crate) const FOUNDER: usize = 0;
pub(crate) const RECOVERY: usize = 1;

pub(crate) fn device_secret(number: usize) -> DeviceSecret {
    DeviceSecret::from_seed(blake3::hash(&(number as u64).to_be_bytes()).as_bytes())
}

pub(crate) fn log_of(project: ProjectId, device: DeviceId, kind: LogKind, incarnation: u8) -> LogName {
    LogName { project, device, kind, incarnation: StoreId([incarnation; 16]) }
}

impl World {
    pub(crate) fn new() -> Self {
        let (secret, recovery) = (device_secret(FOUNDER), RecoveryKey::from_random([7; 32]).secret());
        let naming = NamingKey::from_bytes([9; 32]);
        let (body, project) = founding(&secret, &recovery, &naming, "Ñandú", [5; 32]).unwrap();
        let (epoch, _) = first_epoch(&body, &naming, &[6; 32]).unwrap();
        let mut world = Self {
            project,
            naming,
            devices: vec![Device::new(project, secret), Device::new(project, recovery)],
            written: Vec::new(),
            first_epoch: epoch.clone(),
            clock: 0,
        };
        world.act(FOUNDER, vec![ControlBody::Found(body), ControlBody::Epoch(epoch)]);
        world
    }

    /// Lets a device write one commit on top of all that it holds; gives the hashes of its entries.
    pub(crate) fn act(&mut self, who: usize, bodies: Vec<ControlBody>) -> Vec<Hash> {
        self.clock += 1;
        let device = &mut self.devices[who];
        let mut declarations = device.anchors();
        let drafts = bodies
            .iter()
            .map(|body| Draft {
                body: BodyV1 { time: self.clock, declarations: std::mem::take(&mut declarations), ..BodyV1::default() },
                content: body.encode(),
            })
            .collect();
        let before = device.tip.clone();
        let (segments, after) = write_commit(&before, &device.secret, None, drafts).unwrap();
        let entries = control_entries(&segments[0].entries, &before).unwrap();
        assert_eq!(segments.len(), 1);
        device.verify_as_received(&segments[0], &before, &entries[0]);
        let last = entries.len() - 1;
        for (index, entry) in entries.iter().enumerate() {
            device.own.push((entry.clone(), (index == last).then_some(segments[0].signature)));
        }
        device.tip = after;
        device.view.insert_all(entries.clone()).unwrap();
        self.written.extend(entries.clone());
        entries.iter().map(|entry| entry.hash).collect()
    }

    pub(crate) fn add_device(&mut self) -> usize {
        let number = self.devices.len();
        self.devices.push(Device::new(self.project, device_secret(number)));
        number
    }

    /// Lets a coordinator admit a new device, which then holds what the coordinator holds.
    pub(crate) fn admit(&mut self, by: usize, role: Role) -> usize {
        let number = self.add_device();
        self.admit_again(by, number, role);
        self.tell(by, number);
        number
    }

    pub(crate) fn admit_again(&mut self, by: usize, number: usize, role: Role) -> Hash {
        let secret = self.devices[number].secret.clone();
        let name = seal_name(&self.naming, &secret.id().0, "a device").unwrap();
        let (device, exchange) = (secret.id(), secret.exchange_public());
        self.act(by, vec![ControlBody::Admit(AdmitBody { device, exchange, role, consent: None, name })])[0]
    }

    /// Gives one device all that another holds.
    pub(crate) fn tell(&mut self, from: usize, to: usize) {
        let entries: Vec<ControlEntry> = self.devices[from].view.entries().cloned().collect();
        self.devices[to].view.insert_all(entries).unwrap();
    }

    pub(crate) fn tell_everyone(&mut self) {
        let entries = self.written.clone();
        for device in &mut self.devices {
            device.view.insert_all(entries.clone()).unwrap();
        }
    }

    pub(crate) fn copy(&self, who: usize) -> Copy {
        let device = &self.devices[who];
        let held = device.view.entries().cloned().collect();
        Copy { who, tip: device.tip.clone(), own: device.own.clone(), held }
    }

    /// Sets a device back to an earlier copy of itself: what it writes next is the other side of a fork.
    pub(crate) fn restore(&mut self, copy: Copy) {
        let device = &mut self.devices[copy.who];
        device.tip = copy.tip;
        device.own = copy.own;
        device.view = ControlView::new(self.project);
        device.view.insert_all(copy.held).unwrap();
    }

    /// Lets a device go on in a new incarnation, holding nothing of what was before.
    pub(crate) fn begin_anew(&mut self, who: usize, incarnation: u8) {
        let device = &mut self.devices[who];
        device.tip = Tip::new(log_of(self.project, device.secret.id(), LogKind::Control, incarnation));
        device.own.clear();
        device.view = ControlView::new(self.project);
    }

    pub(crate) fn id(&self, who: usize) -> DeviceId {
        self.devices[who].secret.id()
    }

    /// A fence of a device's control log behind its first `length` entries, which must end a commit.
    pub(crate) fn control_fence(&self, who: usize, length: usize) -> Fence {
        let (entry, signature) = &self.devices[who].own[length - 1];
        let signature = signature.expect("a fence stands at the end of a commit");
        let LogName { kind, incarnation, .. } = entry.log;
        Fence { kind, incarnation, length: length as u64, hash: entry.hash, signature }
    }

    /// A fence of a made-up data log.
    pub(crate) fn data_fence(&self, who: usize, incarnation: u8, length: u64, hash: Hash) -> Fence {
        let log = log_of(self.project, self.id(who), LogKind::Data, incarnation);
        let signature = self.devices[who].secret.sign(&checkpoint_message(log.id(), length, &hash));
        Fence { kind: LogKind::Data, incarnation: log.incarnation, length, hash, signature }
    }

    /// The fence of all of a device's control log that another device holds.
    pub(crate) fn fences_as_held(&self, by: usize, whom: usize) -> Vec<Fence> {
        let held = |(entry, signature): &(ControlEntry, Option<Signature>)| {
            signature.is_some() && self.devices[by].view.entry(&entry.hash).is_some()
        };
        let last = self.devices[whom].own.iter().rposition(held);
        last.map(|last| self.control_fence(whom, last + 1)).into_iter().collect()
    }

    /// Removes a device, keeping what the remover holds of its control log.
    pub(crate) fn remove(&mut self, by: usize, whom: usize) -> Hash {
        let fences = self.fences_as_held(by, whom);
        self.remove_at(by, whom, fences)
    }

    pub(crate) fn remove_at(&mut self, by: usize, whom: usize, fences: Vec<Fence>) -> Hash {
        let device = self.id(whom);
        self.act(by, vec![ControlBody::Remove(removal(device, fences))])[0]
    }

    /// A view of everything that was ever written.
    pub(crate) fn everything(&self) -> ControlView {
        let mut view = ControlView::new(self.project);
        view.insert_all(self.written.clone()).unwrap();
        view
    }

    /// The key ring of a device by all that it holds.
    pub(crate) fn ring(&self, who: usize) -> KeyRing {
        let device = &self.devices[who];
        let mut ring = KeyRing::new(self.project, &device.secret);
        ring.update(&device.view);
        ring
    }
}

impl Device {
    fn new(project: ProjectId, secret: DeviceSecret) -> Self {
        let name = log_of(project, secret.id(), LogKind::Control, 1);
        Self { secret, tip: Tip::new(name), view: ControlView::new(project), own: Vec::new() }
    }

    /// Anchors for what it holds and its log has not seen, each under a number of its own.
    fn anchors(&self) -> Vec<Declaration> {
        let first = self.tip.anchors().count() as u32 + 1;
        (first..)
            .zip(self.view.heads_for(&self.tip))
            .map(|(number, (log, position, hash))| {
                Declaration::Anchor(Anchor { number, log: Some(log), position, hash })
            })
            .collect()
    }

    /// What was written is what others would verify.
    fn verify_as_received(&self, written: &ayni_log::segment::VerifiedSegment, before: &Tip, first: &ControlEntry) {
        let admitted = self.view.admitted(self.secret.id()).or_else(|| match &first.body {
            body @ ControlBody::Found(_) => founder(first.log.project, &body.encode(), self.secret.id()),
            _ => None,
        });
        let Some(admitted) = admitted else { return };
        let entries = written.entries.iter();
        let entries = entries.map(|e| WireEntry { header: e.header_bytes.clone(), payload: e.payload.clone() });
        let segment = Segment {
            log: written.log,
            start: written.start,
            entries: entries.collect(),
            signature: written.signature,
        };
        let (verified, _) = verify(segment, before, &admitted).unwrap();
        assert_eq!(&*verified, written);
    }
}
