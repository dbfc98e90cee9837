//! The baseline's storage: plain SQLite, unencrypted, with the tables and settings of `ayni-store` and nothing above
//! it: no chain, no sealing, no merging.
//!
//! It goes through the same linked library: SQLCipher without a key is SQLite.

use crate::records::{Random, Record};
use anyhow::Result;
use rusqlite::Connection;
use std::path::Path;

/// Records in one transaction, here and in every bulk write that is measured beside this.
pub const TRANSACTION: usize = 10_000;

/// Of the store's tables, those that a record's creation writes to; the same columns and keys.
const TABLES: &str = "
    CREATE TABLE entries(
        key INTEGER PRIMARY KEY, hash BLOB NOT NULL, doc INTEGER, header BLOB NOT NULL, payload BLOB) STRICT;
    CREATE TABLE documents(
        row INTEGER PRIMARY KEY, collection INTEGER NOT NULL, id BLOB NOT NULL, flags INTEGER NOT NULL,
        heads ANY NOT NULL, body BLOB NOT NULL, UNIQUE(collection, id)) STRICT;
    CREATE INDEX flagged ON documents(collection, flags) WHERE flags <> 0;
    CREATE TABLE index_keys(
        index_row INTEGER NOT NULL, key BLOB NOT NULL, doc INTEGER NOT NULL,
        PRIMARY KEY(index_row, key, doc)) STRICT, WITHOUT ROWID;";

const SETTINGS: &str = "
    PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;
    PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -65536;
    PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = OFF; PRAGMA trusted_schema = OFF;";

/// What one record's creation writes.
#[derive(Clone, Debug)]
pub struct Rows {
    hash: [u8; 32],
    header: [u8; 20],
    payload: Vec<u8>,
    id: [u8; 16],
    body: Vec<u8>,
    keys: [Vec<u8>; 2],
}

impl Rows {
    /// A header as long as Ayni's for a plain creation, the record's JSON as payload and as body, and the keys of two
    /// indexes. Hash, header and id are random, as they look to SQLite.
    pub fn of(record: &Record, random: &mut Random) -> Self {
        let json = record.to_json().to_string().into_bytes();
        let mut seen_at = vec![1];
        seen_at.extend((record.seen_at as u64 ^ 1 << 63).to_be_bytes());
        let mut species = vec![2];
        species.extend(record.species.as_bytes());
        Self {
            hash: random.bytes(),
            header: random.bytes(),
            payload: json.clone(),
            id: random.bytes(),
            body: json,
            keys: [species, seen_at],
        }
    }

    /// Those of many records.
    pub fn of_all(records: &[Record]) -> Vec<Self> {
        let mut random = Random::new(3);
        records.iter().map(|record| Self::of(record, &mut random)).collect()
    }
}

/// A database of its own.
pub struct Plain {
    connection: Connection,
    created: i64,
}

impl Plain {
    /// Makes the file.
    ///
    /// # Errors
    /// When SQLite cannot.
    pub fn create(file: &Path) -> Result<Self> {
        let connection = Connection::open(file)?;
        connection.execute_batch(SETTINGS)?;
        connection.execute_batch(TABLES)?;
        Ok(Self { connection, created: 0 })
    }

    /// Writes all rows, `TRANSACTION` of them at a time, each transaction durable before the next.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn write(&mut self, rows: &[Rows]) -> Result<()> {
        rows.chunks(TRANSACTION).try_for_each(|chunk| self.commit(chunk))
    }

    /// Writes these rows in one transaction, durable on return.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn commit(&mut self, rows: &[Rows]) -> Result<()> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        {
            let mut entry = self
                .connection
                .prepare_cached("INSERT INTO entries(key, hash, doc, header, payload) VALUES(?1, ?2, ?3, ?4, ?5)")?;
            let mut document = self.connection.prepare_cached(
                "INSERT INTO documents(row, collection, id, flags, heads, body) VALUES(?1, 1, ?2, 0, ?3, ?4)",
            )?;
            let mut index =
                self.connection.prepare_cached("INSERT INTO index_keys(index_row, key, doc) VALUES(?1, ?2, ?3)")?;
            for row in rows {
                self.created += 1;
                let (doc, key) = (self.created, 1 << 40 | self.created);
                entry.execute((key, &row.hash[..], doc, &row.header[..], &row.payload))?;
                document.execute((doc, &row.id[..], key, &row.body))?;
                for (number, key) in (1_i64..).zip(&row.keys) {
                    index.execute((number, key, doc))?;
                }
            }
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::records;

    #[test]
    fn the_baseline_writes_what_it_says_unencrypted_and_durably() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("plain.db");
        Plain::create(&file)?.write(&Rows::of_all(&records(25)))?;
        assert!(std::fs::read(&file)?.starts_with(b"SQLite format 3\0"));
        let connection = Connection::open(&file)?;
        let counted = |table: &str| {
            connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))
        };
        assert_eq!([counted("entries")?, counted("documents")?, counted("index_keys")?], [25, 25, 50]);
        let plain = Plain::create(&file.with_extension("settings"))?;
        let setting = |name: &str| plain.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        assert_eq!((setting("synchronous")?, setting("cache_size")?), (2, -65_536));
        Ok(())
    }
}
