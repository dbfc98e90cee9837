//! The program as people and scripts use it: the real binary, in folders of its own.

mod documents;
#[cfg(unix)]
mod editor;
mod history;
mod interchange;
mod overview;
mod projects;
mod schemas;
mod searching;
mod sql;
mod support;
mod syncing;
#[cfg(unix)]
mod terminal;
mod watching;
