//! `ayni peers`: who can be reached.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ayni::{Database, DeviceId};
use console::Style;
use serde_json::{Value as Json, json};

use super::sync::{HERE, Way, lock, with_network};
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::{Setting, no_project};
use crate::terminal::table::{Cell, Table};
use crate::terminal::{out, say, words};

/// Show which devices can be reached now, and where others were met
#[derive(clap::Args)]
#[command(after_help = "\
While `ayni sync` runs here it knows; else this looks around for some seconds, and exchanges what is new with those it \
meets. The exit code is 1 if nobody can be reached.

Examples:
  ayni peers
  ayni peers --wait 10
  ayni peers --json | jq '.[] | select(.here)'")]
pub(crate) struct Arguments {
    /// Seconds to look around
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    wait: u64,
}

/// A device and where it is or was.
struct Peer {
    name: String,
    addresses: Vec<String>,
    here: bool,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let database = setting.open_to_sync()?;
    if database.projects()?.is_empty() {
        return Err(no_project());
    }
    let mut peers = remembered(&database)?;
    let here = match lock::is_taken(database.folder()) {
        true => told_by_sync(&database)?,
        false => look_around(&database, Duration::from_secs(arguments.wait))?,
    };
    for (device, name, address) in here {
        let peer = peers.entry(device).or_insert(Peer { name: String::new(), addresses: Vec::new(), here: true });
        peer.here = true;
        if peer.name.is_empty() {
            peer.name = name;
        }
        peer.addresses.retain(|known| *known != address);
        peer.addresses.insert(0, address);
    }
    print(setting, &peers)?;
    Ok(Answer::from(peers.values().any(|peer| peer.here)))
}

fn remembered(database: &Database) -> Result<BTreeMap<DeviceId, Peer>, Failure> {
    let mut peers: BTreeMap<DeviceId, Peer> = BTreeMap::new();
    for project in database.projects()? {
        for member in project.members()?.into_iter().filter(|member| !member.this_device) {
            let name = member.name;
            let peer = peers.entry(member.device).or_insert(Peer { name, addresses: Vec::new(), here: false });
            peer.here = false;
        }
    }
    for (device, address) in database.remembered_addresses()? {
        if let Some(peer) = peers.get_mut(&device) {
            peer.addresses.push(address);
        }
    }
    Ok(peers)
}

pub(super) type Here = Vec<(DeviceId, String, String)>;

/// What the process that syncs has written down.
pub(super) fn told_by_sync(database: &Database) -> Result<Here, Failure> {
    let text = database.label(HERE)?.unwrap_or_default();
    let all: Vec<Json> = serde_json::from_str(&text).unwrap_or_default();
    let one = |peer: &Json| {
        let text = |name: &str| peer.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        Some((text("device").parse().ok()?, text("name"), text("address")))
    };
    Ok(all.iter().filter_map(one).collect())
}

fn look_around(database: &Database, wait: Duration) -> Result<Here, Failure> {
    let _lock = lock::take(database.folder())?;
    let way = Way { listen: None, discovery: true, peers: Vec::new() };
    say::note(format_args!("Looking around for {} …", words::duration(wait)));
    with_network(database, &way, async |_| {
        let start = Instant::now();
        let mut here = BTreeMap::new();
        while start.elapsed() < wait {
            tokio::time::sleep(Duration::from_millis(100)).await;
            for peer in database.pool().peers().into_iter().filter(|peer| !peer.projects.is_empty()) {
                if let Some(device) = peer.device {
                    here.insert(device, (peer.name, peer.address));
                }
            }
        }
        Ok(here.into_iter().map(|(device, (name, address))| (device, name, address)).collect())
    })
}

fn print(setting: &Setting, peers: &BTreeMap<DeviceId, Peer>) -> Result<(), Failure> {
    if setting.json {
        let one = |(device, peer): (&DeviceId, &Peer)| {
            let (name, addresses, here) = (&peer.name, &peer.addresses, peer.here);
            json!({ "device": device.to_string(), "name": name, "here": here, "addresses": addresses })
        };
        return Ok(out::json(&peers.iter().map(one).collect())?);
    }
    if peers.is_empty() {
        say::note("There are no other devices in this device's projects yet.");
        say::next(&[("ayni invite", "makes a ticket for one")]);
        return Ok(());
    }
    let mut table = Table::new(&["device", "", "where"]);
    for (device, peer) in peers {
        let (here, look) = match (peer.here, peer.addresses.is_empty()) {
            (true, _) => ("here now", Style::new().green()),
            (false, false) => ("remembered", Style::new().dim()),
            (false, true) => ("never met", Style::new().dim()),
        };
        let name = words::device(&peer.name, device);
        let place = |address: &String| address.split_once('@').map_or(address.clone(), |(_, place)| place.to_owned());
        let shown = match out::is_terminal() {
            true => peer.addresses.first().map(place).unwrap_or_default(),
            false => peer.addresses.join(" "),
        };
        table.row([Cell::from(name), Cell::styled(here, look), Cell::dim(shown)]);
    }
    Ok(table.print()?)
}
