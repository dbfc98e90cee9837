//! The versions of the formats that this program writes, for bug reports and for deciding which program is newer.

/// Of the headers of entries.
pub const LOG_HEADER: u8 = ayni_log::header::VERSION;
/// Of the messages of a session.
pub const MESSAGE: u8 = ayni_sync::limits::VERSION;
/// Of the database file.
pub const STORE: i64 = ayni_store::VERSION;
/// Of documents as the store keeps them.
pub const DOCUMENT: u8 = ayni_doc::VERSION;
