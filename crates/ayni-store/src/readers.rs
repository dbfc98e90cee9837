//! Connections for reading, kept between uses.

use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::ending::Enclosed;
use crate::error::StoreError;
use crate::key::DatabaseKey;
use crate::schema::{self, Options, Purpose};

/// The connections that nobody reads with just now.
///
/// A page that is not in memory costs four times as much here as in plain SQLite, since it is authenticated and decrypted. So
/// the connection that is taken first, and by a program with one thread always, keeps many; those that are needed beside it,
/// few.
#[derive(Default)]
pub(crate) struct Readers(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    first: Option<Enclosed>,
    /// Somebody reads with the first.
    first_is_taken: bool,
    others: Vec<Enclosed>,
}

impl Readers {
    /// A connection on which no transaction is open.
    pub(crate) fn take(&self, file: &Path, key: &DatabaseKey, options: &Options) -> Result<Reader, StoreError> {
        let mut kept = lock(&self.0);
        let is_first = !kept.first_is_taken;
        let connection = if is_first { kept.first.take() } else { kept.others.pop() };
        kept.first_is_taken = true;
        drop(kept);
        let seat = Seat { is_first, readers: Arc::clone(&self.0) };
        let connection = match connection {
            Some(connection) => connection,
            None => {
                let cache = if is_first { options.reader_cache } else { options.other_readers_cache };
                schema::connect(file, key, options, Purpose::Read { cache })?
            }
        };
        Ok(Reader { connection, most: options.readers, seat })
    }
}

/// A connection for reading. Let go of, it is closed: whoever knows it to be sound says [`Reader::keep`].
pub(crate) struct Reader {
    connection: Enclosed,
    /// How many are kept.
    most: usize,
    seat: Seat,
}

impl Reader {
    /// Keeps it for the next who reads. No transaction is open on it.
    pub(crate) fn keep(self) {
        let mut kept = lock(&self.seat.readers);
        if self.seat.is_first {
            kept.first = Some(self.connection);
        } else if kept.others.len() + 1 < self.most {
            kept.others.push(self.connection);
        }
    }
}

impl Deref for Reader {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

/// Whether a reader is the first. While it is there nobody else is.
struct Seat {
    is_first: bool,
    readers: Arc<Mutex<Kept>>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.is_first {
            lock(&self.readers).first_is_taken = false;
        }
    }
}

fn lock(readers: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    readers.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Layout;

    const KEY: [u8; 48] = [7; 48];

    fn cache(reader: &Reader) -> i64 {
        reader.pragma_query_value(None, "cache_size", |row| row.get(0)).unwrap()
    }

    #[test]
    fn who_reads_alone_has_the_large_cache_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let _inside = crate::ending::enter();
        let (file, key) = (folder.path().join("ayni.db"), DatabaseKey::from_random(KEY));
        let options = Options { reader_cache: 200, other_readers_cache: 100, readers: 3, ..Options::default() };
        let made = schema::connect(&file, &key, &options, Purpose::Create(Layout::Shrinks)).unwrap();
        schema::create_tables(&made).unwrap();
        let readers = Readers::default();
        let take = || readers.take(&file, &key, &options).unwrap();
        let counts = || {
            let kept = lock(&readers.0);
            (kept.first.is_some(), kept.others.len())
        };

        let mut beside: Vec<_> = (0..5).map(|_| take()).collect();
        assert_eq!(beside.iter().map(cache).collect::<Vec<_>>(), [-200, -100, -100, -100, -100]);
        beside.drain(..).for_each(Reader::keep);
        assert_eq!(counts(), (true, 2));
        for _ in 0..2 {
            let alone = take();
            assert_eq!((cache(&alone), counts()), (-200, (false, 2)));
            alone.keep();
        }
        // What went wrong is not used again, and the next is the first once more.
        drop(take());
        assert_eq!(counts(), (false, 2));
        assert_eq!(cache(&take()), -200);
    }
}
