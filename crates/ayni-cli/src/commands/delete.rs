//! `ayni delete`: deletes documents.

use serde_json::json;

use super::document;
use crate::failure::{Answer, Outcome};
use crate::setting::Setting;
use crate::terminal::{out, say, words};

/// Delete documents
#[derive(clap::Args)]
#[command(after_help = "\
Who edits a document without having seen that it was deleted keeps it. All of them are deleted, or none.

Examples:
  ayni delete places aebagbaf
  ayni delete people --key ana
  ayni query places 'population<10' --json | jq -r '.[]._id' | xargs ayni delete places")]
pub(crate) struct Arguments {
    /// The collection
    collection: String,
    /// The ids, their starts, or keys
    #[arg(required_unless_present = "key", value_name = "DOCUMENT")]
    documents: Vec<String>,
    /// A key; may be given several times
    #[arg(long)]
    key: Vec<String>,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let project = setting.open_project()?;
    let collection = project.collection(&arguments.collection);
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
