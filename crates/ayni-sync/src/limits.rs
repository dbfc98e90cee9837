//! The limits of a conversation. They are constants of the protocol: what one side may send the other must take.
//!
//! Times are in milliseconds.

/// The newest version of the protocol that this crate speaks.
pub const VERSION: u8 = 1;
/// The oldest version of the protocol that this crate speaks.
pub const OLDEST_VERSION: u8 = 1;

/// Bytes of segments that may be on their way or stored but not yet acknowledged, in each direction. One segment may
/// begin below it and end above.
pub const WINDOW: u64 = 8 << 20;
/// Bytes waiting to be sent beyond which nothing more is read from the replica.
pub const SEND_BUFFER: usize = 1 << 20;
/// Bytes of answers waiting to be sent beyond which a peer that asks but does not read is given up.
pub const SEND_LIMIT: usize = 8 << 20;

/// Bytes of a frame that carries a segment.
pub const SEGMENT_FRAME: usize = ayni_log::segment::MAX_SEGMENT_BYTES + 256;
/// Bytes of a frame that carries a receipt.
pub const RECEIPT_FRAME: usize = RECEIPT_BYTES + 256;
/// Bytes of any other frame.
pub const SMALL_FRAME: usize = 128 << 10;

/// Projects that one side names in a session, padding included.
pub const PROJECTS: usize = 1_024;
/// Projects in one frame of tags.
pub const TAGS_PER_FRAME: usize = 1_024;
/// The number of tags is padded to a multiple of this, so that it does not tell how many projects a device has.
pub const TAG_PADDING: usize = 4;

/// Branches in a frontier.
pub const FRONTIER_BRANCHES: usize = 16_384;
/// Branches in one frame of a frontier or of news.
pub const BRANCHES_PER_FRAME: usize = 1_024;
/// Branches of one log that are remembered of a peer; further ones are ignored.
pub const PEER_BRANCHES_PER_LOG: usize = 16;
/// Hashes in one probe for the point where a log forked.
pub const PROBE_POINTS: usize = 32;
/// How often one branch is probed anew in a session before it is left alone.
pub const PROBE_RETRIES: u8 = 3;

/// Bytes of a signed receipt.
pub const RECEIPT_BYTES: usize = 1_280 << 10;
/// Receipts of one project that are exchanged.
pub const RECEIPTS: usize = 16_384;
/// Receipts named in one frame.
pub const RECEIPTS_PER_FRAME: usize = 1_024;
/// Runs of lacking payloads that one receipt names.
pub const RECEIPT_LACKED: usize = 4_096;

/// Bytes of a request to join.
pub const JOIN_REQUEST_BYTES: usize = 4 << 10;
/// Requests to join that are taken for each project in a session.
pub const JOIN_REQUESTS: u8 = 8;
/// Bytes of the text that explains a close or a refusal.
pub const TEXT_BYTES: usize = 256;

/// How long the other side may take to say hello.
pub const HELLO_TIME: u64 = 10_000;
/// After this long without sending, a ping is sent.
pub const KEEP_ALIVE: u64 = 15_000;
/// After this long without a single byte from the other side, it is given up.
pub const SILENCE: u64 = 45_000;
/// How long one frame may take from its first byte to its last.
pub const FRAME_TIME: u64 = 120_000;
/// How long the other side may go without taking, acknowledging or answering anything that waits for it.
pub const STALL_TIME: u64 = 120_000;
/// How long another device's entries are held back after they were announced: the peer may have them from elsewhere.
pub const FORWARD_DELAY: u64 = 20;
/// The same, where the peer had such entries from elsewhere the last time, or where they are many and it is not known.
pub const FORWARD_PATIENCE: u64 = 500;
/// Bytes of a branch that are many: for [`FORWARD_PATIENCE`], and a branch with no more than these does not wait for the end of one
/// with more.
pub const MUCH: u64 = 64 << 10;
/// How long a side that wants to leave waits for the other's receipt after both are level.
pub const GOODBYE_TIME: u64 = 2_000;
