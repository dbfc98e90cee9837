//! What changes make together, rule by rule.

use ayni_doc::{Operation, SetKind, Value, merge};
use ayni_log::ids::DeviceId;

use crate::histories::{check, set, unset, written};

fn insert(element: &str) -> Operation {
    Operation::Insert { path: "tags".parse().unwrap(), element: element.into() }
}

fn chosen(kind: SetKind, value: i64) -> Operation {
    Operation::Set { path: "n".parse().unwrap(), kind, value: Value::Int(value) }
}

#[test]
fn concurrent_edits_of_different_fields_all_stand() {
    check(
        &[(1, 0, &[], &[set("a", "1")]), (2, 1, &[1], &[set("a", "2")]), (3, 2, &[1], &[set("b", "3")])],
        r#"{"a":2,"b":3}"#,
        0,
    );
}

#[test]
fn of_concurrent_edits_of_one_field_the_latest_is_shown_and_the_others_are_kept() {
    let document = check(
        &[(1, 0, &[], &[set("a", "1")]), (2, 9, &[1], &[set("a", "2")]), (3, 5, &[1], &[set("a", "3")])],
        r#"{"a":2}"#,
        1,
    );
    let kept: Vec<_> =
        document.conflicts()[0].alternatives.iter().map(|one| (one.value.clone(), one.stamp.time)).collect();
    assert_eq!(kept, [(Some(Value::Int(2)), 9), (Some(Value::Int(3)), 5)]);
    assert_eq!(document.conflicts()[0].alternatives[1].stamp.author, DeviceId([3; 32]));
}

#[test]
fn an_edit_that_has_seen_another_beats_it_whatever_the_clocks_say() {
    check(&[(1, 100, &[], &[set("a", "1")]), (2, -100, &[1], &[set("a", "2")])], r#"{"a":2}"#, 0);
}

#[test]
fn equal_concurrent_values_are_no_conflict() {
    check(
        &[(1, 0, &[], &[set("a", "1")]), (2, 1, &[1], &[set("a", "2")]), (3, 2, &[1], &[set("a", "2")])],
        r#"{"a":2}"#,
        0,
    );
}

#[test]
fn an_integer_and_a_float_of_one_number_are_a_conflict() {
    check(&[(1, 0, &[], &[set("a", "1")]), (2, 1, &[], &[set("a", "1.0")])], r#"{"a":1.0}"#, 1);
}

#[test]
fn a_scalar_against_a_concurrent_map_is_a_conflict() {
    let all: &[(i64, i64, &[i64], &[Operation])] = &[
        (1, 0, &[], &[set("p", r#"{"x":1,"y":1}"#)]),
        (2, 3, &[1], &[set("p", "7")]),
        (3, 5, &[1], &[set("p.x", "2")]),
    ];
    let document = check(all, r#"{"p":{"x":2}}"#, 1);
    assert_eq!(document.conflicts()[0].alternatives[1].value, Some(Value::Int(7)));
    let older = [all[0], all[1], (3, 1, &[1], &[set("p.x", "2")])];
    assert_eq!(check(&older, r#"{"p":7}"#, 1).get(&["p", "x"]), None);
}

#[test]
fn setting_a_map_sets_its_leaves_and_leaves_concurrent_ones() {
    check(
        &[
            (1, 0, &[], &[set("p", r#"{"x":1,"y":1}"#)]),
            (2, 1, &[1], &[set("p", r#"{"x":2}"#)]),
            (3, 2, &[1], &[set("p.y", "3")]),
        ],
        r#"{"p":{"x":2,"y":3}}"#,
        0,
    );
}

#[test]
fn an_empty_map_is_a_value_until_something_is_put_into_it() {
    check(&[(1, 0, &[], &[set("p", "{}")])], r#"{"p":{}}"#, 0);
    check(&[(1, 0, &[], &[set("p", "{}")]), (2, 0, &[1], &[set("p.x", "1")])], r#"{"p":{"x":1}}"#, 0);
    check(&[(1, 0, &[], &[set("p", r#"{"x":1}"#)]), (2, 0, &[1], &[set("p", "{}")])], r#"{"p":{}}"#, 0);
}

#[test]
fn unsetting_against_a_concurrent_edit_keeps_the_value_and_says_so() {
    let document = check(
        &[(1, 0, &[], &[set("a", "1")]), (2, 9, &[1], &[unset("a")]), (3, 5, &[1], &[set("a", "3")])],
        r#"{"a":3}"#,
        1,
    );
    assert_eq!(document.conflicts()[0].alternatives[1].value, None);
    check(&[(1, 0, &[], &[set("a", "1")]), (2, 9, &[1], &[unset("a")])], "{}", 0);
}

#[test]
fn unsettings_contradict_nothing_where_nothing_is_left_below() {
    let document = check(
        &[
            (1, 0, &[], &[set("p.x.y", "1")]),
            (2, 0, &[1], &[set("p", "5")]),
            (3, 0, &[1], &[unset("p.x")]),
            (4, 0, &[1], &[unset("p.x.y")]),
        ],
        r#"{"p":5}"#,
        0,
    );
    assert!(!document.has_conflicts());
}

#[test]
fn an_edit_made_at_the_same_time_as_a_delete_keeps_the_document() {
    let both = [(1, 0, &[][..], &[set("a", "1")][..]), (2, 9, &[1], &[]), (3, 5, &[1], &[set("a", "3")])];
    assert!(check(&both, r#"{"a":3}"#, 0).is_present());
    let seen = [both[0], (3, 5, &[1], both[2].3), (2, 9, &[3], &[])];
    assert!(!merge(&written(&seen)).is_present());
}

#[test]
fn an_edit_that_saw_the_delete_brings_the_document_back_as_it_was() {
    let deleted = [(1, 0, &[][..], &[set("a", "1"), set("b", "1")][..]), (2, 9, &[1], &[])];
    assert!(!merge(&written(&deleted)).is_present());
    let back = [deleted[0], deleted[1], (3, -9, &[2], &[set("b", "2")])];
    assert!(check(&back, r#"{"a":1,"b":2}"#, 0).is_present());
}

#[test]
fn counters_add_up_and_start_from_what_was_set() {
    let both = [
        (1, 0, &[][..], &[set("n", "10")][..]),
        (2, 1, &[1], &[Operation::add("n", 5)]),
        (3, 2, &[1], &[Operation::add("n", -2)]),
    ];
    check(&both, r#"{"n":13}"#, 0);
    // A set yields to nothing it has not seen: additions concurrent to it count on top.
    let set_anew = [both[0], both[1], (3, 2, &[1], &[set("n", "100")])];
    check(&set_anew, r#"{"n":105}"#, 0);
    let seen = [both[0], both[1], (3, 2, &[2], &[set("n", "100")])];
    check(&seen, r#"{"n":100}"#, 0);
}

#[test]
fn a_counter_beyond_64_bits_shows_the_nearest_and_loses_nothing() {
    let up = Operation::add("n", i64::MAX);
    let all = [
        (1, 0, &[][..], std::slice::from_ref(&up)),
        (2, 0, &[1], std::slice::from_ref(&up)),
        (3, 0, &[2], &[Operation::add("n", -7)]),
    ];
    assert_eq!(merge(&written(&all)).get(&["n"]), Some(Value::Int(i64::MAX)));
    let back = [all[0], all[1], all[2], (4, 0, &[3], &[Operation::add("n", -i64::MAX)])];
    assert_eq!(merge(&written(&back)).get(&["n"]), Some(Value::Int(i64::MAX - 7)));
}

#[test]
fn first_min_and_max_choose_among_what_was_not_replaced() {
    let of =
        |kind| [(1, 5, &[][..], [chosen(kind, 5)]), (2, 3, &[], [chosen(kind, 9)]), (3, 9, &[], [chosen(kind, 2)])];
    for (kind, shown) in [(SetKind::First, 9), (SetKind::Min, 2), (SetKind::Max, 9)] {
        let all = of(kind);
        let all: Vec<_> = all.iter().map(|(key, time, parents, ops)| (*key, *time, *parents, &ops[..])).collect();
        check(&all, &format!(r#"{{"n":{shown}}}"#), 0);
        // Who has seen a mistyped one can put it right.
        let put_right = [chosen(kind, 4)];
        let all = [all, vec![(4, 7, &[1, 2, 3][..], &put_right[..])]].concat();
        check(&all, r#"{"n":4}"#, 0);
    }
}

#[test]
fn of_equally_small_or_great_values_the_latest_is_shown_whichever_came_first() {
    for kind in [SetKind::Min, SetKind::Max] {
        let of = |value| [Operation::Set { path: "n".parse().unwrap(), kind, value }];
        let (early, late) = (of(Value::Int(1)), of(Value::Float(1.0)));
        for all in [[(1, 5, &[][..], &early[..]), (2, 7, &[], &late)], [(1, 7, &[], &late), (2, 5, &[], &early)]] {
            assert_eq!(merge(&written(&all)).get(&["n"]), Some(Value::Float(1.0)));
        }
    }
}

#[test]
fn an_element_added_while_another_device_removes_it_stays() {
    let remove = Operation::Remove { path: "tags".parse().unwrap(), element: "b".into() };
    let all = [
        (1, 0, &[][..], &[insert("b"), insert("a")][..]),
        (2, 9, &[1], std::slice::from_ref(&remove)),
        (3, 1, &[1], &[insert("b")]),
    ];
    check(&all, r#"{"tags":["a","b"]}"#, 0);
    check(&all[..2], r#"{"tags":["a"]}"#, 0);
}

#[test]
fn within_one_change_later_operations_have_seen_the_earlier() {
    check(
        &[(1, 0, &[], &[set("a", "1"), set("a", "2"), unset("b"), set("b.c", "1"), set("b", "3")])],
        r#"{"a":2,"b":3}"#,
        0,
    );
}
