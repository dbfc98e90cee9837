//! Paths: where in a document a value stands.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ayni_log::codec::{DecodeError, Reader, Writer};
use ayni_log::limits;
use thiserror::Error;

use crate::DEPTH;

/// The names that lead from the top of a document to a field: one for a field at the top, more inside maps.
///
/// Cheap to clone. As text the names are joined by dots; a dot or backslash inside a name stands behind a backslash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Arc<[Arc<str>]>);

/// A text or list of names that is no path.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PathError {
    /// No name at all.
    #[error("a path needs at least one field name")]
    Empty,
    /// More than [`DEPTH`] names.
    #[error("{0} nested names in a path: at most {DEPTH} are possible")]
    Deep(usize),
    /// A name of more than [`limits::NAME_BYTES`].
    #[error("a field name of {0} bytes: at most {max} are possible", max = limits::NAME_BYTES)]
    Long(usize),
}

impl Path {
    /// From its names, outermost first.
    pub fn new<S: Into<Arc<str>>>(names: impl IntoIterator<Item = S>) -> Result<Self, PathError> {
        let names: Arc<[Arc<str>]> = names.into_iter().map(Into::into).collect();
        if names.is_empty() {
            return Err(PathError::Empty);
        }
        if names.len() > DEPTH {
            return Err(PathError::Deep(names.len()));
        }
        match names.iter().find(|name| name.len() > limits::NAME_BYTES) {
            Some(name) => Err(PathError::Long(name.len())),
            None => Ok(Self(names)),
        }
    }

    /// Its names, outermost first; never empty.
    pub fn names(&self) -> &[Arc<str>] {
        &self.0
    }

    pub(crate) fn encode(&self, out: &mut Writer) {
        out.varint(self.0.len() as u64);
        for name in self.0.iter() {
            out.text(name);
        }
    }

    pub(crate) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = input.count("names in a path", DEPTH)?;
        if count == 0 {
            return Err(DecodeError::Invalid("path"));
        }
        (0..count)
            .map(|_| input.text("field name", limits::NAME_BYTES).map(Arc::from))
            .collect::<Result<Arc<[_]>, _>>()
            .map(Self)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            f.write_str(&name.replace('\\', "\\\\").replace('.', "\\."))?;
        }
        Ok(())
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        let mut names = vec![String::new()];
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            let (split, char) = match char {
                '.' => (true, None),
                '\\' => (false, Some(chars.next().unwrap_or('\\'))),
                other => (false, Some(other)),
            };
            if split {
                names.push(String::new());
            }
            if let (Some(name), Some(char)) = (names.last_mut(), char) {
                name.push(char);
            }
        }
        Self::new(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_path_reads_back_from_its_text(names in proptest::collection::vec("[a.\\\\é]{0,4}", 1..5)) {
            prop_assume!(names != [""]);
            let path = Path::new(names).unwrap();
            prop_assert_eq!(path.to_string().parse::<Path>().unwrap(), path);
        }
    }

    #[test]
    fn a_path_beyond_the_limits_is_refused() {
        assert_eq!(Path::new([""; 0]), Err(PathError::Empty));
        assert_eq!(Path::new(["a"; DEPTH + 1]), Err(PathError::Deep(DEPTH + 1)));
        assert!(Path::new(["a".repeat(256)]).is_ok());
        assert_eq!(Path::new(["a".repeat(257)]), Err(PathError::Long(257)));
    }
}
