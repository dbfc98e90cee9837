//! What a session wants done, and how far it is.

use ayni_log::ids::{DeviceId, Hash, LogName, ProjectId, StoreId};

use crate::close::Ended;
use crate::receipt::SignedReceipt;

/// Names a segment that is to be stored until the answer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// A segment as it came; only its frame was read, nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// What to answer with.
    pub token: Token,
    /// The log that it says it is of.
    pub log: LogName,
    /// The position of its first entry.
    pub start: u64,
    /// The log's length after it.
    pub length: u64,
    /// The hash of the entry before it (the log's id at position 0): names the branch that it continues.
    pub previous: Hash,
    /// The hash of its last entry, as the sender says.
    pub hash: Hash,
    /// [`ayni_log::segment::Segment::encode`].
    pub bytes: Vec<u8>,
}

/// Why a segment was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No branch here has the entry before it. The sender looks for the point where the log forked.
    UnknownBase,
    /// No admission of its author is here. The sender tries again once it has sent more control entries.
    AuthorUnknown,
    /// This device does not take it: too many branches, past a fence, no room in a quota.
    Unwanted,
    /// It is forged or malformed. The session ends.
    Invalid,
}

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The other side has proven who it is.
    Met {
        /// The device.
        device: DeviceId,
        /// Its incarnation.
        store: StoreId,
        /// The projects in common so far.
        shared: Vec<ProjectId>,
    },
    /// Another project turned out to be in common.
    Shared {
        /// The project.
        project: ProjectId,
    },
    /// Verify and store a segment, then answer [`stored`](crate::Session::stored) or [`refused`](crate::Session::refused). A
    /// segment that is already held is answered with `stored`. Many can be stored in one transaction; the session goes
    /// on meanwhile.
    Store {
        /// The project.
        project: ProjectId,
        /// The segment.
        segment: Arrived,
    },
    /// Verify and keep a receipt that is newer than the one held, then call
    /// [`receipts_changed`](crate::Session::receipts_changed) on the other sessions.
    StoreReceipt {
        /// The project.
        project: ProjectId,
        /// The receipt, its signature not verified.
        receipt: SignedReceipt,
    },
    /// The other side asks to join: a coordinator judges it and admits or [declines](crate::Session::decline).
    JoinRequest {
        /// The project.
        project: ProjectId,
        /// The request as membership encodes it.
        request: Vec<u8>,
    },
    /// The other side does not see this device as admitted, so it sends no documents.
    NotAdmitted {
        /// The project.
        project: ProjectId,
    },
    /// The other side sees this device as admitted, at first or after all.
    Admitted {
        /// The project.
        project: ProjectId,
    },
    /// The other side refused the project, or a request to join it.
    Declined {
        /// The project.
        project: ProjectId,
        /// What it said.
        text: String,
    },
    /// Both sides hold the same: now is the time to sign a receipt if the last one says less.
    Level {
        /// The project.
        project: ProjectId,
    },
    /// The session is over; nothing more comes of it.
    Ended(Ended),
}

/// Entries and the bytes of their headers and payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// Entries.
    pub entries: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Amount {
    pub(crate) fn add(&mut self, entries: u64, bytes: u64) {
        self.entries = self.entries.saturating_add(entries);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// How far a project is in a session. What is done only grows; what is left may grow while others write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Received and durable here.
    pub received: Amount,
    /// What the other side still has to send, as it says, with what is here but not yet durable.
    pub to_receive: Amount,
    /// Sent and durable at the other side.
    pub sent: Amount,
    /// What this side still has to send, with what is not yet acknowledged.
    pub to_send: Amount,
}
