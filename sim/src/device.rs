//! A simulated device: a real database in a folder of its own, on a disk, in an environment, and its user's knowledge.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ayni::{Database, DeviceId, Document, OpenError, Options, Project};

use crate::dice::Dice;
use crate::disk::Disk;
use crate::environment::{Environment, Time};
use crate::model::Known;
use crate::vfs::{self, Mounted};
use crate::views::Watched;

/// What is expected of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// All promises hold for it.
    Honest,
    /// It lies, or its folder was copied so that nothing can notice: its own edits may be lost.
    Dishonest,
    /// Nobody let it in.
    Stranger,
}

/// A copy of a folder, and what its user knew when it was made.
pub(crate) struct Backup {
    folder: PathBuf,
    known: Known,
}

/// See the module.
pub(crate) struct Device {
    /// What it is called in stories.
    pub(crate) name: &'static str,
    /// What is expected of it.
    pub(crate) nature: Nature,
    /// What it is given from outside.
    pub(crate) environment: Arc<Environment>,
    /// Where its files are.
    pub(crate) disk: Arc<Disk>,
    /// The documents that its user has open in some window.
    pub(crate) windows: Vec<Document>,
    /// The list that its user watches.
    pub(crate) watched: Option<Watched>,
    /// What its user has seen or written. It must never know less.
    pub(crate) known: Known,
    /// The same, with what was in folders that were replaced.
    pub(crate) ever: Known,
    /// The most entries that it ever held and could not show, for they waited for something.
    pub(crate) waited: u64,
    /// The copies of its folder.
    pub(crate) backups: Vec<Backup>,
    id: Option<DeviceId>,
    database: Option<Database>,
    folder: PathBuf,
    keys: PathBuf,
    checkpoint_pages: u32,
    _mounted: Mounted,
}

impl Device {
    /// With a folder below `home`, and a folder of keys that other devices may share.
    pub(crate) fn new(home: &Path, name: &'static str, keys: Option<&Path>, time: Arc<Time>, mut dice: Dice) -> Self {
        let folder = home.join(name).join("database");
        let disk = Arc::new(Disk::default());
        let checkpoint_pages = [8, 24, 100][dice.below(3)];
        Self {
            keys: keys.map_or_else(|| home.join(name).join("keys"), Path::to_owned),
            _mounted: vfs::mount(&folder, disk.clone()),
            folder,
            name,
            nature: Nature::Honest,
            environment: Arc::new(Environment::new(time, dice)),
            disk,
            windows: Vec::new(),
            watched: None,
            known: Known::new(),
            ever: Known::new(),
            waited: 0,
            backups: Vec::new(),
            id: None,
            database: None,
            checkpoint_pages,
        }
    }

    fn options(&self) -> Options {
        let mut options = Options::new(&self.keys);
        options.environment = self.environment.clone();
        options.store.vfs = Some(vfs::NAME.into());
        options.store.writer_cache = 64;
        options.store.reader_cache = 64;
        options.store.readers = 1;
        options.store.checkpoint_pages = self.checkpoint_pages;
        // Nobody else can give way while one waits.
        options.store.patience = Duration::from_millis(1);
        options
    }

    /// Makes its database.
    ///
    /// # Errors
    /// Those of [`Database::create`].
    pub(crate) fn create(&mut self) -> Result<(), ayni::Error> {
        let database = Database::create(&self.folder, self.name, self.options())?;
        self.id = Some(database.device());
        self.database = Some(database);
        Ok(())
    }

    /// Opens its database, if it is not open.
    ///
    /// # Errors
    /// Those of [`Database::open`].
    pub(crate) fn open(&mut self) -> Result<(), OpenError> {
        if self.database.is_none() {
            let database = Database::open(&self.folder, self.options())?;
            self.id = Some(database.device());
            self.database = Some(database);
        }
        Ok(())
    }

    /// Lets go of its database; all its conversations must be closed. Gives how many files are still open, which
    /// should be none.
    pub(crate) fn close(&mut self) -> usize {
        self.windows.clear();
        self.watched = None;
        self.environment.forget_jobs();
        self.database = None;
        self.disk.open_files()
    }

    /// Its database, if it is open.
    pub(crate) fn database(&self) -> Option<&Database> {
        self.database.as_ref()
    }

    /// Whether it is on.
    pub(crate) fn is_on(&self) -> bool {
        self.database.is_some()
    }

    /// Who it is, once it was on.
    pub(crate) fn id(&self) -> Option<DeviceId> {
        self.id
    }

    /// The project, if it is on and has asked for it at least.
    pub(crate) fn project(&self) -> Option<Project> {
        self.database()?.projects().ok()?.into_iter().next()
    }

    /// The power came back.
    ///
    /// # Errors
    /// If the real disk fails.
    pub(crate) fn after_power_cut(&self, dice: &mut Dice) -> std::io::Result<crate::disk::Left> {
        let left = self.disk.after_power_cut(dice)?;
        // What processes shared in memory is gone.
        let _ = std::fs::remove_file(self.folder.join("ayni.db-shm"));
        Ok(left)
    }

    /// What a power cut leaves of the folder of keys, which SQLite does not write: the hint is never synced, so it may be
    /// lost, cut off or an older one; of a file that is replaced the new one may lie beside it, cut off. Gives what happened.
    ///
    /// # Errors
    /// If the real disk fails.
    pub(crate) fn tear_keys(&self, dice: &mut Dice) -> std::io::Result<Vec<&'static str>> {
        let mut hurt = Vec::new();
        let mut files: Vec<PathBuf> = std::fs::read_dir(&self.keys)?.flatten().map(|entry| entry.path()).collect();
        files.sort_unstable();
        for path in files {
            let is_hint = path.extension().is_some_and(|extension| extension == "length");
            let is_beside = path.extension().is_some_and(|extension| extension == "new");
            match dice.below(4) {
                0 if is_hint => {
                    std::fs::remove_file(path)?;
                    hurt.push("key folder: hint lost");
                }
                1 if is_hint => {
                    std::fs::write(path, &[0; 7][..dice.below(8)])?;
                    hurt.push("key folder: hint cut off");
                }
                2 if is_hint => {
                    let held = std::fs::read(&path)?;
                    let older = held.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
                    std::fs::write(path, dice.between(0, older).to_be_bytes())?;
                    hurt.push("key folder: hint older");
                }
                0 if !is_beside => {
                    let bytes = std::fs::read(&path)?;
                    std::fs::write(path.with_added_extension("new"), &bytes[..dice.below(bytes.len() + 1)])?;
                    hurt.push("key folder: a file that was not put in place");
                }
                _ => {}
            }
        }
        Ok(hurt)
    }

    /// Copies its folder, which must be closed.
    ///
    /// # Errors
    /// If the real disk fails.
    pub(crate) fn back_up(&mut self) -> std::io::Result<()> {
        let folder = self.folder.with_file_name(format!("backup {}", self.backups.len()));
        copy_folder(&self.folder, &folder)?;
        self.backups.push(Backup { folder, known: self.known.clone() });
        Ok(())
    }

    /// Puts a copy in the place of its folder, which must be closed.
    ///
    /// # Errors
    /// If the real disk fails.
    pub(crate) fn restore(&mut self, backup: usize) -> std::io::Result<()> {
        let Some(backup) = self.backups.get(backup) else { return Ok(()) };
        std::fs::remove_dir_all(&self.folder)?;
        copy_folder(&backup.folder, &self.folder)?;
        self.disk.forget();
        self.known.clone_from(&backup.known);
        Ok(())
    }

    /// Gives another device a copy of its folder, which must be closed; and of its keys, if they do not share them.
    ///
    /// # Errors
    /// If the real disk fails.
    pub(crate) fn copy_to(&self, other: &mut Self) -> std::io::Result<()> {
        copy_folder(&self.folder, &other.folder)?;
        if self.keys != other.keys {
            copy_folder(&self.keys, &other.keys)?;
        }
        other.known.clone_from(&self.known);
        other.ever.clone_from(&self.ever);
        other.id = self.id;
        Ok(())
    }

    /// Makes a copied folder look as if it had always been here: what is kept outside it says so.
    ///
    /// # Errors
    /// If the real disk fails.
    pub(crate) fn pretend_nothing_happened(&self) -> std::io::Result<()> {
        let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(self.folder.join("ayni.db"))?);
        for entry in std::fs::read_dir(&self.keys)?.flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "instance") {
                let text = std::fs::read_to_string(entry.path())?;
                let lines = text.lines().filter(|line| !line.starts_with("inode "));
                let text: String = lines.map(|line| format!("{line}\n")).collect();
                std::fs::write(entry.path(), format!("{text}inode {inode}\n"))?;
            }
        }
        Ok(())
    }

    /// The folder of its keys.
    pub(crate) fn keys(&self) -> &Path {
        &self.keys
    }
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
