//! Rebuilding the views (documents and indexes) from the log, which is the truth.

use ayni_store::StoreError;

use crate::core::documents::Documents;
use crate::core::ingest::{catch_up, finish};
use crate::core::project::ProjectCore;
use crate::database::Database;
use crate::error::Error;

/// The view of the log that documents and their indexes are.
pub(crate) const DOCUMENTS: &str = "documents";
/// How documents are merged and kept, and what indexes hold of them. Another number in a database: they are rebuilt when it is
/// opened.
pub(crate) const DOCUMENTS_VERSION: i64 = 5;

/// Entries that take effect in one transaction while views are rebuilt.
const STEP: u64 = 20_000;

/// How far rebuilding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RebuildProgress {
    /// Entries that have taken effect again.
    pub done: u64,
    /// All of them.
    pub total: u64,
}

impl Database {
    /// Whether the documents were made by the rules of this program.
    pub(crate) fn views_are_current(&self) -> Result<bool, StoreError> {
        let version = self.inner.store.read(|snapshot| snapshot.view_version(DOCUMENTS))?;
        Ok(version == Some(DOCUMENTS_VERSION))
    }

    /// Throws the documents and indexes away and makes them again from the log. It can be cut off at any time: the next
    /// opening goes on.
    ///
    /// # Errors
    /// If the disk fails, or the log itself is damaged.
    pub fn rebuild_views(&self, mut progress: impl FnMut(RebuildProgress)) -> Result<RebuildProgress, Error> {
        let cores = self.inner.cores();
        let mut all = RebuildProgress::default();
        for core in &cores {
            all.total += core.read(&self.inner, |_, state| Ok(state.data_entries()))?;
        }
        ProjectCore::outdate(&cores, &self.inner, || Ok(self.inner.store.write(|tx| tx.drop_views())?))?;
        for core in &cores {
            // Damage may have taken what said that there are some.
            core.write(&self.inner, |tx, state| state.keep_indexes_of_schemas(tx))?;
            loop {
                let done = core.write(&self.inner, |tx, state| {
                    let mut documents = Documents::default();
                    let done = catch_up(tx, state, &mut documents, STEP)?;
                    finish(tx, state, &mut documents)?;
                    Ok(done)
                })?;
                if done == 0 {
                    break;
                }
                all.done += done;
                progress(all);
            }
        }
        self.inner.store.write(|tx| tx.set_view_version(DOCUMENTS, DOCUMENTS_VERSION))?;
        tracing::info!(entries = all.done, "made documents and indexes anew");
        // Live queries held still until now.
        self.nudge();
        self.inner.committed();
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_support::{Device, create, fields, get, team};

    #[test]
    fn documents_that_an_older_program_made_are_made_again_at_the_next_opening() {
        let [device] = team();
        let id = create(&device.project(), fields([("name", "Cusco".into())]));
        // An older program merged by other rules: here, so that it shows nothing at all.
        let (core, inner) = (&device.project().core, &device.database.inner);
        let older = || inner.store.write(|tx| tx.drop_views().and_then(|()| tx.set_view_version(DOCUMENTS, 1)));
        ProjectCore::outdate(std::slice::from_ref(core), inner, || Ok(older()?)).unwrap();
        assert_eq!(device.project().collection("places").len().unwrap(), 0);

        let device = device.restart();
        assert_eq!(get(&device.project(), id, "name"), Some("Cusco".into()));
        assert!(device.database.views_are_current().unwrap());
    }

    #[test]
    fn an_index_of_a_schema_that_damage_took_is_made_again() {
        let [device] = team();
        let indexes = |device: &Device| device.project().collection("places").indexes().unwrap();
        let schema = r#"{"indexes": ["name"]}"#.parse().unwrap();
        device.project().collection("places").set_schema(&schema).unwrap();
        create(&device.project(), fields([("name", "Cusco".into())]));
        assert_eq!(indexes(&device).len(), 1);
        let (core, inner) = (&device.project().core, &device.database.inner);
        let row = core.read(inner, |_, state| Ok(state.indexes.values().flatten().next().unwrap().row)).unwrap();
        inner.store.write(|tx| tx.drop_index(row)).unwrap();

        let device = device.restart();
        assert_eq!(indexes(&device).len(), 0);
        device.database.rebuild_views(|_| ()).unwrap();
        assert_eq!(indexes(&device), ["name".parse().unwrap()]);
        let device = device.restart();
        let places = device.project().collection("places");
        assert_eq!(places.explain(&"name=Cusco".parse().unwrap()).unwrap().found, 1);
    }
}
