//! A sorted list that knows its places: what stands at a place, and at which place something stands, each found in much less
//! time than the list is long. It is cut into chunks, so that putting in and taking out move few items.

use std::cmp::Ordering;

/// Items in a chunk at the most; one that grows beyond is cut in two.
const CHUNK: usize = 512;

/// See the module. The order is told with each call, and must be the same each time.
#[derive(Debug)]
pub(super) struct Ranked<T> {
    /// None of them is empty.
    chunks: Vec<Vec<T>>,
}

impl<T> Default for Ranked<T> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<T> Ranked<T> {
    /// From items in their order.
    pub(super) fn from_sorted(items: impl IntoIterator<Item = T>) -> Self {
        let mut ranked = Self::default();
        for item in items {
            match ranked.chunks.last_mut().filter(|chunk| chunk.len() < CHUNK) {
                Some(chunk) => chunk.push(item),
                None => ranked.chunks.push(vec![item]),
            }
        }
        ranked
    }

    pub(super) fn len(&self) -> usize {
        self.chunks.iter().map(Vec::len).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    pub(super) fn last(&self) -> Option<&T> {
        self.chunks.last()?.last()
    }

    /// What stands at a place.
    pub(super) fn get(&self, mut place: usize) -> Option<&T> {
        for chunk in &self.chunks {
            match place.checked_sub(chunk.len()) {
                Some(rest) => place = rest,
                None => return chunk.get(place),
            }
        }
        None
    }

    /// The place of the item that is equal to what `compare` compares with, if it is there.
    pub(super) fn place_by(&self, compare: impl Fn(&T) -> Ordering) -> Option<usize> {
        let at = self.chunk_by(&compare);
        let within = self.chunks.get(at)?.binary_search_by(&compare).ok()?;
        Some(self.chunks.iter().take(at).map(Vec::len).sum::<usize>() + within)
    }

    /// Puts an item in, before the first that is not less.
    pub(super) fn insert_by(&mut self, item: T, compare: impl Fn(&T) -> Ordering) {
        let at = self.chunk_by(&compare).min(self.chunks.len().saturating_sub(1));
        let Some(chunk) = self.chunks.get_mut(at) else {
            self.chunks.push(vec![item]);
            return;
        };
        let within = chunk.partition_point(|known| compare(known).is_lt());
        chunk.insert(within, item);
        if chunk.len() > CHUNK {
            let rest = chunk.split_off(CHUNK / 2);
            self.chunks.insert(at + 1, rest);
        }
    }

    /// Takes the item out that is equal to what `compare` compares with.
    pub(super) fn remove_by(&mut self, compare: impl Fn(&T) -> Ordering) -> Option<T> {
        let at = self.chunk_by(&compare);
        let chunk = self.chunks.get_mut(at)?;
        let item = chunk.remove(chunk.binary_search_by(&compare).ok()?);
        if chunk.is_empty() {
            self.chunks.remove(at);
        }
        Some(item)
    }

    /// Takes the last item out.
    pub(super) fn pop(&mut self) -> Option<T> {
        let chunk = self.chunks.last_mut()?;
        let item = chunk.pop();
        if chunk.is_empty() {
            self.chunks.pop();
        }
        item
    }

    /// The first chunk with an item that is not less.
    fn chunk_by(&self, compare: impl Fn(&T) -> Ordering) -> usize {
        self.chunks.partition_point(|chunk| chunk.last().is_some_and(|last| compare(last).is_lt()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn it_is_a_sorted_list(items in proptest::collection::vec((0..3_000u32, 0..5u8), 0..2_000)) {
            let mut expected = BTreeSet::new();
            let mut ranked = Ranked::from_sorted((0..1_000).map(|number| number * 2));
            expected.extend((0..1_000).map(|number| number * 2));
            for (item, act) in items {
                match act {
                    0 => prop_assert_eq!(ranked.remove_by(|known| known.cmp(&item)).is_some(), expected.remove(&item)),
                    // A run, so that chunks become empty.
                    2 if expected.len() % 31 == 0 => for item in item..item + 1_500 {
                        prop_assert_eq!(ranked.remove_by(|known| known.cmp(&item)).is_some(), expected.remove(&item));
                    },
                    1 if expected.len() % 7 == 0 => prop_assert_eq!(ranked.pop(), expected.pop_last()),
                    _ if expected.insert(item) => ranked.insert_by(item, |known| known.cmp(&item)),
                    _ => {}
                }
            }
            prop_assert_eq!(ranked.len(), expected.len());
            prop_assert_eq!(ranked.last(), expected.last());
            prop_assert!(ranked.iter().eq(&expected));
            for (place, item) in expected.iter().enumerate() {
                prop_assert_eq!(ranked.get(place), Some(item));
                prop_assert_eq!(ranked.place_by(|known| known.cmp(item)), Some(place));
            }
            prop_assert_eq!(ranked.get(expected.len()), None);
        }
    }
}
