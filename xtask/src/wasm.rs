//! The pure crates are built for the browser (`wasm32-unknown-unknown`), in a folder of their own.
//!
//! With a toolchain that has the target, that is one `cargo build`. Debian's rustc-web brings no library for it but
//! the library's source, from which cargo builds it.

use crate::house::PURE;
use crate::machine::{self, Need};
use crate::run::{Call, cargo, program, target};
use crate::steps::Outcome;
use anyhow::Result;
use std::path::Path;

const TARGET: &str = "wasm32-unknown-unknown";
/// Sets the profile so that this takes the least time.
const PLAIN: &str = "profile.dev.package.'*'.opt-level=0";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/Cargo.lock";
/// The oldest compiler that the workspace takes.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

const CLANG: [Need; 2] = [
    Need {
        debian: "clang-19",
        fedora: "clang",
        homebrew: "llvm",
        reason: "compiles zstd for the browser",
        found: || clang().is_some(),
    },
    Need {
        debian: "llvm-19",
        fedora: "llvm",
        homebrew: "",
        reason: "llvm-ar, for what clang compiles",
        found: || archiver().is_some(),
    },
];
const DEBIAN_RUST: [Need; 2] = [
    Need {
        debian: "rustc-web",
        fedora: "rust-std-static-wasm32-unknown-unknown",
        homebrew: "",
        reason: "a compiler with the browser's target",
        found: recent_rustc,
    },
    Need {
        debian: "rust-web-src",
        fedora: "",
        homebrew: "",
        reason: "its library's source",
        found: || Path::new(DEBIAN_SOURCE).exists(),
    },
];

pub(crate) fn check() -> Result<Outcome> {
    let own = has_target();
    if !own && !DEBIAN_RUST.iter().all(|need| (need.found)() || installable(need)) {
        return Ok(Outcome::Skipped(format!("no Rust for {TARGET} here: rustup target add {TARGET}")));
    }
    let wanted: Vec<&Need> = CLANG.iter().filter(|need| !(need.found)() && !installable(need)).collect();
    if !wanted.is_empty() {
        return Ok(Outcome::Skipped(machine::request(&wanted)));
    }
    machine::provide(&CLANG)?;
    if !own {
        machine::provide(&DEBIAN_RUST)?;
    }
    let call = with_clang(if own { build() } else { with_debian_rust(build()) });
    println!("$ {call}");
    call.run().map(|()| Outcome::Held)
}

/// Code is really generated, C as well as Rust, yet not optimised: nobody runs it.
fn build() -> Call {
    let call = cargo(&["build", "--target", TARGET, "--config", PLAIN])
        .env("CARGO_TARGET_DIR", target().join("wasm").display().to_string());
    PURE.iter().fold(call, |call, name| call.arg("--package").arg(*name))
}

fn installable(need: &Need) -> bool {
    machine::can_install() && machine::apt_has(need.debian)
}

/// Whether the toolchain in use has the target's library.
fn has_target() -> bool {
    let libraries = program("rustc", &["--print", "target-libdir", "--target", TARGET]).read();
    libraries.is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}

/// Whether Debian's compiler is here and not older than what the workspace takes.
fn recent_rustc() -> bool {
    let version = Path::new(DEBIAN_RUSTC).exists().then(|| program(DEBIAN_RUSTC, &["--version"]).read());
    version.and_then(Result::ok).is_some_and(|line| at_least(&line, OLDEST))
}

/// Whether the second word of `rustc --version` is `oldest` or newer.
fn at_least(line: &str, oldest: &str) -> bool {
    let numbers = |version: &str| -> Vec<u32> { version.split('.').map_while(|part| part.parse().ok()).collect() };
    line.split_whitespace().nth(1).is_some_and(|version| numbers(version) >= numbers(oldest))
}

/// Debian's compiler: its library is built from source, which only nightly compilers allow unless told that they are
/// trusted.
fn with_debian_rust(call: Call) -> Call {
    call.arg("-Zbuild-std=std,panic_abort").env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1")
}

fn with_clang(call: Call) -> Call {
    let call = call.env("CC_wasm32_unknown_unknown", clang().unwrap_or("clang"));
    call.env("AR_wasm32_unknown_unknown", archiver().unwrap_or("llvm-ar"))
}

fn clang() -> Option<&'static str> {
    let knows_the_browser = |name: &&str| {
        machine::on_path(name) && program(*name, &["--print-targets"]).read().is_ok_and(|list| list.contains("wasm32"))
    };
    // Apple's knows it not; Homebrew's stands in a folder that is not on everyone's PATH.
    ["clang", "clang-19", "/opt/homebrew/opt/llvm/bin/clang"].into_iter().find(knows_the_browser)
}

fn archiver() -> Option<&'static str> {
    ["llvm-ar", "llvm-ar-19", "/opt/homebrew/opt/llvm/bin/llvm-ar"].into_iter().find(|name| machine::on_path(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_compiler_is_told_from_a_recent_one() {
        assert!(at_least("rustc 1.96.0 (ac68faa20 2026-05-25)", "1.95"));
        assert!(at_least("rustc 1.95.0 (59807616e 2026-04-14)", "1.95"));
        assert!(at_least("rustc 2.0.0", "1.95"));
        assert!(!at_least("rustc 1.85.1 (4eb161250 2025-03-15)", "1.95"));
        assert!(!at_least("no such thing", "1.95"));
    }
}
