//! The work that is measured, one file for each kind.

mod create;
mod large;
mod live;
mod open;
mod put;
mod query;
mod read;
mod sync;
mod watch;
mod wire;

use crate::row::Row;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub use open::{OPEN_FOLDER, open_in_this_process};

/// How much to measure, and where.
pub struct Bench {
    /// Records in bulk work.
    pub records: usize,
    /// Repetitions of what is measured one by one.
    pub singles: usize,
    /// Runs of bulk work, of which the median counts.
    pub runs: usize,
    /// This program, which opens a database in a process of its own.
    pub program: PathBuf,
    large: large::Large,
    folder: TempDir,
}

impl Bench {
    /// The amounts that the targets speak of, or a fifth of them; files are made below `folder` and removed at the end.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn new(quick: bool, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let folder = tempfile::Builder::new().prefix("ayni-bench-").tempdir_in(folder)?;
        let (records, singles, runs) = if quick { (20_000, 100, 1) } else { (100_000, 500, 3) };
        Ok(Self { records, singles, runs, program: std::env::current_exe()?, large: large::Large::default(), folder })
    }

    /// A path in the folder of this run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A kind of work that can be measured by itself.
pub struct Work {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it measures.
    pub about: &'static str,
    measure: fn(&Bench) -> Result<Vec<Row>>,
}

/// All kinds, in the order in which they are measured.
pub const WORKS: [Work; 9] = [
    Work { name: "create", about: "creating records in bulk", measure: create::measure },
    Work { name: "sync", about: "sync: everything, a little, nothing", measure: sync::measure },
    Work { name: "put", about: "durable puts, one by one", measure: put::measure },
    Work { name: "live", about: "from a put here to a reader there", measure: live::measure },
    Work { name: "wire", about: "bytes of a place", measure: wire::measure },
    Work { name: "query", about: "queries of a large collection", measure: query::measure },
    Work { name: "read", about: "reading one document", measure: read::measure },
    Work { name: "watch", about: "from a put to a live query", measure: watch::measure },
    Work { name: "open", about: "opening a large database", measure: open::measure },
];

impl Work {
    /// Measures it, the baseline first.
    ///
    /// # Errors
    /// When the work could not be done at all.
    pub fn measure(&self, bench: &Bench) -> Result<Vec<Row>> {
        (self.measure)(bench)
    }
}

/// The time that `work` takes.
fn timed(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed())
}

/// The middle one of some times; the upper of two middle ones.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// How many a second.
fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_not_moved_by_one_slow_run() {
        assert_eq!(median([9, 1, 2].map(Duration::from_secs).to_vec()), Duration::from_secs(2));
    }
}
