//! Tests: what a value must be.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ayni_doc::{Path, Value};
use regex::{Regex, RegexBuilder};

/// What a value must be.
///
/// Values are compared by [`Value::compare`]: types in CouchDB's order, integers and floats as one type. Where there is no
/// value all fail but [`Test::Exists`]`(false)`, [`Test::Ne`] to anything but null, and those of their kind in
/// [`Test::And`], [`Test::Or`] and [`Test::Not`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Test {
    /// Equal.
    Eq(Value),
    /// Not equal, or not there; what is not there counts as null.
    Ne(Value),
    /// After it.
    Gt(Value),
    /// At or after it.
    Gte(Value),
    /// Before it.
    Lt(Value),
    /// At or before it.
    Lte(Value),
    /// Equal to one of them; of a list, one of its items is.
    In(Vec<Value>),
    /// There, and not equal to any of them; of a list, none of its items is.
    Nin(Vec<Value>),
    /// There, `null` included, or not there.
    Exists(bool),
    /// Of this type.
    Type(Type),
    /// A list of so many items.
    Size(u64),
    /// A whole number that leaves this remainder when divided, of the sign of the number.
    Mod {
        /// By what it is divided; not 0.
        divisor: i64,
        /// What must be left.
        remainder: i64,
    },
    /// A text in which the pattern is found.
    Regex(Pattern),
    /// A text that begins like this.
    BeginsWith(String),
    /// A list that has each of them among its items.
    All(Vec<Value>),
    /// A list with an item that passes.
    ElemMatch(Box<Test>),
    /// A list of which all items pass, and that has one.
    AllMatch(Box<Test>),
    /// A map (or list) with a value at a path inside that passes.
    Inner(Path, Box<Test>),
    /// All of them pass; none: always.
    And(Vec<Test>),
    /// At least one of them passes; none: never.
    Or(Vec<Test>),
    /// It does not pass.
    Not(Box<Test>),
}

/// A type of values, by the names that CouchDB gives them and our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Type {
    /// `null`.
    Null,
    /// True or false.
    Boolean,
    /// An integer or float.
    Number,
    /// Text.
    String,
    /// A list.
    Array,
    /// A map or a geometry: what is an object in JSON.
    Object,
    /// Bytes.
    Bytes,
    /// Another document.
    Reference,
    /// A file.
    Attachment,
    /// A geometry.
    Geometry,
}

/// A regular expression, in the syntax of the crate [`regex`](https://docs.rs/regex): Perl's, without look-around and
/// back-references. Two are equal if they are written alike.
#[derive(Clone)]
pub struct Pattern(Regex);

/// The longest pattern, in bytes.
const PATTERN_BYTES: usize = 1 << 12;
/// The most memory that a compiled pattern takes, in bytes.
const COMPILED_BYTES: usize = 1 << 20;
/// Bytes of a text times those of a compiled pattern that take about a second, at the worst.
const SECOND_OF_WORK: usize = 1 << 37;

impl Test {
    /// Whether a value passes, or its absence does.
    pub fn passes(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Exists(expected) => return value.is_some() == *expected,
            Self::Ne(operand) => return value.unwrap_or(&Value::Null).compare(operand).is_ne(),
            Self::And(tests) => return tests.iter().all(|test| test.passes(value)),
            Self::Or(tests) => return tests.iter().any(|test| test.passes(value)),
            Self::Not(test) => return !test.passes(value),
            _ => {}
        }
        let Some(value) = value else { return false };
        let to = |operand: &Value| value.compare(operand);
        match self {
            Self::Eq(operand) => to(operand).is_eq(),
            Self::Gt(operand) => to(operand).is_gt(),
            Self::Gte(operand) => to(operand).is_ge(),
            Self::Lt(operand) => to(operand).is_lt(),
            Self::Lte(operand) => to(operand).is_le(),
            Self::In(operands) => is_among(value, operands),
            Self::Nin(operands) => !is_among(value, operands),
            Self::Type(expected) => expected.is_of(value),
            Self::Size(size) => value.as_list().is_some_and(|items| items.len() as u64 == *size),
            Self::Mod { divisor, remainder } => {
                // The least integer has no remainder by -1, though 64 bits cannot divide it.
                let [divisor, remainder] = [*divisor, *remainder].map(i128::from);
                whole(value).and_then(|whole| i128::from(whole).checked_rem(divisor)) == Some(remainder)
            }
            Self::Regex(pattern) => value.as_text().is_some_and(|text| pattern.is_found_in(text)),
            Self::BeginsWith(beginning) => value.as_text().is_some_and(|text| text.starts_with(beginning)),
            Self::All(operands) => value.as_list().is_some_and(|items| operands.iter().all(|one| holds(items, one))),
            Self::ElemMatch(test) => {
                value.as_list().is_some_and(|items| items.iter().any(|item| test.passes(Some(item))))
            }
            Self::AllMatch(test) => value
                .as_list()
                .is_some_and(|items| !items.is_empty() && items.iter().all(|item| test.passes(Some(item)))),
            Self::Inner(path, test) => test.passes(descend(value, path.names())),
            Self::Exists(_) | Self::Ne(_) | Self::And(_) | Self::Or(_) | Self::Not(_) => false,
        }
    }
}

fn is_among(value: &Value, operands: &[Value]) -> bool {
    match value {
        Value::List(items) => operands.iter().any(|operand| holds(items, operand)),
        _ => operands.iter().any(|operand| value.compare(operand) == Ordering::Equal),
    }
}

fn holds(items: &[Value], wanted: &Value) -> bool {
    items.iter().any(|item| item.compare(wanted) == Ordering::Equal)
}

/// The whole number that a value is, a float without a fraction included.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(int) => Some(*int),
        Value::Float(float) if float.fract() == 0.0 && float.abs() < i64::MAX as f64 => Some(*float as i64),
        _ => None,
    }
}

/// The value that names lead to through maps, and through lists by the number of the item, from 0.
pub(super) fn descend<'v>(value: &'v Value, names: &[Arc<str>]) -> Option<&'v Value> {
    names.iter().try_fold(value, |value, name| match value {
        Value::List(items) => items.get(item_number(name)?),
        other => other.get(name),
    })
}

/// The number that a name is, as it is written in paths through lists.
pub(super) fn item_number(name: &str) -> Option<usize> {
    let number = name.parse().ok()?;
    (name == "0" || !name.starts_with(['0', '+'])).then_some(number)
}

impl Type {
    /// All of them, with their names.
    pub(super) const NAMES: [(&'static str, Self); 10] = [
        ("null", Self::Null),
        ("boolean", Self::Boolean),
        ("number", Self::Number),
        ("string", Self::String),
        ("array", Self::Array),
        ("object", Self::Object),
        ("bytes", Self::Bytes),
        ("reference", Self::Reference),
        ("attachment", Self::Attachment),
        ("geometry", Self::Geometry),
    ];

    /// Whether a value is of this type.
    pub fn is_of(self, value: &Value) -> bool {
        match self {
            Self::Null => matches!(value, Value::Null),
            Self::Boolean => matches!(value, Value::Bool(_)),
            Self::Number => matches!(value, Value::Int(_) | Value::Float(_)),
            Self::String => matches!(value, Value::Text(_)),
            Self::Array => matches!(value, Value::List(_)),
            Self::Object => matches!(value, Value::Map(_) | Value::Geometry(_)),
            Self::Bytes => matches!(value, Value::Bytes(_)),
            Self::Reference => matches!(value, Value::Reference(_)),
            Self::Attachment => matches!(value, Value::Attachment(_)),
            Self::Geometry => matches!(value, Value::Geometry(_)),
        }
    }
}

impl Pattern {
    /// Whether it is found anywhere in a text.
    pub fn is_found_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// In a text of so many bytes it is looked for within about a second, whatever stands there. The time is bounded by the
    /// product of the text's length and the compiled pattern's, and its length is found by trying.
    pub(crate) fn text_bytes(&self) -> usize {
        let fits = |bytes: &usize| RegexBuilder::new(self.as_str()).size_limit(*bytes).build().is_ok();
        let compiled = std::iter::successors(Some(COMPILED_BYTES / 64), |bytes| Some(bytes * 2)).take(6).find(fits);
        SECOND_OF_WORK / compiled.unwrap_or(COMPILED_BYTES)
    }

    /// What every text begins with in which it is found: `San ` for `^San (Juan|Pedro)`. Empty where that cannot be told.
    pub(super) fn beginning(&self) -> &str {
        let Some(rest) = self.as_str().strip_prefix('^') else { return "" };
        let plain = |letter: char| letter.is_alphanumeric() || letter == ' ';
        let end = rest.find(|letter| !plain(letter)).unwrap_or(rest.len());
        let (beginning, after) = rest.split_at(end);
        if rest.contains('|') {
            return "";
        }
        // What follows may ask for none of the last letter.
        match after.starts_with(['*', '?', '{']) {
            true => beginning.char_indices().last().map_or("", |(at, _)| &beginning[..at]),
            false => beginning,
        }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.len() > PATTERN_BYTES {
            return Err(PatternError(format!("{} bytes are too long, {PATTERN_BYTES} are possible", text.len())));
        }
        let compiled = RegexBuilder::new(text).size_limit(COMPILED_BYTES).build();
        // The last line says what is wrong, those before show where.
        compiled.map(Self).map_err(|error| {
            let told = error.to_string();
            let last = told.lines().last().unwrap_or_default();
            PatternError(last.trim_start_matches("error: ").to_owned())
        })
    }
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}
