//! `ayni edit` without a change: the document in the person's own editor, on a terminal.

use crate::support::Device;
use crate::terminal::at_terminal;

/// A device with one document.
struct Desk {
    device: Device,
    id: String,
}

impl Desk {
    fn new() -> Self {
        let device = Device::with_project("Ana");
        let id = device.ok(&["put", "places", "name=Cusco", "population=1"]).trim().to_owned();
        std::fs::create_dir(device.path("tmp")).unwrap();
        Self { device, id }
    }

    /// Opens the document in an editor that does what this shell script does with the file `$1`; gives the exit code.
    fn edit(&self, script: &str) -> i32 {
        let editor = format!("sh {}", self.device.file("editor.sh", script));
        let mut command = self.device.command(&["edit", "places", &self.id]);
        command.env("EDITOR", editor).env("TMPDIR", self.device.path("tmp")).env("HERE", self.device.home.path());
        command.env("AYNI", env!("CARGO_BIN_EXE_ayni")).env("ID", &self.id);
        at_terminal(command, 80, "").code
    }

    /// What lies in the folder for temporary files.
    fn left_behind(&self) -> usize {
        std::fs::read_dir(self.device.path("tmp")).unwrap().count()
    }

    fn seen(&self) -> String {
        std::fs::read_to_string(self.device.path("seen")).unwrap()
    }
}

#[test]
fn what_is_changed_in_the_editor_is_changed_and_nothing_of_it_stays_on_the_disk() {
    let desk = Desk::new();
    let code = desk.edit("ls -l \"$1\" > $HERE/seen; sed -i s/Cusco/Qosqo/ \"$1\"");
    assert_eq!(code, 0);
    assert!(desk.seen().starts_with("-rw-------"), "only its owner can read it: {}", desk.seen());
    assert_eq!(desk.left_behind(), 0, "the document lies on the disk in clear");
    let document = desk.device.json(&["get", "places", &desk.id]);
    assert_eq!((document["name"].as_str(), document["population"].as_i64()), (Some("Qosqo"), Some(1)));
}

#[test]
fn what_came_while_the_editor_was_open_is_neither_taken_back_nor_beaten() {
    let desk = Desk::new();
    let code = desk.edit("$AYNI edit places $ID name=Qosqo population=2 visits=7 && sed -i s/Cusco/Cuzco/ \"$1\"");
    assert_eq!(code, 0);
    let document = desk.device.json(&["get", "places", &desk.id]);
    assert_eq!((document["population"].as_i64(), document["visits"].as_i64()), (Some(2), Some(7)));
    let conflicts = desk.device.json(&["conflicts"]).to_string();
    assert!(conflicts.contains("Qosqo") && conflicts.contains("Cuzco"), "{conflicts}");
}

#[test]
fn an_editor_that_fails_or_changes_nothing_changes_nothing() {
    let desk = Desk::new();
    let before = desk.device.digest();
    assert_eq!(desk.edit("true"), 0);
    assert_eq!(desk.edit("sed -i s/Cusco/Qosqo/ \"$1\"; exit 3"), 1);
    assert_eq!(desk.device.digest(), before);
    assert_eq!(desk.left_behind(), 0);
}
