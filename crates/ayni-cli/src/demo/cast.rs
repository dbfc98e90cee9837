//! All devices of the demo together. Whichever is waited for, one that fails or ends is noticed at once.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::failure::Failure;

use super::actor::{Actor, Heard};
use super::orders::{Answer, Done, Order, Progress};

/// How long all devices may say nothing while an order is carried out: longer than a device is patient itself.
const SILENCE: Duration = Duration::from_secs(90);

/// The devices, each known by its place in the order in which they came on.
///
/// When this is dropped their processes are ended.
pub(super) struct Cast {
    actors: Vec<Actor>,
    heard: Receiver<(usize, Heard)>,
    /// For those who are still to come.
    ears: Sender<(usize, Heard)>,
}

impl Cast {
    /// Nobody yet.
    pub(super) fn new() -> Self {
        let (ears, heard) = channel();
        Self { actors: Vec::new(), heard, ears }
    }

    /// Starts one more device; gives its place. See [`Actor::start`].
    pub(super) fn enter(
        &mut self,
        name: &'static str,
        folder: &Path,
        keys: &Path,
        log: PathBuf,
    ) -> Result<usize, Failure> {
        let (at, ears) = (self.actors.len(), self.ears.clone());
        self.actors.push(Actor::start(name, folder, keys, log, move |heard| ears.send((at, heard)).is_ok())?);
        Ok(at)
    }

    /// The places of all.
    pub(super) fn all(&self) -> std::ops::Range<usize> {
        0..self.actors.len()
    }

    /// A device's name.
    pub(super) fn name(&self, at: usize) -> &'static str {
        self.actors[at].name()
    }

    /// Gives a device an order and waits until it is carried out.
    pub(super) fn ask<T: DeserializeOwned>(&mut self, at: usize, order: &Order) -> Result<T, Failure> {
        self.order(at, order)?;
        self.answer(at, |_| ())
    }

    /// Gives a device an order.
    pub(super) fn order(&mut self, at: usize, order: &Order) -> Result<(), Failure> {
        self.actors[at].order(order)
    }

    /// Waits until a device has carried out the oldest order that was not asked after yet; `progress` is told how far
    /// it is.
    pub(super) fn answer<T: DeserializeOwned>(
        &mut self,
        at: usize,
        mut progress: impl FnMut(Progress),
    ) -> Result<T, Failure> {
        loop {
            if let Some(answer) = self.actors[at].answers.pop_front() {
                return serde_json::from_value(answer).map_err(|error| self.actors[at].failure(error));
            }
            let Ok((from, heard)) = self.heard.recv_timeout(SILENCE) else {
                let what = format_args!("it has said nothing for {} s", SILENCE.as_secs()).to_string();
                return Err(self.actors[at].failure(what));
            };
            let actor = &mut self.actors[from];
            match heard {
                Heard::Answer(Answer::Progress(amount)) if from == at => progress(amount),
                Heard::Answer(Answer::Progress(_)) => {}
                Heard::Answer(Answer::Done(answer)) => actor.done(answer),
                Heard::Answer(Answer::Failed { what }) | Heard::Nonsense(what) => return Err(actor.failure(what)),
                Heard::End => return Err(actor.lost()),
            }
        }
    }

    /// Lets all leave the network, close their databases and end.
    pub(super) fn leave(mut self) -> Result<(), Failure> {
        for at in self.all() {
            let Done {} = self.ask(at, &Order::Offline)?;
        }
        self.actors.drain(..).try_for_each(Actor::leave)
    }
}
