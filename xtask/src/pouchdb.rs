//! Queries are held against PouchDB, which Node.js runs and npm fetches.

use crate::machine::{self, Need};
use crate::run::{cargo, program, root};
use crate::steps::Outcome;
use anyhow::Result;

const NODE: [Need; 2] = [
    Need {
        debian: "nodejs",
        fedora: "nodejs",
        homebrew: "node",
        reason: "runs PouchDB",
        found: || machine::on_path("node"),
    },
    Need {
        debian: "npm",
        fedora: "npm",
        homebrew: "node",
        reason: "fetches PouchDB",
        found: || machine::on_path("npm"),
    },
];

pub(crate) fn check() -> Result<Outcome> {
    let missing: Vec<&Need> = NODE.iter().filter(|need| !(need.found)()).collect();
    if !missing.is_empty() && !machine::can_install() {
        return Ok(Outcome::Skipped(machine::request(&missing)));
    }
    machine::provide(&NODE)?;
    let fetch = program("npm", &["ci", "--no-audit", "--no-fund"]).at(&root().join("crates/ayni/tests/pouchdb"));
    println!("$ {fetch}");
    fetch.run()?;
    let tests = ["nextest", "run", "--workspace", "--run-ignored", "only", "--filterset"];
    let tests = cargo(&tests).arg("package(ayni) & binary(pouchdb)");
    println!("$ {tests}");
    tests.run().map(|()| Outcome::Held)
}
