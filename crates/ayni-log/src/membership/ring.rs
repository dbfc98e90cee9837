//! The key ring: the keys that were sealed to one device.

use std::collections::{BTreeMap, HashSet};

use zeroize::Zeroizing;

use crate::ids::{DeviceId, Hash, ProjectId};
use crate::seal::{CarriageKey, NamingKey, ReadingKey, SetKey};
use crate::sign::DeviceSecret;

use super::body::ControlBody;
use super::control::ControlEntry;
use super::envelope::{
    Purpose, Which, carriage_commitment, naming_commitment, open_from, reading_commitment, unwrap_key,
};
use super::keys::{EpochBody, GrantBody, GrantedKeys};
use super::view::ControlView;

/// What one device (or the recovery key) can open. Only keys that match their epoch's commitments get in, whoever passed
/// them on.
#[derive(Clone)]
pub struct KeyRing {
    project: ProjectId,
    device: DeviceId,
    secret: Zeroizing<[u8; 32]>,
    epochs: BTreeMap<Hash, Held>,
    naming: Option<NamingKey>,
    /// Epochs and grants whose sealed part was tried.
    tried: HashSet<Hash>,
}

#[derive(Clone, Default)]
struct Held {
    reading: Option<ReadingKey>,
    carriage: Option<CarriageKey>,
}

impl KeyRing {
    /// An empty ring for a device.
    pub fn new(project: ProjectId, device: &DeviceSecret) -> Self {
        Self {
            project,
            device: device.id(),
            secret: device.exchange_secret(),
            epochs: BTreeMap::new(),
            naming: None,
            tried: HashSet::new(),
        }
    }

    /// The project whose keys these are.
    pub fn project(&self) -> ProjectId {
        self.project
    }

    /// Opens whatever the view has that was not tried yet. Opening costs some 60 µs for each new epoch or grant to this device,
    /// and nothing for others.
    pub fn update(&mut self, view: &ControlView) {
        for entry in view.entries() {
            match &entry.body {
                ControlBody::Epoch(body) => self.try_epoch(entry, body),
                ControlBody::Grant(body) if body.device == self.device => self.try_grant(view, entry, body),
                _ => {}
            }
        }
        self.open_older(view);
        self.open_naming(view);
    }

    fn try_epoch(&mut self, entry: &ControlEntry, body: &EpochBody) {
        let Some(recipient) = body.recipients.iter().find(|recipient| recipient.device == self.device) else { return };
        if !self.tried.insert(entry.hash) {
            return;
        }
        let opened = open_from(Purpose::Epoch, self.project, self.device, &self.secret, &recipient.sealed);
        let Ok(opened) = opened else { return };
        match *opened.as_slice().as_chunks::<32>().0 {
            [reading, carriage] => {
                self.hold_reading(entry.hash, body, ReadingKey::from_bytes(reading));
                self.hold_carriage(entry.hash, body, CarriageKey::from_bytes(carriage));
            }
            [carriage] => self.hold_carriage(entry.hash, body, CarriageKey::from_bytes(carriage)),
            _ => {}
        }
    }

    fn try_grant(&mut self, view: &ControlView, entry: &ControlEntry, body: &GrantBody) {
        if !self.tried.insert(entry.hash) {
            return;
        }
        let opened = open_from(Purpose::Grant, self.project, self.device, &self.secret, &body.sealed);
        let Some(granted) = opened.ok().and_then(|opened| GrantedKeys::decode(&opened).ok()) else { return };
        for (epoch, reading, carriage) in granted.0 {
            let Some(body) = view.epoch(&epoch) else { continue };
            if let Some(reading) = reading {
                self.hold_reading(epoch, body, reading);
            }
            self.hold_carriage(epoch, body, carriage);
        }
    }

    fn hold_reading(&mut self, epoch: Hash, body: &EpochBody, key: ReadingKey) {
        if reading_commitment(&key) == body.reading {
            self.epochs.entry(epoch).or_default().reading = Some(key);
        }
    }

    fn hold_carriage(&mut self, epoch: Hash, body: &EpochBody, key: CarriageKey) {
        if carriage_commitment(&key) == body.carriage {
            self.epochs.entry(epoch).or_default().carriage = Some(key);
        }
    }

    /// From each epoch on to the older ones that it carries.
    fn open_older(&mut self, view: &ControlView) {
        let mut next: Vec<Hash> = self.epochs.keys().copied().collect();
        while let Some(epoch) = next.pop() {
            let (Some(body), Some(held)) = (view.epoch(&epoch), self.epochs.get(&epoch).cloned()) else { continue };
            for older in &body.older {
                let Some(older_body) = view.epoch(&older.epoch) else { continue };
                let before = self.epochs.get(&older.epoch).cloned().unwrap_or_default();
                if let (Some(newer), None) = (&held.reading, &before.reading)
                    && let Some(key) = unwrap_key(Which::Reading, newer.as_bytes(), &older.epoch, &older.reading)
                {
                    self.hold_reading(older.epoch, older_body, ReadingKey::from_bytes(key));
                    next.push(older.epoch);
                }
                if let (Some(newer), None) = (&held.carriage, &before.carriage)
                    && let Some(key) = unwrap_key(Which::Carriage, newer.as_bytes(), &older.epoch, &older.carriage)
                {
                    self.hold_carriage(older.epoch, older_body, CarriageKey::from_bytes(key));
                    next.push(older.epoch);
                }
            }
        }
    }

    fn open_naming(&mut self, view: &ControlView) {
        let Some(founding) = view.founding() else { return };
        if self.naming.is_some() {
            return;
        }
        self.naming = self.epochs.iter().find_map(|(epoch, held)| {
            let (reading, body) = (held.reading.as_ref()?, view.epoch(epoch)?);
            let key = unwrap_key(Which::Naming, reading.as_bytes(), &Hash(self.project.0), &body.naming)?;
            let key = NamingKey::from_bytes(key);
            (naming_commitment(&key) == founding.naming).then_some(key)
        });
    }

    /// The reading key of an epoch.
    pub fn reading_key(&self, epoch: &Hash) -> Option<&ReadingKey> {
        self.epochs.get(epoch)?.reading.as_ref()
    }

    /// The carriage key of an epoch.
    pub fn carriage_key(&self, epoch: &Hash) -> Option<&CarriageKey> {
        self.epochs.get(epoch)?.carriage.as_ref()
    }

    /// The key of a set of epochs; `None` if the set is empty or one of the keys is not here.
    pub fn set_key(&self, epochs: &[Hash]) -> Option<SetKey> {
        let keys: Option<Vec<_>> = epochs.iter().map(|epoch| Some((*epoch, self.reading_key(epoch)?))).collect();
        keys.filter(|keys| !keys.is_empty()).map(SetKey::combine)
    }

    /// The project's naming key.
    pub fn naming_key(&self) -> Option<&NamingKey> {
        self.naming.as_ref()
    }

    /// The epochs of which at least one key is here, ascending.
    pub fn epochs(&self) -> impl Iterator<Item = &Hash> {
        self.epochs.keys()
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyRing of {} with {} epochs", self.device, self.epochs.len())
    }
}
