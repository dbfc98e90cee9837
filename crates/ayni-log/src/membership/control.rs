//! A control entry as the view takes it: out of its log, with everything that it refers to named by hash.

use crate::entry::{Entry, seed_of};
use crate::header::Declaration;
use crate::ids::{Hash, LogId, LogName};
use crate::tip::Tip;

use super::body::ControlBody;

/// One entry of a control log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlEntry {
    /// Its log.
    pub log: LogName,
    /// Its position there.
    pub position: u64,
    /// Its hash.
    pub hash: Hash,
    /// The hash of the entry before it in its log; `None` at position 0.
    pub previous: Option<Hash>,
    /// The control entries that its header anchors: what its author had seen of others.
    pub references: Vec<ControlReference>,
    /// Whether it ends its commit.
    pub ends_commit: bool,
    /// The wall time that its author claims: milliseconds since 1970.
    pub time: i64,
    /// What it says; of a header of an unknown version, [`ControlBody::Unknown`].
    pub body: ControlBody,
}

/// A control entry of another log, as a header anchors it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ControlReference {
    /// Its log.
    pub log: LogId,
    /// Its position there.
    pub position: u64,
    /// Its hash.
    pub hash: Hash,
}

/// A control entry without its payload. Control logs travel whole; whoever sends one otherwise breaks the protocol, and
/// nothing of the segment may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("control entry {position} came without its payload")]
pub struct PayloadMissing {
    /// Its position.
    pub position: u64,
}

/// Takes a run of verified entries of a control log out of it. `before` is the branch's tip in front of the first: what was
/// given to [`verify`](crate::segment::verify) along with their segment.
///
/// # Errors
/// [`PayloadMissing`] when a payload was held back, as control logs never allow.
pub fn control_entries(entries: &[Entry], before: &Tip) -> Result<Vec<ControlEntry>, PayloadMissing> {
    let log = *before.name();
    let mut anchored: Vec<LogId> = before.anchors().map(|(_, anchored)| anchored.log).collect();
    let mut previous = before.hash();
    let seed = seed_of(before.id());
    let mut taken = Vec::with_capacity(entries.len());
    for entry in entries {
        let v1 = entry.header.v1();
        let mut references = Vec::new();
        for declaration in v1.iter().flat_map(|body| &body.declarations) {
            let Declaration::Anchor(anchor) = declaration else { continue };
            if let Some(log) = anchor.log {
                anchored.push(log);
            }
            let index = (anchor.number as usize).checked_sub(1);
            if let Some(log) = index.and_then(|index| anchored.get(index)) {
                references.push(ControlReference { log: *log, position: anchor.position, hash: anchor.hash });
            }
        }
        let payload = entry.payload.as_ref().ok_or(PayloadMissing { position: entry.position })?;
        let body = match v1 {
            Some(_) => ControlBody::read(payload),
            None => ControlBody::Unknown(payload.clone()),
        };
        taken.push(ControlEntry {
            log,
            position: entry.position,
            hash: entry.hash,
            previous: (previous != seed).then_some(previous),
            references,
            ends_commit: entry.header.ends_commit,
            time: v1.map_or(0, |body| body.time),
            body,
        });
        previous = entry.hash;
    }
    Ok(taken)
}
