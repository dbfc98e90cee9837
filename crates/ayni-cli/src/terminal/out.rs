//! Data, on the standard output: for people, or one JSON value.

use std::io::{self, BufWriter, StdoutLock, Write};

use console::Term;
use serde_json::Value as Json;

use super::{fit, words};

/// No terminal is taken to be narrower.
const NARROWEST: usize = 20;

/// The standard output, buffered. What is written must be flushed.
pub(crate) fn data() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(64 << 10, io::stdout().lock())
}

/// Prints one JSON value: over several lines for people, on one for programs.
pub(crate) fn json(value: &Json) -> io::Result<()> {
    let mut out = Escaping::new(data());
    match is_terminal() {
        true => serde_json::to_writer_pretty(&mut out, value)?,
        false => serde_json::to_writer(&mut out, value)?,
    }
    out.write_all(b"\n")?;
    out.flush()
}

/// Prints one line, which stays whole: an id, a ticket.
pub(crate) fn line(text: impl std::fmt::Display) -> io::Result<()> {
    let mut out = data();
    writeln!(out, "{}", words::only_styles(&text.to_string()))?;
    out.flush()
}

/// Prints sentences, broken between words where the terminal ends.
pub(crate) fn text(text: impl std::fmt::Display) -> io::Result<()> {
    let text = text.to_string();
    line(width().map_or_else(|| text.clone(), |columns| fit::indented(&text, columns, 0, 2)))
}

/// Whether data goes to a person.
pub(crate) fn is_terminal() -> bool {
    Term::stdout().is_term()
}

/// Columns of the terminal; `None` where the output goes elsewhere and nothing needs to fit.
pub(crate) fn width() -> Option<usize> {
    let term = Term::stdout();
    term.is_term().then(|| columns_of(&term))
}

/// Columns of a terminal.
pub(super) fn columns_of(term: &Term) -> usize {
    usize::from(term.size().1).max(NARROWEST)
}

/// Writes text with the control characters that terminals obey in it escaped as JSON escapes them. In JSON those of ASCII are
/// escaped already, so it stays the same value.
pub(crate) struct Escaping<W> {
    inner: W,
    /// The first byte of a letter of which the second has not come yet.
    begun: bool,
}

/// The first byte of the control characters beyond ASCII.
const BEYOND_ASCII: u8 = 0xc2;

impl<W: Write> Escaping<W> {
    /// Writes there.
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, begun: false }
    }

    fn one(&mut self, byte: u8) -> io::Result<()> {
        match (std::mem::take(&mut self.begun), byte) {
            (true, 0x80..=0x9f) => return write!(self.inner, "\\u00{byte:02x}"),
            (true, _) => self.inner.write_all(&[BEYOND_ASCII])?,
            _ => {}
        }
        match byte {
            BEYOND_ASCII => self.begun = true,
            b'\n' | b' '..=b'~' | 0x80.. => self.inner.write_all(&[byte])?,
            _ => write!(self.inner, "\\u00{byte:02x}")?,
        }
        Ok(())
    }
}

impl<W: Write> Write for Escaping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let harmless = |byte: &u8| matches!(byte, b'\n' | b' '..=b'~' | 0x80..=0xc1 | 0xc3..);
        let length = if self.begun { 0 } else { bytes.iter().take_while(|byte| harmless(byte)).count() };
        let (plain, rest) = bytes.split_at(length);
        self.inner.write_all(plain)?;
        rest.first().map_or(Ok(()), |byte| self.one(*byte))?;
        Ok(length + usize::from(!rest.is_empty()))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_reads_back_the_same_and_cannot_steer_the_terminal() {
        let value = Json::from("a\u{1b}[31m\u{7f}\u{9b}2J\u{a0}é水");
        let mut out = Escaping::new(Vec::new());
        serde_json::to_writer(&mut out, &value).unwrap();
        let text = String::from_utf8(out.inner).unwrap();
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert_eq!(serde_json::from_str::<Json>(&text).unwrap(), value);
        let mut bytewise = Escaping::new(Vec::new());
        for byte in serde_json::to_vec(&value).unwrap() {
            bytewise.write_all(&[byte]).unwrap();
        }
        assert_eq!(String::from_utf8(bytewise.inner).unwrap(), text, "however it is handed over");
    }
}
