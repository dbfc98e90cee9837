//! What somebody learns from a device in one conversation: its logs, every entry of them verified from the beginning by
//! the rules of the log alone. So whoever serves what its author did not write is found out here, whatever it shows.

use std::collections::BTreeMap;

use ayni_log::entry::Entry;
use ayni_log::ids::{Hash, LogId, LogKind, LogName, ProjectId};
use ayni_log::membership::{ControlView, KeyRing, control_entries, founder};
use ayni_log::segment::{Admitted, Segment, replay, verify};
use ayni_log::sign::DeviceSecret;
use ayni_log::tip::Tip;

use crate::dice::Dice;

/// A segment that was verified.
pub(crate) struct Run {
    /// The hash of the entry before it.
    pub(crate) previous: Hash,
    /// The log in front of it.
    pub(crate) before: Tip,
    /// As it came.
    pub(crate) segment: Segment,
    /// Its entries, read.
    pub(crate) entries: Vec<Entry>,
    /// The log behind it.
    pub(crate) after: Tip,
}

impl Run {
    /// The log behind some entry of it that is not the last; in front of it, if it has but one.
    pub(crate) fn within(&self, dice: &mut Dice) -> Option<Tip> {
        let count = self.entries.len().checked_sub(1)?;
        self.up_to(if count == 0 { 0 } else { 1 + dice.below(count) })
    }

    fn up_to(&self, count: usize) -> Option<Tip> {
        let entries = self.entries.iter().take(count);
        replay(&self.before, entries.map(|entry| (entry.header_bytes.as_slice(), entry.payload.as_deref()))).ok()
    }
}

/// See the module.
pub(crate) struct Knowledge {
    project: ProjectId,
    /// Who is in the project.
    pub(crate) view: ControlView,
    /// The keys that were sealed to whoever learns.
    pub(crate) ring: KeyRing,
    /// What was verified, in the order in which it could be.
    pub(crate) runs: Vec<Run>,
    /// What came and could not be judged yet.
    waiting: Vec<(Hash, Segment)>,
    /// For each log and each hash at the end of a run: which run.
    ends: BTreeMap<(LogId, Hash), usize>,
}

impl Knowledge {
    /// Of somebody who knows nothing of a project but its id.
    pub(crate) fn new(project: ProjectId, secret: &DeviceSecret) -> Self {
        Self {
            project,
            view: ControlView::new(project),
            ring: KeyRing::new(project, secret),
            runs: Vec::new(),
            waiting: Vec::new(),
            ends: BTreeMap::new(),
        }
    }

    /// Takes in a segment; what is wrong with it, if something is.
    pub(crate) fn learn(&mut self, previous: Hash, bytes: &[u8]) -> Result<(), String> {
        let segment = Segment::decode(bytes, self.project).map_err(|error| error.to_string())?;
        if segment.entries.iter().any(|entry| entry.payload.is_none()) {
            return Err("serves an entry without its content, which nothing took away".into());
        }
        self.waiting.push((previous, segment));
        while let Some(place) = self.waiting.iter().position(|(previous, segment)| self.can_judge(*previous, segment)) {
            let (previous, segment) = self.waiting.remove(place);
            self.judge(previous, segment)?;
        }
        Ok(())
    }

    /// Whether an entry came and verified.
    pub(crate) fn holds(&self, log: &LogName, hash: &Hash) -> bool {
        let of_log = self.runs.iter().filter(|run| run.segment.log == *log);
        of_log.flat_map(|run| &run.entries).any(|entry| entry.hash == *hash)
    }

    /// How many segments came whose author was not admitted, or that follow nothing that came.
    pub(crate) fn left_over(&self) -> usize {
        self.waiting.len()
    }

    fn can_judge(&self, previous: Hash, segment: &Segment) -> bool {
        self.admission(segment).is_some() && self.before(previous, segment).is_some()
    }

    fn admission(&self, segment: &Segment) -> Option<Admitted> {
        let device = segment.log.device;
        let first = segment.entries.first().filter(|_| segment.start == 0).and_then(|entry| entry.payload.as_deref());
        self.view.admitted(device).or_else(|| founder(self.project, first?, device))
    }

    /// The log in front of a segment.
    fn before(&self, previous: Hash, segment: &Segment) -> Option<Tip> {
        if segment.start == 0 {
            return Some(Tip::new(segment.log));
        }
        if let Some(run) = self.ends.get(&(segment.log.id(), previous)).and_then(|run| self.runs.get(*run)) {
            return Some(run.after.clone());
        }
        // It forks off within a run.
        let within =
            |run: &&Run| run.segment.log == segment.log && run.entries.iter().any(|entry| entry.hash == previous);
        let run = self.runs.iter().find(within)?;
        let count = run.entries.iter().position(|entry| entry.hash == previous)? + 1;
        run.up_to(count)
    }

    fn judge(&mut self, previous: Hash, segment: Segment) -> Result<(), String> {
        let (Some(author), Some(before)) = (self.admission(&segment), self.before(previous, &segment)) else {
            return Ok(());
        };
        let log = segment.log;
        let (verified, after) = verify(segment.clone(), &before, &author)
            .map_err(|error| format!("serves what {} did not write: {error}", log.device))?;
        let entries = verified.into_inner().entries;
        if log.kind == LogKind::Control {
            let entries = control_entries(&entries, &before).map_err(|error| error.to_string())?;
            self.view.insert_all(entries).map_err(|error| error.to_string())?;
            self.ring.update(&self.view);
        }
        self.ends.insert((log.id(), after.hash()), self.runs.len());
        self.runs.push(Run { previous, before, segment, entries, after });
        Ok(())
    }
}
