//! The graph of a document's versions: in an order that has parents before children, and cut into chains.
//!
//! A *chain* is a run of versions of which each but the first has the one before it as its only parent, and is its only
//! child. A history without concurrency is one chain, however long.

#![expect(clippy::indexing_slicing, reason = "all indices are of this module's own making")]

use std::ops::Range;

use crate::version::{EntryKey, Version};

/// The versions, parents before children, each chain in one run.
pub(crate) struct Graph<'a> {
    pub(crate) order: Vec<&'a Version>,
    /// The chain of each version.
    chains: Vec<u32>,
    /// Where each chain begins; one more at the end.
    starts: Vec<u32>,
    /// The chains of the parents of each chain's first version, and where each chain's begin in it; one more at the end.
    parents: Vec<u32>,
    parents_starts: Vec<u32>,
}

impl<'a> Graph<'a> {
    /// # Panics
    /// If two versions have one key, a parent is not among the versions, or they go in a circle.
    pub(crate) fn new(versions: &'a [Version]) -> Self {
        let edges = Edges::new(versions);
        let order = edges.order();
        assert_eq!(order.len(), versions.len(), "the versions go in a circle");

        let mut graph = Self {
            order: order.iter().map(|index| &versions[*index as usize]).collect(),
            chains: Vec::with_capacity(order.len()),
            starts: Vec::new(),
            parents: Vec::new(),
            parents_starts: vec![0],
        };
        let mut chain_of = vec![0u32; versions.len()];
        for (position, &index) in order.iter().enumerate() {
            let parents = &edges.parents[index as usize];
            let before = position.checked_sub(1).map(|before| order[before]);
            let goes_on = before.is_some_and(|before| *parents == [before] && edges.children(before).len() == 1);
            if !goes_on {
                graph.starts.push(position as u32);
                graph.parents.extend(parents.iter().map(|parent| chain_of[*parent as usize]));
                graph.parents_starts.push(graph.parents.len() as u32);
            }
            let chain = graph.starts.len() as u32 - 1;
            chain_of[index as usize] = chain;
            graph.chains.push(chain);
        }
        graph.starts.push(order.len() as u32);
        graph
    }

    /// How many chains there are.
    pub(crate) fn chains(&self) -> usize {
        self.starts.len() - 1
    }

    /// The chain of the version at a position.
    pub(crate) fn chain(&self, position: u32) -> usize {
        self.chains[position as usize] as usize
    }

    /// The positions of a chain.
    pub(crate) fn positions(&self, chain: usize) -> Range<u32> {
        self.starts[chain]..self.starts[chain + 1]
    }

    /// The chains that a chain goes on from. It has seen all of each that comes before it.
    pub(crate) fn parents(&self, chain: usize) -> &[u32] {
        &self.parents[self.parents_starts[chain] as usize..self.parents_starts[chain + 1] as usize]
    }
}

/// Who is whose parent, by index in the slice that was given.
struct Edges {
    parents: Vec<Vec<u32>>,
    /// Parent and child, in order.
    pairs: Vec<(u32, u32)>,
}

impl Edges {
    fn new(versions: &[Version]) -> Self {
        let mut by_key: Vec<(EntryKey, u32)> =
            versions.iter().zip(0..).map(|(version, index)| (version.key, index)).collect();
        by_key.sort_unstable();
        assert!(by_key.is_sorted_by(|a, b| a.0 < b.0), "two versions have one key");
        let index = |key: &EntryKey| match by_key.binary_search_by_key(key, |(key, _)| *key) {
            Ok(found) => by_key[found].1,
            Err(_) => panic!("a parent is not among the versions: whoever merges withholds versions that wait"),
        };
        let parents = versions.iter().map(|version| {
            let mut parents: Vec<u32> = version.parents.iter().map(index).collect();
            parents.sort_unstable();
            parents.dedup();
            parents
        });
        let parents: Vec<Vec<u32>> = parents.collect();
        let pairs =
            parents.iter().zip(0..).flat_map(|(parents, child)| parents.iter().map(move |parent| (*parent, child)));
        let mut pairs: Vec<(u32, u32)> = pairs.collect();
        pairs.sort_unstable();
        Self { parents, pairs }
    }

    fn children(&self, parent: u32) -> &[(u32, u32)] {
        let first = self.pairs.partition_point(|pair| pair.0 < parent);
        let rest = &self.pairs[first..];
        &rest[..rest.partition_point(|pair| pair.0 == parent)]
    }

    /// Parents before children, and after each version, if possible, one of its children (Kahn's algorithm with a stack).
    fn order(&self) -> Vec<u32> {
        let mut waiting: Vec<usize> = self.parents.iter().map(Vec::len).collect();
        let mut ready: Vec<u32> = (0..waiting.len() as u32).filter(|index| waiting[*index as usize] == 0).collect();
        let mut order = Vec::with_capacity(waiting.len());
        while let Some(parent) = ready.pop() {
            order.push(parent);
            for (_, child) in self.children(parent) {
                waiting[*child as usize] -= 1;
                if waiting[*child as usize] == 0 {
                    ready.push(*child);
                }
            }
        }
        order
    }
}
