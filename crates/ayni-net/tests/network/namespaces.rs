//! Hosts on a LAN without a default route: real processes in network namespaces.
//!
//! The hosts are this test binary run again, in the namespace, with [`host`] as its only test.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use ayni_net::{Network, NetworkConfig};

use crate::{
    fixture::Table,
    lan::{Addressing, Host, Lan, Left},
};

const SEED: &str = "AYNI_TEST_HOST_SEED";

/// What runs on a host: a network that greets everyone, and says whom it has heard and where it listens.
///
/// Of itself it is no test: it does nothing, unless a test of this file has started it on a host.
#[tokio::test(flavor = "multi_thread")]
async fn host() {
    let Ok(seed) = std::env::var(SEED) else {
        return;
    };
    // With RUST_LOG the hosts tell what they do, on stderr.
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let seed: u8 = seed.parse().expect("a number");
    let table = Table::greeting(format!("greetings from {seed}"));
    let network = Network::start(NetworkConfig::new([seed; 32]), Arc::new(table.clone())).await.unwrap();
    println!("\nHOST id {}", network.id());
    println!("HOST port {}", network.addresses().first().map_or(0, |a| a.addr.port()));
    let (ended, mut end) = tokio::sync::oneshot::channel();
    thread::spawn(move || {
        // Ends with the test that started it, however that ends.
        let _ = std::io::stdin().read_line(&mut String::new());
        let _ = ended.send(());
    });
    let mut heard = BTreeSet::new();
    loop {
        for talk in table.open() {
            let words = String::from_utf8(talk.heard()).unwrap();
            if !words.is_empty() && heard.insert(words.clone()) {
                println!("HOST heard {words}");
            }
        }
        tokio::select! {
            _ = &mut end => break,
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
    }
    println!("HOST standing {}", table.open().len());
    network.shutdown().await;
    let ended = table.all().iter().map(|talk| format!("{:?}", talk.closed_because())).collect::<Vec<_>>();
    println!("HOST channels {}", ended.join("; "));
}

/// A running [`host`].
struct Running {
    child: Child,
    said: mpsc::Receiver<String>,
    heard: Vec<String>,
}

impl Running {
    fn start(on: &Host, seed: u8) -> Self {
        let mut child = on
            .command(std::env::current_exe().unwrap())
            .args(["--exact", "namespaces::host", "--nocapture"])
            .env(SEED, seed.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, said) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some(said) = line.strip_prefix("HOST ") {
                    let _ = tell.send(said.to_owned());
                }
            }
        });
        Self { child, said, heard: Vec::new() }
    }

    /// Waits for a line that begins like this, and returns the rest.
    fn says(&mut self, beginning: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let said = self
                .said
                .recv_timeout(left)
                .unwrap_or_else(|_| panic!("a host never said {beginning:?}; it heard {:?}", self.heard));
            if let Some(rest) = said.strip_prefix(beginning) {
                return rest.trim().to_owned();
            }
        }
    }

    fn hears(&mut self, others: usize) {
        while self.heard.len() < others {
            let heard = self.says("heard");
            self.heard.push(heard);
        }
    }

    /// Ends it in good order; how many channels it had then, and why all that it ever had ended.
    fn end(mut self) -> (usize, Vec<String>) {
        drop(self.child.stdin.take());
        let standing = self.says("standing").parse().unwrap();
        let ended = self.says("channels");
        assert!(self.child.wait().unwrap().success());
        (standing, ended.split("; ").map(str::to_owned).collect())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts these hosts, and waits until each has heard all others.
fn meet(hosts: &[&Host]) -> Vec<Running> {
    let started = Instant::now();
    let mut running: Vec<_> = (1..).zip(hosts).map(|(seed, host)| Running::start(host, seed)).collect();
    let others = running.len() - 1;
    running.iter_mut().for_each(|host| host.hears(others));
    println!(
        "{} hosts found each other and exchanged bytes {:?} after they were started",
        others + 1,
        started.elapsed()
    );
    running
}

/// Ends them one after another: each had a channel to every other that was still there. A dial is begun anew once when
/// another address is learned, and a peer that had just answered it sees a channel that ends at once: so at most one such
/// from each.
fn end(hosts: Vec<Running>) {
    let others = hosts.len() - 1;
    for (gone, host) in hosts.into_iter().enumerate() {
        let (standing, ended) = host.end();
        assert!((others - gone..=others).contains(&standing), "{standing} channels to {others} others, {gone} gone");
        assert!(ended.len() <= 2 * others, "its channels ended by {ended:?}");
    }
}

/// Three hosts meet, and nothing leaves any of them but what must.
fn check_three_hosts(addressing: Addressing) {
    let mut lan = Lan::new(3, addressing);
    let captures = tempfile::tempdir().unwrap();
    lan.capture(captures.path());
    let hosts: Vec<_> = lan.hosts().iter().collect();
    let running = meet(&hosts);
    // Long enough for whatever would go out later: keep-alives, checks, look-ups.
    thread::sleep(Duration::from_secs(6));
    end(running);
    let Left { mdns, quic } = lan.check_nothing_else_left();
    println!("left the hosts: {mdns} mDNS packets, {quic} QUIC packets, and nothing else of ours");
}

#[test]
fn three_hosts_without_a_route_find_each_other_and_nothing_else_leaves_them() {
    check_three_hosts(Addressing::Ipv4);
}

#[test]
fn three_hosts_with_link_local_addresses_only_find_each_other() {
    check_three_hosts(Addressing::LinkLocal);
}

#[test]
fn three_processes_on_a_machine_without_any_network_find_each_other() {
    let lan = Lan::loopback_only();
    let host = &lan.hosts()[0];
    end(meet(&[host, host, host]));
}

#[test]
fn an_interface_that_comes_up_later_is_used() {
    let lan = Lan::new(2, Addressing::Ipv4);
    lan.hosts()[1].ip("link set eth0 down");
    let mut running: Vec<_> = (1..).zip(lan.hosts()).map(|(seed, host)| Running::start(host, seed)).collect();
    running[1].says("id");
    thread::sleep(Duration::from_secs(2));
    lan.hosts()[1].ip("link set eth0 up");
    let started = Instant::now();
    running.iter_mut().for_each(|host| host.hears(1));
    println!("found {:?} after the interface came up", started.elapsed());
}
