//! Who can open what.

use ayni_log::ids::{DeviceId, ExchangeKey, Hash};
use ayni_log::limits;
use ayni_log::membership::{
    ActError, AdmitBody, ControlBody, KeyRing, Role, first_epoch, grant, removal, role_change, rotate,
};
use ayni_log::seal::NamingKey;

use crate::world::{FOUNDER, RECOVERY, World};

/// Lets a coordinator grant all it has to a device, and both hear of it.
fn grant_to(world: &mut World, by: usize, to: usize, role: Role) {
    let secret = &world.devices[to].secret;
    let body = grant(&world.ring(by), secret.id(), &secret.exchange_public(), role, &[to as u8; 32]).unwrap();
    world.act(by, vec![ControlBody::Grant(body)]);
    world.tell(by, to);
}

fn admit_with_keys(world: &mut World, role: Role) -> usize {
    let who = world.admit(FOUNDER, role);
    grant_to(world, FOUNDER, who, role);
    who
}

/// Removes a device and begins an epoch without it, in one commit.
fn remove_and_rotate(world: &mut World, by: usize, whom: usize) -> Hash {
    let fences = world.fences_as_held(by, whom);
    let out = world.id(whom);
    let (epoch, _) = rotate(&world.devices[by].view, &world.ring(by), &[out], &[by as u8; 32]).unwrap();
    world.act(by, vec![ControlBody::Remove(removal(out, fences)), ControlBody::Epoch(epoch)])[1]
}

#[test]
fn the_founder_and_the_recovery_key_hold_the_first_epoch() {
    let mut world = World::new();
    world.tell(FOUNDER, RECOVERY);
    let heads = world.everything().epoch_heads();
    assert_eq!(heads.len(), 1);
    let founder = world.ring(FOUNDER);
    assert!(founder.set_key(&heads).is_some());
    assert_eq!(founder.set_key(&heads), world.ring(RECOVERY).set_key(&heads));
    assert_eq!(founder.naming_key(), Some(&world.naming));
    assert_eq!(founder.set_key(&[]), None);
}

#[test]
fn a_carrier_gets_carriage_keys_only() {
    let mut world = World::new();
    let carrier = admit_with_keys(&mut world, Role::Carrier);
    let (epoch, keys) = rotate(&world.devices[FOUNDER].view, &world.ring(FOUNDER), &[], &[1; 32]).unwrap();
    let second = world.act(FOUNDER, vec![ControlBody::Epoch(epoch)])[0];
    world.tell_everyone();
    let ring = world.ring(carrier);
    assert_eq!(ring.carriage_key(&second), Some(&keys.carriage));
    assert_eq!(ring.epochs().count(), 2);
    assert!(ring.epochs().all(|epoch| ring.reading_key(epoch).is_none() && ring.carriage_key(epoch).is_some()));
    assert_eq!(ring.naming_key(), None);
}

#[test]
fn a_later_epoch_opens_all_before_it() {
    let mut world = World::new();
    let first = world.everything().epoch_heads();
    for round in 0..5 {
        let (epoch, _) = rotate(&world.devices[FOUNDER].view, &world.ring(FOUNDER), &[], &[round; 32]).unwrap();
        world.act(FOUNDER, vec![ControlBody::Epoch(epoch)]);
    }
    // Admitted late, and sealed to by nothing but the next epoch.
    let ana = world.admit(FOUNDER, Role::Reader);
    let carrier = world.admit(FOUNDER, Role::Carrier);
    let (epoch, _) = rotate(&world.devices[FOUNDER].view, &world.ring(FOUNDER), &[], &[9; 32]).unwrap();
    world.act(FOUNDER, vec![ControlBody::Epoch(epoch)]);
    world.tell_everyone();
    assert_eq!(world.ring(ana).epochs().count(), 7);
    assert_eq!(world.ring(carrier).epochs().count(), 7);
    assert_eq!(world.ring(ana).set_key(&first), world.ring(FOUNDER).set_key(&first));
    assert_eq!(world.ring(ana).naming_key(), Some(&world.naming));
}

#[test]
fn a_removed_device_has_no_key_of_the_epoch_that_its_removal_begins() {
    let mut world = World::new();
    let ana = admit_with_keys(&mut world, Role::Member);
    let ben = admit_with_keys(&mut world, Role::Member);
    let epoch = remove_and_rotate(&mut world, FOUNDER, ana);
    world.tell_everyone();
    assert_eq!(world.everything().epoch_heads(), [epoch]);
    let (out, stays) = (world.ring(ana), world.ring(ben));
    assert!(stays.set_key(&[epoch]).is_some());
    assert_eq!((out.reading_key(&epoch), out.carriage_key(&epoch)), (None, None));
}

#[test]
fn when_two_coordinators_rotate_at_once_neither_removed_device_can_make_the_set_key() {
    let mut world = World::new();
    let other = admit_with_keys(&mut world, Role::Coordinator);
    let ana = admit_with_keys(&mut world, Role::Member);
    let ben = admit_with_keys(&mut world, Role::Member);
    let stays = admit_with_keys(&mut world, Role::Reader);
    world.tell_everyone();
    let without_ana = remove_and_rotate(&mut world, FOUNDER, ana);
    let without_ben = remove_and_rotate(&mut world, other, ben);
    world.tell_everyone();
    let heads = world.everything().epoch_heads();
    let mut both = [without_ana, without_ben];
    both.sort_unstable();
    assert_eq!(heads, both);
    // Each of them has the key of the epoch that the other's removal began, and no more.
    assert!(world.ring(ana).set_key(&[without_ben]).is_some() && world.ring(ben).set_key(&[without_ana]).is_some());
    assert_eq!((world.ring(ana).set_key(&heads), world.ring(ben).set_key(&heads)), (None, None));
    let key = world.ring(stays).set_key(&heads).unwrap();
    assert_eq!(world.ring(FOUNDER).set_key(&heads), Some(key));
    // The next rotation is one head again, without both.
    let (epoch, _) = rotate(&world.devices[other].view, &world.ring(other), &[], &[77; 32]).unwrap();
    let merged = world.act(other, vec![ControlBody::Epoch(epoch)])[0];
    world.tell_everyone();
    assert_eq!(world.everything().epoch_heads(), [merged]);
    for who in [ana, ben] {
        assert_eq!((world.ring(who).reading_key(&merged), world.ring(who).carriage_key(&merged)), (None, None));
    }
}

#[test]
fn the_recovery_key_is_sealed_to_in_every_epoch() {
    let mut world = World::new();
    let (epoch, _) = rotate(&world.devices[FOUNDER].view, &world.ring(FOUNDER), &[], &[1; 32]).unwrap();
    world.act(FOUNDER, vec![ControlBody::Epoch(epoch)]);
    world.tell_everyone();
    let heads = world.everything().epoch_heads();
    assert!(world.ring(RECOVERY).set_key(&heads).is_some());
}

#[test]
fn a_device_that_nothing_can_be_sealed_to_keeps_nobody_from_new_keys() {
    let mut world = World::new();
    let ana = admit_with_keys(&mut world, Role::Member);
    let weak = world.add_device();
    world.admit_again(FOUNDER, weak, Role::Member);
    let ControlBody::Admit(mut body) = world.written.last().unwrap().body.clone() else { panic!() };
    body.exchange = ExchangeKey([0; 32]);
    world.act(FOUNDER, vec![ControlBody::Admit(body)]);
    let (epoch, _) = rotate(&world.devices[FOUNDER].view, &world.ring(FOUNDER), &[], &[1; 32]).unwrap();
    assert!(epoch.recipients.iter().all(|recipient| recipient.device != world.id(weak)));
    let epoch = world.act(FOUNDER, vec![ControlBody::Epoch(epoch)])[0];
    world.tell_everyone();
    assert!(world.ring(ana).set_key(&[epoch]).is_some());
}

#[test]
fn a_void_epoch_still_opens_and_is_never_a_head() {
    let mut world = World::new();
    let other = admit_with_keys(&mut world, Role::Coordinator);
    let stays = admit_with_keys(&mut world, Role::Member);
    world.tell_everyone();
    world.remove(FOUNDER, other);
    let (epoch, _) = rotate(&world.devices[other].view, &world.ring(other), &[], &[1; 32]).unwrap();
    let void = world.act(other, vec![ControlBody::Epoch(epoch)])[0];
    world.tell_everyone();
    let view = world.everything();
    assert!(!view.counts(&void) && !view.epoch_heads().contains(&void));
    assert!(world.ring(stays).reading_key(&void).is_some());
}

#[test]
fn whoever_was_admitted_while_another_rotated_is_found_to_lack_keys_until_granted() {
    let mut world = World::new();
    let other = admit_with_keys(&mut world, Role::Coordinator);
    world.tell_everyone();
    let ana = admit_with_keys(&mut world, Role::Member);
    let (epoch, _) = rotate(&world.devices[other].view, &world.ring(other), &[], &[1; 32]).unwrap();
    world.act(other, vec![ControlBody::Epoch(epoch)]);
    world.tell_everyone();
    let lacking = world.everything().lacking_keys();
    assert_eq!(lacking.iter().map(|member| member.device).collect::<Vec<_>>(), [world.id(ana)]);
    assert_eq!(world.ring(ana).set_key(&world.everything().epoch_heads()), None);
    grant_to(&mut world, FOUNDER, ana, Role::Member);
    assert_eq!(world.everything().lacking_keys(), []);
    assert!(world.ring(ana).set_key(&world.everything().epoch_heads()).is_some());
}

#[test]
fn keys_that_do_not_match_their_epoch_are_not_taken() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Member);
    let mut forged = World::new();
    // The same project, another first epoch: whoever passes its keys on lies about the one that is here.
    let (epoch, _) = rotate(&forged.devices[FOUNDER].view, &forged.ring(FOUNDER), &[], &[1; 32]).unwrap();
    let unknown = forged.act(FOUNDER, vec![ControlBody::Epoch(epoch)])[0];
    let secret = world.devices[ana].secret.clone();
    let keys = grant(&forged.ring(FOUNDER), secret.id(), &secret.exchange_public(), Role::Member, &[2; 32]).unwrap();
    world.act(FOUNDER, vec![ControlBody::Grant(keys)]);
    world.tell(FOUNDER, ana);
    let ring = world.ring(ana);
    assert_eq!(ring.reading_key(&unknown), None);
    assert_eq!(ring.epochs().count(), 1);
    // A recipient's part with another epoch's commitments opens and is dropped.
    let mut lying = world.first_epoch.clone();
    lying.reading = Hash([1; 32]);
    let epoch = world.act(FOUNDER, vec![ControlBody::Epoch(lying)])[0];
    let mut ring = KeyRing::new(world.project, &world.devices[FOUNDER].secret);
    ring.update(&world.devices[FOUNDER].view);
    assert_eq!(ring.reading_key(&epoch), None);
    assert!(ring.carriage_key(&epoch).is_some());
    let mut lying = world.first_epoch.clone();
    lying.carriage = Hash([1; 32]);
    let epoch = world.act(FOUNDER, vec![ControlBody::Epoch(lying)])[0];
    assert!(world.ring(FOUNDER).reading_key(&epoch).is_some());
    assert_eq!(world.ring(FOUNDER).carriage_key(&epoch), None);
}

#[test]
fn a_naming_key_that_the_founding_entry_does_not_vouch_for_is_not_taken() {
    let mut world = World::new();
    let ControlBody::Found(found) = world.written[0].body.clone() else { panic!() };
    for number in 0..8 {
        let (epoch, _) = first_epoch(&found, &NamingKey::from_bytes([1; 32]), &[number; 32]).unwrap();
        world.act(FOUNDER, vec![ControlBody::Epoch(epoch)]);
        assert_eq!(world.ring(FOUNDER).naming_key(), Some(&world.naming));
    }
}

fn lacking(world: &World) -> Vec<DeviceId> {
    world.everything().lacking_keys().iter().map(|member| member.device).collect()
}

#[test]
fn whoever_is_promoted_to_read_lacks_keys_until_they_are_granted_anew() {
    for sealed_to_as_carrier in [false, true] {
        let mut world = World::new();
        let carrier = admit_with_keys(&mut world, Role::Carrier);
        if sealed_to_as_carrier {
            let (epoch, _) = rotate(&world.devices[FOUNDER].view, &world.ring(FOUNDER), &[], &[1; 32]).unwrap();
            world.act(FOUNDER, vec![ControlBody::Epoch(epoch)]);
        }
        assert_eq!(lacking(&world), []);
        let promotion = role_change(world.id(carrier), Role::Carrier, Role::Reader, vec![]);
        world.act(FOUNDER, vec![ControlBody::Role(promotion)]);
        assert_eq!(lacking(&world), [world.id(carrier)]);
        grant_to(&mut world, FOUNDER, carrier, Role::Reader);
        assert_eq!(lacking(&world), []);
    }
}

#[test]
fn keys_granted_to_another_or_by_a_removed_coordinator_do_not_help_and_the_removed_lack_none() {
    let mut world = World::new();
    let other = admit_with_keys(&mut world, Role::Coordinator);
    let ana = world.admit(FOUNDER, Role::Member);
    let ben = admit_with_keys(&mut world, Role::Member);
    world.tell_everyone();
    assert_eq!(lacking(&world), [world.id(ana)]);
    remove_and_rotate(&mut world, FOUNDER, ben);
    world.tell_everyone();
    remove_and_rotate(&mut world, FOUNDER, other);
    world.tell_everyone();
    assert_eq!(lacking(&world), [], "a rotation seals to everyone");
    let late = world.admit(FOUNDER, Role::Member);
    world.tell_everyone();
    grant_to(&mut world, other, late, Role::Member);
    assert_eq!(lacking(&world), [world.id(late)]);
}

/// Lets the founder of a new world write many entries, in commits that end where segments do.
fn act_often(world: &mut World, bodies: &[ControlBody]) {
    let (first, rest) = bodies.split_at(limits::SEGMENT_ENTRIES as usize - world.written.len());
    for commit in std::iter::once(first).chain(rest.chunks(limits::SEGMENT_ENTRIES as usize)) {
        world.act(FOUNDER, commit.to_vec());
    }
}

#[test]
fn a_grant_takes_as_many_epochs_as_its_limit_says() {
    let mut world = World::new();
    let epoch = ControlBody::Epoch(world.first_epoch.clone());
    act_often(&mut world, &vec![epoch.clone(); limits::GRANTED_EPOCHS - 1]);
    let (device, exchange) = (world.id(RECOVERY), world.devices[RECOVERY].secret.exchange_public());
    let granted = |world: &World| grant(&world.ring(FOUNDER), device, &exchange, Role::Reader, &[1; 32]);
    let sealed = granted(&world).unwrap().sealed.len();
    assert!((limits::GRANT_BYTES - 256..=limits::GRANT_BYTES).contains(&sealed), "{sealed}");
    world.act(FOUNDER, vec![epoch]);
    assert_eq!(granted(&world), Err(ActError::TooMany("epochs")));
}

#[test]
fn an_epoch_takes_as_many_devices_and_concurrent_epochs_as_their_limits_say() {
    let mut world = World::new();
    let exchange = world.devices[FOUNDER].secret.exchange_public();
    let admit = |number: usize| {
        let device = DeviceId(*blake3::hash(&number.to_be_bytes()).as_bytes());
        ControlBody::Admit(AdmitBody { device, exchange, role: Role::Member, consent: None, name: vec![] })
    };
    let rotated = |world: &World| {
        let rotated = rotate(&world.devices[FOUNDER].view, &world.ring(FOUNDER), &[], &[1; 32]);
        rotated.map(|(epoch, _)| (epoch.recipients.len(), epoch.older.len()))
    };
    // Besides the founder and the recovery key.
    let admits: Vec<_> = (2..limits::EPOCH_RECIPIENTS).map(admit).collect();
    act_often(&mut world, &admits);
    assert_eq!(rotated(&world), Ok((limits::EPOCH_RECIPIENTS, 1)));
    world.act(FOUNDER, vec![admit(0)]);
    assert_eq!(rotated(&world), Err(ActError::TooMany("devices")));

    let mut world = World::new();
    let coordinators = [(); limits::KEY_SET_EPOCHS + 1].map(|()| world.admit(FOUNDER, Role::Coordinator));
    let mut rotations = coordinators.into_iter().map(|who| {
        world.act(who, vec![ControlBody::Epoch(world.first_epoch.clone())]);
        world.tell(who, FOUNDER);
        rotated(&world)
    });
    let full = rotations.nth(limits::KEY_SET_EPOCHS - 1);
    assert_eq!(full, Some(Ok((coordinators.len() + 2, limits::KEY_SET_EPOCHS))));
    assert_eq!(rotations.next(), Some(Err(ActError::TooMany("concurrent epochs"))));
}
