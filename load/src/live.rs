//! How quickly what one device writes is at another: one *beats*, small documents with the time in them, the other *hears* them.
//!
//! Both are processes of one machine and have one clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};
use ayni::doc::{Map, Value};
use ayni::{Error, Project};

use crate::orders::{Beats, Heard};

/// The collection of beats.
const BEATS: &str = "beats";

/// A thread that beats.
pub(crate) struct Beating {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<u64>, Error>>,
}

impl Beating {
    /// Writes a beat every so many milliseconds, or as soon as the one before is durable.
    pub(crate) fn start(project: Project, name: String, pause: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut took = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let started = Instant::now();
                let fields = Map::from([("at".to_owned(), Value::Int(now()))]);
                project.write(|tx| tx.put(BEATS, &key(&name, took.len() as u64), fields))?;
                took.push(micros(started.elapsed()));
                std::thread::sleep(Duration::from_millis(pause).saturating_sub(started.elapsed()));
            }
            Ok(took)
        });
        Self { stop, thread }
    }

    pub(crate) fn stop(self) -> Result<Beats> {
        self.stop.store(true, Ordering::Relaxed);
        let took = self.thread.join().map_err(|_| anyhow!("beating panicked"))??;
        Ok(Beats { written: took.len() as u64, took })
    }
}

/// A thread that hears.
pub(crate) struct Hearing {
    stop: Arc<AtomicBool>,
    heard: Arc<AtomicU64>,
    thread: JoinHandle<Result<Vec<u64>, Error>>,
}

impl Hearing {
    pub(crate) fn start(project: Project, name: String) -> Self {
        let (stop, heard) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (stop.clone(), heard.clone());
        let thread = std::thread::spawn(move || {
            let mut after = Vec::new();
            let mut seen = project.revision();
            while !stopped.load(Ordering::Relaxed) {
                while let Some(at) = beat(&project, &key(&name, after.len() as u64))? {
                    after.push(u64::try_from(now() - at).unwrap_or(0));
                    count.store(after.len() as u64, Ordering::Relaxed);
                }
                seen = project.wait(seen, Duration::from_millis(50));
            }
            Ok(after)
        });
        Self { stop, heard, thread }
    }

    /// Once so many were heard, or after so many milliseconds.
    pub(crate) fn stop(self, beats: u64, patience: u64) -> Result<Heard> {
        let started = Instant::now();
        while self.heard.load(Ordering::Relaxed) < beats && started.elapsed() < Duration::from_millis(patience) {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.stop.store(true, Ordering::Relaxed);
        let after = self.thread.join().map_err(|_| anyhow!("hearing panicked"))??;
        Ok(Heard { after })
    }
}

/// When a beat was written, if it is here.
fn beat(project: &Project, key: &str) -> Result<Option<i64>, Error> {
    let beats = project.collection(BEATS);
    let found = beats.get(beats.id_of_key(key)?)?;
    Ok(found.and_then(|found| found.get(&["at"])).and_then(|at| at.as_int()))
}

fn key(name: &str, number: u64) -> String {
    format!("{name}-{number}")
}

/// Microseconds since 1970.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| micros(since) as i64)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
