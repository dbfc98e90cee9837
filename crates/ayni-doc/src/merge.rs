//! Merging from nothing: what a set of versions makes, in whatever order it is given.
//!
//! A write is live unless a version that has seen it replaces it. Rather than asking of each pair of versions whether one
//! has seen the other, each *place* (a path, or an element of a set) has *marks* that say what an operation did to it.
//! A write is replaced if a version that has seen its own made a mark that concerns it, which [`marks`] finds out for all
//! writes at once: in time linear in the history where there is no concurrency, and in bounded memory in any graph.

#![expect(clippy::indexing_slicing, reason = "all indices are of this module's own making")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use crate::change::Change;
use crate::document::Document;
use crate::graph::Graph;
use crate::marks::{self, Concern, Made};
use crate::operation::{Operation, SetKind};
use crate::path::Path;
use crate::state::{Candidate, Elements, Node, Sum, Values};
use crate::value::Value;
use crate::version::{Stamp, Version};

/// What `versions` make together, in whatever order they are given.
///
/// # Panics
/// If the versions are not a closed graph: two with one key, a parent that is not among them, or a circle. Versions whose
/// ancestors are not all here wait, and their caller withholds them.
pub fn merge(versions: &[Version]) -> Document {
    let graph = Graph::new(versions);
    let mut plan = Plan::default();
    for (position, version) in graph.order.iter().enumerate() {
        plan.take(position as u32, version);
    }
    let replaced = plan.replaced(&graph);
    plan.build(&graph, &replaced)
}

/// A place that operations act on: a path, or an element of a set at a path.
struct Place<'a> {
    /// The place around it; itself for the top of the document.
    around: u32,
    /// Its last name; `None` for the top and for elements.
    name: Option<&'a str>,
}

#[derive(PartialEq, Eq, Hash)]
enum Step<'a> {
    Name(&'a str),
    Element(Vec<u8>),
}

/// One write of one version, which is live until replaced.
struct Write<'a> {
    position: u32,
    place: u32,
    what: What<'a>,
}

enum What<'a> {
    Value(SetKind, Option<&'a Value>),
    Amount(i64),
    Element(&'a Value),
    Removal,
    /// Not a write of a field: that the version has effect, and that it is an edit.
    Effect,
    Edit,
}

/// The top of the document. Nothing writes it, so its marks say something else: that a version has effect, and that it
/// deletes.
const TOP: u32 = 0;

/// What an operation did to a place, as far as it replaces writes.
#[derive(Clone, Copy)]
enum Did {
    /// Set it as a whole.
    Set = 0,
    /// Wrote something below it.
    Below = 1,
    /// Added to it.
    Add = 2,
    /// Inserted into it or removed from it.
    Element = 3,
}

/// The mark that says so.
const fn mark(place: u32, did: Did) -> u32 {
    place * MARKS_PER_PLACE + did as u32
}

const MARKS_PER_PLACE: u32 = 4;
const EFFECT_MARK: u32 = mark(TOP, Did::Set);
const DELETE_MARK: u32 = mark(TOP, Did::Below);

/// All writes, and all marks that versions make.
struct Plan<'a> {
    places: Vec<Place<'a>>,
    steps: HashMap<(u32, Step<'a>), u32>,
    writes: Vec<Write<'a>>,
    marks: Vec<Made>,
    /// By mark: one more than the position of the version that last made it, while its operations are gone through
    /// backwards.
    made: Vec<u32>,
}

impl Default for Plan<'_> {
    fn default() -> Self {
        let top = Place { around: TOP, name: None };
        Self { places: vec![top], steps: HashMap::new(), writes: Vec::new(), marks: Vec::new(), made: Vec::new() }
    }
}

impl<'a> Plan<'a> {
    /// Takes in a version, parents before children.
    fn take(&mut self, position: u32, version: &'a Version) {
        let Some(change) = &version.change else { return };
        self.writes.push(Write { position, place: TOP, what: What::Effect });
        self.marks.push(Made { mark: EFFECT_MARK, position });
        let operations = match change {
            Change::Delete => return self.marks.push(Made { mark: DELETE_MARK, position }),
            Change::Edit(operations) => operations,
        };
        self.writes.push(Write { position, place: TOP, what: What::Edit });
        // Backwards, so that what an operation replaces of those before it is known when they come.
        for operation in operations.iter().rev() {
            self.take_operation(position, operation);
        }
    }

    fn take_operation(&mut self, position: u32, operation: &'a Operation) {
        let path = operation.path();
        let (place, what) = match operation {
            Operation::List { .. } | Operation::Text { .. } => return,
            Operation::Set { kind, value, .. } => (self.place(path), What::Value(*kind, Some(value))),
            Operation::Unset { .. } => (self.place(path), What::Value(SetKind::Latest, None)),
            Operation::Add { amount, .. } => (self.place(path), What::Amount(*amount)),
            Operation::Insert { element, .. } => (self.element(path, element), What::Element(element)),
            Operation::Remove { element, .. } => (self.element(path, element), What::Removal),
        };
        let field = self.field(place, &what);
        self.write(position, place, what);
        match operation {
            Operation::Add { .. } => self.make(mark(field, Did::Add), position),
            Operation::Insert { .. } | Operation::Remove { .. } => {
                self.make(mark(place, Did::Set), position);
                self.make(mark(field, Did::Element), position);
            }
            _ => self.make(mark(place, Did::Set), position),
        }
        let mut around = self.around(field);
        while around != TOP {
            self.make(mark(around, Did::Below), position);
            around = self.around(around);
        }
    }

    /// Notes a write, unless a later operation of its own version replaces it. A map is written as its leaves.
    fn write(&mut self, position: u32, place: u32, what: What<'a>) {
        match what {
            What::Value(kind, Some(Value::Map(map))) if !map.is_empty() => {
                for (name, value) in map {
                    let place = self.step(place, Step::Name(name), Some(name));
                    self.write(position, place, What::Value(kind, Some(value)));
                }
            }
            what => {
                let write = Write { position, place, what };
                let made = |mark| self.made.get(mark as usize) == Some(&(position + 1));
                if !self.concerns(&write).any(made) {
                    self.writes.push(write);
                }
            }
        }
    }

    /// The marks that replace a write if a version that has seen it makes them.
    fn concerns(&self, write: &Write<'_>) -> impl Iterator<Item = u32> {
        let field = self.field(write.place, &write.what);
        let own: [Option<u32>; 3] = match write.what {
            What::Effect => [Some(EFFECT_MARK), None, None],
            What::Edit => [Some(DELETE_MARK), None, None],
            // Additions go on top of an integer.
            What::Value(_, Some(Value::Int(_))) | What::Amount(_) => {
                [Some(mark(field, Did::Below)), Some(mark(field, Did::Element)), None]
            }
            What::Value(..) => {
                [Some(mark(field, Did::Below)), Some(mark(field, Did::Add)), Some(mark(field, Did::Element))]
            }
            What::Element(_) | What::Removal => [Some(mark(field, Did::Below)), Some(mark(field, Did::Add)), None],
        };
        let sets = self.upwards(write.place).map(|place| mark(place, Did::Set));
        let gathers =
            self.upwards(self.around(field)).flat_map(|place| [mark(place, Did::Add), mark(place, Did::Element)]);
        own.into_iter().flatten().chain(sets).chain(gathers)
    }

    fn around(&self, place: u32) -> u32 {
        self.places[place as usize].around
    }

    /// A place and all around it, without the top.
    fn upwards(&self, place: u32) -> impl Iterator<Item = u32> {
        std::iter::successors(Some(place), |place| Some(self.around(*place))).take_while(|place| *place != TOP)
    }

    /// The path that a write is about.
    fn field(&self, place: u32, what: &What<'_>) -> u32 {
        match what {
            What::Element(_) | What::Removal => self.around(place),
            _ => place,
        }
    }

    fn make(&mut self, mark: u32, position: u32) {
        let at = mark as usize;
        if self.made.len() <= at {
            self.made.resize(at + 1, 0);
        }
        if self.made[at] != position + 1 {
            self.made[at] = position + 1;
            self.marks.push(Made { mark, position });
        }
    }

    fn place(&mut self, path: &'a Path) -> u32 {
        path.names().iter().fold(TOP, |around, name| self.step(around, Step::Name(name), Some(name)))
    }

    fn element(&mut self, path: &'a Path, element: &Value) -> u32 {
        let set = self.place(path);
        self.step(set, Step::Element(element.to_bytes()), None)
    }

    fn step(&mut self, around: u32, step: Step<'a>, name: Option<&'a str>) -> u32 {
        let next = self.places.len() as u32;
        let place = *self.steps.entry((around, step)).or_insert(next);
        if place == next {
            self.places.push(Place { around, name });
        }
        place
    }

    /// For each write whether a version that has seen it replaces it.
    fn replaced(&mut self, graph: &Graph<'_>) -> Vec<bool> {
        let mut concerns = Vec::new();
        for (written, index) in self.writes.iter().zip(0u32..) {
            let position = written.position;
            concerns.extend(self.concerns(written).map(|mark| Concern { mark, position, write: index }));
        }
        marks::replaced(graph, std::mem::take(&mut self.marks), concerns, self.writes.len())
    }

    /// Makes the document of the live writes.
    fn build(&self, graph: &Graph<'_>, replaced: &[bool]) -> Document {
        let mut document = Document::default();
        let mut fields = BTreeMap::<u32, Field<'_>>::new();
        for (write, _) in self.writes.iter().zip(replaced).filter(|(_, replaced)| !**replaced) {
            let version = graph.order[write.position as usize];
            let stamp = version.stamp();
            let around = self.around(write.place);
            match write.what {
                What::Effect => document.heads.push(version.key),
                What::Edit => document.present = true,
                What::Value(kind, value) => fields.entry(write.place).or_default().values.push((kind, value, stamp)),
                What::Amount(amount) => fields.entry(write.place).or_default().add(amount, stamp),
                What::Element(element) => fields.entry(around).or_default().touch(Some(element), stamp),
                What::Removal => fields.entry(around).or_default().touch(None, stamp),
            }
        }
        document.heads.sort_unstable();
        for (place, field) in fields {
            field.put(document.root.at_mut(self.names(place).into_iter()));
        }
        document.contested = document.root.settle(false);
        document
    }

    fn names(&self, place: u32) -> Vec<&'a str> {
        let mut names: Vec<_> = self.upwards(place).filter_map(|place| self.places[place as usize].name).collect();
        names.reverse();
        names
    }
}

/// The live writes of one field.
#[derive(Default)]
struct Field<'a> {
    values: Vec<(SetKind, Option<&'a Value>, Stamp)>,
    sum: Option<(i128, Stamp)>,
    elements: Option<(BTreeMap<Vec<u8>, Value>, Stamp)>,
}

impl<'a> Field<'a> {
    fn add(&mut self, amount: i64, stamp: Stamp) {
        let (total, latest) = self.sum.unwrap_or((0, stamp));
        self.sum = Some((total.saturating_add(i128::from(amount)), latest.max(stamp)));
    }

    fn touch(&mut self, element: Option<&Value>, stamp: Stamp) {
        let (present, latest) = self.elements.get_or_insert_with(|| (BTreeMap::new(), stamp));
        *latest = stamp.max(*latest);
        if let Some(element) = element {
            present.insert(element.to_bytes(), element.clone());
        }
    }

    fn put(self, node: &mut Node) {
        let candidates = self.candidates();
        if !candidates.is_empty() {
            node.values = Values::Stamped(candidates);
        }
        if self.sum.is_some() || self.elements.is_some() {
            let gathered = node.gathered.get_or_insert_default();
            gathered.sum = self.sum.map(|(total, stamp)| Sum { total, stamp: Some(stamp) });
            gathered.elements = self.elements.map(|(present, stamp)| Elements { present, stamp: Some(stamp) });
        }
    }

    /// The distinct values, the latest first; of each kind that chooses, the one that it chooses.
    fn candidates(&self) -> Vec<Candidate> {
        let mut distinct = BTreeMap::<Option<Vec<u8>>, Candidate>::new();
        let of = |wanted| self.values.iter().filter(move |(kind, ..)| *kind == wanted);
        let rank = |value: &Option<&Value>, other: &Option<&Value>| match (value, other) {
            (Some(value), Some(other)) => value.compare(other),
            (value, other) => value.is_some().cmp(&other.is_some()),
        };
        let first = of(SetKind::First).min_by_key(|(.., stamp)| *stamp);
        let least = of(SetKind::Min).min_by(|a, b| rank(&a.1, &b.1).then(b.2.cmp(&a.2)));
        let greatest = of(SetKind::Max).max_by(|a, b| rank(&a.1, &b.1).then(a.2.cmp(&b.2)));
        for (_, value, stamp) in of(SetKind::Latest).chain(first).chain(least).chain(greatest) {
            let candidate = || Candidate { value: value.cloned(), stamp: *stamp };
            let known = distinct.entry(value.map(Value::to_bytes)).or_insert_with(candidate);
            known.stamp = known.stamp.max(*stamp);
        }
        let mut candidates: Vec<_> = distinct.into_values().collect();
        candidates.sort_by_key(|one| Reverse(one.stamp));
        candidates
    }
}
