//! Reading parts of a stored document without decoding the rest: for scans and indexes.

use std::borrow::Cow;
use std::cmp::Ordering;

use ayni_log::codec::{DecodeError, Reader};
use ayni_log::limits;

use crate::DEPTH;
use crate::document::{CONTESTED, HANDLED, PRESENT, VERSION, read_lead};
use crate::handled::BASIS_BYTES;
use crate::state::Node;
use crate::value::Value;
use crate::value_codec::{deeper, tag};

/// Whether the document with this body exists (is not deleted).
///
/// # Errors
/// If the body is damaged or of another version.
pub fn is_present(body: &[u8]) -> Result<bool, DecodeError> {
    Ok(read_lead(&mut Reader::new(body))? & PRESENT != 0)
}

/// Whether the document with this body has conflicts that no handler settled.
///
/// # Errors
/// If the body is damaged or of another version.
pub fn has_conflicts(body: &[u8]) -> Result<bool, DecodeError> {
    Ok(read_lead(&mut Reader::new(body))? & (CONTESTED | HANDLED) == CONTESTED)
}

/// The body that a document would have if no handler had settled its conflicts: on every device the same.
///
/// # Errors
/// If the body is damaged or of another version.
pub fn as_merged(body: &[u8]) -> Result<Cow<'_, [u8]>, DecodeError> {
    let mut input = Reader::new(body);
    let flags = read_lead(&mut input)?;
    if flags & HANDLED == 0 {
        return Ok(Cow::Borrowed(body));
    }
    skip_members(&mut input, DEPTH)?;
    input.raw(BASIS_BYTES)?;
    input.text("name of a handler", limits::NAME_BYTES)?;
    input.varint()?;
    Ok(Cow::Owned([&[VERSION, flags & !HANDLED], input.rest()].concat()))
}

/// The value shown at a path: what [`crate::Document::get`] gives for the decoded document.
///
/// # Errors
/// If the body is damaged, as far as it had to be read, or of another version.
pub fn get<S: AsRef<str>>(body: &[u8], path: &[S]) -> Result<Option<Value>, DecodeError> {
    let mut input = Reader::new(body);
    read_lead(&mut input)?;
    find(&mut input, path, DEPTH)
}

/// Visits the names of the fields at the top, in order, those in which nothing is shown too.
///
/// # Errors
/// If the body is damaged, or of another version.
pub fn names(body: &[u8], mut visit: impl FnMut(&str)) -> Result<(), DecodeError> {
    let mut input = Reader::new(body);
    read_lead(&mut input)?;
    let count = input.count("fields in a map", input.remaining())?;
    let inner = deeper(DEPTH)?;
    for _ in 0..count {
        visit(input.text("field name", limits::NAME_BYTES)?);
        skip(&mut input, inner)?;
    }
    Ok(())
}

/// Finds the value at a path in the map whose members come next.
fn find<S: AsRef<str>>(input: &mut Reader<'_>, path: &[S], depth: usize) -> Result<Option<Value>, DecodeError> {
    let Some((wanted, rest)) = path.split_first() else {
        let children = Node::decode_children(input, depth)?;
        return Ok(Node { children, ..Node::default() }.shown());
    };
    let count = input.count("fields in a map", input.remaining())?;
    let inner = deeper(depth)?;
    for _ in 0..count {
        let name = input.bytes("field name", limits::NAME_BYTES)?;
        match name.cmp(wanted.as_ref().as_bytes()) {
            Ordering::Less => skip(input, inner)?,
            Ordering::Equal => return find_here(input, rest, inner),
            Ordering::Greater => break,
        }
    }
    Ok(None)
}

/// Finds the value at a path in the node that comes next.
fn find_here<S: AsRef<str>>(input: &mut Reader<'_>, path: &[S], depth: usize) -> Result<Option<Value>, DecodeError> {
    match input.rest().first() {
        Some(&tag::MAP) if !path.is_empty() => {
            input.byte()?;
            find(input, path, depth)
        }
        _ => Ok(Node::decode(input, depth)?.get(path)),
    }
}

/// Moves past a node.
fn skip(input: &mut Reader<'_>, depth: usize) -> Result<(), DecodeError> {
    match input.rest().first() {
        Some(&tag::CONTESTED) => Node::decode(input, depth).map(drop),
        Some(&tag::MAP) => {
            input.byte()?;
            skip_members(input, depth)
        }
        _ => Value::skip(input, depth),
    }
}

/// Moves past the members of a map.
fn skip_members(input: &mut Reader<'_>, depth: usize) -> Result<(), DecodeError> {
    let count = input.count("fields in a map", input.remaining())?;
    let inner = deeper(depth)?;
    for _ in 0..count {
        input.bytes("field name", limits::NAME_BYTES)?;
        skip(input, inner)?;
    }
    Ok(())
}
