//! The folder of the demo: three database folders, one for their key files, and a mark by which it is known.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The file that marks a folder which the demo made, and may therefore clear away.
const MARK: &str = "made-by-ayni-demo";
const MARK_TEXT: &str = "`ayni demo` made this folder, and clears it away when it runs again.\n";

/// The folder of the demo.
pub(super) struct Stage {
    path: PathBuf,
}

impl Stage {
    /// An empty folder for the demo. An earlier one is cleared away, but only if the demo made it.
    pub(super) fn clear(path: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::file(path, &error);
        let is_empty = fs::read_dir(path).map(|mut inside| inside.next().is_none());
        match is_empty {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
            Ok(true) => {}
            Ok(false) if path.join(MARK).is_file() => fs::remove_dir_all(path).map_err(failed)?,
            Ok(false) => {
                return Err(Failure::new(
                    format_args!("{} has files in it that the demo did not make", path.display()),
                    "name another folder with --dir",
                ));
            }
        }
        fs::create_dir_all(path).map_err(failed)?;
        fs::write(path.join(MARK), MARK_TEXT).map_err(failed)?;
        let path = fs::canonicalize(path).map_err(failed)?;
        fs::create_dir_all(path.join("keys")).map_err(failed)?;
        Ok(Self { path })
    }

    /// The database folder of a device.
    pub(super) fn database(&self, name: &str) -> PathBuf {
        self.path.join(name.to_lowercase())
    }

    /// The folder of its key file: outside the database's own, as it must be.
    pub(super) fn keys(&self, name: &str) -> PathBuf {
        self.path.join("keys").join(name.to_lowercase())
    }

    /// Where a device's process says what happens inside it.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.path.join(format!("{}.log", name.to_lowercase()))
    }

    /// Lets every later command on a device's database find its key file.
    pub(super) fn point_to_keys(&self, name: &str) -> Result<(), Failure> {
        let file = self.database(name).join(crate::setting::KEYS_FOLDER);
        let keys = Path::new("..").join("keys").join(name.to_lowercase());
        fs::write(&file, format!("{}\n", keys.display())).map_err(|error| Failure::file(&file, &error))
    }

    /// Bytes that a device's database takes on the disk.
    pub(super) fn size(&self, name: &str) -> Result<u64, Failure> {
        let folder = self.database(name);
        let failed = |error: io::Error| Failure::file(&folder, &error);
        let mut bytes = 0;
        for entry in fs::read_dir(&folder).map_err(failed)? {
            bytes += entry.and_then(|entry| entry.metadata()).map_err(failed)?.len();
        }
        Ok(bytes)
    }
}
