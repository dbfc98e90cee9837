//! Whatever devices do in whatever order: merged as it came = made anew from the log = on every device.

mod support;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use ayni::doc::{Map, Operation, Value};
use ayni::{ConflictHandler, DocumentId, Project, Sides};
use proptest::prelude::*;
use support::{Device, fields, meet, rebuilt_equal, same, set_in, team};

const DEVICES: usize = 3;
const KEYS: usize = 4;

#[derive(Debug, Clone)]
enum Act {
    Create {
        device: usize,
        value: i64,
    },
    PutKeyed {
        device: usize,
        key: usize,
        field: usize,
        value: i64,
    },
    Set {
        device: usize,
        document: usize,
        field: usize,
        value: i64,
    },
    /// Through a handle that was read a while ago.
    SetOld {
        device: usize,
        document: usize,
        field: usize,
        value: i64,
    },
    Add {
        device: usize,
        document: usize,
    },
    Unset {
        device: usize,
        document: usize,
    },
    Delete {
        device: usize,
        document: usize,
    },
    Several {
        device: usize,
        value: i64,
    },
    Read {
        device: usize,
        document: usize,
    },
    Meet {
        one: usize,
        other: usize,
    },
    Restart {
        device: usize,
    },
    Clock {
        device: usize,
        ahead: i64,
    },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let device = 0..DEVICES;
    let document = 0..8usize;
    let field = 0..3usize;
    let value = 0..5i64;
    let act = prop_oneof![
        2 => (device.clone(), value.clone()).prop_map(|(device, value)| Act::Create { device, value }),
        3 => (device.clone(), 0..KEYS, field.clone(), value.clone())
            .prop_map(|(device, key, field, value)| Act::PutKeyed { device, key, field, value }),
        6 => (device.clone(), document.clone(), field.clone(), value.clone())
            .prop_map(|(device, document, field, value)| Act::Set { device, document, field, value }),
        3 => (device.clone(), document.clone(), field, value.clone())
            .prop_map(|(device, document, field, value)| Act::SetOld { device, document, field, value }),
        2 => (device.clone(), document.clone()).prop_map(|(device, document)| Act::Add { device, document }),
        1 => (device.clone(), document.clone()).prop_map(|(device, document)| Act::Unset { device, document }),
        2 => (device.clone(), document.clone()).prop_map(|(device, document)| Act::Delete { device, document }),
        1 => (device.clone(), value).prop_map(|(device, value)| Act::Several { device, value }),
        2 => (device.clone(), document).prop_map(|(device, document)| Act::Read { device, document }),
        3 => (device.clone(), device.clone()).prop_map(|(one, other)| Act::Meet { one, other }),
        1 => device.clone().prop_map(|device| Act::Restart { device }),
        1 => (device, -100_000..100_000i64).prop_map(|(device, ahead)| Act::Clock { device, ahead }),
    ];
    proptest::collection::vec(act, 10..60)
}

struct World {
    devices: Vec<Device>,
    /// All devices but the last have it.
    handler: Option<ConflictHandler>,
    documents: Vec<DocumentId>,
    read: Vec<Option<ayni::Document>>,
}

impl World {
    fn new(handler: Option<ConflictHandler>) -> Self {
        let devices: [Device; DEVICES] = team();
        devices[0].project().collection("places").create_index("a").unwrap();
        let mut world = Self { devices: devices.into(), handler, documents: Vec::new(), read: vec![None; DEVICES] };
        if world.handler.is_some() {
            let schema = r#"{"conflictHandler": {"name": "places", "version": 1}}"#.parse().unwrap();
            world.project(0).collection("places").set_schema(&schema).unwrap();
            world.settle();
            (0..DEVICES).for_each(|device| world.act(Act::Restart { device }));
        }
        world
    }

    fn project(&self, device: usize) -> Project {
        self.devices[device].project()
    }

    /// A document as a device has it, deleted or not.
    fn document(&self, device: usize, number: usize) -> Option<ayni::Document> {
        let id = self.documents.get(number % self.documents.len().max(1))?;
        self.project(device).collection("places").get_deleted(*id).unwrap()
    }

    fn edit(&self, device: usize, document: &ayni::Document, operation: Operation) {
        self.project(device).write(|tx| tx.edit(document, vec![operation])).unwrap();
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Create { device, value } => {
                let new = fields([("a", Value::Int(value)), ("b", Value::from("x"))]);
                let id = self.project(device).write(|tx| tx.create("places", new)).unwrap();
                self.documents.push(id);
            }
            Act::PutKeyed { device, key, field, value } => {
                let name = ["a", "b", "c"][field];
                let new = fields([(name, Value::Int(value))]);
                let (id, _) = self.project(device).write(|tx| tx.put("places", &key.to_string(), new)).unwrap();
                if !self.documents.contains(&id) {
                    self.documents.push(id);
                }
            }
            Act::Set { device, document, field, value } => {
                let Some(document) = self.document(device, document) else { return };
                set_in(&self.project(device), &document, ["a", "b", "c"][field], value);
            }
            Act::SetOld { device, document, field, value } => {
                // A handle belongs to the database that it was read from.
                let Some(old) = self.read[device].clone() else { return self.act(Act::Read { device, document }) };
                set_in(&self.project(device), &old, ["a", "b", "c"][field], value);
            }
            Act::Add { device, document } => {
                let Some(document) = self.document(device, document) else { return };
                self.edit(device, &document, Operation::Add { path: "count".parse().unwrap(), amount: 1 });
            }
            Act::Unset { device, document } => {
                let Some(document) = self.document(device, document) else { return };
                self.edit(device, &document, Operation::Unset { path: "a".parse().unwrap() });
            }
            Act::Delete { device, document } => {
                let Some(document) = self.document(device, document) else { return };
                self.project(device).write(|tx| tx.delete(&document)).unwrap();
            }
            Act::Several { device, value } => {
                let documents: Vec<_> = (0..4).filter_map(|number| self.document(device, number)).collect();
                let operation = |field: &str| Operation::Set {
                    path: field.parse().unwrap(),
                    kind: ayni::doc::SetKind::Latest,
                    value: Value::Int(value),
                };
                self.project(device)
                    .write(|tx| {
                        for document in &documents {
                            tx.edit(document, vec![operation("b"), operation("c")])?;
                        }
                        tx.put("places", "several", fields([("a", Value::Int(value))]))?;
                        tx.put("places", "several", fields([("a", Value::Int(value + 1))]))?;
                        Ok(())
                    })
                    .unwrap();
            }
            Act::Read { device, document } => self.read[device] = self.document(device, document),
            Act::Meet { one, other } if one == other => {}
            Act::Meet { one, other } => meet(&self.devices[one].database, &self.devices[other].database),
            Act::Restart { device } => {
                let handler = self.handler.clone().filter(|_| device < DEVICES - 1);
                let restarted = self.devices.remove(device).restart_as(|mut options| {
                    options.conflict_handlers.extend(handler);
                    options
                });
                self.devices.insert(device, restarted);
            }
            Act::Clock { device, ahead } => self.devices[device].clock.set_ahead(ahead),
        }
    }

    fn settle(&self) {
        let all: Vec<_> = self.devices.iter().map(|device| &device.database).collect();
        meet(all[0], all[1]);
        meet(all[1], all[2]);
        meet(all[0], all[1]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn all_devices_end_up_with_the_same_as_made_anew_from_the_log(acts in acts()) {
        let mut world = World::new(None);
        for act in acts {
            world.act(act);
        }
        world.settle();
        let projects: Vec<_> = (0..DEVICES).map(|device| world.project(device)).collect();
        prop_assert!(same(&[&projects[0], &projects[1], &projects[2]]));
        // As it came, not yet made anew.
        prop_assert!(index_is_right(&projects));
        for device in &world.devices {
            prop_assert_eq!(device.project().status().unwrap().waiting, 0);
            rebuilt_equal(&device.database);
        }
        prop_assert!(same(&[&projects[0], &projects[1], &projects[2]]));
        prop_assert!(index_is_right(&projects));
    }

    #[test]
    fn devices_with_a_conflict_handler_show_the_same_and_write_it_down_for_those_without(acts in acts()) {
        let mut world = World::new(Some(ConflictHandler::new("places", 1, |sides| Ok(mixed(sides)))));
        for act in acts {
            world.act(act);
        }
        world.settle();
        let projects: Vec<_> = (0..DEVICES).map(|device| world.project(device)).collect();
        let shown = |device: usize| {
            let mut all = BTreeMap::new();
            let visited = projects[device].collection("places").for_each(|document| {
                all.insert(document.id(), document.fields());
                Ok(ControlFlow::Continue(()))
            });
            visited.unwrap();
            all
        };
        let conflicts = |device: usize| projects[device].collection("places").conflicted().unwrap().len();
        prop_assert!(same(&[&projects[0], &projects[1], &projects[2]]), "what was merged is the same everywhere");
        let one = shown(0);
        // As it came on one, made anew on the other.
        rebuilt_equal(&world.devices[1].database);
        prop_assert_eq!(&one, &shown(1));
        prop_assert_eq!((conflicts(0), conflicts(1)), (0, 0));
        prop_assert!(index_is_right(&projects));

        for id in one.keys() {
            let document = projects[0].collection("places").get(*id).unwrap().unwrap();
            projects[0].write(|tx| tx.edit(&document, Vec::new())).unwrap();
        }
        world.settle();
        prop_assert_eq!(&one, &shown(2));
        prop_assert_eq!(conflicts(2), 0);
    }
}

/// An answer that hangs on everything that is asked, and on its order.
fn mixed(sides: &Sides<'_>) -> Map {
    let number = |side: &Map, name: &str| side.get(name).and_then(Value::as_int).unwrap_or(-1);
    let mix = |name: &String| {
        let [base, ours, theirs, merged] =
            [sides.base, sides.ours, sides.theirs, sides.merged].map(|one| number(one, name));
        (name.clone(), Value::Int((base + 2 * ours + 5 * theirs + 11 * merged).rem_euclid(97)))
    };
    sides.ours.keys().chain(sides.theirs.keys()).map(mix).collect()
}

/// Whether the index that the first device has says the same as looking at every document, as another has to.
fn index_is_right(projects: &[Project]) -> bool {
    (0..6).all(|value| count_of(&projects[0], value) == count_of(&projects[1], value))
}

/// How many documents show a value in the field that the first device has an index on.
fn count_of(project: &Project, value: i64) -> usize {
    let selector = ayni::query::Selector::from_json(&serde_json::json!({ "a": value })).unwrap();
    project.collection("places").count(&selector).unwrap() as usize
}
