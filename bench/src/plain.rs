//! The baseline's storage: plain SQLite, unencrypted, with the tables and settings of `ayni-store` and nothing above
//! it: no chain, no sealing, no merging.
//!
//! It goes through the same linked library: SQLCipher without a key is SQLite.

use crate::records::{Indexes, Random, Record};
use anyhow::Result;
use rusqlite::{Connection, Params};
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

/// Those of a text index on the notes and a geometry index on the locations: what it does is asked of SQLite as it comes.
const WORDS_AND_PLACES: &str = "
    CREATE VIRTUAL TABLE notes USING fts5(note, content = '', contentless_delete = 1, tokenize = 'unicode61');
    CREATE VIRTUAL TABLE places USING rtree(id, west, east, south, north);";

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
    note: String,
    location: [f64; 2],
}

impl Rows {
    /// A header as long as Ayni's for a plain creation, the record's JSON as payload and as body, and the keys of two
    /// indexes. Hash, header and id are random, as they look to SQLite.
    pub fn of(record: &Record, random: &mut Random) -> Self {
        let json = record.to_json().to_string().into_bytes();
        let mut species = vec![2];
        species.extend(record.species.as_bytes());
        Self {
            hash: random.bytes(),
            header: random.bytes(),
            payload: json.clone(),
            id: random.bytes(),
            body: json,
            keys: [species, time_key(record.seen_at)],
            note: record.note.clone(),
            location: record.location,
        }
    }

    /// The record's id.
    pub fn id(&self) -> &[u8] {
        &self.id
    }

    /// Those of many records.
    pub fn of_all(records: &[Record]) -> Vec<Self> {
        let mut random = Random::new(3);
        records.iter().map(|record| Self::of(record, &mut random)).collect()
    }
}

/// The key of a time in the second index.
fn time_key(time: i64) -> Vec<u8> {
    let mut key = vec![1];
    key.extend((time as u64 ^ 1 << 63).to_be_bytes());
    key
}

/// A database of its own.
pub struct Plain {
    connection: Connection,
    indexes: Indexes,
    created: i64,
}

impl Plain {
    /// Makes the file.
    ///
    /// # Errors
    /// When SQLite cannot.
    pub fn create(file: &Path, indexes: Indexes) -> Result<Self> {
        let connection = Connection::open(file)?;
        connection.execute_batch(SETTINGS)?;
        connection.execute_batch(TABLES)?;
        if indexes == Indexes::All {
            connection.execute_batch(WORDS_AND_PLACES)?;
        }
        Ok(Self { connection, indexes, created: 0 })
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
            if self.indexes == Indexes::All {
                self.write_words_and_places(rows)?;
            }
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// Those of the rows that were written last.
    fn write_words_and_places(&self, rows: &[Rows]) -> Result<()> {
        let mut words = self.connection.prepare_cached("INSERT INTO notes(rowid, note) VALUES(?1, ?2)")?;
        let mut place = self.connection.prepare_cached("INSERT INTO places VALUES(?1, ?2, ?2, ?3, ?3)")?;
        let first = self.created - rows.len() as i64 + 1;
        for (doc, row) in (first..).zip(rows) {
            words.execute((doc, &row.note))?;
            place.execute((doc, row.location[0], row.location[1]))?;
        }
        Ok(())
    }

    /// The bodies of those seen first from a time on.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn seen_from(&self, time: i64, most: usize) -> Result<Vec<Vec<u8>>> {
        let sql = "SELECT body FROM index_keys JOIN documents ON row = doc
            WHERE index_row = 2 AND key >= ?1 ORDER BY key LIMIT ?2";
        self.bodies(sql, (time_key(time), most as i64))
    }

    /// The bodies of those in a box: west, south, east, north.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn within(&self, [west, south, east, north]: [f64; 4]) -> Result<Vec<Vec<u8>>> {
        let sql = "SELECT body FROM places JOIN documents ON row = places.id
            WHERE west <= ?3 AND east >= ?1 AND south <= ?4 AND north >= ?2";
        self.bodies(sql, (west, south, east, north))
    }

    /// The bodies of those whose notes have all words, the best first.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn search(&self, words: &str, most: usize) -> Result<Vec<Vec<u8>>> {
        let sql = "SELECT body FROM notes JOIN documents ON row = notes.rowid
            WHERE notes MATCH ?1 ORDER BY rank LIMIT ?2";
        self.bodies(sql, (words, most as i64))
    }

    /// The bodies of those at least so high, which no index tells.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn higher(&self, metres: f64) -> Result<Vec<Vec<u8>>> {
        let sql = "SELECT body FROM documents WHERE collection = 1 AND CAST(body AS TEXT) ->> '$.height' >= ?1";
        self.bodies(sql, [metres])
    }

    /// The body of one.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn read(&self, id: &[u8]) -> Result<Vec<u8>> {
        let sql = "SELECT body FROM documents WHERE collection = 1 AND id = ?1";
        Ok(self.connection.prepare_cached(sql)?.query_row([id], |row| row.get(0))?)
    }

    fn bodies(&self, sql: &str, params: impl Params) -> Result<Vec<Vec<u8>>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params, |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
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
        Plain::create(&file, Indexes::Values)?.write(&Rows::of_all(&records(25)))?;
        assert!(std::fs::read(&file)?.starts_with(b"SQLite format 3\0"));
        let connection = Connection::open(&file)?;
        let counted = |table: &str| {
            connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))
        };
        assert_eq!([counted("entries")?, counted("documents")?, counted("index_keys")?], [25, 25, 50]);
        let plain = Plain::create(&file.with_extension("settings"), Indexes::All)?;
        let setting = |name: &str| plain.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        assert_eq!((setting("synchronous")?, setting("cache_size")?), (2, -65_536));
        Ok(())
    }
}
