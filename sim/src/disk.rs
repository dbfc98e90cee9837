//! A disk: what it has synced, what was written since, and what a power cut leaves of that.
//!
//! Files are taken to exist from the moment they are made, and to be gone once deleted. Of what was written and not synced
//! a power cut keeps anything: all, nothing, some writes and not those before them, some sectors of a write.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::dice::Dice;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// After so many more writes and syncs the power goes.
    PowerCutIn(u64),
    /// After so many more syncs the power goes, in the middle of one.
    PowerCutAtSync(u64),
    /// The power is gone: nothing works any more.
    Off,
    /// After so many more writes there is no room for another.
    FullIn(u64),
}

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The power is gone.
    Off,
    /// There is no room.
    Full,
}

/// The disk of one device.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, File>,
    trouble: Trouble,
    /// How often an operation was refused for want of room.
    refused: u64,
    open: usize,
}

#[derive(Debug, Default)]
struct File {
    synced: Vec<u8>,
    since: Vec<Write>,
}

/// What an operation does to a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Write,
    Sync,
    Delete,
}

#[derive(Debug)]
enum Write {
    Bytes(usize, Vec<u8>),
    Length(usize),
}

/// What the power cut left, for the census.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Left {
    /// Writes that were not synced.
    pub(crate) unsynced: usize,
    /// Those that are lost.
    pub(crate) lost: usize,
    /// Those of which some sectors are lost.
    pub(crate) torn: usize,
}

impl Disk {
    /// Sets what goes wrong from now on.
    pub(crate) fn set(&self, trouble: Trouble) {
        self.state().trouble = trouble;
    }

    /// Whether the power is gone.
    pub(crate) fn is_off(&self) -> bool {
        self.state().trouble == Trouble::Off
    }

    /// Whether there is, or soon will be, no room.
    pub(crate) fn is_filling(&self) -> bool {
        matches!(self.state().trouble, Trouble::FullIn(_))
    }

    /// How many operations found no room since this was last asked.
    pub(crate) fn take_refused(&self) -> u64 {
        std::mem::take(&mut self.state().refused)
    }

    /// How many files are open.
    pub(crate) fn open_files(&self) -> usize {
        self.state().open
    }

    /// Forgets what is known of the files: others were put in their place.
    pub(crate) fn forget(&self) {
        self.state().files.clear();
    }

    /// The power came back: the files become what the disk still holds, drawn from `dice`, and it works again.
    ///
    /// # Errors
    /// If the real disk fails.
    pub(crate) fn after_power_cut(&self, dice: &mut Dice) -> std::io::Result<Left> {
        let mut state = self.state();
        state.trouble = Trouble::None;
        let mut left = Left::default();
        // How much such a disk keeps: nothing, anything, or all.
        let kept = [0, 50, 95, 100][dice.below(4)];
        for (path, file) in std::mem::take(&mut state.files) {
            let mut content = file.synced;
            for write in file.since {
                left.unsynced += 1;
                match dice.percent(kept) {
                    true => write.apply(&mut content),
                    false if dice.percent(30) => {
                        left.torn += 1;
                        write.apply_torn(&mut content, dice);
                    }
                    false => left.lost += 1,
                }
            }
            if path.exists() {
                std::fs::write(&path, content)?;
            }
        }
        Ok(left)
    }

    pub(crate) fn opened(&self, path: &Path) {
        let mut state = self.state();
        state.open += 1;
        if !state.files.contains_key(path) {
            let synced = std::fs::read(path).unwrap_or_default();
            state.files.insert(path.to_owned(), File { synced, since: Vec::new() });
        }
    }

    pub(crate) fn closed(&self) {
        self.state().open -= 1;
    }

    pub(crate) fn reading(&self) -> Result<(), Failure> {
        if self.is_off() { Err(Failure::Off) } else { Ok(()) }
    }

    /// A write is to be done: of one that the power cut interrupts the disk may have done a part.
    pub(crate) fn writing(&self, path: &Path, offset: usize, bytes: &[u8]) -> Result<(), Failure> {
        self.changing(path, || Write::Bytes(offset, bytes.to_vec()))
    }

    pub(crate) fn truncating(&self, path: &Path, length: usize) -> Result<(), Failure> {
        self.changing(path, || Write::Length(length))
    }

    pub(crate) fn syncing(&self, path: &Path) -> Result<(), Failure> {
        let mut state = self.state();
        state.step(Change::Sync)?;
        if let Some(file) = state.files.get_mut(path) {
            let File { synced, since } = file;
            since.drain(..).for_each(|write| write.apply(synced));
        }
        Ok(())
    }

    pub(crate) fn deleting(&self, path: &Path) -> Result<(), Failure> {
        let mut state = self.state();
        state.step(Change::Delete)?;
        state.files.remove(path);
        Ok(())
    }

    fn changing(&self, path: &Path, write: impl FnOnce() -> Write) -> Result<(), Failure> {
        let mut state = self.state();
        let was_off = state.trouble == Trouble::Off;
        let step = state.step(Change::Write);
        if step.is_ok() || (step == Err(Failure::Off) && !was_off) {
            state.files.entry(path.to_owned()).or_default().since.push(write());
        }
        step
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn step(&mut self, what: Change) -> Result<(), Failure> {
        let (syncs, takes_room) = (what == Change::Sync, what == Change::Write);
        match &mut self.trouble {
            Trouble::None => Ok(()),
            Trouble::Off => Err(Failure::Off),
            Trouble::PowerCutAtSync(_) if !syncs => Ok(()),
            Trouble::PowerCutIn(0) | Trouble::PowerCutAtSync(0) => {
                self.trouble = Trouble::Off;
                Err(Failure::Off)
            }
            Trouble::FullIn(_) if !takes_room => Ok(()),
            Trouble::FullIn(0) => {
                self.refused += 1;
                Err(Failure::Full)
            }
            Trouble::PowerCutIn(left) | Trouble::PowerCutAtSync(left) | Trouble::FullIn(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

impl Write {
    fn apply(self, content: &mut Vec<u8>) {
        match self {
            Self::Bytes(offset, bytes) => put(content, offset, &bytes),
            Self::Length(length) => content.truncate(length),
        }
    }

    fn apply_torn(self, content: &mut Vec<u8>, dice: &mut Dice) {
        let Self::Bytes(mut offset, bytes) = self else { return };
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (sector, after) = rest.split_at(rest.len().min(SECTOR - offset % SECTOR));
            if dice.percent(50) {
                put(content, offset, sector);
            }
            offset += sector.len();
            rest = after;
        }
    }
}

fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    content.resize(content.len().max(offset + bytes.len()), 0);
    content[offset..offset + bytes.len()].copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_cut_keeps_all_that_was_synced_and_may_take_what_was_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut lost = 0;
        for seed in 0..40 {
            std::fs::write(&path, b"").unwrap();
            let disk = Disk::default();
            disk.opened(&path);
            disk.writing(&path, 0, &[1; 700]).unwrap();
            disk.syncing(&path).unwrap();
            disk.set(Trouble::PowerCutIn(1));
            disk.writing(&path, 700, &[2; 700]).unwrap();
            assert_eq!(disk.writing(&path, 1_400, &[3; 10]), Err(Failure::Off));
            assert_eq!(disk.syncing(&path), Err(Failure::Off));
            let left = disk.after_power_cut(&mut Dice::new(seed)).unwrap();
            assert_eq!(left.unsynced, 2);
            let content = std::fs::read(&path).unwrap();
            assert_eq!(content[..700], [1; 700]);
            lost += usize::from(content.len() < 1_400);
        }
        assert!((5..40).contains(&lost), "{lost}");
    }

    #[test]
    fn a_full_disk_syncs_and_reads_and_writes_nothing_more() {
        let disk = Disk::default();
        let path = Path::new("nowhere");
        disk.set(Trouble::FullIn(1));
        assert_eq!(disk.writing(path, 0, &[1]), Ok(()));
        assert_eq!(disk.writing(path, 1, &[1]), Err(Failure::Full));
        assert_eq!(disk.syncing(path), Ok(()));
        assert_eq!(disk.take_refused(), 1);
    }
}
