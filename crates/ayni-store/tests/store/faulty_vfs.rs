//! A SQLite VFS over the system's files that counts syncs, fails on demand, and can lose what was not synced.
//!
//! It keeps, for every file, what is durable (its content at the last sync) and the writes since. A power cut throws away all
//! of those writes, or some. Files are taken to exist from the moment they are made.
//!
//! Unsafe is unavoidable here: a VFS is a table of C functions. Only tests link it.
#![allow(unsafe_code, reason = "a SQLite VFS is a table of C functions")]

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};

/// The name to open files with.
pub(crate) const NAME: &str = "faulty";

/// What happens to writes and syncs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The operation after this many more fails, once, with a plain I/O error.
    FailOne(usize),
    /// Writes after this many more find the disk full, until that is lifted.
    Full(usize),
    /// The power goes after this many more operations: nothing works any more.
    PowerCut(usize),
}

#[derive(Default)]
struct FileState {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

struct State {
    files: BTreeMap<PathBuf, FileState>,
    fault: Fault,
    operations: usize,
    syncs: usize,
    temporary: usize,
}

static STATE: Mutex<State> = Mutex::new(State::NEW);
static TURN: Mutex<()> = Mutex::new(());
static REGISTERED: Once = Once::new();

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The disk, for one test at a time.
pub(crate) struct Disk {
    _turn: MutexGuard<'static, ()>,
}

impl Disk {
    pub(crate) fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        REGISTERED.call_once(register);
        let disk = Self { _turn: turn };
        disk.renew();
        disk
    }

    /// Forgets all files, and works again.
    pub(crate) fn renew(&self) {
        *state() = State::NEW;
    }

    pub(crate) fn set(&self, fault: Fault) {
        state().fault = fault;
    }

    /// Writes, truncations and syncs so far.
    pub(crate) fn operations(&self) -> usize {
        state().operations
    }

    pub(crate) fn syncs(&self) -> usize {
        state().syncs
    }

    /// Files without a name, which SQLite takes for what it does not hold in memory.
    pub(crate) fn temporary(&self) -> usize {
        state().temporary
    }

    /// Writes to files that are not synced yet.
    pub(crate) fn unsynced(&self) -> usize {
        state().files.values().map(|file| file.pending.len()).sum()
    }

    /// What the power cut leaves: what is durable, and of the writes since those for which `kept` says so, by their number.
    pub(crate) fn lose_unsynced(&self, kept: impl Fn(usize) -> bool) {
        let mut number = 0;
        for (path, file) in &mut state().files {
            let mut content = file.durable.clone();
            for change in file.pending.drain(..) {
                number += 1;
                if kept(number) {
                    change.apply(&mut content);
                }
            }
            if path.exists() {
                std::fs::write(path, content).unwrap();
            }
        }
    }
}

impl Change {
    fn apply(self, content: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => {
                let (start, end) = (offset as usize, offset as usize + bytes.len());
                content.resize(content.len().max(end), 0);
                content[start..end].copy_from_slice(&bytes);
            }
            Self::Truncate(len) => content.truncate(len as usize),
        }
    }
}

impl State {
    const NEW: Self = Self { files: BTreeMap::new(), fault: Fault::None, operations: 0, syncs: 0, temporary: 0 };

    /// Counts one operation; an error code if it is to fail.
    fn operate(&mut self, failure: c_int, is_sync: bool) -> Result<(), c_int> {
        self.operations += 1;
        match &mut self.fault {
            Fault::None => Ok(()),
            Fault::FailOne(0) => {
                self.fault = Fault::None;
                Err(failure)
            }
            Fault::Full(0) if is_sync => Ok(()),
            Fault::Full(0) => Err(ffi::SQLITE_FULL),
            Fault::PowerCut(0) => Err(failure),
            Fault::FailOne(left) | Fault::Full(left) | Fault::PowerCut(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

/// What SQLite allocates for a file of this VFS: this, then the real file.
#[repr(C)]
struct File {
    base: sqlite3_file,
    path: *mut PathBuf,
    real: *mut sqlite3_file,
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

fn register() {
    // SAFETY: the default VFS lives as long as the process, and so does the leaked copy of its table.
    unsafe {
        ffi::sqlite3_initialize();
        let real = ffi::sqlite3_vfs_find(std::ptr::null());
        let mut table = *real;
        table.pNext = std::ptr::null_mut();
        table.zName = c"faulty".as_ptr();
        table.pAppData = real.cast();
        table.szOsFile = size_of::<File>() as c_int + (*real).szOsFile;
        table.xOpen = Some(open);
        table.xDelete = Some(delete);
        assert_eq!(ffi::sqlite3_vfs_register(Box::leak(Box::new(table)), 0), ffi::SQLITE_OK);
    }
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives `szOsFile` bytes at `file`, of which the real VFS gets those after ours.
    unsafe {
        let ours = file.cast::<File>();
        (*ours).base.pMethods = std::ptr::null();
        (*ours).path = std::ptr::null_mut();
        (*ours).real = ours.add(1).cast();
        let real_vfs = (*vfs).pAppData.cast::<sqlite3_vfs>();
        let code = (*real_vfs).xOpen.unwrap()(real_vfs, name, (*ours).real, flags, out_flags);
        if code == ffi::SQLITE_OK {
            if name.is_null() {
                state().temporary += 1;
            } else {
                let path = PathBuf::from(CStr::from_ptr(name).to_str().unwrap());
                let durable = std::fs::read(&path).unwrap_or_default();
                state().files.entry(path.clone()).or_insert(FileState { durable, pending: Vec::new() });
                (*ours).path = Box::into_raw(Box::new(path));
            }
            (*ours).base.pMethods = &raw const METHODS;
        }
        code
    }
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: as SQLite calls it.
    unsafe {
        if let Err(code) = state().operate(ffi::SQLITE_IOERR_DELETE, false) {
            return code;
        }
        state().files.remove(&PathBuf::from(CStr::from_ptr(name).to_str().unwrap()));
        let real_vfs = (*vfs).pAppData.cast::<sqlite3_vfs>();
        (*real_vfs).xDelete.unwrap()(real_vfs, name, sync_folder)
    }
}

/// The path, if the file has one.
unsafe fn path<'a>(file: *mut sqlite3_file) -> Option<&'a PathBuf> {
    // SAFETY: `path` is null or a box that lives until `close`.
    unsafe { (*file.cast::<File>()).path.as_ref() }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once; the box was made in `open`.
    unsafe {
        let ours = file.cast::<File>();
        if !(*ours).path.is_null() {
            drop(Box::from_raw((*ours).path));
            (*ours).path = std::ptr::null_mut();
        }
        pass(file, |real, methods| (*methods).xClose.unwrap()(real))
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    bytes: *const c_void,
    count: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives `count` bytes.
    unsafe {
        if let Some(path) = path(file) {
            let mut state = state();
            if let Err(code) = state.operate(ffi::SQLITE_IOERR_WRITE, false) {
                return code;
            }
            let content = std::slice::from_raw_parts(bytes.cast::<u8>(), count as usize).to_vec();
            state.files.entry(path.clone()).or_default().pending.push(Change::Write(offset as u64, content));
        }
        pass(file, |real, methods| (*methods).xWrite.unwrap()(real, bytes, count, offset))
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    // SAFETY: as SQLite calls it.
    unsafe {
        if let Some(path) = path(file) {
            let mut state = state();
            if let Err(code) = state.operate(ffi::SQLITE_IOERR_TRUNCATE, false) {
                return code;
            }
            state.files.entry(path.clone()).or_default().pending.push(Change::Truncate(size as u64));
        }
        pass(file, |real, methods| (*methods).xTruncate.unwrap()(real, size))
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: as SQLite calls it.
    unsafe {
        if let Some(path) = path(file) {
            let mut state = state();
            if let Err(code) = state.operate(ffi::SQLITE_IOERR_FSYNC, true) {
                return code;
            }
            state.syncs += 1;
            let entry = state.files.entry(path.clone()).or_default();
            entry.durable = std::fs::read(path).unwrap();
            entry.pending.clear();
        }
        // What is durable is kept above; making the real file so would only take time.
        let _ = flags;
        ffi::SQLITE_OK
    }
}

/// Calls the real file.
unsafe fn pass<T>(file: *mut sqlite3_file, call: impl FnOnce(*mut sqlite3_file, *const sqlite3_io_methods) -> T) -> T {
    // SAFETY: `real` was opened in `open`.
    unsafe {
        let real = (*file.cast::<File>()).real;
        call(real, (*real).pMethods)
    }
}

macro_rules! passed_on {
    ($($name:ident = $method:ident($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {
        $(unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $argument: $kind)*) -> $result {
            // SAFETY: the arguments are SQLite's, for a file that it opened.
            unsafe { pass(file, |real, methods| (*methods).$method.unwrap()(real $(, $argument)*)) }
        })*
    };
}

passed_on! {
    read = xRead(bytes: *mut c_void, count: c_int, offset: sqlite3_int64) -> c_int;
    file_size = xFileSize(size: *mut sqlite3_int64) -> c_int;
    lock = xLock(level: c_int) -> c_int;
    unlock = xUnlock(level: c_int) -> c_int;
    check_reserved_lock = xCheckReservedLock(result: *mut c_int) -> c_int;
    file_control = xFileControl(operation: c_int, argument: *mut c_void) -> c_int;
    sector_size = xSectorSize() -> c_int;
    device_characteristics = xDeviceCharacteristics() -> c_int;
    shm_map = xShmMap(region: c_int, size: c_int, extend: c_int, memory: *mut *mut c_void) -> c_int;
    shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int;
    shm_barrier = xShmBarrier() -> ();
    shm_unmap = xShmUnmap(delete: c_int) -> c_int;
}
