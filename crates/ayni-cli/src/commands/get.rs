//! `ayni get`: prints one document.

use super::address::Address;
use super::document;
use crate::failure::{Answer, Outcome};
use crate::setting::Setting;
use crate::terminal::out;

/// Print a document, as it is or as it was
#[derive(clap::Args)]
#[command(after_help = "\
`ayni show` tells more about it: who wrote what, and what is in conflict.

Examples:
  ayni get places aebagbaf
  ayni get people --key ana
  ayni get places aebagbaf@5f2c
  ayni get places 'aebagbaf@3 days ago'
  ayni get people ana --json | jq .address")]
pub(crate) struct Arguments {
    /// The collection
    collection: String,
    /// The id, the start of it, or the key; @VERSION or @TIME behind it: as it was
    #[arg(required_unless_present = "key", conflicts_with = "key")]
    document: Option<String>,
    /// The key
    #[arg(long)]
    key: Option<String>,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let collection = setting.open_project()?.collection(&arguments.collection);
    let address = Address::find(&collection, arguments.document.as_deref(), arguments.key.as_deref())?;
    let found = address.open(&collection)?;
    match setting.json {
        true => out::json(&document::json(found.id(), &found.fields()))?,
        false => document::show(&found)?,
    }
    Ok(Answer::Yes)
}
