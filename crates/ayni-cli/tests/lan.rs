//! The real program on three hosts of one bridge: no router, no default route, no other network.

#[path = "../../ayni-net/tests/network/lan.rs"]
#[expect(dead_code, reason = "the tests of ayni-net use more of it")]
mod lan;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lan::{Addressing, Host, Lan};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ayni");

/// A device: the program on a host, with a folder of its own.
struct Device<'a> {
    host: &'a Host,
    folder: PathBuf,
    syncing: Option<Child>,
}

impl<'a> Device<'a> {
    fn new(host: &'a Host, parent: &Path, name: &str) -> Self {
        let folder = parent.join(name);
        fs::create_dir(&folder).unwrap();
        let device = Self { host, folder, syncing: None };
        device.ayni(&["init", "--name", name]);
        device
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.host.command(PROGRAM);
        command.args(arguments).env("AYNI_DIR", self.folder.join("db")).env("AYNI_KEYS", self.folder.join("keys"));
        command.stdin(Stdio::null());
        command
    }

    fn try_ayni(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn ayni(&self, arguments: &[&str]) -> String {
        let output = self.try_ayni(arguments);
        let (said, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "ayni {arguments:?}: {said}{complaint}");
        said.into_owned()
    }

    /// Starts syncing, until the device is dropped.
    fn sync(&mut self) {
        let log = fs::File::create(self.folder.join("sync.log")).unwrap();
        let errors = log.try_clone().unwrap();
        self.syncing = Some(self.command(&["sync", "--watch"]).stdout(log).stderr(errors).spawn().unwrap());
    }

    /// Waits until a query finds so many documents.
    fn finds(&self, selector: &str, count: usize) {
        let started = Instant::now();
        loop {
            let found = String::from_utf8(self.try_ayni(&["query", "places", selector, "--count"]).stdout).unwrap();
            if found.trim() == count.to_string() {
                return;
            }
            let log = fs::read_to_string(self.folder.join("sync.log")).unwrap_or_default();
            assert!(
                started.elapsed() < Duration::from_secs(90),
                "{} of {count} documents match {selector}\n{log}",
                found.trim()
            );
            sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Device<'_> {
    fn drop(&mut self) {
        if let Some(mut syncing) = self.syncing.take() {
            let _ = syncing.kill();
            let _ = syncing.wait();
        }
    }
}

#[test]
fn three_hosts_without_a_router_end_up_with_everything_and_nothing_else_leaves_them() {
    let folder = TempDir::new().unwrap();
    let mut lan = Lan::new(3, Addressing::Ipv4);
    lan.capture(folder.path());
    {
        let mut devices = ["ana", "ben", "chaska"].iter().zip(lan.hosts());
        let mut device = || devices.next().map(|(name, host)| Device::new(host, folder.path(), name)).unwrap();
        let (mut ana, mut ben, mut chaska) = (device(), device(), device());

        ana.ayni(&["project", "new", "Mapa"]);
        let file = folder.path().join("places.jsonl");
        let mut places = fs::File::create(&file).unwrap();
        for number in 0..3_000 {
            writeln!(places, r#"{{"code":{number},"country":"{}"}}"#, ["PE", "BO", "EC"][number % 3]).unwrap();
        }
        ana.ayni(&["import", file.to_str().unwrap(), "--collection", "places", "--id", "code"]);
        // The ticket carries no address: they find each other.
        let said = ana.ayni(&["invite", "--uses", "2", "--json"]);
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let ticket = said["ticket"].as_str().unwrap();
        ben.ayni(&["join", ticket]);
        chaska.ayni(&["join", ticket]);

        ana.sync();
        ben.sync();
        chaska.sync();
        ben.finds("country=PE", 1_000);
        chaska.finds("country=EC", 1_000);

        // Beside the process that syncs, another writes; it goes on at once, also to whom it did not come from.
        chaska.ayni(&["put", "places", "country=AQ", "name=McMurdo"]);
        ana.finds("country=AQ", 1);
        ben.finds("country=AQ", 1);
    }
    lan.check_nothing_else_left();
}
