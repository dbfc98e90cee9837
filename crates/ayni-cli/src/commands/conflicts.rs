//! `ayni conflicts`: what devices wrote to the same field without having seen each other's.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use ayni::doc::{Alternative, Conflict, Value};
use ayni::{Document, HandlerId, Project};
use console::{Style, style};
use serde_json::{Value as Json, json};

use super::{document, query};
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::entries::Entries;
use crate::terminal::{out, say, words};

/// The names of devices.
pub(super) type Names = BTreeMap<ayni::DeviceId, String>;

/// Show fields that several devices wrote without having seen each other's
#[derive(clap::Args)]
#[command(after_help = "\
One value is shown in the document, the others are kept here until someone settles it: with `ayni settle`, or by any edit of \
the field. The exit code is 0 if there are none and 1 if there are some.

Examples:
  ayni conflicts
  ayni conflicts places --json
  ayni settle")]
pub(crate) struct Arguments {
    /// Only those in this collection
    collection: Option<String>,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let project = setting.open_project()?;
    let found = conflicted(&project, arguments.collection.as_deref())?;
    let names = names(&project)?;
    if setting.json {
        let all = found.iter().flat_map(|document| {
            document.conflicts().into_iter().map(|conflict| as_json(document, &conflict, &names)).collect::<Vec<_>>()
        });
        out::json(&all.collect())?;
        return Ok(Answer::from(found.is_empty()));
    }
    if found.is_empty() {
        say::done("no conflicts");
        return Ok(Answer::Yes);
    }
    let mut out = out::data();
    for document in &found {
        out.flush()?;
        out::text(heading(document))?;
        for conflict in document.conflicts() {
            write!(out, "{}", listed(&conflict, &names, out::width()))?;
        }
    }
    out.flush()?;
    say::note("");
    let fields = found.iter().map(|document| document.conflicts().len()).sum::<usize>() as u64;
    let amount = words::counted(found.len() as u64, "document");
    say::note(format_args!("{} in {amount}", words::counted(fields, "field")));
    for handler in handlers(&project, &found)? {
        let handler = words::handler(&handler);
        say::note(format_args!(
            "the schema leaves conflicts to the handler {handler}: programs that have it settle them"
        ));
    }
    say::next(&[("ayni settle", "goes through them, and settles each for everyone")]);
    Ok(Answer::No)
}

/// The conflict handlers that the schemas of these documents name.
fn handlers(project: &Project, documents: &[Document]) -> Result<BTreeSet<HandlerId>, Failure> {
    let collections: BTreeSet<&str> = documents.iter().map(Document::collection).collect();
    let mut found = BTreeSet::new();
    for name in collections {
        let schema = project.collection(name).schema()?;
        found.extend(schema.and_then(|schema| schema.conflict_handler().cloned()));
    }
    Ok(found)
}

/// The documents with conflicts.
pub(crate) fn conflicted(project: &Project, collection: Option<&str>) -> Result<Vec<Document>, Failure> {
    let names = match collection {
        Some(name) => {
            query::check_exists(&project.collection(name))?;
            vec![name.to_owned()]
        }
        None => project.collections()?.into_iter().map(|collection| collection.name).collect(),
    };
    let mut found = Vec::new();
    for name in names {
        found.extend(project.collection(&name).conflicted()?);
    }
    Ok(found)
}

/// The names of the devices of a project.
pub(super) fn names(project: &Project) -> Result<Names, Failure> {
    Ok(project.members()?.into_iter().map(|member| (member.device, member.name)).collect())
}

/// Which document it is.
pub(super) fn heading(document: &Document) -> String {
    let id = words::short(document.id());
    let title = document::title(document);
    format!("{} {}  {}", words::clean(document.collection()), style(&id).cyan(), style(title).bold())
}

/// The field and its values, numbered from 1, the one that is shown first; for a terminal of this width.
pub(super) fn listed(conflict: &Conflict, names: &Names, columns: Option<usize>) -> String {
    listed_as(conflict, names, columns, Some(0))
}

/// The same, and which of the values is shown, if it is one of them.
pub(super) fn listed_as(conflict: &Conflict, names: &Names, columns: Option<usize>, shown: Option<usize>) -> String {
    let mut values = Entries::new(4);
    for (at, alternative) in conflict.alternatives.iter().enumerate() {
        let (look, told) = if Some(at) == shown { (Style::new().green(), ", shown") } else { (Style::new().dim(), "") };
        let by = format!("{}, {}{told}", author(alternative, names), words::when(alternative.stamp.time));
        values.row((at + 1).to_string(), look, in_words(alternative), by);
    }
    format!("  {}\n{}", style(words::field(&conflict.path)).yellow(), values.fitting(columns))
}

pub(super) fn author(alternative: &Alternative, names: &Names) -> String {
    let device = alternative.stamp.author;
    words::device(names.get(&device).map_or("", String::as_str), device)
}

pub(super) fn in_words(alternative: &Alternative) -> String {
    alternative.value.as_ref().map_or_else(|| "(taken away)".to_owned(), words::value)
}

pub(super) fn as_json(document: &Document, conflict: &Conflict, names: &Names) -> Json {
    let alternative = |alternative: &Alternative| {
        json!({
            "value": alternative.value.as_ref().map(Value::to_json),
            "unset": alternative.value.is_none(),
            "time": words::timestamp(alternative.stamp.time),
            "device": alternative.stamp.author.to_string(),
            "name": names.get(&alternative.stamp.author),
        })
    };
    json!({
        "collection": document.collection(),
        "id": document.id().to_string(),
        "field": conflict.path.to_string(),
        "values": conflict.alternatives.iter().map(alternative).collect::<Vec<_>>(),
    })
}
