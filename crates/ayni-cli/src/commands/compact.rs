//! `ayni compact`: gives room that nothing uses any more back to the disk.

use std::ops::ControlFlow;
use std::time::Instant;

use ayni::{Compacted, Database, Hindrance};
use serde_json::json;

use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::{out, progress, say, words};

/// Less than this is what opening the database left in its write-ahead log.
const LITTLE: u64 = 64 << 10;
/// Free bytes that are worth a word, if they are also a quarter of the file.
const MUCH: u64 = 16 << 20;

/// Give room that the database no longer uses back to the disk, also while it is in use
#[derive(clap::Args)]
#[command(after_help = "\
What is dropped or replaced leaves room in the file, and new data fills it. This makes the file shorter instead. It can be cut off at \
any time: what is done by then stays done. The exit code is 1 if something stood in the way of giving back all.

Examples:
  ayni compact
  ayni compact --json")]
pub(crate) struct Arguments {}

pub(crate) fn run(setting: &Setting, _: Arguments) -> Outcome {
    let database = setting.open()?;
    let start = Instant::now();
    let bar = progress::bar(Some(0));
    let compacted = database.compact(|progress| {
        bar.set_length(progress.given.saturating_add(progress.free));
        bar.set_position(progress.given);
        bar.set_message(words::bytes(progress.given));
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    let compacted = compacted?;
    if setting.json {
        let Compacted { before, after, free, .. } = compacted;
        let hindrance = compacted.hindrance.map(name);
        out::json(&json!({ "before": before, "after": after, "free": free, "hindrance": hindrance }))?;
        return Ok(Answer::from(compacted.hindrance.is_none()));
    }
    let (before, after) = (words::bytes(compacted.before), words::bytes(compacted.after));
    let shorter = compacted.before.saturating_sub(compacted.after) >= LITTLE;
    match compacted.hindrance {
        _ if shorter => say::done(format_args!("{before} → {after} in {}", words::duration(start.elapsed()))),
        None => say::done(format_args!("nothing to give back: {after} on the disk")),
        Some(_) => say::note(format_args!("nothing was given back: {after} on the disk")),
    }
    if let Some(hindrance) = compacted.hindrance {
        say::warning(explain(hindrance, compacted.free));
    }
    Ok(Answer::from(compacted.hindrance.is_none()))
}

/// What programs read.
fn name(hindrance: Hindrance) -> &'static str {
    match hindrance {
        Hindrance::FixedFile => "fixed_file",
        Hindrance::InUse => "in_use",
        Hindrance::Stopped => "stopped",
        _ => "other",
    }
}

fn explain(hindrance: Hindrance, free: u64) -> String {
    let free = words::bytes(free);
    match hindrance {
        Hindrance::FixedFile => format!(
            "the file was made by a program without `ayni compact` and cannot become shorter: {free} in it are free, and new data \
             fills them first"
        ),
        Hindrance::InUse => {
            "somebody else is reading the database as it was before, or writes without a pause: the file becomes \
                             shorter when that is over, and `ayni compact` gives back what is left then"
                .to_owned()
        }
        _ => format!("{free} in the file are still free: run `ayni compact` again"),
    }
}

/// Points to this command where much room is free.
pub(super) fn hint(database: &Database) -> Result<(), Failure> {
    let file = database.folder().join("ayni.db");
    let bytes = std::fs::metadata(&file).map_err(|error| Failure::file(&file, &error))?.len();
    let free = database.free_bytes()?;
    if free >= MUCH && free >= bytes / 4 {
        let free = words::bytes(free);
        say::hint(format_args!("{free} of the file are free now: `ayni compact` gives them back to the disk"));
    }
    Ok(())
}
