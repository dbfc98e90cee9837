//! The seam to the database: what a session asks about what this device holds.
//!
//! The session only reads through it. What is to be stored comes out as [`Action::Store`](crate::Action::Store).

use ayni_log::ids::{DeviceId, Hash, LogKind, LogName, ProjectId};

use crate::receipt::ReceiptKey;

/// A branch as the database names it: a number that means the same as long as the session lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchId(pub u64);

/// How far a branch goes that this device holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BranchTip {
    /// The branch.
    pub branch: BranchId,
    /// The log that it is a branch of.
    pub log: LogName,
    /// Entries in it, from position 0 on, those before a fork included. At least 1.
    pub length: u64,
    /// The hash of the last entry.
    pub hash: Hash,
    /// Bytes of headers and payloads up to there ([`ayni_log::tip::Tip::bytes`]).
    pub bytes: u64,
}

/// A run of entries ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentBytes {
    /// The branch's length after it.
    pub length: u64,
    /// The hash of its last entry.
    pub hash: Hash,
    /// Bytes of its headers and payloads, counted as in [`BranchTip::bytes`]: canonical headers, and the lengths that they
    /// give for the payloads.
    pub size: u64,
    /// [`ayni_log::segment::Segment::encode`].
    pub bytes: Vec<u8>,
}

/// What a device is to a project, as this device sees it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A coordinator, member, reader or carrier: it gets everything.
    Admitted,
    /// No admission is here. It gets control entries, since it knew the project's id, and may ask to join.
    Unknown,
    /// It gets nothing and is told so.
    Refused,
}

/// What this device holds.
///
/// Calls are answered from what is durable: a branch tip that is told here may be acknowledged to others. Where reading
/// fails the answer is `None`: the session then leaves that branch out, and the database knows the error itself.
pub trait Replica {
    /// All branches of a project's logs of one kind, in any order.
    fn frontier(&self, project: &ProjectId, kind: LogKind) -> Vec<BranchTip>;

    /// One branch as it is now.
    fn tip(&self, project: &ProjectId, branch: BranchId) -> Option<BranchTip>;

    /// The branches of one log.
    fn branches(&self, log: &LogName) -> Vec<BranchTip>;

    /// The hash of the entry at a position of a branch, also before the fork that it began with.
    fn hash_at(&self, project: &ProjectId, branch: BranchId, position: u64) -> Option<Hash>;

    /// Bytes of a branch's headers and payloads up to a length. Asked only after a fork was found; may be slow.
    fn bytes_at(&self, project: &ProjectId, branch: BranchId, length: u64) -> Option<u64>;

    /// The longest segment that begins at position `from`: up to the next fixed checkpoint, or to the last signature
    /// before the branch ends.
    fn segment(&self, project: &ProjectId, branch: BranchId, from: u64) -> Option<SegmentBytes>;

    /// What a device is to a project now. It is looked at again before each segment of documents, and whenever a control
    /// branch is named in [`Session::advanced`](crate::Session::advanced).
    fn standing(&self, project: &ProjectId, device: &DeviceId) -> Standing;

    /// The receipts held, with their counters.
    fn receipts(&self, project: &ProjectId) -> Vec<(ReceiptKey, u64)>;

    /// One of them: [`SignedReceipt::encode`](crate::SignedReceipt::encode).
    fn receipt(&self, project: &ProjectId, key: &ReceiptKey) -> Option<Vec<u8>>;
}
