//! The inside of the database: how entries become documents, and documents entries.
//!
//! - [`branches`]: the logs of a project in memory, and what their references mean here.
//! - [`inner`]: the open database behind every handle; [`project`]: one project in this process.
//! - [`state`]: everything known about a project between transactions; [`reading`]: what it reads of its branches.
//! - [`ingest`]: verified segments on their way into the store.
//! - [`effects`]: whole commits taking effect; [`documents`]: what they change; [`indexing`]: where that stands in indexes.
//! - [`handling`]: conflict handlers, and what became of what they answer; [`folding`]: what they are asked.
//! - [`past`]: which entries of a document there were at a moment.
//! - [`pen`]: this device's changes on their way into its log; [`control`]: its membership entries; [`anchors`]: what
//!   both have seen of others; [`schemas`]: what of these holds for collections.

pub(crate) mod anchors;
pub(crate) mod branches;
pub(crate) mod control;
pub(crate) mod documents;
pub(crate) mod effects;
pub(crate) mod folding;
pub(crate) mod handling;
pub(crate) mod indexing;
pub(crate) mod ingest;
pub(crate) mod inner;
pub(crate) mod past;
pub(crate) mod pen;
pub(crate) mod project;
pub(crate) mod reading;
pub(crate) mod schemas;
pub(crate) mod standing;
pub(crate) mod state;

#[cfg(test)]
mod tests;
