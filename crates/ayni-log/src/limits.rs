//! The limits of the format. They are constants, never settings: what one device writes every other must take.

/// Entries in one commit.
pub const COMMIT_ENTRIES: usize = 16_384;
/// Bytes of one commit: headers and sealed payloads.
pub const COMMIT_BYTES: u64 = 16 << 20;
/// Bytes of one sealed payload. What is larger is an attachment.
pub const PAYLOAD_BYTES: usize = 1 << 20;
/// Bytes of one header.
pub const HEADER_BYTES: usize = 32 << 10;
/// Entries between two fixed checkpoints.
pub const SEGMENT_ENTRIES: u64 = 1_024;
/// Bytes of headers and sealed payloads after which a fixed checkpoint comes early.
pub const SEGMENT_BYTES: u64 = 1 << 20;
/// Parents that one edit can name.
pub const PARENTS: usize = 256;
/// Declarations (anchors, key sets, collections, shapes) in one header.
pub const DECLARATIONS: usize = 512;
/// Other branches that one log can refer to.
pub const ANCHORED_BRANCHES: usize = 8_192;
/// Key sets that one log can declare.
pub const KEY_SETS: usize = 8_192;
/// Epochs in one key set: how many concurrent rotations a writer combines.
pub const KEY_SET_EPOCHS: usize = 64;
/// Collections that one log can declare.
pub const COLLECTIONS: usize = 4_096;
/// Shapes that one log can declare.
pub const SHAPES: usize = 4_096;
/// Bytes of a sealed collection name or shape.
pub const DECLARED_BYTES: usize = 8 << 10;
/// Bytes of all that one log declares (anchors, key sets, collections, shapes), as its tip keeps them: what an author can
/// make every other device hold in memory, and write again with each of its commits. A log that is full goes on in a new
/// incarnation.
pub const TABLE_BYTES: usize = 1 << 20;
/// New attachments in one entry.
pub const ATTACHMENTS: usize = 256;
/// Bytes of one attachment, as its author claims them.
pub const ATTACHMENT_BYTES: u64 = 1 << 40;
/// Branches of one log that are taken whole; further ones only as far as others refer to them.
pub const BRANCHES_PER_LOG: usize = 8;
/// Incarnations of one device.
pub const INCARNATIONS: usize = 256;
/// Bytes of any name: of a device, project, collection or field.
pub const NAME_BYTES: usize = 256;
/// Entries that one log can hold: positions are below this.
pub const POSITIONS: u64 = 1 << 40;
/// Fences in one control entry: every branch of every incarnation of a device, both kinds, where few were forked.
pub const FENCES: usize = 1_024;
/// Entries that one purge or adoption can name.
pub const NAMED_ENTRIES: usize = 8_192;
/// Devices that one epoch's keys are sealed to.
pub const EPOCH_RECIPIENTS: usize = 4_096;
/// Epochs in one grant.
pub const GRANTED_EPOCHS: usize = 4_096;
/// Bytes of a sealed grant: its epochs, the naming key and the framing.
pub const GRANT_BYTES: usize = GRANTED_EPOCHS * 97 + 256;
/// Bytes of a sealed schema.
pub const SCHEMA_BYTES: usize = 256 << 10;
/// Entries of one control log that have effect: what stands further along is kept and passed on without.
pub const CONTROL_POSITIONS: u64 = 65_536;
/// Control entries that wait in memory for others that they refer to.
pub const CONTROL_WAITING: usize = 65_536;
/// Bytes of those entries.
pub const CONTROL_WAITING_BYTES: usize = 64 << 20;
/// Addresses in a ticket.
pub const TICKET_ADDRESSES: usize = 16;
/// Characters of a ticket's text, far more than any has.
pub const TICKET_TEXT: usize = 8 << 10;
