//! Two devices in one process, joined by a pipe in memory: what they write apart comes together.
//!
//! On real devices the crate `ayni-net` finds the others and makes the channels.
//!
//!     cargo run -p ayni --example two_devices

use std::error::Error;
use std::io::{Write, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use ayni::doc::{Map, Value};
use ayni::{ChannelInfo, Database, Invitation, Link, Options};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    run(folder.path(), &mut stdout())
}

/// Ana invites Ben; both write without a connection, then they meet.
pub(crate) fn run(folder: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let device = |name: &str| Database::create(&folder.join(name), name, Options::new(folder.join("keys")));
    let (ana, ben) = (device("Ana")?, device("Ben")?);
    let (hers, _words) = ana.create_project("Mapa")?;
    let ticket = hers.invite(&Invitation::default())?;
    let his = ben.join(&ticket.to_string().parse()?)?;
    meet(&ana, &ben)?;

    // Both put the same document, and each a field of its own.
    let put = |project: &ayni::Project, field: &str, value: i64| {
        let mut fields = Map::from([("name".into(), "Cusco".into())]);
        fields.insert(field.into(), Value::Int(value));
        project.write(|tx| tx.put("places", "cusco", fields).map(drop))
    };
    put(&hers, "population", 428_450)?;
    put(&his, "altitude", 3_399)?;
    meet(&ana, &ben)?;

    for (name, project) in [("Ana", &hers), ("Ben", &his)] {
        let places = project.collection("places");
        let cusco = places.get(places.id_of_key("cusco")?)?.ok_or("both have it")?;
        writeln!(out, "{name}: {}", cusco.to_json())?;
    }
    writeln!(out, "the same: {}", hers.digest()? == his.digest()?)?;
    Ok(())
}

/// Connects two databases until both hold everything.
fn meet(one: &Database, other: &Database) -> Result<(), Box<dyn Error>> {
    // A channel says who is at its ends, which a transport has proven, and something that only this connection has.
    let (own, peer) = (*one.transport_secret(), *other.transport_secret());
    let link = |database: &Database, initiator: bool| {
        let (own_transport, peer_transport) = if initiator { (own, peer) } else { (peer, own) };
        let binding = [7; 32];
        let info = ChannelInfo { own_transport, peer_transport, initiator, binding, address: "memory".into() };
        database.pool().connect(info, || {})
    };
    let links = [link(one, true)?, link(other, false)?];
    let start = Instant::now();
    while !(level(one) && level(other)) {
        if start.elapsed() > Duration::from_secs(60) {
            return Err("they did not become level".into());
        }
        carry(&links[0], &links[1]);
        carry(&links[1], &links[0]);
        std::thread::sleep(Duration::from_millis(1));
    }
    links.iter().for_each(Link::closed);
    Ok(())
}

/// Carries what one side has to say to the other.
fn carry(from: &Link, to: &Link) {
    from.tick();
    let bytes = from.outgoing(64 << 10);
    if !bytes.is_empty() {
        to.receive(&bytes);
    }
}

/// Whether a database has everything that those have with whom it is connected, and they what it has.
fn level(database: &Database) -> bool {
    let peers = database.pool().peers();
    !peers.is_empty() && peers.iter().all(|peer| !peer.projects.is_empty() && peer.projects.iter().all(|one| one.level))
}
