//! Talk, on the standard error. Nobody listening is no failure.

use std::fmt::Display;
use std::io::{self, Write};

use console::style;

/// Something was done.
pub(crate) fn done(what: impl Display) {
    tell(format_args!("{} {what}", style("✓").green().for_stderr()));
}

/// A fact beside what was asked for.
pub(crate) fn note(what: impl Display) {
    tell(format_args!("{what}"));
}

/// Something that a person should look at.
pub(crate) fn warning(what: impl Display) {
    tell(format_args!("{} {what}", style("warning:").yellow().bold().for_stderr()));
}

/// What to do next.
pub(crate) fn hint(what: impl Display) {
    tell(format_args!("{} {what}", style("hint:").cyan().for_stderr()));
}

/// A heading and commands to go on with, each with what it does.
pub(crate) fn next(commands: &[(&str, &str)]) {
    let width = commands.iter().map(|(command, _)| console::measure_text_width(command)).max().unwrap_or(0);
    for (command, what) in commands {
        let command = console::pad_str(command, width, console::Alignment::Left, None);
        tell(format_args!("  {}  {}", style(command).cyan().for_stderr(), style(what).dim().for_stderr()));
    }
}

/// What went wrong, and what to do.
pub(crate) fn failure(what: &str, remedy: &str) {
    tell(format_args!("{} {}", style("error:").red().bold().for_stderr(), what.trim_end()));
    if !remedy.is_empty() {
        hint(remedy.trim_end());
    }
}

fn tell(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
