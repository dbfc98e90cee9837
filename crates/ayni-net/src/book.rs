//! The book of known peers: where each may be reached, and when to dial it next.
//!
//! No I/O and no clock: every method is given the time. The switchboard tells it what happened and
//! asks it whom to dial.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{CloseReason, PeerAddr, TransportId, limits};

/// A peer with a lower id is expected to dial us; we give it this long before we dial it.
const POLITE_DELAY: Duration = Duration::from_millis(150);

/// Addresses that are given within so long are dialed together, and a dial under way has so long to come to an end before it
/// is begun anew: on a LAN it has, and given up just as the peer answers it would show there as a channel that ends at once.
const GATHER_DELAY: Duration = Duration::from_millis(20);

pub(crate) struct Book {
    own: TransportId,
    peers: BTreeMap<TransportId, Page>,
    jitter: Jitter,
}

/// What the book holds of one peer.
pub(crate) struct Page {
    /// Announced by discovery.
    pub(crate) discovered: BTreeSet<SocketAddr>,
    /// Given by hand, by a ticket, or remembered by the database.
    given: BTreeSet<SocketAddr>,
    /// Where it was when last connected, if it was admitted.
    seen: Option<SocketAddr>,
    pub(crate) standing: Standing,
    /// The dial under way was begun anew, for addresses that the one before it did not try.
    begun_anew: bool,
    failures: u32,
    /// Why it was not reached the last time, or why its last channel ended.
    pub(crate) trouble: Option<String>,
}

/// What is being done about a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// To be dialed at this time.
    Waiting {
        until: Instant,
    },
    Dialing,
    Connected,
}

impl Page {
    fn new(now: Instant) -> Self {
        Self {
            discovered: BTreeSet::new(),
            given: BTreeSet::new(),
            seen: None,
            standing: Standing::Waiting { until: now },
            begun_anew: false,
            failures: 0,
            trouble: None,
        }
    }

    pub(crate) fn addresses(&self) -> BTreeSet<SocketAddr> {
        self.discovered.iter().chain(&self.given).chain(&self.seen).copied().collect()
    }

    pub(crate) fn is_given(&self) -> bool {
        !self.given.is_empty()
    }

    /// An address was learned. Who dials another, perhaps one that no longer answers, begins anew with this one too; once in
    /// each dial, so that nobody who announces ever new ones keeps it from coming to an end.
    fn learned(&mut self, at: Instant) {
        if self.standing == Standing::Dialing && !self.begun_anew {
            self.begun_anew = true;
            self.standing = Standing::Waiting { until: at };
        }
    }

    /// Brings the next dial forward to `at`, with the back-off begun anew.
    fn hurry(&mut self, at: Instant) {
        self.failures = 0;
        if let Standing::Waiting { until } = &mut self.standing {
            *until = (*until).min(at);
        }
    }
}

impl Book {
    pub(crate) fn new(own: TransportId, seed: u64) -> Self {
        Self { own, peers: BTreeMap::new(), jitter: Jitter(seed) }
    }

    pub(crate) fn pages(&self) -> impl Iterator<Item = (&TransportId, &Page)> {
        self.peers.iter()
    }

    pub(crate) fn page(&self, id: &TransportId) -> Option<&Page> {
        self.peers.get(id)
    }

    /// Discovery announces a peer. Announced anew, or elsewhere, it is dialed at once.
    pub(crate) fn found(&mut self, id: TransportId, addrs: BTreeSet<SocketAddr>, now: Instant) {
        if id == self.own || (!self.peers.contains_key(&id) && !self.make_room()) {
            return;
        }
        let addrs: BTreeSet<_> = addrs.into_iter().take(limits::MAX_ADDRESSES).collect();
        let at = if id < self.own { after(now, POLITE_DELAY) } else { now };
        let page = self.peers.entry(id).or_insert_with(|| Page::new(at));
        let is_news = addrs.iter().any(|addr| !page.discovered.contains(addr));
        let untried = !addrs.is_subset(&page.addresses());
        page.discovered = addrs;
        if is_news {
            page.hurry(at);
        }
        if untried {
            page.learned(at.max(after(now, GATHER_DELAY)));
        }
    }

    /// Discovery no longer announces a peer.
    pub(crate) fn lost(&mut self, id: &TransportId) {
        if let Some(page) = self.peers.get_mut(id) {
            page.discovered.clear();
        }
        self.drop_if_unreachable(id);
    }

    /// An address from a person, a ticket or the database: dialed at once, and again until forgotten.
    pub(crate) fn given(&mut self, peer: PeerAddr, now: Instant) {
        if peer.id == self.own {
            return;
        }
        let at = after(now, GATHER_DELAY);
        let page = self.peers.entry(peer.id).or_insert_with(|| Page::new(at));
        let untried = !page.addresses().contains(&peer.addr);
        while page.given.len() >= limits::MAX_ADDRESSES {
            page.given.pop_first();
        }
        page.given.insert(peer.addr);
        page.hurry(at);
        if untried {
            page.learned(at);
        }
    }

    /// Nothing is known of this peer any more, until it is announced or given again.
    pub(crate) fn forget(&mut self, id: &TransportId) {
        self.peers.remove(id);
    }

    /// Everyone is dialed at once: we may have something in common with others than before.
    pub(crate) fn retry(&mut self, now: Instant) {
        self.peers.values_mut().for_each(|page| page.hurry(now));
    }

    /// Those whose time has come, at most `most`. They are now being dialed; a dial that is under way already is to be given up.
    pub(crate) fn due(&mut self, now: Instant, most: usize) -> Vec<(TransportId, BTreeSet<SocketAddr>)> {
        let mut due: Vec<_> = self
            .peers
            .iter()
            .filter_map(|(id, page)| match &page.standing {
                Standing::Waiting { until } if *until <= now && !page.addresses().is_empty() => Some((*until, *id)),
                _ => None,
            })
            .collect();
        due.sort_unstable();
        due.truncate(most);
        due.into_iter()
            .filter_map(|(_, id)| {
                let page = self.peers.get_mut(&id)?;
                page.standing = Standing::Dialing;
                Some((id, page.addresses()))
            })
            .collect()
    }

    /// When the next dial is due, if any is.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.peers
            .values()
            .filter_map(|page| match &page.standing {
                Standing::Waiting { until } if !page.addresses().is_empty() => Some(*until),
                _ => None,
            })
            .min()
    }

    /// A dial came to nothing.
    pub(crate) fn unreached(&mut self, id: &TransportId, reason: &CloseReason, now: Instant) {
        let wait = self.wait_after(id, reason);
        let Some(page) = self.peers.get_mut(id) else {
            return;
        };
        if page.standing == Standing::Connected {
            return;
        }
        let is_to_begin_anew = std::mem::take(&mut page.begun_anew);
        page.failures = page.failures.saturating_add(1);
        page.trouble = Some(match reason {
            CloseReason::Lost(what) => what.clone(),
            other => other.to_string(),
        });
        let until = after(now, wait);
        // One that was about to begin anew, with addresses that this dial did not try, still does.
        page.standing = match page.standing {
            Standing::Waiting { until: anew } if is_to_begin_anew => Standing::Waiting { until: anew.min(until) },
            _ => Standing::Waiting { until },
        };
        if page.failures >= limits::GIVE_UP_AFTER {
            page.seen = None;
        }
        self.drop_if_unreachable(id);
    }

    /// A channel to this peer stands.
    pub(crate) fn connected(&mut self, id: TransportId, now: Instant) {
        let page = self.peers.entry(id).or_insert_with(|| Page::new(now));
        page.standing = Standing::Connected;
        page.begun_anew = false;
        page.trouble = None;
    }

    /// The channel to this peer ended. `seen` is its address, if it was admitted and may be dialed there.
    pub(crate) fn disconnected(
        &mut self,
        id: &TransportId,
        reason: &CloseReason,
        seen: Option<SocketAddr>,
        now: Instant,
    ) {
        if let Some(page) = self.peers.get_mut(id) {
            page.failures = 0;
            page.seen = seen;
        }
        let wait = self.wait_after(id, reason);
        if let Some(page) = self.peers.get_mut(id) {
            page.trouble = Some(reason.to_string());
            page.standing = Standing::Waiting { until: after(now, wait) };
        }
        self.drop_if_unreachable(id);
    }

    fn wait_after(&mut self, id: &TransportId, reason: &CloseReason) -> Duration {
        let failures = self.peers.get(id).map_or(0, |page| page.failures);
        let wait = match reason {
            CloseReason::NothingInCommon => limits::NOTHING_IN_COMMON_WAIT,
            CloseReason::Finished => limits::PARTED_WAIT,
            // It had got as far as a channel, so waiting longer each time would have to be counted elsewhere.
            CloseReason::Local(_) | CloseReason::PeerTrouble => limits::BACKOFF_MAX,
            CloseReason::Protocol(_) | CloseReason::Accused | CloseReason::Busy => limits::TROUBLE_WAIT,
            _ => limits::BACKOFF_FIRST
                .saturating_mul(1_u32.checked_shl(failures.min(16)).unwrap_or(u32::MAX))
                .min(limits::BACKOFF_MAX),
        };
        self.jitter.spread(wait)
    }

    fn drop_if_unreachable(&mut self, id: &TransportId) {
        let is_idle = |page: &Page| matches!(page.standing, Standing::Waiting { .. }) && page.addresses().is_empty();
        if self.peers.get(id).is_some_and(is_idle) {
            self.peers.remove(id);
        }
    }

    /// Room for one more discovered peer: if need be, the one that failed most often makes it.
    fn make_room(&mut self) -> bool {
        let discovered = |page: &Page| !page.is_given() && page.standing != Standing::Connected;
        if self.peers.values().filter(|page| discovered(page)).count() < limits::MAX_DISCOVERED {
            return true;
        }
        let worst = self
            .peers
            .iter()
            .filter(|(_, page)| discovered(page) && page.standing != Standing::Dialing && page.failures > 0)
            .max_by_key(|(_, page)| page.failures)
            .map(|(id, _)| *id);
        worst.is_some_and(|id| self.peers.remove(&id).is_some())
    }
}

/// A time later than `now`, or `now` where the clock cannot express it.
fn after(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait).unwrap_or(now)
}

/// Spreads waits so that devices which failed together do not dial together again (SplitMix64).
struct Jitter(u64);

impl Jitter {
    /// Between three quarters of the wait and five quarters of it.
    fn spread(&mut self, wait: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let share = ((z ^ (z >> 31)) >> 40) as f64 / (1_u64 << 24) as f64;
        wait.mul_f64(0.75 + share / 2.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    use super::*;

    const OWN: TransportId = TransportId([5; 32]);
    const LOWER: TransportId = TransportId([1; 32]);
    const HIGHER: TransportId = TransportId([9; 32]);

    fn addrs(port: u16) -> BTreeSet<SocketAddr> {
        [SocketAddr::from(([10, 0, 0, 1], port))].into()
    }

    fn lost() -> CloseReason {
        CloseReason::Lost("timed out".into())
    }

    /// How long until the peer is dialed again after each of `n` failures.
    fn waits(book: &mut Book, id: TransportId, n: usize, mut now: Instant) -> Vec<Duration> {
        (0..n)
            .map(|_| {
                assert_eq!(book.due(now, 9).len(), 1);
                book.unreached(&id, &lost(), now);
                let wait = book.next_due().unwrap() - now;
                now += wait;
                wait
            })
            .collect()
    }

    #[test]
    fn a_found_peer_is_dialed_at_once_and_a_lower_one_gets_to_dial_first() {
        let (mut book, now) = (Book::new(OWN, 1), Instant::now());
        book.found(HIGHER, addrs(1), now);
        book.found(LOWER, addrs(2), now);
        book.found(OWN, addrs(3), now);
        assert_eq!(book.due(now, 9), [(HIGHER, addrs(1))]);
        assert_eq!(book.due(now + POLITE_DELAY, 9), [(LOWER, addrs(2))]);
        assert_eq!(book.next_due(), None);
    }

    #[test]
    fn an_address_learned_during_a_dial_is_dialed_at_once_but_only_once() {
        for by_hand in [true, false] {
            let (mut book, now) = (Book::new(OWN, 1), Instant::now());
            let learn = |book: &mut Book, port| match by_hand {
                true => book.given(PeerAddr { id: HIGHER, addr: ([10, 0, 0, 1], port).into() }, now),
                false => book.found(HIGHER, addrs(port), now),
            };
            // Where it was the last time, and is no more.
            book.given(PeerAddr { id: HIGHER, addr: ([10, 0, 0, 1], 1).into() }, now);
            let soon = now + GATHER_DELAY;
            assert_eq!(book.due(now, 9), [], "others may be given too");
            assert_eq!(book.due(soon, 9), [(HIGHER, addrs(1))]);
            learn(&mut book, 1);
            assert_eq!(book.due(soon, 9), [], "it is being dialed there");
            learn(&mut book, 2);
            assert_eq!(book.due(soon, 9), [(HIGHER, &addrs(1) | &addrs(2))]);
            learn(&mut book, 3);
            assert_eq!(book.due(soon, 9), [], "a dial comes to its end");
            book.unreached(&HIGHER, &lost(), now);
            let again = book.next_due().unwrap();
            assert!(book.due(again, 9)[0].1.contains(&([10, 0, 0, 1], 3).into()));
            learn(&mut book, 4);
            assert_eq!(book.due(soon, 9).len(), 1, "so it is for each dial");
        }
    }

    #[test]
    fn a_dial_has_a_moment_to_come_to_an_end_before_it_is_begun_anew() {
        let (mut book, now) = (Book::new(OWN, 1), Instant::now());
        book.found(HIGHER, addrs(1), now);
        assert_eq!(book.due(now, 9), [(HIGHER, addrs(1))]);
        book.found(HIGHER, &addrs(1) | &addrs(2), now);
        assert_eq!(book.due(now, 9), [], "announcements come in pieces");
        book.unreached(&HIGHER, &lost(), now);
        assert_eq!(book.due(now + GATHER_DELAY, 9), [(HIGHER, &addrs(1) | &addrs(2))], "its failure delays nothing");
        book.connected(HIGHER, now);
        assert_eq!(book.next_due(), None);
    }

    #[test]
    fn waits_grow_to_a_cap_and_begin_anew_when_announced_anew() {
        let (mut book, now) = (Book::new(OWN, 1), Instant::now());
        book.found(HIGHER, addrs(1), now);
        let waits = waits(&mut book, HIGHER, 10, now);
        assert!(waits[0] < Duration::from_secs(2), "{waits:?}");
        assert!(waits[9] > Duration::from_secs(20) && waits[9] <= limits::BACKOFF_MAX.mul_f64(1.25), "{waits:?}");
        book.found(HIGHER, addrs(1), now);
        assert!(book.next_due().unwrap() > now, "the same announcement again is no news");
        book.found(HIGHER, addrs(2), now);
        assert_eq!(book.next_due(), Some(now));
    }

    #[test]
    fn a_peer_with_nothing_in_common_is_left_alone_until_asked_for() {
        let (mut book, now) = (Book::new(OWN, 1), Instant::now());
        book.found(HIGHER, addrs(1), now);
        book.due(now, 9);
        book.connected(HIGHER, now);
        book.disconnected(&HIGHER, &CloseReason::NothingInCommon, None, now);
        assert!(book.due(now + Duration::from_secs(300), 9).is_empty());
        book.given(PeerAddr { id: HIGHER, addr: addrs(7).first().copied().unwrap() }, now);
        assert_eq!(book.due(now + GATHER_DELAY, 9).len(), 1);
    }

    #[test]
    fn trouble_that_may_pass_is_tried_again_soon_but_not_at_once() {
        for reason in [CloseReason::Local("no disk".into()), CloseReason::PeerTrouble] {
            let (mut book, now) = (Book::new(OWN, 1), Instant::now());
            book.found(HIGHER, addrs(1), now);
            book.due(now, 9);
            book.connected(HIGHER, now);
            book.disconnected(&HIGHER, &reason, None, now);
            let wait = book.next_due().unwrap() - now;
            assert!((Duration::from_secs(10)..Duration::from_secs(60)).contains(&wait), "{reason}: {wait:?}");
        }
    }

    #[test]
    fn a_peer_that_is_neither_announced_nor_given_is_dropped_in_the_end() {
        let (mut book, mut now) = (Book::new(OWN, 1), Instant::now());
        book.connected(HIGHER, now);
        book.disconnected(&HIGHER, &lost(), addrs(1).first().copied(), now);
        for _ in 0..limits::GIVE_UP_AFTER {
            now = book.next_due().unwrap();
            book.due(now, 1);
            book.unreached(&HIGHER, &lost(), now);
        }
        assert_eq!(book.pages().count(), 0);
    }

    #[test]
    fn a_flood_of_announcements_is_bounded_and_spares_what_was_given() {
        let (mut book, now) = (Book::new(OWN, 1), Instant::now());
        book.given(PeerAddr { id: HIGHER, addr: addrs(7).first().copied().unwrap() }, now);
        for i in 0..10_000_u16 {
            let mut id = [0; 32];
            id[..2].copy_from_slice(&i.to_be_bytes());
            book.found(TransportId(id), addrs(i), now);
        }
        assert!(book.pages().count() <= limits::MAX_DISCOVERED + 1);
        assert!(book.page(&HIGHER).is_some());
    }
}
