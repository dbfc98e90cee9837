//! `ayni query`: finds documents.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ayni::doc::{Geometry, Map, Value};
use ayni::query::{Explanation, Projection, Query, Selector, Sort, SortError, WithId};
use ayni::{Collection, Document};
use serde_json::{Value as Json, json};

use super::{document, moment};
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::table::{Cell, Table};
use crate::terminal::{out, say, words};

/// Rows that a person is shown without having asked for more.
const ROWS: u64 = 100;

/// Find documents
#[derive(clap::Args)]
#[command(after_help = "\
A selector is written in words (country=PE population>=10000 name~^San, a field alone: it is there) or as Mango JSON, with all \
of its operators. Without one there is everything. The exit code is 1 if nothing is found. \
At a terminal the first 100 are shown unless --limit says otherwise; elsewhere and with --json, all.

Examples:
  ayni query places country=PE 'population>=100000' --sort population:desc
  ayni query places '{\"country\": {\"$in\": [\"PE\", \"BO\"]}}' --fields name,country
  ayni query places name='El Tarter' --json
  ayni query places country=PE --count
  ayni query places country=PE --as-of '3 days ago'
  ayni query places country=PE --explain")]
pub(crate) struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// Only how many there are
    #[arg(long, conflicts_with_all = ["sort", "limit", "skip", "fields"])]
    count: bool,
    /// Only how it is answered: by which index, and how many documents are looked at
    #[arg(long, conflicts_with = "count")]
    explain: bool,
    /// As everything was at this time, by the clocks of those who wrote it
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
}

/// What is asked of a collection.
#[derive(clap::Args)]
pub(super) struct Asked {
    /// The collection
    pub(super) collection: String,
    /// Which documents
    selector: Vec<String>,
    /// The same, as for other commands; may be given several times
    #[arg(id = "where", long = "where", value_name = "SELECTOR")]
    also: Vec<String>,
    /// In what order: fields, each perhaps with :desc
    #[arg(long, value_name = "FIELDS")]
    pub(super) sort: Option<String>,
    /// How many at most
    #[arg(long, value_name = "NUMBER")]
    pub(super) limit: Option<u64>,
    /// How many to pass over first
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    pub(super) skip: u64,
    /// Which fields of each: name,address.city
    #[arg(long, value_name = "FIELDS")]
    pub(super) fields: Option<String>,
}

impl Asked {
    /// All the conditions that are given, as they are written.
    pub(super) fn conditions(&self) -> Vec<String> {
        [self.selector.as_slice(), self.also.as_slice()].concat()
    }
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let conditions = arguments.asked.conditions();
    let selector = selector(&conditions)?;
    let fields = fields(arguments.asked.fields.as_deref())?;
    let sort = sort(arguments.asked.sort.as_deref())?;
    let as_of = arguments.as_of.as_deref().map(moment::parse).transpose()?;
    let project = setting.open_project()?;
    let collection = project.collection(&arguments.asked.collection);
    check_exists(&collection)?;
    let past = as_of.map(|moment| collection.as_of(moment));
    let start = Instant::now();
    if arguments.count {
        let count = match &past {
            None => collection.count(&selector)?,
            Some(past) => past.count(&selector)?,
        };
        match setting.json {
            true => out::json(&json!({ "count": count }))?,
            false => out::line(count)?,
        }
        return Ok(Answer::from(count > 0));
    }
    let at_terminal = out::is_terminal() && !setting.json;
    let mut query = Query::new(selector).skip(arguments.asked.skip);
    query.sort = sort;
    query.limit = arguments.asked.limit;
    if arguments.explain {
        return explain(setting, &past.map_or_else(|| collection.explain(&query), |past| past.explain(&query))?);
    }
    query.limit = query.limit.or(at_terminal.then_some(ROWS + 1));
    let mut found = past.map_or_else(|| collection.query(&query), |past| past.query(&query))?;
    let took = start.elapsed();
    let more = arguments.asked.limit.is_none() && at_terminal && found.len() as u64 > ROWS;
    found.truncate(if more { ROWS as usize } else { found.len() });
    let rows: Vec<(&Document, Map)> =
        found.iter().map(|document| (document, shown(document, fields.as_ref()))).collect();
    if setting.json {
        let all: Vec<Json> = rows.iter().map(|(found, fields)| document::json(found.id(), fields)).collect();
        out::json(&Json::Array(all))?;
        return Ok(Answer::from(!rows.is_empty()));
    }
    let then = as_of.map_or(String::new(), |moment| format!(" as of {}", words::date(moment)));
    if rows.is_empty() {
        say::note(format_args!("no document in {} matches{then}", words::clean(collection.name())));
        if at_terminal && !conditions.is_empty() {
            say::next(&[(
                &format!("ayni query {} --limit 5", collection.name()),
                "shows what documents there look like",
            )]);
        }
        return Ok(Answer::No);
    }
    print(&rows, fields.as_ref())?;
    if at_terminal {
        found_in(rows.len(), more, &then, took);
    }
    Ok(Answer::Yes)
}

/// Says how many documents there are, of when, and how long it took.
pub(super) fn found_in(documents: usize, more: bool, then: &str, took: Duration) {
    let amount = words::counted(documents as u64, "document");
    let (first, rest) = if more { ("the first ", "; --limit shows more") } else { ("", "") };
    say::aside(format_args!("{first}{amount}{then} in {}{rest}", words::duration(took)));
}

/// That anything was ever written to a collection; else the failure that says which there are.
pub(super) fn check_exists(collection: &Collection) -> Result<(), Failure> {
    if collection.exists()? {
        return Ok(());
    }
    let known: Vec<String> =
        collection.project().collections()?.into_iter().map(|collection| collection.name).collect();
    let remedy = match known.is_empty() {
        true => "`ayni put COLLECTION field=value` writes the first document".to_owned(),
        false => format!("there are {}", known.join(", ")),
    };
    Err(Failure::new(format_args!("no collection {:?}", collection.name()), remedy))
}

/// How a query was answered.
fn explain(setting: &Setting, how: &Explanation) -> Outcome {
    let index = how.index.as_ref().map(ToString::to_string);
    if setting.json {
        out::json(&json!({
            "index": index, "runs": how.runs, "ordered": how.ordered,
            "keys": how.keys, "documents": how.documents, "found": how.found,
            "as_of": how.as_of.map(words::timestamp), "merged": how.merged,
        }))?;
        return Ok(Answer::from(how.found > 0));
    }
    let looked = words::counted(how.documents, "document");
    match index {
        None if how.as_of.is_some() => {
            let merged = words::count(how.merged);
            out::line(format_args!(
                "looks at all, as no index is of the past: {looked}, {merged} merged from versions of then"
            ))?;
        }
        None => out::line(format_args!("looks at all: {looked}"))?,
        Some(field) => {
            let order = if how.ordered { ", in the order asked for" } else { "" };
            let keys = words::counted(how.keys, "key");
            out::line(format_args!("reads the index on {field}{order}: {keys}, {looked}"))?;
        }
    }
    out::line(format_args!("finds {}", words::counted(how.found, "document")))?;
    Ok(Answer::from(how.found > 0))
}

/// The fields that `--fields` names.
pub(super) fn fields(given: Option<&str>) -> Result<Option<Projection>, Failure> {
    let fields = given.map(str::parse::<Projection>).transpose();
    fields.map_err(|error| Failure::usage(error, "write --fields name,address.city"))
}

/// The order that `--sort` asks for.
pub(super) fn sort(given: Option<&str>) -> Result<Sort, Failure> {
    let sort = given.map(str::parse::<Sort>).transpose().map_err(|error| match error {
        SortError::Path(error) => Failure::usage(error, "write --sort country,population:desc"),
        error => Failure::nonsense(error),
    })?;
    Ok(sort.unwrap_or_default())
}

/// The selector that words make, each a condition or several, all of which must hold.
pub(super) fn selector(given: &[String]) -> Result<Selector, Failure> {
    let conditions = given.iter().map(|word| quoted(word).parse::<Selector>());
    let mut conditions = conditions.collect::<Result<Vec<_>, _>>().map_err(Failure::nonsense)?;
    Ok(match conditions.len() {
        1 => conditions.remove(0),
        _ => Selector::And(conditions),
    })
}

/// The shell has taken the quotes off `name="El Tarter"`: they are put back where not every part between spaces is a
/// condition of its own.
fn quoted(word: &str) -> String {
    let is_condition = |part: &str| part.contains(['=', '<', '>', '~']);
    let plain = word.contains('"') || word.trim_start().starts_with(['{', '[']);
    if plain || !word.contains(char::is_whitespace) || word.split_whitespace().all(is_condition) {
        return word.to_owned();
    }
    let Some(at) = word.find(['=', '<', '>', '~']) else { return word.to_owned() };
    let value = word.get(at..).unwrap_or_default().trim_start_matches(['=', '<', '>', '~']);
    let (condition, value) = word.split_at(word.len() - value.len());
    format!("{condition}{}", Json::String(value.to_owned()))
}

pub(super) fn shown(document: &Document, fields: Option<&Projection>) -> Map {
    let all = document.fields();
    fields.map_or_else(|| all.clone(), |fields| fields.of(&WithId(document.id(), &all)))
}

/// Prints documents as a table.
pub(super) fn print(rows: &[(&Document, Map)], fields: Option<&Projection>) -> Result<(), Failure> {
    let columns = columns(rows, fields);
    let at_terminal = out::is_terminal();
    let mut table = Table::new(&["id"]);
    add_columns(&mut table, &columns, rows);
    for (document, fields) in rows {
        let cells = columns.iter().map(|column| cell(fields, column, at_terminal));
        table.row(std::iter::once(id(document, at_terminal)).chain(cells));
    }
    Ok(table.print()?)
}

/// A column for each of these fields, those with nothing but numbers aligned right.
pub(super) fn add_columns(table: &mut Table, columns: &[Vec<String>], rows: &[(&Document, Map)]) {
    for column in columns {
        let mut values = rows.iter().filter_map(|(_, fields)| lookup(fields, column)).peekable();
        let numbers = values.peek().is_some() && values.all(|value| value.as_number().is_some());
        table.add_column(&column.join("."), numbers);
    }
}

/// The id of a document, for people or as a whole.
pub(super) fn id(document: &Document, for_people: bool) -> Cell {
    let id = document.id();
    Cell::dim(if for_people { words::short(id) } else { id.to_string() }).whole()
}

/// What stands at a path, for people or as a whole.
pub(super) fn cell(fields: &Map, path: &[String], for_people: bool) -> Cell {
    let Some(value) = lookup(fields, path) else { return Cell::from("") };
    let cell = Cell::from(if for_people { words::value(value) } else { words::plain(value) });
    match value {
        Value::Text(_) | Value::List(_) | Value::Map(_) => cell,
        Value::Geometry(geometry) if !matches!(**geometry, Geometry::Point(_)) => cell,
        _ => cell.whole(),
    }
}

fn lookup<'f>(fields: &'f Map, path: &[String]) -> Option<&'f Value> {
    let (first, inner) = path.split_first()?;
    fields.get(first)?.at(inner)
}

/// The fields to show as columns: those asked for, else those that most documents have first, names and titles before all.
pub(super) fn columns(rows: &[(&Document, Map)], fields: Option<&Projection>) -> Vec<Vec<String>> {
    if let Some(fields) = fields {
        return fields.paths().iter().map(|path| path.names().iter().map(ToString::to_string).collect()).collect();
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, fields) in rows {
        for name in fields.keys() {
            *counts.entry(name.as_str()).or_default() += 1;
        }
    }
    let mut names: Vec<(&str, usize)> = counts.into_iter().collect();
    names.sort_by_key(|(name, count)| (!matches!(*name, "name" | "title"), std::cmp::Reverse(*count)));
    names.into_iter().map(|(name, _)| vec![name.to_owned()]).collect()
}
