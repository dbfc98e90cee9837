//! A device whose commands are run as processes.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tempfile::TempDir;

/// A device with a database folder and a keys folder.
pub(crate) struct Device {
    pub(crate) home: TempDir,
    passphrase: Option<&'static str>,
}

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Device {
    /// A folder without a database.
    pub(crate) fn bare() -> Self {
        Self { home: TempDir::new().unwrap(), passphrase: None }
    }

    /// With a database.
    pub(crate) fn new(name: &str) -> Self {
        let device = Self::bare();
        device.ok(&["init", "--name", name]);
        device
    }

    /// With a database and a project.
    pub(crate) fn with_project(name: &str) -> Self {
        let device = Self::new(name);
        device.ok(&["project", "new", "Mapa"]);
        device
    }

    /// The same folder, for which commands are given this passphrase.
    pub(crate) fn answering(mut self, passphrase: Option<&'static str>) -> Self {
        self.passphrase = passphrase;
        self
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.home.path().join("db")
    }

    /// A file beside the database.
    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ayni"));
        for variable in ["AYNI_PROJECT", "AYNI_LOG", "AYNI_PASSPHRASE", "EDITOR", "VISUAL"] {
            command.env_remove(variable);
        }
        command.args(arguments).env("AYNI_DIR", self.folder()).env("AYNI_KEYS", self.home.path().join("keys"));
        command.stdin(Stdio::null());
        if let Some(passphrase) = self.passphrase {
            command.env("AYNI_PASSPHRASE", passphrase);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap().into()
    }

    /// Runs a command that must succeed; gives what it printed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}\n{}{}", ran.out, ran.err);
        ran.out
    }

    /// Runs a command with `--json`; gives the one value that it printed, whatever the exit code.
    pub(crate) fn json(&self, arguments: &[&str]) -> Json {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        let ran = self.run(&arguments);
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{}{}", ran.out, ran.err))
    }

    /// Runs a command that must fail with this exit code, one line of what happened that has these words in it, and one
    /// of what to do.
    pub(crate) fn refused(&self, arguments: &[&str], code: i32, words: &str) {
        self.run(arguments).refused(code, words);
    }

    /// Runs `ayni sync` with JSON events until it is dropped.
    pub(crate) fn syncing(&self, arguments: &[&str]) -> Syncing {
        let mut all = vec!["sync", "--json", "--no-discovery", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        Syncing::of(self.command(&all))
    }

    /// Runs `ayni watch` with JSON events until it is dropped.
    pub(crate) fn watching(&self, arguments: &[&str]) -> Syncing {
        Syncing::of(self.command(&[&["watch", "--json"], arguments].concat()))
    }

    /// The same on a disk on which no file can grow beyond so many KiB.
    #[cfg(unix)]
    pub(crate) fn syncing_in_little_room(&self, kibibytes: usize) -> Syncing {
        let real = self.command(&["sync", "--json", "--no-discovery", "--listen", "127.0.0.1:0"]);
        // `ulimit` counts in 512 bytes; without the signal a write that is too far fails as on a full disk.
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", 2 * kibibytes);
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(real.get_program()).args(real.get_args()).stdin(Stdio::null());
        command.envs(real.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Syncing::of(command)
    }

    pub(crate) fn digest(&self) -> String {
        self.json(&["project", "show", "--digest"])["digest"].as_str().unwrap().to_owned()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ran {
    pub(crate) fn refused(&self, code: i32, words: &str) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert!(self.err.contains(words), "{words:?} is not in {:?}", self.err);
        assert!(!self.err.contains("panicked") && !self.err.contains("backtrace"), "{}", self.err);
        let told = self.err.lines().filter(|line| line.starts_with("error:")).count();
        assert_eq!(told, 1, "{}", self.err);
        assert!(self.err.contains("hint:") || self.err.contains("--help"), "nothing says what to do: {}", self.err);
    }
}

/// A running `ayni sync`, or another command that goes on and prints events.
pub(crate) struct Syncing {
    child: Child,
    events: BufReader<ChildStdout>,
}

impl Syncing {
    fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let events = BufReader::new(child.stdout.take().unwrap());
        Self { child, events }
    }

    /// The next event.
    pub(crate) fn next(&mut self) -> Json {
        let mut line = String::new();
        let read = self.events.read_line(&mut line).unwrap();
        assert!(read > 0, "it ended without a further event");
        serde_json::from_str(&line).unwrap()
    }

    /// The next event of this name; those before it are passed over.
    pub(crate) fn event(&mut self, name: &str) -> Json {
        let start = Instant::now();
        loop {
            let event = self.next();
            if event["event"] == name {
                return event;
            }
            assert!(start.elapsed() < Duration::from_secs(90), "{name:?} did not come");
        }
    }

    /// Where it listens.
    pub(crate) fn address(&mut self) -> String {
        self.event("listening")["addresses"][0].as_str().unwrap().to_owned()
    }

    /// Asks it to end as Ctrl-C does, and gives its exit code.
    #[cfg(unix)]
    pub(crate) fn interrupt(mut self) -> i32 {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        // What it still prints must find a reader.
        std::io::copy(&mut self.events, &mut std::io::sink()).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Syncing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something holds, and fails the test if it does not for a minute.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what} did not come about");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Copies a folder with everything in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy(&entry.path(), &target),
            kind if kind.is_file() => drop(std::fs::copy(entry.path(), target).unwrap()),
            _ => {}
        }
    }
}
