//! Rows of comma-separated text as RFC 4180 has them, each with the line it begins on.
//!
//! A quote that is never closed would swallow the rest of a file. It does not here: the row is reported, and reading
//! goes on at the line after the one it began on.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use super::limits::{FIELDS, RECORD_BYTES};
use super::lines::{Line, Lines};
use super::record::Fault;

/// One cell of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    /// What it says, without its quotes.
    pub(super) text: String,
    /// Whether it stood in quotes: `""` is the empty text, nothing at all is no value.
    pub(super) quoted: bool,
}

/// A row, or what is wrong with it, and the line that it begins on.
pub(super) type Numbered = (u64, Result<Vec<Cell>, Fault>);

/// Reads rows.
#[derive(Debug)]
pub(super) struct Rows<R> {
    lines: Lines<R>,
    again: VecDeque<(u64, Vec<u8>)>,
    separator: Option<u8>,
}

impl<R: BufRead> Rows<R> {
    /// Reads `input` from where it stands. What separates its cells is guessed from its first row.
    pub(super) fn new(input: R) -> Self {
        Self { lines: Lines::new(input), again: VecDeque::new(), separator: None }
    }

    /// The next row that is not blank, with the line it begins on; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Numbered>> {
        loop {
            let Some((number, line)) = self.line()? else { return Ok(None) };
            let Line::Whole(line) = line else { return Ok(Some((number, Err(Fault::TooLong)))) };
            if line.trim_ascii().is_empty() {
                continue;
            }
            return Ok(Some((number, self.row(line)?)));
        }
    }

    /// The number of the line that was read last, counted from 1.
    pub(super) fn line_number(&self) -> u64 {
        self.lines.number()
    }

    fn line(&mut self) -> io::Result<Option<(u64, Line)>> {
        match self.again.pop_front() {
            Some((number, bytes)) => Ok(Some((number, Line::Whole(bytes)))),
            None => self.lines.next(),
        }
    }

    /// The row that begins with `first`, which goes on over further lines while a quote is open.
    fn row(&mut self, first: Vec<u8>) -> io::Result<Result<Vec<Cell>, Fault>> {
        let separator = *self.separator.get_or_insert_with(|| guess_separator(&first));
        let mut row = Row::new(separator);
        let mut size = first.len();
        let mut further = Vec::new();
        let mut outcome = row.feed(&first);
        while outcome.is_ok() && row.is_open() {
            match self.line()? {
                Some((number, Line::Whole(line))) => {
                    size = size.saturating_add(line.len());
                    if size <= RECORD_BYTES {
                        outcome = row.feed(&line);
                    } else {
                        outcome = Err(Fault::QuoteNeverCloses);
                    }
                    further.push((number, line));
                }
                Some((_, Line::TooLong)) | None => outcome = Err(Fault::QuoteNeverCloses),
            }
        }
        match outcome {
            Ok(()) => Ok(row.finish()),
            Err(fault) => {
                further.into_iter().rev().for_each(|line| self.again.push_front(line));
                Ok(Err(fault))
            }
        }
    }
}

/// The separator that stands most often in the first row, outside quotes: a comma, semicolon or tab.
fn guess_separator(first: &[u8]) -> u8 {
    let mut counts = [(b',', 0u64), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for &byte in first {
        quoted ^= byte == b'"';
        for (separator, count) in &mut counts {
            *count += u64::from(!quoted && byte == *separator);
        }
    }
    let mut best = (b',', 0);
    for (separator, count) in counts {
        if count > best.1 {
            best = (separator, count);
        }
    }
    best.0
}

/// Where in a cell the reading stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    Plain,
    Quoted,
    AfterQuote,
}

/// A row as far as it was read.
#[derive(Debug)]
struct Row {
    separator: u8,
    cells: Vec<(Vec<u8>, bool)>,
    cell: Vec<u8>,
    at: At,
}

impl Row {
    fn new(separator: u8) -> Self {
        Self { separator, cells: Vec::new(), cell: Vec::new(), at: At::Start }
    }

    /// Whether the row goes on after the line that was fed.
    fn is_open(&self) -> bool {
        self.at == At::Quoted
    }

    fn feed(&mut self, line: &[u8]) -> Result<(), Fault> {
        let content = super::lines::without_end(line).len();
        for (index, &byte) in line.iter().enumerate() {
            match (self.at, byte) {
                (At::Quoted, b'"') => self.at = At::AfterQuote,
                (At::Quoted, _) => self.cell.push(byte),
                _ if index >= content => return Ok(()),
                (_, byte) if byte == self.separator => self.end_cell()?,
                (At::Start, b'"') => self.at = At::Quoted,
                (At::AfterQuote, b'"') => {
                    self.cell.push(byte);
                    self.at = At::Quoted;
                }
                (At::AfterQuote, _) => return Err(Fault::TextAfterQuote),
                (_, b'"') => return Err(Fault::QuoteInside),
                _ => {
                    self.cell.push(byte);
                    self.at = At::Plain;
                }
            }
        }
        Ok(())
    }

    fn end_cell(&mut self) -> Result<(), Fault> {
        if self.cells.len() >= FIELDS {
            return Err(Fault::TooManyFields);
        }
        self.cells.push((std::mem::take(&mut self.cell), self.at == At::AfterQuote));
        self.at = At::Start;
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Cell>, Fault> {
        self.end_cell()?;
        let cells = self.cells.into_iter().map(|(bytes, quoted)| {
            String::from_utf8(bytes).map(|text| Cell { text, quoted }).map_err(|_| Fault::NotUtf8)
        });
        cells.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(u64, Result<Vec<String>, Fault>)> {
        let mut rows = Rows::new(text.as_bytes());
        let texts = |cells: Vec<Cell>| cells.into_iter().map(|cell| cell.text).collect();
        std::iter::from_fn(|| rows.next().unwrap()).map(|(line, row)| (line, row.map(texts))).collect()
    }

    fn cells(cells: &[&str]) -> Result<Vec<String>, Fault> {
        Ok(cells.iter().map(|cell| cell.to_string()).collect())
    }

    #[test]
    fn quotes_hold_separators_quotes_and_line_ends() {
        let found = rows("a,\"b,\"\"c\"\"\r\nd\",\r\n\n\"\",e\n");
        assert_eq!(found, [(1, cells(&["a", "b,\"c\"\r\nd", ""])), (4, cells(&["", "e"]))]);
    }

    #[test]
    fn an_empty_text_is_told_from_no_value() {
        let (_, row) = Rows::new(&b"\"\",\n"[..]).next().unwrap().unwrap();
        assert_eq!(row.unwrap().iter().map(|cell| cell.quoted).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn a_quote_that_never_closes_costs_its_own_line_only() {
        let found = rows("a,b\n1,\"2\n3,4\n5,6");
        let lost = (2, Err(Fault::QuoteNeverCloses));
        assert_eq!(found, [(1, cells(&["a", "b"])), lost, (3, cells(&["3", "4"])), (4, cells(&["5", "6"]))]);
    }

    #[test]
    fn misplaced_quotes_are_reported_and_the_next_line_is_read() {
        let found = rows("a,b\n1,2\"\n\"3\"4,5\n6,7");
        assert_eq!(found[1], (2, Err(Fault::QuoteInside)));
        assert_eq!(found[2], (3, Err(Fault::TextAfterQuote)));
        assert_eq!(found[3], (4, cells(&["6", "7"])));
    }

    #[test]
    fn semicolons_and_tabs_separate_where_the_header_says_so() {
        assert_eq!(rows("a;b,c;d\n1;2;3")[1], (2, cells(&["1", "2", "3"])));
        assert_eq!(rows("a\tb\n1\t2,3")[1], (2, cells(&["1", "2,3"])));
    }
}
