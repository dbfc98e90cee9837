//! Watching a database folder: each process that does has a socket of its own, so there may be any number.

use std::{
    fs, io,
    net::{Ipv4Addr, UdpSocket},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use ayni::Database;

use super::{WakeError, send_to_port, write_port};

/// With what the names of the sockets, or of the files with their ports, begin.
const BEGINNING: &str = "watch-";
/// With what those of files with ports end.
const PORT: &str = "port";

/// Lets live queries (`Collection::watch`) learn of what other processes on the folder commit, until it is dropped.
///
/// # Errors
/// [`WakeError::Io`] if the socket or its thread cannot be made.
pub fn watch(database: &Database) -> Result<Watch, WakeError> {
    let looking = database.clone();
    Watch::listen(database.folder(), move || looking.nudge())
}

/// Receives the signals of other processes, on a thread of its own. Dropping it stops that, and leaves nothing behind.
pub struct Watch {
    stop: Arc<AtomicBool>,
    file: PathBuf,
    thread: Option<JoinHandle<()>>,
}

enum Socket {
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixDatagram),
    Udp(UdpSocket),
}

impl Watch {
    /// Calls something each time that another process has signalled; for several signals perhaps once.
    ///
    /// # Errors
    /// [`WakeError::Io`] if the socket or its thread cannot be made.
    pub fn listen(folder: &Path, call: impl Fn() + Send + 'static) -> Result<Self, WakeError> {
        // What a process left that crashed is cleared away.
        notify_watching(folder);
        Self::start(folder, call).map_err(|source| WakeError::Io { folder: folder.to_owned(), source })
    }

    fn start(folder: &Path, call: impl Fn() + Send + 'static) -> io::Result<Self> {
        let (socket, file) = bind(folder)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let receive = move || {
            while socket.receive() && !stopped.load(Ordering::Acquire) {
                call();
            }
        };
        let thread = std::thread::Builder::new().name("watch".into()).spawn(receive);
        if thread.is_err() {
            let _ = fs::remove_file(&file);
        }
        Ok(Self { stop, file, thread: Some(thread?) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let told = signal(&self.file).is_ok();
        let _ = fs::remove_file(&self.file);
        // One that cannot be told, as somebody took its file away, waits on until the process ends.
        if let Some(thread) = self.thread.take().filter(|_| told) {
            let _ = thread.join();
        }
    }
}

impl Socket {
    /// Waits for a signal, and takes those along that came with it. Gives `false` when none can come any more.
    fn receive(&self) -> bool {
        let mut one = [0];
        let mut receive = || match self {
            #[cfg(unix)]
            Self::Unix(socket) => socket.recv(&mut one),
            Self::Udp(socket) => socket.recv(&mut one),
        };
        match receive() {
            Ok(_) => true,
            // Windows reports datagrams that were too long or bounced; neither is an end, nor a reason to spin.
            Err(error) if cfg!(windows) || error.kind() == io::ErrorKind::Interrupted => {
                std::thread::sleep(std::time::Duration::from_millis(100));
                true
            }
            Err(_) => false,
        }
    }
}

fn bind(folder: &Path) -> io::Result<(Socket, PathBuf)> {
    let mut number = [0; 8];
    getrandom::fill(&mut number).map_err(io::Error::other)?;
    let name = format!("{BEGINNING}{:016x}", u64::from_be_bytes(number));
    let file = folder.join(&name);
    #[cfg(unix)]
    if super::unix::fits(&file) {
        return Ok((Socket::Unix(std::os::unix::net::UnixDatagram::bind(&file)?), file));
    }
    let file = folder.join(format!("{name}.{PORT}"));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    write_port(&file, &socket)?;
    Ok((Socket::Udp(socket), file))
}

/// Tells the processes that watch this database folder that something was committed.
///
/// Never blocks and never fails. What a process left that crashed is cleared away.
pub fn notify_watching(folder: &Path) {
    let Ok(files) = fs::read_dir(folder) else { return };
    for file in files.flatten() {
        let is_one = file.file_name().to_str().is_some_and(|name| name.starts_with(BEGINNING));
        if is_one && signal(&file.path()).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            let _ = fs::remove_file(file.path());
        }
    }
}

/// Signals to one that watches; refused where nobody does any more.
fn signal(file: &Path) -> io::Result<()> {
    match file.extension().and_then(|end| end.to_str()) {
        Some(PORT) => send_to_port(file),
        // Just being written.
        Some(_) => Ok(()),
        #[cfg(unix)]
        None => super::unix::send(file),
        #[cfg(not(unix))]
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{
        sync::mpsc::{Receiver, channel},
        time::Duration,
    };

    use super::super::Wake;
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn listen(folder: &Path) -> (Watch, Receiver<()>) {
        let (send, receive) = channel();
        let watch = Watch::listen(folder, move || {
            let _ = send.send(());
        });
        (watch.unwrap(), receive)
    }

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    /// Two that watch, beside one that syncs: the same in whatever folder.
    fn check(folder: &Path) {
        notify_watching(folder);
        let (one, ones) = listen(folder);
        let (other, others) = listen(folder);
        // The second cleared away what it found of nobody: a signal to the first.
        ones.recv_timeout(SOON).unwrap();
        assert!(!super::super::notify(folder), "nobody syncs");
        for signals in [&ones, &others] {
            signals.recv_timeout(SOON).unwrap();
        }
        for _ in 0..10_000 {
            notify_watching(folder);
        }
        others.recv_timeout(SOON).unwrap();
        drop(one);
        // It has ended, and its channel with it.
        while ones.recv_timeout(SOON).is_ok() {}
        assert!(matches!(ones.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected)));
        while others.recv_timeout(Duration::from_millis(100)).is_ok() {}
        notify_watching(folder);
        others.recv_timeout(SOON).unwrap();
        drop(other);
        assert_eq!(files(folder), 0, "nothing is left in the folder");
    }

    #[test]
    fn a_signal_reaches_all_that_watch() {
        check(tempfile::tempdir().unwrap().path());
    }

    #[test]
    fn in_a_folder_with_a_long_path_it_does_too() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("long".repeat(40));
        fs::create_dir_all(&folder).unwrap();
        check(&folder);
    }

    #[test]
    fn what_a_crashed_process_left_is_cleared_away_by_the_next_signal() {
        let folder = tempfile::tempdir().unwrap();
        let (socket, file) = bind(folder.path()).unwrap();
        drop(socket);
        assert!(file.exists());
        notify_watching(folder.path());
        assert_eq!(files(folder.path()), 0);
    }

    #[tokio::test]
    async fn those_that_watch_and_the_one_that_syncs_do_not_stand_in_each_others_way() {
        let folder = tempfile::tempdir().unwrap();
        let (_watch, signals) = listen(folder.path());
        let mut wake = Wake::listen(folder.path()).unwrap();
        assert!(super::super::notify(folder.path()));
        tokio::time::timeout(SOON, wake.signalled()).await.unwrap();
        signals.recv_timeout(SOON).unwrap();
        assert!(matches!(Wake::listen(folder.path()), Err(WakeError::Taken { .. })));
    }
}
