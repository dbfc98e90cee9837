//! Talk, on the standard error, in lines that fit the terminal. Nobody listening is no failure.

use std::fmt::Display;
use std::io::{self, Write};

use console::{Alignment, Term, style};

use super::{fit, words};

/// Something was done.
pub(crate) fn done(what: impl Display) {
    tell(2, format_args!("{} {what}", style("✓").green().for_stderr()));
}

/// A fact beside what was asked for.
pub(crate) fn note(what: impl Display) {
    tell(0, format_args!("{what}"));
}

/// A fact that is less important than others.
pub(crate) fn aside(what: impl Display) {
    tell(0, format_args!("{}", style(what).dim().for_stderr()));
}

/// Something that a person should look at.
pub(crate) fn warning(what: impl Display) {
    tell(9, format_args!("{} {what}", style("warning:").yellow().bold().for_stderr()));
}

/// What to do next.
pub(crate) fn hint(what: impl Display) {
    tell(6, format_args!("{} {what}", style("hint:").cyan().for_stderr()));
}

/// Commands to go on with, each with what it does.
pub(crate) fn next(commands: &[(&str, &str)]) {
    let width = commands.iter().map(|(command, _)| fit::width(command)).max().unwrap_or(0);
    let widest = commands.iter().map(|(_, what)| fit::width(what)).max().unwrap_or(0);
    let beside = columns().is_none_or(|columns| 2 + width + 2 + widest <= columns);
    for (text, what) in commands {
        let padded =
            if beside && !what.is_empty() { fit::fill(text, width, Alignment::Left) } else { (*text).to_owned() };
        let said = style(what).dim().for_stderr();
        match (what.is_empty(), beside) {
            (true, _) => command(padded),
            (_, true) => note(format_args!("  {}  {said}", style(padded).cyan().for_stderr())),
            _ => {
                command(padded);
                note(format_args!("      {said}"));
            }
        }
    }
}

/// A command to be copied: it stands whole on its line, however narrow the terminal is.
pub(crate) fn command(what: impl Display) {
    write(&format!("  {}", style(what).cyan().for_stderr()));
}

/// What went wrong, and what to do.
pub(crate) fn failure(what: &str, remedy: &str) {
    let what = words::clean(what.trim_end());
    tell(2, format_args!("{} {what}", style("error:").red().bold().for_stderr()));
    if !remedy.is_empty() {
        hint(words::clean(remedy.trim_end()));
    }
}

/// Columns of the terminal, if there is one.
fn columns() -> Option<usize> {
    let term = Term::stderr();
    term.is_term().then(|| super::out::columns_of(&term))
}

/// Writes it; where a line goes on, this much further in.
fn tell(further: usize, text: std::fmt::Arguments<'_>) {
    let text = text.to_string();
    write(&match columns() {
        None => text,
        Some(columns) => {
            let line = |line: &str| {
                let plain = line.trim_start_matches(' ');
                let indent = line.len() - plain.len();
                fit::indented(plain, columns, indent, indent + further)
            };
            text.split('\n').map(line).collect::<Vec<_>>().join("\n")
        }
    });
}

fn write(text: &str) {
    let text = words::only_styles(text);
    let lines: Vec<&str> = text.split('\n').map(str::trim_end).collect();
    let _ = writeln!(io::stderr().lock(), "{}", lines.join("\n"));
}
