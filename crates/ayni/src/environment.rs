//! What the database is given from outside: the time, randomness, and a place to run jobs.
//!
//! Nothing else in this crate asks the machine for them, so that a simulator can own all three.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The time, randomness, and a place to run jobs.
pub trait Environment: Send + Sync + 'static {
    /// The wall time in milliseconds since 1970 (UTC). It is recorded with every change and decides nothing but the order
    /// in which truly concurrent values are shown.
    fn now(&self) -> i64;

    /// Milliseconds since some moment, on a clock that never goes back: for timeouts.
    fn monotonic(&self) -> u64;

    /// Fills the buffer with bytes fit for keys.
    fn random(&self, buffer: &mut [u8]);

    /// Runs a job soon, on another thread or later on this one. Jobs write to the database, so they may block.
    fn spawn(&self, job: Box<dyn FnOnce() + Send>);

    /// Whether jobs run while the thread that gave them waits. Then a database that is closed waits for those of its own.
    fn is_parallel(&self) -> bool {
        true
    }
}

/// The machine's own clock, randomness and threads.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Environment for System {
    fn now(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
        }
    }

    fn monotonic(&self) -> u64 {
        static START: OnceLock<Instant> = OnceLock::new();
        u64::try_from(START.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn random(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system gives randomness");
    }

    fn spawn(&self, job: Box<dyn FnOnce() + Send>) {
        std::thread::Builder::new().name("ayni".into()).spawn(job).expect("the operating system gives threads");
    }
}

/// `N` random bytes.
pub(crate) fn random<const N: usize>(environment: &dyn Environment) -> [u8; N] {
    let mut bytes = [0; N];
    environment.random(&mut bytes);
    bytes
}
