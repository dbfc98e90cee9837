//! The `ayni` program: the database from a terminal, in the manner of git.
//!
//! [`commands`] has one file for each command or group of them, [`demo`] the one that shows what all this is for;
//! [`terminal`] is what they print with; [`setting`] which folder, keys and project a command is about; [`failure`] how
//! what went wrong is told. Whatever is worth testing apart from a terminal is in the crate `ayni`.

mod commands;
mod demo;
mod failure;
mod setting;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run()
}
