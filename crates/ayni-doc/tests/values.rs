//! Values and changes: their bytes, JSON and order.

#[path = "values/made.rs"]
mod made;

#[path = "values/bytes.rs"]
mod bytes;
#[path = "values/json.rs"]
mod json;
#[path = "values/order.rs"]
mod order;
#[path = "values/parts.rs"]
mod parts;
