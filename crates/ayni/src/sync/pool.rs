//! The pool: all conversations of this device, and the queue of what they want stored.
//!
//! Conversations only read; whatever is to be written goes through one [queue](crate::sync::queue), whose worker stores what has
//! gathered in one transaction: the busier the device, the larger the transactions, unless somebody waits.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ayni_log::ids::{DeviceId, ProjectId};
use ayni_log::membership::{ControlBody, JoinRequest, Role, admit, grant};
use ayni_log::segment::Segment;
use ayni_store::BranchRow;
use ayni_sync::receipt::ReceiptKey;
use ayni_sync::{Arrived, CloseCode, Offer, Progress, Refusal};

use crate::core::documents::Documents;
use crate::core::handling::handle_due;
use crate::core::indexing::continue_index;
use crate::core::ingest::{Incoming, ingest};
use crate::core::inner::Inner;
use crate::core::project::ProjectCore;
use crate::database::Database;
use crate::environment::random;
use crate::error::Error;
use crate::sync::link::{ChannelInfo, Link, LinkCore};
use crate::sync::queue::{Job, Queue, Waiting, Work};
use crate::sync::receipts;
use crate::sync::replica::{Held, branch_id};

/// Conversations with one device that are taken: it may be reached in several ways, and a copy of its folder may be used too.
const CONVERSATIONS_OF_ONE_DEVICE: usize = 4;

/// A device is not read from for so long at the most, where no room is made in the queue.
const ROOM_TIME: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Default)]
pub(crate) struct Pool {
    links: Mutex<BTreeMap<u64, Arc<LinkCore>>>,
    next: AtomicU64,
    queue: Mutex<Queue>,
    /// Told whenever there may be room in the queue again.
    room: Condvar,
    pub(crate) workers: Workers,
    changes: (Mutex<u64>, Condvar),
}

/// The workers of a queue that have not ended: one, and perhaps one that is just ending.
#[derive(Default)]
pub(crate) struct Workers(Arc<(Mutex<usize>, Condvar)>);

/// One of them, until it is dropped.
struct Worker(Workers);

impl Workers {
    fn begin(&self) -> Worker {
        *self.count() += 1;
        Worker(Self(self.0.clone()))
    }

    /// Waits until all have ended.
    pub(crate) fn wait(&self) {
        drop(self.0.1.wait_while(self.count(), |count| *count > 0));
    }

    fn count(&self) -> MutexGuard<'_, usize> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        *self.0.count() -= 1;
        self.0.0.1.notify_all();
    }
}

/// A device that is being talked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus {
    /// The device, once it has proven who it is.
    pub device: Option<DeviceId>,
    /// Its name in a project that both are in.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// The projects in common.
    pub projects: Vec<PeerProject>,
    /// Why the conversation ended, if it did.
    pub fault: Option<String>,
}

/// How far a project is with a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerProject {
    /// The project.
    pub project: ProjectId,
    /// Entries and bytes done and to do, both ways.
    pub progress: Progress,
    /// Whether both sides hold the same.
    pub level: bool,
    /// What the other side said of it, such as why a request to join was declined.
    pub said: Option<String>,
}

/// All conversations of a database with other devices.
pub struct PoolHandle {
    database: Database,
}

impl PoolHandle {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Begins a conversation over a channel. `wake` is called whenever there may be something to send, or it is over; it
    /// must not block.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn connect(&self, info: ChannelInfo, wake: impl Fn() + Send + Sync + 'static) -> Result<Link, Error> {
        let pool = &self.database.inner.pool;
        let number = pool.next.fetch_add(1, Ordering::Relaxed);
        let link = Link::open(&self.database.inner, number, info, Box::new(wake))?;
        pool.links().insert(number, link.core.clone());
        pool.changed();
        Ok(link)
    }

    /// Everyone who is being talked to now.
    pub fn peers(&self) -> Vec<PeerStatus> {
        let links: Vec<_> = self.database.inner.pool.links().values().cloned().collect();
        links.iter().map(|link| self.status(link)).collect()
    }

    fn status(&self, link: &LinkCore) -> PeerStatus {
        let (device, shared, said, fault) = {
            let notes = link.notes();
            let fault = match &notes.ended {
                Some(ayni_sync::Ended::Here(reason) | ayni_sync::Ended::There(reason)) => Some(reason.text.clone()),
                _ => None,
            };
            (notes.device, notes.shared.clone(), notes.said.clone(), fault)
        };
        let inner = &self.database.inner;
        let mut name = String::new();
        let mut projects = Vec::new();
        for project in shared {
            let published = inner.core(&project).and_then(|core| core.published(inner).ok());
            if let (Some(published), Some(device)) = (published, device)
                && let Some(known) = published.names.get(&device)
            {
                name.clone_from(known);
            }
            let (progress, level) = link.progress(&project);
            let said = said.iter().find(|(of, _)| *of == project).map(|(_, said)| said.clone());
            projects.push(PeerProject { project, progress: progress.unwrap_or_default(), level, said });
        }
        PeerStatus { device, name, address: link.address.clone(), projects, fault }
    }

    /// Leaves every conversation once both sides hold the same and have each other's receipts.
    pub fn goodbye(&self) {
        for link in self.database.inner.pool.all() {
            link.leave();
        }
    }

    /// Ends every conversation now. What was stored stays; the next ones go on from there.
    pub fn cancel(&self) {
        for link in self.database.inner.pool.all() {
            link.end(CloseCode::Shutdown, "the program stops");
        }
    }

    /// A number that grows with every change of any conversation.
    pub fn revision(&self) -> u64 {
        *self.database.inner.pool.changes.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the revision is beyond `seen`, at most so long; gives the revision then.
    pub fn wait(&self, seen: u64, at_most: Duration) -> u64 {
        let (revision, changed) = &self.database.inner.pool.changes;
        let revision = revision.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(revision, at_most, |revision| *revision <= seen);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Pool {
    pub(crate) fn changed(&self) {
        *self.changes.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changes.1.notify_all();
    }

    /// Branches of a project have grown: everyone who is connected learns of it.
    pub(crate) fn advanced(&self, inner: &Inner, project: ProjectId, grown: &[BranchRow]) {
        if grown.is_empty() {
            return;
        }
        let branches: Vec<_> = grown.iter().map(|row| branch_id(*row)).collect();
        let now = inner.environment.monotonic();
        for link in self.all() {
            link.with(|session| session.advanced(&Held(inner), &project, &branches, now));
        }
        self.changed();
    }

    /// A project is new on this device: conversations under way learn of it.
    pub(crate) fn offer(&self, inner: &Inner, project: ProjectId) {
        let Some(core) = inner.core(&project) else { return };
        let join = inner.join_request(&core).ok().flatten();
        for link in self.all() {
            let offer = Offer { project, join: join.clone() };
            link.with(|session| session.add_project(&Held(inner), offer));
        }
    }

    pub(crate) fn forget(&self, number: u64) {
        self.links().remove(&number);
        self.changed();
    }

    fn receipts_changed(&self, project: ProjectId, keys: &[ReceiptKey]) {
        if keys.is_empty() {
            return;
        }
        for link in self.all() {
            link.with(|session| session.receipts_changed(&project, keys));
        }
        self.changed();
    }

    /// A receipt of this device is about to be signed: what others of its conversations wait for is covered by it.
    pub(crate) fn receipt_is_coming(&self, project: ProjectId) {
        self.all().iter().for_each(|link| link.receipt_is_coming(project));
    }

    /// Whether a device has as many other conversations as it may have.
    pub(crate) fn is_met_enough(&self, device: DeviceId, number: u64) -> bool {
        let others = self.all().into_iter().filter(|link| link.number != number);
        others.filter(|link| link.is_with(device)).count() >= CONVERSATIONS_OF_ONE_DEVICE
    }

    /// Blocks as long as so much of a device waits to be stored that no more should be read from it.
    pub(crate) fn wait_for_room(&self, peer: DeviceId) {
        let waited = self.room.wait_timeout_while(self.queue(), ROOM_TIME, |queue| !queue.has_room(peer));
        drop(waited);
    }

    fn get(&self, number: u64) -> Option<Arc<LinkCore>> {
        self.links().get(&number).cloned()
    }

    fn all(&self) -> Vec<Arc<LinkCore>> {
        self.links().values().cloned().collect()
    }

    fn links(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<LinkCore>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds a job to the queue; its worker is started if it does not run.
pub(crate) fn enqueue(inner: &Arc<Inner>, job: Job) {
    let mut queue = inner.pool.queue();
    queue.push(job);
    if !std::mem::replace(&mut queue.working, true) {
        let (worker, inner) = (inner.pool.workers.begin(), inner.clone());
        inner.environment.clone().spawn(Box::new(move || {
            work(&inner);
            // Before it is said that the worker has ended: who waits for that closes the database.
            drop(inner);
            drop(worker);
        }));
    }
}

/// Looks what is due for conflict handlers, soon: a schema may be new, or another process may have written without having them.
pub(crate) fn look_for_due(inner: &Arc<Inner>, project: ProjectId) {
    let looks = inner.pool.queue().looks_for_due(project);
    if !looks {
        enqueue(inner, Job::Handle { project, rows: Vec::new() });
    }
}

/// Does what is in the queue, until it is empty.
fn work(inner: &Inner) {
    loop {
        let work = {
            let mut queue = inner.pool.queue();
            let work = queue.next();
            queue.working = work.is_some();
            work
        };
        inner.pool.room.notify_all();
        let Some(work) = work else { return };
        // The queue goes on whatever one job meets with.
        let outcome = guarded(|| perform(inner, work));
        if let Err(error) = outcome {
            tracing::warn!(%error, "a job of sync failed");
        }
    }
}

fn perform(inner: &Inner, work: Work) -> Result<(), Error> {
    match work {
        Work::Segments(project, segments) => {
            store(inner, project, segments);
            Ok(())
        }
        Work::Receipts(project, receipts) => {
            let (links, receipts): (Vec<u64>, Vec<_>) = receipts.into_iter().unzip();
            let kept = with_core(inner, project, |core| {
                inner.pool.receipts_changed(project, &receipts::keep(inner, core, &receipts)?);
                Ok(())
            });
            links.into_iter().filter_map(|link| inner.pool.get(link)).for_each(|link| link.receipt_kept());
            kept
        }
        Work::Other(Job::Receipt { project }) => with_core(inner, project, |core| {
            let signed = receipts::sign_own(inner, core)?;
            inner.pool.receipts_changed(project, signed.as_slice());
            Ok(())
        }),
        Work::Other(Job::Admit { project, link, request }) => {
            with_core(inner, project, |core| answer_request(inner, core, link, &request))
        }
        Work::Other(Job::Index { project }) => with_core(inner, project, |core| {
            if !inner.is_closing() && core.write(inner, continue_index)? {
                inner.pool.queue().push(Job::Index { project });
            }
            Ok(())
        }),
        Work::Other(Job::Handle { project, rows }) => with_core(inner, project, |core| {
            if !inner.is_closing() {
                let rows = handle_due(inner, core, rows)?;
                if !rows.is_empty() {
                    inner.pool.queue().push(Job::Handle { project, rows });
                }
            }
            Ok(())
        }),
        Work::Other(Job::Remember { device, address }) => remember(inner, device, &address),
        Work::Other(Job::Store(_) | Job::Keep { .. }) => unreachable!("the queue gives those together with others"),
    }
}

/// Takes a panic, which only a defect of this program can cause, for an error: nothing of what was begun is stored then.
fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Error::Defect("taking in what another device sent")))
}

fn with_core(
    inner: &Inner,
    project: ProjectId,
    work: impl FnOnce(&ProjectCore) -> Result<(), Error>,
) -> Result<(), Error> {
    inner.core(&project).map_or(Ok(()), |core| work(&core))
}

/// Stores segments in one transaction and tells the conversations they came by.
fn store(inner: &Inner, project: ProjectId, batch: Vec<Waiting>) {
    let Some(core) = inner.core(&project) else { return };
    let segments = batch.iter().map(|waiting| decode(&waiting.segment, project));
    let (mut began, mut awaited) = (0, false);
    let result = guarded(|| {
        core.write(inner, |tx, state| {
            began = inner.environment.monotonic();
            let ingested = ingest(tx, state, &inner.author(), segments);
            awaited = core.is_awaited();
            ingested
        })
    });
    inner.pool.queue().took(inner.environment.monotonic().saturating_sub(began), awaited);
    match result {
        Ok(ingested) => {
            tracing::debug!(%project, segments = ingested.answers.len(), "stored what other devices sent");
            if let Some(why) = &ingested.invalid {
                tracing::warn!(why, "refused a segment");
            }
            if ingested.begins_index {
                inner.pool.queue().push(Job::Index { project });
            }
            if ingested.membership_changed {
                inner.pool.queue().push(Job::Handle { project, rows: Vec::new() });
            }
            for (waiting, answer) in batch.iter().zip(ingested.answers) {
                let Some(link) = inner.pool.get(waiting.link) else { continue };
                link.with(|session| match answer {
                    Ok(()) => session.stored(&Held(inner), waiting.segment.token),
                    Err(refusal) => session.refused(waiting.segment.token, refusal),
                });
            }
        }
        Err(error) if batch.iter().any(|waiting| waiting.link != batch[0].link) => {
            tracing::warn!(%error, "could not store what other devices sent: trying each by itself");
            let mut by_link: BTreeMap<u64, Vec<Waiting>> = BTreeMap::new();
            for waiting in batch {
                by_link.entry(waiting.link).or_default().push(waiting);
            }
            by_link.into_values().for_each(|batch| store(inner, project, batch));
        }
        Err(error) => {
            tracing::warn!(%error, "could not store what another device sent");
            for waiting in batch {
                let Some(link) = inner.pool.get(waiting.link) else { continue };
                link.with(|session| session.refused(waiting.segment.token, Refusal::Unwanted));
                link.end(CloseCode::Storage, "this device cannot store what it is sent");
                // Last, so that nothing that the conversation still does takes it back.
                link.note(project, error.to_string());
            }
        }
    }
}

/// The segment in a frame, if it is the one that the frame says.
fn decode(arrived: &Arrived, project: ProjectId) -> Result<Incoming, String> {
    let segment = Segment::decode(&arrived.bytes, project).map_err(|error| error.to_string())?;
    let end = segment.start.saturating_add(segment.entries.len() as u64);
    match segment.log == arrived.log && segment.start == arrived.start && end == arrived.length {
        true => Ok(Incoming { segment, previous: arrived.previous, last: arrived.hash }),
        false => Err("a segment that is not the one it was announced as".into()),
    }
}

/// Admits a device that asks to join by a ticket, if this device is a coordinator's.
fn answer_request(inner: &Inner, core: &ProjectCore, link: u64, request: &[u8]) -> Result<(), Error> {
    let Ok(request) = JoinRequest::decode(request) else { return Ok(()) };
    let published = core.published(inner)?;
    if published.role_of(inner.secret.id()) != Some(Role::Coordinator) {
        return Ok(());
    }
    let now = inner.environment.now();
    let seed = random(&*inner.environment);
    let declined = core.write(inner, |tx, state| {
        let invite = match state.view.check_request(&request, now) {
            Ok(invite) => invite,
            Err(error) => return Ok(Some(error.to_string())),
        };
        let naming = state.ring.naming_key().ok_or(Error::NoKeys)?;
        let failed = |error: &dyn std::fmt::Display| Error::Membership(error.to_string());
        let admission = admit(&request, &invite, naming).map_err(|error| failed(&error))?;
        let keys = grant(&state.ring, request.device, &request.exchange, invite.body.role, &seed)
            .map_err(|error| failed(&error))?;
        let mut documents = Documents::default();
        let bodies = vec![ControlBody::Admit(admission), ControlBody::Grant(keys)];
        inner.author().write_control(tx, state, &mut documents, bodies)?;
        documents.flush(tx, state)?;
        state.save(tx)?;
        Ok(None)
    })?;
    if let (Some(text), Some(link)) = (declined, inner.pool.get(link)) {
        link.with(|session| session.decline(&core.id, &text));
    }
    Ok(())
}

fn remember(inner: &Inner, device: DeviceId, address: &str) -> Result<(), Error> {
    let known = inner.store.read(|snapshot| snapshot.addresses())?;
    match known.iter().any(|(of, known, _)| *of == device && known == address) {
        true => Ok(()),
        false => inner.remember_address(device, address),
    }
}

/// The queue held still, so that what gathers in it can be looked at.
#[cfg(test)]
impl Pool {
    /// Keeps the worker from beginning; gives whether it is at work already.
    pub(in crate::sync) fn halt(&self) -> bool {
        std::mem::replace(&mut self.queue().working, true)
    }

    /// Throws away what waits, and lets the worker begin again.
    pub(in crate::sync) fn empty(&self) {
        while self.queue().next().is_some() {}
        self.queue().working = false;
        self.room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::sync::queue::tests::mebibyte;
    use crate::tests_support::{Pipe, eventually, level, team};

    #[test]
    fn a_device_of_which_much_waits_is_not_read_from_until_some_of_it_is_stored() {
        let [ana, ben] = team();
        let pipe = Pipe::new(&ana.database, &ben.database);
        eventually("terms that are level", || level(&ana.database) && level(&ben.database));
        let pool = &ben.database.inner.pool;
        eventually("an idle queue", || !pool.halt());
        // From here on nobody works at it, as if what is under way took long.
        (0..20).for_each(|_| pool.queue().push(mebibyte(ana.database.device())));
        let link = pipe.links[1].clone();
        let reading = std::thread::spawn(move || link.receive(&[]));
        std::thread::sleep(Duration::from_millis(200));
        assert!(!reading.is_finished(), "it goes on reading");

        pool.empty();
        eventually("reading on", || reading.is_finished());
    }
}
