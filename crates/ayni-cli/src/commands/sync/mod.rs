//! `ayni sync`: meets the other devices.

pub(crate) mod lock;
mod screen;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ayni::{Database, Standing};
use ayni_net::wake::Wake;
use ayni_net::{Network, PeerAddr, PeerState, TransportId};
use serde_json::{Value as Json, json};

use super::status;
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::{Setting, no_project, title};
use crate::terminal::{say, words};
use screen::Screen;

/// How often the screen is looked after.
const TICK: Duration = Duration::from_millis(100);
/// With `--once`: how long nobody new must turn up and nothing move before the devices part.
const QUIET: Duration = Duration::from_millis(1_500);
/// How long the parting may take.
const PARTING: Duration = Duration::from_secs(10);
/// The label under which it is kept who is here, for `ayni peers`.
pub(crate) const HERE: &str = "devices here";

/// Exchange everything new with the other devices, live
#[derive(clap::Args)]
#[command(after_help = "\
Devices on one network find each other, with or without internet; elsewhere give an address, as the other device's \
`ayni sync` prints it. What other commands write meanwhile goes out at once. Ctrl-C leaves everything sound: the next \
meeting goes on where this one stopped. With --json there is one JSON value a line, for each thing that happens.

Examples:
  ayni sync
  ayni sync --once
  ayni sync --once --timeout 5m
  ayni sync --listen 0.0.0.0:4433
  ayni sync --peer vz7xulh6…@192.168.1.7:4433")]
pub(crate) struct Arguments {
    /// End when level with everyone who was met, and receipts are exchanged
    #[arg(long)]
    once: bool,
    /// Go on until Ctrl-C; the default
    #[arg(long, conflicts_with = "once")]
    watch: bool,
    /// Where to listen: IP:PORT [default: everywhere]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// A device to dial, as it prints itself; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    peer: Vec<String>,
    /// With --once: give up when nothing has moved for so long
    #[arg(long, value_name = "TIME", default_value = "30s")]
    timeout: String,
    /// Do not look for devices on the network, and do not let them find this one
    #[arg(long)]
    no_discovery: bool,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let peers = arguments.peer.iter().map(|text| text.parse()).collect::<Result<Vec<PeerAddr>, _>>();
    let peers = peers.map_err(Failure::nonsense)?;
    let patience = patience(&arguments.timeout)?;
    let database = setting.open_to_sync()?;
    if database.projects()?.is_empty() {
        return Err(no_project());
    }
    let _lock = lock::take(database.folder())?;
    let way = Way { listen: arguments.listen, discovery: !arguments.no_discovery, peers };
    let mut screen = Screen::new(setting.json);
    let answer = with_network(&database, &way, async |network| {
        announce(&screen, network)?;
        let mut meeting = Meeting::new(&database, network, &way);
        match arguments.once {
            true => meeting.once(&mut screen, patience).await,
            false => meeting.watch(&mut screen).await,
        }
    });
    let answer = answer?;
    conclude(setting, &database, &screen)?;
    Ok(answer)
}

/// How other devices are to be reached.
pub(crate) struct Way {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) discovery: bool,
    pub(crate) peers: Vec<PeerAddr>,
}

/// Runs something while the network is up, and ends the network after it in good order.
pub(crate) fn with_network<T>(
    database: &Database,
    way: &Way,
    run: impl AsyncFnOnce(&Network) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let network = Network::serve(database, |config| {
            config.listen = way.listen;
            config.discovery = way.discovery;
        });
        let network = network.await.map_err(Failure::told)?;
        for peer in way.peers.iter().copied().chain(addresses_in_tickets(database)?) {
            network.dial(peer);
        }
        let result = run(&network).await;
        database.set_label(HERE, "[]")?;
        network.shutdown().await;
        result
    })
}

/// Where the inviters of projects that wait for admission said that they are.
fn addresses_in_tickets(database: &Database) -> Result<Vec<PeerAddr>, Failure> {
    let mut addresses = Vec::new();
    for project in database.projects()? {
        if project.standing()? == Standing::Pending
            && let Some(ticket) = project.ticket()?
        {
            addresses.extend(ticket.addresses.iter().filter_map(|address| address.parse::<PeerAddr>().ok()));
        }
    }
    Ok(addresses)
}

fn patience(text: &str) -> Result<Duration, Failure> {
    let span = text.parse::<jiff::SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
    let wrong = || Failure::usage(format_args!("{text:?} is no length of time"), "write --timeout 30s or --timeout 5m");
    span.ok_or_else(wrong)
}

fn announce(screen: &Screen, network: &Network) -> Result<(), Failure> {
    let addresses: Vec<String> = network.addresses().iter().map(ToString::to_string).collect();
    screen.event("listening", json!({ "addresses": addresses }))?;
    screen.tell("Looking for the other devices. Those that cannot find this one can be told:");
    for address in &addresses {
        screen.command(format_args!("ayni sync --peer {address}"));
    }
    Ok(())
}

/// The devices meet.
struct Meeting<'m> {
    database: &'m Database,
    network: &'m Network,
    /// Those that were given by hand, and so have to be met.
    wanted: BTreeSet<TransportId>,
    here: BTreeSet<String>,
    projects: usize,
}

/// What ends the waiting.
#[derive(PartialEq, Eq)]
enum Turn {
    Tick,
    Woken,
    Stop,
}

impl<'m> Meeting<'m> {
    fn new(database: &'m Database, network: &'m Network, way: &Way) -> Self {
        let wanted = way.peers.iter().map(|peer| peer.id).collect();
        Self { database, network, wanted, here: BTreeSet::new(), projects: 0 }
    }

    /// Until someone says stop.
    async fn watch(&mut self, screen: &mut Screen) -> Outcome {
        let mut ears = Ears::open(self.database)?;
        loop {
            match ears.wait().await? {
                Turn::Tick => {}
                Turn::Woken => self.take_in().await?,
                Turn::Stop => {
                    // Below the `^C` that the terminal shows.
                    screen.tell("");
                    return Ok(Answer::Yes);
                }
            }
            self.look(screen)?;
        }
    }

    /// Until level with everyone who was met.
    async fn once(&mut self, screen: &mut Screen, patience: Duration) -> Outcome {
        let mut ears = Ears::open(self.database)?;
        let (mut moved, mut before) = (Instant::now(), (0, 0));
        loop {
            match ears.wait().await? {
                Turn::Tick => {}
                Turn::Woken => self.take_in().await?,
                Turn::Stop => {
                    return Err(Failure::new("stopped before everything was level", "what came stays; run it again"));
                }
            }
            self.look(screen)?;
            let now = (screen.exchanged(), screen.met().len());
            if std::mem::replace(&mut before, now) != now {
                moved = Instant::now();
            }
            if moved.elapsed() >= QUIET && self.all_level(screen)? {
                break;
            }
            if moved.elapsed() >= patience {
                self.database.pool().cancel();
                return Err(self.not_reached(screen, patience)?);
            }
        }
        self.part(screen, &mut ears).await
    }

    /// Leaves everyone, with receipts.
    async fn part(&mut self, screen: &mut Screen, ears: &mut Ears) -> Outcome {
        self.database.pool().goodbye();
        let start = Instant::now();
        while !self.database.pool().peers().is_empty() && start.elapsed() < PARTING {
            if ears.wait().await? == Turn::Stop {
                break;
            }
            screen.update(&self.database.pool().peers())?;
        }
        Ok(Answer::Yes)
    }

    /// Takes in what another process wrote.
    async fn take_in(&mut self) -> Result<(), Failure> {
        let database = self.database.clone();
        let refreshed = tokio::task::spawn_blocking(move || database.refresh()).await;
        refreshed
            .map_err(|fault| Failure::new(format_args!("a fault in the program: {fault}"), "please report it"))??;
        let projects = self.database.projects()?.len();
        if std::mem::replace(&mut self.projects, projects) < projects {
            for address in addresses_in_tickets(self.database)? {
                self.network.dial(address);
            }
            self.network.retry();
        }
        Ok(())
    }

    /// Shows what has changed, and keeps who is here for other commands.
    fn look(&mut self, screen: &mut Screen) -> Result<(), Failure> {
        let peers = self.database.pool().peers();
        screen.update(&peers)?;
        let here: BTreeSet<String> =
            screen.met().iter().filter(|(_, met)| met.here).map(|(id, _)| id.to_string()).collect();
        if here != self.here {
            let all = screen.met().iter().filter(|(_, met)| met.here);
            let all =
                all.map(|(id, met)| json!({ "device": id.to_string(), "name": met.name, "address": met.address }));
            self.database.set_label(HERE, &all.collect::<Json>().to_string())?;
            self.here = here;
        }
        Ok(())
    }

    /// Whether everyone who was met holds the same as this device, and nobody is on the way.
    fn all_level(&self, screen: &Screen) -> Result<bool, Failure> {
        let network = self.network.peers();
        let arrived = |id: &TransportId| {
            network.iter().any(|peer| peer.id == *id && matches!(peer.state, PeerState::Connected { .. }))
        };
        let on_the_way = network.iter().any(|peer| peer.discovered && peer.state == PeerState::Dialing);
        let peers = self.database.pool().peers();
        let talking = peers.iter().any(|peer| peer.device.is_none() && peer.fault.is_none());
        let everyone = screen.met().values().any(|met| met.level)
            && screen.met().values().all(|met| met.level)
            && self.wanted.iter().all(|id| arrived(id) || !screen.met().is_empty() && self.was_met(screen, id));
        Ok(everyone && !on_the_way && !talking && self.pending()?.is_empty())
    }

    fn was_met(&self, screen: &Screen, id: &TransportId) -> bool {
        screen.met().values().any(|met| met.address.parse::<PeerAddr>().is_ok_and(|address| address.id == *id))
    }

    /// The projects that this device is not admitted to.
    fn pending(&self) -> Result<Vec<String>, Failure> {
        let mut pending = Vec::new();
        for project in self.database.projects()? {
            if project.standing()? == Standing::Pending {
                pending.push(title(&project)?);
            }
        }
        Ok(pending)
    }

    /// A device that was not met, and why, as far as the network knows.
    fn trouble_with(&self, id: &TransportId) -> String {
        let peer = self.network.peers().into_iter().find(|peer| peer.id == *id);
        let trouble = peer.and_then(|peer| peer.trouble).unwrap_or_else(|| "no answer yet".to_owned());
        format!("{} ({trouble})", id.short())
    }

    fn not_reached(&self, screen: &Screen, patience: Duration) -> Result<Failure, Failure> {
        let unlevel: Vec<&str> = screen.met().values().filter(|met| !met.level).map(|met| met.name.as_str()).collect();
        let missing: Vec<String> =
            self.wanted.iter().filter(|id| !self.was_met(screen, id)).map(|id| self.trouble_with(id)).collect();
        let what = if !missing.is_empty() {
            format!("{} could not be reached", missing.join(", "))
        } else if screen.met().is_empty() {
            "no other device of this device's projects was met".to_owned()
        } else if !unlevel.is_empty() {
            format!("not level with {}", unlevel.join(", "))
        } else {
            format!("this device was not admitted to {}", self.pending()?.join(", "))
        };
        let remedy = "run `ayni sync` on the other device too, on the same network, or give its address with --peer";
        Ok(Failure::new(format_args!("{what}: nothing has moved for {}", words::duration(patience)), remedy))
    }
}

/// What a meeting listens to: time, other processes, and the person at the keyboard.
struct Ears {
    wake: Wake,
    stop: tokio::sync::mpsc::Receiver<()>,
}

impl Ears {
    fn open(database: &Database) -> Result<Self, Failure> {
        let wake = Wake::listen(database.folder()).map_err(Failure::told)?;
        let (send, stop) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            asked_to_stop().await;
            let _ = send.send(()).await;
        });
        Ok(Self { wake, stop })
    }

    async fn wait(&mut self) -> Result<Turn, Failure> {
        Ok(tokio::select! {
            biased;
            _ = self.stop.recv() => Turn::Stop,
            () = self.wake.signalled() => Turn::Woken,
            () = tokio::time::sleep(TICK) => Turn::Tick,
        })
    }
}

/// Ctrl-C, or the system's request to end.
pub(super) async fn asked_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// Where each project stands now, by receipts.
fn conclude(setting: &Setting, database: &Database, screen: &Screen) -> Result<(), Failure> {
    let mut safe = Vec::new();
    for project in database.projects()? {
        let status = project.status()?;
        safe.push(json!({
            "project": project.id().to_string(),
            "name": project.name()?,
            "devices": status.devices.len(),
            "safe_with": status.safe_with().map(|device| device.device.to_string()).collect::<Vec<_>>(),
        }));
        if !setting.json && project.standing()? != Standing::Pending {
            say::note(format_args!("{}: {}", title(&project)?, status::verdict(&status)));
        }
    }
    let level = !screen.met().is_empty() && screen.met().values().all(|met| met.level);
    Ok(screen.event("done", json!({ "level": level, "met": screen.met().len(), "projects": safe }))?)
}
