//! Which values of a field can be in SQL what they are compared with.
//!
//! Indexes have Ayni's order, in which each type has a place of its own. SQL's knows null, numbers, texts and bytes; and
//! though columns have no types here, a `CAST` on the other side of a comparison turns texts into numbers or numbers into
//! texts. What is told here is all that SQL's comparison can hold for, and may be more: SQLite compares every row again.
//! The property `an_index_changes_no_answer_in_sql` holds the two together.

use ayni_doc::Value;
use ayni_log::ids::DocumentId;
use ayni_store::sql::{Comparison, SqlValue};

use crate::query::{Test, Type};

/// What a comparison with a value leaves of a field's; `None`: nothing, as it holds for none.
pub(super) fn left(comparison: Comparison, value: &SqlValue) -> Option<Test> {
    Some(Test::Or(match value {
        SqlValue::Null => return None,
        SqlValue::Integer(integer) => by_number(comparison, Value::Int(*integer)),
        SqlValue::Real(real) => by_number(comparison, Value::from(*real)),
        SqlValue::Text(text) => by_text(comparison, text),
        SqlValue::Blob(bytes) => by_bytes(comparison, Value::Bytes(bytes.clone())),
    }))
}

fn by_number(comparison: Comparison, number: Value) -> Vec<Test> {
    let mut tests = numbers(comparison, number);
    match comparison {
        // Every text, and whatever is written as one, comes after every number, and bytes after texts.
        Comparison::Greater | Comparison::GreaterOrEqual => tests.push(Test::Gte(Value::from(""))),
        // Texts may be taken as numbers.
        _ => tests.extend([Test::Type(Type::String), Test::Type(Type::Reference)]),
    }
    tests
}

/// Numbers that can be so compared with a number, and yes and no, which are 1 and 0.
fn numbers(comparison: Comparison, number: Value) -> Vec<Test> {
    let amount = number.as_number().unwrap_or(f64::NAN);
    let (below, above) = match comparison {
        Comparison::Equal => (false, false),
        Comparison::Less | Comparison::LessOrEqual => (true, false),
        Comparison::Greater | Comparison::GreaterOrEqual => (false, true),
    };
    let can_be = |bit: f64| bit == amount || (below && bit < amount) || (above && bit > amount);
    let bits = [(0.0, false), (1.0, true)].into_iter().filter(|(bit, _)| can_be(*bit));
    let mut tests: Vec<Test> = bits.map(|(_, yes)| Test::Eq(Value::Bool(yes))).collect();
    let of_numbers = |test| Test::And(vec![Test::Type(Type::Number), test]);
    tests.push(match comparison {
        Comparison::Equal => Test::Eq(number),
        Comparison::Less | Comparison::LessOrEqual => of_numbers(Test::Lte(number)),
        Comparison::Greater | Comparison::GreaterOrEqual => of_numbers(Test::Gte(number)),
    });
    tests
}

fn by_text(comparison: Comparison, text: &str) -> Vec<Test> {
    let value = Value::from(text);
    match comparison {
        Comparison::Equal => {
            let mut tests = vec![Test::Eq(value)];
            tests.extend(text.parse().ok().map(|id: DocumentId| Test::Eq(Value::Reference(id))));
            if text.starts_with(['[', '{']) {
                tests.push(Test::Gte(Value::Reference(DocumentId([u8::MAX; DocumentId::LEN]))));
            }
            // Numbers may be written out.
            match text.parse::<i64>() {
                Ok(integer) if integer.to_string() == text => {
                    tests.extend(numbers(Comparison::Equal, Value::Int(integer)));
                }
                _ if text.parse::<f64>().is_ok() => tests.push(Test::Type(Type::Number)),
                _ => {}
            }
            tests
        }
        // Numbers come before every text.
        Comparison::Less | Comparison::LessOrEqual => vec![Test::Lte(value), from_references()],
        Comparison::Greater | Comparison::GreaterOrEqual => {
            vec![Test::Gte(value), Test::Type(Type::Number), Test::Type(Type::Boolean)]
        }
    }
}

fn by_bytes(comparison: Comparison, bytes: Value) -> Vec<Test> {
    match comparison {
        Comparison::Equal => vec![Test::Eq(bytes)],
        Comparison::Less | Comparison::LessOrEqual => vec![Test::Lte(bytes), from_references()],
        Comparison::Greater | Comparison::GreaterOrEqual => vec![Test::Gte(bytes)],
    }
}

/// What is written as text without being one: references, and from attachments on what is written as JSON.
fn from_references() -> Test {
    Test::Gte(Value::Reference(DocumentId([0; DocumentId::LEN])))
}
