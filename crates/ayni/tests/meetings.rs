//! Who meets whom, who is let in, and what a status may say.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ayni::doc::Value;
use ayni::environment::{Environment, System};
use ayni::{Error, Invitation, Role, Standing};
use support::{Device, Pipe, create, eventually, fields, get, join, meet, same, set, team};

#[test]
fn logs_of_third_devices_are_forwarded_along_a_chain() {
    let [a, b, c] = team();
    let (one, three) = (a.project(), c.project());
    for number in 0..100 {
        create(&one, fields([("number", Value::Int(number))]));
        create(&three, fields([("number", Value::Int(-number))]));
    }
    // The two ends never meet.
    meet(&a.database, &b.database);
    meet(&b.database, &c.database);
    meet(&a.database, &b.database);
    assert_eq!(one.collection("places").len().unwrap(), 200);
    assert!(same(&[&one, &b.project(), &three]));
}

#[test]
fn what_is_put_on_one_device_appears_on_all_that_are_connected_through_any_other() {
    let [a, b, c] = team();
    let (one, three) = (a.project(), c.project());
    let _pipes = [Pipe::new(&a.database, &b.database), Pipe::new(&b.database, &c.database)];
    let revision = three.revision();
    let id = create(&one, fields([("name", "Cusco".into())]));
    eventually("the document at the end of the chain", || three.collection("places").get(id).unwrap().is_some());
    assert!(three.wait(revision, Duration::from_secs(30)) > revision, "who waits for changes was not told");
    set(&three, id, "name", "Qosqo");
    eventually("the edit on its way back", || get(&one, id, "name") == Some("Qosqo".into()));
}

#[test]
fn a_device_that_comes_again_and_again_at_once_is_let_in_a_few_times() {
    let [a, b] = team();
    let pipes = [(); 4].map(|()| Pipe::new(&a.database, &b.database));
    eventually("as many conversations", || {
        let peers = [&a, &b].map(|device| device.database.pool().peers());
        peers.iter().all(|peers| peers.len() == 4 && peers.iter().all(|peer| peer.device.is_some()))
    });
    let further = Pipe::new(&a.database, &b.database);
    eventually("the end of the further", || further.is_over());
    assert!(further.links.iter().filter_map(ayni::Link::fault).any(|fault| fault.contains("several")));
    assert!(pipes.iter().all(|pipe| !pipe.is_over()), "the others go on");
    drop((further, pipes));
    meet(&a.database, &b.database);
}

#[test]
fn who_joins_is_pending_until_a_coordinator_is_met() {
    let [a, b] = team();
    let ticket = a.project().invite(&Invitation::default()).unwrap();
    meet(&a.database, &b.database);
    let c = Device::new("newcomer");
    let joined = c.database.join(&ticket).unwrap();
    assert_eq!(joined.standing().unwrap(), Standing::Pending);
    assert!(matches!(joined.write(|tx| tx.create("places", fields([]))), Err(Error::Pending)));
    {
        // A member cannot admit.
        let _pipe = Pipe::new(&c.database, &b.database);
        eventually("being told so", || {
            let peers = c.database.pool().peers();
            peers.iter().flat_map(|peer| &peer.projects).any(|project| project.said.is_some())
        });
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(joined.standing().unwrap(), Standing::Pending);
    }
    let id = create(&a.project(), fields([("name", "Cusco".into())]));
    {
        let _pipe = Pipe::new(&c.database, &a.database);
        eventually("being let in", || joined.standing().unwrap() == Standing::Member(Role::Member));
        eventually("the documents", || joined.collection("places").get(id).unwrap().is_some());
    }
    joined.write(|tx| tx.create("places", fields([]))).unwrap();
    assert!(matches!(c.database.join(&ticket), Err(Error::AlreadyJoined)));
}

#[test]
fn another_coordinator_than_the_inviter_can_let_in() {
    let a = Device::new("founder");
    let b = Device::new("second coordinator");
    let (project, _) = a.database.create_project("Mapa").unwrap();
    join(&b, &project, Role::Coordinator);
    let ticket = project.invite(&Invitation::default()).unwrap();
    meet(&a.database, &b.database);
    let c = Device::new("newcomer");
    let joined = c.database.join(&ticket).unwrap();
    meet(&c.database, &b.database);
    assert_eq!(joined.standing().unwrap(), Standing::Member(Role::Member));
    let id = create(&joined, fields([("name", "Cusco".into())]));
    meet(&c.database, &b.database);
    meet(&b.database, &a.database);
    assert!(project.collection("places").get(id).unwrap().is_some());
}

#[test]
fn a_member_cannot_invite() {
    let [_a, b] = team();
    assert!(matches!(b.project().invite(&Invitation::default()), Err(Error::Role { .. })));
}

#[test]
fn a_ticket_that_is_over_is_declined_with_the_reason() {
    let a = Device::new("founder");
    let (project, _) = a.database.create_project("Mapa").unwrap();
    let used_up = project.invite(&Invitation::default()).unwrap();
    let first = Device::new("first");
    first.database.join(&used_up).unwrap();
    meet(&first.database, &a.database);
    let expires = Some(System.now() - 1_000);
    let expired = project.invite(&Invitation { expires, ..Invitation::default() }).unwrap();
    for (ticket, word) in [(used_up, "used"), (expired, "expired")] {
        let late = Device::new("late");
        let joined = late.database.join(&ticket).unwrap();
        let _pipe = Pipe::new(&late.database, &a.database);
        let mut said = String::new();
        eventually("a decline with the reason", || {
            let peers = late.database.pool().peers();
            said = peers.iter().flat_map(|peer| &peer.projects).filter_map(|project| project.said.clone()).collect();
            said.contains(word)
        });
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(joined.standing().unwrap(), Standing::Pending);
        let peers = late.database.pool().peers();
        assert!(peers[0].projects[0].said.as_ref().is_some_and(|said| said.contains(word)), "{peers:?}");
    }
}

#[test]
fn a_project_joined_while_connected_is_synced_at_once() {
    let a = Device::new("founder");
    let (project, _) = a.database.create_project("Mapa").unwrap();
    let b = Device::new("newcomer");
    let _pipe = Pipe::new(&a.database, &b.database);
    let ticket = project.invite(&Invitation::default()).unwrap();
    let joined = b.database.join(&ticket).unwrap();
    eventually("being let in", || joined.standing().unwrap() == Standing::Member(Role::Member));
}

#[test]
fn a_device_counts_as_behind_until_its_receipt_says_otherwise() {
    let [a, b] = team();
    let one = a.project();
    let has_all = |project: &ayni::Project| {
        let status = project.status().unwrap();
        status.devices[0].receipt.is_some_and(|receipt| receipt.has_everything())
    };
    {
        let _pipe = Pipe::new(&a.database, &b.database);
        eventually("a receipt for everything", || has_all(&one) && has_all(&b.project()));
    }
    create(&one, fields([("name", "Cusco".into())]));
    assert!(!has_all(&one), "nobody has acknowledged what was just written");
    assert_eq!(one.status().unwrap().devices[0].receipt.unwrap().entries_behind, 1);
    assert_eq!(one.status().unwrap().safe_with().count(), 0);

    // What b sends back is lost: the data goes over, no receipt comes.
    let silent = Arc::new(AtomicBool::new(false));
    {
        let is_silent = silent.clone();
        let way = move |from: usize, bytes: Vec<u8>| match from == 1 && is_silent.load(Ordering::Relaxed) {
            true => Some(Vec::new()),
            false => Some(bytes),
        };
        let _pipe = Pipe::through(&a.database, &b.database, Arc::new(way));
        eventually("the first one", || b.project().collection("places").len().unwrap() == 1);
        eventually("its receipt", || has_all(&one));
        silent.store(true, Ordering::Relaxed);
        create(&one, fields([("name", "Puno".into())]));
        eventually("the second one", || b.project().collection("places").len().unwrap() == 2);
        std::thread::sleep(Duration::from_millis(700));
        assert!(!has_all(&one), "only a receipt says that a device has something");
    }
    let _pipe = Pipe::new(&a.database, &b.database);
    eventually("a receipt for everything", || has_all(&one));
}

#[test]
fn a_goodbye_comes_after_both_have_the_others_receipt() {
    let [a, b] = team();
    create(&a.project(), fields([("name", "Cusco".into())]));
    let pipe = Pipe::new(&a.database, &b.database);
    pipe.links[0].goodbye();
    pipe.links[1].goodbye();
    eventually("leaving", || pipe.links.iter().all(ayni::Link::is_over));
    assert!(pipe.links.iter().all(|link| link.fault().is_none()));
    for device in [&a, &b] {
        let status = device.project().status().unwrap();
        assert_eq!(status.safe_with().count(), 1, "{status:?}");
    }
}

#[test]
fn after_a_ticket_was_declined_another_one_works_on_the_same_connection() {
    let a = Device::new("founder");
    let (project, _) = a.database.create_project("Mapa").unwrap();
    let expired = project.invite(&Invitation { expires: Some(1), ..Invitation::default() }).unwrap();
    let b = Device::new("newcomer");
    let joined = b.database.join(&expired).unwrap();
    let _pipe = Pipe::new(&a.database, &b.database);
    let said = || b.database.pool().peers()[0].projects.first().and_then(|project| project.said.clone());
    eventually("a decline", || said().is_some_and(|said| said.contains("expired")));
    let entries = || joined.status().unwrap().entries;
    let before = entries();
    let another = project.invite(&Invitation::default()).unwrap();
    // What the other side writes meanwhile goes on coming.
    eventually("the new invitation's entry", || entries() > before);
    b.database.join(&another).unwrap();
    eventually("being let in", || joined.standing().unwrap() == Standing::Member(Role::Member));
}

#[test]
fn that_a_device_is_not_admitted_is_said_no_longer_once_it_is() {
    let a = Device::new("founder");
    let (project, _) = a.database.create_project("Mapa").unwrap();
    for number in 0..200 {
        // Of random bytes, which do not compress.
        let mut bytes = vec![0; 10_000];
        System.random(&mut bytes);
        create(&project, fields([("number", Value::Int(number)), ("bytes", Value::Bytes(bytes))]));
    }
    let b = Device::new("newcomer");
    let joined = b.database.join(&project.invite(&Invitation::default()).unwrap()).unwrap();
    let way = |from: usize, bytes: Vec<u8>| {
        // So slowly that what is said in between can be seen, and that the documents take seconds.
        std::thread::sleep(Duration::from_millis(if from == 0 { (bytes.len() as u64 / 1_000).max(100) } else { 0 }));
        Some(bytes)
    };
    let _pipe = Pipe::through(&a.database, &b.database, Arc::new(way));
    let known = || b.database.pool().peers().into_iter().flat_map(|peer| peer.projects).next();
    eventually("that it is not admitted", || known().is_some_and(|known| known.said.is_some()));
    eventually("being let in", || joined.standing().unwrap() == Standing::Member(Role::Member));
    eventually("silence on that before everything is here", || {
        let known = known().unwrap();
        assert!(!known.level, "it was said until the end: {known:?}");
        known.said.is_none()
    });
}
