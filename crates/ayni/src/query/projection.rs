//! Which fields of a document a query shows.

use std::str::FromStr;
use std::sync::Arc;

use ayni_doc::{Map, Path, PathError, Value};

use super::Lookup;

/// The fields to show, nested as they were.
///
/// As text: `name,address.city`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Projection(Vec<Path>);

impl Projection {
    /// The values at these paths.
    pub fn new(paths: impl IntoIterator<Item = Path>) -> Self {
        Self(paths.into_iter().collect())
    }

    /// The paths that are shown.
    pub fn paths(&self) -> &[Path] {
        &self.0
    }

    /// What `document` has at the paths.
    pub fn of(&self, document: &impl Lookup) -> Map {
        let mut shown = Map::new();
        for path in &self.0 {
            if let Some(value) = document.lookup(path) {
                place(&mut shown, path.names(), value.into_owned());
            }
        }
        shown
    }
}

/// Puts `value` where `names` lead, beside what is there; a map that is shown whole stays whole.
fn place(shown: &mut Map, names: &[Arc<str>], value: Value) {
    let Some((name, inner)) = names.split_first() else { return };
    if inner.is_empty() {
        shown.insert(name.to_string(), value);
        return;
    }
    if let Value::Map(map) = shown.entry(name.to_string()).or_insert_with(|| Value::Map(Map::new())) {
        place(map, inner, value);
    }
}

impl FromStr for Projection {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_shown_nested_as_they_were() {
        let address = Map::from([("city".into(), "Lima".into()), ("street".into(), "Sol".into())]);
        let document = Map::from([("name".into(), "Ana".into()), ("address".into(), address.clone().into())]);
        let shown = |fields: &str| fields.parse::<Projection>().unwrap().of(&document);
        let city = Value::Map(Map::from([("city".into(), "Lima".into())]));
        assert_eq!(shown("address.city, none"), Map::from([("address".into(), city)]));
        assert_eq!(shown("name,address,address.city"), document);
        assert_eq!(shown("address.city,address")["address"], address.into());
        assert_eq!(shown(""), Map::new());
    }
}
