//! The end of the process, while other threads of it use or close databases.
//!
//! SQLCipher registers a handler with `atexit` when a process first uses it, which frees what every connection stands on,
//! whoever uses one just then: a crash. Handlers run in the reverse order of their registration, so one of ours, registered
//! after that, runs before it. It shuts the door to SQLite, waits until nobody is inside, and leaves the door shut. Whoever
//! comes later waits there until the process is gone.
//!
//! Who is inside may wait for a lock of somebody at the door. So a door that is shut for long is opened again for a while. And
//! nobody keeps the process from ending: who is still inside after [`PATIENCE`] stops in the middle of a statement, as in a
//! crash, and at [`DEADLINE`] the process ends whoever is inside.

use std::cell::Cell;
use std::ffi::c_int;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::error::StoreError;

/// How long those inside may go on with what they do, once the process ends.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long they are waited for at the most, from the same moment on.
const DEADLINE: Duration = Duration::from_secs(4);
/// How long the door is shut before it is opened again, for as long, the first time. Each time it is twice as long.
const SHUT: Duration = Duration::from_millis(50);
/// How often those who wait look again.
const LOOK: Duration = Duration::from_millis(1);
/// Steps of SQLite's machine, some ten microseconds all together, between two looks at whether to stop.
const STEPS: c_int = 1_000;

/// How many threads are inside, and whether the door is shut: one number, so that nobody slips in between a look at the one
/// and a change of the other.
static DOOR: AtomicUsize = AtomicUsize::new(0);
const IS_SHUT: usize = 1 << (usize::BITS - 1);
/// Whether those inside are to stop.
static STOPS: AtomicBool = AtomicBool::new(false);
/// Whether our handler is registered.
static WATCHED: Once = Once::new();

// Neither has a destructor, so they can be asked for as long as a thread runs.
thread_local! {
    /// How often this thread has entered and not left.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Whether this thread is the one that ends the process.
    static ENDS: Cell<bool> = const { Cell::new(false) };
}

/// For as long as this is kept, the thread may use SQLite, and the process does not end under it.
#[must_use]
pub(crate) struct Stay(PhantomData<*const ()>);

/// Goes inside, or deeper. Costs some nanoseconds. While the process ends it does not return, but on the thread that ends it.
pub(crate) fn enter() -> Stay {
    if DEPTH.get() == 0 {
        while DOOR.fetch_add(1, Ordering::Acquire) & IS_SHUT != 0 {
            DOOR.fetch_sub(1, Ordering::Release);
            thread::sleep(LOOK);
        }
    }
    enter_deeper()
}

fn enter_deeper() -> Stay {
    DEPTH.set(DEPTH.get() + 1);
    Stay(PhantomData)
}

impl Drop for Stay {
    fn drop(&mut self) {
        let depth = DEPTH.get() - 1;
        DEPTH.set(depth);
        if depth == 0 {
            DOOR.fetch_sub(1, Ordering::Release);
        }
    }
}

/// A connection that is used by those inside, and closed from inside wherever it is dropped.
pub(crate) struct Enclosed {
    // Fields are dropped in this order.
    enters: Enters,
    connection: Connection,
    leaves: Leaves,
}

struct Enters;

impl Drop for Enters {
    fn drop(&mut self) {
        std::mem::forget(enter());
    }
}

struct Leaves;

impl Drop for Leaves {
    fn drop(&mut self) {
        drop(Stay(PhantomData));
    }
}

impl Enclosed {
    /// Opens a connection. The first of a process has the end of it watched.
    pub(crate) fn open(open: impl FnOnce() -> rusqlite::Result<Connection>) -> rusqlite::Result<Self> {
        let _inside = enter();
        WATCHED.call_once(|| {
            // SQLCipher's handler is registered with whatever is opened first: so that is something quick. Without memory for it,
            // or for a handler of ours, the process ends as if there was none.
            let _first = Connection::open_in_memory();
            let _ = atexit(end);
        });
        let mut connection = open()?;
        connection.progress_handler(
            STEPS,
            Some(|| {
                stop_at_the_end();
                false
            }),
        )?;
        Ok(Self { enters: Enters, connection, leaves: Leaves })
    }

    /// Closes it, and says what went wrong with that.
    pub(crate) fn close(self) -> Result<(), StoreError> {
        let Self { enters, connection, leaves } = self;
        drop(enters);
        let closed = connection.close().map_err(|(_, error)| error.into());
        drop(leaves);
        closed
    }
}

impl Deref for Enclosed {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        debug_assert!(DEPTH.get() > 0, "who uses a connection is inside");
        &self.connection
    }
}

impl DerefMut for Enclosed {
    fn deref_mut(&mut self) -> &mut Connection {
        debug_assert!(DEPTH.get() > 0, "who uses a connection is inside");
        &mut self.connection
    }
}

/// Called again and again by what takes long, in the middle of statements too. Where those inside are to stop it does not
/// return: an error might be taken for damage, or shown to people.
pub(crate) fn stop_at_the_end() {
    if STOPS.load(Ordering::Relaxed) && !ENDS.get() {
        DOOR.fetch_sub(1, Ordering::Release);
        loop {
            thread::sleep(DEADLINE);
        }
    }
}

#[expect(unsafe_code, reason = "a function of C that can be called at any time")]
unsafe extern "C" {
    safe fn atexit(handler: extern "C" fn()) -> c_int;
}

extern "C" fn end() {
    ENDS.set(true);
    // What this thread is itself inside of it will not go on with.
    let own = usize::from(DEPTH.get() > 0);
    let start = Instant::now();
    let mut shut = SHUT;
    while !shut_and_wait(own, start, shut) && start.elapsed() < DEADLINE {
        DOOR.fetch_and(!IS_SHUT, Ordering::Release);
        thread::sleep(shut);
        shut *= 2;
    }
    // Handlers that run after this one may still close databases.
    std::mem::forget(enter_deeper());
}

/// Shuts the door and waits until nobody but `own` is inside, at most so long. Whether that is so.
fn shut_and_wait(own: usize, start: Instant, at_most: Duration) -> bool {
    DOOR.fetch_or(IS_SHUT, Ordering::AcqRel);
    let shut = Instant::now();
    while DOOR.load(Ordering::Acquire) & !IS_SHUT > own {
        if shut.elapsed() > at_most || start.elapsed() > DEADLINE {
            return false;
        }
        if start.elapsed() > PATIENCE {
            STOPS.store(true, Ordering::Relaxed);
        }
        thread::sleep(LOOK);
    }
    true
}
