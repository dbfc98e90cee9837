//! Changes.
use ayni_log::codec::DecodeError;
use crate::operation::{Operation, SetKind};
use crate::path::Path;
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change { Edit(Vec<Operation>), Delete }
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError { #[error("deep")] Deep, #[error("shape")] Shape }
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape(Vec<ShapeField>);
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ShapeField { Set(Path, SetKind), Unset(Path), Add(Path), Insert(Path), Remove(Path) }
impl Change {
    /// The shape under which it can be written, if all its operations fit one.
    pub fn shape(&self) -> Option<Shape> { unimplemented!() }
    /// The payload, with all names in it.
    pub fn encode(&self) -> Result<Vec<u8>, ChangeError> { unimplemented!() }
    /// The payload for the declared shape `number`, which must be [`Change::shape`].
    pub fn encode_shaped(&self, number: u32) -> Result<Vec<u8>, ChangeError> { let _ = number; unimplemented!() }
    pub fn decode<'s>(bytes: &[u8], shapes: &dyn Fn(u32) -> Option<&'s Shape>) -> Result<Self, DecodeError> { let _ = (bytes, shapes); unimplemented!() }
}
impl Shape {
    pub fn encode(&self) -> Vec<u8> { unimplemented!() }
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> { let _ = bytes; unimplemented!() }
}
