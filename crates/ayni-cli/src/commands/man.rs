//! `ayni man`: the manual pages, made from the definitions of the commands.

use std::fs;
use std::path::PathBuf;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use serde_json::json;

use super::{Cli, manual};
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::{out, say, words};

/// Write the manual pages to a folder
#[derive(clap::Args)]
#[command(after_help = "\
Each command has a page: `man ayni`, `man ayni-put`, `man ayni-project-new`. The folder is made if it is not there.

Examples:
  ayni man ~/.local/share/man/man1
  ayni man /tmp/pages && man -l /tmp/pages/ayni-put.1")]
pub(crate) struct Arguments {
    /// The folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// What lies where on the disk.
const FILES: [(&str, &str); 4] = [
    ("~/.local/share/ayni", "the database, unless --dir or AYNI_DIR names another folder"),
    ("~/.config/ayni/keys", "the key files that open databases, unless AYNI_KEYS names another folder"),
    ("ayni.db", "in the database folder: everything, encrypted"),
    ("sync.lock", "in the database folder: held by the `ayni sync` that runs"),
];

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let folder = arguments.folder;
    let failed = |error: std::io::Error| Failure::file(&folder, &error);
    fs::create_dir_all(&folder).map_err(failed)?;
    let pages = pages();
    for (name, text) in &pages {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| Failure::file(&path, &error))?;
    }
    if setting.json {
        let names: Vec<&String> = pages.iter().map(|(name, _)| name).collect();
        out::json(&json!({ "folder": folder, "pages": names }))?;
        return Ok(Answer::Yes);
    }
    say::done(format_args!("{} in {}", words::counted(pages.len() as u64, "page"), folder.display()));
    let first = format!("man -l {}", folder.join("ayni.1").display());
    say::next(&[(&first, "reads the first")]);
    Ok(Answer::Yes)
}

/// The name and the text of each page, that of the program first.
fn pages() -> Vec<(String, Vec<u8>)> {
    let mut all = Cli::command();
    all.build();
    let mut pages = Vec::new();
    collect(&all, &mut pages);
    pages
}

fn collect(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) {
    pages.push((format!("{}.1", name(command)), page(command)));
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        collect(inner, pages);
    }
}

/// What a command's page is called.
fn name(command: &Command) -> String {
    command.get_bin_name().unwrap_or(command.get_name()).replace(' ', "-")
}

fn page(command: &Command) -> Vec<u8> {
    let (notes, examples) = manual::notes_and_examples(command);
    let is_program = !command.get_bin_name().is_some_and(|name| name.contains(' '));
    let man = Man::new(command.clone().override_usage(manual::usage(command)).display_name(name(command)))
        .title(name(command).to_uppercase())
        // The day on which it was made says nothing, and an empty one would be taken for missing.
        .date(" ")
        .source(format!("ayni {}", env!("CARGO_PKG_VERSION")))
        .manual("Ayni");
    let mut page = Vec::new();
    // Writing to memory cannot fail.
    let _ = man.render_title(&mut page);
    let _ = man.render_name_section(&mut page);
    let _ = man.render_synopsis_section(&mut page);
    let _ = man.render_description_section(&mut page);
    let mut further = Roff::new();
    // What the program's own help says behind this has sections of its own.
    if !is_program {
        paragraphs(&mut further, &notes);
    }
    let _ = further.to_writer(&mut page);
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        let _ = man.render_options_section(&mut page);
    }
    let mut rest = Roff::new();
    commands(&mut rest, command);
    literal(rest.control("SH", ["EXAMPLES"]), &examples);
    list(rest.control("SH", ["EXIT STATUS"]), &manual::EXIT_CODES);
    list(rest.control("SH", ["ENVIRONMENT"]), &manual::ENVIRONMENT);
    list(rest.control("SH", ["FILES"]), &FILES);
    see_also(&mut rest, command);
    let _ = rest.to_writer(&mut page);
    page
}

/// The commands inside of a command, each with what it does.
fn commands(roff: &mut Roff, command: &Command) {
    let mut inner = command.get_subcommands().filter(|inner| !inner.is_hide_set()).peekable();
    if inner.peek().is_none() {
        return;
    }
    roff.control("SH", ["COMMANDS"]);
    for inner in inner {
        let about = inner.get_about().map(ToString::to_string).unwrap_or_default();
        roff.control("TP", []).text([bold(name(inner)), roman("(1)")]).text([roman(about)]);
    }
}

/// The pages above and beside.
fn see_also(roff: &mut Roff, command: &Command) {
    let own = name(command);
    let mut pages: Vec<String> = own.match_indices('-').filter_map(|(at, _)| Some(own.get(..at)?.to_owned())).collect();
    pages.extend(command.get_subcommands().filter(|inner| !inner.is_hide_set()).map(name));
    if pages.is_empty() {
        return;
    }
    let mut line: Vec<Inline> = Vec::new();
    for (at, page) in pages.into_iter().enumerate() {
        line.push(roman(if at == 0 { "" } else { ", " }));
        line.extend([bold(page), roman("(1)")]);
    }
    roff.control("SH", ["SEE ALSO"]).text(line);
}

fn list(roff: &mut Roff, entries: &[(&str, &str)]) {
    for (name, what) in entries {
        roff.control("TP", []).text([italic(*name)]).text([roman(*what)]);
    }
}

/// Text as in a help: paragraphs between empty lines, and lines that are set in, which stand as they are.
fn paragraphs(roff: &mut Roff, lines: &[String]) {
    let mut rest = lines;
    while let Some(first) = rest.first() {
        let same = |line: &&String| !line.is_empty() && line.starts_with("  ") == first.starts_with("  ");
        let length = rest.iter().take_while(same).count();
        let (part, further) = rest.split_at(length);
        match part {
            [] => {}
            part if first.starts_with("  ") => literal(roff, part),
            part => {
                roff.control("PP", []).text([roman(part.join(" "))]);
            }
        }
        rest = further.get(usize::from(part.is_empty())..).unwrap_or_default();
    }
}

/// Lines that stand as they are.
fn literal(roff: &mut Roff, lines: &[String]) {
    roff.control("PP", []).control("RS", ["4"]).control("nf", []);
    for line in lines {
        roff.text([roman(line.as_str())]);
    }
    roff.control("fi", []).control("RE", []);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_has_a_page_with_an_example_and_it_is_the_same_each_time() {
        fn names(command: &Command, above: &str, found: &mut BTreeSet<String>) {
            found.insert(format!("{above}{}.1", command.get_name()));
            let above = format!("{above}{}-", command.get_name());
            let inner = command.get_subcommands().filter(|inner| !inner.is_hide_set());
            inner.for_each(|inner| names(inner, &above, found));
        }
        let mut expected = BTreeSet::new();
        names(&Cli::command(), "", &mut expected);
        let made = pages();
        assert_eq!(made.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>(), expected);
        assert!(expected.contains("ayni.1") && expected.contains("ayni-project-new.1"));
        assert_eq!(made, pages());
        for (name, text) in made {
            let text = String::from_utf8(text).unwrap();
            let examples = text.split(".SH EXAMPLES").nth(1).and_then(|rest| rest.split(".SH").next()).unwrap();
            let command = name.trim_end_matches(".1").replace('-', " ");
            let plain = examples.replace("\\-", "-").replace("\\*(Aq", "'");
            assert!(plain.contains(&command), "{name} has no example of its command: {plain}");
            // In a help wider ones would be broken, and could not be copied.
            for example in plain.lines() {
                assert!(crate::terminal::fit::width(example) <= 78, "{name}: {example:?} does not fit 80 columns");
            }
            for section in [
                "NAME",
                "SYNOPSIS",
                "DESCRIPTION",
                "OPTIONS",
                "\"EXIT STATUS\"",
                "ENVIRONMENT",
                "FILES",
                "\"SEE ALSO\"",
            ] {
                assert!(text.contains(&format!(".SH {section}\n")), "{name} has no section {section}");
            }
        }
    }

    #[test]
    fn notes_become_paragraphs_and_what_is_set_in_stands_as_it_is() {
        let lines = ["One", "two.", "  {\"a\":", "     1}", "", "Three."].map(str::to_owned);
        let mut roff = Roff::new();
        paragraphs(&mut roff, &lines);
        let text = roff.to_roff();
        assert!(
            text.contains("One two.\n") && text.contains("  {\"a\":\n     1}\n") && text.ends_with("Three.\n"),
            "{text}"
        );
    }
}
