//! How large a record read from a file can be: beyond these it is reported, not read.

/// Bytes of the text of one record, whatever the format: eight times what one change can hold.
pub const RECORD_BYTES: usize = 8 << 20;
/// Fields of one record, and columns of a CSV file.
pub const FIELDS: usize = 4_096;
/// Records that a CSV file's types are guessed from.
pub const SAMPLE_RECORDS: usize = 1_000;
/// Bytes of those records.
pub const SAMPLE_BYTES: usize = 4 << 20;
/// Bytes at the beginning of a file that its format is told from.
pub const LOOK_BYTES: u64 = 64 << 10;
