//! An embedded, offline-first, peer-to-peer database.

mod core;
pub mod environment;
mod error;

pub use error::Error;
