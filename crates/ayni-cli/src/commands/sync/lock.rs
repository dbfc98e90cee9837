//! One process syncs a folder at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::failure::Failure;

const FILE: &str = "sync.lock";

/// Held as long as this process syncs; the system lets go of it whatever becomes of the process.
pub(crate) struct Lock {
    _file: File,
}

/// Takes the lock, or says who has it.
pub(crate) fn take(folder: &Path) -> Result<Lock, Failure> {
    let path = folder.join(FILE);
    let failed = |error: std::io::Error| Failure::file(&path, &error);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    // Whoever can open it can hold it, and keep this device from syncing.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0).map_err(failed)?;
            file.rewind().map_err(failed)?;
            write!(file, "{}", std::process::id()).map_err(failed)?;
            Ok(Lock { _file: file })
        }
        Err(TryLockError::WouldBlock) => Err(taken(&mut file)),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Whether another process syncs this folder now.
pub(crate) fn is_taken(folder: &Path) -> bool {
    let Ok(file) = File::open(folder.join(FILE)) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn taken(file: &mut File) -> Failure {
    let mut process = String::new();
    let _ = file.read_to_string(&mut process);
    let process = match process.trim().parse::<u32>() {
        Ok(process) => format!(" (process {process})"),
        Err(_) => String::new(),
    };
    Failure::new(
        format_args!("another `ayni sync` runs on this database{process}"),
        "let it do the syncing: it sends what is written here at once; or end it first",
    )
}
