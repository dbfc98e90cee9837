//! What devices do together, over pipes in memory.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ayni::doc::Value;
use ayni::environment::{Environment, System};
use ayni::{Database, Invitation, Options, Standing};
use support::{Device, Pipe, eventually, fields, same};

#[test]
fn a_joined_device_gets_everything_and_both_show_the_same() {
    let (a, b) = (Device::new("Ana's laptop"), Device::new("Ben's phone"));
    let (project, words) = a.database.create_project("Mapa").unwrap();
    assert_eq!(words.to_string().split(' ').count(), 24);
    project
        .write(|tx| {
            for number in 0..2_500 {
                tx.create("places", fields([("number", Value::Int(number)), ("name", Value::from("Cusco"))]))?;
            }
            Ok(())
        })
        .unwrap();
    let ticket = project.invite(&Invitation::default()).unwrap();
    let joined = b.database.join(&ticket.to_string().parse().unwrap()).unwrap();
    assert_eq!(joined.standing().unwrap(), Standing::Pending);
    let _pipe = Pipe::new(&a.database, &b.database);
    eventually("the documents on the other device", || joined.collection("places").len().unwrap() == 2_500);
    assert!(same(&[&project, &joined]));
    assert_eq!(joined.name().unwrap().as_deref(), Some("Mapa"));
    let names: Vec<String> = joined.members().unwrap().into_iter().map(|member| member.name).collect();
    assert!(names.contains(&"Ana's laptop".to_owned()) && names.contains(&"Ben's phone".to_owned()), "{names:?}");

    joined.write(|tx| tx.create("places", fields([("name", Value::from("Puno"))]))).unwrap();
    eventually("what the other device wrote", || project.collection("places").len().unwrap() == 2_501);
    assert!(same(&[&project, &joined]));
}

/// The machine's own environment, on which jobs begin late.
#[derive(Default)]
struct Late {
    given: AtomicU64,
    begun: Arc<AtomicU64>,
}

impl Environment for Late {
    fn now(&self) -> i64 {
        System.now()
    }

    fn monotonic(&self) -> u64 {
        System.monotonic()
    }

    fn random(&self, buffer: &mut [u8]) {
        System.random(buffer);
    }

    fn spawn(&self, job: Box<dyn FnOnce() + Send>) {
        self.given.fetch_add(1, Ordering::Relaxed);
        let begun = self.begun.clone();
        System.spawn(Box::new(move || {
            std::thread::sleep(Duration::from_millis(300));
            begun.fetch_add(1, Ordering::Relaxed);
            job();
        }));
    }
}

#[test]
fn a_database_that_is_closed_waits_for_what_is_being_stored() {
    let folder = tempfile::TempDir::new().unwrap();
    let late = Arc::new(Late::default());
    let mut options = Options::new(folder.path().join("keys"));
    options.environment = late.clone();
    let database = Database::create(&folder.path().join("db"), "founder", options).unwrap();
    let (project, _) = database.create_project("Mapa").unwrap();
    let other = Device::new("newcomer");
    other.database.join(&project.invite(&Invitation::default()).unwrap()).unwrap();
    let pipe = Pipe::new(&database, &other.database);
    eventually("something to do", || late.given.load(Ordering::Relaxed) > 0);
    drop((pipe, project, database));
    assert_eq!(late.begun.load(Ordering::Relaxed), late.given.load(Ordering::Relaxed));
}
