//! x

pub mod interchange;
pub mod query;
