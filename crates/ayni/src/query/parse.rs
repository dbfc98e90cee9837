//! Selectors from JSON, as Mango writes them.

use std::str::FromStr;

use ayni_doc::{JsonError, Path, PathError, Value};
use serde_json::Value as Json;

use super::value_test::Type;
use super::words::parse_words;
use super::{PatternError, Selector, Test};

/// How deep selectors may stand inside each other.
const DEPTH: usize = 32;
/// The operators on a value.
const OPERATORS: &str = "$eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $type, $size, $mod, $regex, $beginsWith, $all, \
    $elemMatch, $allMatch, $not, $and, $or, $nor";
/// The operators on selectors.
const COMBINATIONS: &str = "$and, $or, $nor, $not";

/// Why a text or JSON value is no selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectorError {
    /// It does not parse.
    #[error("the selector is not JSON: {0}; write {{\"field\": value}} or field=value")]
    NotJson(String),
    /// A selector that is not an object.
    #[error("{0} must be an object: write {{\"field\": value}}")]
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
    /// A pattern that is none.
    #[error("the pattern {0:?} cannot be used: {1}")]
    Pattern(String, PatternError),
    /// A name that leads nowhere.
    #[error("{0:?} is no field: {1}")]
    Path(String, PathError),
    /// A value that no field can have.
    #[error("the value for {0}: {1}")]
    Value(String, JsonError),
    /// A word that is no `field=value`.
    #[error(
        "{0:?} is no condition: write field=value, field!=value, field>value, field>=value, field<value, field<=value, field~pattern or field"
    )]
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
    let each = |json, operator| branches(json, operator, |json| combined(json, "each selector in a list", depth));
    let conditions = members.iter().map(|(name, json)| match name.as_str() {
        "$and" => Ok(Selector::And(each(json, "$and")?)),
        "$or" => Ok(Selector::Or(each(json, "$or")?)),
        "$nor" => Ok(Selector::Not(Box::new(Selector::Or(each(json, "$nor")?)))),
        "$not" => Ok(Selector::Not(Box::new(combined(json, "what stands in $not", depth)?))),
        _ if name.starts_with('$') => Err(unknown(name, "as a condition of its own", COMBINATIONS)),
        _ => field(&path(name)?, json, depth),
    });
    Ok(all(conditions.collect::<Result<_, _>>()?))
}

fn branches<T>(
    json: &Json,
    operator: &'static str,
    read: impl Fn(&Json) -> Result<T, SelectorError>,
) -> Result<Vec<T>, SelectorError> {
    let list = json.as_array().ok_or(SelectorError::Operand { operator, wanted: "a list of selectors" })?;
    list.iter().map(read).collect()
}

/// What an object says of a value.
enum Said<'j> {
    /// It is this value.
    Value(Value),
    /// Operators with their operands.
    Operators(Vec<(&'j String, &'j Json)>),
    /// Conditions on what is inside it, by name.
    Inner(Vec<(&'j String, &'j Json)>),
}

/// What `json` says of the value of which `what` tells.
fn said<'j>(json: &'j Json, what: &str) -> Result<Said<'j>, SelectorError> {
    let Some(members) = json.as_object().filter(|members| !members.is_empty()) else {
        return Ok(Said::Value(value(what, json)?));
    };
    let is_operator = |name: &&String| OPERATORS.split(", ").any(|known| known == name.as_str());
    let operators = members.keys().filter(is_operator).count();
    if operators == members.len() {
        return Ok(Said::Operators(members.iter().collect()));
    }
    if let Ok(single) = value(what, json)
        && !matches!(single, Value::Map(_))
    {
        return Ok(Said::Value(single));
    }
    match members.keys().find(|name| name.starts_with('$')) {
        Some(_) if operators > 0 => Err(SelectorError::Mixed(what.to_owned())),
        Some(name) => Err(unknown(name, "on a field", OPERATORS)),
        None => Ok(Said::Inner(members.iter().collect())),
    }
}

/// What must hold for the value at `path`: a value, operators, or conditions on what is inside it.
fn field(path: &Path, json: &Json, depth: usize) -> Result<Selector, SelectorError> {
    let depth = depth.checked_sub(1).ok_or(SelectorError::TooDeep)?;
    let what = path.to_string();
    Ok(match said(json, &what)? {
        Said::Value(value) => Selector::field(path.clone(), Test::Eq(value)),
        Said::Operators(members) => {
            let tests = members.into_iter().map(|(operator, json)| test(&what, operator, json, depth));
            all(tests.map(|test| Ok(Selector::field(path.clone(), test?))).collect::<Result<_, _>>()?)
        }
        Said::Inner(members) => {
            let inner = |(name, json): (&String, &Json)| field(&self::inner(path, name)?, json, depth);
            all(members.into_iter().map(inner).collect::<Result<_, _>>()?)
        }
    })
}

/// What must hold for a value by itself: an item of a list, or what an operator is about.
fn item(what: &str, json: &Json, depth: usize) -> Result<Test, SelectorError> {
    let depth = depth.checked_sub(1).ok_or(SelectorError::TooDeep)?;
    let mut tests: Vec<Test> = match said(json, what)? {
        Said::Value(value) => vec![Test::Eq(value)],
        Said::Operators(members) => {
            let tests = members.into_iter().map(|(operator, json)| test(what, operator, json, depth));
            tests.collect::<Result<_, _>>()?
        }
        Said::Inner(members) => {
            let inner = |(name, json): (&String, &Json)| {
                Ok(Test::Inner(path(name)?, Box::new(item(&format!("{what}.{name}"), json, depth)?)))
            };
            members.into_iter().map(inner).collect::<Result<_, _>>()?
        }
    };
    Ok(if tests.len() == 1 { tests.remove(0) } else { Test::And(tests) })
}

fn test(what: &str, operator: &str, json: &Json, depth: usize) -> Result<Test, SelectorError> {
    let operand = || value(what, json);
    let wants = |operator, wanted| SelectorError::Operand { operator, wanted };
    let values = |operator| {
        let list = json.as_array().ok_or(wants(operator, "a list of values"))?;
        list.iter().map(|json| value(what, json)).collect::<Result<Vec<_>, _>>()
    };
    let text = |operator| json.as_str().ok_or(wants(operator, "a text"));
    let inside = || Ok::<_, SelectorError>(Box::new(item(what, json, depth)?));
    let each = |operator| branches(json, operator, |json| item(what, json, depth));
    Ok(match operator {
        "$eq" => Test::Eq(operand()?),
        "$ne" => Test::Ne(operand()?),
        "$gt" => Test::Gt(operand()?),
        "$gte" => Test::Gte(operand()?),
        "$lt" => Test::Lt(operand()?),
        "$lte" => Test::Lte(operand()?),
        "$in" => Test::In(values("$in")?),
        "$nin" => Test::Nin(values("$nin")?),
        "$all" => Test::All(values("$all")?),
        "$exists" => Test::Exists(json.as_bool().ok_or(wants("$exists", "true or false"))?),
        "$type" => {
            let named = Type::NAMES.iter().find(|(name, _)| Some(*name) == json.as_str());
            let wanted = "null, boolean, number, string, array, object, geometry, bytes, reference or attachment";
            Test::Type(named.ok_or(wants("$type", wanted))?.1)
        }
        "$size" => Test::Size(json.as_u64().ok_or(wants("$size", "how many items: a whole number"))?),
        "$mod" => match json.as_array().map(Vec::as_slice) {
            Some([divisor, remainder]) => match (divisor.as_i64(), remainder.as_i64()) {
                (Some(divisor), Some(remainder)) if divisor != 0 => Test::Mod { divisor, remainder },
                _ => return Err(wants("$mod", "two whole numbers, [divisor, remainder], the first of them not 0")),
            },
            _ => return Err(wants("$mod", "two whole numbers, [divisor, remainder], the first of them not 0")),
        },
        "$regex" => Test::Regex(pattern(text("$regex")?)?),
        "$beginsWith" => Test::BeginsWith(text("$beginsWith")?.to_owned()),
        "$elemMatch" => Test::ElemMatch(inside()?),
        "$allMatch" => Test::AllMatch(inside()?),
        "$not" => Test::Not(inside()?),
        "$and" => Test::And(each("$and")?),
        "$or" => Test::Or(each("$or")?),
        "$nor" => Test::Not(Box::new(Test::Or(each("$nor")?))),
        _ => return Err(unknown(operator, "on a field", OPERATORS)),
    })
}

/// The pattern that `text` writes.
pub(super) fn pattern(text: &str) -> Result<super::Pattern, SelectorError> {
    text.parse().map_err(|error| SelectorError::Pattern(text.chars().take(80).collect(), error))
}

/// All of `selectors`; a single one stands for itself.
pub(super) fn all(mut selectors: Vec<Selector>) -> Selector {
    match selectors.pop() {
        Some(only) if selectors.is_empty() => only,
        last => {
            selectors.extend(last);
            Selector::And(selectors)
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

/// The value that `json` is, for the field of which `what` tells.
pub(super) fn value(what: &str, json: &Json) -> Result<Value, SelectorError> {
    Value::from_json(json).map_err(|error| SelectorError::Value(what.to_owned(), error))
}
