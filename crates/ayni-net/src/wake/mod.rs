//! Telling other processes on the same database folder that something was committed.
//!
//! One process owns sync and [`Wake::listen`]s; any number of them [`watch`](watch()). Each calls [`notify`] after a commit;
//! the one that syncs calls [`notify_watching`]. The signal carries nothing but that it came, and several may arrive as one.
//!
//! On Unix it is a datagram to a socket in the folder, guarded by the folder's permissions: `wake`, and `watch-` with a
//! random number for each that watches. Where a socket cannot be (other platforms, and folders whose path is too long for
//! a socket's name) it is a UDP port of the loopback interface, whose number stands in a file of that name and `.port`.

mod watch;

pub use watch::{Watch, notify_watching, watch};

use std::{
    fs, io,
    net::{Ipv4Addr, UdpSocket},
    path::{Path, PathBuf},
};

const SOCKET: &str = "wake";
const PORT: &str = "wake.port";

/// Why no signals can be received.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WakeError {
    /// Another process listens in this folder.
    #[error("another process already syncs {folder}; end it first, or let it do the syncing", folder = .folder.display())]
    Taken {
        /// The database folder.
        folder: PathBuf,
    },
    /// The socket or file could not be made.
    #[error("cannot listen for other processes in {folder}: {source}", folder = .folder.display())]
    Io {
        /// The database folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Receives the signals of other processes. Dropping it stops listening.
pub struct Wake {
    socket: Socket,
    /// Removed when dropped.
    file: PathBuf,
}

enum Socket {
    #[cfg(unix)]
    Unix(tokio::net::UnixDatagram),
    Udp(tokio::net::UdpSocket),
}

impl Wake {
    /// Listens in this database folder. To be called in a tokio runtime.
    ///
    /// What a process left that crashed is cleared away; if another process listens, this fails.
    pub fn listen(folder: &Path) -> Result<Self, WakeError> {
        if notify_syncing(folder) {
            return Err(WakeError::Taken { folder: folder.to_owned() });
        }
        Self::bind(folder).map_err(|source| WakeError::Io { folder: folder.to_owned(), source })
    }

    fn bind(folder: &Path) -> io::Result<Self> {
        for stale in [SOCKET, PORT] {
            match fs::remove_file(folder.join(stale)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        #[cfg(unix)]
        if unix::fits(&folder.join(SOCKET)) {
            let file = folder.join(SOCKET);
            let socket = Socket::Unix(tokio::net::UnixDatagram::bind(&file)?);
            return Ok(Self { socket, file });
        }
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let file = folder.join(PORT);
        write_port(&file, &socket)?;
        Ok(Self { socket: Socket::Udp(tokio::net::UdpSocket::from_std(socket)?), file })
    }

    /// Waits until another process has signalled since the last call. Signals that came meanwhile count as one.
    pub async fn signalled(&mut self) {
        let mut one = [0];
        loop {
            let received = match &self.socket {
                #[cfg(unix)]
                Socket::Unix(socket) => socket.recv(&mut one).await.map(|_| while socket.try_recv(&mut one).is_ok() {}),
                Socket::Udp(socket) => socket.recv(&mut one).await.map(|_| while socket.try_recv(&mut one).is_ok() {}),
            };
            match received {
                Ok(()) => return,
                // Windows reports datagrams that were too long or bounced; neither is a reason to spin.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            }
        }
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

/// Tells the process that syncs this database folder, if there is one, that something is to be sent, and those that watch
/// it that something was committed: to be called after each commit (`Database::on_commit`).
///
/// Never blocks and never fails. Returns whether a process syncs.
pub fn notify(folder: &Path) -> bool {
    notify_watching(folder);
    notify_syncing(folder)
}

fn notify_syncing(folder: &Path) -> bool {
    #[cfg(unix)]
    if unix::send(&folder.join(SOCKET)).is_ok() {
        return true;
    }
    send_to_port(&folder.join(PORT)).is_ok()
}

/// Signals to the port whose number stands in a file.
fn send_to_port(file: &Path) -> io::Result<()> {
    let port = fs::read_to_string(file)?.trim().parse::<u16>().map_err(io::Error::other)?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    socket.connect((Ipv4Addr::LOCALHOST, port))?;
    socket.send(&[1])?;
    // A port that nobody listens on answers at once on the loopback, and the second send reports it.
    socket.send(&[1]).map(|_| ())
}

/// Writes the port of a socket down, whole or not at all: another process may read it at any time.
fn write_port(file: &Path, socket: &UdpSocket) -> io::Result<()> {
    let draft = file.with_extension("port.new");
    fs::write(&draft, socket.local_addr()?.port().to_string())?;
    fs::rename(&draft, file)
}

#[cfg(unix)]
mod unix {
    use std::{
        io,
        os::unix::{ffi::OsStrExt, net::UnixDatagram},
        path::Path,
    };

    /// The shortest limit of a socket's path among the Unix systems (104 on macOS and the BSDs), less the final zero.
    const LONGEST: usize = 103;

    pub(super) fn fits(path: &Path) -> bool {
        path.as_os_str().as_bytes().len() <= LONGEST
    }

    pub(super) fn send(path: &Path) -> io::Result<()> {
        if !fits(path) {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        match socket.send_to(&[1], path) {
            // Its queue is full, so it has signals enough.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            sent => sent.map(|_| ()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(2);
    const NOTHING: Duration = Duration::from_millis(100);

    /// Listening, many signals, silence, and being gone: the same in whatever folder.
    async fn check(folder: &Path) {
        assert!(!notify(folder), "nobody listens yet");
        let mut wake = Wake::listen(folder).unwrap();
        for _ in 0..10_000 {
            assert!(notify(folder), "a full queue is no reason to block or fail");
        }
        timeout(SOON, wake.signalled()).await.unwrap();
        while timeout(NOTHING, wake.signalled()).await.is_ok() {}
        assert!(notify(folder));
        timeout(SOON, wake.signalled()).await.unwrap();
        assert!(matches!(Wake::listen(folder), Err(WakeError::Taken { .. })));
        drop(wake);
        assert!(!notify(folder));
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "nothing is left in the folder");
    }

    #[tokio::test]
    async fn a_signal_reaches_the_process_that_listens() {
        check(tempfile::tempdir().unwrap().path()).await;
    }

    #[tokio::test]
    async fn a_folder_with_a_long_path_works_too() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("long".repeat(40)).join("longer".repeat(30));
        fs::create_dir_all(&folder).unwrap();
        check(&folder).await;
    }

    #[tokio::test]
    async fn what_a_crashed_process_left_is_cleared_away() {
        for long in ["", &"long".repeat(40)] {
            let base = tempfile::tempdir().unwrap();
            let folder = base.path().join(long);
            fs::create_dir_all(&folder).unwrap();
            let mut crashed = Wake::listen(&folder).unwrap();
            crashed.file = folder.join("none, as after a crash nothing is removed");
            drop(crashed);
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
            assert!(!notify(&folder), "a stale socket is nobody");
            let mut wake = Wake::listen(&folder).unwrap();
            assert!(notify(&folder));
            timeout(SOON, wake.signalled()).await.unwrap();
        }
    }
}
