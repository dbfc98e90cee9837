//! What a device of the demo waits for, each with an end to its patience.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use ayni::{Project, Standing};
use ayni_net::PeerState;

use super::PLACES;
use super::device::{Device, create_indexes, millis_since, tell};
use super::orders::{Done, Fetched, Progress, Settled};

/// How often it is looked whether what is waited for is there.
const LOOK: Duration = Duration::from_millis(50);
/// How long nothing may move.
const PATIENCE: Duration = Duration::from_secs(60);

impl Device {
    /// Waits until this device was admitted and has fetched so many places, and tells how far it is.
    pub(super) fn fetch(&self, places: u64) -> Result<Fetched> {
        let project = self.project()?;
        let before = self.traffic()?;
        let mut found = None;
        let mut from = 0;
        let mut told = Progress { done: 0, total: 0, bytes: 0 };
        let mut moved = Instant::now();
        while !matches!(project.standing()?, Standing::Member(_)) {
            self.pause(moved, "no coordinator of the project was found on the network")?;
            found = found.or_else(|| self.is_talking().then(Instant::now));
        }
        let found = found.unwrap_or_else(Instant::now);
        create_indexes(project)?;
        loop {
            let (progress, level, peers) = self.progress(project)?;
            if progress != told {
                (told, moved) = (progress, Instant::now());
                tell(progress);
            }
            from = from.max(peers);
            if level && project.collection(PLACES).len()? >= places {
                break;
            }
            self.pause(moved, "the other devices send nothing more")?;
        }
        let after = self.traffic()?;
        Ok(Fetched {
            entries: project.status()?.entries,
            found: u64::try_from((found - self.online_since()).as_millis()).unwrap_or(u64::MAX),
            millis: millis_since(found),
            received: after.0.saturating_sub(before.0),
            sent: after.1.saturating_sub(before.1),
            from,
        })
    }

    /// Waits until a field of a place shows a number.
    pub(super) fn see(&self, place: &str, field: &str, number: i64) -> Result<Done> {
        let project = self.project()?;
        let places = project.collection(PLACES);
        let id = places.id_of_key(place)?;
        let began = Instant::now();
        let mut seen = project.revision();
        loop {
            let shown = places.get(id)?.and_then(|document| document.get(&[field]));
            if shown.and_then(|value| value.as_int()) == Some(number) {
                return Ok(Done {});
            }
            if began.elapsed() > PATIENCE {
                bail!("the edit of another device did not come in {} s", PATIENCE.as_secs());
            }
            seen = project.wait(seen, LOOK);
        }
    }

    /// Waits until so many devices, this one with them, have everything that is here by their own receipts, and none
    /// has anything that is not.
    pub(super) fn settle(&self, devices: usize) -> Result<Settled> {
        let project = self.project()?;
        let began = Instant::now();
        loop {
            let status = project.status()?;
            let level: Vec<i64> = status
                .devices
                .iter()
                .filter_map(|device| device.receipt)
                .filter(|receipt| receipt.has_everything() && receipt.entries_ahead == 0)
                .map(|receipt| receipt.time)
                .collect();
            if status.waiting == 0 && level.len() + 1 >= devices {
                return Ok(Settled { devices: level.len() + 1, time: level.into_iter().min().unwrap_or_default() });
            }
            if began.elapsed() > PATIENCE {
                bail!(
                    "after {} s only {} of {devices} devices have acknowledged everything that is here ({:?})",
                    PATIENCE.as_secs(),
                    level.len() + 1,
                    self.faults()?,
                );
            }
            std::thread::sleep(LOOK);
        }
    }

    /// A short wait, unless too much time has passed since `moved`.
    fn pause(&self, moved: Instant, what: &str) -> Result<()> {
        if moved.elapsed() > PATIENCE {
            bail!("for {} s {what} ({:?})", PATIENCE.as_secs(), self.faults()?);
        }
        let pool = self.database()?.pool();
        pool.wait(pool.revision(), LOOK);
        Ok(())
    }

    fn is_talking(&self) -> bool {
        self.database().is_ok_and(|database| database.pool().peers().iter().any(|peer| !peer.projects.is_empty()))
    }

    /// How far the conversation is that has most to bring (others bring some of the same), whether all of them are level,
    /// and how many sent something.
    fn progress(&self, project: &Project) -> Result<(Progress, bool, usize)> {
        let mut most = Progress { done: 0, total: 0, bytes: 0 };
        let (mut level, mut senders) = (true, 0);
        for peer in self.database()?.pool().peers() {
            for shared in peer.projects.iter().filter(|shared| shared.project == project.id()) {
                let (received, lacking) = (shared.progress.received, shared.progress.to_receive);
                let total = received.entries + lacking.entries;
                if total > most.total || (total == most.total && received.entries > most.done) {
                    most = Progress { done: received.entries, total, bytes: received.bytes };
                }
                level &= shared.level;
                senders += usize::from(shared.progress.received.entries > 0);
            }
        }
        Ok((most, level, senders))
    }

    /// UDP payload received from and sent to all who are connected, in bytes.
    fn traffic(&self) -> Result<(u64, u64)> {
        let mut sum = (0, 0);
        for peer in self.network()?.peers() {
            if let PeerState::Connected { sent, received, .. } = peer.state {
                sum = (sum.0 + received, sum.1 + sent);
            }
        }
        Ok(sum)
    }

    /// What the network and the other devices say is wrong.
    fn faults(&self) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        faults.extend(self.network()?.peers().into_iter().filter_map(|peer| peer.trouble));
        for peer in self.database()?.pool().peers() {
            faults.extend(peer.fault);
            faults.extend(peer.projects.into_iter().filter_map(|project| project.said));
        }
        Ok(faults)
    }
}
