//! A device of the demo as the demo sees it: a process that is given orders.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::failure::Failure;

use super::orders::{Answer, Order};

/// How long a device has to close its database.
const LEAVING: Duration = Duration::from_secs(20);
/// How long a process that has closed its output has to end.
const ENDING: Duration = Duration::from_secs(2);
/// Lines of its log that are told when a device is lost.
const LAST_WORDS: usize = 5;

/// A device: a process of this same program.
pub(super) struct Actor {
    name: &'static str,
    child: Child,
    orders: Option<ChildStdin>,
    /// The last order, in words.
    told: &'static str,
    /// How many orders it has not answered yet.
    open: usize,
    /// Answers that nobody has asked for yet.
    pub(super) answers: VecDeque<Json>,
    log: PathBuf,
}

/// What is heard of a device.
pub(super) enum Heard {
    /// An answer.
    Answer(Answer),
    /// Something that is none.
    Nonsense(String),
    /// Its output has ended: so has the process, or it is about to.
    End,
}

impl Actor {
    /// Starts the process of a device with its database in `folder` and its key file in `keys`. What it prints on its
    /// standard error goes to `log`; what it answers to `hear`, on a thread of its own, until nobody listens.
    pub(super) fn start(
        name: &'static str,
        folder: &Path,
        keys: &Path,
        log: PathBuf,
        hear: impl FnMut(Heard) -> bool + Send + 'static,
    ) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(
                format_args!("{name}'s process does not start: {error}"),
                "check that this program can be run from where it is, and that not too many run",
            )
        };
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
        if let Some(output) = output {
            std::thread::spawn(move || listen(BufReader::new(output), hear));
        }
        Ok(Self { name, child, orders, told: "start", open: 0, answers: VecDeque::new(), log })
    }

    /// The device's name.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Gives an order.
    pub(super) fn order(&mut self, order: &Order) -> Result<(), Failure> {
        self.told = order.words();
        self.open += 1;
        let text = serde_json::to_string(order).map_err(|error| self.failure(error))?;
        let written = match &mut self.orders {
            Some(orders) => writeln!(orders, "{text}").and_then(|()| orders.flush()),
            None => Ok(()),
        };
        written.map_err(|_| self.lost())
    }

    /// It has carried out an order.
    pub(super) fn done(&mut self, answer: Json) {
        self.open = self.open.saturating_sub(1);
        self.answers.push_back(answer);
    }

    /// Lets the device close its database and waits until its process has ended.
    pub(super) fn leave(mut self) -> Result<(), Failure> {
        (self.orders, self.told, self.open) = (None, "close its database", 1);
        match self.ended_within(LEAVING) {
            Some(status) if status.success() => Ok(()),
            Some(_) => Err(self.lost()),
            None => Err(self.failure(format_args!("it did not end within {} s", LEAVING.as_secs()))),
        }
    }

    /// It could not do what it was told.
    pub(super) fn failure(&self, what: impl std::fmt::Display) -> Failure {
        let (name, told, log) = (self.name, self.told, self.log.display());
        Failure::new(
            format_args!("{name}'s device could not {told}: {what}"),
            format_args!("`ayni demo` begins anew; what this device said is in {log}"),
        )
    }

    /// The process has ended unasked.
    pub(super) fn lost(&mut self) -> Failure {
        let status = self.ended_within(ENDING);
        let how = match status {
            Some(status) => status.to_string(),
            None => "it closed its output".to_owned(),
        };
        let when = if self.open > 0 { "while it was to" } else { "after it was told to" };
        let remedy = match status {
            // By a signal: a system that is short of memory does that, too.
            Some(status) if status.code().is_none() => "something ended it from outside, perhaps for lack of memory: ",
            _ => "",
        };
        Failure::new(
            format_args!(
                "{}'s device has ended unasked, {when} {} ({how}); {}",
                self.name,
                self.told,
                last_words(&self.log)
            ),
            format_args!("{remedy}`ayni demo` begins anew; what this device said is in {}", self.log.display()),
        )
    }

    fn ended_within(&mut self, time: Duration) -> Option<ExitStatus> {
        let began = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if began.elapsed() < time => std::thread::sleep(Duration::from_millis(10)),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // One that is well ends by itself when its input does, but the demo must not wait for one that is not.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The end of a device's log.
fn last_words(log: &Path) -> String {
    let log = fs::read(log).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    match lines.get(lines.len().saturating_sub(LAST_WORDS)..) {
        Some(last) if !last.is_empty() => format!("its last words:\n  {}", last.join("\n  ")),
        _ => "it said nothing of why".to_owned(),
    }
}

/// Hands on what a device answers, until it ends or nobody listens.
fn listen(output: impl BufRead, mut hear: impl FnMut(Heard) -> bool) {
    for line in output.lines() {
        let Ok(line) = line else { break };
        let heard = match serde_json::from_str(&line) {
            Ok(answer) => Heard::Answer(answer),
            Err(error) => Heard::Nonsense(format!("it answers with nonsense: {error}")),
        };
        if !hear(heard) {
            return;
        }
    }
    hear(Heard::End);
}
