//! Frozen examples: bytes that were once written stay readable, and mean the same for ever.
//!
//! The files in `tests/frozen/` are never made anew; their hashes stand in `docs/membership.md`.

use ayni_log::ids::{CollectionTag, DeviceId, ExchangeKey, Hash, LogId, LogKind, ProjectId, StoreId};
use ayni_log::membership::{
    AdmitBody, AdoptBody, Consent, ControlBody, EntryName, Fence, IncarnationBody, JoinRequest, PurgeBody, RecoveryKey,
    Retention, RetentionBody, Role, RoleBody, SchemaBody, Ticket, device_name, first_epoch, founding, grant, invite,
    removal, role_change,
};
use ayni_log::seal::NamingKey;
use ayni_log::segment::checkpoint_message;
use ayni_log::sign::DeviceSecret;

use crate::world::{FOUNDER, World, log_of};

fn secret(byte: u8) -> DeviceSecret {
    DeviceSecret::from_seed(&[byte; 32])
}

fn fence(project: ProjectId, kind: LogKind) -> Fence {
    let log = log_of(project, secret(3).id(), kind, 4);
    let (length, hash) = (1024, Hash([5; 32]));
    let signature = secret(3).sign(&checkpoint_message(log.id(), length, &hash));
    Fence { kind, incarnation: log.incarnation, length, hash, signature }
}

fn ticket(project: ProjectId) -> Ticket {
    let addresses = vec!["192.168.1.7:4040".to_owned()];
    Ticket { project, inviter: secret(1).id(), secret: [6; 16], role: Role::Member, addresses }
}

/// An example of every kind of control entry.
pub(crate) fn examples() -> Vec<(&'static str, ControlBody)> {
    let naming = NamingKey::from_bytes([2; 32]);
    let recovery = RecoveryKey::from_random([1; 32]).secret();
    let (found, project) = founding(&secret(1), &recovery, &naming, "Land of the Kukama", [7; 32]).unwrap();
    let (epoch, _) = first_epoch(&found, &naming, &[8; 32]).unwrap();
    let ticket = ticket(project);
    let request = JoinRequest::new(&ticket, &secret(3), "Ana's phone");
    let signature = request.by_device;
    let admitted = AdmitBody {
        device: request.device,
        exchange: request.exchange,
        role: Role::Member,
        consent: Some(Consent { invite: Hash([9; 32]), signature }),
        name: vec![0xab; 27],
    };
    let device = secret(3).id();
    let name = EntryName { log: LogId([10; 32]), position: 300, hash: Hash([11; 32]) };
    let fences = vec![fence(project, LogKind::Data), fence(project, LogKind::Control)];
    let adopt = AdoptBody { device, fences: vec![fence(project, LogKind::Data)], entries: vec![name] };
    let schema =
        SchemaBody { collection: CollectionTag([12; 16]), epochs: vec![Hash([13; 32])], sealed: vec![0xcd; 40] };
    let granted = {
        let world = World::new();
        grant(&world.ring(FOUNDER), device, &secret(3).exchange_public(), Role::Member, &[14; 32]).unwrap()
    };
    vec![
        ("found", ControlBody::Found(found)),
        ("admit", ControlBody::Admit(admitted)),
        ("role-promotes", ControlBody::Role(RoleBody { device, role: Role::Coordinator, fences: None })),
        ("role-demotes", ControlBody::Role(role_change(device, Role::Coordinator, Role::Reader, fences.clone()))),
        ("remove", ControlBody::Remove(removal(device, fences))),
        ("epoch", ControlBody::Epoch(epoch)),
        ("grant", ControlBody::Grant(granted)),
        ("incarnation", ControlBody::Incarnation(IncarnationBody { previous: Some(StoreId([15; 16])) })),
        ("invite", ControlBody::Invite(invite(project, &ticket.secret, Role::Member, Some(1_800_000_000_000), 3))),
        ("adopt", ControlBody::Adopt(adopt)),
        ("purge", ControlBody::Purge(PurgeBody { entries: vec![name], snapshot: Some(name) })),
        ("schema", ControlBody::Schema(schema)),
        ("retention", ControlBody::Retention(RetentionBody { retention: Retention::Recent })),
        ("device-name", ControlBody::DeviceName(device_name(&naming, device, "Ana's phone").unwrap())),
    ]
}

macro_rules! frozen_files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../frozen/membership-", $name)))),*]
    };
}

const DOCS: &str = include_str!("../../../../docs/membership.md");
const FILES: &[(&str, &str)] = frozen_files![
    "found.hex",
    "admit.hex",
    "role-promotes.hex",
    "role-demotes.hex",
    "remove.hex",
    "epoch.hex",
    "grant.hex",
    "incarnation.hex",
    "invite.hex",
    "adopt.hex",
    "purge.hex",
    "schema.hex",
    "retention.hex",
    "device-name.hex",
    "request.hex",
    "ticket.txt",
    "recovery.txt",
];

fn frozen(name: &str) -> &'static str {
    let (_, content) = FILES.iter().find(|(file, _)| *file == name).unwrap();
    content.trim()
}

fn frozen_bytes(name: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(frozen(&format!("{name}.hex")).replace('\n', "").as_bytes()).unwrap()
}

fn is_listed(name: &str, content: &[u8]) {
    let line = format!("| `membership-{name}` | `{}` |", blake3::hash(content));
    assert!(DOCS.contains(&line), "docs/membership.md should list\n{line}");
}

#[test]
fn every_kind_reads_from_its_frozen_example_and_is_written_the_same() {
    for (name, body) in examples() {
        let bytes = frozen_bytes(name);
        is_listed(&format!("{name}.hex"), &bytes);
        assert_eq!(ControlBody::decode(&bytes).as_ref(), Ok(&body), "{name}");
        assert_eq!(body.encode(), bytes, "{name}");
    }
}

#[test]
fn a_frozen_request_is_genuine() {
    let ControlBody::Found(found) = ControlBody::decode(&frozen_bytes("found")).unwrap() else { panic!() };
    let bytes = frozen_bytes("request");
    is_listed("request.hex", &bytes);
    let request = JoinRequest::decode(&bytes).unwrap();
    assert_eq!(request.verify(found.project()), Ok(()));
    assert_eq!(request, JoinRequest::new(&ticket(found.project()), &secret(3), "Ana's phone"));
}

#[test]
fn a_frozen_ticket_and_recovery_key_mean_the_same_for_ever() {
    let ControlBody::Found(found) = ControlBody::decode(&frozen_bytes("found")).unwrap() else { panic!() };
    let text = frozen("ticket.txt");
    is_listed("ticket.txt", text.as_bytes());
    assert_eq!(text.parse(), Ok(ticket(found.project())));
    assert_eq!(ticket(found.project()).to_string(), text);
    let words = frozen("recovery.txt");
    is_listed("recovery.txt", words.as_bytes());
    let key = RecoveryKey::from_words(words).unwrap();
    let (device, exchange): (DeviceId, ExchangeKey) = (found.recovery, found.recovery_exchange);
    assert_eq!((key.secret().id(), key.secret().exchange_public()), (device, exchange));
}
