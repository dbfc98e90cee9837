//! Queries that stay live across processes: one watches, others write, and one brings in what another device wrote.

use serde_json::Value as Json;

use crate::support::{Device, Syncing};

/// A running `ayni watch`, and the list that its reader has.
struct Watching {
    events: Syncing,
    list: Vec<Json>,
}

impl Watching {
    fn of(device: &Device, arguments: &[&str]) -> Self {
        let mut watching = Self { events: device.watching(arguments), list: Vec::new() };
        watching.batch();
        watching
    }

    /// Applies the next batch; gives what its events are called.
    fn batch(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        loop {
            let mut event = self.events.next();
            let place = |name: &str| usize::try_from(event[name].as_u64().unwrap()).unwrap();
            match event["event"].as_str().unwrap() {
                "appeared" => self.list.insert(place("at"), event["document"].clone()),
                "changed" => self.list[place("at")] = event["document"].clone(),
                "moved" => {
                    self.list.remove(place("from"));
                    self.list.insert(place("to"), event["document"].clone());
                }
                "went" => assert_eq!(self.list.remove(place("at"))["_id"], event["id"]),
                "now" => {
                    assert_eq!(event["documents"], self.list.len());
                    return names;
                }
                other => panic!("{other:?}"),
            }
            names.push(event["event"].take().as_str().unwrap().to_owned());
        }
    }

    /// Applies batches until the list is what a query finds.
    fn until(&mut self, device: &Device, query: &[&str]) -> Vec<String> {
        let answer = device.json(&[&["query"], query].concat());
        let mut names = Vec::new();
        while Json::Array(self.list.clone()) != answer {
            names.extend(self.batch());
        }
        names
    }
}

/// What watching leaves in the folder of a database.
fn left(device: &Device) -> usize {
    let files = std::fs::read_dir(device.folder()).unwrap();
    files.filter(|file| file.as_ref().unwrap().file_name().to_str().unwrap().starts_with("watch")).count()
}

#[test]
fn what_other_processes_and_devices_write_is_told_as_it_happens() {
    let ana = Device::with_project("Ana");
    ana.ok(&["put", "places", "--key", "cusco", "name=Cusco", "population=3"]);
    let ben = Device::new("Ben");
    ben.ok(&["join", ana.json(&["invite"])["ticket"].as_str().unwrap()]);
    let mut anas = ana.syncing(&[]);
    let address = anas.address();
    let mut bens = ben.syncing(&["--peer", &address]);
    bens.event("level");

    let largest = ["places", "population>0", "--sort", "population:desc", "--limit", "2"];
    let mut watching = Watching::of(&ben, &largest);
    // What came by sync before or while it began.
    watching.until(&ben, &largest);
    assert_eq!(watching.list[0]["name"], "Cusco");

    // From another process on this device.
    ben.ok(&["put", "places", "--key", "puno", "name=Puno", "population=5"]);
    assert_eq!(watching.until(&ben, &largest), ["appeared"]);
    ben.ok(&["put", "places", "--key", "ica", "name=Ica", "population=4"]);
    assert_eq!(watching.until(&ben, &largest), ["went", "appeared"]);
    ben.ok(&["edit", "places", "ica", "population=6"]);
    assert_eq!(watching.until(&ben, &largest), ["moved"]);
    ben.ok(&["edit", "places", "ica", "region=Ica"]);
    assert_eq!(watching.until(&ben, &largest), ["changed"]);
    ben.ok(&["delete", "places", "ica"]);
    assert_eq!(watching.until(&ben, &largest), ["went", "appeared"]);

    // From another device, which a third process brings in.
    ana.ok(&["put", "places", "--key", "lima", "name=Lima", "population=9"]);
    assert_eq!(watching.batch(), ["went", "appeared"]);
    assert_eq!(watching.list[0]["name"], "Lima");
    watching.until(&ben, &largest);
}

#[test]
fn words_boxes_and_the_nearest_are_watched() {
    let ana = Device::with_project("Ana");
    let write = |key: &str, name: &str, x: f64, y: f64| {
        let at = format!(r#"{{"type":"Point","coordinates":[{x},{y}]}}"#);
        ana.ok(&["put", "wells", "--key", key, &format!("name={name}"), &format!("at:={at}")]);
    };
    write("a", "Ojo de Água", -71.9, -13.5);
    let mut near = Watching::of(&ana, &["wells", "--near", "-13.5,-71.5", "--km", "100", "--limit", "2"]);
    let mut inside = Watching::of(&ana, &["wells", "--search", "agua -seco", "--within", "-72,-14,-71,-13"]);
    assert_eq!((near.list.len(), inside.list.len()), (1, 1));
    write("b", "Seco, sin agua", -71.6, -13.5);
    assert_eq!(near.batch(), ["appeared"]);
    assert_eq!(near.list[0]["name"], "Seco, sin agua", "the nearest comes first");
    write("c", "agua dulce", -71.7, -13.5);
    assert_eq!((near.batch().len(), inside.batch()), (2, vec!["appeared".to_owned()]));
    assert_eq!(
        near.list.iter().map(|well| well["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["Seco, sin agua", "agua dulce"]
    );
    ana.refused(&["watch", "wells", "--near", "here"], 2, "is no place");
    ana.refused(&["watch", "wells", "--near", "1,2", "--within", "1,2,3,4"], 2, "cannot be used with");
    ana.refused(&["watch", "wells", "--search", "\"agua"], 2, "is not closed");
    ana.refused(&["watch", "notes", "--near", "1,2"], 1, "no field of notes has places");
}

#[cfg(unix)]
#[test]
fn several_watch_one_folder_and_an_interrupt_ends_each_well() {
    let ana = Device::with_project("Ana");
    let mut all: Vec<_> = (0..3).map(|_| Watching::of(&ana, &["notes"])).collect();
    assert_eq!(left(&ana), 3);
    ana.ok(&["put", "notes", "text=one"]);
    for watching in &mut all {
        assert_eq!(watching.batch(), ["appeared"], "also where the collection was not there before");
    }
    // One that is killed leaves its socket, which the next commit clears away.
    drop(all.pop());
    ana.ok(&["put", "notes", "text=two"]);
    assert_eq!(left(&ana), 2);
    for mut watching in all {
        assert_eq!(watching.batch(), ["appeared"]);
        assert_eq!(watching.events.interrupt(), 0);
    }
    assert_eq!(left(&ana), 0);
    ana.ok(&["put", "notes", "text=three"]);
}

#[test]
fn what_cannot_be_watched_is_said() {
    let ana = Device::with_project("Ana");
    ana.refused(&["watch", "places", "=5"], 2, "no condition");
    ana.refused(&["watch", "places", "{\"a\": {\"$near\": 1}}"], 2, "$near");
    ana.refused(&["watch", "places", "--limit", "many"], 2, "invalid value");
    Device::new("Ben").refused(&["watch", "places"], 1, "in no project");
}
