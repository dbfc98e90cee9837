//! The control view: everything that control logs decide, the same on every device that holds the same entries.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use thiserror::Error;

use crate::ids::{CollectionTag, DeviceId, ExchangeKey, Hash, LogId, LogKind, LogName, ProjectId};
use crate::limits;
use crate::segment::Admitted;
use crate::tip::Tip;

use super::body::ControlBody;
use super::control::ControlEntry;
use super::counting::{Counting, Step, counting};
use super::fences::fencing;
use super::graph::{Graph, NodeId};
use super::keys::EpochBody;
use super::people::{AdmitBody, InviteBody, Role};
use super::project::{FoundingBody, PurgeBody, Retention, SchemaBody};
use super::request::{JoinRequest, RequestError};
use super::settle::{Settled, role_in};

/// See the module. Entries are given in whatever order they come; all of a view's answers are about those that are in.
#[derive(Debug, Clone)]
pub struct ControlView {
    graph: Graph,
    settled: Settled,
    /// Control entries that fences name: their arrival moves a fence.
    fenced_at: HashSet<Hash>,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inserted {
    /// It is in, and with it so many entries that had waited.
    Taken {
        /// How many came in with it.
        released: usize,
    },
    /// It waits for entries that it refers to, and has no effect until then.
    Waits,
    /// It was here already.
    Known,
}

/// Why an entry was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InsertError {
    /// It is of another project, or of a data log.
    #[error("not a control entry of this project")]
    Foreign,
    /// It would wait, and too many do already: insert it again once others have come.
    #[error(
        "more than {} control entries or {} bytes wait for others",
        limits::CONTROL_WAITING,
        limits::CONTROL_WAITING_BYTES
    )]
    TooManyWait,
}

/// A device of the project, as things stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The device.
    pub device: DeviceId,
    /// What it may do now.
    pub role: Role,
    /// Where keys are sealed to it.
    pub exchange: ExchangeKey,
    /// Its name, sealed for the holders of the naming key; empty for a founder that was not named yet.
    pub name: Vec<u8>,
    /// Who admitted it; `None` for the founder.
    pub admitted_by: Option<DeviceId>,
    /// What it keeps.
    pub retention: Retention,
}

/// An invite as things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InviteState {
    /// The hash of its entry.
    pub hash: Hash,
    /// Who made it.
    pub inviter: DeviceId,
    /// What it says.
    pub body: InviteBody,
    /// How many devices were admitted by it.
    pub used: u32,
}

/// Proof that a device is the founder of a project or its recovery key, from the payload of the founding entry: with it the
/// first control segment can be verified before any entry is here. `None` when the payload founds another project.
pub fn founder(project: ProjectId, payload: &[u8], device: DeviceId) -> Option<Admitted> {
    match ControlBody::read(payload) {
        ControlBody::Found(body)
            if body.project() == project && (device == body.founder || device == body.recovery) =>
        {
            Some(Admitted::new(device))
        }
        _ => None,
    }
}

impl ControlView {
    /// A view of nothing.
    pub fn new(project: ProjectId) -> Self {
        Self { graph: Graph::new(project), settled: Settled::default(), fenced_at: HashSet::new() }
    }

    /// The project.
    pub fn project(&self) -> ProjectId {
        self.graph.project
    }

    /// Takes in one verified control entry.
    ///
    /// # Errors
    /// [`InsertError`]; nothing changed.
    pub fn insert(&mut self, entry: ControlEntry) -> Result<Inserted, InsertError> {
        let before = self.graph.nodes.len();
        let known = self.graph.find(&entry.hash).is_some() || self.graph.is_waiting(&entry.hash);
        if known {
            return Ok(Inserted::Known);
        }
        self.insert_all([entry])?;
        Ok(match self.graph.nodes.len() - before {
            0 => Inserted::Waits,
            came => Inserted::Taken { released: came - 1 },
        })
    }

    /// Takes in many, settling once: how a view is made from a store.
    ///
    /// # Errors
    /// [`InsertError`] for the first that cannot be taken; those before it are in.
    pub fn insert_all(&mut self, entries: impl IntoIterator<Item = ControlEntry>) -> Result<(), InsertError> {
        let mut came = Vec::new();
        let mut resettle = false;
        let mut outcome = Ok(());
        for entry in entries {
            if let Err(error) = self.check(&entry) {
                outcome = Err(error);
                break;
            }
            let added = self.graph.add(entry);
            resettle |= added.completed;
            came.extend(added.nodes);
        }
        for id in &came {
            resettle |= self.note(*id);
        }
        if resettle {
            self.settled = Settled::of(&self.graph);
        } else {
            for id in came {
                self.settled.extend(&self.graph, id);
            }
        }
        outcome
    }

    fn check(&self, entry: &ControlEntry) -> Result<(), InsertError> {
        if entry.log.project != self.graph.project || entry.log.kind != LogKind::Control {
            return Err(InsertError::Foreign);
        }
        if self.graph.has_room_for(entry) { Ok(()) } else { Err(InsertError::TooManyWait) }
    }

    /// Notes what a node fences; whether what stood before may change by it.
    fn note(&mut self, id: NodeId) -> bool {
        let entry = &self.graph.node(id).entry;
        let named = self.fenced_at.contains(&entry.hash);
        let fences = fencing(&entry.body);
        let control =
            fences.iter().flat_map(|(_, fences)| fences.iter()).filter(|fence| fence.kind == LogKind::Control);
        self.fenced_at.extend(control.map(|fence| fence.hash));
        named || fences.is_some()
    }

    /// How many entries are in, and how many wait for others.
    pub fn lengths(&self) -> (usize, usize) {
        (self.graph.nodes.len(), self.graph.waiting())
    }

    /// The entries that others wait for, by hash, ascending.
    pub fn missing(&self) -> Vec<Hash> {
        self.graph.missing()
    }

    /// The founding body, once it is here.
    pub fn founding(&self) -> Option<&FoundingBody> {
        match &self.graph.node(self.graph.founding_in(None)?).entry.body {
            ControlBody::Found(body) => Some(body),
            _ => None,
        }
    }

    /// Proof that entries of a device may be stored: it founded the project, is its recovery key, or was admitted by
    /// someone who was a coordinator by what they had seen. Once given it stays true, whatever else arrives.
    pub fn admitted(&self, device: DeviceId) -> Option<Admitted> {
        let founding = self.founding().is_some_and(|body| body.founder == device || body.recovery == device);
        let admits = |id: &NodeId| {
            self.settled.is_apparent(*id) && matches!(self.graph.node(*id).entry.body, ControlBody::Admit(_))
        };
        let admitted = founding || self.graph.about.get(&device).into_iter().flatten().any(admits);
        admitted.then(|| Admitted::new(device))
    }

    /// The role of a device now; `None` if it never had one that counts.
    pub fn role(&self, device: DeviceId) -> Option<Role> {
        role_in(&self.graph, &self.settled.valid, device, None)
    }

    /// What a data log anchors: of the control entries in whole commits that devices wrote while they were in the project,
    /// those that no other had seen. Ascending by log.
    pub fn heads(&self) -> Vec<(LogId, u64, Hash)> {
        self.heads_among(|_| true)
    }

    /// What the next entry of a control log anchors: such heads among the entries of other logs that its branch has not
    /// seen. A log never anchors itself: where it forked, what only its other side had seen is anchored anew.
    pub fn heads_for(&self, own: &Tip) -> Vec<(LogId, u64, Hash)> {
        let last = self.graph.find(&own.hash());
        let seen = |id: NodeId| last.is_some_and(|last| self.graph.saw(last, id));
        self.heads_among(|id| self.graph.node(id).log != own.id() && !seen(id))
    }

    fn heads_among(&self, among: impl Fn(NodeId) -> bool) -> Vec<(LogId, u64, Hash)> {
        let open = |id: NodeId| self.settled.is_inside(id) && self.graph.node(id).whole && among(id);
        let mut heads: Vec<(LogId, u64, Hash)> = self
            .graph
            .maximal(&self.graph.last_of_chains(open))
            .into_iter()
            .map(|id| self.graph.node(id))
            .map(|node| (node.log, node.entry.position, node.entry.hash))
            .collect();
        heads.sort_unstable();
        heads
    }

    /// Whether an entry is here and counts.
    pub fn counts(&self, hash: &Hash) -> bool {
        self.graph.find(hash).is_some_and(|id| self.settled.is_valid(id))
    }

    /// An entry that is in, whether it counts or not.
    pub fn entry(&self, hash: &Hash) -> Option<&ControlEntry> {
        Some(&self.graph.node(self.graph.find(hash)?).entry)
    }

    /// All entries that are in, whether they count or not, ancestors first.
    pub fn entries(&self) -> impl Iterator<Item = &ControlEntry> {
        self.graph.nodes.iter().map(|node| &node.entry)
    }

    fn valid(&self) -> impl Iterator<Item = (NodeId, &ControlEntry)> {
        let counts = |id: &NodeId| self.settled.is_valid(*id);
        self.graph.ids().filter(counts).map(|id| (id, &self.graph.node(id).entry))
    }

    /// The devices of the project, removed ones too, ascending. The recovery key is not among them.
    pub fn members(&self) -> Vec<Member> {
        let mut devices: Vec<DeviceId> = self.graph.about.keys().copied().collect();
        devices.sort_unstable();
        let mut names: BTreeMap<DeviceId, Vec<NodeId>> = BTreeMap::new();
        let mut retentions: BTreeMap<DeviceId, Vec<NodeId>> = BTreeMap::new();
        for (id, entry) in self.valid() {
            match &entry.body {
                ControlBody::DeviceName(body) => names.entry(body.device).or_default().push(id),
                ControlBody::Admit(body) => names.entry(body.device).or_default().push(id),
                ControlBody::Retention(_) => retentions.entry(entry.log.device).or_default().push(id),
                _ => {}
            }
        }
        let of = |map: &BTreeMap<_, Vec<NodeId>>, device| self.latest(map.get(&device).map_or(&[], Vec::as_slice));
        devices
            .into_iter()
            .filter_map(|device| {
                let role = self.role(device)?;
                let (exchange, admitted_by) = self.admission(device)?;
                let name = of(&names, device).and_then(|entry| name_in(&entry.body)).unwrap_or_default();
                let retention = match of(&retentions, device).map(|entry| &entry.body) {
                    Some(ControlBody::Retention(body)) => body.retention,
                    _ => Retention::Everything,
                };
                Some(Member { device, role, exchange, name, admitted_by, retention })
            })
            .collect()
    }

    /// Of some nodes the one to show: not seen by another of them; of several such, the latest claimed time, then the hash.
    fn latest(&self, nodes: &[NodeId]) -> Option<&ControlEntry> {
        let maximal = self.graph.maximal(nodes);
        maximal.into_iter().map(|id| &self.graph.node(id).entry).max_by_key(|entry| (entry.time, entry.hash))
    }

    fn admission(&self, device: DeviceId) -> Option<(ExchangeKey, Option<DeviceId>)> {
        let about = self.graph.about.get(&device)?;
        let admissions: Vec<NodeId> = about
            .iter()
            .copied()
            .filter(|id| self.settled.is_valid(*id))
            .filter(|id| matches!(self.graph.node(*id).entry.body, ControlBody::Admit(_) | ControlBody::Found(_)))
            .collect();
        let entry = self.latest(&admissions)?;
        match &entry.body {
            ControlBody::Found(body) => Some((body.founder_exchange, None)),
            ControlBody::Admit(AdmitBody { exchange, .. }) => Some((*exchange, Some(entry.log.device))),
            _ => None,
        }
    }

    /// The epochs to seal under, together: those that count and that no other such had seen. Ascending.
    pub fn epoch_heads(&self) -> Vec<Hash> {
        let epochs: Vec<NodeId> =
            self.valid().filter(|(_, entry)| matches!(entry.body, ControlBody::Epoch(_))).map(|(id, _)| id).collect();
        let mut heads: Vec<Hash> =
            self.graph.maximal(&epochs).into_iter().map(|id| self.graph.node(id).entry.hash).collect();
        heads.sort_unstable();
        heads
    }

    /// An epoch, whether it counts or not: what was sealed under it must open.
    pub fn epoch(&self, hash: &Hash) -> Option<&EpochBody> {
        match &self.entry(hash)?.body {
            ControlBody::Epoch(body) => Some(body),
            _ => None,
        }
    }

    /// Members that lack a key they should have: an epoch head was sealed without them, and no grant since reaches them.
    /// Any running coordinator [grants](super::grant) it.
    pub fn lacking_keys(&self) -> Vec<Member> {
        let heads: Vec<NodeId> = self.epoch_heads().iter().filter_map(|hash| self.graph.find(hash)).collect();
        let lacks = |member: &Member| heads.iter().any(|head| !self.has_keys(member, *head));
        self.members().into_iter().filter(|member| member.role.carries() && lacks(member)).collect()
    }

    fn has_keys(&self, member: &Member, epoch: NodeId) -> bool {
        let ControlBody::Epoch(body) = &self.graph.node(epoch).entry.body else { return false };
        let sealed = body.recipients.iter().find(|recipient| recipient.device == member.device);
        if sealed.is_some_and(|recipient| recipient.reads || !member.role.reads()) {
            return true;
        }
        self.valid().any(|(id, entry)| match &entry.body {
            ControlBody::Grant(grant) if grant.device == member.device && self.graph.saw(id, epoch) => {
                let clock = &self.graph.node(id).clock;
                let then = role_in(&self.graph, &self.settled.valid, member.device, Some(clock));
                then.is_some_and(|role| role.reads() || !member.role.reads())
            }
            _ => false,
        })
    }

    /// Which positions of a branch of a data log count.
    ///
    /// `length` is how many entries of the branch are here; `steps` what its headers anchor of control logs, ascending by
    /// position, each adding to those before; `hash_at` gives for a length the hash of the branch's last entry at that
    /// length. For a branch that forked off another, what lies before the fork is given, and answered, as part of both.
    pub fn counting(
        &self,
        log: &LogName,
        length: u64,
        steps: &[Step],
        hash_at: &dyn Fn(u64) -> Option<Hash>,
    ) -> Counting {
        counting(&self.graph, &self.settled, log, length, steps, hash_at)
    }

    /// An invite that counts, by the public key of its ticket.
    pub fn invite(&self, key: DeviceId) -> Option<InviteState> {
        let matching = self.valid().filter_map(|(_, entry)| match &entry.body {
            ControlBody::Invite(body) if body.key == key => Some((entry.hash, entry.log.device, *body)),
            _ => None,
        });
        let (hash, inviter, body) = matching.min_by_key(|(hash, ..)| *hash)?;
        let admitted: HashSet<DeviceId> = self
            .valid()
            .filter_map(|(_, entry)| match &entry.body {
                ControlBody::Admit(admit) => {
                    admit.consent.filter(|consent| consent.invite == hash).map(|_| admit.device)
                }
                _ => None,
            })
            .collect();
        Some(InviteState { hash, inviter, body, used: admitted.len() as u32 })
    }

    /// Whether a coordinator may grant a request at `now` (milliseconds since 1970).
    ///
    /// # Errors
    /// [`RequestError`] says why not, in words for the person who asked.
    pub fn check_request(&self, request: &JoinRequest, now: i64) -> Result<InviteState, RequestError> {
        let invite = self.invite(request.invite).ok_or(RequestError::UnknownInvite)?;
        request.verify(self.graph.project)?;
        match self.role(request.device) {
            Some(Role::Removed) => return Err(RequestError::Removed),
            Some(_) => return Err(RequestError::AlreadyMember),
            None => {}
        }
        if invite.body.expires.is_some_and(|expires| expires < now) {
            return Err(RequestError::Expired);
        }
        if invite.used >= invite.body.uses { Err(RequestError::UsedUp) } else { Ok(invite) }
    }

    /// The collections that have a schema that counts.
    pub fn collections_with_schema(&self) -> BTreeSet<CollectionTag> {
        let tag = |(_, entry): (NodeId, &ControlEntry)| match &entry.body {
            ControlBody::Schema(body) => Some(body.collection),
            _ => None,
        };
        self.valid().filter_map(tag).collect()
    }

    /// The schemas of a collection that count and that no other such had seen, with the hashes of their entries. More than
    /// one when coordinators decided at once.
    pub fn schemas(&self, collection: CollectionTag) -> Vec<(Hash, &SchemaBody)> {
        let about =
            |entry: &ControlEntry| matches!(&entry.body, ControlBody::Schema(body) if body.collection == collection);
        let nodes: Vec<NodeId> = self.valid().filter(|(_, entry)| about(entry)).map(|(id, _)| id).collect();
        let mut schemas: Vec<(Hash, &SchemaBody)> = self
            .graph
            .maximal(&nodes)
            .into_iter()
            .filter_map(|id| match &self.graph.node(id).entry {
                ControlEntry { hash, body: ControlBody::Schema(body), .. } => Some((*hash, body)),
                _ => None,
            })
            .collect();
        schemas.sort_unstable_by_key(|(hash, _)| *hash);
        schemas
    }

    /// The purges that count.
    pub fn purges(&self) -> impl Iterator<Item = &PurgeBody> {
        self.valid().filter_map(|(_, entry)| match &entry.body {
            ControlBody::Purge(body) => Some(body),
            _ => None,
        })
    }

    /// A digest of which entries are in and which of them count: equal on two devices exactly when their views are.
    /// `BLAKE3-derive("ayni v1 control view", for each entry in ascending order of hash: hash ‖ 1 if it counts, else 0)`.
    pub fn digest(&self) -> Hash {
        let flag = |id: NodeId| (self.graph.node(id).entry.hash, u8::from(self.settled.is_valid(id)));
        let mut entries: Vec<(Hash, u8)> = self.graph.ids().map(flag).collect();
        entries.sort_unstable();
        let mut hasher = blake3::Hasher::new_derive_key("ayni v1 control view");
        for (hash, counts) in entries {
            hasher.update(&hash.0);
            hasher.update(&[counts]);
        }
        Hash(*hasher.finalize().as_bytes())
    }
}

fn name_in(body: &ControlBody) -> Option<Vec<u8>> {
    match body {
        ControlBody::DeviceName(body) => Some(body.name.clone()),
        ControlBody::Admit(body) => Some(body.name.clone()),
        _ => None,
    }
}
