//! `ayni edit`: changes one document, or all for which something holds.

use std::fs;
use std::io::Write;
use std::process::Command;

use ayni::doc::{Operation, Path};
use ayni::{Collection, Document, Project};
use serde_json::json;

use super::{bulk, document};
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::{ask, out, say, words};

/// Change fields of a document (without any, in your editor), or of all for which something holds
#[derive(clap::Args)]
#[command(after_help = "\
Only what is named is changed, so that others' edits of other fields stand beside it. Where a field is in conflict, a new \
value settles it.

Examples:
  ayni edit places aebagbaf population=430000
  ayni edit people --key ana address.city=Cusco --unset phone
  ayni edit polls --key lunch --add votes.soup=1
  ayni edit places --where 'country=PE population<100' checked=false --dry-run
  ayni edit places aebagbaf")]
pub(crate) struct Arguments {
    /// The collection
    collection: String,
    /// The id, the start of it, or the key (unless --key is given); then field=value words
    #[arg(value_name = "DOCUMENT] [FIELD=VALUE")]
    words: Vec<String>,
    /// The key
    #[arg(long, conflicts_with = "selector")]
    key: Option<String>,
    /// Take a field away; may be given several times
    #[arg(long, value_name = "FIELD")]
    unset: Vec<String>,
    /// Add to a counter, a whole number; additions made elsewhere meanwhile count too
    #[arg(long, value_name = "FIELD=NUMBER")]
    add: Vec<String>,
    /// Bring the document back if it was deleted
    #[arg(long, conflicts_with = "selector")]
    undelete: bool,
    #[command(flatten)]
    bulk: bulk::Choice,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let (word, fields) = match (&arguments.key, arguments.words.split_first()) {
        (None, Some((word, fields))) if !arguments.bulk.is_given() => (Some(word.as_str()), fields),
        (_, _) => (None, arguments.words.as_slice()),
    };
    let operations = operations(fields, &arguments.unset, &arguments.add)?;
    let project = setting.open_project()?;
    let collection = project.collection(&arguments.collection);
    if arguments.bulk.is_given() {
        if operations.is_empty() {
            return Err(Failure::usage("what to change is not said", "write field=value, --unset or --add"));
        }
        let change =
            |selector: &_, progress: bulk::Progress<'_>| collection.edit_where(selector, &operations, progress);
        return arguments.bulk.run(setting, &collection, ("change", "changed"), change);
    }
    let found = open(&collection, word, &arguments)?;
    let changed = match operations.is_empty() && !arguments.undelete {
        true => in_editor(&project, &found)?,
        false => {
            project.write(|tx| tx.edit(&found, operations))?;
            true
        }
    };
    if setting.json {
        out::json(&json!({ "id": found.id().to_string(), "collection": collection.name(), "changed": changed }))?;
    } else if changed {
        say::done(format_args!("changed {} in {}", words::short(found.id()), collection.name()));
    } else {
        say::note("Nothing was changed.");
    }
    Ok(Answer::Yes)
}

fn open(collection: &Collection, word: Option<&str>, arguments: &Arguments) -> Result<Document, Failure> {
    if !arguments.undelete {
        return document::find(collection, word, arguments.key.as_deref());
    }
    let id = document::find_id(collection, word, arguments.key.as_deref())?;
    collection.get_deleted(id)?.ok_or_else(|| Failure::new("the document was never written", "check its id"))
}

fn operations(fields: &[String], unset: &[String], add: &[String]) -> Result<Vec<Operation>, Failure> {
    let mut operations = document::settings(fields)?;
    for field in unset {
        let path = field.parse::<Path>().map_err(|error| Failure::usage(error, "name a field, as in address.city"))?;
        operations.push(Operation::Unset { path });
    }
    for word in add {
        let (path, value) = document::assignment(word)?;
        let amount = value.as_int().ok_or_else(|| {
            Failure::usage(format_args!("{word:?} adds no whole number"), "write --add field=1 or --add field=-1")
        })?;
        operations.push(Operation::Add { path, amount });
    }
    Ok(operations)
}

/// Opens the document's JSON in the editor, and changes what was changed there.
fn in_editor(project: &Project, document: &Document) -> Result<bool, Failure> {
    if !ask::attended() {
        return Err(Failure::usage("no change is given, and there is no terminal for an editor", "write field=value"));
    }
    let before = serde_json::to_string_pretty(&document.to_json()).map_err(std::io::Error::from)?;
    // Made for its owner only, and removed when it goes out of scope: it is the one place where a document lies in clear.
    let mut file = tempfile::Builder::new().prefix("ayni-").suffix(".json").tempfile()?;
    file.write_all(before.as_bytes())?;
    file.flush()?;
    loop {
        let editor = editor();
        let (program, rest) = editor.split_first().ok_or_else(no_editor)?;
        let ended = Command::new(program).args(rest).arg(file.path()).status();
        if !ended.map_err(|_| no_editor())?.success() {
            return Err(Failure::new("the editor did not end well", "nothing was changed; try again"));
        }
        let after = fs::read_to_string(file.path()).map_err(|error| Failure::file(file.path(), &error))?;
        if after.trim() == before.trim() {
            return Ok(false);
        }
        let replace = |fields| Ok(project.write(|tx| tx.replace(document, fields))?);
        match document::object(&after).and_then(replace) {
            Ok(()) => return Ok(true),
            Err(failure) => {
                failure.report();
                if !ask::yes("Go back to the editor?")? {
                    return Ok(false);
                }
            }
        }
    }
}

fn editor() -> Vec<String> {
    let given = ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok().filter(|text| !text.is_empty()));
    let editor = given.unwrap_or_else(|| if cfg!(windows) { "notepad".to_owned() } else { "vi".to_owned() });
    editor.split_whitespace().map(str::to_owned).collect()
}

fn no_editor() -> Failure {
    Failure::new("the editor cannot be started", "set EDITOR to one that is installed, or write field=value")
}
