//! Conversations that are cut, spoilt or lied in, and disks that fill up.

mod support;

#[path = "../../ayni-store/tests/store/faulty_vfs.rs"]
#[allow(dead_code, reason = "only a full disk is used here")]
mod faulty_vfs;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ayni::doc::{Map, Value};
use ayni::{ChannelInfo, Database, Project};
use support::{Device, Pipe, create, eventually, fields, join, level, meet, options, rebuilt_equal, same, team};

/// Bytes that nothing makes shorter.
fn noise(length: usize, seed: u64) -> Value {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    Value::Bytes((0..length).map(next).collect())
}

fn fill(project: &Project, collection: &str, count: usize, size: usize) {
    project
        .write(|tx| {
            for number in 0..count {
                let record = fields([("number", Value::Int(number as i64)), ("noise", noise(size, number as u64))]);
                tx.create(collection, record)?;
            }
            Ok(())
        })
        .unwrap();
}

/// Lets so many bytes pass from the first to the second, then cuts the connection; counts what passed.
fn cut_after(bytes: usize, passed: &Arc<AtomicUsize>) -> Arc<support::Way> {
    let (left, passed) = (Mutex::new(bytes), passed.clone());
    Arc::new(move |from, mut sent: Vec<u8>| {
        if from == 1 {
            return Some(sent);
        }
        let mut left = left.lock().unwrap();
        if *left == 0 {
            return None;
        }
        sent.truncate(*left);
        *left -= sent.len();
        passed.fetch_add(sent.len(), Ordering::Relaxed);
        Some(sent)
    })
}

#[test]
fn a_commit_cut_off_on_its_way_takes_effect_wholly_or_not_at_all_and_goes_on_where_it_stopped() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    // Many segments and several batches each.
    fill(&one, "many", 16_000, 150);
    fill(&one, "large", 12, 900 << 10);
    let total = one.status().unwrap().bytes as usize;
    assert!(total > 12 << 20);
    let passed = Arc::new(AtomicUsize::new(0));
    let (mut held, mut meetings) = (two.status().unwrap().entries, 0);
    while !same(&[&one, &two]) {
        meetings += 1;
        assert!(meetings < 40, "it never comes to an end");
        let pipe = Pipe::through(&a.database, &b.database, cut_after(1_600_000 + 77_777 * meetings, &passed));
        eventually("the cut, or the end", || pipe.is_over() || (level(&a.database) && level(&b.database)));
        drop(pipe);
        let (many, large) = (two.collection("many").len().unwrap(), two.collection("large").len().unwrap());
        assert!([0, 16_000].contains(&many) && [0, 12].contains(&large), "half a commit took effect: {many}, {large}");
        let now = two.status().unwrap().entries;
        assert!(now >= held, "what was held is held");
        held = now;
        // What is under way when the connection is cut may still be stored.
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(meetings > 3, "it was cut several times");
    // At most one segment is lost with each cut.
    let most = total + total / 4 + meetings * (1 << 20);
    assert!(passed.load(Ordering::Relaxed) < most, "it began again from the start");
    rebuilt_equal(&b.database);
    let b = b.restart();
    assert!(same(&[&one, &b.project()]));
}

fn info(database: &Database, binding: u8) -> ChannelInfo {
    ChannelInfo {
        own_transport: *database.transport_secret(),
        peer_transport: [9; 32],
        initiator: false,
        binding: [binding; 32],
        address: "nowhere".into(),
    }
}

#[test]
fn garbage_ends_the_conversation_that_it_came_by_and_no_other() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    let _pipe = Pipe::new(&a.database, &b.database);
    eventually("both being level", || level(&a.database) && level(&b.database));
    let Value::Bytes(noise) = noise(10_000, 3) else { unreachable!() };
    let floods: [&[u8]; 5] =
        [&noise, &[0xff; 4_096], &[0; 4_096], b"GET / HTTP/1.1\r\nHost: ayni\r\n\r\n", &[1, 255, 255, 255, 255]];
    for (number, flood) in floods.into_iter().enumerate() {
        let link = a.database.pool().connect(info(&a.database, 100 + number as u8), || {}).unwrap();
        for piece in flood.chunks(7) {
            link.receive(piece);
        }
        // At once: none of them waits for more that never comes.
        assert!(link.is_over(), "flood {number} goes on");
        assert!(link.fault().is_some_and(|fault| !fault.is_empty()), "flood {number} has no reason");
        link.closed();
        let id = create(&one, fields([("number", Value::Int(number as i64))]));
        eventually("the other conversation to go on", || two.collection("places").get(id).unwrap().is_some());
    }
}

#[test]
fn who_sends_back_what_it_hears_is_not_believed() {
    let [a, _b] = team();
    let link = a.database.pool().connect(info(&a.database, 50), || {}).unwrap();
    for _ in 0..10 {
        let said = link.outgoing(64 << 10);
        link.receive(&said);
    }
    assert!(link.is_over() && link.fault().is_some());
    assert!(!link.shares_a_project());
    link.closed();
}

#[test]
fn who_never_comes_to_the_end_of_a_message_is_given_up() {
    let [a, b] = team();
    create(&a.project(), fields([("noise", noise(200_000, 1))]));
    let held_back = Arc::new(AtomicBool::new(false));
    let hold = held_back.clone();
    let seen = AtomicUsize::new(0);
    let way = move |from: usize, mut bytes: Vec<u8>| {
        if from == 0 && seen.fetch_add(bytes.len(), Ordering::Relaxed) > 20_000 {
            // From some point in the middle of a frame on nothing comes any more.
            if !hold.swap(true, Ordering::Relaxed) {
                bytes.truncate(10);
                return Some(bytes);
            }
            return Some(Vec::new());
        }
        Some(bytes)
    };
    let pipe = Pipe::through(&a.database, &b.database, Arc::new(way));
    eventually("the message to be held back", || held_back.load(Ordering::Relaxed) || level(&b.database));
    for _ in 0..30 {
        b.clock.pass(10_000);
        std::thread::sleep(Duration::from_millis(20));
    }
    eventually("the other side giving up", || pipe.links[1].is_over());
    assert!(pipe.links[1].fault().is_some());
    drop(pipe);
    meet(&a.database, &b.database);
    assert!(same(&[&a.project(), &b.project()]));
}

/// Spoils what passes at some point, once.
fn spoil(kind: usize, at: usize) -> Arc<support::Way> {
    let counted = AtomicU64::new(0);
    let kept: Mutex<Vec<u8>> = Mutex::default();
    Arc::new(move |from, mut bytes: Vec<u8>| {
        if from != kind % 2 {
            return Some(bytes);
        }
        let before = counted.fetch_add(bytes.len() as u64, Ordering::Relaxed) as usize;
        let end = before + bytes.len();
        if !(before..end).contains(&at) {
            return Some(bytes);
        }
        let here = at - before;
        match kind / 2 {
            // A bit turned over.
            0 => bytes[here] ^= 1 << (at % 8),
            // Bytes lost.
            1 => drop(bytes.drain(here..(here + 9).min(bytes.len()))),
            // Bytes twice.
            2 => {
                let twice = bytes[here..].to_vec();
                bytes.extend(twice);
            }
            // Something else in between.
            _ => {
                *kept.lock().unwrap() = bytes.clone();
                bytes.splice(here..here, [0xAA; 100]);
            }
        }
        Some(bytes)
    })
}

#[test]
fn whatever_is_spoilt_on_the_way_nothing_false_is_taken_in_and_others_go_on() {
    let [a, b, c] = team();
    let (one, two, three) = (a.project(), b.project(), c.project());
    // With their first entry devices open their logs: from here on each document is one entry.
    for project in [&one, &two] {
        create(project, fields([("name", "first".into())]));
    }
    meet(&a.database, &b.database);
    let before = one.status().unwrap().entries;
    // Somebody else is connected all the time.
    let _clean = Pipe::new(&a.database, &c.database);
    let mut faults = 0;
    for kind in 0..8 {
        for at in [3, 40, 200, 1_000, 3_000, 7_000] {
            for number in 0..20 {
                create(&one, fields([("number", Value::Int(number)), ("noise", noise(200, number as u64))]));
                create(&two, fields([("number", Value::Int(-number)), ("noise", noise(200, number as u64))]));
            }
            let pipe = Pipe::through(&a.database, &b.database, spoil(kind, at));
            let start = std::time::Instant::now();
            while !pipe.is_over() && !same(&[&one, &two]) && start.elapsed() < Duration::from_millis(400) {
                std::thread::sleep(Duration::from_millis(2));
            }
            faults += usize::from(pipe.links.iter().any(|link| link.fault().is_some()));
            drop(pipe);
        }
    }
    assert!(faults > 20, "what is spoilt is noticed ({faults})");
    meet(&a.database, &b.database);
    eventually("the third device having all", || same(&[&one, &two, &three]));
    assert_eq!(one.collection("places").len().unwrap(), 2 + 8 * 6 * 40);
    for project in [&one, &two, &three] {
        assert_eq!(project.status().unwrap().entries, before + 8 * 6 * 40, "an entry that nobody wrote was taken in");
    }
    rebuilt_equal(&b.database);
}

#[test]
fn a_full_disk_ends_the_conversation_with_the_reason_and_loses_nothing() {
    let disk = faulty_vfs::Disk::new();
    let [a] = team();
    let one = a.project();
    let b = {
        let folder = tempfile::TempDir::new().unwrap();
        let clock = Arc::new(support::LyingClock::default());
        let mut options = options(folder.path(), &clock);
        options.store.vfs = Some(faulty_vfs::NAME.into());
        let database = Database::create(&folder.path().join("db"), "small disk", options).unwrap();
        Device { folder, database, clock }
    };
    let two = join(&b, &one, ayni::Role::Member);
    let mine = create(&two, fields([("name", "mine".into())]));
    for _ in 0..12 {
        fill(&one, "many", 200, 4 << 10);
    }
    disk.set(faulty_vfs::Fault::Full(60));
    let pipe = Pipe::new(&a.database, &b.database);
    eventually("the end of the conversation", || pipe.is_over());
    let fault = pipe.links[1].fault().expect("a reason");
    let peers = b.database.pool().peers();
    let said = peers[0].projects[0].said.clone().unwrap_or_default();
    assert!(said.to_lowercase().contains("full") || fault.to_lowercase().contains("full"), "{fault:?}, {said:?}");
    drop(pipe);
    let failed = two.write(|tx| tx.create("places", Map::new()));
    assert!(failed.is_err(), "there is no room for it");
    let places = two.collection("places");
    assert!(places.get(mine).unwrap().is_some(), "what was acknowledged is there");
    assert_eq!(two.collection("many").len().unwrap() % 200, 0);

    disk.set(faulty_vfs::Fault::None);
    meet(&a.database, &b.database);
    assert!(same(&[&one, &two]));
    assert_eq!(two.collection("many").len().unwrap(), 2_400);
    create(&two, fields([("name", "again".into())]));
    rebuilt_equal(&b.database);
}

#[test]
fn who_is_not_admitted_gets_no_data() {
    let [a] = team();
    let used_up = a.project().invite(&ayni::Invitation { expires: Some(1), ..Default::default() }).unwrap();
    let control = a.project().status().unwrap().entries;
    create(&a.project(), fields([("name", "secret".into())]));
    let stranger = Device::new("stranger");
    let theirs = stranger.database.join(&used_up).unwrap();
    let passed = Arc::new(AtomicUsize::new(0));
    let pipe = Pipe::through(&a.database, &stranger.database, cut_after(usize::MAX, &passed));
    eventually("being declined", || {
        stranger.database.pool().peers().iter().flat_map(|peer| &peer.projects).any(|project| project.said.is_some())
    });
    std::thread::sleep(Duration::from_millis(100));
    assert!(theirs.collections().unwrap().is_empty());
    assert_eq!(theirs.status().unwrap().entries, control, "control entries only");
    assert!(a.project().status().unwrap().entries > control);
    assert!(passed.load(Ordering::Relaxed) > 0);
    drop(pipe);
}
