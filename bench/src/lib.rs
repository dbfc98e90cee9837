//! Ayni measured beside its baselines, in one process and one run, so that the ratios hold on any machine.
//!
//! Each file in `rows` measures one kind of work: first the baseline, then Ayni beside it. What several of them need
//! (records, plain SQLite, an echo over QUIC) stands here.

pub mod devices;
pub mod echo;
pub mod plain;
pub mod records;
pub mod report;
pub mod row;
pub mod rows;
