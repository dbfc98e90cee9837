//! Who was removed, and who had seen it: what counts.

use ayni_doc::Value;
use ayni_log::header::{Anchor, BodyV1, Declaration, Subject};
use ayni_log::ids::{LogKind, LogName, StoreId};
use ayni_log::membership::{ControlBody, IncarnationBody, JoinRequest, admit, control_entries};
use ayni_log::sign::DeviceSecret;
use ayni_log::tip::Tip;
use ayni_log::write::{Draft, write_commit};
use ayni_sync::{Replica, Standing};

use super::*;
use crate::core::branches::Branch;
use crate::core::documents::Documents;
use crate::core::ingest::finish;
use crate::environment::random;
use crate::sync::replica::Held;
use crate::tests_support::{Device, create, get, meet, read, rebuilt_equal, same, set, team};
use crate::{Error, Project};

#[test]
fn what_a_removed_device_wrote_past_its_fence_has_no_effect_in_whatever_order_it_comes() {
    let [a, b, c, d] = team();
    let [one, two, three, four] = [&a, &b, &c, &d].map(Device::project);
    let mut pieces = Pieces::default();
    pieces.gather(&one);
    let id = create(&one, number(1));
    meet(&a.database, &b.database);
    meet(&a.database, &c.database);
    for value in 0..5 {
        set(&two, id, "honest", value);
        meet(&b.database, &a.database);
        pieces.gather(&one);
    }
    meet(&a.database, &c.database);
    remove(&one, b.database.device());
    pieces.gather(&one);

    // Neither of them knows yet; one builds on what the other wrote past its fence.
    set(&two, id, "late", 1);
    let late = create(&two, number(2));
    meet(&b.database, &c.database);
    pieces.gather(&three);
    assert_eq!(get(&three, id, "late"), Some(Value::Int(1)));
    set(&three, id, "built upon", 1);
    set(&three, late, "number", 3);
    pieces.gather(&three);

    meet(&c.database, &a.database);
    pieces.gather(&one);
    for project in [&one, &three] {
        let document = read(project, id);
        assert_eq!(document.get(&["honest"]), Some(Value::Int(4)), "what stands before the fence counts");
        assert_eq!(document.get(&["late"]), None, "what stands past the fence does not");
        assert_eq!(document.get(&["built upon"]), Some(Value::Int(1)), "what others wrote counts");
        assert_eq!(get(project, late, "number"), Some(Value::Int(3)));
        rebuilt_equal(project.database());
    }
    assert!(same(&[&one, &three]));
    let expected = one.digest().unwrap();
    for seed in 0..40 {
        assert_eq!(pieces.digest_in_some_order(&four, seed), expected, "in the order of seed {seed}");
    }
}

#[test]
fn a_removed_device_is_told_nothing_more_and_its_receipt_counts_no_more() {
    let [ana, ben, carl] = team();
    create(&ana.project(), number(1));
    meet(&ana.database, &ben.database);
    meet(&ana.database, &carl.database);
    let (project, ben, carl) = (ana.project(), ben.database.device(), carl.database.device());
    let standings = || [ben, carl].map(|device| Held(&ana.database.inner).standing(&project.id(), &device));
    let counted = || project.status().unwrap().devices.into_iter().map(|device| device.device).collect::<Vec<_>>();
    assert_eq!(standings(), [Standing::Admitted; 2]);
    assert_eq!(counted().len(), 2);
    remove(&project, ben);
    assert_eq!(standings(), [Standing::Refused, Standing::Admitted]);
    assert_eq!(counted(), [carl]);
}

#[test]
fn what_was_judged_before_all_that_its_author_had_seen_came_shows_once_it_counts() {
    let [a, b, c, d] = team();
    let [one, two, three, four] = [&a, &b, &c, &d].map(Device::project);
    let mut pieces = Pieces::default();
    pieces.gather(&one);
    let new = |value| move |tx: &mut crate::Transaction<'_, '_>| tx.put("places", "one", number(value)).map(drop);
    // What the member wrote has seen the second name, and that has seen the first.
    one.rename_device("first").unwrap();
    meet(&a.database, &c.database);
    three.rename_device("second").unwrap();
    meet(&c.database, &b.database);
    two.write(new(1)).unwrap();
    pieces.gather(&two);
    for seed in 0..40 {
        assert_eq!(pieces.digest_in_some_order(&four, seed), two.digest().unwrap(), "in the order of seed {seed}");
    }
}

/// Admits as many devices as said, each of which opens its log without having seen the others.
fn crowd(project: &Project, count: usize) {
    let inner = &project.database.inner;
    let invitation = crate::Invitation { uses: count as u32, ..Default::default() };
    let ticket = project.invite(&invitation).unwrap();
    let secrets: Vec<DeviceSecret> =
        (0..count).map(|_| DeviceSecret::from_seed(&random(&*inner.environment))).collect();
    let result: Result<(), Error> = project.core.write(inner, |tx, state| {
        let mut documents = Documents::default();
        for chunk in secrets.chunks(64) {
            let admissions = chunk.iter().map(|secret| {
                let request = JoinRequest::new(&ticket, secret, "one of many");
                let invite = state.view.check_request(&request, 0).unwrap();
                ControlBody::Admit(admit(&request, &invite, state.ring.naming_key().unwrap()).unwrap())
            });
            let admissions = admissions.collect();
            inner.author().write_control(tx, state, &mut documents, admissions)?;
        }
        let heads = state.view.heads();
        assert_eq!(heads.len(), 1);
        let (log, position, hash) = heads[0];
        for secret in &secrets {
            let incarnation = StoreId(random(&*inner.environment));
            let name = LogName { project: state.project, device: secret.id(), kind: LogKind::Control, incarnation };
            let before = Tip::new(name);
            let anchor = Anchor { number: 1, log: Some(log), position, hash };
            let declarations = vec![Declaration::Anchor(anchor)];
            let body = BodyV1 { time: 0, key: 0, declarations, subject: Subject::None, attachments: Vec::new() };
            let content = ControlBody::Incarnation(IncarnationBody { previous: None }).encode();
            let (segments, tip) = write_commit(&before, secret, None, vec![Draft { body, content }])?;
            let row = tx.add_log(&name, false)?;
            state.branches.insert(Branch::new(row, None, before.clone(), 0));
            state.view.insert_all(control_entries(&segments[0].entries, &before).unwrap()).unwrap();
            tx.append(row, &segments, &tip, &[])?;
            state.branches.get_mut(row).unwrap().tip = tip;
        }
        finish(tx, state, &mut documents)
    });
    result.unwrap();
}

#[test]
fn more_control_heads_than_a_header_can_name_keep_nobody_from_writing() {
    let [a, b] = team();
    let (one, two) = (a.project(), b.project());
    crowd(&one, 600);
    let id = create(&one, number(1));
    for value in 0..20 {
        set(&one, id, "number", value);
    }
    meet(&a.database, &b.database);
    set(&two, id, "two", 2);
    meet(&a.database, &b.database);
    assert_eq!(get(&one, id, "two"), Some(Value::Int(2)));
    assert!(same(&[&one, &two]));
    // Membership goes on too.
    let c = Device::new("one more");
    crate::tests_support::join(&c, &one, crate::Role::Member);
    assert_eq!(get(&c.project(), id, "two"), Some(Value::Int(2)));
    rebuilt_equal(&b.database);
}
