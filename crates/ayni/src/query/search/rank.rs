//! Looking for words in documents one by one, with the same answer as an index gives, and the same rank as a new one.
//!
//! The rank is BM25 with k1 = 1.2 and b = 0.75, computed as SQLite's FTS5 does
//! (<https://www.sqlite.org/fts5.html#the_bm25_function>; Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and
//! Beyond", 2009): the lower the better. How seldom a word is, is told from all documents of the collection that have any text.

use ayni_store::{TextPhrase, TextQuery};

use super::is_phrase;

const K1: f64 = 1.2;
const B: f64 = 0.75;
/// What a word that stands in more than half of the documents is worth.
const COMMON: f64 = 1e-6;

/// How often each phrase of a search stands in a document, and how long that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    tokens: u64,
    phrases: Vec<u32>,
}

impl Counts {
    pub(crate) fn of(query: &TextQuery, columns: &[String]) -> Self {
        let columns: Vec<Vec<&str>> = columns.iter().map(|column| tokens(column)).collect();
        let count =
            |phrase: &TextPhrase| columns.iter().map(|tokens| count(phrase, tokens)).fold(0, u32::saturating_add);
        Self {
            tokens: columns.iter().map(|tokens| tokens.len() as u64).sum(),
            phrases: query.all.iter().flatten().chain(&query.none).map(count).collect(),
        }
    }

    /// Whether the search holds for the document.
    pub(crate) fn hold(&self, query: &TextQuery) -> bool {
        let mut counts = self.phrases.iter();
        let all = query.all.iter().fold(true, |all, group| {
            let any = counts.by_ref().take(group.len()).fold(false, |any, count| any | (*count > 0));
            all & any
        });
        all && counts.all(|count| *count == 0)
    }
}

/// Whether a search holds for a document with these columns.
pub(super) fn holds(query: &TextQuery, columns: &[String]) -> bool {
    Counts::of(query, columns).hold(query)
}

fn tokens(column: &str) -> Vec<&str> {
    column.split(' ').filter(|token| !token.is_empty()).collect()
}

fn count(phrase: &TextPhrase, tokens: &[&str]) -> u32 {
    let found = tokens.windows(phrase.tokens.len()).filter(|window| is_phrase(phrase, window.iter().copied()));
    u32::try_from(found.count()).unwrap_or(u32::MAX)
}

/// What all documents together tell of a search.
#[derive(Debug, Clone, Default)]
pub(crate) struct Corpus {
    documents: u64,
    tokens: u64,
    with_phrase: Vec<u64>,
}

impl Corpus {
    pub(crate) fn add(&mut self, counts: &Counts) {
        if counts.tokens == 0 {
            return;
        }
        self.documents += 1;
        self.tokens += counts.tokens;
        self.with_phrase.resize(counts.phrases.len(), 0);
        for (documents, count) in self.with_phrase.iter_mut().zip(&counts.phrases) {
            *documents += u64::from(*count > 0);
        }
    }

    pub(crate) fn rank(&self, counts: &Counts) -> f64 {
        let all = self.documents as f64;
        let average = self.tokens as f64 / all;
        let length = 1.0 - B + B * counts.tokens as f64 / average;
        let worth = |documents: u64| {
            let seldom = ((all - documents as f64 + 0.5) / (documents as f64 + 0.5)).ln();
            if seldom > 0.0 { seldom } else { COMMON }
        };
        let each = self.with_phrase.iter().zip(&counts.phrases).map(|(documents, count)| {
            let count = f64::from(*count);
            worth(*documents) * (count * (K1 + 1.0) / (count + K1 * length))
        });
        -each.sum::<f64>()
    }
}
