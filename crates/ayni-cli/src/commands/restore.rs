//! `ayni restore`: goes back to a version of a document.

use serde_json::json;

use super::{document, history};
use crate::failure::{Answer, Outcome};
use crate::setting::Setting;
use crate::terminal::{out, say, words};

/// Make a document show what it showed in an earlier version
#[derive(clap::Args)]
#[command(after_help = "\
That is a change like any other: what came since stays in the history, and can be gone back to. A deleted document comes back.

Examples:
  ayni history places aebagbaf
  ayni diff places aebagbaf 5f2c
  ayni restore places aebagbaf 5f2c")]
pub(crate) struct Arguments {
    /// The collection
    collection: String,
    /// The id, the start of it, or the key
    document: String,
    /// The version, or the start of it, as `ayni history` shows it
    version: String,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let collection = setting.open_project()?.collection(&arguments.collection);
    let id = document::find_id(&collection, Some(&arguments.document), None)?;
    let version = history::find(&collection, id, &arguments.version)?;
    let changed = collection.restore(id, version)?;
    if setting.json {
        out::json(&json!({ "id": id.to_string(), "version": version.to_string(), "changed": changed }))?;
    } else if changed {
        say::done(format_args!("{} shows what it showed in version {}", words::short(id), words::short(version)));
    } else {
        say::note("It shows that already: nothing was changed.");
    }
    Ok(Answer::Yes)
}
