//! Document.
use ayni_log::codec::DecodeError;
use crate::{Conflict, EntryKey, Kind, Map, Operation, Value, Version};
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Document { pub(crate) heads: Vec<EntryKey> }
impl Document {
    /// The maximal versions with effect, ascending: the parents of the next change.
    pub fn heads(&self) -> &[EntryKey] { &self.heads }
    /// Whether it exists: some edit has not been seen by any delete.
    pub fn is_present(&self) -> bool { unimplemented!() }
    pub fn advance(&mut self, version: &Version) -> bool { let _ = version; unimplemented!() }
    pub fn get<S: AsRef<str>>(&self, path: &[S]) -> Option<Value> { let _ = path; unimplemented!() }
    /// What is shown (also of a deleted document: what it would show).
    pub fn shown(&self) -> Map { unimplemented!() }
    pub fn conflicts(&self) -> Vec<Conflict> { unimplemented!() }
    pub fn has_conflicts(&self) -> bool { unimplemented!() }
    pub fn to_json(&self) -> serde_json::Value { unimplemented!() }
    /// Operations that make the document show `new`, with regard to the kinds of fields.
    pub fn edit_to(&self, new: &Map, kinds: &dyn Fn(&[&str]) -> Kind) -> Vec<Operation> { let _ = (new, kinds); unimplemented!() }
    /// The body, without heads: equal on all devices.
    pub fn encode(&self) -> Vec<u8> { unimplemented!() }
    pub fn encode_heads(&self) -> Vec<u8> { unimplemented!() }
    pub fn decode(body: &[u8], heads: &[u8]) -> Result<Self, DecodeError> { let _ = (body, heads); unimplemented!() }
}
