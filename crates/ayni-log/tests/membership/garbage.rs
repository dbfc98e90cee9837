//! Bytes from outside never panic, and what reads is what would be written.

use ayni_log::membership::{ControlBody, ControlView, JoinRequest, KeyRing, RecoveryKey, Ticket};
use proptest::prelude::*;

use crate::world::{FOUNDER, World, device_secret};

fn control_survives(bytes: &[u8]) {
    if let Ok(body) = ControlBody::decode(bytes) {
        assert_eq!(body.encode(), bytes, "one way to write a thing");
        assert_eq!(ControlBody::read(bytes), body);
    } else {
        assert_eq!(ControlBody::read(bytes), ControlBody::Unknown(bytes.to_vec()));
    }
    if let Ok(request) = JoinRequest::decode(bytes) {
        assert_eq!(request.encode(), bytes);
        assert!(request.verify(ayni_log::ids::ProjectId([0; 32])).is_err());
    }
}

proptest! {
    #[test]
    fn random_bytes_are_refused_or_read_back_the_same(
        kind in 0u8..16,
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        control_survives(&bytes);
        control_survives(&[&[1, kind], bytes.as_slice()].concat());
    }

    #[test]
    fn damaged_examples_are_refused_or_read_back_the_same(
        which in 0usize..64,
        place: proptest::sample::Index,
        byte: u8,
        cut: proptest::sample::Index,
    ) {
        let examples = crate::frozen::examples();
        let mut bytes = examples[which % examples.len()].1.encode();
        let index = place.index(bytes.len());
        bytes[index] = byte;
        control_survives(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        control_survives(&bytes);
    }

    #[test]
    fn any_text_is_no_ticket_and_no_recovery_key(text in ".{0,300}") {
        prop_assert!(text.parse::<Ticket>().is_err());
        prop_assert!(RecoveryKey::from_words(&text).is_err());
    }

    #[test]
    fn a_grant_of_garbage_opens_nothing(sealed in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut world = World::new();
        let device = world.id(FOUNDER);
        let before = world.ring(FOUNDER).epochs().count();
        world.act(FOUNDER, vec![ControlBody::Grant(ayni_log::membership::GrantBody { device, sealed })]);
        prop_assert_eq!(world.ring(FOUNDER).epochs().count(), before);
    }
}

#[test]
fn what_a_newer_program_writes_is_kept_and_has_no_effect() {
    let mut world = World::new();
    let newer = ControlBody::Unknown(vec![2, 1, 2, 3]);
    let other_kind = ControlBody::Unknown(vec![1, 200, 7]);
    let hashes = world.act(FOUNDER, vec![newer.clone(), other_kind]);
    let view = world.everything();
    assert_eq!(view.entry(&hashes[0]).map(|entry| &entry.body), Some(&newer));
    assert!(hashes.iter().all(|hash| !view.counts(hash)));
    // What comes after it goes on as ever.
    let ana = world.admit(FOUNDER, ayni_log::membership::Role::Member);
    assert_eq!(world.everything().role(world.id(ana)), Some(ayni_log::membership::Role::Member));
    let mut empty = KeyRing::new(world.project, &device_secret(50));
    empty.update(&ControlView::new(world.project));
}
