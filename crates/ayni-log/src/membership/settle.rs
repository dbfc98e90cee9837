//! Settling: which control entries count, whatever the order in which they came.
//!
//! An entry counts when its author had the right to it by what it had seen, and no fence excludes it. Fences are made by
//! entries that must themselves count, so removals are applied one at a time: again and again the highest-ranked one that
//! counts and is not applied, never undoing one. Rank: the recovery key first; then the depth of the author's best
//! admission that counts; the rank of who admitted it; the position of that admission; its hash; among removals of one
//! author the position, then the hash. So coordinators who remove each other, in circles too, settle alike everywhere.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::ids::{DeviceId, Hash};

use super::body::ControlBody;
use super::fences::{Fences, fencing, role_left};
use super::graph::{Clock, Graph, NodeId};
use super::people::Role;

/// What follows from a graph.
#[derive(Debug, Clone, Default)]
pub(super) struct Settled {
    /// Whether each node counts.
    pub(super) valid: Vec<bool>,
    /// Whether a fence excludes it.
    pub(super) fenced: Vec<bool>,
    /// Whether its author was in the project by what it had seen.
    pub(super) present: Vec<bool>,
    /// Whether it would count if no fence existed: by its ancestors alone, so never changing.
    pub(super) apparent: Vec<bool>,
    pub(super) fences: Fences,
    /// The fencing entries in the order in which they were applied.
    pub(super) applied: Vec<NodeId>,
}

/// The role of a device by those of the flagged entries that `clock` holds (`None`: all): what the latest say, and the
/// least of that where they had not seen each other.
pub(super) fn role_in(graph: &Graph, flags: &[bool], device: DeviceId, clock: Option<&Clock>) -> Option<Role> {
    if graph.is_recovery(device, clock) {
        return Some(Role::Coordinator);
    }
    latest_about(graph, flags, device, clock).iter().filter_map(|id| role_left(&graph.node(*id).entry.body)).min()
}

/// The flagged entries about a device's role that no other of them had seen.
fn latest_about(graph: &Graph, flags: &[bool], device: DeviceId, clock: Option<&Clock>) -> Vec<NodeId> {
    let mut latest: Vec<NodeId> = Vec::new();
    // Later nodes come first, so whatever had seen a node was looked at before it.
    for id in graph.about.get(&device).into_iter().flatten().rev() {
        let flagged = flags.get(*id as usize).copied().unwrap_or_default();
        let within = clock.is_none_or(|clock| clock.holds(graph.node(*id)));
        if flagged && within && !latest.iter().any(|later| graph.saw(*later, *id)) {
            latest.push(*id);
        }
    }
    latest
}

/// Whether the author of a node was in the project, in whatever role, given which of its ancestors count.
fn is_present(graph: &Graph, flags: &[bool], id: NodeId) -> bool {
    let node = graph.node(id);
    let founds = matches!(node.entry.body, ControlBody::Found(_)) && node.sound;
    founds || role_in(graph, flags, node.entry.log.device, Some(&node.clock)) > Some(Role::Removed)
}

/// Whether the author of a node had the right to write it, given which of its ancestors count.
fn has_right(graph: &Graph, flags: &[bool], id: NodeId) -> bool {
    let node = graph.node(id);
    if !node.sound || !node.whole {
        return false;
    }
    let author = node.entry.log.device;
    // The node itself is not flagged yet, so what it says of its author does not count here.
    let role = || role_in(graph, flags, author, Some(&node.clock)).unwrap_or(Role::Removed);
    match &node.entry.body {
        ControlBody::Found(_) => true,
        ControlBody::Incarnation(_) | ControlBody::Retention(_) => role() > Role::Removed,
        ControlBody::DeviceName(body) if body.device == author => role() > Role::Removed,
        _ => role() == Role::Coordinator,
    }
}

impl Settled {
    /// Settles from nothing.
    pub(super) fn of(graph: &Graph) -> Self {
        let mut settled = Self::default();
        for id in graph.ids() {
            let apparent = has_right(graph, &settled.apparent, id);
            settled.apparent.push(apparent);
        }
        settled.evaluate(graph);
        while let Some(next) = settled.highest_ranked(graph) {
            settled.apply(graph, next);
        }
        settled
    }

    /// Takes in one more node that fences nothing and that no fence names: what stood before is not affected by it.
    pub(super) fn extend(&mut self, graph: &Graph, id: NodeId) {
        let apparent = has_right(graph, &self.apparent, id);
        self.apparent.push(apparent);
        let fenced = self.fences.exclude(graph, id);
        self.fenced.push(fenced);
        self.present.push(is_present(graph, &self.valid, id));
        let valid = !fenced && has_right(graph, &self.valid, id);
        self.valid.push(valid);
    }

    fn evaluate(&mut self, graph: &Graph) {
        self.fenced = graph.ids().map(|id| self.fences.exclude(graph, id)).collect();
        self.valid = Vec::with_capacity(self.fenced.len());
        let mut applied = vec![false; self.fenced.len()];
        for id in &self.applied {
            if let Some(flag) = applied.get_mut(*id as usize) {
                *flag = true;
            }
        }
        self.present = Vec::with_capacity(self.fenced.len());
        for (id, (applied, fenced)) in graph.ids().zip(applied.into_iter().zip(&self.fenced)) {
            self.present.push(is_present(graph, &self.valid, id));
            let valid = applied || (!fenced && has_right(graph, &self.valid, id));
            self.valid.push(valid);
        }
    }

    fn apply(&mut self, graph: &Graph, id: NodeId) {
        self.applied.push(id);
        let Some((device, _)) = fencing(&graph.node(id).entry.body) else { return };
        let about: Vec<NodeId> = self
            .applied
            .iter()
            .copied()
            .filter(|id| fencing(&graph.node(*id).entry.body).is_some_and(|(of, _)| of == device))
            .collect();
        self.fences.set(graph, &self.apparent, device, &about);
        let of_device = graph.by_author.get(&device);
        let changed = of_device
            .into_iter()
            .flatten()
            .any(|id| self.fenced.get(*id as usize).copied() != Some(self.fences.exclude(graph, *id)));
        if changed {
            self.evaluate(graph);
        }
    }

    fn highest_ranked(&self, graph: &Graph) -> Option<NodeId> {
        let open = |id: &NodeId| self.is_valid(*id) && !self.applied.contains(id);
        let candidates: Vec<NodeId> = graph.fencing.iter().copied().filter(open).collect();
        if candidates.len() < 2 {
            return candidates.first().copied();
        }
        let ranks = Ranks::of(graph, &self.valid);
        candidates.into_iter().min_by(|a, b| ranks.compare_removals(*a, *b))
    }

    pub(super) fn is_valid(&self, id: NodeId) -> bool {
        self.valid.get(id as usize).copied().unwrap_or_default()
    }

    /// Whether its author was in the project when writing it, and no fence says otherwise.
    pub(super) fn is_inside(&self, id: NodeId) -> bool {
        self.fenced.get(id as usize) == Some(&false) && self.present.get(id as usize) == Some(&true)
    }

    pub(super) fn is_apparent(&self, id: NodeId) -> bool {
        self.apparent.get(id as usize).copied().unwrap_or_default()
    }
}

/// By which admission a device stands where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Recovery,
    Founder,
    Admission(NodeId),
    /// No admission that counts: below everyone.
    None,
}

/// The ranks of admissions that count.
struct Ranks<'a> {
    graph: &'a Graph,
    valid: &'a [bool],
    /// For each admission: its depth, and by what its author stood.
    admissions: HashMap<NodeId, (u32, Standing)>,
}

impl<'a> Ranks<'a> {
    fn of(graph: &'a Graph, valid: &'a [bool]) -> Self {
        let mut ranks = Self { graph, valid, admissions: HashMap::new() };
        for id in graph.ids() {
            let node = graph.node(id);
            if valid.get(id as usize) == Some(&true) && matches!(node.entry.body, ControlBody::Admit(_)) {
                let standing = ranks.standing(id);
                let depth = ranks.depth(standing).saturating_add(1);
                ranks.admissions.insert(id, (depth, standing));
            }
        }
        ranks
    }

    /// How the author of an entry stood by what it had seen.
    fn standing(&self, id: NodeId) -> Standing {
        let node = self.graph.node(id);
        let author = node.entry.log.device;
        if self.graph.is_recovery(author, Some(&node.clock)) {
            return Standing::Recovery;
        }
        let mut best = Standing::None;
        for about in self.graph.about.get(&author).into_iter().flatten().copied().filter(|about| *about != id) {
            if self.valid.get(about as usize) != Some(&true) || !node.clock.holds(self.graph.node(about)) {
                continue;
            }
            let standing = match &self.graph.node(about).entry.body {
                ControlBody::Found(_) => Standing::Founder,
                ControlBody::Admit(_) => Standing::Admission(about),
                _ => continue,
            };
            if self.compare(standing, best) == Ordering::Less {
                best = standing;
            }
        }
        best
    }

    fn depth(&self, standing: Standing) -> u32 {
        match standing {
            Standing::Recovery | Standing::Founder => 0,
            Standing::Admission(id) => self.admissions.get(&id).map_or(u32::MAX, |(depth, _)| *depth),
            Standing::None => u32::MAX,
        }
    }

    /// Less is higher: by depth, then whoever admitted, then where.
    fn compare(&self, a: Standing, b: Standing) -> Ordering {
        let mut outcome = Ordering::Equal;
        let (mut a, mut b) = (a, b);
        let by_depth = self.depth(a).cmp(&self.depth(b));
        if by_depth != Ordering::Equal {
            return by_depth;
        }
        // Both chains of admissions are equally long: the difference nearest to their root decides.
        loop {
            match (a, b) {
                (Standing::Admission(x), Standing::Admission(y)) => {
                    let here = self.place(x).cmp(&self.place(y));
                    outcome = if here == Ordering::Equal { outcome } else { here };
                    a = self.admissions.get(&x).map_or(Standing::None, |(_, standing)| *standing);
                    b = self.admissions.get(&y).map_or(Standing::None, |(_, standing)| *standing);
                }
                _ => return root(a).cmp(&root(b)).then(outcome),
            }
        }
    }

    fn place(&self, id: NodeId) -> (u64, Hash) {
        let entry = &self.graph.node(id).entry;
        (entry.position, entry.hash)
    }

    fn compare_removals(&self, a: NodeId, b: NodeId) -> Ordering {
        let (x, y) = (self.standing(a), self.standing(b));
        self.compare(x, y).then_with(|| self.place(a).cmp(&self.place(b)))
    }
}

fn root(standing: Standing) -> u8 {
    match standing {
        Standing::Recovery => 0,
        Standing::Founder => 1,
        Standing::Admission(_) => 2,
        Standing::None => 3,
    }
}
