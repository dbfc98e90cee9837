//! Reading parts of an encoded document without decoding the rest.
use ayni_log::codec::DecodeError;
use crate::Value;
/// Whether the document in `body` exists (is not deleted).
pub fn is_present(body: &[u8]) -> Result<bool, DecodeError> { let _ = body; unimplemented!() }
/// The shown value at a path of an encoded document.
pub fn get<S: AsRef<str>>(body: &[u8], path: &[S]) -> Result<Option<Value>, DecodeError> { let _ = (body, path); unimplemented!() }
