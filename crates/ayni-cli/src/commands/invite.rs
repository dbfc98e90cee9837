//! `ayni invite`: makes a ticket.

use ayni::{Invitation, Role};
use clap::ValueEnum;
use jiff::{Span, SpanRelativeTo, Timestamp, Unit};
use serde_json::json;

use crate::failure::{Answer, Failure, Outcome};
use crate::setting::{Setting, title};
use crate::terminal::{out, say, words};

/// Make a ticket with which another device can join
#[derive(clap::Args)]
#[command(after_help = "\
A ticket authenticates a request to join: any coordinator's device that syncs then admits the new one. On one network \
the devices find each other; elsewhere put an address of this device into the ticket, as `ayni sync` prints it.

Examples:
  ayni invite
  ayni invite --role coordinator --expires 2h
  ayni invite --uses 20 --expires 7d
  ayni invite --address 192.168.1.7:4433
  ayni invite --json | jq -r .ticket")]
pub(crate) struct Arguments {
    /// What the new device may do
    #[arg(long, value_enum, default_value_t = Joining::Member)]
    role: Joining,
    /// How many devices can join with it
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    uses: u32,
    /// For how long, or until when: 2h, 7d, 2027-01-31 [default: until it is used up]
    #[arg(long)]
    expires: Option<String>,
    /// Where this device can be reached: IP:PORT; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    address: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Joining {
    /// Reads and writes
    Member,
    /// Also decides who is in the project
    Coordinator,
}

impl From<Joining> for Role {
    fn from(role: Joining) -> Self {
        match role {
            Joining::Member => Self::Member,
            Joining::Coordinator => Self::Coordinator,
        }
    }
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let project = setting.open_project()?;
    let expires = arguments.expires.as_deref().map(expiry).transpose()?;
    let own = ayni_net::TransportId::of_secret(&project.database().transport_secret());
    let addresses =
        arguments.address.iter().map(|text| address(text, own)).collect::<Result<Vec<String>, Failure>>()?;
    let role = Role::from(arguments.role);
    let ticket = project.invite(&Invitation { role, expires, uses: arguments.uses, addresses })?.to_string();
    if setting.json {
        let expires = expires.map(words::timestamp);
        let (project, role) = (project.id().to_string(), role.to_string());
        let uses = arguments.uses;
        out::json(&json!({ "ticket": ticket, "project": project, "role": role, "uses": uses, "expires": expires }))?;
        return Ok(Answer::Yes);
    }
    let until = |time| format!(", until {} ({})", words::date(time), words::when(time));
    let until = expires.map_or(String::new(), until);
    let uses = words::counted(arguments.uses.into(), "device");
    say::note(format_args!("A ticket to {} for {uses} as {role}{until}:", title(&project)?));
    say::note("");
    out::line(&ticket)?;
    say::note("");
    say::note("Pass it on as you would a key: who has it can join. On the other device:");
    say::next(&[("ayni join TICKET", ""), ("ayni sync --once", "while `ayni sync` runs here")]);
    Ok(Answer::Yes)
}

/// A time from now or a date, as milliseconds since 1970.
fn expiry(text: &str) -> Result<i64, Failure> {
    let wrong = || {
        Failure::usage(
            format_args!("{text:?} is neither a time from now nor a date"),
            "write 30m, 2h, 7d, 2027-01-31 or 2027-01-31T18:00:00Z",
        )
    };
    let now = Timestamp::now();
    if let Ok(span) = text.parse::<Span>() {
        let length = span.total((Unit::Millisecond, SpanRelativeTo::days_are_24_hours())).map_err(|_| wrong())?;
        return Ok(now.as_millisecond().saturating_add(length as i64));
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let date = text.parse::<jiff::civil::DateTime>().map_err(|_| wrong())?;
    Ok(date.to_zoned(jiff::tz::TimeZone::system()).map_err(|_| wrong())?.timestamp().as_millisecond())
}

/// An address of this device as tickets hold it: with its transport id, which may be left out.
fn address(text: &str, own: ayni_net::TransportId) -> Result<String, Failure> {
    let full = if text.contains('@') { text.to_owned() } else { format!("{own}@{text}") };
    let address: ayni_net::PeerAddr = full.parse().map_err(Failure::nonsense)?;
    Ok(address.to_string())
}
