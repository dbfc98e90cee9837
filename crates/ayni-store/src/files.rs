//! Small files written so that a power cut leaves either the old or the new one, whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Options to open a file with; one that is made is for its owner only from the moment it exists (on Unix; elsewhere as
/// the folder says).
pub(crate) fn private() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there is no mode to set"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Replaces `path` by `bytes`, for its owner only: written beside it, synced, renamed over it, and the folder synced.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(&FileSystem, path, bytes)
}

/// Makes the names in the folder of `path` durable.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    FileSystem.sync_folder_of(path)
}

fn replace(disk: &impl Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_added_extension("new");
    disk.write_new(&beside, bytes)?;
    disk.sync(&beside)?;
    disk.rename(&beside, path)?;
    disk.sync_folder_of(path)
}

/// What replacing a file asks of a file system; the tests put one in its place that forgets what was not synced.
trait Disk {
    /// Writes a file for its owner only, in place of one that is there.
    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Makes the bytes of a file durable.
    fn sync(&self, path: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in the folder of `path` durable.
    fn sync_folder_of(&self, path: &Path) -> io::Result<()>;
}

struct FileSystem;

impl Disk for FileSystem {
    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        private().write(true).create_new(true).open(path)?.write_all(bytes)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        File::options().write(true).open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder_of(&self, path: &Path) -> io::Result<()> {
        #[cfg(unix)]
        if let Some(folder) = path.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            File::open(folder)?.sync_all()?;
        }
        #[cfg(not(unix))]
        let _ = path;
        Ok(())
    }
}

/// Makes `folder` if it is not there; a new one is for its owner only (on Unix), and so are those above it that are made.
pub(crate) fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The bytes of a file that may be `limit` long; `None` if there is none.
pub(crate) fn read_small(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    use std::io::Read;
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than it can be"));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::*;

    /// Files by number; what is durable of their bytes, and of their names.
    #[derive(Default)]
    struct Forgetful {
        bytes: RefCell<Vec<Vec<u8>>>,
        durable_bytes: RefCell<BTreeMap<usize, Vec<u8>>>,
        names: RefCell<BTreeMap<PathBuf, usize>>,
        durable_names: RefCell<BTreeMap<PathBuf, usize>>,
        steps_left: Cell<usize>,
    }

    impl Forgetful {
        fn step(&self) -> io::Result<()> {
            let left = self.steps_left.get().checked_sub(1).ok_or(io::ErrorKind::Other)?;
            self.steps_left.set(left);
            Ok(())
        }

        /// What may be found under a name after a power cut: a disk may have kept more names than it was asked to.
        fn found(&self, path: &Path) -> [Option<Vec<u8>>; 2] {
            [&self.names, &self.durable_names].map(|names| {
                let file = names.borrow().get(path).copied()?;
                Some(self.durable_bytes.borrow().get(&file).cloned().unwrap_or_default())
            })
        }
    }

    impl Disk for Forgetful {
        fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            self.step()?;
            let mut all = self.bytes.borrow_mut();
            self.names.borrow_mut().insert(path.to_owned(), all.len());
            all.push(bytes.to_owned());
            Ok(())
        }

        fn sync(&self, path: &Path) -> io::Result<()> {
            self.step()?;
            let file = self.names.borrow()[path];
            self.durable_bytes.borrow_mut().insert(file, self.bytes.borrow()[file].clone());
            Ok(())
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.step()?;
            let mut names = self.names.borrow_mut();
            let file = names.remove(from).unwrap();
            names.insert(to.to_owned(), file);
            Ok(())
        }

        fn sync_folder_of(&self, _: &Path) -> io::Result<()> {
            self.step()?;
            self.durable_names.replace(self.names.borrow().clone());
            Ok(())
        }
    }

    #[test]
    fn after_a_power_cut_a_key_file_is_the_old_or_the_new_one_whole_and_the_new_one_once_it_was_said_to_be_written() {
        let (path, old, new) = (Path::new("folder/ayni.key"), b"old".to_vec(), b"new".to_vec());
        for steps in 0.. {
            let disk = Forgetful::default();
            disk.steps_left.set(usize::MAX);
            replace(&disk, path, &old).unwrap();
            disk.steps_left.set(steps);
            let done = replace(&disk, path, &new).is_ok();
            for found in disk.found(path) {
                let found = found.unwrap();
                assert!(found == new || (!done && found == old), "after {steps} steps: {found:?}");
            }
            if done {
                break;
            }
        }
    }
}
