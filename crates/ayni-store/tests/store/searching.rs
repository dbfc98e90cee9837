//! Text and geometry indexes: what is found in them, and that they come and go with what they are of.

use std::ops::ControlFlow;

use ayni_store::{IndexRow, PlaceBox, Store, StoreError, TextPhrase, TextQuery};

use crate::support::{Place, collection, insert, read, write};

fn index(store: &Store, definition: &[u8]) -> IndexRow {
    write(store, |write| {
        let (_, collection) = collection(write)?;
        Ok(write.add_index(collection, definition)?.0)
    })
}

fn set(store: &Store, index: IndexRow, texts: &[(i64, [&str; 2])]) {
    write(store, |write| {
        texts.iter().try_for_each(|(row, columns)| write.set_text(index, *row, columns.map(str::to_owned).to_vec()))
    });
}

fn phrase(tokens: &str) -> TextPhrase {
    TextPhrase { tokens: tokens.split(' ').map(str::to_owned).collect(), prefix: false }
}

fn asked(all: &[&str]) -> TextQuery {
    TextQuery { all: all.iter().map(|tokens| vec![phrase(tokens)]).collect(), ..TextQuery::default() }
}

fn found(store: &Store, index: IndexRow, query: &TextQuery) -> Vec<i64> {
    let mut rows = Vec::new();
    read(store, |snapshot| {
        snapshot.text_matches(index, query, false, |row, _| {
            rows.push(row);
            Ok::<_, StoreError>(ControlFlow::Continue(()))
        })?;
        assert_eq!(snapshot.count_text(index, query, 1_000)?, rows.len() as u64);
        Ok(())
    });
    rows
}

#[test]
fn documents_are_found_by_words_phrases_and_beginnings_in_the_columns_asked_for() {
    let place = Place::new();
    let store = place.create();
    let text = index(&store, b"text");
    assert_eq!(found(&store, text, &asked(&["water"])), [], "of an index in which nothing stands");
    set(&store, text, &[(1, ["water well", "dry"]), (2, ["well", "water"]), (3, ["水 井", "k\u{2bc}anka waters"])]);
    assert_eq!(found(&store, text, &asked(&["water", "well"])), [1, 2]);
    assert_eq!(found(&store, text, &asked(&["water well"])), [1]);
    assert_eq!(found(&store, text, &asked(&["水 井"])), [3]);
    assert_eq!(found(&store, text, &asked(&["k\u{2bc}anka"])), [3]);
    let beginning = TextPhrase { prefix: true, ..phrase("wat") };
    let mut query = TextQuery { all: vec![vec![beginning]], ..TextQuery::default() };
    assert_eq!(found(&store, text, &query), [1, 2, 3]);
    query.columns = Some(vec![1]);
    assert_eq!(found(&store, text, &query), [2, 3]);
    query.none = vec![phrase("waters")];
    assert_eq!(found(&store, text, &query), [2]);
    let either = TextQuery { all: vec![vec![phrase("dry"), phrase("井")]], ..TextQuery::default() };
    assert_eq!(found(&store, text, &either), [1, 3]);
    // Nothing in a token can be taken for a part of the question.
    assert_eq!(found(&store, text, &asked(&["water\" OR \"well"])), []);
}

#[test]
fn a_text_that_is_set_again_or_taken_out_is_found_no_more_also_within_one_transaction() {
    let place = Place::new();
    let store = place.create();
    let text = index(&store, b"text");
    set(&store, text, &[(1, ["one", ""]), (2, ["two", ""]), (1, ["three", ""])]);
    assert_eq!(found(&store, text, &asked(&["one"])), []);
    assert_eq!(found(&store, text, &asked(&["three"])), [1]);
    set(&store, text, &[(2, ["four", ""])]);
    assert_eq!(found(&store, text, &asked(&["two"])), []);
    write(&store, |write| {
        write.remove_text(text, 1)?;
        write.remove_text(text, 99)
    });
    assert_eq!(found(&store, text, &asked(&["three"])), []);
    assert_eq!(found(&store, text, &asked(&["four"])), [2]);
}

#[test]
fn the_best_come_first() {
    let place = Place::new();
    let store = place.create();
    let text = index(&store, b"text");
    set(&store, text, &[(1, ["a b c d e f well", ""]), (2, ["well", ""]), (3, ["x", ""]), (4, ["well well", "x y z"])]);
    let mut rows = Vec::new();
    read(&store, |snapshot| {
        snapshot.text_matches(text, &asked(&["well"]), true, |row, rank| {
            rows.push((row, rank));
            Ok::<_, StoreError>(ControlFlow::Continue(()))
        })
    });
    assert!(rows.is_sorted_by(|one, other| one.1 < other.1), "{rows:?}");
    assert_eq!((rows.len(), rows.last().unwrap().0), (3, 1));
}

const EVERYWHERE: PlaceBox = PlaceBox { west: -180.0, south: -90.0, east: 180.0, north: 90.0 };

#[test]
fn documents_are_found_by_each_of_their_boxes_and_once() {
    let place = Place::new();
    let store = place.create();
    let places = index(&store, b"places");
    let there = |boxes: &[PlaceBox]| {
        read(&store, |snapshot| {
            let found = snapshot.documents_in_boxes(places, boxes)?;
            assert!(snapshot.count_boxes(places, boxes, 1_000)? >= found.len() as u64);
            Ok(found)
        })
    };
    assert_eq!(there(&[EVERYWHERE]), [], "of an index in which nothing stands");
    let point = |x, y| PlaceBox { west: x, south: y, east: x, north: y };
    let east = PlaceBox { west: 179.0, south: -17.0, east: 180.0, north: -16.0 };
    let west = PlaceBox { west: -180.0, east: -179.0, ..east };
    write(&store, |write| {
        write.set_boxes(places, 7, vec![east, west])?;
        // Cusco, not to be held exactly in 32 bits.
        write.set_boxes(places, 8, vec![point(-71.967_52, -13.532)])
    });
    assert_eq!(there(&[EVERYWHERE]), [7, 8]);
    assert_eq!((there(&[east]), there(&[west])), (vec![7], vec![7]));
    assert_eq!(there(&[east, west, east]), [7]);
    assert_eq!(there(&[point(-71.967_52, -13.532)]), [8]);
    assert_eq!(there(&[point(-71.96, -13.5)]), []);
    write(&store, |write| {
        write.set_boxes(places, 7, vec![west])?;
        write.set_boxes(places, 8, Vec::new())
    });
    assert_eq!((there(&[EVERYWHERE]), there(&[east])), (vec![7], vec![]));
}

#[test]
fn boxes_give_way_to_later_ones_also_of_documents_that_were_added_in_the_same_transaction() {
    let place = Place::new();
    let store = place.create();
    let places = index(&store, b"places");
    let there = |bounds| read(&store, |snapshot| snapshot.documents_in_boxes(places, &[bounds]));
    let at = |x| PlaceBox { west: x, south: 0.0, east: x, north: 0.0 };
    let (first, second) = write(&store, |write| {
        let (_, collection) = collection(write)?;
        let first = insert(write, collection, 1)?;
        write.set_boxes(places, first, vec![at(1.0), at(2.0)])?;
        write.write_keys()?;
        let second = insert(write, collection, 2)?;
        write.set_boxes(places, first, vec![at(3.0)])?;
        write.set_boxes(places, second, vec![at(4.0)])?;
        write.set_boxes(places, second, vec![at(5.0)])?;
        Ok((first, second))
    });
    assert_eq!([1.0, 2.0, 4.0].map(|x| there(at(x))), [const { Vec::new() }; 3]);
    assert_eq!((there(at(3.0)), there(at(5.0))), (vec![first], vec![second]));
    write(&store, |write| {
        let (_, collection) = collection(write)?;
        insert(write, collection, 3)?;
        write.set_boxes(places, first, Vec::new())?;
        write.set_boxes(places, second, vec![at(6.0)])
    });
    assert_eq!(there(EVERYWHERE), [second]);
    assert_eq!(there(at(6.0)), [second]);
}

#[test]
fn what_stands_in_an_index_goes_with_it_and_with_the_views() {
    let place = Place::new();
    let store = place.create();
    let (text, places) = (index(&store, b"text"), index(&store, b"places"));
    let fill = || {
        set(&store, text, &[(1, ["water", ""])]);
        write(&store, |write| write.set_boxes(places, 1, vec![EVERYWHERE]));
    };
    let is_empty = || {
        let boxes = read(&store, |snapshot| snapshot.documents_in_boxes(places, &[EVERYWHERE]));
        found(&store, text, &asked(&["water"])).is_empty() && boxes.is_empty()
    };
    fill();
    write(&store, |write| {
        write.set_text(text, 2, vec!["water".into(), String::new()])?;
        write.set_boxes(places, 2, vec![EVERYWHERE])?;
        write.drop_views()
    });
    assert!(is_empty());
    fill();
    assert!(!is_empty());
    write(&store, |write| {
        write.set_text(text, 2, vec!["water".into(), String::new()])?;
        write.drop_index(text)?;
        write.drop_index(places)
    });
    assert!(is_empty());
}
