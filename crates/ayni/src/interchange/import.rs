//! Importing: records become documents, many to a commit.

use ayni_log::tip::TipError;
use ayni_log::write::WriteError;

use super::{BadRecord, Record, RecordId};
use crate::error::Error;
use crate::project::Project;
use crate::transaction::{Put, Transaction};

/// Records that become one commit at the most.
const BATCH: usize = 10_000;

/// How an import is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportOptions {
    /// Read everything and write nothing.
    pub dry_run: bool,
}

/// What an import has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportCount {
    /// Documents that are new.
    pub created: u64,
    /// Documents that were there and show something else now.
    pub updated: u64,
    /// Documents that were there and showed the same already.
    pub unchanged: u64,
    /// Records that were passed over.
    pub bad: u64,
}

impl ImportCount {
    /// Records that were read.
    pub fn records(&self) -> u64 {
        self.created + self.updated + self.unchanged + self.bad
    }
}

/// Why an import stopped. What was reported as done before stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The database.
    #[error(transparent)]
    Database(#[from] Error),
}

impl Project {
    /// Takes records into a collection, as they come from [`read`](super::read()), in commits of up to 10,000. A record with a
    /// key updates the document of that key if there is one, so that importing again doubles nothing; a bad record is
    /// given to `bad` and the rest goes on. `progress` is told after every commit.
    ///
    /// # Errors
    /// [`ImportError`]; everything that `progress` was told of stays.
    pub fn import(
        &self,
        collection: &str,
        records: impl IntoIterator<Item = Result<Record, BadRecord>>,
        options: ImportOptions,
        mut bad: impl FnMut(&dyn std::error::Error),
        mut progress: impl FnMut(&ImportCount),
    ) -> Result<ImportCount, ImportError> {
        let mut import = Import { project: self, collection, options, count: ImportCount::default() };
        let mut batch = Vec::with_capacity(BATCH);
        for record in records {
            match record {
                Ok(record) => batch.push(record),
                Err(error) => {
                    import.count.bad += 1;
                    bad(&error);
                }
            }
            if batch.len() == BATCH {
                import.store(&batch, &mut bad)?;
                progress(&import.count);
                batch.clear();
            }
        }
        import.store(&batch, &mut bad)?;
        progress(&import.count);
        Ok(import.count)
    }
}

struct Import<'a> {
    project: &'a Project,
    collection: &'a str,
    options: ImportOptions,
    count: ImportCount,
}

/// A record that reads well and cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {error}")]
struct Unwritable {
    line: u64,
    error: Error,
}

impl Import<'_> {
    /// Stores records in one commit; where they are too much for one, in two, and so on.
    fn store(&mut self, records: &[Record], bad: &mut impl FnMut(&dyn std::error::Error)) -> Result<(), ImportError> {
        if records.is_empty() {
            return Ok(());
        }
        if self.options.dry_run {
            self.count.created += records.len() as u64;
            return Ok(());
        }
        match self.project.write(|tx| put_all(tx, self.collection, records)) {
            Ok(puts) => {
                for put in puts {
                    match put {
                        Put::Created => self.count.created += 1,
                        Put::Updated => self.count.updated += 1,
                        Put::Unchanged => self.count.unchanged += 1,
                    }
                }
                Ok(())
            }
            Err(error) if !is_of_one_record(&error) => Err(error.into()),
            Err(error) => {
                if let [record] = records {
                    self.count.bad += 1;
                    bad(&Unwritable { line: record.line, error });
                    return Ok(());
                }
                let (first, second) = records.split_at(records.len() / 2);
                self.store(first, bad)?;
                self.store(second, bad)
            }
        }
    }
}

fn put_all(tx: &mut Transaction<'_, '_>, collection: &str, records: &[Record]) -> Result<Vec<Put>, Error> {
    let mut puts = Vec::with_capacity(records.len());
    for record in records {
        let fields = record.fields.clone();
        puts.push(match &record.id {
            None => tx.create(collection, fields).map(|_| Put::Created)?,
            Some(RecordId::Key(key)) => tx.put(collection, key, fields)?.1,
            Some(id @ RecordId::Document(document)) => match tx.put_existing(collection, *document, &fields)? {
                Some(put) => put,
                None => tx.put(collection, &id.key(), fields)?.1,
            },
        });
    }
    Ok(puts)
}

/// Whether fewer records, or others, might be written.
fn is_of_one_record(error: &Error) -> bool {
    matches!(
        error,
        Error::Write(WriteError::TooLarge { .. } | WriteError::Header(_) | WriteError::Rule(TipError::Commit))
            | Error::Change(_)
            | Error::Path(_)
            | Error::Reserved
    )
}
