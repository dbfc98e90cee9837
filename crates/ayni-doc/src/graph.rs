//! The graph of a document's versions, in an order that has parents before children.

#![expect(clippy::indexing_slicing, reason = "all indices are of this module's own making")]

use crate::version::{EntryKey, Version};

/// The versions, parents before children, and who the parents are.
pub(crate) struct Graph<'a> {
    pub(crate) order: Vec<&'a Version>,
    /// Where in `parents` those of each version begin; one more at the end.
    starts: Vec<u32>,
    /// Positions in `order`.
    parents: Vec<u32>,
}

impl<'a> Graph<'a> {
    pub(crate) fn new(versions: &'a [Version]) -> Self {
        let mut by_key: Vec<(EntryKey, u32)> =
            versions.iter().zip(0..).map(|(version, index)| (version.key, index)).collect();
        by_key.sort_unstable();
        assert!(by_key.is_sorted_by(|a, b| a.0 < b.0), "two versions have one key");
        let index = |key: &EntryKey| match by_key.binary_search_by_key(key, |(key, _)| *key) {
            Ok(found) => by_key[found].1,
            Err(_) => panic!("a parent is not among the versions: whoever merges withholds versions that wait"),
        };
        let mut waiting = vec![0u32; versions.len()];
        let mut edges = Vec::new();
        for (child, version) in versions.iter().enumerate() {
            edges.extend(version.parents.iter().map(|parent| (index(parent), child as u32)));
            waiting[child] = version.parents.len() as u32;
        }
        edges.sort_unstable();
        let mut order: Vec<u32> = (0..versions.len() as u32).filter(|index| waiting[*index as usize] == 0).collect();
        let mut next = 0;
        while let Some(&parent) = order.get(next) {
            next += 1;
            let first = edges.partition_point(|edge| edge.0 < parent);
            for (_, child) in edges[first..].iter().take_while(|edge| edge.0 == parent) {
                waiting[*child as usize] -= 1;
                if waiting[*child as usize] == 0 {
                    order.push(*child);
                }
            }
        }
        assert_eq!(order.len(), versions.len(), "the versions go in a circle");
        let mut position = vec![0u32; versions.len()];
        order.iter().zip(0..).for_each(|(index, at)| position[*index as usize] = at);
        let mut starts = vec![0];
        let mut parents = Vec::with_capacity(edges.len());
        for child in &order {
            parents.extend(versions[*child as usize].parents.iter().map(|key| position[index(key) as usize]));
            starts.push(parents.len() as u32);
        }
        Self { order: order.iter().map(|index| &versions[*index as usize]).collect(), starts, parents }
    }

    /// The positions of the parents of the version at a position.
    pub(crate) fn parents(&self, position: usize) -> &[u32] {
        &self.parents[self.starts[position] as usize..self.starts[position + 1] as usize]
    }
}
