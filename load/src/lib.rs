//! Many real devices on one machine: processes of their own, folders of their own, QUIC over loopback.
//!
//! Three parts, each a file: [`mesh`] (many devices, sparse links, churn), [`flood`] (a member that sends as fast as it can) and
//! [`siege`] (strangers by the thousand). Each sets devices up, gives them orders, looks at their processes from outside, and
//! gives [rows](ayni_bench::row::Row): a figure, and what was wanted of it.
//!
//! A device is this same program in the role of a device ([`device`]): it reads [`orders`] from its standard input, a line
//! each, and answers on its standard output. [`cast`] is the other end of that.

pub mod cast;
pub mod device;
pub mod flood;
pub mod ledger;
pub mod live;
pub mod mesh;
pub mod orders;
pub mod pest;
pub mod process;
pub mod pulse;
pub mod siege;
pub mod stage;
pub mod stranger;
pub mod topology;
