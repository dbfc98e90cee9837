//! Selectors in words, for the terminal: `country=PE population>=10000`.

use ayni_doc::Value;
use serde_json::Value as Json;

use super::parse::{all, path, pattern, value};
use super::{Selector, SelectorError, Test};

/// Makes a test of a value.
type Comparison = fn(Value) -> Test;

/// The operators, those first that begin like another.
const COMPARISONS: [(&str, Comparison); 6] =
    [(">=", Test::Gte), ("<=", Test::Lte), ("!=", Test::Ne), (">", Test::Gt), ("<", Test::Lt), ("=", Test::Eq)];

/// All of the conditions between the spaces of `text`.
pub(super) fn parse_words(text: &str) -> Result<Selector, SelectorError> {
    Ok(all(words(text).into_iter().map(condition).collect::<Result<_, _>>()?))
}

/// What stands between white space outside quotes.
fn words(text: &str) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    let outside = |letter: char| {
        let ends = !quoted && letter.is_whitespace();
        quoted ^= letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        ends
    };
    text.split(outside).filter(|word| !word.is_empty()).collect()
}

/// `field`, or a field, an operator and a value.
fn condition(word: &str) -> Result<Selector, SelectorError> {
    let wrong = || SelectorError::Word(word.chars().take(80).collect());
    let Some(at) = operator_at(word) else {
        return Ok(Selector::field(path(word)?, Test::Exists(true)));
    };
    let (field, rest) = word.split_at(at);
    if let Some(text) = rest.strip_prefix('~').filter(|_| !field.is_empty()) {
        // As it stands, or in quotes where it has a space.
        let text = serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_owned());
        return Ok(Selector::field(path(field)?, Test::Regex(pattern(&text)?)));
    }
    let found = COMPARISONS.iter().find_map(|(operator, test)| Some((test, rest.strip_prefix(operator)?)));
    let (test, operand) = found.ok_or_else(wrong)?;
    if field.is_empty() || operand.is_empty() || operand.starts_with(['=', '<', '>']) {
        return Err(wrong());
    }
    let json = match serde_json::from_str(operand) {
        Ok(json) => json,
        Err(_) if !operand.starts_with(['"', '{', '[']) => Json::String(operand.to_owned()),
        Err(error) => return Err(SelectorError::NotJson(error.to_string())),
    };
    let path = path(field)?;
    let value = value(field, &json)?;
    Ok(Selector::field(path, test(value)))
}

/// Where the first of `=`, `<`, `>`, `~` and `!=` stands that is not behind a backslash.
fn operator_at(word: &str) -> Option<usize> {
    let mut escaped = false;
    let operator = |(at, letter): &(usize, char)| {
        let unequal = word.get(*at..).is_some_and(|rest| rest.starts_with("!="));
        let found = !escaped && (unequal || matches!(letter, '=' | '<' | '>' | '~'));
        escaped = *letter == '\\' && !escaped;
        found
    };
    word.char_indices().find(operator).map(|(at, _)| at)
}
