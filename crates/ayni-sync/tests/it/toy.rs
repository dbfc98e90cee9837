//! A toy database: branches of opaque entries, membership read off control entries, a checkpoint at every fourth entry.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use ayni_log::entry::seed_of;
use ayni_log::ids::{DeviceId, Hash, LogKind, LogName, ProjectId, Signature, StoreId};
use ayni_log::segment::{Segment, encode_segment};
use ayni_log::sign::DeviceSecret;
use ayni_sync::receipt::{Head, Retention};
use ayni_sync::{
    Arrived, BranchId, BranchTip, Receipt, ReceiptKey, Refusal, Replica, SegmentBytes, SignedReceipt, Standing, digest,
};

pub(crate) const CHECKPOINT: u64 = 4;

#[derive(Clone)]
pub(crate) struct Branch {
    pub(crate) log: LogName,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) hashes: Vec<Hash>,
    pub(crate) bytes: u64,
}

impl Branch {
    fn new(log: LogName) -> Self {
        Self { log, entries: Vec::new(), hashes: Vec::new(), bytes: 0 }
    }

    fn hash_after(&self, length: u64) -> Hash {
        if length == 0 { seed_of(self.log.id()) } else { self.hashes[length as usize - 1] }
    }

    fn push(&mut self, entry: Vec<u8>) {
        let previous = self.hash_after(self.entries.len() as u64);
        self.hashes.push(Hash(*blake3::hash(&[previous.0.as_slice(), &entry].concat()).as_bytes()));
        self.bytes += entry.len() as u64;
        self.entries.push(entry);
    }

    fn cut_to(&self, length: u64) -> Self {
        let entries = self.entries[..length as usize].to_vec();
        let bytes = entries.iter().map(|entry| entry.len() as u64).sum();
        Self { log: self.log, entries, hashes: self.hashes[..length as usize].to_vec(), bytes }
    }

    fn length(&self) -> u64 {
        self.entries.len() as u64
    }
}

fn sign(device: &DeviceId, hash: &Hash) -> Signature {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(blake3::hash(&[device.0, hash.0].concat()).as_bytes());
    Signature(signature)
}

#[derive(Default, Clone)]
pub(crate) struct Project {
    pub(crate) branches: BTreeMap<BranchId, Branch>,
    pub(crate) receipts: BTreeMap<ReceiptKey, (u64, Vec<u8>)>,
    pub(crate) refused: BTreeSet<DeviceId>,
}

#[derive(Clone)]
pub(crate) struct Toy {
    pub(crate) secret: DeviceSecret,
    pub(crate) store: StoreId,
    pub(crate) projects: BTreeMap<ProjectId, Project>,
    pub(crate) next_branch: u64,
    /// How often the whole frontier was read.
    pub(crate) frontiers_read: Cell<u64>,
    /// How often the bytes of a branch up to some length were counted.
    pub(crate) bytes_counted: Cell<u64>,
    /// Entries stored that were not held before.
    pub(crate) gained: u64,
}

pub(crate) fn project_id(number: u8) -> ProjectId {
    ProjectId([number; 32])
}

impl Toy {
    pub(crate) fn new(number: u8) -> Self {
        Self {
            secret: DeviceSecret::from_seed(&[number; 32]),
            store: StoreId([number; 16]),
            projects: BTreeMap::new(),
            next_branch: 0,
            frontiers_read: Cell::new(0),
            bytes_counted: Cell::new(0),
            gained: 0,
        }
    }

    pub(crate) fn id(&self) -> DeviceId {
        self.secret.id()
    }

    pub(crate) fn log(&self, project: ProjectId, kind: LogKind) -> LogName {
        LogName { project, device: self.id(), kind, incarnation: self.store }
    }

    /// Writes entries at the end of this device's own log; gives the branch.
    pub(crate) fn write(
        &mut self,
        project: ProjectId,
        kind: LogKind,
        entries: impl IntoIterator<Item = Vec<u8>>,
    ) -> BranchId {
        let log = self.log(project, kind);
        let branches = &mut self.projects.entry(project).or_default().branches;
        let found = branches.iter().filter(|(_, branch)| branch.log == log).max_by_key(|(_, branch)| branch.length());
        let id = found.map(|(id, _)| *id).unwrap_or_else(|| {
            self.next_branch += 1;
            BranchId(self.next_branch)
        });
        let branch = branches.entry(id).or_insert_with(|| Branch::new(log));
        entries.into_iter().for_each(|entry| branch.push(entry));
        id
    }

    pub(crate) fn write_data(&mut self, project: ProjectId, count: usize, text: &str) -> BranchId {
        let entries: Vec<_> = (0..count).map(|n| format!("{text} {n}").into_bytes()).collect();
        self.write(project, LogKind::Data, entries)
    }

    pub(crate) fn admit(&mut self, project: ProjectId, device: DeviceId) -> BranchId {
        self.write(project, LogKind::Control, [[b"admit".as_slice(), &device.0].concat()])
    }

    pub(crate) fn remove(&mut self, project: ProjectId, device: DeviceId) -> BranchId {
        self.write(project, LogKind::Control, [[b"remove".as_slice(), &device.0].concat()])
    }

    /// It turns out that an admission of a device counts for nothing.
    pub(crate) fn undo_admission(&mut self, project: ProjectId, device: DeviceId) -> BranchId {
        let admission = [b"admit".as_slice(), &device.0].concat();
        let branches = &mut self.projects.get_mut(&project).expect("it is held").branches;
        let (id, branch) =
            branches.iter_mut().find(|(_, branch)| branch.entries.contains(&admission)).expect("it was admitted");
        branch.entries.iter_mut().filter(|entry| **entry == admission).for_each(|entry| entry.fill(0));
        *id
    }

    /// Another branch of this device's data log, as a restored copy of its folder would write it.
    pub(crate) fn forked(&self, project: ProjectId, at: u64, count: u64, text: &str) -> Branch {
        let log = self.log(project, LogKind::Data);
        let mut branches = self.projects[&project].branches.values().filter(|branch| branch.log == log);
        let mut branch = branches.next().expect("it has written").cut_to(at);
        (0..count).for_each(|n| branch.push(format!("{text} {n}").into_bytes()));
        branch
    }

    /// Holds a branch as if it had come earlier.
    pub(crate) fn plant(&mut self, project: ProjectId, branch: Branch) -> BranchId {
        self.keep(project, branch).expect("it is not held yet")
    }

    fn says(&self, project: &ProjectId, verb: &str, device: &DeviceId) -> bool {
        let wanted = [verb.as_bytes(), &device.0].concat();
        let Some(project) = self.projects.get(project) else { return false };
        let control = project.branches.values().filter(|branch| branch.log.kind == LogKind::Control);
        control.flat_map(|branch| &branch.entries).any(|entry| *entry == wanted)
    }

    pub(crate) fn digest(&self, project: ProjectId) -> (Hash, Hash) {
        (digest(&self.frontier(&project, LogKind::Control)), digest(&self.frontier(&project, LogKind::Data)))
    }

    pub(crate) fn bytes(&self, project: ProjectId, kind: LogKind) -> u64 {
        self.projects[&project]
            .branches
            .values()
            .filter(|branch| branch.log.kind == kind)
            .map(|branch| branch.bytes)
            .sum()
    }

    /// Stores what a segment says, as a real database would; gives the branch if it grew.
    pub(crate) fn store(&mut self, project: ProjectId, arrived: &Arrived) -> Result<Option<BranchId>, Refusal> {
        let segment = Segment::decode(&arrived.bytes, project).map_err(|_| Refusal::Invalid)?;
        let author = segment.log.device;
        let held = self.projects.entry(project).or_default();
        let mut branches: Vec<_> = held.branches.iter().filter(|(_, branch)| branch.log == segment.log).collect();
        branches.sort_by_key(|(_, branch)| std::cmp::Reverse(branch.length()));
        let continued = branches.iter().find(|(_, branch)| {
            branch.length() >= segment.start && branch.hash_after(segment.start) == arrived.previous
        });
        let mut next = match continued {
            Some((_, branch)) => branch.cut_to(segment.start),
            None if segment.start == 0 => Branch::new(segment.log),
            None => return Err(Refusal::UnknownBase),
        };
        segment.entries.iter().for_each(|entry| next.push(entry.header.clone()));
        let hash = next.hash_after(next.length());
        if hash != arrived.hash || segment.signature != sign(&author, &hash) || next.length() != arrived.length {
            return Err(Refusal::Invalid);
        }
        let admitted_here = next.log.kind == LogKind::Control || self.says(&project, "admit", &author);
        if !admitted_here {
            return Err(Refusal::AuthorUnknown);
        }
        Ok(self.keep(project, next))
    }

    fn keep(&mut self, project: ProjectId, next: Branch) -> Option<BranchId> {
        let held = self.projects.entry(project).or_default();
        let of_log = || held.branches.iter().filter(|(_, branch)| branch.log == next.log);
        let last = next.length();
        if of_log().any(|(_, branch)| branch.length() >= last && branch.hash_after(last) == next.hash_after(last)) {
            return None;
        }
        let continues = |branch: &Branch| {
            branch.length() <= last && next.hash_after(branch.length()) == branch.hash_after(branch.length())
        };
        let grown = of_log().find(|(_, branch)| continues(branch));
        let common = of_log()
            .map(|(_, branch)| branch.hashes.iter().zip(&next.hashes).take_while(|(a, b)| a == b).count() as u64)
            .max()
            .unwrap_or(0);
        let id = grown.map(|(id, _)| *id).unwrap_or_else(|| {
            self.next_branch += 1;
            BranchId(self.next_branch)
        });
        self.gained += last - common;
        held.branches.insert(id, next);
        Some(id)
    }

    /// A new receipt, if what is held has changed since the last.
    pub(crate) fn renew_receipt(&mut self, project: ProjectId) -> Option<ReceiptKey> {
        let key = ReceiptKey { device: self.id(), store: self.store };
        let tips = [LogKind::Control, LogKind::Data].into_iter().flat_map(|kind| self.frontier(&project, kind));
        let mut heads: Vec<_> =
            tips.map(|tip| Head { log: tip.log.id(), length: tip.length, hash: tip.hash }).collect();
        heads.sort();
        let receipts = &mut self.projects.entry(project).or_default().receipts;
        let last = receipts.get(&key).map(|(_, bytes)| SignedReceipt::decode(bytes).unwrap().receipt().unwrap());
        if last.as_ref().is_some_and(|last| last.heads == heads) {
            return None;
        }
        let counter = last.map_or(1, |last| last.counter + 1);
        let retention = Retention::Everything;
        let receipt =
            Receipt { project, key, counter, time: 0, retention, heads, lacked: Vec::new(), attachments_lacked: 0 };
        receipts.insert(key, (counter, receipt.sign(&self.secret).encode()));
        Some(key)
    }
}

impl Replica for Toy {
    fn frontier(&self, project: &ProjectId, kind: LogKind) -> Vec<BranchTip> {
        self.frontiers_read.set(self.frontiers_read.get() + 1);
        let Some(project) = self.projects.get(project) else { return Vec::new() };
        let of_kind = project.branches.iter().filter(|(_, branch)| branch.log.kind == kind);
        of_kind.map(|(id, branch)| tip_of(*id, branch)).collect()
    }

    fn tip(&self, project: &ProjectId, branch: BranchId) -> Option<BranchTip> {
        Some(tip_of(branch, self.projects.get(project)?.branches.get(&branch)?))
    }

    fn branches(&self, log: &LogName) -> Vec<BranchTip> {
        let Some(project) = self.projects.get(&log.project) else { return Vec::new() };
        let of_log = project.branches.iter().filter(|(_, branch)| branch.log == *log);
        of_log.map(|(id, branch)| tip_of(*id, branch)).collect()
    }

    fn hash_at(&self, project: &ProjectId, branch: BranchId, position: u64) -> Option<Hash> {
        self.projects.get(project)?.branches.get(&branch)?.hashes.get(position as usize).copied()
    }

    fn bytes_at(&self, project: &ProjectId, branch: BranchId, length: u64) -> Option<u64> {
        self.bytes_counted.set(self.bytes_counted.get() + 1);
        let branch = self.projects.get(project)?.branches.get(&branch)?;
        Some(branch.entries.get(..length as usize)?.iter().map(|entry| entry.len() as u64).sum())
    }

    fn segment(&self, project: &ProjectId, branch: BranchId, from: u64) -> Option<SegmentBytes> {
        let held = self.projects.get(project)?.branches.get(&branch)?;
        let length = ((from / CHECKPOINT + 1) * CHECKPOINT).min(held.length());
        let entries = held.entries.get(from as usize..length as usize)?;
        let hash = held.hash_after(length);
        let signature = sign(&held.log.device, &hash);
        let bytes = encode_segment(&held.log, from, entries.iter().map(|entry| (entry.as_slice(), None)), &signature);
        let size = entries.iter().map(|entry| entry.len() as u64).sum();
        Some(SegmentBytes { length, hash, size, bytes })
    }

    fn standing(&self, project: &ProjectId, device: &DeviceId) -> Standing {
        if self.says(project, "remove", device)
            || self.projects.get(project).is_some_and(|p| p.refused.contains(device))
        {
            Standing::Refused
        } else if self.says(project, "admit", device) {
            Standing::Admitted
        } else {
            Standing::Unknown
        }
    }

    fn receipts(&self, project: &ProjectId) -> Vec<(ReceiptKey, u64)> {
        let Some(project) = self.projects.get(project) else { return Vec::new() };
        project.receipts.iter().map(|(key, (counter, _))| (*key, *counter)).collect()
    }

    fn receipt(&self, project: &ProjectId, key: &ReceiptKey) -> Option<Vec<u8>> {
        Some(self.projects.get(project)?.receipts.get(key)?.1.clone())
    }
}

fn tip_of(branch: BranchId, held: &Branch) -> BranchTip {
    let length = held.length();
    BranchTip { branch, log: held.log, length, hash: held.hash_after(length), bytes: held.bytes }
}
