//! `ayni status`: what this device holds, and what the others hold by their own receipts.

use ayni::{DeviceStatus, Project, Status};
use console::{Style, style};
use serde_json::{Value as Json, json};

use crate::failure::{Answer, Failure, Outcome};
use crate::setting::{Setting, title};
use crate::terminal::table::{Cell, Table};
use crate::terminal::{out, say, words};

/// Show what each device holds, by its own signed receipts
#[derive(clap::Args)]
#[command(after_help = "\
“Safe” is said only of what other devices have acknowledged as durable. The exit code is 0 if at least one has \
acknowledged everything that is here, and 1 if none has.

Examples:
  ayni status
  ayni status --json | jq '.devices[] | select(.level)'")]
pub(crate) struct Arguments {}

pub(crate) fn run(setting: &Setting, _: Arguments) -> Outcome {
    let project = setting.open_project()?;
    let status = project.status()?;
    let safe = status.safe_with().count();
    if setting.json {
        out::json(&as_json(&project, &status)?)?;
        return Ok(Answer::from(safe > 0));
    }
    out::line(format_args!("{}  {}", style(title(&project)?).bold(), holding(&status)))?;
    if status.waiting > 0 {
        let waiting = words::counted(status.waiting, "entry");
        out::line(style(format!("{waiting} wait for others, or a key, that are not here yet")).yellow())?;
    }
    out::line("")?;
    print_devices(&status)?;
    say::note("");
    say::note(verdict(&status));
    Ok(Answer::from(safe > 0))
}

fn holding(status: &Status) -> String {
    format!("{}, {} here", words::counted(status.entries, "entry"), words::bytes(status.bytes))
}

fn print_devices(status: &Status) -> Result<(), Failure> {
    if status.devices.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["device", "role", "has", "as of"]);
    for device in &status.devices {
        let (has, look) = has(device);
        let time = device.receipt.map_or(String::new(), |receipt| words::when(receipt.time));
        table.row([
            Cell::from(words::device(&device.name, device.device)),
            Cell::from(device.role.to_string()),
            Cell::styled(has, look),
            Cell::dim(time),
        ]);
    }
    Ok(table.print()?)
}

fn has(device: &DeviceStatus) -> (String, Style) {
    let Some(receipt) = device.receipt else { return ("unknown: it gave no receipt yet".into(), Style::new().dim()) };
    let ahead = match receipt.entries_ahead {
        0 => String::new(),
        ahead => format!(", and {} that are not here", words::count(ahead)),
    };
    match (receipt.entries_behind, receipt.keeps_everything) {
        (0, true) => (format!("everything{ahead}"), Style::new().green()),
        (0, false) => (format!("everything{ahead}, but does not keep all of it"), Style::new().yellow()),
        (behind, _) => {
            let least = if receipt.entries_ahead > 0 { "at most " } else { "" };
            (format!("lacks {least}{}{ahead}", words::counted(behind, "entry")), Style::new().yellow())
        }
    }
}

/// Whether what is here is safe, in one line, naming who has it.
pub(crate) fn verdict(status: &Status) -> String {
    let names: Vec<String> = status.safe_with().map(|device| words::device(&device.name, device.device)).collect();
    match (names.len(), status.devices.len()) {
        (0, 0) => "Only this device has it: `ayni invite` makes a ticket for another.".to_owned(),
        (0, _) => "No other device has acknowledged everything: `ayni sync` brings it to them.".to_owned(),
        (some, all) => {
            let oldest = status.safe_with().filter_map(|device| device.receipt).map(|receipt| receipt.time).min();
            let since = oldest.map_or(String::new(), |time| format!(", as of {}", words::when(time)));
            let (names, verb) = (names.join(", "), if some == 1 { "has" } else { "have" });
            let of = words::counted(all as u64, "other device");
            format!("Safe: {names} {verb} everything ({some} of {of}){since}.")
        }
    }
}

fn as_json(project: &Project, status: &Status) -> Result<Json, Failure> {
    let device = |device: &DeviceStatus| {
        json!({
            "device": device.device.to_string(),
            "name": device.name,
            "role": device.role.to_string(),
            "receipt": device.receipt.map(|receipt| words::timestamp(receipt.time)),
            "entries_behind": device.receipt.map(|receipt| receipt.entries_behind),
            "entries_ahead": device.receipt.map(|receipt| receipt.entries_ahead),
            "keeps_everything": device.receipt.map(|receipt| receipt.keeps_everything),
            "level": device.receipt.is_some_and(|receipt| receipt.has_everything() && receipt.entries_ahead == 0),
        })
    };
    let safe: Vec<String> = status.safe_with().map(|device| device.device.to_string()).collect();
    Ok(json!({
        "project": project.id().to_string(),
        "name": project.name()?,
        "entries": status.entries,
        "bytes": status.bytes,
        "waiting": status.waiting,
        "safe_with": safe,
        "devices": status.devices.iter().map(device).collect::<Vec<_>>(),
    }))
}
