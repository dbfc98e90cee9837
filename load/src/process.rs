//! Processes seen from outside: how much memory each has, and how many files it has open. Linux tells it in `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, ensure};

/// How often they are looked at.
const EVERY: Duration = Duration::from_millis(500);

/// Says so where this machine does not tell what is to be measured.
///
/// # Errors
/// On anything but Linux.
pub fn can_be_measured() -> Result<()> {
    let says = memory(std::process::id()).is_some();
    ensure!(says, "the memory of processes is read from /proc, which only Linux has: run this on Linux");
    Ok(())
}

/// Memory of one process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Resident now.
    pub now: u64,
    /// The most that was, as the kernel has counted it.
    pub peak: u64,
}

/// The memory of a process, as long as it runs.
pub fn memory(pid: u32) -> Option<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(Memory { now: bytes(&status, "VmRSS:")?, peak: bytes(&status, "VmHWM:")? })
}

/// How many files, sockets among them, a process has open.
pub fn descriptors(pid: u32) -> Option<usize> {
    Some(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count())
}

/// Time of processors that a process took so far, in the hundredths of a second in which Linux counts it.
fn processor(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, which may have spaces, ends with the last bracket.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11).map_while(|field| field.parse::<u64>().ok());
    let (user, system) = (fields.next()?, fields.next()?);
    Some(Duration::from_millis(10 * (user + system)))
}

fn bytes(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// Looks at the processes of devices all the time.
pub struct Watch {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    /// Each with what its process had taken of processors when last looked at.
    running: BTreeMap<usize, (u32, Duration)>,
    devices: BTreeMap<usize, Peaks>,
    all: u64,
}

/// What was seen of one device, in all its lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Peaks {
    /// The most memory, in bytes.
    pub memory: u64,
    /// The most files open.
    pub descriptors: usize,
    /// Time of processors that it took.
    pub processor: Duration,
    sum: u64,
    looks: u64,
}

impl Peaks {
    /// Memory on the average of all looks, in bytes.
    pub fn mean(&self) -> u64 {
        self.sum.checked_div(self.looks).unwrap_or(0)
    }
}

impl Watch {
    /// Begins.
    pub fn start() -> Self {
        let (seen, stop) = (Arc::new(Mutex::new(Seen::default())), Arc::new(AtomicBool::new(false)));
        let (looking, stopped) = (seen.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                look(&looking);
                std::thread::sleep(EVERY);
            }
        });
        Self { seen, stop, thread: Some(thread) }
    }

    /// A device has a process.
    pub fn begins(&self, device: usize, pid: u32) {
        self.seen().running.insert(device, (pid, Duration::ZERO));
    }

    /// A device has none any more.
    pub fn ends(&self, device: usize) {
        look(&self.seen);
        self.seen().running.remove(&device);
    }

    /// The process of a device.
    pub fn pid(&self, device: usize) -> Option<u32> {
        self.seen().running.get(&device).map(|(pid, _)| *pid)
    }

    /// What was seen of a device.
    pub fn peaks(&self, device: usize) -> Peaks {
        look(&self.seen);
        self.seen().devices.get(&device).copied().unwrap_or_default()
    }

    /// Of all devices: the most that one had.
    pub fn most(&self) -> u64 {
        self.seen().devices.values().map(|peaks| peaks.memory).max().unwrap_or(0)
    }

    /// Of all devices, the average.
    pub fn mean(&self) -> u64 {
        let seen = self.seen();
        let means: u64 = seen.devices.values().map(Peaks::mean).sum();
        means.checked_div(seen.devices.len() as u64).unwrap_or(0)
    }

    /// Time of processors that all have taken together.
    pub fn processor(&self) -> Duration {
        look(&self.seen);
        self.seen().devices.values().map(|peaks| peaks.processor).sum()
    }

    /// The most that all had together at one moment.
    pub fn most_of_all(&self) -> u64 {
        self.seen().all
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn look(seen: &Mutex<Seen>) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let mut all = 0;
    for (device, (pid, before)) in seen.running.clone() {
        let Some(memory) = memory(pid) else { continue };
        let open = descriptors(pid).unwrap_or(0);
        let processor = processor(pid).unwrap_or(before);
        seen.running.insert(device, (pid, processor));
        let peaks = seen.devices.entry(device).or_default();
        peaks.processor += processor.saturating_sub(before);
        peaks.memory = peaks.memory.max(memory.peak);
        peaks.descriptors = peaks.descriptors.max(open);
        peaks.sum += memory.now;
        peaks.looks += 1;
        all += memory.now;
    }
    seen.all = seen.all.max(all);
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_takes_memory_and_opens_files_is_seen_to() {
        let pid = std::process::id();
        let before = (memory(pid).unwrap(), descriptors(pid).unwrap());
        let watch = Watch::start();
        watch.begins(0, pid);
        let taken = std::hint::black_box(vec![1_u8; 64 << 20]);
        let files: Vec<_> = (0..20).map(|_| fs::File::open("/proc/self/status").unwrap()).collect();
        let after = (memory(pid).unwrap(), descriptors(pid).unwrap());
        assert!(after.0.now >= before.0.now + (60 << 20) && after.0.peak >= after.0.now, "{before:?} {after:?}");
        assert!(after.1 >= before.1 + 20);
        let began = std::time::Instant::now();
        while began.elapsed() < Duration::from_millis(50) {}
        assert!(watch.processor() >= Duration::from_millis(10));
        drop((taken, files));
    }
}
