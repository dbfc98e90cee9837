//! Databases, projects, tickets, and the program itself.

use serde_json::Value as Json;

use crate::support::Device;

#[test]
fn alone_it_says_what_to_do_first() {
    let device = Device::bare();
    let ran = device.run(&[]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("ayni init"), "{}", ran.err);
    device.refused(&["query", "places"], 1, "holds no database");
    device.ok(&["init", "--name", "Ana"]);
    assert!(device.run(&[]).err.contains("ayni project new"));
    device.refused(&["query", "places"], 1, "in no project");
    device.ok(&["project", "new", "Mapa"]);
    let ran = device.run(&[]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("Ana") && ran.out.contains("Mapa"), "{}", ran.out);
    assert_eq!(device.json(&[])["name"], "Ana");
}

#[test]
fn a_database_is_never_made_over_another() {
    let device = Device::new("Ana");
    device.refused(&["init", "--name", "Ben"], 1, "holds a database already");
}

#[test]
fn a_device_needs_a_name_that_is_one() {
    let device = Device::bare();
    for name in ["", " "] {
        let ran = device.run(&["init", "--name", name]);
        ran.refused(2, "no name");
        assert!(ran.err.contains("Ana's laptop"), "an example says what to do: {}", ran.err);
    }
    device.refused(&["init", "--name", &"a".repeat(257)], 2, "1 to 256 bytes");
    device.refused(&["init"], 2, "--name");
    assert!(!device.folder().exists(), "nothing was made");
}

#[test]
fn a_passphrase_from_the_environment_opens_and_a_wrong_one_does_not() {
    let device = Device::bare();
    device.refused(&["init", "--name", "Ana", "--passphrase"], 1, "no terminal");
    let device = device.answering(Some("correct horse"));
    device.ok(&["init", "--name", "Ana", "--passphrase"]);
    device.ok(&["project", "new", "Mapa"]);
    let device = device.answering(Some("battery staple"));
    device.refused(&["project", "list"], 1, "wrong passphrase");
    let device = device.answering(None);
    device.refused(&["project", "list"], 1, "no terminal");
    let device = device.answering(Some("correct horse"));
    assert_eq!(device.json(&["project", "list"])[0]["name"], "Mapa");
}

#[test]
fn projects_are_made_listed_shown_and_chosen() {
    let device = Device::new("Ana");
    let ran = device.run(&["project", "list"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    let made = device.json(&["project", "new", "Mapa"]);
    assert_eq!(made["recovery_words"].as_str().unwrap().split(' ').count(), 24);
    let words = device.ok(&["project", "new", "Salud"]);
    assert_eq!(words.split_whitespace().filter(|word| word.chars().all(char::is_alphabetic)).count(), 24, "{words}");
    let current = |device: &Device| {
        let all = device.json(&["project", "list"]);
        let chosen: Vec<Json> = all.as_array().unwrap().iter().filter(|one| one["current"] == true).cloned().collect();
        assert_eq!(chosen.len(), 1);
        chosen[0]["name"].as_str().unwrap().to_owned()
    };
    assert_eq!(current(&device), "Salud");
    device.ok(&["project", "use", "Mapa"]);
    assert_eq!(current(&device), "Mapa");
    let id = made["project"].as_str().unwrap();
    assert_eq!(device.json(&["project", "show", &id[..8]])["name"], "Mapa");
    assert_eq!(device.json(&["project", "show", "--project", "Salud"])["name"], "Salud");
    assert_eq!(device.json(&["project", "show"])["devices"][0]["role"], "coordinator");
    device.refused(&["project", "use", "Nope"], 2, "no project");
    device.refused(&["project", "new", ""], 2, "1 to 256 bytes");
}

#[test]
fn a_ticket_can_be_passed_on_and_a_damaged_one_says_how() {
    let ana = Device::with_project("Ana");
    let made = ana.json(&["invite", "--role", "coordinator", "--uses", "3", "--expires", "2h"]);
    assert_eq!((made["role"].as_str(), made["uses"].as_u64()), (Some("coordinator"), Some(3)));
    let ticket = made["ticket"].as_str().unwrap();
    assert!(ana.ok(&["invite"]).trim().starts_with("ayni1"));
    ana.refused(&["invite", "--expires", "soon"], 2, "neither a time from now nor a date");
    ana.refused(&["invite", "--address", "nowhere"], 2, "is not an address");
    ana.refused(&["invite", "--role", "king"], 2, "invalid value");
    ana.ok(&["invite", "--address", "192.168.1.7:4433"]);
    ana.refused(&["join", ticket], 1, "in the project already");

    let ben = Device::new("Ben");
    ben.refused(&["join", &ticket[..ticket.len() - 9]], 2, "cut short");
    ben.refused(&["join", &ticket.replace("ayni1", "ayni2")], 2, "newer Ayni");
    ben.refused(&["join", "hello"], 2, "this is no ticket");
    let ran = ben.run_with_input(&["join", "-"], &format!("{ticket}\n"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ben.json(&["project", "list"])[0]["standing"], "not admitted yet");
    ben.refused(&["put", "places", "name=Cusco"], 1, "not admitted yet");
    assert!(ben.run(&[]).err.contains("ayni sync"));
}

#[test]
fn the_program_tells_its_formats_and_every_command_has_examples() {
    let device = Device::bare();
    let version = device.ok(&["--version"]);
    assert!(version.contains("formats: log header 1, message 1, store 1, document 1"), "{version}");
    let help = device.ok(&["--help"]);
    let commands = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let names: Vec<&str> = commands.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    assert!(names.len() >= 18, "{names:?}");
    for name in names {
        let help = device.ok(&[name, "--help"]);
        assert!(help.contains("Examples:"), "{name}: {help}");
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(device.ok(&["completions", shell]).contains("conflicts"), "{shell}");
    }
    let ran = device.run(&["frobnicate"]);
    assert_eq!(ran.code, 2);
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    use std::process::Stdio;
    let device = Device::bare();
    let mut child =
        device.command(&["completions", "zsh"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

#[test]
fn damage_is_named_and_everything_else_is_saved() {
    use std::io::{Seek, SeekFrom, Write};
    const PAGE: u64 = 4096;
    let device = Device::with_project("Ana");
    let records: String = (0..3_000).map(|number| format!("{{\"number\":{number},\"name\":\"Cusco\"}}\n")).collect();
    let file = device.file("numbers.jsonl", &records);
    device.ok(&["import", &file, "-c", "numbers", "--id", "number"]);
    let mut database = std::fs::File::options().write(true).open(device.folder().join("ayni.db")).unwrap();
    let pages = database.metadata().unwrap().len() / PAGE;
    database.seek(SeekFrom::Start(pages / 2 * PAGE)).unwrap();
    database.write_all(&[0x5a; 12 * PAGE as usize]).unwrap();
    drop(database);
    let repair = device.run(&["repair", "--json"]);
    let report: Json = serde_json::from_str(&repair.out).unwrap();
    let damaged = report["damaged"].as_array().unwrap();
    assert!(damaged.iter().any(|what| what.as_str().unwrap().contains("entries")), "{report}");
    assert_eq!((repair.code, &report["lost"]), (1, &Json::Bool(true)), "{report}");
    assert!(std::path::Path::new(report["kept"].as_str().unwrap()).exists());
    let left: u64 = device.ok(&["query", "numbers", "--count"]).trim().parse().unwrap();
    assert!((2_000..3_000).contains(&left), "{left}");
    device.ok(&["put", "numbers", "number=3001"]);
    assert_eq!(device.run(&["repair"]).code, 0, "it is sound now");
}

#[test]
fn views_are_made_again_from_the_log() {
    let device = Device::with_project("Ana");
    for name in ["Cusco", "Puno", "Lima"] {
        device.ok(&["put", "places", &format!("name={name}")]);
    }
    let before = device.digest();
    let report = device.json(&["repair"]);
    assert_eq!(report["damaged"].as_array().unwrap().len(), 0);
    assert_eq!(device.digest(), before);
    assert_eq!(device.run(&["repair"]).code, 0);
}

#[test]
fn a_backup_is_made_told_of_and_opened() {
    let device = Device::with_project("Ana");
    let id = device.ok(&["put", "places", "name=Cusco"]).trim().to_owned();
    let to = device.path("backup");
    let made = device.run(&["backup", &to]);
    assert!(made.code == 0 && made.err.contains("the key file in"), "{}", made.err);
    device.ok(&["delete", "places", &id]);
    let opened = device.command(&["get", "places", &id, "--json"]).env("AYNI_DIR", &to).output().unwrap();
    assert!(opened.status.success() && String::from_utf8_lossy(&opened.stdout).contains("Cusco"));
    device.refused(&["backup", &to], 1, "holds a database already");
    device.refused(&["backup", &device.file("file", "")], 1, "file");
}

#[test]
fn room_that_nothing_uses_goes_back_to_the_disk_while_another_process_syncs() {
    let device = Device::with_project("Ana");
    let record = |number| format!("{{\"number\":{number},\"name\":\"{}\"}}\n", "Cusco ".repeat(30));
    let file = device.file("numbers.jsonl", &(0..3_000).map(record).collect::<String>());
    device.ok(&["import", &file, "-c", "numbers", "--id", "number"]);
    device.ok(&["index", "add", "numbers", "name"]);
    let syncing = device.syncing(&[]);
    device.ok(&["index", "drop", "numbers", "name"]);
    let digest = device.digest();
    let compacted = device.json(&["compact"]);
    let bytes = |name: &str| compacted[name].as_u64().unwrap();
    assert!(bytes("after") + 400_000 < bytes("before"), "{compacted}");
    assert_eq!((bytes("free"), &compacted["hindrance"]), (0, &Json::Null));
    let again = device.run(&["compact"]);
    assert!(again.code == 0 && again.err.contains("nothing to give back"), "{}", again.err);
    drop(syncing);
    assert_eq!(device.digest(), digest);
    device.ok(&["put", "numbers", "number=3001"]);
    assert_eq!(device.run(&["repair"]).code, 0, "it is sound");
    device.refused(&["compact", "now"], 2, "now");
    Device::bare().refused(&["compact"], 1, "holds no database");
}

#[test]
fn whoever_reads_for_long_is_named_as_what_keeps_room_from_going_back() {
    let device = Device::with_project("Ana");
    let record = |number| format!("{{\"number\":{number},\"name\":\"{}\"}}\n", "Cusco ".repeat(50));
    let file = device.file("numbers.jsonl", &(0..3_000).map(record).collect::<String>());
    device.ok(&["import", &file, "-c", "numbers", "--id", "number"]);
    device.ok(&["index", "add", "numbers", "name"]);
    // It holds the state that it exports until what it wrote is read.
    let mut export = device.command(&["export", "-c", "numbers"]);
    let mut export = export.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut output = export.stdout.take().unwrap();
    std::io::Read::read_exact(&mut output, &mut [0]).unwrap();
    device.ok(&["index", "drop", "numbers", "name"]);
    let compacted = device.run(&["compact"]);
    assert!(compacted.code == 1 && compacted.err.contains("somebody else is reading"), "{}", compacted.err);
    assert_eq!(device.json(&["compact"])["hindrance"], "in_use");
    std::io::copy(&mut output, &mut std::io::sink()).unwrap();
    assert!(export.wait().unwrap().success());
    assert_eq!(device.json(&["compact"])["hindrance"], Json::Null);
}
