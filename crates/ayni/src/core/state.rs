//! What is known about a project between transactions: who is in it, its keys, its branches, its collections.
//!
//! All of it follows from the store. A transaction that fails throws it away, and it is loaded again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use ayni_doc::{Change, Shape, Version};
use ayni_log::codec::{DecodeError, Reader, Writer};
use ayni_log::header::Header;
use ayni_log::ids::{CollectionTag, DeviceId, Hash, LogKind, LogName, ProjectId, StoreId};
use ayni_log::membership::{ControlView, KeyRing, Step, control_entries};
use ayni_log::seal::{Declared, LogKey};
use ayni_log::sign::DeviceSecret;
use ayni_log::tip::Sealed;
use ayni_store::{BranchRow, CollectionRow, EntryKey, ProjectRow, Snapshot, Write};

use crate::core::branches::{Branch, Branches, Seen};
use crate::core::indexing::{Indexes, follow_schema, read_indexes};
use crate::core::reading::{commit_start, difference, link_at, read_entries, tip_at, whole_commits};
use crate::core::schemas::{Schemas, basis, read_schemas};
use crate::error::Error;
use crate::handler::Handlers;

/// A collection as it is known here.
#[derive(Debug, Clone)]
pub(crate) struct KnownCollection {
    pub(crate) row: CollectionRow,
    pub(crate) name: Option<String>,
}

/// See the module.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) project: ProjectId,
    pub(crate) row: ProjectRow,
    pub(crate) view: ControlView,
    pub(crate) ring: KeyRing,
    pub(crate) branches: Branches,
    pub(crate) collections: BTreeMap<CollectionTag, KnownCollection>,
    pub(crate) schemas: Schemas,
    /// What these follow from.
    schemas_follow: (Vec<Hash>, usize),
    pub(crate) indexes: Indexes,
    /// The conflict handlers that this process has.
    pub(crate) handlers: Arc<Handlers>,
    /// The shapes that this device's data log declared, by their encoding.
    pub(crate) own_shapes: BTreeMap<Vec<u8>, u32>,
    /// Data branches whose steps are to be written down.
    pub(crate) stepped: BTreeSet<BranchRow>,
    /// Entries in effect that count now and did not before, or the other way round: their documents are to be merged
    /// anew before the transaction ends.
    pub(crate) rejudged: Vec<(BranchRow, std::ops::Range<u64>)>,
}

impl State {
    /// Loads a project.
    pub(crate) fn load(
        store: &Snapshot<'_>,
        row: ProjectRow,
        project: ProjectId,
        secret: &DeviceSecret,
        incarnation: StoreId,
        handlers: Arc<Handlers>,
    ) -> Result<Self, Error> {
        let mut state = Self {
            handlers,
            project,
            row,
            view: ControlView::new(project),
            ring: KeyRing::new(project, secret),
            branches: Branches::default(),
            collections: BTreeMap::new(),
            schemas: Schemas::new(),
            schemas_follow: (Vec::new(), 0),
            indexes: Indexes::new(),
            own_shapes: BTreeMap::new(),
            stepped: BTreeSet::new(),
            rejudged: Vec::new(),
        };
        for kind in [LogKind::Control, LogKind::Data] {
            for stored in store.frontier(row, kind)? {
                let tip = store.tip(stored.row)?;
                let applied = match stored.fork {
                    // Nothing of its own is in effect.
                    Some((_, at)) if stored.applied == at => commit_start(store, stored.row, at)?,
                    _ => stored.applied,
                };
                state.branches.insert(Branch::new(stored.row, stored.fork, tip, applied));
            }
        }
        state.load_control(store)?;
        for collection in store.collections(row)? {
            state.load_indexes(store, collection.row)?;
            let known = KnownCollection { row: collection.row, name: collection.name };
            state.collections.insert(collection.tag, known);
        }
        let own = LogName { project, device: secret.id(), kind: LogKind::Control, incarnation }.id();
        let own: Vec<_> = state.branches.of_log(own).map(|branch| branch.row).collect();
        for row in own {
            // What this device writes next goes on from what its log has anchored.
            let seen = state.read_seen(store, row)?;
            if let Some(branch) = state.branches.get_mut(row) {
                branch.seen = seen;
            }
        }
        for branch in state.branches.rows(LogKind::Data) {
            state.load_steps(store, branch)?;
            state.recount(store, branch)?;
        }
        // The documents in the store were made by these judgements.
        state.rejudged.clear();
        state.load_own_shapes(secret.id(), incarnation);
        Ok(state)
    }

    /// Whether it is what the store holds: what other processes committed was not about this project.
    pub(crate) fn is_as_stored(&self, store: &Snapshot<'_>) -> Result<bool, Error> {
        let mut stored = store.frontier(self.row, LogKind::Control)?;
        stored.extend(store.frontier(self.row, LogKind::Data)?);
        let alike = |stored: &ayni_store::Branch| {
            let known = self.branches.get(stored.row).map(|branch| (&branch.tip, branch.applied));
            known.is_some_and(|(tip, applied)| {
                let effective = stored.log.kind == LogKind::Control || applied == stored.applied;
                effective && tip.length() == stored.length && tip.hash() == stored.hash
            })
        };
        if stored.len() != self.branches.iter().count() || !stored.iter().all(alike) {
            return Ok(false);
        }
        let collections = store.collections(self.row)?;
        if collections.len() != self.collections.len() {
            return Ok(false);
        }
        for stored in collections {
            let known = self.collections.get(&stored.tag);
            let indexes = self.indexes.get(&stored.row).map_or(&[][..], Vec::as_slice);
            let alike = known.is_some_and(|known| known.row == stored.row && known.name == stored.name);
            if !alike || indexes != read_indexes(store, self.row, stored.row)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Entries of all data logs.
    pub(crate) fn data_entries(&self) -> u64 {
        let data = self.branches.iter().filter(|branch| branch.tip.name().kind == LogKind::Data);
        data.map(|branch| branch.tip.length() - branch.fork.map_or(0, |(_, at)| at)).sum()
    }

    /// Reads the indexes of a collection anew.
    pub(crate) fn load_indexes(&mut self, store: &Snapshot<'_>, collection: CollectionRow) -> Result<(), Error> {
        self.indexes.insert(collection, read_indexes(store, self.row, collection)?);
        Ok(())
    }

    fn load_control(&mut self, store: &Snapshot<'_>) -> Result<(), Error> {
        let mut all = Vec::new();
        for row in self.branches.rows(LogKind::Control) {
            let Some(branch) = self.branches.get(row) else { continue };
            let from = branch.fork.map_or(0, |(_, from)| from);
            let before = tip_at(store, row, from, branch.tip.name())?;
            let entries = read_entries(store, row, from, branch.tip.length())?;
            all.extend(control_entries(&entries, &before).map_err(|_| Error::Damaged("a control entry"))?);
        }
        // Those that wait for others are in the store only once the others were, so all of them fit.
        let _ = self.view.insert_all(all);
        self.ring.update(&self.view);
        self.schemas = read_schemas(&self.view, &self.ring);
        self.schemas_follow = basis(&self.view, &self.ring);
        Ok(())
    }

    fn load_own_shapes(&mut self, device: DeviceId, incarnation: StoreId) {
        let log = LogName { project: self.project, device, kind: LogKind::Data, incarnation }.id();
        let Some((row, count)) = self.branches.of_log(log).next().map(|branch| (branch.row, branch.tip.shapes()))
        else {
            return;
        };
        for number in 1..=count {
            if let Some(shape) = self.shape(row, number) {
                self.own_shapes.insert(shape.encode(), number);
            }
        }
    }

    /// The key with which the payloads of a branch are sealed under one of its key numbers, if it is here.
    pub(crate) fn log_key(&mut self, row: BranchRow, number: u32) -> Option<Arc<LogKey>> {
        let branch = self.branches.get_mut(row)?;
        if let Some(key) = branch.keys.get(&number) {
            return Some(key.clone());
        }
        let key = Arc::new(self.ring.set_key(branch.tip.key_set(number)?)?.for_log(branch.tip.id()));
        branch.keys.insert(number, key.clone());
        Some(key)
    }

    /// What a payload says that counts; `None` where it is sealed by other keys or malformed: then it has no effect, on every
    /// device alike.
    pub(crate) fn open_change(
        &mut self,
        row: BranchRow,
        position: u64,
        header: &Header,
        payload: &[u8],
    ) -> Option<Change> {
        let key = self.log_key(row, header.v1()?.key)?;
        let content = key.open_payload(position, header, payload).ok()?;
        if let Some(number) = ayni_doc::Change::shape_number(&content) {
            self.shape(row, number);
        }
        let shapes = &self.branches.get(row)?.shapes;
        Change::decode(&content, &|number| shapes.get(&number).map(Arc::as_ref)).ok()
    }

    fn shape(&mut self, row: BranchRow, number: u32) -> Option<Arc<Shape>> {
        let branch = self.branches.get(row)?;
        if let Some(shape) = branch.shapes.get(&number) {
            return Some(shape.clone());
        }
        let sealed = branch.tip.shape(number)?.clone();
        let encoded = self.open_declared(row, Declared::Shape, &sealed)?;
        let shape = Arc::new(Shape::decode(&encoded).ok()?);
        self.branches.get_mut(row)?.shapes.insert(number, shape.clone());
        Some(shape)
    }

    fn open_declared(&mut self, row: BranchRow, what: Declared, sealed: &Sealed) -> Option<Vec<u8>> {
        let key = self.log_key(row, sealed.key)?;
        key.open_declaration(what, sealed.position, sealed.index, &sealed.bytes).ok()
    }

    /// The collection that a branch declared under a number.
    pub(crate) fn collection_row(
        &mut self,
        tx: &mut Write<'_>,
        row: BranchRow,
        number: u32,
    ) -> Result<Option<CollectionRow>, Error> {
        let Some(declared) = self.branches.get(row).and_then(|branch| branch.tip.collection(number)) else {
            return Ok(None);
        };
        let tag = declared.tag;
        if let Some(known) = self.collections.get(&tag)
            && known.name.is_some()
        {
            return Ok(Some(known.row));
        }
        let sealed = declared.name.clone();
        let opened = self.open_declared(row, Declared::Collection, &sealed);
        let name = opened.and_then(|name| String::from_utf8(name).ok());
        // A name that does not belong to the tag is a lie.
        let name = name.filter(|name| self.ring.naming_key().is_some_and(|naming| naming.tag(name) == tag));
        Ok(Some(self.add_collection(tx, tag, name)?))
    }

    /// The collection with a name, made if it is not there.
    pub(crate) fn collection_named(&mut self, tx: &mut Write<'_>, name: &str) -> Result<CollectionRow, Error> {
        let tag = self.ring.naming_key().ok_or(Error::NoKeys)?.tag(name);
        match self.collections.get(&tag).filter(|known| known.name.is_some()) {
            Some(known) => Ok(known.row),
            None => self.add_collection(tx, tag, Some(name.to_owned())),
        }
    }

    /// Takes up the schemas that membership entries decided, with their indexes.
    pub(crate) fn follow_schemas(&mut self, tx: &mut Write<'_>) -> Result<(), Error> {
        let basis = basis(&self.view, &self.ring);
        if basis == self.schemas_follow {
            return Ok(());
        }
        let gone = std::mem::replace(&mut self.schemas, read_schemas(&self.view, &self.ring));
        self.schemas_follow = basis;
        self.keep_indexes_of_schemas(tx)?;
        for (_, known) in gone.into_iter().filter(|(tag, _)| !self.schemas.contains_key(tag)).collect::<Vec<_>>() {
            let row = self.collection_named(tx, &known.collection)?;
            follow_schema(tx, self, row, &[])?;
        }
        Ok(())
    }

    /// Begins the indexes of schemas that are not there, and drops those that no schema has any more.
    pub(crate) fn keep_indexes_of_schemas(&mut self, tx: &mut Write<'_>) -> Result<(), Error> {
        for known in self.schemas.values().cloned().collect::<Vec<_>>() {
            let row = self.collection_named(tx, &known.collection)?;
            follow_schema(tx, self, row, known.schema.indexes())?;
        }
        Ok(())
    }

    /// Takes in a collection.
    pub(crate) fn add_collection(
        &mut self,
        tx: &mut Write<'_>,
        tag: CollectionTag,
        name: Option<String>,
    ) -> Result<CollectionRow, Error> {
        let row = tx.add_collection(self.row, tag, name.as_deref())?;
        self.collections.insert(tag, KnownCollection { row, name });
        Ok(row)
    }

    /// Judges anew which positions of a data branch count. What is in effect and was judged otherwise before is noted in
    /// `rejudged`.
    pub(crate) fn recount(&mut self, store: &Snapshot<'_>, row: BranchRow) -> Result<(), Error> {
        let Some(branch) = self.branches.get(row) else { return Ok(()) };
        let link_at = |length: u64| link_at(store, branch, length);
        let hash_at = |length: u64| link_at(length).map(|(hash, _)| hash);
        let counting = self.view.counting(branch.tip.name(), branch.tip.length(), &branch.steps, &hash_at);
        // What damage took stands for the end of a commit: what is left of one counts as all of it did.
        let ends = |length: u64| link_at(length).is_none_or(|(_, ends)| ends);
        let ranges: Vec<_> =
            counting.ranges.into_iter().filter_map(|range| whole_commits(range, branch.tip.length(), ends)).collect();
        if branch.counting == ranges {
            return Ok(());
        }
        let before: Vec<_> =
            self.branches.stems(row).into_iter().map(|stem| (stem, self.branches.counted(stem))).collect();
        if let Some(branch) = self.branches.get_mut(row) {
            branch.counting = ranges;
        }
        for (stem, before) in before {
            let changed = difference(&before, &self.branches.counted(stem), self.branches.in_effect(stem));
            self.rejudged.extend(changed.into_iter().map(|range| (stem, range)));
        }
        Ok(())
    }

    /// The version that an entry is.
    pub(crate) fn version(
        &self,
        row: BranchRow,
        position: u64,
        hash: Hash,
        time: i64,
        parents: Vec<EntryKey>,
        change: Option<Change>,
    ) -> Version {
        let author = self.branches.get(row).map_or(DeviceId([0; 32]), |branch| branch.tip.name().device);
        let key = ayni_doc::EntryKey(self.branches.key(row, position));
        let parents = parents.into_iter().map(ayni_doc::EntryKey).collect();
        Version { key, hash, time, author, parents, change }
    }

    /// What a branch has anchored up to its tip, by number less 1, and where it lies here.
    pub(crate) fn read_seen(&self, store: &Snapshot<'_>, row: BranchRow) -> Result<Vec<Option<Seen>>, Error> {
        let Some(branch) = self.branches.get(row) else { return Ok(Vec::new()) };
        let mut seen = Vec::new();
        for (_, anchored) in branch.tip.anchors() {
            let (log, position, hash) = (anchored.log, anchored.position, anchored.hash);
            let holder = self.branches.find(store, log, position, hash)?;
            seen.push(holder.map(|holder| Seen { log, position, hash, holder }));
        }
        Ok(seen)
    }

    fn load_steps(&mut self, store: &Snapshot<'_>, row: BranchRow) -> Result<(), Error> {
        let Some(branch) = self.branches.get(row) else { return Ok(()) };
        let saved = store.setting(Some(self.row), &steps_name(row))?;
        let whole = branch.applied == branch.tip.length();
        if let Some(saved) = saved
            && whole
        {
            let seen = self.read_seen(store, row)?;
            let (steps, broken_at) = decode_steps(&saved).map_err(|_| Error::Damaged("the state of a branch"))?;
            // A broken branch stopped taking anchors before its tip did.
            if broken_at.is_none()
                && let Some(branch) = self.branches.get_mut(row)
            {
                (branch.seen, branch.steps) = (seen, steps);
                branch.saved_steps = saved;
                branch.scanned = true;
                return Ok(());
            }
        }
        self.rescan(store, row)
    }

    /// Finds out from the headers what a branch has seen as of what is in effect: for forks, and where a commit waits.
    pub(crate) fn rescan(&mut self, store: &Snapshot<'_>, row: BranchRow) -> Result<(), Error> {
        if !self.branches.stem_in_effect(row) {
            return Ok(());
        }
        let Some(branch) = self.branches.get_mut(row) else { return Ok(()) };
        let applied = branch.applied;
        (branch.seen, branch.steps, branch.broken_at) = (Vec::new(), Vec::new(), None);
        branch.scanned = true;
        let mut anchoring = Vec::new();
        store.entries(row, 0..applied, |entry| {
            let header = entry.read_header().map_err(|_| Error::Damaged("an entry of the log"))?;
            if let Some(body) = header.v1().filter(|body| !body.declarations.is_empty()) {
                anchoring.push((entry.position, body.clone()));
            }
            Ok::<_, Error>(ControlFlow::Continue(()))
        })?;
        let mut gaps = store.gaps(row)?.into_iter().filter(|gap| gap.end < applied).peekable();
        for (position, body) in anchoring {
            while let Some(gap) = gaps.next_if(|gap| gap.end <= position) {
                self.branches.recover_anchors(store, row, gap.end)?;
            }
            self.branches.take_anchors(store, row, position, &body)?;
        }
        for gap in gaps {
            self.branches.recover_anchors(store, row, gap.end)?;
        }
        Ok(())
    }

    /// Writes down what the next opening needs to know of branches that changed.
    pub(crate) fn save(&mut self, tx: &mut Write<'_>) -> Result<(), Error> {
        for row in std::mem::take(&mut self.stepped) {
            if let Some(branch) = self.branches.get_mut(row) {
                tx.set_applied(row, branch.applied)?;
                let steps = encode_steps(&branch.steps, branch.broken_at);
                if branch.saved_steps != steps {
                    tx.set_setting(Some(self.row), &steps_name(row), &steps)?;
                    branch.saved_steps = steps;
                }
            }
        }
        Ok(())
    }
}

/// Below which name the steps of a branch lie in the store.
fn steps_name(row: BranchRow) -> String {
    format!("steps {}", row.0)
}

fn encode_steps(steps: &[Step], broken_at: Option<u64>) -> Vec<u8> {
    let mut out = Writer::new();
    out.varint(broken_at.map_or(0, |at| at + 1));
    for step in steps {
        out.varint(step.from);
        out.varint(step.heads.len() as u64);
        step.heads.iter().for_each(|head| head.encode(&mut out));
    }
    out.into_vec()
}

fn decode_steps(bytes: &[u8]) -> Result<(Vec<Step>, Option<u64>), DecodeError> {
    let mut input = Reader::new(bytes);
    let broken_at = input.varint()?.checked_sub(1);
    let mut steps = Vec::new();
    while !input.is_empty() {
        let from = input.varint()?;
        let count = input.count("heads", ayni_log::limits::DECLARATIONS)?;
        steps.push(Step { from, heads: (0..count).map(|_| Hash::decode(&mut input)).collect::<Result<_, _>>()? });
    }
    Ok((steps, broken_at))
}
