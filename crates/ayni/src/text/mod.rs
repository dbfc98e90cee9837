//! What a word is, and how it is written where words are compared: the same in an index, in a question and in a text that
//! is looked at, and on every device.
//!
//! A word is a run of letters and digits of any script, folded (`fold.rs`). Of scripts without spaces each sign is a word, and
//! whoever asks for several asks for them one after the other. An apostrophe between letters belongs to the word (*k'anka*,
//! *don't*), but for those that Romance languages put where a vowel fell out (*d'água* is *d* and *agua*).
//!
//! [`tokens`] gives what stands in an index: the words themselves, or every three letters in a row.

mod fold;
#[cfg(test)]
mod tests;

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;

use crate::index::Tokenizer;
use fold::{APOSTROPHE, Piece, fold};

/// Letters of a word that count; what follows them is cut off.
pub(crate) const WORD_LETTERS: usize = 64;

/// Stands between texts of one column, so that no phrase runs from one into the next. No text contains it as a token.
const BETWEEN_TEXTS: &str = "\u{e000}";
/// Stands for what is between two words, where letters are counted.
const BETWEEN_WORDS: char = '\u{e001}';
/// Stands after the last letters of a text, where letters are counted.
const END: char = '\u{e002}';

/// Letters in a row that are one token of [`Tokenizer::Trigrams`].
pub(crate) const ROW: usize = 3;

/// A word of a text, or three letters in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// As it is compared.
    pub(crate) text: String,
    /// Which bytes of the text it is.
    pub(crate) place: Range<usize>,
}

/// The tokens of a text, in order.
pub(crate) fn tokens(text: &str, tokenizer: Tokenizer) -> Vec<Token> {
    match tokenizer {
        Tokenizer::Words => words(text).into_iter().map(cut).collect(),
        Tokenizer::Trigrams => rows(&letters(text)),
    }
}

/// The tokens of texts with spaces between, as they stand in a column of an index.
pub(crate) fn column(texts: &[&str], tokenizer: Tokenizer) -> String {
    let mut column = String::with_capacity(texts.iter().map(|text| text.len() + 1).sum());
    for text in texts {
        let mut at_start = true;
        let mut add = |token: &str| {
            if !column.is_empty() {
                column.push(' ');
                if std::mem::take(&mut at_start) {
                    column.push_str(BETWEEN_TEXTS);
                    column.push(' ');
                }
            }
            at_start = false;
            column.push_str(token);
        };
        match plain_words(text).filter(|_| tokenizer == Tokenizer::Words) {
            Some(words) => words.for_each(|word| add(&word.to_ascii_lowercase())),
            None => tokens(text, tokenizer).iter().for_each(|token| add(&token.text)),
        }
    }
    column
}

/// The words of a text, but for capitals, where they can be told without looking at each letter: it is ASCII, and nothing in it
/// is an apostrophe.
fn plain_words(text: &str) -> Option<impl Iterator<Item = &str>> {
    let is_plain = text.bytes().all(|letter| letter.is_ascii() && !matches!(letter, b'\'' | b'`'));
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    is_plain.then(|| words.map(|word| word.get(..WORD_LETTERS).unwrap_or(word)))
}

/// What is looked for in place of a text that was asked for: its tokens one after the other, of which the last need only
/// begin so if the flag says it.
pub(crate) fn asked(text: &str, beginning: bool, tokenizer: Tokenizer) -> (Vec<String>, bool) {
    match tokenizer {
        Tokenizer::Words => (tokens(text, tokenizer).into_iter().map(|token| token.text).collect(), beginning),
        Tokenizer::Trigrams => {
            let letters: Vec<char> = letters(text).into_iter().map(|(letter, _)| letter).collect();
            match letters.len() {
                0 => (Vec::new(), false),
                // Fewer than a row are the beginning of one.
                1..ROW => (vec![letters.iter().collect()], true),
                _ => (letters.windows(ROW).map(|row| row.iter().collect()).collect(), false),
            }
        }
    }
}

fn cut(mut word: Token) -> Token {
    if let Some((at, _)) = word.text.char_indices().nth(WORD_LETTERS) {
        word.text.truncate(at);
    }
    word
}

/// The letters of a text with the places of their words, and one sign for whatever stands between two words.
fn letters(text: &str) -> Vec<(char, Range<usize>)> {
    let mut letters = Vec::new();
    let mut end = None;
    for word in words(text) {
        if end.is_some_and(|end| end < word.place.start) {
            letters.push((BETWEEN_WORDS, word.place.start..word.place.start));
        }
        end = Some(word.place.end);
        letters.extend(word.text.chars().map(|letter| (letter, word.place.clone())));
    }
    letters
}

/// Every letter with the two that follow it.
fn rows(letters: &[(char, Range<usize>)]) -> Vec<Token> {
    let row = |at: usize| {
        let row = letters.get(at..letters.len().min(at + ROW)).unwrap_or_default();
        let text = row.iter().map(|(letter, _)| *letter).chain(std::iter::repeat(END)).take(ROW).collect();
        let place = row.first().zip(row.last()).map_or(0..0, |(first, last)| first.1.start..last.1.end);
        Token { text, place }
    };
    (0..letters.len()).map(row).collect()
}

/// The whole words of a text.
fn words(text: &str) -> Vec<Token> {
    let mut words = Words::default();
    for (at, letter) in text.char_indices() {
        let place = at..at + letter.len_utf8();
        fold(letter, |piece| words.take(piece, &place));
    }
    words.end();
    words.done
}

/// Words under way.
#[derive(Default)]
struct Words {
    done: Vec<Token>,
    word: String,
    place: Range<usize>,
    is_sign: bool,
    /// An apostrophe came after the last letter.
    apostrophe: bool,
}

impl Words {
    fn take(&mut self, piece: Piece, place: &Range<usize>) {
        match piece {
            Piece::Letter(letter) => {
                if self.is_sign || (self.apostrophe && is_elision(&self.word, letter)) {
                    self.end();
                }
                if std::mem::take(&mut self.apostrophe) {
                    self.push(APOSTROPHE, place);
                }
                self.push(letter, place);
            }
            Piece::Sign(sign) => {
                self.end();
                self.push(sign, place);
                self.is_sign = true;
            }
            Piece::Mark(mark) if !self.word.is_empty() && !self.apostrophe => self.push(mark, place),
            Piece::Mark(_) => {}
            Piece::Apostrophe if !self.word.is_empty() && !self.is_sign && !self.apostrophe => self.apostrophe = true,
            Piece::Apostrophe | Piece::Gap => self.end(),
        }
    }

    fn push(&mut self, letter: char, place: &Range<usize>) {
        if self.word.is_empty() {
            self.place.start = place.start;
        }
        self.place.end = place.end;
        self.word.push(letter);
    }

    fn end(&mut self) {
        (self.is_sign, self.apostrophe) = (false, false);
        if self.word.is_empty() {
            return;
        }
        let word = std::mem::take(&mut self.word);
        // Put together again what was taken apart and stays: Korean, Indian and Japanese letters.
        let text = if word.is_ascii() { word } else { word.nfc().collect() };
        self.done.push(Token { text, place: self.place.clone() });
    }
}

/// Whether the apostrophe after these letters stands for a vowel that fell out before the next, as in *d'água*, *l'eau*,
/// *dell'acqua*. `t'` is none of them: it is a letter of Quechua and Aymara.
fn is_elision(word: &str, next: char) -> bool {
    let before = matches!(
        word,
        "d" | "l" | "j" | "m" | "n" | "s" | "c" | "qu" | "un" | "all" | "dall" | "dell" | "nell" | "sull" | "quell"
    );
    before && matches!(next, 'a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'h')
}
