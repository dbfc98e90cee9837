//! The canonical encoding that every format is written in.
//!
//! Integers are LEB128 in the fewest bytes (signed ones zigzag first), byte strings carry their length before them, and
//! there is one way to write a thing: a reader refuses every other, so that equal values have equal bytes and hashes.

use thiserror::Error;

/// Why bytes from outside are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end in the middle of something.
    #[error("cut short")]
    Truncated,
    /// Something follows where the end should be.
    #[error("{0} bytes too many")]
    Trailing(usize),
    /// The same value could have been written in fewer bytes or another order.
    #[error("not canonical: {0}")]
    NotCanonical(&'static str),
    /// A count or length is beyond the limit of the format.
    #[error("{what} of {got} is over the limit of {limit}")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// The number that was read.
        got: u64,
        /// The most that the format allows.
        limit: u64,
    },
    /// A value that means nothing here.
    #[error("not a valid {0}")]
    Invalid(&'static str),
    /// Written by a newer version than this program knows.
    #[error("{what} of version {version}: a newer Ayni wrote it")]
    Version {
        /// What carries the version.
        what: &'static str,
        /// The version that was read.
        version: u8,
    },
}

/// Appends values in canonical form.
#[derive(Debug, Default, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// One byte.
    pub fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Bytes as they are, their number known from elsewhere.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// An unsigned integer, LEB128, 1 to 10 bytes.
    pub fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// A signed integer: zigzag, then as [`Writer::varint`].
    pub fn signed(&mut self, value: i64) {
        self.varint(((value << 1) ^ (value >> 63)) as u64);
    }

    /// Bytes after their length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.raw(bytes);
    }

    /// UTF-8 after its length in bytes.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// How many bytes were written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What was written so far.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// What was written.
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes values off the front of bytes from outside; never panics and never allocates before a limit was checked.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from their start.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Ends the reading: an error if anything is left.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(DecodeError::Trailing(left)),
        }
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    /// The next `len` bytes, not copied.
    pub fn raw(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// An unsigned integer as [`Writer::varint`] wrote it.
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(DecodeError::NotCanonical("integer over 64 bits"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(DecodeError::NotCanonical("integer longer than needed"));
                }
                return Ok(value);
            }
        }
        Err(DecodeError::NotCanonical("integer over 64 bits"))
    }

    /// A signed integer as [`Writer::signed`] wrote it.
    pub fn signed(&mut self) -> Result<i64, DecodeError> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    /// A count or length of `what`, at most `limit`.
    pub fn count(&mut self, what: &'static str, limit: usize) -> Result<usize, DecodeError> {
        let got = self.varint()?;
        if got > limit as u64 {
            return Err(DecodeError::Limit { what, got, limit: limit as u64 });
        }
        Ok(got as usize)
    }

    /// A number that must fit 32 bits.
    pub fn small(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        let got = self.varint()?;
        u32::try_from(got).map_err(|_| DecodeError::Limit { what, got, limit: u64::from(u32::MAX) })
    }

    /// Bytes after their length, which may be `limit` at most.
    pub fn bytes(&mut self, what: &'static str, limit: usize) -> Result<&'a [u8], DecodeError> {
        let len = self.count(what, limit)?;
        self.raw(len)
    }

    /// UTF-8 after its length in bytes, which may be `limit` at most.
    pub fn text(&mut self, what: &'static str, limit: usize) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes(what, limit)?).map_err(|_| DecodeError::Invalid("UTF-8 text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_read_back_as_written(value: u64, signed: i64) {
            let mut out = Writer::new();
            prop_assert!(out.is_empty());
            out.varint(value);
            out.signed(signed);
            prop_assert!(!out.is_empty());
            let bytes = out.into_vec();
            let mut input = Reader::new(&bytes);
            prop_assert_eq!(input.varint().unwrap(), value);
            prop_assert!(!input.is_empty());
            prop_assert_eq!(input.signed().unwrap(), signed);
            prop_assert!(input.is_empty());
            prop_assert!(input.finish().is_ok());
        }

        #[test]
        fn what_reads_as_an_integer_is_written_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let mut input = Reader::new(&bytes);
            if let Ok(value) = input.varint() {
                let mut out = Writer::new();
                out.varint(value);
                prop_assert_eq!(out.as_slice(), &bytes[..bytes.len() - input.remaining()]);
            }
        }
    }

    #[test]
    fn a_length_over_its_limit_is_refused_before_anything_is_allocated() {
        let mut out = Writer::new();
        out.varint(u64::MAX);
        let bytes = out.into_vec();
        let error = Reader::new(&bytes).bytes("name", 64).unwrap_err();
        assert_eq!(error, DecodeError::Limit { what: "name", got: u64::MAX, limit: 64 });
    }
}
