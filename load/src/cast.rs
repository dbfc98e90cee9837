//! The devices as the load sees them: processes that are given orders, and may be killed.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::orders::{Answer, Order};
use crate::process::Watch;

/// What makes this program a device: its first argument.
pub const ROLE: &str = "as-a-device";
/// The longest that an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a device has to close its database.
const LEAVING: Duration = Duration::from_secs(60);

/// All devices, each known by its place in the order in which they came. When this is dropped their processes are ended.
pub struct Cast {
    program: PathBuf,
    folder: PathBuf,
    actors: Vec<Actor>,
    ears: Sender<(usize, u64, Heard)>,
    heard: Receiver<(usize, u64, Heard)>,
    /// Their memory.
    pub watch: Watch,
}

struct Actor {
    name: String,
    process: Option<Process>,
    /// Processes that it has had.
    lives: u64,
    /// Answers nobody has asked for yet.
    answers: VecDeque<Json>,
    /// How far it said that it is with what takes long.
    progress: u64,
}

struct Process {
    child: Child,
    orders: Option<ChildStdin>,
    /// What it was told to do last, in words.
    told: &'static str,
}

enum Heard {
    Answer(Answer),
    Nonsense(String),
    /// Its output has ended.
    End,
}

impl Cast {
    /// Nobody yet. `program` is this program; the devices have their folders in `folder`.
    pub fn new(program: &Path, folder: &Path) -> Self {
        let (ears, heard) = channel();
        let (program, folder) = (program.to_owned(), folder.to_owned());
        Self { program, folder, actors: Vec::new(), ears, heard, watch: Watch::start() }
    }

    /// One more device, and its process; gives its place.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn enter(&mut self, name: &str) -> Result<usize> {
        let (name, answers) = (name.to_owned(), VecDeque::new());
        self.actors.push(Actor { name, process: None, lives: 0, answers, progress: 0 });
        let at = self.actors.len() - 1;
        self.start(at)?;
        Ok(at)
    }

    /// Starts a device's process, after it was [killed](Cast::kill) or [ended](Cast::end).
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&mut self, at: usize) -> Result<()> {
        let actor = &mut self.actors[at];
        actor.lives += 1;
        let log = self.folder.join(format!("{}.log", actor.name));
        let log = File::options().append(true).create(true).open(&log).context("cannot write a device's log")?;
        let mut command = Command::new(&self.program);
        command.arg(ROLE).arg(self.folder.join(&actor.name));
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn();
        let mut child = spawned.with_context(|| format!("cannot start {}", self.program.display()))?;
        let (orders, output) = (child.stdin.take(), child.stdout.take());
        let (life, ears) = (actor.lives, self.ears.clone());
        if let Some(output) = output {
            std::thread::spawn(move || listen(BufReader::new(output), |heard| ears.send((at, life, heard)).is_ok()));
        }
        self.watch.begins(at, child.id());
        actor.process = Some(Process { child, orders, told: "start" });
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.actors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.actors.is_empty()
    }

    /// A device's name.
    pub fn name(&self, at: usize) -> &str {
        &self.actors[at].name
    }

    /// Whether a device has a process.
    pub fn runs(&self, at: usize) -> bool {
        self.actors[at].process.is_some()
    }

    /// Gives an order, and waits until it is carried out.
    ///
    /// # Errors
    /// When it is not.
    pub fn ask<T: DeserializeOwned>(&mut self, at: usize, order: &Order) -> Result<T> {
        self.order(at, order)?;
        self.answer(at)
    }

    /// Gives an order to several at once, and waits until all have carried it out.
    ///
    /// # Errors
    /// When one does not.
    pub fn ask_all<T: DeserializeOwned>(
        &mut self,
        places: impl IntoIterator<Item = usize>,
        order: impl Fn(usize) -> Order,
    ) -> Result<Vec<T>> {
        let places: Vec<usize> = places.into_iter().collect();
        places.iter().try_for_each(|at| self.order(*at, &order(*at)))?;
        places.into_iter().map(|at| self.answer(at)).collect()
    }

    /// Gives an order.
    ///
    /// # Errors
    /// When the device has no process.
    pub fn order(&mut self, at: usize, order: &Order) -> Result<()> {
        let text = serde_json::to_string(order)?;
        let actor = &mut self.actors[at];
        let process = actor.process.as_mut().context("a device without a process was given an order")?;
        process.told = order.words();
        let written = match &mut process.orders {
            Some(orders) => writeln!(orders, "{text}").and_then(|()| orders.flush()),
            None => Ok(()),
        };
        written.map_err(|_| self.lost(at))
    }

    /// Waits for the answer to the oldest order that was not asked after yet.
    ///
    /// # Errors
    /// When the order could not be carried out.
    pub fn answer<T: DeserializeOwned>(&mut self, at: usize) -> Result<T> {
        let began = Instant::now();
        loop {
            if let Some(answer) = self.answered(at)? {
                return Ok(answer);
            }
            if began.elapsed() > PATIENCE {
                let (name, told) = (&self.actors[at].name, self.told(at));
                bail!("{name} has said nothing for {} s; it was to {told}", PATIENCE.as_secs());
            }
            self.listen(Duration::from_millis(100))?;
        }
    }

    /// The answer to the oldest order that was not asked after yet, if it is here.
    ///
    /// # Errors
    /// When it is another one than is expected.
    pub fn answered<T: DeserializeOwned>(&mut self, at: usize) -> Result<Option<T>> {
        let Some(answer) = self.actors[at].answers.pop_front() else { return Ok(None) };
        Ok(Some(serde_json::from_value(answer).with_context(|| self.actors[at].name.clone())?))
    }

    /// How far a device is with what takes long.
    pub fn progress(&self, at: usize) -> u64 {
        self.actors[at].progress
    }

    /// Waits until somebody says something, at most so long, and takes in all that was said.
    ///
    /// # Errors
    /// When a device has failed, or has ended unasked.
    pub fn listen(&mut self, at_most: Duration) -> Result<()> {
        let mut next = self.heard.recv_timeout(at_most).ok();
        while let Some((at, life, heard)) = next {
            if self.take(at, life, heard)? {
                return Err(self.lost(at));
            }
            next = self.heard.try_recv().ok();
        }
        Ok(())
    }

    /// Kills a device's process. What it had answered by then can still be asked for.
    ///
    /// # Errors
    /// When it had failed before.
    pub fn kill(&mut self, at: usize) -> Result<()> {
        self.watch.ends(at);
        if let Some(process) = &mut self.actors[at].process {
            process.child.kill()?;
        }
        self.last_words(at)?;
        if let Some(mut process) = self.actors[at].process.take() {
            let status = process.child.wait()?;
            let killed = status.success() || status.code().is_none();
            ensure!(killed, "{} had failed before it was killed: {status}", self.name(at));
        }
        Ok(())
    }

    /// Lets a device close its database, and waits until its process has ended.
    ///
    /// # Errors
    /// When it does not end, or not well.
    pub fn end(&mut self, at: usize) -> Result<()> {
        self.watch.ends(at);
        let name = self.actors[at].name.clone();
        let Some(process) = &mut self.actors[at].process else { return Ok(()) };
        (process.orders, process.told) = (None, "close its database");
        self.last_words(at)?;
        let began = Instant::now();
        let Some(mut process) = self.actors[at].process.take() else { return Ok(()) };
        loop {
            match process.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("{name} did not end well: {status}{}", self.log_of(at)),
                None if began.elapsed() > LEAVING => {
                    let _ = process.child.kill();
                    bail!("{name} did not end within {} s", LEAVING.as_secs());
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Takes in what is said until a device's output ends.
    fn last_words(&mut self, at: usize) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < LEAVING {
            let Ok((from, life, heard)) = self.heard.recv_timeout(Duration::from_millis(100)) else { continue };
            match self.take(from, life, heard)? {
                true if from == at => return Ok(()),
                true => return Err(self.lost(from)),
                false => {}
            }
        }
        let (name, told) = (self.name(at).to_owned(), self.told(at));
        bail!("{name} did not end within {} s; it was to {told}", LEAVING.as_secs())
    }

    /// Takes in what was said; whether it was the end.
    fn take(&mut self, at: usize, life: u64, heard: Heard) -> Result<bool> {
        let told = self.told(at);
        let actor = &mut self.actors[at];
        match heard {
            _ if life != actor.lives => {}
            Heard::Answer(Answer::Progress(progress)) => actor.progress = progress,
            Heard::Answer(Answer::Done(answer)) => actor.answers.push_back(answer),
            Heard::Answer(Answer::Failed { what }) => bail!("{} could not {told}: {what}", actor.name),
            Heard::Nonsense(line) => bail!("{} said what is no answer: {line}", actor.name),
            Heard::End => return Ok(true),
        }
        Ok(false)
    }

    fn told(&self, at: usize) -> &'static str {
        self.actors[at].process.as_ref().map_or("end", |process| process.told)
    }

    fn lost(&mut self, at: usize) -> anyhow::Error {
        let told = self.told(at);
        let status = self.actors[at].process.as_mut().and_then(|process| process.child.wait().ok());
        let how = status.map_or_else(String::new, |status| format!(" ({status})"));
        anyhow!("{} has ended unasked{how} while it was to {told}{}", self.name(at), self.log_of(at))
    }

    /// The end of a device's log.
    fn log_of(&self, at: usize) -> String {
        let log = self.folder.join(format!("{}.log", self.name(at)));
        let text = fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let last: Vec<&str> = text.lines().rev().take(5).collect();
        match last.is_empty() {
            true => String::new(),
            false => format!(
                "; the end of {}:\n  {}",
                log.display(),
                last.into_iter().rev().collect::<Vec<_>>().join("\n  ")
            ),
        }
    }
}

impl Drop for Cast {
    fn drop(&mut self) {
        for process in self.actors.iter_mut().filter_map(|actor| actor.process.as_mut()) {
            let _ = process.child.kill();
        }
        for process in self.actors.iter_mut().filter_map(|actor| actor.process.as_mut()) {
            let _ = process.child.wait();
        }
    }
}

/// Hands on what a device says, until it ends or nobody listens.
fn listen(output: impl BufRead, mut hear: impl FnMut(Heard) -> bool) {
    for line in output.lines() {
        let Ok(line) = line else { break };
        let heard = match serde_json::from_str(&line) {
            Ok(answer) => Heard::Answer(answer),
            // The last line of one that was killed may be cut off.
            Err(error) if error.is_eof() => break,
            Err(_) => Heard::Nonsense(line),
        };
        if !hear(heard) {
            return;
        }
    }
    hear(Heard::End);
}
