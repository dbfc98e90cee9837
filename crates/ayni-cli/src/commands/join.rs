//! `ayni join`: asks to join a project.

use ayni::Ticket;
use serde_json::json;

use crate::failure::{Answer, Failure, Outcome};
use crate::setting::{Setting, choose};
use crate::terminal::{out, say};

/// Join a project with a ticket
#[derive(clap::Args)]
#[command(after_help = "\
The device is admitted once it meets a coordinator's device by `ayni sync`.

Examples:
  ayni join ayni1ibqgcylb…
  ayni join - < ticket.txt")]
pub(crate) struct Arguments {
    /// The ticket, or - to read it from the standard input
    ticket: String,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let text = match arguments.ticket.as_str() {
        "-" => std::io::read_to_string(std::io::stdin().lock())?,
        text => text.to_owned(),
    };
    let ticket: Ticket = text.parse().map_err(Failure::nonsense)?;
    let database = setting.open()?;
    let project = database.join(&ticket)?;
    choose(&database, &project)?;
    // Joining commits nothing of a project's own, so the process that syncs has to be told.
    let heard = ayni_net::wake::notify(database.folder());
    if setting.json {
        let (id, role) = (project.id().to_string(), ticket.role.to_string());
        out::json(&json!({ "project": id, "role": role, "pending": true }))?;
        return Ok(Answer::Yes);
    }
    say::done(format_args!("asked to join as {}; a coordinator's device has to be met next", ticket.role));
    match heard {
        true => say::note("  The `ayni sync` that runs here looks for one now."),
        false => say::next(&[("ayni sync --once", "meets the devices on this network and fetches everything")]),
    }
    Ok(Answer::Yes)
}
