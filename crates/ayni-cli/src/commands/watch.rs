//! `ayni watch`: shows a query's answer, and then each difference as it happens.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io::Write;
use std::pin::pin;
use std::time::Duration;

use ayni::doc::Map;
use ayni::query::{Area, Projection, Query, Search, Sort};
use ayni::{Collection, Difference, Document, DocumentId};
use console::{Style, style};
use serde_json::{Value as Json, json};

use super::{document, near, place, query, sync, within};
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::{fit, out, say, words};

/// Rows of the present answer that a person is shown.
const ROWS: usize = 100;
/// Other processes signal what they commit. One that is killed in between does not: so often it is looked all the same.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Show what a query finds, and then what changes, as it happens
#[derive(clap::Args)]
#[command(after_help = "\
Shows what there is, and then each difference: + appeared, ~ changed, ↑ ↓ moved up or down, - went. It sees what any process \
on this device writes, and what `ayni sync` brings in. Ctrl-C ends it. A selector is written as for `ayni query`, words as \
for `ayni search`, places as for `ayni near` and `ayni within`. With --near the nearest come first.

With --json there is one JSON value a line: \"appeared\", \"changed\", \"moved\" and \"went\" with places from 0, each to be \
applied in turn; after those of one commit or several together comes \"now\".

Examples:
  ayni watch places
  ayni watch places country=PE --sort population:desc --limit 20
  ayni watch places 'population>=100000' --fields name,population
  ayni watch wells --search 'agua -seco' --within -73,-14,-71,-13
  ayni watch wells --near -13.532,-71.9675 --km 50 --limit 10
  ayni watch places --json")]
pub(crate) struct Arguments {
    #[command(flatten)]
    asked: query::Asked,
    /// Only documents with these words
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    search: Option<String>,
    /// The nearest to this place: latitude and longitude
    #[arg(long, value_name = "LAT,LON", allow_hyphen_values = true)]
    near: Option<String>,
    /// With --near: no further than this
    #[arg(long, value_name = "NUMBER", requires = "near")]
    km: Option<f64>,
    /// Only what lies in a box (west,south,east,north) or in the shape of a GeoJSON file
    #[arg(long, value_name = "BOX|FILE", allow_hyphen_values = true, conflicts_with = "near")]
    within: Option<String>,
    /// The field with the places [default: the one that has some]
    #[arg(long)]
    field: Option<String>,
}

impl Arguments {
    /// Where documents must lie, if that is asked for.
    fn area(&self) -> Result<Option<Area>, Failure> {
        match (&self.near, &self.within) {
            (Some(place), _) => near::area(place, self.km.map(|km| km * 1e3)).map(Some),
            (None, Some(area)) => within::area(area).map(Some),
            (None, None) => Ok(None),
        }
    }
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let area = arguments.area()?;
    let search = arguments.search.as_deref().map(str::parse::<Search>).transpose().map_err(Failure::nonsense)?;
    let field = arguments.field;
    let arguments = arguments.asked;
    let selector = query::selector(&arguments.conditions())?;
    let fields = query::fields(arguments.fields.as_deref())?;
    let sort = query::sort(arguments.sort.as_deref())?;
    let project = setting.open_project()?;
    let database = project.database();
    let collection = project.collection(&arguments.collection);
    let mut query = Query::new(selector).sort(sort).skip(arguments.skip);
    (query.search, query.limit) = (search, arguments.limit);
    if let Some(area) = area {
        query.area = Some((place::field(&collection, field.as_deref())?, area));
    }
    let _signals = ayni_net::wake::watch(database).map_err(Failure::told)?;
    let mut screen = Screen::new(setting, &collection, &query, fields);
    let mut live = collection.watch(query);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stop = pin!(sync::asked_to_stop());
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return Ok::<_, Failure>(()),
                batch = poll_fn(|context| live.poll_next(context)) => screen.show(batch?)?,
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    })?;
    if !setting.json {
        // Below the `^C` that the terminal shows.
        say::note("");
    }
    Ok(Answer::Yes)
}

/// Shows differences, to a person or a program.
struct Screen {
    json: bool,
    at_terminal: bool,
    /// The order means something.
    sorted: bool,
    fields: Option<Projection>,
    collection: Collection,
    /// How many documents there are; `None` before the first batch.
    count: Option<usize>,
    /// At a terminal: what was shown of each last, for when it goes.
    lines: HashMap<DocumentId, String>,
}

impl Screen {
    fn new(setting: &Setting, collection: &Collection, query: &Query, fields: Option<Projection>) -> Self {
        Self {
            json: setting.json,
            at_terminal: out::is_terminal() && !setting.json,
            sorted: query.sort != Sort::default()
                || query.area.as_ref().is_some_and(|(_, area)| area.place().is_some()),
            fields,
            collection: collection.clone(),
            count: None,
            lines: HashMap::new(),
        }
    }

    fn show(&mut self, batch: Vec<Difference>) -> Result<(), Failure> {
        let come = batch.iter().filter(|one| matches!(one, Difference::Appeared { .. })).count();
        let gone = batch.iter().filter(|one| matches!(one, Difference::Went { .. })).count();
        let before = self.count.replace(self.count.unwrap_or(0) + come - gone);
        if before.is_none() && self.at_terminal {
            return self.begin(&batch);
        }
        let mut out = out::data();
        for difference in &batch {
            match (self.json, self.at_terminal) {
                (true, _) => writeln!(out, "{}", self.to_json(difference))?,
                (_, true) => writeln!(out, "{}", self.line(difference))?,
                _ => writeln!(out, "{}", self.plain(difference))?,
            }
        }
        if self.json {
            let now = words::timestamp(words::now());
            writeln!(out, "{}", json!({ "event": "now", "time": now, "documents": self.count }))?;
        }
        Ok(out.flush()?)
    }

    /// What there is, to a person.
    fn begin(&mut self, batch: &[Difference]) -> Result<(), Failure> {
        let documents: Vec<&Document> = batch.iter().filter_map(document_of).collect();
        for document in &documents {
            self.lines.insert(document.id(), self.text(document));
        }
        let shown =
            documents.iter().take(ROWS).map(|document| (*document, query::shown(document, self.fields.as_ref())));
        let rows: Vec<(&Document, Map)> = shown.collect();
        query::print(&rows, self.fields.as_ref())?;
        let amount = words::counted(documents.len() as u64, "document");
        let name = words::clean(self.collection.name());
        let there = match (documents.len(), self.collection.exists()?) {
            (_, false) => format!("nothing was ever written to {name} yet; what comes is shown"),
            (0, _) => format!("nothing in {name} matches yet; what comes is shown"),
            (..=ROWS, _) => format!("{amount}; what changes is shown"),
            _ => format!("the first {ROWS} of {amount}; what changes in any of them is shown"),
        };
        say::aside(format_args!("{there}, until Ctrl-C"));
        Ok(())
    }

    /// One line that fits the width: the time, what happened, to which document, and what it shows.
    fn line(&mut self, difference: &Difference) -> String {
        let (sign, how, at) = match difference {
            Difference::Appeared { at, .. } => ("+", Style::new().green(), Some(*at)),
            Difference::Changed { at, .. } => ("~", Style::new().yellow(), Some(*at)),
            Difference::Moved { from, to, .. } => (if to < from { "↑" } else { "↓" }, Style::new().cyan(), Some(*to)),
            _ => ("-", Style::new().red(), None),
        };
        let id = difference.id();
        let text = match document_of(difference) {
            Some(document) => {
                let text = self.text(document);
                self.lines.insert(id, text.clone());
                text
            }
            None => self.lines.remove(&id).unwrap_or_default(),
        };
        let place = at.filter(|_| self.sorted).map_or(String::new(), |at| format!("{:>4}  ", format!("#{}", at + 1)));
        let place = if self.sorted && place.is_empty() { " ".repeat(6) } else { place };
        let (time, id) = (style(words::clock(words::now())).dim(), style(words::short(id)).dim());
        let line = format!("{time}  {}  {place}{id}  {text}", how.apply_to(sign));
        out::width().map_or_else(|| line.clone(), |width| fit::cut(&line, width).into_owned())
    }

    /// Words with tabs between them, for `cut` and `awk`.
    fn plain(&self, difference: &Difference) -> String {
        let (what, _) = name_and_place(difference);
        let fields = document_of(difference).map(|document| {
            Json::Object(self.shown(document).iter().map(|(name, value)| (name.clone(), value.to_json())).collect())
        });
        let fields = fields.map_or(String::new(), |fields| format!("\t{fields}"));
        format!("{what}\t{}{fields}", difference.id())
    }

    fn to_json(&self, difference: &Difference) -> Json {
        let (what, mut json) = name_and_place(difference);
        json.insert(0, ("event".to_owned(), what.into()));
        json.push(match document_of(difference) {
            Some(document) => ("document".to_owned(), document::json(document.id(), &self.shown(document))),
            None => ("id".to_owned(), difference.id().to_string().into()),
        });
        Json::Object(json.into_iter().collect())
    }

    fn shown(&self, document: &Document) -> Map {
        query::shown(document, self.fields.as_ref())
    }

    /// What a document shows, on one line.
    fn text(&self, document: &Document) -> String {
        /// No terminal is wider.
        const MOST: usize = 500;
        let fields = self.shown(document);
        let leaves = document::leaves(&fields);
        let (names, others): (Vec<_>, Vec<_>) =
            leaves.iter().partition(|(name, _)| matches!(name.as_str(), "name" | "title"));
        let one = |(name, value): &(&String, &&ayni::doc::Value)| {
            format!("{}={}", name, words::value(value).replace('\n', " "))
        };
        let all: Vec<String> = names.iter().chain(&others).map(one).collect();
        fit::cut(&all.join("  "), MOST).into_owned()
    }
}

fn document_of(difference: &Difference) -> Option<&Document> {
    match difference {
        Difference::Appeared { document, .. }
        | Difference::Changed { document, .. }
        | Difference::Moved { document, .. } => Some(document),
        _ => None,
    }
}

/// What a difference is called, and its places.
fn name_and_place(difference: &Difference) -> (&'static str, Vec<(String, Json)>) {
    let place = |name: &str, place: usize| (name.to_owned(), Json::from(place));
    match difference {
        Difference::Appeared { at, .. } => ("appeared", vec![place("at", *at)]),
        Difference::Changed { at, .. } => ("changed", vec![place("at", *at)]),
        Difference::Moved { from, to, .. } => ("moved", vec![place("from", *from), place("to", *to)]),
        Difference::Went { at, .. } => ("went", vec![place("at", *at)]),
        _ => ("changed", Vec::new()),
    }
}
