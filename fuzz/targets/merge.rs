//! Merging: whatever was written, as it came = merged from nothing = in another order.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use ayni_doc::{Change, Document, EntryKey, Operation, Path, SetKind, Value, Version, merge};
use ayni_log::ids::{DeviceId, Hash};
use libfuzzer_sys::fuzz_target;

/// Versions of one document, each after those that it names as parents.
#[derive(Debug)]
struct History(Vec<Version>);

const VERSIONS: usize = 12;

impl<'a> Arbitrary<'a> for History {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let mut versions: Vec<Version> = Vec::new();
        while versions.len() < VERSIONS && !input.is_empty() {
            let index = versions.len();
            let all = input.ratio(1, 3)?;
            let seen: u16 = input.arbitrary()?;
            let mut parents: Vec<EntryKey> = match all {
                true => merge(&versions).heads().to_vec(),
                false => (0..index).filter(|at| seen >> at & 1 == 1).map(|at| versions[at].key).collect(),
            };
            parents.sort();
            versions.push(Version {
                key: EntryKey((index as i64 * 7919) % 1009),
                hash: Hash(*blake3::hash(&[index as u8]).as_bytes()),
                time: input.int_in_range(-2..=2)?,
                author: DeviceId([input.int_in_range(0..=2)?; 32]),
                parents,
                change: change(input)?,
            });
        }
        Ok(Self(versions))
    }
}

fn change(input: &mut Unstructured<'_>) -> Result<Option<Change>> {
    Ok(match input.int_in_range(0..=9)? {
        0 => None,
        1 => Some(Change::Delete),
        _ => {
            let count = input.int_in_range(0..=3)?;
            Some(Change::Edit((0..count).map(|_| operation(input)).collect::<Result<_>>()?))
        }
    })
}

fn operation(input: &mut Unstructured<'_>) -> Result<Operation> {
    let depth = input.int_in_range(1..=3)?;
    let names = (0..depth).map(|_| Ok(*input.choose(&["a", "b"])?)).collect::<Result<Vec<_>>>()?;
    let path = Path::new(names).expect("short names");
    Ok(match input.int_in_range(0..=7)? {
        0 => Operation::Unset { path },
        1 => Operation::Add { path, amount: input.int_in_range(-3..=3)? },
        2 => Operation::Insert { path, element: value(input, 0)? },
        3 => Operation::Remove { path, element: value(input, 0)? },
        4 => Operation::Text { path, bytes: vec![1] },
        5 => {
            let kind = *input.choose(&[SetKind::First, SetKind::Min, SetKind::Max])?;
            Operation::Set { path, kind, value: value(input, 0)? }
        }
        _ => Operation::set_at(path, value(input, 0)?),
    })
}

fn value(input: &mut Unstructured<'_>, depth: u8) -> Result<Value> {
    Ok(match input.int_in_range(0..=if depth < 2 { 6 } else { 4 })? {
        0 => Value::Null,
        1 => Value::Int(input.int_in_range(-2..=2)?),
        2 => Value::Float(input.arbitrary()?),
        3 => Value::from(*input.choose(&["", "x", "y"])?),
        4 => Value::Bool(input.arbitrary()?),
        5 => Value::List((0..input.int_in_range(0..=2)?).map(|_| value(input, depth + 1)).collect::<Result<_>>()?),
        _ => {
            let names = ["a", "b"];
            let count = input.int_in_range(0..=2)?;
            let members = names[..count].iter().map(|name| Ok(((*name).to_owned(), value(input, depth + 1)?)));
            Value::Map(members.collect::<Result<_>>()?)
        }
    })
}

fuzz_target!(|history: History| {
    let History(versions) = history;
    let whole = merge(&versions);
    let mut document = Document::default();
    for (index, version) in versions.iter().enumerate() {
        if !document.advance(version.clone()) {
            document = merge(&versions[..=index]);
        }
        document =
            Document::decode(&document.encode(), document.heads().to_vec()).expect("what was written reads back");
    }
    assert_eq!(document, whole);
    assert_eq!(whole.has_conflicts(), !whole.conflicts().is_empty());
    let mut reversed = versions;
    reversed.reverse();
    assert_eq!(merge(&reversed).encode(), whole.encode());
});
