//! `ayni diff`: what differs between two versions of a document.

use ayni::doc::{Map, Value};
use ayni::{Collection, DocumentId};
use console::style;
use serde_json::{Value as Json, json};

use super::{document, history};
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::{out, words};

/// Show what differs between two versions of a document
#[derive(clap::Args)]
#[command(after_help = "\
Without a second version it is compared with what the document shows now. The exit code is 0 if nothing differs and 1 if \
something does.

Examples:
  ayni history places aebagbaf
  ayni diff places aebagbaf 5f2c
  ayni diff places aebagbaf 5f2c 91ab --json")]
pub(crate) struct Arguments {
    /// The collection
    collection: String,
    /// The id, the start of it, or the key
    document: String,
    /// The version, or the start of it, as `ayni history` shows it
    from: String,
    /// Another, in place of what is shown now
    to: Option<String>,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let collection = setting.open_project()?.collection(&arguments.collection);
    let id = document::find_id(&collection, Some(&arguments.document), None)?;
    let before = shown(&collection, id, Some(&arguments.from))?;
    let after = shown(&collection, id, arguments.to.as_deref())?;
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

/// What the document shows, now or in a version; nothing where it was deleted.
fn shown(collection: &Collection, id: DocumentId, version: Option<&str>) -> Result<Map, Failure> {
    let document = match version {
        Some(word) => Some(collection.get_version(id, history::find(collection, id, word)?)?),
        None => collection.get(id)?,
    };
    Ok(document.filter(|document| !document.is_deleted()).map(|document| document.fields()).unwrap_or_default())
}
