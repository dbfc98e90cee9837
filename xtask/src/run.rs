//! Running other programs: what is run can be shown, and repeated by hand as it is shown.

use anyhow::{Context, Result, bail};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A program with its arguments and the environment it is given, run at the root of the repository if nothing else is said.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    program: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    folder: PathBuf,
}

/// A call of `program`.
pub(crate) fn program(program: impl Into<String>, arguments: &[&str]) -> Call {
    let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    Call { program: program.into(), arguments, environment: Vec::new(), folder: root() }
}

/// A call of the cargo that runs this program.
pub(crate) fn cargo(arguments: &[&str]) -> Call {
    program("cargo", arguments)
}

impl Call {
    pub(crate) fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn at(mut self, folder: &Path) -> Self {
        self.folder = folder.to_owned();
        self
    }

    /// Runs it with its output on the screen.
    pub(crate) fn run(&self) -> Result<()> {
        let status = self.command().status().with_context(|| format!("cannot start `{self}`"))?;
        if !status.success() {
            bail!("`{self}` failed ({status})");
        }
        Ok(())
    }

    /// Runs it and returns what it printed; its errors go to the screen.
    pub(crate) fn read(&self) -> Result<String> {
        let output =
            self.command().stderr(Stdio::inherit()).output().with_context(|| format!("cannot start `{self}`"))?;
        if !output.status.success() {
            bail!("`{self}` failed ({})", output.status);
        }
        String::from_utf8(output.stdout).with_context(|| format!("`{self}` printed what is not UTF-8"))
    }

    /// Runs it and returns how it ended and what it printed, if it could be started.
    pub(crate) fn output(&self) -> Result<Output> {
        self.command().stdin(Stdio::null()).output().with_context(|| format!("cannot start `{self}`"))
    }

    /// Whether it runs and succeeds, without a word on the screen.
    pub(crate) fn succeeds(&self) -> bool {
        let quiet = self.command().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        quiet.is_ok_and(|status| status.success())
    }

    fn command(&self) -> Command {
        let program = match self.program.as_str() {
            "cargo" => std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
            other => other.into(),
        };
        let mut command = Command::new(program);
        command.current_dir(&self.folder).args(&self.arguments);
        // What `cargo run` told this program about itself would make build scripts that watch these run again.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(is_about_this_program) {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

fn is_about_this_program(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|start| variable.starts_with(start))
}

/// As one would type it.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.environment {
            write!(f, "{name}={} ", quoted(value))?;
        }
        write!(f, "{}", quoted(&self.program))?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", quoted(argument)))
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |named| root().join(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_shown_as_one_would_type_it() {
        let call = cargo(&["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings").arg("two words");
        assert_eq!(call.to_string(), "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps 'two words'");
    }

    #[test]
    fn a_call_that_fails_is_named_in_the_error() {
        let error = cargo(&["no-such-subcommand-at-all"]).read().unwrap_err();
        assert!(error.to_string().contains("`cargo no-such-subcommand-at-all` failed"), "{error}");
    }
}
