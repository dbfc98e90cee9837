//! The rules of the house: dependencies run one way, the pure crates are pure, what is heavy exists once.
//!
//! The house is drawn in ARCHITECTURE.md; here it stands as a table. What the pure crates must not call is listed in
//! their `clippy.toml`, where clippy looks first; here it is only seen to that each of them has that list.

use crate::mutants;
use crate::run::{cargo, root};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Each crate, leftmost first, with those of the house that it may depend on.
const HOUSE: &[(&str, &[&str])] = &[
    ("ayni-log", &[]),
    ("ayni-doc", &["ayni-log"]),
    ("ayni-sync", &["ayni-log"]),
    ("ayni-store", &["ayni-log"]),
    ("ayni", &["ayni-log", "ayni-doc", "ayni-sync", "ayni-store"]),
    ("ayni-net", &["ayni"]),
    ("ayni-node", &["ayni"]),
    ("ayni-web", &["ayni"]),
    ("ayni-cli", &["ayni", "ayni-net", "ayni-node"]),
    ("ayni-bench", &["ayni", "ayni-net"]),
    ("ayni-load", &["ayni-log", "ayni-sync", "ayni", "ayni-net", "ayni-bench"]),
    ("ayni-sim", &["ayni", "ayni-log", "ayni-sync"]),
    ("xtask", &[]),
];

/// The crates that are given time, randomness and bytes, and never fetch them.
pub(crate) const PURE: &[&str] = &["ayni-log", "ayni-doc", "ayni-sync"];

/// What brings time, randomness or I/O, and so is not below a pure crate, at whatever depth.
const IMPURE: &[&str] = &["getrandom", "iroh", "libsqlite3-sys", "mio", "quinn", "rusqlite", "socket2", "tokio"];

/// What each of them says at its head: nothing from outside makes it panic.
const STRICT: &str =
    "#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]";

/// What costs minutes to compile, or must agree with itself: one version each.
const HEAVY: &[&str] = &[
    "aes-gcm-siv",
    "blake3",
    "clap",
    "curve25519-dalek",
    "ed25519-dalek",
    "hpke",
    "iroh",
    "libsqlite3-sys",
    "loro",
    "mdns-sd",
    "openssl-sys",
    "ring",
    "rusqlite",
    "rustls",
    "serde",
    "serde_json",
    "tokio",
    "x25519-dalek",
    "zstd-sys",
];

/// Checks all rules and names everything that breaks one.
pub(crate) fn check() -> Result<()> {
    let mut broken = leaning_right(&edges()?);
    for name in PURE {
        broken.extend(impure_below(name, &below(name)?));
        broken.extend(unguarded(name)?);
        broken.extend(lenient(name)?);
    }
    let duplicates = cargo(&["tree", "--workspace", "--duplicates", "--depth", "0", "--prefix", "none"]);
    broken.extend(held_twice(&duplicates.read()?));
    if !broken.is_empty() {
        bail!("the house rules are broken:\n  {}", broken.join("\n  "));
    }
    let planted = mutants::check()?;
    println!("each of the {planted} planted defects still fits the code");
    println!("{} crates may depend on what stands left of them, and do on nothing else", HOUSE.len());
    Ok(())
}

/// The package that a file of the house belongs to, by the file's path from the root of the repository.
pub(crate) fn package_of(path: &str) -> Option<String> {
    let mut parts = path.split('/');
    let name = match parts.next()? {
        "crates" => parts.next()?.to_owned(),
        folder => format!("ayni-{folder}"),
    };
    HOUSE.iter().any(|(member, _)| *member == name).then_some(name)
}

/// These packages and all that depend on one of them, however far away, leftmost first.
pub(crate) fn standing_on(packages: &BTreeSet<String>) -> Vec<String> {
    let mut standing = packages.clone();
    // Whatever a crate depends on stands before it in the table, so one way through it is enough.
    for (name, allowed) in HOUSE {
        if allowed.iter().any(|other| standing.contains(*other)) && exists(name) {
            standing.insert((*name).to_owned());
        }
    }
    let in_order = HOUSE.iter().map(|(name, _)| (*name).to_owned());
    in_order.filter(|name| standing.contains(name)).collect()
}

/// Whether this member of the house has been built yet.
fn exists(name: &str) -> bool {
    let folder = name.strip_prefix("ayni-").unwrap_or(name);
    root().join("crates").join(name).is_dir() || root().join(folder).is_dir()
}

/// Which crates of the house each of them depends on, tests and build scripts included.
type Edges = BTreeMap<String, BTreeSet<String>>;

fn edges() -> Result<Edges> {
    let text = cargo(&["metadata", "--format-version", "1", "--no-deps"]).read()?;
    let metadata: Value = serde_json::from_str(&text).context("cargo metadata printed what is not JSON")?;
    read_edges(&metadata).context("cargo metadata has no packages as they were expected")
}

fn read_edges(metadata: &Value) -> Option<Edges> {
    let packages = metadata.get("packages")?.as_array()?;
    let name = |value: &Value| value.get("name").and_then(Value::as_str).map(str::to_owned);
    let members: BTreeSet<String> = packages.iter().filter_map(name).collect();
    let edges = packages.iter().map(|package| {
        let dependencies = package.get("dependencies")?.as_array()?;
        Some((name(package)?, dependencies.iter().filter_map(name).filter(|other| members.contains(other)).collect()))
    });
    edges.collect()
}

fn leaning_right(edges: &Edges) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, dependencies) in edges {
        let Some((_, allowed)) = HOUSE.iter().find(|(member, _)| member == name) else {
            broken.push(format!("{name} has no place in the house: give it one in xtask/src/house.rs"));
            continue;
        };
        // A crate's tests may name the crate itself, to have it with the features that are for tests.
        let wrong = dependencies.iter().filter(|other| *other != name && !allowed.contains(&other.as_str()));
        broken.extend(wrong.map(|other| format!("{name} must not depend on {other}")));
    }
    broken
}

/// The names of everything that a crate is built of.
fn below(name: &str) -> Result<BTreeSet<String>> {
    let tree = ["tree", "--locked", "--package", name, "--edges", "normal", "--prefix", "none"];
    Ok(first_words(&cargo(&tree).read()?))
}

fn impure_below(name: &str, below: &BTreeSet<String>) -> Vec<String> {
    let found = IMPURE.iter().filter(|impure| below.contains(**impure));
    found
        .map(|impure| format!("{name} must stay pure, but stands on {impure} (cargo tree -p {name} -i {impure})"))
        .collect()
}

/// Says so if a pure crate lacks the list of what it must not call, or has another than the rest.
fn unguarded(name: &str) -> Result<Option<String>> {
    let list = |name: &str| root().join("crates").join(name).join("clippy.toml");
    let model = std::fs::read(list(PURE[0])).with_context(|| format!("cannot read {}", list(PURE[0]).display()))?;
    let same = std::fs::read(list(name)).is_ok_and(|own| own == model);
    Ok((!same).then(|| format!("crates/{name}/clippy.toml must be the same as crates/{}/clippy.toml", PURE[0])))
}

/// Says so if a pure crate lets its own code panic on what comes from outside.
fn lenient(name: &str) -> Result<Option<String>> {
    let file = root().join("crates").join(name).join("src/lib.rs");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok((!text.contains(STRICT)).then(|| format!("crates/{name}/src/lib.rs must have the line {STRICT}")))
}

/// Those of `HEAVY` that `cargo tree --duplicates` lists in more than one version.
fn held_twice(duplicates: &str) -> Vec<String> {
    let lines = duplicates.lines().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>());
    let versions: BTreeSet<(&str, &str)> = lines.filter_map(|words| Some((*words.first()?, *words.get(1)?))).collect();
    let twice = HEAVY.iter().filter(|heavy| versions.iter().filter(|(name, _)| name == *heavy).count() > 1);
    twice.map(|heavy| format!("{heavy} is here in more than one version (cargo tree --workspace -d)")).collect()
}

fn first_words(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn house(crates: &[(&str, &[&str])]) -> Vec<String> {
        let packages: Vec<Value> = crates
            .iter()
            .map(|(name, others)| {
                let dependencies: Vec<Value> =
                    others.iter().map(|other| json!({ "name": other, "kind": "dev" })).collect();
                json!({ "name": name, "dependencies": dependencies })
            })
            .collect();
        leaning_right(&read_edges(&json!({ "packages": packages })).unwrap())
    }

    #[test]
    fn dependencies_run_leftwards_only() {
        assert!(house(&[("ayni-log", &["ayni-log", "blake3"]), ("ayni-doc", &["ayni-log", "serde"])]).is_empty());
        assert_eq!(
            house(&[("ayni-log", &["ayni-doc"]), ("ayni-doc", &["ayni-log"])]),
            ["ayni-log must not depend on ayni-doc"]
        );
    }

    #[test]
    fn siblings_do_not_know_each_other() {
        assert_eq!(
            house(&[("ayni-doc", &[]), ("ayni-store", &["ayni-doc"])]),
            ["ayni-store must not depend on ayni-doc"]
        );
    }

    #[test]
    fn a_crate_without_a_place_in_the_house_is_noticed() {
        assert!(house(&[("ayni-extra", &[])])[0].starts_with("ayni-extra has no place in the house"));
    }

    #[test]
    fn what_a_crate_may_use_stands_left_of_it() {
        for (place, (name, allowed)) in HOUSE.iter().enumerate() {
            let left: Vec<&str> = HOUSE.iter().take(place).map(|(name, _)| *name).collect();
            assert!(allowed.iter().all(|other| left.contains(other)), "{name} looks to its right");
        }
    }

    #[test]
    fn a_file_belongs_to_a_package() {
        assert_eq!(package_of("crates/ayni-log/src/lib.rs").as_deref(), Some("ayni-log"));
        assert_eq!(package_of("sim/src/lib.rs").as_deref(), Some("ayni-sim"));
        assert_eq!(package_of("docs/README.md"), None);
    }

    #[test]
    fn a_pure_crate_does_not_stand_on_an_impure_one() {
        let below = first_words("ayni-sync v0.1.0 (crates/ayni-sync)\nblake3 v1.8.7\ntokio v1.54.0 (*)\n");
        assert_eq!(impure_below("ayni-sync", &below).len(), 1);
        assert!(impure_below("ayni-sync", &first_words("blake3 v1.8.7\n")).is_empty());
    }

    #[test]
    fn two_versions_of_what_is_heavy_are_noticed() {
        assert_eq!(held_twice("tokio v1.54.0\n\ntokio v1.99.0\n").len(), 1);
        assert!(held_twice("tokio v1.54.0\n\ntokio v1.54.0 (*)\n\nsyn v2.0.119\n\nsyn v3.0.9\n").is_empty());
    }
}
