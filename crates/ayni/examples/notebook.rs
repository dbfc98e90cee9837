//! A notebook: pages of a program's own type, with their history.
//!
//!     cargo run -p ayni --example notebook

use std::error::Error;
use std::io::{Write, stdout};
use std::path::Path;

use ayni::{Database, Options};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Page {
    title: String,
    text: String,
    #[serde(default)]
    pinned: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    run(folder.path(), &mut stdout())
}

/// Writes a page, changes it, and goes back.
pub(crate) fn run(folder: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let database = Database::create(&folder.join("notebook"), "Laptop", Options::new(folder.join("keys")))?;
    // The words are the project's recovery key: a real program shows them once.
    let (project, _words) = database.create_project("Notebook")?;
    let pages = project.collection("pages").typed::<Page>();

    let page = Page { title: "Harvest".into(), text: "Potatoes on Monday.".into(), pinned: false };
    let id = project.write(|tx| pages.create(tx, &page))?;

    let mut page = pages.get(id)?.ok_or("it was just written")?;
    page.text = "Potatoes on Tuesday.".into();
    page.pinned = true;
    project.write(|tx| pages.save(tx, &page))?;

    for page in pages.query(&"pinned=true".parse()?)? {
        writeln!(out, "{}: {}", page.title, page.text)?;
    }

    let history = pages.untyped().history(id)?;
    writeln!(out, "{} versions", history.len())?;
    let first = history.first().ok_or("it has a first version")?;
    pages.untyped().restore(id, first.id)?;
    let page = pages.get(id)?.ok_or("it is there")?;
    writeln!(out, "{}: {}", page.title, page.text)?;
    Ok(())
}
