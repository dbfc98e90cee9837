//! How to go on by hand with the databases that the demo made.

use std::env;
use std::path::{Path, PathBuf};

use super::screen::Screen;
use super::story::{CUSCO, DEVICES};
use crate::failure::Failure;
use crate::terminal::out;

/// Prints commands that work as they stand.
pub(super) fn print(screen: &Screen, folder: &Path) -> Result<(), Failure> {
    let program = program();
    let on = |name: &str, rest: &str| {
        let folder = folder.join(name.to_lowercase());
        format!("{program} --dir {} {rest}", quoted(&folder.display().to_string()))
    };
    let [ana, ben, chaska] = DEVICES;
    out::line("\nThe three databases are yours to go on with:")?;
    let cusco = format!("history places {}", CUSCO.number);
    screen.command(
        &on(chaska, "query places 'country=PE population>=100000' --sort population:desc"),
        "the larger places of Peru, as Chaska has them",
    )?;
    screen.command(&on(ana, &cusco), "who changed Cusco, and when")?;
    screen.command(&on(ben, "conflicts"), "the conflict, and how to settle it")?;
    screen.command(&on(ana, "status"), "who has what, by receipt")?;
    screen.command(&on(ana, "sync --watch"), "connect Ana again; do the same with Ben in a second terminal")?;
    screen.command(
        &on(ben, "put places name=Sunturwasi country=PE population=3"),
        "in a third one: it is on Ana's device at once",
    )
}

/// How this program is called here: by its name if the shell finds it so, else by its path.
fn program() -> String {
    let Ok(own) = env::current_exe() else { return "ayni".to_owned() };
    let name = own.file_name().map(PathBuf::from).unwrap_or_default();
    let path = env::var_os("PATH").unwrap_or_default();
    let first = env::split_paths(&path).map(|folder| folder.join(&name)).find(|file| file.is_file());
    if first.and_then(|file| file.canonicalize().ok()) == own.canonicalize().ok() {
        return quoted(&name.display().to_string());
    }
    let here = env::current_dir().ok();
    let short = here.and_then(|here| own.strip_prefix(here).ok().map(Path::to_owned));
    quoted(&short.unwrap_or(own).display().to_string())
}

/// As one word for a shell.
fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "/._-+:\\".contains(letter);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
