//! What commands print with. Data goes to the standard output, talk to the standard error.
//!
//! - [`say`]: talk: what was done, what to do next, what went wrong.
//! - [`out`]: data, for people or as JSON.
//! - [`table`]: rows that fit the width.
//! - [`words`]: amounts, times, ids and values as people read them.
//! - [`progress`]: long work.
//! - [`ask`]: questions, where there is a terminal to ask at.

pub(crate) mod ask;
pub(crate) mod out;
pub(crate) mod progress;
pub(crate) mod say;
pub(crate) mod table;
pub(crate) mod words;
