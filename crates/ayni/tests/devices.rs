//! What devices do together, over pipes in memory.

mod support;

use ayni::doc::Value;
use ayni::{Invitation, Standing};
use support::{Device, Pipe, eventually, fields, same};

#[test]
fn a_joined_device_gets_everything_and_both_show_the_same() {
    let (a, b) = (Device::new("Ana's laptop"), Device::new("Ben's phone"));
    let (project, words) = a.database.create_project("Mapa").unwrap();
    assert_eq!(words.to_string().split(' ').count(), 24);
    project
        .write(|tx| {
            for number in 0..2_500 {
                tx.create("places", fields([("number", Value::Int(number)), ("name", Value::from("Cusco"))]))?;
            }
            Ok(())
        })
        .unwrap();
    let ticket = project.invite(&Invitation::default()).unwrap();
    let joined = b.database.join(&ticket.to_string().parse().unwrap()).unwrap();
    assert_eq!(joined.standing().unwrap(), Standing::Pending);
    let _pipe = Pipe::new(&a.database, &b.database);
    eventually("the documents on the other device", || joined.collection("places").len().unwrap() == 2_500);
    assert!(same(&[&project, &joined]));
    assert_eq!(joined.name().unwrap().as_deref(), Some("Mapa"));
    let names: Vec<String> = joined.members().unwrap().into_iter().map(|member| member.name).collect();
    assert!(names.contains(&"Ana's laptop".to_owned()) && names.contains(&"Ben's phone".to_owned()), "{names:?}");

    joined.write(|tx| tx.create("places", fields([("name", Value::from("Puno"))]))).unwrap();
    eventually("what the other device wrote", || project.collection("places").len().unwrap() == 2_501);
    assert!(same(&[&project, &joined]));
}
