//! The program as people and scripts use it: the real binary, in folders of its own.

mod documents;
#[cfg(unix)]
mod editor;
mod interchange;
mod projects;
mod searching;
mod support;
mod syncing;
