//! Where the values of a JSON text begin and end, found without parsing them.
//!
//! Reading goes in two steps: this scanner cuts a text of any size into values, by brackets and quotes alone and in bounded memory; then
//! each is parsed by itself. So one record that cannot be read does not take the others with it.

use std::io::{self, BufRead};

use super::limits::RECORD_BYTES;

/// How a value ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// At its last bracket, quote or digit.
    Whole,
    /// It is longer than [`RECORD_BYTES`]: it was passed over, and what was kept of it is cut.
    TooLong,
    /// The text ended inside it.
    Cut,
}

/// Walks a JSON text byte by byte, counting lines.
#[derive(Debug)]
pub(super) struct Scanner<R> {
    input: R,
    line: u64,
}

impl<R: BufRead> Scanner<R> {
    /// Scans `input` from where it stands.
    pub(super) fn new(input: R) -> Self {
        Self { input, line: 1 }
    }

    /// The line of the next byte, counted from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The next byte, not consumed; `None` at the end.
    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.input.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Consumes the byte that [`Scanner::peek`] showed.
    pub(super) fn advance(&mut self, byte: u8) {
        self.line += u64::from(byte == b'\n');
        self.input.consume(1);
    }

    /// Passes over white space, and the record separators of RFC 8142; returns the next byte, not consumed.
    pub(super) fn blank(&mut self) -> io::Result<Option<u8>> {
        while let Some(byte) = self.peek()? {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x1e) {
                return Ok(Some(byte));
            }
            self.advance(byte);
        }
        Ok(None)
    }

    /// Passes over the value that begins here, appending its bytes to `kept` as far as the limit allows.
    ///
    /// A value that begins with neither a bracket nor a quote ends before the next comma, closing bracket or white space.
    pub(super) fn value(&mut self, mut kept: Option<&mut Vec<u8>>) -> io::Result<Extent> {
        let mut nesting = Nesting::default();
        let mut fits = true;
        loop {
            let bytes = match self.input.fill_buf() {
                Ok([]) => return Ok(nesting.at_end(fits)),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let (used, done) = nesting.walk(bytes);
            let (taken, _) = bytes.split_at(used);
            self.line += taken.iter().filter(|&&byte| byte == b'\n').count() as u64;
            if let Some(kept) = kept.as_deref_mut() {
                fits &= kept.len() + used <= RECORD_BYTES;
                if fits {
                    kept.extend_from_slice(taken);
                }
            }
            self.input.consume(used);
            if done {
                return Ok(if fits { Extent::Whole } else { Extent::TooLong });
            }
        }
    }
}

/// Where in a value the walk stands.
#[derive(Debug, Default)]
struct Nesting {
    begun: bool,
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl Nesting {
    /// Walks on through `bytes`: how many belong to the value, and whether it ended.
    fn walk(&mut self, bytes: &[u8]) -> (usize, bool) {
        for (at, &byte) in bytes.iter().enumerate() {
            if self.in_string {
                self.in_string = self.escaped || byte != b'"';
                self.escaped = !self.escaped && byte == b'\\';
                if !self.in_string && self.depth == 0 {
                    return (at + 1, true);
                }
                continue;
            }
            match byte {
                b'"' if self.begun && self.depth == 0 => return (at, true),
                b'"' => self.in_string = true,
                b'{' | b'[' if self.begun && self.depth == 0 => return (at, true),
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth == 0 => return (at.max(usize::from(!self.begun)), true),
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return (at + 1, true);
                    }
                }
                b',' | b' ' | b'\t' | b'\n' | b'\r' | 0x1e if self.depth == 0 => {
                    return (at.max(usize::from(!self.begun)), true);
                }
                _ => {}
            }
            self.begun = true;
        }
        (bytes.len(), false)
    }

    /// How the value ended if the text ends here.
    fn at_end(&self, fits: bool) -> Extent {
        match (self.depth, self.in_string, fits) {
            (0, false, true) => Extent::Whole,
            (0, false, false) => Extent::TooLong,
            _ => Extent::Cut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    /// The values of `text`, which are separated by white space and commas, read `chunk` bytes at a time.
    fn values(text: &str, chunk: usize) -> Vec<(u64, String, Extent)> {
        let mut scanner = Scanner::new(BufReader::with_capacity(chunk, text.as_bytes()));
        let mut found = Vec::new();
        while let Some(byte) = scanner.blank().unwrap() {
            if byte == b',' {
                scanner.advance(byte);
                continue;
            }
            let (line, mut kept) = (scanner.line(), Vec::new());
            let extent = scanner.value(Some(&mut kept)).unwrap();
            found.push((line, String::from_utf8(kept).unwrap(), extent));
        }
        found
    }

    #[test]
    fn values_are_cut_out_whole_however_the_bytes_arrive() {
        let text = "{\"a\":\"}\\\"\\\\\"},\n[1,[2]] \"x,y\"\n12, true{}]{\"b\"";
        let expected = ["{\"a\":\"}\\\"\\\\\"}", "[1,[2]]", "\"x,y\"", "12", "true", "{}", "]", "{\"b\""];
        for chunk in 1..20 {
            let found = values(text, chunk);
            assert_eq!(found.iter().map(|(_, text, _)| text.as_str()).collect::<Vec<_>>(), expected);
            assert_eq!(found.iter().map(|(line, ..)| *line).collect::<Vec<_>>(), [1, 2, 2, 3, 3, 3, 3, 3]);
            assert_eq!(found.last().unwrap().2, Extent::Cut);
        }
    }

    #[test]
    fn a_value_over_the_limit_is_passed_over() {
        let text = format!("[\"{}\"] {{}}", "x".repeat(RECORD_BYTES));
        let found = values(&text, 8192);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].2, Extent::TooLong);
        assert_eq!((found[1].1.as_str(), found[1].2), ("{}", Extent::Whole));
    }
}
