//! How wide text stands, and how it is made to fit: cut, filled up, or broken between words.
//!
//! Terminals disagree about emoji that are joined into one and about ligatures. Here each letter counts by itself, which is
//! never less than what a terminal shows: a column may stand a little off, and no line breaks.

use std::borrow::Cow;

use console::Alignment;

/// Joins what stands before and behind it into one emoji.
const JOINER: char = '\u{200d}';
/// Makes an emoji of the letter before it, which then takes two columns.
const EMOJI: char = '\u{fe0f}';

/// What cannot be taken apart: a letter with the marks on it, or the sequence that sets a style.
struct Piece<'t> {
    text: &'t str,
    width: usize,
}

impl Piece<'_> {
    fn is_style(&self) -> bool {
        self.text.starts_with('\u{1b}')
    }
}

/// Columns of a text on one line; sequences that set a style take none.
pub(crate) fn width(text: &str) -> usize {
    match text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        true => text.len(),
        false => pieces(text).map(|piece| piece.width).sum(),
    }
}

/// The text, cut with `…` where it is wider than this.
pub(crate) fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    let mut left = columns.saturating_sub(1);
    let mut ended = false;
    for piece in pieces(text) {
        ended |= piece.width > left;
        if !ended {
            left -= piece.width;
            shown.push_str(piece.text);
        } else if piece.is_style() {
            shown.push_str(piece.text);
        }
    }
    if columns > 0 {
        shown.push('…');
    }
    Cow::Owned(shown)
}

/// The text with as many spaces as make it so wide.
pub(crate) fn fill(text: &str, columns: usize, alignment: Alignment) -> String {
    let spaces = " ".repeat(columns.saturating_sub(width(text)));
    match alignment {
        Alignment::Right => format!("{spaces}{text}"),
        _ => format!("{text}{spaces}"),
    }
}

/// The lines of a text, none wider than `columns`: broken between words, and inside of one only where it is wider than a line.
/// A command in backticks is one word.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    text.split('\n').flat_map(|line| wrap_line(line, columns, columns, true)).collect()
}

/// A text in sentences with this indentation, and that one where a line goes on. A word that is wider than a line stays whole:
/// it is a path or an id, and somebody may want to copy it.
pub(crate) fn indented(text: &str, columns: usize, first: usize, rest: usize) -> String {
    let room = |indent: usize| columns.saturating_sub(indent).max(1);
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let indents = std::iter::once(first).chain(std::iter::repeat(rest));
        let with_indent = |(line, indent): (String, usize)| format!("{}{line}", " ".repeat(indent));
        lines.extend(wrap_line(line, room(first), room(rest), false).into_iter().zip(indents).map(with_indent));
    }
    lines.join("\n")
}

/// The lines of one line, the first no wider than `first`, the others than `rest`, but for words that are not to be broken.
fn wrap_line(line: &str, first: usize, rest: usize, break_words: bool) -> Vec<String> {
    if width(line) <= first {
        return vec![line.to_owned()];
    }
    let mut lines = vec![String::new()];
    let (mut used, mut columns) = (0, first);
    for (spaces, word) in words(line) {
        let wide = width(word);
        let begun = used > 0 || lines.len() == 1;
        if begun && used + spaces + wide <= columns {
            push(&mut lines, &" ".repeat(spaces));
            push(&mut lines, word);
            used += spaces + wide;
            continue;
        }
        if used > 0 {
            lines.push(String::new());
            (used, columns) = (0, rest);
        }
        for piece in pieces(word) {
            if break_words && used > 0 && used + piece.width > columns {
                lines.push(String::new());
                (used, columns) = (0, rest);
            }
            push(&mut lines, piece.text);
            used += piece.width;
        }
    }
    lines
}

fn push(lines: &mut [String], text: &str) {
    if let Some(last) = lines.last_mut() {
        last.push_str(text);
    }
}

/// The words of a line, each with how many spaces stand before it.
fn words(line: &str) -> Vec<(usize, &str)> {
    let in_pairs = line.matches('`').count().is_multiple_of(2);
    let mut words = Vec::new();
    let (mut spaces, mut start, mut quoted) = (0, None, false);
    for (at, letter) in line.char_indices() {
        quoted ^= letter == '`' && in_pairs;
        match (letter == ' ' && !quoted, start) {
            (true, None) => spaces += 1,
            (true, Some(from)) => {
                words.push((spaces, line.get(from..at).unwrap_or_default()));
                (spaces, start) = (1, None);
            }
            (false, None) => start = Some(at),
            (false, Some(_)) => {}
        }
    }
    words.extend(start.map(|from| (spaces, line.get(from..).unwrap_or_default())));
    words
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let piece = first_piece(rest)?;
        rest = rest.get(piece.text.len()..).unwrap_or_default();
        Some(piece)
    })
}

fn first_piece(text: &str) -> Option<Piece<'_>> {
    if text.starts_with("\u{1b}[")
        && let Some(end) = text.find('m')
    {
        return Some(Piece { text: text.get(..=end)?, width: 0 });
    }
    let mut letters = text.char_indices();
    let (_, first) = letters.next()?;
    let (mut wide, mut joined, mut end) = (columns_of(first), first == JOINER, text.len());
    for (at, letter) in letters {
        let own = columns_of(letter);
        if (own > 0 && !joined) || letter.is_control() {
            end = at;
            break;
        }
        wide = if letter == EMOJI { wide.max(2) } else { wide + own };
        joined = letter == JOINER;
    }
    Some(Piece { text: text.get(..end)?, width: wide })
}

fn columns_of(letter: char) -> usize {
    match letter {
        ' '..='~' => 1,
        _ => console::measure_text_width(letter.encode_utf8(&mut [0; 4])),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn letters_stand_as_wide_as_they_are_at_most() {
        assert_eq!(["abc", "北京", "n\u{303}", "", "→"].map(width), [3, 4, 1, 0, 1]);
        assert_eq!(width("👨\u{200d}👩\u{200d}👧"), 6, "a terminal that does not join them shows three");
        assert_eq!(width("🏔\u{fe0f}"), 2);
        assert_eq!(width("\u{1b}[31mred\u{1b}[0m"), 3);
    }

    #[test]
    fn nothing_is_cut_in_the_middle_of_a_letter() {
        assert_eq!(cut("北京市", 4), "北…");
        assert_eq!(cut("an\u{303}o y tiempo", 3), "an\u{303}…");
        assert_eq!(cut("👨\u{200d}👩 family", 5), "👨\u{200d}👩…");
        assert_eq!(cut("\u{1b}[31mred wine\u{1b}[0m", 4), "\u{1b}[31mred\u{1b}[0m…");
        assert_eq!(cut("whole", 5), "whole");
    }

    #[test]
    fn lines_break_between_words_and_commands_stay_whole() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("run `ayni put it` now", 14), ["run", "`ayni put it`", "now"]);
        assert_eq!(wrap("Llanfairpwll is", 5), ["Llanf", "airpw", "ll is"]);
        assert_eq!(wrap("  indented stays", 12), ["  indented", "stays"]);
        assert_eq!(indented("in /a/very/long/path it is", 9, 0, 2), "in\n  /a/very/long/path\n  it is");
        assert_eq!(indented("a long hint to go on", 9, 0, 4), "a long\n    hint\n    to go\n    on");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_asked_for_and_nothing_is_lost(text in "[ a-z`é北👩\u{200d}\u{303}\n]{0,60}", columns in 12_usize..40) {
            let lines = wrap(&text, columns);
            let letters = |text: &str| text.chars().filter(|letter| !letter.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
            for line in lines {
                prop_assert!(width(&line) <= columns.max(pieces(&line).map(|piece| piece.width).max().unwrap_or(0)), "{line:?}");
            }
            for line in text.split('\n') {
                prop_assert!(width(&cut(line, columns)) <= columns);
            }
        }
    }
}
