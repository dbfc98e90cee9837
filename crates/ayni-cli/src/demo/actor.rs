//! A device of the demo as the demo sees it: a process that is given orders and answers them.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use crate::failure::Failure;

use super::orders::{Answer, Order, Progress};

/// How long a device may say nothing while an order is carried out: longer than it is patient itself.
const SILENCE: Duration = Duration::from_secs(90);
/// How long a device has to close its database.
const LEAVING: Duration = Duration::from_secs(20);

/// A device: a process of this same program.
pub(super) struct Actor {
    name: &'static str,
    child: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<Result<Answer, String>>,
    log: PathBuf,
}

impl Actor {
    /// Starts the process of a device with its database in `folder` and its key file in `keys`. What it prints on its
    /// standard error goes to `log`.
    pub(super) fn start(name: &'static str, folder: &Path, keys: &Path, log: PathBuf) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::new(format_args!("{name}'s process does not start: {error}"), "");
        let program = std::env::current_exe().map_err(failed)?;
        let errors = File::create(&log).map_err(|error| Failure::file(&log, &error))?;
        let mut child = Command::new(program)
            .arg("demo-device")
            .arg(folder)
            .arg(keys)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .map_err(failed)?;
        let (orders, output) = (child.stdin.take(), child.stdout.take());
        let (sender, answers) = channel();
        if let Some(output) = output {
            std::thread::spawn(move || listen(output, |answer| sender.send(answer).is_ok()));
        }
        Ok(Self { name, child, orders, answers, log })
    }

    /// The device's name.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Gives an order and waits until it is carried out.
    pub(super) fn ask<T: DeserializeOwned>(&mut self, order: &Order) -> Result<T, Failure> {
        self.order(order)?;
        self.answer(|_| ())
    }

    /// Gives an order.
    pub(super) fn order(&mut self, order: &Order) -> Result<(), Failure> {
        let text = serde_json::to_string(order).map_err(|error| self.failure(error))?;
        let written = match &mut self.orders {
            Some(orders) => writeln!(orders, "{text}").and_then(|()| orders.flush()),
            None => Ok(()),
        };
        written.map_err(|_| self.gone())
    }

    /// Waits until the last order is carried out; `progress` is told how far it is.
    pub(super) fn answer<T: DeserializeOwned>(&mut self, mut progress: impl FnMut(Progress)) -> Result<T, Failure> {
        loop {
            match self.answers.recv_timeout(SILENCE) {
                Ok(Ok(Answer::Progress(amount))) => progress(amount),
                Ok(Ok(Answer::Done(answer))) => {
                    return serde_json::from_value(answer).map_err(|error| self.failure(error));
                }
                Ok(Ok(Answer::Failed { what })) => return Err(self.failure(what)),
                Ok(Err(what)) => return Err(self.failure(what)),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(self.failure(format_args!("it has said nothing for {} s", SILENCE.as_secs())));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.gone()),
            }
        }
    }

    /// Lets the device close its database and waits until its process has ended.
    pub(super) fn leave(mut self) -> Result<(), Failure> {
        self.orders = None;
        let began = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(_)) => return Err(self.gone()),
                Ok(None) if began.elapsed() > LEAVING => {
                    return Err(self.failure(format_args!("it did not end within {} s", LEAVING.as_secs())));
                }
                Ok(None) => std::thread::sleep(Duration::from_millis(10)),
                Err(error) => return Err(self.failure(error)),
            }
        }
    }

    fn failure(&self, what: impl std::fmt::Display) -> Failure {
        let log = self.log.display();
        Failure::new(format_args!("{}'s device: {what}", self.name), format_args!("its log is {log}"))
    }

    /// The process has ended unasked.
    fn gone(&self) -> Failure {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(5).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        self.failure(format_args!("its process has ended\n{}", last.join("\n")))
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // One that is well ends by itself when its input does, but the demo must not wait for one that is not.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Hands on what a device answers, until it ends or nobody listens.
fn listen(output: ChildStdout, mut hand_on: impl FnMut(Result<Answer, String>) -> bool) {
    for line in BufReader::new(output).lines() {
        let Ok(line) = line else { return };
        let answer = serde_json::from_str(&line).map_err(|error| format!("it answers with nonsense: {error}"));
        if !hand_on(answer) {
            return;
        }
    }
}
