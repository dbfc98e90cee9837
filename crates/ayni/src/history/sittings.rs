//! Sittings: versions that one author wrote in a row, as people look at a history.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use ayni_doc::{Change, Path};
use ayni_log::ids::{DeviceId, DocumentId, Hash};

use super::VersionInfo;
use crate::collection::Collection;
use crate::error::Error;

/// Without a change for this long, a sitting is over.
pub const PAUSE: Duration = Duration::from_secs(5 * 60);

/// What one author wrote to a document in one go: versions each of which goes on from the one before, with no long pause
/// between. What was written at the same time elsewhere is a sitting of its own. (An *editing session* in other programs; here
/// a session is a conversation of two devices.)
#[derive(Debug, Clone, PartialEq)]
pub struct Sitting {
    /// Who wrote it.
    pub author: DeviceId,
    /// The name of that device.
    pub author_name: String,
    /// The earliest time that its versions claim: milliseconds since 1970 (UTC).
    pub from: i64,
    /// The latest.
    pub to: i64,
    /// The fields that were written, in order.
    pub fields: Vec<Path>,
    /// Its versions, oldest first; at least one.
    pub versions: Vec<VersionInfo>,
}

impl Collection {
    /// The versions of a document as [`Collection::history`] gives them, grouped by author and pause: of what one device wrote
    /// in a row each version less than `pause` after the one before ([`PAUSE`] suits people).
    ///
    /// ```
    /// # use ayni::doc::{Map, Operation, Value};
    /// # let temporary = tempfile::tempdir()?;
    /// # let folder = temporary.path();
    /// # let options = ayni::Options::new(folder.join("keys"));
    /// # let database = ayni::Database::create(&folder.join("database"), "Ana's laptop", options)?;
    /// # let (project, _) = database.create_project("Mapa")?;
    /// let id = project.write(|tx| tx.create("places", Map::from([("name".into(), Value::from("Cusco"))])))?;
    /// let places = project.collection("places");
    /// let read = places.get(id)?.ok_or("it is there")?;
    /// project.write(|tx| tx.edit(&read, vec![Operation::set("altitude", Value::Int(3_399))]))?;
    /// let sittings = places.sittings(id, ayni::PAUSE)?;
    /// assert_eq!((sittings.len(), sittings[0].versions.len()), (1, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoDocument`] if there is none with this id.
    pub fn sittings(&self, id: DocumentId, pause: Duration) -> Result<Vec<Sitting>, Error> {
        Ok(sittings(self.history(id)?, pause))
    }
}

/// Groups versions that stand in the order of a history.
pub(super) fn sittings(versions: Vec<VersionInfo>, pause: Duration) -> Vec<Sitting> {
    let mut sittings: Vec<Sitting> = Vec::new();
    // By their last version: no two go on from the same one, or what was written at the same time would be in a row.
    let mut open: HashMap<Hash, usize> = HashMap::new();
    for version in versions {
        let before = match version.parents.as_slice() {
            [parent] => open.get(parent).copied(),
            _ => None,
        };
        let goes_on = before.filter(|at| sittings.get(*at).is_some_and(|sitting| sitting.leads_to(&version, pause)));
        let at = goes_on.unwrap_or(sittings.len());
        if let (Some(_), [parent]) = (goes_on, version.parents.as_slice()) {
            open.remove(parent);
        }
        open.insert(version.id, at);
        match sittings.get_mut(at) {
            Some(sitting) => sitting.push(version),
            None => sittings.push(Sitting::of(version)),
        }
    }
    for sitting in &mut sittings {
        let fields: BTreeSet<Path> = sitting.versions.iter().flat_map(|version| fields_of(&version.change)).collect();
        sitting.fields = fields.into_iter().collect();
    }
    sittings
}

impl Sitting {
    fn of(version: VersionInfo) -> Self {
        let (author, author_name, time) = (version.author, version.author_name.clone(), version.time);
        Self { author, author_name, from: time, to: time, fields: Vec::new(), versions: vec![version] }
    }

    fn leads_to(&self, next: &VersionInfo, pause: Duration) -> bool {
        let last = self.versions.last().map_or(next.time, |last| last.time);
        self.author == next.author && u128::from(last.abs_diff(next.time)) < pause.as_millis()
    }

    fn push(&mut self, version: VersionInfo) {
        (self.from, self.to) = (self.from.min(version.time), self.to.max(version.time));
        self.versions.push(version);
    }
}

fn fields_of(change: &Change) -> impl Iterator<Item = Path> {
    let operations = match change {
        Change::Edit(operations) => operations.as_slice(),
        Change::Delete => &[],
    };
    operations.iter().map(|operation| operation.path().clone())
}
