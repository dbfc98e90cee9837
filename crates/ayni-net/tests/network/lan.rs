//! A LAN of network namespaces: hosts on one bridge, with no route to anywhere else.
//!
//! Each host is a namespace with an interface `eth0`; the bridge stands in a namespace of its own, so
//! the machine's own network is neither used nor touched. Needs root and the Debian packages
//! `iproute2` and `tcpdump`, and fails with that message where they are missing.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

/// Hosts on one bridge. Dropping it removes everything.
pub(crate) struct Lan {
    hosts: Vec<Host>,
    bridge: Option<Namespace>,
}

/// What the kernel itself sends on a link: ARP, IGMP, neighbour discovery, multicast listener
/// reports, and that a port is closed (a host that has ended is dialed once more by the others).
const KERNEL: &str = "arp or igmp or (icmp[0] == 3 and icmp[1] == 3) \
    or (ip6[6] == 58 and ip6[40] == 1 and ip6[41] == 4) \
    or (ip6[6] == 58 and ip6[40] >= 133 and ip6[40] <= 136) \
    or (ip6[6] == 0 and ip6[40] == 58 and (ip6[48] == 143 or (ip6[48] >= 130 and ip6[48] <= 132)))";
const MDNS: &str = "udp src port 5353 and udp dst port 5353 and (dst host 224.0.0.251 or dst host ff02::fb)";

/// Packets of Ayni's own that left the hosts of a [`Lan`].
pub(crate) struct Left {
    pub(crate) mdns: usize,
    pub(crate) quic: usize,
}

/// How the hosts of a [`Lan`] get addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Addressing {
    /// `10.77.0.1/24` and so on, and the kernel's IPv6 link-local ones.
    Ipv4,
    /// The kernel's IPv6 link-local ones and nothing else.
    LinkLocal,
}

/// One host: a network namespace in which programs run.
pub(crate) struct Host {
    namespace: Namespace,
    capture: Option<Capture>,
}

struct Namespace(String);

impl Lan {
    /// So many hosts on one bridge, able to reach each other when this returns.
    pub(crate) fn new(hosts: usize, addressing: Addressing) -> Self {
        check_requirements();
        let bridge = Namespace::new();
        bridge.ip("link add br0 type bridge forward_delay 0 mcast_snooping 0");
        bridge.ip("link set br0 up");
        let hosts = (1..=hosts)
            .map(|n| {
                let namespace = Namespace::new();
                namespace.ip(&format!("link add eth0 type veth peer name port{n} netns {}", bridge.0));
                bridge.ip(&format!("link set port{n} master br0 up"));
                if addressing == Addressing::Ipv4 {
                    namespace.ip(&format!("addr add 10.77.0.{n}/24 dev eth0"));
                }
                namespace.ip("link set lo up");
                namespace.ip("link set eth0 up");
                Host { namespace, capture: None }
            })
            .collect();
        let lan = Self { hosts, bridge: Some(bridge) };
        lan.hosts.iter().for_each(Host::settle);
        lan
    }

    /// One host that has no interface but the loopback.
    pub(crate) fn loopback_only() -> Self {
        check_requirements();
        let namespace = Namespace::new();
        namespace.ip("link set lo up");
        Self { hosts: vec![Host { namespace, capture: None }], bridge: None }
    }

    pub(crate) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Starts capturing what leaves each host.
    pub(crate) fn capture(&mut self, folder: &Path) {
        for host in &mut self.hosts {
            host.capture = Some(Capture::start(&host.namespace, folder));
        }
    }

    /// Fails if anything left any host but mDNS, QUIC between the hosts, and what the kernel itself sends. Ends the
    /// captures.
    pub(crate) fn check_nothing_else_left(&mut self) -> Left {
        let addresses: BTreeSet<_> = self.hosts.iter().flat_map(Host::addresses).collect();
        let one_of = |way: &str| addresses.iter().map(|a| format!("{way} host {a}")).collect::<Vec<_>>().join(" or ");
        // Ports that the system gives out to sockets, and never a name server's or a router's.
        let quic = format!(
            "udp src portrange 49152-65535 and udp dst portrange 49152-65535 and ({}) and ({})",
            one_of("src"),
            one_of("dst")
        );
        let stray = self.left_hosts_except(&format!("({KERNEL}) or ({MDNS}) or ({quic})"));
        assert!(stray.is_empty(), "{} packets should not have left:\n{}", stray.len(), stray.join("\n"));
        let left = Left { mdns: self.left_hosts(MDNS).len(), quic: self.left_hosts(&quic).len() };
        let seen = left.mdns >= 3 && left.quic >= 12;
        assert!(seen, "the capture saw what it must see: {} mDNS and {} QUIC packets", left.mdns, left.quic);
        left
    }

    /// What left the host, apart from what the filter allows: one line for each packet, as tcpdump prints it.
    /// Ends the captures.
    pub(crate) fn left_hosts_except(&mut self, allowed: &str) -> Vec<String> {
        self.hosts.iter_mut().flat_map(|host| host.packets(&format!("not ({allowed})"))).collect()
    }

    /// What left the hosts and matches the filter. Ends the captures.
    pub(crate) fn left_hosts(&mut self, filter: &str) -> Vec<String> {
        self.hosts.iter_mut().flat_map(|host| host.packets(filter)).collect()
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        self.hosts.clear();
        self.bridge.take();
    }
}

impl Host {
    /// A program, to be run on this host.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace.0]).arg(program.as_ref());
        command
    }

    /// Changes this host's network, as in `ip link set eth0 down`.
    pub(crate) fn ip(&self, arguments: &str) {
        self.namespace.ip(arguments);
    }

    /// Every address of this host on the LAN.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let listed = self.namespace.ip("-o addr show dev eth0");
        let mut words = listed.split_whitespace();
        let mut addresses = Vec::new();
        while let Some(word) = words.next() {
            if let ("inet" | "inet6", Some(address)) = (word, words.clone().next()) {
                addresses.extend(address.split('/').next().map(str::to_owned));
            }
        }
        addresses
    }

    /// Waits until the kernel has made sure that nobody else has this host's IPv6 addresses.
    pub(crate) fn settle(&self) {
        let started = Instant::now();
        while !self.namespace.ip("-6 addr show dev eth0").contains("scope link")
            || self.namespace.ip("-6 addr show dev eth0").contains("tentative")
        {
            assert!(started.elapsed() < Duration::from_secs(20), "no IPv6 link-local address came up");
            sleep(Duration::from_millis(50));
        }
    }

    fn packets(&mut self, filter: &str) -> Vec<String> {
        let capture = self.capture.as_mut().expect("capture was started");
        capture.end();
        capture.packets(filter)
    }
}

static NAMES: AtomicUsize = AtomicUsize::new(0);

impl Namespace {
    fn new() -> Self {
        let name = format!("ayni-{}-{}", std::process::id(), NAMES.fetch_add(1, Ordering::Relaxed));
        run(Command::new("ip").args(["netns", "add", &name]));
        Self(name)
    }

    fn ip(&self, arguments: &str) -> String {
        run(Command::new("ip").args(["-n", &self.0]).args(arguments.split_whitespace()))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).output();
    }
}

/// Everything that leaves one host through `eth0`, in a file.
struct Capture {
    tcpdump: Child,
    file: PathBuf,
}

impl Capture {
    fn start(namespace: &Namespace, folder: &Path) -> Self {
        let file = folder.join(format!("{}.pcap", namespace.0));
        let mut tcpdump = Command::new("ip")
            .args(["netns", "exec", &namespace.0, "tcpdump", "-i", "eth0", "-Q", "out", "-n", "-U", "-Z", "root"])
            .args(["-s", "200", "-B", "32768", "-w"])
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .expect("tcpdump starts");
        // It says so once it listens; what comes before would be missed.
        let mut said = Vec::new();
        let mut stderr = tcpdump.stderr.take().expect("piped");
        while !String::from_utf8_lossy(&said).contains("listening on") {
            let mut byte = [0];
            assert_eq!(stderr.read(&mut byte).expect("tcpdump speaks"), 1, "{}", String::from_utf8_lossy(&said));
            said.push(byte[0]);
        }
        tcpdump.stderr = Some(stderr);
        Self { tcpdump, file }
    }

    fn end(&mut self) {
        let Some(mut stderr) = self.tcpdump.stderr.take() else {
            return;
        };
        sleep(Duration::from_millis(300));
        run(Command::new("kill").args(["-INT", &self.tcpdump.id().to_string()]));
        let mut said = String::new();
        stderr.read_to_string(&mut said).expect("tcpdump speaks");
        self.tcpdump.wait().expect("tcpdump ends");
        assert!(said.contains("0 packets dropped by kernel"), "the capture is not whole: {said}");
    }

    fn packets(&self, filter: &str) -> Vec<String> {
        let listed = run(Command::new("tcpdump").args(["-n", "-e", "-r"]).arg(&self.file).arg(filter));
        listed.lines().map(str::to_owned).collect()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.tcpdump.kill();
        let _ = self.tcpdump.wait();
    }
}

/// Fails with what is missing. A test that needs this must not pass without it.
fn check_requirements() {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:")).and_then(|ids| ids.split_whitespace().nth(1));
    let is_root = user == Some("0");
    let has = |program: &str, flag: &str| Command::new(program).arg(flag).output().is_ok();
    assert!(
        is_root && has("ip", "-V") && has("tcpdump", "--version"),
        "this test makes network namespaces: it needs Linux, root, and the Debian packages iproute2 and tcpdump \
         (run `apt-get install iproute2 tcpdump`, then the tests as root)"
    );
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {complaint}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
