//! From a ticket to an admission.

use ayni_log::ids::ExchangeKey;
use ayni_log::limits;
use ayni_log::membership::{ControlBody, JoinRequest, RequestError, Role, Ticket, admit, grant, invite, open_name};
use ayni_log::sign::DeviceSecret;

use crate::world::{FOUNDER, World, device_secret};

fn invited(role: Role, expires: Option<i64>, uses: u32) -> (World, Ticket) {
    let mut world = World::new();
    let ticket =
        Ticket { project: world.project, inviter: world.id(FOUNDER), secret: [3; 16], role, addresses: vec![] };
    let body = invite(world.project, &ticket.secret, role, expires, uses);
    world.act(FOUNDER, vec![ControlBody::Invite(body)]);
    (world, ticket)
}

fn let_in(world: &mut World, by: usize, request: &JoinRequest, now: i64) -> Result<(), RequestError> {
    let state = world.devices[by].view.check_request(request, now)?;
    let body = admit(request, &state, &world.naming).unwrap();
    let keys = grant(&world.ring(FOUNDER), request.device, &request.exchange, body.role, &[4; 32]).unwrap();
    world.act(by, vec![ControlBody::Admit(body), ControlBody::Grant(keys)]);
    Ok(())
}

#[test]
fn a_ticket_lets_a_device_in_by_any_coordinator_with_the_role_and_keys_it_promised() {
    let (mut world, ticket) = invited(Role::Member, Some(1_000), 1);
    let other = world.admit(FOUNDER, Role::Coordinator);
    let joiner = world.add_device();
    let read: Ticket = ticket.to_string().parse().unwrap();
    let request = JoinRequest::new(&read, &world.devices[joiner].secret, "Ana's phone");
    let request = JoinRequest::decode(&request.encode()).unwrap();
    let_in(&mut world, other, &request, 1_000).unwrap();
    world.tell_everyone();
    let view = &world.devices[joiner].view;
    let member = view.members().into_iter().find(|member| member.device == request.device).unwrap();
    assert_eq!((member.role, member.admitted_by), (Role::Member, Some(world.id(other))));
    let ring = world.ring(joiner);
    assert!(ring.set_key(&view.epoch_heads()).is_some());
    let name = open_name(ring.naming_key().unwrap(), &request.device.0, &member.name);
    assert_eq!(name.as_deref(), Ok("Ana's phone"));
}

#[test]
fn a_ticket_is_good_for_its_uses_and_its_time() {
    let (mut world, ticket) = invited(Role::Reader, Some(1_000), 1);
    let (first, second) = (device_secret(20), device_secret(21));
    let early = JoinRequest::new(&ticket, &first, "one");
    let late = JoinRequest::new(&ticket, &second, "two");
    assert_eq!(let_in(&mut world, FOUNDER, &early, 1_001), Err(RequestError::Expired));
    let_in(&mut world, FOUNDER, &early, 999).unwrap();
    assert_eq!(let_in(&mut world, FOUNDER, &early, 999), Err(RequestError::AlreadyMember));
    assert_eq!(let_in(&mut world, FOUNDER, &late, 999), Err(RequestError::UsedUp));
}

#[test]
fn a_request_needs_the_tickets_secret_and_the_devices_own_signature() {
    let (mut world, ticket) = invited(Role::Member, None, 10);
    let device = device_secret(20);
    let good = JoinRequest::new(&ticket, &device, "one");
    let guessed = Ticket { secret: [0; 16], ..ticket.clone() };
    let unknown = JoinRequest::new(&guessed, &device, "one");
    assert_eq!(let_in(&mut world, FOUNDER, &unknown, 0), Err(RequestError::UnknownInvite));
    let pretending = JoinRequest { invite: ticket.key().id(), ..unknown };
    let renamed = JoinRequest { name: "another".into(), ..good.clone() };
    let stolen = JoinRequest { device: device_secret(21).id(), ..good.clone() };
    let weak = JoinRequest { exchange: ExchangeKey([0; 32]), ..good.clone() };
    for forged in [pretending, renamed, stolen, weak] {
        assert_eq!(let_in(&mut world, FOUNDER, &forged, 0), Err(RequestError::NotGenuine));
    }
    let_in(&mut world, FOUNDER, &good, 0).unwrap();
}

#[test]
fn whoever_holds_a_ticket_can_ask_neither_for_a_device_that_did_not_sign_nor_with_a_useless_key() {
    let (mut world, ticket) = invited(Role::Member, None, 10);
    let (device, another) = (device_secret(20), device_secret(21));
    // As the format says, byte by byte.
    let signed = |exchange: ExchangeKey, by: &DeviceSecret| {
        let invite = ticket.key().id();
        let consent =
            [b"ayni v1 join consent".as_slice(), &world.project.0, &invite.0, &device.id().0, &exchange.0].concat();
        let request = [b"ayni v1 join request".as_slice(), &consent, b"one"].concat();
        JoinRequest {
            invite,
            device: device.id(),
            exchange,
            name: "one".into(),
            by_ticket: ticket.key().sign(&request),
            by_device: by.sign(&consent),
        }
    };
    let good = signed(device.exchange_public(), &device);
    let unasked = signed(device.exchange_public(), &another);
    let weak = signed(ExchangeKey([0; 32]), &device);
    for refused in [unasked, weak] {
        assert_eq!(let_in(&mut world, FOUNDER, &refused, 0), Err(RequestError::NotGenuine));
    }
    let_in(&mut world, FOUNDER, &good, 0).unwrap();
}

#[test]
fn an_invite_of_a_removed_coordinator_lets_nobody_in_and_a_ticket_brings_nobody_back() {
    let (mut world, ticket) = invited(Role::Member, None, 10);
    let ana = world.admit(FOUNDER, Role::Coordinator);
    world.tell_everyone();
    world.remove(FOUNDER, ana);
    let body = invite(world.project, &[8; 16], Role::Coordinator, None, 10);
    world.act(ana, vec![ControlBody::Invite(body)]);
    let hers = Ticket { secret: [8; 16], inviter: world.id(ana), ..ticket.clone() };
    world.tell_everyone();
    let request = JoinRequest::new(&hers, &device_secret(20), "a friend");
    assert_eq!(let_in(&mut world, FOUNDER, &request, 0), Err(RequestError::UnknownInvite));
    let request = JoinRequest::new(&ticket, &world.devices[ana].secret, "me again");
    assert_eq!(let_in(&mut world, FOUNDER, &request, 0), Err(RequestError::Removed));
}

#[test]
fn an_admission_that_forges_a_consent_admits_nobody() {
    let (mut world, ticket) = invited(Role::Member, None, 10);
    let request = JoinRequest::new(&ticket, &device_secret(20), "one");
    let state = world.devices[FOUNDER].view.check_request(&request, 0).unwrap();
    let mut body = admit(&request, &state, &world.naming).unwrap();
    body.device = DeviceSecret::from_seed(&[99; 32]).id();
    let device = body.device;
    world.act(FOUNDER, vec![ControlBody::Admit(body)]);
    assert_eq!(world.everything().role(device), None);
    assert!(world.everything().admitted(device).is_none());
}

#[test]
fn an_admission_by_ticket_counts_only_if_its_author_had_seen_the_invite_whatever_became_of_that() {
    let mut world = World::new();
    let ana = world.admit(FOUNDER, Role::Coordinator);
    let ticket = Ticket {
        project: world.project,
        inviter: world.id(ana),
        secret: [3; 16],
        role: Role::Member,
        addresses: vec![],
    };
    let invited = world.act(ana, vec![ControlBody::Invite(invite(world.project, &[3; 16], Role::Member, None, 9))])[0];
    let admission = |world: &World, device: usize| {
        let request = JoinRequest::new(&ticket, &world.devices[device].secret, "a device");
        let state = world.devices[ana].view.check_request(&request, 0).unwrap();
        ControlBody::Admit(admit(&request, &state, &world.naming).unwrap())
    };
    let (early, late) = (world.add_device(), world.add_device());
    let unseen = admission(&world, early);
    world.act(FOUNDER, vec![unseen]);
    assert_eq!(world.everything().role(world.id(early)), None);
    let seen = admission(&world, late);
    world.tell(ana, FOUNDER);
    // The invite is void from here on, and had been made all the same.
    world.remove_at(FOUNDER, ana, vec![]);
    world.act(FOUNDER, vec![seen]);
    let view = world.everything();
    assert!(!view.counts(&invited));
    assert_eq!(view.role(world.id(late)), Some(Role::Member));
}

#[test]
fn an_admission_that_does_not_count_uses_up_no_ticket() {
    let (mut world, ticket) = invited(Role::Member, None, 1);
    let ana = world.admit(FOUNDER, Role::Coordinator);
    world.tell_everyone();
    let (first, second) = (device_secret(20), device_secret(21));
    let_in(&mut world, ana, &JoinRequest::new(&ticket, &first, "one"), 0).unwrap();
    world.remove_at(FOUNDER, ana, vec![]);
    world.tell(ana, FOUNDER);
    let_in(&mut world, FOUNDER, &JoinRequest::new(&ticket, &second, "two"), 0).unwrap();
    let third = JoinRequest::new(&ticket, &device_secret(22), "three");
    assert_eq!(let_in(&mut world, FOUNDER, &third, 0), Err(RequestError::UsedUp));
}

#[test]
fn a_request_of_another_version_or_with_a_byte_more_is_not_read() {
    let (_, ticket) = invited(Role::Member, None, 1);
    let request = JoinRequest::new(&ticket, &device_secret(20), &"ñ".repeat(200));
    assert_eq!(request.name, "ñ".repeat(128), "a long name is cut");
    let bytes = request.encode();
    assert_eq!(JoinRequest::decode(&bytes), Ok(request));
    assert!(JoinRequest::decode(&[&[2], &bytes[1..]].concat()).is_err());
    assert!(JoinRequest::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
}

#[test]
fn a_ticket_holds_as_many_addresses_as_its_limit_says() {
    let (_, ticket) = invited(Role::Member, None, 1);
    for (count, fits) in [(limits::TICKET_ADDRESSES, true), (limits::TICKET_ADDRESSES + 1, false)] {
        let ticket = Ticket { addresses: vec!["192.168.1.7:4040".into(); count], ..ticket.clone() };
        assert_eq!(ticket.to_string().parse() == Ok(ticket), fits);
    }
}
