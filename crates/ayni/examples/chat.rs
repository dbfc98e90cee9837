//! A chat room: what anyone writes appears in a live list of the last messages.
//!
//! Two handles of one database stand for two windows here; on two devices it is the same, once they are connected.
//!
//!     cargo run -p ayni --example chat

use std::error::Error;
use std::io::{Write, stdout};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use ayni::doc::{Map, Value};
use ayni::query::Query;
use ayni::{Database, Difference, Options, Project};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    run(folder.path(), &mut stdout())
}

/// One thread shows the room, while another writes.
pub(crate) fn run(folder: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let database = Database::create(&folder.join("chat"), "Laptop", Options::new(folder.join("keys")))?;
    let (project, _words) = database.create_project("Kitchen")?;
    let (ready, shown) = mpsc::channel();
    let room = project.clone();
    let window = std::thread::spawn(move || watch(&room, &ready).map_err(|error| error.to_string()));

    // The window is there before anybody says something.
    shown.recv()?;
    for (number, text) in ["Good morning", "Who brings the bread?", "I do"].into_iter().enumerate() {
        say(&project, number, text)?;
        writeln!(out, "{}", shown.recv()?)?;
    }
    window.join().map_err(|_| "the window panicked")??;
    Ok(())
}

fn say(project: &Project, number: usize, text: &str) -> Result<(), ayni::Error> {
    let message = Map::from([("number".into(), Value::Int(number as i64)), ("text".into(), text.into())]);
    project.write(|tx| tx.create("messages", message).map(drop))
}

/// Keeps the last two messages, and tells what is shown after each change, until three have come.
fn watch(project: &Project, ready: &mpsc::Sender<String>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let last = Query::default().sort("number:desc".parse()?).limit(2);
    let mut room = project.collection("messages").watch(last);
    let (mut messages, mut come) = (Vec::new(), 0);
    while come < 3 {
        for difference in room.next(Duration::from_secs(60))?.ok_or("nobody says anything")? {
            come += usize::from(matches!(difference, Difference::Appeared { .. }));
            difference.apply(&mut messages);
        }
        let texts = messages.iter().filter_map(|message| message.get(&["text"])?.as_text().map(str::to_owned));
        ready.send(texts.collect::<Vec<_>>().join(" | "))?;
    }
    Ok(())
}
