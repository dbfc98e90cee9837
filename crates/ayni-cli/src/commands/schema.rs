//! `ayni schema`: what the documents of a collection should look like.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path as FilePath, PathBuf};

use ayni::Collection;
use ayni::schema::{Schema, Violation};
use clap::Subcommand;
use serde_json::{Map as Object, Value as Json, json};

use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::table::{Cell, Table};
use crate::terminal::{out, say, words};

/// Say what the documents of a collection look like, and find those that do not
#[derive(clap::Args)]
#[command(after_help = "\
A schema is JSON in the words of JSON Schema, and travels to every device:
  {\"properties\": {
     \"name\":   {\"type\": \"string\", \"maxLength\": 100},
     \"kind\":   {\"enum\": [\"well\", \"spring\"], \"default\": \"well\"},
     \"visits\": {\"type\": \"integer\", \"merge\": \"counter\"},
     \"place\":  {\"type\": \"geometry\"}},
   \"required\": [\"name\"],
   \"indexes\": [\"name\", [\"kind\", \"visits\"]]}

Examples:
  ayni schema set places places.schema.json
  ayni schema show places
  ayni schema check places")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Decide the schema of a collection, for everyone (coordinators)
    #[command(after_help = "\
From then on every device that knows it refuses to write what breaks it. What is there already stays: `ayni schema check` \
finds it. Where two coordinators decide at once, the greater \"version\" holds.

Examples:
  ayni schema set places places.schema.json
  ayni schema show places --json > places.schema.json")]
    Set {
        /// The collection
        collection: String,
        /// The file with the schema; - for the standard input
        file: PathBuf,
    },
    /// Show the schema of a collection
    #[command(
        after_help = "Examples:\n  ayni schema show places\n  ayni schema show places --json > places.schema.json"
    )]
    Show {
        /// The collection
        collection: String,
    },
    /// List the documents that are not as the schema says
    #[command(after_help = "\
The exit code is 0 if all are as it says, and 1 if some are not.

Examples:
  ayni schema check places
  ayni schema check places new.schema.json")]
    Check {
        /// The collection
        collection: String,
        /// A file with another schema, to see what it would find; - for the standard input
        file: Option<PathBuf>,
    },
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let project = setting.open_project()?;
    match arguments.command {
        Command::Set { collection, file } => set(setting, &project.collection(&collection), &read(&file)?),
        Command::Show { collection } => show(setting, &project.collection(&collection)),
        Command::Check { collection, file: Some(file) } => {
            check(setting, &project.collection(&collection), &read(&file)?)
        }
        Command::Check { collection, file: None } => {
            let collection = project.collection(&collection);
            let schema = collection.schema()?.ok_or_else(|| none(&collection))?;
            check(setting, &collection, &schema)
        }
    }
}

fn set(setting: &Setting, collection: &Collection, schema: &Schema) -> Outcome {
    let new = collection.set_schema(schema)?;
    let broken = count(collection, schema)?;
    if setting.json {
        out::json(&json!({ "collection": collection.name(), "decided": new, "otherwise": broken }))?;
        return Ok(Answer::Yes);
    }
    match new {
        true => say::done("decided: it holds for everyone who learns of it by `ayni sync`"),
        false => say::done("this is the schema already"),
    }
    if broken > 0 {
        let (documents, verb) = (words::counted(broken, "document"), words::is_are(broken));
        let name = words::clean(collection.name());
        say::note(format_args!("{documents} of {name} {verb} not as it says, and can still be edited"));
        say::next(&[(&format!("ayni schema check {}", collection.name()), "lists them")]);
    }
    Ok(Answer::Yes)
}

fn show(setting: &Setting, collection: &Collection) -> Outcome {
    let schema = collection.schema()?.ok_or_else(|| none(collection))?;
    let passed_over = collection.schemas_passed_over()?.len() as u64;
    let json = schema.to_json();
    if setting.json {
        out::json(&json)?;
        return Ok(Answer::Yes);
    }
    if let Some(title) = schema.title() {
        out::line(title)?;
    }
    let mut table = Table::new(&["field", "type", "rules", "merges"]);
    rows(&mut table, &[], &json);
    table.print()?;
    for index in schema.indexes() {
        out::line(format_args!("index on {index}"))?;
    }
    if let Some(handler) = schema.conflict_handler() {
        let handler = words::handler(handler);
        out::line(format_args!("conflicts are settled by the handler {handler}, in programs that have it"))?;
    }
    if passed_over > 0 {
        let others = words::counted(passed_over, "other schema");
        say::note(format_args!("{others} decided at the same time without effect: `ayni schema set` settles it"));
    }
    Ok(Answer::Yes)
}

fn check(setting: &Setting, collection: &Collection, schema: &Schema) -> Outcome {
    let mut broken: u64 = 0;
    collection.violations(schema, |document, violations| {
        broken += 1;
        let told = match setting.json {
            true => {
                let rules: Vec<String> = violations.iter().map(Violation::to_string).collect();
                out::json(&json!({ "_id": document.id().to_string(), "violations": rules }))
            }
            false => violations
                .iter()
                .try_for_each(|violation| out::text(format_args!("{}  {violation}", words::short(document.id())))),
        };
        // Who reads has seen enough.
        Ok(if told.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    if !setting.json {
        match broken {
            0 => say::done("all documents are as the schema says"),
            _ => {
                let (documents, verb) = (words::counted(broken, "document"), words::is_are(broken));
                say::note(format_args!("{documents} {verb} not as the schema says"));
            }
        }
    }
    Ok(Answer::from(broken == 0))
}

fn count(collection: &Collection, schema: &Schema) -> Result<u64, Failure> {
    let mut broken = 0;
    collection.violations(schema, |_, _| {
        broken += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(broken)
}

fn none(collection: &Collection) -> Failure {
    let remedy = format!("a coordinator decides one: ayni schema set {} FILE", collection.name());
    Failure::new(format_args!("collection {:?} has no schema", collection.name()), remedy)
}

fn read(file: &FilePath) -> Result<Schema, Failure> {
    let text = match file.as_os_str() == "-" {
        true => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        }
        false => std::fs::read_to_string(file),
    };
    let text = text.map_err(|error| {
        Failure::new(format_args!("{} cannot be read: {error}", file.display()), "name a file with a schema, or -")
    })?;
    text.parse::<Schema>().map_err(|error| Failure::new(error, "`ayni schema --help` shows what a schema looks like"))
}

/// One row for each field, those inside of maps behind the map.
fn rows(table: &mut Table, above: &[&str], object: &Json) {
    let required = |name: &str| object["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name));
    for (name, rules) in object["properties"].as_object().into_iter().flatten() {
        let path: Vec<&str> = above.iter().copied().chain([name.as_str()]).collect();
        let kind = match &rules["type"] {
            Json::String(kind) => kind.clone(),
            Json::Array(kinds) => kinds.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(" or "),
            _ if rules["properties"].is_object() => "object".to_owned(),
            _ => "any".to_owned(),
        };
        let merges = rules["merge"].as_str().unwrap_or_default();
        let said = rules.as_object().map_or(String::new(), |rules| told(rules, required(name)));
        table.row([Cell::from(path.join(".")), Cell::from(kind), Cell::from(said), Cell::from(merges.to_owned())]);
        rows(table, &path, rules);
    }
}

/// The rules of a field in a few words.
fn told(rules: &Object<String, Json>, required: bool) -> String {
    let mut said = Vec::new();
    if required {
        said.push("required".to_owned());
    }
    for (word, value) in rules {
        let list = || value.as_array().into_iter().flatten().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        said.push(match word.as_str() {
            "enum" => format!("one of {}", list()),
            "minimum" => format!("from {value}"),
            "maximum" => format!("to {value}"),
            "minLength" => format!("at least {value} characters"),
            "maxLength" => format!("at most {value} characters"),
            "minItems" => format!("at least {value} items"),
            "maxItems" => format!("at most {value} items"),
            "pattern" => format!("matches {}", value.as_str().unwrap_or_default()),
            "default" => format!("else {value}"),
            _ => continue,
        });
    }
    said.join("; ")
}
