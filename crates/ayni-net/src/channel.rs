//! A channel: carries bytes between one QUIC stream and one [`Link`], until either ends.
//!
//! Memory is bounded by the windows of the stream and one [`CHUNK`](limits::CHUNK) each way: nothing
//! is read from the stream while the link works on what it was given, and nothing is asked of the
//! link while the stream is full.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use iroh::endpoint::{Connection, RecvStream, SendStream};
use tokio::{
    sync::{Notify, RwLock, oneshot},
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};
use tracing::debug;

use crate::{
    CloseReason, Link, LinkInfo, Peers, TransportId, Waker,
    connection::{Code, Open, Run, ended},
    limits,
};

/// What a channel needs besides the connection.
pub(crate) struct Setting {
    pub(crate) own: TransportId,
    pub(crate) own_run: Run,
    pub(crate) peers: Arc<dyn Peers>,
    /// The channel that this one replaces; it ends first.
    pub(crate) previous: Option<JoinHandle<()>>,
    /// Set once the link is admitted.
    pub(crate) admitted: Arc<AtomicBool>,
    /// Ends the channel from outside.
    pub(crate) cancel: oneshot::Receiver<CloseReason>,
}

/// Runs a channel to its end, and says why it ended.
pub(crate) async fn run(open: Open, mut setting: Setting) -> CloseReason {
    if let Some(previous) = setting.previous.take() {
        let _ = previous.await;
    }
    let connection = open.connection.clone();
    let wake = Arc::new(Notify::new());
    let reason = match introduce(&open, &setting, &wake).await {
        Err(reason) => {
            Code::for_reason(&reason).close(&connection);
            reason
        }
        Ok(link) => {
            let desk = Desk::new(link);
            let reason = carry(open, desk.clone(), &wake, setting).await;
            desk.close(reason.clone()).await;
            reason
        }
    };
    let sent = connection.stats().udp_tx.bytes;
    let path = connection.paths().iter().next().map(|path| path.stats());
    let path = path.map(|path| (path.sent_packets, path.lost_packets, path.congestion_events, path.cwnd));
    debug!(%reason, sent, sent_lost_events_window = ?path, "channel closed");
    reason
}

async fn introduce(open: &Open, setting: &Setting, wake: &Arc<Notify>) -> Result<Arc<dyn Link>, CloseReason> {
    let mut binding = [0; 32];
    let exported = open.connection.export_keying_material(&mut binding, b"ayni v1 channel", b"");
    exported.map_err(|_| CloseReason::Local("the connection gives no keying material".into()))?;
    let Open { peer, initiator, remote, .. } = *open;
    let info = LinkInfo { peer, own: setting.own, initiator, binding, remote };
    let wake = wake.clone();
    let waker = Waker::new(move || wake.notify_one());
    let peers = setting.peers.clone();
    let link = spawn_blocking(move || peers.connected(info, waker)).await.map_err(|fault| defect(&fault))?;
    Ok(Arc::from(link?))
}

/// Whatever was asked of the database panicked.
fn defect(fault: &tokio::task::JoinError) -> CloseReason {
    CloseReason::Local(format!("a fault in the program, please report it: {fault}"))
}

/// Asks the link, on threads that may block.
#[derive(Clone)]
struct Desk {
    link: Arc<dyn Link>,
    /// Held for reading by every question under way, for writing once there shall be no more.
    open: Arc<RwLock<()>>,
}

impl Desk {
    fn new(link: Arc<dyn Link>) -> Self {
        Self { link, open: Arc::default() }
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Link) -> T + Send + 'static,
    ) -> Result<T, CloseReason> {
        let under_way = self.open.clone().read_owned().await;
        let link = self.link.clone();
        spawn_blocking(move || {
            let _under_way = under_way;
            question(link.as_ref())
        })
        .await
        .map_err(|fault| defect(&fault))
    }

    /// Tells the link that it is over, when nothing is under way any more.
    async fn close(self, reason: CloseReason) {
        drop(self.open.write().await);
        let _ = self.ask(move |link| link.closed(&reason)).await;
    }
}

async fn carry(open: Open, desk: Desk, wake: &Notify, setting: Setting) -> CloseReason {
    let Open { connection, mut send, receive, initiator, .. } = open;
    if !initiator && send.write_all(&setting.own_run).await.is_err() {
        return ended(&connection);
    }
    let both = async {
        let read = read(&connection, &desk, wake, &setting.admitted, receive);
        let write = write(&connection, &desk, wake, &mut send);
        tokio::pin!(read, write);
        let goodbye = limits::GOODBYE_TIMEOUT;
        let late = || Err(CloseReason::Lost("the last bytes were not acknowledged".into()));
        tokio::select! {
            result = &mut read => match result {
                Ok(()) => timeout(goodbye, write).await.unwrap_or_else(|_| late()),
                refused => refused,
            },
            result = &mut write => match result {
                Ok(()) => timeout(goodbye, read).await.unwrap_or(Ok(())),
                refused => refused,
            },
        }
    };
    tokio::pin!(both);
    let reason = tokio::select! {
        result = &mut both => result.err().unwrap_or(CloseReason::Finished),
        cancelled = setting.cancel => cancelled.unwrap_or(CloseReason::Shutdown),
    };
    // While the streams stand: dropping them would tell the peer that they ended, and not why.
    Code::for_reason(&reason).close(&connection);
    reason
}

/// Gives the link what arrives, until the peer has ended its half.
async fn read(
    connection: &Connection,
    desk: &Desk,
    wake: &Notify,
    admitted: &AtomicBool,
    mut receive: RecvStream,
) -> Result<(), CloseReason> {
    let mut buffer = vec![0; limits::CHUNK];
    while let Some(length) = receive.read(&mut buffer).await.map_err(|_| ended(connection))? {
        let (emptied, received, is_admitted) = desk
            .ask(move |link| {
                let received = link.receive(buffer.get(..length).unwrap_or_default());
                (buffer, received, link.admitted())
            })
            .await?;
        received?;
        buffer = emptied;
        admitted.store(is_admitted, Ordering::Relaxed);
        wake.notify_one();
    }
    match desk.ask(|link| link.finished()).await? {
        true => Ok(()),
        false => Err(CloseReason::Lost("the peer stopped in the middle".into())),
    }
}

/// Sends what the link has, until it is finished and everything is acknowledged.
async fn write(connection: &Connection, desk: &Desk, wake: &Notify, send: &mut SendStream) -> Result<(), CloseReason> {
    loop {
        match desk.ask(|link| link.outgoing(limits::CHUNK).ok_or_else(|| link.finished())).await? {
            Ok(bytes) => send.write_all(&bytes).await.map_err(|_| ended(connection))?,
            Err(false) => {
                if timeout(limits::TICK, wake.notified()).await.is_err() {
                    desk.ask(|link| link.tick()).await?;
                }
            }
            Err(true) => {
                let _ = send.finish();
                return send.stopped().await.map(|_| ()).map_err(|_| ended(connection));
            }
        }
    }
}
