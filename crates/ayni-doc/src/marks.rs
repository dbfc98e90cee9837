//! Marks: which writes were replaced by versions that have seen them.
//!
//! Versions make marks, and a write is replaced if a version that has seen its own makes a mark that concerns it. Within a
//! chain of versions (see [`Graph`]) that is a matter of position. Across chains, going from the newest to the oldest, each
//! passes to those before it the marks that its versions made and those passed to it.
//!
//! Marks are handled [`BLOCK`] at a time, so memory is 32 bytes a chain whatever the graph, and each block goes only over
//! the stretch of chains that it concerns.

#![expect(clippy::indexing_slicing, reason = "all indices are of the merge's own making")]

use std::cmp::Reverse;

use crate::graph::Graph;

/// Marks in a block: as many bits as four words have.
const BLOCK: u32 = 256;
type Block = [u64; 4];

/// That the version at a position made a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Made {
    pub(crate) mark: u32,
    pub(crate) position: u32,
}

/// That a mark replaces a write, which the version at a position made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Concern {
    pub(crate) mark: u32,
    pub(crate) position: u32,
    pub(crate) write: u32,
}

/// For each of so many writes whether it was replaced.
pub(crate) fn replaced(graph: &Graph<'_>, mut made: Vec<Made>, mut concerns: Vec<Concern>, writes: usize) -> Vec<bool> {
    made.sort_unstable();
    concerns.sort_unstable();
    let mut replaced = vec![false; writes];
    let mut seen = vec![Block::default(); graph.chains()];
    let (mut made, mut concerns) = (&made[..], &concerns[..]);
    while let Some(first) = concerns.first() {
        let block = first.mark / BLOCK;
        let (here, later) = concerns.split_at(concerns.partition_point(|concern| concern.mark / BLOCK <= block));
        concerns = later;
        made = &made[made.partition_point(|made| made.mark / BLOCK < block)..];
        let (made_here, later) = made.split_at(made.partition_point(|made| made.mark / BLOCK == block));
        made = later;
        replaced_in_block(graph, made_here, here, &mut seen, &mut replaced);
    }
    replaced
}

fn replaced_in_block(
    graph: &Graph<'_>,
    made: &[Made],
    concerns: &[Concern],
    seen: &mut [Block],
    replaced: &mut [bool],
) {
    let oldest = concerns.iter().map(|concern| concern.position).min();
    let newest = made.iter().map(|made| made.position).max();
    let (Some(oldest), Some(newest)) = (oldest, newest) else { return };
    let (oldest, newest) = (graph.chain(oldest), graph.chain(newest));
    if oldest < newest {
        pass(graph, made, oldest, newest, seen);
    }
    for concern in concerns {
        let chain = graph.chain(concern.position);
        let passed = chain < newest && has(&seen[chain], concern.mark);
        let next = made.partition_point(|made| (made.mark, made.position) <= (concern.mark, concern.position));
        let in_chain =
            made.get(next).is_some_and(|made| made.mark == concern.mark && made.position < graph.positions(chain).end);
        replaced[concern.write as usize] |= passed || in_chain;
    }
}

/// Passes the marks of one block from the chain `newest` down to the chain `oldest`. Afterwards `seen` holds, for each of
/// these, the marks made by later chains that have seen it.
fn pass(graph: &Graph<'_>, made: &[Made], oldest: usize, newest: usize, seen: &mut [Block]) {
    seen[oldest..=newest].fill(Block::default());
    let mut made = made.to_vec();
    made.sort_unstable_by_key(|made| Reverse(made.position));
    let mut made = made.iter().peekable();
    for chain in (oldest..=newest).rev() {
        let mut passed = seen[chain];
        let start = graph.positions(chain).start;
        while let Some(Made { mark, .. }) = made.next_if(|made| made.position >= start) {
            let bit = mark % BLOCK;
            passed[(bit / 64) as usize] |= 1 << (bit % 64);
        }
        if passed != Block::default() {
            for parent in graph.parents(chain).iter().filter(|parent| **parent as usize >= oldest) {
                seen[*parent as usize].iter_mut().zip(passed).for_each(|(seen, passed)| *seen |= passed);
            }
        }
    }
}

fn has(block: &Block, mark: u32) -> bool {
    let bit = mark % BLOCK;
    block[(bit / 64) as usize] >> (bit % 64) & 1 == 1
}
