//! `ayni show`: one document as people look at it: what it shows, who wrote that, and what is in conflict.

use std::io::Write;

use ayni::doc::{Conflict, Value};
use ayni::{Authored, Document, Provenance, VersionInfo};
use console::{Style, style};
use serde_json::{Map, Value as Json, json};

use super::address::{Named, When};
use super::conflicts::{self, Names};
use super::document;
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::entries::Entries;
use crate::terminal::{out, words};

/// Show a document, as it is or as it was: its fields, who wrote each and when, and what is in conflict
#[derive(clap::Args)]
#[command(after_help = "\
A version is written as `ayni history` shows it, or the start of it. A time goes by the clocks of those who wrote, and by what \
this device holds now: 2026-11-20 (as of its end), '2026-11-20 14:30', 2026-11-20T14:30:05Z, '2h ago', yesterday.

Examples:
  ayni show places aebagbaf
  ayni show places aebagbaf@5f2c
  ayni show people 'ana@3 days ago' --json")]
pub(crate) struct Arguments {
    #[command(flatten)]
    named: Named,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let project = setting.open_project()?;
    let collection = project.collection(&arguments.named.collection);
    let address = arguments.named.find(&collection)?;
    let found = address.open(&collection)?;
    let provenance = collection.provenance(&found)?;
    let names = conflicts::names(&project)?;
    match setting.json {
        true => out::json(&as_json(&found, &provenance, &names))?,
        false => print(&found, &provenance, &names, address.at)?,
    }
    Ok(Answer::Yes)
}

fn print(found: &Document, provenance: &Provenance, names: &Names, at: Option<When>) -> Result<(), Failure> {
    document::heading(found)?;
    out::text(style(versions(provenance, at)).dim())?;
    let fields = found.fields();
    let mut entries = Entries::new(2);
    for (name, value) in document::leaves(&fields) {
        let by = name.parse().ok().and_then(|path| provenance.fields.get(&path));
        let by = by.map_or(String::new(), |by| {
            format!("{}, {}", words::device(&by.author_name, by.author), words::when(by.time))
        });
        entries.row(name, Style::new().cyan(), words::value(value), by);
    }
    let mut out = out::data();
    entries.write(&mut out)?;
    let conflicts = found.conflicts();
    if !conflicts.is_empty() {
        writeln!(out, "{}", style("in conflict:").yellow())?;
        for conflict in &conflicts {
            write!(out, "{}", conflicts::listed(conflict, names, out::width()))?;
        }
    }
    if let Some(handler) = found.handled_by() {
        let told = format!(
            "settled by the conflict handler {}, until the next edit writes it down:",
            words::handler(&handler)
        );
        writeln!(out, "{}", style(told).dim())?;
        for conflict in found.handled_conflicts() {
            write!(out, "{}", conflicts::listed_as(&conflict, names, out::width(), None))?;
        }
    }
    Ok(out.flush()?)
}

/// Which version it is, and how it came about.
fn versions(provenance: &Provenance, at: Option<When>) -> String {
    let ids: Vec<String> = provenance.heads.iter().map(|head| words::short(head.id)).collect();
    let which = match ids.len() {
        1 => format!("version {}", ids.join("")),
        _ => format!("versions {} together", ids.join(" and ")),
    };
    let then = match at {
        Some(When::Moment(moment)) => format!(" as of {}", words::date(moment)),
        _ => String::new(),
    };
    let first = provenance.first.as_ref().map_or(String::new(), |first| {
        format!("; created {} by {}", words::when(first.time), words::device(&first.author_name, first.author))
    });
    format!("{which}{then}: {}{first}", words::counted(provenance.versions as u64, "change"))
}

fn as_json(found: &Document, provenance: &Provenance, names: &Names) -> Json {
    let fields = provenance.fields.iter().map(|(path, by)| {
        let value = found.get(path.names()).as_ref().map(Value::to_json);
        let mut field =
            Map::from_iter([("field".to_owned(), json!(path.to_string())), ("value".to_owned(), json!(value))]);
        field.extend(authored(by));
        Json::Object(field)
    });
    let conflict = |conflict: &Conflict| conflicts::as_json(found, conflict, names);
    let head = |head: &VersionInfo| json!(head.id.to_string());
    json!({
        "_id": found.id().to_string(),
        "collection": found.collection(),
        "versions": provenance.heads.iter().map(head).collect::<Vec<_>>(),
        "changes": provenance.versions,
        "created": provenance.first.as_ref().map(authored),
        "fields": fields.collect::<Vec<_>>(),
        "conflicts": found.conflicts().iter().map(conflict).collect::<Vec<_>>(),
        "handled": found.handled_by().map(|handler| json!({
            "name": handler.name,
            "version": handler.version,
            "conflicts": found.handled_conflicts().iter().map(conflict).collect::<Vec<_>>(),
        })),
    })
}

/// Who wrote something, for programs.
pub(super) fn authored(by: &Authored) -> Map<String, Json> {
    Map::from_iter([
        ("version".to_owned(), json!(by.version.to_string())),
        ("time".to_owned(), json!(words::timestamp(by.time))),
        ("device".to_owned(), json!(by.author.to_string())),
        ("name".to_owned(), json!(by.author_name)),
    ])
}
