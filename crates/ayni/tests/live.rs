//! Live queries: applied in turn, what they tell is the answer to the query, whatever happens, and costs by what changed.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use ayni::doc::{Operation, Value};
use ayni::query::{Query, Selector};
use ayni::{Collection, Difference, Document, DocumentId, LiveQuery, Project};
use proptest::prelude::*;
use support::{Device, create, fields, meet, set, team};

/// Long enough for whatever is to come.
const SOON: Duration = Duration::from_secs(30);

/// A live query and the list that its reader has.
struct Reader {
    live: LiveQuery,
    list: Vec<Document>,
}

impl Reader {
    fn of(collection: &Collection, query: Query) -> Self {
        Self { live: collection.watch(query), list: Vec::new() }
    }

    /// Applies what is new; gives it.
    fn read(&mut self) -> Vec<Difference> {
        let batch = self.live.next(Duration::ZERO).unwrap().unwrap_or_default();
        self.apply(batch.clone());
        batch
    }

    /// Waits while something is done, and applies what comes; gives it.
    fn wait_while(&mut self, act: impl FnOnce()) -> Vec<Difference> {
        let batch = std::thread::scope(|scope| {
            let waits = scope.spawn(|| self.live.next(SOON).unwrap());
            act();
            waits.join().unwrap().expect("something comes")
        });
        self.apply(batch.clone());
        batch
    }

    fn apply(&mut self, batch: Vec<Difference>) {
        for difference in batch {
            if let Difference::Changed { at, .. } | Difference::Went { at, .. } | Difference::Moved { from: at, .. } =
                difference
            {
                assert_eq!(self.list[at].id(), difference.id());
            }
            difference.apply(&mut self.list);
        }
    }

    /// The list is the answer to the query asked anew.
    fn check(&self, collection: &Collection) {
        let answer = collection.query(self.live.query()).unwrap();
        assert!(self.list == answer, "{:?}\n{:?}\n{answer:?}", self.live.query(), self.list);
        assert!(self.live.ids().eq(answer.iter().map(Document::id)));
    }
}

fn query(text: &str) -> Query {
    Query::new(text.parse::<Selector>().unwrap())
}

fn places(device: &Device) -> Collection {
    device.project().collection("places")
}

fn number(value: i64) -> ayni::doc::Map {
    fields([("number", Value::Int(value))])
}

/// What each difference of a batch is, and where.
fn signs(batch: &[Difference]) -> Vec<String> {
    let sign = |difference: &Difference| match difference {
        Difference::Appeared { at, .. } => format!("+{at}"),
        Difference::Changed { at, .. } => format!("={at}"),
        Difference::Moved { from, to, .. } => format!("{from}>{to}"),
        Difference::Went { at, .. } => format!("-{at}"),
        _ => "?".to_owned(),
    };
    batch.iter().map(sign).collect()
}

#[test]
fn first_comes_what_there_is_and_then_each_difference() {
    let [device] = team();
    let project = device.project();
    let mut reader = Reader::of(&places(&device), query("number>0").sort("number".parse().unwrap()));
    assert_eq!(reader.live.next(Duration::ZERO).unwrap(), Some(Vec::new()), "that there is nothing is told too");
    let [one, two, three] = [10, 20, 30].map(|value| create(&project, number(value)));
    assert_eq!(signs(&reader.read()), ["+0", "+1", "+2"], "what was written apart and not read comes together");
    set(&project, two, "name", "Cusco");
    assert_eq!(signs(&reader.read()), ["=1"]);
    set(&project, one, "number", 25);
    assert_eq!(signs(&reader.read()), ["0>1"]);
    set(&project, three, "number", 0);
    assert_eq!(signs(&reader.read()), ["-2"]);
    let document = support::read(&project, one);
    project.write(|tx| tx.delete(&document)).unwrap();
    assert_eq!(signs(&reader.read()), ["-1"]);
    project.write(|tx| tx.create("others", number(5))).unwrap();
    assert_eq!(reader.live.next(Duration::ZERO).unwrap(), None, "what is no difference here is not told of");
    reader.check(&places(&device));
    assert_eq!(reader.live.effort().asked, 1);
}

#[test]
fn of_a_commit_all_is_told_at_once_and_no_more_than_there_is() {
    let [device] = team();
    let project = device.project();
    let ids = [1, 2, 3, 4, 5].map(|value| create(&project, number(value)));
    let mut reader = Reader::of(&places(&device), query("").sort("number".parse().unwrap()).skip(1).limit(2));
    assert_eq!(signs(&reader.read()), ["+0", "+1"]);
    // All grow alike: none has another place.
    let all = places(&device);
    let add = vec![Operation::Add { path: "number".parse().unwrap(), amount: 10 }];
    project.write(|tx| ids.iter().try_for_each(|id| tx.edit(&all.get(*id)?.unwrap(), add.clone()))).unwrap();
    assert_eq!(signs(&reader.read()), ["=0", "=1"]);
    // The first two go: the next two move up.
    project.write(|tx| ids[..2].iter().try_for_each(|id| tx.delete(&all.get(*id)?.unwrap()))).unwrap();
    assert_eq!(signs(&reader.read()), ["-1", "-0", "+0", "+1"]);
    // One comes to stand before them.
    create(&project, number(0));
    assert_eq!(signs(&reader.read()), ["-1", "+0"]);
    reader.check(&all);
}

#[test]
fn a_change_in_a_large_collection_costs_what_changed() {
    const DOCUMENTS: i64 = 3_000;
    let [device] = team();
    let project = device.project();
    let ids = project
        .write(|tx| (0..DOCUMENTS).map(|value| tx.create("places", number(value))).collect::<Result<Vec<_>, _>>())
        .unwrap();
    for (limit, most) in [(Some(20), 2), (None, 1)] {
        let mut first = query("").sort("number:desc".parse().unwrap());
        first.limit = limit;
        let mut reader = Reader::of(&places(&device), first);
        reader.read();
        // Others each time.
        let some = ids.iter().skip(most as usize).step_by(60);
        for (turn, id) in some.enumerate() {
            let before = reader.live.effort();
            // To the top, to the end, and out.
            match turn % 3 {
                0 => set(&project, *id, "number", 2 * DOCUMENTS + turn as i64),
                1 => set(&project, *id, "number", -1 - turn as i64),
                _ => {
                    let document = support::read(&project, *id);
                    project.write(|tx| tx.delete(&document)).unwrap();
                }
            }
            assert!(reader.read().len() <= 2);
            let after = reader.live.effort();
            assert_eq!(after.entries - before.entries, 1);
            assert!(after.documents - before.documents <= most, "{before:?} {after:?}");
        }
        assert_eq!(reader.live.effort().asked, 1, "it was asked as a whole once, at the beginning");
        reader.check(&places(&device));
    }
}

#[test]
fn those_that_move_up_are_known_until_many_have_gone() {
    // Known at first are the first ones, and all there are.
    for (there_before, skip) in [(1_000, 0), (1, 0), (1_000, 50)] {
        let [device] = team();
        let (project, all) = (device.project(), places(&device));
        let make = |numbers: std::ops::Range<i64>| {
            let make = |value| project.write(|tx| tx.create("places", number(value)));
            numbers.map(make).collect::<Result<Vec<_>, _>>().unwrap()
        };
        let mut ids = make(0..there_before);
        let mut reader = Reader::of(&all, query("").sort("number".parse().unwrap()).skip(skip).limit(10));
        reader.read();
        ids.extend(make(there_before..1_000));
        // These stand beyond what is known: others come before them.
        make(10_000..10_020);
        reader.read();
        let asked = reader.live.effort().asked;
        for some in ids[..900].chunks(30) {
            project.write(|tx| some.iter().try_for_each(|id| tx.delete(&all.get(*id)?.unwrap()))).unwrap();
            reader.read();
            reader.check(&all);
        }
        let times = reader.live.effort().asked - asked;
        assert!((1..=5).contains(&times), "asked {times} times");
        make(0..100);
        reader.read();
        reader.check(&all);
        assert_eq!(reader.live.effort().asked - asked, times, "what comes needs no asking");
    }
}

#[test]
fn who_does_not_read_for_long_is_told_the_difference_at_once() {
    let [device] = team();
    let (project, all) = (device.project(), places(&device));
    let mut limited = Reader::of(&all, query("").sort("number:desc".parse().unwrap()).limit(5));
    let mut whole = Reader::of(&all, query("number>50"));
    limited.read();
    whole.read();
    let id = create(&project, number(100));
    for round in 0..40 {
        set(&project, id, "number", 100 + round);
        create(&project, number(round));
    }
    assert_eq!(signs(&limited.read()), ["+0", "+1", "+2", "+3", "+4"]);
    assert_eq!(signs(&whole.read()), ["+0"], "one document, whatever became of it meanwhile");
    // More than is followed: the query is asked anew, and the differences are the same.
    for _ in 0..5 {
        project.write(|tx| (0..15_000).try_for_each(|_| tx.create("others", number(1)).map(|_| ()))).unwrap();
    }
    set(&project, id, "number", 60);
    assert_eq!(signs(&whole.read()), ["=0"]);
    assert_eq!(signs(&limited.read()), ["=0"]);
    assert_eq!((limited.live.effort().asked, whole.live.effort().asked), (2, 2));
}

#[test]
fn a_reader_waits_without_asking_and_is_woken() {
    let [device, other] = team();
    let id = create(&device.project(), number(0));
    let mut reader = Reader::of(&places(&device), query("number>0"));
    reader.read();
    assert_eq!(reader.live.next(Duration::from_millis(5)).unwrap(), None);
    let written = reader.wait_while(|| set(&device.project(), id, "number", 1));
    assert_eq!(signs(&written), ["+0"]);
    // What comes by sync wakes too.
    create(&other.project(), number(2));
    let came = reader.wait_while(|| meet(&device.database, &other.database));
    assert_eq!(came.len(), 1);
    reader.check(&places(&device));
}

#[test]
fn a_task_is_woken() {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let [device] = team();
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(count.clone());
    let mut context = Context::from_waker(&waker);
    let mut live = places(&device).watch(query(""));
    assert!(matches!(live.poll_next(&mut context), Poll::Ready(Ok(first)) if first.is_empty()));
    for _ in 0..3 {
        assert!(live.poll_next(&mut context).is_pending(), "a task that asks again is woken once all the same");
    }
    create(&device.project(), number(1));
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert!(matches!(live.poll_next(&mut context), Poll::Ready(Ok(batch)) if signs(&batch) == ["+0"]));
}

#[test]
fn what_another_opening_of_the_folder_commits_is_told_after_a_hint() {
    let [device] = team();
    let beside = device.open_beside();
    let project = beside.projects().unwrap().remove(0);
    let mut reader = Reader::of(&project.collection("places"), query("").sort("number".parse().unwrap()).limit(3));
    reader.read();
    for hint in [ayni::Database::nudge, |database: &ayni::Database| database.refresh().unwrap()] {
        reader.wait_while(|| {
            create(&device.project(), number(1));
            hint(&beside);
        });
    }
    assert_eq!(reader.list.len(), 2);
    assert_eq!(reader.live.effort().asked, 1);
    // An index that the other made is used, and the documents made anew are the same.
    places(&device).create_index("number").unwrap();
    device.database.rebuild_views(|_| ()).unwrap();
    assert_eq!(reader.read(), []);
    assert_eq!(reader.live.effort().asked, 2);
    set(&device.project(), reader.list[0].id(), "number", 5);
    assert_eq!(signs(&reader.read()), ["0>1"]);
    reader.check(&project.collection("places"));
}

#[derive(Debug, Clone)]
enum Act {
    Create {
        device: usize,
        value: i64,
    },
    Put {
        device: usize,
        key: usize,
        value: i64,
    },
    Set {
        device: usize,
        document: usize,
        field: usize,
        value: i64,
    },
    Delete {
        device: usize,
        document: usize,
    },
    /// Several documents in one commit.
    Several {
        device: usize,
        value: i64,
    },
    Meet,
    Index {
        device: usize,
        field: usize,
    },
    Rebuild {
        device: usize,
    },
    Elsewhere {
        device: usize,
    },
}

const FIELDS: [&str; 3] = ["a", "b", "c.d"];

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let (device, value) = (0..2usize, 0..6i64);
    let act = prop_oneof![
        4 => (device.clone(), value.clone()).prop_map(|(device, value)| Act::Create { device, value }),
        3 => (device.clone(), 0..4usize, value.clone()).prop_map(|(device, key, value)| Act::Put { device, key, value }),
        8 => (device.clone(), 0..12usize, 0..FIELDS.len(), value.clone())
            .prop_map(|(device, document, field, value)| Act::Set { device, document, field, value }),
        3 => (device.clone(), 0..12usize).prop_map(|(device, document)| Act::Delete { device, document }),
        3 => (device.clone(), value).prop_map(|(device, value)| Act::Several { device, value }),
        3 => Just(Act::Meet),
        1 => (device.clone(), 0..FIELDS.len()).prop_map(|(device, field)| Act::Index { device, field }),
        1 => device.clone().prop_map(|device| Act::Rebuild { device }),
        1 => device.prop_map(|device| Act::Elsewhere { device }),
    ];
    proptest::collection::vec(act, 10..50)
}

fn queries() -> impl Strategy<Value = Vec<(Query, usize)>> {
    let selector = prop_oneof![
        Just(""),
        Just("a>=2"),
        Just("a"),
        Just("b=3"),
        Just(r#"{"a": {"$exists": false}}"#),
        Just(r#"{"$or": [{"a": {"$lt": 2}}, {"c.d": 4}]}"#),
    ];
    let sort = prop_oneof![Just(""), Just("a"), Just("a:desc"), Just("b,a:desc"), Just("c.d:desc"), Just("_id:desc")];
    let limit = proptest::option::of(0..6u64);
    let one = (selector, sort, 0..4u64, limit, 1..5usize).prop_map(|(selector, sort, skip, limit, every)| {
        let mut query = query(selector).sort(sort.parse().unwrap()).skip(skip);
        query.limit = limit;
        (query, every)
    });
    proptest::collection::vec(one, 3..6)
}

fn act(devices: &[Device; 2], documents: &mut BTreeSet<DocumentId>, act: Act) {
    let some = |device: usize, number: usize, documents: &BTreeSet<DocumentId>| {
        let id = documents.iter().nth(number % documents.len().max(1))?;
        places(&devices[device]).get_deleted(*id).unwrap()
    };
    let write = |device: usize, document: &Document, field: usize, value: i64| {
        let project: Project = devices[device].project();
        let operation = Operation::set_at(FIELDS[field].parse().unwrap(), Value::Int(value));
        project.write(|tx| tx.edit(document, vec![operation])).unwrap();
    };
    match act {
        Act::Create { device, value } => {
            documents.insert(create(&devices[device].project(), fields([("a", Value::Int(value))])));
        }
        Act::Put { device, key, value } => {
            let new = fields([("b", Value::Int(value))]);
            let (id, _) = devices[device].project().write(|tx| tx.put("places", &key.to_string(), new)).unwrap();
            documents.insert(id);
        }
        Act::Set { device, document, field, value } => {
            let Some(document) = some(device, document, documents) else { return };
            write(device, &document, field, value);
        }
        Act::Delete { device, document } => {
            let Some(document) = some(device, document, documents) else { return };
            devices[device].project().write(|tx| tx.delete(&document)).unwrap();
        }
        Act::Several { device, value } => {
            let several: Vec<_> = (0..6).filter_map(|number| some(device, number, documents)).collect();
            let operation = Operation::set_at("a".parse().unwrap(), Value::Int(value));
            let made = devices[device].project().write(|tx| {
                for document in &several {
                    tx.edit(document, vec![operation.clone()])?;
                }
                (0..3)
                    .map(|more| tx.create("places", fields([("a", Value::Int(value + more))])))
                    .collect::<Result<Vec<_>, _>>()
            });
            documents.extend(made.unwrap());
        }
        Act::Meet => meet(&devices[0].database, &devices[1].database),
        Act::Index { device, field } => places(&devices[device]).create_index(FIELDS[field]).unwrap(),
        Act::Rebuild { device } => drop(devices[device].database.rebuild_views(|_| ()).unwrap()),
        Act::Elsewhere { device } => {
            devices[device].project().write(|tx| tx.create("others", number(1))).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_differences_lead_to_the_answer(acts in acts(), queries in queries()) {
        let devices: [Device; 2] = team();
        let mut documents = BTreeSet::new();
        let readers = devices.iter().flat_map(|device| {
            queries.iter().map(|(query, every)| (Reader::of(&places(device), query.clone()), places(device), *every))
        });
        let mut readers: Vec<_> = readers.collect();
        for (turn, one) in acts.into_iter().enumerate() {
            act(&devices, &mut documents, one);
            for (reader, collection, _) in readers.iter_mut().filter(|(.., every)| turn % every == 0) {
                reader.read();
                reader.check(collection);
            }
        }
        for (reader, collection, _) in &mut readers {
            reader.read();
            reader.check(collection);
        }
    }
}

#[test]
fn words_and_areas_are_watched_with_an_index_and_without() {
    use ayni::doc::{Geometry, Position};
    use ayni::query::Area;
    use ayni::{Index, Tokenizer};
    let [ana, ben] = team();
    let (project, mine) = (ana.project(), places(&ana));
    let well = |name: &str, x: f64| {
        let at = Geometry::Point(Position::new(x, -13.5));
        fields([("name", name.into()), ("at", Value::from(at)), ("number", Value::Int(x as i64))])
    };
    let field = || "at".parse::<ayni::query::Path>().unwrap();
    let words = Query::default().search("agua -seco".parse().unwrap());
    let inside = Query::default().within(field(), Area::within(-72.0, -14.0, -71.0, -13.0).unwrap());
    let near = Query::default().within(field(), Area::near(Position::new(-71.5, -13.5), 100_000.0).unwrap()).limit(2);
    let sorted = words.clone().within(field(), Area::within(170.0, -14.0, -71.0, -13.0).unwrap());
    let sorted = sorted.sort("number:desc".parse().unwrap()).limit(2);
    let mut readers: Vec<Reader> = [words, inside, near, sorted].map(|query| Reader::of(&mine, query)).into();
    let read = |readers: &mut Vec<Reader>| -> Vec<usize> {
        readers.iter_mut().for_each(|reader| drop(reader.read()));
        readers.iter().for_each(|reader| reader.check(&mine));
        readers.iter().map(|reader| reader.list.len()).collect()
    };
    assert_eq!(read(&mut readers), [0, 0, 0, 0]);
    let first = create(&project, well("Ojo de Água", -71.5));
    create(&project, well("seco, sin agua", -71.4));
    create(&ben.project(), well("agua dulce", 179.0));
    meet(&ana.database, &ben.database);
    assert_eq!(read(&mut readers), [2, 2, 2, 2]);
    mine.create_index(Index::text([], Tokenizer::Words).unwrap()).unwrap();
    mine.create_index(Index::geometry(field()).unwrap()).unwrap();
    create(&project, well("agua", -71.45));
    create(&project, well("agua", -71.55));
    assert_eq!(read(&mut readers), [4, 4, 2, 2]);
    set(&project, first, "name", "pozo");
    set(&project, first, "at", Geometry::Point(Position::new(0.0, 0.0)));
    assert_eq!(read(&mut readers), [3, 3, 2, 2]);
}

#[test]
fn the_nearest_are_watched_in_the_order_of_their_distance() {
    use ayni::doc::{Geometry, Position};
    use ayni::query::Area;
    let [ana, _] = team();
    let (project, mine) = (ana.project(), places(&ana));
    let at = |metres: f64| Geometry::Point(Position::new(-71.5, -13.5 + metres / 111_195.0));
    let field = || "at".parse::<ayni::query::Path>().unwrap();
    let query = Query::default().within(field(), Area::near(Position::new(-71.5, -13.5), 10_000.0).unwrap()).limit(2);
    let mut reader = Reader::of(&mine, query);
    let far = create(&project, fields([("at", at(900.0).into())]));
    let middle = create(&project, fields([("at", at(500.0).into())]));
    let close = create(&project, fields([("at", at(100.0).into())]));
    let mut told = |act: &dyn Fn()| {
        act();
        let signs = signs(&reader.read());
        reader.check(&mine);
        (signs, reader.live.ids().collect::<Vec<_>>())
    };
    assert_eq!(told(&|| ()).1, [close, middle]);
    assert_eq!(told(&|| set(&project, far, "at", at(10.0))).1, [far, close]);
    assert_eq!(told(&|| set(&project, far, "at", at(200.0))), (vec!["0>1".into()], vec![close, far]));
    assert_eq!(told(&|| set(&project, far, "at", at(20_000.0))).1, [close, middle]);
}
