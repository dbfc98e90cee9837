//! Receipts: who has what, told to those who never meet.

use ayni_log::ids::{Hash, LogId, StoreId};
use ayni_log::sign::DeviceSecret;
use ayni_sync::message::{Kind, Message};
use ayni_sync::receipt::{Head, Lacked, Retention};
use ayni_sync::{Receipt, ReceiptKey, SignedReceipt};

use crate::attack::Attack;
use crate::toy::project_id;
use crate::world::World;

fn receipt() -> (Receipt, DeviceSecret) {
    let secret = DeviceSecret::from_seed(&[3; 32]);
    let receipt = Receipt {
        project: project_id(1),
        key: ReceiptKey { device: secret.id(), store: StoreId([4; 16]) },
        counter: 300,
        time: 1_795_000_000_000,
        retention: Retention::Recent,
        heads: vec![
            Head { log: LogId([1; 32]), length: 1_024, hash: Hash([5; 32]) },
            Head { log: LogId([2; 32]), length: 7, hash: Hash([6; 32]) },
        ],
        lacked: vec![
            Lacked { head: 0, start: 10, count: 5 },
            Lacked { head: 0, start: 20, count: 1_004 },
            Lacked { head: 1, start: 0, count: 7 },
        ],
        attachments_lacked: 2,
    };
    (receipt, secret)
}

#[test]
fn a_receipt_reads_back_and_only_its_device_can_have_signed_it() {
    let (receipt, secret) = receipt();
    let signed = SignedReceipt::decode(&receipt.sign(&secret).encode()).unwrap();
    assert_eq!(signed.receipt(), Ok(receipt));
    assert_eq!(signed.verify(), Ok(()));
    let mut forged = signed.clone();
    forged.body[70] ^= 1;
    assert!(forged.verify().is_err());
}

#[test]
fn a_receipt_in_another_order_or_beyond_its_heads_is_refused() {
    let (good, _) = receipt();
    let spoil: [fn(&mut Receipt); 6] = [
        |receipt| receipt.heads.reverse(),
        |receipt| receipt.lacked.reverse(),
        |receipt| receipt.lacked[1].count = 1_005,
        |receipt| receipt.lacked[1].head = 2,
        |receipt| receipt.lacked[1].start = u64::MAX,
        |receipt| receipt.lacked[0].count = 10,
    ];
    for spoil in spoil {
        let mut bad = good.clone();
        spoil(&mut bad);
        assert!(Receipt::decode(&bad.encode()).is_err());
    }
}

#[test]
fn a_receipt_of_a_newer_version_is_passed_on() {
    let (receipt, secret) = receipt();
    let mut signed = receipt.sign(&secret);
    signed.body[0] = 9;
    signed.body.extend(b"more");
    let read = SignedReceipt::decode(&signed.encode()).unwrap();
    assert_eq!((read.key, read.counter), (receipt.key, 300));
    assert!(read.receipt().is_err());
}

#[test]
fn everyone_has_everyones_newest_receipt_also_of_those_it_never_met() {
    let mut world = World::new(3);
    world.write(0, 10, "a");
    world.connect(0, 1);
    world.connect(1, 2);
    world.settle();
    let newest = |world: &World| {
        let of = |at: usize| world.devices[at].projects[&project_id(1)].receipts.clone();
        assert_eq!(of(0).len(), 3);
        assert_eq!(of(0), of(1));
        assert_eq!(of(0), of(2));
        of(0)
    };
    let before = newest(&world);
    world.write(2, 1, "c");
    world.settle();
    let after = newest(&world);
    assert!(before.iter().all(|(key, (counter, _))| after[key].0 > *counter), "all hold more, and have said so");
}

#[test]
fn receipts_that_both_have_are_not_sent_again() {
    let mut world = World::new(2);
    world.connect(0, 1);
    world.settle();
    world.links.clear();
    world.write(0, 3, "a");
    let link = world.connect(0, 1);
    world.settle();
    let sent: usize = world.links[link].ends.iter().map(|end| end.count(Kind::Receipt)).sum();
    assert_eq!(sent, 2, "each side's new one, once");
}

#[test]
fn the_other_is_sent_the_receipts_that_it_lacks_or_has_older_ones_of() {
    let mut attack = Attack::level();
    let (mut receipt, secret) = receipt();
    let keys = [1, 2, 3, 4].map(|n| ReceiptKey { store: StoreId([n; 16]), ..receipt.key });
    for key in keys {
        (receipt.key, receipt.counter) = (key, 5);
        let held = &mut attack.honest.projects.get_mut(&project_id(1)).unwrap().receipts;
        held.insert(key, (5, receipt.sign(&secret).encode()));
    }
    let [_, older, the_same, newer] = keys;
    attack.say(&Message::Receipts { project: 0, last: true, entries: vec![(older, 4), (the_same, 5), (newer, 6)] });
    let sent = attack.heard_of(Kind::Receipt).into_iter().map(|message| match message {
        Message::Receipt { bytes, .. } => SignedReceipt::decode(&bytes).unwrap().key,
        _ => unreachable!("only receipts were asked for"),
    });
    assert_eq!(sent.collect::<Vec<_>>(), keys[..2]);
}
