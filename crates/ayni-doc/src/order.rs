//! Order.
use std::cmp::Ordering;
use crate::Value;
/// Index keys are cut at this many bytes.
pub const INDEX_KEY_BYTES: usize = 256;
impl Value {
    pub fn compare(&self, other: &Self) -> Ordering { let _ = other; unimplemented!() }
    /// memcmp of keys == compare (up to the cut).
    pub fn index_key(&self) -> Vec<u8> { unimplemented!() }
}
