//! What the program says of itself beside the definitions of its commands: what holds for all of them, and the examples of
//! each, which stand at the end of its help. From here they come into the help, the manual pages, and what is said to
//! a command that is not understood.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Command, CommandFactory};

use super::Cli;
use crate::terminal::say;

/// Exit codes, each with what it means.
pub(super) const EXIT_CODES: [(&str, &str); 3] = [
    ("0", "done"),
    ("1", "the answer is no (nothing found, conflicts left, not level), or it could not be done"),
    ("2", "the command was not understood"),
];

/// Variables of the environment, each with what it is for.
pub(super) const ENVIRONMENT: [(&str, &str); 8] = [
    ("AYNI_DIR", "the database folder"),
    ("AYNI_KEYS", "the folder for key files, outside the database's own"),
    ("AYNI_PROJECT", "the project, by name or the start of its id"),
    ("AYNI_PASSPHRASE", "answers where a passphrase would be asked for"),
    ("AYNI_LOG", "what happens inside, on the standard error: `info`, `ayni_net=debug`"),
    ("EDITOR", "what `ayni edit` opens a document with; VISUAL goes before it"),
    ("NO_COLOR", "no colours, whatever it is"),
    ("TZ", "the time zone in which times are shown and read"),
];

/// Examples to begin with.
const BEGIN: &str = "\
Begin with:
  ayni init --name \"Ana's laptop\"
  ayni project new Mapa
  ayni put places name=Cusco population=428450";

/// The heads of lists of examples in a help.
const HEADS: [&str; 2] = ["Examples:", "Begin with:"];

/// The end of the program's help.
pub(super) fn help() -> String {
    let codes: Vec<String> = EXIT_CODES.iter().map(|(code, what)| format!("{code} {what}")).collect();
    format!("Exit codes: {}.\n\n{BEGIN}", codes.join("; "))
}

/// The same with the environment.
pub(super) fn long_help() -> String {
    let line = |(name, what): &(&str, &str)| format!("\n  {name:<16} {what}");
    format!("{}\n\nEnvironment:{}", help(), ENVIRONMENT.iter().map(line).collect::<String>())
}

/// What the end of a command's help says: notes, and examples.
pub(super) fn notes_and_examples(command: &Command) -> (Vec<String>, Vec<String>) {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut notes: Vec<String> = text.lines().map(str::to_owned).collect();
    let Some(head) = notes.iter().position(|line| HEADS.contains(&line.as_str())) else { return (notes, Vec::new()) };
    let examples = notes.split_off(head).into_iter().skip(1).map(|line| line.trim().to_owned());
    (notes, examples.filter(|line| !line.is_empty()).collect())
}

/// Says what was not understood, how the command is used, and an example of it.
pub(super) fn misunderstood(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let is_help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if is_help {
        // A reader that has gone is no failure.
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let text = text.split("\n\nFor more information").next().unwrap_or(text);
    let what = text.split("Usage: ").next().unwrap_or(text);
    say::failure(&what.trim_end().replace("\n\n", "\n"), "");
    let (name, command) = asked_for(arguments);
    say::aside(format_args!("usage: {}", usage(&command)));
    let (_, examples) = notes_and_examples(&command);
    say::hint(format_args!(
        "`{name} --help` tells all of it{}",
        if examples.is_empty() { "" } else { "; for example:" }
    ));
    let shown: Vec<(&str, &str)> = examples.iter().take(2).map(|example| (example.as_str(), "")).collect();
    say::next(&shown);
    ExitCode::from(2)
}

/// How a command is called, on one line.
pub(super) fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    usage.strip_prefix("Usage: ").unwrap_or(&usage).to_owned()
}

/// The command that a command line is about, as far as it can be told, and how it is called.
fn asked_for(arguments: &[OsString]) -> (String, Command) {
    let mut command = Cli::command();
    command.build();
    let mut name = command.get_name().to_owned();
    let Ok(found) = command.clone().ignore_errors(true).try_get_matches_from(arguments) else { return (name, command) };
    let mut found = &found;
    while let Some((word, inner)) = found.subcommand() {
        let Some(inside) = command.find_subcommand(word).cloned() else { break };
        name = format!("{name} {word}");
        (command, found) = (inside, inner);
    }
    (name, command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_on_the_program_has_all_variables_and_exit_codes() {
        let page = include_str!("../../../../docs/program.md");
        for (name, what) in ENVIRONMENT.iter().chain(&EXIT_CODES) {
            assert!(page.contains(name), "{name} is not in it");
            assert!(page.contains(what.split(';').next().unwrap()), "{what:?} is not in it");
        }
    }
}
