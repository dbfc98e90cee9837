//! The examples do what they say.

#[path = "../examples/chat.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod chat;
#[path = "../examples/notebook.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod notebook;
#[path = "../examples/survey.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod survey;
#[path = "../examples/two_devices.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod two_devices;

#[track_caller]
fn prints(run: impl FnOnce(&std::path::Path, &mut Vec<u8>) -> Result<(), Box<dyn std::error::Error>>, lines: &[&str]) {
    let (folder, mut out) = (tempfile::tempdir().unwrap(), Vec::new());
    run(folder.path(), &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap().lines().collect::<Vec<_>>(), lines);
}

#[test]
fn a_chat_room_shows_the_last_messages_as_they_come() {
    prints(chat::run, &["Good morning", "Who brings the bread? | Good morning", "I do | Who brings the bread?"]);
}

#[test]
fn a_notebook_shows_its_pages_and_goes_back() {
    prints(notebook::run, &["Harvest: Potatoes on Tuesday.", "2 versions", "Harvest: Potatoes on Monday."]);
}

#[test]
fn a_survey_refuses_what_is_no_well_and_sorts_the_others() {
    prints(
        survey::run,
        &[
            "refused: not as the schema of \"wells\" says: `name` is required; `location` is required; `kind` must be \
             \"well\" or \"spring\", not \"lake\"",
            r#"{"depth":30.0,"kind":"well","location":{"type":"Point","coordinates":[-71.95,-13.55]},"name":"Qori","visits":1}"#,
            r#"{"depth":12.5,"kind":"well","location":{"type":"Point","coordinates":[-71.97,-13.52]},"name":"Inca","visits":0}"#,
            "578 bytes of GeoJSON",
        ],
    );
}

#[test]
fn two_devices_show_the_same_once_they_met() {
    prints(
        two_devices::run,
        &[
            r#"Ana: {"altitude":3399,"name":"Cusco","population":428450}"#,
            r#"Ben: {"altitude":3399,"name":"Cusco","population":428450}"#,
            "the same: true",
        ],
    );
}
