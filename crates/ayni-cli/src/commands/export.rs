//! `ayni export`: writes documents for other programs.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ayni::interchange::{Columns, Exporter, Format};
use ayni::{Collection, Document, Error};
use indicatif::ProgressBar;
use serde_json::json;

use super::moment;

use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::{out, progress, say, words};

/// Write a collection's documents for other programs
#[derive(clap::Args)]
#[command(after_help = "\
JSON Lines and GeoJSON read back to equal documents, CSV to equal values. The exit code is 1 if there are none.

Examples:
  ayni export --format geojson --collection places --output places.geojson
  ayni export --format csv --collection places > places.csv
  ayni export --collection places --as-of 2026-11-20 --output places.jsonl
  ayni export --format jsonl --collection places | gzip > places.jsonl.gz")]
pub(crate) struct Arguments {
    /// geojson, csv or jsonl [default: told from the output's name, else jsonl]
    #[arg(long)]
    format: Option<String>,
    /// The collection
    #[arg(long, short)]
    collection: String,
    /// The file [default: the standard output]; it appears whole or not at all
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// For GeoJSON: the field with the geometry [default: location]
    #[arg(long, value_name = "FIELD")]
    geometry: Option<String>,
    /// As everything was at this time, by the clocks of those who wrote it
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
}

/// The documents of a collection, now or at a moment.
struct Source {
    collection: Collection,
    as_of: Option<i64>,
    bar: ProgressBar,
}

impl Source {
    fn for_each(&self, visit: impl FnMut(Document) -> Result<ControlFlow<()>, Error>) -> Result<(), Error> {
        match self.as_of {
            None => self.collection.for_each(visit),
            Some(moment) => self.collection.as_of(moment).for_each(visit),
        }
    }
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let format = arguments.format.as_deref().map(str::parse::<Format>).transpose().map_err(Failure::nonsense)?;
    let named = arguments.output.as_deref().and_then(|path| Format::of_name(&path.to_string_lossy()));
    let format = format.or(named).unwrap_or(Format::JsonLines);
    let as_of = arguments.as_of.as_deref().map(moment::parse).transpose()?;
    let collection = setting.open_project()?.collection(&arguments.collection);
    let to_person = arguments.output.is_none() && out::is_terminal();
    let bar = match to_person {
        // It would stand between the lines.
        true => ProgressBar::hidden(),
        false => progress::bar(Some(collection.len()?)),
    };
    let source = Source { collection, as_of, bar };
    let start = Instant::now();
    let written = match &arguments.output {
        // What a file takes as it is would steer a terminal.
        None if to_person => {
            let (written, mut out) = write(out::Escaping::new(out::data()), &source, format, arguments.geometry)?;
            out.flush()?;
            written
        }
        None => write(out::data(), &source, format, arguments.geometry)?.0,
        Some(path) => to_file(path, &source, format, arguments.geometry)?,
    };
    if let Some(path) = &arguments.output {
        if setting.json {
            out::json(&json!({ "documents": written, "format": format.name(), "file": path }))?;
        } else {
            let (amount, took) = (words::counted(written, "document"), words::duration(start.elapsed()));
            say::done(format_args!("{amount} to {} in {took}", path.display()));
        }
    }
    if written == 0 {
        let (name, has) = (source.collection.name(), if as_of.is_some() { "had" } else { "has" });
        say::hint(format_args!("{name} {has} no documents; `ayni project show` lists the collections"));
    }
    Ok(Answer::from(written > 0))
}

/// Beside the file first, then in its place.
fn to_file(path: &Path, source: &Source, format: Format, geometry: Option<String>) -> Result<u64, Failure> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".part");
    let draft = PathBuf::from(draft);
    let failed = |error: std::io::Error| Failure::file(path, &error);
    let file = File::create(&draft).map_err(failed)?;
    let written =
        write(BufWriter::with_capacity(256 << 10, file), source, format, geometry).and_then(|(count, out)| {
            let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
            file.sync_all().map_err(failed)?;
            fs::rename(&draft, path).map_err(failed)?;
            Ok(count)
        });
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

fn write<W: Write>(out: W, source: &Source, format: Format, geometry: Option<String>) -> Result<(u64, W), Failure> {
    let mut exporter = match format {
        Format::JsonLines => Exporter::json_lines(out),
        Format::GeoJson => Exporter::geojson(out, geometry),
        Format::Csv => {
            let mut columns = Columns::default();
            source.for_each(|document| {
                columns.see(&document.fields());
                Ok(ControlFlow::Continue(()))
            })?;
            Exporter::csv(out, columns)
        }
    };
    let bar = &source.bar;
    let mut failed = None;
    source.for_each(|document| {
        Ok::<_, Error>(match exporter.write(&document.id(), &document.fields()) {
            Ok(()) => {
                bar.inc(1);
                ControlFlow::Continue(())
            }
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })
    })?;
    bar.finish_and_clear();
    if let Some(error) = failed {
        return Err(error.into());
    }
    let written = exporter.written();
    Ok((written, exporter.finish()?))
}
