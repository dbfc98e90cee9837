//! Searches: what they mean, and what is refused with its reason.

use super::*;

fn search(text: &str) -> Search {
    text.parse().unwrap()
}

#[track_caller]
fn finds(search: &str, text: &str, found: bool) {
    let document = Map::from([("name".into(), text.into())]);
    assert_eq!(self::search(search).matches(&document), found, "{search} in {text}");
}

#[test]
fn words_phrases_beginnings_and_what_must_not_be_there() {
    finds("water well", "a well of water", true);
    finds("water well", "a well", false);
    finds("\"water well\"", "a Water-Well", true);
    finds("\"water well\"", "well water", false);
    finds("“water well” «a»", "a water well", true);
    finds("wat*", "Wáter", true);
    finds("wat", "water", false);
    finds("\"deep wat\"*", "deep water", true);
    finds("-wat* deep", "deep water", false);
    finds("well -dry", "dry well", false);
    finds("well -\"dry well\"", "well dry", true);
    finds("spring OR well deep", "deep well", true);
    finds("spring OR well deep", "deep sea", false);
    finds("spring or well", "spring well", false);
    finds("\"OR\" well", "well or", true);
    finds("example.com", "see example.com now", true);
    finds("example.com", "com.example", false);
}

#[test]
fn words_of_several_scripts_are_found() {
    finds("agua", "Poço d'Água", true);
    finds("d’água", "POCO D'AGUA", true);
    finds("k’anka", "k'anka wasi", true);
    finds("anka", "k'anka", false);
    finds("水井", "村里的水井很深", true);
    finds("井水", "村里的水井很深", false);
    finds("بئر", "بِئْرُ الماء", true);
    finds("احمد", "أحمد", true);
    finds("ماء", "مـــاء", true);
}

#[test]
fn of_three_letters_or_more_any_run_is_found_inside_of_words() {
    let inside = |search: &str, text: &str| {
        let document = Map::from([("name".into(), text.into())]);
        self::search(search).tokenizer(Tokenizer::Trigrams).unwrap().matches(&document)
    };
    assert!(inside("ater", "Wáter"));
    assert!(inside("ell wat", "water-well"));
    assert!(!inside("\"ell wat\"", "water-well"));
    assert!(inside("\"er wel\"", "water-well"));
    assert!(!inside("erwel", "water-well"));
    assert!(inside("er", "water") && inside("r", "water") && !inside("rx", "water"));
    assert!(inside("水井", "村里的水井"));
    assert!(!inside("water -ell", "water well"));
}

#[test]
fn words_are_found_in_all_texts_or_in_the_fields_asked_for() {
    let inner = Map::from([("b".into(), vec![Value::from("deep"), "well".into()].into())]);
    let document =
        Map::from([("a".into(), inner.into()), ("name".into(), "water".into()), ("n".into(), Value::Int(5))]);
    let within = |text: &str, fields: &[&str]| {
        search(text).fields(fields.iter().map(|field| field.parse().unwrap())).unwrap().matches(&document)
    };
    assert!(within("deep water", &[]));
    assert!(within("deep water", &["name", "a.b"]) && within("well", &["a"]));
    assert!(!within("deep water", &["name"]));
    assert!(!within("\"deep well\"", &["a.b"]), "they stand in two texts");
    assert!(!within("5", &[]), "a number is no text");
}

#[test]
fn what_cannot_be_understood_is_refused_with_what_to_do() {
    let refused = |text: &str| text.parse::<Search>().unwrap_err();
    assert_eq!(refused("  "), SearchError::Empty);
    assert_eq!(refused("-dry -\"a b\""), SearchError::OnlyWithout);
    assert_eq!(refused("well !!"), SearchError::NoWord("!!".into()));
    assert_eq!(refused("*"), SearchError::NoWord(String::new()));
    assert_eq!(refused("\"\" a"), SearchError::NoWord(String::new()));
    assert_eq!(refused("a \"b c"), SearchError::Unclosed("b c".into()));
    for text in ["OR a", "a OR", "a OR OR b", "a OR -b", "-a OR b"] {
        assert_eq!(refused(text), SearchError::Or, "{text}");
    }
    assert_eq!(refused(&"a ".repeat(MOST_TERMS + 1)), SearchError::Terms(MOST_TERMS + 1));
    assert_eq!(refused(&"水".repeat(MOST_TOKENS + 1)), SearchError::Phrase(MOST_TOKENS + 1));
}

#[test]
fn places_tell_where_the_words_stand() {
    let marked = |search: &str, text: &str| {
        let places = self::search(search).places_in(text);
        places.into_iter().map(|place| text[place].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(marked("agua poço", "Poço d'Água, agua"), ["Poço", "Água", "agua"]);
    assert_eq!(marked("\"water well\" wel*", "the water-well"), ["water-well"]);
    assert_eq!(marked("水井 -x", "村里的水井"), ["水井"]);
    let inside = search("ater").tokenizer(Tokenizer::Trigrams).unwrap();
    assert_eq!(inside.places_in("a water").first(), Some(&(2..7)));
}
