//! Who may write what: by the kind of the entry and the role of its author.

use ayni_log::entry::Entry;
use ayni_log::header::Body;
use ayni_log::ids::{CollectionTag, Hash, LogKind};
use ayni_log::limits;
use ayni_log::membership::{
    AdoptBody, ControlBody, ControlEntry, ControlView, EntryName, IncarnationBody, PurgeBody, Retention, RetentionBody,
    Role, RoleBody, SchemaBody, control_entries, device_name, founder, founding, grant, invite, removal,
};
use ayni_log::tip::Tip;
use ayni_log::write::{Draft, write_commit};

use crate::world::{FOUNDER, RECOVERY, World, device_secret, log_of};

fn retention() -> ControlBody {
    ControlBody::Retention(RetentionBody { retention: Retention::Recent })
}

fn opening() -> ControlBody {
    ControlBody::Incarnation(IncarnationBody { previous: None })
}

fn schema(collection: CollectionTag) -> ControlBody {
    ControlBody::Schema(SchemaBody { collection, epochs: vec![Hash([1; 32])], sealed: vec![] })
}

fn purge(number: u8) -> PurgeBody {
    let world = World::new();
    let log = log_of(world.project, world.id(FOUNDER), LogKind::Data, 1).id();
    PurgeBody { entries: vec![EntryName { log, position: 0, hash: Hash([number; 32]) }], snapshot: None }
}

fn named(world: &World, device: usize) -> ControlBody {
    ControlBody::DeviceName(device_name(&world.naming, world.id(device), "a name").unwrap())
}

/// What an author says of its own device; the first stands at position 0.
fn about_itself(world: &World, author: usize) -> Vec<ControlBody> {
    vec![opening(), retention(), named(world, author)]
}

/// A body of every kind that decides something about others.
fn about_others(world: &mut World) -> Vec<ControlBody> {
    let (ben, newcomer) = (world.admit(FOUNDER, Role::Member), world.add_device());
    world.admit_again(FOUNDER, newcomer, Role::Member);
    let admission = world.written.last().unwrap().body.clone();
    let (device, exchange) = (world.id(ben), world.devices[ben].secret.exchange_public());
    vec![
        admission,
        ControlBody::Role(RoleBody { device, role: Role::Coordinator, fences: None }),
        ControlBody::Remove(removal(device, vec![])),
        ControlBody::Epoch(world.first_epoch.clone()),
        ControlBody::Grant(grant(&world.ring(FOUNDER), device, &exchange, Role::Member, &[1; 32]).unwrap()),
        ControlBody::Invite(invite(world.project, &[2; 16], Role::Member, None, 1)),
        ControlBody::Adopt(AdoptBody { device, fences: vec![], entries: vec![] }),
        ControlBody::Purge(purge(1)),
        schema(CollectionTag([3; 16])),
        named(world, ben),
    ]
}

#[test]
fn whoever_is_in_speaks_for_itself_and_only_a_coordinator_for_others() {
    let stranger = None;
    let roles = [Role::Removed, Role::Carrier, Role::Reader, Role::Member, Role::Coordinator];
    for role in roles.map(Some).into_iter().chain([stranger]) {
        let mut world = World::new();
        let author = world.add_device();
        match role {
            Some(Role::Removed) => {
                world.admit_again(FOUNDER, author, Role::Coordinator);
                world.remove(FOUNDER, author);
            }
            Some(role) => drop(world.admit_again(FOUNDER, author, role)),
            None => {}
        }
        let others = about_others(&mut world);
        world.tell_everyone();
        let itself = about_itself(&world, author);
        for (bodies, least) in [(itself, Role::Carrier), (others, Role::Coordinator)] {
            for body in bodies {
                let hash = world.act(author, vec![body.clone()])[0];
                let counts = world.devices[author].view.counts(&hash);
                assert_eq!(counts, role >= Some(least), "{:?} by {role:?}", body.kind());
            }
        }
    }
}

#[test]
fn the_founding_entry_counts_only_at_the_beginning_of_a_log_of_the_founder_it_names() {
    let mut world = World::new();
    let found = world.written[0].body.clone();
    let ana = world.add_device();
    let recovery = device_secret(9);
    let (other, elsewhere) = founding(&device_secret(FOUNDER), &recovery, &world.naming, "other", [8; 32]).unwrap();
    let later = world.act(FOUNDER, vec![found.clone()])[0];
    let by_another = world.act(ana, vec![found.clone()])[0];
    world.begin_anew(FOUNDER, 2);
    let of_another_project = world.act(FOUNDER, vec![ControlBody::Found(other)])[0];
    let view = world.everything();
    assert!(view.counts(&world.written[0].hash));
    for hash in [later, by_another, of_another_project] {
        assert!(!view.counts(&hash) && view.entry(&hash).is_some());
    }
    assert_eq!(view.role(recovery.id()), None);
    // Also where it came after one of another project.
    let (strange, ours): (Vec<_>, Vec<_>) =
        world.written.iter().cloned().partition(|entry| entry.hash == of_another_project);
    let mut view = ControlView::new(world.project);
    view.insert_all(strange.into_iter().chain(ours)).unwrap();
    assert_eq!(view.founding().map(|body| body.project()), Some(world.project));
    assert_eq!((view.role(recovery.id()), view.digest()), (None, world.everything().digest()));
    // With the body alone the first entry of the founder, and of the recovery key, can be verified.
    let proven = |project, who| founder(project, &found.encode(), device_secret(who).id()).is_some();
    assert!(proven(world.project, FOUNDER) && !proven(world.project, 5) && !proven(elsewhere, FOUNDER));
    assert!(founder(world.project, &found.encode(), world.id(RECOVERY)).is_some());
}

#[test]
fn an_incarnation_is_opened_only_at_the_beginning_of_its_log() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let first = world.act(ana, vec![opening()])[0];
    let second = world.act(ana, vec![opening()])[0];
    let view = world.everything();
    assert!(view.counts(&first) && !view.counts(&second));
}

#[test]
fn the_recovery_key_decides_by_what_it_had_seen_and_nothing_is_decided_about_it() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let unaware = world.remove(RECOVERY, ana);
    assert!(!world.everything().counts(&unaware), "it had not even seen the founding entry");
    world.tell_everyone();
    let recovery = world.id(RECOVERY);
    let admitted = world.admit_again(ana, RECOVERY, Role::Reader);
    let role = RoleBody { device: recovery, role: Role::Member, fences: None };
    let demoted = world.act(ana, vec![ControlBody::Role(role)])[0];
    let removed = world.remove_at(ana, RECOVERY, vec![]);
    let view = world.everything();
    assert!([admitted, demoted, removed].iter().all(|hash| !view.counts(hash)));
    assert_eq!(view.role(recovery), Some(Role::Coordinator));
    assert!(view.members().iter().all(|member| member.device != recovery));
}

#[test]
fn only_an_admission_lets_entries_of_a_device_be_stored() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Member);
    let (by_ana, by_role) = (world.add_device(), world.add_device());
    world.admit_again(ana, by_ana, Role::Member);
    let role = RoleBody { device: world.id(by_role), role: Role::Member, fences: None };
    world.act(FOUNDER, vec![ControlBody::Role(role)]);
    let view = world.everything();
    let stored = [FOUNDER, RECOVERY, ana, by_ana, by_role].map(|who| view.admitted(world.id(who)).is_some());
    assert_eq!(stored, [true, true, true, false, false]);
    assert!(ControlView::new(world.project).admitted(world.id(FOUNDER)).is_none());
}

#[test]
fn of_schemas_and_purges_those_count_that_a_coordinator_decided_and_the_latest_schemas_stand() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let ben = world.admit(FOUNDER, Role::Coordinator);
    world.tell_everyone();
    let tag = CollectionTag([7; 16]);
    let first = world.act(FOUNDER, vec![schema(tag), ControlBody::Purge(purge(1))])[0];
    world.act(FOUNDER, vec![schema(CollectionTag([8; 16]))]);
    let hashes = |world: &World| world.everything().schemas(tag).iter().map(|(hash, _)| *hash).collect::<Vec<_>>();
    assert_eq!(hashes(&world), [first]);
    let collections = world.everything().collections_with_schema();
    assert_eq!(collections.into_iter().collect::<Vec<_>>(), [tag, CollectionTag([8; 16])]);
    world.tell_everyone();
    let mut at_once = vec![world.act(ana, vec![schema(tag)])[0], world.act(ben, vec![schema(tag)])[0]];
    at_once.sort_unstable();
    assert_eq!(hashes(&world), at_once);
    world.tell_everyone();
    world.remove(FOUNDER, ben);
    world.act(ben, vec![schema(tag), ControlBody::Purge(purge(2))]);
    assert_eq!(hashes(&world), at_once);
    assert_eq!(world.everything().purges().collect::<Vec<_>>(), [&purge(1)]);
}

#[test]
fn control_entries_past_the_limit_of_positions_have_no_effect() {
    let mut world = World::new();
    world.act(FOUNDER, vec![retention()]);
    let mut next = world.written.last().unwrap().clone();
    let mut entries = world.written.clone();
    while next.position < limits::CONTROL_POSITIONS {
        next.previous = Some(next.hash);
        next.position += 1;
        next.hash.0[..8].copy_from_slice(&next.position.to_be_bytes());
        entries.push(next.clone());
    }
    let mut view = ControlView::new(world.project);
    view.insert_all(entries.clone()).unwrap();
    let [.., last, beyond] = entries.as_slice() else { panic!() };
    assert_eq!((last.position, view.counts(&last.hash)), (limits::CONTROL_POSITIONS - 1, true));
    assert!(!view.counts(&beyond.hash) && view.entry(&beyond.hash).is_some());
}

#[test]
fn a_control_entry_needs_its_payload_and_under_an_unknown_header_it_is_not_read() {
    let world = World::new();
    let before = Tip::new(log_of(world.project, world.id(FOUNDER), LogKind::Control, 2));
    let draft = Draft { body: ayni_log::header::BodyV1::default(), content: retention().encode() };
    let (segments, _) = write_commit(&before, &world.devices[FOUNDER].secret, None, vec![draft]).unwrap();
    let entry = segments[0].entries[0].clone();
    let read = |entry: &Entry| control_entries(std::slice::from_ref(entry), &before);
    let body = |entry: &Entry| read(entry).map(|entries: Vec<ControlEntry>| entries[0].body.clone());
    assert_eq!(body(&entry), Ok(retention()));
    let mut newer = entry.clone();
    newer.header.body = Body::Unknown { version: 2, flags: 0, bytes: vec![] };
    assert_eq!(body(&newer), Ok(ControlBody::Unknown(retention().encode())));
    let without = Entry { payload: None, ..entry };
    assert_eq!(read(&without).map_err(|missing| missing.position), Err(0));
}

#[test]
fn a_role_is_called_by_its_name_and_reads_writes_and_carries_by_its_rank() {
    let told = [Role::Removed, Role::Carrier, Role::Reader, Role::Member, Role::Coordinator].map(|role| {
        let may = [role.carries(), role.reads(), role.writes(LogKind::Data), role.writes(LogKind::Control)];
        (format!("{role:>12}"), may.into_iter().filter(|may| *may).count())
    });
    let names = ["removed", "carrier", "reader", "member", "coordinator"];
    assert_eq!(told, std::array::from_fn(|rank| (format!("{:>12}", names[rank]), rank)));
}

#[test]
fn a_device_has_the_name_that_it_gave_itself_last() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Member);
    for text in ["one", "two"] {
        let given = device_name(&world.naming, world.id(ana), text).unwrap();
        world.act(ana, vec![ControlBody::DeviceName(given.clone())]);
        let members = world.everything().members();
        let named = members.iter().find(|member| member.device == world.id(ana)).unwrap();
        assert_eq!(named.name, given.name);
    }
}
