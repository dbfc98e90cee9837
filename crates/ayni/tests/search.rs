//! Searches over a database: words of several languages, with an index and without, beside selectors, sorts and limits.

mod support;

use ayni::doc::{Map, Operation, Value};
use ayni::query::{Query, Search};
use ayni::{Collection, Document, DocumentId, Index, Tokenizer};
use proptest::prelude::*;
use support::{Device, fields, team};

fn text(words: &[&str], tokenizer: Tokenizer) -> Index {
    Index::text(words.iter().map(|field| field.parse().unwrap()), tokenizer).unwrap()
}

fn search(words: &str) -> Search {
    words.parse().unwrap()
}

fn names(collection: &Collection, query: &Query) -> Vec<String> {
    let name = |document: &Document| document.get(&["name"]).unwrap().as_text().unwrap().to_owned();
    collection.query(query).unwrap().iter().map(name).collect()
}

fn wells() -> Device {
    let [device] = team();
    let made = device.project().write(|tx| {
        for (name, depth) in [
            ("Poço d'Água de São João", 30),
            ("Poço seco", 12),
            ("K'anka pukyu: unu", 3),
            ("村里的水井很深", 80),
            ("بِئْرُ المَاءِ القديم", 45),
            ("Deep water well", 60),
        ] {
            tx.create("wells", fields([("name", name.into()), ("depth", Value::Int(depth))]))?;
        }
        Ok(())
    });
    made.unwrap();
    device
}

#[test]
fn words_of_all_languages_are_found_with_an_index_and_without() {
    let device = wells();
    let wells = device.project().collection("wells");
    let finds = |words: &str, name: &str| {
        assert_eq!(names(&wells, &Query::default().search(search(words))), [name], "{words}");
    };
    let all = || {
        finds("agua sao", "Poço d'Água de São João");
        finds("\"poco d’agua\"", "Poço d'Água de São João");
        finds("poço -água", "Poço seco");
        finds("k’anka", "K'anka pukyu: unu");
        finds("puky*", "K'anka pukyu: unu");
        finds("水井", "村里的水井很深");
        finds("بئر الما*", "بِئْرُ المَاءِ القديم");
        finds("الماء", "بِئْرُ المَاءِ القديم");
        finds("WELL OR pozo", "Deep water well");
    };
    all();
    wells.create_index(text(&[], Tokenizer::Words)).unwrap();
    all();
}

#[test]
fn words_go_together_with_a_selector_a_sort_and_a_limit() {
    let device = wells();
    let wells = device.project().collection("wells");
    let query = |selector: &str| Query::new(selector.parse().unwrap()).search(search("poço OR well OR 水井"));
    for _ in 0..2 {
        let deep = names(&wells, &query("depth>=30").sort("depth:desc".parse().unwrap()));
        assert_eq!(deep, ["村里的水井很深", "Deep water well", "Poço d'Água de São João"]);
        let second = names(&wells, &query("").sort("depth".parse().unwrap()).skip(1).limit(2));
        assert_eq!(second, ["Poço d'Água de São João", "Deep water well"]);
        assert_eq!(names(&wells, &query("depth>80")), [""; 0]);
        wells.create_index(text(&["name"], Tokenizer::Words)).unwrap();
        wells.create_index("depth").unwrap();
    }
}

#[test]
fn an_index_serves_its_fields_and_its_notion_of_words_and_looks_at_few_documents() {
    let [device] = team();
    let document = |number: i64| {
        let name = if number % 100 == 0 { "water well" } else { "field" };
        fields([("name", name.into()), ("notes", format!("number {number}").into()), ("number", Value::Int(number))])
    };
    let made =
        device.project().write(|tx| (0..1_000).try_for_each(|number| tx.create("wells", document(number)).map(drop)));
    made.unwrap();
    let wells = device.project().collection("wells");
    wells.create_index(text(&["name", "notes"], Tokenizer::Words)).unwrap();
    let looked_at = |search: Search, sort: &str| {
        let query = Query::default().search(search).limit(5).sort(sort.parse().unwrap());
        let how = wells.explain(&query).unwrap();
        (how.index.map(|index| index.to_string()), how.documents, how.found)
    };
    let fields = |fields: &[&str]| search("well").fields(fields.iter().map(|field| field.parse().unwrap())).unwrap();
    let served = Some("the words of name,notes".to_owned());
    assert_eq!(looked_at(fields(&["name", "notes"]), ""), (served.clone(), 10, 5));
    assert_eq!(looked_at(fields(&["name"]), "number"), (served.clone(), 10, 5));
    assert_eq!(looked_at(fields(&["notes"]), ""), (served, 0, 0));
    // Of all texts, of a further field, of letters inside of words it knows nothing.
    assert_eq!(looked_at(search("well"), ""), (None, 1_000, 5));
    assert_eq!(looked_at(fields(&["name", "other"]), ""), (None, 1_000, 5));
    let inside = fields(&["name"]).tokenizer(Tokenizer::Trigrams).unwrap();
    assert_eq!(looked_at(inside.clone(), ""), (None, 1_000, 5));
    wells.create_index(text(&["name"], Tokenizer::Trigrams)).unwrap();
    assert_eq!(looked_at(inside, ""), (Some("the letters of name".to_owned()), 10, 5));
    // Where the order is by a field, an index on it that narrows the query down more is read instead.
    wells.create_index("number").unwrap();
    let query = Query::new("number<3".parse().unwrap()).search(fields(&["name"])).sort("number".parse().unwrap());
    assert_eq!(wells.explain(&query).unwrap().index, Some("number".parse().unwrap()));
}

#[test]
fn what_is_edited_deleted_or_brought_back_is_found_as_it_is_now() {
    let device = wells();
    let (project, wells) = (device.project(), device.project().collection("wells"));
    wells.create_index(text(&["name"], Tokenizer::Words)).unwrap();
    let named = |words: &str| {
        let search = search(words).fields(["name".parse().unwrap()]).unwrap();
        wells.query(&Query::default().search(search)).unwrap()
    };
    let dry = named("seco").remove(0);
    project.write(|tx| tx.edit(&dry, vec![Operation::set("name", Value::from("Poço fundo"))])).unwrap();
    assert_eq!((named("seco").len(), named("fundo").len(), named("poço").len()), (0, 1, 2));
    let read = wells.get(dry.id()).unwrap().unwrap();
    project.write(|tx| tx.delete(&read)).unwrap();
    assert_eq!((named("fundo").len(), named("poço").len()), (0, 1));
    let deleted = wells.get_deleted(dry.id()).unwrap().unwrap();
    project.write(|tx| tx.edit(&deleted, vec![Operation::set("name", Value::from("Poço novo"))])).unwrap();
    assert_eq!((named("novo").len(), named("poço").len()), (1, 2));
}

#[test]
fn views_that_are_made_anew_find_the_same() {
    let device = wells();
    let wells = device.project().collection("wells");
    wells.create_index(text(&[], Tokenizer::Words)).unwrap();
    let query = Query::default().search(search("poço"));
    let before = names(&wells, &query);
    device.database.rebuild_views(|_| {}).unwrap();
    assert_eq!(names(&wells, &query), before);
    assert_eq!(wells.explain(&query).unwrap().documents, 2);
}

/// Words of several scripts, some of them alike but for capitals and accents.
fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "água",
        "agua",
        "AGUA",
        "poço",
        "d'água",
        "k'anka",
        "k’anka",
        "kanka",
        "水井",
        "水",
        "井",
        "بِئْر",
        "بئر",
        "أحمد",
        "well",
        "wells",
        "water-well",
        "a",
        "ab",
        "3.5",
        "…",
        "💧",
    ])
}

fn prose() -> impl Strategy<Value = String> {
    proptest::collection::vec(word(), 0..8).prop_map(|words| words.join(" "))
}

fn document() -> impl Strategy<Value = Map> {
    (prop::option::of(prose()), prop::option::of(prose()), proptest::collection::vec(prose(), 0..3)).prop_map(
        |(name, notes, list)| {
            let texts = [("name", name), ("notes", notes)].into_iter();
            let mut document: Map = texts.filter_map(|(field, text)| Some((field.into(), text?.into()))).collect();
            document.insert("list".into(), list.into_iter().map(Value::from).collect::<Vec<_>>().into());
            document.insert("number".into(), Value::Int(document.len() as i64));
            document
        },
    )
}

fn phrase() -> impl Strategy<Value = String> {
    proptest::collection::vec(word(), 1..3).prop_map(|words| format!("\"{}\"", words.join(" ")))
}

fn term() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => word().prop_map(str::to_owned),
        1 => word().prop_map(|word| format!("{word}*")),
        1 => phrase(),
        1 => phrase().prop_map(|phrase| format!("{phrase}*")),
    ]
}

fn question() -> impl Strategy<Value = String> {
    let more = prop_oneof![
        2 => term(),
        2 => term().prop_map(|term| format!("OR {term}")),
        1 => term().prop_map(|term| format!("-{term}")),
    ];
    (term(), proptest::collection::vec(more, 0..3)).prop_map(|(first, more)| format!("{first} {}", more.join(" ")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn an_index_changes_no_answer_and_made_anew_no_order(
        documents in proptest::collection::vec(document(), 20..40),
        questions in proptest::collection::vec((question(), any::<bool>(), 0..3_usize), 40),
        edited in proptest::collection::vec((any::<prop::sample::Index>(), prose()), 5),
    ) {
        let [device] = team();
        let project = device.project();
        let made = project.write(|tx| {
            documents.iter().map(|one| tx.create("things", one.clone())).collect::<Result<Vec<_>, _>>()
        });
        let (made, things) = (made.unwrap(), project.collection("things"));
        let of = [&[][..], &["name", "notes"], &["list"]];
        let make_indexes = || {
            for fields in of {
                things.create_index(text(fields, Tokenizer::Words)).unwrap();
                things.create_index(text(fields, Tokenizer::Trigrams)).unwrap();
            }
        };
        let ids = |query: &Query| things.query(query).unwrap().iter().map(Document::id).collect::<Vec<DocumentId>>();
        let sorted = |query: &Query| {
            let mut ids = ids(query);
            ids.sort();
            ids
        };
        let queries: Vec<Query> = questions.into_iter().filter_map(|(question, inside, fields)| {
            let tokenizer = if inside { Tokenizer::Trigrams } else { Tokenizer::Words };
            // A word of signs alone is refused.
            let search = question.parse::<Search>().ok()?.tokenizer(tokenizer).unwrap();
            let search = search.fields(of[fields].iter().map(|field| field.parse().unwrap())).unwrap();
            Some(Query::new("number>=1".parse().unwrap()).search(search))
        }).collect();
        make_indexes();
        for (which, text) in edited {
            let read = things.get(*which.get(&made)).unwrap().unwrap();
            project.write(|tx| tx.edit(&read, vec![Operation::set("name", Value::from(text))])).unwrap();
        }
        let with: Vec<Vec<DocumentId>> = queries.iter().map(sorted).collect();
        for index in things.indexes().unwrap() {
            things.drop_index(index).unwrap();
        }
        let without: Vec<Vec<DocumentId>> = queries.iter().map(ids).collect();
        for ((query, with), without) in queries.iter().zip(&with).zip(&without) {
            let mut without = without.clone();
            without.sort();
            prop_assert_eq!(with, &without, "{:?}", query.search);
        }
        make_indexes();
        for (query, without) in queries.iter().zip(&without) {
            prop_assert!(things.explain(query).unwrap().index.is_some());
            prop_assert_eq!(&ids(query), without, "{:?}", query.search);
            let few = query.clone().skip(1).limit(3);
            prop_assert_eq!(ids(&few), without.iter().skip(1).take(3).copied().collect::<Vec<_>>());
        }
    }
}
