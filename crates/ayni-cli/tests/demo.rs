//! The demo, on a tenth of its data: three processes that find each other on this machine's network.

use std::fs;
use std::process::{Command, Output};

fn ayni(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ayni"));
    command.args(arguments);
    for variable in ["AYNI_DIR", "AYNI_KEYS", "AYNI_PROJECT", "AYNI_PASSPHRASE"] {
        command.env_remove(variable);
    }
    command.output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn three_devices_find_each_other_and_end_up_with_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let stage = folder.path().join("demo");
    let stage = stage.to_str().unwrap();
    let played = ayni(&["demo", "--quick", "--plain", "--dir", stage]);
    let (shown, said) = (text(&played.stdout), text(&played.stderr));
    assert!(played.status.success(), "{shown}\n{said}");
    for outcome in [
        "3 of 3 devices have everything, as of ",
        "population 428,450, altitude 3,399: both edits stand",
        "population 1,008,290: Ben had seen Chaska's edit",
        "altitude 3,825: kept, since Chaska edited it while Ana deleted it",
        "population of Puno was written by two who could not know:",
        "Same digests, one true conflict, nothing lost.",
    ] {
        assert!(shown.contains(outcome), "{outcome:?} is not in\n{shown}\n{said}");
    }
    let digests: Vec<&str> = shown.lines().filter_map(|line| line.split_once(", digest ")).map(|(_, it)| it).collect();
    assert_eq!(digests.len(), 3, "{shown}");
    assert!(digests.windows(2).all(|two| two[0] == two[1]), "{shown}");
    assert!(!shown.contains('\u{1b}'), "plain output has no escapes:\n{shown}");

    every_printed_command_but_those_that_stay_works(&shown);
}

fn every_printed_command_but_those_that_stay_works(shown: &str) {
    let commands: Vec<&str> = shown.lines().map(str::trim).filter(|line| line.contains(" --dir ")).collect();
    assert!(commands.len() >= 5, "{shown}");
    for command in commands.into_iter().filter(|command| !command.contains("--watch")) {
        let ran = Command::new("sh").args(["-c", command]).env_remove("AYNI_KEYS").output().unwrap();
        // 1 is "there is something to settle", for `conflicts`.
        let fine = ran.status.success() || (command.contains("conflicts") && ran.status.code() == Some(1));
        assert!(fine, "{command}\n{}\n{}", text(&ran.stdout), text(&ran.stderr));
    }
}

#[test]
fn the_demo_clears_away_nothing_that_it_did_not_make() {
    let folder = tempfile::tempdir().unwrap();
    let precious = folder.path().join("thesis.txt");
    fs::write(&precious, "years of work").unwrap();
    let refused = ayni(&["demo", "--quick", "--plain", "--dir", folder.path().to_str().unwrap()]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("that the demo did not make"), "{}", text(&refused.stderr));
    assert_eq!(fs::read_to_string(precious).unwrap(), "years of work");
}
