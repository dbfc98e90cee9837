//! `ayni undo`: takes back what this device changed last.

use ayni::doc::Value;
use ayni::{Authored, Collection, DocumentId, Existence, Kept, Project, SetBack, Undone};
use serde_json::{Map, Value as Json, json};

use super::address::{Address, When};
use super::show::authored;
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::{ask, out, say, words};

/// Documents of which it is told one by one what is taken back.
const TOLD: usize = 10;

/// Take back the last change that this device made: to a document, or without one the whole last commit
#[derive(clap::Args)]
#[command(after_help = "\
Only the fields that the change wrote are set back, and of these what somebody has written since stays. A document that it \
created is deleted, one that it deleted comes back. That is a change like any other, so a second undo does the first change \
again. DOCUMENT@VERSION takes back that change, whoever made it. The exit code is 1 if there is nothing to take back.

Examples:
  ayni undo places aebagbaf
  ayni undo places aebagbaf@5f2c --dry-run
  ayni undo
  ayni undo --dry-run")]
pub(crate) struct Arguments {
    /// The collection
    collection: Option<String>,
    /// The id, the start of it, or the key; @VERSION behind it: that change
    #[arg(conflicts_with = "key")]
    document: Option<String>,
    /// The key
    #[arg(long)]
    key: Option<String>,
    /// Only say what would be taken back
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    if arguments.collection.is_none() && arguments.key.is_some() {
        return Err(Failure::usage(
            "in which collection the key is is not said",
            "write `ayni undo COLLECTION --key KEY`",
        ));
    }
    let project = setting.open_project()?;
    match &arguments.collection {
        Some(collection) => of_document(setting, &arguments, &project.collection(collection)),
        None => of_commit(setting, &arguments, &project),
    }
}

fn of_document(setting: &Setting, arguments: &Arguments, collection: &Collection) -> Outcome {
    if arguments.document.is_none() && arguments.key.is_none() {
        let remedy = "write its id or key; `ayni undo` alone takes back the last commit";
        return Err(Failure::usage("of which document the change is to be taken back is not said", remedy));
    }
    let address = Address::find(collection, arguments.document.as_deref(), arguments.key.as_deref())?;
    let id = address.id;
    let version = match address.at {
        Some(When::Version(version)) => version,
        Some(When::Moment(_)) => {
            let remedy = "write DOCUMENT@VERSION; `ayni restore` goes back to a time";
            return Err(Failure::usage("one change is taken back, and a time names none", remedy));
        }
        None => collection.last_change_here(id)?.ok_or_else(|| never_changed(collection, id))?.id,
    };
    let undone = match arguments.dry_run {
        true => collection.preview_undo(id, version)?,
        false => collection.undo(id, version)?,
    };
    tell(setting, arguments, &[undone])
}

fn never_changed(collection: &Collection, id: DocumentId) -> Failure {
    let (name, id) = (collection.name(), words::short(id));
    let remedy =
        format!("`ayni history {name} {id} --all` lists who did; `ayni undo {name} {id}@VERSION` takes one back");
    Failure::new(format_args!("this device has not changed {id}"), remedy)
}

/// The last commit, which is shown first where somebody can say no.
fn of_commit(setting: &Setting, arguments: &Arguments, project: &Project) -> Outcome {
    let commit = project.last_commit()?.ok_or_else(|| {
        Failure::new(
            "this device has written nothing yet",
            "`ayni undo COLLECTION DOCUMENT@VERSION` takes back others' changes",
        )
    })?;
    let asks = ask::attended() && !arguments.yes && !setting.json;
    if !setting.json {
        let amount = words::counted(commit.documents.len() as u64, "document");
        say::note(format_args!("the last commit, {}: {amount}", words::when(commit.time)));
    }
    if arguments.dry_run || asks {
        let preview = project.preview_undo(&commit)?;
        if arguments.dry_run {
            return tell(setting, arguments, &preview);
        }
        list(&preview);
        if preview.iter().all(Undone::is_nothing) || !ask::yes("Take it back?")? {
            say::note("Nothing was changed.");
            return Ok(Answer::No);
        }
    }
    tell(setting, arguments, &project.undo(&commit)?)
}

fn tell(setting: &Setting, arguments: &Arguments, all: &[Undone]) -> Outcome {
    let done: Vec<&Undone> = all.iter().filter(|undone| !undone.is_nothing()).collect();
    let answer = Answer::from(!done.is_empty());
    if setting.json {
        let undone: Vec<Json> = all.iter().map(as_json).collect();
        out::json(&json!({ "undone": undone, "dry_run": arguments.dry_run }))?;
        return Ok(answer);
    }
    list(all);
    match (done.as_slice(), arguments.dry_run) {
        ([], _) => say::note("There is nothing to take back: nothing was changed."),
        (_, true) => say::note("Nothing was changed: this was a trial."),
        ([only], false) => {
            say::done(format_args!("took back the change of {} in {}", words::short(only.id), only.collection))
        }
        (several, false) => {
            say::done(format_args!("took back the changes of {}", words::counted(several.len() as u64, "document")));
        }
    }
    Ok(answer)
}

/// What is taken back and what stays, document by document.
fn list(all: &[Undone]) {
    for undone in all.iter().take(TOLD) {
        let whole = match undone.existence {
            Existence::Same => "",
            Existence::Deleted => "  is deleted",
            Existence::BroughtBack => "  comes back",
        };
        say::note(format_args!("{}  {}{whole}", undone.collection, words::short(undone.id)));
        for SetBack { path, from, to } in &undone.taken_back {
            let shown = |value: &Option<Value>| value.as_ref().map_or("(nothing)".to_owned(), words::value);
            say::note(format_args!("  {}  {} → {}", words::clean(&path.to_string()), shown(from), shown(to)));
        }
        for path in &undone.settled {
            let path = words::clean(&path.to_string());
            say::note(format_args!(
                "  {path} was in conflict before and stays settled: the other values are in the history"
            ));
        }
        for kept in &undone.kept {
            say::note(format_args!("  {}", kept_in_words(kept)));
        }
    }
    if let Some(more) = all.len().checked_sub(TOLD).filter(|more| *more > 0) {
        say::note(format_args!("and {} more", words::counted(more as u64, "document")));
    }
}

fn kept_in_words(kept: &Kept) -> String {
    let by = |by: &Authored| format!("{}, {}", words::device(&by.author_name, by.author), words::when(by.time));
    match kept {
        Kept::Field { path, by: author } => {
            format!("{} stays: written since by {}", words::clean(&path.to_string()), by(author))
        }
        Kept::Conflict(path) => {
            format!("{} stays: it is in conflict, and `ayni settle` decides", words::clean(&path.to_string()))
        }
        Kept::Document(author) => format!("it stays as it is: changed since by {}", by(author)),
        _ => "something stays".to_owned(),
    }
}

fn as_json(undone: &Undone) -> Json {
    let existence = match undone.existence {
        Existence::Same => "same",
        Existence::Deleted => "deleted",
        Existence::BroughtBack => "brought back",
    };
    let json_of = |value: &Option<Value>| value.as_ref().map(Value::to_json);
    let set_back =
        |one: &SetBack| json!({ "field": one.path.to_string(), "from": json_of(&one.from), "to": json_of(&one.to) });
    json!({
        "collection": undone.collection,
        "id": undone.id.to_string(),
        "existence": existence,
        "taken_back": undone.taken_back.iter().map(set_back).collect::<Vec<_>>(),
        "kept": undone.kept.iter().map(kept_json).collect::<Vec<_>>(),
        "settled": undone.settled.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn kept_json(kept: &Kept) -> Json {
    let (field, by) = match kept {
        Kept::Field { path, by } => (Some(path.to_string()), Some(by)),
        Kept::Conflict(path) => (Some(path.to_string()), None),
        Kept::Document(by) => (None, Some(by)),
        _ => (None, None),
    };
    let mut json = Map::from_iter([
        ("field".to_owned(), json!(field)),
        ("conflict".to_owned(), json!(matches!(kept, Kept::Conflict(_)))),
    ]);
    json.extend(by.map(authored).into_iter().flatten());
    Json::Object(json)
}
