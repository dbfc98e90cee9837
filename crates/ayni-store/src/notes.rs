//! The small things beside logs and documents: settings and secrets, receipts, addresses, and the versions of views.

use ayni_log::ids::DeviceId;
use rusqlite::{OptionalExtension, params};

use crate::error::StoreError;
use crate::{ProjectRow, Snapshot, Write};

/// The newest receipt of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReceipt {
    /// Whose.
    pub device: DeviceId,
    /// When it came here: milliseconds since 1970 (UTC), by this device's clock.
    pub received: i64,
    /// The signed statement.
    pub receipt: Vec<u8>,
}

/// The scope of settings of the whole device; projects' scopes are their rows, from 1.
const DEVICE: i64 = 0;
/// The scope of the store's own settings.
const STORE: i64 = -1;

/// The setting that counts how often documents were made anew.
const REMADE: &str = "remade";

fn scope(project: Option<ProjectRow>) -> i64 {
    project.map_or(DEVICE, |project| project.0)
}

impl Snapshot<'_> {
    /// A value that was kept under a name, for a project or for the device. Secrets lie here too: the file is encrypted.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn setting(&self, project: Option<ProjectRow>, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement = self.statement("SELECT value FROM settings WHERE scope = ?1 AND name = ?2")?;
        Ok(statement.query_row(params![scope(project), name], |row| row.get(0)).optional()?)
    }

    /// All values whose names begin with `prefix`, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn settings(&self, project: Option<ProjectRow>, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let mut statement = self.statement(
            "SELECT name, value FROM settings WHERE scope = ?1 AND substr(name, 1, length(?2)) = ?2 ORDER BY name",
        )?;
        let rows = statement.query_map(params![scope(project), prefix], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The newest receipts of a project's devices, by device.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn receipts(&self, project: ProjectRow) -> Result<Vec<StoredReceipt>, StoreError> {
        let mut statement =
            self.statement("SELECT device, received, receipt FROM receipts WHERE project = ?1 ORDER BY device")?;
        let rows = statement.query_map([project.0], |row| {
            Ok(StoredReceipt { device: DeviceId(row.get(0)?), received: row.get(1)?, receipt: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The newest receipt of one of a project's devices.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn receipt(&self, project: ProjectRow, device: DeviceId) -> Result<Option<StoredReceipt>, StoreError> {
        let mut statement =
            self.statement("SELECT received, receipt FROM receipts WHERE project = ?1 AND device = ?2")?;
        let found = statement.query_row(params![project.0, device.0.as_slice()], |row| {
            Ok(StoredReceipt { device, received: row.get(0)?, receipt: row.get(1)? })
        });
        Ok(found.optional()?)
    }

    /// Addresses at which devices were met, with when (milliseconds since 1970), the latest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn addresses(&self) -> Result<Vec<(DeviceId, String, i64)>, StoreError> {
        let mut statement =
            self.statement("SELECT device, address, seen FROM addresses ORDER BY seen DESC, device, address")?;
        let rows = statement.query_map([], |row| Ok((DeviceId(row.get(0)?), row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The version in which a view is kept; `None` if it has to be built.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn view_version(&self, view: &str) -> Result<Option<i64>, StoreError> {
        let mut statement = self.statement("SELECT version FROM views WHERE name = ?1")?;
        Ok(statement.query_row([view], |row| row.get(0)).optional()?)
    }

    /// A number that grows with [`Write::note_remade`], in whatever process. As long as it stays the same, the documents that
    /// change are those of the entries that the views take in ([`Branch::applied`](crate::Branch::applied)).
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn remade(&self) -> Result<u64, StoreError> {
        let mut statement = self.statement("SELECT value FROM settings WHERE scope = ?1 AND name = ?2")?;
        let count: Option<[u8; 8]> = statement.query_row(params![STORE, REMADE], |row| row.get(0)).optional()?;
        Ok(count.map_or(0, u64::from_be_bytes))
    }
}

impl Write<'_> {
    /// Addresses that are remembered of one device; of more, those longest unseen go.
    pub const ADDRESSES: usize = 8;

    /// Keeps a value under a name.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn set_setting(&mut self, project: Option<ProjectRow>, name: &str, value: &[u8]) -> Result<(), StoreError> {
        let mut statement =
            self.statement("INSERT OR REPLACE INTO settings(scope, name, value) VALUES (?1, ?2, ?3)")?;
        statement.execute(params![scope(project), name, value])?;
        Ok(())
    }

    /// Forgets a value.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn remove_setting(&mut self, project: Option<ProjectRow>, name: &str) -> Result<(), StoreError> {
        let mut statement = self.statement("DELETE FROM settings WHERE scope = ?1 AND name = ?2")?;
        statement.execute(params![scope(project), name])?;
        Ok(())
    }

    /// Keeps a receipt in the place of the device's last. Whether it is newer is the caller's to know.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn set_receipt(&mut self, project: ProjectRow, receipt: &StoredReceipt) -> Result<(), StoreError> {
        let mut statement = self
            .statement("INSERT OR REPLACE INTO receipts(project, device, received, receipt) VALUES (?1, ?2, ?3, ?4)")?;
        statement.execute(params![project.0, receipt.device.0.as_slice(), receipt.received, receipt.receipt])?;
        Ok(())
    }

    /// Remembers where a device was met, and when (milliseconds since 1970).
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn remember_address(&mut self, device: DeviceId, address: &str, seen: i64) -> Result<(), StoreError> {
        let mut statement =
            self.statement("INSERT OR REPLACE INTO addresses(device, address, seen) VALUES (?1, ?2, ?3)")?;
        statement.execute(params![device.0.as_slice(), address, seen])?;
        let mut statement = self.statement(
            "DELETE FROM addresses WHERE device = ?1 AND address NOT IN
             (SELECT address FROM addresses WHERE device = ?1 ORDER BY seen DESC, address LIMIT ?2)",
        )?;
        statement.execute(params![device.0.as_slice(), Self::ADDRESSES as i64])?;
        Ok(())
    }

    /// Notes the version in which a view is kept from now on.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn set_view_version(&mut self, view: &str, version: i64) -> Result<(), StoreError> {
        let mut statement = self.statement("INSERT OR REPLACE INTO views(name, version) VALUES (?1, ?2)")?;
        statement.execute(params![view, version])?;
        Ok(())
    }

    /// Notes that documents change otherwise than by entries that the views take in: who follows those must look at all.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn note_remade(&mut self) -> Result<(), StoreError> {
        let count = self.remade()?.wrapping_add(1);
        let mut statement =
            self.statement("INSERT OR REPLACE INTO settings(scope, name, value) VALUES (?1, ?2, ?3)")?;
        statement.execute(params![STORE, REMADE, count.to_be_bytes().as_slice()])?;
        Ok(())
    }

    /// Drops all documents and what stands in indexes, with what entries say of them, and the views' versions: the caller builds them
    /// anew from the log, in this same transaction or (since [`Snapshot::view_version`] then gives `None`) later.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the transaction stands.
    pub fn drop_views(&mut self) -> Result<(), StoreError> {
        for index in self.all_indexes()? {
            self.drop_text(index)?;
            self.drop_places(index)?;
        }
        self.key_changes = crate::index::KeyChanges::default();
        for sql in [
            "DELETE FROM index_keys",
            "DELETE FROM documents",
            "DELETE FROM views",
            "UPDATE entries SET doc = NULL WHERE doc IS NOT NULL",
            "UPDATE branches SET applied = fork_at",
        ] {
            self.statement(sql)?.execute([])?;
        }
        self.note_remade()
    }
}
