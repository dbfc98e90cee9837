//! `ayni delete`: deletes documents.

use serde_json::json;

use super::{bulk, document};
use crate::failure::{Answer, Outcome};
use crate::setting::Setting;
use crate::terminal::{out, say, words};

/// Delete documents
#[derive(clap::Args)]
#[command(after_help = "\
Who edits a document without having seen that it was deleted keeps it. Of those that are named all are deleted, or none; with \
--where it can be cut off, and what was deleted stays so.

Examples:
  ayni delete places aebagbaf
  ayni delete people --key ana
  ayni delete places --where 'population<10' --dry-run
  ayni delete places --where 'population<10'")]
pub(crate) struct Arguments {
    /// The collection
    collection: String,
    /// The ids, their starts, or keys
    #[arg(required_unless_present_any = ["key", "selector"], conflicts_with = "selector", value_name = "DOCUMENT")]
    documents: Vec<String>,
    /// A key; may be given several times
    #[arg(long, conflicts_with = "selector")]
    key: Vec<String>,
    #[command(flatten)]
    bulk: bulk::Choice,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let project = setting.open_project()?;
    let collection = project.collection(&arguments.collection);
    if arguments.bulk.is_given() {
        let delete = |selector: &_, progress: bulk::Progress<'_>| collection.delete_where(selector, progress);
        return arguments.bulk.run(setting, &collection, ("delete", "deleted"), delete);
    }
    let mut found = Vec::new();
    for word in &arguments.documents {
        found.push(document::find(&collection, Some(word), None)?);
    }
    for key in &arguments.key {
        found.push(document::find(&collection, None, Some(key))?);
    }
    project.write(|tx| found.iter().try_for_each(|document| tx.delete(document)))?;
    if setting.json {
        let ids: Vec<String> = found.iter().map(|document| document.id().to_string()).collect();
        out::json(&json!({ "collection": collection.name(), "deleted": ids }))?;
    } else {
        let amount = words::counted(found.len() as u64, "document");
        say::done(format_args!("deleted {amount} from {}", collection.name()));
    }
    Ok(Answer::Yes)
}
