//! What the machine must have beside Rust, and how it gets it: Debian packages when root, else a list for the person.

use crate::run::{cargo, program, root};
use anyhow::{Context, Result, bail};
use std::path::Path;

/// What is wanted, under the name that each system's packages have for it, and how one sees that it is there already.
pub(crate) struct Need {
    pub(crate) debian: &'static str,
    pub(crate) fedora: &'static str,
    /// Empty where macOS needs nothing for it.
    pub(crate) homebrew: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) found: fn() -> bool,
}

const NEEDS: &[Need] = &[
    Need {
        debian: "build-essential",
        fedora: "gcc",
        homebrew: "gcc",
        reason: "cc, for the C in SQLite and zstd",
        found: || on_path("cc"),
    },
    Need { debian: "make", fedora: "make", homebrew: "make", reason: "builds OpenSSL", found: || on_path("make") },
    Need { debian: "perl", fedora: "perl", homebrew: "perl", reason: "configures OpenSSL", found: || on_path("perl") },
    Need {
        debian: "git",
        fedora: "git",
        homebrew: "git",
        reason: "plants the defects of mutants/, and sees that they fit",
        found: || on_path("git"),
    },
    Need {
        debian: "pkg-config",
        fedora: "pkgconf-pkg-config",
        homebrew: "pkgconf",
        reason: "finds the system's OpenSSL",
        found: || on_path("pkg-config") || vendored(),
    },
    Need {
        debian: "libssl-dev",
        fedora: "openssl-devel",
        homebrew: "openssl@3",
        reason: "the system's OpenSSL, which OPENSSL_NO_VENDOR asks for",
        found: || vendored() || program("pkg-config", &["--exists", "openssl"]).succeeds(),
    },
    Need {
        debian: "iproute2",
        fedora: "iproute",
        homebrew: "",
        reason: "ip, for the tests between hosts",
        found: || on_path("ip") || !may_make_hosts(),
    },
    Need {
        debian: "tcpdump",
        fedora: "tcpdump",
        homebrew: "",
        reason: "sees what leaves a host in those tests",
        found: || on_path("tcpdump") || !may_make_hosts(),
    },
];

/// Sees to everything that the steps stand on.
pub(crate) fn prepare() -> Result<()> {
    provide(NEEDS)?;
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !cargo(&[subcommand, "--version"]).succeeds() {
            let add = program("rustup", &["component", "add", component]);
            add.run().with_context(|| format!("cargo {subcommand} is not here: install {component} for this Rust"))?;
        }
    }
    if !cargo(&["nextest", "--version"]).succeeds() {
        println!("cargo-nextest, which runs the tests, is not here: building it, once");
        cargo(&["install", "cargo-nextest", "--locked"]).run()?;
    }
    Ok(())
}

/// Installs the packages of those needs that are not met, or says which a person must install.
pub(crate) fn provide(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !(need.found)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !can_install() {
        bail!("{}", request(&missing));
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.debian).collect();
    println!("installing {}", packages.join(" "));
    apt(&["update", "-qq"])?;
    let mut install = vec!["install", "-qq", "-y", "--no-install-recommends"];
    install.extend(&packages);
    apt(&install)?;
    match missing.iter().find(|need| !(need.found)()) {
        Some(need) => bail!("{} is installed, yet does not bring what it should ({})", need.debian, need.reason),
        None => Ok(()),
    }
}

/// What a person is asked to install, and the command for each system.
pub(crate) fn request(missing: &[&Need]) -> String {
    let list: String = missing.iter().map(|need| format!("\n  {:16} {}", need.debian, need.reason)).collect();
    let names = |name: fn(&Need) -> &'static str| {
        missing.iter().map(|need| name(need)).filter(|name| !name.is_empty()).collect::<Vec<_>>().join(" ")
    };
    format!(
        "missing here:{list}\n\nDebian, Ubuntu: sudo apt-get install {}\nFedora:         sudo dnf install {}\n\
         macOS:          brew install {}",
        names(|need| need.debian),
        names(|need| need.fedora),
        names(|need| need.homebrew),
    )
}

/// Whether Debian packages can be installed without asking anyone.
pub(crate) fn can_install() -> bool {
    on_path("apt-get") && root_user()
}

/// Whether network namespaces can be made, which is what the hosts in tests are.
pub(crate) fn may_make_hosts() -> bool {
    Path::new("/proc/self/ns/net").exists() && root_user()
}

fn root_user() -> bool {
    program("id", &["-u"]).read().is_ok_and(|id| id.trim() == "0")
}

fn apt(arguments: &[&str]) -> Result<()> {
    program("apt-get", arguments).env("DEBIAN_FRONTEND", "noninteractive").run()
}

/// Whether a program of this name can be started; `sbin` counts, where not everyone's PATH leads.
pub(crate) fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|folder| !folder.as_os_str().is_empty() && root().join(folder).join(name).is_file())
}

/// Whether a package named `name` is known to apt here.
pub(crate) fn apt_has(name: &str) -> bool {
    on_path("apt-cache") && program("apt-cache", &["show", "--no-all-versions", name]).succeeds()
}

/// Whether OpenSSL is built along, as it is unless the environment says otherwise.
fn vendored() -> bool {
    std::env::var_os("OPENSSL_NO_VENDOR").is_none_or(|value| value == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_must_install_something_is_told_what_and_how() {
        let asked = request(&NEEDS.iter().collect::<Vec<_>>());
        assert!(asked.contains("libssl-dev       the system's OpenSSL"), "{asked}");
        assert!(asked.contains("sudo apt-get install build-essential make "), "{asked}");
        assert!(
            asked.contains("sudo dnf install gcc make perl git pkgconf-pkg-config openssl-devel iproute "),
            "{asked}"
        );
        assert!(asked.ends_with("brew install gcc make perl git pkgconf openssl@3"), "{asked}");
    }
}
