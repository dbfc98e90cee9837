//! `ayni search`: finds documents by words.

use std::ffi::OsString;
use std::io::Write;
use std::ops::Range;
use std::time::Instant;

use ayni::query::{Path, Query, Search};
use ayni::{Collection, Document, Index, Tokenizer};
use clap::Command;
use console::{Style, style};
use serde_json::Value as Json;

use super::{document, query};
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::{fit, out, say, words};

/// Documents that a person is shown without having asked for more.
const SHOWN: u64 = 20;
/// Texts of one document that are shown.
const TEXTS: usize = 3;
/// Milliseconds from which on it is worth saying that an index would be quicker.
const SLOW: u128 = 300;

/// Find documents by words in their texts
#[derive(clap::Args)]
#[command(after_help = "\
All the words must be there, wherever they stand; capitals and accents do not matter. In one pair of quotes there can be more: \
'\"water well\"' is a phrase, 'wat*' words that begin so, 'well -dry' without a word, 'well OR spring' one of two. The best come \
first, at a terminal 20 unless --limit says otherwise. The exit code is 1 if nothing is found.

Examples:
  ayni search wells agua
  ayni search wells '\"water well\"' -dry --where 'depth>=30'
  ayni search wells k\\'anka --fields name,notes --limit 5
  ayni search wells ater --inside
  ayni index add wells --text   # makes it quick")]
pub(crate) struct Arguments {
    /// The collection
    collection: String,
    /// The words
    #[arg(required = true)]
    words: Vec<String>,
    /// In which fields only: name,notes
    #[arg(long = "fields", alias = "field", value_name = "FIELDS")]
    field: Option<String>,
    /// Find letters inside of words too
    #[arg(long)]
    inside: bool,
    /// Only documents for which this holds, written as for `ayni query`; may be given several times
    #[arg(id = "selector", long = "where", value_name = "SELECTOR")]
    selector: Vec<String>,
    /// How many at most
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u64>,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let search = search(&arguments)?;
    let selector = query::selector(&arguments.selector)?;
    let project = setting.open_project()?;
    let collection = project.collection(&arguments.collection);
    query::check_exists(&collection)?;
    let at_terminal = out::is_terminal() && !setting.json;
    let mut query = Query::new(selector).search(search.clone());
    query.limit = arguments.limit.or(at_terminal.then_some(SHOWN + 1));
    let start = Instant::now();
    let mut found = collection.query(&query)?;
    let took = start.elapsed();
    let more = arguments.limit.is_none() && at_terminal && found.len() as u64 > SHOWN;
    found.truncate(if more { SHOWN as usize } else { found.len() });
    if setting.json {
        let all: Vec<Json> = found.iter().map(|found| document::json(found.id(), &found.fields())).collect();
        out::json(&Json::Array(all))?;
        return Ok(Answer::from(!found.is_empty()));
    }
    for document in &found {
        show(document, &search, arguments.field.as_deref())?;
    }
    if arguments.limit == Some(0) {
        return Ok(Answer::No);
    }
    if found.is_empty() {
        nothing(&collection, &search, arguments.inside);
    } else if at_terminal {
        query::found_in(found.len(), more, "", took);
    }
    let has_index = collection.indexes()?.iter().any(|index| matches!(index, Index::Text { .. }));
    if took.as_millis() >= SLOW && !has_index {
        say::hint(format_args!("`ayni index add {} --text` makes searching quicker", collection.name()));
    }
    Ok(Answer::from(!found.is_empty()))
}

/// The command line with words such as `-dry` behind the collection written so that they are not taken for options: with
/// a space before them, which changes no search.
pub(super) fn negations_as_words(mut arguments: Vec<OsString>, program: &Command) -> Vec<OsString> {
    let Some(own) = program.find_subcommand("search") else { return arguments };
    let options = || program.get_arguments().chain(own.get_arguments());
    let takes_value =
        |long: &str| options().any(|option| option.get_long() == Some(long) && option.get_action().takes_values());
    let is_short = |letter: char| letter == 'h' || options().any(|option| option.get_short() == Some(letter));
    let mut words = 0;
    let mut is_value = false;
    for argument in arguments.iter_mut().skip(1) {
        let Some(text) = argument.to_str().filter(|_| !std::mem::take(&mut is_value)) else { continue };
        match text.strip_prefix("--") {
            Some("") => break,
            Some(long) => is_value = takes_value(long),
            None => match text.strip_prefix('-').and_then(|rest| rest.chars().next()) {
                Some(letter) if words >= 2 && !is_short(letter) => *argument = format!(" {text}").into(),
                Some(_) => {}
                None if words == 0 && text != "search" => break,
                None => words += 1,
            },
        }
    }
    arguments
}

fn search(arguments: &Arguments) -> Result<Search, Failure> {
    let search = arguments.words.join(" ").parse::<Search>().map_err(Failure::nonsense)?;
    let tokenizer = if arguments.inside { Tokenizer::Trigrams } else { Tokenizer::Words };
    let fields = arguments.field.iter().flat_map(|fields| fields.split(',')).map(|field| field.trim().parse::<Path>());
    let fields = fields.collect::<Result<Vec<_>, _>>();
    let fields = fields.map_err(|error| Failure::usage(error, "write --fields name,notes"))?;
    search.tokenizer(tokenizer).and_then(|search| search.fields(fields)).map_err(Failure::nonsense)
}

/// What to try where nothing is found.
fn nothing(collection: &Collection, search: &Search, inside: bool) {
    let name = collection.name();
    say::note(format_args!("no document in {name} has these words"));
    let written = search.to_string();
    match written.strip_suffix(char::is_alphanumeric).is_some() && !inside {
        true => say::hint(format_args!("`{written}*` also finds longer words, `--inside` what stands inside of them")),
        false => say::hint(format_args!("try fewer words; `ayni query {name}` shows what there is")),
    }
}

/// Shows a document, by its id and the texts in which words were found.
fn show(document: &Document, search: &Search, fields: Option<&str>) -> Result<(), Failure> {
    let all = document.fields();
    let leaves = document::leaves(&all);
    let in_fields =
        |name: &str| fields.is_none_or(|fields| fields.split(',').map(str::trim).any(|field| is_at_or_in(name, field)));
    let mut hits = Vec::new();
    for (name, value) in leaves.iter().filter(|(name, _)| in_fields(name)) {
        for text in texts(value) {
            let text = words::clean(text).replace('\n', " ");
            let places = search.places_in(&text);
            if !places.is_empty() {
                hits.push((name.as_str(), text, places));
            }
        }
    }
    let mut out = out::data();
    let Some(width) = out::width() else {
        for (name, text, _) in &hits {
            writeln!(out, "{}\t{name}\t{text}", document.id())?;
        }
        return Ok(out.flush()?);
    };
    let id = words::short(document.id());
    let title = document::title(document);
    let title = fit::cut(&title, width.saturating_sub(id.len() + 2));
    writeln!(out, "{}  {}", style(id).dim(), style(title).bold())?;
    for (name, text, places) in hits.iter().take(TEXTS) {
        let name = fit::cut(name, width / 3);
        let room = width.saturating_sub(fit::width(&name) + 6);
        writeln!(out, "    {}  {}", style(&name).cyan(), excerpt(text, places, room))?;
    }
    Ok(out.flush()?)
}

/// Whether a path is a field or inside of it.
fn is_at_or_in(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn texts(value: &ayni::doc::Value) -> Vec<&str> {
    match (value.as_text(), value.as_list(), value.as_map()) {
        (Some(text), ..) => vec![text],
        (_, Some(items), _) => items.iter().flat_map(texts).collect(),
        (.., Some(fields)) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// The part of a text around the first place that was found, no wider than `room`, with all places in it marked.
fn excerpt(text: &str, places: &[Range<usize>], room: usize) -> String {
    let mark = Style::new().yellow().bold();
    let first = places.first().map_or(0, |place| place.start);
    // A third of the room for what stands before.
    let mut from = first;
    for (at, _) in text.get(..first).unwrap_or_default().char_indices().rev() {
        if fit::width(text.get(at..first).unwrap_or_default()) > room / 3 {
            break;
        }
        from = at;
    }
    let mut shown = if from > 0 { "…".to_owned() } else { String::new() };
    let mut at = from;
    for place in places.iter().filter(|place| place.start >= from) {
        shown.push_str(text.get(at..place.start).unwrap_or_default());
        shown.push_str(&mark.apply_to(text.get(place.clone()).unwrap_or_default()).to_string());
        at = place.end;
    }
    shown.push_str(text.get(at..).unwrap_or_default());
    fit::cut(&shown, room).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_shows_what_was_found_and_fits() {
        let text = "a long way to the water well, and 水井 beyond the hills and the sea of grass";
        let search: Search = "well 水井".parse().unwrap();
        let places = search.places_in(text);
        for room in 10..100 {
            let shown = excerpt(text, &places, room);
            assert!(fit::width(&shown) <= room && shown.contains("well"), "{room}: {shown}");
        }
        assert_eq!(excerpt("well", std::slice::from_ref(&(0..4)), 40), "well");
    }

    #[test]
    fn a_word_with_a_hyphen_is_a_word_behind_the_collection_and_an_option_stays_one() {
        let line = |text: &str| {
            let arguments = text.split(' ').map(OsString::from).collect();
            let program = <crate::commands::Cli as clap::CommandFactory>::command();
            let changed = negations_as_words(arguments, &program);
            changed.iter().map(|word| word.to_str().unwrap().to_owned()).collect::<Vec<_>>().join("|")
        };
        assert_eq!(line("ayni search wells well -dry"), "ayni|search|wells|well| -dry");
        assert_eq!(line("ayni --dir x search wells -dry --limit 5"), "ayni|--dir|x|search|wells| -dry|--limit|5");
        assert_eq!(line("ayni search wells -h"), "ayni|search|wells|-h");
        assert_eq!(line("ayni search wells --limit -5"), "ayni|search|wells|--limit|-5");
        assert_eq!(line("ayni search -x wells"), "ayni|search|-x|wells");
        assert_eq!(line("ayni query wells -x"), "ayni|query|wells|-x");
        assert_eq!(line("ayni search wells -- -x"), "ayni|search|wells|--|-x");
    }

    #[test]
    fn a_field_has_those_inside_of_it() {
        assert!(is_at_or_in("address.city", "address") && is_at_or_in("name", "name"));
        assert!(!is_at_or_in("names", "name"));
    }
}
