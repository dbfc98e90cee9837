//! `ayni init`: makes a database on this device.

use ayni::{Database, Options};
use serde_json::json;

use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::{ask, out, say};

/// Make a database on this device
#[derive(clap::Args)]
#[command(after_help = "\
The database is encrypted. A key file outside its folder opens it, or a passphrase.

Examples:
  ayni init --name \"Ana's laptop\"
  ayni init --name \"Field phone 3\" --passphrase
  AYNI_DIR=/media/usb/ayni ayni init --name Backup")]
pub(crate) struct Arguments {
    /// What people call this device
    #[arg(long)]
    name: String,
    /// Lock it with a passphrase instead of a key file; asked for, or taken from AYNI_PASSPHRASE
    #[arg(long)]
    passphrase: bool,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let (folder, keys) = (setting.folder()?, setting.keys()?);
    if setting.exists()? {
        return Err(ayni::OpenError::Exists(folder).into());
    }
    if arguments.name.trim().is_empty() {
        return Err(Failure::usage("the device has no name", "name it as people will know it, as in \"Ana's laptop\""));
    }
    let mut options = Options::new(keys.clone());
    if arguments.passphrase {
        options = options.passphrase(ask::new_passphrase()?);
    }
    let database = Database::create(&folder, &arguments.name, options)?;
    let lock = if arguments.passphrase { "passphrase" } else { "key file" };
    if setting.json {
        let id = database.device().to_string();
        out::json(&json!({ "device": id, "name": arguments.name, "folder": folder, "lock": lock }))?;
        return Ok(Answer::Yes);
    }
    say::done(format_args!("made the database of “{}” in {}", arguments.name, folder.display()));
    match arguments.passphrase {
        true => say::note("  Only the passphrase opens it: nobody can restore a forgotten one."),
        false => say::note(format_args!("  The key file that opens it is in {}.", keys.display())),
    }
    say::next(&[("ayni project new NAME", "begins a project"), ("ayni join TICKET", "joins another device's")]);
    Ok(Answer::Yes)
}
