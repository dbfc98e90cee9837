//! One author whose commits fill the store, and folders to keep it in.

use std::fs;
use std::path::Path;

use ayni_log::header::{BodyV1, Declaration, Subject};
use ayni_log::ids::{CollectionTag, DeviceId, DocumentId, Hash, LogKind, LogName, ProjectId, StoreId};
use ayni_log::seal::{LogKey, ReadingKey, SetKey};
use ayni_log::segment::{Verified, VerifiedSegment};
use ayni_log::sign::DeviceSecret;
use ayni_log::tip::Tip;
use ayni_log::write::{Draft, write_commit};
use ayni_store::{
    BranchRow, CollectionRow, DatabaseKey, DocumentRow, Folder, Hardness, NewLock, Opened, Options, ProjectRow, Random,
    Snapshot, Store, StoreError, Write,
};
use tempfile::TempDir;

pub(crate) const PROJECT: ProjectId = ProjectId([1; 32]);
pub(crate) const TAG: CollectionTag = CollectionTag([2; 16]);
pub(crate) const QUICK: Hardness = Hardness { memory: 64, passes: 1, lanes: 1 };

/// A folder and its folder of keys, gone when dropped.
pub(crate) struct Place {
    pub(crate) root: TempDir,
    pub(crate) folder: Folder,
}

impl Place {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path().join("db"), root.path().join("keys"));
        Self { root, folder }
    }

    /// Another folder beside it, with the same folder of keys.
    pub(crate) fn beside(&self, name: &str) -> Folder {
        Folder::new(self.root.path().join(name), self.root.path().join("keys"))
    }

    pub(crate) fn create(&self) -> Store {
        self.create_with(Options::default())
    }

    pub(crate) fn create_with(&self, options: Options) -> Store {
        Store::create(&self.folder, NewLock::KeyFile, &random(1), options).unwrap()
    }

    pub(crate) fn open(&self) -> Opened {
        open(&self.folder)
    }
}

pub(crate) fn key(folder: &Folder) -> DatabaseKey {
    folder.unlock_with_key_file().unwrap()
}

pub(crate) fn open(folder: &Folder) -> Opened {
    Store::open(folder, &key(folder), Options::default()).unwrap()
}

pub(crate) fn random(seed: u8) -> Random {
    Random { key: [seed; 48], database: [seed; 16], instance: [seed; 16], salt: [seed; 16], key_file: [seed; 32] }
}

/// A device that writes one data log.
#[derive(Clone)]
pub(crate) struct Author {
    pub(crate) secret: DeviceSecretSeed,
    pub(crate) tip: Tip,
}

#[derive(Clone, Copy)]
pub(crate) struct DeviceSecretSeed(pub(crate) [u8; 32]);

/// What a commit gives to the store.
pub(crate) type Commit = (Vec<Verified<VerifiedSegment>>, Tip);

impl Author {
    pub(crate) fn new(seed: u8) -> Self {
        let device: DeviceId = DeviceSecret::from_seed(&[seed; 32]).id();
        let name = LogName { project: PROJECT, device, kind: LogKind::Data, incarnation: StoreId([seed; 16]) };
        Self { secret: DeviceSecretSeed([seed; 32]), tip: Tip::new(name) }
    }

    pub(crate) fn name(&self) -> LogName {
        *self.tip.name()
    }

    fn key(&self) -> LogKey {
        SetKey::combine(vec![(Hash([3; 32]), &ReadingKey::from_bytes([4; 32]))]).for_log(self.tip.id())
    }

    /// Commits new documents with these contents.
    pub(crate) fn commit<C: AsRef<[u8]>>(&mut self, contents: &[C]) -> Commit {
        let start = self.tip.length();
        let drafts = contents.iter().enumerate().map(|(index, content)| {
            let first = start == 0 && index == 0;
            let declarations = if first {
                let name = b"sealed elsewhere".to_vec();
                vec![Declaration::Keys(vec![Hash([3; 32])]), Declaration::Collection { tag: TAG, name }]
            } else {
                Vec::new()
            };
            let random = (start + index as u64).to_be_bytes();
            let subject = Subject::Create { collection: 1, random };
            let body = BodyV1 { time: 1_700_000_000_000, key: 1, declarations, subject, attachments: Vec::new() };
            Draft { body, content: content.as_ref().to_vec() }
        });
        let secret = DeviceSecret::from_seed(&self.secret.0);
        let (segments, tip) = write_commit(&self.tip, &secret, Some(&self.key()), drafts.collect()).unwrap();
        self.tip = tip.clone();
        (segments, tip)
    }

    /// Commits `count` short contents that tell where they stand.
    pub(crate) fn commit_many(&mut self, count: u64) -> Commit {
        let start = self.tip.length();
        let contents: Vec<String> = (start..start + count).map(|number| format!("record {number}")).collect();
        self.commit(&contents)
    }
}

/// Takes a commit in as the device's own.
pub(crate) fn store_commit(store: &Store, commit: &Commit) -> Result<BranchRow, StoreError> {
    store.write(|write| append(write, commit))
}

pub(crate) fn append(write: &mut Write<'_>, (segments, tip): &Commit) -> Result<BranchRow, StoreError> {
    let branch = write.add_log(tip.name(), true)?;
    write.append(branch, segments, tip, &[])?;
    Ok(branch)
}

/// The length of the only log, 0 without one.
pub(crate) fn length(store: &Store) -> u64 {
    store.read(|snapshot| Ok::<_, StoreError>(length_in(snapshot))).unwrap()
}

pub(crate) fn length_in(snapshot: &Snapshot<'_>) -> u64 {
    let Some(project) = snapshot.project(PROJECT).unwrap() else { return 0 };
    snapshot.frontier(project, LogKind::Data).unwrap().first().map_or(0, |branch| branch.length)
}

pub(crate) fn collection(write: &mut Write<'_>) -> Result<(ProjectRow, CollectionRow), StoreError> {
    let project = write.add_project(PROJECT)?;
    Ok((project, write.add_collection(project, TAG, Some("places"))?))
}

pub(crate) fn document_id(number: u64) -> DocumentId {
    let mut id = [0; 16];
    id.copy_from_slice(&blake3::hash(&number.to_be_bytes()).as_bytes()[..16]);
    DocumentId(id)
}

pub(crate) fn insert(write: &mut Write<'_>, collection: CollectionRow, number: u64) -> Result<DocumentRow, StoreError> {
    let body = format!("body {number}");
    let row = write.insert_document(collection, document_id(number), 0, &[number as i64], body.as_bytes())?;
    Ok(row.expect("each number is inserted once"))
}

/// Reads, with the store's own errors.
pub(crate) fn read<T>(store: &Store, work: impl FnOnce(&Snapshot<'_>) -> Result<T, StoreError>) -> T {
    store.read(work).unwrap()
}

/// Writes, with the store's own errors.
pub(crate) fn write<T>(store: &Store, work: impl FnOnce(&mut Write<'_>) -> Result<T, StoreError>) -> T {
    store.write(work).unwrap()
}

pub(crate) fn new_lock(passphrase: &str) -> NewLock<'_> {
    NewLock::Passphrase(passphrase, QUICK)
}

/// Copies a database folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
