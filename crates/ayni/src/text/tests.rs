//! Words of several languages, as people would expect to find them.

use proptest::prelude::*;

use super::*;

fn words_of(text: &str) -> Vec<String> {
    tokens(text, Tokenizer::Words).into_iter().map(|token| token.text).collect()
}

#[track_caller]
fn alike(one: &str, other: &str) {
    assert_eq!(words_of(one), words_of(other), "{one} and {other}");
    assert!(!words_of(one).is_empty());
}

#[test]
fn capitals_and_accents_do_not_matter() {
    alike("São João d'Água Fria", "sao joao d’agua fria");
    alike("ÑANDÚ", "nandu");
    alike("e\u{301}te\u{301}", "été");
    alike("Straße", "STRASSE");
    alike("İstanbul ıslak", "istanbul islak");
    alike("Ελλάς", "ελλασ");
    alike("ﬁn ½ ①", "fin 1 2 1");
    alike("ＡＢＣ１２", "abc12");
}

#[test]
fn an_apostrophe_between_letters_belongs_to_the_word_however_it_is_written() {
    for written in ["k'anka q'illay", "k’anka q’illay", "Kʼanka Qʼillay", "k´anka q`illay"] {
        assert_eq!(words_of(written), ["k\u{2bc}anka", "q\u{2bc}illay"]);
    }
    assert_eq!(words_of("t'anta 'pukyu' don't"), ["t\u{2bc}anta", "pukyu", "don\u{2bc}t"]);
    assert_eq!(words_of("caixa d'água, l'eau, dell'acqua"), ["caixa", "d", "agua", "l", "eau", "dell", "acqua"]);
}

#[test]
fn of_scripts_without_spaces_each_sign_is_a_word() {
    assert_eq!(words_of("水井 (深30米)"), ["水", "井", "深", "30", "米"]);
    assert_eq!(words_of("がっこう"), ["が", "っ", "こ", "う"]);
    alike("か\u{3099}", "が");
    assert_ne!(words_of("が"), words_of("か"));
    assert_eq!(words_of("น้ำ").len(), 2);
    assert_eq!(words_of("우물 물"), ["우물", "물"]);
    alike("\u{110b}\u{116e}\u{1106}\u{116e}\u{11af}", "우물");
    assert_eq!(words_of("💧water"), ["💧", "water"]);
}

#[test]
fn arabic_is_found_with_and_without_points_and_by_any_alef() {
    alike("بِئْرُ المَاءِ", "بئر الماء");
    alike("أحمد إلى آبار", "احمد الي ابار");
    alike("مـــاء", "ماء");
    alike("مدينة ٣٤", "مدينه 34");
    alike("علی کتاب", "علي كتاب");
    alike("שָׁלוֹם", "שלום");
}

#[test]
fn vowels_of_indian_scripts_are_no_accents() {
    assert_ne!(words_of("कि"), words_of("कु"));
    assert_eq!(words_of("पानी का कुआँ").len(), 3);
}

#[test]
fn what_stands_between_letters_and_digits_separates_words() {
    assert_eq!(words_of("well-being, example.com/a_b 3.5"), ["well", "being", "example", "com", "a", "b", "3", "5"]);
    assert_eq!(words_of(" \u{301} … "), Vec::<String>::new());
}

#[test]
fn a_word_tells_where_it_stands() {
    let text = "«São João» 水井";
    let places: Vec<&str> = tokens(text, Tokenizer::Words).into_iter().map(|token| &text[token.place]).collect();
    assert_eq!(places, ["São", "João", "水", "井"]);
}

#[test]
fn of_a_long_word_the_beginning_counts() {
    let long = "é".repeat(WORD_LETTERS + 10);
    assert_eq!(words_of(&long), ["e".repeat(WORD_LETTERS)]);
}

#[test]
fn letters_in_a_row_overlap_run_over_words_and_end_with_the_text() {
    let rows: Vec<String> = tokens("Ab cd", Tokenizer::Trigrams).into_iter().map(|token| token.text).collect();
    assert_eq!(rows, ["ab\u{e001}", "b\u{e001}c", "\u{e001}cd", "cd\u{e002}", "d\u{e002}\u{e002}"]);
    assert_eq!(asked("B  C", false, Tokenizer::Trigrams), (vec!["b\u{e001}c".into()], false));
    assert_eq!(asked("cd", false, Tokenizer::Trigrams), (vec!["cd".into()], true));
}

#[test]
fn no_phrase_runs_from_one_text_into_the_next() {
    assert_eq!(column(&["water", "", "well"], Tokenizer::Words), "water \u{e000} well");
    assert_eq!(column(&["…", "well"], Tokenizer::Words), "well");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_text_is_words_of_letters_that_ascend_and_stay_what_they_are_when_read_again(text in "\\PC{0,40}") {
        let found = tokens(&text, Tokenizer::Words);
        for token in &found {
            prop_assert!(!token.text.is_empty() && text.get(token.place.clone()).is_some());
            prop_assert!(token.text.chars().all(|letter| !letter.is_ascii() || letter.is_ascii_alphanumeric()));
        }
        prop_assert!(found.is_sorted_by_key(|token| (token.place.start, token.place.end)));
        for token in tokens(&text, Tokenizer::Trigrams) {
            prop_assert!(token.text.chars().all(|letter| !letter.is_ascii() || letter.is_ascii_alphanumeric()));
        }
        // What is read again gives the same, but for a cut that falls apart differently.
        let again = words_of(&found.iter().map(|token| token.text.as_str()).collect::<Vec<_>>().join(" "));
        prop_assert_eq!(again.len(), found.len());
    }

    #[test]
    fn a_column_is_the_words_of_its_texts(texts in proptest::collection::vec("[ -~]{0,40}|[A-z ]{60,90}|\\PC{0,20}", 0..4)) {
        for tokenizer in [Tokenizer::Words, Tokenizer::Trigrams] {
            let tokens = |text: &String| tokens(text, tokenizer).into_iter().map(|token| token.text).collect::<Vec<_>>().join(" ");
            let expected: Vec<String> = texts.iter().map(tokens).filter(|tokens| !tokens.is_empty()).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            prop_assert_eq!(column(&texts, tokenizer), expected.join(" \u{e000} "));
        }
    }
}
