//! Which projects are in common, who may have what of them, and the order of things: summaries, control logs, then data
//! logs and receipts.

use std::collections::BTreeSet;

use ayni_log::ids::{Hash, LogId, LogKind};

use crate::action::Action;
use crate::close::{CloseCode, Reason};
use crate::frontier::{self, Mark, PeerFrontier};
use crate::limits;
use crate::message::{Hello, Message, ProjectNumber, Summary};
use crate::receipt::{self, Receipt, ReceiptKey, SignedReceipt};
use crate::replica::{Replica, Standing};
use crate::tag::{self, Tag};

use super::shared::Shared;
use super::{Offer, Peer, Session, Task};

impl Session {
    /// Names projects: gives their tags, in order, with padding if random bytes are given.
    pub(super) fn offer(&mut self, offers: Vec<Offer>, random: Option<&[u8; 32]>) -> Vec<Tag> {
        let mut tags: Vec<(Tag, Option<Offer>)> = Vec::new();
        for offer in offers.into_iter().take(limits::PROJECTS - limits::TAG_PADDING) {
            let tag = tag::project_tag(&offer.project, &self.binding, self.side);
            if !tags.iter().any(|(known, _)| *known == tag) {
                tags.push((tag, Some(offer)));
            }
        }
        if let Some(random) = random {
            let full = tags.len().max(1).next_multiple_of(limits::TAG_PADDING);
            tags.extend((tags.len()..full).map(|number| (tag::padding_tag(random, number as u64), None)));
        }
        tags.sort_unstable_by_key(|(tag, _)| *tag);
        for (_, offer) in &mut tags {
            let number = self.tags_sent;
            self.tags_sent += 1;
            let Some(Offer { project, join }) = offer.take() else { continue };
            let expected = tag::project_tag(&project, &self.binding, self.side.other());
            self.expected.insert(expected, self.projects.len());
            self.projects.push(Shared::new(project, join, number));
        }
        tags.into_iter().map(|(tag, _)| tag).collect()
    }

    pub(super) fn on_hello(&mut self, replica: &dyn Replica, hello: Hello) -> Result<(), Reason> {
        if self.peer.is_some() {
            return Err(Reason::unexpected("a second hello"));
        }
        if hello.version < limits::OLDEST_VERSION {
            let text = format!("the other device speaks version {} of sync: update Ayni there", hello.version);
            return Err(Reason::new(CloseCode::Version, text));
        }
        let refused = |_| Reason::new(CloseCode::Proof, "the device did not prove that this connection is its own");
        tag::check_transport(&hello.device, &self.peer_transport, &hello.proof).map_err(refused)?;
        if hello.device == self.device && hello.store == self.store {
            return Err(Reason::new(CloseCode::Itself, "this is the device itself"));
        }
        self.peer = Some(Peer { device: hello.device, store: hello.store });
        let shared = self.learn_tags(hello.tags)?;
        self.actions.push_back(Action::Met {
            device: hello.device,
            store: hello.store,
            shared: shared.iter().map(|index| self.projects[*index].project).collect(),
        });
        for index in shared {
            self.refresh(replica, index);
        }
        Ok(())
    }

    pub(super) fn on_tags(&mut self, replica: &dyn Replica, tags: Vec<Tag>) -> Result<(), Reason> {
        for index in self.learn_tags(tags)? {
            self.actions.push_back(Action::Shared { project: self.projects[index].project });
            self.refresh(replica, index);
        }
        Ok(())
    }

    /// The projects that are in common by these tags.
    fn learn_tags(&mut self, tags: Vec<Tag>) -> Result<Vec<usize>, Reason> {
        let mut shared = Vec::new();
        for tag in tags {
            let number = self.peer_tag_count;
            self.peer_tag_count += 1;
            if self.peer_tag_count as usize > limits::PROJECTS {
                return Err(Reason::unexpected("more projects than a session can have"));
            }
            match self.expected.get(&tag) {
                Some(index) if self.projects[*index].common => return Err(Reason::unexpected("a project named twice")),
                Some(index) => {
                    let index = *index;
                    self.share(index, number);
                    shared.push(index);
                }
                None => {
                    self.peer_tags.insert(tag, number);
                }
            }
        }
        Ok(shared)
    }

    pub(super) fn share(&mut self, index: usize, number: ProjectNumber) {
        self.projects[index].common = true;
        self.by_peer_number.insert(number, index);
    }

    /// Looks at what the other device is to the project now, and takes the next steps that this allows.
    pub(super) fn refresh(&mut self, replica: &dyn Replica, index: usize) {
        let Some(peer) = self.peer.filter(|_| self.projects[index].common && !self.ended) else { return };
        let shared = &mut self.projects[index];
        let before = shared.standing;
        let standing = replica.standing(&shared.project, &peer.device);
        shared.standing = Some(standing);
        if before != Some(standing) {
            shared.withdraw();
            if standing == Standing::Refused {
                shared.withdraw_all();
                let text = "this device is not (or no longer) admitted to the project".to_owned();
                let number = shared.number;
                return self.push(&Message::Declined { project: number, text });
            }
            self.send_summary(replica, index);
        }
        if standing != Standing::Refused {
            self.step_control(replica, index);
            self.step_rest(replica, index);
        }
        self.check_level(index);
    }

    fn send_summary(&mut self, replica: &dyn Replica, index: usize) {
        let shared = &self.projects[index];
        let control = frontier::digest(&replica.frontier(&shared.project, LogKind::Control));
        let rest = shared.admitted().then(|| {
            let data = frontier::digest(&replica.frontier(&shared.project, LogKind::Data));
            (data, receipt::digest(&replica.receipts(&shared.project)))
        });
        let project = shared.number;
        self.push(&Message::Summary { project, summary: Summary { control, rest } });
    }

    pub(super) fn on_summary(&mut self, replica: &dyn Replica, index: usize, summary: Summary) {
        let shared = &mut self.projects[index];
        shared.declined = false;
        if shared.theirs.is_some_and(|before| before.rest.is_some()) && summary.rest.is_none() {
            shared.withdraw();
        }
        shared.theirs = Some(summary);
        self.refresh(replica, index);
    }

    /// Control logs: level if the digests are, else our frontier is due.
    fn step_control(&mut self, replica: &dyn Replica, index: usize) {
        let Some(theirs) = self.projects[index].theirs else { return };
        self.step_kind(replica, index, LogKind::Control, &theirs.control);
    }

    /// Data logs and receipts, once the control logs are level.
    fn step_rest(&mut self, replica: &dyn Replica, index: usize) {
        let shared = &mut self.projects[index];
        let Some(theirs) = shared.theirs.filter(|_| shared.control.is_level()) else { return };
        let Some((data, receipts)) = theirs.rest else { return self.step_join(index) };
        if shared.told_admitted.replace(true) != Some(true) {
            self.actions.push_back(Action::Admitted { project: shared.project });
        }
        if shared.admitted() {
            self.step_kind(replica, index, LogKind::Data, &data);
            self.step_receipts(replica, index, &receipts);
        }
    }

    fn step_kind(&mut self, replica: &dyn Replica, index: usize, kind: LogKind, digest: &Hash) {
        let shared = &mut self.projects[index];
        let side = shared.side_mut(kind);
        if side.theirs.is_some() || side.frontier_sent {
            return;
        }
        let mine = replica.frontier(&shared.project, kind);
        let side = shared.side_mut(kind);
        if frontier::digest(&mine) == *digest {
            side.theirs = Some(PeerFrontier::new(mine.iter().map(|tip| (tip.log, Mark::of(tip)))));
        } else {
            side.frontier_sent = true;
            self.tasks.push_back(Task::Frontier { index, kind });
        }
    }

    fn step_receipts(&mut self, replica: &dyn Replica, index: usize, digest: &Hash) {
        let shared = &mut self.projects[index];
        if shared.receipts.theirs.is_some() || shared.receipts.list_sent {
            return;
        }
        let mine = replica.receipts(&shared.project);
        if receipt::digest(&mine) == *digest {
            shared.receipts.theirs = Some(mine.into_iter().collect());
        } else {
            shared.receipts.list_sent = true;
            self.tasks.push_back(Task::Receipts { index });
        }
    }

    /// The other side has all control entries from here and still does not see this device as admitted.
    fn step_join(&mut self, index: usize) {
        let shared = &mut self.projects[index];
        if shared.told_admitted.replace(false) != Some(false) {
            self.actions.push_back(Action::NotAdmitted { project: shared.project });
        }
        if shared.join_sent {
            return;
        }
        if let Some(request) = shared.join.clone().filter(|request| request.len() <= limits::JOIN_REQUEST_BYTES) {
            shared.join_sent = true;
            let project = shared.number;
            self.push(&Message::Join { project, request });
        }
    }

    pub(super) fn on_join(&mut self, index: usize, request: Vec<u8>) -> Result<(), Reason> {
        let shared = &mut self.projects[index];
        if shared.joins_received >= limits::JOIN_REQUESTS {
            return Err(Reason::unexpected("too many requests to join"));
        }
        shared.joins_received += 1;
        if shared.standing == Some(Standing::Unknown) {
            self.actions.push_back(Action::JoinRequest { project: shared.project, request });
        }
        Ok(())
    }

    pub(super) fn on_declined(&mut self, index: usize, text: String) {
        let shared = &mut self.projects[index];
        shared.declined = true;
        // Who declines a request to join goes on with the control logs: forgetting them here alone would leave this side
        // waiting for a frontier that does not come again.
        if !shared.join_sent {
            // It takes nothing now, not even a frontier: that is due when it sums the project up again.
            shared.theirs = None;
            shared.told_admitted = None;
            shared.withdraw_all();
        }
        self.actions.push_back(Action::Declined { project: shared.project, text });
    }

    pub(super) fn on_receipts(
        &mut self,
        replica: &dyn Replica,
        index: usize,
        last: bool,
        entries: Vec<(ReceiptKey, u64)>,
    ) -> Result<(), Reason> {
        let shared = &mut self.projects[index];
        if !shared.admitted() {
            return Ok(());
        }
        shared.receipts.incoming.extend(entries);
        if shared.receipts.incoming.len() > limits::RECEIPTS {
            return Err(Reason::unexpected("more receipts than a project can have"));
        }
        if !last {
            return Ok(());
        }
        let theirs = std::mem::take(&mut shared.receipts.incoming);
        let mine = replica.receipts(&shared.project);
        shared.receipts.theirs = Some(theirs);
        let newer = mine.into_iter().filter(|(key, counter)| shared.receipts.lacks(key, *counter));
        shared.receipts.due = newer.map(|(key, _)| key).collect();
        if !std::mem::replace(&mut shared.receipts.list_sent, true) {
            self.tasks.push_back(Task::Receipts { index });
        }
        Ok(())
    }

    pub(super) fn on_receipt(&mut self, replica: &dyn Replica, index: usize, bytes: &[u8]) -> Result<(), Reason> {
        let signed = SignedReceipt::decode(bytes)?;
        let shared = &mut self.projects[index];
        if !shared.admitted() {
            return Ok(());
        }
        if signed.project != shared.project {
            return Err(Reason::unexpected("a receipt of another project"));
        }
        if let Some(theirs) = &mut shared.receipts.theirs {
            if !theirs.contains_key(&signed.key) && theirs.len() >= limits::RECEIPTS {
                return Err(Reason::unexpected("more receipts than a project can have"));
            }
            let held = theirs.entry(signed.key).or_default();
            *held = signed.counter.max(*held);
        }
        // One that comes before both are level may not cover what comes until then: it is looked at when it is stored.
        if self.leaving
            && self.projects[index].level
            && self.is_of_peer(&signed.key)
            && let Ok(receipt) = signed.receipt()
        {
            let covered = covers(replica, &receipt);
            self.projects[index].covered_there |= covered;
        }
        self.actions.push_back(Action::StoreReceipt { project: self.projects[index].project, receipt: signed });
        Ok(())
    }

    fn is_of_peer(&self, key: &ReceiptKey) -> bool {
        self.peer.is_some_and(|peer| peer.device == key.device && peer.store == key.store)
    }

    /// Looks whether both sides' own receipts cover what is here; asked only when about to leave.
    pub(super) fn check_cover(&mut self, replica: &dyn Replica, index: usize) {
        let Some(peer) = self.peer else { return };
        let shared = &mut self.projects[index];
        if !shared.level || !std::mem::take(&mut shared.cover_due) {
            return;
        }
        let project = shared.project;
        let covered_by = |device, store| {
            let held = replica.receipt(&project, &ReceiptKey { device, store });
            let signed = held.and_then(|bytes| SignedReceipt::decode(&bytes).ok());
            let receipt = signed.and_then(|signed| signed.receipt().ok());
            receipt.is_some_and(|receipt| covers(replica, &receipt))
        };
        shared.covered_here = covered_by(self.device, self.store);
        shared.covered_there |= covered_by(peer.device, peer.store);
    }

    /// Notices when a project becomes level, or no longer is.
    pub(super) fn check_level(&mut self, index: usize) {
        let shared = &mut self.projects[index];
        let level = shared.mutual() && shared.control.is_level() && shared.data.is_level();
        if level && !shared.level {
            self.actions.push_back(Action::Level { project: shared.project });
        }
        if shared.level && !level {
            shared.uncover();
        }
        shared.level = level;
    }
}

/// Whether a receipt names all that is here.
fn covers(replica: &dyn Replica, receipt: &Receipt) -> bool {
    let heads: BTreeSet<(LogId, Hash)> = receipt.heads.iter().map(|head| (head.log, head.hash)).collect();
    [LogKind::Control, LogKind::Data].into_iter().all(|kind| {
        let frontier = replica.frontier(&receipt.project, kind);
        frontier.iter().all(|tip| heads.contains(&(tip.log.id(), tip.hash)))
    })
}
