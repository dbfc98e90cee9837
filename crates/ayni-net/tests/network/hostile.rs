//! Peers that mean ill: what each can take is bounded, and others do not notice.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use ayni_net::{Network, limits};
use iroh::{
    Endpoint, EndpointAddr, PublicKey, RelayMode, SecretKey, TransportAddr,
    endpoint::{Connection, presets},
};

use crate::fixture::{Table, start, start_at, still, until};

const ALPN: &[u8] = b"ayni/1";

/// A peer that speaks QUIC with our protocol's name, and does as the test pleases.
async fn attacker(seed: u8) -> Endpoint {
    Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .secret_key(SecretKey::from_bytes(&[seed; 32]))
        .clear_ip_transports()
        .bind_addr((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .bind()
        .await
        .unwrap()
}

fn target(victim: &Network, addr: SocketAddr) -> EndpointAddr {
    EndpointAddr::from_parts(PublicKey::from_bytes(&victim.id().0).unwrap(), [TransportAddr::Ip(addr)])
}

fn address(victim: &Network) -> SocketAddr {
    victim.addresses()[0].addr
}

/// An honest peer, at another address than the attackers, gets through.
async fn check_others_are_unharmed(victim: &Network) {
    let honest = Table::greeting("honest");
    let network = start_at(200, &honest, SocketAddr::from(([127, 0, 0, 2], 0))).await;
    let started = Instant::now();
    network.dial(victim.addresses()[0]);
    let talk = honest.one().await;
    until("the honest peer was heard", || talk.heard() == b"victim").await;
    assert!(started.elapsed() < Duration::from_secs(4), "it took {:?}", started.elapsed());
    network.shutdown().await;
}

/// Opens a channel as the protocol wants it, and waits until it is accepted or refused.
async fn open_channel(endpoint: &Endpoint, victim: EndpointAddr) -> Option<Connection> {
    let connection = endpoint.connect(victim, ALPN).await.ok()?;
    let (mut send, mut receive) = connection.open_bi().await.ok()?;
    send.write_all(&[1; 16]).await.ok()?;
    receive.read_exact(&mut [0; 16]).await.ok()?;
    // Both halves stay open for as long as the connection does.
    std::mem::forget((send, receive));
    Some(connection)
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_to_the_port_is_ignored() {
    let table = Table::greeting("victim");
    let victim = start(1, &table).await;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut noise = 1_u64;
    for _ in 0..5_000 {
        let packet: Vec<u8> = (0..200)
            .map(|_| {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (noise >> 33) as u8
            })
            .collect();
        socket.send_to(&packet, address(&victim)).unwrap();
        // With the bit that makes it look like the first packet of a connection.
        let mut initial = packet.repeat(6);
        initial[0] = 0xc3;
        initial[1..5].copy_from_slice(&1_u32.to_be_bytes());
        socket.send_to(&initial, address(&victim)).unwrap();
    }
    check_others_are_unharmed(&victim).await;
    assert_eq!(table.all().len(), 1, "the garbage opened nothing");
    victim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_opens_its_stream_is_let_go() {
    let table = Table::greeting("victim");
    let victim = start(1, &table).await;
    let attacker = attacker(100).await;
    let silent = attacker.connect(target(&victim, address(&victim)), ALPN).await.unwrap();
    check_others_are_unharmed(&victim).await;
    let started = Instant::now();
    silent.closed().await;
    assert!(started.elapsed() < limits::HANDSHAKE_TIMEOUT + Duration::from_secs(2));
    assert_eq!(table.all().len(), 1, "the database never heard of it");
    victim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_are_never_finished_keep_nobody_out() {
    let table = Table::greeting("victim");
    let victim = start(1, &table).await;
    // What goes to the victim passes, and what comes back does not.
    let hole = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (hole_addr, victim_addr) = (hole.local_addr().unwrap(), address(&victim));
    tokio::spawn(async move {
        let mut packet = [0; 2048];
        while let Ok((length, from)) = hole.recv_from(&mut packet).await {
            if from != victim_addr {
                let _ = hole.send_to(&packet[..length], victim_addr).await;
            }
        }
    });
    let attacker = attacker(100).await;
    for _ in 0..limits::MAX_HANDSHAKES * 2 {
        let (attacker, target) = (attacker.clone(), target(&victim, hole_addr));
        tokio::spawn(async move { attacker.connect(target, ALPN).await.map(|_| ()) });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    check_others_are_unharmed(&victim).await;
    assert_eq!(table.all().len(), 1, "none of them was ever proven");
    victim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_connections_is_bounded_and_keeps_nobody_out() {
    let table = Table::of_strangers("victim");
    let victim = start(1, &table).await;
    let mut kept = Vec::new();
    for seed in 100..100 + 3 * limits::MAX_STRANGERS_PER_ADDRESS as u8 {
        let attacker = attacker(seed).await;
        let connection = open_channel(&attacker, target(&victim, address(&victim))).await;
        kept.push((attacker, connection));
    }
    let accepted = kept.iter().filter(|(_, connection)| connection.is_some()).count();
    assert_eq!(accepted, limits::MAX_STRANGERS_PER_ADDRESS);
    assert_eq!(table.open().len(), limits::MAX_STRANGERS_PER_ADDRESS);
    check_others_are_unharmed(&victim).await;
    victim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_came_long_ago_makes_room() {
    let table = Table::of_strangers("victim");
    let victim = start(1, &table).await;
    let mut kept = Vec::new();
    for seed in 100..100 + limits::MAX_STRANGERS_PER_ADDRESS as u8 {
        let attacker = attacker(seed).await;
        let connection = open_channel(&attacker, target(&victim, address(&victim))).await.unwrap();
        kept.push((attacker, connection));
    }
    tokio::time::sleep(limits::STRANGER_GRACE).await;
    let late = attacker(99).await;
    assert!(open_channel(&late, target(&victim, address(&victim))).await.is_some());
    until("the oldest was let go", || kept[0].1.close_reason().is_some()).await;
    still("the others stay", || kept[1..].iter().all(|(_, c)| c.close_reason().is_none())).await;
    victim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_one_stream_can_be_opened() {
    let table = Table::greeting("victim");
    let victim = start(1, &table).await;
    let attacker = attacker(100).await;
    let connection = open_channel(&attacker, target(&victim, address(&victim))).await.unwrap();
    let wait = Duration::from_millis(300);
    assert!(tokio::time::timeout(wait, connection.open_bi()).await.is_err());
    assert!(tokio::time::timeout(wait, connection.open_uni()).await.is_err());
    assert_eq!(connection.max_datagram_size(), None);
    victim.shutdown().await;
}
