//! What sync shows: a bar for each device that is being talked to, a line for whatever was exchanged; or for programs one
//! JSON value a line.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use ayni::{DeviceId, PeerStatus};
use console::style;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use serde_json::{Value as Json, json};

use crate::terminal::{out, progress, say, words};

/// Entries and bytes both ways.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    received: (u64, u64),
    sent: (u64, u64),
    left: (u64, u64),
}

impl Amounts {
    fn of(peer: &PeerStatus) -> Self {
        let mut all = Self::default();
        for project in &peer.projects {
            let progress = &project.progress;
            all.received.0 += progress.received.entries;
            all.received.1 += progress.received.bytes;
            all.sent.0 += progress.sent.entries;
            all.sent.1 += progress.sent.bytes;
            all.left.0 += progress.to_receive.entries + progress.to_send.entries;
            all.left.1 += progress.to_receive.bytes + progress.to_send.bytes;
        }
        all
    }

    fn done(self) -> (u64, u64) {
        (self.received.0 + self.sent.0, self.received.1 + self.sent.1)
    }

    fn since(self, before: Self) -> Self {
        let less = |now: (u64, u64), then: (u64, u64)| (now.0.saturating_sub(then.0), now.1.saturating_sub(then.1));
        Self { received: less(self.received, before.received), sent: less(self.sent, before.sent), left: self.left }
    }

    fn as_json(self) -> Json {
        let amount = |(entries, bytes): (u64, u64)| json!({ "entries": entries, "bytes": bytes });
        json!({ "received": amount(self.received), "sent": amount(self.sent), "left": amount(self.left) })
    }
}

/// One device, as far as it has been shown.
pub(crate) struct Met {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) level: bool,
    pub(crate) here: bool,
    now: Amounts,
    told: Amounts,
    /// When the exchange began that has not been told yet.
    began: Instant,
    /// When something was exchanged last.
    moved: Instant,
    bar: Option<ProgressBar>,
    /// What the other side said, since when, and whether that was told.
    said: Vec<(String, Instant, bool)>,
}

/// What the other side says is told once it has stood for so long with nothing moving: while a device is being admitted
/// and fetches it passes.
const STANDING: Duration = Duration::from_millis(1_500);

/// See the module.
pub(crate) struct Screen {
    json: bool,
    bars: MultiProgress,
    met: BTreeMap<DeviceId, Met>,
    faults: Vec<String>,
}

impl Screen {
    pub(crate) fn new(json: bool) -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        Self { json, bars, met: BTreeMap::new(), faults: Vec::new() }
    }

    /// Everyone who was met.
    pub(crate) fn met(&self) -> &BTreeMap<DeviceId, Met> {
        &self.met
    }

    /// Entries that were exchanged with everyone together.
    pub(crate) fn exchanged(&self) -> u64 {
        self.met.values().map(|met| met.now.done().0).sum()
    }

    /// Something for people, above the bars.
    pub(crate) fn tell(&self, what: impl std::fmt::Display) {
        if !self.json {
            self.bars.suspend(|| say::note(what));
        }
    }

    /// A command to be copied by people, above the bars.
    pub(crate) fn command(&self, what: impl std::fmt::Display) {
        if !self.json {
            self.bars.suspend(|| say::command(what));
        }
    }

    /// Something for programs.
    pub(crate) fn event(&self, name: &str, mut about: Json) -> io::Result<()> {
        if self.json {
            about["event"] = name.into();
            about["time"] = words::timestamp(words::now()).into();
            out::line(about)?;
        }
        Ok(())
    }

    /// Shows what has changed.
    pub(crate) fn update(&mut self, peers: &[PeerStatus]) -> io::Result<()> {
        for peer in peers {
            self.fault(peer)?;
            if let Some(device) = peer.device.filter(|_| !peer.projects.is_empty()) {
                self.update_one(device, peer)?;
            }
        }
        let gone: Vec<DeviceId> = self
            .met
            .iter()
            .filter(|(device, met)| met.here && !peers.iter().any(|peer| peer.device == Some(**device)))
            .map(|(device, _)| *device)
            .collect();
        for device in gone {
            self.gone(device)?;
        }
        Ok(())
    }

    fn update_one(&mut self, device: DeviceId, peer: &PeerStatus) -> io::Result<()> {
        let now = Amounts::of(peer);
        let name = words::device(&peer.name, device);
        let new = !self.met.get(&device).is_some_and(|met| met.here);
        if new {
            self.event("met", json!({ "device": device.to_string(), "name": name, "address": peer.address }))?;
            self.tell(format_args!("{} {}", style("●").green().for_stderr(), style(&name).bold().for_stderr()));
            let (address, began, moved) = (peer.address.clone(), Instant::now(), Instant::now());
            let told = Amounts::default();
            let met =
                Met { name, address, level: false, here: true, now, told, began, moved, bar: None, said: Vec::new() };
            self.met.insert(device, met);
        }
        let (bars, json) = (&self.bars, self.json);
        let Some(met) = self.met.get_mut(&device) else { return Ok(()) };
        if !peer.name.is_empty() {
            met.name.clone_from(&peer.name);
        }
        if now != met.now && met.level {
            met.began = Instant::now();
        }
        let before = std::mem::replace(&mut met.now, now);
        if now != before {
            met.moved = Instant::now();
        }
        let was_level = std::mem::replace(&mut met.level, peer.projects.iter().all(|project| project.level));
        if met.level {
            if let Some(bar) = met.bar.take() {
                bar.finish_and_clear();
            }
        } else if now.left.0 + now.done().0 > 64 && !json {
            let bar = met.bar.get_or_insert_with(|| bars.add(progress::bar(Some(1)))).clone();
            met.draw(&bar);
        }
        let news = met.news(peer);
        let settled = met.level && (!was_level || (now == before && now.done() != met.told.done()));
        if settled {
            self.level(device)?;
        }
        for said in news {
            self.event("said", json!({ "device": device.to_string(), "text": said }))?;
            self.tell(format_args!("  {said}"));
        }
        Ok(())
    }

    fn level(&mut self, device: DeviceId) -> io::Result<()> {
        let Some(met) = self.met.get_mut(&device) else { return Ok(()) };
        let (news, took) = (met.now.since(met.told), met.began.elapsed());
        let first = met.told == Amounts::default();
        met.told = met.now;
        let name = met.name.clone();
        let mut about = news.as_json();
        about["device"] = device.to_string().into();
        about["name"] = name.as_str().into();
        about["milliseconds"] = (took.as_millis() as u64).into();
        self.event("level", about)?;
        let mut parts = Vec::new();
        for (arrow, (entries, bytes)) in [("↓", news.received), ("↑", news.sent)] {
            if entries > 0 {
                let (amount, bytes) = (words::counted(entries, "entry"), words::bytes(bytes));
                let rate = if entries > 1_000 { format!(", {}", words::rate(entries, took)) } else { String::new() };
                parts.push(format!("{arrow} {amount} ({bytes}{rate})"));
            }
        }
        if parts.is_empty() && !first {
            return Ok(());
        }
        let what = if parts.is_empty() { "nothing to exchange".to_owned() } else { parts.join("  ") };
        // Shorter than the screen's own pace nothing is known.
        let known = news.done().0 > 0 && took >= super::TICK;
        let took = if known { format!(" in {}", words::duration(took)) } else { String::new() };
        let mark = style("✓").green().for_stderr().to_string();
        self.tell(format_args!("  {mark} level with {name}: {what}{took}"));
        Ok(())
    }

    fn gone(&mut self, device: DeviceId) -> io::Result<()> {
        let Some(met) = self.met.get_mut(&device) else { return Ok(()) };
        met.here = false;
        if let Some(bar) = met.bar.take() {
            bar.finish_and_clear();
        }
        let (name, level) = (met.name.clone(), met.level);
        self.event("gone", json!({ "device": device.to_string(), "name": name, "level": level }))?;
        let how = if level { "level" } else { "in the middle; the next meeting goes on from there" };
        self.tell(format_args!("{} {name} has gone, {how}", style("○").dim().for_stderr()));
        Ok(())
    }

    fn fault(&mut self, peer: &PeerStatus) -> io::Result<()> {
        let Some(fault) = &peer.fault else { return Ok(()) };
        let told = format!("{}: {fault}", peer.address);
        if self.faults.contains(&told) || self.faults.len() >= 100 {
            return Ok(());
        }
        self.event("fault", json!({ "address": peer.address, "text": fault }))?;
        self.tell(format_args!("  {told}"));
        self.faults.push(told);
        Ok(())
    }
}

impl Met {
    /// What the other side has been saying for a while and was not told yet.
    fn news(&mut self, peer: &PeerStatus) -> Vec<String> {
        let now: Vec<&String> = peer.projects.iter().filter_map(|project| project.said.as_ref()).collect();
        self.said.retain(|(text, _, told)| *told || now.contains(&text));
        for text in now {
            if !self.said.iter().any(|(known, ..)| known == text) {
                self.said.push((text.clone(), Instant::now(), false));
            }
        }
        let still = self.moved.elapsed() >= STANDING;
        let due = self.said.iter_mut().filter(|(_, since, told)| still && !told && since.elapsed() >= STANDING);
        due.map(|(text, _, told)| {
            *told = true;
            text.clone()
        })
        .collect()
    }

    /// Entries and bytes done of all, as exact as the other device's frontier.
    fn draw(&self, bar: &ProgressBar) {
        let (now, news) = (self.now, self.now.since(self.told));
        let (entries, bytes) = news.done();
        let took = self.began.elapsed().max(Duration::from_millis(1));
        bar.set_length(news.done().0 + now.left.0);
        bar.set_position(entries);
        bar.set_message(format!(
            "{}  {} of {} · {} of {} · {}",
            self.name,
            words::count(entries),
            words::counted(entries + now.left.0, "entry"),
            words::bytes(bytes),
            words::bytes(bytes + now.left.1),
            words::rate(entries, took)
        ));
    }
}
