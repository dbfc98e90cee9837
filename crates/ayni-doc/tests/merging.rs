//! What changes make together, and how that is edited and kept.

#[path = "merging/histories.rs"]
mod histories;
#[path = "merging/oracle.rs"]
mod oracle;

#[path = "merging/bodies.rs"]
mod bodies;
#[path = "merging/editing.rs"]
mod editing;
#[path = "merging/graphs.rs"]
mod graphs;
#[path = "merging/handled.rs"]
mod handled;
#[path = "merging/rules.rs"]
mod rules;
