//! `ayni demo`: three devices on real data, in a minute.
//!
//! The devices are processes of this same program, each with a database folder of its own, that find each other on the
//! network as any devices do: [`device`] is what runs in them, [`actor`] how the demo holds one, [`cast`] how it holds all,
//! [`orders`] what both say to each other, [`waits`] what they wait for. [`story`] says what happens, [`acts`] plays it
//! and checks what it shows, [`screen`] shows it. [`folder`] is where it all is, [`places`] the data.

mod actor;
mod acts;
mod cast;
mod device;
mod folder;
mod next;
mod orders;
mod places;
mod screen;
mod story;
mod waits;

use std::path::{Path, PathBuf};

use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;

/// The collection.
const PLACES: &str = "places";
/// The project.
const PROJECT: &str = "Places of the world";
/// Where it is all kept unless another folder is named.
const FOLDER: &str = "ayni-demo";

/// See three devices share the places of the world, edit them apart, and meet again
///
/// Takes less than a minute. The three databases stay in a folder `ayni-demo` (another with --dir), so that you can go on
/// with them by hand; the next demo in that folder clears them away. Nothing leaves this machine but the search for
/// other devices on the local network.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  ayni demo
  ayni demo --quick
  ayni demo --plain --dir /tmp/demo")]
pub(crate) struct Arguments {
    /// A tenth of the places
    #[arg(long)]
    quick: bool,
    /// No colours and no bars, as where there is no terminal
    #[arg(long)]
    plain: bool,
}

/// One device of the demo, for the demo itself.
#[derive(clap::Args)]
pub(crate) struct DeviceArguments {
    folder: PathBuf,
    keys: PathBuf,
}

/// Plays it.
pub(crate) fn run(setting: &Setting, arguments: &Arguments) -> Outcome {
    let path = setting.named_folder().unwrap_or(Path::new(FOLDER));
    let stage = folder::Stage::clear(path)?;
    let screen = screen::Screen::new(arguments.plain);
    let faults = acts::play(&stage, &screen, arguments.quick)?;
    if faults.is_empty() {
        next::print(&screen, path)?;
        return Ok(Answer::Yes);
    }
    Err(Failure::new(
        format_args!("the demo did not show what Ayni promises:\n  - {}", faults.join("\n  - ")),
        format_args!("what happened is in the logs in {}", path.display()),
    ))
}

/// Is one of its devices.
pub(crate) fn run_device(arguments: &DeviceArguments) -> Outcome {
    device::run(&arguments.folder, &arguments.keys).map_err(|error| Failure::new(format_args!("{error:#}"), ""))?;
    Ok(Answer::Yes)
}
