//! Indexes: what of a collection is kept in an order of its own, so that a query need not look at every document.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use ayni_doc::{Path, PathError};
use serde_json::{Value as Json, json};
use thiserror::Error;

use crate::interchange::ID;

/// Fields that an index of values, or one of text, can have.
pub(crate) const MOST_FIELDS: usize = 16;

/// What an index is made of.
///
/// As text it is the names of fields between commas, which is an index of values: `population`, `country,population`. As
/// JSON (in a schema) it is that text, or `["country", "population"]`, `{"text": ["name", "notes"]}` (`{"text": []}`: all
/// texts) or `{"geometry": "place"}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Index {
    /// The values of fields: in the order of the first, those alike in it in the order of the second, and so on. Serves
    /// comparisons, and sorting.
    Values(Vec<Path>),
    /// The words in the texts of fields.
    Text {
        /// The fields; none stands for all texts of a document.
        fields: Vec<Path>,
        /// What counts as a word.
        tokenizer: Tokenizer,
    },
    /// The places where the geometry in a field lies.
    Geometry(Path),
}

/// How text becomes the words that can be searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Tokenizer {
    /// Words as people of all languages separate them, without accents and capitals; each sign of Chinese and Japanese is
    /// one.
    #[default]
    Words,
    /// Every three letters in a row, without accents and capitals: finds also what stands inside of words.
    Trigrams,
}

/// No index can be made like this.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IndexError {
    /// A field whose name is none.
    #[error(transparent)]
    Path(#[from] PathError),
    /// No field, or too many.
    #[error("an index on {0} fields: it needs at least one, and can have {MOST_FIELDS}")]
    Fields(usize),
    /// The same field more than once.
    #[error("an index has {0} twice")]
    Twice(Path),
    /// A field of the name that stands for a document's id.
    #[error("no index on `_id` is needed: a document is found by its id at once")]
    Reserved,
    /// A tokenizer that there is not.
    #[error("no tokenizer {0:?}: there are \"words\" and \"trigrams\"")]
    Tokenizer(String),
    /// JSON that describes no index.
    #[error(
        "{0} is no index: an index is \"field\", [\"field\", …], {{\"text\": [\"field\", …], \"tokenizer\": \"words\"}} or {{\"geometry\": \"field\"}}"
    )]
    Form(Json),
}

impl Index {
    /// An index of the values of fields.
    ///
    /// # Errors
    /// [`IndexError`] for no field, too many, one twice, or `_id`.
    pub fn values(fields: impl IntoIterator<Item = Path>) -> Result<Self, IndexError> {
        Ok(Self::Values(checked(fields)?))
    }

    /// An index of the words in the texts of fields; of all texts, those in lists and maps too, if none is given.
    ///
    /// # Errors
    /// [`IndexError`] for too many, one twice, or `_id`.
    pub fn text(fields: impl IntoIterator<Item = Path>, tokenizer: Tokenizer) -> Result<Self, IndexError> {
        let mut fields = fields.into_iter().peekable();
        let fields = if fields.peek().is_none() { Vec::new() } else { checked(fields)? };
        Ok(Self::Text { fields, tokenizer })
    }

    /// An index of the places in a field.
    ///
    /// # Errors
    /// [`IndexError::Reserved`] for `_id`.
    pub fn geometry(field: Path) -> Result<Self, IndexError> {
        checked([field.clone()]).map(|_| Self::Geometry(field))
    }

    /// The fields that it is about.
    pub fn fields(&self) -> &[Path] {
        match self {
            Self::Values(fields) | Self::Text { fields, .. } => fields,
            Self::Geometry(field) => std::slice::from_ref(field),
        }
    }

    /// As JSON: how it stands in a schema.
    pub fn to_json(&self) -> Json {
        let names = |fields: &[Path]| fields.iter().map(ToString::to_string).collect::<Vec<_>>();
        match self {
            Self::Values(fields) => match names(fields).as_slice() {
                [field] if !field.contains(',') => json!(field),
                fields => json!(fields),
            },
            Self::Text { fields, tokenizer: Tokenizer::Words } => json!({"text": names(fields)}),
            Self::Text { fields, tokenizer } => json!({"text": names(fields), "tokenizer": tokenizer.name()}),
            Self::Geometry(field) => json!({"geometry": field.to_string()}),
        }
    }

    /// Reads what [`Index::to_json`] writes.
    ///
    /// # Errors
    /// [`IndexError`] for anything else.
    pub fn from_json(json: &Json) -> Result<Self, IndexError> {
        let form = || IndexError::Form(json.clone());
        let fields = |json: &Json| match json {
            Json::String(field) => Ok(vec![field.parse::<Path>()?]),
            Json::Array(fields) => {
                fields.iter().map(|field| Ok(field.as_str().ok_or_else(form)?.parse::<Path>()?)).collect()
            }
            _ => Err(form()),
        };
        let members = match json {
            Json::String(text) => return text.parse(),
            Json::Object(members) => members,
            json => return Self::values(fields(json)?),
        };
        let known = |name: &String| matches!(name.as_str(), "text" | "tokenizer" | "geometry");
        if !members.keys().all(known) {
            return Err(form());
        }
        match (members.get("text"), members.get("geometry"), members.get("tokenizer")) {
            (Some(text), None, None) => Self::text(fields(text)?, Tokenizer::default()),
            (Some(text), None, Some(name)) => Self::text(fields(text)?, name.as_str().ok_or_else(form)?.parse()?),
            (None, Some(field), None) => Self::geometry(field.as_str().ok_or_else(form)?.parse()?),
            _ => Err(form()),
        }
    }

    /// As the store keeps it.
    pub(crate) fn definition(&self) -> Vec<u8> {
        self.to_json().to_string().into_bytes()
    }

    /// Reads what [`Index::definition`] wrote, or the plain name of a field, as it stood there once.
    pub(crate) fn from_definition(definition: &[u8]) -> Option<Self> {
        match serde_json::from_slice::<Json>(definition) {
            Ok(json @ (Json::String(_) | Json::Array(_) | Json::Object(_))) => Self::from_json(&json).ok(),
            _ => std::str::from_utf8(definition).ok()?.parse().ok().map(|field| Self::Values(vec![field])),
        }
    }
}

fn checked(fields: impl IntoIterator<Item = Path>) -> Result<Vec<Path>, IndexError> {
    let fields: Vec<Path> = fields.into_iter().collect();
    if fields.is_empty() || fields.len() > MOST_FIELDS {
        return Err(IndexError::Fields(fields.len()));
    }
    let mut known = BTreeSet::new();
    for field in &fields {
        if field.names().first().is_some_and(|name| name.as_ref() == ID) {
            return Err(IndexError::Reserved);
        }
        if !known.insert(field) {
            return Err(IndexError::Twice(field.clone()));
        }
    }
    Ok(fields)
}

impl FromStr for Index {
    type Err = IndexError;

    fn from_str(text: &str) -> Result<Self, IndexError> {
        let fields = text.split(',').map(|field| field.trim().parse::<Path>()).collect::<Result<Vec<_>, _>>()?;
        Self::values(fields)
    }
}

impl TryFrom<&str> for Index {
    type Error = IndexError;

    fn try_from(text: &str) -> Result<Self, IndexError> {
        text.parse()
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.fields().iter().map(ToString::to_string).collect();
        match self {
            Self::Values(_) => f.write_str(&names.join(",")),
            Self::Text { fields, tokenizer } => {
                let what = match tokenizer {
                    Tokenizer::Words => "words",
                    Tokenizer::Trigrams => "letters",
                };
                let of = if fields.is_empty() { "all texts".to_owned() } else { names.join(",") };
                write!(f, "the {what} of {of}")
            }
            Self::Geometry(_) => write!(f, "the places of {}", names.join(",")),
        }
    }
}

impl Tokenizer {
    /// Its name in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Trigrams => "trigrams",
        }
    }
}

impl FromStr for Tokenizer {
    type Err = IndexError;

    fn from_str(name: &str) -> Result<Self, IndexError> {
        [Self::Words, Self::Trigrams]
            .into_iter()
            .find(|tokenizer| tokenizer.name() == name)
            .ok_or_else(|| IndexError::Tokenizer(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads_back(index: &str, json: Json) {
        let index = Index::from_json(&serde_json::from_str(index).unwrap()).unwrap();
        assert_eq!(index.to_json(), json);
        assert_eq!(Index::from_definition(&index.definition()), Some(index));
    }

    #[test]
    fn an_index_reads_back_from_json() {
        reads_back(r#""population""#, json!("population"));
        reads_back(r#"["a.b"]"#, json!("a.b"));
        reads_back(r#"["a,b"]"#, json!(["a,b"]));
        reads_back(r#""country,population""#, json!(["country", "population"]));
        reads_back(r#"["country", "population"]"#, json!(["country", "population"]));
        reads_back(r#"{"text": "name", "tokenizer": "words"}"#, json!({"text": ["name"]}));
        reads_back(
            r#"{"text": ["name", "notes"], "tokenizer": "trigrams"}"#,
            json!({"text": ["name", "notes"], "tokenizer": "trigrams"}),
        );
        reads_back(r#"{"text": []}"#, json!({"text": []}));
        reads_back(r#"{"geometry": "place"}"#, json!({"geometry": "place"}));
        assert_eq!(Index::from_definition(b"a.b"), Some("a.b".parse().unwrap()));
        assert_eq!(Index::from_definition(b"5"), Some("5".parse().unwrap()));
    }

    #[test]
    fn what_is_no_index_is_refused_with_its_reason() {
        let refused = |json: Json| Index::from_json(&json).unwrap_err();
        for json in [json!(5), json!([5]), json!({}), json!({"text": "a", "geometry": "b"}), json!({"geo": "b"})] {
            assert_eq!(refused(json.clone()), IndexError::Form(json));
        }
        assert_eq!(refused(json!([])), IndexError::Fields(0));
        assert_eq!(refused(json!(vec!["a"; MOST_FIELDS + 1])), IndexError::Fields(MOST_FIELDS + 1));
        assert_eq!(refused(json!(["a", "b", "a"])), IndexError::Twice("a".parse().unwrap()));
        assert_eq!(refused(json!("_id")), IndexError::Reserved);
        assert_eq!(refused(json!({"geometry": "_id.a"})), IndexError::Reserved);
        assert_eq!(refused(json!({"text": "a", "tokenizer": "x"})), IndexError::Tokenizer("x".into()));
        assert_eq!(refused(json!("")), IndexError::Path(PathError::Empty));
    }
}
