//! `ayni repair`: saves what damage left, and makes the views again from the log.

use ayni::{Database, Loss};
use serde_json::json;

use super::compact;
use crate::failure::{Answer, Outcome};
use crate::setting::Setting;
use crate::terminal::{out, progress, say, words};

/// Save what damage left of the database, and rebuild documents and indexes from the log
#[derive(clap::Args)]
#[command(after_help = "\
A damaged file is kept beside the repaired one. What was lost is named, and all else stays. Other devices that have it keep it. \
The exit code is 1 if something was lost. It can be cut off at any time.

Examples:
  ayni repair
  ayni repair --json")]
pub(crate) struct Arguments {}

pub(crate) fn run(setting: &Setting, _: Arguments) -> Outcome {
    let (folder, options) = (setting.folder()?, setting.options()?);
    let report = Database::salvage(&folder, &options)?;
    for damage in &report.lost {
        say::warning(format_args!("damaged: {damage}"));
    }
    let lost = report.lost.iter().any(|damage| !matches!(damage, Loss::Start | Loss::Views | Loss::Room));
    if let Some(kept) = &report.kept {
        say::note(format_args!("The damaged file is kept as {}.", kept.display()));
    }
    let database = setting.open()?;
    let bar = progress::bar(Some(0));
    let rebuilt = database.rebuild_views(|progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        bar.set_message(words::counted(progress.done, "entry"));
    });
    bar.finish_and_clear();
    let rebuilt = rebuilt?;
    if setting.json {
        let damaged: Vec<String> = report.lost.iter().map(ToString::to_string).collect();
        out::json(&json!({ "entries": rebuilt.done, "damaged": damaged, "lost": lost, "kept": report.kept }))?;
    } else {
        let entries = words::counted(rebuilt.done, "entry");
        match report.lost.is_empty() {
            true => say::done(format_args!("the file is sound; documents and indexes were made again from {entries}")),
            false => {
                say::done(format_args!("saved what was left; documents and indexes were made again from {entries}"))
            }
        }
        compact::hint(&database)?;
    }
    Ok(Answer::from(!lost))
}
