//! Live queries where documents change without new entries, or by entries that were here before.

use std::time::Duration;

use super::*;
use crate::query::Query;
use crate::tests_support::{create, meet, set, team};
use crate::{Difference, Document, LiveQuery};

/// Applies what is new, and holds the list against the query asked anew.
fn follow(live: &mut LiveQuery, list: &mut Vec<Document>, project: &Project) -> usize {
    let batch = live.next(Duration::ZERO).unwrap().unwrap_or_default();
    let told = batch.len();
    batch.into_iter().for_each(|difference: Difference| difference.apply(list));
    assert_eq!(*list, project.collection("places").query(live.query()).unwrap());
    told
}

#[test]
fn what_a_removed_device_wrote_past_its_fence_goes_and_what_it_changed_changes_back() {
    let [a, b, c] = team();
    let [one, two, three] = [&a, &b, &c].map(Device::project);
    let id = create(&one, number(1));
    meet(&a.database, &b.database);
    meet(&b.database, &c.database);
    let beside = c.open_beside();
    let elsewhere = beside.projects().unwrap().remove(0);
    let mut readers: Vec<_> = [&three, &elsewhere]
        .into_iter()
        .flat_map(|project| [None, Some(5)].map(|limit| (project, limit)))
        .map(|(project, limit)| {
            let mut query = Query::new("".parse().unwrap()).sort("number".parse().unwrap());
            query.limit = limit;
            (project.collection("places").watch(query), Vec::new(), project)
        })
        .collect();
    // The removal does not know of what is written now.
    remove(&one, b.database.device());
    create(&two, number(2));
    set(&two, id, "number", 9);
    meet(&b.database, &c.database);
    for (live, list, project) in &mut readers {
        assert_eq!(follow(live, list, project), 2);
    }
    meet(&c.database, &a.database);
    for (live, list, project) in &mut readers {
        assert_eq!(follow(live, list, project), 2, "one has gone, and the other shows what it showed");
        assert_eq!(list.iter().map(Document::id).collect::<Vec<_>>(), [id]);
    }
}

#[test]
fn a_commit_that_waited_and_one_that_forked_within_are_told_when_they_take_effect() {
    let [a, b] = team();
    let one = a.project();
    create(&b.project(), number(0));
    meet(&b.database, &a.database);
    let mut live = one.collection("places").watch(Query::default());
    let mut list = Vec::new();
    assert_eq!(follow(&mut live, &mut list, &one), 1);
    let [first, second, _] = super::forks::fork_within_a_commit(&b);
    assert!(offer(&one, &first[..1])[0].is_ok());
    assert_eq!(follow(&mut live, &mut list, &one), 0, "the end of the commit is not here yet");
    assert!(offer(&one, &second)[0].is_ok());
    assert_eq!(follow(&mut live, &mut list, &one), 60, "with the fifty entries that lie with the first side");
    assert!(offer(&one, &first[1..])[0].is_ok());
    assert_eq!(follow(&mut live, &mut list, &one), 1_050);
    assert_eq!(live.effort().asked, 1);
}

#[test]
fn while_documents_are_made_anew_a_live_query_holds_still() {
    let [a] = team();
    let project = a.project();
    let id = create(&project, number(1));
    let mut live = project.collection("places").watch(Query::default());
    let mut list = Vec::new();
    follow(&mut live, &mut list, &project);
    let inner = &a.database.inner;
    ProjectCore::outdate(&inner.cores(), inner, || Ok(inner.store.write(|tx| tx.drop_views())?)).unwrap();
    assert_eq!(live.next(Duration::ZERO).unwrap(), None);
    assert!(project.collection("places").watch(Query::default()).next(Duration::ZERO).unwrap().is_none());
    a.database.rebuild_views(|_| ()).unwrap();
    assert_eq!(follow(&mut live, &mut list, &project), 0);
    set(&project, id, "number", 2);
    assert_eq!(follow(&mut live, &mut list, &project), 1);
}
