//! Values as SQL has them, and back.

use ayni_doc::Value;
use ayni_store::sql::SqlValue;

/// A value as it stands in a column: yes and no as 1 and 0, references as the ids they are, what has parts as JSON.
pub(super) fn to_sql(value: &Value) -> SqlValue {
    match value {
        Value::Null => SqlValue::Null,
        Value::Bool(yes) => SqlValue::Integer(i64::from(*yes)),
        Value::Int(integer) => SqlValue::Integer(*integer),
        // SQL has none that is not a number.
        Value::Float(float) if float.is_nan() => SqlValue::Null,
        Value::Float(float) => SqlValue::Real(*float),
        Value::Text(text) => SqlValue::Text(text.clone()),
        Value::Bytes(bytes) => SqlValue::Blob(bytes.clone()),
        Value::Reference(id) => SqlValue::Text(id.to_string()),
        Value::List(_) | Value::Map(_) | Value::Geometry(_) | Value::Attachment(_) => {
            SqlValue::Text(value.to_json().to_string())
        }
    }
}

/// What SQL gives.
pub(super) fn from_sql(value: SqlValue) -> Value {
    match value {
        SqlValue::Null => Value::Null,
        SqlValue::Integer(integer) => Value::Int(integer),
        SqlValue::Real(real) => Value::from(real),
        SqlValue::Text(text) => Value::Text(text),
        SqlValue::Blob(bytes) => Value::Bytes(bytes),
    }
}
