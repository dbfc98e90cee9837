//! What breaks the format of its kind is refused, and so has no effect.

use ayni_log::codec::DecodeError;
use ayni_log::ids::{CollectionTag, DeviceId, ExchangeKey, Hash, LogId, LogKind, Signature, StoreId};
use ayni_log::limits;
use ayni_log::membership::{
    AdmitBody, AdoptBody, ControlBody, DeviceNameBody, EntryName, EpochBody, Fence, FoundingBody, GrantBody,
    InviteBody, OlderEpoch, PurgeBody, Recipient, RemoveBody, Retention, RetentionBody, Role, RoleBody, SchemaBody,
    role_change, seal_name,
};
use ayni_log::seal::NamingKey;

use crate::frozen::examples;

const DEVICE: DeviceId = DeviceId([1; 32]);

/// Reads back what was written, or not.
fn read(body: &ControlBody) -> Result<(), DecodeError> {
    let bytes = body.encode();
    let read = ControlBody::decode(&bytes);
    let kept = if read.is_ok() { body.clone() } else { ControlBody::Unknown(bytes.clone()) };
    assert_eq!(ControlBody::read(&bytes), kept);
    read.map(|read| assert_eq!(&read, body))
}

fn refused(body: &ControlBody) {
    assert!(read(body).is_err(), "{body:?}");
}

fn hash(number: usize) -> Hash {
    let mut hash = Hash([0; 32]);
    hash.0[..8].copy_from_slice(&(number as u64).to_be_bytes());
    hash
}

fn fence(kind: LogKind, length: u64) -> Fence {
    Fence { kind, incarnation: StoreId([2; 16]), length, hash: Hash([3; 32]), signature: Signature([4; 64]) }
}

fn remove(fences: Vec<Fence>) -> ControlBody {
    ControlBody::Remove(RemoveBody { device: DEVICE, fences })
}

fn role(role: Role, fences: Option<Vec<Fence>>) -> ControlBody {
    ControlBody::Role(RoleBody { device: DEVICE, role, fences })
}

fn adopt(fences: Vec<Fence>, entries: Vec<EntryName>) -> ControlBody {
    ControlBody::Adopt(AdoptBody { device: DEVICE, fences, entries })
}

fn admit(role: Role, name: Vec<u8>) -> ControlBody {
    ControlBody::Admit(AdmitBody { device: DEVICE, exchange: ExchangeKey([5; 32]), role, consent: None, name })
}

fn invite(role: Role, uses: u32) -> ControlBody {
    ControlBody::Invite(InviteBody { key: DEVICE, role, expires: Some(-1), uses })
}

fn entry(number: usize) -> EntryName {
    EntryName { log: LogId([6; 32]), position: 7, hash: hash(number) }
}

fn recipient(number: usize) -> Recipient {
    let reads = number.is_multiple_of(2);
    Recipient { device: DeviceId(hash(number).0), reads, sealed: vec![8; if reads { 112 } else { 80 }] }
}

fn older(number: usize) -> OlderEpoch {
    OlderEpoch { epoch: hash(number), reading: [9; 48], carriage: [10; 48] }
}

fn epoch(recipients: Vec<Recipient>, older: Vec<OlderEpoch>) -> ControlBody {
    let (reading, carriage) = (Hash([11; 32]), Hash([12; 32]));
    ControlBody::Epoch(EpochBody { reading, carriage, naming: [13; 48], recipients, older })
}

fn schema(epochs: Vec<Hash>, bytes: usize) -> ControlBody {
    ControlBody::Schema(SchemaBody { collection: CollectionTag([14; 16]), epochs, sealed: vec![15; bytes] })
}

/// Everything in which a list stands, made with as many items as the numbers given, in their order.
fn lists(numbers: &[usize]) -> Vec<(usize, ControlBody)> {
    let fences: Vec<Fence> = numbers.iter().map(|number| fence(LogKind::Data, *number as u64 + 1)).collect();
    let entries: Vec<EntryName> = numbers.iter().map(|number| entry(*number)).collect();
    let hashes: Vec<Hash> = numbers.iter().map(|number| hash(*number)).collect();
    vec![
        (limits::FENCES, remove(fences.clone())),
        (limits::FENCES, role(Role::Reader, Some(fences.clone()))),
        (limits::FENCES, adopt(fences, vec![])),
        (limits::NAMED_ENTRIES, adopt(vec![], entries.clone())),
        (limits::NAMED_ENTRIES, ControlBody::Purge(PurgeBody { entries, snapshot: None })),
        (limits::EPOCH_RECIPIENTS, epoch(numbers.iter().map(|number| recipient(*number)).collect(), vec![])),
        (limits::KEY_SET_EPOCHS, epoch(vec![], numbers.iter().map(|number| older(*number)).collect())),
        (limits::KEY_SET_EPOCHS, schema(hashes, 1)),
    ]
}

#[test]
fn lists_take_as_many_items_as_their_limit_says() {
    let first = |count: usize| (0..count).collect::<Vec<_>>();
    for (index, (limit, _)) in lists(&[0]).into_iter().enumerate() {
        assert_eq!(read(&lists(&first(limit))[index].1), Ok(()));
        refused(&lists(&first(limit + 1))[index].1);
    }
}

#[test]
fn lists_are_ascending_and_hold_each_item_once() {
    for (_, body) in lists(&[0, 1, 2]) {
        assert_eq!(read(&body), Ok(()));
    }
    for numbers in [[0, 2, 1], [0, 1, 1]] {
        lists(&numbers).iter().for_each(|(_, body)| refused(body));
    }
}

#[test]
fn texts_take_as_many_bytes_as_their_limit_says() {
    let Some((_, ControlBody::Found(found))) = examples().into_iter().next() else { panic!() };
    for (bytes, fits) in [(limits::NAME_BYTES + 16, true), (limits::NAME_BYTES + 17, false)] {
        let founds = ControlBody::Found(FoundingBody { name: vec![0; bytes], ..found.clone() });
        let names = ControlBody::DeviceName(DeviceNameBody { device: DEVICE, name: vec![0; bytes] });
        for body in [founds, names, admit(Role::Reader, vec![0; bytes])] {
            assert_eq!(read(&body).is_ok(), fits);
        }
    }
    assert_eq!(read(&schema(vec![hash(0)], limits::SCHEMA_BYTES)), Ok(()));
    refused(&schema(vec![hash(0)], limits::SCHEMA_BYTES + 1));
    let grant = |bytes| ControlBody::Grant(GrantBody { device: DEVICE, sealed: vec![0; bytes] });
    assert_eq!(read(&grant(limits::GRANT_BYTES)), Ok(()));
    refused(&grant(limits::GRANT_BYTES + 1));
    let naming = NamingKey::from_bytes([16; 32]);
    let sealed = |bytes: usize| seal_name(&naming, &[17; 32], &"x".repeat(bytes)).map(|sealed| sealed.len());
    assert_eq!(sealed(limits::NAME_BYTES), Ok(limits::NAME_BYTES + 16));
    assert!(sealed(limits::NAME_BYTES + 1).is_err());
}

#[test]
fn no_entry_gives_the_role_removed() {
    for body in [role(Role::Removed, None), admit(Role::Removed, vec![]), invite(Role::Removed, 1)] {
        refused(&body);
    }
}

#[test]
fn a_demotion_fences_only_logs_that_the_new_role_may_not_write() {
    let both = [fence(LogKind::Control, 1), fence(LogKind::Data, 1)];
    let kinds = |now, then| {
        let fences = role_change(DEVICE, now, then, both.to_vec()).fences;
        fences.map(|fences| fences.iter().map(|fence| fence.kind).collect::<Vec<_>>())
    };
    assert_eq!(kinds(Role::Coordinator, Role::Member), Some(vec![LogKind::Control]));
    assert_eq!(kinds(Role::Coordinator, Role::Reader), Some(vec![LogKind::Control, LogKind::Data]));
    assert_eq!([kinds(Role::Member, Role::Member), kinds(Role::Reader, Role::Member)], [None, None]);
    refused(&role(Role::Coordinator, Some(vec![])));
    refused(&role(Role::Member, Some(vec![fence(LogKind::Data, 1)])));
    assert_eq!(read(&role(Role::Member, Some(vec![fence(LogKind::Control, 1)]))), Ok(()));
    assert_eq!(read(&role(Role::Reader, Some(vec![fence(LogKind::Control, 1), fence(LogKind::Data, 1)]))), Ok(()));
}

#[test]
fn a_fence_stands_behind_an_entry_that_can_be() {
    for (length, can_be) in [(0, false), (1, true), (limits::POSITIONS, true), (limits::POSITIONS + 1, false)] {
        assert_eq!(read(&remove(vec![fence(LogKind::Control, length)])).is_ok(), can_be, "{length}");
    }
}

#[test]
fn what_each_kind_asks_for_besides_is_asked_for() {
    let Some((_, ControlBody::Found(found))) = examples().into_iter().next() else { panic!() };
    refused(&ControlBody::Found(FoundingBody { recovery: found.founder, ..found }));
    assert_eq!(read(&invite(Role::Member, 1)), Ok(()));
    refused(&invite(Role::Member, 0));
    refused(&adopt(vec![fence(LogKind::Control, 1)], vec![]));
    refused(&schema(vec![], 1));
    let mut short = recipient(0);
    short.sealed.pop();
    refused(&epoch(vec![short], vec![]));
}

#[test]
fn another_version_another_kind_or_a_byte_more_is_not_understood() {
    for (name, body) in examples() {
        let bytes = body.encode();
        for (place, value) in [(0, 0), (0, 2), (1, 0), (1, 14)] {
            let mut other = bytes.clone();
            other[place] = value;
            assert_eq!(ControlBody::read(&other), ControlBody::Unknown(other.clone()), "{name}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(ControlBody::read(&longer), ControlBody::Unknown(longer.clone()), "{name}");
    }
    // What may be absent is said by 0 or 1, and what a device keeps too.
    for retention in [Retention::Everything, Retention::Recent] {
        assert_eq!(read(&ControlBody::Retention(RetentionBody { retention })), Ok(()));
    }
    for flagged in [[[1, 7, 2].as_slice(), &[0; 16]].concat(), vec![1, 12, 2]] {
        assert_eq!(ControlBody::read(&flagged), ControlBody::Unknown(flagged.clone()));
    }
}
