//! `ayni index`: the indexes of collections.

use std::time::Instant;

use ayni::query::Path;
use ayni::{Collection, Index, Project, Tokenizer};
use clap::Subcommand;
use console::Style;
use serde_json::{Value as Json, json};

use super::{compact, query};
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::table::{Cell, Table};
use crate::terminal::{out, say, words};

/// List, make and drop indexes, which make queries, searches and maps quick
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
An index changes no answer. It is this device's own; others make theirs.

Examples:
  ayni index
  ayni index places
  ayni index add places country,population
  ayni index add wells --text
  ayni index add wells location --geometry
  ayni index drop places country,population"
)]
pub(crate) struct Arguments {
    /// The collection [default: all]
    collection: Option<String>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Make an index
    #[command(after_help = "\
Without --text or --geometry it is one of values, for `ayni query` and sorting.

Examples:
  ayni index add places country,population
  ayni index add wells --text                # all texts, for `ayni search`
  ayni index add wells name,notes --text     # these fields
  ayni index add wells name --text --tokenizer trigrams   # for --inside
  ayni index add wells location --geometry   # for `ayni near`, `ayni within`")]
    Add(Definition),
    /// Drop an index: give what it was made with
    #[command(after_help = "\
Examples:
  ayni index drop places country,population
  ayni index drop wells --text")]
    Drop(Definition),
}

#[derive(clap::Args)]
struct Definition {
    /// The collection
    collection: String,
    /// The fields; none with --text: all texts
    #[arg(value_name = "FIELDS", required_unless_present = "text")]
    fields: Vec<String>,
    /// Of the words in texts
    #[arg(long)]
    text: bool,
    /// What is found: words, or trigrams (letters also inside of words)
    #[arg(long, value_name = "NAME", requires = "text")]
    tokenizer: Option<String>,
    /// Of where geometries lie
    #[arg(long, conflicts_with = "text")]
    geometry: bool,
}

impl Definition {
    fn index(&self) -> Result<Index, Failure> {
        let fields = self.fields.iter().flat_map(|fields| fields.split(',')).map(|field| field.trim().parse::<Path>());
        let fields = fields.collect::<Result<Vec<_>, _>>();
        let fields = fields.map_err(|error| Failure::usage(error, "write fields as in country,population"))?;
        let index = match (self.text, self.geometry) {
            (true, _) => {
                let tokenizer = self.tokenizer.as_deref().map(str::parse::<Tokenizer>).transpose();
                Index::text(fields, tokenizer.map_err(Failure::nonsense)?.unwrap_or_default())
            }
            (_, true) => match <[Path; 1]>::try_from(fields) {
                Ok([field]) => Index::geometry(field),
                Err(fields) => {
                    let what = format!("an index of places on {} fields", fields.len());
                    return Err(Failure::usage(what, "make one for each field"));
                }
            },
            _ => Index::values(fields),
        };
        index.map_err(|error| Failure::usage(error, "see `ayni index add --help`"))
    }
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let project = setting.open_project()?;
    match (arguments.action, arguments.collection) {
        (Some(Action::Add(definition)), _) => add(setting, &project, &definition),
        (Some(Action::Drop(definition)), _) => drop(setting, &project, &definition),
        (None, Some(name)) => {
            let collection = project.collection(&name);
            query::check_exists(&collection)?;
            list(setting, vec![collection])
        }
        (None, None) => {
            let names = project.collections()?.into_iter().map(|collection| project.collection(&collection.name));
            list(setting, names.collect())
        }
    }
}

fn add(setting: &Setting, project: &Project, definition: &Definition) -> Outcome {
    let index = definition.index()?;
    let collection = project.collection(&definition.collection);
    query::check_exists(&collection)?;
    let there = collection.indexes()?.contains(&index);
    let start = Instant::now();
    collection.create_index(index.clone())?;
    if setting.json {
        out::json(&json!({ "collection": collection.name(), "index": index.to_json(), "new": !there }))?;
    } else if there {
        say::note(format_args!("{} has an index on {index} already", collection.name()));
    } else {
        let took = words::duration(start.elapsed());
        say::done(format_args!("made an index on {index} for {} in {took}", collection.name()));
    }
    Ok(Answer::Yes)
}

fn drop(setting: &Setting, project: &Project, definition: &Definition) -> Outcome {
    let index = definition.index()?;
    let collection = project.collection(&definition.collection);
    query::check_exists(&collection)?;
    if !collection.drop_index(index.clone())? {
        let name = collection.name();
        let remedy = format!("`ayni index {name}` lists those there are");
        return Err(Failure::new(format_args!("{name} has no index on {index}"), remedy));
    }
    match setting.json {
        true => out::json(&json!({ "collection": collection.name(), "dropped": index.to_json() }))?,
        false => {
            say::done(format_args!("dropped the index on {index} of {}", collection.name()));
            compact::hint(project.database())?;
        }
    }
    Ok(Answer::Yes)
}

fn list(setting: &Setting, collections: Vec<Collection>) -> Outcome {
    let mut found = Vec::new();
    for collection in &collections {
        let unfinished = collection.unfinished_indexes()?;
        let known = |index: Index| (collection.name(), unfinished.contains(&index), index);
        found.extend(collection.indexes()?.into_iter().map(known));
    }
    if setting.json {
        let all = found.iter().map(|(name, unfinished, index)| {
            let mut one = json!({ "collection": name, "index": index.to_json() });
            if *unfinished {
                one["unfinished"] = true.into();
            }
            one
        });
        out::json(&Json::Array(all.collect()))?;
        return Ok(Answer::from(!found.is_empty()));
    }
    if found.is_empty() {
        let name = match collections.as_slice() {
            [only] => only.name(),
            _ => "COLLECTION",
        };
        say::note("no index yet: everything is found by looking at all documents");
        say::next(&[
            (&format!("ayni index add {name} FIELD"), "for `ayni query`"),
            (&format!("ayni index add {name} --text"), "for `ayni search`"),
            (&format!("ayni index add {name} FIELD --geometry"), "for `ayni near` and `ayni within`"),
        ]);
        return Ok(Answer::No);
    }
    let mut table = Table::new(&["collection", "index on", ""]);
    for (name, unfinished, index) in &found {
        let made = Cell::styled(if *unfinished { "still being made" } else { "" }, Style::new().yellow());
        table.row([Cell::from(words::clean(name)), Cell::from(words::clean(&index.to_string())), made]);
    }
    table.print()?;
    Ok(Answer::Yes)
}
