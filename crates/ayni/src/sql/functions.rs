//! Functions that SQL has here beside its own: ids of keys, patterns, places.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use ayni_doc::{Geometry, Position};
use ayni_store::sql::{SqlFunction, SqlValue, TableFailure};

use crate::error::Error;
use crate::project::Project;
use crate::query::{Area, Pattern};

type Called = Result<SqlValue, TableFailure>;

/// All of them.
pub(super) fn all(project: &Project) -> Vec<SqlFunction> {
    let of_project = project.clone();
    let patterns = Patterns::default();
    vec![
        function("id_of_key", 2, move |values| {
            let (Some(collection), Some(key)) = (text(values, 0), text(values, 1)) else { return Ok(SqlValue::Null) };
            let id = of_project.collection(collection).id_of_key(key)?;
            Ok(SqlValue::Text(id.to_string()))
        }),
        // `text REGEXP pattern` calls it the other way round.
        function("regexp", 2, move |values| {
            let (Some(pattern), Some(text)) = (text(values, 0), text(values, 1)) else { return Ok(SqlValue::Null) };
            Ok(SqlValue::Integer(i64::from(patterns.get(pattern)?.is_found_in(text)?)))
        }),
        function("longitude", 1, |values| Ok(point(values, 0).map_or(SqlValue::Null, |at| SqlValue::Real(at.x)))),
        function("latitude", 1, |values| Ok(point(values, 0).map_or(SqlValue::Null, |at| SqlValue::Real(at.y)))),
        function("metres_between", 2, |values| Ok(metres_between(values).map_or(SqlValue::Null, SqlValue::Real))),
    ]
}

fn function(
    name: &'static str,
    arguments: usize,
    call: impl Fn(&[SqlValue]) -> Called + Send + Sync + 'static,
) -> SqlFunction {
    SqlFunction { name, arguments, call: Arc::new(call) }
}

fn text(values: &[SqlValue], at: usize) -> Option<&str> {
    match values.get(at)? {
        SqlValue::Text(text) => Some(text),
        _ => None,
    }
}

/// The geometry that stands there as GeoJSON.
fn geometry(values: &[SqlValue], at: usize) -> Option<Geometry> {
    Geometry::from_json(&serde_json::from_str(text(values, at)?).ok()?)
}

fn point(values: &[SqlValue], at: usize) -> Option<Position> {
    match geometry(values, at)? {
        Geometry::Point(at) => Some(at),
        _ => None,
    }
}

/// How far a geometry is from a point, whichever comes first.
fn metres_between(values: &[SqlValue]) -> Option<f64> {
    let (place, other) = match point(values, 1) {
        Some(place) => (place, geometry(values, 0)?),
        None => (point(values, 0)?, geometry(values, 1)?),
    };
    Area::near(place, f64::INFINITY).ok()?.metres_to(&other.into())
}

/// The pattern asked for last, which is nearly always the one that is asked for next.
#[derive(Default)]
struct Patterns(Mutex<Option<BoundPattern>>);

impl Patterns {
    fn get(&self, text: &str) -> Result<BoundPattern, Error> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bound) = last.as_ref().filter(|bound| bound.pattern.as_str() == text) {
            return Ok(bound.clone());
        }
        let pattern = Pattern::from_str(text)
            .map_err(|error| Error::Query(format!("{text:?} is no pattern, {error}: see docs/queries.md")))?;
        let most = pattern.text_bytes();
        Ok(last.insert(BoundPattern { pattern, most }).clone())
    }
}

/// A pattern that is looked for in texts of so many bytes at the most: nothing can stop it in between.
#[derive(Clone)]
struct BoundPattern {
    pattern: Pattern,
    most: usize,
}

impl BoundPattern {
    fn is_found_in(&self, text: &str) -> Result<bool, Error> {
        if text.len() > self.most {
            let (pattern, bytes, most) = (self.pattern.as_str(), text.len(), self.most);
            return Err(Error::Query(format!(
                "looking for {pattern:?} in a text of {bytes} bytes could take long, at most {most} are possible: \
                 write a simpler pattern, or look in a part of the text by substr()"
            )));
        }
        Ok(self.pattern.is_found_in(text))
    }
}
