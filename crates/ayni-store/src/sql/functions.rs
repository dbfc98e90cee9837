//! Functions: those of the caller, and some of SQLite's own made anew.
//!
//! SQLite asks whether to go on between the steps of its machine, and a call of a function is one step. So none may take
//! much longer than its arguments are long: `instr`, `replace` and the trims, which in SQLite take time by the product of two
//! lengths, are replaced by ones that take it by their sum, with the same results for texts and blobs. Mathematical functions are here as
//! SQLite is built without them.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, Result};

use super::guard::VALUE_BYTES;
use super::table::{SqlFailure, SqlValue, TableFailure};

/// A function that gives the same for the same arguments.
#[derive(Clone)]
pub struct SqlFunction {
    /// Its name.
    pub name: &'static str,
    /// How many arguments it takes.
    pub arguments: usize,
    /// What it gives; an error ends the question.
    pub call: Arc<Call>,
}

/// What a function does with its arguments.
pub type Call = dyn Fn(&[SqlValue]) -> std::result::Result<SqlValue, TableFailure> + Send + Sync;

type OfOne = fn(f64) -> f64;
type OfTwo = fn(f64, f64) -> f64;

const FLAGS: FunctionFlags =
    FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DETERMINISTIC).union(FunctionFlags::SQLITE_DIRECTONLY);

/// Numbers to numbers; what is none gives NULL.
const MATHEMATICS: [(&str, OfOne); 14] = [
    ("acos", f64::acos),
    ("asin", f64::asin),
    ("atan", f64::atan),
    ("cos", f64::cos),
    ("degrees", f64::to_degrees),
    ("exp", f64::exp),
    ("ln", |x| of_positive(x, f64::ln)),
    ("log", |x| of_positive(x, f64::log10)),
    ("log10", |x| of_positive(x, f64::log10)),
    ("log2", |x| of_positive(x, f64::log2)),
    ("radians", f64::to_radians),
    ("sin", f64::sin),
    ("sqrt", f64::sqrt),
    ("tan", f64::tan),
];

/// The same; integers stay as they are.
const ROUNDING: [(&str, OfOne); 4] =
    [("ceil", f64::ceil), ("ceiling", f64::ceil), ("floor", f64::floor), ("trunc", f64::trunc)];

const MATHEMATICS_OF_TWO: [(&str, OfTwo); 4] =
    [("atan2", f64::atan2), ("mod", |x, y| x % y), ("pow", f64::powf), ("power", f64::powf)];

/// Registers all; gives the names of those that SQLite does not have itself.
pub(super) fn register(
    connection: &Connection,
    functions: Vec<SqlFunction>,
    failure: &SqlFailure,
) -> Result<Vec<String>> {
    let mut names = vec!["pi".to_owned()];
    for function in functions {
        names.push(function.name.to_owned());
        let failure = failure.clone();
        let arguments = i32::try_from(function.arguments).unwrap_or(-1);
        connection.create_scalar_function(function.name, arguments, FLAGS, move |context| {
            let values: Vec<SqlValue> = (0..context.len()).map(|at| context.get_raw(at).into()).collect();
            (function.call)(&values).map(Value::from).map_err(|error| failure.leave(error))
        })?;
    }
    for (name, compute) in MATHEMATICS {
        names.push(name.to_owned());
        connection.create_scalar_function(name, 1, FLAGS, move |context| Ok(number(context, 0).map(compute)))?;
    }
    for (name, compute) in ROUNDING {
        names.push(name.to_owned());
        connection.create_scalar_function(name, 1, FLAGS, move |context| match context.get_raw(0) {
            ValueRef::Integer(integer) => Ok(Value::Integer(integer)),
            _ => Ok(number(context, 0).map_or(Value::Null, |real| Value::Real(compute(real)))),
        })?;
    }
    for (name, compute) in MATHEMATICS_OF_TWO {
        names.push(name.to_owned());
        connection.create_scalar_function(name, 2, FLAGS, move |context| {
            Ok(number(context, 0).zip(number(context, 1)).map(|(x, y)| compute(x, y)))
        })?;
    }
    connection.create_scalar_function("pi", 0, FLAGS, |_| Ok(std::f64::consts::PI))?;
    register_anew(connection)?;
    Ok(names)
}

fn register_anew(connection: &Connection) -> Result<()> {
    connection.create_scalar_function("instr", 2, FLAGS, |context| {
        let bytes = matches!((context.get_raw(0), context.get_raw(1)), (ValueRef::Blob(_), ValueRef::Blob(_)));
        let (Some(whole), Some(part)) = (argument(context, 0), argument(context, 1)) else { return Ok(None) };
        let before = search(&whole, &part, 0);
        let letters = |at: usize| if bytes { at } else { letters(whole.get(..at).unwrap_or_default()) };
        Ok(Some(before.map_or(0, |at| letters(at) as i64 + 1)))
    })?;
    connection.create_scalar_function("replace", 3, FLAGS, |context| {
        let (Some(whole), Some(part)) = (argument(context, 0), argument(context, 1)) else { return Ok(None) };
        let Some(instead) = argument(context, 2) else { return Ok(None) };
        replace(&whole, &part, &instead).map(|replaced| Some(text(replaced)))
    })?;
    for (name, start, end) in [("trim", true, true), ("ltrim", true, false), ("rtrim", false, true)] {
        for arguments in [1, 2] {
            connection.create_scalar_function(name, arguments, FLAGS, move |context| {
                let Some(whole) = argument(context, 0) else { return Ok(None) };
                let set = if arguments == 1 { Some(b" ".to_vec()) } else { argument(context, 1) };
                let Some(set) = set else { return Ok(None) };
                let (whole, set) = (String::from_utf8_lossy(&whole), String::from_utf8_lossy(&set));
                let set: BTreeSet<char> = set.chars().collect();
                let mut rest: &str = &whole;
                if start {
                    rest = rest.trim_start_matches(|letter| set.contains(&letter));
                }
                if end {
                    rest = rest.trim_end_matches(|letter| set.contains(&letter));
                }
                Ok(Some(rest.to_owned()))
            })?;
        }
    }
    Ok(())
}

/// A logarithm; of what has none it is "not a number", which SQL has as NULL.
fn of_positive(x: f64, logarithm: OfOne) -> f64 {
    if x > 0.0 { logarithm(x) } else { f64::NAN }
}

/// An argument as a number, as SQLite's mathematical functions take it.
fn number(context: &Context<'_>, at: usize) -> Option<f64> {
    match context.get_raw(at) {
        ValueRef::Integer(integer) => Some(integer as f64),
        ValueRef::Real(real) => Some(real),
        ValueRef::Text(text) => {
            std::str::from_utf8(text).ok()?.trim().parse().ok().filter(|real: &f64| real.is_finite())
        }
        ValueRef::Null | ValueRef::Blob(_) => None,
    }
}

/// An argument as text or bytes; `None` for NULL.
fn argument(context: &Context<'_>, at: usize) -> Option<Vec<u8>> {
    match context.get_raw(at) {
        ValueRef::Null => None,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.to_vec()),
        ValueRef::Integer(integer) => Some(integer.to_string().into_bytes()),
        ValueRef::Real(real) => Some(shown(real).into_bytes()),
    }
}

/// A real as SQLite shows it, with the digits that lead back to it.
fn shown(real: f64) -> String {
    format!("{real:?}")
}

fn text(bytes: Vec<u8>) -> Value {
    Value::Text(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// How many letters begin in these bytes.
fn letters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

fn replace(whole: &[u8], part: &[u8], instead: &[u8]) -> Result<Vec<u8>> {
    if part.is_empty() {
        return Ok(whole.to_vec());
    }
    let mut replaced = Vec::with_capacity(whole.len());
    let mut from = 0;
    let steps = failure_steps(part);
    while let Some(at) = search_by(whole, part, from, &steps) {
        replaced.extend_from_slice(whole.get(from..at).unwrap_or_default());
        replaced.extend_from_slice(instead);
        from = at + part.len();
        if replaced.len() > VALUE_BYTES as usize {
            return Err(too_big());
        }
    }
    replaced.extend_from_slice(whole.get(from..).unwrap_or_default());
    Ok(replaced)
}

fn too_big() -> Error {
    Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_TOOBIG), None)
}

/// Where `part` stands first in `whole` from `from` on.
fn search(whole: &[u8], part: &[u8], from: usize) -> Option<usize> {
    search_by(whole, part, from, &failure_steps(part))
}

/// As D. Knuth, J. Morris and V. Pratt do it ("Fast pattern matching in strings", 1977): each byte of `whole` is looked at
/// once.
fn search_by(whole: &[u8], part: &[u8], from: usize, steps: &[usize]) -> Option<usize> {
    if part.is_empty() {
        return Some(from);
    }
    let mut matched = 0;
    for (at, byte) in whole.iter().enumerate().skip(from) {
        while matched > 0 && part.get(matched) != Some(byte) {
            matched = matched.checked_sub(1).and_then(|last| steps.get(last)).copied().unwrap_or(0);
        }
        if part.get(matched) == Some(byte) {
            matched += 1;
        }
        if matched == part.len() {
            return Some(at + 1 - matched);
        }
    }
    None
}

/// For each beginning of `part`, how long the longest other beginning is that it ends with.
fn failure_steps(part: &[u8]) -> Vec<usize> {
    let mut steps = vec![0; part.len()];
    let mut length = 0;
    for (at, byte) in part.iter().enumerate().skip(1) {
        while length > 0 && part.get(length) != Some(byte) {
            length = length.checked_sub(1).and_then(|last| steps.get(last)).copied().unwrap_or(0);
        }
        if part.get(length) == Some(byte) {
            length += 1;
        }
        if let Some(step) = steps.get_mut(at) {
            *step = length;
        }
    }
    steps
}
