//! Strangers: whoever speaks the transport and was let into nothing. Each has keys of its own, and comes once.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use ayni::Hash;
use ayni_bench::records::Random;
use ayni_log::ids::{LogKind, StoreId};
use ayni_log::sign::DeviceSecret;
use ayni_net::PeerAddr;
use ayni_sync::message::{Hello, Kind, LogRef, Message, Summary};
use ayni_sync::tag::{Tag, prove_transport};
use iroh::endpoint::{Connection, RecvStream, SendStream, presets};
use iroh::{Endpoint, EndpointAddr, PublicKey, RelayMode, SecretKey, TransportAddr};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::orders::Besieged;

const ALPN: &[u8] = b"ayni/1";
/// Each side of a channel begins with so many bytes that tell nothing.
const RUN: usize = 16;
/// How long a stranger tries to get in, and how soon again when it is turned away.
const KNOCK: Duration = Duration::from_secs(6);
const AGAIN: Duration = Duration::from_millis(50);
/// More than this is not kept of what a stranger is sent.
const MOST: usize = 1 << 20;

/// What a stranger does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Connects, and opens no stream.
    Silent,
    /// Opens a channel, and says nothing.
    Mute,
    /// Sends any bytes.
    Garbage,
    /// Says truly who it is, and asks for everything.
    Asks,
    /// Sends back the tags that it was sent, and asks for everything.
    Echoes,
    /// Asks before it says who it is.
    Bold,
    /// Connects, and is gone.
    Drops,
}

const MANNERS: [Manner; 7] =
    [Manner::Silent, Manner::Mute, Manner::Garbage, Manner::Asks, Manner::Echoes, Manner::Bold, Manner::Drops];

/// What became of one.
#[derive(Default)]
struct Outcome {
    connected: bool,
    channel: bool,
    bytes: u64,
    told: Vec<String>,
}

/// Strangers that come to a device, another one each time.
pub(crate) struct Siege {
    pub(crate) target: PeerAddr,
    pub(crate) strangers: u64,
    pub(crate) at_once: usize,
    /// The longest that one stays where nobody shows it the door.
    pub(crate) stay: Duration,
    pub(crate) seed: u64,
}

impl Siege {
    /// Lets all of them come. `came` is told of every hundredth.
    ///
    /// # Errors
    /// When this machine has no room for a stranger.
    pub(crate) async fn run(self, came: impl Fn(u64)) -> Result<Besieged> {
        let mut besieged = Besieged::default();
        let mut told = BTreeSet::new();
        let mut there = JoinSet::new();
        let mut next = 0;
        while besieged.came < self.strangers {
            while next < self.strangers && there.len() < self.at_once {
                let manner = MANNERS[(next % MANNERS.len() as u64) as usize];
                there.spawn(come(self.target, self.stay, Random::new(self.seed ^ (next << 20)), manner));
                next += 1;
            }
            let Some(outcome) = there.join_next().await else { break };
            let outcome = outcome??;
            besieged.came += 1;
            besieged.connected += u64::from(outcome.connected);
            besieged.channels += u64::from(outcome.channel);
            besieged.bytes += outcome.bytes;
            besieged.most = besieged.most.max(outcome.bytes);
            told.extend(outcome.told);
            if besieged.came.is_multiple_of(100) {
                came(besieged.came);
            }
        }
        besieged.told = told.into_iter().collect();
        Ok(besieged)
    }
}

async fn come(target: PeerAddr, stay: Duration, mut random: Random, manner: Manner) -> Result<Outcome> {
    let secret = SecretKey::from_bytes(&random.bytes());
    let endpoint = Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .secret_key(secret.clone())
        .clear_ip_transports()
        .bind_addr(home(&mut random))?
        .bind()
        .await?;
    let mut outcome = Outcome::default();
    let id = PublicKey::from_bytes(&target.id.0)?;
    let address = EndpointAddr::from_parts(id, [TransportAddr::Ip(target.addr)]);
    let knocking = async {
        loop {
            match endpoint.connect(address.clone(), ALPN).await {
                Ok(connection) => return connection,
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    };
    if let Ok(connection) = timeout(KNOCK, knocking).await {
        outcome.connected = true;
        match manner {
            Manner::Drops => {}
            Manner::Silent => drop(timeout(stay, connection.closed()).await),
            _ => {
                let _ = timeout(stay, talk(&connection, &secret, &mut random, manner, &mut outcome)).await;
            }
        }
    }
    endpoint.close().await;
    Ok(outcome)
}

/// Half of the strangers come from one machine, as it were, the others from many.
fn home(random: &mut Random) -> SocketAddr {
    let far = cfg!(target_os = "linux") && random.below(2) == 0;
    let [a, b] = if far { [random.below(250) as u8 + 1, random.below(250) as u8 + 1] } else { [0, 1] };
    SocketAddr::from((Ipv4Addr::new(127, 0, a, b), 0))
}

async fn talk(
    connection: &Connection,
    secret: &SecretKey,
    random: &mut Random,
    manner: Manner,
    outcome: &mut Outcome,
) -> Option<()> {
    let (mut send, mut receive) = connection.open_bi().await.ok()?;
    send.write_all(&random.bytes::<RUN>()).await.ok()?;
    receive.read_exact(&mut [0; RUN]).await.ok()?;
    outcome.channel = true;
    outcome.bytes = RUN as u64;
    let mut heard = Vec::new();
    match manner {
        Manner::Garbage => {
            let noise: Vec<u8> = (0..1_000).flat_map(|_| random.bytes::<64>()).collect();
            let _ = send.write_all(&noise).await;
        }
        Manner::Asks => {
            let tag = random.bytes();
            greet_and_ask(secret, random, &mut send, vec![tag]).await;
        }
        Manner::Echoes => {
            let tags = hear_tags(&mut receive, &mut heard).await.unwrap_or_default();
            greet_and_ask(secret, random, &mut send, tags).await;
        }
        Manner::Bold => {
            let _ = send.write_all(&questions(random)).await;
        }
        Manner::Mute | Manner::Silent | Manner::Drops => {}
    }
    let mut buffer = [0; 4096];
    while let Ok(Some(length)) = receive.read(&mut buffer).await {
        outcome.bytes += length as u64;
        heard.extend_from_slice(&buffer[..length.min(MOST.saturating_sub(heard.len()))]);
        outcome.told = beyond_manners(&heard);
    }
    Some(())
}

/// The tags in the hello of the other side.
async fn hear_tags(receive: &mut RecvStream, heard: &mut Vec<u8>) -> Option<Vec<Tag>> {
    let mut buffer = [0; 4096];
    loop {
        let length = receive.read(&mut buffer).await.ok()??;
        heard.extend_from_slice(&buffer[..length]);
        if let Some((kind, body, _)) = frame(heard) {
            let Ok(Some(Message::Hello(hello))) = Message::decode(kind, body) else { return None };
            return Some(hello.tags);
        }
    }
}

async fn greet_and_ask(secret: &SecretKey, random: &mut Random, send: &mut SendStream, tags: Vec<Tag>) {
    let device = DeviceSecret::from_seed(&random.bytes());
    let hello = Message::Hello(Hello {
        version: ayni_sync::limits::VERSION,
        oldest: ayni_sync::limits::OLDEST_VERSION,
        device: device.id(),
        proof: prove_transport(&device, secret.public().as_bytes()),
        store: StoreId(random.bytes()),
        tags,
    });
    let _ = send.write_all(&hello.encode()).await;
    let _ = send.write_all(&questions(random)).await;
}

/// Everything that one can ask of a project, of the first that the other side may have.
fn questions(random: &mut Random) -> Vec<u8> {
    let hash = Hash(random.bytes());
    let device = DeviceSecret::from_seed(&random.bytes()).id();
    let log = LogRef { device, kind: LogKind::Control, incarnation: StoreId(random.bytes()) };
    let mut asked = Vec::new();
    for project in 0..4 {
        let summary = Summary { control: hash, rest: Some((hash, hash)) };
        asked.extend(Message::Summary { project, summary }.encode());
        for kind in [LogKind::Control, LogKind::Data] {
            asked.extend(Message::Frontier { project, kind, last: true, entries: Vec::new() }.encode());
        }
        asked.extend(Message::Receipts { project, last: true, entries: Vec::new() }.encode());
        asked.extend(Message::Probe { project, id: 1, log, points: vec![(1, hash)] }.encode());
        asked.extend(Message::Join { project, request: vec![0; 100] }.encode());
    }
    asked
}

/// The messages in what a stranger was sent that are neither a hello nor a farewell.
fn beyond_manners(heard: &[u8]) -> Vec<String> {
    let mut beyond = Vec::new();
    let mut rest = heard;
    while let Some((kind, _, after)) = frame(rest) {
        match Kind::from_byte(kind) {
            Some(Kind::Hello | Kind::Close) => {}
            Some(kind) => beyond.push(format!("{kind:?}")),
            None => beyond.push(format!("a message of the type {kind}")),
        }
        rest = after;
    }
    beyond
}

/// The first frame, as type and body, and what follows it.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (frame, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    let (kind, body) = frame.split_first()?;
    Some((*kind, body, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_should_not_be_told_is_noticed() {
        let close = Message::Close { code: 3, text: String::new() }.encode();
        assert!(beyond_manners(&close).is_empty());
        let both = [close, questions(&mut Random::new(1))].concat();
        assert_eq!(beyond_manners(&both)[..2], ["Summary", "Frontier"]);
    }
}
