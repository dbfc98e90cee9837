//! A SQLite VFS over the system's files that asks the [`Disk`] of the device first.
//!
//! A file belongs to the disk whose folder it lies in. Real files hold what was written, as a running machine shows it; what
//! would be left of it after a power cut the disk knows.
//!
//! Unsafe is unavoidable here, and stands nowhere else: a VFS is a table of C functions.
#![allow(unsafe_code, reason = "a SQLite VFS is a table of C functions")]

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};

use crate::disk::{Disk, Failure};

/// The name to open files with.
pub(crate) const NAME: &str = "ayni-sim";

static DISKS: Mutex<BTreeMap<PathBuf, Arc<Disk>>> = Mutex::new(BTreeMap::new());
static REGISTERED: Once = Once::new();

/// The files below a folder are on a disk, as long as this lives.
pub(crate) struct Mounted {
    folder: PathBuf,
}

/// Puts the files below a folder, whose path has no links in it, on a disk.
pub(crate) fn mount(folder: &Path, disk: Arc<Disk>) -> Mounted {
    REGISTERED.call_once(register);
    disks().insert(folder.to_owned(), disk);
    Mounted { folder: folder.to_owned() }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        disks().remove(&self.folder);
    }
}

fn disks() -> MutexGuard<'static, BTreeMap<PathBuf, Arc<Disk>>> {
    DISKS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn disk_of(path: &Path) -> Option<Arc<Disk>> {
    let disks = disks();
    path.ancestors().find_map(|folder| disks.get(folder).cloned())
}

/// A named file on a disk.
struct Place {
    path: PathBuf,
    disk: Arc<Disk>,
}

/// What SQLite allocates for a file of this VFS: this, then the real file.
#[repr(C)]
struct File {
    base: sqlite3_file,
    /// Null for files that belong to no disk, such as temporary ones.
    place: *mut Place,
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
        table.zName = c"ayni-sim".as_ptr();
        table.pAppData = real.cast();
        table.szOsFile = size_of::<File>() as c_int + (*real).szOsFile;
        table.xOpen = Some(open);
        table.xDelete = Some(delete);
        assert_eq!(ffi::sqlite3_vfs_register(Box::leak(Box::new(table)), 0), ffi::SQLITE_OK);
    }
}

/// The code for an operation that fails, by what fails.
fn code(failure: Failure, off: c_int) -> c_int {
    match failure {
        Failure::Off => off,
        Failure::Full => ffi::SQLITE_FULL,
    }
}

/// The path of a C string that SQLite gives.
unsafe fn path_of(name: *const c_char) -> Option<PathBuf> {
    if name.is_null() {
        return None;
    }
    // SAFETY: SQLite's names end with a zero.
    let name = unsafe { CStr::from_ptr(name) };
    Some(PathBuf::from(String::from_utf8_lossy(name.to_bytes()).into_owned()))
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
        (*ours).place = std::ptr::null_mut();
        (*ours).real = ours.add(1).cast();
        let place = path_of(name).and_then(|path| Some(Place { disk: disk_of(&path)?, path }));
        if place.as_ref().is_some_and(|place| place.disk.reading().is_err()) {
            return ffi::SQLITE_CANTOPEN;
        }
        let real_vfs = (*vfs).pAppData.cast::<sqlite3_vfs>();
        let code = (*real_vfs).xOpen.unwrap()(real_vfs, name, (*ours).real, flags, out_flags);
        if code == ffi::SQLITE_OK {
            if let Some(place) = place {
                place.disk.opened(&place.path);
                (*ours).place = Box::into_raw(Box::new(place));
            }
            (*ours).base.pMethods = &raw const METHODS;
        }
        code
    }
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: as SQLite calls it.
    unsafe {
        if let Some(path) = path_of(name)
            && let Some(disk) = disk_of(&path)
            && let Err(failure) = disk.deleting(&path)
        {
            return code(failure, ffi::SQLITE_IOERR_DELETE);
        }
        let real_vfs = (*vfs).pAppData.cast::<sqlite3_vfs>();
        (*real_vfs).xDelete.unwrap()(real_vfs, name, sync_folder)
    }
}

/// Where the file is, if it is on a disk.
unsafe fn place<'a>(file: *mut sqlite3_file) -> Option<&'a Place> {
    // SAFETY: `place` is null or a box that lives until `close`.
    unsafe { (*file.cast::<File>()).place.as_ref() }
}

/// Asks the disk, then the real file.
unsafe fn asked(
    file: *mut sqlite3_file,
    off: c_int,
    ask: impl FnOnce(&Place) -> Result<(), Failure>,
    call: impl FnOnce(*mut sqlite3_file, *const sqlite3_io_methods) -> c_int,
) -> c_int {
    // SAFETY: the file was opened in `open`.
    unsafe {
        match place(file).map_or(Ok(()), ask) {
            Ok(()) => pass(file, call),
            Err(failure) => code(failure, off),
        }
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

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once; the box was made in `open`.
    unsafe {
        let ours = file.cast::<File>();
        if !(*ours).place.is_null() {
            Box::from_raw((*ours).place).disk.closed();
            (*ours).place = std::ptr::null_mut();
        }
        pass(file, |real, methods| (*methods).xClose.unwrap()(real))
    }
}

unsafe extern "C" fn read(file: *mut sqlite3_file, bytes: *mut c_void, count: c_int, offset: sqlite3_int64) -> c_int {
    // SAFETY: as SQLite calls it.
    unsafe {
        let call = |real, methods: *const sqlite3_io_methods| (*methods).xRead.unwrap()(real, bytes, count, offset);
        asked(file, ffi::SQLITE_IOERR_READ, |place| place.disk.reading(), call)
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
        let content = std::slice::from_raw_parts(bytes.cast::<u8>(), count as usize);
        let ask = |place: &Place| place.disk.writing(&place.path, offset as usize, content);
        let call = |real, methods: *const sqlite3_io_methods| (*methods).xWrite.unwrap()(real, bytes, count, offset);
        asked(file, ffi::SQLITE_IOERR_WRITE, ask, call)
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    // SAFETY: as SQLite calls it.
    unsafe {
        let ask = |place: &Place| place.disk.truncating(&place.path, size as usize);
        let call = |real, methods: *const sqlite3_io_methods| (*methods).xTruncate.unwrap()(real, size);
        asked(file, ffi::SQLITE_IOERR_TRUNCATE, ask, call)
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    // What is synced the disk knows; making the real file so would only take time.
    // SAFETY: as SQLite calls it.
    unsafe { asked(file, ffi::SQLITE_IOERR_FSYNC, |place| place.disk.syncing(&place.path), |_, _| ffi::SQLITE_OK) }
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
