//! `ayni settle`: decides conflicts.

use ayni::doc::{Alternative, Conflict, Operation, Path, Value};
use ayni::{Document, Project};
use serde_json::{Value as Json, json};

use super::conflicts::{self, Names};
use super::document;
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::{ask, out, say, words};

/// Decide what fields show that several devices wrote without having seen each other's
#[derive(clap::Args)]
#[command(after_help = "\
Without --pick, --value or --unset it goes through the conflicts and asks about each. A value that arrives while you decide is \
not overwritten: it becomes the next conflict. What a conflict handler settled is asked about if the document is named. The exit \
code is 1 if conflicts are left.

Examples:
  ayni settle
  ayni settle places
  ayni settle places aebagbaf population --pick 2
  ayni settle places aebagbaf population --pick Ana
  ayni settle places aebagbaf population --value 430000")]
pub(crate) struct Arguments {
    /// Only those in this collection
    collection: Option<String>,
    /// Only those of this document: its id, the start of it, or its key
    #[arg(requires = "collection")]
    document: Option<String>,
    /// Only this field
    #[arg(requires = "document")]
    field: Option<String>,
    /// The value of this number in `ayni conflicts`, or by the device whose name begins so
    #[arg(long, value_name = "NUMBER|DEVICE", requires = "document", group = "decision")]
    pick: Option<String>,
    /// Another value: JSON, or text
    #[arg(long, value_name = "VALUE", requires = "document", group = "decision")]
    value: Option<String>,
    /// No value: take the field away
    #[arg(long, requires = "document", group = "decision")]
    unset: bool,
}

/// What becomes of a field: a value, or none.
type Decision = Option<Value>;

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let project = setting.open_project()?;
    let field = arguments.field.as_deref().map(str::parse::<Path>).transpose();
    let field = field.map_err(|error| Failure::usage(error, "name a field, as in address.city"))?;
    let decided = arguments.pick.is_some() || arguments.value.is_some() || arguments.unset;
    let settled = match decided {
        true => one(&project, &arguments, field.as_ref())?,
        false => each(&project, &arguments, field.as_ref())?,
    };
    let left = open_conflicts(&project, &arguments, field.as_ref())?.len();
    if setting.json {
        out::json(&json!({ "settled": settled, "left": left }))?;
    } else if settled == 0 && left == 0 {
        say::done("no conflicts");
    } else {
        let rest = if left == 0 { String::new() } else { format!("; {left} left") };
        say::done(format_args!("settled {}, for everyone{rest}", words::counted(settled, "conflict")));
    }
    Ok(Answer::from(left == 0))
}

/// The conflicts that the words of the command are about.
fn open_conflicts(
    project: &Project,
    arguments: &Arguments,
    field: Option<&Path>,
) -> Result<Vec<(Document, Conflict)>, Failure> {
    let documents = match (&arguments.collection, &arguments.document) {
        (Some(collection), Some(word)) => vec![document::find(&project.collection(collection), Some(word), None)?],
        (collection, _) => conflicts::conflicted(project, collection.as_deref())?,
    };
    // Of a document that is named those too that a program of this folder settled by a handler: a person may know better.
    let named = arguments.document.is_some();
    let of_document = |document: Document| {
        let mut conflicts = document.conflicts();
        conflicts.extend(document.handled_conflicts().into_iter().filter(|_| named));
        conflicts.into_iter().map(|conflict| (document.clone(), conflict)).collect::<Vec<_>>()
    };
    let all = documents.into_iter().flat_map(of_document);
    Ok(all.filter(|(_, conflict)| field.is_none_or(|field| *field == conflict.path)).collect())
}

/// Settles the one conflict that is named, as is said.
fn one(project: &Project, arguments: &Arguments, field: Option<&Path>) -> Result<u64, Failure> {
    let mut open = open_conflicts(project, arguments, field)?;
    let (document, conflict) = match (open.pop(), open.is_empty()) {
        (Some(only), true) => only,
        (Some(last), false) => {
            open.push(last);
            let fields: Vec<String> = open.iter().map(|(_, conflict)| conflict.path.to_string()).collect();
            return Err(Failure::usage(
                format_args!("several fields are in conflict: {}", fields.join(", ")),
                "name the field after the document",
            ));
        }
        (None, _) => {
            return Err(Failure::new("there is no such conflict", "`ayni conflicts` lists those there are"));
        }
    };
    let decision = match (&arguments.pick, &arguments.value) {
        (Some(word), _) => picked(project, &conflict, word)?,
        (None, Some(text)) => Some(value(text)?),
        (None, None) => None,
    };
    settle(project, &document, &conflict, decision)?;
    Ok(1)
}

/// Asks about each conflict until there are none or it is enough. What comes meanwhile is asked about too.
fn each(project: &Project, arguments: &Arguments, field: Option<&Path>) -> Result<u64, Failure> {
    let mut settled = 0;
    let mut passed_over: Vec<(ayni::DocumentId, Path)> = Vec::new();
    loop {
        let open = open_conflicts(project, arguments, field)?;
        let is_next = |(document, conflict): &&(Document, Conflict)| {
            !passed_over.contains(&(document.id(), conflict.path.clone()))
        };
        let Some((document, conflict)) = open.iter().find(is_next) else { return Ok(settled) };
        if !ask::attended() {
            return Err(Failure::usage(
                format_args!("{} to settle, and no terminal to ask", words::counted(open.len() as u64, "conflict")),
                "name the document and say --pick, --value or --unset",
            ));
        }
        let names = conflicts::names(project)?;
        say::note(conflicts::heading(document));
        say::note(conflicts::listed(conflict, &names, out::width()).trim_end());
        match ask_about(project, conflict)? {
            Answered::Decided(decision) => match settle(project, document, conflict, decision) {
                Ok(()) => settled += 1,
                // A value that the schema refuses, say: the same conflict is asked about again.
                Err(failure) => drop(failure.report()),
            },
            Answered::Later => passed_over.push((document.id(), conflict.path.clone())),
            Answered::Enough => return Ok(settled),
        }
    }
}

enum Answered {
    Decided(Decision),
    Later,
    Enough,
}

fn ask_about(project: &Project, conflict: &Conflict) -> Result<Answered, Failure> {
    let most = conflict.alternatives.len();
    loop {
        let question = format!("  Which? 1 to {most}, = and another value, - for none, Enter for later, q to stop:");
        let Some(answer) = ask::line(&question)? else { return Ok(Answered::Enough) };
        let decision = match answer.trim() {
            "" => return Ok(Answered::Later),
            "q" => return Ok(Answered::Enough),
            "-" => Ok(None),
            other => match other.strip_prefix('=') {
                Some(text) => value(text.trim()).map(Some),
                None => picked(project, conflict, other),
            },
        };
        match decision {
            Ok(decision) => return Ok(Answered::Decided(decision)),
            Err(failure) => drop(failure.report()),
        }
    }
}

/// The value of a number, or of a device, of whose name the beginning is enough.
fn picked(project: &Project, conflict: &Conflict, word: &str) -> Result<Decision, Failure> {
    let names: Names = conflicts::names(project)?;
    let by_number = word.parse::<usize>().ok().and_then(|number| conflict.alternatives.get(number.checked_sub(1)?));
    let lower = word.trim().to_lowercase();
    let author = |alternative: &Alternative| conflicts::author(alternative, &names);
    let by = |matches: fn(&str, &str) -> bool| -> Vec<&Alternative> {
        let is_by = |alternative: &&Alternative| matches(&author(alternative).to_lowercase(), &lower);
        conflict.alternatives.iter().filter(is_by).collect()
    };
    let mut by_name = by(|name, word| name == word);
    if by_name.is_empty() && !lower.is_empty() {
        by_name = by(|name, word| name.starts_with(word));
    }
    let only = match by_name.as_slice() {
        [only] => Some(*only),
        _ => None,
    };
    by_number.or(only).map(|alternative| alternative.value.clone()).ok_or_else(|| {
        let option = |(at, alternative): (usize, &Alternative)| {
            format!("{} ({}, by {})", at + 1, conflicts::in_words(alternative), author(alternative))
        };
        let there: Vec<String> = conflict.alternatives.iter().enumerate().map(option).collect();
        let how = if by_name.is_empty() { "none" } else { "more than one" };
        Failure::usage(format_args!("{word:?} is {how} of the values"), format_args!("pick {}", there.join(" or ")))
    })
}

fn value(text: &str) -> Result<Value, Failure> {
    let json = serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_owned()));
    Value::from_json(&json).map_err(|error| Failure::usage(error, "write a value as in JSON, or a text"))
}

fn settle(project: &Project, document: &Document, conflict: &Conflict, decision: Decision) -> Result<(), Failure> {
    let path = conflict.path.clone();
    let operation = match decision {
        Some(value) => Operation::set_at(path, value),
        None => Operation::Unset { path },
    };
    Ok(project.write(|tx| tx.edit(document, vec![operation]))?)
}
