//! What users do to documents that no model follows: anything at all, and then only sameness is checked.

use ayni::doc::{Map, Operation, SetKind, Value};

use crate::broken::Broken;
use crate::dice::Dice;
use crate::users::NOTES;
use crate::world::World;

impl World {
    /// Does anything at all to documents that no model follows.
    pub(crate) fn scribble(&mut self, device: usize, dice: &mut Dice) -> Result<(), Broken> {
        self.note(format_args!("{} scribbles", self.name(device)));
        let fields = Map::from([("tags".into(), Value::List(vec![Value::Int(1)])), ("a".into(), any_value(dice))]);
        let id = dice.pick(&self.loose).copied().filter(|_| dice.percent(75));
        let Some(id) = id else {
            let id = self.ask(device, |project| project.write(|tx| tx.create(NOTES, fields)))?;
            self.loose.extend(id);
            return Ok(());
        };
        let found = self.ask(device, |project| project.collection(NOTES).get_deleted(id))?.flatten();
        let Some(document) = found else { return Ok(()) };
        let operations: Vec<Operation> = (0..=dice.below(3)).map(|_| any_operation(dice)).collect();
        self.ask(device, |project| project.write(|tx| tx.edit(&document, operations)))?;
        Ok(())
    }
}

fn any_value(dice: &mut Dice) -> Value {
    match dice.below(8) {
        0 => Value::Null,
        1 => Value::Bool(dice.percent(50)),
        2 => Value::Float([0.5, -0.0, f64::NAN, 1e300][dice.below(4)]),
        3 => Value::from(["", "Cusco", "Qosqo"][dice.below(3)]),
        4 => Value::List(vec![Value::Int(dice.below(3) as i64)]),
        5 => Value::Map(Map::from([("x".into(), Value::Int(dice.below(3) as i64))])),
        6 => Value::Bytes(vec![dice.below(256) as u8; dice.below(2_000)]),
        _ => Value::Int(dice.below(4) as i64),
    }
}

fn any_operation(dice: &mut Dice) -> Operation {
    let path = ["a", "a.x", "a.x.deep", "tags", "n"][dice.below(5)].parse().expect("a path");
    match dice.below(10) {
        0 => Operation::Unset { path },
        1 => Operation::Add { path, amount: dice.number() as i64 },
        2 => Operation::Insert { path, element: any_value(dice) },
        3 => Operation::Remove { path, element: any_value(dice) },
        4 => Operation::List { path, bytes: vec![1, 2, 3] },
        5 => Operation::Text { path, bytes: vec![1, 2, 3] },
        _ => {
            let kind = [SetKind::Latest, SetKind::First, SetKind::Min, SetKind::Max][dice.below(4)];
            Operation::Set { path, kind, value: any_value(dice) }
        }
    }
}
