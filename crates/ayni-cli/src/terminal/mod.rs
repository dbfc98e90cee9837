//! What commands print with. Data goes to the standard output, talk to the standard error.
//!
//! - [`say`]: talk: what was done, what to do next, what went wrong.
//! - [`out`]: data, for people or as JSON.
//! - [`table`]: rows under a heading.
//! - [`entries`]: lines with a label.
//! - [`fit`]: how wide text stands, and what makes it fit.
//! - [`words`]: amounts, times, ids and values as people read them.
//! - [`progress`]: long work.
//! - [`ask`]: questions, where there is a terminal to ask at.

pub(crate) mod ask;
pub(crate) mod entries;
pub(crate) mod fit;
pub(crate) mod out;
pub(crate) mod progress;
pub(crate) mod say;
pub(crate) mod table;
pub(crate) mod words;
