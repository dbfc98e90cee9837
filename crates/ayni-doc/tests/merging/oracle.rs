//! The rules of merging, told as they are written and with no thought of speed: each write is held against each version.
//! For all operations but those of kinds `first`, `min` and `max`.

use std::collections::BTreeMap;

use ayni_doc::{Change, EntryKey, Map, Operation, Stamp, Value, Version};

/// What a document should be.
pub(crate) struct Told {
    pub(crate) present: bool,
    pub(crate) heads: Vec<EntryKey>,
    pub(crate) shown: Map,
    /// Path and number of alternatives, in order of path.
    pub(crate) conflicts: Vec<(String, usize)>,
}

/// What an operation wrote: where, what, by whom and as which operation of its version.
type Leaf = (Vec<String>, What, Stamp, usize, usize);

#[derive(Clone, PartialEq)]
enum What {
    Value(Option<Value>),
    Amount(i64),
    Element(Value, bool),
}

/// Whether an operation replaces a write that it has seen.
fn replaces(operation: &Operation, path: &[String], what: &What) -> bool {
    let at: Vec<String> = operation.path().names().iter().map(|name| name.to_string()).collect();
    let overlaps = path.starts_with(&at) || at.starts_with(path);
    let goes_together = path == at
        && match (operation, what) {
            (Operation::Add { .. }, What::Amount(_) | What::Value(Some(Value::Int(_)))) => true,
            (Operation::Insert { element, .. } | Operation::Remove { element, .. }, What::Element(other, _)) => {
                element != other
            }
            _ => false,
        };
    let effect = !matches!(operation, Operation::List { .. } | Operation::Text { .. });
    effect && overlaps && !goes_together
}

pub(crate) fn tell(versions: &[Version]) -> Told {
    let sees = |a: usize, b: usize| ancestors(versions, a).contains(&b);
    let effective: Vec<usize> = (0..versions.len()).filter(|index| versions[*index].change.is_some()).collect();
    let mut heads: Vec<_> = effective
        .iter()
        .filter(|head| !effective.iter().any(|other| sees(*other, **head)))
        .map(|head| versions[*head].key)
        .collect();
    heads.sort();
    let is_delete = |index: usize| versions[index].change == Some(Change::Delete);
    let present = effective
        .iter()
        .any(|edit| !is_delete(*edit) && !effective.iter().any(|other| is_delete(*other) && sees(*other, *edit)));

    let operations = |index: usize| match &versions[index].change {
        Some(Change::Edit(operations)) => operations.clone(),
        _ => Vec::new(),
    };
    let mut live: Vec<Leaf> = Vec::new();
    for (index, version) in versions.iter().enumerate() {
        for (number, operation) in operations(index).iter().enumerate() {
            written(operation, version.stamp(), index, number, &mut live);
        }
    }
    live.retain(|(path, what, _, version, number)| {
        !(0..versions.len()).any(|other| {
            operations(other).iter().enumerate().any(|(later, operation)| {
                let seen = sees(other, *version) || other == *version && later > *number;
                seen && replaces(operation, path, what)
            })
        })
    });

    let mut conflicts = BTreeMap::new();
    let shown = match show(&[], &live, &mut conflicts) {
        Some((Value::Map(map), _)) => map,
        _ => Map::new(),
    };
    Told {
        present,
        heads,
        shown,
        conflicts: conflicts.into_iter().map(|(path, count)| (path.join("."), count)).collect(),
    }
}

fn ancestors(versions: &[Version], of: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut open = vec![of];
    while let Some(version) = open.pop() {
        for parent in &versions[version].parents {
            let index = versions.iter().position(|version| version.key == *parent).unwrap();
            if !found.contains(&index) {
                found.push(index);
                open.push(index);
            }
        }
    }
    found
}

fn written(operation: &Operation, stamp: Stamp, version: usize, number: usize, leaves: &mut Vec<Leaf>) {
    let path = operation.path().names().iter().map(|name| name.to_string()).collect();
    match operation {
        Operation::Set { value, .. } => spread(path, value, &mut |path, value| {
            leaves.push((path, What::Value(Some(value.clone())), stamp, version, number));
        }),
        Operation::Unset { .. } => leaves.push((path, What::Value(None), stamp, version, number)),
        Operation::Add { amount, .. } => leaves.push((path, What::Amount(*amount), stamp, version, number)),
        Operation::Insert { element, .. } => {
            leaves.push((path, What::Element(element.clone(), true), stamp, version, number))
        }
        Operation::Remove { element, .. } => {
            leaves.push((path, What::Element(element.clone(), false), stamp, version, number))
        }
        Operation::List { .. } | Operation::Text { .. } => {}
    }
}

fn spread(path: Vec<String>, value: &Value, leaf: &mut impl FnMut(Vec<String>, &Value)) {
    match value {
        Value::Map(map) if !map.is_empty() => {
            for (name, value) in map {
                let mut path = path.clone();
                path.push(name.clone());
                spread(path, value, leaf);
            }
        }
        value => leaf(path, value),
    }
}

/// What is shown at a path, and the latest stamp of what could be.
fn show(path: &[String], live: &[Leaf], conflicts: &mut BTreeMap<Vec<String>, usize>) -> Option<(Value, Stamp)> {
    let below: Vec<&Leaf> = live.iter().filter(|leaf| leaf.0.len() > path.len() && leaf.0.starts_with(path)).collect();
    let mut names: Vec<&String> = below.iter().map(|leaf| &leaf.0[path.len()]).collect();
    names.sort();
    names.dedup();
    let mut map = Map::new();
    let mut latest: Option<Stamp> = None;
    for name in names {
        let inner = [path, std::slice::from_ref(name)].concat();
        if let Some((value, stamp)) = show(&inner, live, conflicts) {
            map.insert(name.clone(), value);
            latest = latest.max(Some(stamp));
        }
    }
    let mut values: Vec<(Option<Value>, Stamp)> = Vec::new();
    let mut sum: Option<(i64, Stamp)> = None;
    let mut elements: Option<(Vec<Value>, Stamp)> = None;
    for (_, what, stamp, ..) in live.iter().filter(|leaf| leaf.0 == path) {
        match what {
            What::Value(value) => match values.iter_mut().find(|(known, _)| known == value) {
                Some((_, known)) => *known = stamp.max(known).to_owned(),
                None => values.push((value.clone(), *stamp)),
            },
            What::Amount(amount) => {
                sum = Some(sum.map_or((*amount, *stamp), |(sum, latest)| (sum + amount, latest.max(*stamp))));
            }
            What::Element(element, inserted) => {
                let (present, latest) = elements.get_or_insert_with(|| (Vec::new(), *stamp));
                *latest = stamp.max(latest).to_owned();
                if *inserted && !present.contains(element) {
                    present.push(element.clone());
                }
            }
        }
    }
    if let Some((sum, stamp)) = sum {
        let ints: Vec<&mut i64> = values
            .iter_mut()
            .filter_map(|(value, _)| match value {
                Some(Value::Int(base)) => Some(base),
                _ => None,
            })
            .collect();
        if ints.is_empty() {
            values.push((Some(Value::Int(sum)), stamp));
        } else {
            ints.into_iter().for_each(|base| *base += sum);
        }
    }
    if let Some((mut present, stamp)) = elements {
        present.sort_by(|a, b| a.compare(b).then(a.to_bytes().cmp(&b.to_bytes())));
        values.push((Some(Value::List(present)), stamp));
    }
    let own = values.len();
    if let Some(latest) = latest {
        values.push((Some(Value::Map(map)), latest));
    }
    let anything = values.iter().any(|(value, _)| value.is_some());
    if own > 0 && values.len() > 1 && anything {
        conflicts.insert(path.to_vec(), values.len());
    }
    let all_latest = values.iter().filter(|(value, _)| value.is_some()).map(|(_, stamp)| *stamp).max()?;
    let best = values.into_iter().filter_map(|(value, stamp)| Some((stamp, value?))).max_by_key(|(stamp, _)| *stamp)?;
    Some((best.1, all_latest))
}
