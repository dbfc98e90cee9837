//! `ayni history`: the versions of a document.

use std::time::Duration;

use ayni::doc::{Change, Operation, Value};
use ayni::{Collection, DocumentId, Hash, PAUSE, Sitting, VersionInfo};
use jiff::SignedDuration;
use serde_json::{Value as Json, json};

use super::document;
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::table::{Cell, Table};
use crate::terminal::{fit, out, words};

/// Show who changed a document, when and what
#[derive(clap::Args)]
#[command(after_help = "\
What one device wrote in a row, without a pause of five minutes (--pause), is one line, the oldest first; --all has a line \
for each version. Deleted documents have a history too. `ayni show DOCUMENT@VERSION` shows one, `ayni diff` compares, \
`ayni restore` goes back, and `ayni undo` takes one change back.

Examples:
  ayni history places aebagbaf
  ayni history places aebagbaf --all
  ayni history people --key ana --pause 1h --json")]
pub(crate) struct Arguments {
    /// The collection
    collection: String,
    /// The id, the start of it, or the key
    #[arg(required_unless_present = "key", conflicts_with = "key")]
    document: Option<String>,
    /// The key
    #[arg(long)]
    key: Option<String>,
    /// Each version
    #[arg(long)]
    all: bool,
    /// How long nothing is written before a new line begins: 90s, 10m, 1h [default: 5m]
    #[arg(long, value_name = "TIME", conflicts_with = "all")]
    pause: Option<String>,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let pause = arguments.pause.as_deref().map_or(Ok(PAUSE), parse_pause)?;
    let collection = setting.open_project()?.collection(&arguments.collection);
    let id = document::find_id(&collection, arguments.document.as_deref(), arguments.key.as_deref())?;
    // One by one is a group each.
    let (name, sittings) = match arguments.all {
        true => ("versions", collection.sittings(id, Duration::ZERO)?),
        false => ("sittings", collection.sittings(id, pause)?),
    };
    if setting.json {
        let all: Vec<Json> = match arguments.all {
            true => sittings.iter().flat_map(|sitting| &sitting.versions).map(as_json).collect(),
            false => sittings.iter().map(sitting_json).collect(),
        };
        out::json(&json!({ "id": id.to_string(), "collection": collection.name(), name: all }))?;
        return Ok(Answer::Yes);
    }
    let titles = ["version", "when", "who", ">changes", "what"];
    let mut table = Table::new(&titles);
    for (at, sitting) in sittings.iter().enumerate() {
        let Some(last) = sitting.versions.last() else { continue };
        table.row([
            Cell::dim(words::short(last.id)).whole(),
            Cell::from(when(sitting)),
            Cell::from(words::device(&sitting.author_name, sitting.author)),
            Cell::from(words::count(sitting.versions.len() as u64)).whole(),
            Cell::from(what_of(sitting, at == 0)),
        ]);
    }
    table.print()?;
    Ok(Answer::Yes)
}

fn parse_pause(text: &str) -> Result<Duration, Failure> {
    let pause = text.parse::<SignedDuration>().ok().and_then(|pause| Duration::try_from(pause).ok());
    pause.ok_or_else(|| Failure::usage(format_args!("{text:?} is no length of time"), "write --pause 90s, 10m or 1h"))
}

fn when(sitting: &Sitting) -> String {
    if !out::is_terminal() {
        return words::timestamp(sitting.to);
    }
    match sitting.to.saturating_sub(sitting.from) / 60_000 {
        0 => words::when(sitting.to),
        minutes => format!("{}, over {minutes} min", words::when(sitting.to)),
    }
}

/// What was done: of a single change all of it, of several the fields.
fn what_of(sitting: &Sitting, first: bool) -> String {
    if let [only] = sitting.versions.as_slice() {
        return what(&only.change, first);
    }
    let fields: Vec<String> = sitting.fields.iter().map(words::field).collect();
    let fields = if fields.is_empty() { "no field changed".to_owned() } else { fields.join(", ") };
    let created = if first { "created: " } else { "" };
    let deleted = sitting.versions.last().is_some_and(|last| last.change == Change::Delete);
    format!("{created}{fields}{}", if deleted { "; deleted" } else { "" })
}

fn sitting_json(sitting: &Sitting) -> Json {
    json!({
        "version": sitting.versions.last().map(|last| last.id.to_string()),
        "from": words::timestamp(sitting.from),
        "to": words::timestamp(sitting.to),
        "device": sitting.author.to_string(),
        "name": sitting.author_name,
        "changes": sitting.versions.len(),
        "fields": sitting.fields.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "deleted": sitting.versions.last().is_some_and(|last| last.change == Change::Delete),
        "versions": sitting.versions.iter().map(|version| version.id.to_string()).collect::<Vec<_>>(),
    })
}

/// The version of a document whose id begins like this.
pub(super) fn find(collection: &Collection, id: DocumentId, word: &str) -> Result<Hash, Failure> {
    let ids: Vec<Hash> = collection.history(id)?.into_iter().map(|version| version.id).collect();
    let begins = |version: &&Hash| version.to_string().starts_with(&word.to_ascii_lowercase());
    let found: Vec<&Hash> = ids.iter().filter(begins).collect();
    match found.as_slice() {
        [version] => Ok(**version),
        [] => {
            let list = format!(
                "`ayni history {} {} --all` lists them; a time is written as in 2026-11-20 or '2h ago'",
                collection.name(),
                words::short(id)
            );
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
    let path = words::field(operation.path());
    match operation {
        Operation::Set { value, .. } => format!("{path}={}", in_short(value)),
        Operation::Unset { .. } => format!("{path} taken away"),
        Operation::Add { amount, .. } => format!("{path}{amount:+}"),
        Operation::Insert { element, .. } => format!("{path} with {}", in_short(element)),
        Operation::Remove { element, .. } => format!("{path} without {}", in_short(element)),
        Operation::List { .. } | Operation::Text { .. } => format!("{path} edited"),
    }
}

/// A value; for people not a longer one than can be taken in at a glance.
fn in_short(value: &Value) -> String {
    /// Columns.
    const MOST: usize = 200;
    let value = words::value(value);
    if out::is_terminal() { fit::cut(&value, MOST).into_owned() } else { value }
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
