//! The measuring itself, on few records: what it says of speed is for `cargo xtask bench`.

use anyhow::Result;
use ayni_bench::rows::{Bench, WORKS};

#[test]
fn every_kind_of_work_can_be_measured_and_leaves_nothing_behind() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let mut bench = Bench::new(true, parent.path())?;
    (bench.records, bench.singles) = (1_000, 3);
    bench.program = env!("CARGO_BIN_EXE_ayni-bench").into();
    for work in &WORKS {
        let rows = work.measure(&bench)?;
        assert!(rows.iter().all(|row| row.figure.is_finite() && row.figure > 0.0), "{rows:?}");
    }
    drop(bench);
    assert_eq!(std::fs::read_dir(parent.path())?.count(), 0);
    Ok(())
}
