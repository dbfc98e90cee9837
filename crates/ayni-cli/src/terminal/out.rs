//! Data, on the standard output: for people, or one JSON value.

use std::io::{self, BufWriter, StdoutLock, Write};

use console::Term;
use serde_json::Value as Json;

/// The standard output, buffered. What is written must be flushed.
pub(crate) fn data() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(64 << 10, io::stdout().lock())
}

/// Prints one JSON value: over several lines for people, on one for programs.
pub(crate) fn json(value: &Json) -> io::Result<()> {
    let mut out = data();
    match is_terminal() {
        true => serde_json::to_writer_pretty(&mut out, value)?,
        false => serde_json::to_writer(&mut out, value)?,
    }
    out.write_all(b"\n")?;
    out.flush()
}

/// Prints one line.
pub(crate) fn line(text: impl std::fmt::Display) -> io::Result<()> {
    let mut out = data();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Whether data goes to a person.
pub(crate) fn is_terminal() -> bool {
    Term::stdout().is_term()
}

/// Columns of the terminal; `None` where the output goes elsewhere and nothing needs to fit.
pub(crate) fn width() -> Option<usize> {
    let term = Term::stdout();
    term.is_term().then(|| usize::from(term.size().1).max(40))
}
