//! The store: one writer, many readers, each transaction durable when it returns.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::ending::{self, Enclosed, Stay};
use crate::error::{OpenError, StoreError};
use crate::folder::{Folder, NewLock, Random};
use crate::instance::{Continuity, Hint, Inside, Outside};
use crate::key::DatabaseKey;
use crate::readers::{Reader, Readers};
use crate::schema::{self, Layout, Options, Purpose};
use crate::{Snapshot, Write};

/// An open database. Shared between threads by reference.
pub struct Store {
    folder: Folder,
    key: DatabaseKey,
    options: Options,
    writer: Mutex<Enclosed>,
    /// The thread that has the writer.
    writing: Mutex<Option<ThreadId>>,
    readers: Readers,
    watcher: Mutex<Enclosed>,
    outside: Outside,
    instance: Mutex<[u8; 16]>,
    hint: Mutex<Option<Hint>>,
    /// This opening is still to be counted, with the first write: the disk was full when the database was opened.
    uncounted: AtomicBool,
}

/// A database that was just opened.
pub struct Opened {
    /// The database.
    pub store: Store,
    /// Whether it is the one last used here, or a copy or an older state of it.
    pub continuity: Continuity,
}

impl Store {
    /// Makes a database in a folder that has none.
    ///
    /// # Errors
    /// [`OpenError`]; a making that was cut off leaves no database, and can be done again.
    pub fn create(folder: &Folder, lock: NewLock<'_>, random: &Random, options: Options) -> Result<Self, OpenError> {
        let key = folder.prepare(lock, random)?;
        let file = folder.database_file();
        let beside = file.with_extension("db.new");
        if let Err(error) = std::fs::remove_file(&beside)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(OpenError::file(beside)(error));
        }
        let _inside = ending::enter();
        let connection = schema::connect(&beside, &key, &options, Purpose::Create(Layout::Shrinks))?;
        schema::create_tables(&connection)?;
        write_instance(&connection, random.instance, 1)?;
        connection.close()?;
        std::fs::rename(&beside, &file).map_err(OpenError::file(&file))?;
        crate::files::sync_folder_of(&file).map_err(OpenError::file(&file))?;
        let outside = folder.outside();
        outside.record(random.instance, 1)?;
        Self::connect(folder, key, options, outside, random.instance)
    }

    /// Opens the database in a folder.
    ///
    /// # Errors
    /// [`OpenError`] says what is missing, damaged or too new, and what to do.
    pub fn open(folder: &Folder, key: &DatabaseKey, options: Options) -> Result<Opened, OpenError> {
        let outside = folder.outside();
        let _lock = outside.lock(folder.database_name()?)?;
        let store = Self::connect(folder, key.clone(), options, outside, [0; 16])?;
        let inside = store.writer().and_then(|writer| read_inside(&writer))?;
        *store.instance.lock().unwrap_or_else(PoisonError::into_inner) = inside.instance;
        let continuity = store.outside.judge(&inside)?;
        // What is not the same keeps its old instance until the caller has begun a new incarnation and settled: a crash
        // before that must not make the next opening look like the same.
        if continuity == Continuity::Same {
            let counter = inside.counter.saturating_add(1);
            let written = store.writer().and_then(|writer| write_instance(&writer, inside.instance, counter));
            let counted =
                written.map_err(OpenError::from).and_then(|()| store.outside.record(inside.instance, counter));
            match counted {
                // What is here can be read all the same.
                Err(error) if error.is_full_disk() => store.uncounted.store(true, Ordering::Relaxed),
                counted => counted?,
            }
        }
        Ok(Opened { store, continuity })
    }

    fn connect(
        folder: &Folder,
        key: DatabaseKey,
        options: Options,
        outside: Outside,
        instance: [u8; 16],
    ) -> Result<Self, OpenError> {
        let _inside = ending::enter();
        let file = folder.database_file();
        let unreadable = |error| match error {
            // The key was unwrapped and authenticated, so it is the file that is wrong.
            StoreError::Damaged => OpenError::NotADatabase(file.clone()),
            error => OpenError::Store(error),
        };
        let writer = schema::connect(&file, &key, &options, Purpose::Write).map_err(unreadable)?;
        schema::check_version(&writer, &file)?;
        let watcher = schema::connect(&file, &key, &options, Purpose::Read { cache: 64 })?;
        Ok(Self {
            folder: folder.clone(),
            key,
            options,
            writer: Mutex::new(writer),
            writing: Mutex::default(),
            readers: Readers::default(),
            watcher: Mutex::new(watcher),
            outside,
            instance: Mutex::new(instance),
            hint: Mutex::default(),
            uncounted: AtomicBool::new(false),
        })
    }

    /// Where it is.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// The key that it is encrypted with: for [`Folder::relock`].
    pub fn key(&self) -> &DatabaseKey {
        &self.key
    }

    /// Runs `work` in one transaction. When this returns `Ok`, everything that it wrote is on the disk and survives a power
    /// cut; when it returns an error, or `work` panics, nothing of it was written.
    ///
    /// One transaction runs at a time, in all processes together; others wait, up to [`Options::patience`].
    ///
    /// # Errors
    /// Those of `work`, and [`StoreError`] for the beginning and the commit: [`StoreError::Nested`] inside of `work`.
    pub fn write<T, E: From<StoreError>>(&self, work: impl FnOnce(&mut Write<'_>) -> Result<T, E>) -> Result<T, E> {
        let mut writer = self.writer()?;
        let transaction = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::from)
            .map_err(E::from)?;
        let opening = self.count_opening(&transaction).map_err(E::from)?;
        let mut write = Write::new(&transaction);
        let result = work(&mut write)?;
        let outcome = write.finish().map_err(E::from)?;
        transaction.commit().map_err(StoreError::from).map_err(E::from)?;
        drop(writer);
        if let Some((instance, counter)) = opening
            && self.outside.record(instance, counter).is_ok()
        {
            self.uncounted.store(false, Ordering::Relaxed);
        }
        if let Some(instance) = outcome.settled {
            *self.instance.lock().unwrap_or_else(PoisonError::into_inner) = instance;
            // If this fails the next opening says `Restored` again, and another incarnation begins: no harm.
            let _ = self.outside.record(instance, 1);
        }
        if let Some(entries) = outcome.own_entries {
            self.note_entries(entries);
        }
        Ok(result)
    }

    /// Runs `work` on a snapshot: the state after some commit, which no later one changes. Many run at a time, and none
    /// waits for the writer.
    ///
    /// # Errors
    /// Those of `work`, and [`StoreError`] for the beginning.
    pub fn read<T, E: From<StoreError>>(&self, work: impl FnOnce(&Snapshot<'_>) -> Result<T, E>) -> Result<T, E> {
        let _inside = ending::enter();
        let reader = self.reader()?;
        let run = |sql| reader.prepare_cached(sql)?.execute([]);
        run("BEGIN").map_err(StoreError::from)?;
        let result = work(&Snapshot::new(&reader));
        // Nothing was written, so how the transaction ends cannot matter to the result.
        let ended = run("COMMIT");
        if ended.is_ok() && result.is_ok() {
            reader.keep();
        }
        result
    }

    /// A connection for reading, on which no transaction is open.
    pub(crate) fn reader(&self) -> Result<Reader, StoreError> {
        self.readers.take(&self.folder.database_file(), &self.key, &self.options)
    }

    /// Like [`Store::read`], with what [`Write::others`] would have said at the moment of the snapshot; `None` if another
    /// process was just committing. Waits for a transaction of this process that is under way.
    ///
    /// # Errors
    /// Those of `work`, and [`StoreError`] for the beginning: [`StoreError::Nested`] inside of a transaction.
    pub fn read_beside_others<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Snapshot<'_>, Option<i64>) -> Result<T, E>,
    ) -> Result<T, E> {
        let writer = self.writer()?;
        self.read(|snapshot| {
            let before = others(&writer)?;
            // The snapshot is of the moment of its first reading.
            snapshot.begin()?;
            let after = others(&writer)?;
            drop(writer);
            work(snapshot, (before == after).then_some(after))
        })
    }

    /// A number that is another after every commit, of this process or any other. Comparing costs microseconds, so it can
    /// be asked often.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn revision(&self) -> Result<i64, StoreError> {
        let watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let _inside = ending::enter();
        others(&watcher)
    }

    /// Moves what the write-ahead log holds into the database, as far as no reader stands in the way.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is lost.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        Ok(self.writer()?.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    /// Counts this opening inside, if that is still to be done; gives what is to be recorded outside.
    fn count_opening(&self, connection: &Connection) -> Result<Option<([u8; 16], u64)>, StoreError> {
        if !self.uncounted.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let inside = read_inside(connection)?;
        let counter = inside.counter.saturating_add(1);
        write_instance(connection, inside.instance, counter)?;
        Ok(Some((inside.instance, counter)))
    }

    fn note_entries(&self, entries: u64) {
        let instance = *self.instance.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hint = self.hint.lock().unwrap_or_else(PoisonError::into_inner);
        if hint.as_ref().is_none_or(|hint| hint.instance != instance) {
            *hint = self.outside.open_hint(instance);
        }
        if let Some(hint) = hint.as_mut() {
            hint.note(entries);
        }
    }

    /// Whether this thread is inside of a transaction: then whatever waits for the writer would wait for ever.
    pub fn is_writing_here(&self) -> bool {
        *self.writing.lock().unwrap_or_else(PoisonError::into_inner) == Some(thread::current().id())
    }

    pub(crate) fn writer(&self) -> Result<Turn<'_>, StoreError> {
        if self.is_writing_here() {
            return Err(StoreError::Nested);
        }
        // A panic in a transaction rolled it back, so the connection is sound.
        let connection = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        *self.writing.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
        // Not before: who waits for the writer keeps no process from ending.
        let inside = ending::enter();
        Ok(Turn { _inside: inside, connection, writing: &self.writing })
    }
}

/// The writer, while one thread has it.
pub(crate) struct Turn<'s> {
    _inside: Stay,
    connection: MutexGuard<'s, Enclosed>,
    writing: &'s Mutex<Option<ThreadId>>,
}

impl Deref for Turn<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Turn<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Before the connection is let go of, and another thread says that it has it.
        *self.writing.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// SQLite's own count of what other connections committed, as this one has noticed it.
pub(crate) fn others(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
}

const INSTANCE: &str = "instance";
const OPENINGS: &str = "openings";

/// Writes the instance and its counter in a transaction of its own, or in the one that is open.
pub(crate) fn write_instance(connection: &Connection, instance: [u8; 16], counter: u64) -> Result<(), StoreError> {
    let mut set = connection
        .prepare("INSERT OR REPLACE INTO settings(scope, name, value) SELECT -1, ?1, ?2 UNION ALL SELECT -1, ?3, ?4")?;
    set.execute(rusqlite::params![INSTANCE, instance.as_slice(), OPENINGS, counter.to_be_bytes().as_slice()])?;
    Ok(())
}

fn read_inside(connection: &Connection) -> Result<Inside, StoreError> {
    let mut get = connection.prepare("SELECT value FROM settings WHERE scope = -1 AND name = ?1")?;
    let instance: Option<[u8; 16]> = get.query_row([INSTANCE], |row| row.get(0)).optional()?;
    let counter: Option<[u8; 8]> = get.query_row([OPENINGS], |row| row.get(0)).optional()?;
    // A database without (they were lost to damage) is no instance that any record speaks of.
    Ok(Inside {
        instance: instance.unwrap_or_default(),
        counter: counter.map_or(0, u64::from_be_bytes),
        entries: own_entries(connection)?,
    })
}

/// How many entries the device's own logs hold, all together.
pub(crate) fn own_entries(connection: &Connection) -> Result<u64, StoreError> {
    let mut sum = connection.prepare_cached(
        "SELECT coalesce(sum(branches.length), 0) FROM logs JOIN branches ON branches.log = logs.row WHERE logs.own = 1",
    )?;
    Ok(sum.query_row([], |row| row.get::<_, i64>(0))?.unsigned_abs())
}
