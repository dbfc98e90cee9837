//! What a simulated device is given from outside: virtual time, a clock that can be wrong by years, randomness of the seed,
//! and a queue of jobs that the scheduler runs when it likes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::dice::Dice;

/// When the simulated world begins, by clocks that are right: milliseconds since 1970.
const BEGINNING: i64 = 1_750_000_000_000;

/// The time that passes for everyone, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Time(AtomicU64);

impl Time {
    /// Milliseconds since the world began.
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// The environment of one device.
pub(crate) struct Environment {
    time: Arc<Time>,
    off: AtomicI64,
    dice: Mutex<Dice>,
    jobs: Mutex<VecDeque<Job>>,
}

impl Environment {
    /// With a clock that is right, and randomness of its own.
    pub(crate) fn new(time: Arc<Time>, dice: Dice) -> Self {
        Self { time, off: AtomicI64::new(0), dice: Mutex::new(dice), jobs: Mutex::default() }
    }

    /// Sets the wall clock wrong by so many milliseconds.
    pub(crate) fn set_clock_off(&self, millis: i64) {
        self.off.store(millis, Ordering::Relaxed);
    }

    /// How many jobs wait.
    pub(crate) fn jobs(&self) -> usize {
        self.queue().len()
    }

    /// Takes the job that has waited longest.
    pub(crate) fn next_job(&self) -> Option<Job> {
        self.queue().pop_front()
    }

    /// Forgets all jobs, as when the device stops.
    pub(crate) fn forget_jobs(&self) {
        let forgotten = std::mem::take(&mut *self.queue());
        drop(forgotten);
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ayni::environment::Environment for Environment {
    fn now(&self) -> i64 {
        BEGINNING + self.time.now() as i64 + self.off.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> u64 {
        self.time.now()
    }

    fn random(&self, buffer: &mut [u8]) {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner).fill(buffer);
    }

    fn spawn(&self, job: Job) {
        self.queue().push_back(job);
    }

    fn is_parallel(&self) -> bool {
        false
    }
}
