//! Value codec.
use ayni_log::codec::{DecodeError, Reader, Writer};
use crate::Value;
impl Value {
    pub fn encode(&self, out: &mut Writer) { let _ = out; unimplemented!() }
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> { let _ = input; unimplemented!() }
}
