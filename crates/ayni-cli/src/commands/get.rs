//! `ayni get`: prints one document.

use super::address::Named;
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
    #[command(flatten)]
    named: Named,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let collection = setting.open_project()?.collection(&arguments.named.collection);
    let found = arguments.named.find(&collection)?.open(&collection)?;
    match setting.json {
        true => out::json(&document::json(found.id(), &found.fields()))?,
        false => document::show(&found)?,
    }
    Ok(Answer::Yes)
}
