//! JSON Lines: an object a line. A JSON array of objects is read too, since so much data comes as one.

use std::io::BufRead;

use super::ID;
use super::frame::{Extent, Scanner};
use super::lines::{Line, Lines, without_end};
use super::object;
use super::record::{BadRecord, Fault, Found};

/// The text of one record and the line that it begins on.
pub(super) type Text = Result<(u64, Vec<u8>), BadRecord>;

/// Reads records.
#[derive(Debug)]
pub(super) enum Reader<R> {
    Lines(Lines<R>),
    Array(Elements<R>),
}

impl<R: BufRead> Reader<R> {
    /// Reads an object a line.
    pub(super) fn of_lines(input: R) -> Self {
        Self::Lines(Lines::new(input))
    }

    /// Reads the objects in an array.
    pub(super) fn of_array(input: R) -> Self {
        Self::Array(Elements::new(Scanner::new(input)))
    }

    /// The next record; `None` at the end.
    pub(super) fn next(&mut self) -> Option<Result<Found, BadRecord>> {
        let text = match self {
            Self::Lines(lines) => next_line(lines)?,
            Self::Array(elements) => elements.next()?,
        };
        Some(text.and_then(|(line, text)| record(&text, line)))
    }
}

/// The next line that is not blank; the line feed and record separators (RFC 8142) around it do no harm.
pub(super) fn next_line<R: BufRead>(lines: &mut Lines<R>) -> Option<Text> {
    loop {
        return match lines.next() {
            Err(error) => Some(Err(Fault::from(error).on(lines.number()))),
            Ok(None) => None,
            Ok(Some((line, Line::TooLong))) => Some(Err(Fault::TooLong.on(line))),
            Ok(Some((line, Line::Whole(mut text)))) => {
                text.truncate(without_end(&text).len());
                let separators = text.iter().take_while(|&&byte| byte == 0x1e).count();
                if text.iter().skip(separators).all(u8::is_ascii_whitespace) {
                    continue;
                }
                text.drain(..separators);
                Some(Ok((line, text)))
            }
        };
    }
}

fn record(text: &[u8], line: u64) -> Result<Found, BadRecord> {
    let mut members = object::parse(text, line)?;
    let id = match members.shift_remove(ID) {
        Some(id) => object::record_id(&id, line)?,
        None => None,
    };
    Ok(Found { line, id, fields: object::fields(&members, line)? })
}

/// Cuts the elements out of a JSON array.
#[derive(Debug)]
pub(super) struct Elements<R> {
    scanner: Scanner<R>,
    at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Before,
    Inside,
    After,
}

impl<R: BufRead> Elements<R> {
    /// Before the opening bracket, or white space before it.
    pub(super) fn new(scanner: Scanner<R>) -> Self {
        Self { scanner, at: At::Before }
    }

    /// The text of the next element and the line that it begins on; `None` after the array.
    pub(super) fn next(&mut self) -> Option<Text> {
        match self.step() {
            Ok(element) => element,
            Err(fault) => Some(Err(fault.on(self.scanner.line()))),
        }
    }

    fn step(&mut self) -> Result<Option<Text>, Fault> {
        if self.at == At::Before
            && let Some(bracket) = self.scanner.blank()?
        {
            self.scanner.advance(bracket);
            self.at = At::Inside;
        }
        if self.at == At::Inside {
            match next_element(&mut self.scanner)? {
                Element::Item(line, text) => {
                    return Ok(Some(text.map(|text| (line, text)).map_err(|fault| fault.on(line))));
                }
                Element::End => self.at = At::After,
            }
        }
        match self.scanner.blank()? {
            None => Ok(None),
            Some(_) => Err(Fault::AfterEnd),
        }
    }
}

/// What an array goes on with.
pub(super) enum Element {
    /// An element: the line that it begins on, and its text.
    Item(u64, Result<Vec<u8>, Fault>),
    /// Its closing bracket, which was passed over.
    End,
}

/// The next element of the array that `scanner` stands in.
pub(super) fn next_element<R: BufRead>(scanner: &mut Scanner<R>) -> Result<Element, Fault> {
    loop {
        match scanner.blank()? {
            None => return Err(Fault::CutOff),
            Some(byte @ b',') => scanner.advance(byte),
            Some(byte @ b']') => {
                scanner.advance(byte);
                return Ok(Element::End);
            }
            Some(_) => break,
        }
    }
    let (line, mut text) = (scanner.line(), Vec::new());
    match scanner.value(Some(&mut text))? {
        Extent::Whole => Ok(Element::Item(line, Ok(text))),
        Extent::TooLong => Ok(Element::Item(line, Err(Fault::TooLong))),
        Extent::Cut => Err(Fault::CutOff),
    }
}
