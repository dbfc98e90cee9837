//! Reading a search as it is typed.

use super::{MOST_TERMS, Role, SearchError, Term};

/// The words and phrases of a search, and what each is to the ones before.
pub(super) fn terms(text: &str) -> Result<Vec<Term>, SearchError> {
    let mut terms: Vec<Term> = Vec::new();
    let mut or = false;
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, after) = next(rest)?;
        rest = after.trim_start();
        if let Word::Plain("OR") = word {
            if or || terms.last().is_none_or(|before| before.role == Role::Not) {
                return Err(SearchError::Or);
            }
            or = true;
            continue;
        }
        terms.push(term(word, std::mem::take(&mut or))?);
    }
    if or {
        return Err(SearchError::Or);
    }
    match terms.len() {
        0 => Err(SearchError::Empty),
        count if count > MOST_TERMS => Err(SearchError::Terms(count)),
        _ if terms.iter().all(|term| term.role == Role::Not) => Err(SearchError::OnlyWithout),
        _ => Ok(terms),
    }
}

/// What stands between spaces.
enum Word<'t> {
    Plain(&'t str),
    Quoted { text: &'t str, without: bool, beginning: bool },
}

/// Quotation marks by which a phrase begins, each with those that end it.
fn closing(opening: char) -> Option<&'static [char]> {
    match opening {
        '"' => Some(&['"']),
        '“' | '”' | '„' => Some(&['“', '”', '"']),
        '«' => Some(&['»']),
        _ => None,
    }
}

/// The word at the start of a text, and what follows it.
fn next(text: &str) -> Result<(Word<'_>, &str), SearchError> {
    let (without, inner) = match text.strip_prefix('-') {
        Some(inner) => (true, inner),
        None => (false, text),
    };
    let opening = inner.chars().next();
    if let Some((opening, closing)) = opening.and_then(|opening| Some((opening, closing(opening)?))) {
        let inner = inner.strip_prefix(opening).unwrap_or(inner);
        let Some((phrase, after)) = inner.split_once(closing) else {
            return Err(SearchError::Unclosed(inner.trim().to_owned()));
        };
        let (beginning, after) = match after.strip_prefix('*') {
            Some(after) => (true, after),
            None => (false, after),
        };
        return Ok((Word::Quoted { text: phrase, without, beginning }, after));
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, after) = text.split_at_checked(end).unwrap_or((text, ""));
    Ok((Word::Plain(word), after))
}

fn term(word: Word<'_>, or: bool) -> Result<Term, SearchError> {
    let (text, without, beginning) = match word {
        Word::Quoted { text, without, beginning } => (text, without, beginning),
        Word::Plain(word) => {
            let (without, text) = match word.strip_prefix('-') {
                Some(text) => (true, text),
                None => (false, word),
            };
            match text.strip_suffix('*') {
                Some(text) => (text, without, true),
                None => (text, without, false),
            }
        }
    };
    let role = match (or, without) {
        (true, true) => return Err(SearchError::Or),
        (true, false) => Role::Or,
        (false, true) => Role::Not,
        (false, false) => Role::And,
    };
    Ok(Term { text: text.to_owned(), beginning, role })
}
