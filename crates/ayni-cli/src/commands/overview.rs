//! `ayni` alone: where one stands and what to do next.

use ayni::{Project, Standing};
use console::style;
use serde_json::json;

use super::{conflicts, project as projects, status};
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::{Setting, title};
use crate::terminal::{out, say, words};

pub(crate) fn run(setting: &Setting) -> Outcome {
    if !setting.exists()? {
        return welcome(setting);
    }
    let database = setting.open()?;
    let all = database.projects()?;
    if setting.json {
        let (device, name) = (database.device().to_string(), database.device_name()?);
        let ids: Vec<String> = all.iter().map(|project| project.id().to_string()).collect();
        out::json(&json!({ "device": device, "name": name, "folder": database.folder(), "projects": ids }))?;
        return Ok(Answer::Yes);
    }
    out::line(format_args!("{}  {}", style(database.device_name()?).bold(), style(database.folder().display()).dim()))?;
    if all.is_empty() {
        out::line("This device is in no project yet.")?;
        say::next(&[("ayni project new NAME", "begins one"), ("ayni join TICKET", "joins another device's")]);
        return Ok(Answer::Yes);
    }
    let project = match setting.project(&database) {
        Ok(project) => project,
        Err(failure) => {
            out::line(format_args!("It is in {}.", words::counted(all.len() as u64, "project")))?;
            return Err(failure);
        }
    };
    one(&project, all.len())
}

fn welcome(setting: &Setting) -> Outcome {
    if setting.json {
        out::json(&json!({ "folder": setting.folder()?, "device": null }))?;
        return Ok(Answer::No);
    }
    say::note("Ayni keeps data together with the people you trust: on every device, with or without a network.");
    say::note(format_args!("There is no database in {} yet. Begin with:", setting.folder()?.display()));
    say::next(&[("ayni init --name \"Ana's laptop\"", "makes one"), ("ayni --help", "shows everything that there is")]);
    Ok(Answer::No)
}

fn one(project: &Project, of: usize) -> Outcome {
    let others = if of > 1 { format!(" (one of {of} projects)") } else { String::new() };
    let standing = project.standing()?;
    let role = projects::standing(standing);
    out::line(format_args!("project {}{others}, {role}", style(title(project)?).bold()))?;
    if standing == Standing::Pending {
        say::next(&[("ayni sync --once", "meets a coordinator's device, which admits this one")]);
        return Ok(Answer::Yes);
    }
    out::line("")?;
    projects::print_collections(project)?;
    out::line("")?;
    let status = project.status()?;
    out::line(status::verdict(&status))?;
    next(project, &status)?;
    Ok(Answer::Yes)
}

fn next(project: &Project, status: &ayni::Status) -> Result<(), Failure> {
    let conflicts = conflicts::conflicted(project, None)?.len() as u64;
    if conflicts > 0 {
        let amount = words::counted(conflicts, "document");
        out::line(style(format!("{amount} with conflicts")).yellow())?;
    }
    let mut steps = Vec::new();
    if conflicts > 0 {
        steps.push(("ayni conflicts", "shows them, and how to settle them"));
    }
    match status.devices.is_empty() {
        true => steps.push(("ayni invite", "makes a ticket for another device")),
        false => steps.push(("ayni sync", "meets the other devices, until Ctrl-C")),
    }
    if project.collections()?.is_empty() {
        steps.push(("ayni put COLLECTION field=value", "writes the first document"));
    }
    say::next(&steps);
    Ok(())
}
