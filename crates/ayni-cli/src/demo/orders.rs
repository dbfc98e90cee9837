//! What the demo and its devices say to each other: one JSON object a line, orders one way and answers the other.

use serde::{Deserialize, Serialize};

/// What a device is told to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Order {
    /// Make a database for a device with this name.
    Create { name: String },
    /// Found a project and make the indexes. Answered by [`Done`].
    Found { project: String },
    /// Take the places in. Answered by [`Imported`].
    Import { tenth: bool },
    /// Make a ticket without an address for one device. Answered by [`Invited`].
    Invite,
    /// Ask to join. Answered by [`Done`].
    Join { ticket: String },
    /// Be on the network. Answered by [`Done`].
    Online,
    /// Fetch everything, until so many places can be queried here. Answered by [`Fetched`].
    Fetch { places: u64 },
    /// Leave the network. Answered by [`Done`].
    Offline,
    /// Do edits, on a clock that is wrong by so many milliseconds. Answered by [`Done`].
    Edit { edits: Vec<Edit>, clock: i64 },
    /// Wait until a field of a place shows this number. Answered by [`Done`].
    See { place: String, field: String, number: i64 },
    /// Wait until every device of the project has acknowledged by receipt everything that is here, and nothing else.
    /// Answered by [`Settled`].
    Settle { devices: usize },
    /// Say what is here. Answered by [`Holdings`].
    Hold { places: Vec<String>, names: Vec<String> },
    /// Answer a query. Answered by [`Answered`].
    Ask { selector: String, sort: Option<String>, limit: Option<u64> },
}

impl Order {
    /// What the device is to do, in words that go on after "could not" and "was to".
    pub(super) fn words(&self) -> &'static str {
        match self {
            Self::Create { .. } => "make its database",
            Self::Found { .. } => "found the project",
            Self::Import { .. } => "import the places",
            Self::Invite => "make a ticket",
            Self::Join { .. } => "join the project",
            Self::Online => "go on the network",
            Self::Fetch { .. } => "fetch the places",
            Self::Offline => "leave the network",
            Self::Edit { .. } => "edit places",
            Self::See { .. } => "show the other device's edit",
            Self::Settle { .. } => "get the others' receipts for everything",
            Self::Hold { .. } => "say what it holds",
            Self::Ask { .. } => "answer a query",
        }
    }
}

/// One edit to one place, which is known by its number at GeoNames.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Edit {
    /// Sets a field.
    Set { place: String, field: String, number: i64 },
    /// Deletes it.
    Delete { place: String },
    /// Writes a new one.
    Create { name: String, population: i64, longitude: f64, latitude: f64 },
}

/// What a device answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// How far it is with an order; more follows.
    Progress(Progress),
    /// The order was carried out.
    Done(serde_json::Value),
    /// It was not.
    Failed { what: String },
}

/// How far something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Records or entries so far.
    pub(super) done: u64,
    /// All there will be, as far as is known.
    pub(super) total: u64,
    /// Bytes so far.
    pub(super) bytes: u64,
}

/// Nothing more to say.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Done {}

/// What was imported.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Imported {
    /// Places.
    pub(super) places: u64,
    /// Bytes of the text that was read.
    pub(super) bytes: u64,
    /// Milliseconds.
    pub(super) millis: u64,
}

/// A ticket.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Invited {
    /// As it is handed on.
    pub(super) ticket: String,
}

/// What was fetched.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Fetched {
    /// Entries.
    pub(super) entries: u64,
    /// Milliseconds until a device of the project was found.
    pub(super) found: u64,
    /// Milliseconds from then until everything was here, durable and in the indexes.
    pub(super) millis: u64,
    /// UDP payload received, in bytes.
    pub(super) received: u64,
    /// UDP payload sent, in bytes.
    pub(super) sent: u64,
    /// From how many devices it came.
    pub(super) from: usize,
}

/// The others have acknowledged everything.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Settled {
    /// Devices that have everything, this one with them.
    pub(super) devices: usize,
    /// The time of the oldest of their receipts: milliseconds since 1970.
    pub(super) time: i64,
}

/// What a device holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Holdings {
    /// The digest over all documents.
    pub(super) digest: String,
    /// How many places there are.
    pub(super) places: u64,
    /// The places that were asked for by number, as JSON; none where it is deleted.
    pub(super) records: Vec<Option<serde_json::Value>>,
    /// How many places have each of the names that were asked for.
    pub(super) named: Vec<u64>,
    /// Every conflict of the project.
    pub(super) conflicts: Vec<Disputed>,
}

/// A conflict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Disputed {
    /// The name of the place.
    pub(super) place: String,
    /// Which field.
    pub(super) field: String,
    /// The value that is shown, then the others.
    pub(super) values: Vec<Claim>,
}

/// One of the values in a conflict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Claim {
    /// What it says.
    pub(super) value: serde_json::Value,
    /// The name of the device that wrote it.
    pub(super) author: String,
    /// When, as it claims: milliseconds since 1970.
    pub(super) time: i64,
}

/// What a query gave.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Answered {
    /// The documents, as JSON.
    pub(super) documents: Vec<serde_json::Value>,
    /// Microseconds that it took.
    pub(super) micros: u64,
}
