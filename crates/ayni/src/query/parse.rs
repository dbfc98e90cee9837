//! Selectors from JSON, as Mango writes them.

use std::str::FromStr;

use ayni_doc::{JsonError, Path, PathError, Value};
use serde_json::Value as Json;

use super::words::parse_words;
use super::{Selector, Test};

/// How deep selectors may stand inside each other.
const DEPTH: usize = 32;
/// The operators on a value.
const OPERATORS: &str = "$eq, $gt, $gte, $lt, $lte, $in, $exists";
/// The operators on selectors.
const COMBINATIONS: &str = "$and, $or";

/// Why a text or JSON value is no selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectorError {
    /// It does not parse.
    #[error("the selector is not JSON: {0}; write {{\"field\": value}} or field=value")]
    NotJson(String),
    /// A selector that is not an object.
    #[error("{0} must be an object such as {{\"field\": value}}")]
    NotAnObject(&'static str),
    /// An operator that is not known where it stands.
    #[error("{operator} is not known {place}: there are {known}")]
    Operator {
        /// What was written.
        operator: String,
        /// Where it was written.
        place: &'static str,
        /// What could stand there.
        known: &'static str,
    },
    /// Operators beside field names in one object.
    #[error("operators and names of inner fields cannot stand in one object, as in {0:?}")]
    Mixed(String),
    /// An operator that wants another kind of value.
    #[error("{operator} wants {wanted}")]
    Operand {
        /// The operator.
        operator: &'static str,
        /// What it wants.
        wanted: &'static str,
    },
    /// A name that leads nowhere.
    #[error("{0:?} is no field: {1}")]
    Path(String, PathError),
    /// A value that no field can have.
    #[error("the value for {0}: {1}")]
    Value(String, JsonError),
    /// A word that is no `field=value`.
    #[error("{0:?} is no condition: write field=value, field>value, field>=value, field<value, field<=value or field")]
    Word(String),
    /// Selectors too deep inside each other.
    #[error("selectors can stand {DEPTH} deep inside each other at most")]
    TooDeep,
}

impl Selector {
    /// The selector that `json` is: see `docs/queries.md`.
    pub fn from_json(json: &Json) -> Result<Self, SelectorError> {
        combined(json, "a selector", DEPTH)
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    /// From JSON if it begins with `{`, else from words: `country=PE population>=10000`.
    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let text = text.trim();
        if text.starts_with(['{', '[']) {
            let json = serde_json::from_str(text).map_err(|error| SelectorError::NotJson(error.to_string()))?;
            return Self::from_json(&json);
        }
        parse_words(text)
    }
}

/// An object of conditions at the top of a document.
fn combined(json: &Json, what: &'static str, depth: usize) -> Result<Selector, SelectorError> {
    let depth = depth.checked_sub(1).ok_or(SelectorError::TooDeep)?;
    let members = json.as_object().ok_or(SelectorError::NotAnObject(what))?;
    let conditions = members.iter().map(|(name, json)| match name.as_str() {
        "$and" => Ok(Selector::All(branches(json, "$and", depth)?)),
        "$or" => Ok(Selector::Any(branches(json, "$or", depth)?)),
        _ if name.starts_with('$') => Err(unknown(name, "as a condition of its own", COMBINATIONS)),
        _ => field(&path(name)?, json, depth),
    });
    Ok(all(conditions.collect::<Result<_, _>>()?))
}

fn branches(json: &Json, operator: &'static str, depth: usize) -> Result<Vec<Selector>, SelectorError> {
    let list = json.as_array().ok_or(SelectorError::Operand { operator, wanted: "a list of selectors" })?;
    list.iter().map(|json| combined(json, "each selector in $and and $or", depth)).collect()
}

/// What must hold for the value at `path`: a value, operators, or conditions on what is inside it.
fn field(path: &Path, json: &Json, depth: usize) -> Result<Selector, SelectorError> {
    let depth = depth.checked_sub(1).ok_or(SelectorError::TooDeep)?;
    let value = || value(path, json);
    let Some(members) = json.as_object().filter(|members| !members.is_empty()) else {
        return Ok(Selector::field(path.clone(), Test::Eq(value()?)));
    };
    let operators = members.keys().filter(|name| OPERATORS.split(", ").any(|known| known == name.as_str())).count();
    if operators == members.len() {
        let tests =
            members.iter().map(|(operator, json)| Ok(Selector::field(path.clone(), test(path, operator, json)?)));
        return Ok(all(tests.collect::<Result<_, _>>()?));
    }
    if let Ok(single) = value()
        && !matches!(single, Value::Map(_))
    {
        return Ok(Selector::field(path.clone(), Test::Eq(single)));
    }
    match members.keys().find(|name| name.starts_with('$')) {
        Some(_) if operators > 0 => Err(SelectorError::Mixed(path.to_string())),
        Some(name) => Err(unknown(name, "on a field", OPERATORS)),
        None => {
            let inner = |(name, json): (&String, &Json)| field(&self::inner(path, name)?, json, depth);
            Ok(all(members.iter().map(inner).collect::<Result<_, _>>()?))
        }
    }
}

fn test(path: &Path, operator: &str, json: &Json) -> Result<Test, SelectorError> {
    let operand = || value(path, json);
    Ok(match operator {
        "$eq" => Test::Eq(operand()?),
        "$gt" => Test::Gt(operand()?),
        "$gte" => Test::Gte(operand()?),
        "$lt" => Test::Lt(operand()?),
        "$lte" => Test::Lte(operand()?),
        "$in" => {
            let list = json.as_array().ok_or(SelectorError::Operand { operator: "$in", wanted: "a list of values" })?;
            Test::In(list.iter().map(|json| value(path, json)).collect::<Result<_, _>>()?)
        }
        "$exists" => {
            let wanted = "true or false";
            Test::Exists(json.as_bool().ok_or(SelectorError::Operand { operator: "$exists", wanted })?)
        }
        _ => return Err(unknown(operator, "on a field", OPERATORS)),
    })
}

/// All of `selectors`; a single one stands for itself.
pub(super) fn all(mut selectors: Vec<Selector>) -> Selector {
    match selectors.pop() {
        Some(only) if selectors.is_empty() => only,
        last => {
            selectors.extend(last);
            Selector::All(selectors)
        }
    }
}

fn unknown(operator: &str, place: &'static str, known: &'static str) -> SelectorError {
    SelectorError::Operator { operator: operator.chars().take(40).collect(), place, known }
}

/// The path that `text` writes.
pub(super) fn path(text: &str) -> Result<Path, SelectorError> {
    text.parse().map_err(|error| SelectorError::Path(text.chars().take(80).collect(), error))
}

fn inner(outer: &Path, text: &str) -> Result<Path, SelectorError> {
    let names = outer.names().iter().chain(path(text)?.names()).cloned().collect::<Vec<_>>();
    Path::new(names).map_err(|error| SelectorError::Path(text.chars().take(80).collect(), error))
}

/// The value that `json` is, for the field at `path`.
pub(super) fn value(path: &Path, json: &Json) -> Result<Value, SelectorError> {
    Value::from_json(json).map_err(|error| SelectorError::Value(path.to_string(), error))
}
