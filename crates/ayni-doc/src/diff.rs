//! Edits from whole values: the fewest operations that turn what is shown into something else.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::conflict::Conflict;
use crate::document::Document;
use crate::operation::{Kind, Operation, SetKind};
use crate::path::{Path, PathError};
use crate::state::Node;
use crate::value::{Map, Value};

/// The operations, all of kind `latest`, that turn the fields `shown` into `new`: one for each leaf that differs. Fields
/// that are equal are left alone, so that concurrent edits of them stand.
///
/// # Errors
/// If a name is too long, or names are nested too deep.
pub fn diff(shown: &Map, new: &Map) -> Result<Vec<Operation>, PathError> {
    Document::default().differences(shown, new, &|_| Kind::Latest)
}

/// The operations, all of kind `latest`, that make a new document of these fields: one for each leaf. With paths of `alike`,
/// those of the document that was made before, where they are the same: records come in rows.
///
/// # Errors
/// If a name is too long, or names are nested too deep.
pub fn creation(fields: Map, alike: &[Operation]) -> Result<Vec<Operation>, PathError> {
    let mut found = Vec::with_capacity(fields.len());
    set_leaves(&mut Vec::new(), fields, alike, &mut found)?;
    Ok(found)
}

fn set_leaves(
    above: &mut Vec<Arc<str>>,
    fields: Map,
    alike: &[Operation],
    found: &mut Vec<Operation>,
) -> Result<(), PathError> {
    for (name, value) in fields {
        match value {
            Value::Map(fields) if !fields.is_empty() => {
                above.push(name.into());
                set_leaves(above, fields, alike, found)?;
                above.pop();
            }
            value => {
                let known = alike.get(found.len()).map(Operation::path).filter(|path| leads_to(path, above, &name));
                let path = match known {
                    Some(path) => path.clone(),
                    None => Path::new(above.iter().cloned().chain([name.into()]))?,
                };
                found.push(Operation::set_at(path, value));
            }
        }
    }
    Ok(())
}

fn leads_to(path: &Path, above: &[Arc<str>], name: &str) -> bool {
    path.names().split_last().is_some_and(|(last, before)| **last == *name && before == above)
}

impl Document {
    /// The operations that make this document show `new`, with regard to the merge kind of each path: a counter is added
    /// to, the elements of a set are inserted and removed. Lists and texts are set whole.
    ///
    /// Of a document that shows what a handler made they write that down too, so that no conflict is left.
    ///
    /// # Errors
    /// If a name is too long, or names are nested too deep.
    pub fn edit_to(&self, new: &Map, kind: &dyn Fn(&[&str]) -> Kind) -> Result<Vec<Operation>, PathError> {
        let shown = self.shown();
        match self.handled {
            None => self.differences(&shown, new, kind),
            Some(_) if shown == *new => Ok(Vec::new()),
            Some(_) => self.settle_to(new, kind),
        }
    }

    /// The operations that write down what a handler made, so that no conflict is left; none if no handler did.
    ///
    /// # Errors
    /// If a name is too long, or names are nested too deep.
    pub fn write_down(&self, kind: &dyn Fn(&[&str]) -> Kind) -> Result<Vec<Operation>, PathError> {
        self.handled.as_ref().map_or(Ok(Vec::new()), |handled| self.settle_to(&handled.fields(), kind))
    }

    /// The operations that make the document as it was merged show `new`, and settle every conflict in it.
    fn settle_to(&self, new: &Map, kind: &dyn Fn(&[&str]) -> Kind) -> Result<Vec<Operation>, PathError> {
        let mut found = self.differences(&self.root.shown_map().unwrap_or_default(), new, kind)?;
        for Conflict { path, .. } in self.merged_conflicts() {
            let sets_whole = |operation: &Operation| {
                let whole = matches!(operation, Operation::Set { .. } | Operation::Unset { .. });
                whole && path.names().starts_with(operation.path().names())
            };
            if found.iter().any(sets_whole) {
                continue;
            }
            found.retain(|operation| !operation.path().names().starts_with(path.names()));
            let names: Vec<&str> = path.names().iter().map(|name| &**name).collect();
            let value = names.split_first().and_then(|(first, inner)| new.get(*first)?.at(inner)).cloned();
            found.push(match value {
                Some(value) => Operation::Set { kind: set_kind(kind(&names)), path, value },
                None => Operation::Unset { path },
            });
        }
        Ok(found)
    }

    fn differences(&self, old: &Map, new: &Map, kind: &dyn Fn(&[&str]) -> Kind) -> Result<Vec<Operation>, PathError> {
        let mut differences = Differences { document: self, kind, found: Vec::new() };
        differences.maps(&mut Vec::new(), old, new)?;
        Ok(differences.found)
    }
}

static NOTHING: Map = Map::new();

struct Differences<'a> {
    document: &'a Document,
    kind: &'a dyn Fn(&[&str]) -> Kind,
    found: Vec<Operation>,
}

impl Differences<'_> {
    fn maps<'a>(&mut self, path: &mut Vec<&'a str>, old: &'a Map, new: &'a Map) -> Result<(), PathError> {
        for name in old.keys().filter(|name| !new.contains_key(*name)) {
            path.push(name);
            self.found.push(Operation::Unset { path: Path::new(path.iter().copied())? });
            path.pop();
        }
        for (name, value) in new {
            path.push(name);
            match (old.get(name), value) {
                (Some(old), new) if old == new => {}
                // An empty map is set over as a whole: fields may stand below it that are not shown.
                (Some(Value::Map(old)), Value::Map(new)) if !old.is_empty() && !new.is_empty() => {
                    self.maps(path, old, new)?;
                }
                (None, Value::Map(new)) if !new.is_empty() => self.maps(path, &NOTHING, new)?,
                (old, new) => self.leaf(path, old, new)?,
            }
            path.pop();
        }
        Ok(())
    }

    fn leaf(&mut self, names: &[&str], old: Option<&Value>, new: &Value) -> Result<(), PathError> {
        let path = Path::new(names.iter().copied())?;
        let operation = match ((self.kind)(names), old, new) {
            // Where nothing is shown, nothing stands that it would be added to.
            (Kind::Counter, None, Value::Int(new)) => Operation::Add { path, amount: *new },
            (Kind::Counter, Some(Value::Int(old)), Value::Int(new)) => match new.checked_sub(*old) {
                Some(amount) => Operation::Add { path, amount },
                None => Operation::set_at(path, Value::Int(*new)),
            },
            (Kind::Set, _, Value::List(new)) if !new.is_empty() || self.has_set(names) => {
                self.elements(names, &path, new);
                return Ok(());
            }
            (kind, _, new) => Operation::Set { path, kind: set_kind(kind), value: new.clone() },
        };
        self.found.push(operation);
        Ok(())
    }

    fn has_set(&self, names: &[&str]) -> bool {
        self.document.root.at(names).is_some_and(|node| node.lone_set().is_some())
    }

    /// Inserts and removes elements; where something else stands, that goes first.
    fn elements(&mut self, names: &[&str], path: &Path, new: &[Value]) {
        let node = self.document.root.at(names);
        let set = node.and_then(Node::lone_set);
        if node.is_some() && set.is_none() {
            self.found.push(Operation::Unset { path: path.clone() });
        }
        let nothing = BTreeMap::new();
        let old = set.map_or(&nothing, |set| &set.present);
        let new: BTreeMap<_, _> = new.iter().map(|element| (element.to_bytes(), element.clone())).collect();
        for (_, element) in old.iter().filter(|(bytes, _)| !new.contains_key(*bytes)) {
            self.found.push(Operation::Remove { path: path.clone(), element: element.clone() });
        }
        for (_, element) in new.into_iter().filter(|(bytes, _)| !old.contains_key(bytes)) {
            self.found.push(Operation::Insert { path: path.clone(), element });
        }
    }
}

fn set_kind(kind: Kind) -> SetKind {
    match kind {
        Kind::First => SetKind::First,
        Kind::Min => SetKind::Min,
        Kind::Max => SetKind::Max,
        Kind::Latest | Kind::Counter | Kind::Set | Kind::List | Kind::Text => SetKind::Latest,
    }
}
