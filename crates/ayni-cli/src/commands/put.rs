//! `ayni put`: writes one document.

use serde_json::json;

use super::document;
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::{out, say};

/// Write a document: a new one, or with --key the one of that key
#[derive(clap::Args)]
#[command(after_help = "\
A value that is not JSON is text. The id of the document is printed.

Examples:
  ayni put places name=Cusco population=428450
  ayni put places '{\"name\": \"Cusco\", \"population\": 428450}'
  ayni put wells 'location={\"type\": \"Point\", \"coordinates\": [-71.97, -13.53]}'
  ayni put people --key ana name=Ana address.city=Lima
  curl … | ayni put places -")]
pub(crate) struct Arguments {
    /// The collection; it is made with its first document
    collection: String,
    /// One JSON object, field=value words, or - to read JSON from the standard input
    #[arg(required = true, value_name = "FIELDS")]
    fields: Vec<String>,
    /// The key: the same key is the same document on every device; it then shows exactly these fields
    #[arg(long)]
    key: Option<String>,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let fields = match arguments.fields.as_slice() {
        [only] if only == "-" => document::object(&std::io::read_to_string(std::io::stdin().lock())?)?,
        words => document::fields(words)?,
    };
    if arguments.key.as_deref().is_some_and(str::is_empty) {
        return Err(Failure::usage("the key is empty", "name one, or leave --key out for a new document"));
    }
    let project = setting.open_project()?;
    let name = arguments.collection.as_str();
    let (id, put) = project.write(|tx| match &arguments.key {
        Some(key) => tx.put(name, key, fields),
        None => Ok((tx.create(name, fields)?, ayni::Put::Created)),
    })?;
    let what = match put {
        ayni::Put::Created => "created",
        ayni::Put::Updated => "updated",
        ayni::Put::Unchanged => "unchanged",
    };
    if setting.json {
        out::json(&json!({ "id": id.to_string(), "collection": name, "change": what }))?;
        return Ok(Answer::Yes);
    }
    say::done(format_args!("{what} in {name}:"));
    out::line(id)?;
    Ok(Answer::Yes)
}
