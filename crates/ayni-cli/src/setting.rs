//! What a command is about: the database folder, the keys outside it, the project; and how its answer is to be printed.

use std::env;
use std::path::{Path, PathBuf};

use ayni::{Database, LockKind, Options, Project};
use clap::ColorChoice;

use crate::failure::Failure;
use crate::terminal::{ask, say, words};

/// What every command takes.
#[derive(clap::Args)]
#[command(next_help_heading = "For every command")]
pub(crate) struct Setting {
    /// The database folder [default: in the data folder of this user]
    #[arg(long, env = "AYNI_DIR", hide_env_values = true, global = true, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// The project, by name or the start of its id [default: the one that `ayni project use` chose]
    #[arg(long, env = "AYNI_PROJECT", hide_env_values = true, global = true, value_name = "PROJECT")]
    project: Option<String>,
    /// Print one JSON value, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Write times out, to the second, in place of `2 h ago`
    #[arg(long, global = true)]
    exact_times: bool,
    /// Colours: where there is a terminal and NO_COLOR is not set, or as is said here
    #[arg(long, value_enum, global = true, value_name = "WHEN", default_value_t, hide_default_value = true)]
    color: ColorChoice,
}

/// The file in a database folder that names the folder of its key file, relative to itself: for databases that are kept
/// together with their keys, such as the demo's.
pub(crate) const KEYS_FOLDER: &str = "keys-folder";

/// The label under which the current project's id is kept in the database.
const CURRENT: &str = "current project";

impl Setting {
    /// Lets everything that is printed from now on look as was asked for.
    pub(crate) fn apply_to_output(&self) {
        if self.exact_times {
            words::write_times_out();
        }
        let colours = match self.color {
            ColorChoice::Auto => return,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        };
        console::set_colors_enabled(colours);
        console::set_colors_enabled_stderr(colours);
    }

    /// The database folder.
    pub(crate) fn folder(&self) -> Result<PathBuf, Failure> {
        let default = || Some(data_folder()?.join(if cfg!(target_os = "linux") { "ayni" } else { "ayni/database" }));
        self.dir.clone().or_else(default).ok_or_else(|| {
            Failure::usage("it is not known where this user's data belongs", "name a folder with --dir or AYNI_DIR")
        })
    }

    /// The folder that was named on the command line, not by `AYNI_DIR`.
    pub(crate) fn named_folder(&self) -> Option<&Path> {
        self.dir.as_deref().filter(|dir| env::var_os("AYNI_DIR").as_deref() != Some(dir.as_os_str()))
    }

    /// The folder for key files, outside the database's own.
    pub(crate) fn keys(&self) -> Result<PathBuf, Failure> {
        let folder = self.folder()?;
        if let Ok(named) = std::fs::read_to_string(folder.join(KEYS_FOLDER)) {
            return Ok(folder.join(named.trim()));
        }
        let given = env::var_os("AYNI_KEYS").filter(|given| !given.is_empty()).map(PathBuf::from);
        given.or_else(|| Some(config_folder()?.join("ayni").join("keys"))).ok_or_else(|| {
            Failure::usage("it is not known where this user's configuration belongs", "name a folder with AYNI_KEYS")
        })
    }

    /// Whether there is a database.
    pub(crate) fn exists(&self) -> Result<bool, Failure> {
        Ok(Database::lock_kind(&self.folder()?, &self.keys()?).is_ok())
    }

    /// How the database opens, asking for its passphrase if it has one.
    pub(crate) fn options(&self) -> Result<Options, Failure> {
        let (folder, keys) = (self.folder()?, self.keys()?);
        let options = Options::new(keys.clone());
        Ok(match Database::lock_kind(&folder, &keys)? {
            LockKind::Passphrase => options.passphrase(ask::passphrase()?),
            LockKind::KeyFile => options,
        })
    }

    /// Opens the database. The processes that sync and watch, if there are any, learn of every commit.
    pub(crate) fn open(&self) -> Result<Database, Failure> {
        let database = self.open_untold()?;
        let folder = database.folder().to_owned();
        database.on_commit(move || {
            ayni_net::wake::notify(&folder);
        });
        Ok(database)
    }

    /// Opens the database for a process that syncs: those that watch learn of every commit.
    pub(crate) fn open_to_sync(&self) -> Result<Database, Failure> {
        let database = self.open_untold()?;
        let folder = database.folder().to_owned();
        database.on_commit(move || ayni_net::wake::notify_watching(&folder));
        Ok(database)
    }

    fn open_untold(&self) -> Result<Database, Failure> {
        let database = Database::open(&self.folder()?, self.options()?)?;
        if database.continuity() == ayni::Continuity::Restored {
            say::warning(
                "this folder was copied or restored from an older state: this device goes on as a new one of its",
            );
            say::note("         copies. Whatever either wrote stays; nothing is lost.");
        }
        Ok(database)
    }

    /// Whether a project was named for this command.
    pub(crate) fn names_project(&self) -> bool {
        self.project.is_some()
    }

    /// The project that is meant.
    pub(crate) fn project(&self, database: &Database) -> Result<Project, Failure> {
        if let Some(named) = &self.project {
            return Ok(database.project(named)?);
        }
        if let Some(current) = database.label(CURRENT)? {
            return Ok(database.project(&current)?);
        }
        let mut projects = database.projects()?;
        match projects.len() {
            0 => Err(no_project()),
            1 => Ok(projects.remove(0)),
            several => Err(Failure::usage(
                format_args!("this device is in {several} projects, and none is chosen"),
                "`ayni project use NAME` chooses one; --project names one for a single command",
            )),
        }
    }

    /// Opens the database and the project that is meant.
    pub(crate) fn open_project(&self) -> Result<Project, Failure> {
        self.project(&self.open()?)
    }
}

/// What to do without a project.
pub(crate) fn no_project() -> Failure {
    Failure::new(
        "this device is in no project yet",
        "`ayni project new NAME` makes one, `ayni join TICKET` joins another device's",
    )
}

/// From now on this project is meant where none is named.
pub(crate) fn choose(database: &Database, project: &Project) -> Result<(), Failure> {
    Ok(database.set_label(CURRENT, &project.id().to_string())?)
}

/// Whether this project is meant where none is named.
pub(crate) fn is_chosen(database: &Database, project: &Project) -> Result<bool, Failure> {
    Ok(database.label(CURRENT)?.as_deref() == Some(project.id().to_string().as_str()))
}

/// What a project is called: its name, or the start of its id while that is all there is.
pub(crate) fn title(project: &Project) -> Result<String, Failure> {
    Ok(project
        .name()?
        .map(|name| words::clean(&name))
        .unwrap_or_else(|| format!("project {}", words::short(project.id()))))
}

fn data_folder() -> Option<PathBuf> {
    match env::consts::OS {
        "windows" => variable("LOCALAPPDATA"),
        "macos" => under_home("Library/Application Support"),
        _ => variable("XDG_DATA_HOME").or_else(|| under_home(".local/share")),
    }
}

fn config_folder() -> Option<PathBuf> {
    match env::consts::OS {
        "windows" => variable("APPDATA"),
        "macos" => under_home("Library/Application Support"),
        _ => variable("XDG_CONFIG_HOME").or_else(|| under_home(".config")),
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

fn under_home(path: impl AsRef<Path>) -> Option<PathBuf> {
    Some(env::home_dir().filter(|home| home.is_absolute())?.join(path))
}
