//! A link: one conversation with another device, driven by the bytes of a channel.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ayni_log::ids::{DeviceId, ProjectId};
use ayni_sync::receipt::SignedReceipt;
use ayni_sync::tag::{Side, prove_transport};
use ayni_sync::{Action, CloseCode, Config, Ended, Offer, Progress, Reason, Session};

use crate::core::inner::Inner;
use crate::environment::random;
use crate::error::Error;
use crate::sync::queue::{Job, Waiting};
use crate::sync::replica::Held;

/// A channel to another device, as its transport describes it.
pub struct ChannelInfo {
    /// The transport id that this side has proven.
    pub own_transport: [u8; 32],
    /// The transport id that the other side has proven.
    pub peer_transport: [u8; 32],
    /// Whether this side opened the channel.
    pub initiator: bool,
    /// 32 bytes that both sides have alike and no other channel has.
    pub binding: [u8; 32],
    /// Where the other device is, in words that the network understands.
    pub address: String,
}

/// One conversation. The network feeds it what arrives and sends what it gives.
#[derive(Clone)]
pub struct Link {
    pub(crate) core: Arc<LinkCore>,
}

pub(crate) struct LinkCore {
    pub(crate) number: u64,
    pub(crate) inner: Arc<Inner>,
    pub(crate) address: String,
    session: Mutex<Session>,
    wake: Box<dyn Fn() + Send + Sync>,
    notes: Mutex<Notes>,
}

/// What is known of a conversation, for people.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) device: Option<DeviceId>,
    pub(crate) shared: Vec<ProjectId>,
    pub(crate) nothing_in_common: bool,
    /// What the other side said, or what went wrong, by project.
    pub(crate) said: Vec<(ProjectId, String)>,
    pub(crate) ended: Option<Ended>,
    leaving: bool,
    /// Projects that became level, since when on the monotonic clock: a receipt is due.
    due: Vec<(ProjectId, u64)>,
    receipted: Vec<ProjectId>,
    /// Receipts that came and are not stored yet.
    keeping: usize,
}

impl Notes {
    fn wait_with_receipt(&mut self, project: ProjectId, since: u64) {
        if !self.due.iter().any(|(due, _)| *due == project) {
            self.due.push((project, since));
        }
    }
}

/// Receipts of a conversation that wait to be stored, at most: further ones are dropped, and come again at the next meeting.
const KEEPING: usize = 1_024;

/// Receipts of live changes are gathered for so long, in milliseconds, for each [`RECEIPT_MEMBERS`] members.
const RECEIPT_DELAY: u64 = 400;

/// See [`RECEIPT_DELAY`]. Each receipt goes to everyone; so all members together sign about twenty in a second, however many
/// they are, and what that costs each of them does not grow with their number.
const RECEIPT_MEMBERS: usize = 8;

fn receipt_delay(members: usize) -> u64 {
    RECEIPT_DELAY.saturating_mul(members.div_ceil(RECEIPT_MEMBERS).max(1) as u64)
}

impl Link {
    pub(crate) fn open(
        inner: &Arc<Inner>,
        number: u64,
        info: ChannelInfo,
        wake: Box<dyn Fn() + Send + Sync>,
    ) -> Result<Self, Error> {
        let mut projects = Vec::new();
        for core in inner.cores() {
            projects.push(Offer { project: core.id, join: inner.join_request(&core)? });
        }
        let config = Config {
            side: if info.initiator { Side::Initiator } else { Side::Acceptor },
            binding: info.binding,
            peer_transport: info.peer_transport,
            device: inner.secret.id(),
            proof: prove_transport(&inner.secret, &info.own_transport),
            store: inner.incarnation,
            projects,
            random: random(&*inner.environment),
        };
        let session = Mutex::new(Session::new(config, inner.environment.monotonic()));
        let notes = Mutex::default();
        let core = LinkCore { number, inner: inner.clone(), address: info.address, session, wake, notes };
        Ok(Self { core: Arc::new(core) })
    }

    /// Bytes came, cut anywhere. Blocks as long as much of what came before waits to be stored: read no more from the channel
    /// meanwhile, so that the other side waits too.
    pub fn receive(&self, bytes: &[u8]) {
        let inner = &self.core.inner;
        self.core.with(|session| session.receive(&Held(inner), bytes, inner.environment.monotonic()));
        let peer = self.core.notes().device;
        if let Some(peer) = peer.filter(|_| inner.environment.is_parallel()) {
            inner.pool.wait_for_room(peer);
        }
    }

    /// At most `max` bytes to send now; none if there is nothing to send.
    pub fn outgoing(&self, max: usize) -> Vec<u8> {
        self.core.send(max)
    }

    /// Time has passed: to be called a few times a second.
    pub fn tick(&self) {
        let now = self.core.inner.environment.monotonic();
        let (leaving, due) = {
            let mut notes = self.core.notes();
            (notes.leaving, std::mem::take(&mut notes.due))
        };
        for (project, since) in due {
            if leaving || now.saturating_sub(since) >= receipt_delay(self.core.members(&project)) {
                self.core.inner.pool.receipt_is_coming(project);
                self.core.enqueue(Job::Receipt { project });
            } else {
                self.core.notes().wait_with_receipt(project, since);
            }
        }
        self.core.with(|session| session.tick(now));
    }

    /// Whether the conversation is over: send what [`Link::outgoing`] still gives, then close the channel.
    pub fn is_over(&self) -> bool {
        // What the other side signed when it left is part of the conversation.
        self.core.session().is_ended() && self.core.notes().keeping == 0
    }

    /// Whether the other device shares a project with this one.
    pub fn shares_a_project(&self) -> bool {
        !self.core.notes().shared.is_empty()
    }

    /// Whether it turned out that the two devices share no project.
    pub fn nothing_in_common(&self) -> bool {
        self.core.notes().nothing_in_common
    }

    /// Why the conversation ended, in words for people, unless it was by agreement.
    pub fn fault(&self) -> Option<String> {
        match &self.core.notes().ended {
            Some(Ended::Here(reason) | Ended::There(reason)) => Some(reason.text.clone()),
            _ => None,
        }
    }

    /// Leave once both sides hold the same and have each other's receipts.
    pub fn goodbye(&self) {
        self.core.leave();
    }

    /// The channel has ended: the conversation is forgotten.
    pub fn closed(&self) {
        self.core.inner.pool.forget(self.core.number);
    }
}

impl LinkCore {
    /// Changes the session, then carries out what it wants.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Session) -> T) -> T {
        let result = self.drain(change);
        (self.wake)();
        result
    }

    fn send(&self, max: usize) -> Vec<u8> {
        self.drain(|session| session.poll_send(&Held(&self.inner), max))
    }

    fn drain<T>(&self, change: impl FnOnce(&mut Session) -> T) -> T {
        let mut session = self.session();
        let result = change(&mut session);
        let actions: Vec<Action> = std::iter::from_fn(|| session.poll_action()).collect();
        drop(session);
        for action in actions {
            self.carry_out(action);
        }
        result
    }

    pub(crate) fn leave(&self) {
        self.notes().leaving = true;
        self.with(Session::goodbye);
    }

    pub(crate) fn end(&self, code: CloseCode, text: &str) {
        self.with(|session| session.close(Reason::new(code, text)));
    }

    /// Whether it is a conversation with this device that goes on.
    pub(crate) fn is_with(&self, device: DeviceId) -> bool {
        let notes = self.notes();
        notes.device == Some(device) && notes.ended.is_none()
    }

    pub(crate) fn progress(&self, project: &ProjectId) -> (Option<Progress>, bool) {
        let session = self.session();
        (session.progress(project), session.is_level(project))
    }

    pub(crate) fn note(&self, project: ProjectId, text: String) {
        let mut notes = self.notes();
        notes.said.retain(|(of, _)| *of != project);
        notes.said.push((project, text));
    }

    fn carry_out(&self, action: Action) {
        match action {
            Action::Met { device, shared, .. } => {
                self.notes().device = Some(device);
                if self.inner.pool.is_met_enough(device, self.number) {
                    return self.end(CloseCode::Busy, "the two devices talk by several other channels already");
                }
                let mut notes = self.notes();
                notes.nothing_in_common = shared.is_empty();
                notes.shared = shared;
                if !notes.nothing_in_common {
                    drop(notes);
                    self.enqueue(Job::Remember { device, address: self.address.clone() });
                }
            }
            Action::Shared { project } => {
                let mut notes = self.notes();
                notes.nothing_in_common = false;
                notes.shared.push(project);
            }
            Action::Store { segment, .. } => {
                let peer = self.notes().device;
                if let Some(peer) = peer {
                    self.enqueue(Job::Store(Waiting { link: self.number, peer, segment }));
                }
            }
            Action::StoreReceipt { project, receipt } => self.keep_receipt(project, receipt),
            Action::JoinRequest { project, request } => {
                self.enqueue(Job::Admit { project, link: self.number, request });
            }
            Action::NotAdmitted { project } => {
                self.note(project, "the other device does not know this one as a member yet".into());
            }
            // Whatever it said before, of this device or its ticket, is over.
            Action::Admitted { project } => self.notes().said.retain(|(of, _)| *of != project),
            Action::Declined { project, text } => self.note(project, text),
            Action::Level { project } => self.level(project),
            Action::Ended(ended) => self.notes().ended = Some(ended),
            _ => {}
        }
        self.inner.pool.changed();
    }

    /// The first time in a conversation a receipt goes out at once, later ones are gathered.
    fn level(&self, project: ProjectId) {
        let mut notes = self.notes();
        notes.said.retain(|(of, _)| *of != project);
        if notes.leaving || !notes.receipted.contains(&project) {
            notes.receipted.push(project);
            drop(notes);
            self.enqueue(Job::Receipt { project });
        } else {
            notes.wait_with_receipt(project, self.inner.environment.monotonic());
        }
    }

    /// This device is about to sign a receipt: it covers what is held here now, by whichever conversation it came.
    pub(crate) fn receipt_is_coming(&self, project: ProjectId) {
        self.notes().due.retain(|(due, _)| *due != project);
    }

    fn members(&self, project: &ProjectId) -> usize {
        let published = self.inner.core(project).and_then(|core| core.published(&self.inner).ok());
        published.map_or(0, |published| published.members.len())
    }

    fn keep_receipt(&self, project: ProjectId, receipt: SignedReceipt) {
        let mut notes = self.notes();
        if notes.keeping < KEEPING {
            notes.keeping += 1;
            drop(notes);
            self.enqueue(Job::Keep { project, link: self.number, receipt });
        }
    }

    /// A receipt that came by this conversation was looked at, and stored if it is new.
    pub(crate) fn receipt_kept(&self) {
        let mut notes = self.notes();
        notes.keeping = notes.keeping.saturating_sub(1);
        drop(notes);
        (self.wake)();
    }

    fn enqueue(&self, job: Job) {
        crate::sync::pool::enqueue(&self.inner, job);
    }

    pub(crate) fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use ayni_log::ids::{Signature, StoreId};
    use ayni_sync::receipt::ReceiptKey;

    use super::*;
    use crate::tests_support::{Pipe, eventually, level, team};

    #[test]
    fn no_more_receipts_wait_than_there_is_room_for() {
        let [ana, ben] = team();
        let pipe = Pipe::new(&ana.database, &ben.database);
        eventually("terms that are level", || level(&ana.database) && level(&ben.database));
        let pool = &ben.database.inner.pool;
        eventually("an idle queue", || !pool.halt());
        // From here on nobody works at it.
        let project = ben.project().id();
        let key = ReceiptKey { device: ana.database.device(), store: StoreId([7; 16]) };
        for counter in 0..3 * KEEPING as u64 {
            let receipt = SignedReceipt { project, key, counter, body: Vec::new(), signature: Signature([0; 64]) };
            pipe.links[1].core.keep_receipt(project, receipt);
        }
        assert_eq!(pipe.links[1].core.notes().keeping, KEEPING);
        pool.empty();
    }

    #[test]
    fn however_many_members_there_are_they_sign_about_twenty_receipts_in_a_second() {
        assert_eq!([0, 1, 3, 8].map(receipt_delay), [RECEIPT_DELAY; 4]);
        for members in [9, 50, 1_000] {
            let in_a_second = members as f64 * 1_000.0 / receipt_delay(members) as f64;
            assert!((10.0..=20.0).contains(&in_a_second), "{members} members sign {in_a_second} receipts");
        }
    }
}
