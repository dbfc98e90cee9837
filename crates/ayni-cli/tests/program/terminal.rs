//! The program at a terminal: what it shows there fits, cannot steer the terminal, and can do without colours; what it asks
//! is asked.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use console::{measure_text_width, strip_ansi_codes};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::Device;

/// What a command at a terminal did.
pub(crate) struct Shown {
    pub(crate) code: i32,
    /// All that it wrote, with the echo of what was typed.
    pub(crate) text: String,
}

impl Shown {
    fn lines(&self) -> impl Iterator<Item = String> {
        self.text.split('\n').map(|line| strip_ansi_codes(line.trim_end_matches('\r')).into_owned())
    }

    /// Without line breaks and the spaces around them.
    fn words(&self) -> String {
        strip_ansi_codes(&self.text).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Runs a command whose input and output are a terminal of its own, so many columns wide, at which this is typed.
pub(crate) fn at_terminal(mut command: Command, columns: u16, typed: &str) -> Shown {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    tcsetwinsize(&person, Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = ptsname(&person, Vec::new()).unwrap().into_string().unwrap();
    let terminal = || Stdio::from(File::options().read(true).write(true).open(&name).unwrap());
    command.stdin(terminal()).stdout(terminal()).stderr(terminal()).process_group(0);
    let mut child = command.spawn().unwrap();
    // The command's copies of the terminal's ends are closed with it.
    drop(command);
    let mut person = File::from(person);
    person.write_all(typed.as_bytes()).unwrap();
    let mut text = Vec::new();
    // The terminal reads as an error once nobody has it open any more.
    let _ = person.read_to_end(&mut text);
    Shown { code: child.wait().unwrap().code().unwrap(), text: String::from_utf8(text).unwrap() }
}

fn shown(device: &Device, columns: u16, arguments: &[&str]) -> Shown {
    at_terminal(coloured(device, arguments), columns, "")
}

/// With nothing in the environment that says anything of colours.
fn coloured(device: &Device, arguments: &[&str]) -> Command {
    let mut command = device.command(arguments);
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm-256color");
    command
}

/// With documents that are hard to show.
fn with_places() -> Device {
    let device = Device::with_project("Ana \u{1b}[2J");
    for place in [
        r#"{"name": "Cusco", "population": 428450, "country": "PE", "location": {"type": "Point", "coordinates": [-71.97, -13.53]}}"#,
        r#"{"name": "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch, which is long", "notes": "two\nlines"}"#,
        r#"{"name": "北京市朝阳区三里屯街道工人体育场北路", "population": 21540000}"#,
        "{\"name\": \"👨\u{200d}👩\u{200d}👧\u{200d}👦 camp 🏔\u{fe0f}\", \"tags\": [\"a\", \"b\"]}",
        r#"{"name": "القاهرة الكبرى", "area": {"type": "Polygon", "coordinates": [[[30, 30], [31, 30], [31, 31], [30, 30]]]}}"#,
        r#"{"name": "e\u0301\u0303 evil \u001b[31m \u001b]0;title\u0007 \u009b2J \u202e \u007f", "\u001b[8mfield\u0085": "\u001b[2J"}"#,
    ] {
        device.ok(&["put", "places", place]);
    }
    device.ok(&["put", "places", "--key", "cusco", "name=Qosqo", "population=1"]);
    device.ok(&[
        "edit",
        "places",
        "cusco",
        "population=2",
        "note=the navel of the world, as its people say, and a long way from here",
    ]);
    device
}

const COMMANDS: [&[&str]; 16] = [
    &[],
    &["status"],
    &["project", "show"],
    &["project", "list"],
    &["query", "places"],
    &["query", "places", "name=Nowhere"],
    &["query", "places", "--explain"],
    &["get", "places", "cusco"],
    &["show", "places", "cusco"],
    &["history", "places", "cusco", "--all"],
    &["near", "places", "-13,-72"],
    &["search", "places", "evil OR camp OR long OR cusco"],
    &["index"],
    &["undo", "--dry-run"],
    &["put", "places"],
    &["get", "places", "nowhere"],
];

#[test]
fn nothing_that_is_shown_is_wider_than_the_terminal_but_what_may_be_copied() {
    let device = with_places();
    for columns in [40, 80, 160] {
        for arguments in COMMANDS {
            for line in shown(&device, columns, arguments).lines() {
                // What may be copied stands whole: commands, paths, ids.
                let whole = line.starts_with("  ayni ") || !line.trim().contains(' ');
                let fits = whole || measure_text_width(&line) <= columns.into();
                assert!(fits, "{arguments:?} at {columns}: {line:?}");
            }
        }
    }
}

#[test]
fn a_command_that_is_to_be_copied_stands_whole_on_a_narrow_terminal() {
    let device = Device::bare();
    let shown = shown(&device, 20, &[]);
    assert!(shown.lines().any(|line| line == "  ayni init --name \"Ana's laptop\""), "{}", shown.text);
}

#[test]
fn nothing_that_others_wrote_steers_the_terminal() {
    let device = with_places();
    let evil = device.json(&["query", "places", "name~evil"])[0]["_id"].as_str().unwrap().to_owned();
    let id = [&["get", "places", &evil][..], &["show", "places", &evil], &["history", "places", &evil]];
    let as_json = [&["query", "places", "--json"][..], &["show", "places", &evil, "--json"]];
    let as_file = [&["export", "--collection", "places"][..], &["export", "--collection", "places", "--format", "csv"]];
    for arguments in COMMANDS.iter().copied().chain(id).chain(as_json).chain(as_file) {
        let shown = shown(&device, 80, arguments);
        let plain = strip_styles(&shown.text);
        let control = plain.chars().find(|letter| letter.is_control() && !"\r\n".contains(*letter));
        assert_eq!(control, None, "{arguments:?}: {plain:?}");
        assert!(
            !plain.contains('\u{202e}') || arguments.contains(&"--json") || arguments[0] == "export",
            "{arguments:?}"
        );
    }
    let exported = device.ok(&["export", "--collection", "places"]);
    assert!(exported.contains("\u{7f}"), "a file is as it was written");
}

/// Without the sequences that only set a style.
fn strip_styles(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part
            .split_once('m')
            .filter(|(style, _)| style.chars().all(|letter| letter.is_ascii_digit() || letter == ';'))
        {
            Some((_, rest)) => plain.push_str(rest),
            None => plain.push_str(&format!("\u{1b}[{part}")),
        }
    }
    plain
}

#[test]
fn colours_are_there_at_a_terminal_and_can_be_turned_off() {
    let device = with_places();
    let has_colours = |text: &str| text.contains('\u{1b}');
    assert!(has_colours(&shown(&device, 80, &["query", "places"]).text));
    assert!(!has_colours(&shown(&device, 80, &["query", "places", "--color", "never"]).text));
    let mut command = coloured(&device, &["status"]);
    command.env("NO_COLOR", "1");
    assert!(!has_colours(&at_terminal(command, 80, "").text));
    let piped = |arguments: &[&str]| String::from_utf8(coloured(&device, arguments).output().unwrap().stdout).unwrap();
    assert!(!has_colours(&piped(&["get", "places", "cusco"])));
    assert!(has_colours(&piped(&["get", "places", "cusco", "--color", "always"])));
}

#[test]
fn times_are_told_by_how_far_they_are_and_written_out_where_asked_for() {
    let device = with_places();
    assert!(shown(&device, 80, &["history", "places", "cusco"]).text.contains("just now"));
    let exact = shown(&device, 80, &["history", "places", "cusco", "--exact-times"]).text;
    assert!(!exact.contains("just now") && exact.matches(':').count() >= 2, "{exact}");
}

#[test]
fn values_are_whole_where_one_document_is_shown_however_narrow_it_is() {
    let device = with_places();
    for arguments in [["get", "places", "cusco"], ["show", "places", "cusco"], ["history", "places", "cusco"]] {
        let words = shown(&device, 40, &arguments).words();
        assert!(!words.contains('…'), "{words}");
    }
    let words = shown(&device, 40, &["get", "places", "cusco"]).words();
    assert!(words.contains("the navel of the world, as its people say, and a long way from here"), "{words}");
    let table = shown(&device, 80, &["query", "places", "country=PE"]).text;
    assert!(table.contains("13.5300° S 71.9700° W"), "{table}");
}

#[test]
fn undo_shows_what_it_would_take_back_and_does_what_is_answered() {
    let device = Device::with_project("Ana");
    device.ok(&["put", "places", "--key", "cusco", "name=Cusco", "population=5"]);
    device.ok(&["edit", "places", "cusco", "population=6"]);
    let population = || device.json(&["get", "places", "cusco"])["population"].as_i64();
    for answer in ["n\n", "perhaps\n", "\u{4}"] {
        let asked = at_terminal(device.command(&["undo"]), 80, answer);
        let words = asked.words();
        assert!(words.contains("population 6 → 5") && words.contains("Take it back? [Y/n]"), "{words}");
        assert!(asked.code == 1 && words.contains("Nothing was changed."), "{answer:?}: {words}");
        assert_eq!(population(), Some(6), "{answer:?}");
    }
    for (answer, left) in [("y\n", 5), ("\n", 6)] {
        let asked = at_terminal(device.command(&["undo"]), 80, answer);
        assert!(asked.code == 0 && asked.words().contains("took back the change of"), "{}", asked.text);
        assert_eq!(population(), Some(left), "a second undo does the first change again");
    }
    let told = at_terminal(device.command(&["undo", "--yes"]), 80, "");
    assert!(told.code == 0 && !told.text.contains("[Y/n]"), "{}", told.text);
}

#[test]
fn settle_asks_about_each_conflict_and_again_where_the_answer_is_none() {
    let desk = Device::with_project("Ana");
    desk.ok(&["put", "places", "--key", "cusco", "name=Cusco"]);
    let script = "$AYNI edit places cusco name=Qosqo && sed -i s/Cusco/Cuzco/ \"$1\"";
    let editor = format!("sh {}", desk.file("editor.sh", script));
    let mut command = desk.command(&["edit", "places", "cusco"]);
    command.env("EDITOR", editor).env("AYNI", env!("CARGO_BIN_EXE_ayni"));
    assert_eq!(at_terminal(command, 80, "").code, 0);
    let later = at_terminal(desk.command(&["settle"]), 80, "\n");
    assert!(later.code == 1 && later.words().contains("1 left"), "{}", later.text);
    let schema = desk.file("schema.json", r#"{"properties": {"name": {"type": "string", "pattern": "^[A-Z]"}}}"#);
    desk.ok(&["schema", "set", "places", &schema]);
    let settled = at_terminal(desk.command(&["settle"]), 80, "7\n= lower\n=Qosqo!\n");
    let words = settled.words();
    assert!(settled.code == 0 && words.contains("is none of the values"), "{words}");
    assert!(words.contains("error:") && words.contains("settled 1 conflict"), "{words}");
    assert_eq!(desk.json(&["get", "places", "cusco"])["name"], "Qosqo!");
}

#[test]
fn what_happens_inside_is_told_to_who_asks_and_never_what_is_written() {
    let ana = Device::with_project("Ana");
    let told = |level: &str, arguments: &[&str]| {
        let output = ana.command(arguments).env("AYNI_LOG", level).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let put = told("debug", &["put", "wells", "name=secretwell"]);
    assert!(put.contains("opened a database") && put.contains("writes a commit"), "{put}");
    let asked = told("debug", &["query", "wells", "name=secretwell"]);
    assert!(asked.contains("answered a query"), "{asked}");
    assert!(!put.contains("secretwell") && !asked.contains("secretwell"));
    assert_eq!(told("warn", &["query", "wells"]), "");
    assert!(told("ayni=loud", &["query", "wells"]).contains("AYNI_LOG is not understood"));
}
