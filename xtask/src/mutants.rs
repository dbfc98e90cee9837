//! `cargo xtask mutants`: whether the tests catch the planted defects, the patches of `mutants/`.
//!
//! Each is applied to a copy of the project, and the tests are run from the nearest package to the farthest until one fails.
//! A defect with which everything passes has survived: a test is missing.

use crate::house;
use crate::run::{Call, cargo, program, root, target};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where the planted defects are kept.
const FOLDER: &str = "mutants";
/// What is not part of the copy.
const LEFT_OUT: &[&str] = &["target", ".git"];
/// How nextest ends when a test failed, and when there is none.
const TESTS_FAILED: i32 = 100;
const NO_TESTS: i32 = 4;

/// A planted defect.
struct Mutant {
    name: String,
    file: PathBuf,
    /// What DESIGN promises, and this breaks.
    promise: String,
    /// What goes wrong with it.
    defect: String,
    /// The packages that it changes.
    touched: BTreeSet<String>,
}

/// How the tests met a defect.
enum Verdict {
    /// By this test.
    Caught(String),
    Survived,
}

pub(crate) fn mutants(arguments: &[String]) -> Result<()> {
    let known = read_all()?;
    let (mut wanted, mut list, mut baseline) = (Vec::new(), false, true);
    for argument in arguments {
        match argument.as_str() {
            "--list" => list = true,
            "--no-baseline" => baseline = false,
            name if known.iter().any(|mutant| mutant.name == name) => wanted.push(name),
            other => bail!("there is no planted defect '{other}': `cargo xtask mutants --list` shows them"),
        }
    }
    let chosen: Vec<&Mutant> =
        known.iter().filter(|mutant| wanted.is_empty() || wanted.contains(&mutant.name.as_str())).collect();
    if list {
        chosen.iter().for_each(|mutant| println!("{}\n  {}\n  {}", mutant.name, mutant.promise, mutant.defect));
        return Ok(());
    }
    let stage = target().join("mutants");
    let tree = stage.join("tree");
    renew(&root(), &tree)?;
    if baseline {
        println!("without a defect, all tests must pass");
        tests(&stage, &[], "default").run()?;
    }
    let mut survived = Vec::new();
    for (place, mutant) in chosen.iter().enumerate() {
        let started = Instant::now();
        renew(&root(), &tree)?;
        git_apply(&tree, &mutant.file, &[])?;
        let verdict = verdict(&stage, mutant);
        renew(&root(), &tree)?;
        let place = format!("{:>2} of {}  {:>4} s", place + 1, chosen.len(), started.elapsed().as_secs());
        match verdict.with_context(|| format!("the planted defect {}", mutant.name))? {
            Verdict::Caught(test) => println!("{place}  caught    {:40} by {test}", mutant.name),
            Verdict::Survived => {
                println!("{place}  SURVIVED  {:40} {}", mutant.name, mutant.defect);
                survived.push(mutant.name.as_str());
            }
        }
    }
    println!("{} of {} planted defects are caught", chosen.len() - survived.len(), chosen.len());
    if !survived.is_empty() {
        bail!("no test fails with {}: write one that does", survived.join(", "));
    }
    Ok(())
}

/// Checks that every planted defect can still be planted, and is described.
pub(crate) fn check() -> Result<usize> {
    let known = read_all()?;
    for mutant in &known {
        git_apply(&root(), &mutant.file, &["--check"])
            .with_context(|| format!("{} does not fit the code any more: write it anew", mutant.file.display()))?;
    }
    Ok(known.len())
}

fn read_all() -> Result<Vec<Mutant>> {
    let folder = root().join(FOLDER);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            files.push(path);
        }
    }
    files.sort();
    files.into_iter().map(|file| read(&file)).collect()
}

fn read(file: &Path) -> Result<Mutant> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    parse(name, file.to_owned(), &text).with_context(|| {
        let shown = file.display();
        format!("{shown} must begin with 'Promise: …' and 'Defect: …' and change files of a package of the house")
    })
}

fn parse(name: String, file: PathBuf, text: &str) -> Option<Mutant> {
    let said = |key: &str| text.lines().find_map(|line| Some(line.strip_prefix(key)?.trim().to_owned()));
    let changed = text.lines().filter_map(|line| line.strip_prefix("+++ b/"));
    let touched = changed.map(house::package_of).collect::<Option<BTreeSet<_>>>()?;
    let mutant = Mutant { name, file, promise: said("Promise:")?, defect: said("Defect:")?, touched };
    (!mutant.touched.is_empty()).then_some(mutant)
}

/// Runs the tests of one package after the other, those that it changes first.
fn verdict(stage: &Path, mutant: &Mutant) -> Result<Verdict> {
    for package in in_order(&mutant.touched) {
        let call = tests(stage, &["--package", package.as_str()], "mutants");
        let output = call.output()?;
        match output.status.code() {
            Some(0 | NO_TESTS) => {}
            Some(TESTS_FAILED) => return Ok(Verdict::Caught(failed_test(&String::from_utf8_lossy(&output.stderr)))),
            _ => bail!("`{call}` could not run ({}):\n{}", output.status, String::from_utf8_lossy(&output.stderr)),
        }
    }
    Ok(Verdict::Survived)
}

/// The packages whose tests can see a change of these: they themselves, and what stands on them.
fn in_order(touched: &BTreeSet<String>) -> Vec<String> {
    let standing = house::standing_on(touched);
    let (nearest, farther): (Vec<_>, Vec<_>) = standing.into_iter().partition(|package| touched.contains(package));
    nearest.into_iter().chain(farther).collect()
}

/// nextest over these packages of the copy, all if none is named.
fn tests(stage: &Path, packages: &[&str], profile: &str) -> Call {
    let manifest = stage.join("tree/Cargo.toml");
    let mut call = cargo(&["nextest", "run", "--color", "never", "--profile", profile, "--manifest-path"])
        .arg(manifest.display().to_string())
        .arg("--target-dir")
        .arg(stage.join("build").display().to_string())
        .env("AYNI_SIM_SHORTEN", "0");
    for argument in packages {
        call = call.arg(*argument);
    }
    if packages.is_empty() { call.arg("--workspace") } else { call }
}

/// The first test that nextest says has failed.
fn failed_test(said: &str) -> String {
    let ends = ["FAIL", "TIMEOUT", "SIGABRT", "SIGSEGV", "ABORT", "LEAK-FAIL"];
    let lines = said.lines().map(str::trim).filter(|line| ends.iter().any(|end| line.starts_with(end)));
    let name = lines.filter_map(|line| Some(line.split_once(']')?.1.trim())).next().unwrap_or("a test without a name");
    // Some versions of nextest number the tests.
    name.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(name, |(_, name)| name.trim()).to_owned()
}

/// Makes the copy the same as the project; what is the same already keeps its time, so that it is not compiled again.
fn renew(from: &Path, to: &Path) -> Result<()> {
    let unreadable = || format!("cannot read {}", from.display());
    std::fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(from).with_context(unreadable)? {
        let entry = entry?;
        let name = entry.file_name();
        if LEFT_OUT.iter().any(|left_out| name == *left_out) {
            continue;
        }
        let (here, there) = (entry.path(), to.join(&name));
        if entry.file_type()?.is_dir() {
            renew(&here, &there)?;
        } else {
            let content = std::fs::read(&here).with_context(|| format!("cannot read {}", here.display()))?;
            if std::fs::read(&there).ok().as_ref() != Some(&content) {
                std::fs::write(&there, content).with_context(|| format!("cannot write {}", there.display()))?;
            }
        }
        names.insert(name);
    }
    for entry in std::fs::read_dir(to).with_context(unreadable)? {
        let entry = entry?;
        let is_new = !names.contains(&entry.file_name());
        match is_new {
            true if entry.file_type()?.is_dir() => std::fs::remove_dir_all(entry.path())?,
            true => std::fs::remove_file(entry.path())?,
            false => {}
        }
    }
    Ok(())
}

/// `git apply`, which works where there is no repository too.
fn git_apply(tree: &Path, patch: &Path, flags: &[&str]) -> Result<()> {
    // Told where a repository ends, it does not take the copy for a folder that another repository ignores.
    let mut call =
        program("git", &["apply"]).env("GIT_CEILING_DIRECTORIES", tree.parent().unwrap_or(tree).display().to_string());
    for flag in flags {
        call = call.arg(*flag);
    }
    call.arg(patch.display().to_string()).at(tree).run()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "\
Promise: nothing acknowledged is lost
Defect: it is said before it is so.

diff --git a/crates/ayni-store/src/lib.rs b/crates/ayni-store/src/lib.rs
--- a/crates/ayni-store/src/lib.rs
+++ b/crates/ayni-store/src/lib.rs
@@ -1 +1 @@
-a
+b
";

    #[test]
    fn a_planted_defect_tells_what_it_breaks_and_where() {
        let mutant = parse("name".into(), PathBuf::new(), PATCH).unwrap();
        assert_eq!(mutant.promise, "nothing acknowledged is lost");
        assert_eq!(mutant.touched, BTreeSet::from(["ayni-store".to_owned()]));
        assert!(parse("name".into(), PathBuf::new(), &PATCH.replace("Promise", "Promises")).is_none());
        assert!(parse("name".into(), PathBuf::new(), &PATCH.replace("crates/ayni-store", "docs")).is_none());
    }

    #[test]
    fn the_nearest_tests_come_first_and_those_to_the_left_never() {
        let order = in_order(&BTreeSet::from(["ayni-sync".to_owned()]));
        assert_eq!(order.first().map(String::as_str), Some("ayni-sync"));
        assert!(order.contains(&"ayni-sim".to_owned()) && order.contains(&"ayni-cli".to_owned()));
        assert!(!order.contains(&"ayni-log".to_owned()) && !order.contains(&"ayni-store".to_owned()));
    }

    #[test]
    fn the_test_that_failed_is_named() {
        let said = "  FAIL [   0.025s] ( 3/155) ayni-log::membership rights::someone\n FAIL [ 1.0s] other\n";
        assert_eq!(failed_test(said), "ayni-log::membership rights::someone");
        assert_eq!(failed_test("   TIMEOUT [  60.1s] ayni-doc values::x\n"), "ayni-doc values::x");
    }

    #[test]
    fn a_copy_is_made_the_same_and_what_is_the_same_is_left_alone() {
        let folder = target().join(format!("renewed-{}", std::process::id()));
        let (from, to) = (folder.join("from"), folder.join("to"));
        std::fs::create_dir_all(from.join("in")).unwrap();
        std::fs::write(from.join("in/a"), "1").unwrap();
        renew(&from, &to).unwrap();
        let written = |file: &str| std::fs::metadata(to.join(file)).unwrap().modified().unwrap();
        let before = written("in/a");
        std::fs::write(to.join("in/b"), "not in the project").unwrap();
        renew(&from, &to).unwrap();
        assert_eq!(written("in/a"), before);
        assert!(!to.join("in/b").exists());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
