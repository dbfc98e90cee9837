//! Reading branches of the store: their entries, whole commits, and where these begin and end.

use std::ops::{ControlFlow, Range};

use ayni_log::entry::Entry;
use ayni_log::ids::{Hash, LogName};
use ayni_log::tip::Tip;
use ayni_store::{BranchRow, Snapshot, StoreError};

use crate::core::branches::Branch;
use crate::error::Error;

/// Entries, and bytes, after which reading stops at the end of a commit.
const READ_ENTRIES: usize = 4_096;
const READ_BYTES: usize = 4 << 20;

/// The entries of a branch at some positions.
pub(crate) fn read_entries(store: &Snapshot<'_>, row: BranchRow, from: u64, to: u64) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::with_capacity((to - from).min(1 << 14) as usize);
    store.entries(row, from..to, |entry| {
        entries.push(Entry {
            position: entry.position,
            hash: entry.hash,
            header: entry.read_header().map_err(|_| Error::Damaged("an entry of the log"))?,
            header_bytes: entry.header.to_vec(),
            payload: entry.payload.map(<[u8]>::to_vec),
        });
        Ok::<_, Error>(ControlFlow::Continue(()))
    })?;
    Ok(entries)
}

/// The entries of the next whole commits of a branch: all of one, and more as long as they are few.
pub(crate) fn read_commits(store: &Snapshot<'_>, row: BranchRow, positions: Range<u64>) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    let mut bytes = 0;
    store.entries(row, positions, |entry| {
        let header = entry.read_header().map_err(|_| Error::Damaged("an entry of the log"))?;
        bytes += entry.header.len() + entry.payload.map_or(0, <[u8]>::len);
        let enough = header.ends_commit && (bytes >= READ_BYTES || entries.len() >= READ_ENTRIES);
        entries.push(Entry {
            position: entry.position,
            hash: entry.hash,
            header,
            header_bytes: entry.header.to_vec(),
            payload: entry.payload.map(<[u8]>::to_vec),
        });
        Ok::<_, Error>(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(entries)
}

/// The tip that a branch had at a length: read again from its start.
pub(crate) fn tip_at(store: &Snapshot<'_>, row: BranchRow, length: u64, name: &LogName) -> Result<Tip, Error> {
    let mut tip = Tip::new(*name);
    store.entries(row, 0..length, |entry| {
        let header = entry.read_header().map_err(|_| Error::Damaged("an entry of the log"))?;
        tip.append(&header, &header.encode()).map_err(|_| Error::Damaged("an entry of the log"))?;
        Ok::<_, Error>(ControlFlow::Continue(()))
    })?;
    if tip.length() == length { Ok(tip) } else { Err(StoreError::Lost("an entry").into()) }
}

/// Where the commit began that was under way when a branch had a length: that length itself between commits.
pub(crate) fn commit_start(store: &Snapshot<'_>, row: BranchRow, length: u64) -> Result<u64, Error> {
    let mut start = length.saturating_sub(ayni_log::limits::COMMIT_ENTRIES as u64);
    store.entries(row, start..length, |entry| {
        if entry.read_header().map_err(|_| Error::Damaged("an entry of the log"))?.ends_commit {
            start = entry.position + 1;
        }
        Ok::<_, Error>(ControlFlow::Continue(()))
    })?;
    Ok(start)
}

/// The hash of a branch's last entry at a length, and whether that entry ends its commit.
pub(crate) fn link_at(store: &Snapshot<'_>, branch: &Branch, length: u64) -> Option<(Hash, bool)> {
    let position = length.checked_sub(1)?;
    let (first, arriving) = &branch.arriving;
    if let Some(link) = position.checked_sub(*first).and_then(|index| arriving.get(index as usize)) {
        return Some(*link);
    }
    let entry = store.entry(store.key_at(branch.row, position).ok()??).ok()??;
    Some((entry.hash, entry.read_header().ok()?.ends_commit))
}

/// The whole commits within a range of positions: a commit counts as one or not at all.
pub(crate) fn whole_commits(range: Range<u64>, length: u64, ends: impl Fn(u64) -> bool) -> Option<Range<u64>> {
    let start = (range.start..range.end).find(|start| ends(*start))?;
    // What is under way at the end of the branch is judged once it is whole.
    let end = if range.end == length { length } else { (start..=range.end).rev().find(|end| ends(*end))? };
    (start < end).then_some(start..end)
}

/// Where two lists of ranges differ, below `end`.
pub(crate) fn difference(one: &[Range<u64>], other: &[Range<u64>], end: u64) -> Vec<Range<u64>> {
    let mut points: Vec<u64> = one.iter().chain(other).flat_map(|range| [range.start, range.end]).collect();
    points.extend([0, end]);
    points.retain(|point| *point <= end);
    points.sort_unstable();
    points.dedup();
    let within = |ranges: &[Range<u64>], point| ranges.iter().any(|range| range.contains(&point));
    let spans = points.windows(2).map(|pair| pair[0]..pair[1]);
    spans.filter(|span| within(one, span.start) != within(other, span.start)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_commit_that_is_cut_nothing_counts() {
        // Commits of 3, 2 and 4 entries, and 1 that is under way.
        let whole = |range| whole_commits(range, 10, |at| [0, 3, 5, 9].contains(&at));
        assert_eq!(whole(0..3), Some(0..3));
        assert_eq!(whole(0..4), Some(0..3), "cut off behind");
        assert_eq!(whole(1..5), Some(3..5), "cut off in front");
        assert_eq!(whole(1..8), Some(3..5), "on both sides");
        assert_eq!(whole(0..10), Some(0..10), "what is under way is judged once it is whole");
        assert_eq!([whole(1..3), whole(6..8), whole(5..8), whole(0..0)], [const { None }; 4]);
    }

    #[test]
    fn what_is_judged_otherwise_is_found() {
        let ranges = |pairs: &[(u64, u64)]| pairs.iter().map(|(from, to)| *from..*to).collect::<Vec<_>>();
        let differ = |one: &[(u64, u64)], other: &[(u64, u64)]| difference(&ranges(one), &ranges(other), 10);
        assert_eq!(differ(&[(0, 10)], &[(0, 10)]), ranges(&[]));
        assert_eq!(differ(&[(0, 10)], &[(0, 4)]), ranges(&[(4, 10)]));
        assert_eq!(differ(&[], &[(2, 3), (5, 30)]), ranges(&[(2, 3), (5, 10)]));
        assert_eq!(differ(&[(0, 20)], &[(5, 20)]), ranges(&[(0, 5)]));
    }
}
