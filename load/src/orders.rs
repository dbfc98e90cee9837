//! What the devices are told and what they answer: one JSON object a line.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a device is told to do. Unless it says otherwise it is answered by [`Done`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Order {
    /// Make a database for a device with this name.
    Create {
        /// The name.
        name: String,
    },
    /// Open the database that is there.
    Open,
    /// Found the project.
    Found,
    /// Make a ticket for so many devices. Answered by its text.
    Invite {
        /// How many.
        uses: u32,
    },
    /// Ask to join.
    Join {
        /// The ticket.
        ticket: String,
    },
    /// Be on the network. Answered by this device's address, as others are given it.
    Online {
        /// Where to listen; at port 0 the system chooses one.
        listen: SocketAddr,
        /// The addresses of the devices to keep a link with, and nobody else.
        links: Vec<String>,
    },
    /// Keep a link with these devices from now on, and nobody else.
    Links {
        /// Their addresses.
        links: Vec<String>,
    },
    /// Leave the network.
    Offline,
    /// Write the records with these numbers.
    Fill {
        /// Of the record's numbers.
        records: Range<u64>,
    },
    /// Change documents, in one commit. Answered by one `bool` for each: whether there was something to change.
    Change {
        /// The changes.
        changes: Vec<Change>,
    },
    /// Answered by [`Look`].
    Look,
    /// Answered by [`Held`].
    Hold,
    /// Compare what is here with a ledger. Answered by what is wrong, in words.
    Check {
        /// The [ledger](crate::ledger)'s file.
        ledger: PathBuf,
        /// How many records there are by [`Order::Fill`].
        records: u64,
    },
    /// Write a small document again and again, with the time in it.
    Beat {
        /// What the keys of these documents begin with.
        name: String,
        /// Milliseconds between two.
        pause: u64,
    },
    /// Write no more of them. Answered by [`Beats`].
    StopBeat,
    /// Note how long after it was written each of another device's beats is here.
    Hear {
        /// What its keys begin with.
        name: String,
    },
    /// Wait until so many were heard, and no longer than so long. Answered by [`Heard`].
    StopHear {
        /// How many were written.
        beats: u64,
        /// Milliseconds.
        patience: u64,
    },
    /// Write documents as fast as the disk takes them.
    Flood,
    /// Write no more of them. Answered by how many were written.
    StopFlood,
    /// Go on the network as a member that sends nonsense as fast as it can.
    Pester {
        /// Where to listen.
        listen: SocketAddr,
        /// Whom it sends that to.
        links: Vec<String>,
        /// What it sends.
        how: Nuisance,
    },
    /// Leave the network again. Answered by [`Pestered`].
    StopPester,
    /// Come to a device as many strangers, one after the other and many at a time. Answered by [`Besieged`] once all have come;
    /// until then by [`Answer::Progress`].
    Besiege {
        /// The device's address.
        target: String,
        /// How many strangers.
        strangers: u64,
        /// How many at a time.
        at_once: usize,
        /// Milliseconds that one stays where nobody shows it the door.
        stay: u64,
        /// Decides who does what.
        seed: u64,
    },
}

impl Order {
    /// What is to be done, in words that go on after "could not" and "was to".
    pub fn words(&self) -> &'static str {
        match self {
            Self::Create { .. } => "make its database",
            Self::Open => "open its database",
            Self::Found => "found the project",
            Self::Invite { .. } => "make a ticket",
            Self::Join { .. } => "join the project",
            Self::Online { .. } => "go on the network",
            Self::Links { .. } => "change its links",
            Self::Offline => "leave the network",
            Self::Fill { .. } => "write records",
            Self::Change { .. } => "change documents",
            Self::Look => "say how far it is",
            Self::Hold => "say what it holds",
            Self::Check { .. } => "compare what it holds with the ledger",
            Self::Beat { .. } | Self::StopBeat => "write a beat",
            Self::Hear { .. } | Self::StopHear { .. } => "hear another device's beat",
            Self::Flood | Self::StopFlood => "flood",
            Self::Pester { .. } | Self::StopPester => "pester",
            Self::Besiege { .. } => "besiege",
        }
    }
}

/// One change to one document, which is known by its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Writes a new one.
    Create {
        /// Its key.
        key: String,
    },
    /// Sets a field, which nobody else sets.
    Edit {
        /// Its key.
        key: String,
        /// The field.
        field: String,
        /// The value.
        value: i64,
    },
    /// Deletes it.
    Delete {
        /// Its key.
        key: String,
    },
}

/// What a member sends that means ill, once it is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nuisance {
    /// The smallest frames that there are.
    Pings,
    /// Summaries: whoever gets one looks what it holds.
    Summaries,
    /// Questions where a log forked.
    Probes,
    /// Receipts that nobody signed.
    Receipts,
    /// True segments with a byte changed.
    Spoilt,
    /// Any bytes.
    Noise,
    /// All that it has, in many conversations at once.
    Crowd,
}

impl Nuisance {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Pings, Self::Summaries, Self::Probes, Self::Receipts, Self::Spoilt, Self::Noise, Self::Crowd];
}

/// A line from a device.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// How far it is with an order that takes long; more follows.
    Progress(u64),
    /// The order was carried out.
    Done(serde_json::Value),
    /// It was not.
    Failed {
        /// Why.
        what: String,
    },
}

/// It is done.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done {}

/// How far a device is, as it sees it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Look {
    /// It is a member, or more.
    pub member: bool,
    /// The addresses of its links that stand; where the other device is to be proven yet, it is not among them.
    pub links: Vec<String>,
    /// How many of them are level.
    pub level: usize,
    /// Entries that came by them.
    pub received: u64,
    /// Bytes that came by them, as UDP counts them.
    pub bytes: u64,
}

/// What a device holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The digest over all documents.
    pub digest: String,
    /// Documents, those left out that were deleted.
    pub documents: u64,
    /// Entries of all logs.
    pub entries: u64,
    /// Entries without effect yet.
    pub waiting: u64,
    /// Bytes on disk.
    pub disk: u64,
}

/// The beats that a device wrote.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Beats {
    /// How many.
    pub written: u64,
    /// Microseconds until each was durable.
    pub took: Vec<u64>,
}

/// The beats that a device heard.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Heard {
    /// Microseconds until each was here, in their order.
    pub after: Vec<u64>,
}

/// What a nuisance did.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Pestered {
    /// Bytes that it sent.
    pub bytes: u64,
    /// How often it was shown the door.
    pub ended: u64,
}

/// What became of strangers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Besieged {
    /// How many came.
    pub came: u64,
    /// How many got a connection, by which they have proven their key.
    pub connected: u64,
    /// How many of these were let in as far as a channel.
    pub channels: u64,
    /// The most bytes of the stream that one of them was sent.
    pub most: u64,
    /// Bytes of the stream that all of them were sent.
    pub bytes: u64,
    /// Messages that none of them should have been sent, by name.
    pub told: Vec<String>,
}
