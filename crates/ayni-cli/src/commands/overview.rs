//! `ayni` alone: where one stands and what to do next. Nothing is looked through for it: counts, receipts and what is
//! being made are known. What each device holds is told by `ayni status`, from the same functions.

use ayni::{CollectionInfo, Database, DeviceId, Project, Role, Standing, Status};
use console::style;
use serde_json::{Value as Json, json};

use super::sync::lock;
use super::{peers, project as projects, status};
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::{Setting, is_chosen, title};
use crate::terminal::{out, say, words};

/// Collections and devices that are shown.
const SHOWN: usize = 8;

/// A command to go on with, and what it does.
type Step = (&'static str, &'static str);

/// What a device does that asked to join.
pub(super) const ADMISSION: Step = ("ayni sync --once", "meets a coordinator's device, which admits this one");

pub(crate) fn run(setting: &Setting) -> Outcome {
    if !setting.exists()? {
        return welcome(setting);
    }
    let database = setting.open()?;
    let all = database.projects()?;
    let project = match (setting.names_project(), all.as_slice()) {
        (false, []) => None,
        (false, several) if several.len() > 1 && !any_chosen(&database, several)? => None,
        _ => Some(setting.project(&database)?),
    };
    let facts = project.as_ref().map(Facts::of).transpose()?;
    if setting.json {
        out::json(&as_json(&database, &all, project.as_ref().zip(facts.as_ref()))?)?;
        return Ok(Answer::Yes);
    }
    let folder = database.folder().display().to_string();
    out::text(format_args!("{}  {}", style(words::clean(&database.device_name()?)).bold(), style(folder).dim()))?;
    match (project, facts) {
        (Some(project), Some(facts)) => tell(&project, &facts, all.len())?,
        _ if all.is_empty() => {
            out::line("This device is in no project yet.")?;
            say::next(&projects::BEGIN);
        }
        _ => {
            out::text(format_args!("It is in {}, and none is chosen:", words::counted(all.len() as u64, "project")))?;
            projects::print_list(&database, &all)?;
            say::next(&[("ayni project use NAME", "chooses the one that commands are about")]);
        }
    }
    Ok(Answer::Yes)
}

fn any_chosen(database: &Database, all: &[Project]) -> Result<bool, Failure> {
    for project in all {
        if is_chosen(database, project)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn welcome(setting: &Setting) -> Outcome {
    if setting.json {
        out::json(&json!({ "folder": setting.folder()?, "device": null }))?;
        return Ok(Answer::No);
    }
    say::note("Ayni keeps data together with the people you trust: on every device, with or without a network.");
    say::note(format_args!("There is no database in {} yet. Begin with:", setting.folder()?.display()));
    say::next(&[
        ("ayni init --name \"Ana's laptop\"", "makes one"),
        ("ayni demo", "shows in a minute what it is good for"),
        ("ayni --help", "shows everything that there is"),
    ]);
    Ok(Answer::No)
}

/// Where one stands in a project.
struct Facts {
    standing: Standing,
    collections: Vec<CollectionInfo>,
    status: Status,
    /// Indexes that are still being made, each with its collection.
    unfinished: Vec<String>,
    /// Collections of which two schemas were decided at once.
    in_doubt: Vec<String>,
    /// If `ayni sync` runs here: the devices that are connected.
    connected: Option<Vec<String>>,
}

impl Facts {
    fn of(project: &Project) -> Result<Self, Failure> {
        let database = project.database();
        let collections = project.collections()?;
        let (mut unfinished, mut in_doubt) = (Vec::new(), Vec::new());
        for CollectionInfo { name, .. } in &collections {
            let collection = project.collection(name);
            let of = |index| format!("{index} of {}", words::clean(name));
            unfinished.extend(collection.unfinished_indexes()?.into_iter().map(of));
            if !collection.schemas_passed_over()?.is_empty() {
                in_doubt.push(words::clean(name));
            }
        }
        let syncs = lock::is_taken(database.folder());
        let connected = syncs.then(|| peers::told_by_sync(database)).transpose()?;
        let name = |(device, name, _): &(DeviceId, String, String)| words::device(name, device);
        Ok(Self {
            standing: project.standing()?,
            collections,
            status: project.status()?,
            unfinished,
            in_doubt,
            connected: connected.map(|connected| connected.iter().map(name).collect()),
        })
    }

    fn conflicted(&self) -> u64 {
        self.collections.iter().map(|collection| collection.conflicted).sum()
    }

    /// What to look after.
    fn matters(&self) -> Vec<String> {
        let mut matters = Vec::new();
        let conflicted = self.conflicted();
        if conflicted > 0 {
            let (amount, verb) = (words::counted(conflicted, "document"), words::is_are(conflicted));
            matters.push(format!("{amount} {verb} in conflict."));
        }
        matters.extend(status::waiting(&self.status).map(|waiting| format!("{waiting}.")));
        for index in &self.unfinished {
            matters.push(format!("The index on {index} is still being made, while `ayni` runs."));
        }
        for name in &self.in_doubt {
            matters.push(format!(
                "Several schemas of {name} were decided at once: `ayni schema show {name}` tells which one holds."
            ));
        }
        matters
    }

    /// The one or two commands to go on with, the most urgent first.
    fn steps(&self) -> Vec<Step> {
        let syncs = self.connected.is_some();
        let role = match self.standing {
            Standing::Pending if syncs => return Vec::new(),
            Standing::Pending => return vec![ADMISSION],
            Standing::Removed => return vec![("ayni export --collection NAME", "takes what is here along")],
            Standing::Member(role) => role,
        };
        let (level, others) = (self.status.devices.iter().all(status::is_level), !self.status.devices.is_empty());
        let mut steps = Vec::new();
        if self.conflicted() > 0 && role >= Role::Member {
            steps.push(("ayni settle", "goes through the conflicts"));
        }
        if !level && !syncs {
            steps.push(("ayni sync --once", "meets the other devices and makes all level"));
        }
        if self.collections.is_empty() && role >= Role::Member {
            steps.push(("ayni put places name=Cusco", "writes the first document"));
            steps.push(("ayni import FILE --collection places", "brings in what you have"));
        }
        if !others && role == Role::Coordinator {
            steps.push(("ayni invite", "makes a ticket for another device"));
        }
        if !self.collections.is_empty() {
            steps.push(("ayni query COLLECTION", "shows what there is"));
        }
        if others && level && !syncs {
            steps.push(("ayni sync", "stays connected to the other devices"));
        }
        steps.truncate(2);
        steps
    }
}

fn tell(project: &Project, facts: &Facts, of: usize) -> Result<(), Failure> {
    let others = if of > 1 { format!(", one of {of} projects") } else { String::new() };
    let role = projects::standing(facts.standing);
    out::text(format_args!("{}  {}", style(title(project)?).bold(), style(format!("{role}{others}")).dim()))?;
    if facts.standing == Standing::Pending {
        out::text("This device asked to join; a coordinator's device has to be met next.")?;
    } else {
        out::line("")?;
        projects::print_collections(&facts.collections, SHOWN)?;
        out::line("")?;
        if !facts.status.devices.is_empty() {
            status::print_devices(&facts.status, SHOWN)?;
            out::line("")?;
        }
        out::text(status::verdict(&facts.status))?;
    }
    if facts.standing == Standing::Removed {
        out::text("This device was removed: it keeps what it has, and gets nothing new.")?;
    }
    for matter in facts.matters() {
        out::text(style(matter).yellow())?;
    }
    if let Some(connected) = &facts.connected {
        let who = match connected.as_slice() {
            [] => "nobody is here now".to_owned(),
            some => format!("{} {} here", words::names(some), words::is_are(some.len() as u64)),
        };
        out::text(format_args!("`ayni sync` runs on this device: {who}."))?;
    }
    say::next(&facts.steps());
    Ok(())
}

fn as_json(database: &Database, all: &[Project], about: Option<(&Project, &Facts)>) -> Result<Json, Failure> {
    let ids: Vec<String> = all.iter().map(|project| project.id().to_string()).collect();
    let mut json = json!({
        "device": database.device().to_string(),
        "name": database.device_name()?,
        "folder": database.folder(),
        "projects": ids,
    });
    let Some((project, facts)) = about else { return Ok(json) };
    json["project"] = project.id().to_string().into();
    json["project_name"] = json!(project.name()?);
    json["standing"] = projects::standing(facts.standing).into();
    json["documents"] = facts.collections.iter().map(|collection| collection.documents).sum::<u64>().into();
    json["conflicted"] = facts.conflicted().into();
    json["waiting"] = facts.status.waiting.into();
    json["indexes_unfinished"] = facts.unfinished.len().into();
    json["schemas_in_doubt"] = json!(facts.in_doubt);
    json["other_devices"] = facts.status.devices.len().into();
    json["level_devices"] = facts.status.devices.iter().filter(|device| status::is_level(device)).count().into();
    json["syncing"] = facts.connected.is_some().into();
    json["next"] = facts.steps().iter().map(|(command, _)| *command).collect();
    Ok(json)
}

#[cfg(test)]
mod tests {
    use ayni::{DeviceStatus, ReceiptStatus};

    use super::*;

    /// A coordinator's device with one collection, alone.
    fn alone() -> Facts {
        let status = Status { entries: 9, bytes: 900, waiting: 0, devices: Vec::new() };
        Facts {
            standing: Standing::Member(Role::Coordinator),
            collections: vec![CollectionInfo { name: "places".into(), documents: 3, conflicted: 0 }],
            status,
            unfinished: Vec::new(),
            in_doubt: Vec::new(),
            connected: None,
        }
    }

    /// The same with another device that lacks so many entries; `None`: it gave no receipt yet.
    fn beside(behind: Option<u64>) -> Facts {
        let receipt = behind.map(|entries_behind| ReceiptStatus {
            time: 0,
            entries_behind,
            entries_ahead: 0,
            keeps_everything: true,
        });
        let mut facts = alone();
        let device = DeviceId([1; 32]);
        facts.status.devices.push(DeviceStatus { device, name: "Ben".into(), role: Role::Member, receipt });
        facts
    }

    fn commands(facts: &Facts) -> Vec<&'static str> {
        facts.steps().into_iter().map(|(command, _)| command).collect()
    }

    #[test]
    fn what_to_do_next_follows_from_where_one_stands() {
        assert_eq!(commands(&alone()), ["ayni invite", "ayni query COLLECTION"]);
        let new = Facts { collections: Vec::new(), ..alone() };
        assert_eq!(commands(&new), ["ayni put places name=Cusco", "ayni import FILE --collection places"]);
        assert_eq!(commands(&beside(Some(3))), ["ayni sync --once", "ayni query COLLECTION"]);
        assert_eq!(commands(&beside(None)), ["ayni sync --once", "ayni query COLLECTION"], "no receipt proves nothing");
        assert_eq!(commands(&beside(Some(0))), ["ayni query COLLECTION", "ayni sync"]);
        let syncing = Facts { connected: Some(Vec::new()), ..beside(Some(3)) };
        assert_eq!(commands(&syncing), ["ayni query COLLECTION"], "it is being done");
        let mut conflicted = beside(Some(3));
        conflicted.collections[0].conflicted = 2;
        assert_eq!(commands(&conflicted), ["ayni settle", "ayni sync --once"]);
        conflicted.standing = Standing::Member(Role::Reader);
        assert_eq!(commands(&conflicted), ["ayni sync --once", "ayni query COLLECTION"], "a reader settles nothing");
        assert_eq!(commands(&Facts { standing: Standing::Pending, ..alone() }), ["ayni sync --once"]);
        assert_eq!(commands(&Facts { standing: Standing::Removed, ..alone() }), ["ayni export --collection NAME"]);
    }

    #[test]
    fn what_to_look_after_is_told_with_its_number() {
        assert!(alone().matters().is_empty());
        let mut facts = alone();
        facts.collections[0].conflicted = 1;
        facts.status.waiting = 2;
        facts.unfinished = vec!["name of places".into()];
        facts.in_doubt = vec!["places".into()];
        let matters = facts.matters();
        assert_eq!(matters[0], "1 document is in conflict.");
        assert!(matters[1].starts_with("2 entries wait for others"), "{matters:?}");
        assert!(matters[2].contains("name of places") && matters[3].contains("schema show places"), "{matters:?}");
    }
}
