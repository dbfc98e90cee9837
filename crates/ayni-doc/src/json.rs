//! JSON.
use crate::Value;
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError { #[error("deep")] Deep, #[error("range")] Range(String) }
impl Value {
    pub fn from_json(json: &serde_json::Value) -> Result<Self, JsonError> { let _ = json; unimplemented!() }
    pub fn to_json(&self) -> serde_json::Value { unimplemented!() }
}
