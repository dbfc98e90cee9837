//! What goes wrong: one line that says what happened, one that says what to do.

use std::fmt;
use std::io;
use std::process::ExitCode;

use ayni::interchange::{ExportError, ImportError};
use ayni::{Error, OpenError};

/// How a command ends.
pub(crate) type Outcome = Result<Answer, Failure>;

/// How a command that did what it should ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Done; there was something.
    Yes,
    /// Done, and the answer is no: nothing found, conflicts left, records passed over. The exit code is 1.
    No,
}

impl Answer {
    /// [`Answer::Yes`] where it holds.
    pub(crate) fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

impl From<Answer> for ExitCode {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Yes => Self::SUCCESS,
            Answer::No => Self::from(1),
        }
    }
}

/// Why a command could not do what it should.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What happened.
    what: String,
    /// What to do; may be empty.
    remedy: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The command was not understood. Exit code 2.
    Usage,
    /// It could not be done. Exit code 1.
    Failed,
    /// The reader of the output has gone: nothing to tell, as with `head`.
    Unread,
}

impl Failure {
    /// It could not be done: what happened, and what to do.
    pub(crate) fn new(what: impl fmt::Display, remedy: impl fmt::Display) -> Self {
        Self { what: what.to_string(), remedy: remedy.to_string(), kind: Kind::Failed }
    }

    /// What was asked for makes no sense: what happened, and what to do.
    pub(crate) fn usage(what: impl fmt::Display, remedy: impl fmt::Display) -> Self {
        Self { kind: Kind::Usage, ..Self::new(what, remedy) }
    }

    /// Nonsense that tells what to do in its own text, after the last colon.
    pub(crate) fn nonsense(error: impl fmt::Display) -> Self {
        Self { kind: Kind::Usage, ..Self::told(error) }
    }

    /// An error that tells what to do in its own text, after the last colon.
    pub(crate) fn told(error: impl fmt::Display) -> Self {
        let text = error.to_string();
        match split(&text) {
            Some((what, remedy)) => Self::new(what, remedy),
            None => Self::new(text, ""),
        }
    }

    /// A file that could not be read or written.
    pub(crate) fn file(path: &std::path::Path, error: &io::Error) -> Self {
        let remedy = match error.kind() {
            io::ErrorKind::NotFound => "check the path",
            io::ErrorKind::PermissionDenied => "check who may read and write it",
            io::ErrorKind::StorageFull => "free some space and try again",
            _ => "check the file and its disk, and try again",
        };
        Self::new(format_args!("{}: {}", path.display(), plain(error)), remedy)
    }

    /// Tells it, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        match self.kind {
            Kind::Unread => return ExitCode::SUCCESS,
            Kind::Usage | Kind::Failed => crate::terminal::say::failure(&self.what, &self.remedy),
        }
        ExitCode::from(if self.kind == Kind::Usage { 2 } else { 1 })
    }
}

/// What happened and what to do, where a text says both with a colon, a semicolon or a bracket between.
fn split(text: &str) -> Option<(&str, &str)> {
    let outside = |at: &usize| text.get(..*at).is_some_and(is_closed);
    let colon = text.match_indices(": ").map(|(at, _)| at).filter(outside).last();
    let at = text.match_indices("; ").map(|(at, _)| at).find(outside).or(colon)?;
    Some((text.get(..at)?, text.get(at + 2..)?))
}

/// Whether what follows a text stands neither in quotes nor in braces.
fn is_closed(text: &str) -> bool {
    let (mut quoted, mut braces) = (false, 0_usize);
    for letter in text.chars() {
        match letter {
            '`' | '"' => quoted = !quoted,
            '{' if !quoted => braces += 1,
            '}' if !quoted => braces = braces.saturating_sub(1),
            _ => {}
        }
    }
    !quoted && braces == 0
}

/// What the system says, without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_lowercase(),
        None => text,
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self { kind: Kind::Unread, ..Self::new("", "") },
            _ => Self::new(format_args!("the output cannot be written: {}", plain(&error)), "check where it goes"),
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::File { path, source } => Self::file(&path, &source),
            other => Self::told(other),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Open(error) => error.into(),
            Error::NoProject(_) | Error::AmbiguousProject(..) => Self::usage_of(error),
            Error::Query(_) => Self::usage_of(error),
            Error::Sql(error) => crate::commands::sql::failure(error),
            Error::Path(_) => Self::usage(error, "name a field, as in population or address.city"),
            Error::NotAMap(_) => Self::usage(error, "write {\"field\": value, …} or field=value"),
            Error::Name { .. } => Self::usage(error, "give it a name, and not a long one"),
            Error::Reserved => Self::usage(
                error,
                "leave it out; `ayni edit COLLECTION ID` changes the document of an id, `ayni import` takes exports in",
            ),
            Error::AlreadyJoined => Self::new(error, "`ayni project list` shows it"),
            Error::VersionDeleted { .. } => Self::new(error, "`ayni history` shows the version before it"),
            Error::NoDocument { ref collection, .. } => {
                Self::new(&error, format_args!("`ayni query {collection}` lists what there is"))
            }
            other => Self::told(other),
        }
    }
}

impl Failure {
    fn usage_of(error: Error) -> Self {
        Self { kind: Kind::Usage, ..Self::told(error) }
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Database(error) => error.into(),
            other => Self::told(other),
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Io(error) => error.into(),
            other => Self::told(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_stands_behind_the_last_colon_that_is_not_inside_of_an_example() {
        assert_eq!(split("no table \"a: b\": there is c"), Some(("no table \"a: b\"", "there is c")));
        assert_eq!(split("no object: write {\"field\": value}"), Some(("no object", "write {\"field\": value}")));
        assert_eq!(split("no object, as {\"field\": value} is one"), None);
        assert_eq!(split("expected `}` or `{`: write more"), Some(("expected `}` or `{`", "write more")));
    }
}
