//! The work that is measured, one file for each kind.

mod create;
mod live;
mod open;
mod put;
mod sync;
mod wire;

use crate::row::Row;
use anyhow::{Context, Result};
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
        Ok(Self { records, singles, runs, program: std::env::current_exe()?, folder })
    }

    /// A path in the folder of this run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Measures everything, telling `progress` what comes next.
///
/// # Errors
/// When some work could not be done at all.
pub fn measure(bench: &Bench, progress: impl Fn(&str)) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    progress("creating records in bulk");
    rows.extend(create::measure(bench)?);
    progress("sync: everything, a little, nothing");
    let plain = rows.first().cloned().context("no baseline")?;
    rows.extend(sync::measure(bench, &plain)?);
    progress("durable puts, one by one");
    rows.extend(put::measure(bench)?);
    progress("from a put here to a reader there");
    rows.extend(live::measure(bench)?);
    progress("bytes of a place");
    rows.extend(wire::measure(bench)?);
    progress("opening a large database");
    rows.extend(open::measure(bench)?);
    Ok(rows)
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
