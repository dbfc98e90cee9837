//! `ayni diff`: what differs between what a document was and is.

use ayni::doc::{Map, Value};
use console::style;
use serde_json::{Value as Json, json};

use super::address::{Address, When};
use super::document;
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::{out, words};

/// Show what differs between a document as it was and as it is, or was later
#[derive(clap::Args)]
#[command(after_help = "\
Without a second version or time it is compared with what the document shows now. The exit code is 0 if nothing differs \
and 1 if something does.

Examples:
  ayni history places aebagbaf
  ayni diff places aebagbaf@5f2c
  ayni diff places aebagbaf@yesterday
  ayni diff places aebagbaf@5f2c 91ab --json")]
pub(crate) struct Arguments {
    /// The collection
    collection: String,
    /// The id, the start of it, or the key; @ and the version, or the start of it, as `ayni history` shows it, or a time
    #[arg(value_name = "DOCUMENT@VERSION")]
    document: String,
    /// Another version or time, in place of what is shown now
    #[arg(value_name = "VERSION")]
    to: Option<String>,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let collection = setting.open_project()?.collection(&arguments.collection);
    let from = Address::find(&collection, Some(&arguments.document), None)?;
    if from.at.is_none() {
        let remedy =
            format!("write {}@VERSION; `ayni history {} {0}` lists them", arguments.document, collection.name());
        return Err(Failure::usage("what to compare with is not said", remedy));
    }
    let at = arguments.to.as_deref().map(|to| When::parse(&collection, from.id, to)).transpose()?;
    let to = Address { id: from.id, at };
    // Nothing where it was deleted, or not there yet.
    let shown = |address: &Address| -> Result<Map, Failure> {
        Ok(address.read(&collection)?.map(|document| document.fields()).unwrap_or_default())
    };
    let (before, after) = (shown(&from)?, shown(&to)?);
    let (before, after) = (document::leaves(&before), document::leaves(&after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let differing: Vec<(&String, Option<&Value>, Option<&Value>)> = names
        .into_iter()
        .map(|name| (name, before.get(name).copied(), after.get(name).copied()))
        .filter(|(_, before, after)| before != after)
        .collect();
    if setting.json {
        let json = |value: Option<&Value>| value.map(Value::to_json);
        let all: Vec<Json> = differing
            .iter()
            .map(|(name, before, after)| json!({ "field": name, "before": json(*before), "after": json(*after) }))
            .collect();
        out::json(&Json::Array(all))?;
        return Ok(Answer::from(differing.is_empty()));
    }
    for (name, before, after) in &differing {
        if let Some(value) = before {
            out::line(style(format!("- {name}  {}", words::value(value))).red())?;
        }
        if let Some(value) = after {
            out::line(style(format!("+ {name}  {}", words::value(value))).green())?;
        }
    }
    Ok(Answer::from(differing.is_empty()))
}
