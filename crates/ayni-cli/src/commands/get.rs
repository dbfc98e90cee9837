//! `ayni get`: shows one document.

use super::document;
use crate::failure::{Answer, Outcome};
use crate::setting::Setting;
use crate::terminal::out;

/// Show a document
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  ayni get places aebagbaf
  ayni get people --key ana
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
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let collection = setting.open_project()?.collection(&arguments.collection);
    let found = document::find(&collection, arguments.document.as_deref(), arguments.key.as_deref())?;
    match setting.json {
        true => out::json(&document::json(found.id(), &found.fields()))?,
        false => document::show(&found)?,
    }
    Ok(Answer::Yes)
}
