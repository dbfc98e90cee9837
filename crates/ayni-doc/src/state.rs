//! What a document is between two changes: a tree of names, at each of which live writes stand.
//!
//! A write is *live* while nothing that has seen it replaced it. Where all live writes that overlap agree, only the value is
//! kept; where they do not, each keeps its stamp, which decides what is shown and tells people whose it is. A node that
//! overlaps no other needs no stamp ever again: every later change either has not seen it, and then the document is merged
//! from nothing, or replaces all that it overlaps.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::conflict::{Alternative, Conflict};
use crate::path::Path;
use crate::value::{Map, Value};
use crate::version::Stamp;

/// What stands at one name, and below it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Node {
    pub(crate) values: Values,
    pub(crate) gathered: Option<Box<Gathered>>,
    pub(crate) children: BTreeMap<Arc<str>, Node>,
}

/// The live whole values at a name; never a map with members, whose leaves are [`Node::children`].
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Values {
    #[default]
    None,
    /// One, which overlaps nothing.
    Plain(Value),
    /// Distinct ones, the latest first.
    Stamped(Vec<Candidate>),
}

/// A whole value with its stamp.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Candidate {
    /// `None` where it was unset.
    pub(crate) value: Option<Value>,
    pub(crate) stamp: Stamp,
}

/// What is made of many writes: a sum, the elements of a set.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Gathered {
    pub(crate) sum: Option<Sum>,
    pub(crate) elements: Option<Elements>,
}

/// The sum of all live additions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sum {
    pub(crate) total: i128,
    /// Of the latest addition, if the sum stands by itself and overlaps something.
    pub(crate) stamp: Option<Stamp>,
}

/// The elements that are in a set, by their canonical bytes.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Elements {
    pub(crate) present: BTreeMap<Vec<u8>, Value>,
    /// Of the latest operation, if the set overlaps something.
    pub(crate) stamp: Option<Stamp>,
}

impl Node {
    /// The node that a set value makes: maps become names.
    pub(crate) fn from_value(value: Value) -> Self {
        match value {
            Value::Map(map) if !map.is_empty() => {
                let children = map.into_iter().map(|(name, value)| (name.into(), Self::from_value(value)));
                Self { children: children.collect(), ..Self::default() }
            }
            value => Self { values: Values::Plain(value), ..Self::default() },
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.values, Values::None) && self.gathered.is_none() && self.children.is_empty()
    }

    /// The node at a path, if something stands at or below it.
    pub(crate) fn at<S: AsRef<str>>(&self, path: &[S]) -> Option<&Self> {
        path.iter().try_fold(self, |node, name| node.children.get(name.as_ref()))
    }

    /// The value shown at a path.
    pub(crate) fn get<S: AsRef<str>>(&self, path: &[S]) -> Option<Value> {
        let Some((name, rest)) = path.split_first() else { return self.shown() };
        if !matches!((&self.values, &self.gathered), (Values::None, None)) {
            // A value here may be shown rather than the map that the path leads through.
            return self.shown()?.at(path).cloned();
        }
        self.children.get(name.as_ref())?.get(rest)
    }

    /// The node at a path, made if need be.
    pub(crate) fn at_mut<'a>(&mut self, path: impl Iterator<Item = &'a str>) -> &mut Self {
        path.fold(self, |node, name| node.children.entry(name.into()).or_default())
    }

    /// What is shown.
    pub(crate) fn shown(&self) -> Option<Value> {
        match (&self.values, &self.gathered, self.children.is_empty()) {
            (Values::Plain(value), None, true) => Some(value.clone()),
            (Values::None, None, false) => self.shown_map().map(Value::Map),
            _ => self.alternatives().into_iter().next().and_then(|(value, _)| value),
        }
    }

    /// The map that its children show, unless they show nothing.
    pub(crate) fn shown_map(&self) -> Option<Map> {
        let shown = self.children.iter().filter_map(|(name, node)| Some((String::from(&**name), node.shown()?)));
        let map: Map = shown.collect();
        (!map.is_empty()).then_some(map)
    }

    /// All that could be shown here, what is shown first, then the latest first.
    fn alternatives(&self) -> Vec<(Option<Value>, Option<Stamp>)> {
        let sum = self.sum();
        let add = |value: &Value| match (value, sum) {
            (Value::Int(base), Some(sum)) => clamped(sum.total.saturating_add(i128::from(*base))),
            _ => value.clone(),
        };
        let mut all: Vec<_> = match &self.values {
            Values::None => Vec::new(),
            Values::Plain(value) => vec![(Some(add(value)), None)],
            Values::Stamped(candidates) => {
                candidates.iter().map(|one| (one.value.as_ref().map(add), Some(one.stamp))).collect()
            }
        };
        if let Some(sum) = sum.filter(|_| self.sum_is_alone()) {
            all.push((Some(clamped(sum.total)), sum.stamp));
        }
        if let Some(elements) = self.elements() {
            all.push((Some(elements.shown()), elements.stamp));
        }
        if let Some(map) = self.shown_map() {
            let latest = self.children.values().filter_map(Self::latest).max();
            all.push((Some(Value::Map(map)), latest));
        }
        // A value goes before its being unset, whatever the times.
        all.sort_by_key(|(value, stamp)| Reverse((value.is_some(), *stamp)));
        all
    }

    /// The latest stamp of anything that can be shown here or below.
    fn latest(&self) -> Option<Stamp> {
        let values = match &self.values {
            Values::Stamped(candidates) => candidates.iter().find(|one| one.value.is_some()).map(|one| one.stamp),
            _ => None,
        };
        let sum = self.sum().and_then(|sum| sum.stamp);
        let elements = self.elements().and_then(|elements| elements.stamp);
        let below = self.children.values().filter_map(Self::latest).max();
        values.max(sum).max(elements).max(below)
    }

    /// Adds the conflicts here and below to `found`; `path` leads here.
    pub(crate) fn conflicts<'a>(&'a self, path: &mut Vec<&'a str>, found: &mut Vec<Conflict>) {
        if !matches!((&self.values, &self.gathered), (Values::None, None)) {
            let known = |(value, stamp): (_, Option<_>)| Some(Alternative { value, stamp: stamp? });
            let alternatives: Vec<_> = self.alternatives().into_iter().filter_map(known).collect();
            if let (2.., Ok(path)) = (alternatives.len(), Path::new(path.iter().copied())) {
                found.push(Conflict { path, alternatives });
            }
        }
        for (name, child) in &self.children {
            path.push(name);
            child.conflicts(path, found);
            path.pop();
        }
    }

    /// Adds where a sum or set stands, here and below, to `found`; `path` leads here.
    pub(crate) fn gathering<'a>(&'a self, path: &mut Vec<&'a str>, found: &mut Vec<Vec<&'a str>>) {
        if self.gathered.is_some() {
            found.push(path.clone());
        }
        for (name, child) in &self.children {
            path.push(name);
            child.gathering(path, found);
            path.pop();
        }
    }

    fn sum(&self) -> Option<&Sum> {
        self.gathered.as_ref()?.sum.as_ref()
    }

    fn elements(&self) -> Option<&Elements> {
        self.gathered.as_ref()?.elements.as_ref()
    }

    /// The elements of a set beside which nothing stands.
    pub(crate) fn lone_set(&self) -> Option<&Elements> {
        let alone = matches!(self.values, Values::None) && self.sum().is_none() && self.children.is_empty();
        self.elements().filter(|_| alone)
    }

    /// Whether no integer was set that the sum adds to.
    fn sum_is_alone(&self) -> bool {
        match &self.values {
            Values::None => true,
            Values::Plain(value) => value.as_int().is_none(),
            Values::Stamped(all) => {
                !all.iter().any(|one| one.value.as_ref().is_some_and(|value| value.as_int().is_some()))
            }
        }
    }

    /// How many alternatives stand at this very name.
    fn own(&self) -> usize {
        let values = match &self.values {
            Values::None => 0,
            Values::Plain(_) => 1,
            Values::Stamped(candidates) => candidates.len(),
        };
        let sum = self.sum().is_some() && self.sum_is_alone();
        values + usize::from(sum) + usize::from(self.elements().is_some())
    }

    /// Whether anything can be shown here or below.
    fn shows(&self) -> bool {
        self.gathered.is_some()
            || match &self.values {
                Values::None => false,
                Values::Plain(_) => true,
                Values::Stamped(candidates) => candidates.iter().any(|one| one.value.is_some()),
            }
            || self.children.values().any(Self::shows)
    }

    /// Brings the tree into its one form: drops unsettings that contradict nothing, stamps where nothing overlaps, and names
    /// where nothing stands. `below_other`: something stands at a name above. Returns whether stamps are left.
    pub(crate) fn settle(&mut self, below_other: bool) -> bool {
        if let Values::Stamped(candidates) = &mut self.values
            && candidates.iter().any(|one| one.value.is_none())
        {
            let shows = candidates.iter().any(|one| one.value.is_some())
                || self.gathered.is_some()
                || self.children.values().any(Self::shows);
            candidates.retain(|one| one.value.is_some() || shows);
            if candidates.is_empty() {
                self.values = Values::None;
            }
        }
        let own = self.own();
        let mut stamped = false;
        self.children.retain(|_, child| {
            stamped |= child.settle(below_other || own > 0);
            !child.is_empty()
        });
        let overlaps = own > 1 || own > 0 && (below_other || !self.children.is_empty());
        if !overlaps {
            self.drop_stamps();
        } else if let (true, Some(sum)) = (!self.sum_is_alone(), self.sum_mut()) {
            sum.stamp = None;
        }
        stamped || overlaps
    }

    fn drop_stamps(&mut self) {
        if let Values::Stamped(candidates) = &mut self.values {
            self.values = match candidates.pop().and_then(|one| one.value) {
                Some(value) => Values::Plain(value),
                None => Values::None,
            };
        }
        if let Some(sum) = self.sum_mut() {
            sum.stamp = None;
        }
        if let Some(elements) = self.gathered.as_mut().and_then(|gathered| gathered.elements.as_mut()) {
            elements.stamp = None;
        }
    }

    fn sum_mut(&mut self) -> Option<&mut Sum> {
        self.gathered.as_mut()?.sum.as_mut()
    }
}

impl Elements {
    /// The elements as a list, in the order of values.
    pub(crate) fn shown(&self) -> Value {
        let mut items: Vec<_> = self.present.values().cloned().collect();
        // Stable: what compares as equal stays in the order of canonical bytes.
        items.sort_by(Value::compare);
        Value::List(items)
    }
}

fn clamped(total: i128) -> Value {
    Value::Int(total.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
}
