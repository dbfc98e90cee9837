//! `ayni project`: the projects that this device is in.

use ayni::{CollectionInfo, Database, Project, Standing};
use clap::Subcommand;
use console::{Style, style};
use serde_json::{Value as Json, json};

use crate::failure::{Answer, Failure, Outcome};
use crate::setting::{Setting, choose, is_chosen, title};
use crate::terminal::table::{Cell, Table};
use crate::terminal::{out, say, words};

/// Make, list, show and choose projects
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  ayni project new Mapa
  ayni project list
  ayni project show --digest
  ayni project use Mapa")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a project, with this device as its first coordinator
    #[command(after_help = "\
The 24 words that it prints are the recovery key: see what it says of them.

Examples:
  ayni project new Mapa
  ayni project new \"Salud 2026\" --json")]
    New {
        /// What people call it
        name: String,
    },
    /// List the projects of this device
    #[command(after_help = "Examples:\n  ayni project list\n  ayni project list --json")]
    List,
    /// Show a project: its collections and devices
    #[command(after_help = "Examples:\n  ayni project show\n  ayni project show Mapa --digest")]
    Show {
        /// Its name or the start of its id [default: the chosen one]
        name: Option<String>,
        /// Also a digest over all documents: equal on two devices exactly when they show the same
        #[arg(long)]
        digest: bool,
    },
    /// Choose the project that commands are about
    #[command(after_help = "Examples:\n  ayni project use Mapa")]
    Use {
        /// Its name or the start of its id
        name: String,
    },
}

/// What a device does that is in no project.
pub(super) const BEGIN: [(&str, &str); 2] =
    [("ayni project new NAME", "begins one"), ("ayni join TICKET", "joins another device's")];

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let database = setting.open()?;
    match arguments.command {
        Command::New { name } => new(setting, &database, &name),
        Command::List => list(setting, &database),
        Command::Show { name: Some(name), digest } => show(setting, &database.project(&name)?, digest),
        Command::Show { name: None, digest } => show(setting, &setting.project(&database)?, digest),
        Command::Use { name } => {
            let project = database.project(&name)?;
            choose(&database, &project)?;
            say::done(format_args!("commands are about {} from now on", title(&project)?));
            Ok(Answer::Yes)
        }
    }
}

fn new(setting: &Setting, database: &Database, name: &str) -> Outcome {
    let (project, words) = database.create_project(name)?;
    choose(database, &project)?;
    let words = words.to_string();
    if setting.json {
        out::json(&json!({ "project": project.id().to_string(), "name": name, "recovery_words": words }))?;
        return Ok(Answer::Yes);
    }
    say::done(format_args!("made the project {name}"));
    say::note("");
    say::note(style("  Its recovery key, shown this once and kept nowhere:").bold().for_stderr());
    say::note("");
    let words: Vec<&str> = words.split(' ').collect();
    for (row, four) in words.chunks(4).enumerate() {
        let four = four.iter().enumerate().map(|(at, word)| format!("{:>2} {word:<10}", row * 4 + at + 1));
        out::line(format_args!("    {}", four.collect::<Vec<_>>().join(" ").trim_end()))?;
    }
    say::note("");
    say::note("  Write the 24 words on paper and keep it where a thief of this device does not look.");
    say::note("  Who has them can read everything, and can remove any device, a stolen one too.");
    say::note("");
    say::next(&[
        ("ayni put places name=Cusco", "writes the first document"),
        ("ayni import FILE --collection places", "brings in what you have"),
        ("ayni invite", "makes a ticket for another device"),
    ]);
    Ok(Answer::Yes)
}

fn list(setting: &Setting, database: &Database) -> Outcome {
    let projects = database.projects()?;
    if setting.json {
        let all = projects.iter().map(|project| summary(database, project)).collect::<Result<_, _>>()?;
        out::json(&Json::Array(all))?;
        return Ok(Answer::from(!projects.is_empty()));
    }
    if projects.is_empty() {
        say::note("No projects yet.");
        say::next(&BEGIN);
        return Ok(Answer::No);
    }
    print_list(database, &projects)?;
    Ok(Answer::Yes)
}

/// The projects of this device, the chosen one with a mark.
pub(super) fn print_list(database: &Database, projects: &[Project]) -> Result<(), Failure> {
    let mut table = Table::new(&["", "project", "id", "this device is", ">documents", ">devices"]);
    for project in projects {
        let documents: u64 = project.collections()?.iter().map(|collection| collection.documents).sum();
        table.row([
            Cell::styled(if is_chosen(database, project)? { "*" } else { "" }, Style::new().green().bold()),
            Cell::from(title(project)?),
            Cell::dim(words::short(project.id())),
            Cell::from(standing(project.standing()?)),
            Cell::from(words::count(documents)),
            Cell::from(words::count(project.members()?.len() as u64)),
        ]);
    }
    Ok(table.print()?)
}

fn show(setting: &Setting, project: &Project, digest: bool) -> Outcome {
    let digest = digest.then(|| project.digest()).transpose()?;
    if setting.json {
        let mut all = summary(project.database(), project)?;
        all["collections"] = project
            .collections()?
            .iter()
            .map(|collection| json!({ "name": collection.name, "documents": collection.documents }))
            .collect();
        let device = |member: &ayni::Member| {
            let (id, role) = (member.device.to_string(), member.role.to_string());
            json!({ "device": id, "name": member.name, "role": role, "this_device": member.this_device })
        };
        all["devices"] = project.members()?.iter().map(device).collect();
        if let Some(digest) = digest {
            all["digest"] = digest.to_string().into();
        }
        out::json(&all)?;
        return Ok(Answer::Yes);
    }
    out::text(format_args!("{}  {}", style(title(project)?).bold(), style(project.id()).dim()))?;
    if let Some(digest) = digest {
        out::line(format_args!("digest  {digest}"))?;
    }
    out::line("")?;
    print_collections(&project.collections()?, usize::MAX)?;
    out::line("")?;
    let mut table = Table::new(&["device", "role", "id"]);
    for member in project.members()? {
        let own = if member.this_device { " (this one)" } else { "" };
        let name = format!("{}{own}", words::device(&member.name, member.device));
        let id = Cell::dim(words::short(member.device)).whole();
        table.row([Cell::from(name), Cell::from(member.role.to_string()), id]);
    }
    table.print()?;
    Ok(Answer::Yes)
}

/// So many of the collections of a project, and how much is in them.
pub(super) fn print_collections(collections: &[CollectionInfo], most: usize) -> Result<(), Failure> {
    if collections.is_empty() {
        say::note("No documents yet: `ayni put COLLECTION field=value` writes one, `ayni import FILE` many.");
    }
    let mut table = Table::new(&["collection", ">documents"]);
    for collection in collections.iter().take(most) {
        let name = words::clean(&collection.name);
        table.row([Cell::from(name), Cell::from(words::count(collection.documents)).whole()]);
    }
    if !collections.is_empty() {
        table.print()?;
    }
    if let Some(more) = collections.len().checked_sub(most).filter(|more| *more > 0) {
        let more = words::counted(more as u64, "further collection");
        say::aside(format_args!("and {more}: `ayni project show` lists all"));
    }
    Ok(())
}

fn summary(database: &Database, project: &Project) -> Result<Json, Failure> {
    let documents: u64 = project.collections()?.iter().map(|collection| collection.documents).sum();
    Ok(json!({
        "project": project.id().to_string(),
        "name": project.name()?,
        "standing": standing(project.standing()?),
        "documents": documents,
        "members": project.members()?.len(),
        "current": is_chosen(database, project)?,
    }))
}

/// What this device is in a project.
pub(crate) fn standing(standing: Standing) -> String {
    match standing {
        Standing::Pending => "not admitted yet".to_owned(),
        Standing::Member(role) => role.to_string(),
        Standing::Removed => "removed".to_owned(),
    }
}
