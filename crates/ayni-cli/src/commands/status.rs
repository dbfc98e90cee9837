//! `ayni status`: what this device holds, and what the others hold by their own receipts.

use ayni::{DeviceStatus, Project, Standing, Status};
use console::{Style, style};
use serde_json::{Value as Json, json};

use super::overview;
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::{Setting, title};
use crate::terminal::table::{Cell, Table};
use crate::terminal::{out, say, words};

/// Show what each device holds, by its own signed receipts
#[derive(clap::Args)]
#[command(after_help = "\
“Safe” is said only of what other devices have acknowledged as durable. The exit code is 0 if at least one has \
acknowledged everything that is here, and 1 if none has.

`ayni` alone says the same in short, and what to do next.

Examples:
  ayni status
  ayni status --exact-times
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
    let holding = format!("{}, {} here", words::counted(status.entries, "entry"), words::bytes(status.bytes));
    out::text(format_args!("{}  {holding}", style(title(&project)?).bold()))?;
    if project.standing()? == Standing::Pending {
        say::next(&[overview::ADMISSION]);
        return Ok(Answer::No);
    }
    if let Some(waiting) = waiting(&status) {
        out::text(style(waiting).yellow())?;
    }
    out::line("")?;
    print_devices(&status, usize::MAX)?;
    say::note("");
    say::note(verdict(&status));
    Ok(Answer::from(safe > 0))
}

/// The entries that wait, if there are any.
pub(super) fn waiting(status: &Status) -> Option<String> {
    let (amount, verb) = (words::counted(status.waiting, "entry"), if status.waiting == 1 { "waits" } else { "wait" });
    (status.waiting > 0).then(|| format!("{amount} {verb} for others, or a key, that are not here yet"))
}

/// Whether a device has acknowledged everything that is here, and has nothing that is not.
pub(super) fn is_level(device: &DeviceStatus) -> bool {
    device.receipt.is_some_and(|receipt| receipt.has_everything() && receipt.entries_ahead == 0)
}

/// What so many of the other devices have, by their receipts: first those that are not level.
pub(super) fn print_devices(status: &Status, most: usize) -> Result<(), Failure> {
    if status.devices.is_empty() {
        return Ok(());
    }
    let mut devices: Vec<&DeviceStatus> = status.devices.iter().collect();
    devices.sort_by_key(|device| is_level(device));
    let mut table = Table::new(&["device", "role", "has", "as of"]);
    for device in devices.iter().take(most) {
        let (has, look) = has(device);
        let time = device.receipt.map_or(String::new(), |receipt| words::when(receipt.time));
        table.row([
            Cell::from(words::device(&device.name, device.device)),
            Cell::from(device.role.to_string()),
            Cell::styled(has, look),
            Cell::dim(time),
        ]);
    }
    table.print()?;
    if let Some(more) = devices.len().checked_sub(most).filter(|more| *more > 0) {
        say::aside(format_args!("and {}: `ayni status` shows all", words::counted(more as u64, "further device")));
    }
    Ok(())
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
            let verb = if some == 1 { "has" } else { "have" };
            let of = match (some == all, all) {
                (true, 1) => String::new(),
                (true, _) => " (all other devices)".to_owned(),
                (false, _) => format!(" ({some} of {})", words::counted(all as u64, "other device")),
            };
            format!("Safe: {} {verb} everything{of}{since}.", words::names(&names))
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
            "level": is_level(device),
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
