//! Everyone ends up with the same: whatever the graph, the clocks and the order of arrival.

use ayni_doc::{Change, EntryKey, Operation, Value, Version, merge};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::histories::{
    as_it_came, check, history, operation, path, set, unchosen_operation, unset, version, versions, written,
};
use crate::oracle;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn merging_as_it_came_is_merging_from_nothing(steps in history(operation)) {
        let (versions, arrived) = versions(&steps);
        let merged = merge(&versions);
        let advanced = as_it_came(&arrived);
        prop_assert_eq!(&advanced, &merged);
        prop_assert_eq!(advanced.encode(), merged.encode());
        prop_assert_eq!(merged.has_conflicts(), !merged.conflicts().is_empty());
    }

    #[test]
    fn every_prefix_of_every_arrival_agrees_with_merging_it(steps in history(operation)) {
        let (_, arrived) = versions(&steps);
        for end in 0..=arrived.len() {
            let mut reversed = arrived[..end].to_vec();
            reversed.reverse();
            prop_assert_eq!(as_it_came(&arrived[..end]), merge(&reversed));
        }
    }

    #[test]
    fn a_document_is_what_the_rules_say(steps in history(unchosen_operation)) {
        let (versions, _) = versions(&steps);
        let merged = merge(&versions);
        let told = oracle::tell(&versions);
        prop_assert_eq!(merged.is_present(), told.present);
        prop_assert_eq!(merged.heads(), told.heads);
        prop_assert_eq!(merged.shown(), told.shown);
        let conflicts: Vec<_> = merged.conflicts().into_iter().map(|conflict| {
            (conflict.path.to_string(), conflict.alternatives.len())
        }).collect();
        prop_assert_eq!(conflicts, told.conflicts);
    }

    #[test]
    fn a_version_without_effect_only_connects_those_around_it(steps in history(operation), voids in vec(any::<bool>(), 14)) {
        let (mut versions, _) = versions(&steps);
        for (version, void) in versions.iter_mut().zip(voids) {
            if void {
                version.change = None;
            }
        }
        // The same history, had those versions never been: their children go on from what they went on from.
        let mut without: Vec<Version> = versions.clone();
        for void in versions.iter().filter(|version| version.change.is_none()) {
            let place = without.iter().position(|version| version.key == void.key).unwrap();
            let void = without.remove(place);
            for version in &mut without {
                if version.parents.contains(&void.key) {
                    version.parents.retain(|parent| *parent != void.key);
                    version.parents.extend(&void.parents);
                    version.parents.sort();
                    version.parents.dedup();
                }
            }
        }
        prop_assert_eq!(merge(&versions), merge(&without));
    }

    #[test]
    fn a_later_edit_by_who_has_seen_all_settles_every_conflict_it_touches(steps in history(operation), fields in path()) {
        let (mut all, _) = versions(&steps);
        let merged = merge(&all);
        let set = Operation::set_at(fields.clone(), Value::from("settled"));
        all.push(version(2000, -1_000_000, merged.heads(), Change::Edit(vec![set])));
        let settled = merge(&all);
        prop_assert_eq!(settled.get(fields.names()), Some(Value::from("settled")));
        prop_assert!(settled.conflicts().iter().all(|conflict| !conflict.path.names().starts_with(fields.names())));
    }
}

#[test]
#[should_panic(expected = "a parent is not among the versions")]
fn merging_without_all_ancestors_is_refused() {
    merge(&written(&[(2, 0, &[1], &[set("a", "1")])]));
}

#[test]
#[should_panic(expected = "two versions have one key")]
fn merging_one_version_twice_is_refused() {
    merge(&written(&[(1, 0, &[], &[set("a", "1")]), (1, 0, &[], &[set("a", "1")])]));
}

#[test]
#[should_panic(expected = "the versions go in a circle")]
fn merging_a_circle_is_refused() {
    merge(&written(&[(1, 0, &[2], &[set("a", "1")]), (2, 0, &[1], &[set("a", "1")])]));
}

#[test]
fn a_long_history_merges_in_linear_time_even_if_every_version_adds_a_field() {
    let versions: Vec<_> = (0..200_000)
        .map(|key: i64| {
            let parents: Vec<_> = (key > 0).then(|| EntryKey(key - 1)).into_iter().collect();
            let operation = Operation::set(&format!("f{}", key % 50_000), Value::Int(key));
            version(key, 0, &parents, Change::Edit(vec![operation]))
        })
        .collect();
    let document = merge(&versions);
    assert_eq!(document.shown().len(), 50_000);
    assert!(!document.has_conflicts());
}

#[test]
fn however_much_a_change_writes_and_takes_away_again_a_later_edit_replaces_an_earlier() {
    let mut passing: Vec<_> = (0..300).map(|number| set(&format!("p.f{number}"), "0")).collect();
    passing.push(unset("p"));
    check(&[(1, 0, &[], &passing), (2, 0, &[1], &[set("z", "1")]), (3, 0, &[2], &[set("z", "2")])], r#"{"z":2}"#, 0);
}

#[test]
fn however_much_others_replace_what_nobody_replaced_stays() {
    let fields =
        |numbers: std::ops::Range<i32>| -> Vec<_> { numbers.map(|number| set(&format!("f{number}"), "0")).collect() };
    let (all, last) = (fields(0..300), fields(200..300));
    let document = merge(&written(&[(1, 0, &[], &all), (2, 0, &[1], &last), (3, 0, &[1], &[set("other", "0")])]));
    assert_eq!(document.shown().len(), 301);
}

#[test]
fn a_hundred_thousand_concurrent_edits_merge_in_bounded_memory() {
    let mut versions = vec![version(0, 0, &[], Change::Edit(vec![set("a", "0")]))];
    versions.extend((1..100_000).map(|key| {
        let parents = [EntryKey(0)];
        version(key, key, &parents, Change::Edit(vec![set(&format!("p.f{}", key % 5_000), &key.to_string())]))
    }));
    let document = merge(&versions);
    assert_eq!(document.heads().len(), 99_999);
    assert_eq!(document.conflicts().len(), 5_000);
}
