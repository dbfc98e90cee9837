//! Peers that mean well: they find each other, settle on one channel, part and meet again.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use ayni_net::{
    CloseReason, Link, LinkError, LinkInfo, Network, NetworkConfig, PeerState, Peers, StartError, Waker, limits,
};

use crate::fixture::{GOODBYE, NONSENSE, STRANGER, Table, start, start_at, still, until};

#[tokio::test(flavor = "multi_thread")]
async fn two_networks_find_each_other_by_discovery_and_exchange_bytes() {
    let (a, b) = (Table::greeting("from a"), Table::greeting("from b"));
    let service = format!("_ayni-t{}._udp.local.", std::process::id() % 1_000_000);
    let discovering = |seed| NetworkConfig { service: service.clone(), ..NetworkConfig::new([seed; 32]) };
    let started = Instant::now();
    let network_a = Network::start(discovering(1), Arc::new(a.clone())).await.unwrap();
    let network_b = Network::start(discovering(2), Arc::new(b.clone())).await.unwrap();
    until("both have heard", || {
        a.open().iter().any(|t| t.heard() == b"from b") && b.open().iter().any(|t| t.heard() == b"from a")
    })
    .await;
    println!("found by discovery and heard after {:?}", started.elapsed());
    assert_eq!(a.open()[0].info.peer, network_b.id());
    assert!(network_a.peers()[0].discovered);
    still("one channel", || a.all().len() == 1 && b.all().len() == 1).await;
    network_a.shutdown().await;
    until("b saw a go", || b.all()[0].closed_because() == Some(CloseReason::PeerGone)).await;
    until("b heard the farewell", || !network_b.peers().iter().any(|peer| peer.discovered)).await;
    network_b.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_dialing_at_once_settles_to_one_channel() {
    for round in 0..20 {
        let (a, b) = (Table::greeting("from a"), Table::greeting("from b"));
        let (network_a, network_b) = (start(1, &a).await, start(2, &b).await);
        network_a.dial(network_b.addresses()[0]);
        network_b.dial(network_a.addresses()[0]);
        until("both have heard", || {
            a.open().iter().any(|t| t.heard() == b"from b") && b.open().iter().any(|t| t.heard() == b"from a")
        })
        .await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!((a.all().len(), b.all().len()), (1, 1), "round {round}: no other was ever seen");
        assert_ne!(a.all()[0].info.initiator, b.all()[0].info.initiator);
        tokio::join!(network_a.shutdown(), network_b.shutdown());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_that_both_moved_meet_as_soon_as_one_learns_where_the_other_is() {
    for round in 0..4 {
        let (a, b) = (Table::greeting("from a"), Table::greeting("from b"));
        let (network_a, network_b) = (start(1, &a).await, start(2, &b).await);
        let (knows, forgets) = if round % 2 == 0 { (&network_a, &network_b) } else { (&network_b, &network_a) };
        let where_it_was = |network: &Network| {
            let mut peer = network.addresses()[0];
            peer.addr.set_port(9);
            peer
        };
        forgets.dial(where_it_was(knows));
        knows.dial(where_it_was(forgets));
        // Before the dial to where it was has begun, and after.
        tokio::time::sleep(Duration::from_millis(30 * (round / 2))).await;
        let learned = Instant::now();
        knows.dial(forgets.addresses()[0]);
        until("both have heard", || {
            a.open().iter().any(|t| t.heard() == b"from b") && b.open().iter().any(|t| t.heard() == b"from a")
        })
        .await;
        println!("met after {:?}", learned.elapsed());
        assert!(learned.elapsed() < limits::DIAL_TIMEOUT, "it waited for the end of a dial that could not succeed");
        tokio::join!(network_a.shutdown(), network_b.shutdown());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_restarts_is_reconnected_at_its_address() {
    let (a, b) = (Table::greeting("from a"), Table::greeting("from b"));
    let (network_a, network_b) = (start(1, &a).await, start(2, &b).await);
    let address = network_b.addresses()[0];
    network_a.dial(address);
    a.one().await;
    network_b.shutdown().await;
    until("a saw b go", || a.open().is_empty()).await;
    assert_eq!(a.all()[0].closed_because(), Some(CloseReason::PeerGone));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let b = Table::greeting("b again");
    let network_b = start_at(2, &b, address.addr).await;
    until("a heard b again", || a.open().iter().any(|t| t.heard() == b"b again")).await;
    tokio::join!(network_a.shutdown(), network_b.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_died_and_came_back_replaces_its_dead_channel() {
    let (a, b) = (Table::greeting("from a"), Table::greeting("from b"));
    let network_a = start(1, &a).await;
    let dying = tokio::runtime::Runtime::new().unwrap();
    let address = network_a.addresses()[0];
    let dead = dying.spawn(async move {
        let network = start(2, &b).await;
        network.dial(address);
        b.one().await;
        std::future::pending::<()>().await;
    });
    let first = a.one().await;
    // Everything stops in the middle, and nothing is said, but perhaps by what was just running that it broke off.
    dead.abort();
    std::thread::spawn(move || dying.shutdown_timeout(Duration::ZERO)).join().unwrap();
    let b = Table::greeting("b again");
    let network_b = start(2, &b).await;
    network_b.dial(address);
    until("a heard b again", || a.open().iter().any(|t| t.heard() == b"b again")).await;
    assert!(
        matches!(
            first.closed_because(),
            Some(CloseReason::Replaced | CloseReason::PeerGone | CloseReason::PeerTrouble)
        ),
        "{first:?}",
        first = first.closed_because()
    );
    tokio::join!(network_a.shutdown(), network_b.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_both_said_goodbye_the_channel_closes_and_nobody_redials() {
    let (a, b) = (Table::greeting("from a"), Table::greeting("from b"));
    let (network_a, network_b) = (start(1, &a).await, start(2, &b).await);
    network_a.dial(network_b.addresses()[0]);
    let talk = a.one().await;
    talk.say(vec![7; limits::CHUNK]);
    talk.part();
    until("both closed", || a.open().is_empty() && b.open().is_empty() && !b.all().is_empty()).await;
    assert_eq!(a.all()[0].closed_because(), Some(CloseReason::Finished));
    assert_eq!(b.all()[0].closed_because(), Some(CloseReason::Finished));
    let heard = b.all()[0].heard();
    assert_eq!(heard.len(), "from a".len() + limits::CHUNK + GOODBYE.len(), "all was delivered before the end");
    still("parted", || a.all().len() == 1).await;
    assert!(matches!(network_a.peers()[0].state, PeerState::Waiting { .. }));
    tokio::join!(network_a.shutdown(), network_b.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_with_nothing_in_common_is_left_alone_until_asked_for() {
    let (a, b) = (Table::greeting(STRANGER), Table::greeting("from b"));
    let (network_a, network_b) = (start(1, &a).await, start(2, &b).await);
    network_a.dial(network_b.addresses()[0]);
    until("the channel ended", || a.all().len() == 1 && a.open().is_empty()).await;
    assert_eq!(a.all()[0].closed_because(), Some(CloseReason::NothingInCommon));
    assert_eq!(b.all()[0].closed_because(), Some(CloseReason::NothingInCommon));
    still("left alone", || a.all().len() == 1).await;
    network_a.retry();
    until("dialed again", || a.all().len() == 2).await;
    tokio::join!(network_a.shutdown(), network_b.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_at_a_wrong_address_is_shown_waiting_and_can_be_forgotten() {
    let a = Table::greeting("from a");
    let network = start(1, &a).await;
    let other = start(2, &Table::default()).await;
    let mut peer = other.addresses()[0];
    other.shutdown().await;
    peer.addr.set_port(9);
    let mut changes = network.changes();
    network.dial(peer);
    until("the dial failed", || {
        network.peers().iter().any(|p| {
            matches!(p.state, PeerState::Waiting { .. }) && p.trouble.as_ref().is_some_and(|t| t.contains("answer"))
        })
    })
    .await;
    assert!(changes.changed().await);
    network.forget(peer.id);
    until("it is forgotten", || network.peers().is_empty()).await;
    network.shutdown().await;
    while changes.changed().await {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_can_open_no_channel_says_why_and_both_try_again_before_long() {
    let (a, b) = (Table::failing(LinkError::Local("no disk".into())), Table::greeting("from b"));
    let (network_a, network_b) = (start(1, &a).await, start(2, &b).await);
    network_a.dial(network_b.addresses()[0]);
    let waits = |network: &Network, words: &str| {
        network.peers().iter().any(|peer| match peer.state {
            PeerState::Waiting { until } => {
                peer.trouble.as_ref().is_some_and(|trouble| trouble.contains(words))
                    && until.saturating_duration_since(Instant::now()) < Duration::from_secs(60)
            }
            _ => false,
        })
    };
    until("a says why", || waits(&network_a, "no disk")).await;
    until("b was told", || b.all().first().is_some_and(|talk| talk.closed_because() == Some(CloseReason::PeerTrouble)))
        .await;
    tokio::join!(network_a.shutdown(), network_b.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_dropped_ends_as_one_that_is_shut_down() {
    let (a, b) = (Table::greeting("from a"), Table::greeting("from b"));
    let (network_a, network_b) = (start(1, &a).await, start(2, &b).await);
    network_a.dial(network_b.addresses()[0]);
    tokio::join!(a.one(), b.one());
    let mut changes = network_a.changes();
    drop(network_a);
    while changes.changed().await {}
    assert_eq!(a.all()[0].closed_because(), Some(CloseReason::Shutdown));
    until("b saw a go", || b.all()[0].closed_because() == Some(CloseReason::PeerGone)).await;
    network_b.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_use_is_said_with_what_to_do() {
    let network = start(1, &Table::default()).await;
    let mut config = NetworkConfig::new([2; 32]);
    config.discovery = false;
    config.listen = Some(network.addresses()[0].addr);
    let error = Network::start(config, Arc::new(Table::default())).await.err().unwrap();
    assert!(matches!(error, StartError::Bind { .. }));
    assert!(error.to_string().contains("choose another"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_breaks_the_protocol_ends_alone() {
    let (a, b, c) = (Table::greeting("from a"), Table::greeting("from b"), Table::greeting("from c"));
    let (network_a, network_b, network_c) = (start(1, &a).await, start(2, &b).await, start(3, &c).await);
    network_b.dial(network_a.addresses()[0]);
    network_c.dial(network_a.addresses()[0]);
    let (from_b, from_c) = (b.one().await, c.one().await);
    from_b.say(NONSENSE);
    until("b was told", || from_b.closed_because() == Some(CloseReason::Accused)).await;
    from_c.say(" and more from c");
    until("c goes on", || a.open().len() == 1 && a.open()[0].heard() == b"from c and more from c").await;
    tokio::join!(network_a.shutdown(), network_b.shutdown(), network_c.shutdown());
}

/// Sends so many bytes and counts what comes; receives nothing while `stuck`.
struct Flow {
    to_send: Mutex<usize>,
    sent: AtomicUsize,
    received: AtomicUsize,
    stuck: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

#[derive(Clone)]
struct FlowPeers(Arc<Flow>);

impl FlowPeers {
    fn new(to_send: usize) -> Self {
        Self(Arc::new(Flow {
            to_send: Mutex::new(to_send),
            sent: AtomicUsize::new(0),
            received: AtomicUsize::new(0),
            stuck: AtomicBool::new(false),
            waker: Mutex::new(None),
        }))
    }

    fn sent(&self) -> usize {
        self.0.sent.load(Ordering::SeqCst)
    }

    fn received(&self) -> usize {
        self.0.received.load(Ordering::SeqCst)
    }
}

impl Peers for FlowPeers {
    fn connected(&self, _: LinkInfo, waker: Waker) -> Result<Box<dyn Link>, LinkError> {
        *self.0.waker.lock().unwrap() = Some(waker);
        Ok(Box::new(self.clone()))
    }
}

impl Link for FlowPeers {
    fn receive(&self, bytes: &[u8]) -> Result<(), LinkError> {
        while self.0.stuck.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let before = self.0.received.fetch_add(bytes.len(), Ordering::SeqCst);
        assert!(
            bytes.iter().enumerate().all(|(i, byte)| *byte == pattern(before + i)),
            "the bytes are those that were sent"
        );
        Ok(())
    }

    fn outgoing(&self, max: usize) -> Option<Vec<u8>> {
        let mut left = self.0.to_send.lock().unwrap();
        let length = max.min(*left);
        *left -= length;
        let start = self.0.sent.fetch_add(length, Ordering::SeqCst);
        (length > 0).then(|| (start..start + length).map(pattern).collect())
    }

    fn finished(&self) -> bool {
        false
    }

    fn admitted(&self) -> bool {
        true
    }

    fn closed(&self, reason: &CloseReason) {
        println!("a flow ended: {reason}");
    }
}

fn pattern(at: usize) -> u8 {
    (at ^ (at >> 8) ^ (at >> 16)) as u8
}

async fn flow(seed: u8, peers: &FlowPeers) -> Network {
    let mut config = NetworkConfig::new([seed; 32]);
    config.discovery = false;
    config.listen = Some(([127, 0, 0, 1], 0).into());
    Network::start(config, Arc::new(peers.clone())).await.unwrap()
}

/// The most memory that this process ever held, in bytes.
fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

const FLOW: usize = 100 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_each_way_pass_in_bounded_memory() {
    let (a, b) = (FlowPeers::new(FLOW), FlowPeers::new(FLOW));
    let (network_a, network_b) = (flow(1, &a).await, flow(2, &b).await);
    let before = peak_memory();
    let started = Instant::now();
    network_a.dial(network_b.addresses()[0]);
    until("all has passed", || a.received() == FLOW && b.received() == FLOW).await;
    let took = started.elapsed();
    let grew = peak_memory() - before;
    println!(
        "both ways at once: {:.0} MB/s each way; memory grew by {} KiB",
        FLOW as f64 / 1e6 / took.as_secs_f64(),
        grew >> 10
    );
    assert!(grew < 40 << 20, "memory grew by {} MiB", grew >> 20);
    tokio::join!(network_a.shutdown(), network_b.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_one_way() {
    let (a, b) = (FlowPeers::new(FLOW), FlowPeers::new(0));
    let (network_a, network_b) = (flow(1, &a).await, flow(2, &b).await);
    let started = Instant::now();
    network_a.dial(network_b.addresses()[0]);
    until("all has passed", || b.received() == FLOW).await;
    println!("one way: {:.0} MB/s", FLOW as f64 / 1e6 / started.elapsed().as_secs_f64());
    tokio::join!(network_a.shutdown(), network_b.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_busy_holds_the_sender_back() {
    let (a, b) = (FlowPeers::new(FLOW), FlowPeers::new(0));
    b.0.stuck.store(true, Ordering::SeqCst);
    let (network_a, network_b) = (flow(1, &a).await, flow(2, &b).await);
    network_a.dial(network_b.addresses()[0]);
    until("something was sent", || a.sent() > 0).await;
    let mut before = 0;
    while before != a.sent() {
        before = a.sent();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let most = limits::RECEIVE_WINDOW as usize + limits::SEND_WINDOW as usize + 3 * limits::CHUNK;
    assert!(a.sent() <= most, "{} bytes were sent ahead", a.sent());
    b.0.stuck.store(false, Ordering::SeqCst);
    until("all has passed", || b.received() == FLOW).await;
    tokio::join!(network_a.shutdown(), network_b.shutdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_message_goes_there_and_back_at_once() {
    let (a, b) = (Table::greeting("hi"), Table::greeting("hi"));
    let (network_a, network_b) = (start(1, &a).await, start(2, &b).await);
    network_a.dial(network_b.addresses()[0]);
    let (to_b, to_a) = (a.one().await, b.one().await);
    let mut times = Vec::new();
    for n in 1..=200 {
        let started = Instant::now();
        to_b.say("x");
        while to_a.heard().len() < 2 + n {
            tokio::task::yield_now().await;
        }
        to_a.say("y");
        while to_b.heard().len() < 2 + n {
            tokio::task::yield_now().await;
        }
        times.push(started.elapsed());
    }
    times.sort();
    println!("there and back: p50 {:?}, p95 {:?}", times[100], times[190]);
    assert!(times[100] < Duration::from_millis(20));
    tokio::join!(network_a.shutdown(), network_b.shutdown());
}
