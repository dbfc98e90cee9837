//! The commands: what there is, and which file does it.

mod address;
mod backup;
mod bulk;
mod compact;
mod completions;
mod conflicts;
mod delete;
mod diff;
mod document;
mod edit;
mod export;
mod get;
mod history;
mod import;
mod index;
mod init;
mod invite;
mod join;
mod man;
mod manual;
mod moment;
mod near;
mod overview;
mod peers;
mod place;
mod project;
mod put;
mod query;
mod repair;
mod restore;
mod schema;
mod search;
mod settle;
mod show;
pub(crate) mod sql;
mod status;
mod sync;
mod undo;
mod watch;
mod within;

use std::process::ExitCode;
use std::sync::OnceLock;

use clap::{CommandFactory, Parser, Subcommand};

use crate::demo;
use crate::failure::Outcome;
use crate::setting::Setting;
use crate::terminal::say;

/// Keep data together with the people you trust: on every device, with or without a network, readable by nobody else.
#[derive(Parser)]
#[command(
    name = "ayni",
    version,
    long_version = long_version(),
    arg_required_else_help = false,
    disable_help_subcommand = true,
    after_help = manual::help(),
    after_long_help = manual::long_help(),
)]
struct Cli {
    #[command(flatten)]
    setting: Setting,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Arguments),
    #[command(hide = true)]
    DemoDevice(demo::DeviceArguments),
    Init(init::Arguments),
    Project(project::Arguments),
    Invite(invite::Arguments),
    Join(join::Arguments),
    Import(import::Arguments),
    Export(export::Arguments),
    Put(put::Arguments),
    Get(get::Arguments),
    Show(show::Arguments),
    Edit(edit::Arguments),
    Delete(delete::Arguments),
    Query(query::Arguments),
    Sql(sql::Arguments),
    Watch(watch::Arguments),
    Search(search::Arguments),
    Near(near::Arguments),
    Within(within::Arguments),
    Index(index::Arguments),
    History(history::Arguments),
    Diff(diff::Arguments),
    Restore(restore::Arguments),
    Schema(schema::Arguments),
    Undo(undo::Arguments),
    Conflicts(conflicts::Arguments),
    Settle(settle::Arguments),
    Sync(sync::Arguments),
    Peers(peers::Arguments),
    Status(status::Arguments),
    Backup(backup::Arguments),
    Compact(compact::Arguments),
    Repair(repair::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

/// This program's version and those of its formats.
fn long_version() -> &'static str {
    use ayni::formats::{DOCUMENT, LOG_HEADER, MESSAGE, STORE};
    static TEXT: OnceLock<String> = OnceLock::new();
    let own = env!("CARGO_PKG_VERSION");
    TEXT.get_or_init(|| {
        format!("{own}\nformats: log header {LOG_HEADER}, message {MESSAGE}, store {STORE}, document {DOCUMENT}")
    })
}

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    let arguments = search::negations_as_words(std::env::args_os().collect(), &Cli::command());
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return manual::misunderstood(&error, &arguments),
    };
    start_tracing();
    cli.setting.apply_to_output();
    match dispatch(cli) {
        Ok(answer) => answer.into(),
        Err(failure) => failure.report(),
    }
}

fn dispatch(cli: Cli) -> Outcome {
    let setting = &cli.setting;
    match cli.command {
        None => overview::run(setting),
        Some(Command::Demo(arguments)) => demo::run(setting, &arguments),
        Some(Command::DemoDevice(arguments)) => demo::run_device(&arguments),
        Some(Command::Init(arguments)) => init::run(setting, arguments),
        Some(Command::Project(arguments)) => project::run(setting, arguments),
        Some(Command::Invite(arguments)) => invite::run(setting, arguments),
        Some(Command::Join(arguments)) => join::run(setting, arguments),
        Some(Command::Import(arguments)) => import::run(setting, arguments),
        Some(Command::Export(arguments)) => export::run(setting, arguments),
        Some(Command::Put(arguments)) => put::run(setting, arguments),
        Some(Command::Get(arguments)) => get::run(setting, arguments),
        Some(Command::Show(arguments)) => show::run(setting, arguments),
        Some(Command::Edit(arguments)) => edit::run(setting, arguments),
        Some(Command::Delete(arguments)) => delete::run(setting, arguments),
        Some(Command::Query(arguments)) => query::run(setting, arguments),
        Some(Command::Sql(arguments)) => sql::run(setting, arguments),
        Some(Command::Watch(arguments)) => watch::run(setting, arguments),
        Some(Command::Search(arguments)) => search::run(setting, arguments),
        Some(Command::Near(arguments)) => near::run(setting, arguments),
        Some(Command::Within(arguments)) => within::run(setting, arguments),
        Some(Command::Index(arguments)) => index::run(setting, arguments),
        Some(Command::History(arguments)) => history::run(setting, arguments),
        Some(Command::Diff(arguments)) => diff::run(setting, arguments),
        Some(Command::Restore(arguments)) => restore::run(setting, arguments),
        Some(Command::Schema(arguments)) => schema::run(setting, arguments),
        Some(Command::Undo(arguments)) => undo::run(setting, arguments),
        Some(Command::Conflicts(arguments)) => conflicts::run(setting, arguments),
        Some(Command::Settle(arguments)) => settle::run(setting, arguments),
        Some(Command::Sync(arguments)) => sync::run(setting, arguments),
        Some(Command::Peers(arguments)) => peers::run(setting, arguments),
        Some(Command::Status(arguments)) => status::run(setting, arguments),
        Some(Command::Backup(arguments)) => backup::run(setting, arguments),
        Some(Command::Compact(arguments)) => compact::run(setting, arguments),
        Some(Command::Repair(arguments)) => repair::run(setting, arguments),
        Some(Command::Completions(arguments)) => completions::run(arguments),
        Some(Command::Man(arguments)) => man::run(setting, arguments),
    }
}

/// What happens inside goes to the standard error, if `AYNI_LOG` says what of it.
fn start_tracing() {
    let Some(wanted) = std::env::var("AYNI_LOG").ok().filter(|wanted| !wanted.is_empty()) else { return };
    match tracing_subscriber::EnvFilter::try_new(wanted) {
        Ok(filter) => tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init(),
        Err(error) => {
            say::note(format_args!("AYNI_LOG is not understood: {error}"));
            say::hint("write it as in AYNI_LOG=info or AYNI_LOG=ayni=debug,ayni_net=warn");
        }
    }
}
