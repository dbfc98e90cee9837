//! `ayni get`: shows one document.

use super::{document, history};
use crate::failure::{Answer, Outcome};
use crate::setting::Setting;
use crate::terminal::out;

/// Show a document
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  ayni get places aebagbaf
  ayni get people --key ana
  ayni get places aebagbaf --at 5f2c
  ayni get people ana --json | jq .address")]
pub(crate) struct Arguments {
    /// The collection
    collection: String,
    /// The id, the start of it, or the key
    #[arg(required_unless_present = "key", conflicts_with = "key")]
    document: Option<String>,
    /// The key
    #[arg(long)]
    key: Option<String>,
    /// As it was in this version: the start of it, as `ayni history` shows it
    #[arg(long, value_name = "VERSION")]
    at: Option<String>,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let collection = setting.open_project()?.collection(&arguments.collection);
    let (word, key) = (arguments.document.as_deref(), arguments.key.as_deref());
    let found = match &arguments.at {
        None => document::find(&collection, word, key)?,
        Some(version) => {
            let id = document::find_id(&collection, word, key)?;
            collection.get_version(id, history::find(&collection, id, version)?)?
        }
    };
    match setting.json {
        true => out::json(&document::json(found.id(), &found.fields()))?,
        false => document::show(&found)?,
    }
    Ok(Answer::Yes)
}
