//! What the machine must have beside Rust, and how it gets it: Debian packages when root, else a list for the person.

use crate::run::{cargo, program, root};
use anyhow::{Result, bail};
use std::path::Path;

/// A Debian package that is wanted, and how one sees that what it brings is there already.
pub(crate) struct Need {
    pub(crate) package: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) found: fn() -> bool,
}

const NEEDS: &[Need] = &[
    Need { package: "build-essential", reason: "cc, for the C in SQLite and zstd", found: || on_path("cc") },
    Need { package: "make", reason: "builds OpenSSL", found: || on_path("make") },
    Need { package: "perl", reason: "configures OpenSSL", found: || on_path("perl") },
    Need { package: "pkg-config", reason: "finds the system's OpenSSL", found: || on_path("pkg-config") || vendored() },
    Need {
        package: "libssl-dev",
        reason: "the system's OpenSSL, which OPENSSL_NO_VENDOR asks for",
        found: || vendored() || program("pkg-config", &["--exists", "openssl"]).succeeds(),
    },
    Need { package: "iproute2", reason: "ip, for the tests between hosts", found: || on_path("ip") || !linux() },
    Need {
        package: "tcpdump",
        reason: "sees what leaves a host in those tests",
        found: || on_path("tcpdump") || !linux(),
    },
];

/// Sees to everything that the steps stand on.
pub(crate) fn prepare() -> Result<()> {
    provide(NEEDS)?;
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !cargo(&[subcommand, "--version"]).succeeds() {
            program("rustup", &["component", "add", component]).run()?;
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
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    if !can_install() {
        let list: String = missing.iter().map(|need| format!("\n  {:16} {}", need.package, need.reason)).collect();
        bail!("missing here:{list}\n\nOn Debian or Ubuntu: sudo apt-get install {}", packages.join(" "));
    }
    println!("installing {}", packages.join(" "));
    apt(&["update", "-qq"])?;
    let mut install = vec!["install", "-qq", "-y", "--no-install-recommends"];
    install.extend(&packages);
    apt(&install)?;
    match missing.iter().find(|need| !(need.found)()) {
        Some(need) => bail!("{} is installed, yet does not bring what it should ({})", need.package, need.reason),
        None => Ok(()),
    }
}

/// Whether Debian packages can be installed without asking anyone.
pub(crate) fn can_install() -> bool {
    on_path("apt-get") && program("id", &["-u"]).read().is_ok_and(|id| id.trim() == "0")
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

fn linux() -> bool {
    Path::new("/proc/self").exists()
}
