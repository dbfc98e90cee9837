//! From places to differences: what leads from the part of a list that was shown to the part that is shown now.
//!
//! Two lists have rows in common that stand in the same order in both. All others are named with their places, so what
//! is done here costs by their number, not by the length of the lists. A row in common comes or goes where the part that is
//! shown (some rows passed over, then so many) moves over it.

use std::ops::Range;

/// Where a row stands in the list before and in the list after, that does not stand in both in the order of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) before: Option<usize>,
    pub(super) after: Option<usize>,
}

/// Two lists.
pub(super) struct Lists<'l> {
    /// The rows in which they differ, in any order.
    pub(super) places: &'l [Place],
    /// The places in the list after of common rows that show something else now.
    pub(super) altered: &'l [usize],
    /// How long each is.
    pub(super) lengths: (usize, usize),
    /// How many rows are passed over, and how many are shown at the most.
    pub(super) skip: usize,
    pub(super) limit: usize,
}

/// Which row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// The one of this index among the places.
    Place(usize),
    /// The common one at this place of the list after.
    After(usize),
}

/// One step: its numbers are places in what is shown, valid once the steps before it are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Appeared { at: usize, who: Who },
    Changed { at: usize, who: Who },
    Moved { from: usize, to: usize, who: Who },
    Went { at: usize, who: Who },
}

/// One of the two lists, seen from its common rows.
struct Side {
    /// The indexes of the places, in the order of the list.
    order: Vec<usize>,
    /// For each of them how many common rows stand before it: ascending.
    common_before: Vec<usize>,
    /// What is shown of the list.
    shown: Range<usize>,
    /// Which common rows are shown, counted among themselves.
    common: Range<usize>,
}

impl Side {
    fn new(lists: &Lists<'_>, length: usize, place: impl Fn(&Place) -> Option<usize>) -> Self {
        let placed = lists.places.iter().enumerate();
        let mut order: Vec<(usize, usize)> =
            placed.filter_map(|(index, row)| place(row).map(|place| (place, index))).collect();
        order.sort_unstable();
        let end = lists.skip.saturating_add(lists.limit).min(length);
        let shown = lists.skip.min(length)..end.max(lists.skip.min(length));
        let common_at = |place: usize| place - order.partition_point(|(other, _)| *other < place);
        let common = common_at(shown.start)..common_at(shown.end);
        let common_before = order.iter().enumerate().map(|(count, (place, _))| place - count).collect();
        Self { order: order.into_iter().map(|(_, index)| index).collect(), common_before, shown, common }
    }

    /// The place of a common row.
    fn place_of(&self, common: usize) -> usize {
        common + self.common_before.partition_point(|before| *before <= common)
    }

    /// Which common row stands at a place.
    fn common_at(&self, place: usize) -> usize {
        // The places before it that hold no common row.
        let (mut low, mut high) = (0, self.common_before.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let its_place = self.common_before[middle] + middle;
            if its_place < place { low = middle + 1 } else { high = middle }
        }
        place - low
    }

    fn shows(&self, place: Option<usize>) -> bool {
        place.is_some_and(|place| self.shown.contains(&place))
    }
}

/// What leads from what was shown to what is shown, each step in its turn.
pub(super) fn steps(lists: &Lists<'_>) -> Vec<Step> {
    let before = Side::new(lists, lists.lengths.0, |place| place.before);
    let after = Side::new(lists, lists.lengths.1, |place| place.after);
    assert_eq!(
        lists.lengths.0 - before.order.len(),
        lists.lengths.1 - after.order.len(),
        "the rows that two lists have in common are as many in one as in the other"
    );
    let start = before.common.start.max(after.common.start);
    let stay = start..before.common.end.min(after.common.end).max(start);
    let mut steps = went(lists, &before, &after, &stay);
    stayed(lists, &before, &after, &stay, &mut steps);
    let mut appeared: Vec<(usize, Who)> = outside(&after.common, &stay)
        .map(|common| after.place_of(common))
        .map(|place| (place, Who::After(place)))
        .collect();
    for (index, place) in lists.places.iter().enumerate() {
        if let Some(at) = place.after.filter(|_| after.shows(place.after) && !before.shows(place.before)) {
            appeared.push((at, Who::Place(index)));
        }
    }
    appeared.sort_unstable_by_key(|(place, _)| *place);
    steps.extend(appeared.into_iter().map(|(place, who)| Step::Appeared { at: place - after.shown.start, who }));
    for place in lists.altered.iter().copied().filter(|place| after.shown.contains(place)) {
        if stay.contains(&after.common_at(place)) {
            steps.push(Step::Changed { at: place - after.shown.start, who: Who::After(place) });
        }
    }
    steps
}

/// Those that go, the last first: so each is where it was.
fn went(lists: &Lists<'_>, before: &Side, after: &Side, stay: &Range<usize>) -> Vec<Step> {
    let mut gone: Vec<(usize, Who)> = outside(&before.common, stay)
        .map(|common| (before.place_of(common), Who::After(after.place_of(common))))
        .collect();
    for (index, place) in lists.places.iter().enumerate() {
        if let Some(at) = place.before.filter(|_| before.shows(place.before) && !after.shows(place.after)) {
            gone.push((at, Who::Place(index)));
        }
    }
    gone.sort_unstable_by_key(|(place, _)| std::cmp::Reverse(*place));
    gone.into_iter().map(|(place, who)| Step::Went { at: place - before.shown.start, who }).collect()
}

/// Those named rows that are shown before and after. In their new order each is put behind the one that it follows: what it
/// still stands behind then of those whose turn is to come moves away later.
fn stayed(lists: &Lists<'_>, before: &Side, after: &Side, stay: &Range<usize>, steps: &mut Vec<Step>) {
    let stays = |index: &usize| {
        let place = &lists.places[*index];
        before.shows(place.before) && after.shows(place.after)
    };
    let gap = |common_before: usize| common_before.clamp(stay.start, stay.end) - stay.start;
    // For each, in the old order: before how many of the common rows that stay it stands.
    let mut turn_of = vec![0; lists.places.len()];
    let mut old_gaps = Vec::new();
    for (index, common) in before.order.iter().zip(&before.common_before).filter(|(index, _)| stays(index)) {
        turn_of[*index] = old_gaps.len();
        old_gaps.push(gap(*common));
    }
    let mut waiting = Counts::full(old_gaps.len());
    let mut new_gaps: Vec<usize> = Vec::new();
    for (index, common) in after.order.iter().zip(&after.common_before).filter(|(index, _)| stays(index)) {
        let turn = turn_of[*index];
        let (old, new) = (old_gaps[turn], gap(*common));
        let from = old + new_gaps.partition_point(|done| *done <= old) + waiting.below(turn);
        waiting.take(turn);
        let to = new + new_gaps.len() + waiting.below(old_gaps.partition_point(|waits| *waits < new));
        new_gaps.push(new);
        let who = Who::Place(*index);
        steps.push(if from == to { Step::Changed { at: to, who } } else { Step::Moved { from, to, who } });
    }
}

/// What of `all` is not within `part`, which lies in it or is empty.
fn outside(all: &Range<usize>, part: &Range<usize>) -> impl Iterator<Item = usize> {
    let start = part.start.min(all.end);
    (all.start..start).chain(part.end.max(start)..all.end)
}

/// How many of the numbers below one are still there, as a Fenwick tree.
struct Counts(Vec<usize>);

impl Counts {
    fn full(length: usize) -> Self {
        Self((0..=length).map(|index| index & index.wrapping_neg()).collect())
    }

    fn below(&self, mut end: usize) -> usize {
        let mut count = 0;
        while end > 0 {
            count += self.0[end];
            end &= end - 1;
        }
        count
    }

    fn take(&mut self, number: usize) {
        let mut index = number + 1;
        while let Some(count) = self.0.get_mut(index) {
            *count -= 1;
            index += index & index.wrapping_neg();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Rows by what they are sorted by and their number; the third is what they show.
    type Rows = BTreeMap<(u32, u32), u32>;

    /// Numbered rows, some of which are there before, some after, some both times.
    fn rows() -> impl Strategy<Value = (Rows, Rows)> {
        let row = (0..40u32, 0..6u8, 0..40u32);
        proptest::collection::vec(row, 0..60).prop_map(|rows| {
            let (mut before, mut after) = (Rows::new(), Rows::new());
            for (number, (key, act, new)) in rows.into_iter().enumerate() {
                let number = number as u32;
                if act != 0 {
                    before.insert((key, number), 0);
                }
                let shows = u32::from(act == 2);
                match act {
                    1 => None,
                    3 => after.insert((new, number), 1),
                    _ => after.insert((key, number), shows),
                };
            }
            (before, after)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn the_steps_lead_from_what_was_shown_to_what_is_shown(
            (before, after) in rows(), skip in 0..8usize, limit in prop_oneof![0..12usize, Just(usize::MAX)],
        ) {
            let numbers = |rows: &Rows| rows.keys().copied().collect::<Vec<_>>();
            let (old, new) = (numbers(&before), numbers(&after));
            let place = |list: &[(u32, u32)], number| list.iter().position(|(_, other)| *other == number);
            let (mut places, mut named, mut altered) = (Vec::new(), Vec::new(), Vec::new());
            for number in 0..60 {
                let (was, is) = (place(&old, number), place(&new, number));
                if was.map(|at| old[at].0) != is.map(|at| new[at].0) {
                    places.push(Place { before: was, after: is });
                    named.push(number);
                } else if let Some(is) = is.filter(|is| after[&new[*is]] != 0) {
                    altered.push(is);
                }
            }
            let lists = Lists { places: &places, altered: &altered, lengths: (old.len(), new.len()), skip, limit };
            let shown = |list: &[(u32, u32)]| -> Vec<u32> {
                list.iter().skip(skip).take(limit).map(|(_, number)| *number).collect()
            };
            let mut list = shown(&old);
            let mut told = Vec::new();
            let number = |who| match who {
                Who::Place(index) => named[index],
                Who::After(place) => new[place].1,
            };
            for step in steps(&lists) {
                match step {
                    Step::Appeared { at, who } => list.insert(at, number(who)),
                    Step::Changed { at, who } => prop_assert_eq!(list[at], number(who)),
                    Step::Moved { from, to, who } => {
                        prop_assert_ne!(from, to);
                        let moved = list.remove(from);
                        prop_assert_eq!(moved, number(who));
                        list.insert(to, moved);
                    }
                    Step::Went { at, who } => prop_assert_eq!(list.remove(at), number(who)),
                }
                let (Step::Appeared { who, .. } | Step::Changed { who, .. } | Step::Moved { who, .. } | Step::Went { who, .. }) = step;
                told.push(number(who));
            }
            prop_assert_eq!(&list, &shown(&new));
            // Each row is told of once, and all of which there is something to tell.
            told.sort_unstable();
            let mut once = told.clone();
            once.dedup();
            prop_assert_eq!(&told, &once);
            for number in shown(&new) {
                let same = place(&old, number).is_some_and(|at| (skip..skip.saturating_add(limit)).contains(&at))
                    && place(&new, number).is_some_and(|at| after[&new[at]] == 0 && old.contains(&new[at]));
                prop_assert_eq!(!same, told.contains(&number));
            }
        }
    }
}
