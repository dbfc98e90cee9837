//! Letters without what does not matter to whoever searches: capitals, accents, ways of writing the same.

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// The apostrophe as it stands inside of a word, whichever was written.
pub(super) const APOSTROPHE: char = '\u{2bc}';

/// What a letter of a text is to words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// A part of a word.
    Letter(char),
    /// A word by itself: of scripts that put no spaces between words, and pictures.
    Sign(char),
    /// Belongs to the letter or sign before.
    Mark(char),
    /// Belongs to a word between letters, and separates words elsewhere.
    Apostrophe,
    /// Separates words.
    Gap,
}

/// Gives the pieces of a letter: taken apart as Unicode's compatibility decomposition (UAX #15) does, and folded.
pub(super) fn fold(letter: char, mut each: impl FnMut(Piece)) {
    if letter.is_ascii() {
        return each(ascii(letter));
    }
    if matches!(letter, '\u{b4}') {
        return each(Piece::Apostrophe); // Its decomposition is a space with an accent.
    }
    decompose_compatible(letter, |part| fold_part(part, &mut each));
}

fn ascii(letter: char) -> Piece {
    match letter {
        '\'' | '`' => Piece::Apostrophe,
        letter if letter.is_ascii_alphanumeric() => Piece::Letter(letter.to_ascii_lowercase()),
        _ => Piece::Gap,
    }
}

fn fold_part(part: char, each: &mut impl FnMut(Piece)) {
    match part {
        part if part.is_ascii() => each(ascii(part)),
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2b9}' | '\u{2bb}' | '\u{2bc}' | '\u{2bd}' | '\u{a78b}'
        | '\u{a78c}' => each(Piece::Apostrophe),
        part if is_left_out(part) => {}
        part if is_sign(part) => each(if is_combining_mark(part) { Piece::Mark(part) } else { Piece::Sign(part) }),
        part if is_combining_mark(part) => each(Piece::Mark(part)),
        part if part.is_alphanumeric() => {
            part.to_lowercase().for_each(|letter| alike(letter, &mut |letter| each(Piece::Letter(letter))));
        }
        _ => each(Piece::Gap),
    }
}

/// Letters that Unicode does not take apart, and that are searched for by another; and ways of writing Arabic.
fn alike(letter: char, each: &mut impl FnMut(char)) {
    let letters = match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ł' => "l",
        'ŧ' => "t",
        'ı' => "i",
        'ς' => "σ",
        'ٱ' => "ا",
        'ى' | 'ی' => "ي",
        'ة' => "ه",
        'ک' => "ك",
        // Digits as Arabic and Persian write them.
        '\u{660}'..='\u{669}' => return each(digit(letter, '\u{660}')),
        '\u{6f0}'..='\u{6f9}' => return each(digit(letter, '\u{6f0}')),
        letter => return each(letter),
    };
    letters.chars().for_each(each);
}

fn digit(letter: char, zero: char) -> char {
    let value = u32::from(letter).saturating_sub(u32::from(zero));
    char::from_digit(value, 10).unwrap_or(letter)
}

/// Accents, the vowel points of Arabic and Hebrew, tatweel, and what is not seen. Marks of other scripts are vowels, or make
/// another letter, and stay.
fn is_left_out(part: char) -> bool {
    matches!(part,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}'
        | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}' | '\u{5c2}' | '\u{5c4}' | '\u{5c5}' | '\u{5c7}'
        | '\u{610}'..='\u{61a}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6dc}'
        | '\u{6df}'..='\u{6e4}' | '\u{6e7}' | '\u{6e8}' | '\u{6ea}'..='\u{6ed}' | '\u{8ca}'..='\u{8ff}'
        | '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0100}'..='\u{e01ef}')
}

/// Scripts that are written without spaces between words (Thai, Lao, Burmese, Khmer, Chinese, Japanese), and pictures.
fn is_sign(part: char) -> bool {
    let script = matches!(part,
        '\u{e01}'..='\u{e3a}' | '\u{e40}'..='\u{e4e}' | '\u{e81}'..='\u{ece}' | '\u{edc}'..='\u{edf}'
        | '\u{1000}'..='\u{103f}' | '\u{1050}'..='\u{109d}' | '\u{1780}'..='\u{17d3}'
        | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}' | '\u{3038}'..='\u{303b}' | '\u{3041}'..='\u{309a}'
        | '\u{309d}'..='\u{309f}' | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}' | '\u{3105}'..='\u{312f}'
        | '\u{31a0}'..='\u{31bf}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{20000}'..='\u{3fffd}');
    script || matches!(part, '\u{2600}'..='\u{27bf}' | '\u{1f1e6}'..='\u{1f1ff}' | '\u{1f300}'..='\u{1faff}')
}
