//! Finding documents by words, in an index or by looking at all.

use std::ops::ControlFlow;

use ayni_log::ids::DocumentId;
use ayni_store::{CollectionRow, DocumentRef, DocumentRow, IndexRow, Snapshot, TextQuery, flags};

use super::Search;
use super::rank::{Corpus, Counts};
use crate::error::Error;
use crate::query::condition::{Encoded, Order};
use crate::query::found::Found;

/// Reads from an index the documents with the words; where the best come first, it breaks off once there are enough, but not
/// between documents of the same rank: their ids decide among those.
pub(in crate::query) fn read_index(
    store: &Snapshot<'_>,
    index: IndexRow,
    words: &TextQuery,
    found: &mut Found<'_>,
) -> Result<(), Error> {
    let ranked = found.query.order() == Order::Rank;
    let most = found.most().filter(|_| ranked);
    found.cost.runs = 1;
    found.cost.ordered = ranked;
    let mut last = None;
    store.text_matches(index, words, ranked, |row, rank| {
        if most.is_some_and(|most| found.len() >= most) && last != Some(rank) {
            return Ok(ControlFlow::Break(()));
        }
        found.cost.keys += 1;
        let Some(document) = store.document(row)? else { return Ok(ControlFlow::Continue(())) };
        let ayni_store::Document { row, id, flags, heads, body, .. } = document;
        if found.take_ranked(&DocumentRef { row, id, flags, heads, body: &body }, rank)? {
            last = Some(rank);
        }
        Ok::<_, Error>(ControlFlow::Continue(()))
    })
}

/// A document that has the words.
struct Match {
    row: DocumentRow,
    id: DocumentId,
    counts: Counts,
}

/// Looks for words in all documents; the best are read once more when it is known how seldom the words are.
pub(in crate::query) fn scan(
    store: &Snapshot<'_>,
    collection: CollectionRow,
    search: &Search,
    found: &mut Found<'_>,
) -> Result<(), Error> {
    let mut corpus = Corpus::default();
    let mut matches = Vec::new();
    store.documents(collection, None, |document| {
        found.cost.documents += 1;
        if document.flags & flags::DELETED != 0 {
            return Ok(ControlFlow::Continue(()));
        }
        let body = Encoded(document.body);
        let counts = Counts::of(search.query(), &search.columns(&body));
        corpus.add(&counts);
        if counts.hold(search.query()) && found.query.holds_but_words(document.id, &body) {
            matches.push(Match { row: document.row, id: document.id, counts });
        }
        Ok::<_, Error>(ControlFlow::Continue(()))
    })?;
    let mut ranked: Vec<(f64, DocumentId, DocumentRow)> =
        matches.into_iter().map(|found| (corpus.rank(&found.counts), found.id, found.row)).collect();
    ranked.sort_by(|one, other| one.0.total_cmp(&other.0).then_with(|| one.1.cmp(&other.1)));
    ranked.truncate(found.most().unwrap_or(usize::MAX));
    let looked_at = found.cost.documents;
    for (rank, _, row) in ranked {
        let Some(document) = store.document(row)? else { continue };
        let ayni_store::Document { row, id, flags, heads, body, .. } = document;
        found.take_ranked(&DocumentRef { row, id, flags, heads, body: &body }, rank)?;
    }
    found.cost.documents = looked_at;
    Ok(())
}
