//! Fences: where the branches of removed and demoted devices end.
//!
//! Entries that fence are removals, and role entries that demote. Of those about one device, one that had seen another
//! overrides it, unless the device was given its rights back in between (then both periods have their own end). Among
//! those that had not seen each other the highest fence stands. Past a fence an entry is out unless its author had seen
//! the entry that fences.

use std::collections::HashMap;

use crate::ids::{DeviceId, LogId, LogKind};

use super::body::ControlBody;
use super::graph::{Graph, NodeId};
use super::people::{Fence, Role};

/// The fences of an entry, if it is one that fences, and whose.
pub(super) fn fencing(body: &ControlBody) -> Option<(DeviceId, &[Fence])> {
    match body {
        ControlBody::Remove(body) => Some((body.device, &body.fences)),
        ControlBody::Role(body) => body.fences.as_ref().map(|fences| (body.device, fences.as_slice())),
        _ => None,
    }
}

/// The role that an entry leaves the device with, if it is about one.
pub(super) fn role_left(body: &ControlBody) -> Option<Role> {
    match body {
        ControlBody::Found(_) => Some(Role::Coordinator),
        ControlBody::Admit(body) => Some(body.role),
        ControlBody::Role(body) => Some(body.role),
        ControlBody::Remove(_) => Some(Role::Removed),
        _ => None,
    }
}

/// One fencing entry that stands.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) node: NodeId,
    /// For control logs: the last entries that count, at ends of commits.
    control: Vec<NodeId>,
}

/// All fencing entries that stand, by device and kind of log.
#[derive(Debug, Clone, Default)]
pub(super) struct Fences {
    standing: HashMap<(DeviceId, LogKind), Vec<Standing>>,
}

impl Fences {
    /// Sets what stands about one device, given all applied entries that fence it.
    pub(super) fn set(&mut self, graph: &Graph, apparent: &[bool], device: DeviceId, applied: &[NodeId]) {
        for kind in [LogKind::Control, LogKind::Data] {
            let acting: Vec<NodeId> = applied
                .iter()
                .copied()
                .filter(|id| role_left(&graph.node(*id).entry.body).is_some_and(|role| !role.writes(kind)))
                .collect();
            let overridden =
                |id: NodeId| acting.iter().any(|later| overrides(graph, apparent, device, kind, *later, id));
            let standing: Vec<Standing> = acting
                .iter()
                .filter(|id| !overridden(**id))
                .map(|id| Standing { node: *id, control: control_ends(graph, kind, *id) })
                .collect();
            if standing.is_empty() {
                self.standing.remove(&(device, kind));
            } else {
                self.standing.insert((device, kind), standing);
            }
        }
    }

    pub(super) fn standing(&self, device: DeviceId, kind: LogKind) -> &[Standing] {
        self.standing.get(&(device, kind)).map_or(&[], Vec::as_slice)
    }

    /// Whether a control entry lies past a fence that its author had not seen. The founding entry never does: the project's
    /// id vouches for it.
    pub(super) fn exclude(&self, graph: &Graph, id: NodeId) -> bool {
        let entry = &graph.node(id).entry;
        if matches!(entry.body, ControlBody::Found(_)) {
            return false;
        }
        let author = entry.log.device;
        let standing = self.standing(author, LogKind::Control);
        let within = |fence: &Standing| fence.control.iter().any(|end| graph.on_branch(id, *end));
        standing
            .iter()
            .any(|fence| !graph.saw(id, fence.node) && !raised_by(graph, author, standing, fence).any(within))
    }
}

/// The fences that an entry sets for one log.
pub(super) fn fences_of_log(graph: &Graph, id: NodeId, log: LogId) -> impl Iterator<Item = &Fence> {
    let (project, body) = (graph.project, &graph.node(id).entry.body);
    let (device, fences) = match body {
        ControlBody::Adopt(body) => (body.device, body.fences.as_slice()),
        body => fencing(body).unwrap_or((DeviceId([0; 32]), &[])),
    };
    fences.iter().filter(move |fence| fence.log(project, device).id() == log)
}

/// A standing fence and those concurrent with it, any of which may reach higher. What a device says of its own end does
/// not raise what others say.
pub(super) fn raised_by<'a>(
    graph: &'a Graph,
    device: DeviceId,
    standing: &'a [Standing],
    fence: &'a Standing,
) -> impl Iterator<Item = &'a Standing> {
    standing.iter().filter(move |other| {
        let concurrent = !graph.saw(other.node, fence.node) && !graph.saw(fence.node, other.node);
        other.node == fence.node || (concurrent && graph.node(other.node).entry.log.device != device)
    })
}

fn overrides(
    graph: &Graph,
    apparent: &[bool],
    device: DeviceId,
    kind: LogKind,
    later: NodeId,
    earlier: NodeId,
) -> bool {
    let restores = |id: &NodeId| {
        let gives = role_left(&graph.node(*id).entry.body).is_some_and(|role| role.writes(kind));
        gives
            && apparent.get(*id as usize).copied().unwrap_or_default()
            && graph.saw(*id, earlier)
            && graph.saw(later, *id)
    };
    later != earlier && graph.saw(later, earlier) && !graph.about.get(&device).into_iter().flatten().any(restores)
}

/// The control entries at which an entry's fences stand. One that is not here yet keeps everything out until it is.
fn control_ends(graph: &Graph, kind: LogKind, id: NodeId) -> Vec<NodeId> {
    if kind == LogKind::Data {
        return Vec::new();
    }
    let Some((device, fences)) = fencing(&graph.node(id).entry.body) else { return Vec::new() };
    let end = |fence: &Fence| {
        let end = graph.find(&fence.hash)?;
        let node = graph.node(end);
        let named = node.entry.log == fence.log(graph.project, device)
            && node.entry.position.checked_add(1) == Some(fence.length);
        if named { graph.commit_end(end) } else { None }
    };
    fences.iter().filter_map(end).collect()
}
