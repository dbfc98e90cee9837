//! Searches: which words a document must have, as people type them.

mod parse;
mod rank;
pub(super) mod run;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use ayni_doc::{Map, Path, Value};
use ayni_store::{TextPhrase, TextQuery};
use thiserror::Error;

use crate::index::{Index, MOST_FIELDS, Tokenizer};
use crate::query::Lookup;
use crate::text::{Token, asked, column, tokens};

/// Which words documents must have, and in which fields.
///
/// As text: `water well` (both words, wherever they stand), `"water well"` (one after the other), `wat*` (words that begin
/// so), `-dry` (without this word), `well OR spring` (one of the two). Capitals and accents do not matter. What is a word
/// in which script, [docs/queries.md](https://github.com/ayni-db/ayni/blob/main/docs/queries.md#words) tells.
///
/// ```
/// use ayni::query::Search;
/// use ayni_doc::Map;
///
/// let search: Search = "agua poço OR \"water well\" -seco".parse()?;
/// let document = Map::from([("name".into(), "Poço d'Água".into())]);
/// assert!(search.matches(&document));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    written: String,
    terms: Vec<Term>,
    fields: Vec<Path>,
    tokenizer: Tokenizer,
    /// What `terms` are to an index of the tokenizer.
    query: TextQuery,
}

/// One word or phrase, as it was typed.
#[derive(Debug, Clone, PartialEq)]
struct Term {
    text: String,
    /// Words that begin so count too.
    beginning: bool,
    role: Role,
}

/// What a term is to the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It must stand there too.
    And,
    /// It or the one before.
    Or,
    /// It must not.
    Not,
}

/// A search that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SearchError {
    /// No word.
    #[error("no word to look for: write some, as in `water well`")]
    Empty,
    /// Words that documents must not have, and none that they must.
    #[error("only words that must not be there: add one that must, as in `well -dry`")]
    OnlyWithout,
    /// A word of which nothing can be looked for.
    #[error("{0:?} has no letter and no digit to look for: leave it out")]
    NoWord(String),
    /// A quotation mark without its other half.
    #[error("the quotation mark before {0:?} is not closed: put one after the phrase")]
    Unclosed(String),
    /// `OR` where it stands between no two words.
    #[error("OR stands between two words, as in `well OR spring`: for the word itself write \"OR\" in quotation marks")]
    Or,
    /// Too many words.
    #[error("{0} words and phrases, and at most {MOST_TERMS} can be looked for at once: leave some out")]
    Terms(usize),
    /// A phrase of too many words.
    #[error("a phrase of {0} words or signs, and it can have {MOST_TOKENS}: leave out its end")]
    Phrase(usize),
    /// Too many fields.
    #[error("a search in {0} fields: it can have {MOST_FIELDS}; none stands for all")]
    Fields(usize),
}

/// Words and phrases of one search at most.
const MOST_TERMS: usize = 64;
/// Tokens of one phrase at most.
const MOST_TOKENS: usize = 256;

impl FromStr for Search {
    type Err = SearchError;

    fn from_str(text: &str) -> Result<Self, SearchError> {
        let terms = parse::terms(text)?;
        let query = compile(&terms, Tokenizer::default())?;
        let written = text.trim().to_owned();
        Ok(Self { written, terms, fields: Vec::new(), tokenizer: Tokenizer::default(), query })
    }
}

impl fmt::Display for Search {
    /// As it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

fn compile(terms: &[Term], tokenizer: Tokenizer) -> Result<TextQuery, SearchError> {
    let mut query = TextQuery::default();
    for term in terms {
        let (tokens, prefix) = asked(&term.text, term.beginning, tokenizer);
        match tokens.len() {
            0 => return Err(SearchError::NoWord(term.text.clone())),
            1..=MOST_TOKENS => {}
            tokens => return Err(SearchError::Phrase(tokens)),
        }
        let phrase = TextPhrase { tokens, prefix };
        match (term.role, query.all.last_mut()) {
            (Role::Not, _) => query.none.push(phrase),
            (Role::Or, Some(group)) => group.push(phrase),
            (Role::Or, None) => return Err(SearchError::Or),
            (Role::And, _) => query.all.push(vec![phrase]),
        }
    }
    Ok(query)
}

impl Search {
    /// In these fields only. None stands for all texts of a document, also those in lists and maps.
    ///
    /// # Errors
    /// [`SearchError::Fields`] for more than an index can have.
    pub fn fields(mut self, fields: impl IntoIterator<Item = Path>) -> Result<Self, SearchError> {
        self.fields = fields.into_iter().collect();
        self.fields.dedup();
        match self.fields.len() {
            ..=MOST_FIELDS => Ok(self),
            fields => Err(SearchError::Fields(fields)),
        }
    }

    /// With another notion of what is found: [`Tokenizer::Trigrams`] finds letters also inside of words.
    ///
    /// # Errors
    /// [`SearchError::Phrase`] for a phrase that is too long for it.
    pub fn tokenizer(mut self, tokenizer: Tokenizer) -> Result<Self, SearchError> {
        self.query = compile(&self.terms, tokenizer)?;
        self.tokenizer = tokenizer;
        Ok(self)
    }

    /// Whether a document, or a map of fields, has the words.
    pub fn matches(&self, document: &impl Texts) -> bool {
        rank::holds(&self.query, &self.columns(document))
    }

    /// Where in a text words stand that are looked for: ranges of bytes, in order, that do not overlap.
    pub fn places_in(&self, text: &str) -> Vec<Range<usize>> {
        let tokens = tokens(text, self.tokenizer);
        let mut places: Vec<Range<usize>> = Vec::new();
        for phrase in self.query.all.iter().flatten() {
            let found = tokens.windows(phrase.tokens.len()).filter(|window| stands_in(phrase, window));
            places.extend(found.filter_map(|window| Some(window.first()?.place.start..window.last()?.place.end)));
        }
        places.sort_by_key(|place| (place.start, place.end));
        places.dedup_by(|next, before| {
            let overlaps = next.start < before.end;
            if overlaps {
                before.end = before.end.max(next.end);
            }
            overlaps
        });
        places
    }

    /// What is looked for in an index, if it is one of the same words that has all the fields asked for.
    pub(crate) fn in_index(&self, index: &Index) -> Option<TextQuery> {
        let Index::Text { fields, tokenizer } = index else { return None };
        if *tokenizer != self.tokenizer || self.fields.is_empty() != fields.is_empty() {
            return None;
        }
        let place = |field: &Path| fields.iter().position(|known| known == field);
        let columns = self.fields.iter().map(place).collect::<Option<Vec<usize>>>()?;
        let columns = (columns.len() < fields.len()).then_some(columns).filter(|columns| !columns.is_empty());
        Some(TextQuery { columns, ..self.query.clone() })
    }

    pub(crate) fn query(&self) -> &TextQuery {
        &self.query
    }

    /// The tokens of each field that is searched, as they would stand in an index.
    pub(crate) fn columns(&self, document: &impl Texts) -> Vec<String> {
        columns(&self.fields, self.tokenizer, document)
    }
}

/// The tokens of each field, as they stand in an index: one column of all texts for no field.
pub(crate) fn columns(fields: &[Path], tokenizer: Tokenizer, document: &impl Texts) -> Vec<String> {
    if fields.is_empty() {
        return vec![column(&texts(document.whole().values()), tokenizer)];
    }
    fields.iter().map(|field| column(&texts(document.lookup(field).as_deref()), tokenizer)).collect()
}

/// The texts in values, those in lists and maps too, in order.
pub(crate) fn texts<'v>(values: impl IntoIterator<Item = &'v Value>) -> Vec<&'v str> {
    fn collect<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Text(text) => found.push(text),
            Value::List(items) => items.iter().for_each(|item| collect(item, found)),
            Value::Map(fields) => fields.values().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    values.into_iter().for_each(|value| collect(value, &mut found));
    found
}

/// Whether tokens of a text, as many as the phrase has, are the phrase.
fn stands_in(phrase: &TextPhrase, window: &[Token]) -> bool {
    is_phrase(phrase, window.iter().map(|token| token.text.as_str()))
}

fn is_phrase<'t>(phrase: &TextPhrase, window: impl Iterator<Item = &'t str>) -> bool {
    let last = phrase.tokens.len().saturating_sub(1);
    phrase.tokens.iter().zip(window).enumerate().all(|(at, (asked, found))| {
        if phrase.prefix && at == last { found.starts_with(asked.as_str()) } else { found == asked }
    })
}

/// What has texts: a document, or a map of fields.
pub trait Texts: Lookup {
    /// All its fields.
    fn whole(&self) -> Map;
}

impl Texts for Map {
    fn whole(&self) -> Map {
        self.clone()
    }
}

impl Texts for ayni_doc::Document {
    fn whole(&self) -> Map {
        self.shown()
    }
}
