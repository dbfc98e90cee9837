//! Receipts: a device's signed statement of what it holds.
//!
//! "Synced" and "backed up" are said only of what stands in another device's receipt. The newest (highest counter) of an
//! incarnation replaces all before it. Receipts are passed on, so that a device knows of those it never meets.

use ayni_log::codec::{DecodeError, Reader, Writer};
use ayni_log::ids::{DeviceId, Hash, LogId, ProjectId, Signature, StoreId};
use ayni_log::sign::{BadSignature, DeviceSecret};

use crate::limits;

const VERSION: u8 = 1;
const SIGNED: &[u8] = b"ayni v1 receipt";

/// Whose receipt: of an incarnation of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiptKey {
    /// The device.
    pub device: DeviceId,
    /// The incarnation.
    pub store: StoreId,
}

/// How far a branch goes that a device holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
    /// The log.
    pub log: LogId,
    /// Entries held.
    pub length: u64,
    /// The hash of the last.
    pub hash: Hash,
}

/// Positions of one log whose payloads are lacking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lacked {
    /// Which of the receipt's heads, counted from 0.
    pub head: u32,
    /// The first position.
    pub start: u64,
    /// How many, at least 1.
    pub count: u64,
}

/// What a device keeps of what was superseded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// All of it: only such devices count as a backup.
    Everything,
    /// Superseded payloads may be dropped once others have them safe.
    Recent,
}

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The project.
    pub project: ProjectId,
    /// Whose it is.
    pub key: ReceiptKey,
    /// Grows with each receipt of the incarnation.
    pub counter: u64,
    /// When it was signed, by that device's clock: milliseconds since 1970.
    pub time: i64,
    /// What it keeps.
    pub retention: Retention,
    /// The branches held, control and data; in ascending order, none twice.
    pub heads: Vec<Head>,
    /// Payloads lacking in them; in ascending order, not touching each other.
    pub lacked: Vec<Lacked>,
    /// Attachments lacking.
    pub attachments_lacked: u64,
}

impl Receipt {
    /// The canonical bytes, which are signed.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(160 + 72 * self.heads.len());
        out.byte(VERSION);
        self.project.encode(&mut out);
        self.key.device.encode(&mut out);
        self.key.store.encode(&mut out);
        out.varint(self.counter);
        out.signed(self.time);
        out.byte(match self.retention {
            Retention::Everything => 0,
            Retention::Recent => 1,
        });
        out.varint(self.heads.len() as u64);
        for head in &self.heads {
            head.log.encode(&mut out);
            out.varint(head.length);
            head.hash.encode(&mut out);
        }
        out.varint(self.lacked.len() as u64);
        for run in &self.lacked {
            out.varint(u64::from(run.head));
            out.varint(run.start);
            out.varint(run.count);
        }
        out.varint(self.attachments_lacked);
        out.into_vec()
    }

    /// Reads what [`Receipt::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are no receipt, not canonical, over a limit or of a newer version.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(body);
        match input.byte()? {
            VERSION => {}
            version => return Err(DecodeError::Version { what: "receipt", version }),
        }
        let project = ProjectId::decode(&mut input)?;
        let key = ReceiptKey { device: DeviceId::decode(&mut input)?, store: StoreId::decode(&mut input)? };
        let counter = input.varint()?;
        let time = input.signed()?;
        let retention = match input.byte()? {
            0 => Retention::Everything,
            1 => Retention::Recent,
            _ => return Err(DecodeError::Invalid("retention")),
        };
        let heads = decode_heads(&mut input)?;
        let lacked = decode_lacked(&mut input, &heads)?;
        let attachments_lacked = input.varint()?;
        input.finish()?;
        Ok(Self { project, key, counter, time, retention, heads, lacked, attachments_lacked })
    }

    /// Signs it: the device's signature over `"ayni v1 receipt" ‖ body`.
    pub fn sign(&self, secret: &DeviceSecret) -> SignedReceipt {
        let body = self.encode();
        let signature = secret.sign(&[SIGNED, &body].concat());
        SignedReceipt { project: self.project, key: self.key, counter: self.counter, body, signature }
    }
}

fn decode_heads(input: &mut Reader<'_>) -> Result<Vec<Head>, DecodeError> {
    let count = input.count("heads in a receipt", limits::FRONTIER_BRANCHES)?;
    let mut heads: Vec<Head> = Vec::new();
    for _ in 0..count {
        let head = Head { log: LogId::decode(input)?, length: input.varint()?, hash: Hash::decode(input)? };
        if heads.last().is_some_and(|last| *last >= head) {
            return Err(DecodeError::NotCanonical("heads out of order"));
        }
        heads.push(head);
    }
    Ok(heads)
}

fn decode_lacked(input: &mut Reader<'_>, heads: &[Head]) -> Result<Vec<Lacked>, DecodeError> {
    let count = input.count("runs of lacking payloads", limits::RECEIPT_LACKED)?;
    let mut lacked: Vec<Lacked> = Vec::new();
    for _ in 0..count {
        let run = Lacked { head: input.small("head number")?, start: input.varint()?, count: input.varint()? };
        let end = run.start.checked_add(run.count).ok_or(DecodeError::Invalid("run of lacking payloads"))?;
        if run.count == 0 || heads.get(run.head as usize).is_none_or(|head| end > head.length) {
            return Err(DecodeError::Invalid("run of lacking payloads"));
        }
        let touches = |last: &Lacked| (last.head, last.start.saturating_add(last.count)) >= (run.head, run.start);
        if lacked.last().is_some_and(touches) {
            return Err(DecodeError::NotCanonical("runs of lacking payloads out of order"));
        }
        lacked.push(run);
    }
    Ok(lacked)
}

/// A receipt as it travels. One of a newer version is kept and passed on by its first fields, which never change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedReceipt {
    /// The project.
    pub project: ProjectId,
    /// Whose it is.
    pub key: ReceiptKey,
    /// Grows with each receipt of the incarnation.
    pub counter: u64,
    /// [`Receipt::encode`].
    pub body: Vec<u8>,
    /// The device's signature.
    pub signature: Signature,
}

impl SignedReceipt {
    /// The bytes on the wire and in the store: body, then signature.
    pub fn encode(&self) -> Vec<u8> {
        [self.body.as_slice(), &self.signature.0].concat()
    }

    /// Reads what [`SignedReceipt::encode`] wrote, without judging the signature or what follows the first fields.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are no receipt or over a limit.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > limits::RECEIPT_BYTES {
            return Err(DecodeError::Limit {
                what: "receipt",
                got: bytes.len() as u64,
                limit: limits::RECEIPT_BYTES as u64,
            });
        }
        let (body, signature) = bytes.split_last_chunk::<{ Signature::LEN }>().ok_or(DecodeError::Truncated)?;
        let mut input = Reader::new(body);
        if input.byte()? == 0 {
            return Err(DecodeError::Invalid("receipt version"));
        }
        let project = ProjectId::decode(&mut input)?;
        let key = ReceiptKey { device: DeviceId::decode(&mut input)?, store: StoreId::decode(&mut input)? };
        let counter = input.varint()?;
        Ok(Self { project, key, counter, body: body.to_vec(), signature: Signature(*signature) })
    }

    /// Checks the device's signature.
    ///
    /// # Errors
    /// [`BadSignature`] if the device did not sign it.
    pub fn verify(&self) -> Result<(), BadSignature> {
        self.key.device.verify(&[SIGNED, &self.body].concat(), &self.signature)
    }

    /// What it says.
    ///
    /// # Errors
    /// [`DecodeError`] when the body is malformed or of a newer version.
    pub fn receipt(&self) -> Result<Receipt, DecodeError> {
        Receipt::decode(&self.body)
    }
}

/// The digest of a set of receipts: `BLAKE3-derive("ayni v1 receipts digest", …)` over device, store id and counter (8 bytes,
/// big-endian) of each, in ascending order.
pub fn digest(receipts: &[(ReceiptKey, u64)]) -> Hash {
    let mut sorted = receipts.to_vec();
    sorted.sort_unstable();
    let mut hasher = blake3::Hasher::new_derive_key("ayni v1 receipts digest");
    for (key, counter) in &sorted {
        hasher.update(&key.device.0);
        hasher.update(&key.store.0);
        hasher.update(&counter.to_be_bytes());
    }
    Hash(*hasher.finalize().as_bytes())
}
