//! The demo, on a tenth of its data: three processes that find each other on this machine's network.

use std::fs;
use std::process::{Command, Output};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ayni"));
    command.args(arguments);
    for variable in ["AYNI_DIR", "AYNI_KEYS", "AYNI_PROJECT", "AYNI_PASSPHRASE"] {
        command.env_remove(variable);
    }
    command
}

fn ayni(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the program starts")
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

#[cfg(unix)]
mod lost {
    //! What becomes of the demo when one of its devices is killed.

    use std::io::{BufRead, BufReader, Read};
    use std::path::Path;
    use std::process::{Child, ChildStdout, Command, Stdio};
    use std::time::{Duration, Instant};

    /// Far less than any device of the demo is patient.
    const PROMPTLY: Duration = Duration::from_secs(15);

    #[test]
    fn a_device_killed_in_the_import_ends_the_demo_which_says_so() {
        // All of the data, so that the import lasts.
        let mut demo = Demo::start(&[]);
        demo.reach("1. ");
        let ana = demo.process("ana");
        demo.wait_until_holds("ana", 1_000_000);
        kill(&ana);
        demo.ends_with("while it was to import the places (signal: 9");
    }

    #[test]
    fn a_device_killed_while_another_fetches_from_it_ends_the_demo_which_says_so() {
        let mut demo = Demo::start(&["--quick"]);
        demo.reach("2. ");
        let ana = demo.process("ana");
        demo.wait_until_holds("ben", 300_000);
        kill(&ana);
        // It may be about another ticket already, or still waiting for the answer about this one.
        demo.ends_with("to make a ticket (signal: 9");
    }

    struct Demo {
        folder: tempfile::TempDir,
        child: Child,
        shown: BufReader<ChildStdout>,
    }

    impl Demo {
        fn start(how_much: &[&str]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let stage = folder.path().join("demo");
            let mut command = super::command(&["demo", "--plain", "--dir", stage.to_str().unwrap()]);
            let mut child = command.args(how_much).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let shown = BufReader::new(child.stdout.take().unwrap());
            Self { folder, child, shown }
        }

        /// Waits for a line that begins like this.
        fn reach(&mut self, start: &str) {
            let mut line = String::new();
            while !line.starts_with(start) {
                line.clear();
                assert!(self.shown.read_line(&mut line).unwrap() > 0, "the demo ended without {start:?}");
            }
        }

        /// Waits until the files of a device's database have so many bytes.
        fn wait_until_holds(&self, device: &str, bytes: u64) {
            let folder = self.folder.path().join("demo").join(device);
            let began = Instant::now();
            while size(&folder) < bytes {
                assert!(began.elapsed() < Duration::from_secs(60), "{device} took nothing in");
                std::thread::sleep(Duration::from_millis(5));
            }
        }

        /// The ids of the demo's devices whose command line has these words in it.
        fn processes(&self, words: &str) -> Vec<String> {
            let listed = Command::new("ps").args(["-A", "-o", "pid=,args="]).output().unwrap();
            let of_this_demo = self.folder.path().to_str().unwrap();
            let mut found = Vec::new();
            for line in super::text(&listed.stdout).lines() {
                if line.contains("demo-device") && line.contains(of_this_demo) && line.contains(words) {
                    found.extend(line.split_whitespace().next().map(str::to_owned));
                }
            }
            found
        }

        fn process(&self, device: &str) -> String {
            let [id] = self.processes(&format!("/demo/{device} ")).try_into().unwrap();
            id
        }

        /// It fails promptly, says this and what to do, and leaves no device behind.
        fn ends_with(mut self, words: &str) {
            let began = Instant::now();
            let status = loop {
                match self.child.try_wait().unwrap() {
                    Some(status) => break status,
                    None => assert!(began.elapsed() < PROMPTLY, "the demo goes on without its device"),
                }
                std::thread::sleep(Duration::from_millis(20));
            };
            let mut said = String::new();
            self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            assert_eq!(status.code(), Some(1), "{said}");
            assert!(said.contains("Ana's device has ended unasked, "), "{said}");
            assert!(said.contains(words), "{words:?} is not in {said:?}");
            assert!(said.contains("hint: ") && said.contains("ana.log"), "{said}");
            assert_eq!(self.processes(""), [""; 0]);
        }
    }

    impl Drop for Demo {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    fn kill(process: &str) {
        assert!(Command::new("kill").args(["-9", process]).status().unwrap().success());
    }

    fn size(folder: &Path) -> u64 {
        let Ok(inside) = std::fs::read_dir(folder) else { return 0 };
        inside.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).sum()
    }
}
