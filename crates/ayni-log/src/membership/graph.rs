//! The graph of control entries: who had seen what.
//!
//! An entry comes in once everything that it refers to is here; until then it waits. Entries of a log form *chains*: a log
//! is one chain, and each fork starts another. Since whoever saw an entry saw all before it in its chain, the ancestors of
//! an entry are told by one number for each chain (a vector clock; Fidge 1988, Mattern 1989), and "had it seen that?" is one
//! comparison.

use std::collections::HashMap;

use crate::ids::{DeviceId, Hash, LogId, ProjectId};
use crate::limits;

use super::body::ControlBody;
use super::control::ControlEntry;
use super::fences::fencing;
use super::people::{AdmitBody, InviteBody, consent_message};

/// Where a node stands in [`Graph::nodes`]. Every node stands behind its ancestors.
pub(super) type NodeId = u32;

/// For each chain, how many of its entries are in a set of entries that is closed under "had seen".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Clock(Vec<u32>);

impl Clock {
    pub(super) fn holds(&self, node: &Node) -> bool {
        self.0.get(node.chain as usize).is_some_and(|count| *count > node.index)
    }

    pub(super) fn join(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = (*mine).max(*theirs);
        }
    }

    fn add(&mut self, chain: u32, index: u32) {
        let chain = chain as usize;
        if self.0.len() <= chain {
            self.0.resize(chain + 1, 0);
        }
        if let Some(count) = self.0.get_mut(chain) {
            *count = (*count).max(index + 1);
        }
    }
}

/// One entry with what follows from its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) entry: ControlEntry,
    pub(super) log: LogId,
    pub(super) chain: u32,
    pub(super) index: u32,
    previous: Option<NodeId>,
    /// Its ancestors and itself.
    pub(super) clock: Clock,
    /// Whether it can have effect at all, as far as it and its ancestors tell.
    pub(super) sound: bool,
    /// Whether the end of its commit is here.
    pub(super) whole: bool,
}

#[derive(Debug, Clone)]
struct Chain {
    /// Where it forked off: chain and index of the entry before its first.
    parent: Option<(u32, u32)>,
    length: u32,
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Graph {
    pub(super) project: ProjectId,
    pub(super) nodes: Vec<Node>,
    pub(super) by_hash: HashMap<Hash, NodeId>,
    pub(super) by_author: HashMap<DeviceId, Vec<NodeId>>,
    /// Entries that give a device a role: found, admit, role, remove.
    pub(super) about: HashMap<DeviceId, Vec<NodeId>>,
    pub(super) founding: Vec<NodeId>,
    pub(super) adoptions: Vec<NodeId>,
    pub(super) fencing: Vec<NodeId>,
    chains: Vec<Chain>,
    waiting: HashMap<Hash, ControlEntry>,
    waiting_bytes: usize,
    /// For an entry that is missing, those that wait for it.
    awaited: HashMap<Hash, Vec<Hash>>,
}

/// What adding an entry changed.
#[derive(Debug, Default)]
pub(super) struct Added {
    /// The nodes that came in, in order; none when the entry waits.
    pub(super) nodes: Vec<NodeId>,
    /// Whether entries that were here before became whole.
    pub(super) completed: bool,
}

impl Graph {
    pub(super) fn new(project: ProjectId) -> Self {
        Self {
            project,
            nodes: Vec::new(),
            by_hash: HashMap::new(),
            by_author: HashMap::new(),
            about: HashMap::new(),
            founding: Vec::new(),
            adoptions: Vec::new(),
            fencing: Vec::new(),
            chains: Vec::new(),
            waiting: HashMap::new(),
            waiting_bytes: 0,
            awaited: HashMap::new(),
        }
    }

    #[expect(clippy::expect_used, reason = "an invariant of the graph: nodes are added and never go")]
    pub(super) fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id as usize).expect("node ids come from this graph")
    }

    pub(super) fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        0..self.nodes.len() as NodeId
    }

    pub(super) fn find(&self, hash: &Hash) -> Option<NodeId> {
        self.by_hash.get(hash).copied()
    }

    pub(super) fn is_waiting(&self, hash: &Hash) -> bool {
        self.waiting.contains_key(hash)
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The entries that others wait for.
    pub(super) fn missing(&self) -> Vec<Hash> {
        let mut missing: Vec<Hash> =
            self.awaited.keys().filter(|hash| !self.waiting.contains_key(*hash)).copied().collect();
        missing.sort_unstable();
        missing
    }

    /// Whether `later` had seen `earlier` (or is it).
    pub(super) fn saw(&self, later: NodeId, earlier: NodeId) -> bool {
        self.node(later).clock.holds(self.node(earlier))
    }

    /// Whether `earlier` is `later` or stands before it on the same branch of the same log.
    pub(super) fn on_branch(&self, earlier: NodeId, later: NodeId) -> bool {
        let (earlier, later) = (self.node(earlier), self.node(later));
        let (mut chain, mut index) = (later.chain, later.index);
        while chain != earlier.chain {
            match self.chains.get(chain as usize).and_then(|chain| chain.parent) {
                Some(parent) => (chain, index) = parent,
                None => return false,
            }
        }
        earlier.index <= index
    }

    /// The last entry at or before this one, on its branch, that ends a commit.
    pub(super) fn commit_end(&self, id: NodeId) -> Option<NodeId> {
        let mut at = Some(id);
        while let Some(id) = at {
            let node = self.node(id);
            if node.entry.ends_commit {
                return Some(id);
            }
            at = node.previous;
        }
        None
    }

    /// The last node of each chain for which `holds`.
    pub(super) fn last_of_chains(&self, holds: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
        let mut last: Vec<Option<NodeId>> = vec![None; self.chains.len()];
        for id in self.ids() {
            if holds(id)
                && let Some(slot) = last.get_mut(self.node(id).chain as usize)
            {
                *slot = Some(id);
            }
        }
        last.into_iter().flatten().collect()
    }

    /// Those of the given nodes that none of the others had seen.
    pub(super) fn maximal(&self, nodes: &[NodeId]) -> Vec<NodeId> {
        let seen = |node: NodeId| nodes.iter().any(|other| *other != node && self.saw(*other, node));
        nodes.iter().copied().filter(|node| !seen(*node)).collect()
    }

    /// Adds an entry, and with it those that waited for it.
    pub(super) fn add(&mut self, entry: ControlEntry) -> Added {
        let mut added = Added::default();
        let mut ready = vec![entry];
        while let Some(entry) = ready.pop() {
            if self.by_hash.contains_key(&entry.hash) {
                continue;
            }
            if let Some(missing) = self.first_missing(&entry) {
                self.wait(entry, missing);
                continue;
            }
            let hash = entry.hash;
            self.push(entry, &mut added);
            for waiter in self.awaited.remove(&hash).unwrap_or_default() {
                let Some(entry) = self.waiting.remove(&waiter) else { continue };
                self.waiting_bytes = self.waiting_bytes.saturating_sub(weight(&entry));
                ready.push(entry);
            }
        }
        added
    }

    fn wait(&mut self, entry: ControlEntry, missing: Hash) {
        let (hash, weight) = (entry.hash, weight(&entry));
        if self.waiting.insert(hash, entry).is_none() {
            self.waiting_bytes = self.waiting_bytes.saturating_add(weight);
            self.awaited.entry(missing).or_default().push(hash);
        }
    }

    /// Whether an entry can be taken: nothing that could come in at once is ever refused.
    pub(super) fn has_room_for(&self, entry: &ControlEntry) -> bool {
        let waits = || self.first_missing(entry).is_some();
        let full = self.waiting.len() >= limits::CONTROL_WAITING || self.waiting_bytes >= limits::CONTROL_WAITING_BYTES;
        !full || !waits()
    }

    fn first_missing(&self, entry: &ControlEntry) -> Option<Hash> {
        let references = entry.references.iter().map(|reference| &reference.hash);
        entry.previous.iter().chain(references).find(|hash| !self.by_hash.contains_key(hash)).copied()
    }

    fn push(&mut self, entry: ControlEntry, added: &mut Added) {
        let id = self.nodes.len() as NodeId;
        let previous = entry.previous.and_then(|hash| self.find(&hash));
        let mut clock = Clock::default();
        let mut straight = self.follows(&entry, previous);
        for reference in &entry.references {
            let Some(seen) = self.find(&reference.hash) else { continue };
            let seen = self.node(seen);
            straight &= seen.log == reference.log && seen.entry.position == reference.position;
            clock.join(&seen.clock);
        }
        if let Some(previous) = previous {
            clock.join(&self.node(previous).clock);
        }
        let sound = straight && entry.position < limits::CONTROL_POSITIONS && self.is_sound(&entry, &clock);
        let (chain, index) = self.place(previous);
        clock.add(chain, index);
        self.by_hash.insert(entry.hash, id);
        self.by_author.entry(entry.log.device).or_default().push(id);
        if let Some(device) = role_given(&entry.body) {
            self.about.entry(device).or_default().push(id);
        }
        match &entry.body {
            ControlBody::Found(_) if sound => self.founding.push(id),
            ControlBody::Adopt(_) => self.adoptions.push(id),
            body if fencing(body).is_some() => self.fencing.push(id),
            _ => {}
        }
        let ends_commit = entry.ends_commit;
        let log = entry.log.id();
        self.nodes.push(Node { entry, log, chain, index, previous, clock, sound, whole: ends_commit });
        if ends_commit {
            added.completed |= self.complete(previous);
        }
        added.nodes.push(id);
    }

    /// Whether the entry stands behind the one that it names as previous.
    fn follows(&self, entry: &ControlEntry, previous: Option<NodeId>) -> bool {
        match previous.map(|previous| &self.node(previous).entry) {
            None => entry.position == 0,
            Some(previous) => previous.log == entry.log && previous.position.checked_add(1) == Some(entry.position),
        }
    }

    fn place(&mut self, previous: Option<NodeId>) -> (u32, u32) {
        let parent = previous.map(|previous| (self.node(previous).chain, self.node(previous).index));
        if let Some((chain, index)) = parent
            && let Some(found) = self.chains.get_mut(chain as usize)
            && found.length == index + 1
        {
            found.length += 1;
            return (chain, index + 1);
        }
        self.chains.push(Chain { parent, length: 1 });
        (self.chains.len() as u32 - 1, 0)
    }

    /// Marks the entries of a commit as whole, from the one before its end backwards.
    fn complete(&mut self, mut at: Option<NodeId>) -> bool {
        let mut completed = false;
        while let Some(node) = at.and_then(|id| self.nodes.get_mut(id as usize)) {
            if node.whole {
                break;
            }
            node.whole = true;
            completed = true;
            at = node.previous;
        }
        completed
    }

    /// The founding entry among some ancestors. Several can only be the same body again.
    pub(super) fn founding_in(&self, clock: Option<&Clock>) -> Option<NodeId> {
        let within = |id: &NodeId| clock.is_none_or(|clock| clock.holds(self.node(*id)));
        self.founding.iter().copied().find(within)
    }

    /// Whether a device is the recovery key, as far as these ancestors tell.
    pub(super) fn is_recovery(&self, device: DeviceId, clock: Option<&Clock>) -> bool {
        self.founding_in(clock).is_some_and(|id| match &self.node(id).entry.body {
            ControlBody::Found(body) => body.recovery == device,
            _ => false,
        })
    }

    fn is_sound(&self, entry: &ControlEntry, clock: &Clock) -> bool {
        let genuine = |device, fences: &[super::Fence]| {
            !self.is_recovery(device, Some(clock)) && fences.iter().all(|fence| fence.is_genuine(self.project, device))
        };
        match &entry.body {
            // Had it seen anything, a removed founder could found the project again after its removal, and be back.
            ControlBody::Found(body) => {
                let first = entry.position == 0 && entry.references.is_empty();
                first && body.founder == entry.log.device && body.project() == self.project
            }
            ControlBody::Incarnation(_) => entry.position == 0,
            ControlBody::Admit(body) => {
                !self.is_recovery(body.device, Some(clock)) && self.consent_is_genuine(body, clock)
            }
            ControlBody::Role(body) => genuine(body.device, body.fences.as_deref().unwrap_or_default()),
            ControlBody::Remove(body) => genuine(body.device, &body.fences),
            ControlBody::Adopt(body) => genuine(body.device, &body.fences),
            ControlBody::Unknown(_) => false,
            _ => true,
        }
    }

    fn consent_is_genuine(&self, body: &AdmitBody, clock: &Clock) -> bool {
        let Some(consent) = &body.consent else { return true };
        let Some(invite) = self.invite(&consent.invite, Some(clock)) else { return false };
        let message = consent_message(self.project, &invite.key, body.device, &body.exchange);
        body.device.verify(&message, &consent.signature).is_ok()
    }

    fn invite(&self, hash: &Hash, clock: Option<&Clock>) -> Option<&InviteBody> {
        let node = self.node(self.find(hash)?);
        match &node.entry.body {
            ControlBody::Invite(body) if clock.is_none_or(|clock| clock.holds(node)) => Some(body),
            _ => None,
        }
    }
}

/// Bytes that an entry takes while it waits, roughly.
fn weight(entry: &ControlEntry) -> usize {
    let body = entry.body.encode().len();
    body.saturating_add(entry.references.len().saturating_mul(72)).saturating_add(size_of::<ControlEntry>())
}

/// The device to which an entry gives (or from which it takes) a role.
fn role_given(body: &ControlBody) -> Option<DeviceId> {
    match body {
        ControlBody::Found(body) => Some(body.founder),
        ControlBody::Admit(body) => Some(body.device),
        ControlBody::Role(body) => Some(body.device),
        ControlBody::Remove(body) => Some(body.device),
        _ => None,
    }
}
