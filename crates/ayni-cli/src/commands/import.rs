//! `ayni import`: takes the records of a file in.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use ayni::interchange::{BadRecord, Format, ImportCount, ImportOptions, ReadOptions, Record, read};
use serde_json::{Value as Json, json};

use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::{out, progress, say, words};

/// Bad records that are told one by one; the others are counted.
const TOLD: usize = 20;
/// Records that the reading thread hands over at once, and how many such hands it may be ahead.
const HAND: usize = 512;
const AHEAD: usize = 16;

/// Take in the records of a file
#[derive(clap::Args)]
#[command(after_help = "\
Reads GeoJSON, JSON Lines and CSV, of any size. A bad record is told with its line and the rest is kept; the exit code is \
then 1. With --id, importing again updates instead of doubling. What was exported by Ayni keeps its ids.

Examples:
  ayni import places.geojson --collection places --id geonameid
  ayni import survey.csv --collection surveys --id code --dry-run
  ayni import survey.csv --collection surveys --id code --strict
  zcat places.jsonl.gz | ayni import - --collection places --format jsonl")]
pub(crate) struct Arguments {
    /// The file, or - for the standard input
    file: PathBuf,
    /// The collection to take them into
    #[arg(long, short)]
    collection: String,
    /// The field that makes the key of each record
    #[arg(long, value_name = "FIELD")]
    id: Option<String>,
    /// geojson, jsonl or csv [default: told from the name or the content]
    #[arg(long)]
    format: Option<String>,
    /// The field that a geometry goes to [default: location]
    #[arg(long, value_name = "FIELD")]
    geometry: Option<String>,
    /// Read and check everything, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write nothing unless every record is good
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let options = read_options(&arguments)?;
    let project = setting.open_project()?;
    let mut source = Source::open(&arguments)?;
    let mut report = Report::default();
    if arguments.strict {
        check(&mut source, &options, &mut report)?;
        if report.bad > 0 {
            report.tell_rest();
            return Err(Failure::new(
                format_args!("{} cannot be read, so nothing was written", words::counted(report.bad, "record")),
                "mend them, or leave --strict out to keep the others",
            ));
        }
    }
    let start = Instant::now();
    let bar = progress::bar(source.length);
    let done = source.done.clone();
    let (reader, keep) = (source.reader()?, ImportOptions { dry_run: arguments.dry_run });
    let count = std::thread::scope(|scope| {
        let (send, records) = sync_channel(AHEAD);
        scope.spawn(move || read_ahead(reader, &options, &send));
        let tell = |count: &ImportCount| {
            bar.set_position(done.load(Ordering::Relaxed));
            let rate = words::rate(count.records(), start.elapsed());
            bar.set_message(format!("{} · {rate}", words::counted(count.records(), "record")));
        };
        let bad = |error: &dyn std::error::Error| bar.suspend(|| report.add(error));
        project.import(&arguments.collection, Handed::new(records), keep, bad, tell)
    });
    bar.finish_and_clear();
    let count = count?;
    if setting.json {
        out::json(&as_json(&count, &report, arguments.dry_run))?;
    } else {
        report.tell_rest();
        tell(&count, &arguments, start.elapsed());
    }
    Ok(Answer::from(count.bad == 0))
}

fn read_options(arguments: &Arguments) -> Result<ReadOptions, Failure> {
    let format = arguments.format.as_deref().map(str::parse::<Format>).transpose().map_err(Failure::nonsense)?;
    let id = arguments.id.as_deref().map(str::parse).transpose();
    let id = id.map_err(|error: ayni::query::PathError| Failure::usage(error, "name a field, as in --id code"))?;
    let file = arguments.file.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(ReadOptions { format, file, id, geometry: arguments.geometry.clone() })
}

/// What is read, and how far.
struct Source {
    input: Input,
    /// Bytes, where that is known.
    length: Option<u64>,
    done: Arc<AtomicU64>,
}

enum Input {
    File(File, PathBuf),
    /// The standard input as it comes.
    Stream,
    /// The standard input, all of it: it is read twice.
    Whole(Vec<u8>),
}

impl Source {
    fn open(arguments: &Arguments) -> Result<Self, Failure> {
        let (input, length) = match arguments.file.as_path() {
            path if path == Path::new("-") && arguments.strict => {
                let mut whole = Vec::new();
                io::stdin().lock().read_to_end(&mut whole)?;
                let length = whole.len() as u64;
                (Input::Whole(whole), Some(length))
            }
            path if path == Path::new("-") => (Input::Stream, None),
            path => {
                let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
                let about = file.metadata().map_err(|error| Failure::file(path, &error))?;
                if about.is_dir() {
                    return Err(Failure::new(format_args!("{} is a folder", path.display()), "name a file in it"));
                }
                (Input::File(file, path.to_owned()), about.is_file().then_some(about.len()))
            }
        };
        Ok(Self { input, length, done: Arc::default() })
    }

    /// From its beginning.
    fn reader(&mut self) -> Result<Counted<'_>, Failure> {
        self.done.store(0, Ordering::Relaxed);
        let inner: Box<dyn Read + Send + '_> = match &mut self.input {
            Input::File(file, path) => {
                if self.length.is_some() {
                    file.seek(SeekFrom::Start(0)).map_err(|error| Failure::file(path, &error))?;
                }
                Box::new(file)
            }
            Input::Stream => Box::new(io::stdin()),
            Input::Whole(bytes) => Box::new(Cursor::new(bytes.as_slice())),
        };
        Ok(Counted { inner, done: self.done.clone() })
    }
}

struct Counted<'s> {
    inner: Box<dyn Read + Send + 's>,
    done: Arc<AtomicU64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.done.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

type Read1 = Result<Record, BadRecord>;

/// Reads on while the database writes: the two take about the same time.
fn read_ahead(reader: Counted<'_>, options: &ReadOptions, send: &std::sync::mpsc::SyncSender<Vec<Read1>>) {
    let mut records = match read(reader, options) {
        Ok(records) => records,
        Err(error) => {
            let fault = ayni::interchange::Fault::from(error);
            let _ = send.send(vec![Err(BadRecord { line: 1, column: None, fault })]);
            return;
        }
    };
    loop {
        let hand: Vec<Read1> = records.by_ref().take(HAND).collect();
        // Nobody takes them any more when the import has failed.
        if hand.is_empty() || send.send(hand).is_err() {
            return;
        }
    }
}

struct Handed {
    hands: Receiver<Vec<Read1>>,
    hand: std::vec::IntoIter<Read1>,
}

impl Handed {
    fn new(hands: Receiver<Vec<Read1>>) -> Self {
        Self { hands, hand: Vec::new().into_iter() }
    }
}

impl Iterator for Handed {
    type Item = Read1;

    fn next(&mut self) -> Option<Read1> {
        loop {
            if let Some(record) = self.hand.next() {
                return Some(record);
            }
            self.hand = self.hands.recv().ok()?.into_iter();
        }
    }
}

fn check(source: &mut Source, options: &ReadOptions, report: &mut Report) -> Result<(), Failure> {
    if source.length.is_none() {
        return Err(Failure::usage(
            "--strict reads the input twice, which this is not made for",
            "save it to a file first",
        ));
    }
    let bar = progress::bar(source.length);
    let done = source.done.clone();
    let records = read(source.reader()?, options).map_err(Failure::told)?;
    for (at, record) in records.enumerate() {
        if let Err(error) = record {
            bar.suspend(|| report.add(&error));
        }
        if at % HAND == 0 {
            bar.set_position(done.load(Ordering::Relaxed));
            bar.set_message(format!("checked {}", words::counted(at as u64, "record")));
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// The bad records.
#[derive(Default)]
struct Report {
    bad: u64,
    first: Vec<String>,
}

impl Report {
    fn add(&mut self, error: &dyn std::error::Error) {
        self.bad += 1;
        if self.first.len() < TOLD {
            say::warning(error);
            self.first.push(error.to_string());
        }
    }

    fn tell_rest(&self) {
        let rest = self.bad - self.first.len() as u64;
        if rest > 0 {
            say::warning(format_args!("and {} more", words::count(rest)));
        }
    }
}

fn as_json(count: &ImportCount, report: &Report, dry_run: bool) -> Json {
    json!({
        "created": count.created,
        "updated": count.updated,
        "unchanged": count.unchanged,
        "bad": count.bad,
        "first_bad": report.first,
        "dry_run": dry_run,
    })
}

fn tell(count: &ImportCount, arguments: &Arguments, took: std::time::Duration) {
    let collection = &arguments.collection;
    let took_words = words::duration(took);
    let bad = match count.bad {
        0 => String::new(),
        bad => format!("; {} passed over", words::counted(bad, "bad record")),
    };
    let good = count.records() - count.bad;
    if arguments.dry_run {
        let amount = words::counted(good, "record");
        say::done(format_args!("{amount} can be read{bad}; nothing was written ({took_words})"));
        return;
    }
    let rate = words::rate(count.records(), took);
    let parts = [(count.created, "new"), (count.updated, "updated"), (count.unchanged, "unchanged")];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(amount, _)| *amount > 0)
        .map(|(amount, what)| format!("{} {what}", words::count(*amount)))
        .collect();
    let amount = words::counted(good, "record");
    let detail = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    say::done(format_args!("{amount} into {collection}{detail}{bad}, in {took_words}, {rate}"));
    if count.created > 0 {
        let query = format!("ayni query {collection}");
        say::next(&[(query.as_str(), "shows them"), ("ayni invite", "shares them with another device")]);
    }
}
