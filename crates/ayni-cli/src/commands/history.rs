//! `ayni history`: the versions of a document.

use ayni::doc::{Change, Operation};
use ayni::{Collection, DocumentId, Hash, VersionInfo};
use serde_json::{Value as Json, json};

use super::document;
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::table::{Cell, Table};
use crate::terminal::{out, words};

/// Show the versions of a document: who changed what, when
#[derive(clap::Args)]
#[command(after_help = "\
The oldest is first. Deleted documents have a history too. `ayni get … --at VERSION` shows one, `ayni diff` compares, and \
`ayni restore` goes back.

Examples:
  ayni history places aebagbaf
  ayni history people --key ana --json")]
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
    let id = document::find_id(&collection, arguments.document.as_deref(), arguments.key.as_deref())?;
    let versions = collection.history(id)?;
    if setting.json {
        let all: Vec<Json> = versions.iter().map(as_json).collect();
        out::json(&json!({ "id": id.to_string(), "collection": collection.name(), "versions": all }))?;
        return Ok(Answer::Yes);
    }
    let mut table = Table::new(&["version", "when", "who", "what"]);
    for (at, version) in versions.iter().enumerate() {
        let when = if out::is_terminal() { words::when(version.time) } else { words::timestamp(version.time) };
        table.row([
            Cell::dim(words::short(version.id)),
            Cell::from(when),
            Cell::from(words::device(&version.author_name, version.author)),
            Cell::from(what(&version.change, at == 0)),
        ]);
    }
    table.print()?;
    Ok(Answer::Yes)
}

/// The version of a document whose id begins like this.
pub(super) fn find(collection: &Collection, id: DocumentId, word: &str) -> Result<Hash, Failure> {
    let ids: Vec<Hash> = collection.history(id)?.into_iter().map(|version| version.id).collect();
    let begins = |version: &&Hash| version.to_string().starts_with(&word.to_ascii_lowercase());
    let found: Vec<&Hash> = ids.iter().filter(begins).collect();
    match found.as_slice() {
        [version] => Ok(**version),
        [] => {
            let list = format!("`ayni history {} {}` lists them", collection.name(), words::short(id));
            Err(Failure::new(format_args!("no version {word:?} of {}", words::short(id)), list))
        }
        several => {
            let what = format!("{} versions of {} begin with {word:?}", several.len(), words::short(id));
            Err(Failure::usage(what, "write more of it"))
        }
    }
}

fn what(change: &Change, first: bool) -> String {
    match change {
        Change::Delete => "deleted".to_owned(),
        Change::Edit(operations) if operations.is_empty() => "no field changed".to_owned(),
        Change::Edit(operations) => {
            let parts: Vec<String> = operations.iter().map(in_words).collect();
            format!("{}{}", if first { "created: " } else { "" }, parts.join(", "))
        }
    }
}

fn in_words(operation: &Operation) -> String {
    let path = operation.path();
    match operation {
        Operation::Set { value, .. } => format!("{path}={}", words::value(value)),
        Operation::Unset { .. } => format!("{path} taken away"),
        Operation::Add { amount, .. } => format!("{path}{amount:+}"),
        Operation::Insert { element, .. } => format!("{path} with {}", words::value(element)),
        Operation::Remove { element, .. } => format!("{path} without {}", words::value(element)),
        Operation::List { .. } | Operation::Text { .. } => format!("{path} edited"),
    }
}

fn as_json(version: &VersionInfo) -> Json {
    let operations = match &version.change {
        Change::Delete => Json::Null,
        Change::Edit(operations) => operations.iter().map(operation_json).collect(),
    };
    json!({
        "version": version.id.to_string(),
        "time": words::timestamp(version.time),
        "device": version.author.to_string(),
        "name": version.author_name,
        "deleted": version.change == Change::Delete,
        "operations": operations,
        "parents": version.parents.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn operation_json(operation: &Operation) -> Json {
    let field = operation.path().to_string();
    match operation {
        Operation::Set { value, .. } => json!({ "field": field, "set": value.to_json() }),
        Operation::Unset { .. } => json!({ "field": field, "unset": true }),
        Operation::Add { amount, .. } => json!({ "field": field, "add": amount }),
        Operation::Insert { element, .. } => json!({ "field": field, "insert": element.to_json() }),
        Operation::Remove { element, .. } => json!({ "field": field, "remove": element.to_json() }),
        Operation::List { .. } | Operation::Text { .. } => json!({ "field": field, "edited": true }),
    }
}
