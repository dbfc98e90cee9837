//! Lines of a text of any size, one at a time and never longer than the limit.

use std::io::{self, BufRead, Read};

use super::limits::RECORD_BYTES;

/// What [`Lines::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A whole line with its end, which the last one may lack.
    Whole(Vec<u8>),
    /// A line over [`RECORD_BYTES`]; it was passed over.
    TooLong,
}

/// Reads lines that end with `\n` or `\r\n`.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// Reads `input` from where it stands.
    pub(super) fn new(input: R) -> Self {
        Self { input, number: 0 }
    }

    /// The number of the line that was read last, counted from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line and its number, counted from 1; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Line)>> {
        let mut bytes = Vec::new();
        let limit = RECORD_BYTES as u64 + 2;
        (&mut self.input).take(limit).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        if bytes.last() != Some(&b'\n') && bytes.len() as u64 == limit {
            self.input.skip_until(b'\n')?;
        }
        let line = if without_end(&bytes).len() > RECORD_BYTES { Line::TooLong } else { Line::Whole(bytes) };
        Ok(Some((self.number, line)))
    }
}

/// A line without its `\n` or `\r\n`.
pub(super) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<(u64, Line)> {
        let mut lines = Lines::new(text);
        std::iter::from_fn(|| lines.next().unwrap()).collect()
    }

    #[test]
    fn lines_end_with_either_ending_or_none() {
        let whole = |text: &str| Line::Whole(text.into());
        assert_eq!(all(b"a\r\n\nb"), [(1, whole("a\r\n")), (2, whole("\n")), (3, whole("b"))]);
        assert_eq!(without_end(b"a\r\n"), b"a");
        assert_eq!(without_end(b"a"), b"a");
    }

    #[test]
    fn a_line_over_the_limit_is_passed_over_and_the_next_is_read() {
        let mut text = vec![b'x'; RECORD_BYTES + 5];
        text.extend(b"\nnext\n");
        assert_eq!(all(&text), [(1, Line::TooLong), (2, Line::Whole(b"next\n".to_vec()))]);
        let mut text = vec![b'x'; RECORD_BYTES];
        text.extend(b"\nnext");
        assert_eq!(all(&text).len(), 2);
        assert!(matches!(&all(&text)[0].1, Line::Whole(line) if line.len() == RECORD_BYTES + 1));
    }
}
