//! `ayni backup`: a copy of the database, made while it is in use.

use std::path::PathBuf;
use std::time::Instant;

use ayni::{Database, LockKind};
use serde_json::json;

use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::{out, say, words};

/// Copy the database to a folder, also while it is in use
#[derive(clap::Args)]
#[command(after_help = "\
The other devices of a project are its best backup: `ayni status` shows what they hold. This is for what only this device has, and \
for its own key. Opened, the copy is this device as it was then, and what came since comes by sync.

Examples:
  ayni backup /media/stick/ayni-2026-11
  AYNI_DIR=/media/stick/ayni-2026-11 ayni status")]
pub(crate) struct Arguments {
    /// The folder, which must hold no database; it is made if it is not there
    folder: PathBuf,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let database = setting.open()?;
    let start = Instant::now();
    database.backup(&arguments.folder).map_err(Failure::told)?;
    let keys = setting.keys()?;
    let lock = Database::lock_kind(&arguments.folder, &keys).map_err(Failure::told)?;
    let file = arguments.folder.join("ayni.db");
    let bytes = std::fs::metadata(&file).map_err(|error| Failure::file(&file, &error))?.len();
    if setting.json {
        out::json(&json!({ "folder": arguments.folder, "bytes": bytes, "key_file": lock == LockKind::KeyFile }))?;
        return Ok(Answer::Yes);
    }
    let (amount, took) = (words::bytes(bytes), words::duration(start.elapsed()));
    say::done(format_args!("{amount} to {} in {took}", arguments.folder.display()));
    match lock {
        LockKind::Passphrase => say::note("the passphrase opens it"),
        LockKind::KeyFile => {
            let keys = keys.display();
            say::note(format_args!(
                "the key file in {keys} opens it: keep a copy of that folder too, in another place"
            ));
        }
    }
    Ok(Answer::Yes)
}
